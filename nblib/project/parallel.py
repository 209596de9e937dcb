"""Work done side by side, one core each: processes started anew, so that nothing depends on what this one has done."""

import os
import sys
import threading
import time
from collections.abc import Callable, Iterable
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import active_children, get_context, parent_process
from pathlib import Path

from nblib.project.environment import available_cores
from nblib.project.threads import use_one_thread

WATCH_PERIOD = 0.2  # s between two looks at the parent


def has_accelerator() -> bool:
    """Is there a GPU or the like? False where torch is not installed."""
    try:
        import torch
    except ImportError:
        return False
    return torch.accelerator.is_available()


def map_side_by_side(function: Callable, items: Iterable) -> list:
    """function(item) of every item, in order, in as many processes of one thread as there are cores.

    With an accelerator, one core, one item, or inside such a process the items are done in turn, here. So they are in a
    script without `if __name__ == "__main__":`, which a new process would run from its beginning.

    Parameters
    ----------
    function : of a module, or a `partial` of one: processes import it by name
    items : what pickles

    Raises
    ------
    What the function raises, of the first item that fails; KeyboardInterrupt, once the processes are ended.
    """
    items = list(items)
    n_processes = min(available_cores(), len(items))
    if n_processes < 2 or has_accelerator() or parent_process() is not None or _is_unguarded_script():
        return [function(item) for item in items]
    others = set(active_children())
    with ProcessPoolExecutor(n_processes, get_context("spawn"), _begin) as pool:
        try:
            return list(pool.map(function, items))
        except KeyboardInterrupt:  # of a notebook, this process alone hears of it
            for child in set(active_children()) - others:
                child.terminate()
            raise


def _begin():
    use_one_thread()
    end_with_parent()


def end_with_parent(_: object = None) -> None:
    """Have this process end when the one that started it is gone: killed, it cannot say so, and nobody would wait.

    Parameters
    ----------
    _ : number of a DataLoader's worker, whose worker_init_fn this may be
    """
    started_by, parent = parent_process(), os.getppid()

    def watch():
        if started_by is not None:
            started_by.join()
        while started_by is None and os.getppid() == parent:  # torchrun's processes
            time.sleep(WATCH_PERIOD)
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


def _is_unguarded_script() -> bool:
    """Would a new process run the main script again? True for a file without a main guard."""
    main = sys.modules["__main__"]
    path, spec = getattr(main, "__file__", None), getattr(main, "__spec__", None)
    if path is None or spec is not None:  # a notebook, a shell, `python -m`
        return False
    try:
        return "__name__" not in Path(path).read_text(encoding="utf-8")
    except OSError:
        return False
