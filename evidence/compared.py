"""The record of benchmarks/story.py read as answers: one row a score of a trained model, or a method without training.

`metrics` is that record's "metrics": "references" {test: {look: what was found}} and "trials" {trial: {seed: {look:
what was found}}}. A span is {"iqm", "low", "high", "n"} over seeds, see metrics.over_seeds.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np

from evidence.readings import PASSES
from evidence.spans import across_seeds, within_shares
from evidence.story import TRIALS
from nblib.scoring.metrics import over_seeds, over_spectra

TRUE, LIMIT, MEDIAN = "true background", "posterior (limit)", "running median"
REFIT = "refit without flagged cells, posterior"  # the strongest method without training
SCORES = ("residual", "attention", "attention, standardised")
MAIN = "interleaved"  # the test whose pairs of energies lie between those of the training
AP, FOUND, IN_BAND, ENERGY = "AP / limit", "found at 1 %", "in-band / fit", "Ea / truly clean"
QUANTITIES = (AP, FOUND, IN_BAND, ENERGY)


def readings(metrics: Mapping, trial: str, look: str = "readings") -> dict[str, dict]:
    """What one look found, by seed; {} where the record has none."""
    rows = metrics["trials"].get(trial, {})
    return {seed: found[look] for seed, found in rows.items() if look in found}


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


def yardstick(metrics: Mapping, quantity: str, test: str = MAIN) -> tuple[float, list[float] | None]:
    """What a quantity is divided by on a test, and the same without each group of spectra."""
    known = metrics["references"][test]["baselines"]
    if quantity == AP:
        return known["methods"][LIMIT]["ap"], known["methods"][LIMIT]["ap_left_out"]
    if quantity == IN_BAND:
        return known["fit in-band"], known["fit in-band left_out"]
    return (known["energies"]["truly clean bins"][0], None) if quantity == ENERGY else (1.0, None)


def span(metrics: Mapping, trial: str, quantity: str, score: str = "residual", **where: str) -> dict:
    """A quantity of a trial over its seeds.

    Parameters
    ----------
    where : "look" and "test" (default: the readings on the interleaved test), "weights" as path_of
    """
    test, look = where.get("test", MAIN), where.get("look", "readings")
    found = readings(metrics, trial, look)
    over, left_out = yardstick(metrics, quantity, test)
    path = path_of(quantity, score, where.get("weights", "in_band"))
    whole = across_seeds(found, *path, over=over, over_left_out=left_out)
    return within_shares(whole) if quantity in (AP, FOUND) else whole


def scores_of(metrics: Mapping, trial: str) -> list[str]:
    """The scores that a trial was judged by."""
    first = next(iter(readings(metrics, trial).values()), {})
    return [score for score in SCORES if score in first]


def rows(metrics: Mapping) -> dict[str, dict[str, Any]]:
    """Every score of every trial that the record has: "TRIAL, SCORE" -> "given", "seeds", and a span by quantity."""
    return {
        f"{trial}, {score}": {"given": TRIALS[trial].given, "seeds": len(readings(metrics, trial))}
        | {quantity: span(metrics, trial, quantity, score) for quantity in QUANTITIES}
        for trial in TRIALS
        for score in scores_of(metrics, trial)
    }


def difference(metrics: Mapping, quantity: str, one: tuple[str, str], other: tuple[str, str], **where: Any) -> dict:
    """Span of one trial's quantity less another's, for the seeds that both have, on the same spectra.

    Parameters
    ----------
    one, other : (trial, score); for in-band errors the score says nothing
    where : "look" (one for both, or two), "weights" (one for both, or two)
    """
    looks, weights = (
        _two(where.get(name, default)) for name, default in (("look", "readings"), ("weights", "in_band"))
    )
    sides = [readings(metrics, side[0], look) for side, look in zip((one, other), looks, strict=True)]
    seeds = [seed for seed in sides[0] if seed in sides[1]]
    values, left_out = [], []
    for found, side, kind in zip(sides, (one, other), weights, strict=True):
        *path, last = path_of(quantity, side[1], kind)
        places = [found[seed] for seed in seeds]
        for key in path:
            places = [place[key] for place in places]
        values.append(np.array([place[last] for place in places], dtype=float))
        name = f"{last}_left_out"
        has_groups = all(isinstance(place, dict) and name in place for place in places)
        left_out.append(np.array([place[name] for place in places], dtype=float) if has_groups else None)
    over = yardstick(metrics, quantity)[0] if quantity in (IN_BAND, ENERGY) else 1.0
    groups = None if left_out[0] is None or left_out[1] is None else (left_out[0] - left_out[1]) / over
    return over_seeds((values[0] - values[1]) / over, groups)


def _two(value):
    return (value, value) if isinstance(value, str) else value


def families(metrics: Mapping, trial: str) -> dict[str, dict[str, dict]]:
    """AP on every family: family -> score -> span; {} where nothing was looked at beyond the training's noise."""
    found = readings(metrics, trial, "beyond")
    first: dict[str, dict] = next(iter(found.values()), {"families": {}})["families"]
    return {
        family: {score: within_shares(across_seeds(found, "families", family, score, "ap")) for score in by_score}
        for family, by_score in first.items()
    }


def other_segments(metrics: Mapping, trial: str) -> dict[str, dict[str, dict]]:
    """AP of the residual on spectra of other K: K -> "known" or "measured" -> span."""
    found = readings(metrics, trial, "beyond")
    first: dict[str, dict] = next(iter(found.values()), {"K": {}})["K"]
    return {
        n_segments: {how: within_shares(across_seeds(found, "K", n_segments, how, "ap")) for how in by_way}
        for n_segments, by_way in first.items()
    }


def passes(metrics: Mapping, trial: str) -> dict[str, dict[str, dict]]:
    """AP and in-band error (ln) by the number of passes."""
    found = readings(metrics, trial, "beyond")
    return {
        str(number): {
            "ap": within_shares(across_seeds(found, "passes", str(number), "residual", "ap")),
            "in_band": across_seeds(found, "passes", str(number), "in_band", "after"),
        }
        for number in PASSES
        if found and "passes" in next(iter(found.values()))
    }


def method_span(metrics: Mapping, method: str, test: str = MAIN) -> dict:
    """AP of a method without training over the limit's: a jackknife over spectra."""
    known = metrics["references"][test]["baselines"]["methods"]
    over, left_out = yardstick(metrics, AP, test)
    row = known[method]
    return within_shares(over_spectra(row["ap"] / over, np.array(row["ap_left_out"]) / np.array(left_out)))
