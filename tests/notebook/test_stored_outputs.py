"""Outputs of a run in the notebook that was run: whole, counted anew, nothing of papermill or of the machine left."""

import nbformat
import pandas as pd
import pytest

from nblib.notebook.stored_outputs import BESIDE, set_parameters, store_outputs

SOURCES = ("seed = 0  # the profile's", "print(seed)", "", "seed")


@pytest.fixture
def notebook(tmp_path):
    cells = [nbformat.v4.new_code_cell(source) for source in SOURCES]
    cells[0].metadata["tags"] = ["parameters"]
    book = nbformat.v4.new_notebook(cells=[nbformat.v4.new_markdown_cell("# Title"), *cells])
    nbformat.write(book, tmp_path / "a.ipynb")
    return tmp_path / "a.ipynb"


def executed_of(notebook, seed=5):
    """As papermill leaves it: an injected cell, its own metadata, counts of its own."""
    book = nbformat.read(notebook, as_version=4)
    injected = nbformat.v4.new_code_cell(f"seed = {seed}", metadata={"tags": ["injected-parameters"]})
    book.cells.insert(2, injected)
    book.metadata["papermill"] = {"input_path": "/home/somebody/a.ipynb"}
    for count, cell in enumerate([cell for cell in book.cells if cell.cell_type == "code" and cell.source], start=3):
        cell.execution_count = count
        cell.metadata["papermill"] = {"duration": 1.0}
    book.cells[3].outputs = [nbformat.v4.new_output("stream", text=f"{seed}\n")]
    book.cells[5].outputs = [nbformat.v4.new_output("execute_result", {"text/plain": str(seed)}, execution_count=6)]
    legend = {"text/plain": f"<matplotlib.legend.Legend at 0x7fdd{seed}a>"}
    book.cells[5].outputs.append(nbformat.v4.new_output("execute_result", legend, execution_count=6))
    nbformat.write(book, notebook.with_name("done.ipynb"))
    return notebook.with_name("done.ipynb")


def test_the_runs_outputs_are_stored_and_nothing_else_of_it(notebook):
    """Planted bugs: the injected cell kept; counts as papermill had them; the metadata or an address copied along."""
    assert store_outputs(notebook, executed_of(notebook))
    book = nbformat.read(notebook, as_version=4)
    assert [cell.source for cell in book.cells] == ["# Title", *SOURCES]
    assert [cell.execution_count for cell in book.cells[1:]] == [1, 2, None, 3]
    assert book.cells[2].outputs[0].text == "5\n"
    assert [output.execution_count for output in book.cells[4].outputs] == [3]
    assert "papermill" not in notebook.read_text()
    assert book.cells[1].metadata == {"tags": ["parameters"]}
    assert not store_outputs(notebook, executed_of(notebook))  # the same again: the file stays as it is
    nbformat.validate(book)


def test_outputs_of_other_cells_are_refused(notebook):
    """Planted bug: outputs matched by position alone."""
    done, before = executed_of(notebook), notebook.read_bytes()
    book = nbformat.read(done, as_version=4)
    book.cells[3].source = "print(seed + 1)"
    nbformat.write(book, done)
    with pytest.raises(ValueError, match="run before a.ipynb was changed; run it again"):
        store_outputs(notebook, done)
    book.cells[3].source, book.cells[3].execution_count = "print(seed)", None
    nbformat.write(book, done)
    with pytest.raises(ValueError, match="a cell that was not run"):
        store_outputs(notebook, done)
    assert notebook.read_bytes() == before


def test_defaults_are_set_where_the_notebook_has_them(notebook):
    book = nbformat.read(notebook, as_version=4)
    assert set_parameters(book, seed=7, profile="brief")["cells"][1]["source"] == "seed = 7  # the profile's"
    assert set_parameters(book, seed="x")["cells"][1]["source"] == 'seed = "x"  # the profile\'s'


def test_a_table_beside_the_former_record_shows_what_is_published_now(notebook):
    """Planted bugs: the former record's numbers left under "published"; the run's overwritten by them."""
    columns = pd.MultiIndex.from_product([["AP", "error [ln²]"], BESIDE])
    former = pd.DataFrame([["0.5", "0.4", "2", "\N{EN DASH}"], ["1", "2", "3", "4"]], ["a, 1", "b"], columns)
    now = pd.DataFrame([["0.5", "0.5", "2", "2"], ["1", "1", "3", "3"]], ["a, 1", "b"], columns)
    done = executed_of(notebook)
    book = nbformat.read(done, as_version=4)
    other = {"text/html": pd.DataFrame({"AP": ["1"]}).to_html(), "text/plain": "untouched"}
    shown = {"text/html": former._repr_html_(), "text/plain": repr(former)}
    book.cells[3].outputs = [nbformat.v4.new_output("display_data", data) for data in (shown, other)]
    nbformat.write(book, done)
    store_outputs(notebook, done)
    table, untouched = (output.data for output in nbformat.read(notebook, as_version=4).cells[2].outputs)
    assert table == {"text/html": now._repr_html_(), "text/plain": repr(now)}
    assert untouched == other
