"""What a detection leaves behind: a printed table, CSV and JSON of the flags, the cleaned spectrum, the figure."""

import csv
import io
import json
from pathlib import Path

import numpy as np

COLUMNS = ("from [Hz]", "to [Hz]", "excess", "dB", "chance", "kind", "likely source")


def table(detection) -> str:
    """The flagged ranges as aligned text, in order of frequency; one line where there is none."""
    if not detection.flags:
        return f"nothing flagged at a false-alarm probability of {detection.false_alarm:g}"
    rows = [COLUMNS]
    for flag in detection.flags:
        rows.append(
            (
                f"{flag.low:.6g}",
                f"{flag.high:.6g}",
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
        "file": measured.label,
        "read": {
            "bins": len(measured.freqs),
            "low": float(measured.freqs[0]),
            "high": float(measured.freqs[-1]),
            "missing": measured.n_missing,
            "unit": measured.unit,
            "segments": None if measured.n_segments is None else float(measured.n_segments),
            "median": float(np.nanmedian(measured.psd)),
            "sampling_rate": measured.sampling_rate,
        },
        "false_alarm": detection.false_alarm,
        "segments_used": float(detection.n_segments),
        "flags": [
            {
                "low": float(flag.low),
                "high": float(flag.high),
                "centre": float(flag.centre),
                "excess": float(flag.excess),
                "excess_db": float(flag.excess_db),
                "probability": float(flag.probability),
                "kind": flag.kind,
                "cause": flag.cause,
            }
            for flag in detection.flags
        ],
        "warnings": measured.notes(detection),
    }


def write_products(folder: Path, name: str, measured, detection) -> list[Path]:
    """Write NAME.flags.csv, .flags.json, .cleaned.csv, .flags.png and .flags.pdf into a folder, made if absent."""
    folder.mkdir(parents=True, exist_ok=True)
    texts = {
        f"{name}.flags.csv": flags_csv(detection),
        f"{name}.flags.json": json.dumps(as_json(measured, detection), indent=1, allow_nan=False) + "\n",
        f"{name}.cleaned.csv": cleaned_csv(measured, detection),
    }
    written = []
    for file, text in texts.items():
        (folder / file).write_text(text, encoding="utf-8")
        written.append(folder / file)
    return [*written, *_figures(folder, name, measured, detection)]


def flags_csv(detection) -> str:
    """One row a flag; fmin, fmax and cause first, as band lists are exchanged."""
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(["fmin", "fmax", "cause", "kind", "centre", "excess", "excess_db", "probability"])
    for flag in detection.flags:
        numbers = (flag.centre, flag.excess, flag.excess_db, flag.probability)
        writer.writerow(
            [f"{flag.low:.10g}", f"{flag.high:.10g}", flag.cause, flag.kind, *(f"{n:.6g}" for n in numbers)]
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


def _figures(folder, name, measured, detection):
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8, 4.5), layout="constrained")
    FigureCanvasAgg(figure)  # no screen is needed, and the user's own backend is left alone
    ax = detection.plot(ax=figure.subplots(), unit=measured.unit)
    ax.set_title(measured.label, fontsize=9)
    paths = [folder / f"{name}.flags.{ending}" for ending in ("png", "pdf")]
    for path in paths:
        figure.savefig(path, dpi=150)
    return paths
