"""`nblib run`, `nblib grid-table`, `nblib outputs`."""

import argparse
import os
import sys
import tempfile
import threading
from contextlib import contextmanager
from pathlib import Path

from nblib.project.paths import NOTEBOOKS, from_root, runs_dir
from nblib.project.profiles import PROFILES
from nblib.project.values import add_parameters, given_parameters

JOBS_VARIABLE = "NBLIB_JOBS"  # folder in which somebody else watches the progress of several notebooks


def run_command(arguments: list[str]) -> int:
    """Execute a notebook; 1 when a cell fails. Raises ValueError for what is refused, before a kernel starts."""
    from nblib.notebook.parameters import typed_parameters

    parser = argparse.ArgumentParser(
        prog="nblib run",
        description="Execute a notebook: nblib run 03_full_attention_regularizer profile=quick reg_weight=3. "
        "Parameters are those of its first code cell.",
    )
    parser.add_argument("notebook", help="a file, or the name of one in notebooks/")
    parser.add_argument("-o", "--output", type=Path, help="the executed notebook; default: beside its record in runs/")
    parser.add_argument("--name", help="what the lines that show progress call it; default: the notebook's name")
    add_parameters(parser)
    options = parser.parse_intermixed_args(arguments)
    notebook = _find(options.notebook)
    values = typed_parameters(notebook, given_parameters(options))
    output = options.output or _default_output(notebook, values)
    name = options.name or notebook.stem
    if os.environ.get(JOBS_VARIABLE):
        return _execute(notebook, output, values, Path(os.environ[JOBS_VARIABLE]) / f"{name}.progress")
    with tempfile.TemporaryDirectory() as folder, _watched(Path(folder)):
        status = _execute(notebook, output, values, Path(folder) / f"{name}.progress")
    if status == 0:
        print(from_root(output))
    return status


def _find(name):
    path = Path(name)
    if not path.is_file() and len(path.parts) == 1:
        path = NOTEBOOKS / f"{path.name.removesuffix('.ipynb')}.ipynb"
    if not path.is_file():
        known = ", ".join(sorted(file.stem for file in NOTEBOOKS.glob("*.ipynb"))) or "none here"
        raise ValueError(f"{name} is not a file, nor a notebook of notebooks/ ({known})")
    return path


def _default_output(notebook, values):
    from nblib.notebook.parameters import known_parameters

    values = {"profile": "", "run_name": ""} | known_parameters(notebook) | values
    return runs_dir(values["profile"], notebook.stem, values["run_name"]) / notebook.name


def _execute(notebook, output, values, progress):
    from papermill.exceptions import PapermillExecutionError

    from nblib.notebook.notebooks import run_notebook

    try:
        run_notebook(notebook, output, values, progress)
    except PapermillExecutionError as error:
        failed = from_root(output.with_suffix(".failed.ipynb"))
        print(f"kept up to there: {failed}\n{str(error).rstrip()}", file=sys.stderr)  # the reason last
        return 1
    return 0


@contextmanager
def _watched(folder: Path):
    """Show the progress of the notebooks of a folder on the error stream while the block runs."""
    from nblib.notebook.progress import Watcher

    watcher, over = Watcher(folder, sys.stderr), threading.Event()

    def watch():
        while not over.wait(0.5):
            watcher.update()

    thread = threading.Thread(target=watch, daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()
        watcher.update()


def grid_table_command(arguments: list[str]) -> int:
    """Join records as a small table and a full one beside it; prints the small one and both paths."""
    from nblib.notebook.outputs import full_table, show_table, write_grid

    parser = argparse.ArgumentParser(
        prog="nblib grid-table",
        description="Join the records of runs as CSV: parameters that vary and main metrics; all of them in *_all.csv.",
    )
    parser.add_argument("output", type=Path, help="the CSV")
    parser.add_argument("records", type=Path, nargs="+", help="result.json of each run")
    parser.add_argument("--column", action="append", default=[], help="a metric for the small table, repeatable")
    options = parser.parse_args(arguments)
    path = write_grid(options.output, options.records, options.column)
    print(f"{show_table(path)}\n{from_root(path)}; everything: {from_root(full_table(path))}")
    return 0


def outputs_command(arguments: list[str]) -> int:
    """List executed notebooks, records and figures of profiles."""
    from nblib.notebook.outputs import list_outputs

    parser = argparse.ArgumentParser(prog="nblib outputs", description="List what the runs of a profile wrote.")
    parser.add_argument("profiles", nargs="*", default=["brief"], metavar="PROFILE", help=f"{', '.join(PROFILES)}")
    options = parser.parse_args(arguments)
    print("\n".join(list_outputs(profile) for profile in options.profiles))
    return 0
