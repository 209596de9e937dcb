"""Words that follow from numbers: comparisons of spans, Markdown tables, and the marked places of a page.

A span is {"iqm", "low", "high", "n"}; low and high are NaN or None where there is no interval.
"""

import math
from collections.abc import Iterable, Sequence

BEGIN, END = "<!-- {}: make publish -->", "<!-- end of {} -->"


def ends(span: dict) -> tuple[float, float]:
    """Lower and upper end of a span's interval; its value twice where it has none."""
    low, high = span.get("low"), span.get("high")
    if low is None or high is None or not (math.isfinite(low) and math.isfinite(high)):
        return float(span["iqm"]), float(span["iqm"])
    return float(low), float(high)


def compare(one: dict, other: dict) -> int:
    """Whether one span lies above another: 1, below it: -1, or neither, since their intervals overlap: 0."""
    low, high = ends(one)
    other_low, other_high = ends(other)
    return 1 if low > other_high else -1 if high < other_low else 0


def better_or_worse(difference: dict) -> str:
    """Words for the difference of two scores that should be large, to be followed by what the other is.

    Returns
    -------
    "better than", "worse than" or, where the interval holds 0, "as good (within the interval) as"
    """
    place = compare(difference, {"iqm": 0.0})
    return {1: "better than", -1: "worse than", 0: "as good (within the interval) as"}[place]


def difference_words(row: dict) -> str:
    """better_or_worse of a difference as the benchmarks' records hold it: "difference", "low" and "high"."""
    return better_or_worse({"iqm": row["difference"], "low": row["low"], "high": row["high"]})


def more_or_less(span: dict, than: float = 1.0) -> str:
    """Words for a ratio against a number: "more than", "less than" or, inside its interval, "about as much as"."""
    place = compare(span, {"iqm": than})
    return {1: "more than", -1: "less than", 0: "about as much as (within the interval)"}[place]


def enumerate_words(words: Sequence[str]) -> str:
    """Words in a row: "a", "a and b", "a, b and c"."""
    return " and ".join(filter(None, [", ".join(words[:-1]), *words[-1:]]))


def markdown_table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    """Lines of a Markdown table."""
    lines = ["| " + " | ".join(header) + " |", "|---" * len(header) + "|"]
    return lines + ["| " + " | ".join(row) + " |" for row in rows]


def fill_places(text: str, parts: dict[str, str]) -> str:
    """A page with its generated parts in their places, between BEGIN and END; all else stays as it is.

    Parameters
    ----------
    parts : content by place

    Raises
    ------
    ValueError where the page does not have a place exactly once
    """
    for place, content in parts.items():
        begin, end = BEGIN.format(place), END.format(place)
        if text.count(begin) != 1 or text.count(end) != 1:
            raise ValueError(f"the page holds {begin!r} and {end!r} not once each; write one line of each, in order")
        before, rest = text.split(begin)
        text = f"{before}{begin}\n{content}\n{end}{rest.split(end)[1]}"
    return text
