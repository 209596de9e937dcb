"""From text to numbers: delimiters, decimal commas, thousands, words for "no value"."""

import csv
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import no_type_check

import numpy as np

NO_VALUE = re.compile(
    r"""[+-]?(?:nan(?:\([^)]*\))?|inf(?:inity)?|∞
        |1[.,]?\#(?:inf|qnan|snan|ind|nan|j|\$|r)\w*(?:[+-]\d+)?|1[.,](?:\$|j))  # C runtimes
        |\#?n/?a!?|\#(?:num|div/0|value|ref|name|null|nv|n/v|zahl|wert)[!?]?
        |null|none|nil|missing|---?|-|\*+|\?+|\.  # Excel, Fortran
        |overload|ovld?|o\.?l\.?|overflow|invalid""",
    re.IGNORECASE | re.VERBOSE,
)
NO_EXPONENT_LETTER = re.compile(r"([+-]?\d*[.,]\d+)([+-]\d{2,3})")  # Fortran drops the E of three digits: 3.254321-114
SPACES = re.compile(r"(?<=\d)[ \u00a0\u202f'’](?=\d{3}(?!\d))")  # thousands: 1 094, 1'094
COMPLEX = re.compile(
    r"\d[eE]?[+-]?\d*\s*[+-]\s*[\d.]+(?:[eE][+-]?\d+)?\s*[ij](?![A-Za-z])"
    r"|^\(?-?[\d.]+(?:[eE][+-]?\d+)?(?:dB)?,-?[\d.]+(?:[eE][+-]?\d+)?(?:°|\ufffd)?\)?$"
)
INLINE = re.compile(
    r"\s(?:#(?!N/?A|NUM|DIV|VALUE|REF|NAME|NULL|NV|ZAHL|WERT)|//|!\s).*$", re.IGNORECASE
)  # a remark after the values
DELIMITERS = ("\t", ";", "|", ",", None)  # None = blanks
SAMPLE = 60  # lines from which the delimiter is judged


@dataclass(frozen=True)
class Dialect:
    """How a table of text is written. delimiter None = blanks; thousands "" = not used."""

    delimiter: str | None
    decimal: str = "."
    thousands: str = ""

    @no_type_check  # called for every cell
    def split(self, line: str) -> list[str]:
        """Cells of a line without quotes and outer blanks; an empty last cell after a closing delimiter is left out."""
        if self.delimiter is None:
            return [cell.strip("\"'") for cell in line.split()]
        if '"' in line:
            line = line.replace('="', '"')  # a spreadsheet's way to keep text as it is
            cells = next(csv.reader([line], delimiter=self.delimiter, skipinitialspace=True), [])
        else:
            cells = line.split(self.delimiter)
        cells = [cell.strip().strip("\"'").strip() for cell in cells]
        if self.delimiter == "|" and cells and cells[0] == "":
            cells = cells[1:]
        while len(cells) > 1 and cells[-1] == "":
            cells.pop()
        return cells

    @no_type_check
    def number(self, cell: str) -> float | None:
        """Value of a cell, NaN for every known way to write "no value", None for text."""
        if self.decimal == "." and not self.thousands:
            try:
                return float(cell) if "_" not in cell else None
            except ValueError:
                pass
        if cell == "" or NO_VALUE.fullmatch(cell):
            return np.nan
        cell = cell.replace("\u2212", "-")
        if self.delimiter is not None:
            cell = SPACES.sub("", cell)
        if self.thousands and re.match(
            rf"[+-]?\d{{1,3}}(?:{re.escape(self.thousands)}\d{{3}})+(?![\d{self.thousands}])", cell
        ):
            cell = cell.replace(self.thousands, "")
        if self.decimal == ",":
            if "." in cell or not re.search(r",\d|^[^,]*$", cell):
                return None
            cell = cell.replace(",", ".")
        broken = NO_EXPONENT_LETTER.fullmatch(cell)
        cell = f"{broken.group(1)}e{broken.group(2)}" if broken else re.sub(r"(?<=[\d.])[dDqQ](?=[+-]?\d)", "e", cell)
        if not re.fullmatch(r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?", cell, re.ASCII):
            return None
        return float(cell)

    def row(self, line: str) -> list[float | None]:
        """Values of the cells of a line."""
        return [self.number(cell) for cell in self.split(line)]


@no_type_check
def is_data(row: Sequence[float | None], cells: Sequence[str]) -> bool:
    """A row of a table begins with a number."""
    return bool(row) and row[0] is not None and any(map(str.isdigit, cells[0]))


def dialect_of(lines: Sequence[str], delimiter: str | None = "", decimal: str = "") -> Dialect | None:
    """The way of writing under which most lines are rows of numbers; None when no line is.

    Parameters
    ----------
    delimiter, decimal : where the file itself states them ("sep=;")
    """
    numeric = [INLINE.sub("", line) for line in lines if any(map(str.isdigit, line))]
    sample = numeric[:SAMPLE] + numeric[SAMPLE :: max(1, len(numeric) // SAMPLE)]
    best, best_score = None, (0, 0)
    for candidate in _candidates(delimiter, decimal):
        if candidate.delimiter is not None and not any(candidate.delimiter in line for line in sample):
            continue
        clean = dirty = 0
        for line in sample:
            cells = candidate.split(line)
            row = [candidate.number(cell) for cell in cells] if len(cells) > 1 else []
            if is_data(row, cells) and sum(value is not None for value in row) > 1:
                dirty += 1
                clean += None not in row
        if (clean, dirty) > best_score:
            best, best_score = candidate, (clean, dirty)
        if clean > 0.9 * len(sample):
            break  # the first that fits is the plainest
    return best


def _candidates(delimiter, decimal):
    for decimal_mark, thousands in ((".", ""), (",", ""), (".", ","), (",", ".")):
        if decimal and decimal_mark != decimal:
            continue
        for mark in DELIMITERS if delimiter == "" else (delimiter,):
            yield Dialect(mark, decimal_mark, thousands)


def regrouped(cells: Sequence[str], values: np.ndarray) -> np.ndarray | None:
    """Frequencies written 998, 1.000, 1.002: the mark separates thousands if only so the axis increases; else None."""
    if (np.diff(values) > 0).all():
        return None
    for mark in (".", ","):
        plain = [bool(re.fullmatch(r"\d{1,3}", cell)) for cell in cells]
        grouped = [bool(re.fullmatch(rf"\d{{1,3}}(?:\{mark}\d{{3}})+", cell)) for cell in cells]
        if all(a or b for a, b in zip(plain, grouped, strict=True)) and any(plain) and any(grouped):
            freqs = np.array([float(cell.replace(mark, "")) for cell in cells])
            if (np.diff(freqs) > 0).all() or (np.diff(freqs) < 0).all():
                return freqs
    return None
