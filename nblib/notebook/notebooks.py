"""Run a notebook without anybody at it: papermill in a kernel of its own, its progress in a file of events."""

import os
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from nblib.notebook.parameters import typed_parameters
from nblib.notebook.stored_outputs import links_from
from nblib.project.environment import HEADLESS_VARIABLE
from nblib.project.paths import ROOT
from nblib.project.progress import PROGRESS_VARIABLE, ended, section
from nblib.project.threads import ONE_THREAD

TIMEOUT = 6 * 3600  # s a cell; papermill itself would wait for ever
LAB_VARIABLE = "JPY_SESSION_NAME"  # says that JupyterLab shows what a kernel prints; inherited by kernels it does not


def run_notebook(notebook: Path, output: Path, values: Mapping[str, Any], progress: Path | None = None) -> None:
    """Execute a notebook to `output`, which appears only when every cell ran.

    Parameters
    ----------
    values : parameters by name, as typed by a person or as Python values
    progress : file that events are appended to (nblib/project/progress.py); None: none

    Raises
    ------
    ValueError for what is refused before a kernel starts (parameters.typed_parameters); PapermillExecutionError when a
    cell fails, and then the notebook up to the failing cell is kept as <output>.failed.ipynb
    """
    parameters = typed_parameters(notebook, values)
    if parameters.get("data_path") and Path(parameters["data_path"]).is_file() and Path.cwd() != ROOT:
        parameters["data_path"] = str(Path(parameters["data_path"]).resolve())  # the kernel starts in ROOT
    output.parent.mkdir(parents=True, exist_ok=True)
    partial = output.with_suffix(".failed.ipynb")
    partial.unlink(missing_ok=True)
    with _headless(progress):
        try:
            _execute(notebook, partial, parameters)
        except KeyboardInterrupt:
            partial.unlink(missing_ok=True)
            ended("interrupted")
            raise
        except Exception:
            ended("failed")
            raise
        partial.write_text(links_from(partial.read_text(encoding="utf-8"), output.parent), encoding="utf-8")
        partial.replace(output)
        ended("done")


def _execute(notebook, output, parameters):
    import papermill
    from papermill.engines import NBClientEngine, papermill_engines

    class Engine(NBClientEngine):
        """papermill's engine, which also says which section of the notebook is running."""

        @classmethod
        def execute_managed_notebook(cls, nb_man, kernel_name, **arguments):
            headings = _headings(nb_man.nb.cells)
            start = nb_man.cell_start

            def cell_start(cell, cell_index=None, **rest):
                if cell.cell_type == "code" and cell_index is not None:
                    section(headings[cell_index])
                start(cell, cell_index=cell_index, **rest)

            nb_man.cell_start = cell_start
            return super().execute_managed_notebook(nb_man, kernel_name, **arguments)

    papermill_engines.register("nblib", Engine)
    papermill.execute_notebook(
        str(notebook),
        str(output),
        parameters,
        engine_name="nblib",
        cwd=str(ROOT),
        kernel_name="python3",
        execution_timeout=TIMEOUT,
        progress_bar=False,
        extra_arguments=["--IPKernelApp.log_level=ERROR"],
    )


def _headings(cells):
    """For every cell the last heading above it."""
    headings, last = [], ""
    for cell in cells:
        if cell.cell_type == "markdown":
            # without the number of the title, which the notebook's name says already
            lines = [re.sub(r"^#+ (\d\d )?", "", line) for line in cell.source.splitlines() if line.startswith("#")]
            last = lines[-1] if lines else last
        headings.append(last)
    return headings


@contextmanager
def _headless(progress: Path | None) -> Iterator[None]:
    """The environment of a kernel that nobody watches; figures are stored in its notebook, not widgets."""
    names = (HEADLESS_VARIABLE, LAB_VARIABLE, PROGRESS_VARIABLE, *ONE_THREAD)
    before = {name: os.environ.get(name) for name in names}
    os.environ.pop(LAB_VARIABLE, None)
    os.environ.update(ONE_THREAD | os.environ)
    os.environ[HEADLESS_VARIABLE] = "1"
    if progress is None:
        os.environ.pop(PROGRESS_VARIABLE, None)
    else:
        progress.parent.mkdir(parents=True, exist_ok=True)
        progress.write_text("", encoding="utf-8")
        os.environ[PROGRESS_VARIABLE] = str(progress.resolve())
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value
