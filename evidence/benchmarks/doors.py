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
from evidence.door_trials import command, full_disk, killed, make_files, ran, split, twice
from nblib.project.environment import git_commit, run_conditions
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
        assert ran(command(files, *more, "--out", folder / "out"), folder).returncode == 0

    for _ in range(repeats):
        for name, more in MODES.items():
            all_of[name].append(seconds_of(partial(run, more)))
    least = {name: min(values) for name, values in all_of.items()}
    ratios = {end: least[f"figures{end}"] / least[f"none{end}"] for end in ("", ", two jobs")}
    return {"files": count, "bins": n_bins, "least": least, "all": all_of, "figures / none": ratios}


def explorer(folder: Path, n_bins: int, drags: int = 20) -> dict:
    """Seconds in the kernel from the end of a drag to the picture with its band, the figure drawn anew, and all.

    What the browser adds is not in them; processor time is theirs whatever else the machine does.
    """
    from IPython.utils.capture import capture_output
    from matplotlib.backend_bases import MouseButton, MouseEvent

    from nblib import analyse
    from nblib.measured.explorer import SpectrumControls

    controls = SpectrumControls(analyse(make_files(folder / "in", 1, n_bins) / "0000.csv"))
    with capture_output():
        controls.show()
    picture, rows = controls.picture, list[dict[str, np.ndarray]]()
    canvas, ax = picture.canvas, picture.ax

    def timed(name, action):
        def done():
            action()
            rows[-1][name] = _clocks()

        return done

    canvas.blit, canvas.draw = timed("flag shown", canvas.blit), timed("drawn anew", canvas.draw)  # type: ignore[method-assign]
    first = ax.transData.transform((0.1 * n_bins, 1))[0]
    for at in range(drags):
        ends = [first + (at + part) / drags * (ax.bbox.x1 - first) for part in (0.1, 0.8)]
        for name, x in zip(("button_press_event", "motion_notify_event"), ends, strict=True):
            canvas.callbacks.process(name, MouseEvent(name, canvas, x, ax.bbox.y0 + 50, MouseButton.LEFT))
        name, begun = "button_release_event", _clocks()
        rows.append({})
        with capture_output():
            canvas.callbacks.process(name, MouseEvent(name, canvas, ends[1], ax.bbox.y0 + 50, MouseButton.LEFT))
        rows[-1]["everything shown"] = _clocks()
        rows[-1] = {what: clocks - begun for what, clocks in rows[-1].items()}
    assert len(controls.edited.edits.added) == drags
    times: dict = {"drags": drags}
    for what in rows[0]:
        of_wall, of_processor = np.transpose([row[what] for row in rows])
        times[what] = {"median": float(np.median(of_wall)), "largest": float(of_wall.max())}
        times[what]["processor, median"] = float(np.median(of_processor))
    return times


def _clocks() -> np.ndarray:
    """Wall and processor seconds."""
    return np.array([time.perf_counter(), time.process_time()])


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
                    record[name] = parts[name](Path(folder)) | {"commit": git_commit()}
                except PermissionError as error:  # no small disk may be mounted here
                    record[name] = {"not tried": str(error)}
            print(f"{name} ({time.perf_counter() - begun:.0f} s): {json.dumps(record[name])}", flush=True)
            write_json(path, record | run_conditions())
    print(f"wrote {path}")


if __name__ == "__main__":
    main()
