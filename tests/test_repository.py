"""The repository as a whole: code is explained, prose quotes records, the commands of the README exist."""

import ast
import re
from functools import cache

import pytest

from nblib.cells import CELL_WIDTH, N_INTERVALS, NOISY_RATIO
from nblib.project.paths import ROOT
from nblib.project.records import committed_result

SOURCES = sorted(path for package in ("nblib", "evidence") for path in (ROOT / package).rglob("*.py"))
LARGEST_RECORD = 2 * 2**20  # bytes
FILES = [str(path.relative_to(ROOT)) for path in SOURCES]
README, DOCS = (ROOT / "README.md").read_text(encoding="utf-8"), ROOT / "docs"


@cache
def _tree(name):
    return ast.parse((ROOT / name).read_text())


@pytest.mark.parametrize("name", FILES)
def test_public_names_are_explained_and_files_stay_short(name):
    tree = _tree(name)
    public = [node for node in tree.body if isinstance(node, (ast.FunctionDef, ast.ClassDef))]
    assert [node.name for node in public if not node.name.startswith("_") and not ast.get_docstring(node)] == []
    assert ast.get_docstring(tree)
    assert len((ROOT / name).read_text().splitlines()) <= 330
    functions = [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)]
    assert [node.name for node in functions if node.end_lineno - node.lineno >= 60] == []


def test_no_record_is_too_large_to_be_tracked():
    """Planted bug: every line of every copy of the measured spectra in the record, 3.1 MiB."""
    sizes = {path.name: path.stat().st_size for path in (ROOT / "records").rglob("*.json")}
    assert {name: size for name, size in sizes.items() if size > LARGEST_RECORD} == {}


SECTIONS = ("Attributes", "Parameters", "Returns", "Yields", "Raises", "References")
OLD_FORM = re.compile(r"^ *(?:returns|yields|raises) *: ", re.MULTILINE)


def _names_of(node):
    """What a docstring may list: a function's arguments, or a class's fields and what makes it."""
    if isinstance(node, ast.ClassDef):
        fields = {part.target.id for part in node.body if isinstance(part, ast.AnnAssign)}
        methods = [part for part in node.body if isinstance(part, ast.FunctionDef)]
        fields |= {part.name for part in methods if "property" in map(ast.unparse, part.decorator_list)}
        makes = [_names_of(part) for part in methods if part.name == "__init__"]
        init = [part for part in methods if part.name == "__init__"]
        stored = [part for one in init for part in ast.walk(one) if isinstance(part, ast.Attribute)]
        fields |= {part.attr for part in stored if isinstance(part.ctx, ast.Store)}
        return fields.union(*makes)
    given = node.args
    named = [*given.posonlyargs, *given.args, *given.kwonlyargs]
    return {arg.arg for arg in (*named, given.vararg, given.kwarg) if arg is not None}


def _docstring_faults(tree):
    for node in ast.walk(tree):
        text = ast.get_docstring(node) if isinstance(node, (ast.ClassDef, ast.FunctionDef)) else None
        if text is None:
            continue
        if OLD_FORM.search(text):
            yield node.name, "a section without its heading"
        heads = re.findall(r"^(.+)\n-{3,}$", text, re.MULTILINE)
        if [name for name in SECTIONS if name in heads] != heads:
            yield node.name, heads
        for title, listed in re.findall(r"^(Attributes|Parameters)\n-+\n((?:.+\n?)+)", text, re.MULTILINE):
            names = re.findall(r"^([\w, *]+) : ", listed, re.MULTILINE)
            unknown = {name.strip("* ") for entry in names for name in entry.split(",")} - _names_of(node)
            if unknown or not names:
                yield node.name, title, unknown


@pytest.mark.parametrize("name", FILES)
def test_docstrings_have_numpydoc_sections_and_name_what_is_there(name):
    """Planted bugs: a parameter that was renamed, Returns before Parameters, `returns : ...` in the text."""
    assert list(_docstring_faults(_tree(name))) == []


def _loose_strings(node):
    """String statements that are not docstrings."""
    parts = [getattr(node, name, None) for name in ("body", "orelse", "finalbody")]
    bodies = [part for part in parts if isinstance(part, list)]
    first = isinstance(node, (ast.Module, ast.FunctionDef, ast.ClassDef))
    loose = [part for body in bodies for part in body[first:] if isinstance(part, ast.Expr)]
    return [part.lineno for part in loose if isinstance(part.value, (ast.Constant, ast.JoinedStr))]


@pytest.mark.parametrize("name", FILES)
def test_no_message_is_cut_in_two(name):
    """Planted bug: QUESTION = "... or " and, on a line of its own, "asd=False ...", which is thrown away."""
    assert [line for node in ast.walk(_tree(name)) for line in _loose_strings(node)] == []


def test_library_never_prints_and_never_draws_from_the_global_generator():
    for name in FILES:
        calls = [ast.unparse(node.func) for node in ast.walk(_tree(name)) if isinstance(node, ast.Call)]
        programs = ("__main__.py", "/command.py", "/commands.py", "/parts.py", "/workbench/series.py")
        programs += ("/workbench/folder.py", "/workbench/report.py", "/example_series.py")
        is_program = name.endswith(programs) or "/benchmarks/" in name
        assert is_program or "print" not in calls, name
        assert not [
            call for call in calls if re.fullmatch(r"np\.random\.(rand|randn|choice|normal|seed|permutation)", call)
        ]


def test_committed_result_is_not_above_the_limit():
    rows = committed_result("03_full_attention_regularizer")["metrics"]["test"]
    limit = rows["posterior (limit)"]["ap"]
    assert 0.9 < limit < 1
    assert all(row["ap"] < limit for name, row in rows.items() if name != "posterior (limit)")


PAGES = ["README.md", "CONTRIBUTING.md", "CHANGELOG.md", *sorted(f"docs/{path.name}" for path in DOCS.glob("*.md"))]
GENERATED = re.compile(r"<!-- (\w+): make publish -->.*?<!-- end of \1 -->", re.DOTALL)


@pytest.mark.parametrize("name", PAGES)
def test_links_and_commands_of_a_page_exist(name):
    """Planted bug: a page that links to a file that was moved."""
    text = (ROOT / name).read_text(encoding="utf-8")
    links = re.findall(r"\]\(((?!http)[^)#]+)\)", text)
    assert [link for link in links if not ((ROOT / name).parent / link).exists()] == []
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    assert set(re.findall(r"(?:^    |`)make ([a-z-]+)", GENERATED.sub("", text), re.MULTILINE)) <= targets
    modules = re.findall(r"`((?:nblib|evidence)/[\w/]+\.py)`", text)
    assert [module for module in modules if not (ROOT / module).exists()] == []


@pytest.mark.parametrize("name", [name for name in FILES if re.search(r"\beqs?\. \d", (ROOT / name).read_text())])
def test_equations_are_those_of_the_method_page(name):
    """Planted bug: an equation number left behind when the list was renumbered."""
    text = (ROOT / name).read_text(encoding="utf-8")
    listed = re.findall(r"(?m)^(\d+)\. ", (DOCS / "method.md").read_text(encoding="utf-8").split("## Names")[0])
    assert listed == [str(number + 1) for number in range(len(listed))]
    assert set(re.findall(r"\beqs?\. (\d+)", text)) <= set(listed)
    assert "docs/method.md" in text


def test_readme_is_one_screen():
    """Planted bug: a table of all methods in the README."""
    assert len(README.splitlines()) <= 120
    answer = README.split("<!-- answer: make publish -->")[1].split("<!-- end of answer -->")[0]
    assert 1 <= sum(line.startswith("| ") for line in answer.splitlines()) - 1 <= 12


def test_pages_stay_short():
    lengths = {name: len((ROOT / name).read_text(encoding="utf-8").splitlines()) for name in PAGES}
    assert max(lengths.values()) < 300


def test_numbers_of_the_readme_stand_in_generated_parts():
    """Planted bug: an AP quoted in a sentence written by hand; it stayed when the record changed."""
    example = re.compile(r"<!-- detect example -->.*?<!-- end of detect example -->", re.DOTALL)
    prose = re.sub(r"(?m)^    .*$|`[^`]*`|\]\([^)]*\)|<!--.*?-->", "", example.sub("", GENERATED.sub("", README)))
    numbers = set(re.findall(r"(?<![\w-])\d[\d.,]*\d|(?<![\w-])\d", prose))
    # of a cell, a noisy bin, an interval, a perfect AP, an interval of confidence
    definitions = {str(CELL_WIDTH), str(NOISY_RATIO), str(N_INTERVALS), "1", "95"}
    assert numbers <= definitions


def test_figures_come_in_two_formats_with_a_caption():
    names = {path.stem for path in (ROOT / "figures").glob("*.png")}
    assert len(names) >= 12
    assert names == {path.stem for path in (ROOT / "figures").glob("*.pdf")}
    index = (ROOT / "figures" / "README.md").read_text()
    assert all(f"({name}.png)" in index for name in names)
