"""The statistics of estimation noise: moments, Gamma exactly without overlap, correlation with it."""

import numpy as np
import pytest
from scipy.special import digamma, polygamma

from nblib.simulation.estimation import INTRINSIC, draw_intrinsic, log_bias, log_variance

PUBLISHED = np.arange(1.0, 3001.0)


@pytest.mark.parametrize("kind", INTRINSIC)
def test_moments_of_estimation_noise(kind):
    """Mean 1, and mean and variance of ln g as documented, within five standard errors of 400 spectra.

    Planted bug: Gamma(K) divided by K - 1.
    """
    freqs, n_draws = np.arange(1.0, 301.0), 400
    factors = np.stack([draw_intrinsic(np.random.default_rng([1, n]), freqs, kind, 8) for n in range(n_draws)])
    logs, n_values = np.log(factors.astype(float)), factors.size / (1 if kind != "welch_hann" else 2)
    error = 5 * np.sqrt(log_variance(freqs, kind, 8).mean() / n_values)
    assert factors.mean() == pytest.approx(1, abs=error)
    assert logs.mean() == pytest.approx(log_bias(freqs, kind, 8).mean(), abs=error)
    # Welch's effective number of segments is itself an approximation, good to a few per cent
    relative = 0.05 if kind == "welch_hann" else 0.03
    assert logs.var(axis=0).mean() == pytest.approx(log_variance(freqs, kind, 8).mean(), rel=relative)


@pytest.mark.parametrize("n_segments", [1, 8, 64])
def test_welch_noise_is_gamma(n_segments):
    freqs = np.arange(1.0, 20_001.0)
    factor = draw_intrinsic(np.random.default_rng(3), freqs, "welch", n_segments)
    assert factor.var() == pytest.approx(1 / n_segments, rel=0.1)
    assert log_bias(freqs, "welch", n_segments)[0] == pytest.approx(digamma(n_segments) - np.log(n_segments))
    assert log_variance(freqs, "welch", n_segments)[0] == pytest.approx(polygamma(1, n_segments))


def test_overlapping_tapered_segments_correlate_neighbouring_bins():
    """|correlation| of bins one apart is 4/9 for a Hann taper, and nothing without one."""
    freqs, correlations = np.arange(1.0, 301.0), {}
    for kind in ("welch", "welch_hann"):
        factors = np.stack([draw_intrinsic(np.random.default_rng([2, n]), freqs, kind, 8) for n in range(100)])
        correlations[kind] = np.corrcoef(factors[:, :-1].ravel(), factors[:, 1:].ravel())[0, 1]
    assert correlations["welch"] == pytest.approx(0, abs=0.03)
    assert correlations["welch_hann"] == pytest.approx(4 / 9, abs=0.03)


@pytest.mark.parametrize(
    ("kind", "n_segments", "message"),
    [("pink", 8, "unknown intrinsic noise 'pink'; known: welch"), ("welch", 0, "at least 1")],
)
def test_unknown_estimation_noise_is_refused(kind, n_segments, message):
    with pytest.raises(ValueError, match=message):
        log_bias(PUBLISHED, kind, n_segments)
