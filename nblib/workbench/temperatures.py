"""The temperature of each spectrum, from a table, the file's name or its header; its source is always stated."""

import re
from collections.abc import Sequence
from pathlib import Path

from nblib.workbench.stored_fits import is_stored_fit, read_fit

KELVIN = 273.15  # 0 C
HEADER_BYTES = 4096
NUMBER = r"(-?\d+(?:[.,]\d+)?)"
IN_NAME = (  # "300K", "300.5_K", "-20C", "25degC"; "T300", "T=300", "temp_300"
    (re.compile(rf"(?<![A-Za-z0-9.]){NUMBER}[\s_]?K(?![A-Za-z0-9])"), 0.0),
    (re.compile(rf"(?<![A-Za-z0-9.]){NUMBER}[\s_]?(?:deg|°|º)?C(?![A-Za-z0-9])"), KELVIN),
    (re.compile(r"(?<![A-Za-z])T(?:emp(?:erature)?)?[\s_=]?(\d+(?:[.,]\d+)?)K?(?![A-Za-z0-9])", re.IGNORECASE), 0.0),
    (re.compile(r"(?<=[A-Za-z_])(\d{2,3}(?:[.,]\d+)?)K(?![A-Za-z0-9])"), 0.0),
)
IN_HEADER = re.compile(
    rf"temp(?:erature)?\b[^\d\n,;-]{{0,24}}[,;]?\s*{NUMBER}\s*\)?\s*(K|deg\s?C|°\s?C|C)?(?![A-Za-z0-9])", re.IGNORECASE
)
UNIT_BEFORE = re.compile(r"temp(?:erature)?\s*[\[(]\s*(K|deg\s?C|°\s?C|C)\s*[\])]", re.IGNORECASE)
COLUMNS = ("file", "temperature")


def temperatures_of(paths: Sequence[Path], table: Path | None = None) -> list[tuple[float, str]]:
    """Kelvin of each file, and where it was read: "T.csv", "name" or "header".

    Parameters
    ----------
    paths : spectra, or fits that `nblib fit` wrote of them: the name is that of the spectrum, the header its JSON's
    table : CSV with a column of files' names and one of temperatures; its headings may name the unit, K or C

    Raises
    ------
    ValueError for a file without a temperature, or with two that differ
    """
    known = {} if table is None else _table(table)
    return [_one(path, known, table) for path in paths]


def _one(path, known, table):
    names, stated = _said(path)
    if table is not None:
        found = [known[name] for name in names if name in known]
        if not found:
            raise ValueError(f"{table} has no temperature for {names[0]}; add a row")
        return found[0], table.name
    name, header = in_name(names[0]), stated()
    if name is None and header is None:
        raise ValueError(
            f"{path.name}: no temperature in its name (such as run_300K.csv) or header; give --temperatures T.csv with "
            "the columns file and temperature"
        )
    if name is not None and header is not None and abs(name - header) > 0.01 * name + 0.5:
        raise ValueError(
            f"{path.name}: {name:g} K by its name and {header:g} K by its header; give --temperatures T.csv with the "
            "columns file and temperature"
        )
    return (header, "header") if header is not None else (name, "name")


def _said(path):
    """Names under which a table may list a spectrum, its own first, and what gives the temperature of its header."""
    if not is_stored_fit(path):
        return [path.name, path.stem], lambda: in_header(path)
    document = read_fit(path).document
    spectrum, kelvin = Path(document["path"]), document["temperature"]
    return [spectrum.name, spectrum.stem, path.name], lambda: None if kelvin is None else _positive(kelvin, path.name)


def header_of(path: Path) -> float | None:
    """Kelvin that the first lines of a text state; None where they state none, or one that cannot be."""
    try:
        return in_header(path)
    except ValueError:
        return None


def in_name(name: str) -> float | None:
    """Kelvin that a file's name states, or None; raises ValueError where it states two."""
    stem = re.sub(r"\.(?:csv|tsv|txt|dat|npz|npy|mat|h5|gz|json|asc|out)$", "", name, flags=re.IGNORECASE)
    for pattern, offset in IN_NAME:
        found = {_number(text) + offset for text in pattern.findall(stem)}
        if len(found) > 1:
            raise ValueError(f"{name} names {len(found)} temperatures; give --temperatures T.csv")
        if found:
            return _positive(found.pop(), name)
    return None


def in_header(path: Path) -> float | None:
    """Kelvin that the first lines of a text state, or None; a number without a unit is in K."""
    with path.open("rb") as stream:
        start = stream.read(HEADER_BYTES)
    if b"\0" in start:
        return None
    for line in start.decode("utf-8", errors="replace").splitlines():
        match = IN_HEADER.search(line)
        if match:
            before = UNIT_BEFORE.search(line)
            unit = (match[2] or (before[1] if before else "K")).upper()
            return _positive(_number(match[1]) + (KELVIN if unit.endswith("C") else 0.0), path.name)
    return None


def _number(text):
    return float(text.replace(",", "."))


def _positive(kelvin, name):
    if kelvin <= 0:
        raise ValueError(f"{name}: a temperature of {kelvin:g} K; is it in degrees C? write the unit, or a table")
    return kelvin


def _table(path) -> dict[str, float]:
    """Kelvin by the file's name."""
    import pandas as pd

    if not path.is_file():
        raise ValueError(f"--temperatures {path} is not there")
    found = pd.read_csv(path, sep=None, engine="python", comment="#")
    names = [
        next((name for name in found.columns if str(name).strip().lower().startswith(start)), None) for start in COLUMNS
    ]
    if None in names:
        raise ValueError(
            f"{path} has the columns {', '.join(map(str, found.columns))}; file and temperature are needed (K, or "
            "'temperature [C]')"
        )
    files, values = found[names[0]].astype(str).str.strip(), pd.to_numeric(found[names[1]], errors="coerce")
    if files.duplicated().any() or values.isna().any():
        raise ValueError(f"{path}: every file needs one row with one number")
    celsius = re.search(r"[\[(_\s](?:deg|°)?\s?C[\])]?\s*$", str(names[1])) is not None
    offset = KELVIN if celsius else 0.0
    return {name: _positive(float(value) + offset, name) for name, value in zip(files, values, strict=True)}
