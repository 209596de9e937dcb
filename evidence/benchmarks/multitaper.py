"""Thomson's F test, where there is a time series, against the detector's way from a time series.

Writes runs/benchmarks/multitaper.json: share of steady lines found, and of the noisy bins of wandering lines and humps,
where every method flags 1 % and 5 % of the bins of the same series without them; 95 % intervals over series; chance =
what the undisturbed series gives at the same sites. Backgrounds and series are those of the second generator.
"""

import time

import numpy as np

from evidence.benchmarks.script import options, write_record
from evidence.unknown.multitaper import bin_maxima, harmonic_f_test
from evidence.unknown.series_trials import (
    AVERAGES,
    N_BINS,
    RATE,
    SITES,
    disturbed_series,
    either,
    found_share,
    quiet_series,
)
from nblib.measured.detector import NoiseDetector

SEED = 78  # the padding of the F test was chosen on series of seed 77
SHARES = (0.01, 0.05)
DETECTOR, WHOLE, PARTS, EITHER = "detector", "F test", "F test, 32 segments", "detector or F test"
SEGMENTS = 32  # of 4096 samples, as Welch's, without overlap
CASES = (
    *(("steady", strength, 0.0) for strength in (0.05, 0.1, 0.25, 0.5, 1.0, 3.0)),
    *(("wandering", 3.0, width) for width in (0.01, 0.03, 0.3, 3.0)),
    *(("hump", 1.0, width) for width in (2.0, 20.0)),
)


def scores(samples, seconds: dict) -> dict[str, np.ndarray]:
    """Score of every bin of Welch's spectrum by each single method; processor seconds are added up."""
    begun = time.process_time()
    detection = NoiseDetector().from_timeseries(samples, RATE)
    seconds[DETECTOR] = seconds.get(DETECTOR, 0.0) + time.process_time() - begun
    by_method = {DETECTOR: detection.scores}
    for name, segments in ((WHOLE, 1), (PARTS, SEGMENTS)):
        begun = time.process_time()
        freqs, statistic, _ = harmonic_f_test(samples, RATE, segments)
        by_method[name] = bin_maxima(freqs, statistic, detection.freqs)
        seconds[name] = seconds.get(name, 0.0) + time.process_time() - begun
    return by_method


def with_either(by_method, quiet):
    """The scores, and that of the detector and the F test together."""
    return by_method | {EITHER: either(by_method[DETECTOR], by_method[WHOLE], quiet[DETECTOR], quiet[WHOLE])}


def interval(values: np.ndarray, rng_seed: int = 0, n_draws: int = 2000) -> dict[str, float]:
    """Mean over series and its 95 % interval, series drawn again with replacement; NaN = nothing to find there."""
    kept = values[np.isfinite(values)]
    rows = np.random.default_rng(rng_seed).integers(0, len(kept), (n_draws, len(kept)))
    low, high = np.percentile(kept[rows].mean(axis=1), [2.5, 97.5])
    return {"share": float(kept.mean()), "low": float(low), "high": float(high), "series": len(kept)}


def main() -> None:
    """Measure and write the record."""
    n_series = options(__file__, __doc__, series=60).series
    seconds: dict[str, float] = {}
    rows: dict = {}
    for index in range(n_series):
        alone = scores(quiet_series(SEED, index)[0], seconds)
        quiet = with_either(alone, alone)
        for kind, strength, width in CASES:
            trial = disturbed_series(SEED, index, kind, strength, width)
            case = f"{kind}, {strength:g} x" + (f", {width:g} bins" if width else "")
            for name, values in with_either(scores(trial.samples, seconds), alone).items():
                for share in SHARES:
                    pair = [found_share(s, quiet[name], share, trial.groups) for s in (values, quiet[name])]
                    rows.setdefault(case, {}).setdefault(f"{share:.0%}", {}).setdefault(name, []).append(pair)
    record: dict = {"found": {}}
    for case, by_share in rows.items():
        for share, by_method in by_share.items():
            hits = {name: np.array(pairs).T for name, pairs in by_method.items()}  # (2, series): found, by chance
            table = {name: interval(row[0]) | {"chance": float(np.nanmean(row[1]))} for name, row in hits.items()}
            table |= {f"{name} - {DETECTOR}": interval(hits[name][0] - hits[DETECTOR][0]) for name in (WHOLE, EITHER)}
            record["found"].setdefault(case, {})[share] = table
            print(case, share, {name: round(row["share"], 3) for name, row in table.items()}, flush=True)
    total = n_series * (1 + len(CASES))
    record["milliseconds a series"] = {name: spent / total * 1e3 for name, spent in seconds.items()}
    record["settings"] = {
        **{"seed": SEED, "series": n_series, "sites a series": SITES, "samples": (AVERAGES + 1) * (N_BINS + 1)},
        **{"rate": RATE, "bins": N_BINS, "averages": AVERAGES, "segments of the third row": SEGMENTS},
        **{"time-bandwidth product": 4, "padding": 4},
    }
    write_record(__file__, record)


if __name__ == "__main__":
    main()
