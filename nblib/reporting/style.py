"""One style for every figure, and files for reports: PNG and vector PDF, the same bytes for the same data."""

import json
from pathlib import Path

import matplotlib.pyplot as plt
from cycler import cycler
from filelock import FileLock
from matplotlib.figure import Figure

from nblib.project.environment import is_live
from nblib.project.paths import figures_dir
from nblib.project.records import write_json
from nblib.reporting.cell_progress import follow_runs

# dark to light, so that lines stay apart in grey; the line style says it again
COLOURS = ("#08306b", "#c2410c", "#2a9d8f", "#e9a23b", "#8c8c8c", "#7b2d8b", "#000000", "#6b8e23")
LINE_STYLES = ("-", "--", "-.", ":", (0, (5, 1, 1, 1)), (0, (1, 1)), (0, (3, 1, 1, 1, 1, 1)), (0, (8, 2)))
STYLE = {
    "figure.dpi": 100,
    "savefig.dpi": 200,
    "figure.constrained_layout.use": True,
    "font.size": 9,
    "axes.titlesize": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "grid.alpha": 0.25,
    "grid.linewidth": 0.5,
    "lines.linewidth": 1.2,
    "legend.frameon": False,
    "legend.fontsize": 8,
    "axes.prop_cycle": cycler(color=COLOURS, linestyle=LINE_STYLES),
    "pdf.fonttype": 42,
    "svg.hashsalt": "nblib",
    "axes.formatter.useoffset": False,
}


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
    fig.set_layout_engine("none")  # the places found for the first file are those of the second, and of the notebook
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
