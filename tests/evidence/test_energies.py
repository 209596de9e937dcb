"""Energies: the fit against scipy's, its error against the bound, the probe, and the limit that nothing goes below."""

import numpy as np
import pytest
from scipy.optimize import minimize

from evidence.energies import bound, energy_error, fit_energies, fit_probe, posterior_medians, probe
from nblib.simulation.physics import cramer_rao_energies, published_psd

N_SEGMENTS = 8


@pytest.fixture(scope="module")
def measured():
    rng = np.random.default_rng(1)
    truth = np.stack([rng.uniform(2, 18, 200), rng.uniform(14, 31, 200)], axis=1)
    psd = published_psd(*truth.T)
    return truth, np.log(psd * rng.gamma(N_SEGMENTS, 1 / N_SEGMENTS, psd.shape))


@pytest.fixture(scope="module")
def fitted(measured):
    return fit_energies(measured[1])


@pytest.mark.slow
def test_the_fit_is_the_maximum_that_scipy_finds(measured):
    """Planted bug: the score's x/S - 1 taken as ln x - ln S."""
    truth, log_psd = measured
    for energies, log_row, fitted in zip(truth[:5], log_psd, fit_energies(log_psd[:5]), strict=False):

        def whittle_cost(pair, row=log_row):
            model = published_psd(*pair)[0]
            return (np.log(model) + np.exp(row) / model).sum()

        best = minimize(whittle_cost, energies, method="Nelder-Mead", options={"xatol": 1e-5, "fatol": 1e-9})
        np.testing.assert_allclose(fitted, best.x, atol=2e-3)


@pytest.mark.slow
def test_the_fit_reaches_the_bound(measured, fitted):
    truth = measured[0]
    ratio = energy_error(fitted, truth) / bound(truth, N_SEGMENTS)
    assert (np.abs(ratio - 1) < 0.12).all()  # 200 spectra: the mean of |error| scatters by 5 %


@pytest.mark.slow
def test_bins_that_are_left_out_do_not_matter(measured):
    """Planted bug: keep ignored in the grid's costs."""
    truth, log_psd = measured
    keep = np.ones(log_psd.shape, dtype=bool)
    keep[:, 500:700] = False
    spoilt = log_psd.copy()
    spoilt[:, 500:700] += 5.0
    np.testing.assert_array_equal(fit_energies(spoilt[:20], keep[:20]), fit_energies(log_psd[:20], keep[:20]))
    assert energy_error(fit_energies(spoilt[:20]), truth[:20])[1] > 1.0
    assert (bound(truth, N_SEGMENTS, keep) > bound(truth, N_SEGMENTS)).all()


@pytest.mark.slow
def test_the_posterior_median_has_the_smallest_error_of_all(measured, fitted):
    truth, log_psd, fitted = measured[0][:120], measured[1][:120], fitted[:120]
    median, fit = (energy_error(energies, truth) for energies in (posterior_medians(log_psd, N_SEGMENTS), fitted))
    assert (median < 1.05 * fit).all()
    assert (median > 0.85 * bound(truth, N_SEGMENTS)).all()


def test_bounds_of_many_pairs_are_those_of_each():
    pairs = np.array([[3.0, 20.0], [12.0, 28.0]])
    keep = np.ones((2, 3000), dtype=bool)
    keep[1, :100] = False
    together = cramer_rao_energies(*pairs.T, keep=keep)
    apart = [cramer_rao_energies(*pair, keep=row) for pair, row in zip(pairs, keep, strict=True)]
    np.testing.assert_allclose(together, apart)


def test_a_probe_finds_a_linear_map_and_its_intercept():
    rng = np.random.default_rng(0)
    cls_out, weights = rng.normal(size=(200, 8)), rng.normal(size=(8, 2))
    energies = cls_out @ weights + [3.0, 20.0]
    probed = probe(cls_out[150:], fit_probe(cls_out[:150], energies[:150]))
    np.testing.assert_allclose(probed, energies[150:], atol=1e-9)
