"""The repository as a whole: imports run one way, prose quotes records, the commands of the README exist."""

import ast
import re

import pytest

from nblib.paths import ROOT
from nblib.readme import renewed
from nblib.records import committed_result

MODULES = {path.stem: ast.parse(path.read_text()) for path in sorted((ROOT / "nblib").glob("*.py"))}
# a module imports only from those before it
ORDER = [
    *("paths", "spectra", "energies", "noise", "readers", "dataset", "detect", "metrics", "model", "losses"),
    *(
        "records",
        "config",
        "profiles",
        "checkpoints",
        "objective",
        "optimizer",
        "train",
        "supervised",
        "evaluate",
        "faithfulness",
        "evidence",
        "yardsticks",
        "studies",
        "findings",
    ),
    *("plots", "figures", "explorer", "readme", "report", "run", "__init__", "__main__"),
]
README = (ROOT / "README.md").read_text()


def _imported(tree):
    nodes = [node for node in ast.walk(tree) if isinstance(node, ast.ImportFrom) and node.module]
    return {node.module.split(".")[1] for node in nodes if node.module.startswith("nblib.")}


def test_every_module_has_its_place():
    assert set(MODULES) == set(ORDER)


@pytest.mark.parametrize("name", ORDER)
def test_imports_run_one_way(name):
    """Planted bug: dataset importing from train; the place of train is after dataset."""
    assert _imported(MODULES[name]) <= set(ORDER[: ORDER.index(name)])


@pytest.mark.parametrize("name", ORDER)
def test_public_names_are_explained_and_files_stay_short(name):
    tree = MODULES[name]
    public = [node for node in tree.body if isinstance(node, (ast.FunctionDef, ast.ClassDef))]
    assert [node.name for node in public if not node.name.startswith("_") and not ast.get_docstring(node)] == []
    assert ast.get_docstring(tree)
    assert len((ROOT / "nblib" / f"{name}.py").read_text().splitlines()) <= 330


def test_library_never_prints_and_never_draws_from_the_global_generator():
    programs = {"run", "report", "__main__"}
    for name, tree in MODULES.items():
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
