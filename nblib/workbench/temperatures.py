"""The temperature of each spectrum, from a table, the file's name or its header; its source is always stated."""

import math
import re
from collections.abc import Sequence
from pathlib import Path

from nblib.workbench.stored_fits import is_stored_fit, read_fit
from nblib.workbench.tables import table_of

KELVIN = 273.15  # 0 C
HEADER_BYTES = 4096
NUMBER = r"\d+(?:[.,]\d+)?"
UNIT = r"(?P<unit>m?K|[Kk]elvin|(?:deg(?:rees?)?\.?|[°º˚\ufffd])?[\s_]?(?:C|[Cc]elsius))(?![A-Za-z0-9])"
IN_NAME = (  # a minus is one before degrees C only: "dev-300K" is 300 K
    re.compile(rf"(?<![A-Za-z0-9.])(?P<number>{NUMBER})[\s_-]?(?=m?K|[Kk]elvin){UNIT}"),  # "300K", "300.5_K", "4p2K"
    re.compile(rf"(?<![A-Za-z0-9.-])(?P<number>-?{NUMBER})[\s_]?{UNIT}"),  # "-20C", "25degC"
    re.compile(rf"(?<![A-Za-z])[Tt](?:emp(?:erature)?)?[\s_=]?(?P<number>{NUMBER})[\s_]?{UNIT}"),  # "T25C"
    re.compile(  # "T300", "T=4", "temp_300"; "T1" may be a transistor
        r"(?<![A-Za-z])[Tt](?:emp(?:erature)?)?(?:=|[\s_]?(?=\d\d))(?P<number>\d+(?:[.,]\d+)?)(?![A-Za-z0-9])(?P<unit>)"
    ),
    re.compile(r"(?<=[A-Za-z_])(?P<number>\d{2,3}(?:[.,]\d+)?)(?P<unit>K)(?![A-Za-z0-9])"),  # "sample300K"
)
HYPHEN = re.compile(rf"(?<=[A-Za-z0-9])-{NUMBER}[\s_]?{UNIT}")  # "run-40C": before degrees C a sign, or none?
POINT = re.compile(r"(?<=\d)p(?=\d)")  # "4p2K"
IN_HEADER = re.compile(
    r"(?P<word>\btemp(?:erature)?(?![a-z])|(?<![a-z0-9])T(?=\s*[\[(=:]))"
    rf"(?P<before>[^\d\n,;-]{{0,24}})[,;]?[\s\"]*(?P<number>-?{NUMBER})(?P<after>[^\n]*)",
    re.IGNORECASE,
)
UNIT_BEFORE = re.compile(rf"[\[(_\s]\s*{UNIT}\s*[\])]?[\s:=\"]*$", re.IGNORECASE)
UNIT_AFTER = re.compile(rf"[\s)\"]*[,;]?[\s\"]*{UNIT}", re.IGNORECASE)
OTHER_AFTER = re.compile(r"\s*[A-Za-z%µ°º˚]|[-/:.]\d")  # another unit, a date: no temperature
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


def temperatures_or_reasons(paths: Sequence[Path], table: Path | None = None) -> list[tuple[float | None, str]]:
    """As of `temperatures_of`; None and the reason for a file without one. Raises ValueError for the table alone."""
    known, temperatures = {} if table is None else _table(table), []
    for path in paths:
        try:
            temperatures.append(_one(path, known, table))
        except (ValueError, OSError) as error:
            temperatures.append((None, str(error).removeprefix(f"{path.name}: ")))
    return temperatures


def of_headings(names: Sequence[str]) -> list[tuple[float | None, str]]:
    """Kelvin that the heading of each spectrum of one file states, and "heading"; None and the reason where none is."""
    temperatures: list[tuple[float | None, str]] = []
    for name in names:
        try:
            kelvin, source = in_name(name), "heading"
            if kelvin is None:
                source = f"one of {len(names)} spectra of its file, and its heading names no temperature (such as "
                source += "300K); name one with --column, or give a file each"
        except ValueError as error:
            kelvin, source = None, str(error)
        temperatures.append((kelvin, source))
    return temperatures


def _one(path, known, table):
    names, stated = _stated(path)
    if table is not None:
        listed = [known[name] for name in names if name in known]
        if not listed:
            raise ValueError(f"{table} has no temperature for {names[0]}; add a row")
        return listed[0], table.name
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


def _stated(path):
    """Names under which a table may list a spectrum, its own first, and what gives the temperature of its header."""
    if not is_stored_fit(path):
        return [path.name, path.stem], lambda: in_header(path)
    document = read_fit(path).document
    spectrum, kelvin, label = Path(document["path"]), document["temperature"], document["file"]
    if label != spectrum.name:  # one of several in its file: the heading is its own, the file's name and header are not
        return [label.removeprefix(f"{spectrum.name}, "), label, path.name], lambda: None
    return [spectrum.name, spectrum.stem, path.name], lambda: None if kelvin is None else _positive(kelvin, path.name)


def header_of(path: Path) -> float | None:
    """Kelvin that the first lines of a text state; None where they state none, or one that cannot be."""
    try:
        return in_header(path)
    except ValueError:
        return None


def in_name(name: str) -> float | None:
    """Kelvin that a file's name states, or None; raises ValueError where it states two, or one of unclear sign."""
    stem = re.sub(r"\.(?:csv|tsv|txt|dat|npz|npy|mat|h5|gz|json|asc|out)$", "", name, flags=re.IGNORECASE)
    stem = POINT.sub(".", stem)
    for pattern in IN_NAME:
        kelvins = {_kelvin(match) for match in pattern.finditer(stem)}
        if len(kelvins) > 1:
            raise ValueError(f"{name} names {len(kelvins)} temperatures; give --temperatures T.csv")
        if kelvins:
            return _positive(kelvins.pop(), name)
    if unclear := HYPHEN.search(stem):
        raise ValueError(
            f"{name}: is the hyphen in {unclear[0]} a minus? write _{unclear[0]} or _{unclear[0][1:]}, or give "
            "--temperatures T.csv"
        )
    return None


def in_header(path: Path) -> float | None:
    """Kelvin that the first lines of a text state, or None; a number without a unit is in K."""
    with path.open("rb") as stream:
        start = stream.read(HEADER_BYTES)
    if b"\0" in start:
        return None
    for line in start.decode("utf-8", errors="replace").splitlines():
        for match in IN_HEADER.finditer(line):
            unit = UNIT_AFTER.match(match["after"]) or UNIT_BEFORE.search(match["before"])
            if unit is None and (match["word"] in "Tt" or OTHER_AFTER.match(match["after"])):
                continue  # "T = 0.5" may be a time, "temp. 5 ppm" is not one
            return _positive(_kelvin(match, unit["unit"] if unit else "K"), path.name)
    return None


def _kelvin(match, unit=None) -> float:
    """The number that was matched, in K; unit : as written, that of the match if None."""
    return _in_kelvin(_number(match["number"]), match["unit"] if unit is None else unit)


def _in_kelvin(number, unit) -> float:
    """From K, mK or degrees C, as written."""
    if unit.lower() == "mk":
        return number / 1000
    return number + (KELVIN if unit.lower().endswith(("c", "celsius")) else 0.0)


def _number(text):
    return float(text.replace(",", "."))


def _positive(kelvin, name):
    if kelvin <= 0:
        raise ValueError(f"{name}: a temperature of {kelvin:g} K; is it in degrees C? write the unit, or a table")
    return kelvin


def _table(path) -> dict[str, float]:
    """Kelvin by the file's name."""
    if not path.is_file():
        raise ValueError(f"--temperatures {path} is not there")
    names, rows, mark = table_of(path)
    first, second = (
        next((at for at, name in enumerate(names) if name.lower().startswith(start)), -1) for start in COLUMNS
    )
    if min(first, second) < 0:
        raise ValueError(
            f"{path} has the columns {', '.join(names)[:200]}; file and temperature are needed (K, or 'temperature "
            "[C]')"
        )
    unit = UNIT_BEFORE.search(names[second])
    if unit is None and re.search(r"[\[(]", names[second]):
        raise ValueError(f"{path}: {names[second]!r} has an unknown unit; write temperature [K] or temperature [C]")
    by_file: dict[str, float] = {}
    for row in rows:
        file, text = (row[at].strip() if at < len(row) else "" for at in (first, second))
        try:
            number = float(text) if mark == "," else _number(text)
        except ValueError:
            number = math.nan
        if file in by_file or not math.isfinite(number):
            raise ValueError(f"{path}: {file or 'a row'} has {text or 'nothing'!r}; each file needs a row and a number")
        by_file[file] = _positive(_in_kelvin(number, unit["unit"] if unit else "K"), file)
    return by_file
