"""Notebooks to play with: copies below runs/lab, so that what is tried there changes nothing that is tracked."""

import hashlib
import shutil
from pathlib import Path

from nblib.project.paths import NOTEBOOKS, from_root, runs_dir
from nblib.project.records import read_json, write_json

ORIGINS = ".originals.json"  # digest of the notebook that each copy was made of


def copy_notebooks() -> tuple[Path, list[str]]:
    """Copy the notebooks to runs/lab; a copy that was edited or run there stays as it is.

    returns : the folder, and a line for each copy that stays although its original has changed since
    """
    folder, said = runs_dir("lab"), []
    origins = read_json(folder / ORIGINS) if (folder / ORIGINS).exists() else {}
    for original in sorted(NOTEBOOKS.glob("*.ipynb")):
        copy, digest = folder / original.name, _digest(original)
        if copy.exists() and _digest(copy) not in (digest, origins.get(original.name)):
            if origins.get(original.name) != digest:
                said.append(f"{from_root(copy)} is yours and stays; delete it to get the new {from_root(original)}")
            continue
        shutil.copyfile(original, copy)
        origins[original.name] = digest
    write_json(folder / ORIGINS, origins)
    return folder, said


def _digest(path):
    return hashlib.sha256(path.read_bytes()).hexdigest()
