"""Pages and answers rendered: sentences stand in templates/, written by hand; numbers are put in from the records.

A template holds loops and placeholders, no conditions: every comparative in it ("better", "fewer", ...) is written by
hand and held against the records by tests/evidence/test_comparatives.py. An indented line of a template continues the
line before it, so that a sentence has a line of its own in the template and none in the page.
"""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from evidence.spans import interval

TEMPLATES = Path(__file__).resolve().parent / "templates"
ENDING = ".md.j2"
BEGINS = re.compile(r"<!-- ([\w ]+): make publish -->")
PLACE = re.compile(r"(<!-- (?P<name>[\w ]+): make publish -->\n).*?(\n?<!-- end of (?P=name) -->)", re.DOTALL)


def listed(words: Sequence[str]) -> str:
    """Words in a row: "a", "a and b", "a, b and c"."""
    return " and ".join(filter(None, [", ".join(words[:-1]), *words[-1:]]))


ENVIRONMENT = Environment(
    loader=FileSystemLoader(TEMPLATES), undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
)
ENVIRONMENT.filters |= {
    "interval": interval,
    "listed": listed,
    "to": format,  # {{ share | to(".0%") }}
    "counts": lambda row: f"{round(row['share'] * row['draws'])} of {row['draws']}",
    "of": lambda row: f"{round(row['share'] * row['of'])} of {row['of']}",
    "spaced": lambda name: name.replace("_", " "),
}


def render(name: str, numbers: dict[str, Any]) -> str:
    """A template of templates/ with the numbers put in.

    Raises
    ------
    jinja2.UndefinedError where a number is missing
    """
    text = ENVIRONMENT.get_template(f"{name}{ENDING}").render(numbers)
    return re.sub(r"\n +(?=\S)", " ", text).strip()


def fill_parts(text: str, page: str, numbers: dict[str, Any]) -> str:
    """A page with its generated parts rendered anew, each between two comments; all else stays as it is.

    Parameters
    ----------
    page : the templates' names begin with it; the place "false alarms" of "unknown" has unknown.false_alarms.md.j2

    Raises
    ------
    ValueError where the page does not hold each of its templates' parts exactly once
    """
    begun = BEGINS.findall(text)
    known = sorted(path.name.removesuffix(ENDING) for path in TEMPLATES.glob(f"{page}.*{ENDING}"))
    filled = [place["name"] for place in PLACE.finditer(text)]
    if begun != filled or sorted(f"{page}.{name.replace(' ', '_')}" for name in begun) != known:
        raise ValueError(
            f"the page begins {begun} and ends {filled}; write one line `<!-- NAME: make publish -->` and one line "
            f"`<!-- end of NAME -->` for each of {known}"
        )
    parts = {name: render(f"{page}.{name.replace(' ', '_')}", numbers) for name in begun}
    return PLACE.sub(lambda place: f"{place[1]}{parts[place['name']]}\n{place[3].lstrip()}", text)
