"""A kernel of nbval forked from the tests' process, which has imported other packages: a new one spends seconds on it.

It is IPython's kernel, asked over its sockets, in a process of its own. It imports the project anew, without the checks
of shapes: of the modules of the project and of its tests it knows none. Each notebook gets one.
"""

import asyncio
import contextlib
import os
import signal
import sys
import tempfile
from types import SimpleNamespace

import ipykernel.kernelapp
import nbval.kernel
import nbval.plugin
from forgetting import forget_the_project, is_of_tests
from jupyter_client import BlockingKernelClient
from jupyter_client.connect import write_connection_file


def use() -> None:
    """Have nbval run its notebooks in such kernels."""
    nbval.plugin.RunningKernel = ForkedKernel


class ForkedKernel(nbval.kernel.RunningKernel):
    """What nbval asks of a kernel."""

    def __init__(self, kernel_name, cwd=None, startup_timeout=60):
        self.folder, self.pid = tempfile.TemporaryDirectory(), None
        file, _ = write_connection_file(f"{self.folder.name}/kernel.json", transport="ipc", ip=f"{self.folder.name}/at")
        self.pid = os.fork()
        if self.pid == 0:
            _be_kernel(file, cwd)
        self.km = SimpleNamespace(
            is_alive=self._is_alive,
            interrupt_kernel=lambda: os.kill(self.pid, signal.SIGINT),
            shutdown_kernel=self._shut_down,
            kernel_spec=SimpleNamespace(language="python"),
        )
        self.kc = BlockingKernelClient(connection_file=file)
        self.kc.load_connection_file()
        self.kc.start_channels(hb=False)  # whose kernel is dead after a second without a core
        try:
            self.kc.wait_for_ready(timeout=startup_timeout)
            self._ensure_iopub_up()
        except BaseException:
            self.stop()
            raise

    def _is_alive(self):
        if self.pid and os.waitpid(self.pid, os.WNOHANG)[0]:
            self.pid = None
        return self.pid is not None

    def _shut_down(self, now):
        if self._is_alive():
            os.kill(self.pid, signal.SIGKILL)
            os.waitpid(self.pid, 0)
            self.pid = None
        self.folder.cleanup()


def _be_kernel(file, cwd):
    """Forked: forget the project and the tests, and be a kernel until the end."""
    with contextlib.suppress(BaseException):
        null = os.open(os.devnull, os.O_RDWR)
        for stream in range(3):
            os.dup2(null, stream)
        sys.stdout, sys.stderr = sys.__stdout__, sys.__stderr__
        forget_the_project()
        sys.path[:] = ["", *(path for path in sys.path if path and not is_of_tests(path))]
        os.chdir(cwd)
        asyncio.set_event_loop(asyncio.new_event_loop())
        arguments = ["-f", file, "--matplotlib=inline", "--HistoryManager.hist_file=:memory:"]
        arguments += ["--InlineBackend.figure_formats=set()"]  # drawn to their files, not once more to be looked at
        arguments += [f"--IPKernelApp.parent_handle={os.getppid()}"]  # with which it ends
        ipykernel.kernelapp.IPKernelApp.launch_instance(arguments)
    os._exit(0)
