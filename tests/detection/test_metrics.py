"""Thresholds, rates and intervals over seeds; detection's own metrics are tested with the readings they judge."""

import numpy as np
import pytest

from nblib.detection.metrics import detection_rate, false_alarm_rate, interquartile_mean, over_seeds, threshold_at


def test_a_threshold_alarms_as_often_as_asked_on_fresh_spectra():
    """Planted bug: the quantile over cells instead of over spectra."""
    rng = np.random.default_rng(0)
    free, fresh = rng.normal(size=(2, 10_000, 30))
    for rate in (0.01, 0.05):
        assert false_alarm_rate(fresh, threshold_at(free, rate)) == pytest.approx(rate, rel=0.3)
    with pytest.raises(ValueError, match="rate=0 must lie between"):
        threshold_at(free, 0)


def test_only_a_truly_noisy_cell_counts_as_detected():
    """Planted bug: any cell above the threshold."""
    scores = np.array([[9.0, 0.0], [0.0, 9.0], [9.0, 9.0]])
    truth = np.array([[True, False], [True, False], [False, False]])
    assert detection_rate(scores, truth, 5.0) == 0.5
    assert np.isnan(detection_rate(scores, np.zeros_like(truth), 5.0))


def test_the_interquartile_mean_leaves_the_extremes_out():
    values = np.array([-100.0, 1, 2, 3, 4, 5, 6, 100])
    assert interquartile_mean(values) == pytest.approx(3.5)
    found = over_seeds(values)
    assert found["iqm"] == pytest.approx(3.5)
    assert found["low"] < 3.5 < found["high"]
    assert found["n"] == 8


def test_an_interval_covers_the_truth_about_as_often_as_it_says():
    """Ten seeds, as in the claims: the percentile bootstrap is known to be a little short."""
    rng = np.random.default_rng(0)
    found = [over_seeds(rng.normal(size=10)) for _ in range(60)]
    covered = np.mean([row["low"] < 0 < row["high"] for row in found])
    assert 0.8 < covered <= 1


def test_two_seeds_make_no_interval():
    assert np.isnan(over_seeds(np.array([1.0, 2.0]))["low"])
