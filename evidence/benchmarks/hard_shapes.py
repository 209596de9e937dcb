"""Ends of the axis, rises and walls, wide humps and a stated K: what the detector makes of them. `make bench`

Writes runs/benchmarks/hard_shapes.json.
"""

from itertools import product

import numpy as np

from evidence.benchmarks.script import options, write_record
from evidence.unknown import hard_shapes as shapes
from evidence.unknown.alarm_rates import share
from nblib.measured.detector import NoiseDetector

RISES = ("rise, 6 bins", "rise, 30 bins", "wall")
LOW_RISES = ("rise, first 6 bins", "rise, first 30 bins", "wall, first 30 bins")
FIRSTS = (20, 50, 200)  # bin widths from 0 Hz to the first bin: where a line may stand on one of the first three
SIGMAS = (30, 60, 90)
LINES = {  # name -> K, excess over the background
    "8 standard deviations, K = 50": (50, shapes.in_deviations(8, 50)),
    "8 standard deviations, K = 200": (200, shapes.in_deviations(8, 200)),
    "1.5 times the background, K = 50": (50, 1.5),
}


def rises(seed: int, n_draws: int, detector: NoiseDetector) -> dict[str, dict]:
    """Shares of line-free spectra with a flag, by background and whether K is known."""
    rows = {}
    for known in (True, False):
        ending = f", K {'known' if known else 'estimated'}"
        for kind in RISES:
            hits = [shapes.flagged_background(seed, number, kind, known, detector) for number in range(n_draws)]
            rows[kind + ending] = share(sum(hits), n_draws)
        for kind, first in product(LOW_RISES, FIRSTS):
            hits = [shapes.flagged_low_end(seed, number, kind, first, known, detector) for number in range(n_draws)]
            rows[f"{kind}, axis from {first} bin widths{ending}"] = share(sum(hits), n_draws)
    return rows


def main() -> None:
    """Measure and write the record."""
    asked = options(__file__, __doc__, draws=(40, "of each shape"), seed=31)
    draws, seed, detector = range(asked.draws), asked.seed, NoiseDetector()
    record: dict = {"settings": {"draws": asked.draws, "seed": seed}, "humps": {}, "lines": {}}
    record["ends"] = {
        name: share(sum(shapes.line_at_end(seed, number, place, detector) for number in draws), len(draws))
        for name, place in shapes.END_BINS.items()
    }
    record["rises"] = rises(seed, 2 * len(draws), detector)
    for sigma in SIGMAS:
        rows = [shapes.hump(seed, number, sigma, detector) for number in draws]
        seen = [row for row in rows if row["flagged"]]
        record["humps"][str(sigma)] = {
            "flagged": share(len(seen), len(rows)),
            "slivers": sum(row["sliver"] for row in rows),
            "covered": float(np.mean([row["covered"] for row in seen])) if seen else 0.0,
            "error": float(np.median([row["error"] for row in rows])),
        }
    for name, (n_segments, ratio) in LINES.items():
        for known in (True, False):
            given = (n_segments, ratio, known, detector)
            hits = sum(shapes.lines_found(seed, number, *given) for number in draws)
            record["lines"][f"{name}, {'stated' if known else 'estimated'}"] = share(hits, shapes.LINES * len(draws))
    for part in ("ends", "rises", "humps", "lines"):
        for name, row in record[part].items():
            print(part, name, row, flush=True)
    write_record(__file__, record)


if __name__ == "__main__":
    main()
