"""Time and memory of the detector against the number of bins, one thread: runs/benchmarks/detector_costs.json.

Processor time, the best of a few repetitions, and the peak of what numpy allocates (tracemalloc), by part: the filter
bank on its backgrounds (K known), the network's inputs, and the network itself; and of all scores of a spectrum whose K
is measured, which is more than these parts. Exponents are slopes in ln-ln. All scores of a spectrum are also timed in
turn with the detector of an earlier commit.
"""

import time
import tracemalloc

import numpy as np

from evidence import earlier
from evidence.benchmarks.script import options, seconds_of, write_record
from nblib.measured.detector import NoiseDetector
from nblib.measured.statistic.network import forward
from nblib.measured.statistic.network_inputs import network_inputs
from nblib.measured.statistic.whitening import Plan, whiten

SIZES = (1000, 3000, 10_000, 30_000, 100_000)
SEGMENTS = 16
WHOLE = "score"
EARLIER_BINS = 3000


def spectrum(n_bins):
    """Frequencies and PSD of a background of 1/f and white."""
    freqs = np.arange(1.0, n_bins + 1)
    return freqs, np.random.default_rng(0).gamma(SEGMENTS, 1 / SEGMENTS, n_bins) * (1 + 100 / freqs)


def parts(n_bins, detector):
    """Callables of one spectrum, by name; the last one is the whole."""
    (freqs, psd), valid = spectrum(n_bins), np.ones(n_bins, dtype=bool)
    plan, inputs = Plan.of(freqs, valid), network_inputs(freqs, psd, valid, SEGMENTS)
    return {
        "classical": lambda: whiten(psd, plan, SEGMENTS),
        "network inputs": lambda: network_inputs(freqs, psd, valid, SEGMENTS),
        "network": lambda: forward(inputs),
        WHOLE: lambda: detector.score(freqs, psd),
    }


def cost(run, repetitions):
    """Milliseconds of processor time and peak memory in MiB."""
    run()
    times = [seconds_of(run, time.process_time) for _ in range(repetitions)]
    tracemalloc.start()
    run()
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return {"milliseconds": min(times) * 1e3, "peak_mib": peak / 2**20}


def main() -> None:
    """Measure and write the record."""
    asked = options(
        __file__,
        __doc__,
        repetitions=(7, "up to 10,000 bins; beyond, one"),
        against=(earlier.EARLIER_COMMIT, "commit whose detector is timed in turn with this one; '' leaves it out"),
    )
    record: dict = {}
    if asked.against:
        record["against"] = earlier.against(asked.against, *spectrum(EARLIER_BINS))
        print(record["against"], flush=True)
    costs: dict = {}
    detector = NoiseDetector()
    for n_bins in SIZES:
        for name, run in parts(n_bins, detector).items():
            row = cost(run, asked.repetitions if n_bins <= 10_000 else 1)
            costs.setdefault(name, {})[str(n_bins)] = row
            print(n_bins, name, row, flush=True)
    logs = np.log(SIZES)
    exponents = {
        name: {
            key: float(np.polyfit(logs[1:], np.log([rows[str(size)][key] for size in SIZES[1:]]), 1)[0])
            for key in ("milliseconds", "peak_mib")
        }
        for name, rows in costs.items()
    }
    print(exponents)
    write_record(__file__, record | {"costs": costs, "exponents": exponents, WHOLE: costs.pop(WHOLE)})


if __name__ == "__main__":
    main()
