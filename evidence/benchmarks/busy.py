"""`make run` beside two busy processes, over the same on an idle machine: at most 2.5 times as long. `make bench`

The whole of it from nothing each time (profile brief, without the set-up), idle and busy in turn.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from contextlib import contextmanager

from nblib.project.environment import run_conditions
from nblib.project.paths import ROOT, benchmark_result
from nblib.project.records import write_json

RUN = [sys.executable, str(ROOT / "workflow" / "run.py"), "report", "--profile", "brief"]
SPIN = "while True: pass"
IDLE, BUSY = "idle", "beside two busy processes"
ASKED = 2.5


@contextmanager
def busy(number: int):
    """So many processes that never wait, while the block runs."""
    processes = [subprocess.Popen([sys.executable, "-c", SPIN]) for _ in range(number)]
    try:
        yield
    finally:
        for process in processes:
            process.kill()
            process.wait()


def seconds_of_a_run() -> float:
    """Wall time of the run from nothing."""
    with tempfile.TemporaryDirectory() as folder:
        started = time.perf_counter()
        subprocess.run(RUN, check=True, cwd=ROOT, env=os.environ | {"NBLIB_RUNS": folder}, capture_output=True)
        return time.perf_counter() - started


def main():
    """Measure in turn, write the record."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=1)
    seconds: dict[str, list[float]] = {IDLE: [], BUSY: []}
    for _ in range(parser.parse_args().repeats):
        for name, number in ((IDLE, 0), (BUSY, 2)):
            with busy(number):
                seconds[name].append(seconds_of_a_run())
            print(f"{name}: {seconds[name][-1]:.0f} s", flush=True)
    ratio = statistics.median(seconds[BUSY]) / statistics.median(seconds[IDLE])
    record = {"seconds": seconds, "busy / idle": ratio, "asked": ASKED, "profile": "brief", **run_conditions()}
    print(json.dumps({"busy / idle": round(ratio, 2), "asked": ASKED}))
    print(f"wrote {write_json(benchmark_result('busy'), record)}")


if __name__ == "__main__":
    main()
