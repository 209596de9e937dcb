"""Figures of fits: S with its components and dropped bins, f S(f), residuals."""

import numpy as np

from nblib.measured.figure import readable_unit
from nblib.style import ACCENT, COLOURS, GREY, INK, LINE_STYLES, MAIN, TALL_PAIR
from nblib.workbench.averaging import averaged
from nblib.workbench.constants import BOLTZMANN

PANELS = (3, 2, 1.4)  # relative heights
SIZE = (7.0, 8.0)  # inches
TICK_ROOM = 0.07  # of the axis, for the label of a tick


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


def plot_arrhenius(arrhenius, axes=None):
    """Traps of a series: ln(tau T^m) over 1/kT, and the plateaus over T.

    Parameters
    ----------
    arrhenius : arrhenius.Arrhenius
    axes : two of matplotlib; those of a new figure if None

    Returns
    -------
    the axes; corners from all bins are open and in the background, those of the bins kept are filled
    """
    import matplotlib.pyplot as plt

    if axes is None:
        axes = plt.subplots(1, 2, figsize=TALL_PAIR, width_ratios=(3, 2), layout="constrained")[1]
    left, right = axes
    _cloud(
        left,
        arrhenius,
        [*arrhenius.loose[1], *(point for trap in arrhenius.all_bins for point in trap.points)],
        "all bins",
    )
    for trap in arrhenius.all_bins[:1]:
        _trap_line(left, arrhenius, trap, ACCENT, ":", f"all bins: {_energy(trap)}")
    if arrhenius.loose[0]:
        _points(left, arrhenius, arrhenius.loose[0], GREY, "o", "bins kept, linked to no trap")
    for number, trap in enumerate(arrhenius.kept):
        colour = COLOURS[(0, 2, 5, 7)[number % 4]]
        _points(left, arrhenius, trap.points, colour, "o", None)
        _trap_line(left, arrhenius, trap, colour, "-", f"bins kept: {_energy(trap)}")
        _plateaus(right, trap, colour)
    power = "" if arrhenius.t_power == 0 else " T" if arrhenius.t_power == 1 else f" T$^{{{arrhenius.t_power:g}}}$"
    units = "s" if arrhenius.t_power == 0 else f"s K$^{{{arrhenius.t_power:g}}}$"
    left.set(xlabel="1 / kT [1/eV]", ylabel=f"ln($\\tau${power} / {units})")
    left.legend(frameon=False, fontsize=8, title=f"energy with its {arrhenius.level:.0%} interval", title_fontsize=8)
    top = left.secondary_xaxis("top", functions=(_inverse, _inverse))
    top.set_xlabel("T [K]")
    ticks = _spread(sorted(set(arrhenius.temperatures)), left.get_xlim())
    top.set_xticks(ticks, [f"{tick:.4g}" for tick in ticks])
    right.set(yscale="log", xlabel="T [K]", ylabel=f"Plateau [{readable_unit(arrhenius.unit)}]")
    return axes


def _plateaus(ax, trap, colour):
    """Plateaus of a trap's corners with their intervals."""
    value, low, high = np.array([point.plateau for point in trap.points]).T
    ends = [value - low, np.where(np.isfinite(high), high - value, 0.0)]
    ax.errorbar([point.temperature for point in trap.points], value, ends, fmt="o-", ms=4, lw=1, color=colour)


def _spread(temperatures, limits) -> list[float]:
    """Temperatures whose ticks do not touch each other, the highest first."""
    kept: list[float] = []
    for temperature in temperatures[::-1]:
        if not kept or abs(_inverse(temperature) - _inverse(kept[-1])) > TICK_ROOM * abs(limits[1] - limits[0]):
            kept.append(temperature)
    return kept


def _inverse(values):
    """1/kT from T and back."""
    return 1 / (BOLTZMANN * np.maximum(np.asarray(values, float), 1e-9))


def _energy(trap) -> str:
    return f"{trap.energy:.3f} eV [{trap.low:.3f}, {trap.high:.3f}]"


def _cloud(ax, arrhenius, points, label):
    ax.plot(*_coordinates(arrhenius, points), "x", ms=5, color=ACCENT, alpha=0.7, label=label)


def _points(ax, arrhenius, points, colour, marker, label):
    x, y = _coordinates(arrhenius, points)
    ends = [[np.log(point.high / point.corner), np.log(point.corner / point.low)] for point in points]
    ax.errorbar(x, y, yerr=np.array(ends).T, fmt=marker, ms=4, lw=1, color=colour, label=label)


def _coordinates(arrhenius, points):
    """1/kT and ln(tau T^m) of corners."""
    x = _inverse([point.temperature for point in points])
    return x, np.array([point.log_tau(arrhenius.t_power) for point in points])


def _trap_line(ax, arrhenius, trap, colour, style, label):
    x = _inverse([point.temperature for point in trap.points])
    ends = np.array([x.min(), x.max()])
    ax.plot(ends, trap.log_prefactor + trap.energy * ends, ls=style, lw=1.3, color=colour, label=label)
