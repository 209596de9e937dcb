"""The repository as a whole: imports run one way, prose quotes records, the commands of the README exist."""

import ast
import re

import pytest

from nblib.project.paths import ROOT
from nblib.project.records import committed_result
from nblib.reporting.readme import renewed

PACKAGE = ROOT / "nblib"
FILES = {str(path.relative_to(PACKAGE)): ast.parse(path.read_text()) for path in sorted(PACKAGE.rglob("*.py"))}
# a room or file imports only from its own room and from those after it
ROOMS = [
    *("__main__", "reporting", "evaluation", "analysis", "training", "prediction", "detection", "dataset", "spectra"),
    *("losses", "model", "project"),
]
README = (ROOT / "README.md").read_text()


def _room(name):
    return name.split("/")[0].removesuffix(".py")


def _imported_rooms(tree):
    modules = {node.module for node in ast.walk(tree) if isinstance(node, ast.ImportFrom) and node.module}
    modules |= {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
    return {module.split(".")[1] for module in modules if module.startswith("nblib.")}


def test_every_file_lives_in_a_room():
    assert {_room(name) for name in FILES} - {"__init__"} <= set(ROOMS)


@pytest.mark.parametrize("name", [name for name in FILES if name != "__init__.py"])
def test_imports_run_one_way(name):
    """Planted bug: dataset importing from training; training stands before dataset."""
    room = _room(name)
    assert _imported_rooms(FILES[name]) <= {room, *ROOMS[ROOMS.index(room) + 1 :]}


@pytest.mark.parametrize("name", FILES)
def test_public_names_are_explained_and_files_stay_short(name):
    tree = FILES[name]
    public = [node for node in tree.body if isinstance(node, (ast.FunctionDef, ast.ClassDef))]
    assert [node.name for node in public if not node.name.startswith("_") and not ast.get_docstring(node)] == []
    assert ast.get_docstring(tree)
    assert len((PACKAGE / name).read_text().splitlines()) <= 330


def test_library_never_prints_and_never_draws_from_the_global_generator():
    programs = {"reporting/notebooks.py", "reporting/outputs.py", "__main__.py"}
    for name, tree in FILES.items():
        calls = [ast.unparse(node.func) for node in ast.walk(tree) if isinstance(node, ast.Call)]
        assert name in programs or "print" not in calls, name
        assert not [
            call for call in calls if re.fullmatch(r"np\.random\.(rand|randn|choice|normal|seed|permutation)", call)
        ]


def test_readme_quotes_the_committed_records():
    """Planted bug: one digit of a figure in the README changed by hand."""
    assert renewed(README) == README
    assert "records/quick/06_benchmark.json" in README


def test_committed_result_is_not_above_the_limit():
    rows = committed_result("03_full_attention_regularizer")["metrics"]["test"]
    limit = rows["posterior (limit)"]["ap"]
    assert 0.9 < limit < 1
    assert all(row["ap"] < limit for name, row in rows.items() if name != "posterior (limit)")


def test_readme_links_and_commands_exist():
    links = re.findall(r"\]\(((?!http)[^)#]+)\)", README)
    assert links
    assert [link for link in links if not (ROOT / link).exists()] == []
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    assert set(re.findall(r"\bmake ([a-z]+)", README)) <= targets


def test_figures_come_in_two_formats_with_a_caption():
    names = {path.stem for path in (ROOT / "figures").glob("*.png")}
    assert len(names) >= 12
    assert names == {path.stem for path in (ROOT / "figures").glob("*.pdf")}
    index = (ROOT / "figures" / "README.md").read_text()
    assert all(f"({name}.png)" in index for name in names)
