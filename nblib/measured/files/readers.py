"""Read spectra and time series from files of any usual format, checked by one rule book; nothing in a file is executed.

The formats are functions in text, arrays, pickles and series, listed in formats.READERS; a new
one is one function with the decorator `@reader(".xyz")`. What numbers mean is decided in units, levels, columns, axis.
"""

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Bool, Float
from numpy import ndarray

from nblib.measured.files.axis import one_axis
from nblib.measured.files.formats import (
    READERS,
    SERIES_READERS,
    Column,
    IsSeries,
    Marks,
    Raw,
    Refusal,
    Series,
    reader,
    series_reader,
    sniffed,
)
from nblib.measured.files.headers import averages
from nblib.measured.files.levels import ask_sign, check_span, mark_missing, split_units, to_hertz, to_power
from nblib.measured.files.packed_files import COMPRESSED, plain_file
from nblib.measured.files.series import checked as checked_series
from nblib.project.extensions import load_extensions
from nblib.project.paths import resolve_data_path
from nblib.stored import StoredSpectra, write_stored

__all__ = [
    "COMPRESSED",
    "IsSeries",
    "ReadingWarning",
    "Series",
    "Spectra",
    "load_series",
    "load_spectra",
    "reader",
    "series_reader",
]

ROWS_A_CHECK = 1000  # spectra looked at together, so that a file larger than memory can be checked
JUMP = 1e15  # between neighbouring bins: no spectrum does that


class ReadingWarning(UserWarning):
    """A file was read, and something about it was converted or looks odd."""


@dataclass(frozen=True)
class Spectra:
    """Measured or stored spectra on one frequency axis.

    Attributes
    ----------
    freqs : Hz, positive, increasing
    psd : (spectrum, bin) float64, unit^2/Hz, positive where valid
    valid : (spectrum, bin), False = the bin holds no measurement
    energies : (spectrum, 2) meV (Ea, Eb), or None when unknown
    unit : of the PSD, e.g. "V^2/Hz", or None
    n_segments : averages K that the file states, or None
    names : one per spectrum: column headings or keys
    source : name of the file
    header, marks : lines above the data of a text, and how it is written
    warnings : what was converted or looks odd, one sentence each
    """

    freqs: Float[ndarray, " bin"]
    psd: Float[ndarray, "spectrum bin"]
    valid: Bool[ndarray, "spectrum bin"]
    energies: Float[ndarray, "spectrum 2"] | None = None
    unit: str | None = None
    n_segments: int | None = None
    names: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    source: str = ""
    header: tuple[str, ...] = ()
    marks: Marks = Marks()

    def store(self, path: str | Path) -> Path:
        """Write the spectra as `nblib.stored` lays them out, to train on; raises ValueError where a bin is missing."""
        if not self.valid.all():
            raise ValueError(f"{self.source} has {int((~self.valid).sum())} bins without a value; fill or cut them")
        return write_stored(path, StoredSpectra(self.freqs, np.asarray(self.psd, np.float64), self.energies))

    def describe(self) -> str:
        """One line: what was read, e.g. "a.csv: 80 bins, 1..80 Hz, median 1.2e-15 V^2/Hz, K = 25, 2 bins missing"."""
        some_psd, some_valid = self.psd[:ROWS_A_CHECK], self.valid[:ROWS_A_CHECK]
        spectra = f"{len(self.psd)} spectra of " if len(self.psd) > 1 else ""
        missing = int((~self.valid).sum())
        return (
            f"{self.source}: {spectra}{len(self.freqs)} bins, {self.freqs[0]:g}..{self.freqs[-1]:g} Hz, "
            f"median {np.median(some_psd[some_valid]):.3g} {self.unit or '(unit not stated)'}, "
            f"K {'= ' + str(self.n_segments) if self.n_segments else 'not stated'}, "
            f"{missing or 'no'} bin{'' if missing == 1 else 's'} missing"
        )


def load_spectra(
    path: str | Path,
    *,
    column: Column = None,
    asd: bool | None = None,
    db: bool | None = None,
    unit: str | Sequence[str] | None = None,
    span: str | int | None = None,
) -> Spectra:
    """Read one file of spectra, checked; the file itself is never changed and nothing in it is executed.

    Parameters
    ----------
    path : text of any ending (two columns: frequency, level), .npz, .npy, .mat, .h5/.hdf5, .pkl/.pt, each also as .gz
    column : which spectrum where there are several: heading, key, or number (the file's first column is 1); "all"
    asd : True = values are amplitudes (unit/sqrt(Hz)) and are squared; False = they are not; None = the header decides
    db : True = values are decibels, 10 log10 of the power; False = they are not; None = the header decides
    unit : of the frequency axis ("kHz"), of the level ("V^2/Hz", "nV/sqrt(Hz)", "dBm/Hz") or both ("kHz,V^2/Hz");
        goes before what the file says
    span : of overlapping spans keep the "first" or the "last", or "cut" = each frequency once, from the finer span; of
        spectra below one another also a number, "mean" or "all"; of a two-sided one "fold", "positive" or "negative"

    Returns
    -------
    Spectra; what was converted, left out or looks odd is in its `warnings` and raised as ReadingWarning.

    Raises
    ------
    IsSeries where the file holds a time series, else ValueError; the text names the file, the line or key, what was
    found and what to do
    """
    load_extensions()  # installed packages may bring formats
    path = resolve_data_path(path)
    try:
        with plain_file(path) as plain:
            raw = _raw(plain, column)
        spectra = checked_spectra(path.name, raw, asd, db, unit, span)
    except Refusal as error:
        raise type(error)(f"{path.name}: {error}") from error.__cause__
    for text in spectra.warnings:
        warnings.warn(f"{path.name}: {text}", ReadingWarning, stacklevel=2)
    return spectra


def load_series(path: str | Path, rate: float | None = None, column: Column = None) -> Series:
    """Read one time series, checked; the file itself is never changed and nothing in it is executed.

    Parameters
    ----------
    path : .wav, .h5/.hdf5 (GWOSC strain, gwpy), .npy, .npz, .mat, .tdms, .abf, or text with or without a time column
    rate : samples a second, Hz; None = the file states it
    column : channel, heading, key, or number (the first column is 1); "rows" = of a text, samples along the rows

    Raises
    ------
    ValueError that names the file, what was found and what to do
    """
    load_extensions()  # installed packages may bring formats
    path = resolve_data_path(path)
    try:
        with plain_file(path) as plain:
            ending = sniffed(plain)
            if ending not in SERIES_READERS:
                raise Refusal(f"a {ending} file holds spectra; read it with load_spectra")
            series = _guarded(SERIES_READERS[ending], plain, rate, column)
        series = checked_series(series, rate)
    except Refusal as error:
        raise type(error)(f"{path.name}: {error}") from error.__cause__
    for text in series.warnings:
        warnings.warn(f"{path.name}: {text}", ReadingWarning, stacklevel=2)
    return series


def _raw(path, column) -> Raw:
    ending = sniffed(path)
    if ending in READERS:
        return _guarded(READERS[ending], path, column)
    raise IsSeries(f"a {ending} file holds a time series; read it with load_series")


def _guarded(function, path, *arguments):
    """A parser meets damaged files in ways of its own; whatever it says, none may pass as data."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return function(path, *arguments)
    except Refusal:
        raise
    except Exception as error:
        what = f"a {path.suffix} file" if path.suffix else "text"
        raise Refusal(
            f"it is truncated or not {what} ({type(error).__name__}: {str(error)[:200]}); export it again"
        ) from error


def checked_spectra(name, raw, asd, db, unit, span) -> Spectra:
    """One rule book for every format, and for arrays; raises Refusal. raw : formats.Raw, changed in place."""
    axis_unit, level_unit = split_units(unit)
    to_hertz(raw, axis_unit)
    if np.ndim(raw.values) == 1:
        raw.values = raw.values[None]
    if raw.freqs.ndim != 1 or raw.values.ndim != 2 or raw.values.shape[1] != len(raw.freqs):
        raise Refusal(f"psd has shape {raw.values.shape} and freq {raw.freqs.shape}; one PSD value per frequency")
    mark_missing(raw)
    psd_unit = to_power(raw, asd, db, level_unit, name)
    one_axis(raw, span)
    if len(raw.freqs) < 2:
        raise Refusal(f"it holds {len(raw.freqs)} bin; a spectrum has at least 2")
    if not np.isfinite(raw.freqs).all() or raw.freqs[0] <= 0:
        raise Refusal(f"frequencies must be finite and positive, the first is {raw.freqs[0]:g} Hz")
    valid = _valid_bins(raw)
    rows = _present(raw, valid)
    _look_odd(raw, rows, valid)
    check_span(raw)
    psd = raw.values if rows.all() else raw.values[rows]
    return Spectra(
        freqs=raw.freqs,
        psd=psd,
        valid=valid if rows.all() else valid[rows],
        energies=None if raw.energies is None else raw.energies[rows],
        unit=psd_unit,
        n_segments=raw.n_segments or averages(raw.header),
        names=tuple(name for name, there in zip(raw.names, rows, strict=False) if there),
        warnings=tuple(raw.notes),
        source=name,
        header=tuple(raw.header),
        marks=raw.marks,
    )


def _valid_bins(raw) -> Bool[ndarray, "spectrum bin"]:
    """Which bins hold a measurement: finite and above 0. A negative power is an error, never a missing bin."""
    values = raw.values
    stated = np.broadcast_to(np.asarray(True if raw.valid is None else raw.valid, bool), values.shape)
    full = True
    for start in range(0, len(values), ROWS_A_CHECK):
        block = np.asarray(values[start : start + ROWS_A_CHECK])
        there = stated[start : start + ROWS_A_CHECK]
        with np.errstate(invalid="ignore"):
            negative = there & (block < 0)
            good = there & np.isfinite(block) & (block > 0)
        if negative.any():
            _refuse_negative(raw, block, there, negative, start)
        if not good.all():
            full = False
            stated = stated if stated.flags.writeable else stated.copy()
            stated[start : start + ROWS_A_CHECK] = good
    return np.broadcast_to(True, values.shape) if full else stated


def _refuse_negative(raw, block, there, negative, start):
    row, at = np.argwhere(negative)[0]
    if (negative == there).all():
        raise Refusal(f"every value is negative. {ask_sign(block[there])}")
    raise Refusal(
        f"psd is {block[row, at]:g} at {raw.freqs[at]:g} Hz ({raw.place(int(at))}, spectrum {start + row + 1}) and "
        f"{negative.sum()} of {there.sum()} values are negative: a PSD is positive. {ask_sign(block[row][there[row]])}"
    )


def _present(raw, valid):
    """Which spectra hold any measurement; the others are named."""
    if valid.strides[:1] == (0,):
        return np.ones(len(valid), dtype=bool)
    rows = valid.any(axis=1)
    if not rows.any():
        raise Refusal(f"no bin holds a measurement: all {valid.shape[1]} values are zero, missing or not finite")
    for at in np.flatnonzero(~rows)[:5]:
        name = raw.names[at] if at < len(raw.names) else f"spectrum {at + 1}"
        raw.notes.append(f"{name} (spectrum {at + 1} of {len(rows)}) holds no measurement and is skipped")
    some = valid[rows]
    missing = int((~some).sum())
    if missing:
        row, at = np.argwhere(~some)[0]
        zero = int((np.asarray(raw.values[rows]) == 0).sum())
        why = f", {zero} of them 0" if zero else ""
        raw.notes.append(
            f"{missing} bin{'s' if missing > 1 else ''} missing (not a number, overload, zero or marked{why}), "
            f"first {raw.freqs[at]:g} Hz ({raw.place(int(at))})"
        )
    return rows


def _look_odd(raw, rows, valid):
    """Note what no spectrum does: a jump of 15 decades."""
    at = int(np.argmax(rows))
    psd = np.asarray(raw.values[at], float)[valid[at]]
    freqs = raw.freqs[valid[at]]
    steps = np.abs(np.diff(np.log10(psd)))
    if steps.size and steps.max() > np.log10(JUMP):
        where = int(np.argmax(steps))
        raw.notes.append(
            f"the level jumps by {steps[where]:.0f} decades between {freqs[where]:g} and {freqs[where + 1]:g} Hz: "
            "a value or a column misread?"
        )
