"""What a command on many files had still to do when it was killed: a list beside the results until all are done."""

from collections.abc import Sequence
from pathlib import Path

from nblib.measured.outputs import Job, owner_of
from nblib.measured.products import MAKER, UNFINISHED, path_from, writing
from nblib.project.paths import replace_whole

MOST_NAMED = 10
HEAD = f"{MAKER} began these files and was ended; those without results are not done\n"


def begin(folder: Path, jobs: Sequence[Job]) -> None:
    """Write the list of all files that are about to be examined; raises ValueError where that is impossible."""
    lines = (f"{path_from(folder, job.path)}\t{path_from(folder, job.folder / job.name)}\n" for job in jobs)
    with writing(folder):
        folder.mkdir(parents=True, exist_ok=True)
        replace_whole(folder / UNFINISHED, HEAD + "".join(lines))


def over(folder: Path, rest: Sequence[Job]) -> None:
    """Take the list away, or leave the files that were not done."""
    if rest:
        begin(folder, rest)
    else:
        (folder / UNFINISHED).unlink(missing_ok=True)


def left_over(folder: Path) -> list[str]:
    """A line that names the files without results of a command that was ended; [] where there is none."""
    try:
        text = (folder / UNFINISHED).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        return []
    entries = [line.split("\t") for line in text.removeprefix(HEAD).splitlines()]
    rest = [entry[0] for entry in entries if len(entry) == 2 and not _has_results(folder / entry[1])]
    if not rest:
        return []
    more = f" and {len(rest) - MOST_NAMED} more" if len(rest) > MOST_NAMED else ""
    names = ", ".join(Path(path).name for path in rest[:MOST_NAMED])
    return [f"an earlier command was ended before {len(rest)} of its {len(entries)} files: {names}{more}"]


def _has_results(place: Path) -> bool:
    """Are there results of one spectrum, or of several?"""
    return owner_of(place.parent, place.name) is not None or any(place.parent.glob(f"{place.name}.*.flags.json"))
