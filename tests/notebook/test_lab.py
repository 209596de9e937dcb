"""Copies of notebooks for JupyterLab: renewed while untouched, kept once edited."""

import json
import re

import pytest

from nblib.notebook import lab
from nblib.project.paths import published_figures


@pytest.fixture
def originals(tmp_path, monkeypatch):
    monkeypatch.setenv("NBLIB_RUNS", str(tmp_path / "runs"))
    monkeypatch.setattr(lab, "NOTEBOOKS", tmp_path / "notebooks")
    (tmp_path / "notebooks").mkdir()
    for name in ("a", "b"):
        write(tmp_path / "notebooks" / f"{name}.ipynb", f"{name} 1")
    return tmp_path / "notebooks"


def write(path, text):
    parameters = {"metadata": {"tags": ["parameters"]}, "source": ['profile = "smoke"  # how much\n', "seed = 0  # of"]}
    path.write_text(json.dumps({"cells": [parameters, {"metadata": {}, "source": [text]}]}))


def text_of(path):
    return "".join(json.loads(path.read_text())["cells"][1]["source"])


def test_an_edited_copy_stays_and_an_untouched_one_is_renewed(originals):
    """Planted bug: every start of JupyterLab copied over what was tried there."""
    folder, notes = lab.copy_notebooks()
    assert sorted(path.name for path in folder.glob("*.ipynb")) == ["a.ipynb", "b.ipynb"]
    assert notes == []
    (folder / "a.ipynb").write_text("mine")
    assert lab.copy_notebooks() == (folder, [])  # its original is the same: nothing to say
    for name in ("a", "b"):
        write(originals / f"{name}.ipynb", f"{name} 2")
    _, notes = lab.copy_notebooks()
    assert (folder / "a.ipynb").read_text() == "mine"
    assert text_of(folder / "b.ipynb") == "b 2"
    assert len(notes) == 1
    assert "a.ipynb is yours and stays" in notes[0]
    assert text_of(originals / "a.ipynb") == "a 2"


def test_a_copy_runs_at_the_sizes_of_a_first_look(originals):
    """Planted bug: the original's own defaults changed."""
    before = (originals / "a.ipynb").read_bytes()
    folder, _ = lab.copy_notebooks()
    parameters = json.loads((folder / "a.ipynb").read_text())["cells"][0]
    assert parameters["source"] == 'profile = "brief"  # how much\nseed = 0  # of'
    assert (originals / "a.ipynb").read_bytes() == before


def test_a_copy_says_what_it_runs_and_finds_the_figures(originals):
    """Planted bug: links that lead from notebooks/, and a copy at `brief` that says it runs `smoke`."""
    write(originals / "a.ipynb", "![A line](../figures/00_a.png) cells run here use `smoke`, the parameters' default")
    folder, _ = lab.copy_notebooks()
    shown = text_of(folder / "a.ipynb")
    (link,) = re.findall(r"\((\S+)/00_a.png\)", shown)
    assert (folder / link).resolve() == published_figures().resolve()
    assert shown.endswith("cells run here use `brief`, the parameters' default")


def test_the_clone_is_served_and_the_copies_are_shown_first(monkeypatch, tmp_path):
    """Planted bug: the folder as JupyterLab's own argument, which was served instead of the clone."""
    monkeypatch.setattr(lab, "ROOT", tmp_path)
    command = lab.lab_command(tmp_path / "runs" / "my lab")
    assert f"--ServerApp.root_dir={tmp_path}" in command
    assert "--LabApp.default_url=/lab/tree/runs/my%20lab" in command
    assert all(word.startswith("--") for word in command)
    assert "--allow-root" not in command
    assert "--allow-root" in lab.lab_command(tmp_path / "runs", as_root=True)


def test_copies_outside_the_clone_are_served_themselves(tmp_path):
    assert f"--ServerApp.root_dir={tmp_path}" in lab.lab_command(tmp_path)


@pytest.mark.slow
def test_jupyterlab_takes_every_argument(tmp_path):
    """Planted bug: a hook that the server cannot import, told only when a notebook is first stored."""
    from jupyter_server.services.contents.largefilemanager import AsyncLargeFileManager
    from jupyterlab.labapp import LabApp

    (tmp_path / "jupyter_server_config.py").write_text(
        "c.ServerApp.ip = '0.0.0.0'\nc.ServerApp.allow_remote_access = True\n"
    )
    app = LabApp()
    app.config_file_paths.insert(0, str(tmp_path))
    app.load_config_file()
    app.parse_command_line(lab.lab_command(tmp_path))
    assert app.config.ServerApp.ip == "127.0.0.1"  # planted bug: the user's settings win
    assert app.config.ServerApp.allow_remote_access is False
    assert "token" not in str(app.config).lower()  # Jupyter draws one, as nothing sets it
    assert app.extra_args == []
    manager = AsyncLargeFileManager(root_dir=str(tmp_path), config=app.config)
    assert manager.pre_save_hook is lab.without_widgets


def test_a_stored_notebook_holds_no_widget():
    """Planted bug: a notebook opened again showed "Loading widget..."."""
    widget = {"output_type": "display_data", "data": {lab.WIDGET: {"model_id": "1"}, "text/plain": "controls"}}
    figure = {"output_type": "display_data", "data": {"image/png": "aGk="}}
    only = {"output_type": "display_data", "data": {lab.WIDGET: {"model_id": "2"}}}
    stream = {"output_type": "stream", "name": "stdout", "text": "hello"}
    cells = [{"cell_type": "markdown", "source": ""}, {"cell_type": "code", "outputs": [widget, figure, only, stream]}]
    content = {"metadata": {"widgets": {"state": {}}, "kernelspec": {}}, "cells": cells}
    lab.without_widgets({"type": "notebook", "content": content}, path="a.ipynb", contents_manager=None)
    assert widget["data"] == {"text/plain": "controls"}
    assert figure["data"] == {"image/png": "aGk="}
    assert only["data"] == {lab.WIDGET: {"model_id": "2"}}  # nothing else would be left of it
    assert content["metadata"] == {"kernelspec": {}}
    lab.without_widgets({"type": "file", "content": "text"}, path="a.txt", contents_manager=None)
