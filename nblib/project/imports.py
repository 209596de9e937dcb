"""Which files of nblib and of the evidence a notebook or a program runs, found by following its imports."""

import ast
import json
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import nblib

CLONE = Path(__file__).resolve().parents[2]
PACKAGES = ("nblib", "evidence")


def files_behind(path: Path) -> list[Path]:
    """Files of PACKAGES that a notebook (.ipynb) or a Python file imports, directly or not, sorted.

    Imports inside functions count; what is only registered by name does not.
    """
    source = Path(path).read_text(encoding="utf-8")
    if Path(path).suffix == ".ipynb":
        cells = json.loads(source)["cells"]
        source = "\n".join("".join(cell["source"]) for cell in cells if cell["cell_type"] == "code")
    files: set[Path] = set()
    waiting = list(_imported(source))
    while waiting:
        file = waiting.pop()
        if file not in files:
            files.add(file)
            waiting += _imported(file.read_text(encoding="utf-8"))
    return sorted(files)


@cache
def _imported(source: str) -> tuple[Path, ...]:
    modules: list[str] = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            modules += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module:
            homes = nblib.HOMES if node.module == "nblib" else {}
            modules += [homes.get(alias.name, f"{node.module}.{alias.name}") for alias in node.names]
    return tuple(file for module in modules for file in _files(module))


def _files(module: str) -> Iterator[Path]:
    """The files of a dotted name: its packages' __init__.py, and the module where a part of the name is one."""
    parts = module.split(".")
    if parts[0] not in PACKAGES:
        return
    place = CLONE / parts[0]
    yield place / "__init__.py"
    for part in parts[1:]:
        place = place / part
        if place.with_suffix(".py").is_file():
            yield place.with_suffix(".py")
            return
        if not (place / "__init__.py").is_file():
            return
        yield place / "__init__.py"
