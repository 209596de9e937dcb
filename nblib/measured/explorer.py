"""A user's own spectra in JupyterLab: choose one, drag ranges on its figure, name sources, keep the changes."""

import base64
from collections.abc import Callable, Sequence
from functools import partial
from math import log10
from pathlib import Path
from typing import Any

import ipywidgets as widgets
from matplotlib.figure import Figure

from nblib.live import LiveOutput, show_controls, wide
from nblib.measured.analyse import Analysis
from nblib.measured.detector import NoiseDetector
from nblib.measured.drawing import DetectionFigure
from nblib.measured.editing import EditedDetection
from nblib.measured.flags import Flag
from nblib.measured.kept_edits import EDITED, KeptEdits
from nblib.measured.products import table
from nblib.measured.why import why_png
from nblib.project.environment import is_live
from nblib.project.paths import from_root
from nblib.style import CELL_WIDE

LOWEST, HIGHEST = 1e-4, 0.5  # false alarms that the slider spans
FLAG, REMOVE, LOOK = "flag it", "remove flags", "zoom in"  # what dragging a range does
OFF = " (removed)"

View = Callable[[EditedDetection, Flag | None], dict[str, str] | None]


class OpenSpectrum:
    """One spectrum with its changes by hand, loaded from beside its results.

    Attributes
    ----------
    edited : the detection and its changes
    kept : their file
    told : what was loaded, or why it could not be
    is_saved : is everything on the disk
    """

    def __init__(self, measured, false_alarm: float, detector: NoiseDetector, folder: Path, name: str):
        self.edited, self.kept = EditedDetection(measured, detector, false_alarm), KeptEdits(folder, name)
        try:
            self.told = self.kept.load(self.edited)
        except ValueError as error:
            self.told = str(error)
        self.is_saved = True


def explore(analysis: Analysis, out: str | Path | None = None, views: Sequence[View] = ()) -> Figure | None:
    """Controls over the spectra that were analysed, in JupyterLab; a static figure where nobody is there to move them.

    Changes are saved as NAME.edits.json and NAME.edited.* beside the results, and loaded when the spectrum is opened
    again.

    Parameters
    ----------
    analysis : of nblib.analyse
    out : folder of the results, as analysis.write takes it
    views : what is shown below, beside why_view: called after each change with the edited detection and the chosen
        flag (None: none is chosen), each returns a bundle, media type -> content, or None for nothing. The chosen flag
        may be one that is removed, edited.left_out: removed and put back, it is what the view is compared with

    Returns
    -------
    None in JupyterLab; elsewhere a matplotlib figure of the first spectrum with its changes
    """
    controls = SpectrumControls(analysis, out, views) if is_live() else None
    if controls:
        controls.show()
        return None
    drawn, first = DetectionFigure(CELL_WIDE), _opened(analysis, out)[0]()
    drawn.show(first.edited.measured, first.edited.detection)
    return drawn.figure


def _opened(analysis, out):
    """What opens each spectrum, in order."""
    return [
        partial(OpenSpectrum, measured, detection.false_alarm, analysis.detector, folder, name)
        for (measured, detection), (folder, name) in zip(analysis, analysis.destinations(out), strict=True)
    ]


def why_view(edited: EditedDetection, flag: Flag | None) -> dict[str, str] | None:
    """This flag, and why: the surroundings, the score and the threshold, with width, background and chance."""
    if flag is None:
        return None
    png = base64.b64encode(why_png(edited.measured, edited.detection, flag)).decode("ascii")
    return {"image/png": png, "text/plain": f"{flag.fmin:.6g}..{flag.fmax:.6g} Hz: {flag.cause or flag.kind}"}


class SpectrumControls:
    """Spectrum, threshold, flags by hand, sources and saving; the figure, the views and the table follow.

    Parameters
    ----------
    analysis, out, views : as of explore
    """

    def __init__(self, analysis: Analysis, out: str | Path | None = None, views: Sequence[View] = ()):
        from nblib.measured.canvas import SpectrumCanvas

        self._openers, self._open = _opened(analysis, out), dict[int, OpenSpectrum]()
        self.views, self._outputs = (why_view, *views), [LiveOutput() for _ in (why_view, *views)]
        self.picture, self.listing = SpectrumCanvas(self._dragged, self._pointed), LiveOutput()
        self._make([measured.label for measured, _ in analysis])
        self._is_filling = False  # values set by this program, not by the user
        self._choose(0)
        self._connect()

    def _make(self, labels):
        label, button = {"description_width": "85px"}, wide(105)
        limits = {"min": log10(LOWEST), "max": log10(HIGHEST), "step": 0.05}
        self.spectrum = widgets.Dropdown(
            options=[(text, at) for at, text in enumerate(labels)],
            description="spectrum",
            style=label,
            layout=wide(560),
        )
        self.alarm = widgets.FloatLogSlider(
            0.01, description="false alarms", readout=False, style=label, layout=wide(560), **limits
        )
        self.number = widgets.BoundedFloatText(0.01, min=LOWEST, max=HIGHEST, step=0.001, layout=wide(100))
        self.drag = widgets.ToggleButtons(
            options=[FLAG, REMOVE, LOOK], style={"button_width": "105px"}, layout=wide(345)
        )
        drag_to = widgets.Label("drag to", layout=wide(85))
        drag_to.layout.display, drag_to.layout.justify_content = "flex", "flex-end"
        # what a button acts on is sent with each key: sent when the button is clicked, it may come after the click
        typed: dict[str, Any] = {"continuous_update": True}
        self.low = widgets.FloatText(0.0, description="from [Hz]", style=label, layout=wide(190), **typed)
        short = {"description_width": "50px"}
        self.high = widgets.FloatText(0.0, description="to [Hz]", style=short, layout=wide(155), **typed)
        self.flag = widgets.Dropdown(description="this flag", style=label, layout=wide(560))
        self.cause = widgets.Text(description="source", style=label, layout=wide(355), **typed)
        texts = (FLAG, REMOVE, LOOK, "whole", "undo", "save", "remove / put back", "rename")
        self.buttons = {text: widgets.Button(description=text, layout=button) for text in texts}
        self.buttons["remove / put back"].layout = wide(150)
        self.message = widgets.Label("")
        ranges = [self.low, self.high, *(self.buttons[text] for text in (FLAG, REMOVE, LOOK))]
        self.box = widgets.VBox(
            [
                self.spectrum,
                widgets.HBox([self.alarm, self.number]),
                widgets.HBox([drag_to, self.drag, *(self.buttons[text] for text in ("whole", "undo", "save"))]),
                widgets.HBox(ranges),
                widgets.HBox([self.flag, self.buttons["remove / put back"]]),
                widgets.HBox([self.cause, self.buttons["rename"]]),
                self.message,
            ]
        )

    def _connect(self):
        # the slider moves the number, the number the threshold: a typed value is used as it is, a slid one is rounded
        self.spectrum.observe(lambda change: self._wished(lambda: self._choose(change["new"])), "value")
        self.alarm.observe(lambda change: self.number.set_trait("value", float(f"{change['new']:.3g}")), "value")
        self.number.observe(lambda change: self._wished(lambda: self._set_alarm(change["new"])), "value")
        self.flag.observe(lambda change: self._wished(self._look_at_flag), "value")
        ends = (self.low, self.high)
        for text, action in (
            (FLAG, lambda: self._act_on(FLAG, *(end.value for end in ends))),
            (REMOVE, lambda: self._act_on(REMOVE, *(end.value for end in ends))),
            (LOOK, lambda: self._act_on(LOOK, *(end.value for end in ends))),
            ("whole", lambda: self.picture.look_at(self.edited) or "the whole spectrum"),
            ("undo", lambda: "taken back" if self.edited.undo() else "nothing to take back"),
            ("save", self._save),
            ("remove / put back", self._toggle),
            ("rename", self._rename),
        ):
            self.buttons[text].on_click(lambda _, action=action: self._wished(action))

    @property
    def edited(self) -> EditedDetection:
        """The spectrum that is shown."""
        return self._shown.edited

    def show(self) -> None:
        """Show controls, figure, views and table in the running cell."""
        from IPython.display import display

        show_controls(self.box)
        display(self.picture.canvas)
        self._follow()

    def _wished(self, action: Callable[[], str | None]):
        """Do what a control asks for and show what it made; an error is shown and changes nothing."""
        if self._is_filling:
            return
        before = self.edited, self.edited.edits, self.edited.false_alarm
        try:
            reply = action() or ""
        except (ValueError, OSError) as error:
            self.message.value = str(error)
            return
        if before[0] is self.edited and before[1:] != (self.edited.edits, self.edited.false_alarm):
            self._shown.is_saved = False
        self.message.value = reply if self._shown.is_saved else f"{reply}; not saved yet"
        self._follow()

    def _choose(self, at):
        """Show another spectrum; changes to the one before are kept while this cell lives."""
        if at not in self._open:
            self._open[at] = self._openers[at]()
        self._shown = self._open[at]
        self.picture.look_at(self.edited)
        flags = self.edited.detection.flags
        strongest = max(flags, key=lambda flag: flag.excess, default=None)
        self._fill(strongest and _span(strongest))
        return self._shown.told or f"drag a range on the figure, or click a flag; {len(flags)} flagged ranges"

    def _set_alarm(self, value):
        self.edited.set_false_alarm(value)
        return f"{len(self.edited.detection.flags)} flagged ranges"

    def _dragged(self, low, high):
        self.low.value, self.high.value = (float(f"{value:.10g}") for value in (low, high))
        self._wished(lambda: self._act_on(self.drag.value, self.low.value, self.high.value))

    def _act_on(self, what, low, high):
        where = f"{low:.6g}..{high:.6g} Hz"
        if what == LOOK:
            self.picture.look_at(self.edited, low, high)
            return where
        if what == REMOVE:
            return f"{self.edited.remove(low, high)} removed between {where}"
        self.edited.add(low, high)
        self.picture.mark(low, high)
        self._fill((low, high))
        return f"flagged {where}"

    def _pointed(self, freq):
        """Choose the flag at a frequency, or the nearest one."""
        flags = [*self.edited.detection.flags, *self.edited.left_out]
        if flags:
            nearest = min(flags, key=lambda flag: max(flag.fmin - freq, freq - flag.fmax, 0.0))
            self._wished(lambda: self._fill(_span(nearest)))

    def _look_at_flag(self):
        self._fill(self.flag.value)

    def _toggle(self):
        flag = self.chosen
        if flag is None:
            raise ValueError("no flag is chosen; click one, or choose it in the list")
        if flag in self.edited.left_out:
            return f"{self.edited.restore(*_span(flag))} put back"
        return f"{self.edited.remove(*_span(flag))} removed"

    def _rename(self):
        if self.chosen is None:
            raise ValueError("no flag is chosen; click one, or choose it in the list")
        self.edited.rename(*_span(self.chosen), self.cause.value)
        return f"the source is {self.cause.value.strip() or 'named as found'}"

    def _save(self):
        written = self._shown.kept.save(self.edited)
        self._shown.is_saved = True
        edits, name = written[0], self._shown.kept.name
        return f"saved {edits.name} and {name}.{EDITED}.* in {from_root(edits.parent)}"

    @property
    def chosen(self) -> Flag | None:
        """The flag that is chosen, or the first that overlaps where it was; None where there is none."""
        span = self.flag.value
        flags = [*self.edited.detection.flags, *self.edited.left_out]
        return next((flag for flag in flags if span and flag.fmin <= span[1] and flag.fmax >= span[0]), None)

    def _fill(self, span=None):
        """Set every control by the spectrum as it stands; span : ends of the flag that is chosen, Hz."""
        edited, span = self.edited, span or self.flag.value
        left_out = [(flag, OFF) for flag in edited.left_out]
        listed = sorted([*((flag, "") for flag in edited.detection.flags), *left_out], key=lambda one: one[0].fmin)
        options = [(f"{f.fmin:.6g}..{f.fmax:.6g} Hz, {f.cause or f.kind}{off}", _span(f)) for f, off in listed]
        nearest = [own for _, own in options if span and own[0] <= span[1] and own[1] >= span[0]]
        self._is_filling = True
        self.alarm.value = self.number.value = edited.false_alarm
        self.flag.options = [("none", None), *options]
        self.flag.value = nearest[0] if nearest else None
        self.cause.value = self.chosen.cause if self.chosen else ""
        if self.chosen:
            self.low.value, self.high.value = _span(self.chosen)
        self._is_filling = False

    def _follow(self):
        """Show the spectrum as it stands: first the figure, then what takes longer."""
        self.picture.draw(self.edited)
        self._fill()
        for view, output in zip(self.views, self._outputs, strict=True):
            output.show(view(self.edited, self.chosen) or {"text/plain": ""})
        self.listing.show({"text/plain": table(self.edited.detection)})


def _span(flag):
    return float(flag.fmin), float(flag.fmax)
