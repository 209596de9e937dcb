"""Source-switched pairs: false alarms where nothing was switched, and lines that a source adds, found by the ratio.

Both spectra of a pair share background, texture and lines of their own; gain and slope differ. The detector without a
reference judges the same spectra with the source on. Writes runs/benchmarks/on_off.json, a set-up at a time; set-ups
that are there with the same settings are kept.
"""

from itertools import product

import numpy as np

from evidence.benchmarks.script import options
from evidence.unknown.alarm_rates import RATES, share
from evidence.unknown.setups import BINS, END, KINDS, SetUp
from nblib.measured.detector import NoiseDetector
from nblib.measured.statistic.pair import N_PAIRS
from nblib.measured.statistic.thresholds import VERSION
from nblib.measured.switched import SwitchedDetector
from nblib.project.environment import run_conditions
from nblib.project.paths import benchmark_result
from nblib.project.records import read_json, write_json

SEED = 72
FREQS = np.arange(1.0, BINS + 1)
SNRS, WIDTHS = (3, 5, 8), (1.0, 5.0)  # of a filter that knows place and width, on the ratio; standard deviation, bins
COMMON, COMMON_HEIGHT = 3, 10.0  # lines that both spectra have; over the background
PAIRED, ALONE = "on and off", "on alone"
OFF, ON = 3, 4  # streams


def common(set_up: SetUp) -> np.ndarray:
    """ln of what the lines that both spectra have make of the background."""
    rng = np.random.default_rng([SEED, KINDS.index(set_up.kind), set_up.number])
    distance = np.arange(BINS) - rng.integers(END, BINS - END, COMMON)[:, None]
    return np.log1p(COMMON_HEIGHT * np.exp(-0.5 * distance**2).sum(axis=0))


def alarms(set_up: SetUp, n_pairs: int) -> dict[str, dict[str, int]]:
    """Pairs with a flag where nothing was switched, by what is known of K and rate asked."""
    both, alarm_counts = common(set_up), {}
    for known in ("K stated", "K measured"):
        segments = set_up.n_segments if known == "K stated" else None
        counts = dict.fromkeys((f"{rate:.0%}" for rate in RATES), 0)
        for index in range(n_pairs):
            on, off = (set_up.spectrum(stream, index, added=both)[0] for stream in (ON, OFF))
            judged = SwitchedDetector.of(FREQS, off, segments).detect(FREQS, on, segments)
            for rate in RATES:
                counts[f"{rate:.0%}"] += int(np.nanmin(judged.probabilities) < rate)
        alarm_counts[known] = counts
    return alarm_counts


def lines(set_up: SetUp, n_pairs: int) -> dict[str, dict[str, int]]:
    """Lines found at 1 % asked, K stated, by method and "width, SNR"."""
    both, segments = common(set_up), set_up.n_segments
    hits: dict[str, dict[str, int]] = {PAIRED: {}, ALONE: {}}
    for width, snr in product(WIDTHS, SNRS):
        name = f"{width:g}, SNR {snr}"
        hits[PAIRED][name] = hits[ALONE][name] = 0
        for index in range(n_pairs):
            rng = np.random.default_rng([SEED, set_up.number, index, snr])
            place = int(rng.integers(2 * END, BINS - 2 * END))
            shape = np.exp(-0.5 * ((np.arange(BINS) - place) / width) ** 2)
            height = snr * np.sqrt(2 / segments / (shape**2).sum())
            on, _ = set_up.spectrum(ON, n_pairs + index, added=both + np.log1p(height * shape))
            off, _ = set_up.spectrum(OFF, n_pairs + index, added=both)
            near = slice(place - int(width), place + int(width) + 1)
            for method, detector in ((PAIRED, SwitchedDetector.of(FREQS, off, segments)), (ALONE, NoiseDetector())):
                hits[method][name] += int(detector.detect(FREQS, on, segments, RATES[0]).flagged[near].any())
    return hits


def summary(rows: list[dict]) -> dict:
    """Of all set-ups together: shares with their exact intervals over pairs."""
    pairs, with_lines = (sum(row[key] for row in rows) for key in ("pairs", "pairs with a line"))
    return {
        "alarms": {
            known: {rate: share(sum(row["alarms"][known][rate] for row in rows), pairs) for rate in by_rate}
            for known, by_rate in rows[0]["alarms"].items()
        },
        "found": {
            method: {name: share(sum(row["found"][method][name] for row in rows), with_lines) for name in by_name}
            for method, by_name in rows[0]["found"].items()
        },
    }


def main() -> None:
    """Measure what is missing."""
    asked = options(
        __file__,
        __doc__,
        setups=(8, "of each kind"),
        pairs=(64, "with nothing switched, of each set-up"),
        lines=(5, "pairs with a line, of each set-up, width and SNR"),
    )
    settings = {
        "statistic": VERSION,
        "pairs": asked.pairs,
        "lines": asked.lines,
        "seed": SEED,
        "bins": BINS,
        "simulated pairs": N_PAIRS,
    }
    path = benchmark_result("on_off")
    record = read_json(path) if path.exists() else {}
    if record.get("settings") != settings:
        record = {"settings": settings, "set-ups": {}}
    for number, kind in product(range(asked.setups), KINDS):
        name = f"{kind} {number}"
        if name not in record["set-ups"]:
            set_up = SetUp(kind, number, SEED)
            counts: dict = {"alarms": alarms(set_up, asked.pairs), "found": lines(set_up, asked.lines)}
            counts |= {"K": set_up.n_segments, "pairs": asked.pairs, "pairs with a line": asked.lines}
            record["set-ups"][name] = counts
            record["summary"] = summary(list(record["set-ups"].values()))
            write_json(path, record | run_conditions())
            print(name, counts, flush=True)
    print(f"wrote {path}")


if __name__ == "__main__":
    main()
