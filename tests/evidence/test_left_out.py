"""What networks add to spectra of instruments that they never met, on small made-up cases."""

import numpy as np
import pytest

from evidence.unknown import left_out
from evidence.unknown.fold_networks import network_without, weights_without
from evidence.unknown.measured_spectra import FOLDS, measured_spectra, plan_of
from evidence.unknown.measured_trials import CLASSICAL
from nblib.cells import WIDE_CELL, cell_scores
from nblib.measured.statistic.network import network_evidence, weights_key
from nblib.measured.statistic.score import add_evidence


@pytest.fixture(scope="module")
def spectrum():
    return measured_spectra()[0]


@pytest.fixture(scope="module")
def network(spectrum):
    return network_without(spectrum.fold)


def test_five_networks_are_not_the_one_that_ships(spectrum):
    assert len({weights_key(network_without(fold)) for fold in FOLDS}) == len(FOLDS)
    plan = plan_of(spectrum)
    shipped, unmet = (
        network_evidence(plan.grid.freqs, spectrum.psd, plan.grid.valid, 100.0, weights).log_odds
        for weights in (None, network_without(spectrum.fold))
    )
    assert np.abs(shipped - unmet).max() > 0.1
    assert all(weights_without(fold).with_suffix(".json").is_file() for fold in FOLDS)


def test_methods_are_the_classical_part_and_weighted_log_odds(spectrum, network):
    """Planted bug: the weight left out."""
    plan = plan_of(spectrum)
    cells = left_out.with_networks({"one": network}, (1.0, 3.0))(
        spectrum.freqs, spectrum.psd, spectrum.n_segments, plan
    )
    scored = left_out._scored(spectrum, {"one": network})["one"]
    odds = np.repeat(scored.log_odds, WIDE_CELL)[: len(spectrum.psd)]
    np.testing.assert_allclose(cells[CLASSICAL], cell_scores(scored.white.scores, WIDE_CELL))
    np.testing.assert_allclose(
        cells["one, weight 3"], cell_scores(add_evidence(scored.white.scores, odds, 3.0), WIDE_CELL)
    )
    assert np.abs(cells["one, weight 3"] - cells["one, weight 1"]).max() > 1


def test_scatter_alone_has_the_k_of_the_spectrum(spectrum):
    flat = left_out.without_texture(spectrum, 3)
    scatter = np.std(flat.psd * np.sqrt(flat.n_segments) - np.sqrt(flat.n_segments))
    assert scatter == pytest.approx(1.0, abs=0.05) and flat.psd.mean() == pytest.approx(1.0, abs=0.01)


def test_the_cells_that_set_the_limit_are_the_highest_quiet_ones(spectrum, network):
    quiet = np.arange(0, 200)
    cells = cell_scores(left_out._scored(spectrum, {"one": network})["one"].white.scores, WIDE_CELL)
    odds = left_out._scored(spectrum, {"one": network})["one"].log_odds
    top = np.argsort(cells[quiet])[-10:]
    found = left_out.limiting_odds(spectrum, quiet, {"one": network}, 0.05)["one"]
    assert sorted(found) == sorted(odds[quiet[top]].tolist())
    assert left_out.limiting_odds(spectrum, quiet[:50], {"one": network}, 0.01) == {"one": []}


def test_gains_count_instruments_once_and_take_the_classical_part_off():
    """Planted bugs: spectra counted instead of instruments; the bound taken from the spectrum as measured."""
    lines = {"1, 1": {"1%": 0.5, "5%": 0.5}, "1, SNR 5": {"1%": 0.1, "5%": 0.1}}
    more = {line: {area: value + 0.2 for area, value in row.items()} for line, row in lines.items()}

    def row(gain):
        better = {line: {area: value + gain for area, value in row.items()} for line, row in lines.items()}
        return {
            "recall": {CLASSICAL: lines, "net, weight 1": better},
            left_out.SCATTER: {CLASSICAL: more},
            "limiting": {"1%": {"net": [1.0]}, "5%": {"net": [-1.0, 2.0]}},
            "labels": {"line": {"net": [3.0]}},
        }

    record = left_out.gains(
        {"a": row(0.0), "b": row(0.0), "c": row(0.3)}, {"a": "x", "b": "x", "c": "y"}, {"x": 1, "y": 2}
    )
    assert record["added"]["height"]["1%"]["net, weight 1"]["mean"] == pytest.approx(0.15)
    assert record["chosen"]["1%"]["net"]["by fold"] == {"1": "net, weight 1", "2": "net, weight 1"}
    assert record["classical"]["height"]["5%"] == pytest.approx({"as measured": 0.5, left_out.SCATTER: 0.7})
    assert record["limiting"]["5%"]["net"] == {"cells": 6, "taken for noise": 0.5}
    assert record["labels"]["line"]["net"] == {"ranges": 3, "median": 3.0}
