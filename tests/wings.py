"""The imports of nblib and evidence as a graph, counted from the sources: inside functions too, `__init__` not.

`python tests/wings.py` prints modules and lines that a module reaches, and the arrows between rooms.
"""

import ast
import sys
from functools import cache
from pathlib import Path

CLONE = Path(__file__).resolve().parent.parent
PACKAGES = ("nblib", "evidence")
# lowest first: a room imports only from its own and from those before it
ROOMS = (
    *(
        "project",
        "cells",
        "smoothing",
        "style",
        "stored",
        "live",
        "simulation",
        "dataset",
        "scoring",
        "attention",
        "model",
        "losses",
    ),
    *("prediction", "training", "assessment", "notebook", "measured", "workbench", "__main__", "evidence"),
)
IDEA = (*("attention", "model", "losses", "simulation", "dataset", "scoring", "prediction", "training", "assessment"),)
GROUND = ("project", "cells", "smoothing", "style", "stored", "live")


def name_of(path: Path) -> str:
    """Dotted name of a source file."""
    return ".".join(path.relative_to(CLONE).with_suffix("").parts)


@cache
def files() -> dict[str, Path]:
    """Every module but the `__init__` of rooms, by dotted name."""
    paths = [path for package in PACKAGES for path in (CLONE / package).rglob("*.py") if "build" not in path.parts]
    return {name_of(path): path for path in sorted(paths) if path.name != "__init__.py"}


@cache
def public() -> dict[str, str]:
    """Where the names that `nblib` itself offers live."""
    import nblib

    return dict(nblib.HOMES)


def imported(source: str, known: dict[str, Path]) -> set[str]:
    """Modules, of those known, that a source imports anywhere in it."""
    modules: set[str] = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            modules |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            for alias in node.names:
                inner = f"{node.module}.{alias.name}"
                home = public().get(alias.name, "nblib") if node.module == "nblib" else node.module
                modules.add(inner if inner in known else home)
    return modules & set(known)


@cache
def arrows() -> dict[str, set[str]]:
    """The modules that each module imports."""
    known = files()
    return {name: imported(path.read_text(encoding="utf-8"), known) - {name} for name, path in known.items()}


def reached(*names: str) -> set[str]:
    """The modules given, and all that they import, directly or not."""
    seen: set[str] = set()
    waiting = list(names)
    while waiting:
        name = waiting.pop()
        if name not in seen:
            seen.add(name)
            waiting += arrows()[name]
    return seen


def lines(names) -> int:
    """Lines of modules in total."""
    return sum(len(files()[name].read_text(encoding="utf-8").splitlines()) for name in names)


def room(name: str) -> str:
    """The room that a module belongs to: "evidence", or the first part below nblib."""
    package, *parts = name.split(".")
    return "evidence" if package == "evidence" else parts[0]


def between_rooms() -> dict[tuple[str, str], list[tuple[str, str]]]:
    """Imports from one room to another: (room, room) -> pairs of modules."""
    pairs: dict[tuple[str, str], list[tuple[str, str]]] = {}
    for name, others in arrows().items():
        for other in others:
            if room(name) != room(other):
                pairs.setdefault((room(name), room(other)), []).append((name, other))
    return pairs


def circles() -> list[set[str]]:
    """Groups of modules that import each other in a circle."""
    reach = {name: reached(name) for name in arrows()}
    groups = {frozenset(other for other in reach[name] if name in reach[other]) for name in reach}
    return [set(group) for group in groups if len(group) > 1]


if __name__ == "__main__":
    for start in sys.argv[1:] or ("nblib.dataset", "nblib.training.loop", "nblib.measured.detector"):
        print(f"{start}: {len(reached(start))} modules, {lines(reached(start))} lines")
    print(f"the idea: {lines(name for name in files() if room(name) in IDEA)} lines")
    for (one, other), pairs in sorted(between_rooms().items()):
        print(f"{one} -> {other}: {len(pairs)}")
    print("circles:", circles() or "none")
