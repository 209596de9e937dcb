"""Work done side by side, one core each."""

from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context, parent_process

import torch

from nblib.project.environment import available_cores


def side_by_side(function: Callable, items: Sequence) -> list | None:
    """function(item) of every item, in order, in as many processes of one thread as there are cores.

    With an accelerator, one core, one item, or in such a process itself nothing is called and None comes back: the
    caller does the work then. What leaves its results on disk is found done there.
    """
    n_processes = min(available_cores(), len(items))
    if n_processes < 2 or torch.accelerator.is_available() or parent_process() is not None:
        return None
    with ProcessPoolExecutor(n_processes, get_context("spawn"), torch.set_num_threads, (1,)) as pool:
        return list(pool.map(function, items))
