"""What a detection leaves behind: a printed table, CSV and JSON of the flags, the cleaned spectrum."""

import csv
import io
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path

import numpy as np

from nblib.measured.files.formats import PLAIN, Marks
from nblib.measured.flags import FLAG_COLUMNS
from nblib.project.paths import PARTIAL, replace_whole

COLUMNS = ("from [Hz]", "to [Hz]", "excess", "dB", "chance", "kind", "likely source")
PRODUCTS = ("flags.csv", "flags.json", "cleaned.csv", "flags.png", "flags.pdf")
FIGURES = ("png", "pdf")
EDITS = "edits.json"  # changes by hand
CALIBRATION = "thresholds.json"  # thresholds from line-free spectra, kept beside them
UNFINISHED = "all.unfinished.txt"  # list of the files of a command that was killed
KEYS = {  # of each kind of JSON, by which it is known
    EDITS: ("added", "removed", "renamed"),
    CALIBRATION: ("levels", "line_free", "statistic"),
    "flags.json": ("read", "segments_used", "flags"),
}
RESULTS = "nblib-results"  # folder of the results, beside the files
SCHEMA = 1  # of the JSON; it rises when a key changes its name or its meaning
MAKER = "nblib detect"  # stands in figures' metadata and in pages
# what the other commands on spectra write: by the ending, what stands in the file
OTHERS = {
    ".fit.csv": b"bins,term,value,",
    ".model.csv": b",kept,used,model [",
    ".fit.json": b'"all_bins": ',
    **dict.fromkeys((".fit.png", ".fit.pdf"), b"nblib fit"),
    "traps.csv": b"bins,trap,energy [eV],",
    "corners.csv": b"bins,trap,temperature [K],",
    "arrhenius.json": b'"t_power": ',
    **dict.fromkeys(("arrhenius.png", "arrhenius.pdf"), b"nblib arrhenius"),
    "report.html": b"nblib report",
}


def table(detection) -> str:
    """The flagged ranges as aligned text, in order of frequency; one line where there is none."""
    if not detection.flags:
        return f"nothing flagged at a false-alarm probability of {detection.false_alarm:g}"
    rows = [COLUMNS]
    for flag in detection.flags:
        rows.append(
            (
                f"{flag.fmin:.6g}",
                f"{flag.fmax:.6g}",
                f"{flag.excess:.3g} x",
                f"{flag.excess_db:.1f}",
                "< 1e-9" if flag.probability < 1e-9 else f"{flag.probability:.1g}",
                flag.kind,
                flag.cause,
            )
        )
    widths = [max(len(row[column]) for row in rows) for column in range(len(COLUMNS))]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows
    )


def lines_of(measured, detection) -> list[str]:
    """What is printed of one spectrum: what was read, what was noted, and the table."""
    noted = [f"  note: {text}" for text in measured.notes(detection)]
    return [measured.describe(detection.spectrum_segments), *noted, table(detection)]


def as_json(measured, detection, folder: Path | None = None) -> dict:
    """The result as `nblib detect --json` prints it: file, what was read, flags, warnings; plain numbers only.

    Parameters
    ----------
    folder : of the results, from which the file's path is given; None: the path as it is
    """
    return {
        "schema": SCHEMA,
        "file": measured.label,
        "path": measured.path if folder is None or not measured.path else path_from(folder, Path(measured.path)),
        "read": {
            "bins": len(measured.freqs),
            "fmin": float(measured.freqs[0]),
            "fmax": float(measured.freqs[-1]),
            "missing": measured.n_missing,
            "unit": measured.unit,
            "segments": None if measured.n_segments is None else float(measured.n_segments),
            "median": float(np.nanmedian(measured.psd)),
            "sampling_rate": measured.sampling_rate,
        },
        "false_alarm": detection.false_alarm,
        "segments_used": float(detection.n_segments),
        "flags": [flag.as_row() for flag in detection.flags],
        "warnings": measured.notes(detection),
        **detection.more(),
    }


def path_from(folder: Path, path: Path) -> str:
    """The file as its results name it: relative to their folder, so that both can be moved together."""
    try:
        return Path(os.path.relpath(path.resolve(), folder.resolve())).as_posix()
    except ValueError:  # another drive of Windows
        return path.resolve().as_posix()


def product_paths(folder: Path, name: str, figures: tuple[str, ...] = ("png",)) -> list[Path]:
    """The files that are written: NAME.cleaned.csv, .flags.csv, .flags.json and NAME.flags.png, .pdf as asked."""
    endings = ("cleaned.csv", "flags.csv", "flags.json", *(f"flags.{kind}" for kind in figures))
    return [folder / f"{name}.{ending}" for ending in endings]


def is_product(path: Path) -> bool:
    """True for a file that this program wrote, known by its headings, its keys or the maker's name."""
    if not path.name.endswith((*PRODUCTS, EDITS, CALIBRATION, ".html", UNFINISHED, PARTIAL)):
        return False
    if path.name.endswith(PARTIAL):  # of a killed command
        return any(f".{ending}." in path.name for ending in (*PRODUCTS, EDITS, CALIBRATION, "html"))
    try:
        content = path.read_bytes()
    except OSError:
        return False
    lines = content.splitlines()
    heading = next((line for line in lines if not line.startswith(b"#")), b"").decode(errors="replace")
    if path.name.endswith(".cleaned.csv"):
        return heading.startswith("frequency [Hz]") and any(f"]{mark}flagged" in heading for mark in ",;\t|")
    if path.suffix == ".csv":
        return any(heading.removeprefix(f"file{mark}") == mark.join(FLAG_COLUMNS) for mark in ",;\t|")
    if path.suffix == ".json":
        keys = next(known for ending, known in KEYS.items() if path.name.endswith(ending))
        return all(f'"{key}": '.encode() in content for key in keys)
    return MAKER.encode() in content


def is_result(path: Path) -> bool:
    """True for a file that this or another command on spectra wrote: no spectrum of the user's."""
    marks = [mark for ending, mark in OTHERS.items() if path.name.endswith(ending)]
    try:
        return is_product(path) or bool(marks) and marks[0] in path.read_bytes()
    except OSError:
        return False


def write_products(folder: Path, name: str, measured, detection, keep_format: bool = False) -> list[Path]:
    """Write the flags and the cleaned spectrum into a folder, made if absent, each file whole or not at all.

    Parameters
    ----------
    keep_format : write tables with the separator and the decimal sign of the file, instead of a comma and a point

    Returns
    -------
    the files; the JSON is the last one, so that where it is the others are

    Raises
    ------
    ValueError where a file cannot be written
    """
    cleaned, flags, document = product_paths(folder, name, ())
    marks = measured.marks if keep_format else PLAIN
    text = json.dumps(as_json(measured, detection, folder), indent=1, allow_nan=False)
    with writing(folder):
        folder.mkdir(parents=True, exist_ok=True)
        replace_whole(cleaned, cleaned_csv(measured, detection, marks))
        replace_whole(flags, flags_csv(detection, marks))
        replace_whole(document, text + "\n")
    return [cleaned, flags, document]


@contextmanager
def writing(folder: Path) -> Iterator[None]:
    """A block in which an OSError becomes the ValueError that says what cannot be written."""
    try:
        yield
    except OSError as error:
        where = str(error.filename or folder)
        where = where.rsplit(".", 2)[0] if where.endswith(PARTIAL) else where
        raise ValueError(f"cannot write {where}: {error.strerror}") from error


def table_text(rows, marks: Marks = PLAIN) -> str:
    """Rows of texts and numbers (of texts that are numbers, too) as a table; the decimal sign is that of the marks."""
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n", delimiter=marks.separator)
    writer.writerows(rows)
    return stream.getvalue()


def flag_cells(row: dict, marks: Marks = PLAIN) -> list[str]:
    """A flag, as Flag.as_row gives it, as the cells of a table."""
    cells = []
    for name in FLAG_COLUMNS:
        if name in ("cause", "kind"):
            cells.append(row[name])
        else:
            cells.append(f"{row[name]:{'.10g' if name in ('fmin', 'fmax') else '.6g'}}".replace(".", marks.decimal))
    return cells


def flags_csv(detection, marks: Marks = PLAIN) -> str:
    """One row per flag; fmin, fmax and cause first, as band lists are exchanged."""
    return table_text([FLAG_COLUMNS, *(flag_cells(flag.as_row(), marks) for flag in detection.flags)], marks)


def cleaned_csv(measured, detection, marks: Marks = PLAIN) -> str:
    """The spectrum with flagged bins missing (empty), the restored background, the mask, and the spectrum filled.

    The lines above the data of the file come first, as comments. *filled* is the spectrum, and under flags and where
    bins are missing the background.
    """
    unit, background = measured.unit or "unit^2/Hz", np.exp(detection.background)
    kept = np.isfinite(measured.psd) & ~detection.flagged
    own, restored = _cells(measured.psd, kept), _cells(background, np.isfinite(background))
    flagged = ["1" if is_flagged else "0" for is_flagged in detection.flagged.tolist()]
    filled = [one or under for one, under in zip(own, restored, strict=True)]
    rows = zip(
        _axis_cells(np.asarray(measured.freqs, np.float64).tobytes()), own, restored, flagged, filled, strict=True
    )
    body = "\n".join(map(marks.separator.join, rows))
    if marks.decimal != ".":
        body = body.replace(".", marks.decimal)
    heading = ["frequency [Hz]", f"psd [{unit}]", f"background [{unit}]", "flagged", f"filled [{unit}]"]
    comments = "".join(f"{line if line.startswith('#') else '# ' + line}\n" for line in measured.header)
    return f"{comments}{table_text([heading], marks)}{body}\n"


@lru_cache(maxsize=4)
def _axis_cells(freqs: bytes) -> list[str]:
    """Frequencies as texts; the files of a batch often have one axis."""
    return [f"{freq:.10g}" for freq in np.frombuffer(freqs).tolist()]


def _cells(values, there) -> list[str]:
    """Numbers as texts, "" where there is none."""
    pairs = zip(values.tolist(), there.tolist(), strict=True)
    return [f"{value:.9e}" if is_there else "" for value, is_there in pairs]
