"""Thresholds from a set-up's own line-free spectra beside the packaged ones: false alarms held out, lines found.

Writes runs/benchmarks/calibrate.json, a set-up at a time; set-ups that are there with the same settings are kept.
"""

from itertools import product

import numpy as np

from evidence.benchmarks.script import options
from evidence.unknown.alarm_rates import RATES, share
from evidence.unknown.setups import BINS, HEIGHT, KINDS, WIDTH, SetUp
from nblib.measured.calibrate import strong_line
from nblib.measured.detector import NoiseDetector
from nblib.measured.statistic.own_thresholds import OwnThresholds, draw_own
from nblib.measured.statistic.thresholds import N_DRAWS, VERSION
from nblib.project.environment import run_conditions
from nblib.project.paths import benchmark_result
from nblib.project.records import read_json, write_json

SEED = 71
FREQS = np.arange(1.0, BINS + 1)
OWN, PACKAGED = "calibrated", "packaged"
BESIDE = 1  # bins on either side of a line, in which a flag finds it


def chances(set_up: SetUp, own: OwnThresholds, stream: int, index: int, with_lines: bool) -> tuple[dict, np.ndarray]:
    """Chance of each bin's score in a line-free spectrum, by thresholds; and the bins of the lines."""
    psd, sites = set_up.spectrum(stream, index, with_lines)
    found = NoiseDetector().score(FREQS, psd, set_up.n_segments)
    limits = {OWN: own.limits(found.scored, found.limits), PACKAGED: found.limits}
    n_judged = found.scored.n_judged
    return {name: one.probability(found.scored.by_group, n_judged) for name, one in limits.items()}, sites


def measured(set_up: SetUp, n_line_free: int, n_quiet: int, n_noisy: int) -> dict:
    """One set-up: spectra with a flag, and lines found, by thresholds and rate asked."""
    line_free = np.stack([set_up.spectrum(0, index)[0] for index in range(n_line_free)])
    own = draw_own("the set-up", FREQS, line_free, set_up.n_segments)
    row: dict = {name: {f"{rate:.0%}": {"alarms": 0, "found": 0} for rate in RATES} for name in (OWN, PACKAGED)}
    for index in range(n_quiet):
        for name, chance in chances(set_up, own, 1, index, False)[0].items():
            for rate in RATES:
                row[name][f"{rate:.0%}"]["alarms"] += int(np.nanmin(chance) < rate)
    lines = 0
    for index in range(n_noisy):
        by_name, sites = chances(set_up, own, 2, index, True)
        lines += len(sites)
        for name, rate in product(by_name, RATES):
            hits = [by_name[name][site - BESIDE : site + BESIDE + 1].min() < rate for site in sites]
            row[name][f"{rate:.0%}"]["found"] += int(sum(hits))
    return row | {
        "K": set_up.n_segments,
        "window": "hann" if set_up.tapered else "none",
        "spectra": n_quiet,
        "lines": lines,
        "refused": sum(strong_line(FREQS, psd, set_up.n_segments, NoiseDetector()) is not None for psd in line_free),
        "flagged when left out": own.flagged,
        "thresholds hold": bool(own.hold),
    }


def summary(rows: list[dict]) -> dict:
    """Of several set-ups together, by thresholds and rate: shares their exact intervals over spectra or lines."""
    spectra, lines = (sum(row[key] for row in rows) for key in ("spectra", "lines"))
    return {
        name: {
            rate: {
                "alarms": share(sum(row[name][rate]["alarms"] for row in rows), spectra),
                "found": share(sum(row[name][rate]["found"] for row in rows), lines),
                "worst set-up": max(row[name][rate]["alarms"] / row["spectra"] for row in rows),
            }
            for rate in rows[0][name]
        }
        for name in (OWN, PACKAGED)
    }


def main() -> None:
    """Measure what is missing."""
    asked = options(
        __file__,
        __doc__,
        setups=(8, "of each kind and number of line-free spectra"),
        spectra=([10, 5], "line-free ones that thresholds are drawn from"),
        quiet=(250, "line-free ones that are judged, of each set-up"),
        noisy=(25, "ones with lines that are judged, of each set-up"),
    )
    settings = {key: getattr(asked, key) for key in ("quiet", "noisy")}
    settings |= {"statistic": VERSION, "seed": SEED, "draws": N_DRAWS, "bins": BINS, "height": HEIGHT, "width": WIDTH}
    path = benchmark_result("calibrate")
    record = read_json(path) if path.exists() else {}
    if record.get("settings") != settings:
        record = {"settings": settings, "set-ups": {}}
    for n_line_free, number, kind in product(asked.spectra, range(asked.setups), KINDS):
        name = f"{kind} {number}, {n_line_free} line-free"
        if name not in record["set-ups"]:
            found = measured(SetUp(kind, number, SEED), n_line_free, asked.quiet, asked.noisy)
            record["set-ups"][name] = found | {"kind": kind, "line-free": n_line_free}
            rows = list(record["set-ups"].values())
            pairs = sorted({(row["kind"], row["line-free"]) for row in rows})
            record["summary"] = {
                f"{kind}, {count} line-free": summary(
                    [row for row in rows if (row["kind"], row["line-free"]) == (kind, count)]
                )
                for kind, count in pairs
            }
            write_json(path, record | run_conditions())
            print(name, found, flush=True)
    print(f"wrote {path}")


if __name__ == "__main__":
    main()
