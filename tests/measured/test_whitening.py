"""The whitened statistic: free of scale, blind to gaps, right about K and about Hann's correlation."""

import numpy as np
import pytest
from scipy.ndimage import uniform_filter1d

from nblib.measured.statistic.scatter import HANN_CORRELATION, local_segments, lower_spread, rounding_step
from nblib.measured.statistic.whitening import Plan, whiten
from nblib.simulation.estimation import draw_intrinsic
from nblib.smoothing import LOWER, segments_of_spread

FREQS = np.arange(1.0, 601.0)
PLAN = Plan.of(FREQS, np.ones(600, dtype=bool))


def _spectrum(seed=0, kind="welch", n_segments=16):
    return draw_intrinsic(np.random.default_rng(seed), FREQS, kind, n_segments).astype(np.float64) / FREQS


@pytest.mark.parametrize("factor", [2.0**-130, 2.0**130])
def test_a_factor_changes_nothing(factor):
    plain, scaled = (whiten(_spectrum() * by, PLAN).scores for by in (1.0, factor))
    assert np.allclose(plain, scaled, rtol=1e-6, atol=1e-9)


@pytest.mark.parametrize("kind", ["welch", "welch_hann"])
@pytest.mark.parametrize("n_segments", [8, 64])
def test_k_and_the_estimator_are_read_off_the_spectrum(kind, n_segments):
    white = whiten(_spectrum(1, kind, n_segments), PLAN)
    assert white.estimated
    assert np.nanmedian(white.n_segments) == pytest.approx(n_segments, rel=0.3)
    assert white.correlation == (HANN_CORRELATION if kind == "welch_hann" else (0.0, 0.0))


def test_lines_on_a_tenth_of_the_bins_do_not_inflate_the_scatter():
    psd = _spectrum(2)
    quiet = np.nanmedian(whiten(psd, PLAN).n_segments)
    psd[::10] *= 30.0
    assert np.nanmedian(whiten(psd, PLAN).n_segments) == pytest.approx(quiet, rel=0.3)


def test_a_line_scores_highest_where_it_is_and_gaps_score_nan():
    psd, valid = _spectrum(3), np.ones(600, dtype=bool)
    valid[[10, 11, 300, 301, 302]] = False
    psd[400] *= 8.0
    scores = whiten(psd, Plan.of(FREQS, valid), 16).scores
    assert np.nanargmax(scores) == 400
    assert (np.isnan(scores) == ~valid).all()


def test_a_spectrum_that_scatters_more_than_k_says_is_believed():
    white = whiten(_spectrum(4, n_segments=8), PLAN, 100)
    assert white.estimated and np.nanmedian(white.n_segments) < 12
    assert not whiten(_spectrum(4, n_segments=8), PLAN, 8).estimated


def test_chance_does_not_lower_a_stated_k_and_more_scatter_does():
    """Planted bug: the smaller of stated and measured K, which is below the stated one in half of the spectra."""
    freqs = np.arange(1.0, 2001.0)
    plan, rng = Plan.of(freqs, np.ones(2000, dtype=bool)), np.random.default_rng(7)
    used = {
        own: [np.median(whiten(rng.gamma(own, 1 / own, 2000), plan, 50).n_segments) for _ in range(10)]
        for own in (50, 36)
    }
    assert used[50].count(50.0) >= 9
    assert max(used[36]) < 43


def test_too_few_bins_are_refused_with_the_smallest_number():
    with pytest.raises(ValueError, match="29 measured bins.*at least 30"):
        Plan.of(FREQS[:29], np.ones(29, dtype=bool))


@pytest.mark.parametrize("n_segments", [2.0, 8.0, 100.0])
def test_k_of_a_spread_inverts_the_spread(n_segments):
    draws = np.log(np.random.default_rng(0).gamma(n_segments, 1 / n_segments, 200_000))
    assert lower_spread(draws) == pytest.approx(np.median(draws) - np.quantile(draws, LOWER), abs=1e-12)
    assert segments_of_spread(lower_spread(draws)) == pytest.approx(n_segments, rel=0.03)


def _bands(n_single, n_bands):
    """Fine bins in each bin of an axis that is linear at first and then grows by a share of itself."""
    growth = np.maximum(np.rint(n_single * np.exp(np.arange(n_bands) / n_single)), 0)
    return np.concatenate([np.ones(n_single), np.maximum(np.diff(growth, append=growth[-1] * 1.01), 1.0)]).astype(int)


def test_k_of_bands_follows_their_width_and_not_each_blocks_own_chance():
    """Planted bug: ln K interpolated between blocks of 40 bins; it is twice the true K somewhere in most spectra."""
    counts, rng = _bands(120, 360), np.random.default_rng(5)
    ends, segments = np.cumsum(counts), 8.0 * counts
    plan = Plan.of(ends - (counts - 1) / 2, np.ones(len(counts), dtype=bool))
    used = np.array([whiten(rng.gamma(segments) / segments, plan).n_segments for _ in range(20)])
    assert np.median((used / uniform_filter1d(segments, 9)).max(axis=1)) < 1.4
    assert (used[:, -1] > 5 * used[:, 0]).all()


def test_k_on_a_plain_axis_is_one_number():
    """Planted bug: blocks that count as different from four standard errors on, as one in eight draws of them are."""
    rng = np.random.default_rng(6)
    own = [local_segments(np.log(rng.gamma(32, 1 / 32, 600))) for _ in range(200)]
    assert sum(np.ptp(one) > 0 for one in own) <= 6
    rough = np.log(rng.gamma(32, 1 / 32, 600)) * np.where(np.arange(600) < 300, 1.0, 4.0)
    assert local_segments(rough)[0] > 4 * local_segments(rough)[-1]


def test_the_correlation_of_the_finest_bins_counts():
    """Planted bug: of all bins alone; most are bands, which are hardly correlated."""
    counts = _bands(120, 360)
    noise = draw_intrinsic(np.random.default_rng(8), np.arange(1.0, counts.sum() + 1), "welch_hann", 16)
    starts = np.cumsum(counts) - counts
    plan = Plan.of(starts + (counts + 1) / 2, np.ones(len(counts), dtype=bool))
    psd = np.add.reduceat(noise.astype(np.float64), starts) / counts
    assert whiten(psd, plan).correlation == HANN_CORRELATION


def test_rounding_is_seen():
    psd = _spectrum()
    assert rounding_step(psd) == 0.0
    assert rounding_step(np.array([float(f"{x:.2e}") for x in psd])) == pytest.approx(1e-2)
    assert rounding_step(10 ** (np.round(10 * np.log10(psd), 1) / 10)) == pytest.approx(0.1 * np.log(10) / 10)


def test_lines_and_humps_answer_to_filters_of_their_own_group():
    """Planted bug: the groups swapped."""
    noise = draw_intrinsic(np.random.default_rng(3), FREQS, "welch", 64).astype(np.float64)
    line, hump = (noise * (1 + np.exp(-0.5 * ((FREQS - FREQS[400]) / width) ** 2)) for width in (0.7, 8.0))
    narrow, broad = whiten(line, PLAN, 64).by_group[:, 390:410].max(axis=1)
    assert narrow > broad + 3
    white = whiten(hump, PLAN, 64)
    narrow, broad = white.by_group[:, 390:410].max(axis=1)
    assert broad > narrow + 3 and white.widths[1, 390:410].max() > 1.2 >= white.widths[0].max()


@pytest.mark.parametrize("line", [False, True])
def test_a_broad_resonance_is_background_and_a_line_on_it_is_not(line):
    """Planted bug: without the added uncertainty of what is broad the resonance scores 400."""
    freqs = np.arange(1.0, 801.0)
    psd = np.random.default_rng(0).gamma(300, 1 / 300, 800) * (1 + 2.5 * np.exp(-0.5 * ((freqs - 60) / 20) ** 2))
    psd[70] *= 1 + 1.5 * line
    scores = whiten(psd, Plan.of(freqs, np.ones(800, dtype=bool)), 300).scores
    assert (np.nanmax(scores) > 20) == line
    assert np.nanargmax(scores) == 70 or not line


def test_where_merged_bins_were_correlated_their_own_scatter_counts():
    """Given K is 4 times too large on the upper half, as where bins of Hann's estimator were merged."""
    true = np.where(np.arange(600) < 300, 16.0, 100.0)
    psd = np.random.default_rng(1).gamma(true, 1 / true)
    white = whiten(psd, PLAN, np.where(np.arange(600) < 300, 16.0, 400.0))
    assert white.estimated
    assert np.nanmedian(white.n_segments[350:]) == pytest.approx(100, rel=0.4)
    assert np.nanmedian(white.n_segments[:250]) == pytest.approx(16, rel=0.1)
