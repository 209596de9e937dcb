"""Killed at any moment: a training, a batch of files, a grid; what is done is kept, what is missing is done once."""

import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from nblib.project.paths import ROOT

FILES, POINTS = 24, 12
MOST_SECONDS = 900
NAMED = ("seed=1", "seed=3", "workflow.log", "RuntimeError: point 3 fails")  # what a grid with failures says
NOTEBOOK = """
profile = "smoke"  # sizes
seed = 0  # which point
run_name = ""  # folder of the point
fail = False  # this point fails
"""
CELL = """
import json, os, time
from pathlib import Path
from nblib.project.paths import runs_dir
with Path(os.environ["CAMPAIGN_LOG"]).open("a") as stream:
    stream.write(f"begun {seed} {os.getppid()} {os.getpid()}\\n")
time.sleep(0.5)
if fail and seed == 3 and not Path(os.environ["CAMPAIGN_LOG"]).with_name("repaired").exists():
    raise RuntimeError("point 3 fails")
record = {"parameters": {"seed": seed}, "metrics": {"value": seed**2}, "commit": "", "wall_seconds": 0.5}
path = runs_dir(profile, "tiny", run_name) / "result.json"
path.write_text(json.dumps(record))
with Path(os.environ["CAMPAIGN_LOG"]).open("a") as stream:
    stream.write(f"finished {seed}\\n")
"""


def _fault(number: int, what: str) -> dict:
    return {"number": number, "kind": "kill", "what": what}


def training(count: int, seed: int, folder: Path) -> dict:
    """Kill a training `count` times, with a worker and label-free; the rest of resume.py's kills are its own record."""
    from evidence.benchmarks.resume import killed

    outcomes = killed(count, ("pseudo-labels, a worker",), seed)
    rows = [(name, row) for name, row in outcomes.items() if row["identical"] < row["killed"] or row["processes left"]]
    return {
        "found": outcomes,
        "faults": [_fault(seed, f"{name}: {row}") for name, row in rows],
    }


def batch(count: int, seed: int, folder: Path) -> dict:
    """Kill `nblib detect` on a folder of files `count` times, then let it end; compared with one that was let alone."""
    rng, whole, killed = random.Random(seed), folder / "whole", folder / "killed"
    freqs = np.arange(1.0, 301.0)
    whole.mkdir()
    for number in range(FILES):
        psd = np.random.default_rng([seed, number]).gamma(64, 1 / 64, len(freqs)) / freqs
        psd[freqs == 50] *= 30
        np.savetxt(whole / f"{number:02}.csv", np.column_stack([freqs, psd]), "%.6g", ",", header="f,S", comments="")
    shutil.copytree(whole, killed)
    command = [sys.executable, "-m", "nblib", "detect", "--no-figures"]
    begun = time.monotonic()
    subprocess.run([*command, str(whole)], check=True, capture_output=True)
    seconds, faults, one = time.monotonic() - begun, list[dict](), _contents(whole / "nblib-results")
    for number in range(count):
        process = subprocess.Popen([*command, str(killed)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        time.sleep(rng.uniform(0.3, 1) * seconds)
        process.kill()
        process.wait()
        contents = _contents(killed / "nblib-results")
        torn = [name for name in contents if not name.startswith("all.") and contents[name] != one[name]]
        faults += [_fault(number, f"{name} is not whole") for name in torn]
    subprocess.run([*command, str(killed)], check=True, capture_output=True)
    other = _contents(killed / "nblib-results")
    faults += [_fault(seed, f"{name} differs") for name in one if one[name] != other.get(name)]
    return {"files": FILES, "killed": count, "faults": faults}


def _contents(folder):
    return {path.name: path.read_bytes() for path in folder.glob("*") if path.suffix in (".csv", ".json")}


class Grid:
    """A clone of the code with a notebook that takes half a second, and its grid.

    Parameters
    ----------
    folder : new
    points : of the grid
    fail : True lets the fourth of them fail until it is repaired
    """

    def __init__(self, folder: Path, points: int, fail: bool = False):
        self.folder, self.points, self.log = folder, points, folder / "log.txt"
        folder.mkdir()
        for name in ("nblib", "evidence", "workflow", "notebooks"):
            shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
        shutil.copyfile(ROOT / "pyproject.toml", folder / "pyproject.toml")
        cells: list[dict[str, Any]] = [
            {"cell_type": "code", "id": "a", "metadata": {"tags": ["parameters"]}, "source": NOTEBOOK.strip()},
            {"cell_type": "code", "id": "b", "metadata": {}, "source": CELL.strip()},
        ]
        cells = [cell | {"execution_count": None, "outputs": []} for cell in cells]
        kernel = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}
        content = {"cells": cells, "metadata": kernel, "nbformat": 4, "nbformat_minor": 5}
        (folder / "notebooks" / "tiny.ipynb").write_text(json.dumps(content))
        grid = {"seed": list(range(points)), "fail": [fail]}
        text = {"profile": "smoke", "grid_notebook": "tiny", "grid": grid, "columns": ["value"]}
        (folder / "mine.yaml").write_text(json.dumps(text))

    def start(self, cores: int = 2) -> subprocess.Popen:
        """A runner, its error stream kept."""
        path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
        own = {"PYTHONPATH": str(self.folder), "CAMPAIGN_LOG": str(self.log), "PATH": path}
        command = [sys.executable, "workflow/run.py", "grid", "--grid", "mine.yaml", "--cores", str(cores)]
        environment = {name: text for name, text in os.environ.items() if name != "NBLIB_RUNS"} | own
        return subprocess.Popen(
            command, cwd=self.folder, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )

    def times(self, what: str) -> Counter:
        """How often each point has "begun" or "finished"."""
        lines = self.log.read_text().splitlines() if self.log.exists() else []
        return Counter(int(line.split()[1]) for line in lines if line.startswith(what))

    def wait_for(self, number: int, runner: subprocess.Popen) -> None:
        """Until so many points have finished, or the runner has ended."""
        until = time.monotonic() + MOST_SECONDS
        while len(self.times("finished")) < number and runner.poll() is None and time.monotonic() < until:
            time.sleep(0.05)


def grid(count: int, seed: int, folder: Path, points: int = POINTS) -> dict:
    """Kill a grid's runner `count` times, and start two at once; each point ends once and nothing is lost."""
    rng, made, faults = random.Random(seed), Grid(folder / "clone", points), list[dict]()
    kept: dict[int, bytes] = {}
    for number in range(count):
        runner = made.start()
        made.wait_for(round((number + 1) * points / (count + 1)), runner)
        time.sleep(rng.uniform(0, 1))
        runner.send_signal(signal.SIGKILL)
        runner.communicate()
        kept |= _records(made)
    both = [made.start(), made.start()]
    printed = [runner.communicate(timeout=MOST_SECONDS)[0] for runner in both]
    records, finished = _records(made), made.times("finished")
    for runner, text in zip(both, printed, strict=True):
        if runner.returncode:
            faults.append(_fault(seed, f"a runner ends with {runner.returncode}: {text[-300:]}"))
    if len(records) < points:
        faults.append(_fault(seed, f"{len(records)} of {points} points have a record"))
    twice = [point for point, times in finished.items() if times > 1]
    if twice:
        faults.append(_fault(seed, f"points {twice} finished twice"))
    lost = [point for point in kept if records.get(point) != kept[point]]
    if lost:
        faults.append(_fault(seed, f"records of {lost} were lost"))
    begun = sum(made.times("begun").values())
    return {"points": points, "killed": count, "begun": begun, "finished": len(finished), "faults": faults}


def points_that_fail(count: int, seed: int, folder: Path) -> dict:
    """A grid of four of which one fails and the process of one is killed: both are named, a rerun does those two."""
    made, faults = Grid(folder / "clone", 4, fail=True), list[dict]()
    runner = made.start()
    until = time.monotonic() + MOST_SECONDS
    while 1 not in made.times("begun") and time.monotonic() < until:
        time.sleep(0.02)
    worker = next(line.split() for line in made.log.read_text().splitlines() if line.startswith("begun 1 "))
    for pid in worker[2:]:
        os.kill(int(pid), signal.SIGKILL)
    printed = runner.communicate(timeout=MOST_SECONDS)[0]
    if not runner.returncode or sorted(made.times("finished")) != [0, 2]:
        faults.append(_fault(seed, f"exit status {runner.returncode}, finished {made.times('finished')}"))
    faults += [_fault(seed, f"{word} is not named: {printed[-300:]}") for word in NAMED if word not in printed]
    (made.folder / "repaired").touch()
    again = made.start()
    printed = again.communicate(timeout=MOST_SECONDS)[0]
    begun, finished = made.times("begun"), made.times("finished")
    if again.returncode or begun != Counter({0: 1, 1: 2, 2: 1, 3: 2}) or set(finished.values()) != {1}:
        faults.append(_fault(seed, f"again: exit status {again.returncode}, begun {begun}: {printed[-300:]}"))
    return {"points": 4, "begun": sum(begun.values()), "finished": len(finished), "faults": faults}


def _records(made: Grid) -> dict[int, bytes]:
    records = {}
    for path in (made.folder / "runs/smoke/tiny/mine").glob("*/result.json"):
        if path.with_name("tiny.ipynb").exists():
            records[json.loads(path.read_text())["parameters"]["seed"]] = path.read_bytes()
    return records


KILLS: dict[str, Callable[[int, int, Path], dict]] = {"training": training, "batch": batch, "grid": grid}
KILLS["points of a grid"] = points_that_fail
