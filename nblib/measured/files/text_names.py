"""Headings of the columns of a text: which lines above the numbers name them, and the units below the names."""

import re

import numpy as np

from nblib.measured.files.headers import is_setting
from nblib.measured.files.text_cells import Dialect
from nblib.measured.files.units import HERTZ, TIMES_TEN

REMARKS = re.compile(r"comments?|remarks?|notes?|kommentar|$", re.IGNORECASE)
UNIT_WORDS = re.compile(
    r"[\(\[].*[\)\]]|[A-Za-zµμ]{0,2}Hz|.*/.*Hz.*|dB\w*|[munpkµμ]?[VA]|[munµμ]?s(?:ec(?:onds?)?)?|volts?|amps?|-|lin|unit.?|",
    re.IGNORECASE,
)
SETTING = re.compile(r".*[:=]\s*[+-]?\d[\d.,eE+-]*\s*[A-Za-zµ/]{1,6}\s*$")  # "Sample Rate = 500.0 Hz" is not a heading
START_AND_STEP = re.compile(r"start|increment|t0\b|tinc", re.IGNORECASE)
MOST_ROWS = 6  # of headings, units and comments


def names_of(header, dialect, width, values):
    """Column headings, "" where there is none, or [] when no line has one word per column.

    Of several such lines, directly above one another, the units' row and the names above it are taken (Origin writes
    names, units and comments), else the last line.
    """
    titles = [line for line in header if re.match(r"ChannelTitle=", line)]
    if titles:  # LabChart; the time stands before the channels where it is exported
        names = [name.strip() for name in titles[-1].split("=", 1)[1].strip("\t ").split("\t")]
        return [["Time (s)"], []][len(names) == width] + names if len(names) in (width, width - 1) else []
    rows: list[list[str]] = []
    for line in reversed(header):
        cells = _heading(line, dialect, width, values)
        if cells is not None and cells[0].lower() not in ("comments", "comment"):
            rows.append(cells)
        elif cells is None and (rows or line.strip(" *#%!\"'-=;,|\t")):
            break
        if len(rows) == MOST_ROWS:
            break
    units = [at for at, row in enumerate(rows) if all(map(UNIT_WORDS.fullmatch, row))]
    hertz = [at for at in units if any(map(HERTZ.search, rows[at]))] or units
    if hertz and hertz[0] + 1 < len(rows):
        rows = rows[hertz[0] : hertz[0] + 2]
    return [_with_unit(column) for column in zip(*reversed(rows[: 2 if hertz else 1]), strict=True)]


def _with_unit(parts):
    """A heading and what stands in the units row below it: "p" and "W/Hz" are not pW/Hz."""
    heading, *units = [part for part in parts if part] or [""]
    return " ".join([heading, *(unit if unit[0] in "([" else f"[{unit}]" for unit in units)])


def _heading(line, dialect, width, values):
    """The line's words when there is one per column, else None."""
    bare = re.sub(r"^\s*(?:[#%!*]+|//)\s*", "", line)
    splits = [dialect.split(bare), re.split(r"\t+", bare), re.split(r"\s{2,}", bare)]
    splits += [Dialect(mark).split(bare) for mark in (",", ";")]
    splits.append(re.findall(r"(?:[^\s(\[]|\([^)]*\)|\[[^\]]*\])+(?:\s+[\(\[][^)\]]*[\)\]])?", bare))
    setting = re.match(r"\W*[xy][-_ ]?unit|.*[:=]\s*\S+\s*$", bare, re.IGNORECASE) or SETTING.match(bare)
    factor = re.search(rf"(?:[(\[][^)\]]*|[×*x]\s*)(?:{TIMES_TEN.pattern})", bare)  # "f (1000 Hz)" is asked about
    if (
        line.lstrip().startswith("***")
        or (setting or is_setting(bare))
        and not START_AND_STEP.search(bare)
        and not factor
    ):
        return None
    splits = [_trimmed([cell.strip().strip("\"'") for cell in cells], width) for cells in splits]
    own = splits[0]
    if dialect.delimiter is not None and 1 < len(own) == width - 1 and width % 2 == 0:
        splits.append([*own, ""])  # the last column has no comment
    if len(own) == width - 1 >= 2 and (np.diff(values[:, 0]) == 1).all() and (np.diff(values[:, 1]) > 0).all():
        splits.append(["index", *own])  # R writes row names without a heading
    for cells in splits:
        numeric = any(re.fullmatch(r"[+-]?[\d.,]+(?:e[+-]?\d+)?", cell, re.IGNORECASE) for cell in cells[1:])
        if len(cells) == width and not numeric and any(re.search(r"\w", cell) for cell in cells):
            return cells
    return None


def _trimmed(cells, width):
    """Without what stands beside the headings: remarks, or an oscilloscope's start and increment."""
    beyond = cells[width:]
    steps = all(START_AND_STEP.search(cell) or re.fullmatch(r"[-+\d.,eE]*", cell) for cell in beyond)
    return cells[:width] if steps or (len(beyond) == 1 and REMARKS.fullmatch(beyond[0])) else cells
