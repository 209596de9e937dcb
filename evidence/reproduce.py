"""Run again what a record says, and name every number that came out differently."""

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from evidence.tasks import task_of
from nblib.project.environment import run_conditions
from nblib.project.extensions import as_names
from nblib.project.paths import ROOT
from nblib.project.records import flatten, read_json, write_json
from nblib.project.registry import refuse_if
from nblib.training.config import TrainConfig
from nblib.training.loop import train

# what a run says of itself, not of what it found; and what depends on how busy the machine is
APART = {"commit", "versions", "hardware", "made", "task", "profiles_from", "freqs"}
TIMES = ("seconds", "wall", "elapsed")


def check_extensions(record: Any, known: Sequence[str]) -> None:
    """A record runs no code that it names itself.

    Parameters
    ----------
    known : extensions that the user names

    Raises
    ------
    ValueError for another one
    """
    for name, value in flatten(record).items():
        if name.rsplit(".", 1)[-1] == "extensions" and value:
            asked = set(as_names(value if isinstance(value, (str, list)) else str(value)))
            refuse_if(
                asked - set(as_names(known)),
                f"the record names extensions, which would be executed: {', '.join(sorted(asked))}; look at them, then "
                "name them too with EXTENSIONS=",
            )


def reproduce(path: Path, task: str = "", extensions: Sequence[str] = ()) -> tuple[int, list[str]]:
    """Do again what a record says, in a folder of its own.

    Parameters
    ----------
    path : record.json of a training's folder, a record of a notebook, or one of a benchmark
    task : of 05 and 06 one measurement: its name, or where it stands, e.g. "trials.label-free.0.readings"
    extensions : those that a record may name, and so have executed

    Returns
    -------
    how many values were compared, and a line for each that differs and for each condition that does

    Raises
    ------
    ValueError where the record does not say what to run
    """
    record = read_json(path)
    check_extensions(record, extensions)
    with _fresh_runs() as runs:
        if "config" in record:
            again = train(TrainConfig.from_dict(record["config"]), progress=False).record
        elif task:
            place, record = _find(record, task)
            if "made" not in record:
                raise ValueError(f"{place} does not say what made it; measure it anew")
            again = task_of(record["made"]).measure()
        elif path.parent.name == "benchmarks":
            again = _run(runs / "benchmarks" / path.name, str(ROOT / "evidence" / "benchmarks" / f"{path.stem}.py"))
        elif "notebook" in record:
            again = _run_notebook(runs, record)
        else:
            raise ValueError(f"{path} says neither a training, nor a notebook, nor a benchmark; name another record")
        again = read_json(write_json(runs / "again.json", again))
    compared, lines = 0, []
    for name, old, new in _pairs(record, again):
        compared += 1
        if old != new:
            lines.append(f"{name}: {old} -> {new}")
    conditions, now = flatten({name: record.get(name) for name in ("versions", "hardware")}), flatten(run_conditions())
    lines += [f"(run on {name} {old}, now {now.get(name)})" for name, old in conditions.items() if old != now.get(name)]
    return compared, lines


@contextmanager
def _fresh_runs() -> Iterator[Path]:
    """A folder that takes the place of runs/, so that nothing kept is read."""
    before = os.environ.get("NBLIB_RUNS")
    with tempfile.TemporaryDirectory() as folder:
        os.environ["NBLIB_RUNS"] = folder
        try:
            yield Path(folder)
        finally:
            os.environ.pop("NBLIB_RUNS") if before is None else os.environ.update(NBLIB_RUNS=before)


def _pairs(old: Any, new: Any, place: str = "") -> Iterator[tuple[str, Any, Any]]:
    """Name, old and new value of every number and text; one that only one of both has stands against None."""
    if isinstance(old, list) and isinstance(new, list):
        old, new = dict(enumerate(old)), dict(enumerate(new))
    if not isinstance(old, dict) or not isinstance(new, dict):
        yield place, old, new
        return
    for name in {**old, **new}:
        if name not in APART and not any(word in str(name) for word in TIMES):
            yield from _pairs(old.get(name), new.get(name), f"{place}.{name}" if place else str(name))


def _find(record: dict, task: str) -> tuple[str, dict]:
    """Where a measurement stands in a record, and what it found."""
    tasks: dict[str, dict] = {}

    def collect(value, place):
        if isinstance(value, dict) and "task" in value:
            tasks[place] = value
        elif isinstance(value, dict):
            for name, entry in value.items():
                collect(entry, f"{place}.{name}" if place else name)

    collect(record.get("metrics", {}), "")
    for place, value in tasks.items():
        if task in (place, value["task"]):
            return place, value
    raise ValueError(f"no task {task!r} in this record; it has {', '.join(tasks) or 'none'}")


def _run_notebook(runs: Path, record: dict) -> dict:
    from nblib.notebook.parameters import known_parameters

    name, given = record["notebook"], record["parameters"]
    if "task" in str(flatten(record["metrics"]).keys()):
        raise ValueError(
            f"{name} takes hours, and reads what is published; name a task of it: TASK=trials.label-free.0.readings"
        )
    known = known_parameters(ROOT / "notebooks" / f"{name}.ipynb")
    values = [f"{key}={value}" for key, value in given.items() if key in known]
    return _run(runs / record["profile"] / name / "result.json", "-m", "nblib", "run", name, *values)


def _run(result: Path, *arguments: str) -> dict:
    """Run a program in a process of its own; what it records."""
    subprocess.run([sys.executable, *arguments], check=True, stdout=subprocess.DEVNULL)
    return read_json(result)
