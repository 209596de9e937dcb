"""Runs become the repository's: records, notebooks' outputs, figures and generated pages, by one command alone."""

import shutil
from pathlib import Path

from evidence.pages.answers import renew_answer
from evidence.pages.pages import renew_pages
from nblib.notebook.figures import read_index, write_index
from nblib.notebook.stored_outputs import store_outputs
from nblib.project.paths import (
    IN_CLONE,
    NOTEBOOKS,
    ROOT,
    figures_dir,
    from_root,
    published_figures,
    record_path,
    runs_dir,
)
from nblib.project.profiles import PUBLISHED, get_profile
from nblib.project.records import read_json


def publish(profile: str = "quick") -> list[str]:
    """Copy plain records, outputs and figures of runs/ (and of benchmarks, where there are any), then renew the pages.

    Parameters
    ----------
    profile : "quick" or "full"

    Returns
    -------
    one line per file that changed, and one per run that was left out, with why

    Raises
    ------
    ValueError for profiles that are too short to prove anything, and outside a clone
    """
    get_profile(profile)
    if profile not in PUBLISHED:
        raise ValueError(f"profile={profile!r} is refused: its runs prove nothing; publish {' or '.join(PUBLISHED)}")
    if not IN_CLONE:
        raise ValueError(f"{ROOT} is not a clone of the repository; publish there, where records/ and figures/ are")
    changes, left_out = [], []
    before = {path: path.read_bytes() for path in sorted(NOTEBOOKS.glob("*.ipynb"))}
    for name in sorted(path.stem for path in NOTEBOOKS.glob("*.ipynb")):
        path = runs_dir(profile) / name / "result.json"
        reason = _reason_against(read_json(path), profile) if path.exists() else ""
        if reason:
            changes.append(f"left out: {from_root(path)} ({reason})")
            left_out.append(name[:3])
        elif path.exists():
            changes += _copy(path, record_path(profile, name)) + _store(NOTEBOOKS / f"{name}.ipynb", path.parent)
        elif path.with_name(f"{name}.ipynb").exists():  # drawn from the published record
            changes += _store(NOTEBOOKS / f"{name}.ipynb", path.parent)
    for path in sorted(runs_dir("benchmarks").glob("*.json")):
        changes += _copy(path, record_path("benchmarks", path.stem))
    for folder in (figures_dir(profile), figures_dir("benchmarks")):
        changes += _publish_figures(folder, tuple(left_out))
    for path in before:
        renew_answer(path)
    changes += [f"changed: {from_root(path)}" for path, content in before.items() if path.read_bytes() != content]
    return changes + [f"renewed: {from_root(path)}" for path in renew_pages()]


def _store(notebook: Path, folder: Path) -> list[str]:
    """The outputs of the run stored in its notebook; says why where they were left out."""
    executed = folder / notebook.name
    if not executed.exists():
        return [f"left out: the outputs of {from_root(notebook)} (no executed notebook in {from_root(folder)})"]
    try:
        store_outputs(notebook, executed)
    except ValueError as error:
        return [f"left out: the outputs of {from_root(notebook)} ({error})"]
    return []


def _reason_against(record, profile):
    if record["profile"] != profile:
        return f"its profile is {record['profile']}"
    if record.get("profiles_from"):
        return f"sizes from {record['profiles_from']}"
    return f"reads {record['parameters']['data_path']}" if record["parameters"].get("data_path") else ""


def _publish_figures(folder: Path, left_out: tuple[str, ...]) -> list[str]:
    """Copy a folder's figures, but for names that begin with what is left out; returns what changed.

    A published figure that its notebook no longer draws is removed.
    """
    target, changes = published_figures(), []
    entries = read_index(target)
    drawn = {name: entry for name, entry in read_index(folder).items() if not (left_out and name.startswith(left_out))}
    prefixes = tuple({name[:3] for name in drawn if name[:2].isdigit()})
    stale = [name for name in entries if name not in drawn and prefixes and name.startswith(prefixes)]
    for ending in (".png", ".pdf"):
        for name in drawn:
            changes += _copy(folder / f"{name}{ending}", target / f"{name}{ending}")
        for name in stale:
            (target / f"{name}{ending}").unlink(missing_ok=True)
            changes.append(f"removed: {from_root(target / f'{name}{ending}')}")
    after = {name: entry for name, entry in (entries | drawn).items() if name not in stale}
    if after != entries:
        write_index(target, after)
        changes.append(f"changed: {from_root(target / 'README.md')}")
    return changes


def _copy(source: Path, target: Path) -> list[str]:
    if target.exists() and target.read_bytes() == source.read_bytes():
        return []
    verb = "changed" if target.exists() else "new"
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(source, target)
    return [f"{verb}: {from_root(target)}"]
