"""Which files a user means by names, patterns and folders; not results of this program."""

import re
from collections.abc import Iterable
from pathlib import Path

from nblib.measured.products import RESULTS, is_result

LEFT_OUT = "{} of nblib's own results left out"


def files_of(sources: Iterable[str | Path]) -> tuple[list[Path], str]:
    """The measured files of some sources, each once, and a line on what was left out ("" where nothing was).

    Parameters
    ----------
    sources : files; folders, whose files are meant, those of their subfolders not; patterns such as "run_*.csv" or
        "**/*.csv", quoted or not. A name that exists is never a pattern. A file that is not there is kept, so that it
        is refused by name.

    Raises
    ------
    ValueError for a pattern that no file matches, a folder without files, and where only results are left
    """
    files: dict[Path, Path] = {}
    results: list[Path] = []
    for source in sources:
        path = Path(source).expanduser()
        for file in _meant(path):
            own = RESULTS in file.absolute().parts or is_result(file)
            if own:
                results.append(file)
            else:
                files.setdefault(file.resolve(), file)
    if results and not files:
        raise ValueError(f"{results[0]} is a result of nblib, not a measurement; name the measured file")
    return list(files.values()), LEFT_OUT.format(len(results)) if results else ""


def _meant(path: Path) -> list[Path]:
    """The files that one name stands for."""
    if path.is_dir():
        files = _files(path.iterdir())
        if not files:
            raise ValueError(f"{path} holds no files; name a folder of spectra")
        return files
    if path.exists() or not re.search(r"[*?\[]", str(path)):
        return [path]
    files = _files(Path(path.anchor or ".").glob(str(path.relative_to(path.anchor))))
    if not files:
        raise ValueError(f"no file matches {str(path)!r}; name a file, a folder or a pattern such as '*.csv'")
    return files


def _files(paths):
    return sorted(path for path in paths if path.is_file() and not path.name.startswith("."))
