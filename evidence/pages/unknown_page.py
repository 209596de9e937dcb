"""The numbers of docs/unknown.md's generated parts: simulated and measured unknown backgrounds, from the benchmarks."""

from collections import Counter
from typing import Any

from evidence.benchmarks.left_out import SIMULATED, UNMET
from evidence.pages.rendering import interval
from evidence.unknown.flag_labels import LABELS, UNLABELLED
from evidence.unknown.left_out import FACTORS, MEASURED, SCATTER, WEAK_SEGMENTS
from evidence.unknown.measured_rivals import CONSTANT_Q, FAMILIES, MEDIAN
from evidence.unknown.measured_spectra import table_of_spectra
from evidence.unknown.measured_trials import (
    BY_HEIGHT,
    BY_SNR,
    DETECTOR,
    MEDIAN_ODDS,
    WIDTHS,
    by_instrument,
    of_the_chosen,
)
from nblib.project.paths import benchmark_record
from nblib.project.records import read_json

BENCHMARKS = ("wide", "measured", "wide_cnn", "multitaper", "flag_labels", "left_out")
TESTS, AREAS, KINDS = ("wide", "second"), ("1%", "5%"), (BY_HEIGHT, BY_SNR)
COPIES = {  # of the measured spectra and of the lines -> where the record has them
    "as measured": ("summary",),
    "fixed signal-to-noise ratio": ("at fixed SNR",),
    "ends cut off": ("ends cut, summary", "height"),
    "ends cut off, fixed signal-to-noise ratio": ("ends cut, summary", "SNR"),
    "averaged into bands": ("log-averaged, summary", "height"),
    "averaged into bands, fixed signal-to-noise ratio": ("log-averaged, summary", "SNR"),
}


def numbers() -> dict[str, Any]:
    """Numbers and rows by the names that the page's templates ask for.

    Raises
    ------
    ValueError where a record is missing
    """
    records = {name: read_json(benchmark_record(name)) for name in BENCHMARKS}
    return {
        **_simulated(records["wide"]),
        "instruments": _instruments(records["measured"]),
        "earlier": earlier_version(records["measured"]),
        "cnn": records["wide_cnn"],
        "cnn_differences": _by_seed(records["wide_cnn"]),
        "multitaper": records["multitaper"],
        **_multitaper(records["multitaper"]["found"]),
        "flag_labels": _flag_labels(records["flag_labels"]),
        "left_out": _left_out(records["left_out"]),
    }


def _simulated(record):
    """Average precision on both simulated worlds, attention over the best classical setting, and networks tried."""
    best = record["best"]
    name = "network, attention"
    return {
        "best": best,
        "best_tuning": record["tuning"][best],
        "chance": record["prevalence"],
        "ap": {test: {key: (row["ap"], *row["interval"]) for key, row in record[test].items()} for test in TESTS},
        "gains": {name: {test: record["differences"][test][f"{name} - {best}"] for test in TESTS}},
        "alarms": {
            key: [(row[key]["found"], *row[key]["interval"]) for test in TESTS for row in _by_area(record, test)]
            for key in ("shipped detector", "its classical part", "network, token head", best)
        },
        "alarm_gains": [row["difference"] for test in TESTS for row in _by_area(record, test)],
        "n_line_free": record["equal alarms"][TESTS[0]]["line-free spectra"],
        "networks": dict(sorted(record["tried"].items(), key=lambda item: item[1]["head"])),
    }


def _by_area(record, test):
    """What is found at equal rates of false alarms, by rate."""
    return [record["equal alarms"][test][area] for area in AREAS]


def instrument_rows(record: dict, copy: str, area: str) -> dict[str, dict[str, float]]:
    """Paired differences of recall over instruments, by pair of methods, as spans.

    Parameters
    ----------
    record : of `measured`
    copy : one of COPIES
    """
    summary = record
    for key in COPIES[copy]:
        summary = summary[key]
    return {
        pair: {"iqm": row["mean"], "low": row["low"], "high": row["high"]}
        for pair, row in summary["differences"][area].items()
    }


def _instruments(record):
    """Lines injected into the spectra of many instruments: record of `measured`."""
    summary, flags = record["summary"], record["flags"].values()
    one, five = (summary["recall"][area] for area in AREAS)
    counted = [next(iter(summary["differences"][area].values()))["instruments"] for area in AREAS]
    return {
        "spectra": len(record["spectra"]),
        "n": counted[1],
        "counted": counted,
        "by_width": _by_width(record),
        "sites": record["settings"]["sites"],
        "recall": sorted(
            (
                (name, (one[name], five[name]), [_of_most_folds(summary["chosen"][area], name) for area in AREAS])
                for name in one
                if name != "shipped"
            ),
            key=lambda row: -sum(row[1]),
        ),
        "differences": {
            copy: {
                pair: [interval(instrument_rows(record, copy, area)[pair]) for area in AREAS]
                for pair in summary["differences"][AREAS[0]]
            }
            for copy in COPIES
        },
        "libraries": sorted(record["libraries, summary"].items(), key=lambda row: -sum(row[1].values())),
        "shipped": [one["shipped"], five["shipped"]],
        "flags": [sum(row[area] for row in flags) / len(flags) for area in AREAS],
    }


def earlier_version(record: dict) -> list[dict]:
    """The earlier version of the detector at the same sites: one row, none where the record of `measured` lacks it."""
    row = record.get("earlier", {})
    if "differences" not in row:
        return []
    one, five = (row["recall"][area] for area in AREAS)
    return [
        {
            "commit": row["commit"],
            "recall": {name: (one[name], five[name]) for name in one},
            "in_hindsight": [row["in hindsight"][area] for area in AREAS],
            "differences": {
                pair: [row["differences"][area][pair] for area in AREAS] for pair in row["differences"][AREAS[0]]
            },
        }
    ]


def _of_most_folds(chosen, name):
    """What most folds chose for a family or for the rival of all, and how many did; nothing for another method."""
    if name not in chosen:
        return ""
    (setting, number), *_ = Counter(chosen[name].values()).most_common()
    return f"{setting.removeprefix(f'{name}: ')} ({number} of {len(chosen[name])})"


def _by_width(record):
    """Recall of lines of one width, mean over instruments: width -> method -> by area."""
    table = table_of_spectra()
    instruments = {name: row["group"] for name, row in table.items()}
    folds = {row["group"]: row["fold"] for row in table.values()}
    rows: dict[str, dict[str, list[float]]] = {}
    for width in WIDTHS:
        of_width = {
            spectrum: {
                method: {line: row for line, row in lines.items() if line.startswith(f"{width:g}, ")}
                for method, lines in methods.items()
            }
            for spectrum, methods in record["spectra"].items()
        }
        for area in AREAS:
            chosen = {int(fold): name for fold, name in record["summary"]["chosen"][area][CONSTANT_Q].items()}
            names = (DETECTOR, MEDIAN, MEDIAN_ODDS, *FAMILIES[CONSTANT_Q])
            values = {name: by_instrument(of_width, instruments, name, area) for name in names}
            judged = {instrument: folds[instrument] for instrument in values[DETECTOR]}
            values[CONSTANT_Q] = of_the_chosen(values, judged, chosen)
            for method in (DETECTOR, MEDIAN, MEDIAN_ODDS, CONSTANT_Q):
                mean = sum(values[method].values()) / len(values[method])
                rows.setdefault(f"{width:g}", {}).setdefault(method, []).append(mean)
    return rows


def _by_seed(record):
    """Attention less the head of the convolutions, by seed, readout and test."""
    return [
        {
            kind: {
                test: record[test]["differences"][f"attention, seed {seed}: {kind} - cnn, seed {seed}: head"]
                for test in TESTS
            }
            for kind in ("head", "attention")
        }
        for seed in range(record["seeds"])
    ]


def _multitaper(disturbances):
    """The largest share that chance finds in any row, and the largest that both tests together lose to the detector."""
    methods = alone, _, both = "detector", "F test", "detector or F test"
    return {
        "most_by_chance": {
            area: {name: max(row[area][name]["chance"] for row in disturbances.values()) for name in methods}
            for area in AREAS
        },
        "most_lost": max(
            row[area][alone]["share"] - row[area][both]["share"] for row in disturbances.values() for area in AREAS
        ),
    }


def _flag_labels(record):
    """Number of flags by label and the share of structure with its interval, the present detector first."""
    now, names = record["now"], (*LABELS, UNLABELLED)
    every = {"this detector": now} | {name: row for name, row in record["when labelled"].items() if row != now}
    counts = {name: [row["labels"][label] for label in names] for name, row in every.items()}
    return {
        "meanings": LABELS,
        "rows": {name: (row["flags"], counts[name], _share(row["structure"])) for name, row in every.items()},
    }


def _left_out(record):
    """What networks add on instruments that they never met, by network and weight, and what bounds it."""
    added, networks = record["added"], [SIMULATED, UNMET]
    return {
        "networks": networks,
        "added": [
            {
                "network": network,
                "factor": f"{factor:g}",
                "cells": [added[kind][area][f"{network}, {factor:g} times"] for kind in KINDS for area in AREAS],
            }
            for network in networks
            for factor in FACTORS
        ],
        "chosen": [
            {"network": network, "cells": [record["chosen"][area][network]["added"] for area in AREAS]}
            for network in networks
        ],
        "classical": [[record["classical"][KINDS[0]][area][name] for name in (MEASURED, SCATTER)] for area in AREAS],
        "limiting": [record["limiting"][area][UNMET]["mean"] for area in AREAS],
        "weak": [[record["weak lines"][name][f"K = {k}"] for k in WEAK_SEGMENTS] for name in networks],
        "labels": [
            {"label": label} | {network: row[network]["mean"] for network in networks}
            for label, row in record["labels"].items()
        ],
    }


def _share(one):
    """A share with its interval, in percent."""
    return f"{one['share']:.1%} [{one['low']:.1%}, {one['high']:.1%}]"
