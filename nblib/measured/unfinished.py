"""What a command on many files had still to do when it was killed: a list beside the results until all are done."""

from collections.abc import Sequence
from glob import escape
from pathlib import Path

from nblib.measured.outputs import Job
from nblib.measured.products import MAKER, UNFINISHED, path_from, writing
from nblib.project.paths import replace_whole

MOST_NAMED = 10
HEAD = f"{MAKER} began these files and was ended; those without results are not done\n"


def begin(folder: Path, jobs: Sequence[Job], figures: Sequence[str] = ()) -> None:
    """Write the list of all files that are about to be examined, with the kinds of figures that each is to have.

    Raises
    ------
    ValueError where that is impossible
    """
    rows = ((path_from(folder, job.path), path_from(folder, job.folder / job.name)) for job in jobs)
    lines = (f"{path}\t{place}\t{','.join(figures)}\n" for path, place in rows)
    with writing(folder):
        folder.mkdir(parents=True, exist_ok=True)
        replace_whole(folder / UNFINISHED, HEAD + "".join(lines))


def over(folder: Path, rest: Sequence[Job], figures: Sequence[str] = ()) -> None:
    """Take the list away, or leave the files that were not done."""
    if rest:
        begin(folder, rest, figures)
    else:
        (folder / UNFINISHED).unlink(missing_ok=True)


def left_over(folder: Path) -> list[str]:
    """A line that names the files without results of a command that was ended; [] where there is none."""
    listed = folder / UNFINISHED
    try:
        text, begun = listed.read_text(encoding="utf-8"), listed.stat().st_mtime
    except (OSError, UnicodeDecodeError):
        return []
    entries = [line.split("\t") for line in text.removeprefix(HEAD).splitlines()]
    rest = [entry[0] for entry in entries if len(entry) == 3 and not _is_done(folder / entry[1], entry[2], begun)]
    if not rest:
        return []
    more = f" and {len(rest) - MOST_NAMED} more" if len(rest) > MOST_NAMED else ""
    names = ", ".join(Path(path).name for path in rest[:MOST_NAMED])
    return [f"an earlier command was ended before {len(rest)} of its {len(entries)} files: {names}{more}"]


def _is_done(place: Path, figures: str, begun: float) -> bool:
    """Are there whole results of one spectrum, or of several, from that command and not from one before?"""
    documents = [place.with_name(f"{place.name}.flags.json")]
    if not documents[0].exists():
        documents = list(place.parent.glob(f"{escape(place.name)}.*.flags.json"))
    wanted = [document.with_suffix(f".{kind}") for document in documents for kind in figures.split(",") if kind]
    return bool(documents) and all(path.exists() and path.stat().st_mtime >= begun for path in [*documents, *wanted])
