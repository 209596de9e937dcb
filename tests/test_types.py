"""What a user's type checker sees of nblib: its own classes, and a wrong argument as an error."""

import subprocess
import sys
from importlib.util import find_spec

import pytest

from nblib.project.paths import ROOT

USER = """# mypy: disallow-any-generics, disallow-untyped-calls, disallow-untyped-defs, strict-equality, warn-return-any
import numpy as np
from nblib import Detection, Flag, NoiseDetector, train

reveal_type(NoiseDetector)
detection = NoiseDetector().detect([1.0, 2.0], np.ones(2), n_segments=8)
reveal_type(detection)
reveal_type(detection.flags[0])
reveal_type(detection.flags[0].fmin)
reveal_type(NoiseDetector().detect_many([1.0, 2.0], np.ones((3, 2)), [8, 8, 4]))
reveal_type(NoiseDetector.load("mine.safetensors").from_timeseries([0.0, 1.0], 10.0))
reveal_type(train)
NoiseDetector().detect([1.0], [1.0], false_alarm="x")
NoiseDetector().detect([1.0])
NoiseDetector(networks=False)
import nblib
nblib.NoiseDetectors
nblib.spectra
"""
SEEN = [
    "def (progress: (def (float)) | None =, network: bool =) -> nblib.measured.detector.NoiseDetector",
    "nblib.measured.result.Detection",
    "nblib.measured.flags.Flag",
    "float",
    "list[nblib.measured.result.Detection]",
    "nblib.measured.result.Detection",
    "def (config: nblib.training.config.TrainConfig, progress: bool | None =, n_workers: int | None =) "
    "-> nblib.training.loop.TrainResult",
]
ERRORS = {13: "arg-type", 14: "call-arg", 15: "call-arg", 17: "attr-defined", 18: "attr-defined"}


@pytest.mark.slow
@pytest.mark.skipif(find_spec("mypy") is None, reason="mypy is a tool of the clone")
def test_a_users_type_checker_sees_the_classes_of_nblib_and_finds_wrong_arguments(tmp_path):
    """As `mypy --strict` does, with the settings and the cache of `make types`: alone it takes half a minute.

    Planted bugs: a module's __getattr__ that makes every name Any; `detect` that gives a detection or a list.
    """
    (tmp_path / "user.py").write_text(USER, encoding="utf-8")
    command = [sys.executable, "-m", "mypy", str(tmp_path / "user.py")]
    answer = subprocess.run(command, capture_output=True, text=True, cwd=ROOT)
    lines = answer.stdout.splitlines()
    seen = [line.split('type is "')[1].removesuffix('"') for line in lines if "Revealed type" in line]
    assert seen == SEEN, answer.stdout
    errors = {int(line.split(":")[1]): line.split("[")[-1].rstrip("]") for line in lines if ": error:" in line}
    assert errors == ERRORS, answer.stdout
