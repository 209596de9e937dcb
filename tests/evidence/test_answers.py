"""The notebooks' answers hold what their published records hold."""

import re

import nbformat
import pytest

from evidence.aims import aims
from evidence.compared import measured_at
from evidence.pages import answers, evidence_answers
from evidence.pages.answers import published_answer
from evidence.pages.publish import renew_answer
from evidence.pages.rendering import ENDING, TEMPLATES
from evidence.paper import NOTHING
from nblib.notebook.stored_outputs import BESIDE
from nblib.project.paths import NOTEBOOKS
from nblib.project.records import committed_result, flatten

ANSWERED = sorted(path.name.split(".")[1] for path in TEMPLATES.glob(f"answer.*{ENDING}"))


@pytest.mark.parametrize("name", ANSWERED)
def test_every_answer_names_its_record(name):
    """Planted bug: a record made from code that was in no commit."""
    assert (NOTEBOOKS / f"{name}.ipynb").exists()
    text = published_answer(name)
    assert text.startswith("**Answer** (")
    record = committed_result(name)
    assert not record["commit"].endswith("dirty")
    commits = measured_at(record["metrics"]) if name == "06_benchmark" else [record["commit"]]
    if name == "05_lambda_sweep":  # planted bug: the record's commit alone, at which nothing was measured
        commits += [row["commit"] for seeds in record["metrics"]["points"].values() for row in seeds.values()]
    assert all(commit in text for commit in commits)
    assert "nan" not in text.lower().split() and "None" not in text


@pytest.mark.parametrize("name", ANSWERED)
def test_the_stored_notebook_shows_the_answer_of_the_committed_record(name):
    """Planted bug: a run publishes its record, while its notebook goes on showing the answer of the one before."""
    cells = nbformat.read(NOTEBOOKS / f"{name}.ipynb", as_version=4).cells
    shown = [output.get("data", {}).get("text/markdown", "") for cell in cells for output in cell.get("outputs", [])]
    assert [text for text in shown if text.startswith(answers.ANSWER)] == [published_answer(name)]


@pytest.mark.parametrize("name", ANSWERED[:5])
def test_the_tables_of_a_stored_notebook_are_the_committed_record(name):
    """Planted bugs: a digit of a stored table changed; "published" left with the numbers of the record before."""
    numbers = [value for value in flatten(committed_result(name)["metrics"]).values() if isinstance(value, float)]
    cells = nbformat.read(NOTEBOOKS / f"{name}.ipynb", as_version=4).cells
    html = [output.get("data", {}).get("text/html", "") for cell in cells for output in cell.get("outputs", [])]
    tables = [table for table in html if all(f"<th>{head}</th>" in table for head in BESIDE)]
    assert tables
    for table in tables:
        shown = re.findall(r"<td>([^<]*)</td>", table)
        assert shown[::2] == shown[1::2]
        for text in shown[::2]:
            digits = len(text.partition(".")[2])
            assert any(f"{number:.{digits}f}" == text for number in numbers) or text == NOTHING, text


def test_what_a_run_showed_of_the_former_record_is_replaced(tmp_path):
    """Planted bug: every picture of the notebook replaced by the answer's."""
    old = {"text/markdown": f"{answers.ANSWER}(published run: 1900)"}
    figure = {"text/markdown": f"{answers.FIGURE}06_answer:* old"}
    outputs = [{"data": data} for data in (figure, {"image/png": "b2xk"}, old, {"image/png": "a2VlcA=="})]
    cell = nbformat.v4.new_code_cell('show_published("06_benchmark", "06_answer")')
    cell.outputs = [nbformat.v4.new_output("display_data", **output) for output in outputs]
    path = tmp_path / "06_benchmark.ipynb"
    nbformat.write(nbformat.v4.new_notebook(cells=[cell]), path)
    assert renew_answer(path) and not renew_answer(path)
    shown = [output.data for output in nbformat.read(path, as_version=4).cells[0].outputs]
    assert shown[2]["text/markdown"] == published_answer("06_benchmark")
    assert shown[3]["image/png"].strip() == "a2VlcA==" and shown[1]["image/png"] != "b2xk"


def test_a_notebook_without_an_answer_is_refused():
    with pytest.raises(ValueError, match="no answer is written for '09_more'; known: 00_data"):
        published_answer("09_more")


def test_the_share_of_smoothing_is_that_of_the_control():
    """Planted bug: the fall of the lines over that of the control."""
    metrics = {name: {"masked": {"mse": 1.0, "floor": 0.5}} for name in ("cls", "token", "residual")}
    metrics["cls"] |= {"in_band": {"before": 0.6, "after": 0.1}, "no_line": {"before": 0.3, "after": 0.2}}
    numbers = answers.NUMBERS["01_baseline_mask_prediction"](metrics)
    assert (numbers["smoothing"], numbers["excess"]["cls"]) == (pytest.approx(0.2), 1.0)
    change = committed_result("01_baseline_mask_prediction")["metrics"]["cls"]["in_band"]
    text = published_answer("01_baseline_mask_prediction")
    assert f"{change['before']:.3f} ln as measured, {change['after']:.3f} restored by the CLS readout" in text


def test_the_best_of_the_other_penalties_is_named():
    """Planted bug: `uniform_clean` among the others."""
    rows = {"mean 1": 0.3, "none 0": 0.2, "uniform_clean 1": 0.9, "uniform_clean 10": 0.95}
    numbers = answers.NUMBERS["03_full_attention_regularizer"]({"short": {n: {"ap": ap} for n, ap in rows.items()}})
    assert numbers == {"uniform_clean": 0.95, "others": 0.3}


def test_full_runs_of_the_sweep_are_the_record():
    """Planted bug: `ranking`, which detects, among those that do not."""
    rows = committed_result("05_lambda_sweep")["metrics"]["full table"]
    text = published_answer("05_lambda_sweep")
    assert all(f"{rows[name]['ap']['iqm']:.3f}" in text for name in ("uniform_clean 10", "ranking"))
    others = [row["ap"]["iqm"] for name, row in rows.items() if row["ap"]["iqm"] < 0.5]
    assert f"raw AP up to {max(others):.2f}." in text and len(others) == 7


def test_an_older_record_is_called_so(monkeypatch):
    """Planted bug: a notebook that asks for more stopped, so that its record could not be renewed."""
    for name in ("04_attention_heatmaps", "01_baseline_mask_prediction"):
        record = committed_result(name) | {"metrics": {}}
        monkeypatch.setattr(answers, "committed_result", lambda *_, record=record: record)
        assert "is of an earlier form of this notebook (" in published_answer(name)


def test_missed_aims_are_counted():
    """Planted bug: what is not measured yet counted as missed."""
    asked = aims(committed_result("06_benchmark")["metrics"])
    missed = sum(not row["met"] for row in asked)
    assert f"Of {len(asked)} aims measured so far {missed} are missed." in published_answer("06_benchmark")
    assert evidence_answers.show_published is answers.show_published
