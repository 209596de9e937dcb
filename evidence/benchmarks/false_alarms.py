"""False alarms per spectrum on the second generator, 1 % and 5 % asked, and what is found at the same thresholds.

Writes runs/benchmarks/false_alarms.json: by estimator, grid, and K known or estimated; both statistics (the
classical score, and the shipped sum of it and the network's evidence). No threshold was drawn from these spectra.
"""

from itertools import product

from evidence.benchmarks.script import options, write_record
from evidence.unknown.alarm_rates import alarm_rates, found_cells
from evidence.unknown.second_world import SecondWorld

SEED = 26  # of spectra that were looked at for no choice
SIZES = (300, 3000)


def main() -> None:
    """Measure and write the record."""
    of_each = ((100, "line-free ones by estimator and grid"), (25, "ones with external noise by estimator and grid"))
    asked = options(__file__, __doc__, spectra=of_each[0], noisy=of_each[1])
    record: dict = {"alarms": {}, "found": {}}
    for estimator, grid in product(("welch", "welch_hann"), ("linear", "log")):
        quiet = SecondWorld(SEED, SIZES, 1.0, estimator, None, grid)
        noisy = SecondWorld(SEED + 1, SIZES, 0.0, estimator, None, grid)
        quiet_spectra = [quiet[index] for index in range(asked.spectra)]
        noisy_spectra = [noisy[index] for index in range(asked.noisy)]
        for known in (True, False):
            name = f"{estimator}, {grid}, K {'known' if known else 'estimated'}"
            record["alarms"][name] = alarm_rates(quiet_spectra, known)
            record["found"][name] = found_cells(noisy_spectra, known)
            print(name, record["alarms"][name], "found", record["found"][name], flush=True)
        record["settings"] = {"seed": SEED, "sizes": SIZES, "spectra": asked.spectra, "noisy": asked.noisy}
        write_record(__file__, record)


if __name__ == "__main__":
    main()
