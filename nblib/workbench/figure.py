"""Figures of fits: S with its components and dropped bins, f S(f), residuals."""

import numpy as np

from nblib.measured.figure import readable_unit
from nblib.style import ACCENT, COLOURS, GREY, INK, LINE_STYLES, MAIN
from nblib.workbench.averaging import averaged

PANELS = (3, 2, 1.4)  # relative heights
SIZE = (7.0, 8.0)  # inches


def plot_fit(fit, axes=None):
    """S, f S(f) and the residuals of a fit against frequency.

    Parameters
    ----------
    fit : result.Fit
    axes : three of matplotlib, from top to bottom; those of a new figure if None

    Returns
    -------
    the axes
    """
    import matplotlib.pyplot as plt

    if axes is None:
        axes = plt.subplots(3, 1, figsize=SIZE, height_ratios=PANELS, sharex=True, layout="constrained")[1]
    top, middle, bottom = axes
    for ax, factor in ((top, np.ones(len(fit.freqs))), (middle, fit.freqs)):
        _spectrum(ax, fit, factor)
    unit = readable_unit(fit.unit)
    top.set(xscale="log", yscale="log", ylabel=f"PSD [{unit}]")
    per_hertz = unit.removesuffix("/Hz")
    middle.set(xscale="log", yscale="log", ylabel=f"f S(f) [{per_hertz if per_hertz != unit else unit + ' Hz'}]")
    top.legend(frameon=False, fontsize=7, ncols=2)
    _residuals(bottom, fit)
    return axes


def _spectrum(ax, fit, factor):
    dropped = np.isfinite(fit.psd) & ~fit.keep
    trimmed = fit.keep & ~fit.kept.used
    total = factor * (fit.kept.psd + fit.floor)
    ax.plot(fit.freqs, factor * fit.psd, ls="-", lw=0.6, color=GREY, label="measured")
    for bins, colour, label in ((dropped, ACCENT, "dropped"), (trimmed, COLOURS[3], "trimmed")):
        if bins.any():
            ax.plot(fit.freqs[bins], (factor * fit.psd)[bins], ".", ms=2.5, color=colour, label=label)
    for number, (name, part) in enumerate(fit.kept.parts.items(), start=1):
        ax.plot(fit.freqs, factor * part, lw=1, ls=LINE_STYLES[number % len(LINE_STYLES)], color=INK, label=name)
    every = factor * (fit.all_bins.psd + fit.floor)
    ax.plot(fit.freqs, every, lw=1, ls=":", color=ACCENT, label="fit of all bins")
    ax.plot(fit.freqs, total, lw=1.5, ls="-", color=MAIN, label="fit" if fit.described else "fit, not described")
    for corner in fit.corners:
        ax.axvline(corner.value, color=INK, lw=0.6, ls=":")
    values = (factor * fit.psd)[np.isfinite(fit.psd)]
    low = min(np.quantile(values, 0.001), total.min())
    ax.set_ylim(low / 3, values.max() * 3)  # components may fall far below the spectrum


def _residuals(ax, fit):
    """Mean of the cells over the model, in standard errors of a cell."""
    used, logs = fit.kept.used, np.log(fit.freqs)
    ratio = fit.psd[used] / (fit.kept.psd + fit.floor)[used]
    nothing = np.zeros(int(used.sum()))
    cells = averaged(logs[used], ratio, fit.n_segments[used], fit.correlation, float(logs[0]), nothing)
    steps = (cells.mean - 1) * np.sqrt(cells.own_averages)
    ax.plot(np.exp(cells.log_freqs), steps, ".", ms=3, color=MAIN)
    ax.axhline(0, color=INK, lw=0.8)
    ax.axhspan(-2, 2, color=GREY, alpha=0.2, lw=0)
    ax.set(xscale="log", xlabel="Frequency [Hz]", ylabel="Residual [s.e.]")
