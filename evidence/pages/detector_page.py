"""The numbers of docs/detector.md's generated parts: hard shapes, dependent bins, false alarms and costs."""

from typing import Any

from evidence.benchmarks.false_alarms import THIRD
from evidence.pages.rendering import interval
from evidence.unknown.alarm_rates import pooled_rate
from evidence.unknown.hard_shapes import END_BINS, N_BINS
from nblib.project.paths import benchmark_record
from nblib.project.records import read_json

BENCHMARKS = ("false_alarms", "detector_costs", "hard_shapes", "dependent_bins")
AREAS = ("1%", "5%")


def numbers() -> dict[str, Any]:
    """Numbers and rows by the names that the page's templates ask for.

    Raises
    ------
    ValueError where a record is missing
    """
    records = {name: read_json(benchmark_record(name)) for name in BENCHMARKS}
    return {
        **_alarms(records["false_alarms"]["alarms"]),
        "third": _alarms(records["false_alarms"][THIRD]["alarms"]),
        **_costs(records["detector_costs"]),
        "dependent": records["dependent_bins"]["kinds"],
        "dependent_bound": records["dependent_bins"]["background known"],
        "hard_shapes": _hard_shapes(records["hard_shapes"]),
    }


def _alarms(alarms):
    """Line-free spectra with a flag: pooled by K known and statistic, and by class (estimator, grid)."""
    return {
        "pooled": {
            known: {
                statistic: [_times(pooled_rate(alarms, known, area, statistic), area) for area in AREAS]
                for statistic in ("combined", "classical")
            }
            for known in (True, False)
        },
        "by_grid": {name: [_times(row["combined"][area], area) for area in AREAS] for name, row in alarms.items()},
    }


def _times(share, area):
    """Spectra with a flag, and how many times as many as asked that is."""
    times = [share[key] / (float(area[:-1]) / 100) for key in ("share", "low", "high")]
    return f"{round(share['share'] * share['of'])} of {share['of']}: " + interval(times, 2).replace(" [", " times [")


def _costs(record):
    """Time of the detector's parts for 3,000 bins and, of the classical part, for 100,000."""
    parts = {name: rows["3000"]["milliseconds"] for name, rows in record["costs"].items()}
    return {
        "milliseconds": parts,
        "total_milliseconds": record["score"]["3000"]["milliseconds"],
        "exponents": record["exponents"],
        "longest_seconds": record["costs"]["classical"]["100000"]["milliseconds"] / 1e3,
        "processor": record["hardware"]["processor"],
        "against": [record["against"]] if "against" in record else [],
    }


def _hard_shapes(record):
    """Rows with K known and estimated beside each other; the rest as the record has it."""
    return {
        "bins": f"{N_BINS:,}",
        "ends": {name: record["ends"][name] for name in END_BINS},
        "humps": record["humps"],
        "rises": _by_k(record["rises"], (", K known", ", K estimated")),
        "lines": _by_k(record["lines"], (", stated", ", estimated")),
    }


def _by_k(rows, endings):
    """What is counted with and without K, by what is counted."""
    names = [name.removesuffix(endings[0]) for name in rows if name.endswith(endings[0])]
    return {name: [rows[name + ending] for ending in endings] for name in names}
