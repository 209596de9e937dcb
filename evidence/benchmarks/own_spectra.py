"""`nblib detect` tried as its user does: invariances, mains, combs, clean spectra, time and memory. `make bench`

Writes runs/benchmarks/own_spectra.json, a section at a time; sections that are there with the same settings are kept.
"""

import os
import subprocess
import sys
import tempfile
import time
from itertools import product
from pathlib import Path

import numpy as np

from evidence.benchmarks.script import options
from evidence.unknown import alarm_rates
from evidence.unknown import own_checks as checks
from nblib.measured.detector import NoiseDetector
from nblib.measured.statistic.thresholds import BINS, SEGMENTS, VERSION
from nblib.project.environment import run_conditions
from nblib.project.paths import benchmark_result
from nblib.project.records import read_json, write_json

RATIO = 1.0134  # of neighbouring bins of the logarithmic grid: 600 bins from 1 to 3,000 Hz
GIB = 2**30


def share(rows: list[dict], name: str, good) -> dict:
    """How many draws are as they should be, with the exact 95 % interval."""
    proportion = alarm_rates.share(sum(good(row[name]) for row in rows), len(rows))
    return {
        "draws": proportion["of"],
        "share": proportion["share"],
        "interval": (proportion["low"], proportion["high"]),
    }


def overlaps(rows: list[dict]) -> dict:
    """Share of draws whose flags all overlap enough, by name."""
    return {name: share(rows, name, lambda value: value >= checks.LEAST_OVERLAP) for name in rows[0]}


def counted(rows: list[dict], names: tuple[str, ...]) -> dict:
    """Share of draws where something is so, by name."""
    return {name: share(rows, name, lambda value: value > 0.5) for name in names}


def invariance(draws: int, seed: int) -> dict:
    """Flags of the scaled, squared, perforated and resampled spectrum."""
    detector = NoiseDetector()
    rows = [checks.invariances(checks.some_lines(seed, n), n, detector) for n in range(draws)]
    coarse = [checks.log_invariance(seed, n, RATIO, detector) for n in range(draws)]
    return overlaps(rows) | overlaps(coarse)


def mains(draws: int, seed: int) -> dict:
    """Mains 20..60 dB above the background."""
    rows = [checks.mains(seed, n, NoiseDetector()) for n in range(draws)]
    moved, error = ([row[name] for row in rows] for name in ("moved", "error"))
    return counted(rows, ("flagged",)) | {
        "background beside it moved by less than 0.1 ln": share(rows, "moved", lambda value: value < 0.1),
        "moved, ln": {
            "median": float(np.median(moved)),
            "95 %": float(np.quantile(moved, 0.95)),
            "largest": max(moved),
        },
        "median distance from the true background, ln": {
            "median": float(np.median(error)),
            "95 %": float(np.quantile(error, 0.95)),
        },
    }


def combs(draws: int, seed: int) -> dict:
    """Combs named, and unrelated lines called one."""
    detector = NoiseDetector()
    return {
        "3 harmonics of 50 Hz": counted([checks.comb(seed, n, detector) for n in range(draws)], ("flagged", "named")),
        "with 3 unrelated lines": counted(
            [checks.comb(seed, n, detector, 3) for n in range(draws)], ("flagged", "named")
        ),
        "3 to 6 unrelated lines": counted(
            [checks.unrelated(seed, n, detector) for n in range(2 * draws)], ("a comb", "mains alone")
        ),
    }


def false_alarms(draws: int, seed: int) -> dict:
    """Line-free spectra of the shipped classes with anything flagged, by background and bins; all K together."""
    detector, counts = NoiseDetector(), {}
    for shape, n_bins, known in product(checks.BACKGROUNDS, BINS, (True, False)):
        rows = [
            checks.false_alarms(seed, number, n_bins, segments, estimator, known, shape, detector)
            for segments, estimator in product(SEGMENTS, checks.ESTIMATORS)
            for number in range(max(draws // 6, 1))
        ]
        name = f"{shape}, {n_bins} bins, K {'known' if known else 'estimated'}"
        counts[name] = counted(rows, ("0.05", "0.01"))
        print(name, {rate: round(value["share"], 3) for rate, value in counts[name].items()}, flush=True)
    return counts


def _write(path: Path, n_bins: int, seed: int):
    draw = checks.clean(np.random.default_rng(seed), np.arange(1.0, n_bins + 1.0), "1/f and white", 16)
    draw = checks.with_tones(draw, [50.0, 150.0, 250.0], [100.0, 30.0, 30.0])
    table = np.column_stack([draw.freqs, 1e-16 * draw.psd])
    np.savetxt(path, table, fmt="%.8g", delimiter=",", header="Frequency (Hz),PSD (V^2/Hz)", comments="")


def _run(command: list[str]) -> dict:
    """Wall and processor time [s] and peak memory [GiB] of a process on one core."""
    one_core = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}
    started = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, env=os.environ | one_core)
    _, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise RuntimeError(f"{command} ended with status {process.returncode}")
    wall, processor = time.perf_counter() - started, used.ru_utime + used.ru_stime
    return {"seconds": wall, "processor seconds": processor, "peak GiB": used.ru_maxrss * 1024 / GIB}


MANY = """
import sys, numpy as np
from nblib import NoiseDetector
detections = NoiseDetector().detect_many(*np.load(sys.argv[1]).values(), 16)
assert len(detections) == 1000
"""


def costs(draws: int, seed: int) -> dict:
    """Cold starts of the command, and a table of 1,000 spectra of 3,000 bins in Python."""
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        detect = [sys.executable, "-m", "nblib", "detect", "--out", folder]
        for n_bins in (3000, 100_000):
            _write(root / f"{n_bins}.csv", n_bins, seed)
        cold = sorted((_run([*detect, str(root / "3000.csv")]) for _ in range(3)), key=lambda row: row["seconds"])
        freqs = np.arange(1.0, 3001.0)
        rows = [checks.clean(np.random.default_rng([seed, n]), freqs, "1/f and white", 16).psd for n in range(1000)]
        np.savez(root / "many.npz", freqs=freqs, psd=np.stack(rows))
        return {
            "a file of 3,000 bins, cold start, median of 3": cold[1],
            "1,000 spectra of 3,000 bins": _run([sys.executable, "-c", MANY, str(root / "many.npz")]),
            "a file of 100,000 bins": _run([*detect, str(root / "100000.csv")]),
        }


SECTIONS = {
    "invariance": (invariance, 200),
    "mains": (mains, 200),
    "combs": (combs, 200),
    "false alarms": (false_alarms, 240),
    "costs": (costs, 1),
}


def main() -> None:
    """Measure what is missing, section by section."""
    only = {"choices": SECTIONS, "help": "measure this section again and no other"}
    asked = options(__file__, __doc__, share=(1.0, "of the draws; 0.1 for a look"), seed=0, only=only)
    path = benchmark_result("own_spectra")
    record = read_json(path) if path.exists() else {}
    for name, (measure, draws) in SECTIONS.items():
        settings = {"draws": max(round(draws * asked.share), 1), "seed": asked.seed, "statistic": VERSION}
        kept = record.get(name, {}).get("settings") == settings
        if asked.only not in (None, name) or (kept and asked.only is None):
            continue
        started = time.perf_counter()
        measured = measure(settings["draws"], settings["seed"])
        record[name] = {
            "settings": settings,
            "found": measured,
            "took": time.perf_counter() - started,
        } | run_conditions()
        write_json(path, record)
        print(name, measured, flush=True)
    print(f"wrote {path}")


if __name__ == "__main__":
    main()
