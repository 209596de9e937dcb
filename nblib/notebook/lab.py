"""Notebooks to play with: copies below runs/lab, so that what is tried there changes nothing that is tracked.

A copy runs at the sizes of a first look: profile `brief`, and from the record where a notebook can.
"""

import hashlib
import json
from pathlib import Path
from urllib.parse import quote

from nblib.notebook.stored_outputs import links_from, set_parameters
from nblib.project.paths import NOTEBOOKS, ROOT, from_root, runs_dir
from nblib.project.records import read_json, write_json

WIDGET = "application/vnd.jupyter.widget-view+json"
ORIGINS = ".originals.json"  # digests of the notebook that each copy was made of, and of the copy as it was made
FIRST_LOOK = {"profile": "brief", "from_record": True}


def copy_notebooks() -> tuple[Path, list[str]]:
    """Copy the notebooks to runs/lab; a copy that was edited or run there stays as it is.

    Returns
    -------
    the folder, and a line for each copy that stays although its original has changed since
    """
    folder, notes = runs_dir("lab"), []
    origins = read_json(folder / ORIGINS) if (folder / ORIGINS).exists() else {}
    for original in sorted(NOTEBOOKS.glob("*.ipynb")):
        copy, digest = folder / original.name, _digest(original)
        made_of, as_made = origins.get(original.name, ("", ""))
        if copy.exists() and _digest(copy) != as_made:
            if made_of != digest:
                notes.append(f"{from_root(copy)} is yours and stays; delete it to get the new {from_root(original)}")
            continue
        notebook = set_parameters(json.loads(original.read_text(encoding="utf-8")), **FIRST_LOOK)
        copy.parent.mkdir(parents=True, exist_ok=True)
        text = links_from(json.dumps(notebook, indent=1, ensure_ascii=False), folder)
        text = text.replace("cells run here use `smoke`", f"cells run here use `{FIRST_LOOK['profile']}`")
        copy.write_text(text + "\n", encoding="utf-8")
        origins[original.name] = digest, _digest(copy)
    write_json(folder / ORIGINS, origins)
    return folder, notes


def lab_command(folder: Path, as_root: bool = False) -> list[str]:
    """JupyterLab's arguments: the clone is served, with runs/, figures/ and the README; `folder` is shown first.

    The folder is not given as JupyterLab's positional argument: that would be served instead of the clone.

    Parameters
    ----------
    folder : holds the copies; served itself where it lies outside the clone
    as_root : allow the account that JupyterLab otherwise refuses
    """
    root = ROOT if folder.is_relative_to(ROOT) else folder
    shown = quote(folder.relative_to(root).as_posix().lstrip("."))
    command = ["--ServerApp.ip=127.0.0.1", "--ServerApp.allow_remote_access=False"]  # whatever a user's settings say
    command += [f"--ServerApp.root_dir={root}", f"--LabApp.default_url=/lab/tree/{shown}", "--log-level=WARN"]
    command.append(f"--ContentsManager.pre_save_hook={__name__}.{without_widgets.__name__}")
    return [*command, "--allow-root"] if as_root else command


def without_widgets(model: dict, **_) -> None:
    """Before JupyterLab stores a notebook: leave of a widget what can be read without its kernel.

    A stored widget opens again as "Loading widget..."; its text and its picture, where it has one, can be read.

    Parameters
    ----------
    model : of Jupyter's contents service, changed in place: {"type": "notebook", "content": notebook, ...}
    """
    if model.get("type") != "notebook" or not model.get("content"):
        return
    model["content"].get("metadata", {}).pop("widgets", None)
    for cell in model["content"].get("cells", []):
        for output in cell.get("outputs", []):
            if output.get("data", {}).keys() - {WIDGET}:
                output["data"].pop(WIDGET, None)


def _digest(path):
    return hashlib.sha256(path.read_bytes()).hexdigest()
