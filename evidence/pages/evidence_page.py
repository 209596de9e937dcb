"""The numbers of docs/evidence.md's generated parts: every table of the evidence, from the record of notebook 06."""

import statistics
from collections import Counter
from typing import Any

from evidence import compared, looks
from evidence.aims import aims, verdict
from evidence.calibration import ALARM_RATES
from evidence.compared import AP, ENERGY, IN_BAND, MAIN
from evidence.story import TRIALS
from nblib.project.paths import benchmark_record
from nblib.project.records import committed_result, provenance, read_json

WEIGHTS = {"own": "in_band", "even": "in_band, even", "hidden": "in_band, hidden"}
REGIONS = {  # row -> trial and look: trainings that saw the region's surroundings, and those that did not
    "residual attention": ("residual attention", "region"),
    "residual attention, region left out": ("residual attention, region left out", "readings"),
    "label-free": ("label-free", "region"),
    "label-free, region left out": ("label-free, region left out", "readings"),
}


def numbers() -> dict[str, Any]:
    """Numbers and rows by the names that the page's templates ask for.

    Raises
    ------
    ValueError where the record is missing
    """
    record = committed_result("06_benchmark")
    metrics = record["metrics"]
    judged = [row | {"verdict": verdict(row)} for row in aims(metrics)]
    return {
        "methods": compared.methods(metrics),
        "rows": compared.rows(metrics),
        "differences": compared.differences(metrics),
        "weights": _weights(metrics),
        "uneven": _uneven(metrics),
        "settings": compared.reference(metrics, MAIN, "rivals").get("settings", {}),
        "ways": metrics["references"].get("ways", {}),
        "region": _region(metrics),
        "region_differences": compared.region_differences(metrics),
        "by_family": looks.by_family(metrics),
        "by_segments": looks.by_segments(metrics),
        "at_other_k": looks.at_other_k(metrics),
        "passes": {
            trial: rows
            for trial in ("residual attention", "masked mean", "masked mean, labels")
            if (rows := looks.passes(metrics, trial))
        },
        "probe": {trial: spans for trial in TRIALS if (spans := looks.probe(metrics, trial))},
        "strengths": looks.strengths(metrics),
        "alarms": {
            name: [row[f"false alarms at {rate:.0%}{other}"] for rate in ALARM_RATES for other in ("", ", welch_hann")]
            for name, row in looks.alarms(metrics).items()
        },
        "faithful": looks.faithful(metrics),
        "aims": judged,
        "times": times_of_readouts(),
        "judged": Counter((row["met"], row["sure"]) for row in judged),
        "limit": metrics["references"][MAIN]["baselines"]["methods"][compared.LIMIT]["ap"],
        "provenance": provenance(record),
        "record": f"records/{record['profile']}/{record['notebook']}.json",
    }


def times_of_readouts() -> dict[str, float]:
    """Medians of the benchmark of readouts, over the former recipe's or over residual attention's."""
    record = read_json(benchmark_record("readouts"))
    trained, read = record["over the former recipe"], record["read_ms"]
    ours, learnt = (statistics.median(read[name]) for name in ("residual attention", "queries and penalty"))
    return trained | {"read, queries": learnt / ours}


def _weights(metrics):
    rows = {
        trial: {way: compared.span(metrics, trial, IN_BAND, weights=key) for way, key in WEIGHTS.items()}
        for trial in TRIALS
    }
    return {trial: row for trial, row in rows.items() if row["even"]}


def _uneven(metrics):
    """In-band error with a model's own attention less that with even weights on what its residual does not flag."""
    where = {"weights": ("in_band", "in_band, even")}
    return {
        trial: compared.difference(metrics, IN_BAND, (trial, "residual"), (trial, "residual"), **where)
        for trial in _weights(metrics)
    }


def _region(metrics):
    rows = {}
    for name, (trial, look) in REGIONS.items() if compared.reference(metrics, "held_out", "baselines") else ():
        where = {"look": look, "test": "held_out"}
        if by_seed := compared.readings(metrics, trial, look):
            spans = {quantity: compared.span(metrics, trial, quantity, **where) for quantity in (AP, IN_BAND, ENERGY)}
            rows[name] = {"seeds": len(by_seed)} | spans
    return rows
