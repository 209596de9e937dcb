"""A user's own spectrum in JupyterLab: threshold, flags and background live; flags by hand; export."""

from collections.abc import Callable
from math import log10
from pathlib import Path

import ipywidgets as widgets
import matplotlib.pyplot as plt
import numpy as np
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from nblib.live import LiveFigure, LiveOutput, show_controls, wide
from nblib.measured.editing import EditedDetection
from nblib.measured.figure import HAND, draw_flags, plot_detection
from nblib.measured.products import table
from nblib.project.environment import is_live
from nblib.project.paths import from_root
from nblib.style import BY_HAND, FLAGGED

SURROUNDINGS = 4.0  # widths of a range shown on either side of it
LEAST_BINS = 15  # shown on either side of a narrow one
LOWEST, HIGHEST = 1e-4, 0.5  # false alarms that the slider spans
WHOLE, RANGE = "whole", "range"  # what is shown, beside the flags themselves
DECADES = 10**0.7  # least reach of a zoomed axis up and down: one power of ten is always on it


def static_spectrum(edited: EditedDetection) -> Figure:
    """The spectrum with its flags and background, as stored beside the live one."""
    fig, ax = plt.subplots(figsize=(8.5, 4))
    plot_detection(edited.detection, ax, edited.measured.unit)
    ax.set_title(edited.measured.label)
    plt.close(fig)  # shown once, where it is returned
    return fig


def explore_spectrum(edited: EditedDetection, folder: str | Path, name: str) -> Figure | None:
    """Controls over an EditedDetection in JupyterLab; the static figure where nobody is there to move them.

    Parameters
    ----------
    edited : the spectrum and its flags
    folder, name : where "export" writes, and under which name

    Returns
    -------
    None in JupyterLab, where controls, figure and table are shown; a matplotlib figure elsewhere.
    """
    if not is_live():
        return static_spectrum(edited)
    SpectrumControls(edited, folder, name).show()
    return None


class SpectrumPicture:
    """The figure of an EditedDetection, which follows it: flags, background and title over the spectrum that stays."""

    def __init__(self, edited: EditedDetection):
        self.edited = edited
        figure = Figure(figsize=(8.5, 4), layout="constrained")
        self.ax = plot_detection(edited.detection, figure.subplots(), edited.measured.unit)
        self.title = self.ax.set_title(self._words(), animated=True)
        self.ax.legend(*_all_labels(self.ax), loc="lower center", bbox_to_anchor=(0.5, -0.3), ncols=4, frameon=False)
        self.scale, self.whole = self.ax.get_xscale(), (self.ax.get_xlim(), self.ax.get_ylim())  # no scale jumps
        self.background = self.ax.get_lines()[1]
        self.background.set_animated(True)
        for band in list(self.ax.patches):
            band.remove()
        self.live = LiveFigure(figure)

    def look_at(self, low: float | None, high: float | None) -> None:
        """Show a range in Hz with its surroundings; the whole spectrum for None."""
        if low is None or high is None:
            self.ax.set(xscale=self.scale, xlim=self.whole[0], ylim=self.whole[1])
        else:
            freqs = self.edited.measured.freqs
            first, last = np.searchsorted(freqs, (low, high))
            margin = max(LEAST_BINS, int(SURROUNDINGS * (last - first)))
            inside = slice(max(first - margin, np.searchsorted(freqs, 0, "right")), last + margin + 1)
            levels = self.edited.measured.psd[inside]
            levels = levels[np.isfinite(levels) & (levels > 0)]
            if not len(levels):
                raise ValueError(f"nothing was measured around {low:g}..{high:g} Hz; give a range on the axis")
            middle = np.sqrt(levels.min() * levels.max())
            reach = max(1.5 * levels.max() / middle, DECADES)
            self.ax.set(xscale="linear", xlim=freqs[inside][[0, -1]], ylim=(middle / reach, middle * reach))
        self.live.draw_still()

    def _words(self):
        edited, count = self.edited, len(self.edited.detection.flags)
        ranges = f"{count} flagged range{'' if count == 1 else 's'}"
        return f"{edited.measured.label}: {ranges} at {edited.false_alarm:.3g} false alarms a clean spectrum"

    def png(self) -> bytes:
        """The picture as it stands."""
        detection = self.edited.detection
        self.background.set_ydata(np.exp(detection.background))
        bands = draw_flags(self.ax, detection)
        try:
            self.title.set_text(self._words())
            return self.live.png([*bands, self.background, self.title])
        finally:
            for band in bands:
                band.remove()


def _all_labels(ax):
    """Handles and labels of everything that may be flagged, whether or not it is at this threshold."""
    handles, labels = ax.get_legend_handles_labels()
    named = {label: handle for handle, label in zip(handles, labels, strict=True) if label not in ("flagged", HAND)}
    named |= {"flagged": Patch(color=FLAGGED, alpha=0.22), HAND: Patch(color=BY_HAND, alpha=0.22)}
    return list(named.values()), list(named)


class SpectrumControls:
    """Threshold, flags by hand, zoom and export over an EditedDetection; picture and table follow.

    Parameters
    ----------
    edited : the spectrum and its flags
    folder, name : where "export" writes, and under which name
    """

    def __init__(self, edited: EditedDetection, folder: str | Path, name: str):
        self.edited, self.folder, self.name = edited, folder, name
        self.drawn = SpectrumPicture(edited)
        self.picture, self.listing = LiveOutput(), LiveOutput()
        limits = {"min": log10(LOWEST), "max": log10(HIGHEST), "step": 0.05}
        label = {"description_width": "85px"}
        self.alarm = widgets.FloatLogSlider(
            edited.false_alarm, description="false alarms", readout=False, style=label, layout=wide(560), **limits
        )
        self.number = widgets.BoundedFloatText(
            edited.false_alarm, min=LOWEST, max=HIGHEST, step=0.001, layout=wide(100)
        )
        self.shown = widgets.Dropdown(description="show", style=label, layout=wide(560))
        start = max(edited.detection.flags, key=lambda flag: flag.excess, default=None)
        ends = (start.fmin, start.fmax) if start else (edited.measured.freqs[0], edited.measured.freqs[-1])
        self.low = widgets.FloatText(float(ends[0]), description="from [Hz]", style=label, layout=wide(190))
        self.high = widgets.FloatText(
            float(ends[1]), description="to [Hz]", style={"description_width": "50px"}, layout=wide(155)
        )
        texts = ("add flag", "remove flags", "undo", "export")
        self.buttons = {text: widgets.Button(description=text, layout=wide(110)) for text in texts}
        self.message = widgets.Label("expected false alarms in a clean spectrum; fewer, fewer flags")
        self.box = widgets.VBox(
            [
                widgets.HBox([self.alarm, self.number]),
                self.shown,
                widgets.HBox([self.low, self.high, *self.buttons.values()]),
                self.message,
            ]
        )
        self._list_flags(WHOLE)
        self._connect()

    def show(self) -> None:
        """Show controls, picture and table in the running cell."""
        show_controls(self.box)
        self._draw()

    def _connect(self):
        # the slider moves the number, the number the threshold: a typed value is used as it is, a slid one is rounded
        self.alarm.observe(lambda change: self.number.set_trait("value", float(f"{change['new']:.3g}")), "value")
        self.number.observe(lambda change: self._act(lambda: self._set_alarm(change["new"])), "value")
        self.shown.observe(lambda change: None if self._is_listing else self._act(self._look), "value")
        for end in (self.low, self.high):
            end.observe(lambda change: self._act(self._look) if self.shown.value == RANGE else None, "value")
        for text, action in (
            ("add flag", self._add),
            ("remove flags", self._remove),
            ("undo", lambda: "taken back" if self.edited.undo() else "nothing to take back"),
            ("export", self._export),
        ):
            self.buttons[text].on_click(lambda _, action=action: self._act(action))

    def _act(self, action: Callable[[], str]):
        """Do what a control asks for and show what it made; an error is shown and changes nothing."""
        try:
            self.message.value = action()
        except (ValueError, OSError) as error:
            self.message.value = str(error)
            return
        self._list_flags(self.shown.value)
        self._draw()

    def _set_alarm(self, value):
        self.alarm.value = value
        self.edited.set_false_alarm(value)
        return f"{len(self.edited.detection.flags)} flagged ranges"

    def _ends(self):
        return self.low.value, self.high.value

    def _add(self):
        self.edited.add(*self._ends())
        return "added"

    def _remove(self):
        count = self.edited.remove(*self._ends())
        return f"{count} removed between {self.low.value:g} and {self.high.value:g} Hz"

    def _export(self):
        self.message.value = "writing ..."
        written = self.edited.export(self.folder, self.name)
        return f"wrote to {from_root(written[0].parent)}: {', '.join(path.name for path in written)}"

    def _look(self):
        if isinstance(self.shown.value, tuple):
            self.low.value, self.high.value = self.shown.value
        if self.shown.value == WHOLE:
            self.drawn.look_at(None, None)
            return "the whole spectrum"
        self.drawn.look_at(*self._ends())
        return f"{self.low.value:g}..{self.high.value:g} Hz and its surroundings"

    def _list_flags(self, chosen):
        """Offer the flags that there are; one that is gone leaves its range, so that the view stays."""
        flags = self.edited.detection.flags
        options = [("the whole spectrum", WHOLE), ("the range from..to", RANGE)]
        options += [(f"{flag.fmin:.6g}..{flag.fmax:.6g} Hz, {flag.cause or flag.kind}", _span(flag)) for flag in flags]
        if tuple(options) == tuple(self.shown.options):
            return
        kept = chosen in [value for _, value in options]
        self._is_listing = True  # a new list is not a choice
        self.shown.options = options
        self.shown.value = chosen if kept else RANGE
        self._is_listing = False

    def _draw(self):
        words = f"{self.edited.measured.label}: {len(self.edited.detection.flags)} flagged ranges"
        self.picture.show_png(self.drawn.png(), words)
        self.listing.show({"text/plain": table(self.edited.detection)})


def _span(flag):
    return float(flag.fmin), float(flag.fmax)
