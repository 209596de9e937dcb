"""A user's own spectrum in JupyterLab: threshold, flags and background live; flags by hand; export."""

import dataclasses
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from nblib.analysis.causes import edited as with_flags
from nblib.analysis.causes import flag_between, with_causes
from nblib.analysis.detector import NoiseDetector
from nblib.analysis.figure import BY_HAND, FLAGGED, HAND, draw_flags, plot_detection
from nblib.analysis.measurement import Measurement
from nblib.analysis.products import write_products
from nblib.analysis.result import Detection
from nblib.project.environment import is_live
from nblib.reporting.live import LiveFigure

SURROUNDINGS = 4.0  # widths of a range shown on either side of it
LEAST_BINS = 15  # shown on either side of a narrow one
DECADES = 10**0.7  # least reach of a zoomed axis up and down: one power of ten is always on it


class EditedDetection:
    """A detection whose threshold can be moved and whose flags can be changed by hand; edits survive a new threshold.

    Parameters
    ----------
    measured : the spectrum
    detector : what flags it; NoiseDetector() if None
    false_alarm : expected false alarms in a clean spectrum of this kind, in (0, 0.5]
    """

    def __init__(self, measured: Measurement, detector: NoiseDetector | None = None, false_alarm: float = 0.01):
        self.measured = measured
        self._scored = (detector or NoiseDetector()).score(measured.freqs, measured.psd, measured.n_segments)
        self.added: list = []
        self.removed: list[tuple[float, float]] = []
        self._history: list[tuple] = []
        self.set_false_alarm(false_alarm)

    def set_false_alarm(self, false_alarm: float) -> None:
        """Flag again at another false-alarm probability."""
        self._found = with_causes(self._scored.at(false_alarm), self.measured.sampling_rate)
        self.false_alarm = false_alarm
        self._renew()

    @property
    def detection(self) -> Detection:
        """What was found, without what was removed, with what was added, in order of frequency."""
        return self._detection

    def _renew(self):
        kept = [flag for flag in self._found.flags if not any(_overlap(flag, span) for span in self.removed)]
        changed = with_flags(self._found, [*kept, *self.added])
        if self.added or self.removed:  # the background is that of the bins left
            changed = dataclasses.replace(changed, background=self._scored.background_without(changed.flagged))
        self._detection = changed

    def add(self, low: float, high: float) -> None:
        """Flag a range by hand, Hz; raises ValueError for a range that holds no bin."""
        flag = flag_between(self._found, low, high, HAND)
        self._remember()
        self.added.append(flag)
        self._renew()

    def remove(self, low: float, high: float) -> int:
        """Take away every flag that overlaps a range, Hz, now and at later thresholds; returns how many there were."""
        if not low <= high:
            raise ValueError(f"the range {low:g}..{high:g} Hz is upside down; give low <= high")
        self._remember()
        n_before = len(self.detection.flags)
        self.added = [flag for flag in self.added if not _overlap(flag, (low, high))]
        self.removed.append((low, high))
        self._renew()
        return n_before - len(self.detection.flags)

    def undo(self) -> bool:
        """Take back the last change by hand; returns whether there was one."""
        if not self._history:
            return False
        self.added, self.removed = self._history.pop()
        self._renew()
        return True

    def _remember(self):
        self._history.append((list(self.added), list(self.removed)))

    def export(self, folder: str | Path, name: str) -> list[Path]:
        """Write the edited result as `nblib detect` does; returns the files."""
        return write_products(Path(folder), name, self.measured, self.detection)


def _overlap(flag, span):
    return flag.low <= span[1] and flag.high >= span[0]


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
    from nblib.reporting.spectrum_controls import SpectrumControls

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
