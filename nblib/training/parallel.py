"""Work done side by side, one core each."""

from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context, parent_process

import torch

from nblib.project.environment import available_cores


def side_by_side(function: Callable, items: Sequence) -> None:
    """Call function(item) for every item, in as many processes of one thread as there are cores.

    With an accelerator, one core, one item, or in such a process itself nothing is called: the caller does the work
    then, and finds done what was done here.
    """
    n_processes = min(available_cores(), len(items))
    if n_processes > 1 and not torch.accelerator.is_available() and parent_process() is None:
        with ProcessPoolExecutor(n_processes, get_context("spawn"), torch.set_num_threads, (1,)) as pool:
            list(pool.map(function, items))
