"""Set-ups: one background for all their spectra, noise of K averages, lines at the sites named."""

import numpy as np
import pytest

from evidence.unknown.setups import BINS, HEIGHT, KINDS, SetUp


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("number", [1, 3])  # without a window, and Hann's
def test_spectra_of_a_set_up_scatter_around_one_background(kind, number):
    """Planted bugs: a background of its own for each spectrum; K of another set-up."""
    set_up = SetUp(kind, number)
    rows = np.log([set_up.spectrum(0, index)[0] for index in range(12)])
    bins = np.log(np.arange(1.0, BINS + 1))
    rows -= [np.polyval(np.polyfit(bins, row, 1), bins) for row in rows]  # level and slope differ
    between = np.var(rows, axis=0, ddof=1).mean()
    assert 0.7 < between * set_up.n_segments < 1.4
    assert set_up.tapered == (number == 3)
    np.testing.assert_array_equal(set_up.spectrum(1, 0)[0], SetUp(kind, number).spectrum(1, 0)[0])


def test_lines_stand_where_they_are_said_to():
    """Planted bug: sites of another draw."""
    set_up, ratios = SetUp("smooth", 1), []
    for index in range(20):
        with_lines, sites = set_up.spectrum(2, index, True)
        without, none = set_up.spectrum(2, index)
        assert len(none) == 0
        ratios.append(with_lines[sites] / without[sites])
    assert np.mean(ratios) == pytest.approx(1 + HEIGHT, rel=0.01)
