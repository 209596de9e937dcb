"""The notebooks as files (hygiene) and as programs (tiny values injected, results bounded)."""

import json
import re

import forked_notebook
import nbformat
import numpy as np
import pytest

from nblib.__main__ import main
from nblib.notebook import notebooks
from nblib.notebook.notebooks import run_notebook
from nblib.notebook.parameters import RULES, known_parameters, typed_parameters
from nblib.project.paths import NOTEBOOKS

PATHS = sorted(NOTEBOOKS.glob("*.ipynb"))
MACHINE_PATH = re.compile(r"(/home/|/root/|/tmp/|/Users/|[A-Z]:\\\\)")


@pytest.fixture(params=PATHS, ids=lambda path: path.stem)
def notebook(request):
    return nbformat.read(request.param, as_version=4)


def _code(notebook):
    return [cell for cell in notebook.cells if cell.cell_type == "code" and cell.source.strip()]


def test_notebooks_are_numbered_without_a_repetition_and_stay_small():
    assert sum(path.stat().st_size for path in PATHS) <= 6e6
    numbers = [path.stem[:2] for path in PATHS]
    assert numbers[0] == "00" and len(set(numbers)) == len(numbers) >= 7


def test_one_clean_run_from_top_to_bottom(notebook):
    """Planted bug: a cell executed twice in the committed 02; its counts no longer ran 1..n."""
    counts = [cell.execution_count for cell in _code(notebook)]
    assert counts == list(range(1, len(counts) + 1))


def test_one_parameters_cell_of_literals_with_a_meaning_each(notebook):
    tagged = [cell for cell in _code(notebook) if "parameters" in cell.metadata.get("tags", [])]
    assert len(tagged) == 1
    for line in tagged[0].source.splitlines():
        assert re.fullmatch(r"[a-z_]+ = [^=#]+  # [^=]+", line), line


def test_values_are_checked_before_anything_is_computed(notebook):
    """Every parameter that has a rule is handed to it in the first cells of code."""
    parameters, *others = (cell.source for cell in _code(notebook)[:4])
    names = [line.split(" = ")[0] for line in parameters.splitlines()]
    first = next(source for source in others if re.search(r"check_parameters\(|Paper\(", source))
    given = [name for name in names if f"{name}={name}" in first or f'"{name}": {name}' in first]
    assert [name for name in names if name in RULES and name not in given] == []


def test_logic_lives_in_the_package(notebook):
    sources = "\n".join(cell.source for cell in _code(notebook))
    assert not re.search(r"^\s*(def|class) |sys\.path|os\.environ", sources, re.MULTILINE)
    assert max(len(cell.source.splitlines()) for cell in _code(notebook)[2:]) <= 32


def test_stored_outputs_are_whole_and_nothing_names_a_machine(notebook):
    """Planted bugs: papermill's metadata, which hold paths, and its injected cell left in a stored notebook."""
    outputs = [output for cell in _code(notebook) for output in cell.outputs]
    assert outputs
    assert not [output for output in outputs if output.output_type == "error" or output.get("name") == "stderr"]
    assert not MACHINE_PATH.search(json.dumps(notebook))
    assert not re.search(r" at 0x[0-9a-f]{6}", json.dumps(outputs))  # another one in each run
    assert set(notebook.metadata) <= {"kernelspec", "language_info"}
    assert {name for cell in notebook.cells for name in cell.metadata} <= {"tags", "jupyter"}
    assert "injected-parameters" not in json.dumps(notebook)


def test_results_are_compared(notebook):
    """nbval compares nothing in a notebook whose cells carry no mark."""
    compared = [cell for cell in _code(notebook) if "# NBVAL_CHECK_OUTPUT" in cell.source.splitlines()]
    assert compared
    assert all(cell.outputs for cell in compared)


def test_a_notebook_is_a_paper_and_no_program():
    """All but 08: short cells, little code, words beside it. Planted bugs: a cell of twenty lines of bookkeeping, alone
    and behind an import.
    """
    imports = re.compile(r"((from|import) .*|    \w+,|\)|)")
    for path in (path for path in PATHS if path.stem[:2] != "08"):
        cells = nbformat.read(path, as_version=4).cells
        code = [cell.source for cell in cells if cell.cell_type == "code"]
        own = [cell.source.splitlines() for cell in cells if cell.cell_type == "code" and not cell.metadata.get("tags")]
        assert max(len(lines) for lines in own if not all(map(imports.fullmatch, lines))) <= 12, path.stem
        words = sum(len(cell.source) for cell in cells if cell.cell_type == "markdown")
        n_code = sum(map(len, code))
        assert n_code <= 7000 and words >= 0.6 * n_code, (path.stem, n_code, words / n_code)


def test_figures_are_shown_and_results_recorded(notebook):
    sources = "\n".join(cell.source for cell in _code(notebook))
    assert sources.count("save_figure(") + sources.count("paper.figure(") >= 1
    assert sources.count("save_result(") + sources.count("paper.save(") == 1
    assert not re.search(r"savefig|open\(|write_text|to_csv|np\.save|write_json", sources)  # nothing written past them


@pytest.mark.parametrize("path", PATHS, ids=lambda path: path.stem)
def test_unknown_parameters_are_refused_with_the_known_ones(path):
    known = known_parameters(path)
    assert {"profile", "run_name"} <= set(known)
    with pytest.raises(ValueError, match=r"has no parameter sed; known: .*run_name"):
        typed_parameters(path, {"sed": 1})


@pytest.fixture(scope="module")
def measured_file(tmp_path_factory):
    """A falling spectrum with a line, on a grid that is not a multiple of a token."""
    rng = np.random.default_rng(5)
    freqs = np.arange(2.0, 812.0, 2.0)
    psd = (
        1e-14
        * (1 / freqs + 1e-3)
        * (1 + 5 * np.exp(-0.5 * ((freqs - 300) / 6) ** 2))
        * rng.gamma(16, 1 / 16, len(freqs))
    )
    path = tmp_path_factory.mktemp("data") / "device.csv"
    np.savetxt(path, np.column_stack([freqs, psd]), delimiter=",", header="frequency_Hz,psd", comments="")
    return path


def _run(notebook, tmp_path, monkeypatch, **parameters):
    monkeypatch.setenv("NBLIB_RUNS", str(tmp_path / "runs"))
    monkeypatch.setattr(notebooks, "_execute", forked_notebook.execute)
    run_notebook(notebook, tmp_path / "out" / notebook.name, {"run_name": "tiny", **parameters})
    record = json.loads((tmp_path / "runs" / "smoke" / notebook.stem / "tiny" / "result.json").read_text())
    figures = tmp_path / "runs" / "smoke" / "figures" / "tiny"
    assert all(path.with_suffix(".pdf").exists() for path in figures.glob("*.png"))
    return record, {path.stem for path in figures.glob("*.png")}


@pytest.mark.slow
def test_08_reads_a_measured_file(tmp_path, monkeypatch, measured_file):
    notebook = NOTEBOOKS / "08_your_own_spectra.ipynb"
    record, figures = _run(notebook, tmp_path, monkeypatch, source=str(measured_file), n_segments=16)
    assert record["metrics"]["bins"] == 405 and record["metrics"]["flags"] >= 1
    assert {"08_answer", "08_why"} == figures
    written = {path.name for path in (measured_file.parent / "nblib-results").iterdir()}
    assert written == {f"device.{ending}" for ending in ("flags.csv", "flags.json", "cleaned.csv", "flags.png")}


@pytest.mark.parametrize(
    ("name", "value", "known"),
    [
        ("profile", "quik", "smoke, brief, quick, full"),
        ("family", "thunder", "single_line"),
        ("regularizer", "entropy", "log_barrier"),
    ],
)
def test_unknown_values_stop_a_notebook_before_it_starts(tmp_path, capsys, name, value, known):
    output = tmp_path / "new" / "03.ipynb"
    notebook = NOTEBOOKS / "03_full_attention_regularizer.ipynb"
    assert main(["run", str(notebook), "-o", str(output), "-p", name, value]) == 2
    error = capsys.readouterr().err
    assert error.startswith(f"refused: unknown {name.replace('family', 'noise family')} '{value}'")
    assert known in error
    assert error.count("\n") == 1
    assert not output.parent.exists()


PENALTY = '''from nblib.losses import regularizer


@regularizer
def squared_of_tests(cls_attn, noisy, *, clean, **context):
    """Square of the attention on noisy tokens, heads averaged."""
    mass = (cls_attn * noisy[:, None]).sum(dim=-1).mean(dim=1)
    return mass**2, noisy.any(dim=-1) & clean.any(dim=-1)
'''
LITTLE = {"steps": 2, "batch_size": 4, "validate_every": 2, "n_validation": 4, "d_model": 32, "dim_feedforward": 64}


@pytest.mark.slow
def test_a_penalty_of_ones_own_gets_its_row_beside_the_published_ones(tmp_path, monkeypatch):
    """Nothing else is trained, and the record of the sweep stays. Planted bug: `mine` left out of the front."""
    (tmp_path / "own_of_tests.py").write_text(PENALTY)
    sizes = {"training": LITTLE, "sweep_steps": 2, "n_sweep_seeds": 1, "n_test": 30, "n_tune": 20}
    (tmp_path / "sizes.json").write_text(json.dumps({"quick": sizes}))
    monkeypatch.setenv("NBLIB_PROFILES", str(tmp_path / "sizes.json"))
    monkeypatch.setenv("NBLIB_RUNS", str(tmp_path / "runs"))
    monkeypatch.setattr(notebooks, "_execute", forked_notebook.execute)
    values = {"from_record": True, "mine": ["squared_of_tests"], "extensions": str(tmp_path / "own_of_tests.py")}
    run_notebook(NOTEBOOKS / "05_lambda_sweep.ipynb", tmp_path / "05.ipynb", values)
    shown = json.dumps(nbformat.read(tmp_path / "05.ipynb", as_version=4))
    for weight in (1, 10, 100):
        assert f"squared_of_tests {weight}" in shown
    assert "uniform_clean 100" in shown
    trained = list((tmp_path / "runs" / "models").iterdir())
    assert {path.name.split("-")[1] for path in trained} == {"squared_of_tests"}
    assert not list((tmp_path / "runs").rglob("result.json"))
