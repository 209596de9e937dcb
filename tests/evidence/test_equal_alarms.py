"""What is found at equal rates of false alarms: thresholds from line-free spectra alone, draws of both."""

import numpy as np
import pytest

from evidence.unknown.equal_alarms import found_draws, line_free


def test_found_cells_are_counted_above_what_line_free_spectra_reach():
    """Planted bugs: the threshold from the noisy spectra; one alarm per cell; clean cells counted as found."""
    quiet = [np.array([0.1, value, np.nan]) for value in np.arange(1.0, 100.0)]  # 5 % of the spectra exceed 95
    cells = [np.array([200.0, 96.0, 95.0, 300.0]), np.array([np.nan, 99.5, 1.0, 2.0])]
    truth = [np.array([False, True, True, True]), np.array([True, True, False, False])]
    draws = found_draws(cells, truth, quiet, 0.05, 50)
    assert draws[0] == pytest.approx(3 / 5)
    assert np.ptp(draws) > 0 and set(np.round(draws * 5, 6)) <= set(np.round(np.linspace(0, 5, 301), 6))
    np.testing.assert_array_equal(draws, found_draws(cells, truth, quiet, 0.05, 50))


def test_a_line_free_spectrum_without_scores_raises_no_alarm():
    """Planted bug: NaN as the largest score, so that no threshold is finite."""
    quiet = [np.full(3, np.nan)] * 20 + [np.array([5.0])]
    assert found_draws([np.array([4.0, 6.0])], [np.array([True, True])], quiet, 0.1, 1)[0] == 1.0


@pytest.mark.parametrize("name", ["wide", "second"])
def test_line_free_spectra_hold_no_noise(name):
    assert not any(row.noisy.any() for row in line_free(name, 3))
