"""Where a flagged range begins and ends: strong lines, missing bins."""

import numpy as np
import pytest

from nblib.measured.flags import flagged_ranges

N_BINS, SCATTER = 400, 0.25  # K = 16


def _excess(lines=(), seed=0):
    """x/S - 1 of line-free bins with Gaussian lines of (centre, standard deviation in bins, height)."""
    bins = np.arange(N_BINS)
    ratio = 1 + sum(height * np.exp(-0.5 * ((bins - centre) / width) ** 2) for centre, width, height in lines)
    return ratio * np.random.default_rng(seed).gamma(16, 1 / 16, N_BINS) - 1


def _ranges(excess, width=0, threshold=5.0):
    scores = np.where(np.isnan(excess), np.nan, np.clip(excess / SCATTER, 0, None))
    return flagged_ranges(scores, np.full(N_BINS, float(width)), excess, np.full(N_BINS, SCATTER), threshold)


@pytest.mark.parametrize("hole", [[200], [199, 201], [198], [199, 200, 201]])
def test_a_line_goes_on_over_missing_bins(hole):
    """Planted bug: a flag cut in two by one missing bin."""
    excess = _excess([(200, 2.0, 20.0)])
    (whole,) = _ranges(excess)
    excess[hole] = np.nan
    (low, high), *others = _ranges(excess)
    assert not others
    assert abs(low - whole[0]) <= 1 and abs(high - whole[1]) <= 1


def test_a_flag_stops_where_many_bins_are_missing():
    excess = _excess([(200, 6.0, 20.0)])
    excess[200:206] = np.nan
    (_, high), (low, _) = _ranges(excess)
    assert (high, low) == (199, 206)


@pytest.mark.parametrize("width", [0, 2, 8, 30])
def test_a_strong_line_is_no_wider_for_a_wide_filter(width):
    """Planted bug: the mean over the filter's width carried the flag as far as the filter reaches."""
    ((low, high),) = _ranges(_excess([(200, 1.5, 1000.0)]), width)
    assert 192 <= low <= 196 and 204 <= high <= 208


def test_two_lines_within_a_filter_stay_two():
    ranges = _ranges(_excess([(190, 1.0, 50.0), (210, 1.0, 50.0)]), 12)
    assert len(ranges) == 2 and ranges[0][1] < 197 and ranges[1][0] > 203
