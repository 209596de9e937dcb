"""`make test-install`: nblib's wheel in empty environments, packages checked by hash. No part of `make test`."""

import os
import subprocess
import sys
import venv
from pathlib import Path

import pytest

from nblib.project.paths import ROOT

QUIET = ("--quiet", "--no-compile", "--disable-pip-version-check")
TRAINING = "import nblib; c = nblib.TrainConfig(d_model=16, n_heads=2, num_layers=1, dim_feedforward=16, steps=1, "
TRAINING += "batch_size=2, n_validation=2); print(nblib.train(c, progress=False).folder)"


def _run(*command, folder):
    environment = {name: text for name, text in os.environ.items() if name not in ("PYTHONPATH", "NBLIB_RUNS")}
    answer = subprocess.run(list(map(str, command)), cwd=folder, env=environment, capture_output=True, text=True)
    assert answer.returncode == 0, answer.stdout[-2000:] + answer.stderr[-2000:]
    return answer.stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    folder = tmp_path_factory.mktemp("wheel")
    _run(
        sys.executable,
        "-m",
        "pip",
        "wheel",
        *QUIET[::2],
        "--no-deps",
        "--no-build-isolation",
        "-w",
        folder,
        ROOT,
        folder=folder,
    )
    (path,) = folder.glob("nblib-*.whl")
    return path


def _environment(folder: Path, wheel: Path, lock: str) -> Path:
    """Python of a new environment with what the lock names, and the wheel."""
    venv.create(folder / "venv", with_pip=True)
    python = folder / "venv" / ("Scripts" if os.name == "nt" else "bin") / "python"
    _run(python, "-m", "pip", "install", *QUIET, "--require-hashes", "-r", ROOT / lock, folder=folder)
    _run(python, "-m", "pip", "install", *QUIET, "--no-deps", wheel, folder=folder)
    _run(python, "-m", "pip", "check", folder=folder)
    return python


def test_the_light_lock_is_enough_to_detect(tmp_path, wheel):
    """Planted bugs: a package left out of the lock; a wheel without its weights."""
    python = _environment(tmp_path, wheel, "requirements.lock")
    printed = _run(
        python, "-m", "nblib", "detect", "--out", tmp_path / "out", ROOT / "data/example_device.csv", folder=tmp_path
    )
    assert "flags.json" in printed
    assert "torch" not in _run(python, "-m", "pip", "list", folder=tmp_path)


def test_the_lock_of_the_cpu_trains(tmp_path, wheel):
    """Planted bug: a library of CUDA asked for beside PyTorch's CPU build."""
    python = _environment(tmp_path, wheel, "requirements-cpu.lock")
    assert "models" in _run(python, "-c", TRAINING, folder=tmp_path)
    assert "nvidia" not in _run(python, "-m", "pip", "list", folder=tmp_path)


def test_a_wrong_hash_is_refused(tmp_path):
    venv.create(tmp_path / "venv", with_pip=True)
    (tmp_path / "lock").write_text("cycler==0.12.1 --hash=sha256:" + 64 * "0" + "\n")
    python = tmp_path / "venv" / ("Scripts" if os.name == "nt" else "bin") / "python"
    with pytest.raises(AssertionError, match="THESE PACKAGES DO NOT MATCH THE HASHES"):
        _run(python, "-m", "pip", "install", "--require-hashes", "-r", "lock", folder=tmp_path)
