"""Injections into measured spectra: what the network adds to the classical detector.

Writes runs/benchmarks/network_injections.json. Needs $NBLIB_REAL_DATA and the networks' weights (NAME=FILE). Every
choice - the best single classical setting, the weight of the network - is made on the first stretch; scores are those
of the others.
"""

import numpy as np
import torch

from evidence.benchmarks.script import options, write_record
from evidence.benchmarks.wide import read_networks
from evidence.unknown.background_baselines import (
    DetectorScores,
    SharedScores,
    calibrated_bank,
    iterated_clipping,
    running_median_filter,
    single_settings,
)
from evidence.unknown.injections import (
    AREAS,
    Benchmark,
    by_stretch,
    paired_difference,
    places_used,
    real_stretches,
    table,
)
from evidence.unknown.network import CELL_SCORES, WideNetwork, network_cells
from nblib.cells import WIDE_CELL, cell_scores
from nblib.measured.statistic.score import add_evidence

WEIGHTS = (0.5, 1.0, 2.0, 4.0)
COMBINED = ("head", "attention")


class NetworkScores(SharedScores):
    """Every score of the network per bin, as methods."""

    NAMES = CELL_SCORES

    def __init__(self, model: WideNetwork):
        super().__init__()
        self.model = model

    def _compute(self, freqs, psd, valid, n_segments):
        found = network_cells(self.model, freqs, psd, valid, n_segments)
        return [np.repeat(found[kind], WIDE_CELL)[: len(psd)] for kind in self.NAMES]


def with_evidence(classical, scores, weight):
    """The classical -ln p of a cell and the network's bounded evidence."""

    def method(freqs, psd, valid, n_segments):
        log_p = cell_scores(classical(freqs, psd, valid, n_segments), WIDE_CELL)
        log_odds = scores(freqs, psd, valid, n_segments)[:, ::WIDE_CELL]
        return np.repeat(add_evidence(log_p, log_odds, weight), WIDE_CELL, axis=1)[:, : psd.shape[1]]

    return method


def with_networks(scores, classical, on_first):
    """The networks' scores and their sums with the classical detector; and what each weight reaches on_first."""
    methods, chosen = {}, {}
    for name, here in scores.items():
        methods |= {f"{name}: {kind}": here.method(kind) for kind in CELL_SCORES}
        for kind in COMBINED:
            sums = {weight: with_evidence(classical, here.method(kind), weight) for weight in WEIGHTS}
            found = {weight: on_first(method) for weight, method in sums.items()}
            chosen[f"{name}: {kind}"] = {f"{weight:g}": value for weight, value in found.items()}
            methods[f"classical detector + {name}: {kind}"] = sums[max(found, key=found.get)]
            methods |= {f"classical detector + {w:g} x {name}: {kind}": method for w, method in sums.items()}
    return methods, chosen


def by_width(recalls):
    """Mean recall at each area, by method and width."""
    found = {}
    for name, by in recalls.items():
        rows = [(width, values) for stretch in by.values() for (width, _), values in stretch.items()]
        found[name] = {
            f"{width:g}": [float(np.mean([np.nanmean(v[area]) for w, v in rows if w == width])) for area in AREAS]
            for width in sorted({w for w, _ in rows})
        }
    return found


def differences(recalls):
    """Paired differences (mean, low, high) of every method to three others, by area."""
    return {
        f"{name} - {other}": {f"{area:.0%}": paired_difference(recalls[name], recalls[other], area) for area in AREAS}
        for name in recalls
        for other in ("classical detector", "best single setting", "running median 401, narrow")
        if name != other
    }


def main() -> None:
    """Measure and write the record."""
    files = {"nargs": "+", "required": True, "help": "NAME=FILE; the first also screens the places"}
    asked = options(__file__, __doc__, networks=files, places=20, seed=0)
    torch.set_num_threads(1)
    stretches = real_stretches()
    bench, first = Benchmark(stretches, asked.places, asked.seed), stretches[0]
    scores = {name: NetworkScores(model) for name, model in read_networks(asked.networks).items()}
    classical = DetectorScores().method("classical scores")
    screen = next(iter(scores.values())).method("head")
    screens = [running_median_filter(401, (1, 2, 3)), running_median_filter(101, (1,)), classical, calibrated_bank()]
    places = {here.name: bench.places(here, [*screens, screen]) for here in stretches}

    def on_first(method):
        row = table({"m": {first.name: bench.recalls(method, first, places[first.name])}})["m"]
        return float(np.mean(list(row.values())))

    singles = single_settings()
    tuning = {name: on_first(method) for name, method in singles.items()}
    best = max(tuning, key=lambda name: tuning[name])
    networks, chosen = with_networks(scores, classical, on_first)
    methods = {
        "classical detector": classical,
        "best single setting": singles[best],
        "running median 401, narrow": singles["running median 401, narrow"],
        "calibrated bank on running medians": calibrated_bank(),
        "clipping 401, narrow": iterated_clipping(401, (1, 2, 3)),
    } | networks
    recalls = {
        name: {here.name: bench.recalls(method, here, places[here.name]) for here in stretches[1:]}
        for name, method in methods.items()
    }
    record = {
        "first stretch": {"singles": tuning, "best single setting": best, "weights": chosen},
        "held out": table(recalls),
        "by stretch": by_stretch(recalls),
        "by width": by_width(recalls),
        "differences": differences(recalls),
        "places": places_used(places),
        "settings": {"seed": asked.seed, "places": asked.places},
    }
    write_record(__file__, record)
    for name, row in record["held out"].items():
        print(f"{name:45s} {row}")
    print(record["first stretch"])


if __name__ == "__main__":
    main()
