"""Which lines of a text are rows of numbers; nothing that looks like a row is lost as a header or a footer."""

import re

import numpy as np

from nblib.measured.files.formats import Refusal
from nblib.measured.files.text_cells import INLINE, Dialect, is_data

COMMENT = re.compile(r"\s*(?:#(?!N/A|NUM|DIV|VALUE|REF|NV|ZAHL|WERT)|%|!|\*+(?:\s|$|[A-Za-z])|//|'|--\s|REM\b|@)")
COUNTED = re.compile(r"NPTS|\bDT\b")  # "6000 .0100 NPTS, DT" above the samples of an earthquake
NO_NUMBERS = "it holds no rows of numbers; a spectrum needs two columns: frequency [Hz] and PSD [unit^2/Hz]"


def rows_of(lines, dialect, notes):
    """Rows of numbers, their cells and line numbers, and the header; text that follows the rows is a footer.

    A line that begins with a number is a row, never a header; only a lone one of another width above more text is.
    Lines of the header may come again between the rows, as on printed pages.
    """
    rows, header, titles, footer, above = [], [], [], [], 0
    for number, line in enumerate(lines, start=1):
        split = dialect.split(INLINE.sub("", line))
        row = [dialect.number(cell) for cell in split]
        if not "".join(split).strip():
            continue
        if not rows and COUNTED.search(line):
            header.append(line.strip())
        elif is_data(row, split) or (rows and None not in row and len(row) >= min(2, len(rows[0][0]))):
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
        elif not COMMENT.match(line) and line.strip() not in header:
            footer.append(number)
    if len(rows) > 1 and len(rows[1][0]) > 1 and rows[0][0] == [len(rows) - 1]:  # a line with the number of rows
        header.append(lines[rows[0][2] - 1].strip())
        rows = rows[1:]
    if not rows:
        raise Refusal(NO_NUMBERS)
    _check_above(header, lines, above, dialect)
    check_below(footer, lines, dialect, notes)
    for row, _, number in titles:
        if len(row) == len(rows[0][0]) and None not in row:
            raise Refusal(
                f"line {number} is numbers, but text stands between it and the other rows; remove one of them"
            )
    return *(list(part) for part in zip(*rows, strict=True)), header


def _check_above(header, lines, above, dialect):
    """No row may be lost as a header because it is written in another way than those below."""
    for line in header:
        tokens = [token for token in re.split(r"[\s,;|]+", line) if token]
        values = [Dialect(None).number(token) is not None or token.lower() in ("nan", "inf") for token in tokens]
        begins = bool(tokens) and Dialect(None).number(tokens[0]) is not None and any(c.isdigit() for c in tokens[0])
        # in a cell of its own: "300 K" between tabs is a comment
        is_last = above and line == lines[above - 1].strip() and dialect.row(line)[0] is not None
        if begins and len(tokens) > 1 and (all(values) or is_last) and not COUNTED.search(line):
            raise Refusal(
                f"line {1 + [text.strip() for text in lines].index(line)}: {line[:60]!r} begins with a number "
                "but is not written like the rows below it; fix it, or comment it out with # if it is not data"
            )


def check_below(footer, lines, dialect, notes):
    """Text below the rows is left out with a note; what begins like a row is not text."""
    for number in footer:
        cells = dialect.split(lines[number - 1])
        if re.match(r"[+-]?[.,]?\d", cells[0]) and len(cells) > 1:
            raise Refusal(
                f"line {number}: {lines[number - 1].strip()[:60]!r} is not written like the rows above it; write plain "
                "numbers, or comment it out with # if it is not data"
            )
    if footer:
        text = lines[footer[0] - 1].strip()[:40]
        notes.append(f"text below the numbers is left out, from line {footer[0]} on: {text!r}")


def even(rows, cells, numbers, lines, count):
    """Rows of one width: empty cells at the end are missing values; a row of another width is refused.

    count : samples that the header states; where they run along the rows, the last row may be short
    """
    widths = [len(row) for row in rows]
    width = max(set(widths), key=widths.count)
    starts = [row[0] for row in rows]
    runs_on = width > 3 and len(set(widths[:-1])) == 1 and starts != sorted(starts)  # perhaps samples along the rows
    if (count == sum(widths) or runs_on) and widths[-1] < width:
        rows[-1], cells[-1] = rows[-1] + [np.nan] * (width - widths[-1]), cells[-1] + [""] * (width - widths[-1])
    for at, row in enumerate(rows):
        if len(row) > width and all(value is not None and np.isnan(value) or value is None for value in row[width:]):
            rows[at], cells[at] = row[:width], cells[at][:width]  # a remark
        elif len(row) < width and lines[numbers[at] - 1].rstrip(" ").endswith((",", ";", "\t")):
            rows[at], cells[at] = row + [np.nan] * (width - len(row)), cells[at] + [""] * (width - len(row))
        elif len(row) != width:
            raise Refusal(
                f"line {numbers[at]} has {len(row)} columns, most have {width}: "
                f"{lines[numbers[at] - 1].strip()[:60]!r}; "
                "fix or remove that line (with decimal commas, separate columns by ; or tab)"
            )
    return rows, cells, numbers, width


def check_text(is_text, numbers, lines):
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
