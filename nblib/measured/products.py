"""What a detection leaves behind: a printed table, CSV and JSON of the flags, the cleaned spectrum, the figure."""

import csv
import io
import json
from pathlib import Path

import numpy as np

from nblib.measured.flags import FLAG_COLUMNS

COLUMNS = ("from [Hz]", "to [Hz]", "excess", "dB", "chance", "kind", "likely source")
PRODUCTS = ("flags.csv", "flags.json", "cleaned.csv", "flags.png", "flags.pdf")
SCHEMA = 1  # of the JSON; it rises when a key changes its name or its meaning
MAKER = "nblib detect"  # stands in the figures' metadata


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


def as_json(measured, detection) -> dict:
    """The result as `nblib detect --json` prints it: file, what was read, flags, warnings; plain numbers only."""
    return {
        "schema": SCHEMA,
        "file": measured.label,
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
    }


def product_paths(folder: Path, name: str) -> list[Path]:
    """The files that `write_products` writes: NAME.flags.csv, .flags.json, .cleaned.csv, .flags.png and .flags.pdf."""
    return [folder / f"{name}.{ending}" for ending in PRODUCTS]


def is_product(path: Path) -> bool:
    """True for a file that `write_products` wrote, known by its headings, its keys or the maker's name in a figure."""
    try:
        content = path.read_bytes()
    except OSError:
        return False
    heading = content.splitlines()[0].decode(errors="replace") if content else ""
    if path.name.endswith(".cleaned.csv"):
        return heading.startswith("frequency [Hz],psd [") and heading.endswith("],flagged")
    if path.suffix == ".csv":
        return heading == ",".join(FLAG_COLUMNS)
    if path.suffix == ".json":
        return all(f'"{key}": '.encode() in content for key in ("read", "segments_used", "flags", "warnings"))
    return MAKER.encode() in content


def write_products(folder: Path, name: str, measured, detection) -> list[Path]:
    """Write the files of `product_paths` into a folder, made if absent.

    Raises
    ------
    ValueError where a file cannot be written
    """
    paths = product_paths(folder, name)
    flags, document, cleaned, *figures = paths
    try:
        folder.mkdir(parents=True, exist_ok=True)
        flags.write_text(flags_csv(detection), encoding="utf-8")
        text = json.dumps(as_json(measured, detection), indent=1, allow_nan=False)
        document.write_text(text + "\n", encoding="utf-8")
        cleaned.write_text(cleaned_csv(measured, detection), encoding="utf-8")
        _figures(figures, measured, detection)
    except OSError as error:
        raise ValueError(f"cannot write {error.filename or folder}: {error.strerror}") from error
    return paths


def flags_csv(detection) -> str:
    """One row a flag; fmin, fmax and cause first, as band lists are exchanged."""
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(FLAG_COLUMNS)
    for flag in detection.flags:
        numbers = (flag.centre, flag.excess, flag.excess_db, flag.probability)
        writer.writerow(
            [f"{flag.fmin:.10g}", f"{flag.fmax:.10g}", flag.cause, flag.kind, *(f"{n:.6g}" for n in numbers)]
        )
    return stream.getvalue()


def cleaned_csv(measured, detection) -> str:
    """The spectrum with flagged bins missing (empty), and the restored background beside it."""
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    unit = measured.unit or "unit^2/Hz"
    writer.writerow(["frequency [Hz]", f"psd [{unit}]", f"background [{unit}]", "flagged"])
    background = np.exp(detection.background)
    for freq, psd, level, flagged in zip(measured.freqs, measured.psd, background, detection.flagged, strict=True):
        kept = "" if flagged or not np.isfinite(psd) else f"{psd:.9e}"
        writer.writerow([f"{freq:.10g}", kept, f"{level:.9e}" if np.isfinite(level) else "", int(flagged)])
    return stream.getvalue()


def _figures(paths, measured, detection):
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8, 4.5), layout="constrained")
    FigureCanvasAgg(figure)  # no screen is needed, and the user's own backend is left alone
    ax = detection.plot(ax=figure.subplots(), unit=measured.unit)
    ax.set_title(measured.label, fontsize=9)
    for path in paths:
        figure.savefig(path, dpi=150, metadata={"Software" if path.suffix == ".png" else "Creator": MAKER})
