"""The Python interface: what a notebook of one's own imports and gets."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

import nblib
from nblib.measured import detector
from nblib.measured.causes import with_causes
from nblib.measured.detector import NoiseDetector
from nblib.measured.statistic import network as evidence
from nblib.measured.statistic.network import weights_key
from nblib.measured.statistic.thresholds import thresholds_for
from nblib.measured.welch import welch_spectrum

FREQS = np.arange(1.0, 1001.0)


def _with_lines(lines, seed=0, height=30.0):
    psd = np.random.default_rng(seed).gamma(32, 1 / 32, len(FREQS)) / FREQS
    for line in lines:
        psd += height / line * np.exp(-0.5 * ((FREQS - line) / 0.6) ** 2)
    return psd


@pytest.mark.slow
def test_the_detector_is_imported_from_the_package_and_only_when_asked_for():
    assert nblib.NoiseDetector is NoiseDetector
    assert "NoiseDetector" in nblib.__all__ and "NoiseDetector" in dir(nblib)
    code = "import sys, nblib; assert 'nblib.measured.detector' not in sys.modules; nblib.NoiseDetector"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_detect_names_causes_as_the_command_does():
    """Planted bug: causes named by the command alone, "" from Python."""
    found = nblib.NoiseDetector().detect(FREQS, _with_lines([50, 150, 250, 350]), 32)
    assert [flag.cause for flag in found.flags] == [f"50 Hz mains, harmonic {number}" for number in (1, 3, 5, 7)]
    assert found.to_frame().cause[0] == "50 Hz mains, harmonic 1"


def test_a_table_of_spectra_has_its_causes_named_too():
    one, two = NoiseDetector().detect_many(FREQS, np.stack([_with_lines([60, 180, 300]), _with_lines([333.3])]), 32)
    assert [flag.cause for flag in one.flags] == [f"60 Hz mains, harmonic {number}" for number in (1, 3, 5)]
    assert [flag.cause[:7] for flag in two.flags] == ["line at"]


def test_a_detector_is_loaded_with_other_weights(tmp_path, monkeypatch):
    """Planted bugs: the shipped weights used; thresholds of the shipped ones."""
    shipped = load_file(Path(evidence.__file__).parent / evidence.WEIGHTS)
    turned = shipped | {"head.2.bias": shipped["head.2.bias"] + np.float32(2.0)}
    save_file({f"model.{name}": row for name, row in turned.items()}, tmp_path / "mine.safetensors")
    asked = []
    shipped_limits = thresholds_for(1000, 32, False, True, "combined")
    monkeypatch.setattr(detector, "limits_of", lambda *_, weights, **__: asked.append(weights) or shipped_limits)
    mine = NoiseDetector.load(tmp_path / "mine.safetensors")
    psd = _with_lines([300])
    one, other = (made.score(FREQS, psd, 32) for made in (NoiseDetector(), mine))
    np.testing.assert_allclose(other.scored.log_odds, one.scored.log_odds + 2.0, atol=1e-4)
    assert asked[0] is None and weights_key(asked[1]) == weights_key(turned) != weights_key(shipped)


@pytest.mark.parametrize(
    ("name", "message"), [("none", "is not there"), ("text", "is not a safetensors file"), ("other", "another network")]
)
def test_what_is_no_network_is_not_loaded(tmp_path, name, message):
    (tmp_path / "text").write_text("no weights", encoding="utf-8")
    save_file({"a": np.zeros(3)}, tmp_path / "other")
    with pytest.raises(ValueError, match=message):
        NoiseDetector.load(tmp_path / name)


def test_naming_causes_twice_changes_nothing():
    found = NoiseDetector().detect(FREQS, _with_lines([50, 150, 250, 350, 512, 518]), 32)
    again = with_causes(found)
    assert again.flags == found.flags and again.warnings == found.warnings


def _series(rate=32.0, line=60.0, seconds=600, seed=3):
    rng = np.random.default_rng(seed)
    times = np.arange(int(rate * seconds)) / rate
    return rng.normal(size=len(times)) + np.sin(2 * np.pi * line * times)


def test_a_time_series_gives_one_detection_with_its_alias_named():
    """60 Hz at 32 samples a second is seen at 4 Hz. Planted bug: the rate not handed on to the causes."""
    found = NoiseDetector().from_timeseries(_series(), 32.0)
    strongest = max(found.flags, key=lambda flag: flag.excess)
    assert strongest.fmin <= 4.0 <= strongest.fmax
    assert strongest.cause == "alias of 60 Hz mains (harmonic 1) at a sampling rate of 32 Hz"


def test_a_time_series_is_averaged_as_asked_and_its_averages_are_counted():
    """Planted bug: K of the segments, not of the overlap."""
    samples = _series(seconds=120)
    samples[500] = np.nan
    found = NoiseDetector().from_timeseries(samples, 32.0, segment_length=128, overlap=0.75)
    spectrum = welch_spectrum(samples, 32.0, segment_length=128, overlap=0.75)
    np.testing.assert_array_equal(found.psd, spectrum.psd)
    assert found.freqs[0] == 0.25 and found.freqs[-1] < 16.0
    assert found.n_segments == pytest.approx(spectrum.n_segments) or found.estimated
    assert spectrum.n_segments < 0.6 * spectrum.n_averaged


@pytest.mark.parametrize(
    ("samples", "rate", "message"),
    [
        (np.zeros((2, 400)), 32.0, "give one series"),
        (np.ones(400), 32.0, "constant series"),
        (_series(seconds=20), -1.0, "rate=-1.0"),
        (1j * np.ones(400), 32.0, "complex"),
    ],
)
def test_bad_series_are_refused_with_the_fix(samples, rate, message):
    with pytest.raises(ValueError, match=message):
        NoiseDetector().from_timeseries(samples, rate)
