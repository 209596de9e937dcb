"""Stored spectra: what is written comes back, and what could not be trained on is refused by name."""

import numpy as np
import pytest

from nblib import NoiseBERTDataset
from nblib.stored import StoredSpectra, read_stored, write_stored

FREQS, PSD = np.arange(1.0, 61.0), np.linspace(1e-25, 2e-25, 180).reshape(3, 60)


@pytest.mark.parametrize("energies", [None, np.ones((3, 2))])
def test_what_is_written_comes_back(energies, tmp_path):
    """Planted bug: float32, which loses 1e-46."""
    path = write_stored(tmp_path / "spectra", StoredSpectra(FREQS, PSD * 1e-21, energies))
    stored = read_stored(path)
    assert path.name == "spectra.npz"
    np.testing.assert_array_equal(stored.psd, PSD * 1e-21)
    assert (stored.energies is None) == (energies is None)


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"freq": FREQS, "psd": PSD}, "needs freqs and psd; convert"),
        ({"freqs": FREQS[:-1], "psd": PSD}, r"freqs has shape \(59,\) and psd \(3, 60\)"),
        ({"freqs": FREQS, "psd": np.where(PSD > 1.9e-25, np.nan, PSD)}, "missing or non-positive"),
        ({"freqs": FREQS, "psd": -PSD}, "missing or non-positive"),
        ({"freqs": FREQS, "psd": PSD, "energies": np.ones(3)}, r"energies has shape \(3,\); give \(3, 2\)"),
        ({"freqs": FREQS, "psd": np.array(["a"])}, "is not a readable .npz of numbers"),
        ({"freqs": np.array([{}]), "psd": PSD}, "is not a readable .npz of numbers"),
    ],
)
def test_what_cannot_be_trained_on_is_refused(arrays, message, tmp_path):
    """Planted bug: allow_pickle, which would run what the file holds."""
    np.savez(tmp_path / "bad.npz", **arrays)
    with pytest.raises(ValueError, match=message):
        read_stored(tmp_path / "bad.npz")


def test_another_axis_than_the_generators_is_refused(tmp_path):
    path = write_stored(tmp_path / "short.npz", StoredSpectra(FREQS, PSD))
    with pytest.raises(ValueError, match="must have bins at 1..3000 Hz"):
        NoiseBERTDataset(data_path=path)
    (tmp_path / "text.npz").write_text("no zip")
    with pytest.raises(ValueError, match="is not a readable .npz"):
        NoiseBERTDataset(data_path=tmp_path / "text.npz")
