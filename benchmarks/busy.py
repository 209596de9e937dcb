"""`make run` beside two busy processes, over the same on an idle machine: at most 2.5 times as long. `make bench`

A part that stands for it: notebooks 01 and 02 (trainings side by side, evaluation) at profile smoke, from nothing each
time, idle and busy in turn.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from contextlib import contextmanager
from pathlib import Path

from nblib.project.environment import run_conditions
from nblib.project.paths import ROOT, benchmark_result
from nblib.project.records import write_json

NOTEBOOKS = ("01_baseline_mask_prediction", "02_simple_regularizer")
ASKED = 2.5
SPIN = "while True: pass"


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
    """Wall time of the notebooks from nothing."""
    started = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        for name in NOTEBOOKS:
            output = Path(folder) / f"{name}.ipynb"
            command = [sys.executable, "-m", "nblib", "run", name, "-o", str(output), "profile=smoke"]
            subprocess.run(command, check=True, cwd=ROOT, env=os.environ | {"NBLIB_RUNS": folder}, capture_output=True)
    return time.perf_counter() - started


def main():
    """Measure in turn, write the record."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=3)
    seconds = {"idle": [], "beside two busy processes": []}
    for _ in range(parser.parse_args().repeats):
        for name, number in (("idle", 0), ("beside two busy processes", 2)):
            with busy(number):
                seconds[name].append(seconds_of_a_run())
    ratio = min(seconds["beside two busy processes"]) / min(seconds["idle"])
    record = {"seconds": seconds, "busy / idle": ratio, "asked": ASKED, "notebooks": NOTEBOOKS, **run_conditions()}
    print(json.dumps({"busy / idle": round(ratio, 2), "asked": ASKED, **seconds}))
    print(f"wrote {write_json(benchmark_result('busy'), record)}")


if __name__ == "__main__":
    main()
