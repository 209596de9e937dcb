"""Wordings that readers stumbled over, by kind: none is left in code, pages and notebooks."""

import json
import re

import pytest

from nblib.project.paths import ROOT

FOLDERS, ENDINGS = ("nblib", "evidence", "workflow", "tests", "docs", "notebooks"), (".py", ".md", ".j2", ".ipynb")
PATHS = [path for folder in FOLDERS for path in sorted((ROOT / folder).rglob("*")) if path.suffix in ENDINGS]
PATHS += [ROOT / name for name in ("README.md", "CONTRIBUTING.md", "CHANGELOG.md")]
COUNTED = "bin|token|spectrum|file|seed|step|process|row|line|flag|record|class|question|temperature|cell|core|column"
THINGS = "part|lines?|humps?|noise|numbers?|frequency|row|data|detector|finding|file|temperature|knees"
KINDS = {  # what to write instead -> what it looks like
    "one row per flag": rf"\b(?:one|a|an|each|two) (?!give\b|where\b|width\b|with\b)\w+ an? (?:{COUNTED})\b",
    "is not a line": rf"(?<!here )\b(?:is|are|was|were) no (?:{THINGS})\b|\b(?:that|what) is (?-i:none)\b",
    "depends on": r"\bhangs? on\b|\bknows? nothing of\b",
    "less certain": r"\bdoubted\b",
    "in total": r"\bin sum\b(?!\()",
    "for each that asks": r"\bwhoever\b",
    "unless noted": r"\bunless said\b|\bsaid aloud\b",
    "requires": r"\bmust be given\b",
    "stands out from": r"\bstands? out of\b",
}


def wordings(text):
    """(what to write instead, what is written) of each."""
    return [(kind, hit[0]) for kind, looks in KINDS.items() for hit in re.finditer(looks, text, re.IGNORECASE)]


def words_of(path):
    text = path.read_text(encoding="utf-8")
    if path.suffix != ".ipynb":
        return text
    return "\n".join("".join(cell["source"]) for cell in json.loads(text)["cells"])


def test_no_such_wording_is_left():
    """Planted bug: "a row a flag" in a docstring."""
    left = {str(path.relative_to(ROOT)): wordings(words_of(path)) for path in PATHS if path.stem != "test_wordings"}
    assert len(left) > 400
    assert {name: hits for name, hits in left.items() if hits} == {}


@pytest.mark.parametrize(
    "sentence",
    [
        "One row a flag: file, then the columns.",
        "A rise is no line.",
        "raises ValueError for what is none",
        "It hangs on the seed.",
        "small part by part and large in sum",
        "the same, whoever asks",
        "what a rival must be given",
        "a line stands out of the noise",
    ],
)
def test_each_kind_is_seen(sentence):
    assert len(wordings(sentence)) == 1
