"""Your own penalty in a cell: written to a file, loaded, replaced when the cell is run again, refused in one line."""

import os
import sys
from functools import partial
from pathlib import Path

import pytest
import torch
from IPython.core.error import UsageError
from IPython.core.interactiveshell import InteractiveShell

from nblib.losses import REGULARIZERS
from nblib.notebook import own
from nblib.notebook.own import load_ipython_extension, write_extension
from nblib.project import extensions
from nblib.training.config import TrainConfig

CELL = '''from nblib.losses import regularizer


@regularizer
def squared_of_cell(cls_attn, noisy, *, clean, **context):
    """Square of the mean attention on noisy tokens."""
    return (cls_attn.mean(dim=1) * noisy).sum(dim=-1) ** 2, noisy.any(dim=-1)
'''


@pytest.fixture
def name(tmp_path, monkeypatch):
    monkeypatch.setenv("NBLIB_RUNS", str(tmp_path))
    yield "penalty_of_cell"
    REGULARIZERS.pop("squared_of_cell", None)
    sys.modules.pop("penalty_of_cell", None)
    for file in [file for file in extensions.loaded_extensions() if file.endswith("penalty_of_cell.py")]:
        extensions._LOADED.pop(file)


def value(name="squared_of_cell"):
    rows = torch.tensor([[[0.4, 0.6]]])
    return float(REGULARIZERS[name](rows, torch.tensor([[True, False]])))


def written_at(time, path, text):
    path.write_text(text)
    os.utime(path, ns=(time, time))


def test_a_cell_run_again_takes_the_place_of_what_it_was(name, tmp_path, monkeypatch):
    """Planted bugs: the module of the first run kept, or its byte code, which fits a text of equal length and second;
    a key that knows the first text only."""
    monkeypatch.setattr(sys, "dont_write_bytecode", False)
    file, registered = write_extension(name, CELL)
    assert (tmp_path / "extensions" / "penalty_of_cell.py").read_text() == CELL
    assert registered == {"penalty": ["squared_of_cell"]}
    assert value() == pytest.approx(0.16)
    first = TrainConfig(regularizer="squared_of_cell", extensions=file).key
    monkeypatch.setattr(own, "write_whole", partial(written_at, Path(file).stat().st_mtime_ns))
    assert write_extension(name, CELL.replace("** 2", "** 3"))[0] == file
    assert value() == pytest.approx(0.064)
    assert TrainConfig(regularizer="squared_of_cell", extensions=file).key != first


def test_a_cell_that_cannot_be_imported_leaves_the_former_one(name):
    write_extension(name, CELL)
    with pytest.raises(ValueError, match="cannot be imported"):
        write_extension(name, "from nblib.losses import regularizerr\n")
    assert value() == pytest.approx(0.16)
    with pytest.raises(ValueError, match="letters, digits and _"):
        write_extension("my penalty", CELL)


def test_the_magic_sets_extensions_and_refuses_in_one_line(name, monkeypatch):
    """Planted bug: a ValueError's whole traceback under a cell."""
    shell, shown = InteractiveShell(), []
    monkeypatch.setattr("IPython.display.display", shown.append)
    load_ipython_extension(shell)
    shell.run_cell_magic("extension", name, CELL)
    assert shell.user_ns["extensions"].endswith("penalty_of_cell.py")
    assert shown[-1].data.endswith("penalty_of_cell.py`: penalty squared_of_cell")
    with pytest.raises(UsageError, match="letters, digits and _"):
        shell.run_cell_magic("extension", "", CELL)
