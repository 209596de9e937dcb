"""What results are named after, where they may go, and that they replace nothing but results of this program."""

import contextlib
import json
import os
import tempfile
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from nblib.measured.files.formats import READERS, SERIES_READERS
from nblib.measured.files.readers import COMPRESSED
from nblib.measured.products import RESULTS, is_product
from nblib.project.paths import PARTIAL

TEXTS = (".csv", ".tsv", ".txt", ".dat", ".data", ".asc", ".ascii", ".prn", ".tab", ".xy", ".lvm", ".out", ".log")
STALE = 3600.0  # s; what was being written so long ago never will be
JOINT = "all"  # name of what is made of all files of a command
OWNED = ("flags.json", "fit.json")  # NAME. before each; they say which file NAME stands for


@dataclass(frozen=True)
class Job:
    """One file, and where its results go.

    Attributes
    ----------
    path : the file
    shown : how the joint table names it
    folder, name : results are folder/name.flags.csv and so on
    origin : the file as its results name it where it is read elsewhere, as standard input is; None: path
    reserved : names, lower case, of other files that begin like this one and that its spectra may not take
    """

    path: Path
    shown: str
    folder: Path
    name: str
    reserved: tuple[str, ...] = ()
    origin: Path | None = None


def jobs_of(paths: Sequence[Path], out: Path | None = None) -> list[Job]:
    """Where the results of each file go: beside it into a folder of their own, or into `out`."""
    folders: dict[Path, list[int]] = defaultdict(list)
    for at, path in enumerate(paths):
        folders[path.parent / RESULTS if out is None else out].append(at)
    parents = {str(path.absolute().parent) for path in paths}
    base = _common(parents) if len(parents) > 1 else None
    jobs: dict[int, Job] = {}
    for folder, members in folders.items():
        own = [paths[at] for at in members]
        names = output_names(own, folder)
        begin: dict[str, list[str]] = defaultdict(list)
        for name in map(str.casefold, names):
            for end in (at for at, letter in enumerate(name) if letter == "."):
                begin[name[:end]].append(name)
        for at, path, name in zip(members, own, names, strict=True):
            shown = path.name if base is None else Path(os.path.relpath(path.absolute(), base)).as_posix()
            jobs[at] = Job(path, shown, folder, name, tuple(begin[name.casefold()]))
    return [jobs[at] for at in range(len(paths))]


def _common(folders):
    """The folder above several; None where they lie on several drives."""
    try:
        return os.path.commonpath(sorted(folders))
    except ValueError:
        return None


def joint_folder(paths: Sequence[Path], out: Path | None = None) -> Path:
    """Where the table and the page of all files go: `out`, beside the files of one folder, else the current folder."""
    parents = {path.parent for path in paths}
    return out if out is not None else (parents.pop() if len(parents) == 1 else Path()) / RESULTS


def output_names(paths: Sequence[Path], folder: Path | None = None) -> list[str]:
    """Names of the results of each file, no two alike whatever the case of their letters.

    The file's name without its ending (known ones only: "run_300.5K" has none); where another file could claim that,
    the whole name; then the folder before it, and a number.

    Parameters
    ----------
    folder : of the results: a name under which another file's results lie there is not used, one's own is used again
    """
    wishes = [tuple(dict.fromkeys((_stem(path.name), path.name, _with_folder(path)))) for path in paths]
    claims = Counter(wish.casefold() for own in wishes for wish in own)
    taken = {JOINT}
    names = []
    for path, own in zip(paths, wishes, strict=True):
        owners = {wish: owner_of(folder, wish) for wish in own}
        left = [wish for wish in own if wish.casefold() not in taken]
        mine = [wish for wish in left if owners[wish] == path.resolve()]
        free = [wish for wish in left if claims[wish.casefold()] == 1 and owners[wish] is None]
        names.append(free_name((mine or free or own[-1:])[0], taken, folder, path))
    return names


def free_name(wish: str, taken: set[str], folder: Path | None = None, path: Path | None = None) -> str:
    """The name wished for, numbered where it is taken, or where another file's results have it in the folder.

    `taken` (lower case) is told of it.
    """
    name, number = wish, 1
    while name.casefold() in taken or (path is not None and owner_of(folder, name) not in (None, path.resolve())):
        number += 1
        name = f"{wish}_{number}"
    taken.add(name.casefold())
    return name


def owner_of(folder: Path | None, name: str) -> Path | None:
    """The file whose results lie in a folder under a name; None where none do."""
    if folder is None:
        return None
    for ending in OWNED:
        with contextlib.suppress(OSError, ValueError, KeyError, TypeError):
            document = json.loads((folder / f"{name}.{ending}").read_text(encoding="utf-8"))
            return (folder / document["path"]).resolve()
    return None


def spectrum_names(job: Job, parts: Sequence[str]) -> list[str]:
    """NAME of the results of each spectrum of a file, in the job's folder; parts : Measurement.file_part of each."""
    if len(parts) < 2:
        return [job.name] * len(parts)
    taken, path = set(job.reserved), job.origin or job.path
    return [free_name(f"{job.name}.{part}", taken, job.folder, path) for part in parts]


def _stem(name):
    for known in (COMPRESSED, {*READERS, *SERIES_READERS, *TEXTS}):
        ending = Path(name).suffix
        if ending.lower() in known:
            name = name.removesuffix(ending)
    return name


def _with_folder(path):
    return f"{path.resolve().parent.name}_{path.name}"


def prepare(folder: Path) -> None:
    """Make the folder of the results; raises ValueError where nothing can be written, or it leads elsewhere."""
    if folder.name == RESULTS and folder.is_symlink():
        raise ValueError(f"{folder} is a link to {folder.resolve()}; remove it, or name a folder with out=DIR")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
        for partial in folder.glob(f"*{PARTIAL}"):  # of a killed command, not of one that runs beside this one
            if is_product(partial) and time.time() - partial.stat().st_mtime > STALE:
                partial.unlink(missing_ok=True)
    except OSError as error:
        raise ValueError(f"cannot write to {folder} ({error.strerror}); name another folder with out=DIR") from error


@contextlib.contextmanager
def made_for_results(folders: Iterable[Path]) -> Iterator[None]:
    """Make the folders of results before the work; those made here that stay empty are gone after it.

    Raises
    ------
    ValueError as of `prepare`
    """
    made = [folder for folder in dict.fromkeys(folders) if not folder.exists()]
    try:
        for folder in dict.fromkeys(folders):
            prepare(folder)
        yield
    finally:
        for folder in made:
            with contextlib.suppress(OSError):
                folder.rmdir()


def check_targets(
    targets: Iterable[Path],
    inputs: Iterable[Path],
    is_own: Callable[[Path], bool] = is_product,
    maker: str = "nblib",
) -> None:
    """Raise ValueError where a result would replace a file that the command reads, or one of another making.

    Parameters
    ----------
    is_own : True for a file that the command `maker` wrote itself
    """
    read = {path.resolve() for path in inputs}
    for target in targets:
        there = target.exists()
        if target.resolve() in read or (there and any(path.exists() and target.samefile(path) for path in read)):
            raise ValueError(f"its results would replace {target}, which is read; name another folder with out=DIR")
        if there and not is_own(target):
            raise ValueError(
                f"its results would replace {target}, which {maker} did not write; move it, or name another folder "
                "with out=DIR"
            )
