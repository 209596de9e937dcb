"""Tables in text of any ending: header block, comments, units row, data, footer."""

import csv
import io
import re
from pathlib import Path

import numpy as np

from nblib.measured.files.columns import choose
from nblib.measured.files.formats import Column, Raw, Refusal, Table, reader
from nblib.measured.files.headers import is_setting
from nblib.measured.files.text_cells import COMPLEX, INLINE, Dialect, decoded, dialect_of, is_data, regrouped

COMMENT = re.compile(r"\s*(?:#(?!N/A|NUM|DIV|VALUE|REF|NV|ZAHL|WERT)|%|!|\*+(?:\s|$|[A-Za-z])|//|'|--\s|REM\b|@)")
REMARKS = re.compile(r"comments?|remarks?|notes?|kommentar|$", re.IGNORECASE)
UNIT_WORDS = re.compile(r"[\(\[].*[\)\]]|[A-Za-zµμ]{0,2}Hz|.*/.*Hz.*|dB\w*|[munpk]?V|-|lin|unit.?|", re.IGNORECASE)
SETTING = re.compile(r".*[:=]\s*[+-]?\d[\d.,eE+-]*\s*[A-Za-zµ/]{1,6}\s*$")  # "Sample Rate = 500.0 Hz" is no heading
LONG, HEAD = 3000, 200  # lines from which on a table is read by pandas; lines that say how it is written
GROUPED = re.compile(r"\d{1,3}(?:[.,]\d{3})*")  # perhaps with thousands separators
ODD_ENDS = re.compile(r"[\x0b\x0c\x1c-\x1e]")  # str.splitlines ends a line there, a table does not


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
    text = decoded(path.read_bytes())
    if not text.strip():
        raise Refusal("it is empty; export the spectrum again")
    lines = text.splitlines() if text.isascii() and not ODD_ENDS.search(text) else re.split(r"\r\n|\n|\r", text)
    found = _regular(lines) if len(lines) > LONG else None
    return _any_table(lines)[0] if found is None else found


def _regular(lines) -> Table | None:
    """A long table whose rows are plain numbers, by pandas' C parser; None where the careful way must look.

    What stands above it, the way of writing and the names come from its first lines, read in the careful way.
    """
    import pandas as pd

    try:
        head, dialect, cells = _any_table(lines[:HEAD])
    except Refusal:
        return None
    if head.lines is None:
        return None
    first = int(head.lines[0]) - 1
    plain = len(head.lines) == min(len(lines), HEAD) - first  # rows follow one another
    if not plain or dialect.thousands or all(GROUPED.fullmatch(row[0]) for row in cells):
        return None
    body = lines[first:]
    while body and not body[-1].strip():
        body.pop()
    if dialect.delimiter and all(line.endswith(dialect.delimiter) for line in body[: len(cells)]):
        body = [line.removesuffix(dialect.delimiter) for line in body]
    try:
        values = pd.read_csv(
            io.StringIO("\n".join(body)),
            sep=dialect.delimiter or r"\s+",
            decimal=dialect.decimal,
            header=None,
            dtype=np.float64,
            keep_default_na=False,  # an empty cell is for the careful way
            na_values=["nan", "NaN", "NAN", "NA", "N/A", "null"],
            quoting=csv.QUOTE_NONE,
            skipinitialspace=True,
        ).to_numpy()
    except (ValueError, pd.errors.ParserError):
        return None
    if values.shape != (len(body), head.values.shape[1]):
        return None  # blank lines
    return Table(values, head.names, head.header, np.arange(first + 1, first + 1 + len(body)), head.said)


def _any_table(lines) -> tuple[Table, Dialect, list[list[str]]]:
    """The table of any text, how it is written, and its cells."""
    dialect = dialect_of(lines, *_stated_dialect(lines))
    if dialect is None:
        dialect = _single_column(lines)
    said: list[str] = []
    lines = _without_column_numbers(lines, dialect, said)
    rows, cells, numbers, header = _blocks(lines, dialect)
    width = max(len(row) for row in rows)
    if len({len(row) for row in rows}) > 1:
        rows, cells, numbers, width = _even(rows, cells, numbers, lines, said)
    values = np.array([[np.nan if value is None else value for value in row] for row in rows])
    is_text = np.array([[value is None for value in row] for row in rows])
    _check_text(is_text, numbers, lines)
    _thousands(values, cells, dialect, header, said)
    names = _names(header, dialect, width, values)
    return Table(values, tuple(names), tuple(header), np.array(numbers), said), dialect, cells


def _without_column_numbers(lines, dialect, said):
    """The lines, blank where pandas wrote 0, 1, ... as headings above columns without names."""
    filled = [at for at, line in enumerate(lines[:HEAD]) if line.strip()][:2]
    if len(filled) < 2:
        return lines
    cells, below = dialect.split(lines[filled[0]]), dialect.row(lines[filled[1]])
    names = cells[1:] if cells[0] == "" else cells
    counts = len(names) > 1 and names == [str(number) for number in range(len(names))]
    if not counts or len(below) != len(cells) or all(value is None or value % 1 == 0 for value in below[1:]):
        return lines
    said.append(f"line {filled[0] + 1}, {lines[filled[0]].strip()[:60]!r}, numbers the columns and is no row")
    return [*lines[: filled[0]], "", *lines[filled[0] + 1 :]]


def _stated_dialect(lines):
    """Delimiter and decimal mark where the file names them: Excel's "sep=;", LabVIEW's "Separator"."""
    delimiter, decimal = "", ""
    words = {"tab": "\t", "comma": ",", "semicolon": ";", "space": None}
    for line in lines[:40]:
        excel = re.fullmatch(r"\s*\"?sep=(.)\"?\s*", line, re.IGNORECASE)
        labview = re.match(r"Separator\s+(Tab|Comma|Semicolon|Space)\b", line, re.IGNORECASE)
        mark = re.match(r"Decimal[_ ]Separator\W*([.,])\s*$", line, re.IGNORECASE)
        if excel:
            delimiter = excel.group(1)
        if labview:
            delimiter = words[labview.group(1).lower()]
        if mark:
            decimal = mark.group(1)
    return delimiter, decimal


def _single_column(lines):
    """A file whose rows hold one number: a series, or nothing that is read here."""
    numbers = [line for line in lines if line.strip()][:2000]
    if any(COMPLEX.search(line.split("\t")[-1].strip()) and line.strip()[:1].isdigit() for line in numbers):
        raise Refusal(
            "it holds complex values (real and imaginary part, or dB and phase); a PSD is real: export |V|^2/Hz"
        )
    for decimal in (".", ","):
        dialect = Dialect(None, decimal)
        single = [dialect.row(line) for line in numbers if not COMMENT.match(line)]
        if sum(len(row) == 1 and row[0] is not None for row in single) >= 2:
            return dialect
    for number, line in enumerate(lines, start=1):
        if re.match(r"\s*[+-]?\d", line) and len(line.split()) > 1:
            raise Refusal(
                f"line {number}: {line.strip()[:60]!r} is not two numbers: frequency [Hz] and PSD [unit^2/Hz]"
            )
    raise Refusal("it holds no numbers; it needs two columns: frequency [Hz] and PSD [unit^2/Hz]")


def _blocks(lines, dialect):
    """Rows of numbers, their cells and line numbers, and the header; text that follows the rows is a footer.

    A line that begins with a number is a row, never a header; only a lone one of another width above more text is.
    """
    rows, header, titles, footer, above = [], [], [], [], 0
    for number, line in enumerate(lines, start=1):
        split = dialect.split(INLINE.sub("", line))
        row = [dialect.number(cell) for cell in split]
        if not "".join(split).strip():
            continue
        if is_data(row, split) or (rows and None not in row and len(row) >= min(2, len(rows[0][0]))):
            if footer:
                raise Refusal(
                    f"numbers go on at line {number} after text: line {footer[0]}, "
                    f"{lines[footer[0] - 1].strip()[:60]!r}, is not "
                    "numbers. Two tables or a damaged line: keep one table, mark comments with #"
                )
            rows.append((row, split, number))
        elif not rows:
            header.append(line.strip())
            above = number
        elif len(rows) == 1 and (None in rows[0][0] or not COMMENT.match(line)):
            titles += rows
            header += [lines[rows[0][2] - 1].strip(), line.strip()]
            rows = []
        elif not COMMENT.match(line):
            footer.append(number)
    if len(rows) > 1 and len(rows[1][0]) > 1 and rows[0][0] == [len(rows) - 1]:  # a line with the number of rows
        header.append(lines[rows[0][2] - 1].strip())
        rows = rows[1:]
    if not rows:
        raise Refusal("it holds no numbers; it needs two columns: frequency [Hz] and PSD [unit^2/Hz]")
    _check_above(header, lines, above)
    for row, _, number in titles:
        if len(row) == len(rows[0][0]) and None not in row:
            raise Refusal(
                f"line {number} is numbers, but text stands between it and the other rows; remove one of them"
            )
    return *(list(part) for part in zip(*rows, strict=True)), header


def _check_above(header, lines, above):
    """No row may be lost as a header because it is written in another way than those below."""
    for line in header:
        tokens = [token for token in re.split(r"[\s,;|]+", line) if token]
        values = [Dialect(None).number(token) is not None or token.lower() in ("nan", "inf") for token in tokens]
        begins = bool(tokens) and Dialect(None).number(tokens[0]) is not None and any(c.isdigit() for c in tokens[0])
        is_last = above and line == lines[above - 1].strip()
        if begins and len(tokens) > 1 and (all(values) or is_last):
            raise Refusal(
                f"line {1 + [text.strip() for text in lines].index(line)}: {line[:60]!r} begins with a number "
                "but is not written like the rows below it; mend it, or mark it with # if it is no row"
            )


def _even(rows, cells, numbers, lines, said):
    """Rows of one width: empty cells at the end are missing values; a row of another width is refused."""
    widths = [len(row) for row in rows]
    width = max(set(widths), key=widths.count)
    for at, row in enumerate(rows):
        if len(row) > width and all(value is not None and np.isnan(value) or value is None for value in row[width:]):
            rows[at], cells[at] = row[:width], cells[at][:width]  # a remark
        elif len(row) == width - 1 and lines[numbers[at] - 1].rstrip(" ").endswith((",", ";", "\t")):
            rows[at], cells[at] = [*row, np.nan], [*cells[at], ""]
        elif len(row) != width:
            raise Refusal(
                f"line {numbers[at]} has {len(row)} columns, most have {width}: "
                f"{lines[numbers[at] - 1].strip()[:60]!r}; "
                "mend or remove that line (with decimal commas, separate columns by ; or tab)"
            )
    return rows, cells, numbers, width


def _check_text(is_text, numbers, lines):
    """A column is numbers or text; a word among numbers is refused by its line."""
    share = is_text.mean(axis=0)
    for at in np.flatnonzero((share > 0) & (share < 1)):
        if share[at] < 0.5:
            row = int(np.argmax(is_text[:, at]))
            line = lines[numbers[row] - 1].strip()[:60]
            raise Refusal(
                f"line {numbers[row]}: column {at + 1} of {line!r} is not numbers; write nan where a value is missing"
            )
        is_text[:, at] = True


def _thousands(values, cells, dialect, header, said):
    """Frequencies such as 1.000 for a thousand: corrected where the axis shows it, else warned about."""
    first = [row[0] for row in cells]
    found = regrouped(first, values[:, 0])
    if found is not None:
        values[:, 0] = found
        said.append(
            "the mark in frequencies such as 1.000 was read as a thousands separator: only so the axis increases"
        )
        return
    foreign = dialect.delimiter == ";" or any(
        re.search(r"frequenz|fr[eé]quence|frecuencia|frequenza|częst", line, re.I) for line in header
    )
    if (
        (foreign or dialect.decimal == ",")
        and len(first) > 2
        and all(re.fullmatch(r"\d{1,3}[.,]\d{3}", cell) for cell in first)
    ):
        said.append(
            f"every frequency is written like {first[1]}: read as {values[0, 0]:g}..{values[-1, 0]:g}; if the "
            "mark separates "
            f"thousands it is {values[0, 0] * 1e3:g}..{values[-1, 0] * 1e3:g}: export without thousands "
            "separators, or give --unit"
        )


def _names(header, dialect, width, values):
    """Column headings: the last line above the data that has one word a column, and a row of units below it."""
    names = []
    for line in reversed(header):
        cells = _heading(line, dialect, width, values)
        if cells is None:
            if names or line.strip(" *#%!\"'-=;,|\t"):
                break
            continue
        if cells[0].lower() in ("comments", "comment"):
            continue  # Origin writes long names, units and comments
        names.append(cells)
        if not all(UNIT_WORDS.fullmatch(cell) for cell in cells):
            break
    return [_with_unit(column) for column in zip(*reversed(names), strict=True)] if names else []


def _with_unit(parts):
    """A heading and what stands in the units row below it: "p" and "W/Hz" are no pW/Hz."""
    heading, *units = [part for part in parts if part] or [""]
    return " ".join([heading, *(unit if unit[0] in "([" else f"[{unit}]" for unit in units)])


def _heading(line, dialect, width, values):
    """The line's words when there is one a column, else None."""
    bare = re.sub(r"^\s*(?:[#%!*]+|//)\s*", "", line)
    splits = [dialect.split(bare), re.split(r"\t+", bare), re.split(r"\s{2,}", bare)]
    splits += [Dialect(mark).split(bare) for mark in (",", ";")]
    splits.append(re.findall(r"(?:[^\s(\[]|\([^)]*\)|\[[^\]]*\])+(?:\s+[\(\[][^)\]]*[\)\]])?", bare))
    if re.match(r"\W*[xy][-_ ]?unit|.*[:=]\s*\S+\s*$", bare, re.IGNORECASE) or SETTING.match(bare):
        return None
    if is_setting(bare):
        return None
    for cells in splits:
        cells = [cell.strip().strip("\"'") for cell in cells]
        if any(re.fullmatch(r"[+-]?[\d.,]+(?:e[+-]?\d+)?", cell, re.IGNORECASE) for cell in cells[1:]):
            continue
        if len(cells) == width + 1 and REMARKS.fullmatch(cells[-1]):
            cells = cells[:-1]
        if len(cells) == width - 1 >= 2 and (np.diff(values[:, 0]) == 1).all() and (np.diff(values[:, 1]) > 0).all():
            cells = ["index", *cells]  # R writes row names without a heading
        if len(cells) == width and any(re.search(r"\w", cell) for cell in cells):
            return cells
    return None
