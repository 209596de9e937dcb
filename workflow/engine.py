"""`python workflow/engine.py ARGUMENTS` is `python -m snakemake ARGUMENTS`, with a termination that cannot hang it.

Snakemake's handler of SIGTERM waits for a lock that the thread which it interrupts may hold: at the moment in which a
job is entered as finished, nothing would ever release it (seen once on a slow machine; Snakemake 9.27).
"""

import sys
import threading

from snakemake.cli import main
from snakemake.scheduling.job_scheduler import JobScheduler

TAKE_NO_FURTHER_JOB = JobScheduler.exit_gracefully


def in_a_thread(scheduler: JobScheduler, *_signal: object) -> None:
    """Let the scheduler begin no further job: as Snakemake does, from a thread that may wait for its lock."""
    threading.Thread(target=TAKE_NO_FURTHER_JOB, args=(scheduler,), daemon=True).start()


JobScheduler.exit_gracefully = in_a_thread

if __name__ == "__main__":
    main(sys.argv[1:])
