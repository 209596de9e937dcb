"""Cells left out of a fit of the energies: which score and threshold cost what. `make bench`

Every row is the mean error of the fitted energies where a detector's cells are left out, over that on the truly clean
bins, on validation spectra; thresholds from line-free validation spectra. Models of notebook 06, three seeds. Writes
runs/benchmarks/energies.json.
"""

import argparse
from functools import partial
from pathlib import Path

import numpy as np

from evidence.assessments import energies_on_kept
from evidence.calibration import combined_score
from evidence.energies import energy_error, fit_energies
from evidence.test_sets import line_free, measured
from evidence.trials import TRIALS
from nblib import TrainConfig, train_many
from nblib.assessment import held_out
from nblib.prediction import predict
from nblib.project.environment import run_conditions
from nblib.project.parallel import map_side_by_side
from nblib.project.paths import benchmark_result
from nblib.project.profiles import get_profile
from nblib.project.records import write_json
from nblib.scoring.metrics import threshold_at
from nblib.training.loop import load_run

FAMILY = "single_line"
VARIANTS = ("simulated labels", "label-free")
RATES = (0.5, 0.2, 0.1, 0.05, 0.01)  # false alarms a line-free spectrum
CLEAN_SHARE = 0.75  # quantile of a spectrum's attention scores that a clean cell has


def relative(scores):
    """Attention over what a clean cell of the same spectrum gets, not over even attention."""
    return scores - np.quantile(scores, 1 - CLEAN_SHARE, axis=1, keepdims=True)


def errors(folder: Path, n_spectra: int) -> dict[str, dict[str, np.ndarray]]:
    """Mean errors of Ea and Eb over those on truly clean bins, by score and rate."""
    result = load_run(folder)
    data = held_out(result.config, FAMILY, n_spectra, "validation")
    test = predict(result.model, data)
    free = predict(result.model, line_free(result.config, n_spectra, "validation"))
    pairs = {
        "attention": (test.attention(), free.attention()),
        "attention over a clean cell's": (relative(test.attention()), relative(free.attention())),
        "residual": (test.residual(), free.residual()),
    }
    parts = [pairs["attention"], pairs["residual"]]
    calibration = [part[1] for part in parts]
    pairs["combined"] = tuple(combined_score([part[which] for part in parts], calibration) for which in (0, 1))
    log_psd, truth, contaminated = measured(data)
    chosen = np.flatnonzero(contaminated.any(axis=1))
    clean = energy_error(fit_energies(log_psd[chosen], ~contaminated[chosen]), truth[chosen])
    found: dict[str, dict] = {}
    for name, (noisy, quiet) in pairs.items():
        for rate in RATES:
            kept = energies_on_kept(data, noisy > threshold_at(quiet, rate), n_spectra)["kept bins"]
            found.setdefault(name, {})[f"{rate:.0%}"] = kept / clean
    return found


def main():
    """Train what is not trained yet, judge it, write the record."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--spectra", type=int, default=1000)
    options = parser.parse_args()
    training = get_profile("quick").training | {"families": (FAMILY,), "extensions": ()}
    asked = [(name, seed) for name in VARIANTS for seed in range(options.seeds)]
    trained = train_many([TrainConfig(**training | TRIALS[name].changes | {"seed": seed}) for name, seed in asked])
    found = map_side_by_side(partial(errors, n_spectra=options.spectra), [result.folder for result in trained])
    rows: dict[str, dict] = {}
    for (name, seed), by_score in zip(asked, found, strict=True):
        for score, by_rate in by_score.items():
            for rate, ratios in by_rate.items():
                seeds = rows.setdefault(name, {}).setdefault(score, {}).setdefault(rate, {})
                seeds[str(seed)] = dict(zip(("Ea", "Eb"), ratios.tolist(), strict=True))
    for name, by_score in rows.items():
        for score, by_rate in by_score.items():
            means = [f"{rate} {np.mean([row['Ea'] for row in seeds.values()]):.3f}" for rate, seeds in by_rate.items()]
            print(f"{name:18s} {score:32s} Ea at {', '.join(means)}", flush=True)
    record = {"rows": rows, "n_validation": options.spectra, **run_conditions()}
    print(f"wrote {write_json(benchmark_result('energies'), record)}")


if __name__ == "__main__":
    main()
