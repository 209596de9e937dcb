"""The controls over a user's own spectrum in JupyterLab, and what each of them does."""

from collections.abc import Callable
from math import log10
from pathlib import Path

import ipywidgets as widgets

from nblib.analysis.products import table
from nblib.project.paths import from_root
from nblib.reporting.live import LiveOutput, show_controls
from nblib.reporting.spectrum_explorer import EditedDetection, SpectrumPicture

LOWEST, HIGHEST = 1e-4, 0.5  # false alarms that the slider spans
WHOLE, RANGE = "whole", "range"  # what is shown, beside the flags themselves


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
            edited.false_alarm, description="false alarms", readout=False, style=label, layout=_wide(560), **limits
        )
        self.number = widgets.BoundedFloatText(
            edited.false_alarm, min=LOWEST, max=HIGHEST, step=0.001, layout=_wide(100)
        )
        self.shown = widgets.Dropdown(description="show", style=label, layout=_wide(560))
        start = max(edited.detection.flags, key=lambda flag: flag.excess, default=None)
        ends = (start.low, start.high) if start else (edited.measured.freqs[0], edited.measured.freqs[-1])
        self.low = widgets.FloatText(float(ends[0]), description="from [Hz]", style=label, layout=_wide(190))
        self.high = widgets.FloatText(
            float(ends[1]), description="to [Hz]", style={"description_width": "50px"}, layout=_wide(155)
        )
        texts = ("add flag", "remove flags", "undo", "export")
        self.buttons = {text: widgets.Button(description=text, layout=_wide(110)) for text in texts}
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
        """Do what a control asks for and show what it made; a refusal is said and changes nothing."""
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
        options += [(f"{flag.low:.6g}..{flag.high:.6g} Hz, {flag.cause or flag.kind}", _span(flag)) for flag in flags]
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
    return float(flag.low), float(flag.high)


def _wide(pixels):
    return widgets.Layout(width=f"{pixels}px")
