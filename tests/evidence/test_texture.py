"""Copies of measured spectra to train with: their scatter, their scale, what is trusted, how instruments are drawn."""

import numpy as np
import pytest

from evidence.unknown import texture as module
from evidence.unknown.flag_labels import BEFORE, labelled
from evidence.unknown.measured_spectra import measured_spectra
from evidence.unknown.texture import Texture, by_instruments, textured_spectrum

BINS = np.arange(2000)


def ramp(n_segments=300.0, trusted=True, instrument="one"):
    """A source that rises evenly along its axis, without scatter: where a copy comes from can be read off it."""
    return Texture(instrument, BINS / len(BINS), n_segments, np.full(len(BINS), trusted))


def copies(monkeypatch, source, as_measured, n_bins=1000, number=40):
    monkeypatch.setattr(module, "AS_MEASURED", as_measured)
    monkeypatch.setattr(module, "TILT", 0.0)
    return [textured_spectrum(np.random.default_rng(seed), [[source]], n_bins) for seed in range(number)]


def test_a_dilated_copy_has_the_scatter_of_its_own_segments(monkeypatch):
    for copy in copies(monkeypatch, ramp(), as_measured=0.0):
        residual = np.diff(np.log(copy.psd / (1 + copy.ratio))) / np.sqrt(2)
        assert np.std(residual) * np.sqrt(copy.n_segments) == pytest.approx(1.0, abs=0.2)  # 4 segments: 1.13
        assert copy.n_segments <= 300


def test_dilation_changes_the_scale_and_the_rest_does_not(monkeypatch):
    def slope(row):
        values = np.log(row.psd / (1 + row.ratio))
        return np.median(np.abs(values[100:] - values[:-100])) / 100 * len(BINS)  # 1: bin for bin

    kept = [slope(row) for row in copies(monkeypatch, ramp(), as_measured=1.0)]
    dilated = [slope(row) for row in copies(monkeypatch, ramp(1e6), as_measured=0.0) if row.n_segments > 3000]
    assert np.allclose(kept, 1.0, atol=0.01)
    assert min(dilated) < 0.6 and max(dilated) > 1.5


def test_what_is_trusted_stays_where_it_was(monkeypatch):
    """Planted bug: labels that are not mirrored where the copy is."""
    source = Texture("one", BINS / len(BINS), 1e6, BINS >= 1000)  # trusted where the ramp is above one half
    for as_measured in (0.0, 1.0):
        for copy in copies(monkeypatch, source, as_measured):
            value = np.log(copy.psd / (1 + copy.ratio))
            if copy.n_segments > 3000:
                away = np.abs(value - 0.5) > 0.1
                np.testing.assert_array_equal(copy.trusted[away], value[away] > 0.5)


def test_every_instrument_is_drawn_as_often(monkeypatch):
    """Planted bug: spectra drawn and not instruments."""
    monkeypatch.setattr(module, "AS_MEASURED", 1.0)
    groups = by_instruments([ramp(instrument="many")] * 9 + [ramp(n_segments=7.0, instrument="one")])
    rng = np.random.default_rng(0)
    drawn = [textured_spectrum(rng, groups, 300).n_segments for _ in range(200)]
    assert 70 < drawn.count(7.0) < 130


def test_what_was_labelled_noise_is_not_trusted_and_structure_is():
    spectra = {one.name: one for one in measured_spectra()}
    textures = {name: Texture.of(one) for name, one in spectra.items()}
    for flagged, label, _ in labelled(BEFORE):
        freqs = spectra[flagged.spectrum].freqs
        inside = (freqs >= flagged.fmin) & (freqs <= flagged.fmax)
        if label != "structure":
            assert not textures[flagged.spectrum].trusted[inside].any()
    birdsong = textures["birdsong"].trusted
    freqs = spectra["birdsong"].freqs
    assert birdsong[(freqs > 13400) & (freqs < 13650)].all()  # structure
    assert min(texture.trusted.mean() for texture in textures.values()) > 0.5
