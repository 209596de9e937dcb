"""Reports: tables of records, and a README that quotes them and nothing else."""

import csv

import pytest

from nblib import report
from nblib.paths import NOTEBOOKS
from nblib.records import write_json

ROW = {"ap": 0.91234, "ap_interval": [0.9, 0.92], "top1": 0.8, "auroc": 0.97, "prevalence": 0.025}
ROW |= {"top1_random": 0.057, "top1_constant": 0.065}
BAND = {"before": 0.667, "after": 0.02, "reduction": 0.97}
SPAN = {"iqm": 0.95, "low": 0.94, "high": 0.96, "n": 10}
FOUND_BY = {
    "profile": "quick",
    "parameters": {"regularizer": "mass", "seed": 0},
    "commit": "abc1234567",
    "hardware": {"processor": "two cores", "cores": 2, "accelerator": "none"},
    "versions": {"torch": "2.13.0"},
    "wall_seconds": 90.0,
}
RECORD = FOUND_BY | {
    "notebook": "03_full_attention_regularizer",
    "metrics": {
        "test": {"regularized attention": ROW},
        "families": {"vibration": {"trained on all": ROW, "posterior (limit)": ROW}},
        "full": {"cls mass": {"in_band": BAND, "no_line": BAND | {"after": 0.011}}},
        "masked ratio cls": 0.98,
        "masked ratio token": 1.004,
    },
}
METHODS = {"true background": ROW, "posterior (limit)": ROW | {"ap": 0.99}, "random": ROW | {"ap": 0.025, "top1": 0.05}}
ENERGIES = ("all bins", "kept bins, simulated labels", "truly clean bins", "bound, truly clean bins")
EVIDENCE = FOUND_BY | {
    "notebook": "06_benchmark",
    "metrics": {
        "n_seeds": 10,
        "table": {"attention": {"ap": SPAN, "top1": SPAN}},
        "references": {"methods": METHODS},
        "energies": {name: [0.5, 0.25] for name in (*ENERGIES, "linear probe, simulated labels")},
    },
}


def test_nested_metrics_become_columns():
    assert report.flatten({"a": {"b": 1, "c": {"d": 2}}, "e": 3}) == {"a.b": 1, "a.c.d": 2, "e": 3}


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


def test_the_answer_is_the_record():
    """Planted bug: the after-value of the control printed for the restoration."""
    text = report.answer(EVIDENCE, RECORD)
    assert "| `single_line`, locked test, 10 seeds | AP [95 %]" in text
    assert "| attention | 0.950 [0.940, 0.960] | 1.041 | 0.960 | 0.950 |" in text
    assert "| true background | 0.912 [0.900, 0.920] | 1.000 | 0.922 | 0.800 |" in text
    assert "| chance | 0.025 | | | 0.057, constant guess 0.065 |" in text
    assert text.index("posterior (limit)") < text.index("| attention") < text.index("| true background")
    assert "| vibration | 0.912 / 0.800 |" in text
    assert "0.500/0.250 fitted on all bins" in text
    assert "0.667 before, 0.020 after restoration (97.0% less)" in text
    assert "0.667 to 0.011" in text
    assert "0.98 (CLS readout), 1.00 (token readout)" in text
    assert text.count("commit abc1234567") == 2


@pytest.fixture
def kept(tmp_path, monkeypatch):
    monkeypatch.setenv("NBLIB_RECORDS", str(tmp_path))
    (tmp_path / "quick").mkdir()
    for path in NOTEBOOKS.glob("*.ipynb"):
        write_json(tmp_path / "quick" / f"{path.stem}.json", EVIDENCE if path.stem.startswith("06") else RECORD)
    return RECORD["notebook"]


def test_only_figures_are_renewed(kept):
    """Planted bug: the time written into every row of the table."""
    rows = "| [03_full_attention_regularizer](x) | why? | old |\n| [07_other](x) | what? | old |\n"
    first = report.renewed(f"before\n{rows}{report.BEGIN}\nold\n{report.END}\nafter\n")
    assert first.startswith(
        "before\n| [03_full_attention_regularizer](x) | why? | 1.5 min |\n| [07_other](x) | what? | old |"
    )
    assert f"{report.BEGIN}\n| `single_line`" in first
    assert first.endswith(f"{report.END}\nafter\n")
    assert report.renewed(first) == first


def test_a_quotation_names_its_source_and_what_is_not_there(kept):
    text = report.quote(kept, "masked ratio cls", "test.regularized attention.ap", "test.nothing.ap")
    assert text.splitlines()[0].startswith(f"{kept}, profile quick, seed 0, commit abc1234567")
    assert text.splitlines()[1].split() == ["masked", "ratio", "cls", "0.98"]
    assert text.splitlines()[3].endswith("not recorded")
    with pytest.raises(ValueError, match="no record at"):
        report.quote("05_nothing", "a")


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
