"""A notebook run in a process forked from the tests', which has imported what a new kernel spends seconds on.

Kernels themselves are used by the tests of the runner, and by nbval on every notebook.
"""

import contextlib
import os
import traceback
from pathlib import Path

import nbformat
from IPython.core.interactiveshell import InteractiveShell
from IPython.utils.capture import capture_output
from papermill.iorw import load_notebook_node
from papermill.parameterize import parameterize_notebook
from traitlets.config import Config

from nblib.project.paths import ROOT


def execute(notebook: Path, output: Path, parameters: dict) -> None:
    """What `nblib.notebook.notebooks._execute` does; raises AssertionError when a cell fails."""
    process = os.fork()
    if process == 0:
        status = 1
        try:
            _run(notebook, output, parameters)
            status = 0
        except BaseException:
            traceback.print_exc()
        os._exit(status)
    assert os.waitstatus_to_exitcode(os.waitpid(process, 0)[1]) == 0, f"{notebook.name}: a cell failed, see stderr"


def _run(notebook, output, parameters):
    book = parameterize_notebook(load_notebook_node(str(notebook)), parameters)
    shell = InteractiveShell.instance(config=Config(HistoryManager={"enabled": False}))
    with contextlib.chdir(ROOT):
        for cell in book.cells:
            if cell.cell_type == "code":
                with capture_output() as shown:
                    done = shell.run_cell(cell.source)
                cell.outputs = [nbformat.v4.new_output("stream", text=shown.stdout)]
                cell.outputs += [nbformat.v4.new_output("display_data", one.data) for one in shown.outputs]
                done.raise_error()
    nbformat.write(book, output)
