"""Processes that are forked to be killed, and what a run leaves: for the benchmark and the tests of resuming."""

import hashlib
import json
import os
import signal
import socket
import sys
import time
import traceback
from collections.abc import Callable
from pathlib import Path

import psutil
import torch
import torch._dynamo  # which every optimizer would import anew after a fork
import torch.distributed.fsdp
from accelerate import PartialState

from nblib.project.records import read_json

APART = ("seconds.json", "record.json", ".lock")  # wall times; records are compared without theirs


def begin(work: Callable[[], object], n_processes: int, runs: Path, fatal: int = 0) -> list[int]:
    """Fork processes that do it in a folder of their own; the first kills itself at its `fatal`-th step of a write."""
    with socket.socket() as free:
        free.bind(("localhost", 0))
        together = {"MASTER_ADDR": "localhost", "MASTER_PORT": str(free.getsockname()[1]), "WORLD_SIZE": "2"}
    pids = []
    for rank in range(n_processes):
        pids.append(os.fork())
        if pids[-1] == 0:
            os.setpgid(0, 0)  # by which its own processes are found
            os.environ["NBLIB_RUNS"] = str(runs)
            if n_processes > 1:
                os.environ.update(together, RANK=str(rank), LOCAL_RANK=str(rank))
            _do(work, runs, fatal if rank == 0 else -fatal)  # the second never gets there
    return pids


def _do(work, runs, fatal):
    """In a forked process: count the steps of writes, work, and end."""
    status, calls = 1, 0
    if fatal:  # two processes: the other one complains
        sys.stderr = Path(os.devnull).open("w")  # noqa: SIM115

    def counted(function):
        def call(*arguments):
            nonlocal calls
            calls += 1
            if calls == fatal:
                os.kill(os.getpid(), signal.SIGKILL)
            return function(*arguments)

        return call

    try:
        os.fsync, os.replace = counted(os.fsync), counted(os.replace)
        torch.set_num_threads(1)
        PartialState._reset_state()  # how many processes this one belongs to is its own affair
        work()
        if calls:  # the second of two processes writes nothing
            (runs.parent / "calls").write_text(str(calls))
        status = 0
    except BaseException:
        traceback.print_exc()
    os._exit(status)


def end(pids: list[int], kill_after: float | None = None) -> tuple[bool, int]:
    """Wait for processes, or kill them after some seconds: did all end well, and how many of theirs outlive them."""
    if kill_after is not None:
        time.sleep(kill_after)
        for pid in pids:
            os.kill(pid, signal.SIGKILL)
    well, until = all([os.waitpid(pid, 0)[1] == 0 for pid in pids]), time.monotonic() + 3
    while (left := [pid for pid in psutil.pids() if _group(pid) in pids]) and time.monotonic() < until:
        time.sleep(0.05)
    return well, len(left)


def _group(pid):
    try:
        return os.getpgid(pid)
    except ProcessLookupError:
        return None


def files_of(runs: Path) -> dict[str, str]:
    """What a run left, by file: a digest, of a record without its wall time."""
    digests = {}
    for path in sorted(runs.rglob("*")):
        if path.is_file() and path.name not in APART and path.suffix != ".damaged":
            digests[path.relative_to(runs).as_posix()] = hashlib.sha256(path.read_bytes()).hexdigest()
        elif path.name == "record.json":
            record = {name: value for name, value in read_json(path).items() if name != "wall_seconds"}
            digests[path.relative_to(runs).as_posix()] = json.dumps(record)
    return digests
