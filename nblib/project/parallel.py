"""Work done side by side, one core each: processes started anew, so that nothing depends on what this one has done."""

import sys
from collections.abc import Callable, Iterable
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context, parent_process
from pathlib import Path

from nblib.project.environment import available_cores
from nblib.project.threads import use_one_thread


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
    What the function raises, of the first item that fails.
    """
    items = list(items)
    n_processes = min(available_cores(), len(items))
    if n_processes < 2 or has_accelerator() or parent_process() is not None or _is_unguarded_script():
        return [function(item) for item in items]
    with ProcessPoolExecutor(n_processes, get_context("spawn"), use_one_thread) as pool:
        return list(pool.map(function, items))


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
