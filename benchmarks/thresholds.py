"""Draw the thresholds that come with the package: nblib/detection/thresholds.json.

One class is a number of bins, K, an estimator, and whether K is known; backgrounds and grids are those of the `wide`
world without external noise. Both statistics come from the same draws. Classes that are there already are kept; delete
the file to draw all (a quarter of an hour on one core).
"""

import argparse
from itertools import product

from nblib.detection.false_alarms import (
    BINS,
    N_DRAWS,
    SEGMENTS,
    SHIPPED,
    class_name,
    draw_maxima,
    levels_of,
)
from nblib.project.paths import ROOT
from nblib.project.records import read_json, write_json


def main() -> None:
    """Draw what is missing, class by class."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--draws", type=int, default=N_DRAWS)
    parser.add_argument("--bins", type=int, nargs="*", default=BINS)
    options = parser.parse_args()
    path = ROOT / "nblib" / "detection" / SHIPPED
    shipped = read_json(path) if path.exists() else {}
    for settings in product(options.bins, SEGMENTS, ("welch", "welch_hann")):
        if class_name(*settings, True, "classical") in shipped:
            continue
        for name, maxima in draw_maxima(*settings, n_draws=options.draws).items():
            levels = [round(level, 3) for level in levels_of(maxima)]
            shipped[class_name(*settings, *name)] = {"levels": levels, "draws": len(maxima)}
            print(class_name(*settings, *name), levels, flush=True)
        write_json(path, shipped)


if __name__ == "__main__":
    main()
