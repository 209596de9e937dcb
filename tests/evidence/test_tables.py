"""Answers read from the record: ratios of the right pairs, the missed said to be missed."""

import numpy as np
import pytest

from evidence import tables
from evidence.claims import claims, claims_of_longer, over_pairs, verdict
from evidence.tables import format_interval
from evidence.trials import BY_RESIDUAL, TRIALS
from nblib.simulation.noise import PUBLISHED_FAMILIES

N_SEEDS, GROUPS = 10, 20


def found(seed, ap):
    """What an assessment of one seed holds, in the measure that the tables read it."""
    score = {"ap": ap + 1e-3 * (seed % 3), "top1": 0.99, "ap_left_out": [ap] * GROUPS, "top1_left_out": [0.99] * GROUPS}
    alarms = {
        f"{what} at {rate}": 0.01 * float(rate[:-1]) for what in ("false alarms", "detected") for rate in ("1%", "5%")
    }
    alarms |= {f"false alarms at {rate}, welch_hann": 0.1 for rate in ("1%", "5%")}
    return {
        "attention": score | alarms,
        "residual": score,
        "combined": score,
        "masked": {"background_rms": 0.02},
        "in_band": {"after": 0.012, "after_left_out": [0.012] * GROUPS},
        "families": {name: {"ap": ap} for name in PUBLISHED_FAMILIES},
        "strengths": {"0.1": {"ap": 0.1}, "1": {"ap": ap}},
        "faithfulness": dict.fromkeys(tables.FAITHFULNESS, 0.5) | {"erase ln": 0.0015, "even": 2.5},
        "energies": {"kept bins": [0.46, 0.19], "linear probe": [0.7, 0.22], "bound, kept bins": [0.45, 0.19]},
    }


@pytest.fixture
def metrics():
    """A record of the benchmark in small: every trial with its seeds, every method without training."""
    n_seeds = {"n_seeds": N_SEEDS, "n_control_seeds": 5, "n_other_seeds": 3}
    trials = {}
    for name, trial in TRIALS.items():
        rows = {str(seed): found(seed, 0.985) for seed in range(n_seeds[trial.seeds])}
        if trial.kind != "attention":
            rows = {
                seed: {"logit": row["attention"]} | {k: v for k, v in row.items() if k != "attention"}
                for seed, row in rows.items()
            }
            for row in rows.values():
                del row["residual"], row["combined"], row["faithfulness"]
        trials[name] = rows
    values = {tables.LIMIT: 0.997, tables.TRUE: 0.945, tables.MEDIAN: 0.86}
    methods = {
        name: {"ap": ap, "top1": 0.9, "ap_interval": [ap - 0.01, ap + 0.01], "ap_left_out": [ap] * GROUPS}
        for name, ap in values.items()
    }
    rows = {name: {"ap": ap} for name, ap in values.items()}
    fits = ("all bins", "refit", "truly clean bins", "posterior median, truly clean bins", "running median, kept bins")
    alarms = {key: 0.01 for key in found(0, 0.9)["attention"] if "at" in key and "left" not in key}
    baselines = {
        "methods": methods,
        "families": {name: rows for name in PUBLISHED_FAMILIES},
        "strengths": {"0.1": {name: {"ap": 0.1} for name in rows}, "1": rows},
        tables.MEDIAN: alarms,
        "energies": {name: [0.45, 0.19] for name in (*fits, "bound, truly clean bins")},
        "fit in-band": 0.008,
        "fit in-band left_out": [0.008] * GROUPS,
    }
    by_residual = {
        name: {str(seed): {"kept bins": [0.459 + 1e-3 * seed, 0.19]} for seed in range(3)}
        for name in ("simulated labels", "label-free")
    }
    return {
        **{"family": "single_line", "trials": trials, "baselines": baselines, "baselines by noise": {}},
        BY_RESIDUAL: by_residual,
    }


def test_paired_differences_share_what_both_have_in_common(metrics):
    """Planted bug: seeds paired in the order they come, not by name."""
    rng = np.random.default_rng(0)
    luck, groups = rng.normal(0, 0.01, N_SEEDS), rng.normal(0, 0.01, GROUPS)
    for trial, ap in (("simulated labels", 0.98), ("label-free", 0.97)):
        rows = metrics["trials"][trial]
        for seed, row in rows.items():
            row["attention"] |= {"ap": ap + luck[int(seed)], "ap_left_out": list(ap + luck[int(seed)] + groups)}
    metrics["trials"]["label-free"] = dict(reversed(metrics["trials"]["label-free"].items()))
    span = tables.paired_differences(metrics)["simulated labels, attention", "label-free, attention"]
    assert [span[key] for key in ("iqm", "low", "high")] == pytest.approx([0.01] * 3, abs=1e-9)
    assert span["n"] == N_SEEDS
    alone = tables.paired_differences(metrics)["simulated labels, attention", tables.MEDIAN]
    assert alone["iqm"] == pytest.approx(0.12, abs=0.01) and alone["high"] - alone["low"] > 0.01
    assert tables.paired_differences(metrics)["simulated labels, attention", "supervised CNN"]["n"] == 5
    turned = (tables.MEDIAN, "simulated labels, attention")
    assert tables.paired_differences(metrics, [turned])[turned]["iqm"] == pytest.approx(-alone["iqm"])


def test_energies_by_the_residual_stand_beside_those_by_attention(metrics):
    rows = tables.energy_table(metrics)
    assert rows["label-free, kept by the residual"][0]["iqm"] == pytest.approx(0.46 / 0.45)
    asked = {row["what"]: row for row in claims(metrics)}
    assert asked["label-free, Ea: kept by the residual / truly clean bins"]["met"]
    metrics[BY_RESIDUAL]["label-free"] = {"0": {"kept bins": [0.48, 0.19]}}
    assert not {row["what"]: row for row in claims(metrics)}["label-free, Ea: kept by the residual / truly clean bins"][
        "met"
    ]


def test_methods_are_ordered_below_the_limit(metrics):
    table = tables.detection_table(metrics)
    values = [row["ap"]["iqm"] for row in table.values()]
    assert values == sorted(values, reverse=True)
    assert next(iter(table)) == tables.LIMIT
    by_hand = sorted(seed["attention"]["ap"] for seed in metrics["trials"]["label-free"].values())
    assert by_hand[0] <= table["label-free, attention"]["ap"]["iqm"] <= by_hand[-1]
    assert table["label-free, attention"]["ap"]["n"] == len(by_hand) >= 10


def test_a_claim_is_met_by_what_was_measured_and_missed_without_it(metrics):
    """Planted bug: the share taken of the true background instead of the posterior."""
    what = "simulated labels, attention: AP / limit"
    row = next(row for row in claims(metrics) if row["what"] == what)
    for seed in metrics["trials"]["simulated labels"].values():
        seed["attention"]["ap"] = 0.97 * metrics["baselines"]["methods"][tables.LIMIT]["ap"]
    worse = next(row for row in claims(metrics) if row["what"] == what)
    assert row["met"]
    assert not worse["met"]
    assert worse["span"]["iqm"] == pytest.approx(0.97)


def test_the_test_spectra_widen_an_interval(metrics):
    """Planted bug: the numbers without each group of spectra ignored."""
    narrow = tables.across_seeds(metrics["trials"]["label-free"], "attention", "ap")
    for seed in metrics["trials"]["label-free"].values():
        seed["attention"]["ap_left_out"] = np.linspace(0.97, 0.99, GROUPS).tolist()
    wide = tables.across_seeds(metrics["trials"]["label-free"], "attention", "ap")
    assert wide["iqm"] == narrow["iqm"]
    assert wide["high"] - wide["low"] > 3 * (narrow["high"] - narrow["low"])
    limit = np.linspace(0.97, 0.99, GROUPS).tolist()
    paired = tables.across_seeds(metrics["trials"]["label-free"], "attention", "ap", over=0.985, over_left_out=limit)
    assert paired["high"] - paired["low"] == pytest.approx((narrow["high"] - narrow["low"]) / 0.985, rel=1e-3)


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


def test_the_family_alone_is_the_model_trained_on_it(metrics):
    shares = tables.family_shares(metrics)
    for seed in metrics["trials"]["vibration alone"].values():
        seed["families"]["vibration"]["ap"] = 0.0
    changed = tables.family_shares(metrics)["the family alone"]
    assert changed["vibration"] == 0.0
    assert changed | {"vibration": None} == shares["the family alone"] | {"vibration": None}


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
    assert {verdicts[name].rstrip("?") for name in tables.CLAIMED} <= {"met", "MISSED"}


def test_a_claim_whose_interval_holds_the_aim_is_marked(metrics):
    """Planted bug: the interval's lower end alone looked at."""
    what = "simulated labels: change elsewhere when the noise is erased / without its line"  # at most 0.6
    found = {}
    for middle, spread in ((0.5, 0.001), (0.59, 0.1), (0.61, 0.1), (0.7, 0.001)):
        for seed, row in metrics["trials"]["simulated labels"].items():
            row["faithfulness"] = row["faithfulness"] | {"erase": middle + spread * (int(seed) % 2 - 0.5)}
        found[middle] = verdict(next(row for row in claims(metrics) if row["what"] == what))
    assert list(found.values()) == ["met", "met?", "MISSED?", "MISSED"]


def test_longer_training_is_held_against_the_same_aims(metrics):
    """Planted bug: the trial of the usual length judged twice."""
    what = "label-free: change elsewhere when the noise is erased / without its line"
    for seed in metrics["trials"]["label-free (twice the steps)"].values():
        seed["faithfulness"] = seed["faithfulness"] | {"erase": 0.7}
    usual, longer = ({row["what"]: row for row in rows} for rows in (claims(metrics), claims_of_longer(metrics)))
    assert (verdict(usual[what]), verdict(longer[what])) == ("met", "MISSED")
    assert set(longer) < set(usual) and not [row for row in longer if "shapes" in row or "penalty" in row]
    del metrics["trials"]["label-free (twice the steps)"]
    assert claims_of_longer(metrics) == []


def test_two_methods_without_training_are_compared_over_spectra(metrics):
    """Planted bug: their difference without an interval, as if nothing had been measured."""
    methods, groups = metrics["baselines"]["methods"], np.linspace(-0.01, 0.01, GROUPS)
    for name in (tables.LIMIT, tables.MEDIAN):
        methods[name]["ap_left_out"] = list(methods[name]["ap"] + groups)
    pair = (tables.LIMIT, tables.MEDIAN)
    assert tables.paired_differences(metrics, [pair])[pair]["high"] == pytest.approx(0.137)
    methods[tables.MEDIAN]["ap_left_out"] = list(methods[tables.MEDIAN]["ap"] - groups)
    apart = tables.paired_differences(metrics, [pair])[pair]
    assert apart["low"] < 0.13 < 0.137 < 0.14 < apart["high"] and apart["n"] == 0


def test_what_says_which_task_found_a_row_is_no_strength():
    """Planted bug: what made a task, a dict like the rows, read as one of them."""
    found = {"0": {"error": [1.0]}, "0.5": {"error": [2.0]}, "task": "a", "commit": "b", "made": {"task": "a"}}
    assert tables.rows_by_strength(found) == {0.0: {"error": [1.0]}, 0.5: {"error": [2.0]}}
