"""Numbers as text, templates filled, and the generated parts of a page."""

import math

import pytest
from jinja2 import UndefinedError

from evidence.pages import rendering
from evidence.pages.rendering import fill_parts, interval, listed, render

BEGIN, END = "<!-- net costs: make publish -->", "<!-- end of net costs -->"


@pytest.fixture
def template(tmp_path, monkeypatch):
    """Writes templates of the page "page" into a folder that is searched instead of the package's."""
    monkeypatch.setattr(rendering, "TEMPLATES", tmp_path)
    monkeypatch.setattr(rendering.ENVIRONMENT, "loader", rendering.FileSystemLoader(tmp_path))

    def write(text, place="net_costs"):
        (tmp_path / f"page.{place}.md.j2").write_text(text, encoding="utf-8")

    return write


@pytest.mark.parametrize(
    ("span", "options", "text"),
    [
        ({"iqm": 0.98412, "low": 0.98, "high": 0.99, "n": 3}, {}, "0.984 [0.980, 0.990]"),
        ({"difference": -0.1, "low": -0.2, "high": 0.05}, {"digits": 2, "sign": "+"}, "-0.10 [-0.20, +0.05]"),
        ({"mean": 0.5, "low": 0.25, "high": 0.75}, {"digits": 2}, "0.50 [0.25, 0.75]"),
        ([0.5, 0.25, 0.75], {"digits": 2}, "0.50 [0.25, 0.75]"),
        ({"iqm": 0.5, "low": math.nan, "high": math.nan}, {}, "0.500"),
        ({"iqm": 0.5, "low": None, "high": None}, {}, "0.500"),
        (None, {}, ""),
    ],
)
def test_an_interval_is_written_where_there_is_one(span, options, text):
    assert interval(span, **options) == text


def test_lists():
    texts = [listed(words) for words in ([], ["a"], ["a", "b"], ["a", "b", "c"])]
    assert texts == ["", "a", "a and b", "a, b and c"]


def test_a_table_is_a_loop_and_an_indented_line_continues_the_one_before(template):
    template(
        "One {{ n | to('.1f') }}.\n  Two.\n\n| a |\n|---|\n{% for row in rows %}\n"
        "| {{ row.name | spaced }} | {{ row | counts }} |\n{% endfor %}\n"
    )
    rows = [{"name": "a_b", "share": 0.25, "draws": 8}, {"name": "c", "share": 1.0, "draws": 3}]
    text = render("page.net_costs", {"n": 1.25, "rows": rows})
    assert text == "One 1.2. Two.\n\n| a |\n|---|\n| a b | 2 of 8 |\n| c | 3 of 3 |"


def test_a_number_that_is_missing_is_no_empty_word(template):
    """Planted bug: jinja2's own default, an empty string in the sentence."""
    template("AP {{ ap.attention }}.")
    with pytest.raises(UndefinedError, match="attention"):
        render("page.net_costs", {"ap": {}})


def test_only_the_marked_place_is_filled(template):
    template("new {{ n }}\n")
    page = f"before\n{BEGIN}\nold\n{END}\nafter\n"
    filled = fill_parts(page, "page", {"n": 1})
    assert filled == page.replace("old", "new 1")
    assert fill_parts(filled, "page", {"n": 1}) == filled
    assert fill_parts(f"{BEGIN}\n{END}", "page", {"n": 1}) == f"{BEGIN}\nnew 1\n{END}"


@pytest.mark.parametrize(
    "text", ["no place", f"{BEGIN}\n{BEGIN}\n{END}", BEGIN, END, f"{BEGIN}\n{END}\n{BEGIN.replace('net', 'my')}"]
)
def test_a_page_without_its_places_is_refused(template, text):
    """Planted bug: a template that no page holds, never rendered."""
    template("new")
    with pytest.raises(ValueError, match="for each of \\['page.net_costs'\\]"):
        fill_parts(text, "page", {})
