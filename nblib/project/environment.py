"""Where a program runs: versions, commit, hardware, cores, and whether output is interactive."""

import os
import platform
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

from nblib.project.paths import IN_CLONE, ROOT

CODE = ("nblib", "evidence", "notebooks", "workflow")  # a record names the commit of these; never of records/
HEADLESS_VARIABLE = "NBLIB_HEADLESS"  # set for kernels whose output ends in a file
CORES_VARIABLE = "NBLIB_CORES"  # fewer cores than the system grants, where runs stand side by side already
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
    """Cores that this process may use: those that the system grants, and no more than NBLIB_CORES where that is set.

    Raises
    ------
    ValueError where NBLIB_CORES is not a whole number from 1 on
    """
    granted = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    asked = os.environ.get(CORES_VARIABLE, "").strip()
    if not asked:
        return granted
    if not asked.isdecimal() or int(asked) < 1:
        raise ValueError(f"{CORES_VARIABLE}={asked!r} must be a whole number from 1 on; unset it to use every core")
    return min(granted, int(asked))


def is_live() -> bool:
    """Is output interactive? True in a terminal's script and in a kernel that JupyterLab started.

    False in the kernels of papermill, nbval and nbconvert, where a bar or a widget would only end up in a file - also
    when they were started from inside JupyterLab, whose session name they inherit.
    """
    if os.environ.get(HEADLESS_VARIABLE):
        return False
    if "ipykernel" in sys.modules:
        return "JPY_SESSION_NAME" in os.environ and not _started_by_a_kernel()
    return sys.stderr.isatty()


def _started_by_a_kernel():
    """Is a process above this one itself a notebook's kernel, or a runner of notebooks?"""
    import psutil  # ipykernel brings it

    try:
        commands = " ".join(" ".join(process.cmdline()) for process in psutil.Process().parents())
    except psutil.Error:
        return False
    return any(name in commands for name in ("ipykernel", "papermill", "nbconvert", "pytest"))


def git_commit() -> str:
    """Short commit of the clone, "-dirty" appended when its code differs from it, "unknown" outside a clone or git.

    Figures and records do not count: the run that renews them would call itself dirty.
    """
    commit, changes = (
        _git(*command) for command in (("rev-parse", "--short=10", "HEAD"), ("status", "-s", "--", *CODE))
    )
    return "unknown" if commit is None else commit + ("-dirty" if changes else "")


def _git(*arguments):
    """What git prints, None where it fails or is not there."""
    if not IN_CLONE:  # the folder's repository would be somebody else's
        return None
    try:
        answer = subprocess.run(["git", *arguments], cwd=ROOT, capture_output=True, text=True, timeout=10, check=True)
    except (OSError, subprocess.SubprocessError):
        return None
    return answer.stdout.strip()
