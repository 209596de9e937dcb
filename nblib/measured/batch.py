"""Many files: each examined, written and reported, in one process or several, whole files at a time."""

import os
import signal
import time
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import BrokenExecutor, Future, ProcessPoolExecutor
from functools import cache, partial
from typing import Any

from nblib.measured.calibrate import detector_of
from nblib.measured.detector import NoiseDetector
from nblib.measured.drawing import draw
from nblib.measured.examine import examined
from nblib.measured.outputs import Job
from nblib.measured.reports import Order, Report, complete, documented
from nblib.measured.settings import Settings
from nblib.project.parallel import end_with_parent
from nblib.project.processes import new_processes
from nblib.project.threads import use_one_thread

AHEAD = 4  # files per process that may wait to be drawn or handed over


def run(
    jobs: Sequence[Job],
    settings: Settings,
    order: Order,
    detector: NoiseDetector,
    n_processes: int,
    done: Callable[[Report], None],
    first: int = 0,
) -> None:
    """Carry out all jobs in turn and hand over each report, in their order.

    With more than one process the files are shared out; with one, they are examined here and drawn by another.

    Parameters
    ----------
    first : number of the first job among all files, where these are a part of them

    Raises
    ------
    KeyboardInterrupt, once the files that were being worked on are finished and handed over
    """
    if n_processes > 1 and len(jobs) > 1:
        with _pool(min(n_processes, len(jobs))) as pool:
            _in_turn(
                jobs,
                first,
                lambda at, job: _submitted(pool, _whole, job, settings, order, at),
                partial(_result, order),
                AHEAD * n_processes,
                done,
            )
    elif order.figures and order.joint is not None and len(jobs) > 1:
        with _pool(1) as pool:

            def begin(at, job):
                report, drawings = documented(job, examined(job.path, settings, detector), order, at)
                return report, [_submitted(pool, draw, *drawing) for drawing in drawings]

            def end(job, begun):
                report, futures = begun
                for future in futures:
                    if future.exception() is not None:
                        report.fail(_told(future.exception()), order.words)
                return report

            _in_turn(jobs, first, begin, end, AHEAD, done)
    else:
        for at, job in enumerate(jobs, first):
            done(complete(*documented(job, examined(job.path, settings, detector), order, at), order))


def _in_turn(jobs, first, begin, end, ahead, done):
    """Begin jobs some way ahead of those that are handed over; interrupted, hand over those that had been begun."""
    waiting: deque[tuple[Job, Any]] = deque()

    def hand_over():
        job, begun = waiting[0]
        report = end(job, begun)
        waiting.popleft()
        if report is not None:
            done(report)

    try:
        for at, job in enumerate(jobs, first):
            waiting.append((job, begin(at, job)))
            while len(waiting) > ahead:
                hand_over()
        while waiting:
            hand_over()
    except KeyboardInterrupt:
        for _, begun in waiting:
            if isinstance(begun, Future):
                begun.cancel()
        while waiting:
            hand_over()
        raise


def _pool(n_processes):
    return ProcessPoolExecutor(n_processes, new_processes(), _begin, (dict(os.environ),))


def _submitted(pool, function, *arguments) -> Future:
    """What a pool is asked to do; one whose process has died answers with that."""
    try:
        return pool.submit(function, *arguments)
    except BrokenExecutor as error:
        future: Future = Future()
        future.set_exception(error)
        return future


def _begin(environment):
    """A process of one thread that ends with its parent; Ctrl-C, which the terminal sends to all, is the parent's."""
    os.environ.clear()
    os.environ.update(environment)
    use_one_thread()
    end_with_parent()
    signal.signal(signal.SIGINT, signal.SIG_IGN)


@cache
def _detector(settings: Settings) -> NoiseDetector:
    return detector_of(settings)


def _whole(job: Job, settings: Settings, order: Order, number: int) -> Report:
    """In a process of the pool: one file from reading to drawing."""
    outcome = examined(job.path, settings, _detector(settings))
    return complete(*documented(job, outcome, order, number), order)


def _result(order: Order, job: Job, future: Future) -> Report | None:
    """What a process reports of a file; None where it had not begun."""
    if future.cancelled():
        return None
    if (error := future.exception()) is None:
        return future.result()
    report = Report(job)
    report.fail(_told(error), order.words)
    return report


def _told(error: BaseException | None) -> Exception:
    """The error of a process, in words where it died."""
    if isinstance(error, BrokenExecutor):
        return RuntimeError("a process that worked on it, or beside it, was ended (out of memory?)")
    return error if isinstance(error, Exception) else RuntimeError(repr(error))


class Progress:
    """ "37 of 200, about 1:10 left" in one line of a terminal, which is replaced; nothing elsewhere."""

    def __init__(self, total: int, stream: Any):
        self.total, self.stream, self.reached = total, stream, 0
        self.shown, self.started = total > 1 and stream.isatty(), time.monotonic()

    def clear(self) -> None:
        """Take the line away before something is printed."""
        if self.shown:
            self.stream.write("\r\033[K")
            self.stream.flush()

    def count(self) -> None:
        """One file more is done."""
        self.reached += 1
        if self.shown:
            self.stream.write(f"\r\033[K{self.words()}")
            self.stream.flush()

    def words(self) -> str:
        """How far it is, and how long the rest takes at the mean pace so far."""
        left = round((time.monotonic() - self.started) / self.reached * (self.total - self.reached))
        hours, minutes, seconds = left // 3600, left // 60 % 60, left % 60
        rest = f"{hours}:{minutes:02}:{seconds:02}" if hours else f"{minutes}:{seconds:02}"
        return f"{self.reached} of {self.total}, about {rest} left"
