"""`make run` beside two busy processes, over the same on an idle machine: at most 2.5 times as long. `make bench`

The whole of it from nothing each time (profile brief, without the set-up), idle and busy in turn.
"""

import json
import os
import statistics
import subprocess
import sys
import tempfile
from contextlib import contextmanager

from evidence.benchmarks.script import options, seconds_of, write_record
from nblib.project.paths import ROOT

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
        environment = os.environ | {"NBLIB_RUNS": folder}
        return seconds_of(lambda: subprocess.run(RUN, check=True, cwd=ROOT, env=environment, capture_output=True))


def main() -> None:
    """Measure in turn, write the record."""
    seconds: dict[str, list[float]] = {IDLE: [], BUSY: []}
    for _ in range(options(__file__, __doc__, repeats=1).repeats):
        for name, number in ((IDLE, 0), (BUSY, 2)):
            with busy(number):
                seconds[name].append(seconds_of_a_run())
            print(f"{name}: {seconds[name][-1]:.0f} s", flush=True)
    ratio = statistics.median(seconds[BUSY]) / statistics.median(seconds[IDLE])
    print(json.dumps({"busy / idle": round(ratio, 2), "asked": ASKED}))
    write_record(__file__, {"seconds": seconds, "busy / idle": ratio, "asked": ASKED, "profile": "brief"})


if __name__ == "__main__":
    main()
