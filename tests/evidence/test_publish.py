"""Runs leave the repository alone; `python -m evidence publish` renews it, and says what it left out."""

import hashlib
import json
import subprocess

import forked_notebook
import matplotlib.pyplot as plt
import nbformat
import pytest

from evidence.__main__ import main
from evidence.pages import publish as publishing
from nblib.notebook import notebooks
from nblib.notebook.figures import save_figure
from nblib.notebook.notebooks import run_notebook
from nblib.project.paths import NOTEBOOKS, ROOT, benchmark_result
from nblib.project.records import committed_result, read_json, save_result, write_json

# profile quick, sizes so small that every notebook of the report takes seconds
ONE = {"steps": 1, "batch_size": 2, "validate_every": 1, "n_validation": 2, "d_model": 32, "dim_feedforward": 64}
CELL = nbformat.v4.new_code_cell("print(1)")
SIZES = {"quick": {"training": ONE, "short_steps": 1, "n_test": 12, "n_tune": 8}}


def tracked_files():
    """Digest of every file that git knows, or of the published folders where there is no git."""
    answer = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True)
    names = answer.stdout.split("\0")[:-1]
    published = [path for place in ("records", "figures", "docs") for path in (ROOT / place).rglob("*")]
    paths = {ROOT / name for name in names} | set(published) | {ROOT / "README.md"}
    return {path: hashlib.sha256(path.read_bytes()).hexdigest() for path in paths if path.is_file()}


@pytest.fixture
def own(tmp_path, monkeypatch):
    """runs/ and the published files below a temporary folder."""
    for name in ("RUNS", "RECORDS", "FIGURES"):
        monkeypatch.setenv(f"NBLIB_{name}", str(tmp_path / name.lower()))
    monkeypatch.setattr(publishing, "renew_pages", lambda: [publishing.ROOT / "README.md"])
    monkeypatch.setattr(publishing, "NOTEBOOKS", tmp_path / "notebooks")
    (tmp_path / "notebooks").mkdir()
    for name in ("00_data", "01_baseline_mask_prediction", "02_simple_regularizer"):
        nbformat.write(nbformat.v4.new_notebook(cells=[CELL]), tmp_path / "notebooks" / f"{name}.ipynb")
    return tmp_path


def ran(own, name):
    """The notebook as a run leaves it."""
    book = nbformat.read(own / "notebooks" / f"{name}.ipynb", as_version=4)
    book.cells[0] |= {"execution_count": 4, "outputs": [nbformat.v4.new_output("stream", text="1\n")]}
    nbformat.write(book, own / "runs" / "quick" / name / f"{name}.ipynb")


@pytest.mark.slow
def test_a_plain_quick_run_with_a_penalty_of_choice_changes_nothing_tracked(tmp_path, monkeypatch):
    """Planted bug: save_result and save_figure writing records/ and figures/ at profile quick, as they once did."""
    sizes = tmp_path / "sizes.json"
    sizes.write_text(json.dumps(SIZES))
    monkeypatch.setenv("NBLIB_PROFILES", str(sizes))
    monkeypatch.setenv("NBLIB_RUNS", str(tmp_path / "runs"))
    for variable in ("NBLIB_RECORDS", "NBLIB_FIGURES"):  # the real ones
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setattr(notebooks, "_execute", forked_notebook.execute)
    before = tracked_files()
    assert len(before) > 50
    name = "03_full_attention_regularizer"
    values = {"profile": "quick", "regularizer": "log_odds", "reg_weight": 2.0, "compare": False, "steps": 1}
    run_notebook(NOTEBOOKS / f"{name}.ipynb", tmp_path / "runs" / "quick" / name / f"{name}.ipynb", values)
    record = read_json(tmp_path / "runs" / "quick" / name / "result.json")
    assert (record["profile"], record["profiles_from"]) == ("quick", str(sizes))
    figures = (tmp_path / "runs" / "quick" / "figures").glob("*.png")
    assert {path.stem for path in figures} >= {"03_answer"}
    assert (record["parameters"]["regularizer"], record["metrics"]["chosen"]) == ("log_odds", {"log_odds": 2.0})
    assert record["metrics"]["test"]["posterior (limit)"]["ap"] > 0.95
    assert tracked_files() == before


def draw(name, caption="A line.", profile="quick", run_name=""):
    fig, ax = plt.subplots()
    ax.plot([0, 1])
    save_figure(fig, name, caption, profile, run_name)
    plt.close(fig)


def test_publishing_copies_plain_records_and_figures(own, capsys):
    save_result("00_data", "quick", "", {"seed": 0}, {"ap": 0.5})
    ran(own, "00_data")
    save_result("01_baseline_mask_prediction", "quick", "lambda=3", {"seed": 0}, {"ap": 0.6})
    draw("00_a")
    draw("00_b", run_name="lambda=3")
    write_json(benchmark_result("scaling"), {"rows": 1})
    draw("bench_growth", profile="benchmarks")
    assert main(["publish"]) == 0
    printed = capsys.readouterr().out
    assert committed_result("00_data")["metrics"] == {"ap": 0.5}
    written = [path for place in ("records", "figures") for path in (own / place).rglob("*.*")]
    paths = sorted(str(path.relative_to(own)) for path in written)
    assert paths == [
        *(f"figures/{name}" for name in ("00_a.pdf", "00_a.png", "README.md", "bench_growth.pdf", "bench_growth.png")),
        *("figures/index.json", "records/benchmarks/scaling.json", "records/quick/00_data.json"),
    ]
    assert "(00_a.png)" in (own / "figures" / "README.md").read_text()
    assert "records/quick/00_data.json" in printed
    assert "changed: " in printed and "notebooks/00_data.ipynb\n" in printed
    cell = nbformat.read(own / "notebooks" / "00_data.ipynb", as_version=4).cells[0]
    assert (cell.execution_count, cell.outputs[0].text) == (1, "1\n")
    assert printed.endswith("renewed: README.md\n")
    assert main(["publish"]) == 0
    assert capsys.readouterr().out == "renewed: README.md\n"  # nothing new, nothing printed
    (own / "runs" / "quick" / "00_data" / "00_data.ipynb").unlink()
    assert "no executed notebook in" in publishing.publish("quick")[0]


def test_a_figure_that_is_no_longer_drawn_goes(own):
    for name in ("00_a", "01_a"):
        draw(name)
    publishing.publish("quick")
    for path in (own / "runs" / "quick" / "figures").iterdir():
        path.unlink()
    draw("00_new")
    publishing.publish("quick")
    assert sorted(path.stem for path in (own / "figures").glob("*.png")) == ["00_new", "01_a"]
    assert set(read_json(own / "figures" / "index.json")) == {"00_new", "01_a"}


def test_what_proves_nothing_is_not_published(own, capsys, monkeypatch):
    """Planted bug: a run on somebody's own file published as the report's."""
    save_result("00_data", "quick", "", {"seed": 0, "data_path": "mine.csv"}, {"ap": 0.5})
    draw("00_measured")
    (own / "sizes.json").write_text(json.dumps(SIZES))
    monkeypatch.setenv("NBLIB_PROFILES", str(own / "sizes.json"))
    save_result("02_simple_regularizer", "quick", "", {"seed": 0}, {"ap": 0.5})
    assert main(["publish", "quick"]) == 0
    printed = capsys.readouterr().out
    assert "00_data/result.json (reads mine.csv)" in printed
    assert "02_simple_regularizer/result.json (sizes from " in printed
    assert not (own / "records").exists()
    assert not list((own / "figures").glob("*.png"))
    refused = {"smoke": "its runs prove nothing", "brief": "its runs prove nothing", "quik": "unknown profile 'quik'"}
    for profile, message in refused.items():
        assert main(["publish", profile]) == 2
        assert message in capsys.readouterr().err


@pytest.mark.slow
def test_pages_are_renewed_from_the_published_records_alone():
    """The pages as committed are what the published records say: nothing changes."""
    before = tracked_files()
    assert publishing.renew_pages() == []
    assert tracked_files() == before
