"""Injections into measured spectra: the detector, a calibrated bank and every single classical setting.

Writes runs/benchmarks/injections.json. Needs $NBLIB_REAL_DATA.
"""

import numpy as np

from evidence.benchmarks.script import options, write_record
from evidence.unknown.background_baselines import (
    DetectorScores,
    calibrated_bank,
    library_settings,
    running_median_filter,
    single_settings,
)
from evidence.unknown.injections import (
    AREAS,
    HEIGHTS,
    Benchmark,
    by_stretch,
    paired_difference,
    places_used,
    real_stretches,
    table,
)
from nblib.cells import WIDE_CELL, cell_labels
from nblib.measured.detector import NoiseDetector
from nblib.measured.statistic.bank import ALLOWANCE, WIDTHS

SHIPPED, K_UNKNOWN = DetectorScores(), DetectorScores(n_segments_known=False)
LIBRARIES = library_settings()
SCREENS = [
    running_median_filter(401, (1, 2, 3)),
    running_median_filter(101, (1,)),
    SHIPPED.method("classical scores"),
    SHIPPED.method("scores"),
    calibrated_bank(),
]


def random_scores(freqs, psd, valid, n_segments):
    """Chance: a score that knows nothing."""
    return np.random.default_rng(0).random(psd.shape)


def flagged_quiet(stretch, bench):
    """Share of a measured spectrum's quiet cells that the detector flags, 1 % and 5 % false alarms asked."""
    psd, quiet = np.where(stretch.valid, stretch.psd, np.nan), bench.quiet_cells(stretch)
    found = {}
    for name, detector in (("shipped", NoiseDetector()), ("classical", NoiseDetector(network=False))):
        for rate in AREAS:
            flagged = detector.detect(stretch.freqs, psd, stretch.n_segments, rate).flagged & stretch.counted
            found[f"{name}, {rate:.0%}"] = float(cell_labels(flagged, WIDE_CELL)[quiet].mean())
    return found


def methods_tried(best, singles):
    """Every method by name; best : the one of singles chosen on the first stretch."""
    return {
        "shipped detector": SHIPPED.method("scores"),
        "shipped detector, K unknown": K_UNKNOWN.method("scores"),
        "its classical part": SHIPPED.method("classical scores"),
        "its classical part, K unknown": K_UNKNOWN.method("classical scores"),
        "calibrated bank": calibrated_bank(),
        "best single setting": singles[best],
        "running median 401, narrow": singles["running median 401, narrow"],
        "chance": random_scores,
    } | {name: singles[name] for name in LIBRARIES}


def by_setting(recalls):
    """Mean recall by method, stretch, width and height, and area."""
    return {
        name: {
            stretch: {
                f"sigma {w:g}, height {h:g}": {f"{a:.0%}": float(np.nanmean(v[a])) for a in AREAS}
                for (w, h), v in found.items()
            }
            for stretch, found in rows.items()
        }
        for name, rows in recalls.items()
    }


def differences(recalls):
    """Paired differences, mean and interval, by pair and area."""
    pairs = [("shipped detector", other) for other in recalls if other != "shipped detector"]
    ends = ("mean", "low", "high")
    return {
        f"{name} - {other}": {
            f"{area:.0%}": dict(zip(ends, paired_difference(recalls[name], recalls[other], area), strict=True))
            for area in AREAS
        }
        for name, other in pairs
    }


def main() -> None:
    """Measure and write the record."""
    asked = options(__file__, __doc__, places=20, seed=0)
    stretches = real_stretches()
    bench = Benchmark(stretches, asked.places, asked.seed)
    places = {stretch.name: bench.places(stretch, SCREENS) for stretch in stretches}
    first, held_out = stretches[0], stretches[1:]
    singles = single_settings() | LIBRARIES
    tuned = {}
    for name, method in singles.items():
        tuned[name] = table({name: {first.name: bench.recalls(method, first, places[first.name])}})[name]
        print(f"{name:32s} {tuned[name]}", flush=True)
    best = max(tuned, key=lambda name: tuned[name]["5%"])
    recalls = {
        name: {here.name: bench.recalls(method, here, places[here.name]) for here in held_out}
        for name, method in methods_tried(best, singles).items()
    }
    record = {
        "tuned on": first.name,
        "tuning": tuned,
        "best single setting": best,
        "held out": table(recalls),
        "by stretch": by_stretch(recalls),
        "by setting": by_setting(recalls),
        "differences": differences(recalls),
        "quiet spectra": {here.name: flagged_quiet(here, bench) for here in stretches},
        "places": places_used(places),
        "settings": vars(asked) | {"heights": HEIGHTS, "widths of the bank": WIDTHS, "allowance": ALLOWANCE},
    }
    write_record(__file__, record)
    for name, row in record["held out"].items():
        print(f"{name:32s} {row}")
    print(record["best single setting"], record["differences"])


if __name__ == "__main__":
    main()
