"""What notebooks that run somewhere are doing, as one line each: rewritten in a terminal, plain lines elsewhere."""

import json
import shutil
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

QUIET = 30.0  # s between two plain lines of one notebook
TOTAL = "points"  # file of a watched folder: how many notebooks there will be, where that is known


@dataclass
class Job:
    """One notebook in progress, read from its file of events (nblib/project/progress.py).

    Attributes
    ----------
    planned : runs or measurements announced so far
    stage : those announced last
    steps : (done, of how many) by name
    mark : when the stage's first step was done, and the stage's share then; what came before were imports
    """

    name: str
    path: Path
    started: float | None = None
    latest: float = 0.0
    mark: tuple[float, float] | None = None
    section: str = ""
    what: str = ""
    state: str = "running"
    planned: set[str] = field(default_factory=set)
    stage: set[str] = field(default_factory=set)
    steps: dict[str, tuple[int, int]] = field(default_factory=dict)
    _place: int = 0

    def read(self) -> None:
        """Take in the events that were appended since the last call."""
        with self.path.open("rb") as stream:
            stream.seek(self._place)
            text = stream.read()
        whole = text[: text.rfind(b"\n") + 1]
        self._place += len(whole)
        for line in whole.splitlines():
            self._take(json.loads(line))

    def _take(self, entry):
        self.latest = entry["time"]
        self.started = entry["time"] if self.started is None else self.started
        if "section" in entry:
            self.section = entry["section"]
        elif "state" in entry:
            self.state = entry["state"]
        elif "reached" in entry:
            self.steps[entry["of"]] = entry["reached"], entry["total"]
            if self.mark is None and self.stage:
                self.mark = entry["time"], self._stage_share()
        elif not (entry["what"] == "run" and self.what == "measurement" and self.is_busy()):  # runs of a measurement
            self.what, self.mark, self.stage = entry["what"], None, set(entry["planned"])
            self.planned |= self.stage

    def _share(self, name):
        done, total = self.steps.get(name, (0, 1))
        return done / total

    def _stage_share(self):
        return sum(self._share(name) for name in self.stage) / len(self.stage)

    def is_busy(self) -> bool:
        """Is anything of what was announced last still to be done?"""
        return any(self._share(name) < 1 for name in self.stage)

    def line(self, now: float) -> str:
        """What it does, e.g. "03_full...: The sweep: run 3 of 13, step 60 of 100, about 1:40 left"."""
        spent = clock(
            (self.latest if self.state != "running" else now) - (now if self.started is None else self.started)
        )
        if self.state != "running":
            return f"{self.name}: {self.state} after {spent}"
        text = f"{self.name}: {self.section or 'starting'}"
        return text + (f": {self.counts(now)}" if self.is_busy() else f", {spent} so far")

    def finished(self) -> int:
        """How many of the runs or measurements announced so far are done."""
        return sum(self._share(name) >= 1 for name in self.planned)

    def counts(self, now: float) -> str:
        """E.g. "run 3 of 13, step 60 of 100, about 1:40 left", while it is busy."""
        text = f"{self.what} {self.finished() + 1} of {len(self.planned)}"
        active = [name for name in self.steps if 0 < self._share(name) < 1]
        if active:
            text += ", step {} of {}".format(*self.steps[min(active, key=self._share)])
        began, before = self.mark or (now, 0.0)
        gained = self._stage_share() - before
        if gained > 0.02 and now - began > 2:
            text += f", about {clock((now - began) * (1 - before - gained) / gained)} left"
        return text


def clock(seconds: float) -> str:
    """Seconds as 1:05 or 1:02:05."""
    minutes, seconds = divmod(max(0, round(seconds)), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{seconds:02d}" if hours else f"{minutes}:{seconds:02d}"


class Watcher:
    """Shows the jobs whose event files lie in a folder.

    Where the folder says how many there will be, each that ends is counted: "3 of 8, about 6:40 left". What ran earlier
    and is kept has no file here: it counts once nothing is left.

    Parameters
    ----------
    folder : holds NAME.progress, one per notebook, and TOTAL
    stream : where the lines go; rewritten in place where it is a terminal
    """

    def __init__(self, folder: Path, stream: Any):
        self.folder, self.stream, self.live = folder, stream, stream.isatty()
        self.jobs: dict[str, Job] = {}
        self._ended: set[str] = set()
        self._drawn = 0
        self._noted: dict[str, float] = {}

    def update(self, now: float | None = None) -> None:
        """Read what is new and show it."""
        now = time.time() if now is None else now
        for path in sorted(self.folder.glob("**/*.progress"), key=lambda path: path.stat().st_mtime):
            name = str(path.relative_to(self.folder).with_suffix(""))
            self.jobs.setdefault(name, Job(name, path)).read()
        ended = [job for name, job in self.jobs.items() if job.state != "running" and name not in self._ended]
        self._ended |= {job.name for job in ended}
        running = [job for job in self.jobs.values() if job.state == "running"]
        lines = [job.line(now) + self._count(now) for job in ended]
        if self.live:
            self._redraw(lines, [job.line(now) for job in running])
        else:
            self._say(lines, running, now)

    def _count(self, now):
        """ "; 3 of 8, about 6:40 left" once something of a known number has ended."""
        path = self.folder / TOTAL
        if not path.exists():
            return ""
        total, done = int(path.read_text()), len(self._ended)
        began = min(job.started for job in self.jobs.values() if job.started is not None)
        left = f", about {clock((now - began) / done * (total - done))} left" if done < total else ""
        return f"; {done} of {total}{left}"

    def _redraw(self, ended, running):
        width = shutil.get_terminal_size().columns - 1
        up = f"\x1b[{self._drawn}A" if self._drawn else ""
        self.stream.write(up + "".join(f"\r\x1b[2K{line[:width]}\n" for line in ended + running) + "\x1b[J")
        self._drawn = len(running)
        self.stream.flush()

    def _say(self, lines, running, now):
        for job in running:
            if now - self._noted.get(job.name, -QUIET) >= QUIET:
                self._noted[job.name] = now
                lines = [*lines, job.line(now)]
        self.stream.write("".join(f"{line}\n" for line in lines))
        self.stream.flush()
