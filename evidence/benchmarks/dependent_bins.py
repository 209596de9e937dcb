"""Bins that depend on each other and values in steps: line-free spectra flagged or warned about, 10 dB lines found.

Writes runs/benchmarks/dependent_bins.json, a kind at a time; kinds that are there with the same settings are kept. What
a test finds that knows the background stands beside: of the same lines those whose highest bin is above what 1 % of
line-free spectra reach.
"""

import numpy as np

from evidence.benchmarks.script import options
from evidence.unknown.alarm_rates import RATES, share
from evidence.unknown.dependent_bins import BINS, KINDS, PEAK, background_of
from nblib.measured.detector import NoiseDetector
from nblib.measured.statistic.thresholds import VERSION
from nblib.project.environment import run_conditions
from nblib.project.paths import benchmark_result
from nblib.project.records import read_json, write_json

SEED = 57
WORDS = ("depend on each other", "stand in steps", "a floor of the display")
BESIDE = 2  # bins on either side of a line, in which a flag finds it


def judged(kind: str, n_spectra: int) -> dict:
    """Of a kind: shares of line-free spectra flagged and warned about, and of the lines found at the first rate."""
    detector, flagged, warned, hits, lines = NoiseDetector(), dict.fromkeys(RATES, 0), 0, 0, 0
    for index in range(n_spectra):
        n_bins = BINS[index % len(BINS)]
        freqs, psd, _ = KINDS[kind](np.random.default_rng([SEED, index, 0]), n_bins, False)
        scored = detector.score(freqs, psd)
        warned += any(word in text for text in scored.messages for word in WORDS)
        for rate in RATES:
            flagged[rate] += bool(scored.at(rate).flags)
        freqs, psd, sites = KINDS[kind](np.random.default_rng([SEED, index, 1]), n_bins, True)
        bins = detector.score(freqs, psd).at(RATES[0]).flagged
        hits += sum(bool(bins[site - BESIDE : site + BESIDE + 1].any()) for site in sites)
        lines += len(sites)
    return {
        "flagged": {f"{rate:.0%}": share(count, n_spectra) for rate, count in flagged.items()},
        "warned": share(warned, n_spectra),
        "lines found": share(hits, lines),
    }


def with_known_background(kind: str, n_spectra: int, n_quiet: int) -> dict:
    """Of a kind: share of the lines that a test finds which knows the background and looks at single bins."""
    levels = {}
    for size in BINS:
        drawn = (KINDS[kind](np.random.default_rng([SEED + 1, index, 0]), size, False) for index in range(n_quiet))
        levels[size] = np.quantile([np.nanmax(psd / background_of(size)[1]) for _, psd, _ in drawn], 1 - RATES[0])
    hits = []
    for index in range(n_spectra):
        size = BINS[index % len(BINS)]
        _, psd, sites = KINDS[kind](np.random.default_rng([SEED, index, 1]), size, True)
        above = psd / background_of(size)[1] > levels[size]
        hits += [above[site - BESIDE : site + BESIDE + 1].any() for site in sites]
    return share(int(np.sum(hits)), len(hits))


def main() -> None:
    """Measure what is missing."""
    asked = options(
        __file__,
        __doc__,
        spectra=(60, "of each kind, without and with lines"),
        quiet=(1000, "line-free ones of each kind and size for the level where the background is known"),
    )
    path, settings = benchmark_result("dependent_bins"), {"spectra": asked.spectra, "seed": SEED, "peak": PEAK}
    settings |= {"statistic": VERSION, "quiet": asked.quiet}
    record = read_json(path) if path.exists() else {}
    if record.get("settings") != settings:
        record = {"settings": settings, "kinds": {}}
    known = record.setdefault("background known", {})
    for kind in KINDS:
        if kind not in known:
            known[kind] = with_known_background(kind, asked.spectra, asked.quiet)
            write_json(path, record | run_conditions())
            print(kind, "background known", known[kind], flush=True)
        if kind not in record["kinds"]:
            record["kinds"][kind] = judged(kind, asked.spectra)
            write_json(path, record | run_conditions())
            print(kind, record["kinds"][kind], flush=True)
    print(f"wrote {path}")


if __name__ == "__main__":
    main()
