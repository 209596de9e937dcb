"""The numbers of the README's generated parts: the answer, the notebooks and what did not work, from records."""

import statistics
from typing import Any

import numpy as np

from evidence import tables
from evidence.claims import SHAPES, over_pairs
from evidence.pages.unknown_page import BOTH, CLASSICAL
from evidence.tables import across_seeds
from evidence.trials import CLAIMED
from nblib.project.paths import benchmark_record
from nblib.project.records import committed_result, provenance, read_json
from nblib.simulation.physics import E_ALPHA_GRID, PUBLISHED_FREQS
from nblib.training.config import TrainConfig

OF_RUN = (  # what `make run` executes
    "00_data",
    "01_baseline_mask_prediction",
    "02_simple_regularizer",
    "03_full_attention_regularizer",
    "04_attention_heatmaps",
)


def numbers() -> dict[str, Any]:
    """Numbers by the names that the README's templates ask for.

    Raises
    ------
    ValueError where a record is missing
    """
    evidence = committed_result("06_benchmark")
    return {
        **_answer(evidence),
        **_unknown(),
        **_setbacks(evidence["metrics"], committed_result("05_lambda_sweep")["metrics"]),
        **_notebooks(),
        "spectra": TrainConfig(),
        "n_bins": len(PUBLISHED_FREQS),
    }


def _answer(evidence):
    """Notebook 06: detection, energies and the tests of the explanation, spans over seeds."""
    metrics = evidence["metrics"]
    free = metrics["trials"]["label-free"].values()
    return {
        "detection": tables.detection_table(metrics),
        "worst_label_free": min(row["attention"]["ap"] for row in free),
        "n_label_free": len(free),
        "energies": tables.energy_table(metrics),
        "ea_error": metrics["baselines"]["energies"]["refit, amplitudes free"][0],
        "ea_guess": np.ptp(E_ALPHA_GRID) / 4,  # mean distance of a uniform draw from the middle
        "faithful": tables.faithfulness_table(metrics),
        "record": f"records/{evidence['profile']}/{evidence['notebook']}.json",
        "provenance": provenance(evidence),
    }


def _unknown():
    """Unknown backgrounds: simulated ones, and lines injected into measured ones."""
    wide, injected, detector = (
        read_json(benchmark_record(name)) for name in ("wide", "network_injections", "injections")
    )
    return {
        "wide": wide["wide"],
        "wide_best": wide["best"],
        "attention_alone": injected["differences"][f"real stretch: attention - {CLASSICAL}"]["1%"],
        "network_adds": injected["differences"][f"{BOTH} - {CLASSICAL}"]["1%"],
        "network_adds_elsewhere": detector["differences"]["shipped detector - its classical part"]["1%"],
    }


def _setbacks(metrics, sweep):
    """What did not work: penalties, noise that training did not show, another estimator, restoration."""
    baselines, trials = metrics["baselines"], metrics["trials"]
    alone = {name: seeds for name in baselines["families"] if (seeds := tables.trained_on(metrics, name))}
    limit = {"over": baselines["fit in-band"], "over_left_out": baselines["fit in-band left_out"]}
    return {
        "full_length": {point: row["ap"]["iqm"] for point, row in sweep["full table"].items()},
        "single": {
            name: across_seeds(trials["simulated labels"], "families", name, "ap") for name in baselines["families"]
        },
        "medians": {name: row["running median"]["ap"] for name, row in baselines["families"].items()},
        "alone": {name: across_seeds(seeds, "families", name, "ap") for name, seeds in alone.items()},
        "over_alone": {
            name: over_pairs(trials[SHAPES], seeds, "families", name, "ap") for name, seeds in alone.items()
        },
        "alarms": [tables.alarm_table(metrics)[trial]["false alarms at 1%, welch_hann"]["iqm"] for trial in CLAIMED],
        "in_band": {
            trial: across_seeds(seeds, "in_band", "after", **limit)
            for trial, seeds in trials.items()
            if "in_band" in next(iter(seeds.values()))
        },
    }


def _notebooks():
    """How long the quick runs of `make run` took, and its short ones."""
    records = {name: committed_result(name) for name in OF_RUN}
    return {
        "minutes": {name: record["wall_seconds"] / 60 for name, record in records.items()},
        "total_minutes": sum(record["wall_seconds"] for record in records.values()) / 60,
        "machines": sorted(
            {f"{row['hardware']['processor']}, {row['hardware']['cores']} cores" for row in records.values()}
        ),
        "brief_minutes": statistics.median(read_json(benchmark_record("busy"))["seconds"]["idle"]) / 60,
    }
