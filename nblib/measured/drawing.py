"""Figures of many detections in one file each, drawn quickly: one figure is kept, its lines and bands are replaced."""

import io
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from nblib.measured.figure import HAND, draw_flags, name_pair, plain_powers, ratio_axis, readable_unit, scale_of
from nblib.measured.products import MAKER, writing
from nblib.project.paths import replace_whole
from nblib.style import BACKGROUND, BY_HAND, FLAGGED, SPECTRUM, STYLE

DPI = 150
COLUMNS = 1000  # of pixels, about; more bins than twice as many are drawn as the least and the largest of each column


class DetectionFigure:
    """Spectrum, background and flagged ranges of one detection after the other.

    Axes, ticks and legend are made once, which takes most of the time of a figure; nothing needs a screen, and the
    user's own backend is left alone.

    Parameters
    ----------
    size : of the figure, inches
    """

    def __init__(self, size: tuple[float, float] = (8, 4.5)):
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure
        from matplotlib.patches import Patch

        own: Any = "none"  # whatever the style of a notebook says
        self.figure = Figure(figsize=size, layout=own)
        FigureCanvasAgg(self.figure)
        self.figure.subplots_adjust(0.1, 0.11, 0.98, 0.92)
        self.ax = self.figure.subplots()
        self.ax.set(yscale="log", xlabel="Frequency [Hz]")
        (self.spectrum,) = self.ax.plot([1], [1], lw=0.7, ls="-", color=SPECTRUM, label="spectrum")
        (self.background,) = self.ax.plot([1], [1], lw=1.3, ls="-", color=BACKGROUND, label="background")
        self.title = self.ax.set_title("", fontsize=9, loc="left", y=1.0)  # a place of its own need not be looked for
        shown = [self.spectrum, self.background, Patch(color=FLAGGED, alpha=0.22, label="flagged")]
        place: dict[str, Any] = {"loc": "lower right", "bbox_to_anchor": (1, 1), "frameon": False, "borderaxespad": 0.1}
        self.legend = self.ax.legend(handles=shown, ncols=3, **place)
        hand = [*shown, Patch(color=BY_HAND, alpha=0.22, label=HAND)]
        self.by_hand = self.ax.legend(handles=hand, ncols=4, **place)
        self.ax.add_artist(self.legend)
        plain_powers(self.ax.yaxis)
        self._bands: list = []

    def save(self, paths: list[Path], measured, detection) -> None:
        """Draw a detection into files, PNG or PDF by their endings; raises ValueError where one cannot be written."""
        self.show(measured, detection)
        for path in paths:
            stream, png = io.BytesIO(), path.suffix == ".png"
            more: dict[str, Any] = {"pil_kwargs": {"compress_level": 4}} if png else {}
            self.figure.savefig(
                stream, format=path.suffix[1:], dpi=DPI, metadata={"Software" if png else "Creator": MAKER}, **more
            )
            with writing(path):
                replace_whole(path, stream.getvalue())

    def show(self, measured, detection, span: slice | None = None) -> None:
        """Put a detection in place of the one before; span : the bins that are shown on a linear axis, None for all."""
        ax, inside = self.ax, span or slice(None)
        freqs = detection.freqs[inside]
        scale = "linear" if span else scale_of(freqs)
        if ax.get_xscale() != scale:
            ax.set_xscale(scale)
        if scale == "log":
            plain_powers(ax.xaxis)
        self.spectrum.set_data(*envelope(freqs, detection.psd[inside], scale))
        self.background.set_data(*envelope(freqs, np.exp(detection.background[inside]), scale))
        ax.relim()
        ax.autoscale(True)
        self.title.set_text(measured.label)
        ax.set_ylabel(f"PSD [{readable_unit(measured.unit)}]")
        hand = any(flag.cause == HAND for flag in detection.flags)
        self.legend.set_visible(not hand)
        self.by_hand.set_visible(hand)
        for bands in self._bands:
            bands.remove()
        self._bands = draw_flags(ax, detection)


class PairFigure(DetectionFigure):
    """Of a source-switched pair: on, scaled off and flags, and below them the ratio.

    Parameters
    ----------
    size : of the figure, inches
    """

    def __init__(self, size: tuple[float, float] = (8, 6)):
        super().__init__(size)
        self.figure.subplots_adjust(0.1, 0.09, 0.98, 0.94)
        self.ax.set(position=(0.1, 0.43, 0.88, 0.51), xlabel="")
        name_pair(self.spectrum, self.background, self.legend)
        self.below = self.figure.add_axes((0.1, 0.09, 0.88, 0.28))
        ratio_axis(self.below)
        (self.ratio,) = self.below.plot([1], [1], lw=0.7, ls="-", color=SPECTRUM)
        self.below.axhline(1.0, lw=1.0, ls="-", color=BACKGROUND)
        self._below_bands: list = []

    def show(self, measured, detection, span: slice | None = None) -> None:
        """Put a pair in place of the one before."""
        super().show(measured, detection, span)
        scale, inside = self.ax.get_xscale(), span or slice(None)
        self.below.set_xscale(scale)
        if scale == "log":
            plain_powers(self.below.xaxis)
        self.ratio.set_data(*envelope(detection.freqs[inside], detection.ratio[inside], scale))
        self.below.relim()
        self.below.autoscale(True)
        self.below.set_xlim(self.ax.get_xlim())
        for band in self._below_bands:
            band.remove()
        self._below_bands = draw_flags(self.below, detection)


def envelope(freqs: np.ndarray, values: np.ndarray, scale: str, columns: int = COLUMNS):
    """What a figure shows of many bins: the least and the largest value of each of `columns` equal parts of the axis.

    Parameters
    ----------
    freqs : (bin,) Hz, increasing
    values : (bin,), NaN where missing
    scale : "log" or "linear", of the axis

    Returns
    -------
    two arrays, the bins themselves where there are no more than two per column; NaN where a part holds no value
    """
    starts = parts_of(freqs, scale, columns)
    if len(starts) == len(freqs):
        return freqs, values
    ends = np.append(starts[1:], len(freqs)) - 1
    extremes = np.fmin.reduceat(values, starts), np.fmax.reduceat(values, starts)
    return np.stack([freqs[starts], freqs[ends]], axis=1).ravel(), np.stack(extremes, axis=1).ravel()


def parts_of(freqs: np.ndarray, scale: str, columns: int = COLUMNS) -> np.ndarray:
    """First bin of each equal part of the axis that holds one; every bin where there are at most two per column."""
    if len(freqs) <= 2 * columns:
        return np.arange(len(freqs))
    positions = np.log(np.maximum(freqs, freqs[freqs > 0][0])) if scale == "log" else freqs
    return np.unique(np.searchsorted(positions, np.linspace(positions[0], positions[-1], columns + 1)[:-1]))


@cache
def _kept_figure(is_pair: bool) -> DetectionFigure:
    return PairFigure() if is_pair else DetectionFigure()


def draw(paths: list[Path], measured, detection) -> None:
    """The figure of a detection into files; raises ValueError where one cannot be written."""
    from matplotlib.style import context

    # the same file for a command, a notebook or a script; saved once, a figure without a layout of its
    # own would have that of the style
    with context(["default", STYLE, {"figure.constrained_layout.use": False}]):
        _kept_figure("reference" in detection.more()).save(paths, measured, detection)
