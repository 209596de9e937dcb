"""Tables in text of any ending: header block, comments, units row, data, footer."""

import contextlib
import csv
import re
import tempfile
from functools import partial
from pathlib import Path

import numpy as np

from nblib.measured.files.claims import check_lines, check_whole
from nblib.measured.files.columns import choose
from nblib.measured.files.formats import Column, Marks, Raw, Refusal, Table, reader
from nblib.measured.files.headers import labview_axis, sample_count
from nblib.measured.files.text_cells import COMPLEX, Dialect, dialect_of, regrouped
from nblib.measured.files.text_encodings import decoded
from nblib.measured.files.text_layout import arranged, without_units
from nblib.measured.files.text_names import names_of
from nblib.measured.files.text_rows import COMMENT, NO_NUMBERS, check_below, check_text, even, rows_of
from nblib.measured.files.units import HERTZ, latin

LARGE, BEGIN, PART = 1 << 28, 1 << 20, 1 << 18  # bytes of a text that is read in parts, and of its start; rows a part
LONG, HEAD = 3000, 200  # lines from which on a table is read by a library; lines that say how it is written
MISSING_WORDS = "nan", "NaN", "NAN", "NA", "N/A", "null"
OTHER_THAN_NAN = re.compile(r"\b(?:NA|N/A|null)\b")
TWO_OR_ONE = re.compile(r"\s*([+-]?\d+),(\d+)\s*")
GROUPED = re.compile(r"\d{1,3}(?:[.,]\d{3})*")  # perhaps with thousands separators
ODD_ENDS = "\x0b\x0c\x1c\x1d\x1e"  # str.splitlines ends a line there, a table does not
EXCEL = re.compile(r"\s*\"?sep=(.)\"?\s*", re.IGNORECASE)
LABVIEW = re.compile(r"Separator\s+(Tab|Comma|Semicolon|Space)\b", re.IGNORECASE)
DECIMAL = re.compile(r"Decimal[_ ]Separator\W*([.,])\s*$", re.IGNORECASE)


@reader("")
def read_text(path: Path, column: Column) -> Raw:
    """Text of any ending: columns of frequency and level."""
    return choose(read_table(path), column)


def read_table(path: Path) -> Table:
    """The numbers of a text file and what stands above them.

    Raises
    ------
    Refusal that names the line
    """
    check_lines(path)
    if path.stat().st_size > LARGE and (table := _in_parts(path)) is not None:
        return table
    check_whole(path)
    text = decoded(path.read_bytes())
    if not text.strip():
        raise Refusal("it is empty; export the spectrum again")
    layout = arranged(_lines(text))
    long = len(layout.lines) > LONG
    table = _regular(layout.lines) if long else None
    if table is None and without_units(layout) and long:
        table = _regular(layout.lines)
    if table is None:
        table = _any_table(layout.lines)[0]
    return _laid_out(table, layout)


def _lines(text):
    plain = text.isascii() and not any(end in text for end in ODD_ENDS)
    return text.splitlines() if plain else re.split(r"\r\n|\n|\r", text)


def _laid_out(table, layout) -> Table:
    """The table with what its layout says: the unit of its first column, an axis from the header, samples in a row."""
    table.header, table.notes = (*map(latin, layout.header), *table.header), layout.notes + table.notes
    if layout.dated:
        table.values, table.names = table.values[:, 1:], list(table.names)[1:]
    width = table.values.shape[1]
    first = int(np.argmax(~np.isnan(table.values).all(axis=0)))
    if layout.stamped is not None:
        table.names = [
            "time (s)" if at == first + layout.stamped else (*table.names, *[""] * width)[at] for at in range(width)
        ]
    elif "x-Unit: Hz" in layout.header and table.names:
        table.names = [HERTZ.sub("Hz", table.names[0]), *table.names[1:]]
    if layout.turned:
        table.lines = None
    count = sample_count(table.header)
    there = int((~np.isnan(table.values)).sum())
    if width > 1 and count and count == there > len(table.values) + 1:
        table.values, table.names, table.lines = table.values.ravel()[:there, None], (), None
        table.notes.append(f"the header states {count} samples: they run on along the rows of {width}")
    steps = labview_axis(table.header)
    if steps is not None:
        name, start, step = steps
        axis = start + step * np.arange(len(table.values))
        table.values = np.column_stack([axis, table.values])
        table.names = (name, *(table.names or [""] * width))
        table.notes.append(f"the axis is X0 and Delta_X of the header: {start:g}, {start + step:g}, ...")
    return table


def _regular(lines) -> Table | None:
    """A long table whose rows are plain numbers, by numpy's parser; None where the careful way must look.

    What stands above it, the way of writing and the names come from its first lines, read in the careful way.
    """
    try:
        head, dialect, cells = _any_table(lines[:HEAD])
    except Refusal:
        return None
    if head.lines is None:
        return None
    first = int(head.lines[0]) - 1
    plain = len(head.lines) == min(len(lines), HEAD) - first  # rows follow one another
    if not plain or dialect.thousands:
        return None
    body = lines[first:]
    footer: list[int] = []
    while body and len(footer) < HEAD and not re.match(r"\W*\d", body[-1]):
        footer += [first + len(body)] if body[-1].strip() else []
        body.pop()
    if dialect.delimiter and all(line.endswith(dialect.delimiter) for line in body[: len(cells)]):
        body = [line.removesuffix(dialect.delimiter) for line in body]
    values = _plain_rows(body, dialect)
    if values is None or values.shape != (len(body), head.values.shape[1]):
        return None  # blank lines
    if all(GROUPED.fullmatch(row[0]) for row in cells) and not (np.diff(values[:, 0]) > 0).all():
        return None  # 1.000 may be a thousand
    check_below([at for at in reversed(footer) if not COMMENT.match(lines[at - 1])], lines, dialect, head.notes)
    numbers = np.arange(first + 1, first + 1 + len(body))
    return Table(values, head.names, head.header, numbers, head.notes, head.marks)


def _plain_rows(lines, dialect):
    """Rows of plain numbers, by numpy, whose parser is there already; pandas' takes half a second to import. Else None.

    The decimal sign is a point where commas part the columns; elsewhere a point beside a decimal comma is not a number.
    """
    if dialect.decimal != ".":
        if any("." in line for line in lines):
            return None
        lines = [line.replace(dialect.decimal, ".") for line in lines]
    for rows in (lines, map(partial(OTHER_THAN_NAN.sub, "nan"), lines)):
        with contextlib.suppress(ValueError):
            return np.loadtxt(rows, delimiter=dialect.delimiter, comments=None, ndmin=2)
    return None


def _chunks(path, dialect, first):
    """Rows of plain numbers from one on, PART at a time, by pandas, which reads many in half of numpy's time."""
    import pandas as pd

    return pd.read_csv(
        path,
        sep=dialect.delimiter or r"\s+",
        decimal=dialect.decimal,
        header=None,
        dtype=np.float64,
        keep_default_na=False,  # an empty cell is for the careful way
        na_values=list(MISSING_WORDS),
        quoting=csv.QUOTE_NONE,
        skipinitialspace=True,
        skiprows=first,
        chunksize=PART,
        encoding="latin-1",
    )


def _in_parts(path) -> Table | None:
    """A large table of plain numbers: the text is read in parts, the numbers lie in a file without a name.

    None where the rows are anything else, which asks for the whole text.
    """
    with path.open("rb") as stream:
        start = stream.read(BEGIN).rpartition(b"\n")[0]
    if b"\0" in start or not start:
        return None  # UTF-16, or one line
    lines = _lines(decoded(start))[:LONG]
    layout = arranged(lines)
    try:
        head, dialect, cells = _any_table(lines)
        grouped = dialect.thousands or all(GROUPED.fullmatch(row[0]) for row in cells)
        if layout.lines != lines or grouped or head.lines is None:
            return None
        with tempfile.TemporaryFile() as numbers:
            for part in _chunks(path, dialect, int(head.lines[0]) - 1):
                numbers.write(part.to_numpy().tobytes())
            width = head.values.shape[1]
            values = np.memmap(numbers, np.float64, "r", shape=(numbers.tell() // (8 * width), width))
    except ValueError:  # pandas' errors and the careful way's are among them
        return None
    return _laid_out(Table(values, head.names, head.header, None, head.notes, head.marks), layout)


def _any_table(lines) -> tuple[Table, Dialect, list[list[str]]]:
    """The table of any text, how it is written, and its cells."""
    stated = _stated_dialect(lines)
    dialect = dialect_of(lines, *stated)
    if dialect is not None and dialect.delimiter == "," and not stated[0] and _decimal_commas(lines):
        dialect = Dialect(None, ",")
    if dialect is None:
        dialect = _single_column(lines, stated[1])
    notes: list[str] = []
    lines = _without_column_numbers(lines, dialect, notes)
    rows, cells, numbers, header = rows_of(lines, dialect, notes)
    width = max(len(row) for row in rows)
    header = [latin(line) for line in header]
    if len({len(row) for row in rows}) > 1:
        rows, cells, numbers, width = even(rows, cells, numbers, lines, sample_count(header))
    values = np.array(rows, dtype=np.float64)  # None, a word, becomes NaN
    is_text = np.isnan(values)
    for row, at in np.argwhere(is_text):
        is_text[row, at] = rows[row][at] is None
    check_text(is_text, numbers, lines)
    _thousands(values, cells, dialect, header, notes)
    names = names_of(header, dialect, width, values)
    marks = Marks(dialect.delimiter or "\t", dialect.decimal)
    return Table(values, tuple(names), tuple(header), np.array(numbers), notes, marks), dialect, cells


def _without_column_numbers(lines, dialect, notes):
    """The lines, blank where pandas wrote 0, 1, ... as headings above columns without names."""
    filled = [at for at, line in enumerate(lines[:HEAD]) if line.strip()][:2]
    if len(filled) < 2:
        return lines
    cells, below = dialect.split(lines[filled[0]]), dialect.row(lines[filled[1]])
    names = cells[1:] if cells[0] == "" else cells
    counts = len(names) > 1 and names == [str(number) for number in range(len(names))]
    if not counts or len(below) != len(cells) or all(value is None or value % 1 == 0 for value in below[1:]):
        return lines
    notes.append(f"line {filled[0] + 1}, {lines[filled[0]].strip()[:60]!r}, numbers the columns and is not a row")
    return [*lines[: filled[0]], "", *lines[filled[0] + 1 :]]


def _stated_dialect(lines):
    """Delimiter and decimal mark where the file names them: Excel's "sep=;", LabVIEW's "Separator"."""
    delimiter, decimal = "", ""
    words = {"tab": "\t", "comma": ",", "semicolon": ";", "space": None}
    for line in lines[:40]:
        if excel := EXCEL.fullmatch(line):
            delimiter = excel.group(1)
        if labview := LABVIEW.match(line):
            delimiter = words[labview.group(1).lower()]
        if mark := DECIMAL.match(line):
            decimal = mark.group(1)
    return delimiter, decimal


def _decimal_commas(lines):
    """True for one column of numbers such as 9,0512: no number begins with 05.

    Raises
    ------
    Refusal where they may as well be two columns of whole numbers
    """
    rows = [match for match in map(TWO_OR_ONE.fullmatch, lines) if match]
    starts = [int(match[1]) for match in rows]
    shortest = min((len(match[2]) for match in rows), default=0)
    few = len(rows) < 0.9 * sum(bool(line.strip()) for line in lines)
    if few or shortest < 3 or sorted(set(starts)) in (starts, starts[::-1]):
        return False
    if any(match[2][0] == "0" for match in rows):
        return True
    raise Refusal(
        f"rows such as {rows[0].group().strip()!r} are one number with a decimal comma, or two: write decimals with a "
        "point, or separate the columns by ; or tab"
    )


def _single_column(lines, decimal):
    """A file whose rows hold one number: a series, or nothing that is read here."""
    numbers = [line for line in lines if line.strip()][:2000]
    if decimal != "," and any(
        COMPLEX.search(line.split("\t")[-1].strip()) and line.strip()[:1].isdigit() for line in numbers
    ):
        raise Refusal(
            "it holds complex values (real and imaginary part, or dB and phase); a PSD is real: export |V|^2/Hz"
        )
    for mark in decimal or ".,":
        dialect = Dialect(None, mark)
        single = [dialect.row(line) for line in numbers if not COMMENT.match(line)]
        if sum(len(row) == 1 and row[0] is not None for row in single) >= 2:
            return dialect
    for number, line in enumerate(lines, start=1):
        if re.match(r"\s*[+-]?\d", line) and len(line.split()) > 1:
            raise Refusal(
                f"line {number}: {line.strip()[:60]!r} is not two numbers: frequency [Hz] and PSD [unit^2/Hz]"
            )
    for number, line in enumerate(lines, start=1):
        if len(re.findall(r"(?<![\w.])[+-]?\d+\.?\d*(?![\w.])", line)) > 1:
            raise Refusal(
                f"line {number}, {line.strip()[:60]!r}, holds numbers but does not begin with one; {NO_NUMBERS}"
            )
    raise Refusal(NO_NUMBERS)


def _thousands(values, cells, dialect, header, notes):
    """Frequencies such as 1.000 for a thousand: corrected where the axis shows it, else warned about."""
    first = [row[0] for row in cells]
    freqs = regrouped(first, values[:, 0])
    if freqs is not None:
        values[:, 0] = freqs
        notes.append(
            "the mark in frequencies such as 1.000 was read as a thousands separator: only so the axis increases"
        )
        return
    foreign = dialect.delimiter == ";" or any(
        re.search(r"frequenz|fr[eé]quence|frecuencia|frequenza|częst", line, re.I) for line in header
    )
    if (
        (foreign or dialect.decimal == ",")
        and len(first) > 2
        and all(re.fullmatch(r"[1-9]\d{0,2}[.,]\d{3}", cell) for cell in first)
    ):
        notes.append(
            f"every frequency is written like {first[1]}: read as {values[0, 0]:g}..{values[-1, 0]:g}; if the "
            "mark separates "
            f"thousands it is {values[0, 0] * 1e3:g}..{values[-1, 0] * 1e3:g}: export without thousands "
            "separators, or give unit='kHz'"
        )
