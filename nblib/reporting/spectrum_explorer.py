"""A user's own spectrum in JupyterLab: threshold, flags and background live; flags by hand; export."""

from pathlib import Path

import matplotlib.pyplot as plt
from matplotlib.figure import Figure

from nblib.analysis.causes import edited as with_flags
from nblib.analysis.causes import flag_between, with_causes
from nblib.analysis.detector import Detection, NoiseDetector
from nblib.analysis.measurement import Measurement
from nblib.analysis.products import table, write_products
from nblib.project.environment import is_live

LOWEST, HIGHEST = -4, -0.31  # decades of the false-alarm probability that the slider spans
BY_HAND = "by hand"


class EditedDetection:
    """A detection whose threshold can be moved and whose flags can be changed by hand; edits survive a new threshold.

    Parameters
    ----------
    measured : the spectrum
    detector : what flags it; NoiseDetector() if None
    false_alarm : probability that a clean spectrum of this kind has any flag, in 0..1
    """

    def __init__(self, measured: Measurement, detector: NoiseDetector | None = None, false_alarm: float = 0.01):
        self.measured, self.detector = measured, detector or NoiseDetector()
        self.added: list = []
        self.removed: list[tuple[float, float]] = []
        self.set_false_alarm(false_alarm)

    def set_false_alarm(self, false_alarm: float) -> None:
        """Flag again at another false-alarm probability."""
        self.false_alarm = false_alarm
        measured = self.measured
        found = self.detector.detect(measured.freqs, measured.psd, measured.n_segments, false_alarm)
        assert isinstance(found, Detection)  # one spectrum, one detection
        self._found = with_causes(found, measured.sampling_rate)

    @property
    def detection(self) -> Detection:
        """What was found, without what was removed, with what was added, in order of frequency."""
        kept = [flag for flag in self._found.flags if not any(_overlap(flag, span) for span in self.removed)]
        return with_flags(self._found, [*kept, *self.added])

    def add(self, low: float, high: float) -> None:
        """Flag a range by hand, Hz; raises ValueError for a range that holds no bin."""
        flag = flag_between(self._found, low, high, BY_HAND)
        self.added.append(flag)

    def remove(self, low: float, high: float) -> None:
        """Take away every flag that overlaps a range, Hz."""
        if not low <= high:
            raise ValueError(f"the range {low:g}..{high:g} Hz is upside down; give low <= high")
        self.added = [flag for flag in self.added if not _overlap(flag, (low, high))]
        self.removed.append((low, high))

    def export(self, folder: str | Path, name: str) -> list[Path]:
        """Write the edited result as `nblib detect` does; returns the files."""
        return write_products(Path(folder), name, self.measured, self.detection)


def _overlap(flag, span):
    return flag.low <= span[1] and flag.high >= span[0]


def static_spectrum(edited: EditedDetection) -> Figure:
    """The spectrum with its flags and background, as stored beside the live one."""
    fig, ax = plt.subplots(figsize=(9, 4.2))
    edited.detection.plot(ax=ax, unit=edited.measured.unit)
    ax.set_title(edited.measured.label)
    plt.close(fig)  # shown once, where it is returned
    return fig


def explore_spectrum(edited: EditedDetection, folder: str | Path, name: str):
    """Controls over an EditedDetection in JupyterLab; the static figure where nobody is there to move them.

    Parameters
    ----------
    edited : the spectrum and its flags
    folder, name : where "export" writes, and under which name

    Returns
    -------
    An ipywidgets box in JupyterLab, a matplotlib figure elsewhere.
    """
    if not is_live():
        return static_spectrum(edited)
    import ipywidgets as widgets

    wide = widgets.Layout(width="560px")
    alarm = widgets.FloatLogSlider(edited.false_alarm, base=10, min=LOWEST, max=HIGHEST, step=0.1, layout=wide)
    alarm.description, alarm.readout_format = "false alarm", ".2g"
    low = widgets.FloatText(float(edited.measured.freqs[0]), description="from [Hz]", layout={"width": "200px"})
    high = widgets.FloatText(float(edited.measured.freqs[-1]), description="to [Hz]", layout={"width": "200px"})
    buttons = {text: widgets.Button(description=text) for text in ("add flag", "remove flags", "export")}
    picture, listing, message = widgets.Output(), widgets.Output(), widgets.Label()

    def draw():
        picture.clear_output(wait=True)
        with picture:
            fig, ax = plt.subplots(figsize=(9, 4.2))
            edited.detection.plot(ax=ax, unit=edited.measured.unit)
            plt.show(fig)
            plt.close(fig)
        listing.clear_output(wait=True)
        with listing:
            listing.append_stdout(table(edited.detection) + "\n")

    def act(change, said=""):
        try:
            message.value = change() or said
        except ValueError as error:
            message.value = str(error)
        draw()

    alarm.observe(lambda change: act(lambda: edited.set_false_alarm(change["new"])), "value")
    buttons["add flag"].on_click(lambda _: act(lambda: edited.add(low.value, high.value), "added"))
    buttons["remove flags"].on_click(lambda _: act(lambda: edited.remove(low.value, high.value), "removed"))
    buttons["export"].on_click(lambda _: act(lambda: "wrote " + ", ".join(map(str, edited.export(folder, name)))))
    draw()
    by_hand = widgets.HBox([low, high, *buttons.values()])
    return widgets.VBox([alarm, by_hand, message, picture, listing])
