"""Spectra whose bins depend on each other or stand in steps: quiet where nothing is, lines of 10 dB found, warned."""

import numpy as np
import pytest

from evidence.benchmarks.dependent_bins import with_known_background
from evidence.unknown.dependent_bins import KINDS, PEAK
from nblib.measured.detector import NoiseDetector
from nblib.measured.statistic.dependence import blocks_of, dependence_lengths
from nblib.measured.statistic.score import score_spectrum
from nblib.measured.statistic.steps import smeared, value_steps
from nblib.measured.statistic.whitening import Plan
from nblib.project.paths import ROOT, benchmark_record
from nblib.project.records import read_json

WORDS = {"decibels": "stand in steps", "decimals": "stand in steps", "floor": "a floor of the display"}
DETECTOR = NoiseDetector()
SWEPT = ("resolution bandwidth of 10 bins, mean", "resolution bandwidth of 10 bins, mean of decibels")
HARD = ("Hann, zero-padded 2 x", "floor of the display, K = 2", *SWEPT)
JUDGED = [name for name in KINDS if name not in HARD]  # the others are measured, fewer of their lines are found


@pytest.mark.parametrize("name", JUDGED)
def test_a_line_free_spectrum_is_quiet_and_noted_and_its_lines_are_found(name):
    """Planted bugs: no blocks, values left in their steps, a floor left where it is."""
    word = next((text for key, text in WORDS.items() if key in name), "depend on each")
    clean = DETECTOR.detect(*KINDS[name](np.random.default_rng(1), 1000, False)[:2])
    assert not clean.flags and any(word in text for text in clean.warnings)
    freqs, psd, sites = KINDS[name](np.random.default_rng(2), 1000, True)
    flagged = DETECTOR.detect(freqs, psd).flagged
    assert sum(flagged[site - 2 : site + 3].any() for site in sites) >= 4


@pytest.mark.parametrize("size", [300, 3000])
def test_independent_bins_and_those_of_hann_are_judged_one_by_one(size):
    """Planted bug: Hann's correlation counted as dependence."""
    for draw in range(5):
        white = np.random.default_rng(draw).standard_normal(size + 2)
        for residual in (white, white[2:] + 0.6 * white[1:-1] + 0.05 * white[:-2]):
            assert (dependence_lengths(residual) == 1).all()


@pytest.mark.parametrize("n_bins", [1000, 4000])
@pytest.mark.parametrize("with_lines", [False, True])
def test_smoothing_over_a_share_of_an_octave_is_seen(n_bins, with_lines):
    """Planted bugs: all parts, or two thirds of them, asked for the same scatter."""
    seen = 0
    for draw in range(6):
        freqs, psd, _ = KINDS["smoothed over 1/12 octave"](np.random.default_rng([7, draw]), n_bins, with_lines)
        seen += any("depend on each" in text for text in DETECTOR.score(freqs, psd).messages)
    assert seen >= 5


def test_a_line_as_wide_as_the_background_bends_is_flagged():
    """Planted bug: the excess of a spectrum judged in blocks over its soft background, which follows such a line."""
    freqs, psd, sites = KINDS["smoothed over 1/12 octave"](np.random.default_rng(3), 4000, True)
    flagged = DETECTOR.detect(freqs, psd).flagged
    assert all(flagged[site - 2 : site + 3].any() for site in sites)


def test_a_rough_background_is_no_dependence():
    """Planted bugs: a stated K not asked; parts of any roughness taken together."""
    rng = np.random.default_rng(0)
    rough = np.repeat(rng.standard_normal(300), 10)  # one value for ten bins
    assert (dependence_lengths(rough) > 1).all() and (dependence_lengths(rough, 1.0) > 1).all()
    noise = 0.4 * rng.standard_normal(3000)  # bins of their own, K = 6
    assert (dependence_lengths(2 * rough + noise) > 1).all()  # nobody says that they are
    assert (dependence_lengths(2 * rough + noise, 6.0) == 1).all()
    assert (dependence_lengths(rough * np.linspace(0.1, 1, 3000) ** 2) == 1).all()


def test_blocks_are_half_as_long_as_bins_depend_on_each_other_and_laid_twice():
    valid = np.ones(1000, dtype=bool)
    block, beside = (blocks_of(valid, np.full(1000, 20.0), shift) for shift in (0.0, 0.5))
    assert (np.bincount(block) == 10).all()
    assert (np.bincount(beside)[1:-1] == 10).all() and (np.bincount(beside)[[0, -1]] == 5).all()
    assert np.bincount(blocks_of(valid, np.full(1000, 500.0))).max() <= 17  # 60 blocks at least
    assert (blocks_of(valid, np.full(1000, 2.0)) == np.arange(1000)).all()


def test_lines_anywhere_in_a_block_are_judged_by_the_set_that_cuts_them_least():
    """Planted bug: one set of blocks: 36 instead of 41."""
    plan, found = Plan.of(np.arange(1.0, 4001.0), np.ones(4000, dtype=bool)), []
    for draw in range(6):
        _, psd, _ = KINDS[SWEPT[0]](np.random.default_rng([4, draw]), 4000, False)
        sites = np.arange(400, 3800, 200) + 3 * np.arange(17)
        lines = 9 * np.exp(-0.5 * ((np.arange(4000) - sites[:, None]) / 3) ** 2).sum(axis=0)
        judged = score_spectrum(psd * (1 + lines), plan, with_network=False)
        assert judged.dependence > 1
        found += judged.scores[sites].tolist()
    assert np.mean(found) > 39


def test_steps_of_every_kind_are_measured():
    psd = np.random.default_rng(0).gamma(16, 1 / 16, 1000)
    power, decibels = np.maximum(np.round(5 * psd), 1) / 5, 10 ** (np.round(10 * np.log10(psd)) / 10)
    root = np.maximum(np.round(8 * np.sqrt(psd)), 1) / 8
    assert value_steps(power) == pytest.approx(0.2)
    assert value_steps(7e-14 * power) == pytest.approx(1.4e-14)  # in whatever unit
    assert value_steps(decibels) == pytest.approx(0.230 * decibels, rel=0.01)
    assert value_steps(root**2) == pytest.approx(root / 4)
    assert not smeared(psd).steps.any() and smeared(psd).psd is psd
    fine = smeared(np.round(psd, 3))
    assert not fine.steps.any() and (fine.psd == np.round(psd, 3)).all()


def test_values_are_drawn_within_their_steps_and_below_the_floor():
    psd = np.random.default_rng(0).gamma(16, 1 / 16, 1000)
    rounded, floored = np.maximum(np.round(5 * psd), 1) / 5, np.maximum(psd, 1.0)
    drawn = smeared(rounded)
    assert np.abs(drawn.psd - rounded).max() <= 0.1 and len(np.unique(drawn.psd)) == 1000
    below = smeared(floored)
    assert (below.on_floor == (psd <= 1.0)).all() and (below.psd[~below.on_floor] == psd[psd > 1.0]).all()
    assert np.median(below.psd) == pytest.approx(np.median(psd), rel=0.05)
    assert np.std(below.psd) == pytest.approx(np.std(psd), rel=0.2)


def test_a_tone_is_ten_times_the_background_where_it_is_highest():
    for name in ("multitaper, 7 tapers", "Hann, zero-padded 4 x", "resolution bandwidth of 10 bins, mean"):
        ratios = []
        for draw in range(6):
            freqs, psd, sites = KINDS[name](np.random.default_rng(draw), 1000, True)
            ratios += [psd[site - 4 : site + 5].max() / (1 + 30 / freqs[site]) for site in sites]
        assert np.median(ratios) == pytest.approx(PEAK, rel=0.35)


def test_a_test_that_knows_the_background_finds_strong_lines_and_not_those_at_the_level():
    """Planted bugs: the level of one size used for both, lines counted that no bin shows."""
    found = with_known_background("floor of the display, K = 30", 4, 100)
    assert found["share"] == 1.0 and found["of"] == 20
    assert with_known_background("floor of the display, K = 2", 20, 200)["share"] < 0.85


def test_the_page_sums_the_kinds_that_are_judged_in_blocks():
    """Planted bug: the sentence of an earlier record."""
    rows = read_json(benchmark_record("dependent_bins"))["kinds"]
    kinds = [rows[name] for name in rows if not any(word in name for word in ("whole", "few", "floor", "2 x"))]
    flagged = [[row["flagged"][area] for row in kinds] for area in ("1%", "5%")]
    first, second = (
        f"{sum(round(one['share'] * one['of']) for one in row)} of {sum(one['of'] for one in row)}" for row in flagged
    )
    page = (ROOT / "docs" / "detector.md").read_text(encoding="utf-8")
    assert len(kinds) == 6 and f"have a flag in {first} at 1 % asked and in {second} at 5 %" in page
