"""Which bins of a spectrum --drop leaves out: what the detector flags, nothing, or what a table of flags says.

A table that `nblib detect` wrote, or that was changed by hand in its explorer, stands for a detection: its flags are
widened and its combs followed as those that are found now. A table of one's own is taken as it is.
"""

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from jaxtyping import Bool, Float
from numpy import ndarray

from nblib.measured.causes import flag_of
from nblib.measured.detector import NoiseDetector
from nblib.measured.editing import edited
from nblib.measured.flags import FLAG_COLUMNS, Flag
from nblib.measured.joint import JOINT_COLUMNS
from nblib.measured.measurement import Measurement
from nblib.measured.result import Detection
from nblib.workbench.dropped import kept_bins
from nblib.workbench.tables import table_of

EDGE = 1e-9  # relative: a table of flags is written with ten digits
GROWING = 3.0  # last step of an axis over its first: bins were averaged in ln f


@dataclass(frozen=True, eq=False)
class Dropped:
    """What --drop leaves of one spectrum.

    Attributes
    ----------
    keep : True where a bin is kept
    flags : of the others, by frequency
    notes : one sentence each
    detection : whose flags they are; None of a table of one's own, and where nothing is dropped
    """

    keep: Bool[ndarray, " bin"]
    flags: tuple[Flag, ...] = ()
    notes: tuple[str, ...] = ()
    detection: Detection | None = None


def dropped(measured: Measurement, segments: float | None, options, detector: NoiseDetector) -> Dropped:
    """What options.drop says of a spectrum; raises ValueError for a table that cannot be read."""
    freqs = measured.freqs
    if options.drop == "none":
        return Dropped(np.ones(len(freqs), bool), (), ("no bin was dropped (--drop none)",))
    if options.drop != "auto":
        flags, is_of_nblib = table_of_flags(Path(options.drop), measured)
        if not is_of_nblib:
            return Dropped(~_inside(freqs, flags), tuple(flags))
    detection = detector.detect(freqs, measured.psd, segments, options.false_alarm, measured.sampling_rate)
    if options.drop != "auto":
        detection = _with_flags(detection, flags)
    notes, steps = list(detection.warnings), np.diff(freqs)
    if steps[-1] > GROWING * steps[0] and sum("harmonic" in flag.cause for flag in detection.flags) > 1:
        notes.append(
            "a comb stands in bins that were averaged in ln f: where its lines fill every bin nothing clean is left, "
            "and the fit may follow them; give the spectrum at its raw resolution"
        )
    kept = kept_bins(detection)
    n_more = int((~kept & ~detection.flagged).sum())
    if n_more:
        notes.append(f"{n_more} further bins beside flags or at harmonics of a comb that was found were dropped")
    return Dropped(kept, tuple(detection.flags), tuple(notes), detection)


def table_of_flags(path: Path, measured: Measurement) -> tuple[list[Flag], bool]:
    """Flags of a spectrum in a table, and whether nblib wrote it: its headings are FLAG_COLUMNS or those of all files.

    Of a table of all files the rows of this file count.

    Raises
    ------
    ValueError for a table without fmin and fmax, or with rows that are not a range
    """
    if not path.is_file():
        raise ValueError(f"--drop {path} is neither auto nor none nor a file")
    names, rows, mark = table_of(path)
    if not {"fmin", "fmax"} <= set(names):
        raise ValueError(f"--drop {path} has the columns {', '.join(names)}; fmin and fmax are needed")
    table = [dict(zip(names, row, strict=False)) for row in rows]
    if "file" in names:
        own = (measured.label, Path(measured.path).name)
        table = [row for row in table if any(f"/{row['file']}".endswith(f"/{name}") for name in own)]
    flags = [_flag(row, mark, path) for row in table]
    return sorted(flags, key=lambda flag: flag.fmin), tuple(names) in (FLAG_COLUMNS, JOINT_COLUMNS)


def _flag(row, mark, path) -> Flag:
    try:
        texts = [row[name].replace(",", ".") if mark != "," else row[name] for name in ("fmin", "fmax")]
        low, high = map(float, texts)
        if not low <= high:
            raise ValueError
    except (ValueError, KeyError, AttributeError):
        raise ValueError(f"--drop {path}: {row.get('fmin')} to {row.get('fmax')} is not a range in Hz") from None
    return Flag(low, high, (low + high) / 2, cause=row.get("cause") or "")


def _inside(freqs: Float[ndarray, " bin"], flags) -> Bool[ndarray, " bin"]:
    """True for the bins that a flag covers."""
    inside = np.zeros(len(freqs), dtype=bool)
    for flag in flags:
        inside |= (freqs >= flag.fmin * (1 - EDGE)) & (freqs <= flag.fmax * (1 + EDGE))
    return inside


def _with_flags(detection: Detection, flags: list[Flag]) -> Detection:
    """A detection with the flags of a table: those that it has itself as they are, the others looked at anew."""
    chosen = []
    for flag in flags:
        inside = np.flatnonzero(_inside(detection.freqs, [flag]) & np.isfinite(detection.psd))
        if not len(inside):
            continue
        ends = detection.freqs[inside[[0, -1]]]
        own = [one for one in detection.flags if (one.fmin, one.fmax) == tuple(ends)]
        one = own[0] if own else flag_of(detection, inside)
        chosen.append(replace(one, cause=flag.cause or one.cause))
    return edited(detection, chosen)
