"""The numbers of docs/costs.md's generated part: what things cost, from the records of the benchmarks."""

import statistics
from typing import Any

from nblib.project.paths import benchmark_record
from nblib.project.records import read_json

BENCHMARKS = (
    "attention",
    "throughput",
    "time_to_quality",
    "scaling",
    "growth",
    "log_tokens",
    "recipe",
    "busy",
    "readouts",
)
BATCHES = (32, 128, 512)  # global batches that the page names


def numbers() -> dict[str, Any]:
    """Records by name of the benchmark, and what is derived from them for the page's template.

    Raises
    ------
    ValueError where a record is missing
    """
    records = {name: read_json(benchmark_record(name)) for name in BENCHMARKS}
    step, study = records["throughput"]["step"], records["time_to_quality"]["study"]
    settings, layouts = records["throughput"]["settings"], records["log_tokens"]["rows"]
    batches = {size: _batch(records["scaling"][f"global batch {size}"]) for size in BATCHES}
    return {
        **records,
        "idle_minutes": statistics.median(records["busy"]["seconds"]["idle"]) / 60,
        "data_share": step["data_ms"] / step["step_ms"],
        "seconds_to_quality": [f"{value:.0f}" for value in records["time_to_quality"]["seconds to AP 0.85"].values()],
        "study": {"ap": max(study["ap"]), "seconds": study["seconds"][-1]},
        "batches": batches,
        "by_readout": {
            name: {
                **{kind: statistics.median(records["readouts"][kind][name]) for kind in ("step_ms", "read_ms")},
                "over": over,
            }
            for name, over in records["readouts"]["over the former recipe"].items()
        },
        "least_apart": min(row["apart"] for row in batches.values()),
        "two_threads": settings["one thread"]["step_ms"] / settings["two threads"]["step_ms"],
        "wide_tokens": _over_the_first(list(layouts.values())),
        "sources": sorted({f"commit {row['commit']} on {row['hardware']['processor']}" for row in records.values()}),
    }


def _batch(row):
    """Two processes over one at a size of the global batch, and how far their losses part at the first step noted."""
    differences = row["largest relative difference of a loss"]
    return {
        "together": row["two processes / one"]["median"],
        "apart": row["two trainings apart / one"]["median"],
        "step": min(differences, key=int),
        "difference": differences[min(differences, key=int)],
    }


def _over_the_first(rows):
    """AP of token layouts beside that of the first (even tokens), and their time over its."""
    even, *others = rows
    return [row | {"over_even": row["seconds"] / even["seconds"]} for row in others]
