"""One page on a user's own spectrum: the spectrum with its flags, what is left of it, and the table."""

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.figure import Figure

from nblib.measured.measurement import Measurement
from nblib.measured.products import table
from nblib.measured.result import Detection
from nblib.style import INK

ROWS = 22  # lines of the table that fit below the panels


def summary_page(measured: Measurement, detection: Detection) -> Figure:
    """Spectrum, background and flags; the ratio of the two; what was read, and the flags as text."""
    fig = plt.figure(figsize=(8, 9), layout="constrained")
    top, middle, bottom = fig.subplots(3, 1, height_ratios=[3, 2, 3])
    detection.plot(ax=top, unit=measured.unit)
    ratio = 10 / np.log(10) * (np.log(measured.psd) - detection.background)
    middle.plot(measured.freqs, ratio, lw=0.6)
    middle.axhline(0, color=INK, lw=0.8)
    middle.set(xscale=top.get_xscale(), xlim=top.get_xlim(), xlabel="Frequency [Hz]", ylabel="Over background [dB]")
    lines = [*measured.describe().split("\n"), *measured.notes(detection), "", *table(detection).split("\n")]
    if len(lines) > ROWS:
        lines = [*lines[: ROWS - 1], f"... {len(lines) - ROWS + 1} lines more in the files"]
    bottom.text(0, 1, "\n".join(line[:110] for line in lines), va="top", family="monospace", fontsize=6.5)
    bottom.set_axis_off()
    return fig
