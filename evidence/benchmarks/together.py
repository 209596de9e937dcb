"""Spectra of one set-up judged together: thresholds of sharp lines, line-free stacks, recall of lines that recur.

Writes runs/benchmarks/together.json, a section at a time; sections that are there with the same settings are kept. The
thresholds are drawn on backgrounds of the `wide` world; everything else on those of a second generator.
"""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from evidence.benchmarks.script import options
from evidence.unknown.alarm_rates import share
from evidence.unknown.stacks import N_LINES, Draw, draw_stack, largest_sharp, lines_found, overlaps
from nblib.measured.detector import NoiseDetector
from nblib.measured.recurrent import CLIP, LEVEL_BINS, LEVEL_SPECTRA, SHARP, recurrent_lines
from nblib.measured.statistic.thresholds import RATES, STATISTICS, VERSION, rank_threshold
from nblib.project.environment import run_conditions
from nblib.project.paths import benchmark_result
from nblib.project.records import read_json, write_json

SEGMENTS = (4, 16, 64)  # K of a spectrum that thresholds are drawn with, in turn
CHOOSING, CLAIMING, DRAWING = 25, 26, 24  # seeds
ASKED = (0.01, 0.05)
CLIPS = {"cut at 3 standard deviations": 3.0, "cut at 6": 6.0, "not cut": np.inf}
QUIET = {
    "one background": Draw(),
    "own backgrounds": Draw(own_physics=True),
    "own backgrounds, several grids": Draw(own_physics=True, grids=True),
    "one background, Hann": Draw(estimator="welch_hann"),
    "backgrounds 1/f and white": Draw(own_physics=True, simple=True),
    "one background, 3 spectra": Draw(n_spectra=3),
    "one background, K = 64": Draw(n_segments=64),
}
LINES = {
    "1 x": Draw(height=1.0),
    "0.5 x": Draw(height=0.5),
    "1 x, backgrounds 1/f and white": Draw(height=1.0, own_physics=True, simple=True),
    "0.5 x, backgrounds 1/f and white": Draw(height=0.5, own_physics=True, simple=True),
    "1 x, 3 spectra": Draw(n_spectra=3, height=1.0),
    "1 x, several grids": Draw(height=1.0, own_physics=True, grids=True),
    "1 x, in half of the spectra": Draw(height=1.0, in_spectra=5),
    "3 x, in half of the spectra": Draw(height=3.0, in_spectra=5),
}
SINGLE = {
    "a line of 10,000 x": Draw(own_physics=True, single=(1e4, 1)),
    "a hump of 10 x, 20 bins": Draw(own_physics=True, single=(10.0, 20)),
    "a hump of 10 x, 20 bins, 3 spectra": Draw(n_spectra=3, own_physics=True, single=(10.0, 20)),
}


def levels(draws: int) -> dict:
    """Narrow scores of sharp bins in line-free averages at RATES, by statistic and spectra in the average."""
    thresholds: dict[str, list] = {statistic: [] for statistic in STATISTICS}
    for n_spectra in LEVEL_SPECTRA:
        rows = [
            largest_sharp(n_spectra, SEGMENTS[number % len(SEGMENTS)], LEVEL_BINS, (DRAWING, n_spectra, number))
            for number in range(draws)
        ]
        for statistic in STATISTICS:
            maxima = np.array([row[statistic] for row in rows])
            thresholds[statistic].append([round(rank_threshold(maxima, rate), 1) for rate in RATES])
    return thresholds


def quiet(draws: int) -> dict:
    """Line-free stacks with anything flagged, by kind and rate asked."""
    detector, shares = NoiseDetector(), {}
    for name, draw in QUIET.items():
        counts = dict.fromkeys(ASKED, 0)
        for number in range(draws):
            spectra, *_ = draw_stack(draw, (CLAIMING, number), detector)
            for rate in ASKED:
                counts[rate] += bool(recurrent_lines(spectra, detector, rate).detection.flags)
        shares[name] = {f"{rate:.0%}": share(count, draws) for rate, count in counts.items()}
        print(name, shares[name], flush=True)
    return shares


def lines(draws: int) -> dict:
    """Share of lines found alone (in the first spectrum) and together, and stacks with a flag elsewhere, at 1 %."""
    rows = {name: _recall(draw, draws, CLAIMING, (CLIP,)) for name, draw in LINES.items()}
    return {name: row | {way: row[way][0] for way in ("together", "elsewhere")} for name, row in rows.items()}


def choice(draws: int) -> dict:
    """The same for ways of averaging, on other seeds: what CLIP was chosen on."""
    kinds = ("0.5 x", "3 x, in half of the spectra")
    rows = {name: _recall(LINES[name], draws, CHOOSING, tuple(CLIPS.values())) for name in kinds}
    return {name: dict(zip(CLIPS, row["together"], strict=True)) for name, row in rows.items()}


def _recall(draw: Draw, draws: int, seed: int, clips: tuple[float, ...]) -> dict:
    """Lines found in the first spectrum alone, and together by each way of averaging; stacks with a flag elsewhere."""
    detector, alone, counts = NoiseDetector(), 0, np.zeros((2, len(clips)), dtype=int)
    for number in range(draws):
        spectra, sites, _ = draw_stack(draw, (seed, number), detector)
        alone += lines_found(spectra[0].ranges, sites)
        for way, clip in enumerate(clips):
            ranges = _ranges(recurrent_lines(spectra, detector, ASKED[0], clip))
            counts[0, way] += lines_found(ranges, sites)
            counts[1, way] += any(not lines_found([span], sites) for span in ranges)
    n_lines = draws * N_LINES
    return {
        "alone": share(alone, n_lines),
        "together": [share(int(count), n_lines) for count in counts[0]],
        "elsewhere": [share(int(count), draws) for count in counts[1]],
    }


def single(draws: int) -> dict:
    """Stacks in which what the first spectrum alone has is flagged as recurrent, at 1 %, and by itself there."""
    detector, shares = NoiseDetector(), {}
    for name, draw in SINGLE.items():
        recurs, alone = 0, 0
        for number in range(draws):
            spectra, _, begin = draw_stack(draw, (CLAIMING, number), detector)
            span = begin, begin + (draw.single or (0.0, 1))[1] - 1
            recurs += overlaps(_ranges(recurrent_lines(spectra, detector, ASKED[0])), span)
            alone += overlaps(spectra[0].ranges, span)
        shares[name] = {"called recurrent": share(recurs, draws), "flagged alone": share(alone, draws)}
        print(name, shares[name], flush=True)
    return shares


def _ranges(recurrent) -> Sequence[tuple[float, float]]:
    return [(flag.fmin, flag.fmax) for flag in recurrent.detection.flags]


SECTIONS: dict[str, tuple[Callable[[int], dict], int]] = {
    "levels": (levels, 400),
    "lines": (lines, 10),
    "quiet": (quiet, 35),
    "single": (single, 10),
    "choice": (choice, 8),
}


def main() -> None:
    """Measure what is missing, section by section."""
    only = {"choices": SECTIONS, "help": "measure this section again and no other"}
    asked = options(__file__, __doc__, share=(1.0, "of the draws; 0.1 for a look"), only=only)
    path = benchmark_result("together")
    record: dict[str, Any] = read_json(path) if path.exists() else {}
    for name, (measure, draws) in SECTIONS.items():
        settings = {"draws": max(round(draws * asked.share), 1), "sharp": SHARP, "clip": CLIP, "statistic": VERSION}
        kept = record.get(name, {}).get("settings") == settings
        if asked.only not in (None, name) or (kept and asked.only is None):
            continue
        record[name] = {"settings": settings, "found": measure(settings["draws"])} | run_conditions()
        write_json(path, record)
        print(name, record[name]["found"], flush=True)
    print(f"wrote {path}")


if __name__ == "__main__":
    main()
