"""Files that are replaced whole: after a kill, a full disk or a power cut the former one or the new one is there."""

import os
from contextlib import AbstractContextManager
from pathlib import Path


def write_whole(path: Path, content: bytes | str, former: Path | None = None) -> Path:
    """Write a temporary file beside it, force it to the disk, rename it, and force the folder to the disk.

    Parameters
    ----------
    former : where the file that is replaced goes

    Raises
    ------
    ValueError where the folder cannot be written to; what was there stays as it was
    """
    partial = path.with_name(f"{path.name}.{os.getpid()}.partial")  # of this process alone
    try:
        with partial.open("wb") as stream:
            stream.write(content.encode() if isinstance(content, str) else content)
            stream.flush()
            os.fsync(stream.fileno())
        if former is not None and path.exists():
            path.replace(former)
        partial.replace(path)
        _sync(path.parent)
    except OSError as error:
        raise ValueError(unwritable(path.parent, error)) from error
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
    for partial in folder.glob("*.partial"):
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
