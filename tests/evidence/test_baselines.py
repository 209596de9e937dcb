"""Methods without training, limits and controls stand in their known order."""

import numpy as np
import pytest

from evidence import baselines
from evidence.baselines import assess_baselines, baseline_methods, energy_bias_by_strength, fit_in_band
from evidence.test_sets import STRENGTHS, Sizes, measured
from nblib import TrainConfig
from nblib.assessment import held_out
from nblib.scoring.metrics import N_GROUPS

pytestmark = pytest.mark.usefixtures("coarse_grid")

SIZES = Sizes(n_test=24, n_tune=16, n_family=10, n_line_free=24, n_correlated=8, n_probe=8, n_energies=8)
FEW = Sizes(n_test=6, n_tune=6, n_family=6, n_line_free=6, n_correlated=6, n_probe=6, n_energies=80)
TINY = {"d_model": 16, "n_heads": 2, "num_layers": 1, "dim_feedforward": 16, "steps": 2, "batch_size": 8}
TINY |= {"n_validation": 8}


@pytest.mark.slow
def test_references_stand_in_their_known_order(monkeypatch):
    """Planted bug: find_peaks' window tuned to the worst. The posterior is the limit, random scores are chance."""
    monkeypatch.setattr(baselines, "STRENGTHS", (STRENGTHS[0], STRENGTHS[1], STRENGTHS[-1]))
    monkeypatch.setattr(baselines, "families_judged", lambda _: ("vibration", "clock_leakage"))  # two show what all do
    assessment = assess_baselines(TrainConfig(**TINY), "single_line", SIZES)
    ap = {name: row["ap"] for name, row in assessment["methods"].items()}
    assert max(ap, key=ap.get) == "posterior (limit)"
    assert ap["true background"] > ap["find_peaks"] > 3 * ap["random"]
    assert ap["running median"] > ap["find_peaks"]
    assert ap["position only"] < 2 * assessment["methods"]["random"]["prevalence"]
    rising = [row["true background"]["ap"] for row in assessment["strengths"].values()]
    assert rising[-1] > 0.9
    assert rising[-1] > rising[1] > rising[0]
    assert set(assessment["families"]) >= {"vibration", "clock_leakage"}
    assert 0 < assessment["fit in-band"] < 0.1
    errors = assessment["energies"]
    assert (errors["all bins"] > errors["running median, kept bins"]).any()
    assert (errors["bound, all bins"] < errors["bound, truly clean bins"]).all()
    assert 0 <= assessment["running median"]["false alarms at 5%"] <= 0.3


def test_the_fit_in_band_leaves_out_the_groups_that_a_model_leaves_out(monkeypatch):
    """Planted bugs: groups counted over noisy spectra alone; the first n_energies of them for all."""
    data = held_out(TrainConfig(**TINY), "single_line", 40)
    mean, left_out = fit_in_band(data)
    whole = measured(data)
    noisy = whole[2]
    clean = np.flatnonzero(~noisy.any(axis=1))
    assert len(clean)  # spectra that count for nothing and take a place
    for group in (0, 3):
        kept = [spectrum for spectrum in range(40) if spectrum % N_GROUPS != group]
        monkeypatch.setattr(baselines, "measured", lambda _, kept=kept: tuple(part[kept] for part in whole))
        assert fit_in_band(data)[0] == pytest.approx(left_out[group])
    assert left_out.min() <= mean <= left_out.max()


@pytest.mark.slow
def test_the_limit_is_left_out_where_it_is_not_the_limit():
    """Planted bug: the posterior of Gamma noise offered for the soft-clipped factor."""
    assessment = baseline_methods(TrainConfig(**TINY, intrinsic="soft_clipped"), "single_line", FEW)
    assert "true background" in assessment["methods"]
    assert not [name for name in assessment["methods"] if name.startswith(("posterior", "GLRT"))]


@pytest.mark.slow
def test_harm_grows_with_strength_and_starts_at_the_bound(monkeypatch):
    """80 spectra: the mean of |error| scatters by 0.75 / sqrt(80) = 8 % of the bound."""
    monkeypatch.setattr(baselines, "STRENGTHS", (3.0,))
    by_strength = energy_bias_by_strength(TrainConfig(), "vibration", FEW)
    errors = {name: row["error"] / row["bound"] for name, row in by_strength.items()}
    assert (np.abs(errors["0"] - 1) < 0.25).all()
    assert errors["3"].max() > 1.5 * errors["0"].max()
    assert np.abs(by_strength["3"]["bias"]).max() > np.abs(by_strength["0"]["bias"]).max()
