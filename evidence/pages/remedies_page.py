"""The numbers of docs/remedies.md's generated parts: what was tried where an aim is missed, from the benchmarks."""

import statistics
from typing import Any

from evidence.claims import SHAPES_AIM
from nblib.project.paths import benchmark_record
from nblib.project.records import read_json

ERASED = ("erase", "erase ln", "in_band", "ap", "masked")  # what evidence/benchmarks/erase.py measures


def numbers() -> dict[str, Any]:
    """Numbers and rows by the names that the page's templates ask for.

    Raises
    ------
    ValueError where a record is missing
    """
    shapes, energies, erase = (read_json(benchmark_record(name)) for name in ("shapes", "energies", "erase"))
    return {
        "shapes": shapes,
        "shapes_aim": SHAPES_AIM,
        "ea_errors": {variant: _ea_errors(by_score) for variant, by_score in energies["rows"].items()},
        "energies": energies,
        "erase_means": {variant: _erase_means(erase, rows) for variant, rows in erase["rows"].items()},
        "erase": erase,
    }


def _ea_errors(by_score):
    """Mean error of Ea over seeds: score -> false alarms asked, rising -> number."""
    rates = sorted(next(iter(by_score.values())), key=lambda rate: float(rate.rstrip("%")))
    return {
        score: {rate: statistics.mean(row["Ea"] for row in by_rate[rate].values()) for rate in rates}
        for score, by_rate in by_score.items()
    }


def _erase_means(record, rows):
    """Means over seeds: what was trained -> number by name; the error in noisy bins is over the fit's."""
    over = {"in_band": record["fit in-band"]}
    return {
        trained: {kind: statistics.mean(row[kind] for row in seeds.values()) / over.get(kind, 1.0) for kind in ERASED}
        for trained, seeds in rows.items()
    }
