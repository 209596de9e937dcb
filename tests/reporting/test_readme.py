"""The README's generated parts say what the records say and nothing else."""

import re

import pytest

from nblib.evaluation import tables
from nblib.evaluation.claims import claims
from nblib.evaluation.tables import format_interval
from nblib.project.paths import NOTEBOOKS, benchmark_record
from nblib.project.records import committed_result, read_json, write_json
from nblib.reporting import readme

ROW = {"ap": 0.91234, "ap_interval": [0.9, 0.92], "top1": 0.8, "auroc": 0.97, "prevalence": 0.025}
ROW |= {"top1_random": 0.057, "top1_constant": 0.065}
BAND = {"before": 0.667, "after": 0.02, "reduction": 0.97}
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
EVIDENCE = committed_result("06_benchmark")


BENCHMARKS = {name: read_json(benchmark_record(name)) for name in readme.BENCHMARKS}


def test_the_answer_is_the_record():
    """Planted bug: the after-value of the control printed for the restoration."""
    text = readme.answer(EVIDENCE, RECORD)
    table = tables.detection_table(EVIDENCE["metrics"])
    ap, limit = (table[name]["ap"] for name in ("label-free, residual", "posterior (limit)"))
    row = next(line for line in text.splitlines() if line.startswith("| label-free, residual |"))
    assert [cell.strip() for cell in row.split("|")[2:4]] == ["10", format_interval(ap)]
    assert f"| {ap['iqm'] / limit['iqm']:.3f} |" in row
    assert text.count("| MISSED |") == sum(claim["met"] is False for claim in claims(EVIDENCE["metrics"]))
    assert f"AP {format_interval(table['simulated labels, attention']['ap'])} with simulated" in text
    assert "| vibration | 0.912 / 0.800 |" in text
    assert "0.667 before, 0.020 after restoration (97.0% less)" in text
    assert "0.667 to 0.011" in text
    assert "0.98 (CLS readout), 1.00 (token readout)" in text
    assert "commit abc1234567" in text
    assert f"commit {EVIDENCE['commit']}" in text


def test_costs_are_the_records():
    """Planted bug: memory's ratio printed as time's."""
    text = readme.costs(BENCHMARKS)
    row = BENCHMARKS["attention"]["summary"]["3000 tokens"]
    time, memory = row["need_weights / CLS rows, time"], row["need_weights / CLS rows, memory above start"]
    assert (
        f"| need_weights=True / CLS rows, 3000 tokens: time, memory | >= 2.5, >= 6 | {time:.1f}, {memory:.1f} |" in text
    )
    ratio = BENCHMARKS["scaling"]["global batch 512"]["two processes / one"]["median"]
    assert re.search(rf"global batch 512 \| >= 1\.8 \| {ratio:.2f}; ", text)
    assert all(record["commit"] in text for record in BENCHMARKS.values())


@pytest.fixture
def kept(tmp_path, monkeypatch):
    monkeypatch.setenv("NBLIB_RECORDS", str(tmp_path))
    for folder in ("quick", "benchmarks"):
        (tmp_path / folder).mkdir()
    for path in NOTEBOOKS.glob("*.ipynb"):
        write_json(tmp_path / "quick" / f"{path.stem}.json", EVIDENCE if path.stem.startswith("06") else RECORD)
    for name, record in BENCHMARKS.items():
        write_json(benchmark_record(name), record)


def test_only_figures_are_renewed(kept):
    """Planted bug: the time written into every row of the table."""
    rows = "| [03_full_attention_regularizer](x) | why? | 0.0 min |\n| [05_lambda_sweep](x) | what? | an hour |\n"
    places = "\n".join(
        f"{readme.BEGIN.format(place)}\nold\n{readme.END.format(place)}" for place in ("answer", "costs")
    )
    first = readme.renewed(f"before\n{rows}{places}\nafter\n")
    assert first.startswith(
        "before\n| [03_full_attention_regularizer](x) | why? | 1.5 min |\n| [05_lambda_sweep](x) | what? | an hour |"
    )
    assert f"{readme.BEGIN.format('answer')}\n1. Attention" in first
    assert f"{readme.BEGIN.format('costs')}\n| cost" in first
    assert first.endswith(f"{readme.END.format('costs')}\nafter\n")
    assert readme.renewed(first) == first
