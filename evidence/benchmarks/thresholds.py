"""Draw the thresholds that come with the package: nblib/measured/statistic/thresholds.json.

One class is a number of bins, K, an estimator, and whether K is known; backgrounds and grids are those of the `wide`
world without external noise. Both statistics come from the same draws. Draws are made side by side and kept in
runs/thresholds, so that a run that was cut off goes on (half an hour to two hours on two cores).
"""

from functools import partial
from itertools import product
from pathlib import Path

from nblib.measured.statistic import thresholds
from nblib.measured.statistic.thresholds import BINS, SEGMENTS, SHIPPED, SHIPPED_DRAWS, drawn_classes
from nblib.project.parallel import map_side_by_side
from nblib.project.records import write_json


def main() -> None:
    """Draw what is missing, and write the shipped file."""
    classes = list(product(BINS, SEGMENTS, ("welch", "welch_hann")))
    drawn = partial(drawn_classes, n_draws=SHIPPED_DRAWS)
    map_side_by_side(drawn, classes)
    shipped: dict = {}
    for settings in classes:
        shipped |= drawn(settings)
    write_json(Path(thresholds.__file__).with_name(SHIPPED), shipped)


if __name__ == "__main__":
    main()
