"""Numbers over seeds: found by path, divided, paired, and with the spectra's share of the interval."""

import numpy as np
import pytest

from evidence.spans import across_seeds, interval, over_pairs, table_across_seeds, within_shares


def test_numbers_are_found_by_path_and_divided():
    by_seed = {str(number): {"a": {"b": [0.0, float(number)]}} for number in range(5)}
    assert across_seeds(by_seed, "a", "b", 1)["iqm"] == 2.0
    assert across_seeds(by_seed, "a", "b", 1, over=4)["iqm"] == 0.5


def test_the_test_spectra_widen_an_interval():
    """Planted bug: the numbers without each group of spectra ignored."""
    by_seed = {str(seed): {"a": {"ap": 0.985 + 1e-3 * (seed % 3), "ap_left_out": [0.985] * 20}} for seed in range(10)}
    narrow = across_seeds(by_seed, "a", "ap")
    groups = np.linspace(0.97, 0.99, 20).tolist()
    for row in by_seed.values():
        row["a"]["ap_left_out"] = groups
    wide = across_seeds(by_seed, "a", "ap")
    assert wide["iqm"] == narrow["iqm"]
    assert wide["high"] - wide["low"] > 3 * (narrow["high"] - narrow["low"])
    paired = across_seeds(by_seed, "a", "ap", over=0.985, over_left_out=groups)
    assert paired["high"] - paired["low"] == pytest.approx((narrow["high"] - narrow["low"]) / 0.985, rel=1e-3)


def test_pairs_are_compared_seed_by_seed():
    one, other = ({"0": {"a": 1.0}, "1": {"a": 8.0}}, {"0": {"a": 2.0}, "1": {"a": 4.0}})
    assert over_pairs(one, other, "a")["iqm"] == pytest.approx(np.mean([0.5, 2.0]))


def test_a_ratio_of_pairs_covers_the_spectra_that_both_were_read_on():
    """Planted bug: each divided by the whole number of the other, so that what both lose with a group counts twice."""
    groups = np.linspace(0.8, 0.9, 20)
    one = {str(seed): {"a": {"ap": 0.85, "ap_left_out": groups.tolist()}} for seed in range(5)}
    same = over_pairs(one, one, "a", "ap")
    assert (same["low"], same["high"]) == pytest.approx((1.0, 1.0))
    steady = {seed: {"a": {"ap": 0.85, "ap_left_out": [0.85] * 20}} for seed in one}
    assert over_pairs(one, steady, "a", "ap")["low"] < 0.95


def test_a_share_stays_within_0_and_1():
    assert within_shares({"iqm": 0.99, "low": 0.9, "high": 1.2})["high"] == 1.0


def test_spans_as_text():
    assert interval({"iqm": 0.98412, "low": 0.98, "high": 0.99, "n": 5}) == "0.984 [0.980, 0.990]"
    assert interval({"iqm": 0.5, "low": None, "high": None, "n": 1}, 1) == "0.5"


def test_a_table_holds_each_setting_and_leaves_out_what_one_lacks():
    """Planted bug: a number that the first seed lacks asked of all."""
    rows = {
        "0": {"attention": {"ap": 0.4}, "masked": {"rms": 0.1}},
        "1": {"attention": {"ap": 0.6}, "masked": {"rms": 0.3}},
    }
    token = {"0": {"masked": {"rms": 0.2}}}
    paths = {"ap": ("attention", "ap"), "error": ("masked", "rms")}
    table = table_across_seeds({"mean": rows, "token": token}, paths)
    assert table["mean"]["ap"] == across_seeds(rows, "attention", "ap") and table["mean"]["error"]["iqm"] == 0.2
    assert set(table["token"]) == {"error"}
