"""Answers read from the record: ratios of the right pairs, the missed said to be missed."""

import copy

import numpy as np
import pytest

from nblib.evaluation import tables
from nblib.evaluation.claims import claims, over_pairs, verdict
from nblib.evaluation.tables import format_interval
from nblib.evaluation.trials import TRIALS
from nblib.project.records import committed_result


@pytest.fixture
def metrics():
    """The committed benchmark, to be changed at will."""
    return copy.deepcopy(committed_result("06_benchmark")["metrics"])


def test_methods_are_ordered_below_the_limit(metrics):
    table = tables.detection_table(metrics)
    values = [row["ap"]["iqm"] for row in table.values()]
    assert values == sorted(values, reverse=True)
    assert next(iter(table)) == tables.LIMIT
    by_hand = sorted(found["attention"]["ap"] for found in metrics["trials"]["label-free"].values())
    assert by_hand[0] <= table["label-free, attention"]["ap"]["iqm"] <= by_hand[-1]
    assert table["label-free, attention"]["ap"]["n"] == len(by_hand) >= 10


def test_a_claim_is_met_by_what_was_measured_and_missed_without_it(metrics):
    """Planted bug: the share taken of the posterior instead of the true background."""
    what = "simulated labels, attention: AP / true background"
    row = next(row for row in claims(metrics) if row["what"] == what)
    reference = metrics["baselines"]["methods"]["true background"]["ap"]
    for found in metrics["trials"]["simulated labels"].values():
        found["attention"]["ap"] = 0.97 * reference
    worse = next(row for row in claims(metrics) if row["what"] == what)
    assert row["met"]
    assert not worse["met"]
    assert worse["span"]["iqm"] == pytest.approx(0.97)


def test_every_claim_says_what_it_measured(metrics):
    rows = claims(metrics)
    assert len({row["what"] for row in rows}) == len(rows)
    assert all(np.isfinite([row["span"][key] for key in ("iqm", "low", "high")]).all() for row in rows)
    assert all(row["span"]["low"] <= row["span"]["iqm"] <= row["span"]["high"] for row in rows)


def test_pairs_are_compared_seed_by_seed():
    one, other = ({"0": {"a": 1.0}, "1": {"a": 8.0}}, {"0": {"a": 2.0}, "1": {"a": 4.0}})
    assert over_pairs(one, other, "a")["iqm"] == pytest.approx(np.mean([0.5, 2.0]))


def test_fits_are_not_better_than_the_bound_allows(metrics):
    """A ratio well below one would be a leak of the truth."""
    for spans in tables.energy_table(metrics).values():
        assert all(span["iqm"] > 0.9 for span in spans)


def test_not_seen_is_the_model_that_left_the_family_out(metrics):
    shares = tables.family_shares(metrics)
    seed = next(iter(metrics["trials"]["all but vibration"]))
    for found in metrics["trials"]["all but vibration"].values():
        found["families"]["vibration"]["ap"] = 0.0
    assert seed in metrics["trials"]["all but vibration"]
    changed = tables.family_shares(metrics)
    name = "all families, the tested one not seen"
    assert changed[name]["vibration"] == 0.0
    assert {key: value for key, value in changed[name].items() if key != "vibration"} == {
        key: value for key, value in shares[name].items() if key != "vibration"
    }


def test_tables_hold_every_detector_judged_whole(metrics):
    whole = {name for name, trial in TRIALS.items() if trial.judged == "whole"}
    assert set(tables.alarm_table(metrics)) == whole | {tables.MEDIAN}
    models = {name for name in whole if TRIALS[name].kind == "attention"}
    assert set(tables.faithfulness_table(metrics)) == models


def test_weak_lines_are_harder(metrics):
    for curve in tables.strength_curves(metrics).values():
        assert curve[1.0]["iqm"] > curve[0.1]["iqm"]


def test_spans_as_text():
    assert format_interval({"iqm": 0.98412, "low": 0.98, "high": 0.99, "n": 5}) == "0.984 [0.980, 0.990]"
    assert format_interval({"iqm": 0.5, "low": None, "high": None, "n": 1}, 1) == "0.5"


def test_nothing_is_asked_of_a_control(metrics):
    """Planted bug: the token readout, expected to fail, counted among the claims missed."""
    verdicts = {row["what"].split(":")[0]: verdict(row) for row in claims(metrics)}
    assert verdicts["token readout"] == verdicts["no penalty"] == "control"
    assert {verdicts[name] for name in tables.CLAIMED} <= {"met", "MISSED"}
