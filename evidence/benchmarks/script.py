"""What the scripts of this folder share: options, records, a training step, and parts in a process of their own.

Every script runs as `python evidence/benchmarks/NAME.py` and as `python -m evidence.benchmarks.NAME`; its record is
runs/benchmarks/NAME.json.
"""

import argparse
import os
import re
import subprocess
import sys
import time
from collections.abc import Callable, Hashable
from pathlib import Path
from typing import Any, TypeVar

import torch

from nblib import TrainConfig, train_many
from nblib.project.environment import run_conditions
from nblib.project.parallel import map_side_by_side
from nblib.project.paths import benchmark_record, benchmark_result
from nblib.project.records import read_json, write_json
from nblib.training.objective import loss_terms

Key = TypeVar("Key", bound=Hashable)
Found = TypeVar("Found")


def options(
    file: str, text: str | None, plot: Callable[[dict], None] | None = None, **given: Any
) -> argparse.Namespace:
    """What was asked for on the command line.

    Parameters
    ----------
    file, text : the script's __file__ and __doc__
    plot : draws a record; the script then takes --redraw, which draws the published record and ends the script
    given : --NAME by its default: a number, False for a switch, a list for one value or more, or a dict of arguments of
        argparse; (default, help) where the name does not say enough
    """
    parser = argparse.ArgumentParser(description=text)
    for name, entry in given.items():
        default, words = entry if isinstance(entry, tuple) else (entry, None)
        if default is False:
            default = {"action": "store_true"}
        elif isinstance(default, list):
            default = {"nargs": "+", "type": type(default[0]), "default": default}
        elif not isinstance(default, dict):
            default = {"type": type(default), "default": default}
        parser.add_argument(f"--{name}", **{"help": words} | default)
    if plot is None:
        return parser.parse_args()
    parser.add_argument("--redraw", action="store_true", help="draw the published record again, measure nothing")
    asked = parser.parse_args()
    if asked.redraw:
        plot(read_json(benchmark_record(Path(file).stem)))
        parser.exit()
    return asked


def write_record(file: str, record: dict) -> None:
    """Write what a script measured, and the conditions it ran under, to runs/benchmarks/."""
    print(f"wrote {write_json(benchmark_result(Path(file).stem), record | run_conditions())}", flush=True)


def seconds_of(run: Callable[[], object], clock: Callable[[], float] = time.perf_counter) -> float:
    """Seconds that a call takes; clock : time.process_time for processor time."""
    started = clock()
    run()
    return clock() - started


def in_own_process(file: str, *arguments: object, **environment: str) -> str:
    """What a script prints when it runs with other options in a process of its own."""
    command = [sys.executable, file, *map(str, arguments)]
    answer = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True, env=os.environ | environment)
    return answer.stdout


def peak_mib() -> float:
    """Largest resident memory of this program so far (Linux; getrusage counts what the parent held before exec)."""
    return float(re.findall(r"VmHWM:\s+(\d+) kB", Path("/proc/self/status").read_text())[0]) / 1024


def training_step(model: Callable, optimizer: Any, batch: dict, config: TrainConfig, step: int = 0) -> None:
    """One step of the training loop, without accelerate around it."""
    terms, _ = loss_terms(model, batch, config, step)
    mask, penalty = (total / count.clamp(min=1) for total, count in (terms["mask"], terms["reg"]))
    optimizer.zero_grad()
    (mask + config.reg_weight * penalty).backward()
    matrices = [value for group in optimizer.param_groups for value in group["params"]]
    torch.nn.utils.clip_grad_norm_(matrices, config.max_grad_norm)
    optimizer.step()


def trained_and_judged(asked: dict[Key, TrainConfig], judge: Callable[[Path], Found]) -> dict[Key, Found]:
    """Train what is not trained yet; what `judge` finds in each run's folder, by the configs' names."""
    folders = [result.folder for result in train_many(list(asked.values()))]
    return dict(zip(asked, map_side_by_side(judge, folders), strict=True))
