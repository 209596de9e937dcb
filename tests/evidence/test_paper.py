"""What a notebook keeps behind one name: checked parameters, the first line, tables beside the published run."""

import numpy as np
import pytest

from evidence.paper import Paper
from nblib.project.paths import record_path
from nblib.project.records import read_json, write_json

GIVEN = {"profile": "smoke", "seed": 3, "family": "vibration", "n_segments": 4, "steps": 7, "extensions": ""}


@pytest.fixture
def shown():
    return []


@pytest.fixture
def paper(tmp_path, monkeypatch, shown):
    for name in ("RUNS", "RECORDS"):
        monkeypatch.setenv(f"NBLIB_{name}", str(tmp_path / name.lower()))
    record = record_path("quick", "00_data")
    record.parent.mkdir(parents=True)
    write_json(record, {"metrics": {"a": {"ap": 0.5}}})
    monkeypatch.setattr("evidence.paper.display", shown.append)
    return Paper("00_data", **GIVEN, run_name="mine")


def test_the_first_line_says_what_the_outputs_are_of(paper, shown):
    assert shown[0].data.startswith("outputs below: profile smoke, seed 3, fingerprint ")


def test_a_training_takes_what_the_cell_says(paper):
    """Planted bug: the profile's steps kept where the cell names others."""
    asked = {"steps": 7, "seed": 3, "families": "vibration", "n_segments": 4, "batch_size": 8}
    assert {name: paper.training[name] for name in asked} == asked
    assert Paper("00_data", **GIVEN | {"steps": 0}).training["steps"] == paper.settings.training["steps"]


def test_this_run_stands_beside_the_published_one(paper):
    """Planted bugs: the columns exchanged; all digits of a float32, which is not a float of Python's."""
    paper.metrics = {"a": {"ap": np.float32(0.2514)}, "b": {"ap": 0.125}}
    table = paper.beside({"first": "a", "second": "b"}, {"AP": "ap"}, 2)
    assert table["AP", "this run"].tolist() == ["0.25", "0.12"]
    assert table["AP", "published"].tolist() == ["0.50", "\N{EN DASH}"]


def test_the_record_holds_what_was_given_and_chosen(paper, tmp_path):
    paper.metrics["a"] = 1.0
    paper.save(reg_weight=2.0)
    (path,) = (tmp_path / "runs").rglob("result.json")
    assert path.parent.name == "mine"
    record = read_json(path)
    assert record["parameters"] == GIVEN | {"reg_weight": 2.0}
    assert record["metrics"] == {"a": 1.0}


def test_values_are_checked_first(tmp_path, monkeypatch):
    with pytest.raises(ValueError, match="unknown noise family 'thunder'"):
        Paper("00_data", **GIVEN | {"family": "thunder"})
