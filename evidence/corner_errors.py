"""One simulated spectrum or series, fitted in every way that the benchmark of the workbench compares."""

import time

import numpy as np
from scipy.optimize import linear_sum_assignment

from evidence.corner_rivals import bound, by_hand, log_least_squares, specparam_knee
from evidence.device_series import TEMPERATURES, Simulated, draw_series, draw_spectrum
from nblib import Fit, NoiseDetector, arrhenius, fit_spectrum
from nblib.workbench.description import Description
from nblib.workbench.dropped import kept_bins
from nblib.workbench.fit import refitted

SEGMENTS = (10, 30, 100)
SERIES_SEGMENTS = 30
LEFT = 0.02  # external power over S of a truly clean bin
HANN_OVERLAP = 36.0  # K over K / (1 + 2 (1 - 1/K) / 36): averages of half-overlapping Hann segments
QUANTILE = 1.959964  # of the 95 % intervals
N_LEVELS = 3  # Lorentzians by seed: 0, 1, 2


def effective(n_segments: float, estimator: str) -> float:
    """K that the scatter of an estimate has."""
    return n_segments / (1 + 2 * (1 - 1 / n_segments) / HANN_OVERLAP) if estimator == "welch_hann" else n_segments


def of_spectrum(cell: dict, seed: int, detector: NoiseDetector) -> dict:
    """One spectrum, fitted on the bins that the detector keeps, on all bins and on the truly clean ones.

    Parameters
    ----------
    cell : kind, axis, estimator, hard, null (no Lorentzian at all), rivals (the other ways as well)
    """
    segments = SEGMENTS[(seed // N_LEVELS) % len(SEGMENTS)]
    number = 0 if cell["null"] else seed % N_LEVELS
    drawn = draw_spectrum(seed, number, cell["kind"], cell["axis"], segments, cell["estimator"], cell["hard"])
    k = effective(segments, cell["estimator"])
    kept = kept_bins(detector.detect(drawn.freqs, drawn.psd, k))
    started = time.process_time()
    ours = fit_spectrum(drawn.freqs, drawn.psd, k, kept)
    seconds = time.process_time() - started
    rows = {"ours": row_of(ours.kept, drawn), "all bins": row_of(ours.all_bins, drawn)}
    clean = drawn.external < LEFT
    if cell["kind"] != "clean":
        rows["truly clean bins"] = row_of(refitted(ours, clean).kept, drawn)
    if cell["rivals"]:
        rows |= _rivals(drawn, ours)
    return {"truth": list(drawn.corners), "bound": bound(drawn, clean), "seconds": seconds, "rows": rows}


def _rivals(drawn: Simulated, ours: Fit) -> dict:
    """The other ways: what laboratories do, and parts of ours left out."""
    hand, every = by_hand(drawn), np.ones(len(drawn.freqs), bool)
    return {
        "log-log least squares": nearest_of(log_least_squares(drawn, every), drawn),
        "mains deleted by hand, least squares": nearest_of(log_least_squares(drawn, hand), drawn),
        "mains deleted by hand, robust": row_of(refitted(ours, hand).kept, drawn),
        "robust, no flags": row_of(refitted(ours, every).kept, drawn),
        "specparam, knee": nearest_of(specparam_knee(drawn), drawn),
    }


def nearest_of(corners: list[float], drawn: Simulated) -> dict:
    """Number of corners, and for each true one the ln error of the nearest."""
    errors = [min((float(np.log(one / truth)) for one in corners), key=abs) for truth in drawn.corners if corners]
    return {"number": len(corners), "errors": errors}


def row_of(description: Description, drawn: Simulated) -> dict:
    """The same of a description, with its gate, and how far the truth lies in the interval's own standard errors.

    Corners and true ones are paired one to one, by the least sum of distances in ln f. A true corner that was missed
    has no interval.
    """
    corners, truths = description.corners, np.array(drawn.corners)
    row = nearest_of([term.value for term in corners], drawn)
    distances = np.abs(np.log(np.array([term.value for term in corners])[:, None] / truths))
    steps = []
    for one, other in zip(*linear_sum_assignment(distances), strict=True):
        end = corners[one].low if truths[other] < corners[one].value else corners[one].high
        half = abs(np.log(max(end, 1e-300) / corners[one].value)) if np.isfinite(end) else np.inf
        steps.append(float(QUANTILE * distances[one, other] / max(half, 1e-12)))
    return row | {"described": description.described, "steps": steps}


def of_series(kind: str, seed: int, rivals: bool, detector: NoiseDetector) -> dict:
    """Ten temperatures of one device: the energy of the first trap, by the bins kept; rivals : the other ways too."""
    series = draw_series(seed, kind, n_segments=SERIES_SEGMENTS)
    ways: dict[str, list] = {"ours": [], "truly clean bins": []}
    ways |= {"mains deleted by hand, robust": [], "robust, no flags": []} if rivals else {}
    for drawn in series:
        given = (drawn.freqs, drawn.psd, SERIES_SEGMENTS)
        ours = fit_spectrum(*given, kept_bins(detector.detect(*given)))
        keep = {"truly clean bins": drawn.external < LEFT, "mains deleted by hand, robust": by_hand(drawn)}
        keep["robust, no flags"] = np.ones(len(drawn.freqs), bool)
        for way, fits in ways.items():
            fits.append(ours if way == "ours" else refitted(ours, keep[way]))
    rows: dict[str, dict | None] = {}
    for way, fits in ways.items():
        energies = arrhenius(fits, TEMPERATURES)
        rows[way] = _first(energies.kept)
        if way == "ours":
            rows["all bins"] = _first(energies.all_bins)
    return {"rows": rows}


def _first(traps) -> dict | None:
    if not traps:
        return None
    return {"energy": traps[0].energy, "low": traps[0].low, "high": traps[0].high, "corners": len(traps[0].points)}
