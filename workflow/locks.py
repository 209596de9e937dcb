"""Write the lock files anew: `python workflow/locks.py`, with the program uv at hand (not part of the set-up).

Each pins every package below what is asked for by version and by the hash of every file, for Linux, macOS and Windows:

requirements.lock      `nblib detect` alone: the dependencies of pyproject.toml, Python 3.11 to 3.13
requirements-gpu.lock  everything, with torch as the package registry has it: on Linux it brings CUDA's libraries
requirements-cpu.lock  the same with PyTorch's CPU builds, without those libraries
"""

import os
import re
import subprocess
import sys
from pathlib import Path

from nblib.project.paths import ROOT

LIGHT, GPU, CPU = "requirements.lock", "requirements-gpu.lock", "requirements-cpu.lock"
HEAD = "# {what}; made by `python workflow/locks.py`, see docs/trust.md\n"
CUDA = re.compile(r"(nvidia-|cuda-|triton==)")
# of PyTorch's index of CPU builds, which no lock tool asks beside the registry; CPython 3.11, 3.12, 3.13.
# The first was installed and compared here; the others are as a public copy of that index lists them.
CPU_BUILDS = {
    "2.13.0": """
        6746dbcbeb526eb61330b76b41ff1b4eb848951103a892eeb080dfa2b264667b  Linux x86-64
        4ca4a9394b0c771238a4f73590fdbbc4debad85ed0fa63d026ae1b085da7d6e2
        3fbf9c9d1f3c10c2d59d04aca426dee9ccc6ceb32d255c61e93acc3b4f75fae6
        84453b69508ec79902f899c5ed9495acb9e2bbe9fda5f1d5d6f19e3c3842e1a7  Linux on ARM
        6f307c2c32d764ffc6ff6893b801fad6d4752f3e67966cb8abf1843427c02604
        0b8f7d0423027ae8b90c7977c627f3379f325363a08224dffad9b4b2d684a83d
        10717d8b3b67c45a4788bf7ffc0bab1ea1e5ebbedd24466be6100102d141fac1  Windows
        a8b450c1e58e5800e5b4691dac412f8d2d65a1dc3298166f91596603a3531e6f
        a17ff48608634db245e17e8bb00a9558554a49aeb1e4f5fe6cd039af2a10515b
        e76f9bcecc52b8ff711239a2f7547d5353df95878ab232f0773c1d95928b92f8  macOS on ARM
        2fe228aba290d14b9f31b049be550dbd469c3fd3013d7a19705b30454da97027
        33449899ce5496c1b84b4853179d94fd102028ae1407314d9fb956bb79e70d09
    """,
}


def compiled(source: str, python: str) -> str:
    """What uv resolves within constraints.txt, for every platform; it names no server.

    Parameters
    ----------
    source : file of requirements
    python : oldest version
    """
    command = [os.environ.get("UV", "uv"), "pip", "compile", source, "--constraints", "constraints.txt", "--universal"]
    command += ["--no-strip-extras"]  # pip's hash mode asks for the extras that packages ask for
    command += ["--python-version", python, "--generate-hashes", "--no-header", "--no-annotate", "--no-emit-index-url"]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout


def for_cpu(lock: str) -> str:
    """A lock with PyTorch's CPU builds in place of the registry's, and without CUDA's libraries.

    Raises
    ------
    ValueError where the hashes of torch's version are not known here
    """
    entries = re.split(r"\n(?=\S)", lock.rstrip("\n"))
    kept = [entry for entry in entries if not CUDA.match(entry)]
    at = next(number for number, entry in enumerate(kept) if entry.startswith("torch=="))
    version = re.match(r"torch==(\S+)", kept[at]).group(1)  # type: ignore[union-attr]
    if version not in CPU_BUILDS:
        raise ValueError(f"no hashes of the CPU builds of torch {version}; add them to CPU_BUILDS")
    hashes = [line.split()[0] for line in CPU_BUILDS[version].strip().splitlines()]
    kept[at] = " \\\n    ".join([f"torch=={version}", *(f"--hash=sha256:{one}" for one in hashes)])
    return "\n".join(kept) + "\n"


def main() -> int:
    """Write all three; 1 where uv is missing or finds no solution."""
    try:
        light, everything = compiled("pyproject.toml", "3.11"), compiled("requirements.txt", "3.11.5")
    except (FileNotFoundError, subprocess.CalledProcessError) as error:
        print(f"refused: {getattr(error, 'stderr', '') or error}; install uv, or name it in UV", file=sys.stderr)
        return 1
    for name, what, lock in (
        (LIGHT, "nblib detect alone", light),
        (GPU, "everything, torch of the registry", everything),
        (CPU, "everything, torch for the CPU", for_cpu(everything)),
    ):
        Path(ROOT / name).write_text(HEAD.format(what=what) + lock, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
