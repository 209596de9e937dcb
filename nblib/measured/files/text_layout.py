"""Tables not laid out as rows of numbers: times of day, units in cells, text beside the numbers, rows across."""

import datetime
import functools
import math
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import islice

from nblib.measured.files.formats import IsSeries, Refusal
from nblib.measured.files.text_cells import Dialect
from nblib.measured.files.units import PREFIXES

NUM = r"[+-]?(?:\d[\d.,]*|[.,]\d+)(?:[eE][+-]?\d+)?"
TIME_OF_DAY = re.compile(  # 10:00:59.5, 10:00:59 PM, and 00:59.5 as spreadsheets shorten it
    r"(?<![\d:])(?:(\d{1,3}):(\d\d):(\d\d(?:[.:]\d+)?)|(\d{1,2}):(\d\d\.\d+))(?:\s*([AaPp])\.?[Mm]\.?)?"
    r"(?:Z|\s?UTC|[+-]\d\d:?\d\d)?"
)
DATE = re.compile(
    r"(?<![\d.])(?:\d{4}([-/.])\d{1,2}\1\d{1,2}|\d{1,2}([-/.])(?:\d{1,2}|[A-Za-z]{3})\2(?:\d{4}|\d\d)|\d{4}-\d{3})(?!\d)"
)
STAMPED = re.compile(rf"\W*(?:\d+[,;\t ]\W*)?(?:{DATE.pattern})?[T,;\s\"]*{TIME_OF_DAY.pattern}")
DATED = re.compile(rf"\W*(?:{DATE.pattern})")
# 20240421T150000 without marks, with or without seconds; and 2024-04-21 15:00 without seconds
BASIC = (
    r"(?<![\d.])(?P<day>(?:19|20)\d\d(?:0[1-9]|1[0-2])(?:[0-2]\d|3[01]))[T_-]?"
    r"(?P<hour>[01]\d|2[0-3])(?P<minute>[0-5]\d)(?P<rest>[0-5]\d(?:\.\d+)?)?(?!\d)"
)
BRIEF = re.compile(rf"\W*(?:\d+[,;\t ]\W*)?(?:(?:{DATE.pattern})[T ]\d?\d:\d\d(?![:.\d])|{BASIC})")
YEAR_FIRST = re.compile(r"(\d{4})[-/.](\d{1,2})[-/.](\d{1,2})")
# a number and its unit in one cell: 1k, 2.5 kHz, -120.1 dBm; a bare prefix must follow the number directly
WITH_UNIT = re.compile(
    rf"(?<![\w^/+-])({NUM})(?:\s?((?:Meg|[kMGmuµμ])?)(Hz|hz|HZ)|((?:Meg|[kKMGmuµμn]))|\s?(dB[\w/√²^()]*|[fpnuµm]?[VA][\w²^]*/√?\S*Hz))"
    r"(?=[\"']?\s*(?:$|[,;|\t]|\s{1,}[+\-.\d\"']))"
)
BEGINS = re.compile(rf"\s*[\"']?{NUM}")
FOREIGN = (  # lines that are not rows of a table, and what they are
    (r"[^\[]*[\"']\s*\[\s*[-+\d.][^\"']*,", "holds lists of numbers in its cells; write one row per bin"),
    (
        r"\s*(?:\d{4}-\d\d-\d\d|\d{8}),\s*\d+:\d\d:\d\d[^,]*(?:,\s*\d+(?:\.\d*)?){4},\s*-?\d",
        "is one sweep: date, time, first and last frequency, bin width, samples, levels; write one row per bin",
    ),
    (r"#\s*[kMG]?Hz\s+[SYZGH]\s+(?:DB|MA|RI)\b", "says network parameters (Touchstone); a spectrum is noise per Hz"),
)
SHARE = 0.5  # of the rows sampled
MOST_LINES = 64  # of a table that runs along its lines


@dataclass
class Layout:
    """Lines as rows of numbers, one for each of the file's (or turned); what stood beside them; what was done.

    Attributes
    ----------
    header : text that stood beside the numbers
    turned : the rows ran along the lines, so that numbers of lines are lost
    stamped : the column of times of day, now in seconds, from 0; None = none
    dated : a column of dates, now 0, stands before it
    """

    lines: list[str]
    header: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    turned: bool = False
    stamped: int | None = None
    dated: bool = False


def arranged(lines: Sequence[str]) -> Layout:
    """The lines with one row of numbers each; what is laid out so already stays as it is.

    Raises
    ------
    Refusal for tables in a table, whose line is named
    """
    layout = Layout(list(lines))
    if re.match(r"ATF\s", lines[0]) and len(lines) > 1:
        layout.lines[1] = ""  # Axon's numbers of header lines and columns
    filled = [line for line in lines[:4000] if line.strip()]
    for number, line in enumerate(lines[:50], start=1):
        for pattern, what in FOREIGN:
            if re.match(pattern, line, re.IGNORECASE):
                raise Refusal(f"line {number}, {line.strip()[:60]!r}, {what}")
    if any(mark in line for line in filled[-3:] for mark in ";\t"):  # 15:00:00,25 is one cell
        layout.lines = [re.sub(r"(?<=:\d\d),(?=\d)", ".", line) for line in layout.lines]
        filled = [line for line in layout.lines[:4000] if line.strip()]
    body = list(islice((line for line in filled[len(filled) // 4 :] if any(map(str.isdigit, line))), 200))
    if body and sum(bool(BRIEF.match(line)) for line in body) > SHARE * len(body):
        layout.lines, body = [*map(_in_full, layout.lines)], [*map(_in_full, body)]
    if body and sum(bool(STAMPED.match(line)) for line in body) > SHARE * len(body):
        _seconds(layout, "," if any(re.search(r"[;\t].*\d,\d", line) for line in body) else ".")
        filled = [line for line in layout.lines[:4000] if line.strip()]
    elif body and sum(bool(DATED.match(line)) for line in body) > SHARE * len(body):
        raise IsSeries(
            "its rows begin with dates without a time of day: write times, or number the samples and give rate=HZ"
        )
    for rule in (_no_axis_column, _text_beside, _turn):
        if rule(layout, filled):
            break
    return layout


def _in_full(line):
    """2024-04-21T15:00:00 for 20240421T150000 and 2024-04-21 15:00."""
    match = BRIEF.match(line)
    if match is None:
        return line
    if match["day"] is None:
        return f"{match.group()}:00{line[match.end() :]}"
    day = match["day"]
    stamp = f"{day[:4]}-{day[4:6]}-{day[6:]}T{match['hour']}:{match['minute']}:{match['rest'] or '00'}"
    return line[: match.start("day")] + stamp + line[match.end() :]


@functools.lru_cache(maxsize=8)
def _day(date):
    """Number of a day whose year is written first, else 0: 03/04/2024 may be two days."""
    match = YEAR_FIRST.fullmatch(date)
    return datetime.date(*map(int, match.groups())).toordinal() if match else 0


def _seconds(layout, decimal):
    """Times of day as seconds since the first; they go on after midnight, or after a full hour where none is written.

    A date in a cell of its own becomes 0, a date before the time goes.
    """
    first, before, turns, day, day_0 = None, -1.0, 0.0, 0, None

    def seconds(match):
        nonlocal first, before, turns
        hours, minutes, rest, short_minutes, short_rest, half = match.groups()
        hour = int(hours or 0) % 12 + 12 * (half in "pP") if half else int(hours or 0)
        now = (
            86400.0 * day
            + 3600.0 * hour
            + 60 * int(minutes or short_minutes)
            + float((rest or short_rest).replace(":", "."))
        )
        turn = 86400.0 if hours else 3600.0
        turns += turn * (now < before - turn / 2)
        before, first = now, now if first is None else first
        return f"{now + turns - first:.9f}".replace(".", decimal)

    for at, line in enumerate(layout.lines):
        if STAMPED.match(line):
            dated = DATE.search(line)
            layout.stamped = int(bool(re.search(r"\d", line[: (dated or TIME_OF_DAY.search(line)).start()])))
            if dated:
                day_0 = _day(dated.group()) if day_0 is None else day_0
                day = _day(dated.group()) - day_0
                rest = line[dated.end() :]
                layout.dated = rest[:1] not in ("T", " ")
                line = line[: dated.start()] + ("0" + rest if layout.dated else rest.lstrip("T "))
            layout.lines[at] = TIME_OF_DAY.sub(seconds, line, count=1)
    layout.notes.append("times of day are read as seconds since the first")


def without_units(layout: Layout) -> bool:
    """Numbers without the units that follow them in their cells, a prefix an exponent; True where there were any."""
    rows = [at for at, line in enumerate(layout.lines) if BEGINS.match(line)]
    with_units = [at for at in rows if WITH_UNIT.search(layout.lines[at])]
    if len(with_units) < max(3, 0.02 * len(rows)):
        return False
    units: Counter[str] = Counter()
    example = next(WITH_UNIT.finditer(layout.lines[with_units[-1]])).group(0).strip()

    def plain(match):
        number, prefix, hertz, bare, unit = match.groups()
        units["Hz" if hertz else unit or ""] += 1
        factor = 1e6 if "Meg" in (prefix, bare) else PREFIXES.get(prefix or bare or "", 1e-9)
        exponent = f"e{round(math.log10(factor))}" if factor != 1 else ""
        if exponent and "e" in number.lower():
            return repr(float(number.replace(",", ".")) * factor)
        return number + exponent

    for at in with_units:
        layout.lines[at] = WITH_UNIT.sub(plain, layout.lines[at])
    levels = [unit for unit in units if unit not in ("", "Hz")]
    if len(levels) > 1:
        raise Refusal(f"its cells hold levels in different units: {', '.join(levels[:6])}; export one unit")
    layout.header += ["x-Unit: Hz"] * ("Hz" in units) + [f"y-Unit: {unit}" for unit in levels]
    layout.notes.append(f"cells such as {example!r} hold a prefix or a unit: they are read as numbers times it")
    return True


def _cells(lines):
    """(delimiter, cells of each line) for the mark that gives all of these lines one width above 1, or None."""
    for mark in ("\t", ";", ",", None):
        cells = [Dialect(mark).split(line) for line in lines]
        if len(cells[0]) > 1 and len({len(row) for row in cells}) == 1:
            return mark, cells
    return None


def _is_number(cell):
    return any(Dialect(";", decimal).number(cell) is not None for decimal in ".,") and any(map(str.isdigit, cell))


def _text_beside(layout, filled):
    """Numbers stand in the last columns, settings in the first ones of the same lines (Tektronix)."""
    sample = filled[len(filled) // 4 :][:25] + filled[-5:] if len(filled) > 12 else []
    for mark in (",", ";", "\t"):
        cells = [Dialect(mark).split(line) for line in sample]
        if min(map(len, cells), default=0) < 2 or any(_is_number(row[0]) for row in cells):
            continue  # rows of numbers, or none: not looked at cell by cell
        n_numbers = min(map(_numbers_at_end, cells))
        named = any(Dialect(mark).split(line)[0] for line in filled[:40])
        if n_numbers > 1 and named:
            rows = [Dialect(mark).split(line) for line in layout.lines]
            layout.header += [mark.join(row[:-n_numbers]).rstrip(mark) for row in rows if any(row[:-n_numbers])]
            layout.lines = [mark.join(row[-n_numbers:]) for row in rows]
            layout.notes.append(f"the last {n_numbers} columns are read; what stands before them is the header")
            return True
    return False


def _numbers_at_end(cells):
    numeric = [_is_number(cell) for cell in cells]
    return numeric[::-1].index(False) if False in numeric else 0


def _no_axis_column(layout, filled):
    """LabVIEW's X_Columns No: every row begins with an empty cell, the axis is X0 and Delta_X of the header."""
    if not any(re.match(r"X_Columns\s+No\b", line) for line in filled[:40]):
        return False
    layout.lines = [re.sub(r"^(?:X_Value)?\t", "", line) for line in layout.lines]
    return True


def _turn(layout, filled):
    """A table that runs along a few long lines, with or without a name in front of each, is turned."""
    if len(filled) > MOST_LINES or not filled:
        return False
    longest = max(filled, key=len)
    width = max(len(Dialect(mark).split(longest)) for mark in ("\t", ";", ",", None))
    long = [line for line in filled if len(line) > 0.2 * len(longest)]
    parsed = _cells(long)
    if parsed is None or width < max(16, 4 * len(long)):
        return False
    mark, cells = parsed
    named = not any(_is_number(row[0]) for row in cells)
    if len(cells) == 1 and mark != "," and not any("." in cell for cell in cells[0]):
        cells = [[re.sub(r"(?<=\d),(?=\d)", ".", cell) for cell in cells[0]]]  # 0,5 and not two columns
    body = [row[named:] for row in cells]
    if not all(_is_number(cell) or not cell for row in body for cell in row[:40]):
        return False
    joint = "\t" if mark is None else mark
    layout.header += [line for line in filled if line not in long]
    layout.lines = [joint.join(column) for column in zip(*cells, strict=True)]
    layout.turned = True
    layout.notes.append(f"the table runs along {len(long)} line{'s' * (len(long) > 1)} and is turned")
    return True
