"""Injections into measured spectra: what the network adds to the classical detector.

Writes runs/benchmarks/network_injections.json. Needs $NBLIB_REAL_DATA and the networks' weights (NAME=FILE). Every
choice - the best single classical setting, the weight of the network - is made on the first stretch; scores are those
of the others.
"""

import argparse

import numpy as np
import torch

from evidence.unknown.background_baselines import (
    DetectorScores,
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
from evidence.unknown.network import SCORES, WideNetwork
from evidence.unknown.network_methods import network_cells
from nblib.cells import WIDE_CELL, cell_scores
from nblib.measured.statistic.score import add_evidence
from nblib.project.environment import run_conditions
from nblib.project.paths import benchmark_result, real_data_dir
from nblib.project.records import write_json
from nblib.training.checkpoints import load_checkpoint

WEIGHTS = (0.5, 1.0, 2.0, 4.0)
COMBINED = ("head", "attention")


class Remembered:
    """A method that scores the same spectra once."""

    def __init__(self, method):
        self.method, self.found = method, {}

    def __call__(self, freqs, psd, valid, n_segments):
        key = (len(psd), n_segments, psd[:, valid[0]].tobytes())
        if hash(key) not in self.found:
            self.found[hash(key)] = self.method(freqs, psd, valid, n_segments)
        return self.found[hash(key)]


def all_scores(model):
    """Every score of the network per bin, by kind."""

    def method(freqs, psd, valid, n_segments):
        rows = [network_cells(model, freqs, x, here, n_segments) for x, here in zip(psd, valid, strict=True)]
        bins = psd.shape[1]
        return {kind: np.repeat(np.stack([row[kind] for row in rows]), WIDE_CELL, axis=1)[:, :bins] for kind in SCORES}

    return Remembered(method)


def with_evidence(classical, scores, kind, weight):
    """The classical -ln p of a cell and the network's bounded evidence."""

    def method(freqs, psd, valid, n_segments):
        log_p = cell_scores(classical(freqs, psd, valid, n_segments), WIDE_CELL)
        log_odds = scores(freqs, psd, valid, n_segments)[kind][:, ::WIDE_CELL]
        return np.repeat(add_evidence(log_p, log_odds, weight), WIDE_CELL, axis=1)[:, : psd.shape[1]]

    return method


def only(scores, kind):
    """One score of the network."""
    return lambda *spectra: scores(*spectra)[kind]


def read_networks(entries):
    """All scores of each network, by the name it is given: NAME=FILE."""
    found = {}
    for name, _, path in (entry.partition("=") for entry in entries):
        model = WideNetwork()
        load_checkpoint(path, model)
        found[name] = all_scores(model.eval())
    return found


def with_networks(scores, classical, on_first):
    """The networks' scores and their sums with the classical detector; and what each weight reaches on_first."""
    methods, chosen = {}, {}
    for name, here in scores.items():
        methods |= {f"{name}: {kind}": only(here, kind) for kind in SCORES}
        for kind in COMBINED:
            sums = {weight: with_evidence(classical, here, kind, weight) for weight in WEIGHTS}
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
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("networks", nargs="+", help="NAME=FILE; the first also screens the places")
    parser.add_argument("--places", type=int, default=20)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    torch.set_num_threads(1)
    stretches = real_stretches(real_data_dir())
    bench, first = Benchmark(stretches, options.places, options.seed), stretches[0]
    scores = read_networks(options.networks)
    classical = DetectorScores().method("classical ranks")
    screen = only(next(iter(scores.values())), "head")
    screens = [running_median_filter(401, (1, 2, 3)), running_median_filter(101, (1,)), classical, calibrated_bank()]
    places = {here.name: bench.places(here, [*screens, screen]) for here in stretches}

    def on_first(method):
        row = table({"m": {first.name: bench.recalls(method, first, places[first.name])}})["m"]
        return float(np.mean(list(row.values())))

    singles = single_settings()
    tuning = {name: on_first(method) for name, method in singles.items()}
    best = max(tuning, key=tuning.get)
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
        "settings": {"seed": options.seed, "places": options.places},
    }
    write_json(benchmark_result("network_injections"), record | run_conditions())
    for name, row in record["held out"].items():
        print(f"{name:45s} {row}")
    print(record["first stretch"])


if __name__ == "__main__":
    main()
