"""Records: what a run measured and under which conditions, as small JSON files written whole or not at all."""

import json
import math
import os
import platform
import subprocess
import sys
import time
from importlib.metadata import version
from pathlib import Path

import numpy as np

from nblib.paths import ROOT, record_path, runs_dir

CODE = ("nblib", "notebooks", "workflow", "benchmarks")  # a record names the commit of these
STARTED = time.perf_counter()  # of the notebook or program that imports this
PACKAGES = ("torch", "numpy", "scipy", "scikit-learn", "accelerate")


def run_conditions() -> dict:
    """Versions, commit (with -dirty where files differ from it) and hardware of the running process."""
    import torch

    processor = platform.processor() or platform.machine()
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        models = [line.split(":")[1].strip() for line in cpuinfo.read_text().splitlines() if "model name" in line]
        processor = models[0] if models else processor
    return {
        "versions": {
            "python": platform.python_version(),
            **{name: version(name) for name in PACKAGES},
        },
        "commit": git_commit(),
        "hardware": {
            "processor": processor,
            "cores": available_cores(),
            "torch_threads": torch.get_num_threads(),
            "accelerator": torch.cuda.get_device_name() if torch.cuda.is_available() else "none",
        },
    }


def available_cores() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def is_live() -> bool:
    """Does a person watch? True in a terminal's script and in a kernel that JupyterLab started.

    False in the kernels of papermill, nbval and nbconvert, where a bar or a widget would only end up in a file.
    """
    return "JPY_SESSION_NAME" in os.environ or ("ipykernel" not in sys.modules and sys.stderr.isatty())


def git_commit() -> str:
    """Short commit of the checkout, "-dirty" appended when its code differs from it, "unknown" outside git.

    Figures and records do not count: the run that renews them would call itself dirty.
    """
    commit, changes = (
        _git(*command) for command in (("rev-parse", "--short=10", "HEAD"), ("status", "-s", "--", *CODE))
    )
    return "unknown" if commit is None else commit + ("-dirty" if changes else "")


def _git(*arguments):
    """What git prints, None where it fails or is not there."""
    try:
        answer = subprocess.run(["git", *arguments], cwd=ROOT, capture_output=True, text=True, timeout=10, check=True)
    except (OSError, subprocess.SubprocessError):
        return None
    return answer.stdout.strip()


def _plain(value):
    """JSON has no arrays and no NaN: arrays become lists, NaN and infinities null."""
    if isinstance(value, dict):
        return {str(key): _plain(entry) for key, entry in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(entry) for entry in value]
    if isinstance(value, np.ndarray):
        return _plain(value.tolist())
    if isinstance(value, np.generic):
        return _plain(value.item())
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value


def write_json(path: Path, value: dict) -> Path:
    """Write through a temporary file and rename it, so that a half-written record is never read as whole."""
    partial = path.with_suffix(f".{os.getpid()}.partial")
    partial.write_text(json.dumps(_plain(value), indent=1, sort_keys=True) + "\n", encoding="utf-8")
    partial.replace(path)
    return path


def read_json(path: Path) -> dict:
    """A record; raises ValueError when it is missing or damaged."""
    try:
        return json.loads(Path(path).read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ValueError(f"no record at {path}; run the notebook or training that writes it") from None
    except json.JSONDecodeError as error:
        raise ValueError(f"{path} is not JSON ({error}); delete it and run again") from error


def find_result(notebook: str, profile: str, run_name: str = "") -> dict | None:
    """An earlier notebook's record; None when it has not run with this profile."""
    path = runs_dir(profile, notebook, run_name) / "result.json"
    return read_json(path) if path.exists() else None


def committed_result(notebook: str, profile: str = "quick") -> dict:
    """The record that the repository keeps of a notebook's longer run, quoted by prose and README.

    raises : ValueError when there is none
    """
    return read_json(record_path(profile, notebook))


def provenance(record: dict) -> str:
    """One line: profile, seed, commit, hardware, versions."""
    hardware, versions = record["hardware"], record["versions"]
    return (
        f"profile {record['profile']}, seed {record['parameters']['seed']}, commit {record['commit']}, "
        f"{hardware['processor']} ({hardware['cores']} cores, accelerator {hardware['accelerator']}), "
        f"torch {versions['torch']}"
    )


def save_result(notebook: str, profile: str, run_name: str, parameters: dict, metrics: dict) -> Path:
    """Record a notebook's answer under runs/<profile>/<notebook>/<run_name>/result.json.

    parameters : the notebook's parameters by name
    metrics : what it measured, numbers or nested dicts of numbers
    returns : path of the record, which also holds wall seconds, versions, commit and hardware; that of a plain quick
              or full run is kept in records/ as well, to be committed
    """
    record = {
        "notebook": notebook,
        "profile": profile,
        "parameters": parameters,
        "metrics": metrics,
        "wall_seconds": round(time.perf_counter() - STARTED, 1),
    }
    record |= run_conditions()
    if profile != "smoke" and not run_name:
        write_json(record_path(profile, notebook), record)
    return write_json(runs_dir(profile, notebook, run_name) / "result.json", record)
