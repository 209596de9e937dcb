"""The spectra of a folder, or the fits that `nblib fit` wrote of them: which are used, what could not be and why."""

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from nblib.measured.products import RESULTS, is_result
from nblib.workbench import products
from nblib.workbench.arrhenius import POINT_COLUMNS, TRAP_COLUMNS
from nblib.workbench.options import Fitted, as_typed, changed, detector_of, fitted, settings, without_tables
from nblib.workbench.result import Fit
from nblib.workbench.stored_fits import ENDING, StoredFit, is_stored_fit, read_fit, spectrum_of
from nblib.workbench.temperatures import of_headings

ENERGIES = "nblib arrhenius"  # its maker's name stands in the files of a command
REPORT = "nblib report"


@dataclass(frozen=True, eq=False)
class Member:
    """One spectrum of a folder.

    Attributes
    ----------
    path : of the file that was read, a spectrum or a fit
    fit : made now or read
    document : what its JSON says, or would
    kelvin, source : its temperature and where that was read; None and why it is not known
    fitted : of a spectrum that was fitted now, else None
    """

    path: Path
    fit: Fit | StoredFit
    document: dict
    kelvin: float | None
    source: str
    fitted: Fitted | None = None

    @property
    def spectrum(self) -> Path:
        """The file of the spectrum, whole path, there or not."""
        return (self.path if self.fitted else self.path.parent / self.document["path"]).resolve()


def results_of(options) -> Path:
    """Where the results of a command on a folder go: --out, else nblib-results in the folder, or it itself if it is."""
    own = RESULTS in options.folder.absolute().parts
    return options.out or (options.folder if own else options.folder / RESULTS)


def files_of(options) -> tuple[list[Path], dict[str, str]]:
    """The folder's fits and those of its spectra that have none there; why, by name, those that cannot be used.

    Results of nblib other than fits, the table of temperatures, the floor, that of flags and hidden files are not
    spectra. A fit stands for its spectrum.

    Raises
    ------
    ValueError for no folder, none to read, and for an option of a fit where fits are there
    """
    if not options.folder.is_dir():
        raise ValueError(f"{options.folder} is not a folder; nblib fit takes single files")
    there = [path for path in sorted(options.folder.iterdir()) if path.is_file() and not path.name.startswith(".")]
    fits = [path for path in there if is_stored_fit(path)]
    own = RESULTS in options.folder.absolute().parts
    spectra = [] if own else [path for path in without_tables(there, options) if path not in fits]
    spectra = [path for path in spectra if not is_result(path)]
    if not fits and not spectra:
        below = sum(map(is_stored_fit, (options.folder / RESULTS).glob("*")))
        more = f"; its {RESULTS} holds {below} fits, name that folder" if below else ""
        raise ValueError(f"{options.folder} holds no file to read{more}")
    if fits and (asked := changed(options)):
        raise ValueError(
            f"{', '.join(asked)} cannot change fits that are done ({fits[0].name}); leave it out, or move the "
            f"{len(fits)} fits away and name the folder of the spectra"
        )
    return _of_each_one(fits, spectra)


def _of_each_one(fits, spectra) -> tuple[list[Path], dict[str, str]]:
    """One file per spectrum, its fit where there is one; why fits were refused, whose spectra are not fitted either."""
    used, left_out, rest = [], {}, list(spectra)
    for path in fits:
        name = path.name[: -len(ENDING)]
        try:
            spectrum = spectrum_of(path, read_fit(path).document)
            own = [one for one in rest if spectrum is not None and one.name == spectrum.name]
            used.append(path)
            notes = [f"{one.name} is not fitted again: {path.name}, which was made from it, is used" for one in own]
        except ValueError as error:
            own = [one for one in rest if name in (one.name, one.stem)]
            left_out[path.name] = str(error).removeprefix(f"{path.name} ")
            notes = [f"left out: {error}"]
        print(*notes, sep="\n", end="\n" if notes else "", file=sys.stderr)
        rest = [one for one in rest if one not in own]
    return [*used, *rest], left_out


def is_energies(path: Path) -> bool:
    """True for a file that `nblib arrhenius` wrote."""
    starts = tuple(",".join(columns[:3]) for columns in (TRAP_COLUMNS, POINT_COLUMNS))  # later versions add columns
    return products.is_own(path, lambda heading: heading.startswith(starts), ("t_power", "traps", "spectra"), ENERGIES)


def is_report(path: Path) -> bool:
    """True for a page that `nblib report` wrote."""
    return path.suffix == ".html" and REPORT.encode() in path.read_bytes()


def members_of(
    paths: list[Path], known: Sequence[tuple[float | None, str]], options
) -> tuple[list[Member], dict[str, str]]:
    """Every spectrum of the files, fitted or read; and why, by the names of those that could not be, which is printed.

    Parameters
    ----------
    known : temperature of each file and its source, or None and why it has none; those of several spectra in one file
        stand in their headings

    Raises
    ------
    ValueError for two fits of one spectrum
    """
    members, left_out, detector = [], {}, detector_of(options)
    for path, where in zip(paths, known, strict=True):
        try:
            if is_stored_fit(path):
                fit = read_fit(path)
                members.append(Member(path, fit, fit.document, *where))
                continue
            fits = fitted(path, options, detector)
        except (ValueError, OSError) as error:
            left_out[path.name] = as_typed(str(error)).removeprefix(f"{path.name}: ")
            print(f"left out: {path.name}: {left_out[path.name]}", file=sys.stderr)
            continue
        each = [where]
        if len(fits) > 1:
            each = of_headings([one.measured.label.removeprefix(f"{path.name}, ") for one in fits])
        for one, its in zip(fits, each, strict=True):
            members.append(Member(path, one.fit, products.as_json(path, one, settings(options)), *its, one))
    seen: dict[tuple[Path, str], Path] = {}
    for member in members:
        other = seen.setdefault((member.spectrum, member.document["file"]), member.path)
        if other != member.path:
            raise ValueError(f"{other.name} and {member.path.name} are fits of one spectrum; keep one of them")
    return members, left_out


def shared_settings(members: Sequence[Member]) -> tuple[dict, list[str]]:
    """Options that all members were fitted with, and the names of those in which they differ."""
    every = [member.document["options"] for member in members]
    names = list(dict.fromkeys(name for one in every for name in one))
    differ = [name for name in names if any(one.get(name) != every[0].get(name) for one in every)]
    return {name: "differs" if name in differ else every[0].get(name) for name in names}, differ
