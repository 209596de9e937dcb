"""The network for unknown backgrounds against one of convolutions only: same inputs, labels, steps and parameters.

Writes runs/benchmarks/wide_cnn.json: both trained on the `wide` world alone for 2,500 steps, their
average precision per 10-bin cell on the locked wide test and on the second generator, and differences on the same draws
of spectra. The weights lie in runs/wide_cnn; training resumes.
"""

import time
from dataclasses import asdict, replace

import numpy as np
import torch

from evidence.benchmarks.script import options, write_record
from evidence.benchmarks.train_wide import SIMULATED
from evidence.benchmarks.wide import SETS, differences, judged, network_scores
from evidence.unknown import unknown_backgrounds as wide
from evidence.unknown.training import train_wide
from nblib.project.paths import runs_dir

CLASSICAL = "median 801, narrow"  # the best one on the tuning spectra: records/benchmarks/wide.json
KINDS = {"attention": True, "cnn": False}


def trained(kind: str, seed: int, steps: int, record: dict):
    """The network of one kind and seed; its parameters, settings and processor seconds go into the record."""
    config, begun = replace(SIMULATED, seed=seed, steps=steps, attends=KINDS[kind]), time.process_time()
    model = train_wide(config, runs_dir("wide_cnn", f"{kind}-seed{seed}-{steps}"), log=print)
    record.setdefault("trained", {})[f"{kind}, seed {seed}"] = {
        "config": asdict(config),
        "parameters": sum(value.numel() for value in model.parameters()),
        "processor seconds": time.process_time() - begun,  # near 0 where the run was there already
    }
    return model


def pairs(seeds) -> list[tuple[str, str]]:
    """Which methods are held against each other."""
    comparisons = []
    for seed in seeds:
        comparisons += [
            (f"attention, seed {seed}: {kind}", f"cnn, seed {seed}: {kind}") for kind in ("head", "strength")
        ]
        comparisons.append((f"attention, seed {seed}: attention", f"cnn, seed {seed}: head"))
        comparisons += [(f"{kind}, seed {seed}: head", CLASSICAL) for kind in KINDS]
    return comparisons


def compared(cells: dict, truth: list, seeds) -> tuple[dict, dict]:
    """Average precision of every method, and differences on the same draws of spectra."""
    scores, draws = judged(cells, truth)
    heads = [(f"attention, seed {seed}: head", f"cnn, seed {seed}: head") for seed in seeds]
    low, high = np.percentile(np.mean([draws[a] - draws[b] for a, b in heads], axis=0), [2.5, 97.5])
    middle = np.mean([scores[a]["ap"] - scores[b]["ap"] for a, b in heads])
    # the interval is over spectra, for these trained networks: other seeds are not in it
    mean = {"attention - cnn: head, mean of the seeds": {"difference": middle, "low": low, "high": high}}
    return scores, differences(pairs(seeds), scores, draws) | mean


def main() -> None:
    """Train what is missing, measure and write the record."""
    seeds, of_each = (1, "of training; each seed draws its own training spectra"), (0, "of each test; all if left out")
    given = options(__file__, __doc__, seeds=seeds, steps=2500, spectra=of_each)
    torch.set_num_threads(1)
    record: dict = {"seeds": given.seeds, "steps": given.steps}
    asked = [(kind, seed) for seed in range(given.seeds) for kind in KINDS]
    networks = {f"{kind}, seed {seed}": trained(kind, seed, given.steps, record) for kind, seed in asked}
    for name, make in SETS.items():
        spectra = make(given.spectra) if given.spectra else make()
        truth = wide.truth_of(spectra)
        cells = {CLASSICAL: wide.cells_of(wide.classical_methods()[CLASSICAL], spectra)}
        for label, model in networks.items():
            cells |= {f"{label}: {kind}": rows for kind, rows in network_scores(model, spectra, known=True).items()}
        scores, gains = compared(cells, truth, range(given.seeds))
        prevalence = float(np.concatenate(truth).mean())
        record[name] = {"spectra": len(spectra), "prevalence": prevalence, "scores": scores, "differences": gains}
        print(name, {key: round(row["ap"], 3) for key, row in scores.items()}, flush=True)
        print(gains, flush=True)
    write_record(__file__, record)


if __name__ == "__main__":
    main()
