"""What results are named after, where they may go, and that they replace nothing but results of this program."""

import tempfile
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from nblib.measured.files.formats import READERS, SERIES_READERS
from nblib.measured.files.readers import COMPRESSED
from nblib.measured.products import is_product

TEXTS = (".csv", ".tsv", ".txt", ".dat", ".data", ".asc", ".ascii", ".prn", ".tab", ".xy", ".lvm", ".out", ".log")


def output_names(paths: Sequence[Path]) -> list[str]:
    """Names of the results of each file, no two alike whatever the case of their letters.

    The file's name without its ending (known ones only: "run_300.5K" has none); where another file could claim that,
    the whole name; then the folder before it, and a number.
    """
    wishes = [tuple(dict.fromkeys((_stem(path.name), path.name, _with_folder(path)))) for path in paths]
    claims = Counter(wish.casefold() for own in wishes for wish in own)
    taken: set[str] = set()
    return [free_name(next((wish for wish in own if claims[wish.casefold()] == 1), own[-1]), taken) for own in wishes]


def free_name(wish: str, taken: set[str]) -> str:
    """The name wished for, numbered where it is taken; `taken` (lower case) is told of it."""
    name, number = wish, 1
    while name.casefold() in taken:
        number += 1
        name = f"{wish}_{number}"
    taken.add(name.casefold())
    return name


def _stem(name):
    for known in (COMPRESSED, {*READERS, *SERIES_READERS, *TEXTS}):
        ending = Path(name).suffix
        if ending.lower() in known:
            name = name.removesuffix(ending)
    return name


def _with_folder(path):
    return f"{path.resolve().parent.name}_{path.name}"


def prepare(folder: Path) -> None:
    """Make the folder of the results; raises ValueError where nothing can be written."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise ValueError(f"cannot write to {folder} ({error.strerror}); name another folder") from error


def check_targets(
    targets: Iterable[Path],
    inputs: Iterable[Path],
    is_own: Callable[[Path], bool] = is_product,
    maker: str = "nblib detect",
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
            raise ValueError(f"its results would replace {target}, which this command reads; name another folder")
        if there and not is_own(target):
            raise ValueError(
                f"its results would replace {target}, which {maker} did not write; move it, or name another folder"
            )
