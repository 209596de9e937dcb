"""Reports: tables of records, quotations of them, lists of what there is."""

import csv

import pytest
import yaml

from nblib.__main__ import main
from nblib.notebook.outputs import show_table, without_penalty_name, write_grid
from nblib.notebook.parameters import typed_parameters
from nblib.project.paths import NOTEBOOKS, ROOT
from nblib.project.records import committed_result, flatten, write_json

RECORD = {
    "notebook": "03_full_attention_regularizer",
    "profile": "quick",
    "parameters": {"regularizer": "mass", "seed": 0},
    "commit": "abc1234567",
    "hardware": {"processor": "two cores", "cores": 2, "accelerator": "none"},
    "versions": {"torch": "2.13.0"},
    "wall_seconds": 90.0,
    "metrics": {"masked ratio": 0.98, "test": {"simulated labels, attention": {"ap": 0.91234}}},
}


def test_nested_metrics_become_columns():
    assert flatten({"a": {"b": 1, "c": {"d": 2}}, "e": 3}) == {"a.b": 1, "a.c.d": 2, "e": 3}


def test_the_grid_that_comes_along_asks_for_what_its_notebook_records():
    """Planted bug: columns under the names of an earlier notebook, refused after the last of its runs."""
    grid = yaml.safe_load((ROOT / "workflow" / "grid.yaml").read_text())
    record = committed_result(grid["grid_notebook"])
    known = {without_penalty_name(key, record["parameters"]) for key in flatten(record["metrics"])}
    assert set(grid["columns"]) <= known
    for name, values in grid["grid"].items():
        for value in values:
            typed_parameters(NOTEBOOKS / f"{grid['grid_notebook']}.ipynb", {name: value})


def grid(tmp_path):
    """Two runs of a grid: another penalty each, the same metrics under that penalty's name."""
    paths = []
    for number, (penalty, weight) in enumerate((("mass", 1.0), ("log_odds", 5.0))):
        metrics = {
            "test": {"simulated labels, attention": {"ap": 0.5 + number, "note": 1}},
            "full": {f"cls {penalty}": {"in_band": {"after": 0.1}}, "cls baseline": {"masked": {"mse": 0.2}}},
            "short": {f"{penalty} {weight:g}": {"tokens": 3}},
        }
        metrics |= {"more": {"top1": 1}} if number else {}
        parameters = {"regularizer": penalty, "reg_weight": weight, "profile": "smoke", "seed": 0}
        folder = tmp_path / f"regularizer={penalty}"
        folder.mkdir()
        record = {"parameters": parameters, "metrics": metrics, "commit": "abc"}
        paths.append(str(write_json(folder / "result.json", record)))
    return paths


def read_csv(path):
    with path.open(newline="") as stream:
        return list(csv.DictReader(stream))


def test_a_grid_is_two_tables_one_to_read_and_one_that_holds_all(tmp_path, capsys):
    """Planted bug: AP under another column for each penalty, most of them empty."""
    table = tmp_path / "new" / "my_grid.csv"
    assert main(["grid-table", str(table), *grid(tmp_path)]) == 0
    rows = read_csv(table)
    assert list(rows[0]) == [
        *("reg_weight", "regularizer", "full.cls regularizer.in_band.after", "test.simulated labels, attention.ap")
    ]
    assert [row["test.simulated labels, attention.ap"] for row in rows] == ["0.5", "1.5"]
    everything = read_csv(table.with_name("my_grid_all.csv"))
    assert [row["short.regularizer.tokens"] for row in everything] == ["3", "3"]
    assert [row["more.top1"] for row in everything] == ["", "1"]
    assert [row["run"] for row in everything] == ["regularizer=mass", "regularizer=log_odds"]
    printed = capsys.readouterr().out
    assert "5           log_odds" in printed
    assert printed.rstrip().endswith(f"{table}; everything: {table.with_name('my_grid_all.csv')}")


def test_seeds_of_a_grid_are_averaged_in_the_table_to_read(tmp_path):
    """Planted bug: seeds of different penalties averaged together."""
    paths = []
    for penalty, seed, ap in (("mass", 0, 0.2), ("mass", 1, 0.4), ("log_odds", 0, 0.8), ("log_odds", 1, 0.6)):
        record = {"parameters": {"regularizer": penalty, "seed": seed}, "metrics": {"ap": ap}, "commit": "abc"}
        (tmp_path / f"{penalty}{seed}").mkdir()
        paths.append(write_json(tmp_path / f"{penalty}{seed}" / "result.json", record))
    table = tmp_path / "grid.csv"
    write_grid(table, paths)
    rows = read_csv(table)
    assert [(row["regularizer"], row["seeds"], float(row["ap"])) for row in rows] == [
        ("mass", "2", pytest.approx(0.3)),
        ("log_odds", "2", pytest.approx(0.7)),
    ]
    assert len(read_csv(table.with_name("grid_all.csv"))) == 4


def test_a_table_is_shown_with_four_digits_and_without_what_is_missing(tmp_path):
    """Planted bug: an empty field shown as nan."""
    path = tmp_path / "table.csv"
    path.write_text("a,b,c\n0.123456,True,\n2,False,word\n")
    assert show_table(path).splitlines() == ["a       b      c", "0.1235  True", "2       False  word"]


def test_a_grids_columns_can_be_chosen(tmp_path, capsys):
    paths, table = grid(tmp_path), tmp_path / "grid.csv"
    assert main(["grid-table", "--column", "more.top1", "--", str(table), *paths]) == 0
    assert list(read_csv(table)[0]) == ["reg_weight", "regularizer", "more.top1"]
    assert main(["grid-table", "--column", "app", "--", str(table), *paths]) == 2
    assert "no run recorded app; known: full.cls baseline.masked.mse" in capsys.readouterr().err


def test_the_list_of_outputs_counts_what_is_there(tmp_path, monkeypatch, capsys):
    """Planted bug: named runs, which lie a folder deeper, not counted."""
    monkeypatch.setenv("NBLIB_RUNS", str(tmp_path / "runs"))
    files = ["00_data/00_data.ipynb", "00_data/00_data.failed.ipynb", "00_data/result.json"]
    files += ["00_data/mine/00_data.ipynb", "00_data/mine/result.json"]
    for path in (*files, "figures/00_a.png", "figures/03_answer.png"):
        (tmp_path / "runs" / "brief" / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "runs" / "brief" / path).touch()
    assert main(["outputs"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line for line in lines if not line.startswith("  ")] == [
        "2 executed notebooks",
        "2 records",
        "2 figures (each also as .pdf)",
        f"open first: {tmp_path / 'runs/brief/figures/03_answer.png'}",
    ]
