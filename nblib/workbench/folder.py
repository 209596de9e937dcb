"""The spectra of a folder: which of its files are read, each fitted, what could not be and why."""

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from nblib.measured.advice import as_options
from nblib.measured.products import is_result
from nblib.workbench import products
from nblib.workbench.arrhenius import POINT_COLUMNS, TRAP_COLUMNS
from nblib.workbench.options import Fitted, detector_of, fitted

ENERGIES = "nblib arrhenius"  # its maker's name stands in the files of a command
REPORT = "nblib report"


@dataclass(frozen=True, eq=False)
class Member:
    """One spectrum of a folder; kelvin, source : its temperature and where that was read, None if not known."""

    path: Path
    found: Fitted
    kelvin: float | None = None
    source: str | None = None


def files_of(options) -> list[Path]:
    """The folder's spectra: every file but results of nblib, the table of temperatures, the floor and hidden files."""
    if not options.folder.is_dir():
        raise ValueError(f"{options.folder} is not a folder; nblib fit takes single files")
    others = {path.resolve() for path in (options.temperatures, options.floor, _flags(options)) if path is not None}
    found = [path for path in sorted(options.folder.iterdir()) if path.is_file() and not path.name.startswith(".")]
    found = [path for path in found if path.resolve() not in others and not is_result(path)]
    if not found:
        raise ValueError(f"{options.folder} holds no file to read")
    return found


def _flags(options) -> Path | None:
    return None if options.drop in ("auto", "none") else Path(options.drop)


def is_energies(path: Path) -> bool:
    """True for a file that `nblib arrhenius` wrote."""
    tables = (",".join(TRAP_COLUMNS), ",".join(POINT_COLUMNS))
    return products.is_own(path, tables.__contains__, ("t_power", "traps", "spectra"), ENERGIES)


def is_report(path: Path) -> bool:
    """True for a page that `nblib report` wrote."""
    return path.suffix == ".html" and REPORT.encode() in path.read_bytes()


def members_of(
    paths: list[Path], known: Sequence[tuple[float | None, str | None]], options
) -> tuple[list[Member], dict]:
    """Every spectrum of the files, fitted; and why, by the names of those that could not be, which is printed.

    Parameters
    ----------
    known : temperature of each file and its source
    """
    members, left_out, detector = [], {}, detector_of(options)
    for path, (kelvin, source) in zip(paths, known, strict=True):
        try:
            members += [Member(path, found, kelvin, source) for found in fitted(path, options, detector)]
        except (ValueError, OSError) as error:
            left_out[path.name] = as_options(str(error)).removeprefix(f"{path.name}: ")
            print(f"left out: {path.name}: {left_out[path.name]}", file=sys.stderr)
    return members, left_out
