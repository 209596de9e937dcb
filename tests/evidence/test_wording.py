"""Words that follow from numbers."""

import math

import pytest

from evidence.pages.wording import (
    BEGIN,
    END,
    better_or_worse,
    compare,
    enumerate_words,
    fill_places,
    markdown_table,
    more_or_less,
)


def _span(value, low=math.nan, high=math.nan):
    return {"iqm": value, "low": low, "high": high, "n": 3}


@pytest.mark.parametrize(
    ("one", "other", "place"),
    [
        (_span(0.9, 0.89, 0.91), _span(0.8, 0.7, 0.88), 1),
        (_span(0.9, 0.87, 0.91), _span(0.8, 0.7, 0.88), 0),
        (_span(0.8, 0.7, 0.88), _span(0.9, 0.89, 0.91), -1),
        (_span(0.9), _span(0.89, 0.88, 0.91), 0),
        (_span(0.9, None, None), _span(0.89), 1),
    ],
)
def test_spans_differ_where_their_intervals_do_not_overlap(one, other, place):
    """Planted bug: the means compared alone; the second row became 1."""
    assert compare(one, other) == place
    assert compare(other, one) == -place


def test_a_difference_is_better_or_worse_only_outside_its_interval():
    found = [better_or_worse(_span(0.5, low, high)) for low, high in ((0.2, 0.8), (-0.1, 0.8), (-0.8, -0.2))]
    assert found == ["better than", "as good (within the interval) as", "worse than"]


def test_a_ratio_is_more_or_less_only_outside_its_interval():
    found = [more_or_less(_span(1.5, low, high)) for low, high in ((1.2, 1.8), (0.9, 1.8), (0.2, 0.8))]
    assert found == ["more than", "about as much as (within the interval)", "less than"]


def test_lists_and_tables():
    assert [enumerate_words(words) for words in ([], ["a"], ["a", "b"], ["a", "b", "c"])] == [
        "",
        "a",
        "a and b",
        "a, b and c",
    ]
    assert markdown_table(("x", "y"), [("1", "2")]) == ["| x | y |", "|---|---|", "| 1 | 2 |"]


def test_only_the_marked_place_is_filled():
    page = f"before\n{BEGIN.format('costs')}\nold\n{END.format('costs')}\nafter\n"
    filled = fill_places(page, {"costs": "new"})
    assert filled == page.replace("old", "new")
    assert fill_places(filled, {"costs": "new"}) == filled


@pytest.mark.parametrize("text", ["no place", f"{BEGIN.format('a')}\n{BEGIN.format('a')}\n{END.format('a')}"])
def test_a_page_without_the_place_is_refused(text):
    with pytest.raises(ValueError, match="not once each"):
        fill_places(text, {"a": "b"})
