"""A forked process that has what other packages take seconds to import, and nothing of the project."""

import importlib
import logging
import os
import subprocess
import sys
import tempfile
import traceback
import warnings
from collections.abc import Callable, Mapping
from pathlib import Path

import jaxtyping
import shapes

TESTS = Path(__file__).resolve().parent
OWN = ("nblib", "evidence", "workflow")
HOOKED = ("jaxtyping", "_pytest")  # their finders change what is imported
CAN_FORK = sys.platform == "linux"  # elsewhere a copy of a process may not be able to go on


def forget_the_project() -> None:
    """In a forked process: its modules and those of its tests are imported anew, without the checks of shapes.

    Warnings and messages of logging are no longer caught by pytest.
    """
    for name, module in list(sys.modules.items()):
        if name.partition(".")[0] in OWN or is_of_tests(getattr(module, "__file__", None) or ""):
            del sys.modules[name]
    sys.meta_path[:] = [finder for finder in sys.meta_path if finder.__module__.partition(".")[0] not in HOOKED]
    jaxtyping.jaxtyped = shapes._each_call
    os.environ.pop("PYTEST_CURRENT_TEST", None)
    logging.getLogger().handlers.clear()
    importlib.reload(warnings)


def is_of_tests(path: str) -> bool:
    """Does it lie in the folder of the tests?"""
    return bool(path) and TESTS in (Path(path), *Path(path).parents)


def forked(program: Callable[[], object], folder: Path, environment: Mapping[str, str]) -> subprocess.CompletedProcess:
    """What a program prints in such a process, in a folder, and how it ends; as subprocess.run gives it."""
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        process = os.fork()
        if process == 0:
            _do(program, folder, environment, out, err)
        status = os.waitstatus_to_exitcode(os.waitpid(process, 0)[1])
        texts = []
        for stream in (out, err):
            stream.seek(0)
            texts.append(stream.read().decode())
    return subprocess.CompletedProcess([], status, *texts)


def _do(program, folder, environment, out, err):
    status = 1
    try:
        for number, stream in enumerate((out, err), 1):
            os.dup2(stream.fileno(), number)
        sys.stdout, sys.stderr = (open(number, "w", closefd=False) for number in (1, 2))  # noqa: SIM115
        os.chdir(folder)
        os.environ.clear()
        os.environ.update(environment)
        forget_the_project()
        sys.path[:] = ["", *(path for path in sys.path if not is_of_tests(path))]
        program()
        status = 0
    except SystemExit as end:
        status = end.code or 0
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)
