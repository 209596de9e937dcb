"""One thread a process: the two cores are better spent on two runs side by side than on two threads of one."""

import os
import sys

# read by the OpenMP library when torch is first imported; a user's own values stay
ONE_THREAD = {"OMP_NUM_THREADS": "1", "OMP_WAIT_POLICY": "PASSIVE", "GOMP_SPINCOUNT": "0"}


def use_one_thread() -> None:
    """Give this process and those that it starts one thread each, unless OMP_NUM_THREADS says otherwise.

    A step of a model this small gains about a fifth from a second thread on an idle machine, and waits for it up to ten
    times as long where another process is busy: OpenMP threads spin while they wait. The same number of threads in
    every process also makes a run's digits the same wherever it is trained. Several threads that a user asks for wait
    without spinning.
    """
    is_asked_for = "OMP_NUM_THREADS" in os.environ
    for name, value in ONE_THREAD.items():
        os.environ.setdefault(name, value)
    if "torch" in sys.modules and not is_asked_for:  # too late for the variables
        sys.modules["torch"].set_num_threads(1)
