"""Flags changed by hand: a detection whose threshold can be moved and whose flags can be set, removed and renamed."""

import dataclasses

import numpy as np

from nblib.measured.causes import flag_of, with_causes
from nblib.measured.detector import NoiseDetector
from nblib.measured.figure import HAND
from nblib.measured.flags import Flag
from nblib.measured.measurement import Measurement
from nblib.measured.result import Detection
from nblib.project.registry import refuse_if


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


@dataclasses.dataclass(frozen=True)
class Edits:
    """Changes by hand to what was found in one spectrum; ranges in Hz.

    Attributes
    ----------
    added : fmin, fmax and source of each flag set by hand
    removed : fmin, fmax; a found flag that overlaps one is left out, at every threshold
    renamed : fmin, fmax, source; a flag that overlaps one has that source; of several the last one counts
    """

    added: tuple[tuple[float, float, str], ...] = ()
    removed: tuple[tuple[float, float], ...] = ()
    renamed: tuple[tuple[float, float, str], ...] = ()


class EditedDetection:
    """A detection whose threshold can be moved and whose flags can be changed by hand; edits survive a new threshold.

    Attributes
    ----------
    detection : what was found, without what was removed, with what was added, in order of frequency
    left_out : found flags that were removed

    Parameters
    ----------
    measured : the spectrum
    detector : what flags it; NoiseDetector() if None
    false_alarm : expected false alarms in a clean spectrum of this kind, in (0, 0.5]
    """

    detection: Detection
    left_out: list[Flag]

    def __init__(self, measured: Measurement, detector: NoiseDetector | None = None, false_alarm: float = 0.01):
        self.measured = measured
        self._scored = (detector or NoiseDetector()).score(measured.freqs, measured.psd, measured.n_segments)
        self._edits, self._history = Edits(), list[Edits]()
        self.set_false_alarm(false_alarm)

    def set_false_alarm(self, false_alarm: float) -> None:
        """Flag again at another false-alarm probability."""
        self._found = with_causes(self._scored.at(false_alarm), self.measured.sampling_rate, self.measured.known)
        self.false_alarm = false_alarm
        self._renew(self._edits)

    @property
    def edits(self) -> Edits:
        """The changes by hand."""
        return self._edits

    def take(self, edits: Edits) -> None:
        """Have these changes in place of those so far; raises ValueError, and changes nothing, where one is not one."""
        if edits != self._edits:
            before = self._edits
            self._renew(edits)
            self._history.append(before)

    def _renew(self, edits: Edits):
        own = [flag_between(self._found, *entry) for entry in edits.added]
        out = [flag for flag in self._found.flags if any(_overlap(flag, span) for span in edits.removed)]
        flags = [_renamed(flag, edits.renamed) for flag in (*(f for f in self._found.flags if f not in out), *own)]
        changed = edited(self._found, flags)
        if edits.added or edits.removed:  # the background is that of the bins left
            changed = dataclasses.replace(changed, background=self._scored.background_without(changed.flagged))
        self._edits, self.detection, self.left_out = edits, changed, out

    def add(self, low: float, high: float, cause: str = HAND) -> None:
        """Flag a range by hand, Hz; raises ValueError for a range that holds no bin."""
        self.take(dataclasses.replace(self._edits, added=(*self._edits.added, (float(low), float(high), cause))))

    def remove(self, low: float, high: float) -> int:
        """Take away every flag that overlaps a range, Hz, now and at later thresholds; returns how many there were."""
        refuse_if(not low <= high, f"the range {low:g}..{high:g} Hz is upside down; give low <= high")
        n_before, span = len(self.detection.flags), (float(low), float(high))
        added = tuple(entry for entry in self._edits.added if entry[0] > span[1] or entry[1] < span[0])
        self.take(dataclasses.replace(self._edits, added=added, removed=(*self._edits.removed, span)))
        return n_before - len(self.detection.flags)

    def restore(self, low: float, high: float) -> int:
        """Take back every removal of flags in a range, Hz; returns how many flags are there again."""
        n_before = len(self.left_out)
        out = [flag for flag in self.left_out if _overlap(flag, (low, high))]
        kept = [span for span in self._edits.removed if not any(_overlap(flag, span) for flag in out)]
        kept += [
            (flag.fmin, flag.fmax)
            for flag in self.left_out
            if flag not in out and not any(_overlap(flag, span) for span in kept)
        ]
        self.take(dataclasses.replace(self._edits, removed=tuple(kept)))
        return n_before - len(self.left_out)

    def rename(self, low: float, high: float, cause: str) -> None:
        """Name the source of every flag in a range, Hz, now and at later thresholds; "" for the one that was found."""
        kept = [entry for entry in self._edits.renamed if entry[0] > high or entry[1] < low]
        new = [(float(low), float(high), cause.strip())] if cause.strip() else []
        self.take(dataclasses.replace(self._edits, renamed=(*kept, *new)))

    def undo(self) -> bool:
        """Take back the last change by hand; returns whether there was one."""
        if not self._history:
            return False
        self._renew(self._history.pop())
        return True


def _overlap(flag, span):
    return flag.fmin <= span[1] and flag.fmax >= span[0]


def _renamed(flag, renamed):
    causes = [cause for low, high, cause in renamed if _overlap(flag, (low, high))]
    return dataclasses.replace(flag, cause=causes[-1]) if causes else flag
