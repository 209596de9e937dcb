"""Draw the thresholds that come with the package: nblib/detection/thresholds.json.

One class is a number of bins, K, an estimator, and whether K is known; scale and background do not matter.
Classes that are there already are kept; delete the file to draw all (an hour on one core).
"""

import argparse
from itertools import product

from nblib.detection.false_alarms import (
    BINS,
    N_DRAWS,
    RATES,
    SEGMENTS,
    SHIPPED,
    class_name,
    draw_maxima,
    rank_threshold,
)
from nblib.project.paths import ROOT
from nblib.project.records import read_json, write_json


def main() -> None:
    """Draw what is missing, class by class."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--draws", type=int, default=4 * N_DRAWS)
    options = parser.parse_args()
    path = ROOT / "nblib" / "detection" / SHIPPED
    levels = read_json(path) if path.exists() else {}
    for settings in product(BINS, SEGMENTS, ("welch", "welch_hann"), (True, False)):
        name = class_name(*settings)
        if name not in levels:
            maxima = draw_maxima(*settings, n_draws=options.draws)
            levels[name] = [round(rank_threshold(maxima, rate), 3) for rate in RATES]
            write_json(path, levels)
            print(name, levels[name], flush=True)


if __name__ == "__main__":
    main()
