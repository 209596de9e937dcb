"""Networks trained with some instruments and judged on the others: what they add, and what bounds that.

The limit of every method is set by a hundredth or a twentieth of the quiet cells. Where these hold real excess, for
which the network has log-odds above 0 as well, no network can add much. How far texture keeps the classical part from
what it finds on scatter alone is measured beside it.
"""

import dataclasses
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import product

import numpy as np
from numpy import ndarray

from evidence.unknown.flag_labels import BEFORE, labelled
from evidence.unknown.hard_shapes import draw_lines, in_deviations
from evidence.unknown.measured_spectra import MeasuredSpectrum, plan_of
from evidence.unknown.measured_trials import (
    AREAS,
    BY_HEIGHT,
    BY_SNR,
    CLASSICAL,
    FEWEST_QUIET,
    by_instrument,
    chosen_on_others,
    difference,
    of_the_chosen,
    own_segments,
)
from nblib.cells import WIDE_CELL, cell_scores
from nblib.measured.statistic.score import Scored, add_evidence, score_spectrum
from nblib.measured.statistic.whitening import Plan

Networks = Mapping[str, dict[str, ndarray] | None]  # weights by name; None: those that ship
FACTORS = (0.5, 1.0, 2.0, 3.0)  # on the log-odds
SEED = 30  # of the draws of scatter alone, and of weak lines
WEAK, WEAK_SEGMENTS = 8.0, (50, 200)  # standard deviations of the estimate; K
MEASURED, SCATTER = "as measured", "scatter alone"


def with_networks(networks: Networks, factors: Sequence[float] = FACTORS):
    """Methods of measured_trials.recalls: the classical part, and it with each network at each weight.

    Spectra that are judged in blocks have the network's log-odds of their block in each cell.
    """

    def cells(freqs, psd, n_segments, plan):
        scored = {name: score_spectrum(psd, plan, n_segments, weights=one) for name, one in networks.items()}
        rows = {CLASSICAL: next(iter(scored.values())).white.scores}
        for (name, one), factor in product(scored.items(), factors):
            odds = np.repeat(np.nan_to_num(one.log_odds), WIDE_CELL)[: len(psd)]
            rows[f"{name}, {factor:g} times"] = add_evidence(one.white.scores, odds, factor)
        return {name: cell_scores(row, WIDE_CELL) for name, row in rows.items()}

    return cells


def without_texture(spectrum: MeasuredSpectrum, number: int) -> MeasuredSpectrum:
    """Scatter alone, flat, with the K that the detector uses on the spectrum; stated only where that one's is.

    Parameters
    ----------
    number : of the spectrum, which its draw follows from
    """
    segments = own_segments(spectrum, plan_of(spectrum))
    psd = np.random.default_rng([SEED, number]).gamma(segments, 1 / segments)
    stated = None if spectrum.n_segments is None else segments
    return dataclasses.replace(spectrum, psd=psd, n_segments=stated)


def limiting_odds(spectrum: MeasuredSpectrum, quiet: ndarray, networks: Networks, area: float) -> dict[str, list]:
    """Log-odds of the quiet cells that set the classical part's limit at an area, by network.

    None where there are too few cells for that area.
    """
    if area <= AREAS[0] and len(quiet) < FEWEST_QUIET:
        return {name: [] for name in networks}
    odds: dict[str, list] = {}
    for name, scored in _scored(spectrum, networks).items():
        cells = cell_scores(scored.white.scores, WIDE_CELL)[quiet]
        above = quiet[cells >= np.nanquantile(cells, 1 - area)]
        odds[name] = scored.log_odds[above].tolist()
    return odds


def odds_by_label(spectrum: MeasuredSpectrum, networks: Networks) -> dict[str, dict[str, list[float]]]:
    """Largest log-odds in each range of the spectrum that was labelled by eye, by label and network.

    None of a spectrum that the network is not asked about.
    """
    scored = _scored(spectrum, networks)
    rows: dict[str, dict[str, list[float]]] = {}
    for one, label, _ in labelled(BEFORE):
        if one.spectrum == spectrum.name:
            first, last = one.bins(spectrum.freqs)
            cells = slice(first // WIDE_CELL, last // WIDE_CELL + 1)
            for name, part in scored.items():
                if part.combined:
                    rows.setdefault(label, {}).setdefault(name, []).append(float(np.nanmax(part.log_odds[cells])))
    return rows


def _scored(spectrum, networks) -> dict[str, Scored]:
    plan = plan_of(spectrum)
    return {
        name: score_spectrum(spectrum.psd, plan, spectrum.n_segments, weights=weights)
        for name, weights in networks.items()
    }


def weak_lines(networks: Networks, n_draws: int = 20) -> dict[str, dict[str, float]]:
    """Median log-odds of the cells of lines of WEAK standard deviations, one bin wide, on smooth backgrounds.

    By network and K.
    """
    rows: dict[str, dict[str, float]] = {}
    for n_segments in WEAK_SEGMENTS:
        odds: dict[str, list[float]] = {name: [] for name in networks}
        for number in range(n_draws):
            freqs, psd, sites = draw_lines(SEED, number, n_segments, in_deviations(WEAK, n_segments))
            plan = Plan.of(freqs, np.ones(len(psd), dtype=bool))
            for name, weights in networks.items():
                scored = score_spectrum(psd, plan, n_segments, weights=weights)
                odds[name] += scored.log_odds[sites // WIDE_CELL].tolist()
        for name, row in odds.items():
            rows.setdefault(name, {})[f"K = {n_segments}"] = float(np.median(row))
    return rows


# ---- summaries ----


def gains(rows: dict[str, dict], instruments: dict[str, str], folds: dict[str, int]) -> dict:
    """What networks add, by kind of line, area and method; and what bounds it.

    Parameters
    ----------
    rows : by spectrum, "recall", SCATTER (`recalls`), "limiting" (limiting_odds by area), "labels" (odds_by_label)
    instruments : by spectrum
    folds : by instrument

    Returns
    -------
    "added": differences from the classical part; "chosen": by area and network, the factor that is best on the other
    folds, by fold, and what it adds; "classical": its recall, as measured and on scatter alone; "limiting":
    by area and network, share of the cells that set the limit with log-odds above 0; "labels": by label and network,
    median of the largest log-odds of each range; both of each instrument, then their mean
    """
    parts = {name: {spectrum: row[name] for spectrum, row in rows.items()} for name in ("recall", SCATTER)}
    methods = [name for name in next(iter(parts["recall"].values())) if name != CLASSICAL]
    record: dict = {"added": {}, "chosen": {}, "classical": {}, "limiting": {}, "labels": {}}
    for kind, area in product((BY_HEIGHT, BY_SNR), (f"{value:.0%}" for value in AREAS)):
        alone = by_instrument(parts["recall"], instruments, CLASSICAL, area, kind)
        bound = by_instrument(parts[SCATTER], instruments, CLASSICAL, area, kind)
        means = {MEASURED: alone, SCATTER: bound}
        record["classical"].setdefault(kind, {})[area] = {
            name: float(np.mean(list(row.values()))) for name, row in means.items()
        }
        values = {name: by_instrument(parts["recall"], instruments, name, area, kind) for name in methods}
        record["added"].setdefault(kind, {})[area] = {name: difference(row, alone) for name, row in values.items()}
        if kind == BY_HEIGHT:
            record["chosen"][area] = _factors_chosen(values, alone, {name: folds[name] for name in alone})
    for area in (f"{value:.0%}" for value in AREAS):
        odds = _by_instrument(((name, row["limiting"][area]) for name, row in rows.items()), instruments)
        record["limiting"][area] = {name: _mean(row, lambda one: float(np.mean(one > 0))) for name, row in odds.items()}
    for label in sorted({label for row in rows.values() for label in row["labels"]}):
        odds = _by_instrument(((name, row["labels"].get(label, {})) for name, row in rows.items()), instruments)
        record["labels"][label] = {name: _mean(row, lambda one: float(np.median(one))) for name, row in odds.items()}
    return record


def _factors_chosen(values, alone, folds):
    """By network: the method that the other folds choose among its factors, by fold, and what these add."""
    rows = {}
    for network in dict.fromkeys(name.rpartition(", ")[0] for name in values):
        own = {name: row for name, row in values.items() if name.rpartition(", ")[0] == network}
        chosen = chosen_on_others(own, folds)
        added = difference(of_the_chosen(own, folds, chosen), alone)
        rows[network] = {"by fold": {str(fold): name for fold, name in chosen.items()}, "added": added}
    return rows


def _by_instrument(
    parts: Iterable[tuple[str, dict[str, list[float]]]], instruments: dict[str, str]
) -> dict[str, dict[str, list[float]]]:
    """Log-odds by network and instrument, of (spectrum, log-odds by network)."""
    rows: dict[str, dict[str, list[float]]] = {}
    for spectrum, part in parts:
        for network, odds in part.items():
            if odds:
                rows.setdefault(network, {}).setdefault(instruments[spectrum], []).extend(odds)
    return rows


def _mean(odds: dict[str, list[float]], of_one: Callable[[ndarray], float]) -> dict:
    """Mean over instruments of what one instrument's log-odds give, and how many there are of both."""
    values = [of_one(np.array(row)) for row in odds.values()]
    return {"mean": float(np.mean(values)), "instruments": len(odds), "values": sum(map(len, odds.values()))}
