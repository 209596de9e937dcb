"""Lines injected into the 39 measured spectra, at sites and with quiet cells that are frozen, and what methods find.

A Gaussian line multiplies a measured spectrum by 1 + r. Every method flags the same share of the quiet cells of the
spectrum without the line; what counts is the share of the line's cells that it flags. Places and quiet cells were
drawn once, from five methods of commit 807ec2a (scores and classical scores of the detector, the network's log-odds,
running medians of 101 and 401 bins), so that a new method changes neither.
"""

import hashlib
import json
from collections.abc import Callable, Collection, Mapping

import numpy as np
from jaxtyping import Float
from numpy import ndarray

from evidence.unknown.measured_rivals import MEDIAN, RIVALS, Rival
from evidence.unknown.measured_spectra import MeasuredSpectrum, plan_of
from nblib.cells import NOISY_RATIO, WIDE_CELL, cell_labels, cell_scores
from nblib.measured.statistic.bank import log_tail
from nblib.measured.statistic.score import add_evidence, score_spectrum
from nblib.measured.statistic.thresholds import limits_of
from nblib.measured.statistic.whitening import Plan
from nblib.project.paths import measured_data_dir
from nblib.project.records import read_json

WIDTHS, HEIGHTS, AREAS = (1.0, 5.0, 20.0), (0.5, 1.0, 2.0), (0.01, 0.05)
SNRS = (3, 5, 8)  # of a filter that knows the line's place, its width and the background
BY_HEIGHT, BY_SNR = "height", "SNR"
FEWEST_QUIET = 100  # cells; of fewer, 1 % is not even one
SITES_FILE, SITES_DIGEST = "sites.json", "7cf79ef2bd112977"
Methods = Callable[[ndarray, ndarray, float | ndarray | None, Plan], dict[str, ndarray]]
DETECTOR, CLASSICAL, MEDIAN_ODDS = "detector", "classical part", f"{MEDIAN} + log-odds"


def frozen_sites() -> dict[str, dict]:
    """By spectrum: "quiet", cells; "centres", bins by width.

    Raises
    ------
    ValueError where the file is another than the frozen one
    """
    sites = read_json(measured_data_dir() / SITES_FILE)
    if (digest := digest_of(sites)) != SITES_DIGEST:
        raise ValueError(f"{SITES_FILE} has the digest {digest}, not {SITES_DIGEST}; check data/measured out again")
    return sites


def digest_of(sites: dict) -> str:
    """Of the frozen sites."""
    return hashlib.sha256(json.dumps(sites, sort_keys=True).encode()).hexdigest()[:16]


# ---- methods ----


def cells_of(
    freqs,
    psd,
    n_segments,
    plan: Plan,
    rivals: Mapping[str, Rival] = RIVALS,
) -> dict[str, Float[ndarray, " cell"]]:
    """Score per cell of every method, and the detector's chance per bin at which a flag would be raised ("chance")."""
    scored = score_spectrum(psd, plan, n_segments)
    used, log_psd = float(np.nanmedian(scored.white.n_segments)), np.log(psd)
    scores = {DETECTOR: scored.scores, CLASSICAL: scored.white.scores}
    scores |= {name: rival(freqs, log_psd, used) for name, rival in rivals.items()}
    cells = {name: cell_scores(values, WIDE_CELL) for name, values in scores.items()}
    if MEDIAN in cells:
        cells[MEDIAN_ODDS] = add_evidence(log_tail(cells[MEDIAN]), np.nan_to_num(scored.log_odds))
    chance = limits_of(scored).probability(scored.by_group, scored.n_judged)
    return cells | {"chance": -cell_scores(-chance, WIDE_CELL)}


# ---- injections ----


def recalls(
    spectrum: MeasuredSpectrum,
    sites: dict,
    n_sites: int,
    methods: Methods = cells_of,
    only: Collection[str] = (),
) -> dict[str, dict[str, dict[str, float]]]:
    """Mean recall of one spectrum by method, "width, height" and area; "shipped" is at the thresholds that ship.

    Parameters
    ----------
    sites : of the spectrum, from frozen_sites
    n_sites : of each width, fewer where there are fewer
    methods : score per cell of each, as cells_of gives them; without "chance" nothing is said of "shipped"
    only : "width, height" of the lines; none names all
    """
    plan = plan_of(spectrum)
    quiet = np.array(sites["quiet"])
    clean = methods(spectrum.freqs, spectrum.psd, spectrum.n_segments, plan)
    areas = [area for area in AREAS if area > 0.01 or len(quiet) >= FEWEST_QUIET]
    limits = {
        (name, area): np.nanquantile(cells[quiet], 1 - area)
        for name, cells in clean.items()
        for area in areas
        if name != "chance"
    }
    rows: dict[str, dict[str, dict[str, list]]] = {}
    segments = own_segments(spectrum, plan)
    for width in WIDTHS:
        for centre in sites["centres"][f"{width:g}"][:n_sites]:
            shape = np.exp(-0.5 * ((np.arange(len(spectrum.psd)) - centre) / width) ** 2)
            for name, height, truth in _lines(width, shape, segments[centre]):
                if only and name not in only:
                    continue
                cells = methods(spectrum.freqs, spectrum.psd * (1 + height * shape), spectrum.n_segments, plan)
                hits = {key: cells[key[0]][truth] > limit for key, limit in limits.items()}
                if "chance" in cells:
                    hits |= {("shipped", area): cells["chance"][truth] < area for area in AREAS}
                for (method, area), hit in hits.items():
                    line = rows.setdefault(method, {}).setdefault(name, {})
                    line.setdefault(f"{area:.0%}", []).append(float(hit.mean()))
    return {
        method: {
            line: {area: float(np.mean(values)) for area, values in by_area.items()} for line, by_area in lines.items()
        }
        for method, lines in rows.items()
    }


def by_width(found: dict[str, dict[str, dict[str, float]]]) -> dict[str, dict[str, dict[str, float]]]:
    """`recalls` with the lines of one width and kind as one, their mean; means over all lines stay as they are."""
    joined: dict[str, dict[str, dict[str, list[float]]]] = {}
    for method, lines in found.items():
        for line, by_area in lines.items():
            kind = BY_SNR if BY_SNR in line else BY_HEIGHT
            for area, value in by_area.items():
                row = joined.setdefault(method, {}).setdefault(f"{line.split(',')[0]}, {kind}", {})
                row.setdefault(area, []).append(value)
    return {
        method: {line: {area: float(np.mean(values)) for area, values in row.items()} for line, row in lines.items()}
        for method, lines in joined.items()
    }


def own_segments(spectrum: MeasuredSpectrum, plan: Plan) -> Float[ndarray, " bin"]:
    """K per bin that the detector uses."""
    return score_spectrum(spectrum.psd, plan, spectrum.n_segments, with_network=False).white.n_segments


def _lines(width, shape, n_segments):
    """Name, height and true cells of each line tried; at a fixed SNR the cells where it is above half its height."""
    for height in HEIGHTS:
        yield f"{width:g}, {height:g}", height, cell_labels(height * shape > NOISY_RATIO, WIDE_CELL)
    for snr in SNRS:
        height = snr / np.sqrt(n_segments * (shape**2).sum())
        yield f"{width:g}, SNR {snr}", height, cell_labels(shape > 0.5, WIDE_CELL)


# ---- summaries over instruments ----


def by_instrument(
    by_spectrum: dict[str, dict], instruments: dict[str, str], name: str, area: str, kind: str = BY_HEIGHT
) -> dict[str, float]:
    """Mean recall of a method: over the lines of a spectrum, then over the spectra of an instrument.

    Parameters
    ----------
    by_spectrum : `recalls` by spectrum
    instruments : by spectrum
    kind : BY_HEIGHT or BY_SNR, the lines that count
    """
    means: dict[str, list[float]] = {}
    for spectrum, methods in by_spectrum.items():
        values = [
            by_area[area]
            for line, by_area in methods.get(name, {}).items()
            if area in by_area and (BY_SNR in line) == (kind == BY_SNR)
        ]
        if values:
            means.setdefault(instruments[spectrum], []).append(float(np.mean(values)))
    return {instrument: float(np.mean(values)) for instrument, values in means.items()}


def difference(first: dict[str, float], second: dict[str, float], n_draws: int = 2000, seed: int = 0) -> dict:
    """Mean paired difference over instruments, with a 95 % interval: instruments drawn again."""
    names = sorted(first.keys() & second.keys())
    values = np.array([first[name] - second[name] for name in names])
    rng = np.random.default_rng(seed)
    draws = values[rng.integers(0, len(values), (n_draws, len(values)))].mean(axis=1)
    low, high = np.percentile(draws, [2.5, 97.5])
    return {"mean": float(values.mean()), "low": float(low), "high": float(high), "instruments": len(names)}


def chosen_on_others(scores: dict[str, dict[str, float]], folds: dict[str, int]) -> dict[int, str]:
    """The method that is best on the other folds, for each fold.

    Parameters
    ----------
    scores : value by method and instrument
    folds : by instrument
    """
    chosen: dict[int, str] = {}
    for fold in sorted(set(folds.values())):
        means = {
            name: np.mean([value for instrument, value in row.items() if folds[instrument] != fold])
            for name, row in scores.items()
        }
        chosen[fold] = max(means, key=lambda name: means[name])
    return chosen


def of_the_chosen(
    scores: dict[str, dict[str, float]], folds: dict[str, int], chosen: dict[int, str]
) -> dict[str, float]:
    """What the method chosen for each fold has on the instruments of that fold alone, by instrument."""
    return {instrument: scores[chosen[fold]][instrument] for instrument, fold in folds.items()}
