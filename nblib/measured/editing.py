"""Flags set by hand: a detection whose threshold can be moved and whose flags can be changed."""

import dataclasses
from pathlib import Path

import numpy as np

from nblib.measured.causes import flag_of, with_causes
from nblib.measured.detector import NoiseDetector
from nblib.measured.figure import HAND
from nblib.measured.flags import Flag
from nblib.measured.measurement import Measurement
from nblib.measured.products import write_products
from nblib.measured.result import Detection
from nblib.project.refusal import refuse_if


def flag_between(detection: Detection, low: float, high: float, cause: str = "by hand") -> Flag:
    """A flag on a range of one's own choice, Hz.

    Raises
    ------
    ValueError : low > high, or no measured bin lies between them
    """
    inside = np.flatnonzero((detection.freqs >= low) & (detection.freqs <= high) & np.isfinite(detection.psd))
    refuse_if(
        not low <= high or not len(inside),
        f"the range {low:g}..{high:g} Hz holds no measured bin; give low <= high on the axis",
    )
    return flag_of(detection, inside, cause)


def edited(detection: Detection, flags: list[Flag]) -> Detection:
    """The detection with another list of flags, and the bins they cover flagged."""
    flagged = np.zeros(len(detection.freqs), dtype=bool)
    for flag in flags:
        flagged |= (detection.freqs >= flag.fmin) & (detection.freqs <= flag.fmax)
    flagged &= np.isfinite(detection.psd)
    return dataclasses.replace(detection, flags=sorted(flags, key=lambda flag: flag.fmin), flagged=flagged)


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
        changed = edited(self._found, [*kept, *self.added])
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
        refuse_if(not low <= high, f"the range {low:g}..{high:g} Hz is upside down; give low <= high")
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
    return flag.fmin <= span[1] and flag.fmax >= span[0]
