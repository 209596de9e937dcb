"""What networks add to spectra of instruments that they never met, on small made-up cases."""

from importlib.resources import files

import numpy as np
import pytest
from safetensors.numpy import load

from evidence.unknown import left_out
from evidence.unknown.measured_spectra import measured_spectra, plan_of
from evidence.unknown.measured_trials import CLASSICAL
from nblib.cells import WIDE_CELL, cell_scores
from nblib.measured.statistic.network import WEIGHTS
from nblib.measured.statistic.score import add_evidence


@pytest.fixture(scope="module")
def spectrum():
    return measured_spectra()[0]


@pytest.fixture(scope="module")
def network():
    """Another one than the network that ships."""
    weights = load(files("nblib.measured.statistic").joinpath(WEIGHTS).read_bytes())
    return {name: 1.1 * row for name, row in weights.items()}


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
        cells["one, 3 times"], cell_scores(add_evidence(scored.white.scores, odds, 3.0), WIDE_CELL)
    )
    assert np.abs(cells["one, 3 times"] - cells["one, 1 times"]).max() > 1


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
    two = left_out.limiting_odds(spectrum, quiet, {"one": network}, 0.01)["one"]
    assert sorted(two) == sorted(odds[quiet[top[-2:]]].tolist())
    assert left_out.limiting_odds(spectrum, quiet[:50], {"one": network}, 0.01) == {"one": []}


def test_gains_count_instruments_once_and_take_the_classical_part_off():
    """Planted bugs: spectra counted instead of instruments; the factor chosen on all folds, or on its own."""
    lines = {"1, 1": {"1%": 0.5, "5%": 0.5}, "1, SNR 5": {"1%": 0.1, "5%": 0.1}}

    def more(gain):
        return {line: {area: value + gain for area, value in row.items()} for line, row in lines.items()}

    def row(once, twice):
        return {
            "recall": {CLASSICAL: lines, "net, 1 times": more(once), "net, 2 times": more(twice)},
            left_out.SCATTER: {CLASSICAL: more(0.2)},
            "limiting": {"1%": {"net": [1.0]}, "5%": {"net": [-1.0, 2.0]}},
            "labels": {"line": {"net": [3.0]}},
        }

    rows = {"a": row(0.0, 0.1), "b": row(0.0, 0.1), "c": row(0.3, 0.0)}
    record = left_out.gains(rows, {"a": "x", "b": "x", "c": "y"}, {"x": 1, "y": 2})
    assert record["added"]["height"]["1%"]["net, 1 times"]["mean"] == pytest.approx(0.15)
    assert record["chosen"]["1%"]["net"]["by fold"] == {"1": "net, 1 times", "2": "net, 2 times"}
    assert record["chosen"]["1%"]["net"]["added"]["mean"] == pytest.approx(0.0)
    assert record["classical"]["height"]["5%"] == pytest.approx({left_out.MEASURED: 0.5, left_out.SCATTER: 0.7})
    assert record["limiting"]["5%"]["net"] == {"mean": 0.5, "instruments": 2, "values": 6}
    assert record["labels"]["line"]["net"] == {"mean": 3.0, "instruments": 2, "values": 3}


def test_log_odds_of_weak_lines_are_those_of_their_cells(network):
    """Planted bug: the odds of the cells with the sites' numbers."""
    strong = left_out.weak_lines({"shipped": None, "other": network}, 2)
    assert strong.keys() == {"shipped", "other"} and strong["shipped"].keys() == {"K = 50", "K = 200"}
    assert min(strong["shipped"].values()) > 0 and strong["shipped"] != strong["other"]
