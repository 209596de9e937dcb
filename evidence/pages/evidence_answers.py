"""What the answers of the sweep and of the benchmark ask for beyond their records."""

from evidence import tables
from evidence.claims import claims, claims_of_longer
from evidence.pages.answers import asks_for, show_published

__all__ = ["show_published"]  # here it knows these answers too


@asks_for("05_lambda_sweep")
def _sweep(metrics):
    recommended = metrics["recommended"]
    full = metrics["full table"]
    return {
        "recommended": metrics["table"][recommended] | {"name": recommended},
        "full": full,
        "most_of_others": max(
            row["ap"]["iqm"] for name, row in full.items() if name.split()[0] not in ("uniform_clean", "ranking")
        ),
    }


@asks_for("06_benchmark")
def _benchmark(metrics):
    asked = [row for row in claims(metrics) if row["met"] is not None]
    longer = claims_of_longer(metrics)
    return {
        "ap": {method: row["ap"] for method, row in tables.detection_table(metrics).items()},
        "n_aims": len(asked),
        "missed": [row for row in asked if not row["met"]],
        "n_longer": len(longer),
        "n_longer_met": sum(row["met"] for row in longer),
    }
