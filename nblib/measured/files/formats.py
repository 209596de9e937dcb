"""What a file holds before its meaning is judged, and the list of formats by ending, open to additions."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy import ndarray

from nblib.project.extras import what_to_install
from nblib.project.registry import functions_of, register

Column = str | int | Sequence[str | int] | None


class Refusal(ValueError):
    """A file that is not read: the text says what was found and what to do; the file's name is put before it.

    Advice is written as a Python caller gives it (`db=True`, `column=NAME`, `load_series`); the command shows options.
    """


class IsSeries(Refusal):
    """The file holds a time series, not spectra: `load_series` reads it."""


def package(name: str) -> Any:
    """A package of an extra, which one format alone needs; a Refusal that says what to install where it is missing."""
    try:
        return import_module(name)
    except ModuleNotFoundError as error:
        raise Refusal(what_to_install("this format", error) or f"this format needs {error.name}") from error


class Marks(NamedTuple):
    """How a text separates its columns and writes decimals; a comma and a point where a file is not text."""

    separator: str = ","
    decimal: str = "."


PLAIN = Marks()


@dataclass
class Raw:
    """Numbers of one file, in its own units.

    Attributes
    ----------
    freqs : (bin,) as written, unit in freq_label (Hz where that says nothing)
    values : (spectrum, bin) as written: power, amplitude or decibels
    freq_label, label : column headings or keys, with their units
    header : lines of text above the data, or metadata as "key: value"
    names : one per spectrum
    valid : (spectrum, bin) or (bin,); None = all
    energies : (spectrum, 2) meV, of the starting study's files
    lines : line number of each bin, for messages
    notes : what was done or looks odd
    marks : separator of the columns and decimal sign, of a text
    """

    freqs: ndarray
    values: ndarray
    freq_label: str = ""
    label: str = ""
    header: Sequence[str] = ()
    names: Sequence[str] = ()
    valid: ndarray | None = None
    energies: ndarray | None = None
    n_segments: int | None = None
    lines: ndarray | None = None
    notes: list[str] = field(default_factory=list)
    marks: Marks = Marks()

    def place(self, at: int) -> str:
        """Where bin `at` stands in the file."""
        return f"line {self.lines[at]}" if self.lines is not None else f"bin {at + 1}"


@dataclass
class Table:
    """Rows and columns of numbers whose roles are not known yet; names are "" where the file gives none."""

    values: ndarray  # (row, column) float64, NaN = no number
    names: Sequence[str] = ()
    header: Sequence[str] = ()
    lines: ndarray | None = None
    notes: list[str] = field(default_factory=list)
    marks: Marks = Marks()


MOST_SHOWN = 1 << 25  # samples that the printed spread is taken of


@dataclass
class Series:
    """A time series off an instrument.

    Attributes
    ----------
    samples : (n,) float64, NaN = a gap; a series larger than memory stays on disk, as it is stored
    rate : samples a second, Hz
    unit : of the samples, or None
    name : channel or column
    breaks : first samples of later sweeps: the series is not continuous there
    warnings : what was done or looks odd
    scale : unit of a sample as it is stored
    header, marks : lines above the samples of a text, and how it is written
    """

    samples: ndarray
    rate: float
    unit: str | None = None
    name: str = ""
    breaks: tuple[int, ...] = ()
    warnings: tuple[str, ...] = ()
    scale: float = 1.0
    header: tuple[str, ...] = ()
    marks: Marks = Marks()

    def stretches(self) -> list[ndarray]:
        """The series cut at its gaps and breaks: each piece is finite and was recorded without a pause."""
        finite = np.isfinite(self.samples)
        cuts = {0, len(finite), *self.breaks, *(np.flatnonzero(np.diff(finite)) + 1).tolist()}
        edges = sorted(edge for edge in cuts if 0 <= edge <= len(finite))
        pieces = [self.samples[low:high] for low, high in zip(edges, edges[1:], strict=False) if finite[low]]
        return [piece for piece in pieces if len(piece)]

    def describe(self) -> str:
        """One line: what was read."""
        unit = f" {self.unit}" if self.unit else ""
        shown = np.asarray(self.samples[:MOST_SHOWN], dtype=np.float64)
        spread = self.scale * float(np.nanstd(shown))
        length = len(self.samples) / self.rate
        return f"{len(self.samples)} samples at {self.rate:g} Hz ({length:g} s), rms {spread:.3g}{unit}"


READERS: dict[str, Callable[[Path, Column], Raw]] = {}
SERIES_READERS: dict[str, Callable[[Path, float | None, Column], Series]] = {}


def reader(*endings: str):
    """Decorator: a function (path, column) -> Raw that reads spectra from these endings ("" = text of any other).

    It raises Refusal where the file cannot be understood; any other error is reported as a damaged file. It may execute
    nothing that the file holds and never writes to it.
    """
    return _registered(READERS, endings)


def series_reader(*endings: str):
    """Decorator: a function (path, rate, column) -> Series that reads a time series from files with these endings."""
    return _registered(SERIES_READERS, endings)


def _registered(registry, endings):
    for ending in endings:
        if ending and not ending.startswith(".") or ending != ending.lower():
            raise ValueError(f"ending {ending!r} must be lower case and start with a point, e.g. '.xyz'")

    def keep(function):
        for ending in endings:
            register(registry, "format", ending, function)
        return function

    return keep


MAGIC = (
    (b"\x89HDF\r\n\x1a\n", ".h5"),
    (b"MATLAB 7.3", ".h5"),
    (b"\x93NUMPY", ".npy"),
    (b"MATLAB 5.0", ".mat"),
    (b"RIFF", ".wav"),
    (b"RF64", ".wav"),
    (b"TDSm", ".tdms"),
    (b"ABF", ".abf"),
    (b"CDF\x01", ".nc"),
    (b"CDF\x02", ".nc"),
)
OTHERS = (b"PK\x03\x04", b"\xd0\xcf\x11\xe0", b"%PDF", b"\x89PNG", b"\xff\xd8\xff")


def sniffed(path: Path) -> str:
    """Ending that fits the file: that of an extension's format, else what its first bytes say, else its own, "" = text.

    Raises
    ------
    Refusal for what is known to be neither text nor of a registered format
    """
    suffix = path.suffix.lower()
    entries = [table[suffix] for table in (READERS, SERIES_READERS) if suffix in table]
    if any(not functions_of(entry)[-1].__module__.startswith("nblib.") for entry in entries):
        return suffix
    with path.open("rb") as stream:
        start = stream.read(512)
    for magic, ending in MAGIC:
        if start.startswith(magic):
            return ending
    if entries:
        return suffix
    if start.startswith(OTHERS):
        raise Refusal(
            f"it ends in {suffix!r} and is not text (a spreadsheet, archive or picture?); export the spectrum as "
            "CSV, .npz or .npy"
        )
    return ".json" if re.match(rb"(?:\xef\xbb\xbf)?\s*(?:\{\s*[\"}]|\[\s*[\[{\d-])", start) else ""
