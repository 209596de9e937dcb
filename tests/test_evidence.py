"""The measurements of one seed, on tiny sizes: whole, bounded by what is known, and done once."""

from dataclasses import replace

import numpy as np
import pytest

from nblib import TrainConfig, train
from nblib.evidence import (
    STRENGTHS,
    Sizes,
    across_seeds,
    assess_model,
    assess_references,
    at_strength,
    calibration,
    combined_score,
    harm,
    kept,
    kept_bins,
    seed_configs,
    sizes_of,
    upper_half_cells,
)
from nblib.profiles import PROFILES

SIZES = Sizes(n_test=60, n_tune=40, n_family=30, n_line_free=60, n_probe=60, n_energies=20)
TINY = {"d_model": 16, "n_heads": 2, "num_layers": 1, "dim_feedforward": 16, "steps": 2, "batch_size": 8}
TINY |= {"n_validation": 8}


def test_references_stand_in_their_known_order():
    """Planted bug: find_peaks' window tuned to the worst. The posterior is the limit, random scores are chance."""
    found = assess_references(TrainConfig(**TINY), "single_line", SIZES)
    ap = {name: row["ap"] for name, row in found["methods"].items()}
    assert max(ap, key=ap.get) == "posterior (limit)"
    assert ap["true background"] > ap["find_peaks"] > 3 * ap["random"]
    assert ap["running median"] > ap["find_peaks"]
    assert ap["position only"] < 2 * found["methods"]["random"]["prevalence"]
    rising = [found["strengths"][f"{strength:g}"]["true background"]["ap"] for strength in STRENGTHS]
    assert rising[-1] > 0.9
    assert rising[-1] > rising[1] > rising[0]
    assert set(found["families"]) >= {"vibration", "clock_leakage"}
    assert 0 < found["fit in-band"] < 0.1


def test_a_model_is_assessed_whole(tmp_path, monkeypatch):
    monkeypatch.setenv("NBLIB_RUNS", str(tmp_path))
    found = assess_model(train(TrainConfig(**TINY)), "single_line", SIZES)
    assert set(found["energies"]) == {"kept bins", "linear probe"}
    assert set(found["strengths"]) == {f"{strength:g}" for strength in STRENGTHS}
    assert 0 <= found["attention"]["false alarms at 5%"] <= 0.3
    assert found["residual"]["ap"] > found["attention"]["ap"]  # two steps: the background is there, the detector is not
    assert np.isfinite(list(found["faithfulness"].values())).all()


def test_lines_of_one_strength_peak_there_and_weak_ones_have_a_truth():
    """Planted bug: the truth of weak lines by the threshold of strong ones, which they never reach."""
    config = TrainConfig()
    lines, twins = (at_strength(config, name, 50, 0.1).batch(range(50)) for name in ("single_line", "none"))
    added = np.expm1((lines["target"] - twins["target"]).numpy() * 0.728).max(axis=1)
    assert np.isclose(added, 0.1, atol=0.005).sum() + np.isclose(added, 0, atol=1e-4).sum() == 50
    assert not lines["noisy"].any()
    share = upper_half_cells(config, "single_line", 50, 0.1).any(axis=1).mean()
    assert share == np.mean(added > 0.05)


def test_harm_grows_with_strength_and_starts_at_the_bound():
    found = harm(TrainConfig(), "vibration", 120)
    errors = {name: row["error"] / row["bound"] for name, row in found.items()}
    assert (np.abs(errors["0"] - 1) < 0.25).all()
    assert errors["3"].max() > 1.5 * errors["0"].max()
    assert np.abs(found["3"]["bias"]).max() > np.abs(found["0"]["bias"]).max()


def test_two_scores_that_agree_add_up():
    rng = np.random.default_rng(0)
    free = list(rng.normal(size=(2, 200, 50)))
    scores = list(rng.normal(size=(2, 20, 50)))
    for score in scores:
        score[:, 7] += 4.0
    both = combined_score(scores, free)
    ranks = [(score[:, 7, None] > score).sum(axis=1).mean() for score in (*scores, both)]
    assert ranks[2] >= max(ranks[:2])
    assert (combined_score([scores[0] + 100], free[:1]) > combined_score([scores[0]], free[:1])).all()


def test_false_alarms_of_a_score_that_does_not_change_are_those_asked():
    rng = np.random.default_rng(0)
    draws = {"validation": rng.normal(size=(4000, 10)), "test": rng.normal(size=(4000, 10))}
    noisy, truth = np.zeros((10, 10)), np.zeros((10, 10), dtype=bool)
    noisy[:, 3], truth[:, 3] = 100.0, True
    found = calibration(lambda split, intrinsic="welch": draws[split] + (intrinsic != "welch"), noisy, truth)
    assert found["false alarms at 5%"] == pytest.approx(0.05, rel=0.2)
    assert found["false alarms at 5%, welch_hann"] > 0.2
    assert found["detected at 1%"] == 1.0


def test_flagged_cells_are_left_out_as_bins():
    flagged = np.zeros((1, 3), dtype=bool)
    flagged[0, 1] = True
    keep = kept_bins(flagged, 50)
    assert keep[0, :20].all()
    assert not keep[0, 20:40].any()
    assert keep[0, 40:].all()


def test_a_measurement_is_done_once_for_the_same_training_and_again_for_another(tmp_path, monkeypatch):
    """Planted bug: parameters left out of the digest."""
    monkeypatch.setenv("NBLIB_RUNS", str(tmp_path))
    calls = []

    def measure():
        calls.append(1)
        return {"value": len(calls)}

    config = TrainConfig()
    assert kept("a", [config], {"n": 1}, measure) == kept("a", [config], {"n": 1}, measure) == {"value": 1}
    assert kept("a", [config], {"n": 2}, measure) == {"value": 2}
    assert kept("a", [replace(config, seed=1)], {"n": 1}, measure) == {"value": 3}


def test_seeds_share_everything_but_their_seed():
    one, two = (seed_configs(number, "single_line", {"steps": 5}) for number in (1, 2))
    assert {name: replace(config, seed=2) for name, config in one.items()} == two
    assert one["label-free"].labels == "residual"
    assert one["label-free"].mask_policy == one["label-free, no penalty"].mask_policy == "any"
    found = {number: {"a": {"b": float(number)}} for number in range(5)}
    assert across_seeds(found, "a", "b")["iqm"] == 2.0


def test_a_report_uses_ten_thousand_line_free_spectra():
    assert sizes_of(PROFILES["quick"]).n_line_free == 10_000
