"""Batches of a user's own files: seconds with figures and without; killed, the disk full, repeated, split.

Writes runs/benchmarks/doors.json. Parts that the record has are not measured again (delete it to start anew); seconds
are those of an idle machine or of none: `--parts seconds explorer` measures them alone.
"""

import json
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np

from evidence.benchmarks.script import options, seconds_of
from evidence.door_trials import command, full_disk, killed, make_files, said, split, twice
from nblib.project.environment import run_conditions
from nblib.project.paths import benchmark_result
from nblib.project.records import read_json, write_json

MODES = {
    "none": ["--no-figures"],
    "figures": [],
    "none, two jobs": ["--no-figures", "--jobs", "2"],
    "figures, two jobs": ["--jobs", "2"],
}


def seconds(folder: Path, count: int, n_bins: int, repeats: int = 3) -> dict:
    """Seconds of the command on `count` files, the modes in turn: the least, all, and figures over none."""
    files, all_of = make_files(folder / "in", count, n_bins), {name: list[float]() for name in MODES}

    def run(more):
        assert said(command(files, *more, "--out", folder / "out"), folder).returncode == 0

    for _ in range(repeats):
        for name, more in MODES.items():
            all_of[name].append(seconds_of(partial(run, more)))
    least = {name: min(values) for name, values in all_of.items()}
    ratios = {end: least[f"figures{end}"] / least[f"none{end}"] for end in ("", ", two jobs")}
    return {"files": count, "bins": n_bins, "least": least, "all": all_of, "figures / none": ratios}


def explorer(folder: Path, n_bins: int, drags: int = 20) -> dict:
    """Seconds from the end of a drag to the picture that holds the flag, in the kernel, and until all is shown."""
    from matplotlib.backend_bases import MouseButton, MouseEvent

    from nblib import analyse
    from nblib.measured.explorer import SpectrumControls

    controls = SpectrumControls(analyse(make_files(folder / "in", 1, n_bins) / "0000.csv"))
    controls.show()
    canvas, ax, sent = controls.picture.canvas, controls.picture.ax, list[float]()
    draw = canvas.draw

    def drawn():
        draw()
        sent.append(time.perf_counter())

    canvas.draw = drawn  # type: ignore[method-assign]
    rows = []
    for at in range(drags):
        ends = [ax.bbox.x0 + (at + part) / (drags + 1) * ax.bbox.width for part in (0.1, 0.8)]
        for name, x in zip(("button_press_event", "motion_notify_event"), ends, strict=True):
            canvas.callbacks.process(name, MouseEvent(name, canvas, x, ax.bbox.y0 + 50, MouseButton.LEFT))
        begun = time.perf_counter()
        name = "button_release_event"
        canvas.callbacks.process(name, MouseEvent(name, canvas, ends[1], ax.bbox.y0 + 50, MouseButton.LEFT))
        rows.append((sent[-1] - begun, time.perf_counter() - begun))
    shown, everything = np.array(rows).T
    return {
        "drags": drags,
        "flag shown": {"median": float(np.median(shown)), "largest": float(shown.max())},
        "everything shown": {"median": float(np.median(everything)), "largest": float(everything.max())},
    }


def main() -> None:
    """Measure what the record lacks of the parts that are asked for."""
    parts: dict[str, Callable[[Path], dict]] = {
        "twice": partial(twice, count=12, n_bins=400),
        "disk": partial(full_disk, count=200, n_bins=400),
        "killed": partial(killed, count=200, n_bins=400, kills=5, options=["--no-figures"]),
        "killed, with figures": partial(killed, count=40, n_bins=400, kills=5),
        "split": partial(split, count=2000, n_bins=60),
        "explorer": partial(explorer, n_bins=3000),
        "seconds": partial(seconds, count=100, n_bins=3000),
    }
    asked = options(__file__, __doc__, parts={"nargs": "+", "default": list(parts), "choices": list(parts)})
    path = benchmark_result("doors")
    record = read_json(path) if path.exists() else {}
    for name in asked.parts:
        if name not in record:
            begun = time.perf_counter()
            with tempfile.TemporaryDirectory() as folder:
                try:
                    record[name] = parts[name](Path(folder))
                except PermissionError as error:  # no small disk may be mounted here
                    record[name] = {"not tried": str(error)}
            print(f"{name} ({time.perf_counter() - begun:.0f} s): {json.dumps(record[name])}", flush=True)
            write_json(path, record | run_conditions())
    print(f"wrote {path}")


if __name__ == "__main__":
    main()
