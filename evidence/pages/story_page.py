"""The numbers of docs/story.md's generated parts, from the record of benchmarks/story.py."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from evidence import compared
from evidence.compared import AP, ENERGY, FOUND, IN_BAND, MAIN
from evidence.rivals import GIVEN, SEGMENTS
from evidence.rivals import LIMIT as IDEAL
from evidence.story import TRIALS
from evidence.tables import across_seeds
from nblib.project.paths import benchmark_record
from nblib.project.records import provenance, read_json
from nblib.scoring.metrics import over_spectra
from nblib.simulation.noise import families_judged

PAIRS = (  # of trials, by the scores that each is read with
    (("residual attention", "residual"), ("label-free", "attention")),
    (("residual attention", "residual"), ("label-free", "residual")),
    (("residual attention", "residual"), ("masked mean", "residual")),
    (("residual attention", "residual"), ("simulated labels", "attention")),
    (("label-free", "attention"), ("no penalty", "attention, standardised")),
    (("simulated labels", "attention"), ("no penalty", "attention, standardised")),
    (("simulated labels", "residual"), ("no penalty", "residual")),
    (("label-free", "residual"), ("no penalty, label-free", "residual")),
)
FAMILY_SCORES = ("attention", "residual", "own widths", "bank")
RIVAL_SCORES = ("posterior", "matched filter", "bank")
WEIGHTS = {"own": "in_band", "even": "in_band, even", "hidden": "in_band, hidden"}


def numbers() -> dict[str, Any]:
    """Numbers and rows by the names that the page's templates ask for.

    Raises
    ------
    ValueError where the record is missing
    """
    record = read_json(benchmark_record("story"))
    metrics = record["metrics"]
    rivals = metrics["references"][MAIN].get("rivals", {})  # measured after the first trainings
    limits = [rivals[IDEAL]["score"]["detected at 1%"]] if rivals else []
    return {
        "limits": [{"given": GIVEN[IDEAL], "found": found} for found in limits],
        "methods": {name: _method(metrics, name) for name in rivals if name in GIVEN and name != IDEAL},
        "rows": compared.rows(metrics),
        "differences": dict(filter(None, (_difference(metrics, *pair) for pair in PAIRS))),
        "weights": _weights(metrics),
        "settings": rivals.get("settings", {}),
        "region": _region(metrics),
        "probe": _probe(metrics),
        "provenance": provenance(record | {"profile": "quick"}),
    } | _beyond(metrics, rivals)


def _method(metrics: Mapping, name: str) -> dict[str, Any]:
    row = metrics["references"][MAIN]["rivals"][name]
    limit, left_out = compared.yardstick(metrics, AP)
    clean = compared.yardstick(metrics, ENERGY)[0]
    return {
        "given": GIVEN[name],
        "ap": over_spectra(row["score"]["ap"] / limit, np.array(row["score"]["ap_left_out"]) / np.array(left_out)),
        "found": row["score"]["detected at 1%"],
        "in_band": f"{row['in_band']['over the fit']:.2f}" if "in_band" in row else "",
        "energy": row["energies"]["kept bins"][0] / clean,
    }


def _difference(metrics, one, other):
    if not set(compared.readings(metrics, one[0])) & set(compared.readings(metrics, other[0])):
        return None
    if one[1] not in compared.scores_of(metrics, one[0]) or other[1] not in compared.scores_of(metrics, other[0]):
        return None
    names = {"AP": AP, "found": FOUND, "in_band": IN_BAND}
    rows = {name: compared.difference(metrics, quantity, one, other) for name, quantity in names.items()}
    return f"{one[0]}, {one[1]} less {other[0]}, {other[1]} ({rows['AP']['n']} seeds)", rows


def _weights(metrics):
    trials = [
        trial for trial in TRIALS if "in_band, even" in next(iter(compared.readings(metrics, trial).values()), {})
    ]
    return {
        trial: {way: compared.span(metrics, trial, IN_BAND, weights=key) for way, key in WEIGHTS.items()}
        for trial in trials
    }


def _region(metrics):
    """Trainings that saw the region's surroundings and those that did not, on the same spectra of the region."""
    if "baselines" not in metrics["references"].get("held_out", {}):
        return {}
    looks = {
        "residual attention": ("residual attention", "region"),
        "residual attention, region left out": ("residual attention, region left out", "readings"),
        "label-free": ("label-free", "region"),
        "label-free, region left out": ("label-free, region left out", "readings"),
    }
    return {
        name: {"seeds": len(compared.readings(metrics, trial, look))}
        | {
            quantity: compared.span(metrics, trial, quantity, look=look, test="held_out")
            for quantity in (AP, IN_BAND, ENERGY)
        }
        for name, (trial, look) in looks.items()
        if compared.readings(metrics, trial, look)
    }


def _beyond(metrics, rivals):
    families, segments = list(families_judged("single_line")), [str(k) for k in SEGMENTS]
    by_family = [
        {"trained": rival, "score": score, "spans": spans}
        for rival in ("spline", "components")
        for score in (RIVAL_SCORES if rivals else ())
        for spans in [[{"iqm": rivals[rival]["families"][family][score]["ap"]} for family in families]]
    ]
    by_segments = []
    for rival in ("spline", "spline, K measured", "components", "components, K measured") if rivals else ():
        spans = [{"iqm": rivals["segments"][k][rival]["ap"]} for k in segments]
        by_segments.append({"trained": f"{rival}, fitted at that K", "spans": spans})
    for trial in TRIALS:
        found = compared.families(metrics, trial)
        for score in FAMILY_SCORES if found else ():
            spans = [found[family][score] for family in families]
            by_family.append({"trained": trial, "score": score, "spans": spans})
        other = compared.other_segments(metrics, trial)
        for how in ("known", "measured") if other else ():
            by_segments.append({"trained": f"{trial}, K {how}", "spans": [other[k][how] for k in segments]})
    return {
        "families": families,
        "by_family": by_family,
        "segments": segments,
        "by_segments": by_segments,
        "passes": compared.passes(metrics, "residual attention"),
    }


def _probe(metrics):
    bound = metrics["references"][MAIN]["baselines"]["energies"]["bound, truly clean bins"]
    rows = {trial: compared.readings(metrics, trial, "beyond") for trial in TRIALS}
    return {
        trial: [across_seeds(found, "linear probe", "error", number, over=bound[number]) for number in range(2)]
        for trial, found in rows.items()
        if found
    }
