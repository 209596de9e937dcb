"""Seconds of the workbench on the ten temperatures of data/example_series, and the energy of the example spectrum.

Fits after detection, a flag switched on and off in the explorer's view, and the commands as a user types them, their
start included. Seconds are those of an idle machine or of none. Writes runs/benchmarks/workbench_times.json.
"""

import dataclasses
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np

from evidence.benchmarks.script import options, seconds_of, write_record
from evidence.examples import ENERGIES, upper_energy
from nblib import analyse
from nblib.measured.editing import EditedDetection
from nblib.project.paths import ROOT
from nblib.workbench.flag_view import FlagView

SERIES = ROOT / "data" / "example_series"


def fits() -> dict:
    """Seconds of the fit of each detected spectrum, and of the view of its strongest flag: at first, and toggled."""
    analysis = analyse(SERIES)
    after = [seconds_of(detection.fit) for _, detection in analysis]
    measured, detection = analysis[0]
    spectrum, view = EditedDetection(measured, analysis.detector, detection.false_alarm), FlagView()
    flag, other = sorted(spectrum.detection.flags, key=lambda one: -one.excess)[:2]
    first = seconds_of(lambda: view(spectrum, flag))
    return {
        "fit after detection": {"median": float(np.median(after)), "largest": max(after), "all": after},
        "view of a flag": {"first": first, "another": seconds_of(lambda: view(spectrum, other))},
    }


def commands(repeats: int) -> dict:
    """Seconds of each command on a copy of the folder, the least of some repeats."""
    with tempfile.TemporaryDirectory() as name:
        folder = shutil.copytree(SERIES, Path(name) / "series")
        first = min(folder.iterdir())
        asked: dict[str, list[Path]] = {"fit": [first], "arrhenius": [folder], "report": [folder]}
        seconds = {}
        for command, arguments in asked.items():
            seconds[command] = min(seconds_of(_command(command, *arguments)) for _ in range(repeats))
            print(command, seconds[command], flush=True)
    return seconds


def _command(*arguments: object) -> Callable[[], object]:
    line = [sys.executable, "-m", "nblib", *map(str, arguments)]
    return lambda: subprocess.run(line, check=True, stdout=subprocess.DEVNULL)


def main() -> None:
    """Measure and write the record."""
    asked = options(__file__, __doc__, repeats=(3, "of each command; the least counts"))
    energy = {"true": ENERGIES[1] / 1e3} | dataclasses.asdict(upper_energy())
    record = fits() | {"commands, one file or ten": commands(asked.repeats), "upper energy of the example [eV]": energy}
    write_record(__file__, record)


if __name__ == "__main__":
    main()
