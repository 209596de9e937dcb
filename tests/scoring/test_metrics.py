"""Thresholds, rates and intervals over seeds; detection's own metrics are tested with the readings they judge."""

import numpy as np
import pytest

from nblib.scoring.metrics import (
    detection_rate,
    false_alarm_rate,
    interquartile_mean,
    over_seeds,
    threshold_at,
    without_group,
)


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
    span = over_seeds(values)
    assert span["iqm"] == pytest.approx(3.5)
    assert span["low"] < 3.5 < span["high"]
    assert span["n"] == 8


N_SPECTRA = 40
# (group, spectrum): what a mean without a group of spectra takes of each spectrum
WEIGHTS = np.stack([without_group(lambda kept, i=i: (kept == i).mean(), N_SPECTRA) for i in range(N_SPECTRA)], axis=1)


def crossed(rng, n_seeds, seed_spread, spectra_spread):
    """A statistic of every seed on the same test spectra, and with each group of spectra left out; its truth is 0."""
    spectra = rng.normal(scale=spectra_spread * N_SPECTRA**0.5, size=N_SPECTRA)
    own = rng.normal(scale=seed_spread, size=n_seeds)
    return spectra.mean() + own, WEIGHTS @ spectra + own[:, None]


def test_a_group_is_every_twentieth_spectrum_and_each_is_left_out_once():
    """Planted bug: the group kept and the others left out."""
    assert WEIGHTS.shape == (20, N_SPECTRA)
    assert [np.flatnonzero(row == 0).tolist() for row in WEIGHTS] == [[group, group + 20] for group in range(20)]
    np.testing.assert_allclose(WEIGHTS.sum(axis=1), 1)


@pytest.mark.slow
@pytest.mark.parametrize("n_seeds", [3, 10])
@pytest.mark.parametrize("spectra_spread", [0.0, 0.3, 2.0])
def test_an_interval_covers_seeds_and_spectra_as_often_as_it_says(n_seeds, spectra_spread):
    """Simulated: 0.95 within what 200 draws can tell (standard error 0.015), or a little more.

    Planted bug: the spectra left out.
    """
    rng = np.random.default_rng(n_seeds)
    draws = [over_seeds(*crossed(rng, n_seeds, 1.0, spectra_spread)) for _ in range(200)]
    covered = np.mean([row["low"] < 0 < row["high"] for row in draws])
    assert 0.92 < covered < 0.995


def test_an_interval_without_the_spectra_does_not_cover_them():
    """Why left_out is asked for: seeds alone cover another choice of spectra in less than half of the draws."""
    rng = np.random.default_rng(0)
    draws = [over_seeds(crossed(rng, 10, 1.0, 2.0)[0]) for _ in range(300)]
    assert np.mean([row["low"] < 0 < row["high"] for row in draws]) < 0.5


def test_paired_differences_leave_what_two_methods_share_out():
    """The same spectra and seeds: the difference is known better than either. Planted bug: left_out not paired."""
    rng = np.random.default_rng(1)
    values, left_out = crossed(rng, 10, 0.01, 1.0)
    single, paired = over_seeds(values, left_out), over_seeds(values - (values - 0.5), left_out - (left_out - 0.5))
    assert paired["iqm"] == pytest.approx(0.5)
    assert paired["high"] - paired["low"] < 1e-9 < single["high"] - single["low"]


def test_two_seeds_make_no_interval():
    assert np.isnan(over_seeds(np.array([1.0, 2.0]))["low"])
