"""The record of notebook 06 read as answers: one row a score of a trained model, or a method without training.

`metrics` is that record's "metrics": "references" {test: {look: what was found}} and "trials" {trial: {seed: {look:
what was found}}}, as far as they are measured. Spans: see evidence.spans.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np

from evidence.rivals import GIVEN
from evidence.rivals import LIMIT as IDEAL
from evidence.spans import across_seeds, within_shares, without_seed
from evidence.story import TAUGHT, TRIALS
from nblib.scoring.metrics import over_seeds, over_spectra

TRUE, LIMIT, MEDIAN = "true background", "posterior (limit)", "running median"
REFIT = "refit without flagged cells, posterior"  # the strongest method without training
SCORES = ("residual", "attention", "attention, standardised", "logit")
MAIN = "interleaved"  # the test whose pairs of energies lie between those of the training
AP, FOUND, IN_BAND, ENERGY = "AP / limit", "found at 1 %", "in-band / fit", "Ea / truly clean"
QUANTITIES = (AP, FOUND, IN_BAND, ENERGY)
SHARES = (AP, FOUND)
KNOWN = {  # methods of baselines.assess_baselines that stand in the table: name there, what it requires
    LIMIT: ("limit", GIVEN[IDEAL]),
    REFIT: ("fit of the formula", "the formula with its amplitudes, K"),
    TRUE: ("matched filter on the true background", "the true background, K"),
    MEDIAN: ("running median", "a window tuned on labelled spectra, K"),
}


def readings(metrics: Mapping, trial: str, look: str = "readings") -> dict[str, dict]:
    """What one look found, by seed; {} where the record has none."""
    rows = metrics["trials"].get(trial, {})
    return {seed: looks[look] for seed, looks in rows.items() if look in looks}


def reference(metrics: Mapping, test: str, look: str) -> dict:
    """What a look at a test found without a model; {} where the record has none."""
    return metrics["references"].get(test, {}).get(look, {})


def path_of(quantity: str, score: str, weights: str = "in_band") -> tuple[str | int, ...]:
    """Where a quantity stands in what a look found.

    Parameters
    ----------
    weights : "in_band" (the model's own), "in_band, even" or "in_band, hidden"
    """
    return {
        AP: (score, "ap"),
        FOUND: (score, "detected at 1%"),
        IN_BAND: (weights, "after"),
        ENERGY: ("energies", "kept bins", 0),
    }[quantity]


def denominator(metrics: Mapping, quantity: str, test: str = MAIN) -> tuple[float, list[float] | None]:
    """What a quantity is divided by on a test, and the same without each group of spectra."""
    known = metrics["references"][test]["baselines"]
    if quantity == AP:
        return known["methods"][LIMIT]["ap"], known["methods"][LIMIT]["ap_left_out"]
    if quantity == IN_BAND:
        return known["fit in-band"], known["fit in-band left_out"]
    return (known["energies"]["truly clean bins"][0], None) if quantity == ENERGY else (1.0, None)


def span(metrics: Mapping, trial: str, quantity: str, score: str = "residual", **where: str) -> dict | None:
    """A quantity of a trial over its seeds; None where it was not measured.

    Parameters
    ----------
    where : "look" and "test" (default: the readings on the interleaved test), "weights" as path_of
    """
    test, look = where.get("test", MAIN), where.get("look", "readings")
    by_seed = readings(metrics, trial, look)
    path = path_of(quantity, score, where.get("weights", "in_band"))
    if quantity == ENERGY and score.startswith("attention"):  # what is left out was flagged by the residual
        return None
    if not by_seed or path[0] not in next(iter(by_seed.values())):
        return None
    over, left_out = denominator(metrics, quantity, test)
    whole = across_seeds(by_seed, *path, over=over, over_left_out=left_out)
    return within_shares(whole) if quantity in SHARES else whole


def scores_of(metrics: Mapping, trial: str) -> list[str]:
    """The scores that a trial was judged by."""
    first = next(iter(readings(metrics, trial).values()), {})
    return [score for score in SCORES if score in first]


def on_main_test(metrics: Mapping) -> list[str]:
    """The trials of the record that are read on the main test; not those of another K or of the region."""
    return [
        name for name in TRIALS if readings(metrics, name) and not {"pairs", "n_segments"} & set(TRIALS[name].changes)
    ]


def rows(metrics: Mapping) -> dict[str, dict[str, Any]]:
    """Every score of every trial on the main test: "TRIAL, SCORE" -> "given", "seeds", and a span by quantity.

    Trials that are read on other spectra are left out (another K, the region), and weights of 0 and 1 as a score: they
    tie.
    """
    return {
        trial if score == "logit" else f"{trial}, {score}": {
            "given": _given(trial, score),
            "seeds": len(readings(metrics, trial)),
            **{quantity: span(metrics, trial, quantity, score) for quantity in QUANTITIES},
        }
        for trial in on_main_test(metrics)
        for score in scores_of(metrics, trial)
        if score != "attention" or not TRIALS[trial].changes.get("hard")
    }


def _given(trial, score):
    """What the reader must have; the posterior of a line on the residual needs K as well."""
    given = TRIALS[trial].given
    return given if score != "residual" or given.endswith("K") else f"{given}, K"


def methods(metrics: Mapping) -> dict[str, dict[str, Any]]:
    """What needs no training, as rows has it; intervals over spectra alone."""
    by_method = {name: {"given": given, AP: method_span(metrics, key)} for key, (name, given) in KNOWN.items()}
    limit, left_out = denominator(metrics, AP)
    known, clean = metrics["references"][MAIN]["baselines"], denominator(metrics, ENERGY)[0]
    by_method["limit"][AP] = without_seed(1.0)
    by_method["fit of the formula"][ENERGY] = without_seed(known["energies"]["refit"][0] / clean)
    by_method[MEDIAN][FOUND] = without_seed(known[MEDIAN]["detected at 1%"])
    by_method[MEDIAN][ENERGY] = without_seed(known["energies"][f"{MEDIAN}, kept bins"][0] / clean)
    for rival, row in reference(metrics, MAIN, "rivals").items():
        if rival not in GIVEN:
            continue
        entry = by_method.setdefault(rival, {"given": GIVEN[rival]})
        if rival != IDEAL:
            shares = np.array(row["score"]["ap_left_out"]) / np.array(left_out)
            entry[AP] = within_shares(over_spectra(row["score"]["ap"] / limit, shares))
        entry[FOUND] = without_seed(row["score"]["detected at 1%"])
        entry[ENERGY] = without_seed(row["energies"]["kept bins"][0] / clean)
        if "in_band" in row:
            groups = np.array(row["in_band"]["over the fit_left_out"])
            entry[IN_BAND] = over_spectra(row["in_band"]["over the fit"], groups)
    return {name: {"seeds": "", **dict.fromkeys(QUANTITIES), **row} for name, row in by_method.items()}


def method_span(metrics: Mapping, method: str, test: str = MAIN) -> dict:
    """AP of a method without training over the limit's: a jackknife over spectra."""
    over, left_out = denominator(metrics, AP, test)
    row = metrics["references"][test]["baselines"]["methods"][method]
    return within_shares(over_spectra(row["ap"] / over, np.array(row["ap_left_out"]) / np.array(left_out)))


def difference(metrics: Mapping, quantity: str, one: tuple[str, str], other: tuple[str, str], **where: Any) -> dict:
    """Span of one trial's quantity less another's, for the seeds that both have, on the same spectra.

    Parameters
    ----------
    one, other : (trial, score), the other also a method without training: ("spline", "") or a key of KNOWN; for in-band
        errors the score says nothing
    where : "look" (one for both, or two), "weights" (one for both, or two), "test" (of both)
    """
    looks, weights = (
        _two(where.get(name, default)) for name, default in (("look", "readings"), ("weights", "in_band"))
    )
    one_found = readings(metrics, one[0], looks[0])
    other_found = readings(metrics, other[0], looks[1]) if other[1] else dict.fromkeys(one_found, None)
    seeds = [seed for seed in one_found if seed in other_found]
    first = _with_groups([one_found[seed] for seed in seeds], path_of(quantity, one[1], weights[0]))
    if other[1]:
        second = _with_groups([other_found[seed] for seed in seeds], path_of(quantity, other[1], weights[1]))
    else:
        value, left_out = _without_training(metrics, quantity, other[0])
        second = np.full(len(seeds), value), None if left_out is None else np.tile(left_out, (len(seeds), 1))
    over = denominator(metrics, quantity, where.get("test", MAIN))[0] if quantity in (IN_BAND, ENERGY) else 1.0
    values = (first[0] - second[0]) / over
    if first[1] is not None and second[1] is not None:
        return over_seeds(values, (first[1] - second[1]) / over)
    whole = over_seeds(values)  # where one alone has groups, an interval over seeds would leave the spectra out
    return whole if first[1] is second[1] else whole | {"low": np.nan, "high": np.nan}


def _with_groups(per_seed, path):
    """Values by seed, and without each group of spectra where all seeds have that."""
    *path, last = path
    entries = list(per_seed)
    for key in path:
        entries = [place[key] for place in entries]
    values, name = np.array([place[last] for place in entries], dtype=float), f"{last}_left_out"
    if not all(isinstance(place, dict) and name in place for place in entries):
        return values, None
    return values, np.array([place[name] for place in entries], dtype=float)


def _without_training(metrics, quantity, method):
    """A method's own value of a quantity, not divided, and without each group of spectra."""
    if method in KNOWN:
        if quantity != AP:
            raise ValueError(f"{quantity} of {method} is not recorded; ask for {AP}")
        row = metrics["references"][MAIN]["baselines"]["methods"][method]
        return row["ap"], np.array(row["ap_left_out"])
    row = reference(metrics, MAIN, "rivals")[method]
    place, key = {AP: ("score", "ap"), FOUND: ("score", "detected at 1%"), IN_BAND: ("in_band", "after")}[quantity]
    left_out = row[place].get(f"{key}_left_out")
    return row[place][key], None if left_out is None else np.array(left_out)


def _two(value):
    return (value, value) if isinstance(value, str) else value


PAIRS = (  # whose differences are shown: (trial, score), and against it another or a method without training
    (("residual attention", "residual"), ("spline", "")),
    (("residual attention", "residual"), ("components", "")),
    (("residual attention", "residual"), ("masked mean", "residual")),
    (("residual attention", "residual"), ("label-free", "residual")),
    (("residual attention", "attention"), ("label-free", "attention")),
    (("residual attention", "residual"), ("simulated labels", "residual")),
    (("residual attention", "attention"), ("simulated labels", "attention")),
    (("residual attention", "residual"), ("no penalty", "residual")),
    (("residual attention", "residual"), ("no penalty, label-free", "residual")),
    (("residual attention", "residual"), ("supervised token head", "logit")),
    (("label-free", "residual"), ("label-free", "attention")),
    (("masked mean, labels", "residual"), ("masked mean", "residual")),
    (("masked mean, labels", "residual"), ("simulated labels", "residual")),
    (("label-free", "attention, standardised"), ("no penalty, label-free", "attention, standardised")),
    (("label-free", "residual"), ("no penalty, label-free", "residual")),
    (("simulated labels", "attention, standardised"), ("no penalty", "attention, standardised")),
    (("simulated labels", "residual"), ("no penalty", "residual")),
    ((TAUGHT, "attention"), ("residual attention", "attention")),
    ((TAUGHT, "residual"), ("residual attention", "residual")),
    (("residual attention", "residual"), ("supervised CNN", "logit")),
    (("simulated labels", "attention"), ("no contrasts", "attention")),
    (("label-free", "residual"), ("label-free, half the steps", "residual")),
    (("label-free", "attention"), ("label-free, half the steps", "attention")),
    (("masked mean", "residual"), ("masked mean, half the steps", "residual")),
    (("masked mean, labels", "residual"), ("masked mean, labels, half the steps", "residual")),
)
REGIONS = (("residual attention", "residual"), ("label-free", "residual"))  # trained with the region and without


def differences(metrics: Mapping) -> dict[str, dict[str, dict | None]]:
    """The differences of PAIRS as far as both are measured: words -> quantity -> span (None: no such number)."""
    spans = {}
    for one, other in PAIRS:
        first, second = readings(metrics, one[0]), readings(metrics, other[0])
        if first and (set(first) & set(second) or (not other[1] and reference(metrics, MAIN, "rivals"))):
            words = f"{', '.join(one)} less {', '.join(filter(None, other))}"
            restores = "logit" not in (one[1], other[1]) and one[0] != other[0]
            spans[words] = {
                quantity: difference(metrics, quantity, one, other) if quantity != IN_BAND or restores else None
                for quantity in (AP, FOUND, IN_BAND)
            }
    return spans


def region_differences(metrics: Mapping) -> dict[str, dict[str, dict]]:
    """Inside the region: trained without its pairs less trained with them, seed by seed; trial -> quantity -> span."""
    spans = {}
    for trial, score in REGIONS:
        apart = f"{trial}, region left out"
        looks, both = ("readings", "region"), (readings(metrics, apart), readings(metrics, trial, "region"))
        if set(both[0]) & set(both[1]):
            pair = (apart, score), (trial, score)
            spans[trial] = {
                quantity: difference(metrics, quantity, *pair, look=looks, test="held_out")
                for quantity in (AP, IN_BAND, ENERGY)
            }
    return spans
