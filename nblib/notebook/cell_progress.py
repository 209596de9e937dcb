"""In JupyterLab: one line under the running cell that says how far its trainings are. Plain text, so it stores well."""

import os
import sys
import threading
import time
from typing import Any

from nblib.live import LiveOutput
from nblib.notebook.progress import Job, clock
from nblib.project.paths import runs_dir
from nblib.project.progress import PROGRESS_VARIABLE, follow

PERIOD = 0.5  # s between two looks


def follow_runs() -> None:
    """Show a line wherever a cell of this kernel announces runs; nothing outside a kernel."""
    shell = _shell()
    if shell is not None and not hasattr(shell, "nblib_progress"):
        shell.nblib_progress = CellProgress()
        follow(shell.nblib_progress.start)
        shell.events.register("post_run_cell", shell.nblib_progress.stop)


def _shell() -> Any:
    """The shell of a notebook's kernel, None elsewhere."""
    if "ipykernel" not in sys.modules:
        return None
    from IPython import get_ipython

    return get_ipython()


class CellProgress:
    """The line of one cell at a time, read from the events that its processes write."""

    def __init__(self):
        self._thread: threading.Thread | None = None
        self._ended = threading.Event()

    def start(self) -> None:
        """Begin a line under the running cell; a cell that announces more runs goes on with the same one."""
        if self._thread is not None or os.environ.get(PROGRESS_VARIABLE):
            return
        self._path = runs_dir("log", "lab") / f"{os.getpid()}.progress"
        self._path.write_text("", encoding="utf-8")
        os.environ[PROGRESS_VARIABLE] = str(self._path)
        self._job, self._output, self._began = Job("cell", self._path), LiveOutput(), time.time()
        self._output.show({"text/plain": "training ..."})
        self._ended.clear()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._thread.start()

    def stop(self, *_) -> None:
        """The cell is through, or was interrupted: say what it trained."""
        if self._thread is None:
            return
        self._ended.set()
        self._thread.join()
        self._thread = None
        os.environ.pop(PROGRESS_VARIABLE, None)
        self._job.read()
        finished, total = self._job.finished(), len(self._job.planned)
        word = self._job.what + ("" if total == 1 else "s")
        self._output.show({"text/plain": f"{finished} of {total} {word} in {clock(time.time() - self._began)}"})
        self._path.unlink(missing_ok=True)

    def _watch(self):
        last = ""
        while not self._ended.wait(PERIOD):
            self._job.read()
            line = self._job.counts(time.time()) if self._job.is_busy() else last
            if line and line != last:
                self._output.show({"text/plain": line})
                last = line
