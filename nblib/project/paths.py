"""Where everything lives, and files that are replaced whole: after a kill or a full disk the old or the new is there.

No other module builds a path to a project folder.
"""

import os
from contextlib import AbstractContextManager
from pathlib import Path

_ABOVE_PACKAGE = Path(__file__).resolve().parents[2]
IN_CLONE = (_ABOVE_PACKAGE / "pyproject.toml").is_file()
ROOT = _ABOVE_PACKAGE if IN_CLONE else Path.cwd()  # an installed package works in the folder it was started in
NOTEBOOKS = ROOT / "notebooks"
PARTIAL = ".partial"  # ending of what is being written
REAL_DATA_VARIABLE = "NBLIB_REAL_DATA"  # names a folder with measured spectra; absent for most users


def runs_dir(*parts: str) -> Path:
    """Folder below runs/, made if absent: all that runs write lies there.

    Parameters
    ----------
    parts : path components below runs/, e.g. "quick", "03_full_attention_regularizer"

    Returns
    -------
    existing folder; runs/ lies in the clone, outside one in the current folder, and where NBLIB_RUNS says

    Raises
    ------
    ValueError where it cannot be made or written to
    """
    folder = Path(os.environ.get("NBLIB_RUNS") or ROOT / "runs").joinpath(*parts)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ValueError(unwritable(folder, error)) from error
    return folder


def figures_dir(profile: str, run_name: str = "") -> Path:
    """Folder that figures are written to, below runs/ at every profile; `make publish` copies a report's from there.

    Parameters
    ----------
    profile : "smoke", "brief", "quick", "full", or "benchmarks"
    run_name : a named run (one point of a grid) keeps its figures apart
    """
    return runs_dir(profile, "figures", run_name)


def record_path(profile: str, notebook: str) -> Path:
    """The published record of a notebook's plain run, quoted by prose; only `make publish` writes there."""
    return Path(os.environ.get("NBLIB_RECORDS") or ROOT / "records") / profile / f"{notebook}.json"


def published_figures() -> Path:
    """The folder of the published figures; only `make publish` writes there."""
    return Path(os.environ.get("NBLIB_FIGURES") or ROOT / "figures")


def benchmark_record(name: str) -> Path:
    """The published record of one benchmark."""
    return record_path("benchmarks", name)


def benchmark_result(name: str) -> Path:
    """Where a benchmark that runs now writes its record; `make publish` copies it from there."""
    return runs_dir("benchmarks") / f"{name}.json"


def from_root(path: Path) -> Path:
    """A path as a reader in the project's folder would type it."""
    path = Path(path).resolve()
    return path.relative_to(ROOT) if path.is_relative_to(ROOT) else path


def resolve_data_path(path: str | Path) -> Path:
    """A data file as the user wrote it, else below the project root, else below $NBLIB_REAL_DATA.

    Parameters
    ----------
    path : absolute, or relative to the current folder, the project root or $NBLIB_REAL_DATA

    Returns
    -------
    the first that exists

    Raises
    ------
    ValueError that lists every place tried
    """
    candidates = [Path(path).expanduser(), ROOT / path]
    if os.environ.get(REAL_DATA_VARIABLE):
        candidates.append(real_data_dir() / path)
    for candidate in candidates:
        if candidate.is_file():
            return candidate
    tried = ", ".join(dict.fromkeys(str(candidate) for candidate in candidates))
    raise ValueError(f"data_path={str(path)!r} is not a file (tried {tried}); give the path of a spectrum file")


def measured_data_dir() -> Path:
    """The folder of the measured spectra that come with the clone."""
    return ROOT / "data" / "measured"


def real_data_dir() -> Path:
    """The folder that $NBLIB_REAL_DATA names, relative paths taken from the project root.

    Raises
    ------
    ValueError when the variable is not set
    """
    value = os.environ.get(REAL_DATA_VARIABLE)
    if not value:
        raise ValueError(f"{REAL_DATA_VARIABLE} is not set; set it to the folder that holds the measured spectra")
    return (ROOT / value).resolve()


# ---- files replaced whole ----


def write_whole(path: Path, content: bytes | str, former: Path | None = None) -> Path:
    """Write a temporary file beside it, force it to the disk, rename it, and force the folder to the disk.

    Parameters
    ----------
    former : where the file that is replaced goes

    Raises
    ------
    ValueError where the folder cannot be written to; what was there stays as it was
    """
    try:
        replace_whole(path, content, former, is_forced=True)
        _sync(path.parent)
    except OSError as error:
        raise ValueError(unwritable(path.parent, error)) from error
    return path


def replace_whole(path: Path, content: bytes | str, former: Path | None = None, is_forced: bool = False) -> Path:
    """As `write_whole`, but not forced to the disk unless asked: for what is quickly made again. Raises OSError."""
    partial = path.with_name(f"{path.name}.{os.getpid()}{PARTIAL}")  # of this process alone
    try:
        partial.unlink(missing_ok=True)
        with partial.open("xb") as stream:  # never through a link that lies there
            stream.write(content.encode() if isinstance(content, str) else content)
            if is_forced:
                stream.flush()
                os.fsync(stream.fileno())
        if former is not None and path.exists():
            path.replace(former)
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)
    return path


def unwritable(folder: Path, error: OSError) -> str:
    """What to say of a folder that cannot be written to."""
    return (
        f"cannot write to {folder} ({error.strerror}): free some space or make it writable, or name another place for "
        "runs in NBLIB_RUNS; what was written before is whole, and the same call goes on from there"
    )


def locked(folder: Path) -> AbstractContextManager:
    """Hold a folder for this process alone, others wait; what a killed one was writing is taken away.

    Raises
    ------
    ValueError where the folder cannot be written to
    """
    from filelock import FileLock

    try:
        held = FileLock(folder / ".lock").acquire()
    except OSError as error:
        raise ValueError(unwritable(folder, error)) from error
    for partial in folder.glob(f"*{PARTIAL}"):
        partial.unlink()
    return held


def _sync(folder):
    """Force a folder's entries to the disk, so that a rename outlives a power cut; Windows has no such call."""
    if os.name != "nt":
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
