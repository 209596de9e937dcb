"""The workflow's engine: told to end at any moment, it does."""

import threading

MOST_SECONDS = 20.0


def test_a_termination_while_a_job_is_entered_as_finished_hangs_nothing():
    """Planted bug: Snakemake's own handler, which waits for the lock that its own thread holds."""
    from snakemake.scheduling.job_scheduler import JobScheduler  # a second, for this worker alone

    from workflow import engine

    assert JobScheduler.exit_gracefully is engine.in_a_thread
    scheduler = object.__new__(JobScheduler)
    scheduler._lock, scheduler._open_jobs, scheduler._user_kill = threading.Lock(), threading.Semaphore(0), None
    released = threading.Event()

    def terminated_while_locked() -> None:
        with scheduler._lock:
            scheduler.exit_gracefully()
        released.set()

    threading.Thread(target=terminated_while_locked, daemon=True).start()
    assert released.wait(MOST_SECONDS)
    assert scheduler._open_jobs.acquire(timeout=MOST_SECONDS)  # the scheduler is woken
    assert scheduler._user_kill == "graceful"
