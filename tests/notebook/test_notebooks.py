"""The runner: parameters by name and type, refusals before anything starts, no half-written output, no widgets."""

import json
import os

import nbformat
import pytest

from nblib.__main__ import main
from nblib.notebook.notebooks import run_notebook
from nblib.notebook.parameters import check_parameters, known_parameters, typed_parameters
from nblib.project.threads import ONE_THREAD


def notebook(path, *sources, tag="parameters"):
    cells = [nbformat.v4.new_code_cell(source) for source in sources]
    cells[0].metadata["tags"] = [tag]
    cells.insert(1, nbformat.v4.new_markdown_cell("# Title\n## A section\ntext"))
    book = nbformat.v4.new_notebook(cells=cells)
    book.metadata["kernelspec"] = {"name": "python3", "display_name": "Python 3", "language": "python"}
    nbformat.write(book, path)
    return path


@pytest.mark.slow
def test_parameters_arrive_with_their_types(tmp_path):
    source = 'n = 1  # number\nwords = []  # list\nweights = [1.0]  # list\ntext = ""  # text\nrate = 0.5  # number'
    path = notebook(tmp_path / "a.ipynb", source, "print(n + 1, words, weights, repr(text), rate)")
    assert known_parameters(path) == {"n": 1, "words": [], "weights": [1.0], "text": "", "rate": 0.5}
    output = tmp_path / "new" / "out.ipynb"
    pairs = ["-p", "n", "2", "-p", "words", "[0.5, b]", "-p", "text", "2024", "weights=1e-1, 2", "-p", "rate", "1e-1"]
    assert main(["run", str(path), "-o", str(output), *pairs]) == 0
    assert nbformat.read(output, 4).cells[-1].outputs[0].text == "3 [0.5, 'b'] [0.1, 2.0] '2024' 0.1\n"


@pytest.mark.slow
def test_a_kernel_started_inside_jupyterlab_is_not_watched(tmp_path, monkeypatch):
    """Planted bugs: the session name, inherited from JupyterLab, taken for a person; torch's threads one a core."""
    monkeypatch.setenv("JPY_SESSION_NAME", "work/03.ipynb")
    for name in ("NBLIB_HEADLESS", *ONE_THREAD):
        monkeypatch.delenv(name, raising=False)
    source = "import os\nfrom nblib.project.environment import is_live\nprint(is_live())\n"
    source += "os.environ['JPY_SESSION_NAME'] = 'inherited'\ndel os.environ['NBLIB_HEADLESS']\nprint(is_live())"
    source += "\nprint(os.environ['OMP_NUM_THREADS'], os.environ['OMP_WAIT_POLICY'])"
    path = notebook(tmp_path / "a.ipynb", "n = 1  # number", source)
    run_notebook(path, tmp_path / "out.ipynb", {}, tmp_path / "events")
    assert nbformat.read(tmp_path / "out.ipynb", 4).cells[-1].outputs[0].text == "False\nFalse\n1 PASSIVE\n"
    assert not set(ONE_THREAD) & set(os.environ)
    events = [json.loads(line) for line in (tmp_path / "events").read_text().splitlines()]
    assert [event.get("section") for event in events] == ["", "A section", None]
    assert events[-1]["state"] == "done"


@pytest.mark.slow
def test_a_failing_cell_leaves_what_ran_under_another_name(tmp_path, capsys):
    """Planted bug: papermill writing to the output itself, so that a failed run looked done."""
    path, output = notebook(tmp_path / "a.ipynb", "n = 1  # number", "print(n)\n1 / 0"), tmp_path / "out.ipynb"
    assert main(["run", str(path), "-o", str(output)]) == 1
    errors = capsys.readouterr().err
    assert "ZeroDivisionError" in errors
    assert "a: failed after" in errors
    assert "IPKernelApp" not in errors
    assert not output.exists()
    assert nbformat.read(tmp_path / "out.failed.ipynb", 4).cells[-1].outputs[0].text == "1\n"


def test_what_is_refused_writes_nothing(tmp_path, capsys):
    path, output = notebook(tmp_path / "a.ipynb", "n = 1  # number"), tmp_path / "new" / "out.ipynb"
    untagged = notebook(tmp_path / "b.ipynb", "n = 1", tag="other")
    for arguments, message in (
        ([str(path), "-p", "m", "2"], "a.ipynb has no parameter m; known: n (default 1)"),
        ([str(path), "n=much"], "n='much' does not fit: n is a whole number"),
        ([str(path), "n"], "'n' is not NAME=VALUE"),
        ([str(untagged)], "b.ipynb has no cell tagged `parameters`"),
        ([str(tmp_path / "none.ipynb")], "none.ipynb is not a file"),
        (["07_nothing"], "07_nothing is not a file, nor a notebook of notebooks/ (00_data, "),
    ):
        assert main(["run", *arguments, "-o", str(output)]) == 2
        errors = capsys.readouterr().err
        assert errors.startswith("refused: ")
        assert message in errors
        assert errors.count("\n") == 1
    assert not output.parent.exists()


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"reg_weight": -3.0}, "reg_weight=-3.0 must be a finite number of at least 0"),
        ({"reg_weight": float("nan")}, "reg_weight=nan must be"),
        ({"reg_weights": []}, r"reg_weights=\[\] is empty"),
        ({"reg_weights": [1.0, -1.0]}, "reg_weights=-1.0 must be"),
        ({"seed": -1}, "seed=-1 must be a whole number of at least 0"),
        ({"n_segments": 0}, "n_segments=0 must be a whole number of at least 1"),
        ({"data_path": "none, 300K.csv"}, "data_path='none, 300K.csv' is not a file"),
        ({"profile": "quik"}, "unknown profile 'quik'"),
        ({"family": "thunder"}, "unknown noise family 'thunder'"),
        ({"penalties": ["mass", "entropy"]}, "unknown regularizer 'entropy'"),
        ({"reg_layers": "first"}, "unknown reg_layers 'first'; known: last, all"),
        ({"run_name": "../x"}, r"run_name='../x' must be a name"),
    ],
)
def test_a_value_that_breaks_a_rule_is_named(values, message):
    """Planted bug: reg_weight=-3 meant "choose", silently, after 90 s."""
    with pytest.raises(ValueError, match=message):
        check_parameters(**values)


def test_values_of_a_grid_file_are_typed_as_the_notebook_says(tmp_path):
    path = notebook(tmp_path / "a.ipynb", 'reg_weight = 0.0  # lambda\nrun_name = ""  # name\ncompare = True  # more')
    typed = typed_parameters(path, {"reg_weight": "1e-1", "run_name": 2024, "compare": False})
    assert typed == {"reg_weight": 0.1, "run_name": "2024", "compare": False}
    with pytest.raises(ValueError, match="run_name=False does not fit: .*into quotes"):
        typed_parameters(path, {"run_name": False})
