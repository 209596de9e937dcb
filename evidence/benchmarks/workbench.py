"""Corner frequencies and activation energies against the truth of simulated devices.

Spectra: the share with a Lorentzian where there is none, the right number, the error of the corner frequencies and the
coverage of their intervals, by contamination and by the bins that are kept. Series: the energy over ten temperatures
from the bins kept by the detector and from all bins, and the coverage of its interval. Each draw is written as it is
done; a second call goes on from there. Writes runs/benchmarks/workbench.json.
"""

import json
from pathlib import Path

import numpy as np
from scipy.stats import binomtest

from evidence.benchmarks.script import options, write_record
from evidence.device_series import CONTAMINATION, ENERGY, TEMPERATURES, Simulated, draw_series, draw_spectrum
from nblib import Fit, NoiseDetector, arrhenius, fit_spectrum
from nblib.project.paths import benchmark_result

FIRST_SEED = {"spectra": 5000, "series": 1000}  # not used while the fit was written
SEGMENTS = (10, 30, 100)
SERIES_SEGMENTS = 30
LEFT = 0.02  # external power over S of a truly clean bin
FACTOR = 2.0  # a corner further off is wrong
ESTIMATORS = ("welch", "welch_hann")
HANN_OVERLAP = 36.0  # K over K / (1 + 2 (1 - 1/K) / 36): averages of half-overlapping Hann segments


def effective(n_segments: float, estimator: str) -> float:
    """K that the scatter of an estimate has."""
    return n_segments / (1 + 2 * (1 - 1 / n_segments) / HANN_OVERLAP) if estimator == "welch_hann" else n_segments


def of_spectrum(seed: int, contamination: str, axis: str, estimator: str, detector: NoiseDetector) -> dict:
    """One spectrum, fitted on the bins that the detector keeps and on the truly clean ones."""
    segments = SEGMENTS[(seed // 3) % len(SEGMENTS)]
    drawn = draw_spectrum(seed, seed % 3, contamination, axis, segments, estimator)
    k = effective(segments, estimator)
    found = detector.detect(drawn.freqs, drawn.psd, k)
    ours = fit_spectrum(drawn.freqs, drawn.psd, k, ~found.flagged)
    rows = {"ours": _row(ours, ours.kept, drawn), "all bins": _row(ours, ours.all_bins, drawn)}
    if contamination != "clean":
        true = fit_spectrum(drawn.freqs, drawn.psd, k, drawn.external < LEFT)
        rows["true bins"] = _row(true, true.kept, drawn)
    return {"truth": list(drawn.corners), "rows": rows}


def _row(fit: Fit, found, drawn: Simulated) -> dict:
    """Number of corners, gate, and for each true corner the nearest: its ln error, is it in its interval."""
    errors, covered = [], []
    for corner in drawn.corners:
        if not found.corners:
            continue
        nearest = min(found.corners, key=lambda term: abs(np.log(term.value / corner)))
        errors.append(float(np.log(nearest.value / corner)))
        covered.append(bool(nearest.low <= corner <= nearest.high))
    return {"number": len(found.corners), "described": found.described, "errors": errors, "covered": covered}


def of_series(seed: int, contamination: str, detector: NoiseDetector) -> dict:
    """Ten temperatures of one device: the energy of the first trap, from the bins kept and from all bins."""
    series = draw_series(seed, contamination, n_segments=SERIES_SEGMENTS)
    fits = []
    for drawn in series:
        found = detector.detect(drawn.freqs, drawn.psd, SERIES_SEGMENTS)
        fits.append(fit_spectrum(drawn.freqs, drawn.psd, SERIES_SEGMENTS, ~found.flagged))
    result = arrhenius(fits, TEMPERATURES)
    rows: dict[str, dict | None] = {}
    for name, traps in (("ours", result.kept), ("all bins", result.all_bins)):
        if traps:
            trap = traps[0]
            rows[name] = {"energy": trap.energy, "low": trap.low, "high": trap.high, "corners": len(trap.points)}
        else:
            rows[name] = None
    return {"rows": rows, "traps": len(result.kept), "described": sum(result.described)}


def summary_of_spectra(draws: list[dict]) -> dict:
    """What the draws of one cell say, by the bins kept."""
    found = {}
    for name in draws[0]["rows"]:
        rows = [draw["rows"][name] for draw in draws]
        errors = np.abs([error for row in rows for error in row["errors"]])
        covered = [inside for row in rows for inside in row["covered"]]
        empty = [row for row, draw in zip(rows, draws, strict=True) if not draw["truth"]]
        right = sum(row["number"] == len(draw["truth"]) for row, draw in zip(rows, draws, strict=True))
        found[name] = {
            "spectra": len(rows),
            "lorentzian where there is none": share(sum(row["number"] > 0 for row in empty), len(empty)),
            "right number": share(right, len(rows)),
            "median abs ln error": float(np.median(errors)),
            "off by more than 2": share(int((errors > np.log(FACTOR)).sum()), len(errors)),
            "covered": share(sum(covered), len(covered)),
            "gate fires": share(sum(not row["described"] for row in rows), len(rows)),
        }
    return found


def summary_of_series(draws: list[dict]) -> dict:
    """Median energy, median error and coverage, by the bins kept."""
    found = {}
    for name in ("ours", "all bins"):
        rows = [draw["rows"][name] for draw in draws if draw["rows"][name]]
        energies = np.array([row["energy"] for row in rows])
        covered = sum(row["low"] <= ENERGY <= row["high"] for row in rows)
        found[name] = {
            "series": len(draws),
            "with an energy": len(rows),
            "median energy [eV]": float(np.median(energies)) if len(rows) else None,
            "median abs error [eV]": float(np.median(np.abs(energies - ENERGY))) if len(rows) else None,
            "covered": share(covered, len(rows)),
            "corners": float(np.mean([row["corners"] for row in rows])) if rows else None,
        }
    return found


def share(count: int, total: int) -> dict | None:
    """A share with Wilson's interval at 95 %; None of nothing."""
    if not total:
        return None
    ends = binomtest(count, total).proportion_ci(method="wilson")
    return {"count": count, "of": total, "share": count / total, "low": ends.low, "high": ends.high}


def _kept(path: Path) -> dict[str, dict]:
    """Draws that were done, by their key."""
    if not path.is_file():
        return {}
    rows = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines() if line.endswith("}")]
    return {row["key"]: row for row in rows}


def main() -> None:
    """Draw, fit and write what is asked for."""
    asked = options(
        __file__,
        __doc__,
        spectra=(400, "of each contamination, on the linear axis and on the logarithmic one"),
        hann=(400, "clean spectra of half-overlapping Hann segments, linear axis"),
        series=(100, "devices of each contamination"),
        contamination={"nargs": "+", "default": list(CONTAMINATION), "choices": CONTAMINATION},
    )
    path, detector = benchmark_result(Path(__file__).stem).with_suffix(".jsonl"), NoiseDetector()
    done = _kept(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    cells: dict[str, list[dict]] = {}

    def draw(cell, seed, measure):
        key = f"{cell}, seed {seed}"
        if key not in done:
            done[key] = {"key": key, **measure()}
            with path.open("a", encoding="utf-8") as stream:
                stream.write(json.dumps(done[key]) + "\n")
        cells.setdefault(cell, []).append(done[key])

    for kind in asked.contamination:
        for seed in range(FIRST_SEED["series"], FIRST_SEED["series"] + asked.series):
            draw(f"series, {kind}", seed, lambda seed=seed, kind=kind: of_series(seed, kind, detector))
    places = [(kind, axis, "welch", asked.spectra) for kind in asked.contamination for axis in ("linear", "log")]
    for kind, axis, estimator, number in [*places, ("clean", "linear", "welch_hann", asked.hann)]:
        for seed in range(FIRST_SEED["spectra"], FIRST_SEED["spectra"] + number):
            given = (seed, kind, axis, estimator, detector)
            draw(f"spectra, {kind}, {axis}, {estimator}", seed, lambda given=given: of_spectrum(*given))
    found = {
        cell: summary_of_series(draws) if cell.startswith("series") else summary_of_spectra(draws)
        for cell, draws in cells.items()
    }
    for cell, rows in found.items():
        print(cell, json.dumps(rows, indent=1), flush=True)
    write_record(__file__, {"first_seed": FIRST_SEED, "energy": ENERGY, "segments": SEGMENTS, "cells": found})


if __name__ == "__main__":
    main()
