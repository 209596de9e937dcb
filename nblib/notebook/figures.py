"""Figures of notebooks as files for reports: PNG and vector PDF, the same bytes for the same data, and their index."""

import json
from pathlib import Path

import matplotlib.pyplot as plt
from filelock import FileLock
from matplotlib.figure import Figure

from nblib.notebook.cell_progress import follow_runs
from nblib.project.environment import is_live
from nblib.project.paths import figures_dir
from nblib.project.records import write_json
from nblib.style import STYLE


def use_style() -> None:
    """Apply the house style to every figure made afterwards; in JupyterLab, runs say from now on how far they are."""
    if is_live():
        follow_runs()
    plt.rcParams.update(STYLE)  # type: ignore[arg-type] # any string is a key at run time


def save_figure(fig: Figure, name: str, caption: str, profile: str, run_name: str = "") -> None:
    """Write <name>.png and <name>.pdf and enter them in the folder's index.

    Parameters
    ----------
    name : file name without ending, e.g. "03_detection"
    caption : one sentence that says what the figure shows
    profile, run_name : choose the folder, see paths.figures_dir
    """
    folder = figures_dir(profile, run_name)
    fig.savefig(folder / f"{name}.png", metadata={"Software": None})
    fig.set_layout_engine("none")  # laid out for the first file; the second and the notebook have the same layout
    fig.savefig(folder / f"{name}.pdf", metadata={"CreationDate": None, "Creator": None, "Producer": None})
    with FileLock(folder / ".lock"):
        _update_index(folder, name, caption, profile)


def _update_index(folder, name, caption, profile):
    write_index(folder, read_index(folder) | {name: {"caption": caption, "profile": profile}})


def read_index(folder: Path) -> dict[str, dict[str, str]]:
    """Caption and profile of every figure of a folder, by name."""
    index = folder / "index.json"
    return json.loads(index.read_text(encoding="utf-8")) if index.exists() else {}


def write_index(folder: Path, entries: dict[str, dict[str, str]]) -> None:
    """Write a folder's index.json and the README.md that shows its figures."""
    write_json(folder / "index.json", entries)
    lines = ["# Figures", "", "Written by the notebooks; each also as vector PDF beside its PNG.", ""]
    for key, entry in sorted(entries.items()):
        lines += [f"## {key}", "", f"{entry['caption']} (profile {entry['profile']}; [PDF]({key}.pdf))", ""]
        lines += [f"![{entry['caption']}]({key}.png)", ""]
    (folder / "README.md").write_text("\n".join(lines), encoding="utf-8")
