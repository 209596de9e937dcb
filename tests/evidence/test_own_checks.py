"""The draws of evidence/benchmarks/own_spectra.py, and its judgements on a few of them."""

import numpy as np
import pytest

from evidence.unknown import own_checks as checks
from nblib.measured import detector
from nblib.measured.detector import NoiseDetector
from nblib.measured.statistic.thresholds import Limits, Thresholds


def test_a_tone_has_the_shape_of_the_hann_window():
    taper, position = np.hanning(257)[:-1], 40.3
    tone = np.cos(2 * np.pi * position * np.arange(256) / 256)
    power = np.abs(np.fft.rfft(taper * tone))[30:52] ** 2
    shape = checks.hann_tone(np.arange(30.0, 52.0), position)
    np.testing.assert_allclose(power / power.max(), shape / shape.max(), atol=2e-3)
    assert checks.hann_tone(np.array([39.0, 40.0, 41.0]), 40.0) == pytest.approx([0.25, 1, 0.25], abs=1e-4)


def test_a_logarithmic_grid_keeps_the_power():
    draw = checks.wide_lines(0, 0, 1.0134)
    freqs, psd = checks.log_grid(draw, 1.0134, True)
    ratios = freqs[1:] / freqs[:-1]
    assert ratios[freqs[1:] > 300].max() < 1.02 and len(freqs) < 600
    part = (draw.freqs > 1000) & (draw.freqs < 2000)
    coarse = (freqs > 1000) & (freqs < 2000)
    assert np.trapezoid(psd[coarse], freqs[coarse]) == pytest.approx(
        np.trapezoid(draw.psd[part], draw.freqs[part]), rel=0.05
    )
    sampled, values = checks.log_grid(draw, 1.0134, False)
    assert sampled[1] / sampled[0] == pytest.approx(1.0134) and (values > 0).all()


def test_overlap_is_of_the_worst_flag_and_counts_half_a_bin_on_either_side():
    draw = checks.some_lines(0, 1)
    one = NoiseDetector().detect(draw.freqs, draw.psd, draw.n_segments)
    assert checks.least_overlap(one, one) == 1.0
    (low, high) = checks.spans(one)[0]
    assert (low, high) == (one.flags[0].fmin - 0.5, one.flags[0].fmax + 0.5)
    without = NoiseDetector().detect(draw.freqs, np.where(draw.freqs < high, np.nan, draw.psd), draw.n_segments)
    assert checks.least_overlap(one, without) == 0.0


@pytest.mark.slow
@pytest.mark.parametrize("number", range(4))
def test_flags_survive_another_scale_and_missing_bins(number):
    """Planted bugs: a flag cut in two by a missing bin; a threshold on the power itself."""
    found = checks.invariances(checks.some_lines(0, number), number, NoiseDetector())
    assert found["scaled"] == found["amplitude density squared"] == 1.0
    assert min(found.values()) >= checks.LEAST_OVERLAP


@pytest.mark.parametrize("number", range(3))
def test_flags_survive_a_logarithmic_grid(number):
    """Planted bug: a bin below the threshold flagged in the tail of a hump (number 0)."""
    found = checks.log_invariance(0, number, 1.0134, NoiseDetector())
    assert min(found.values()) >= checks.LEAST_OVERLAP


@pytest.mark.parametrize("number", range(4))
def test_mains_is_flagged_and_the_background_beside_it_stays(number):
    found = checks.mains(0, number, NoiseDetector())
    assert 20 <= found["decibels"] <= 60
    assert found["flagged"] == 1 and found["moved"] < 0.1 and found["error"] < 0.3


def test_a_comb_is_named_and_unrelated_lines_are_not():
    detector_ = NoiseDetector()
    assert [checks.comb(0, n, detector_) for n in range(3)] == [{"flagged": 1.0, "named": 1.0}] * 3
    assert [checks.unrelated(0, n, detector_)["a comb"] for n in range(3)] == [0.0] * 3


def test_a_clean_spectrum_is_seldom_flagged_and_a_low_threshold_flags_it(monkeypatch):
    settings = (0, 0, 300, 16, "welch", True, "flat", NoiseDetector())
    assert checks.false_alarms(*settings) == {"0.05": 0.0, "0.01": 0.0}
    low = Limits(*[Thresholds((-9.0, -8.9, -8.8, -8.7, -8.6, -8.5, -8.4), 300)] * 2)
    monkeypatch.setattr(detector, "limits_of", lambda *_, **__: low)
    assert checks.false_alarms(*settings) == {"0.05": 1.0, "0.01": 1.0}
