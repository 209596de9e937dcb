"""Work done side by side, one core each."""

from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context, parent_process

import torch

from nblib.project.environment import available_cores


def side_by_side(function: Callable, items: Sequence) -> None:
    """Call function(item) in processes of one core each, except for a remainder that would leave cores idle.

    With an accelerator, one core, or in such a process itself nothing is called. What is left, the caller does itself,
    on all threads.
    """
    n_processes = min(available_cores(), len(items))
    if n_processes > 1 and not torch.cuda.is_available() and parent_process() is None:
        even = len(items) - len(items) % n_processes
        with ProcessPoolExecutor(n_processes, get_context("spawn"), torch.set_num_threads, (1,)) as pool:
            list(pool.map(function, items[:even]))
