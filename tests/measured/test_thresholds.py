"""Thresholds: ranks, both groups of filters, the classes that are shipped, draws that are kept."""

import dataclasses
from itertools import product

import numpy as np
import pytest

from nblib.measured.statistic import thresholds as false_alarms
from nblib.measured.statistic.network import FEWEST_BINS
from nblib.measured.statistic.score import score_spectrum
from nblib.measured.statistic.thresholds import (
    BINS,
    GROUPS,
    RATES,
    SEGMENTS,
    SHIPPED_DRAWS,
    Limits,
    Thresholds,
    drawn_classes,
    limits_of,
    rank_threshold,
    thresholds_for,
)
from nblib.measured.statistic.whitening import Plan


def test_rank_threshold_is_exceeded_at_the_rate_asked():
    maxima = np.arange(1.0, 100.0)  # 99 draws: k = ceil(100 (1 - rate))
    assert rank_threshold(maxima, 0.05) == 95.0
    assert rank_threshold(maxima, 0.01) == 99.0
    with pytest.raises(ValueError, match="99 draws"):
        rank_threshold(maxima, 0.005)


def test_thresholds_and_probabilities_are_inverse_and_grow_with_the_bins():
    limits = Thresholds(tuple(8.0 - np.log(np.array(RATES))), 300)
    for rate in (0.3, 0.05, 0.001):
        assert limits.probability(np.array(limits.threshold(rate, 1000)), 1000) == pytest.approx(rate)
    assert limits.threshold(0.01, 3000) - limits.threshold(0.01, 300) == pytest.approx(np.log(10))
    with pytest.raises(ValueError, match="false_alarm=0"):
        limits.threshold(0.0, 300)


def test_each_group_of_filters_has_half_of_the_false_alarms():
    """Planted bugs: each group given all of them; broad scores not brought to the narrow ones' scale."""
    narrow, broad = (Thresholds(tuple(level - np.log(np.array(RATES))), 300) for level in (8.0, 15.0))
    limits = Limits(narrow, broad)
    rng = np.random.default_rng(0)
    by_group = rng.uniform(5.0, 25.0, (2, 5000))
    for rate in (0.2, 0.01):
        scores, threshold = limits.scores(by_group, rate, 1000)
        chance = limits.probability(by_group, 1000)
        np.testing.assert_array_equal(scores > threshold, chance < rate)
        alone = np.array([[narrow.threshold(rate / 2, 1000)], [broad.threshold(rate / 2, 1000)]])
        np.testing.assert_array_equal(scores > threshold, (by_group > alone).any(axis=0))
    assert limits.probability(np.zeros((2, 1)), 1000) == 1.0


def test_every_class_is_shipped_so_that_no_user_waits(monkeypatch):
    """Planted bugs: a new version of the statistic without its draws; the few draws that a user waits for."""
    monkeypatch.setattr(false_alarms, "drawn_classes", lambda *_: pytest.fail("drawn"))
    for bins, segments, correlated, known in product(BINS, SEGMENTS, (True, False), (True, False)):
        statistics = ("classical", "combined") if bins >= FEWEST_BINS else ("classical",)
        for statistic in statistics:
            limits = thresholds_for(bins, segments, correlated, known, statistic)
            for group in (limits.narrow, limits.broad):
                assert len(group.levels) == len(RATES) and list(group.levels) == sorted(group.levels)
    draws = [row["draws"] for row in false_alarms._shipped().values()]
    assert max(draws) == SHIPPED_DRAWS and min(draws) > 0.97 * SHIPPED_DRAWS  # the network is not asked about a few


@pytest.mark.parametrize(
    ("n_bins", "n_segments", "level", "bins"),
    [
        (100, 4, 0.0, 100),
        (200, 4, 10 * 0.5, 200),  # half way to 400 in ln n
        (400, 8, 10 + 100 * 0.5, 400),  # half way from 4 to 16 in ln K
        (200, 8, 10 * 0.5 + 100 * 0.5, 200),
        (1200, 16, 10 * (1 + np.log(3) / np.log(3.75)) + 100, 1200),
        (50, 1, 0.0, 100),
        (60_000, 1e4, 30 + 200, 6000),
    ],
)
def test_thresholds_lie_between_the_classes_around(monkeypatch, n_bins, n_segments, level, bins):
    """Planted bug: shares of bins and of K exchanged."""

    def drawn_classes(settings, *_):
        value = 10.0 * BINS.index(settings[0]) + 100 * SEGMENTS.index(settings[1])
        levels = dict.fromkeys(GROUPS, [value] * len(RATES))
        return {false_alarms.class_name(*settings, known, "classical"): levels for known in (True, False)}

    monkeypatch.setattr(false_alarms, "_shipped", dict)
    monkeypatch.setattr(false_alarms, "drawn_classes", drawn_classes)
    limits = thresholds_for(n_bins, n_segments, False, True)
    assert limits.narrow.levels == pytest.approx([level] * len(RATES)) and limits.broad.bins == bins
    beyond = np.log(n_bins / bins)
    assert limits.narrow.threshold(0.05, n_bins) == pytest.approx(level + beyond)


def test_a_k_that_is_known_makes_no_threshold_stricter(monkeypatch):
    """Planted bug: the levels of known K alone, which the wildest backgrounds set."""

    def drawn_classes(settings, *_):
        levels = {True: [9.0, 12.0], False: [10.0, 11.0]}  # narrow, broad
        return {
            false_alarms.class_name(*settings, known, "classical"): {
                group: [level] * len(RATES) for group, level in zip(GROUPS, rows, strict=True)
            }
            for known, rows in levels.items()
        }

    monkeypatch.setattr(false_alarms, "_shipped", dict)
    monkeypatch.setattr(false_alarms, "drawn_classes", drawn_classes)
    found = {known: thresholds_for(100, 4, False, known) for known in (True, False)}
    assert (found[True].narrow.levels[0], found[True].broad.levels[0]) == (9.0, 11.0)
    assert (found[False].narrow.levels[0], found[False].broad.levels[0]) == (10.0, 11.0)


def test_bands_of_bins_are_judged_by_the_stricter_end_of_their_k(monkeypatch):
    """Planted bugs: the median K for both groups; one end for both."""
    by_k = {16: (9.0, 11.0), 100: (8.0, 19.0)}  # narrow, broad: lines are rarer at low K, ripple at high K

    def levels(n_bins, n_segments, *_, weights):
        return Limits(*(Thresholds((level,) * len(RATES), n_bins) for level in by_k[round(n_segments)]))

    monkeypatch.setattr(false_alarms, "thresholds_for", levels)
    freqs = np.arange(1.0, 301.0)
    scored = score_spectrum(np.random.default_rng(0).gamma(16, 1 / 16, 300), Plan.of(freqs, freqs > 0), 16.0)
    segments = np.where(freqs > 150, 100.0, 16.0)
    judged = dataclasses.replace(scored.judged, n_segments=np.where(freqs == 7, np.nan, segments))
    banded = limits_of(dataclasses.replace(scored, judged=judged))
    assert (banded.narrow.levels[0], banded.broad.levels[0], banded.broad.bins) == (9.0, 19.0, 300)
    judged = dataclasses.replace(judged, n_segments=np.full(300, 16.0))
    even = limits_of(dataclasses.replace(scored, judged=judged))
    assert (even.narrow.levels[0], even.broad.levels[0]) == (9.0, 11.0)


def test_a_class_that_is_not_shipped_is_drawn_once_and_kept(tmp_path, monkeypatch):
    monkeypatch.setenv("NBLIB_RUNS", str(tmp_path))
    monkeypatch.setattr(false_alarms, "_shipped", dict)
    drawn = []

    def draw_maxima(*settings, n_draws, weights, **_):
        drawn.append(settings)
        ordered = np.arange(1.0, n_draws + 1)
        return {(known, "classical"): np.stack([ordered, 2 * ordered], axis=1) for known in (True, False)}

    monkeypatch.setattr(false_alarms, "draw_maxima", draw_maxima)
    for _ in range(2):
        limits = thresholds_for(90, 16.0, True, True, n_draws=199)
        assert limits.narrow.levels[-1] == 199 and limits.broad.levels[0] == 200 and limits.narrow.bins == 100
    assert drawn == [(100, 16, "welch_hann")]  # classical ones do not depend on weights
    assert set(drawn_classes((100, 16, "welch_hann"), n_draws=199)) == {
        f"100 bins, K 16 {known}, welch_hann, classical, v{false_alarms.VERSION}" for known in ("known", "estimated")
    }


def test_other_weights_have_thresholds_of_their_own(tmp_path, monkeypatch):
    """Planted bugs: the shipped thresholds for them; one file for all weights."""
    monkeypatch.setenv("NBLIB_RUNS", str(tmp_path))
    drawn = []

    def draw_maxima(*settings, n_draws, weights, **_):
        drawn.append(weights["a"][0])
        return {(known, "combined"): np.full((n_draws, 2), weights["a"][0]) for known in (True, False)}

    monkeypatch.setattr(false_alarms, "draw_maxima", draw_maxima)
    for value in (5.0, 6.0, 5.0):
        limits = thresholds_for(1000, 14, False, True, "combined", weights={"a": np.array([value])})
        assert limits.narrow.levels[0] == value
    assert drawn == [5.0, 6.0]
    classical = thresholds_for(1000, 16, False, True, "classical", weights={"a": np.array([5.0])})
    assert classical == thresholds_for(1000, 16, False, True, "classical")


def test_draws_that_were_cut_off_go_on_with_the_same_numbers(tmp_path, monkeypatch):
    """Planted bugs: draws numbered anew in each part; a damaged part believed."""
    asked = {"bins": 100, "n_segments": 16, "estimator": "welch", "n_draws": 5}
    whole = false_alarms.draw_maxima(**asked)
    monkeypatch.setattr(false_alarms, "PART", 2)

    def cut(share):
        if share > 0.5:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        false_alarms.draw_maxima(**asked, progress=cut, kept=tmp_path)
    first, second = (tmp_path / name for name in ("0-2.npz", "2-4.npz"))
    second.write_bytes(second.read_bytes()[:200] + b"x" + second.read_bytes()[201:])
    before = first.stat().st_mtime_ns
    again = false_alarms.draw_maxima(**asked, kept=tmp_path)
    assert first.stat().st_mtime_ns == before
    assert again.keys() == whole.keys()
    assert all(np.array_equal(again[which], whole[which]) for which in whole)
