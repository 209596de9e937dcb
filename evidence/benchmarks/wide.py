"""Unknown backgrounds: classical methods and the network on the locked wide test and on the second generator.

Writes runs/benchmarks/wide.json: average precision per 10-bin cell and its 95 % interval over spectra, settings
chosen on validation spectra, differences on the same draws of spectra. --classical alone needs no network.
"""

import time

import numpy as np
import torch

from evidence.benchmarks.script import options, write_record
from evidence.unknown import unknown_backgrounds as wide
from evidence.unknown.equal_alarms import RATES, found_draws, line_free
from evidence.unknown.network import WideNetwork, network_cells
from nblib.measured.statistic.network import load_weights
from nblib.measured.statistic.score import add_evidence
from nblib.project.environment import run_conditions
from nblib.project.paths import benchmark_record, benchmark_result
from nblib.project.records import read_json

SETS = {"wide": wide.locked_test, "second": wide.second_test}


def judged(cells: dict[str, list], truth: list) -> tuple[dict[str, dict], dict[str, np.ndarray]]:
    """Average precision of every method with its interval, and the draws behind it, which differences need."""
    draws = {key: wide.precision_draws(rows, truth) for key, rows in cells.items()}
    intervals = {key: np.percentile(values, [2.5, 97.5]) for key, values in draws.items()}
    return {key: {"ap": wide.cell_precision(cells[key], truth), "interval": intervals[key]} for key in cells}, draws


def differences(pairs, scores: dict[str, dict], draws: dict[str, np.ndarray]) -> dict[str, dict[str, float]]:
    """Differences of two average precisions with their intervals, spectra drawn again together."""
    bounds = {(a, b): np.percentile(draws[a] - draws[b], [2.5, 97.5]) for a, b in pairs}
    return {
        f"{a} - {b}": {"difference": scores[a]["ap"] - scores[b]["ap"], "low": low, "high": high}
        for (a, b), (low, high) in bounds.items()
    }


def network_scores(model, spectra, known):
    """Every score that the network has, by kind, per spectrum and cell."""
    rows = [network_cells(model, row.freqs, row.psd, row.valid, row.n_segments if known else None) for row in spectra]
    return {kind: [row[kind] for row in rows] for kind in rows[0]}


def classical(record):
    """Tune on validation spectra; score every setting on both tests; returns the cells of the best and of the bank."""
    tuning = wide.tuning_set()
    truth = wide.truth_of(tuning)
    methods = wide.classical_methods()
    record["tuning"] = {name: wide.cell_precision(wide.cells_of(m, tuning), truth) for name, m in methods.items()}
    record["best"] = max((name for name in methods if name != "bank"), key=record["tuning"].get)
    for name, spectra in ((key, make()) for key, make in SETS.items()):
        truth = wide.truth_of(spectra)
        record.setdefault("prevalence", {})[name] = float(np.concatenate(truth).mean())
        cells = {method: wide.cells_of(score, spectra) for method, score in methods.items()}
        record.setdefault(name, {}).update(judged(cells, truth)[0])
        print(name, record[name], flush=True)


def with_networks(record, networks):
    """Networks alone and as evidence beside the bank, and their differences from the best classical method."""
    methods = wide.classical_methods()
    for name, make in SETS.items():
        spectra = make()
        truth = wide.truth_of(spectra)
        cells = {key: wide.cells_of(methods[key], spectra) for key in (record["best"], "bank")}
        for label, model in networks.items():
            begun = time.process_time()
            known = network_scores(model, spectra, known=True)
            record.setdefault("milliseconds a spectrum", {})[name] = (time.process_time() - begun) / len(spectra) * 1e3
            cells |= {f"{label}: {kind}": rows for kind, rows in known.items()}
            unknown = network_scores(model, spectra, known=False)
            cells |= {f"{label}: {kind}, K unknown": unknown[kind] for kind in ("attention", "head")}
            both = zip(cells["bank"], known["head"], strict=True)
            cells[f"bank + 2 x {label}: head"] = [add_evidence(log_p, log_odds, 2.0) for log_p, log_odds in both]
        scores, draws = judged(cells, truth)
        record[name] |= scores
        best = max((record["best"], "bank"), key=lambda key: record[name][key]["ap"])
        pairs = [(key, best) for key in cells if key not in (record["best"], "bank")]
        record.setdefault("differences", {}).setdefault(name, {}).update(differences(pairs, scores, draws))
        print(name, {key: round(record[name][key]["ap"], 3) for key in cells}, flush=True)
        print(record["differences"][name], record["milliseconds a spectrum"], flush=True)


def tried(record, networks):
    """Networks on tuning spectra: their scores, and attention over even attention instead of a clean cell's.

    What is recorded of others, whose weights are gone, stays.
    """
    spectra = wide.tuning_set()
    truth = wide.truth_of(spectra)
    for label, model in networks.items():
        cells = network_scores(model, spectra, known=True)
        even = "attention over even attention"
        cells[even] = [row + np.log(np.nanmean(np.exp(-row))) for row in cells["attention"]]
        row = {key: wide.cell_precision(rows, truth) for key, rows in cells.items()}
        record.setdefault("tried", {})[label] = row | {"commit": run_conditions()["commit"]}
        print(label, record["tried"][label], flush=True)


def read_networks(entries):
    """Networks by name: NAME=FILE, a checkpoint or weights alone."""
    networks = {}
    for name, _, weights in (entry.partition("=") for entry in entries):
        networks[name] = WideNetwork()
        networks[name].load_state_dict({key: torch.from_numpy(row) for key, row in load_weights(weights).items()})
        networks[name].eval()
    return networks


def shipped(record):
    """The shipped detector and its parts, and the filter bank alone again; differences from the best classical one."""
    best = wide.classical_methods()[record["best"]]
    for name, make in SETS.items():
        spectra = make()
        truth = wide.truth_of(spectra)
        cells = wide.detector_cells(spectra) | {record["best"]: wide.cells_of(best, spectra)}
        scores, draws = judged(cells, truth)
        record[name] |= scores | {"bank": scores["its classical part"]}
        detector, part = wide.DETECTOR[:2]
        pairs = [(detector, part)] + [(key, record["best"]) for key in wide.DETECTOR if key != part]
        record.setdefault("differences", {}).setdefault(name, {}).update(differences(pairs, scores, draws))
        print(name, record["differences"][name], flush=True)
        print(name, {key: round(row["ap"], 3) for key, row in scores.items()}, flush=True)


def alarms(record):
    """Noisy cells found by the detector, its parts and the best classical setting at equal rates of false alarms."""
    best = record["best"]
    classical_best = wide.classical_methods()[best]
    for name, make in SETS.items():
        noisy, quiet = make(), line_free(name)
        truth = wide.truth_of(noisy)
        cells, below = (
            wide.detector_cells(spectra) | {best: wide.cells_of(classical_best, spectra)} for spectra in (noisy, quiet)
        )
        rows = record.setdefault("equal alarms", {})[name] = {"line-free spectra": len(quiet)}
        for rate in RATES:
            draws = {key: found_draws(cells[key], truth, below[key], rate) for key in cells}
            scores = {key: {"found": row[0], "interval": np.percentile(row, [2.5, 97.5])} for key, row in draws.items()}
            gain = draws[wide.DETECTOR[0]] - draws[best]
            low, high = np.percentile(gain, [2.5, 97.5])
            rows[f"{rate:.0%}"] = scores | {"difference": {"difference": gain[0], "low": low, "high": high}}
        print(name, rows, flush=True)


def main() -> None:
    """Measure and write the record."""
    files = {"nargs": "*", "default": []}
    asked = options(
        __file__,
        __doc__,
        classical=(False, "score the classical methods"),
        shipped=(False, "score the shipped detector and its parts"),
        alarms=(False, "noisy cells found at equal rates of false alarms"),
        tried=(files, "NAME=FILE of networks scored on tuning spectra alone"),
        networks=(files, "NAME=FILE of networks' weights, scored beside them"),
    )
    torch.set_num_threads(1)
    path = benchmark_result("wide")
    before = path if path.exists() else benchmark_record("wide")  # scores of other methods stay
    record = read_json(before) if before.exists() and not asked.classical else {}
    if asked.classical:
        classical(record)
    if asked.shipped:
        shipped(record)
    if asked.alarms:
        alarms(record)
    if asked.tried:
        tried(record, read_networks(asked.tried))
    if asked.networks:
        with_networks(record, read_networks(asked.networks))
    write_record(__file__, record)


if __name__ == "__main__":
    main()
