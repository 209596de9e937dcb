"""The runner: parameters by name, refusals before anything starts, and no half-written output."""

import nbformat
import pytest

from nblib.reporting.notebooks import known_parameters, main


def notebook(path, *sources, tag="parameters"):
    cells = [nbformat.v4.new_code_cell(source) for source in sources]
    cells[0].metadata["tags"] = [tag]
    book = nbformat.v4.new_notebook(cells=cells)
    book.metadata["kernelspec"] = {"name": "python3", "display_name": "Python 3", "language": "python"}
    nbformat.write(book, path)
    return path


def test_parameters_arrive_with_their_types(tmp_path):
    path = notebook(
        tmp_path / "a.ipynb", 'n = 1  # number\nwords = []  # list\ntext = ""  # text', "print(n + 1, words, text)"
    )
    assert known_parameters(path) == {"n": "1", "words": "[]", "text": '""'}
    output = tmp_path / "new" / "out.ipynb"
    assert main([str(path), str(output), "-p", "n", "2", "-p", "words", "[0.5, b]", "-p", "text", "it's"]) == 0
    assert nbformat.read(output, 4).cells[-1].outputs[0].text == "3 [0.5, 'b'] it's\n"


def test_a_failing_cell_leaves_what_ran_under_another_name(tmp_path, capsys):
    """Planted bug: papermill writing to the output itself, so that a failed run looked done."""
    path, output = notebook(tmp_path / "a.ipynb", "n = 1  # number", "print(n)\n1 / 0"), tmp_path / "out.ipynb"
    assert main([str(path), str(output)]) == 1
    assert "ZeroDivisionError" in capsys.readouterr().err
    assert not output.exists()
    assert nbformat.read(tmp_path / "out.failed.ipynb", 4).cells[-1].outputs[0].text == "1\n"


def test_what_is_refused_writes_nothing(tmp_path, capsys):
    path, output = notebook(tmp_path / "a.ipynb", "n = 1  # number"), tmp_path / "new" / "out.ipynb"
    untagged = notebook(tmp_path / "b.ipynb", "n = 1", tag="other")
    for arguments, message in (
        ([str(path), str(output), "-p", "m", "2"], "a.ipynb has no parameter m; known: n (default 1)"),
        ([str(untagged), str(output)], "b.ipynb has no cell tagged `parameters`"),
        ([str(tmp_path / "none.ipynb"), str(output)], "none.ipynb is not a file"),
    ):
        assert main(arguments) == 2
        assert message in capsys.readouterr().err
    assert not output.parent.exists()
    with pytest.raises(SystemExit):
        main([str(path)])
