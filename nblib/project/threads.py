"""One thread per process: two cores are better spent on two runs side by side than on two threads of one.

Only entry points ask for it - kernels of `make run`, `make lab` and nbval, workers, the command line. Importing nblib
changes nothing; `train` and `predict` use `one_thread` for their own duration.
"""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager

# read by the OpenMP library when torch is first imported; a user's own values stay
ONE_THREAD = {"OMP_NUM_THREADS": "1", "OMP_WAIT_POLICY": "PASSIVE", "GOMP_SPINCOUNT": "0"}


def use_one_thread() -> None:
    """Give this process and those that it starts one thread each, unless OMP_NUM_THREADS sets another number.

    A step of a model this small gains about a fifth from a second thread on an idle machine, and waits for it up to ten
    times as long where another process is busy: OpenMP threads spin while they wait. Several threads that a user asks
    for wait without spinning.
    """
    is_asked_for = "OMP_NUM_THREADS" in os.environ
    os.environ.update(ONE_THREAD | os.environ)
    if "torch" in sys.modules and not is_asked_for:  # too late for the variables
        sys.modules["torch"].set_num_threads(1)


@contextmanager
def one_thread() -> Iterator[None]:
    """Inside, torch uses one thread, or as many as OMP_NUM_THREADS sets; afterwards as many as before."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(int(os.environ.get("OMP_NUM_THREADS", "1").partition(",")[0] or 1))
    try:
        yield
    finally:
        torch.set_num_threads(before)
