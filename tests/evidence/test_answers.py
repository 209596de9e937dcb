"""The notebooks' answers hold what their published records hold."""

import re
from html import unescape

import nbformat
import pytest
from jinja2 import UndefinedError

from evidence import compared, looks
from evidence.aims import aims, verdict
from evidence.pages import answers
from evidence.pages.answers import numbers, renew_answer
from evidence.pages.rendering import ENDING, TEMPLATES, render
from evidence.pages.unknown_page import COPIES, instrument_rows
from evidence.paper import NOTHING
from evidence.spans import interval
from nblib.notebook.stored_outputs import BESIDE
from nblib.project.paths import NOTEBOOKS, ROOT, benchmark_record
from nblib.project.records import committed_result, flatten, provenance, read_json

ANSWERED = sorted(path.name.split(".")[0] for path in TEMPLATES.glob(f"0*.answer{ENDING}"))


def answer_of(name):
    return render(f"{name}.answer", numbers(name))


@pytest.mark.parametrize("name", ANSWERED)
def test_every_answer_names_its_record(name):
    """Planted bugs: a record made from code that was in no commit; a measurement in it without its commit."""
    record = committed_result(name)
    text = answer_of(name)
    assert provenance(record) in text and f"(../records/quick/{name}.json)" in text
    assert not record["commit"].endswith("dirty")
    assert "nan" not in text.lower().split() and "None" not in text
    measured = record["metrics"].get("points", {}) | record["metrics"].get("trials", {})
    rows = [row for seeds in measured.values() for row in seeds.values()]
    looks = [look for row in rows for look in (row.values() if name == "06_benchmark" else [row])]
    assert all(re.fullmatch(r"[0-9a-f]{10}", look["commit"]) for look in looks)
    assert bool(looks) == (name in ("05_lambda_sweep", "06_benchmark"))


@pytest.mark.parametrize("name", ANSWERED)
def test_the_stored_notebook_shows_the_answer_of_the_committed_record_first(name):
    """Planted bug: a run publishes its record, while its notebook goes on showing the answer of the one before."""
    cells = nbformat.read(NOTEBOOKS / f"{name}.ipynb", as_version=4).cells
    assert [cell.cell_type for cell in cells[:3]] == ["markdown", "markdown", "code"]
    assert answer_of(name) in cells[1].source
    (figure,) = re.findall(r"\]\(\.\./(figures/\w+\.png)\)", cells[1].source)
    assert (ROOT / figure).exists()


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


def tables_of(name):
    """The tables that a notebook stores: row -> cells, as they are read."""
    cells = nbformat.read(NOTEBOOKS / f"{name}.ipynb", as_version=4).cells
    outputs = [output.get("data", {}).get("text/html", "") for cell in cells for output in cell.get("outputs", [])]
    return [
        {
            unescape(head): [unescape(cell) for cell in re.findall(r"<td>([^<]*)</td>", row)]
            for head, row in re.findall(r"<tr>\s*<th>([^<]*)</th>(.*?)</tr>", table, re.DOTALL)
        }
        for table in outputs
    ]


def test_the_tables_of_06_are_the_committed_record():
    """Planted bugs: two rows exchanged; a table of the record before."""
    metrics = committed_result("06_benchmark")["metrics"]
    rows = compared.methods(metrics) | compared.rows(metrics)
    digits = dict(zip(compared.QUANTITIES, (3, 3, 2, 2), strict=True))
    tables = tables_of("06_benchmark")
    shown = {
        name: [row["given"], str(row["seeds"]), *(interval(row[quantity], n) for quantity, n in digits.items())]
        for name, row in rows.items()
    }
    assert shown in tables
    differences = compared.differences(metrics)
    assert {name: [interval(s, 4, "+") for s in row.values()] for name, row in differences.items()} in tables
    asked = [[row["what"], row["target"], interval(row["span"]), verdict(row)] for row in aims(metrics)]
    assert {str(number): row for number, row in enumerate(asked)} in tables
    by_family = {row: [interval(span) for span in spans.values()] for row, spans in looks.by_family(metrics).items()}
    assert by_family in tables


def test_the_energies_of_09_are_the_committed_record():
    """Planted bug: the row of all bins above that of the bins kept."""
    metrics = committed_result("09_physics")["metrics"]
    (table,) = [table for table in tables_of("09_physics") if any("all bins" in row for row in table.values())]
    for cells in table.values():
        row = metrics[cells[0]]
        assert [float(cell) for cell in cells[1:4]] == [round(row[end], 4) for end in ("energy", "low", "high")]


def test_the_tables_of_07_are_the_published_benchmark():
    """Planted bug: a notebook that was run before the benchmark's record was published."""
    measured, tables = read_json(benchmark_record("measured")), tables_of("07_unknown_backgrounds")
    for area in ("1%", "5%"):
        rows = {copy: instrument_rows(measured, copy, area).values() for copy in COPIES}
        assert {copy: [interval(span, 3, "+") for span in spans] for copy, spans in rows.items()} in tables
    one, five = (measured["summary"]["recall"][area] for area in ("1%", "5%"))
    shown = {name: [round(one[name], 3), round(five[name], 3)] for name in one if name != "shipped"}
    (recall,) = [table for table in tables if table.keys() == shown.keys()]
    assert {name: [float(cell) for cell in cells] for name, cells in recall.items()} == shown


def test_an_answer_is_renewed_in_its_cell_of_words(tmp_path):
    """Planted bug: what stands around the answer lost."""
    cell = "words\n<!-- answer: make publish -->\n0.5, as it once was\n<!-- end of answer -->\n\n![A figure](x.png)"
    cells = [nbformat.v4.new_markdown_cell(cell), nbformat.v4.new_code_cell("0.5  # <!-- answer: make publish -->")]
    path = tmp_path / "06_benchmark.ipynb"
    nbformat.write(nbformat.v4.new_notebook(cells=cells), path)
    assert renew_answer(path) and not renew_answer(path)
    words, code = (cell.source for cell in nbformat.read(path, as_version=4).cells)
    before, answer, after = re.split(r"(?<=publish -->)\n|\n(?=<!-- end of)", words)
    assert answer == answer_of("06_benchmark")
    assert (before, after) == (cell.split("\n0.5")[0], cell.split("was\n")[1])
    assert code == cells[1].source


def test_a_record_of_an_earlier_form_is_refused(monkeypatch):
    """Planted bug: a number that the record lacks left empty."""
    for name, lacks in (("04_attention_heatmaps", UndefinedError), ("01_baseline_mask_prediction", KeyError)):
        record = committed_result(name) | {"metrics": {}}
        monkeypatch.setattr(answers, "committed_result", lambda *_, record=record: record)
        with pytest.raises(lacks):
            answer_of(name)


def test_the_share_of_smoothing_is_that_of_the_control():
    """Planted bug: the fall of the lines over that of the control."""
    metrics = {name: {"masked": {"mse": 1.0, "floor": 0.5}} for name in ("cls", "token", "residual")}
    metrics["cls"] |= {"in_band": {"before": 0.6, "after": 0.1}, "no_line": {"before": 0.3, "after": 0.2}}
    numbers = answers.NUMBERS["01_baseline_mask_prediction"](metrics)
    assert (numbers["smoothing"], numbers["excess"]["cls"]) == (pytest.approx(0.2), 1.0)
    change = committed_result("01_baseline_mask_prediction")["metrics"]["cls"]["in_band"]
    text = answer_of("01_baseline_mask_prediction")
    assert f"{change['before']:.3f} ln as measured, {change['after']:.3f} restored by the CLS readout" in text


def test_the_best_of_the_other_penalties_is_named():
    """Planted bug: `uniform_clean` among the others."""
    rows = {"mean 1": 0.3, "none 0": 0.2, "uniform_clean 1": 0.9, "uniform_clean 10": 0.95}
    numbers = answers.NUMBERS["03_full_attention_regularizer"]({"short": {n: {"ap": ap} for n, ap in rows.items()}})
    assert numbers == {"uniform_clean": 0.95, "others": 0.3}


def test_full_runs_of_the_sweep_are_the_record():
    """Planted bug: `ranking`, which detects, among those that do not."""
    rows = committed_result("05_lambda_sweep")["metrics"]["full table"]
    text = answer_of("05_lambda_sweep")
    assert all(f"{rows[name]['ap']['iqm']:.3f}" in text for name in ("uniform_clean 10", "ranking"))
    others = [row["ap"]["iqm"] for name, row in rows.items() if row["ap"]["iqm"] < 0.5]
    assert f"raw AP up to {max(others):.2f} (" in text and len(others) == 7


def test_missed_aims_are_counted():
    """Planted bug: what is not measured yet counted as missed."""
    asked = aims(committed_result("06_benchmark")["metrics"])
    missed = sum(not row["met"] for row in asked)
    assert f"Of {len(asked)} aims {missed} are missed, and all four of time" in answer_of("06_benchmark")
