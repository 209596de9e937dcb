"""Reports: tables of records, quotations of them, lists of what there is."""

import csv

import pytest

from nblib.project.records import flatten, quote, write_json
from nblib.reporting import outputs as report

RECORD = {
    "notebook": "03_full_attention_regularizer",
    "profile": "quick",
    "parameters": {"regularizer": "mass", "seed": 0},
    "commit": "abc1234567",
    "hardware": {"processor": "two cores", "cores": 2, "accelerator": "none"},
    "versions": {"torch": "2.13.0"},
    "wall_seconds": 90.0,
    "metrics": {"masked ratio cls": 0.98, "test": {"regularized attention": {"ap": 0.91234}}},
}


def test_nested_metrics_become_columns():
    assert flatten({"a": {"b": 1, "c": {"d": 2}}, "e": 3}) == {"a.b": 1, "a.c.d": 2, "e": 3}


def test_a_table_has_a_row_a_record_and_gaps_where_one_lacks_a_metric(tmp_path):
    paths = []
    for number, metrics in enumerate(({"ap": 0.5}, {"ap": 0.6, "more": {"top1": 1}})):
        record = {"parameters": {"seed": number}, "metrics": metrics, "commit": "abc"}
        paths.append(str(write_json(tmp_path / f"{number}.json", record)))
    table = tmp_path / "new" / "grid.csv"
    assert report.main(["--table", str(table), *paths]) == 0
    with table.open(newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert rows[0] == {"seed": "0", "ap": "0.5", "commit": "abc", "more.top1": ""}
    assert rows[1]["more.top1"] == "1"


@pytest.fixture
def kept(tmp_path, monkeypatch):
    monkeypatch.setenv("NBLIB_RECORDS", str(tmp_path))
    (tmp_path / "quick").mkdir()
    write_json(tmp_path / "quick" / f"{RECORD['notebook']}.json", RECORD)
    return RECORD["notebook"]


def test_a_quotation_names_its_source_and_what_is_not_there(kept):
    text = quote(kept, "masked ratio cls", "test.regularized attention.ap", "test.nothing.ap")
    assert text.splitlines()[0].startswith(f"{kept}, profile quick, seed 0, commit abc1234567")
    assert text.splitlines()[1].split() == ["masked", "ratio", "cls", "0.98"]
    assert text.splitlines()[3].endswith("not recorded")
    with pytest.raises(ValueError, match="no record at"):
        quote("05_nothing", "a")


def test_the_list_of_outputs_counts_what_is_there(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("NBLIB_RUNS", str(tmp_path / "runs"))
    monkeypatch.setenv("NBLIB_FIGURES", str(tmp_path / "figures"))
    for path in ("runs/quick/00_data/00_data.ipynb", "runs/quick/00_data/result.json", "figures/00_a.png"):
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).touch()
    assert report.main(["quick"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line for line in lines if not line.startswith("  ")] == [
        "1 executed notebooks",
        "1 records",
        "1 figures (each also as .pdf)",
    ]
