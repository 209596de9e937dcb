"""Lines that the user knows: read from a table of frequencies and names, and found again among the flags."""

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

RULE = "each row is a frequency [Hz], a width [Hz] (may be left out) and a name, e.g. 312.4,0.5,pump"
MARKS = (";", "\t", ",")  # between the columns: the first that a file has; a decimal comma needs another


@dataclass(frozen=True)
class KnownLine:
    """One line that the user knows.

    Attributes
    ----------
    freq : Hz
    width : Hz, full, that it may wander over or extend; 0: within the resolution
    name : of its source
    """

    freq: float
    width: float
    name: str

    def distance(self, centre: float, tolerance: float) -> float:
        """How far a centre lies from it, Hz; infinite beyond its width and a tolerance, Hz."""
        away = abs(centre - self.freq)
        return away if away <= self.width / 2 + tolerance else np.inf


def read_known_lines(path: Path) -> tuple[KnownLine, ...]:
    """The lines of a table: frequency, width or none, name; a heading, blank rows and rows with # are passed over.

    Raises
    ------
    ValueError that names the file, the row and the rule
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError:
        raise ValueError(f"{path.name} is not text; {RULE}") from None
    mark = next((mark for mark in MARKS if mark in text), MARKS[-1])
    lines, headed = list[KnownLine](), False
    rows = csv.reader(text.splitlines(), delimiter=mark)
    for cells in ([cell.strip() for cell in row] for row in rows):
        if not any(cells) or cells[0].startswith("#"):
            continue
        line = _line(cells, "." if mark == "," else ",")
        if line is not None:
            lines.append(line)
        elif lines or headed or not _is_heading(cells):
            raise ValueError(f"{path.name}, row {rows.line_num}, {mark.join(cells)!r}: {RULE}")
        else:
            headed = True
    if not lines:
        raise ValueError(f"{path.name} names no line; {RULE}")
    return tuple(lines)


def _line(cells, decimal) -> KnownLine | None:
    """The line of a row; None where it does not hold one."""
    if len(cells) not in (2, 3) or not cells[-1]:
        return None
    try:
        numbers = [float(cell.replace(decimal, ".") or 0) for cell in cells[:-1]]
    except ValueError:
        return None
    freq, width = numbers[0], numbers[1] if len(numbers) > 1 else 0.0
    return KnownLine(freq, width, cells[-1]) if 0 < freq < np.inf and 0 <= width < np.inf else None


def _is_heading(cells) -> bool:
    return not any(character.isdigit() for character in "".join(cells))


def known_among(known: Sequence[KnownLine], centre: float, tolerance: float) -> KnownLine | None:
    """The known line that a flag's centre is nearest to; None where none is near. tolerance : Hz."""
    nearest = min(known, key=lambda line: line.distance(centre, tolerance), default=None)
    return nearest if nearest is not None and np.isfinite(nearest.distance(centre, tolerance)) else None
