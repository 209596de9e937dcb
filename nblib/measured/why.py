"""One flag, and why it was raised: the spectrum around it, and its score against the threshold."""

import io
from collections.abc import Iterable
from functools import cache
from textwrap import shorten

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from nblib.measured.figure import draw_flags, readable_unit
from nblib.measured.flags import Flag
from nblib.measured.measurement import Measurement
from nblib.measured.result import Detection
from nblib.style import BACKGROUND, INK, PAIR, SPECTRUM

SURROUNDINGS = 4.0  # widths of a flag shown on either side of it
LEAST_BINS = 15  # shown on either side of a narrow one
LONGEST = 50  # letters of a source in a title
TITLE = {"loc": "left", "fontsize": 8, "y": 1.0}  # a place of its own need not be looked for


def why_figure(measured: Measurement, detection: Detection, flag: Flag) -> Figure:
    """Left: this flag, the spectrum and the restored background around it. Right: why, the score and its threshold.

    Parameters
    ----------
    flag : one of detection.flags

    Returns
    -------
    a matplotlib figure; its right title names width, background, excess and chance
    """
    fig, axes = plt.subplots(1, 2, figsize=PAIR, layout="constrained")
    draw_why(axes, measured, detection, flag)
    return fig


def draw_why(axes: Iterable, measured: Measurement, detection: Detection, flag: Flag) -> None:
    """Draw what why_figure shows; axes : two empty ones of matplotlib."""
    inside = around(detection.freqs, flag.fmin, flag.fmax)
    freqs = detection.freqs[inside]
    left, right = axes
    left.plot(freqs, detection.psd[inside], ls="-", lw=0.9, color=SPECTRUM, label="spectrum")
    left.plot(freqs, np.exp(detection.background[inside]), ls="-", color=BACKGROUND, label="background")
    left.set(yscale="log", ylabel=f"PSD [{readable_unit(measured.unit)}]")
    name = (flag.cause or flag.kind).split(", harmonic")[0]
    left.set_title(f"this flag: {shorten(name, LONGEST)}", **TITLE)
    right.plot(freqs, detection.scores[inside], ls="-", lw=0.9, color=SPECTRUM, label="score, -ln p")
    right.axhline(detection.threshold, color=INK, ls=":", label=f"threshold at {detection.false_alarm:g}")
    right.set(ylabel="Score")
    right.set_title(reasons(measured, detection, flag), **TITLE)
    for ax in (left, right):
        ax.legend(loc="upper right", fontsize=8)
        draw_flags(ax, detection)
        ax.set(xlabel="Frequency [Hz]", xlim=freqs[[0, -1]])


@cache
def _kept_axes():
    """One figure for every flag that is looked at: finding its layout would take longer than all the rest."""
    figure = Figure(figsize=PAIR, dpi=90, layout="none")
    FigureCanvasAgg(figure)
    figure.subplots_adjust(0.105, 0.15, 0.99, 0.86, wspace=0.2)
    return figure.subplots(1, 2)


def why_png(measured: Measurement, detection: Detection, flag: Flag) -> bytes:
    """What why_figure shows as a PNG file, in a third of its time."""
    axes, stream = _kept_axes(), io.BytesIO()
    for ax in axes:
        ax.clear()
    draw_why(axes, measured, detection, flag)
    axes[0].figure.canvas.print_png(stream, pil_kwargs={"compress_level": 1})  # savefig would bring a layout back
    return stream.getvalue()


def reasons(measured: Measurement, detection: Detection, flag: Flag) -> str:
    """Why a flag was raised, in two lines: width, background, excess, score and chance."""
    bins = (detection.freqs >= flag.fmin) & (detection.freqs <= flag.fmax)
    level = np.exp(np.nanmedian(detection.background[bins]))
    score = np.nanmax(detection.scores[bins])
    count = int(bins.sum())
    return (
        f"why: {count} bin{'' if count == 1 else 's'}, {flag.excess:.3g} x over {level:.3g} "
        f"{readable_unit(measured.unit)}\nscore {score:.3g}, threshold {detection.threshold:.3g}; "
        f"chance {'below 1e-9' if flag.probability < 1e-9 else format(flag.probability, '.1g')}"
    )


def around(freqs: np.ndarray, low: float, high: float, widths: float = SURROUNDINGS) -> slice:
    """The bins of a range, Hz, and of some of its widths on either side; those at 0 Hz are left out."""
    first, last = np.searchsorted(freqs, (low, high))
    margin = max(LEAST_BINS, int(widths * (last - first)))
    return slice(max(first - margin, int(np.searchsorted(freqs, 0, "right"))), last + margin + 1)
