"""False alarms a spectrum on the second generator, 1 % and 5 % asked, and what is found at the same thresholds.

Writes runs/benchmarks/false_alarms.json: by estimator, grid, and K known or estimated; both statistics (the
classical score, and the shipped sum of it and the network's evidence). No threshold was drawn from these spectra.
"""

import argparse
from itertools import product

from evidence.unknown.alarm_rates import alarm_rates, found_cells
from evidence.unknown.second_world import SecondWorld
from nblib.project.environment import run_conditions
from nblib.project.paths import benchmark_result
from nblib.project.records import write_json

SEED = 26  # of spectra that were looked at for no choice
SIZES = (300, 3000)


def main() -> None:
    """Measure and write the record."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--spectra", type=int, default=100, help="line-free ones by estimator and grid")
    parser.add_argument("--noisy", type=int, default=25, help="ones with external noise by estimator and grid")
    options = parser.parse_args()
    record: dict = {"alarms": {}, "found": {}}
    for estimator, grid in product(("welch", "welch_hann"), ("linear", "log")):
        quiet = SecondWorld(SEED, SIZES, 1.0, estimator, None, grid)
        noisy = SecondWorld(SEED + 1, SIZES, 0.0, estimator, None, grid)
        quiet_spectra = [quiet[index] for index in range(options.spectra)]
        noisy_spectra = [noisy[index] for index in range(options.noisy)]
        for known in (True, False):
            name = f"{estimator}, {grid}, K {'known' if known else 'estimated'}"
            record["alarms"][name] = alarm_rates(quiet_spectra, known)
            record["found"][name] = found_cells(noisy_spectra, known)
            print(name, record["alarms"][name], "found", record["found"][name], flush=True)
        record["settings"] = {"seed": SEED, "sizes": SIZES, "spectra": options.spectra, "noisy": options.noisy}
        write_json(benchmark_result("false_alarms"), record | run_conditions())


if __name__ == "__main__":
    main()
