"""Read spectra from files: two-column text or CSV, .npz, .npy, and the starting study's pickle; nothing is executed."""

import pickle
import warnings
import zipfile
import zlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Bool, Float
from numpy import ndarray

from nblib.project.paths import resolve_data_path
from nblib.spectra.physics import PUBLISHED_FREQS

PSD_KEYS = ("psd", "psd_mean")
ROWS_A_CHECK = 1000  # spectra looked at together, so that a file larger than memory can be checked
SAFE_GLOBALS = {
    (module, name)
    for module in ("numpy.core.multiarray", "numpy._core.multiarray", "numpy.core.numeric", "numpy._core.numeric")
    for name in ("_reconstruct", "scalar", "_frombuffer")
} | {("numpy", "ndarray"), ("numpy", "dtype"), ("_codecs", "encode")}


@dataclass(frozen=True)
class Spectra:
    """Measured or stored spectra on one frequency axis.

    freqs    : Hz, positive, increasing
    psd      : (spectrum, bin) float64, unit^2/Hz, positive where valid
    valid    : (spectrum, bin), False = the bin holds no measurement
    energies : (spectrum, 2) meV (Ea, Eb), or None when unknown
    """

    freqs: Float[ndarray, " bin"]
    psd: Float[ndarray, "spectrum bin"]
    valid: Bool[ndarray, "spectrum bin"]
    energies: Float[ndarray, "spectrum 2"] | None = None


def load_spectra(path: str | Path) -> Spectra:
    """Read one file of spectra, checked; the file itself is never changed and nothing in it is executed.

    path    : .txt/.csv/.dat/.tsv (two columns: Hz, unit^2/Hz), .npz (freq and psd or psd_mean, optionally valid),
              .npy ((bin, 2), or (1 + N, bin): frequencies, then N spectra, which stay on disk), .pkl/.pickle
              ({"x": (N, 1, 3000), "y": (N, 2)} = PSD, (Ea/10, Eb/10))
    returns : Spectra; a leading 0 Hz bin (DC) is dropped with a warning
    raises  : ValueError that names the value, the rule and the fix
    """
    path = resolve_data_path(path)
    if path.stat().st_size == 0:
        raise ValueError(f"{path.name} is empty; export the spectrum again")
    suffix = path.suffix.lower()
    if suffix not in READERS:
        raise ValueError(f"{path.name} ends in {suffix!r}; known: {', '.join(READERS)}")
    try:
        parts = READERS[suffix](path)
    except (EOFError, OSError, zipfile.BadZipFile, zlib.error, pickle.UnpicklingError) as error:
        raise ValueError(f"{path.name} is truncated or not a {suffix} file ({error}); export it again") from error
    return _checked(path.name, *parts)


def _checked(name, freqs, psd, valid=None, energies=None) -> Spectra:
    """One rule book for every format."""
    freqs = _as_floats(name, "freq", freqs)
    psd = np.atleast_2d(psd if isinstance(psd, np.memmap) else _as_floats(name, "psd", psd))
    if freqs.ndim != 1 or psd.ndim != 2 or psd.shape[1] != len(freqs):
        raise ValueError(f"{name}: psd has shape {psd.shape} and freq {freqs.shape}; one PSD value per frequency")
    valid = np.broadcast_to(np.asarray(True if valid is None else valid, bool), psd.shape)
    if len(freqs) > 1 and freqs[0] == 0:
        warnings.warn(f"{name}: the 0 Hz bin (DC) is dropped", stacklevel=3)
        freqs, psd, valid = freqs[1:], psd[:, 1:], valid[:, 1:]
    if len(freqs) < 2:
        raise ValueError(f"{name} holds {len(freqs)} bin; a spectrum has at least 2")
    if not np.isfinite(freqs).all() or freqs[0] <= 0:
        raise ValueError(f"{name}: frequencies must be finite and positive, the first is {freqs[0]:g} Hz")
    steps = np.diff(freqs)
    if (steps <= 0).any():
        at = int(np.argmax(steps <= 0))
        raise ValueError(
            f"{name}: frequencies must increase, but {freqs[at + 1]:g} Hz follows {freqs[at]:g} Hz; sort the rows by "
            "frequency and remove repeats"
        )
    for start in range(0, len(psd), ROWS_A_CHECK):
        rows = psd[start : start + ROWS_A_CHECK]
        bad = valid[start : start + ROWS_A_CHECK] & ~(np.isfinite(rows) & (rows > 0))
        if bad.any():
            row, column = np.argwhere(bad)[0]
            raise ValueError(
                f"{name}: psd is {rows[row, column]} at {freqs[column]:g} Hz (spectrum {start + row}; {bad.sum()} such "
                "bins nearby); a PSD is positive and finite: remove those, or store an .npz with a `valid` mask"
            )
    return Spectra(freqs, psd, valid, energies)


def _as_floats(name, what, values):
    try:
        return np.asarray(values, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise ValueError(f"{name}: {what} is not an array of real numbers ({error})") from error


def _read_text(path):
    """Two columns separated by comma, semicolon, tab or blanks; '#' starts a comment; one header line is allowed."""
    rows, header_allowed = [], True
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except UnicodeDecodeError as error:
        raise ValueError(f"{path.name} is not text ({error.reason}); save it as CSV, .npz or .npy") from error
    for number, line in enumerate(lines, start=1):
        fields = line.split("#")[0].replace(",", " ").replace(";", " ").split()
        if not fields:
            continue
        try:
            values = [float(field) for field in fields]
        except ValueError:
            if header_allowed:
                header_allowed = False
                continue
            raise ValueError(
                f"{path.name} line {number}: {line.strip()[:60]!r} is not numbers; one header line and '#' comments "
                "are allowed, decimals take a point"
            ) from None
        if len(values) != 2:
            raise ValueError(
                f"{path.name} line {number} has {len(values)} columns; keep two: frequency [Hz] and PSD [unit^2/Hz] "
                "(decimals take a point, not a comma)"
            )
        header_allowed = False
        rows.append(values)
    if not rows:
        raise ValueError(f"{path.name} holds no numbers; it needs two columns: frequency [Hz] and PSD [unit^2/Hz]")
    table = np.array(rows)
    return table[:, 0], table[:, 1]


def _numpy_load(path, mmap_mode=None):
    try:
        return np.load(path, allow_pickle=False, mmap_mode=mmap_mode)
    except ValueError as error:  # numpy's word for a cut or foreign file, or for one that holds Python objects
        raise EOFError(str(error).splitlines()[0]) from error


def _read_npz(path):
    archive = _numpy_load(path)
    if isinstance(archive, np.ndarray):
        raise EOFError("it holds one bare array")
    with archive:
        key = next((key for key in PSD_KEYS if key in archive), None)
        if "freq" not in archive or key is None:
            raise ValueError(f"{path.name} holds {sorted(archive)}; it needs freq and one of {', '.join(PSD_KEYS)}")
        try:
            return archive["freq"], archive[key], archive.get("valid")
        except ValueError as error:  # numpy's word for an array of Python objects
            raise EOFError(str(error)) from error


def _read_npy(path):
    table = _numpy_load(path, mmap_mode="r")
    if not isinstance(table, np.ndarray):
        raise EOFError("it is an .npz archive")
    if table.ndim != 2 or len(table) < 2 or table.dtype.kind not in "fiu":
        raise ValueError(
            f"{path.name} has shape {table.shape} and type {table.dtype}; it needs numbers, (bin, 2): frequency [Hz] "
            "and PSD [unit^2/Hz], or (1 + N, bin): frequencies, then N spectra"
        )
    return (table[:, 0], table[:, 1]) if table.shape[1] == 2 else (table[0], table[1:])


class _ArraysOnly(pickle.Unpickler):
    """Rebuilds numpy arrays and plain containers; every other name is refused before it is imported."""

    def find_class(self, module, name):
        if (module, name) not in SAFE_GLOBALS:
            raise pickle.UnpicklingError(f"it asks for {module}.{name}; only plain numpy arrays are read")
        if module.startswith("numpy.core"):
            module = module.replace("numpy.core", "numpy._core", 1)
        return super().find_class(module, name)


def _read_pickle(path):
    with path.open("rb") as stream:
        try:
            table = _ArraysOnly(stream).load()
        except pickle.UnpicklingError:
            raise
        except Exception as error:  # a damaged pickle can fail in any way; none of them may pass as data
            raise pickle.UnpicklingError(f"{type(error).__name__}: {error}") from error
    if not isinstance(table, dict) or not {"x", "y"} <= set(table):
        raise ValueError(f'{path.name} holds no {{"x": (N, 1, 3000), "y": (N, 2)}}')
    psd, labels = _as_floats(path.name, "x", table["x"]), _as_floats(path.name, "y", table["y"])
    if psd.ndim != 3 or psd.shape[1:] != (1, len(PUBLISHED_FREQS)) or labels.shape != (len(psd), 2):
        raise ValueError(f"{path.name}: x {psd.shape}, y {labels.shape}; the layout is x (N, 1, 3000), y (N, 2)")
    return PUBLISHED_FREQS.copy(), psd[:, 0], None, labels * 10


READERS = {
    **dict.fromkeys((".txt", ".csv", ".dat", ".tsv"), _read_text),
    ".npz": _read_npz,
    ".npy": _read_npy,
    **dict.fromkeys((".pkl", ".pickle"), _read_pickle),
}
