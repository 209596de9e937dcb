"""How far a program is, as lines of JSON in a file that somebody else shows.

The variable NBLIB_PROGRESS names the file; without it nothing is written. Every process of a notebook appends to the
same file: {"planned": [names], "what": "run"}, {"reached": units, "total": units, "of": name} and {"section": heading}.
"""

import json
import os
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from nblib.project.environment import is_live

PROGRESS_VARIABLE = "NBLIB_PROGRESS"
PERIOD = 0.5  # s between two lines of one training
_followers: list[Callable[[], None]] = []


def follow(start: Callable[[], None]) -> None:
    """Have a function called in this process whenever something is about to be announced, once however often asked."""
    if start not in _followers:
        _followers.append(start)


def is_followed() -> bool:
    """Is anything in this process showing what is announced?"""
    return bool(_followers)


def planned(what: str, names: Iterable[str]) -> None:
    """Say what is about to be done, by name; what: "run" (a training) or "measurement" (trainings and what follows)."""
    names = list(names)
    if names:
        for start in _followers:
            start()
        _append({"planned": names, "what": what})


def reached(name: str, done: int, total: int) -> None:
    """Say how many of its steps the run, or the measurement, has done."""
    _append({"reached": done, "total": total, "of": name})


def section(heading: str) -> None:
    """Say which part of a notebook has begun."""
    _append({"section": heading})


def reporter(name: str, total: int) -> Callable[[int], None]:
    """A function to call with the number of steps done; it writes twice a second at most, and the last one always."""
    last = -PERIOD

    def report(done):
        nonlocal last
        now = time.monotonic()
        if done >= total or now - last >= PERIOD:
            last = now
            reached(name, done, total)

    return report


def ended(state: str) -> None:
    """Say that the notebook is through: "done", "failed" or "interrupted"."""
    _append({"state": state})


def _append(entry):
    path = os.environ.get(PROGRESS_VARIABLE)
    if path:
        with Path(path).open("a", encoding="utf-8") as stream:  # short lines appended by several processes stay whole
            stream.write(json.dumps(entry | {"time": time.time()}) + "\n")


def training_bar(steps: Iterable, total: int, initial: int, description: str, shown: bool | None) -> Any:
    """A tqdm bar of plain text over the steps of a training: a notebook that stores it can be read without its kernel.

    Parameters
    ----------
    shown : None = where output is interactive (a terminal, JupyterLab), unless a line that covers all runs is shown
    """
    from tqdm import tqdm

    shown = is_live() and not is_followed() if shown is None else shown
    return tqdm(steps, total=total, initial=initial, desc=description, disable=not shown)
