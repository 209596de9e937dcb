"""What the answers of the sweep and of the benchmark ask for beyond their records."""

from evidence import compared
from evidence.aims import aims
from evidence.pages.answers import asks_for, published_answer, show_published
from evidence.pages.unknown_page import instrument_rows
from nblib.project.paths import benchmark_record
from nblib.project.records import read_json

__all__ = ["published_answer", "show_published"]  # here they know these answers too

DETECTING = ("uniform_clean", "ranking")  # penalties


@asks_for("05_lambda_sweep")
def _sweep(metrics):
    recommended = metrics["recommended"]
    full = metrics["full table"]
    measured = [row for part in ("points", "full length") for seeds in metrics[part].values() for row in seeds.values()]
    return {
        "commits": sorted({row["commit"] for row in measured}),
        "recommended": metrics["table"][recommended] | {"name": recommended},
        "full": full,
        "most_of_others": most_of_others(full),
    }


def most_of_others(full: dict[str, dict]) -> float:
    """Largest average precision by attention among the penalties that do not make it a detector, at full length."""
    return max(row["ap"]["iqm"] for name, row in full.items() if name.split()[0] not in DETECTING)


@asks_for("06_benchmark")
def _benchmark(metrics):
    asked = aims(metrics)
    return {
        "rows": compared.rows(metrics),
        "methods": compared.methods(metrics),
        "differences": compared.differences(metrics),
        "commits": compared.measured_at(metrics),
        "n_aims": len(asked),
        "missed": [row for row in asked if not row["met"]],
    }


@asks_for("07_unknown_backgrounds")
def _unknown(_metrics):
    record = read_json(benchmark_record("measured"))
    return {
        "commit": record["commit"],
        "instruments": {
            "spectra": len(record["spectra"]),
            "n": record["summary"]["differences"]["5%"]["detector - classical part"]["instruments"],
        },
        "recall": record["summary"]["recall"]["1%"],
        "rows": instrument_rows(record, "as measured", "1%"),
        "five": instrument_rows(record, "as measured", "5%"),
        "fixed": instrument_rows(record, "fixed signal-to-noise ratio", "1%"),
    }
