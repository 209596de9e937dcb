"""Processes that begin with modules imported, and know of nothing else that the one which asks for them has done."""

import sys
from multiprocessing import forkserver, get_context
from multiprocessing.context import BaseContext

IS_COPIED = sys.platform == "linux"  # elsewhere a copy of a process may not be able to go on


def new_processes() -> BaseContext:
    """The context of such processes.

    On Linux they are copies of a process that imports and does nothing else. So they have its environment variables:
    hand over those of this process where they may have changed.
    """
    return get_context("forkserver" if IS_COPIED else "spawn")


def import_ahead(module: str) -> None:
    """Have new processes begin with a module, imported once and while this process does other things; Linux only."""
    if IS_COPIED:
        forkserver.set_forkserver_preload([module])
        forkserver.ensure_running()
