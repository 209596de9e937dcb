"""Small tables that a user writes: flags of a spectrum, temperatures of files."""

import csv
from pathlib import Path

MARKS = ",;\t|"


def table_of(path: Path) -> tuple[list[str], list[list[str]], str]:
    """Headings and rows of a table, and the mark between its columns: comma, semicolon, tab, bar, or a space.

    Blank lines and lines that begin with # are left out; letters that are not UTF-8 are replaced.

    Raises
    ------
    OSError
    """
    lines = path.read_text(encoding="utf-8-sig", errors="replace").splitlines()
    lines = [line for line in lines if line.strip() and not line.startswith("#")]
    heading = lines[0] if lines else ""
    mark = max(MARKS, key=heading.count)
    if mark not in heading:
        rows, mark = [line.split() for line in lines], " "
    else:
        rows = list(csv.reader(lines, delimiter=mark))
    return [name.strip() for name in rows[0]] if rows else [], rows[1:], mark
