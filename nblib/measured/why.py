"""One flag, and why it was raised: the spectrum around it, and its score against the threshold."""

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.figure import Figure

from nblib.measured.figure import draw_flags, readable_unit
from nblib.measured.flags import Flag
from nblib.measured.measurement import Measurement
from nblib.measured.result import Detection
from nblib.style import BACKGROUND, INK, PAIR, SPECTRUM

SURROUNDINGS = 4.0  # widths of a flag shown on either side of it
LEAST_BINS = 15  # shown on either side of a narrow one


def why_figure(measured: Measurement, detection: Detection, flag: Flag) -> Figure:
    """Left: this flag, the spectrum and the restored background around it. Right: why, the score and its threshold.

    Parameters
    ----------
    flag : one of detection.flags

    Returns
    -------
    a matplotlib figure; its right title names width, background, excess and chance
    """
    inside = around(detection.freqs, flag.fmin, flag.fmax)
    freqs = detection.freqs[inside]
    fig, (left, right) = plt.subplots(1, 2, figsize=PAIR, layout="constrained")
    left.plot(freqs, detection.psd[inside], ls="-", lw=0.9, color=SPECTRUM, label="spectrum")
    left.plot(freqs, np.exp(detection.background[inside]), ls="-", color=BACKGROUND, label="background")
    left.set(
        yscale="log", ylabel=f"PSD [{readable_unit(measured.unit)}]", title=f"this flag: {flag.cause or flag.kind}"
    )
    right.plot(freqs, detection.scores[inside], ls="-", lw=0.9, color=SPECTRUM, label="score, -ln p")
    right.axhline(detection.threshold, color=INK, ls=":", label=f"threshold at {detection.false_alarm:g}")
    right.set(ylabel="Score", title=reasons(measured, detection, flag))
    for ax in (left, right):
        draw_flags(ax, detection)
        ax.set(xlabel="Frequency [Hz]", xlim=freqs[[0, -1]])
        ax.legend(loc="best")
    return fig


def reasons(measured: Measurement, detection: Detection, flag: Flag) -> str:
    """Why a flag was raised, in two lines: width, background, excess, score and chance."""
    bins = (detection.freqs >= flag.fmin) & (detection.freqs <= flag.fmax)
    level = np.exp(np.nanmedian(detection.background[bins]))
    score = np.nanmax(detection.scores[bins])
    count = int(bins.sum())
    return (
        f"why: {count} bin{'' if count == 1 else 's'}, {flag.excess:.3g} x over {level:.3g} "
        f"{measured.unit or 'unit^2/Hz'}\nscore {score:.3g}, threshold {detection.threshold:.3g}; "
        f"chance in a clean spectrum {'below 1e-9' if flag.probability < 1e-9 else format(flag.probability, '.1g')}"
    )


def around(freqs: np.ndarray, low: float, high: float) -> slice:
    """The bins of a range, Hz, and of its surroundings; those at 0 Hz are left out."""
    first, last = np.searchsorted(freqs, (low, high))
    margin = max(LEAST_BINS, int(SURROUNDINGS * (last - first)))
    return slice(max(first - margin, int(np.searchsorted(freqs, 0, "right"))), last + margin + 1)
