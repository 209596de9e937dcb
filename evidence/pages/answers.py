"""What each notebook of the report answers: sentences under its title, filled from its published record."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import nbformat

from evidence import compared
from evidence.aims import aims
from evidence.pages.rendering import BEGINS, fill_parts
from evidence.pages.unknown_page import instrument_rows
from nblib.project.paths import benchmark_record
from nblib.project.records import committed_result, provenance, read_json

DETECTING = ("uniform_clean", "ranking")  # penalties
# notebook -> what its template asks for beside the metrics, from the metrics
NUMBERS: dict[str, Callable[[dict], dict[str, Any]]] = {}


def renew_answer(path: Path) -> bool:
    """Write the answer in a notebook's own cell of words again, from its published record.

    Returns
    -------
    did the file change; a notebook without such a cell stays as it is

    Raises
    ------
    ValueError where the record is missing; jinja2.UndefinedError or KeyError where it lacks a number: it is of an
    earlier form of the notebook, which must run and be published again
    """
    notebook = nbformat.read(path, as_version=4)
    for cell in notebook.cells:
        if cell.cell_type == "markdown" and BEGINS.search(cell.source):
            cell.source = fill_parts(cell.source, path.stem, numbers(path.stem))
    text = nbformat.writes(notebook) + "\n"
    if text == path.read_text(encoding="utf-8"):
        return False
    path.write_text(text, encoding="utf-8")
    return True


def numbers(notebook: str, profile: str = "quick") -> dict[str, Any]:
    """What the template of a notebook's answer asks for; raises ValueError where its record is missing."""
    record = committed_result(notebook, profile)
    metrics = record["metrics"]
    more = NUMBERS[notebook](metrics) if notebook in NUMBERS else {}
    return {"metrics": metrics, "provenance": provenance(record)} | more


def _asks_for(notebook: str) -> Callable:
    """Decorator: numbers that a notebook's template asks for beside its metrics."""

    def register(function):
        NUMBERS[notebook] = function
        return function

    return register


@_asks_for("01_baseline_mask_prediction")
def _baseline(metrics):
    masked = {name: metrics[name]["masked"] for name in ("cls", "token", "residual")}
    falls = {name: metrics["cls"][name]["before"] - metrics["cls"][name]["after"] for name in ("in_band", "no_line")}
    return {
        "excess": {name: row["mse"] / row["floor"] - 1 for name, row in masked.items()},
        "smoothing": falls["no_line"] / falls["in_band"],
    }


@_asks_for("03_full_attention_regularizer")
def _full(metrics):
    ap = {point: row["ap"] for point, row in metrics["short"].items()}
    steered = [point for point in ap if point.startswith("uniform_clean")]
    return {
        "uniform_clean": max(ap[point] for point in steered),
        "others": max(value for point, value in ap.items() if point not in steered),
    }


@_asks_for("05_lambda_sweep")
def _sweep(metrics):
    recommended, full = metrics["recommended"], metrics["full table"]
    return {
        "recommended": metrics["table"][recommended] | {"name": recommended},
        "full": full,
        "most_of_others": most_of_others(full),
    }


def most_of_others(full: dict[str, dict]) -> float:
    """Largest average precision by attention among the penalties that do not make it a detector, at full length."""
    return max(row["ap"]["iqm"] for name, row in full.items() if name.split()[0] not in DETECTING)


@_asks_for("06_benchmark")
def _benchmark(metrics):
    asked = aims(metrics)
    return {
        "rows": compared.rows(metrics),
        "methods": compared.methods(metrics),
        "differences": compared.differences(metrics),
        "n_aims": len(asked),
        "missed": [row for row in asked if not row["met"]],
    }


@_asks_for("07_unknown_backgrounds")
def _unknown(_metrics):
    record = read_json(benchmark_record("measured"))
    counted = {area: rows["detector - classical part"] for area, rows in record["summary"]["differences"].items()}
    return {
        "commit": record["commit"],
        "instruments": {
            "spectra": len(record["spectra"]),
            "n": counted["5%"]["instruments"],
            "at_one": counted["1%"]["instruments"],
        },
        "recall": record["summary"]["recall"]["1%"],
        "rows": instrument_rows(record, "as measured", "1%"),
        "five": instrument_rows(record, "as measured", "5%"),
        "fixed": instrument_rows(record, "fixed signal-to-noise ratio", "1%"),
    }
