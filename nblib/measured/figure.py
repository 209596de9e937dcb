"""A detection as a figure: the spectrum, its restored background and the flagged ranges."""

import re
from typing import Any

import numpy as np

from nblib.style import BACKGROUND, BY_HAND, FLAGGED, SPECTRUM

HAND = "by hand"  # the cause of a flag that a person set


def plot_detection(detection, ax=None, unit: str | None = None):
    """Spectrum, background and flagged ranges against frequency.

    Parameters
    ----------
    detection : result.Detection
    ax : matplotlib axes; those of a new figure if None
    unit : of the PSD, for the axis, as a file states it ("V^2/Hz")

    Returns
    -------
    the axes; flags set by hand have a colour of their own
    """
    import matplotlib.pyplot as plt

    ax = ax or plt.subplots(figsize=(8, 3.5), layout="constrained")[1]
    scale = scale_of(detection.freqs)
    ax.plot(detection.freqs, detection.psd, lw=0.7, ls="-", color=SPECTRUM, label="spectrum")
    ax.plot(detection.freqs, np.exp(detection.background), lw=1.3, ls="-", color=BACKGROUND, label="background")
    draw_flags(ax, detection)
    ax.set(xscale=scale, yscale="log", xlabel="Frequency [Hz]", ylabel=f"PSD [{readable_unit(unit)}]")
    ax.legend(frameon=False, loc="best")
    return ax


def plot_pair(detection, axes=None, unit: str | None = None):
    """A spectrum with the source on, the scaled reference and the flags; below them their ratio.

    Parameters
    ----------
    detection : switched.SwitchedDetection
    axes : two matplotlib axes; those of a new figure if None
    unit : as in plot_detection

    Returns
    -------
    the two axes
    """
    import matplotlib.pyplot as plt

    if axes is None:
        axes = plt.subplots(2, 1, figsize=(8, 5), layout="constrained", sharex=True, height_ratios=(3, 2))[1]
    plot_detection(detection, axes[0], unit)
    spectrum, reference = axes[0].lines[:2]
    name_pair(spectrum, reference, axes[0].legend(frameon=False, loc="best"))
    axes[0].set_xlabel("")
    axes[1].plot(detection.freqs, detection.ratio, lw=0.7, ls="-", color=SPECTRUM)
    axes[1].axhline(1.0, lw=1.0, ls="-", color=BACKGROUND)
    draw_flags(axes[1], detection)
    ratio_axis(axes[1])
    return axes


def name_pair(spectrum, reference, legend) -> None:
    """Names and colours of a pair's two curves, in place of a spectrum's and its background's; on lies above off."""
    styles = ((spectrum, "on", BACKGROUND, 3), (reference, "off, scaled", SPECTRUM, 2))
    for (line, name, colour, order), text, sign in zip(styles, legend.get_texts(), legend.get_lines(), strict=False):
        line.set(label=name, color=colour, linewidth=0.7, zorder=order)
        sign.set(color=colour, linewidth=1.2)
        text.set_text(name)


def ratio_axis(ax) -> None:
    """A logarithmic axis of numbers around 1, written plainly."""
    from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

    ax.set(yscale="log", xlabel="Frequency [Hz]", ylabel="on / scaled off")
    ax.yaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
    ax.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    ax.yaxis.set_minor_formatter(NullFormatter())


def draw_flags(ax, detection) -> list:
    """Bands over the flagged ranges, half a bin wider on either side; returns them, one artist a colour."""
    spans: dict[bool, list[tuple[float, float]]] = {False: [], True: []}
    half_step = np.median(np.diff(detection.freqs)) / 2
    for flag in detection.flags:
        spans[flag.cause == HAND].append((flag.fmin - half_step, flag.fmax + half_step))
    return [draw_bands(ax, of_kind, by_hand) for by_hand, of_kind in spans.items() if of_kind]


def draw_bands(ax, spans: list[tuple[float, float]], by_hand: bool):
    """Bands of the full height over ranges, Hz, as one artist, which is returned: an artist each takes long to make."""
    from matplotlib.collections import PolyCollection

    corners = [[(low, 0), (low, 1), (high, 1), (high, 0)] for low, high in spans]
    colour, label = (BY_HAND, HAND) if by_hand else (FLAGGED, "flagged")
    # the edge has a width, so that a band narrower than a pixel is seen
    style: dict[str, Any] = {"color": colour, "alpha": 0.22, "lw": 1, "label": label}
    bands = PolyCollection(corners, transform=ax.get_xaxis_transform(), **style)
    return ax.add_collection(bands, autolim=False)  # or a kept axis would reach over the flags of the spectrum before


def scale_of(freqs) -> str:
    """ "log" where the axis spans more than two decades, else "linear"."""
    positive = freqs[freqs > 0]
    return "log" if positive[-1] > 100 * positive[0] else "linear"


def plain_powers(axis) -> None:
    """Powers of ten on a logarithmic axis as plain text: matplotlib's own take a large part of a figure's time."""
    from matplotlib.ticker import FuncFormatter, NullFormatter

    def power(value, _):
        exponent = np.log10(value) if value > 0 else np.nan
        return f"10{_raised(f'{exponent:.0f}')}" if abs(exponent - round(exponent)) < 1e-6 else ""

    axis.set_major_formatter(FuncFormatter(power))
    axis.set_minor_formatter(NullFormatter())


def readable_unit(unit: str | None) -> str:
    """A unit with its powers raised: "A²/Hz" for "A^2/Hz"; "unit²/Hz" where none is known."""
    plain = (unit or "unit^2/Hz").replace("$", r"\$")
    return re.sub(r"(?:\^|\*\*)\(?([-+]?\d+(?:\.\d+)?)\)?", lambda match: _raised(match.group(1)), plain)


def _raised(text):
    return text.translate(str.maketrans("0123456789+-.", "⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻·"))
