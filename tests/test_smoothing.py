"""Filters and medians that the idea and the detector share, against numpy's and scipy's own."""

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter1d

from nblib.smoothing import correlator, gaussian, log_median, mirrored_median, rolling_median


def test_a_gaussian_is_scipys_filter():
    template = gaussian(3.0, 4.0)
    impulse = np.zeros(101)
    impulse[50] = 1.0
    expected = gaussian_filter1d(impulse, 3.0, truncate=4.0)
    np.testing.assert_allclose(template / template.sum(), expected[50 - 12 : 50 + 13], atol=1e-12)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_correlation_is_numpys_with_zeros_beyond_the_ends(dtype):
    """Planted bug: a transform as long as the row, so that one end reaches into the other."""
    rows = np.random.default_rng(0).normal(size=(3, 40)).astype(dtype)
    template = gaussian(2.0, 4.0)
    correlation = correlator(rows, len(template))(template)
    expected = [np.convolve(row, template, "full")[8:48] for row in rows]
    np.testing.assert_allclose(correlation, expected, rtol=1e-4, atol=1e-5)
    assert correlation.dtype == dtype


def test_a_rolling_median_goes_on_beyond_the_ends_and_row_by_row():
    rows = np.array([[5.0, 1.0, 2.0, 9.0, 4.0], [0.0, 0.0, 1.0, 1.0, 1.0]])
    np.testing.assert_array_equal(rolling_median(rows, 3), [[5, 2, 2, 4, 4], [0, 0, 1, 1, 1]])
    np.testing.assert_array_equal(rolling_median(rows[0], 3), [5, 2, 2, 4, 4])
    with pytest.raises(ValueError, match="window=4 must be an odd number of bins"):
        rolling_median(rows, 4)


def test_a_mirrored_median_keeps_a_slope_up_to_the_ends():
    values = 2.0 * np.arange(30)
    np.testing.assert_allclose(mirrored_median(values, 11, values[0], values[-1]), values)


def test_log_median_lies_below_the_mean_and_vanishes_for_many_averages():
    assert log_median(1.0) == pytest.approx(np.log(np.log(2.0)))  # an exponential's median is ln 2
    assert -1e-3 < log_median(1e4) < 0
    spread = np.geomspace(1.0, 100.0, 500)
    assert log_median(spread)[0] == pytest.approx(log_median(1.0), abs=1e-6)
