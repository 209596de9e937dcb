"""What is measured of a detector, on tiny sizes: whole, and bounded by what is known."""

import numpy as np
import pytest

from evidence.assessments import energies_on_kept, quick_assessment
from evidence.calibration import calibration, combined_score
from evidence.closely import assess_closely, assess_supervised
from evidence.supervised import train_supervised
from evidence.test_sets import STRENGTHS, Sizes, at_strength, cells_above_half_maximum, noisy_cells, sizes_of
from nblib import TrainConfig, train
from nblib.assessment import held_out
from nblib.cells import kept_bins
from nblib.project.profiles import PROFILES
from nblib.simulation.noise import FAMILIES
from nblib.simulation.physics import PUBLISHED_FREQS

pytestmark = pytest.mark.usefixtures("coarse_grid")

SIZES = Sizes(n_test=40, n_tune=20, n_family=12, n_line_free=40, n_correlated=10, n_probe=30, n_energies=10)
TINY = {"d_model": 16, "n_heads": 2, "num_layers": 1, "dim_feedforward": 16, "steps": 2, "batch_size": 8}
TINY |= {"n_validation": 8}


@pytest.mark.slow
def test_a_model_is_looked_at_closely_and_briefly(tmp_path, monkeypatch):
    """Planted bugs: a point of a sweep judged on the test split; one score's alarms at the other's threshold."""
    monkeypatch.setenv("NBLIB_RUNS", str(tmp_path))
    result = train(TrainConfig(**TINY))
    closely = assess_closely(result, "single_line", SIZES)
    assert set(closely["strengths"]) == {f"{strength:g}" for strength in STRENGTHS}
    assert all(0 <= row["false alarms at 5%"] <= 0.3 for row in closely["alarms"].values())
    assert closely["alarms"]["attention"]["threshold at 5%"] != closely["alarms"]["residual"]["threshold at 5%"]
    assert np.isfinite(list(closely["faithfulness"].values())).all()
    brief = quick_assessment(result, "single_line", SIZES)
    truth = noisy_cells(held_out(result.config, "single_line", SIZES.n_tune, "validation"))
    assert brief["attention"]["prevalence"] == truth.mean()
    assert 1 <= brief["attention"]["tokens"] <= 150


@pytest.mark.slow
def test_a_supervised_detector_is_assessed(tmp_path, monkeypatch):
    monkeypatch.setenv("NBLIB_RUNS", str(tmp_path))
    config = TrainConfig(**TINY | {"readout": "token", "steps": 1})
    assessment = assess_supervised(train_supervised("token_head", config), config, "single_line", SIZES)
    assert set(assessment) == {"logit", "energies"}
    assert 0 <= assessment["logit"]["detected at 1%"] <= 1 and len(assessment["logit"]["ap_left_out"]) == 20


def test_lower_lines_peak_in_the_lower_half():
    rng = np.random.default_rng(0)
    peaks = [FAMILIES["lower_line"](rng, PUBLISHED_FREQS, (0.5, 3.0)).argmax() for _ in range(200)]
    assert 1300 < max(peaks) < 1500
    assert min(peaks) < 200


@pytest.mark.slow
def test_a_perfect_detector_mends_the_energies():
    """Planted bug: the bins flagged kept, the others left out."""
    data = held_out(TrainConfig(), "single_line", 90)
    truth = noisy_cells(data)
    perfect, blind = (energies_on_kept(data, flags, 60) for flags in (truth, np.zeros_like(truth)))
    assert (perfect["kept bins"] < 0.8 * blind["kept bins"]).all()
    assert (perfect["kept bins"] < 1.3 * perfect["bound, kept bins"]).all()


def test_lines_of_one_strength_peak_there_and_weak_ones_have_a_truth():
    """Planted bug: the truth of weak lines by the threshold of strong ones, which they never reach."""
    config = TrainConfig()
    lines, twins = (at_strength(config, name, 50, 0.1).batch(range(50)) for name in ("single_line", "none"))
    added = np.expm1((lines["target"] - twins["target"]).numpy() * 0.728).max(axis=1)
    assert np.isclose(added, 0.1, atol=0.005).sum() + np.isclose(added, 0, atol=1e-4).sum() == 50
    assert not lines["noisy"].any()
    share = cells_above_half_maximum(config, "single_line", 50, 0.1).any(axis=1).mean()
    assert share == np.mean(added > 0.05)


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
    rates = calibration(lambda split, intrinsic="welch": draws[split] + (intrinsic != "welch"), noisy, truth)
    assert rates["false alarms at 5%"] == pytest.approx(0.05, rel=0.2)
    assert rates["false alarms at 5%, welch_hann"] > 0.2
    assert rates["detected at 1%"] == 1.0


def test_flagged_cells_and_their_neighbours_are_left_out_as_bins():
    """Planted bug: the neighbour below left in."""
    flagged = np.zeros((1, 5), dtype=bool)
    flagged[0, 2] = True
    assert np.flatnonzero(kept_bins(flagged, 90)[0]).tolist() == [*range(20), *range(80, 90)]
    flagged[0, 2], flagged[0, 4] = False, True
    assert np.flatnonzero(~kept_bins(flagged, 90)[0]).tolist() == [*range(60, 90)]


def test_a_report_uses_ten_thousand_line_free_spectra():
    assert sizes_of(PROFILES["quick"]).n_line_free == 10_000
