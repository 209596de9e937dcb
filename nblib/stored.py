"""Noise-free spectra to train on, as one layout of .npz file: what `nblib.dataset` reads in place of its generator.

A file that an instrument or the starting study wrote becomes one by `nblib.measured`: `load_spectra(path).store(new)`.
"""

import zipfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Float
from numpy import ndarray

LAYOUT = ("freqs", "psd")  # arrays that a file must hold; "energies" may be there as well


@dataclass(frozen=True)
class StoredSpectra:
    """Spectra on one frequency axis, without gaps.

    Attributes
    ----------
    freqs : Hz, increasing
    psd : float64, unit^2/Hz, positive
    energies : meV (Ea, Eb); None where they are not known
    """

    freqs: Float[ndarray, " bin"]
    psd: Float[ndarray, "spectrum bin"]
    energies: Float[ndarray, "spectrum 2"] | None = None


def write_stored(path: str | Path, spectra: StoredSpectra) -> Path:
    """Write spectra in the layout that read_stored takes; the ending .npz is added where it lacks."""
    arrays = {"freqs": spectra.freqs, "psd": spectra.psd}
    if spectra.energies is not None:
        arrays["energies"] = spectra.energies
    path = Path(path).with_suffix(".npz")
    np.savez_compressed(path, allow_pickle=False, **arrays)
    return path


def read_stored(path: str | Path) -> StoredSpectra:
    """Read stored spectra.

    Raises
    ------
    ValueError for a file of another layout, with missing or non-positive values, or with unequal shapes
    """
    try:
        with np.load(path, allow_pickle=False) as file:
            arrays = {name: np.asarray(file[name], dtype=np.float64) for name in (*LAYOUT, "energies") if name in file}
    except (OSError, EOFError, ValueError, TypeError, AttributeError, zipfile.BadZipFile) as error:
        raise ValueError(f"{path} is not a readable .npz of numbers ({error}); write one with write_stored") from error
    if not set(LAYOUT) <= set(arrays):
        raise ValueError(
            f"{path} holds {', '.join(arrays) or 'nothing'} and needs {' and '.join(LAYOUT)}; convert a file of "
            "another layout with nblib.measured.files.readers.load_spectra(path).store(new_path)"
        )
    freqs, psd, energies = arrays["freqs"], np.atleast_2d(arrays["psd"]), arrays.get("energies")
    if freqs.ndim != 1 or psd.ndim != 2 or psd.shape[1] != len(freqs):
        raise ValueError(f"{path}: freqs has shape {freqs.shape} and psd {psd.shape}; give (bin,) and (spectrum, bin)")
    if not np.isfinite(psd).all() or (psd <= 0).any():
        raise ValueError(
            f"{path}: psd has missing or non-positive values; spectra to train on need a value in each bin"
        )
    if energies is not None and energies.shape != (len(psd), 2):
        raise ValueError(f"{path}: energies has shape {energies.shape}; give ({len(psd)}, 2), meV")
    return StoredSpectra(freqs, psd, energies)
