"""Cells left out of a fit of the energies: which score and threshold cost what. `make bench`

Every row is the mean error of the fitted energies where a detector's cells are left out, over that on the truly clean
bins, on validation spectra; thresholds from line-free validation spectra. Models of notebook 06, three seeds. Writes
runs/benchmarks/energies.json.
"""

from functools import partial
from pathlib import Path

import numpy as np

from evidence.assessments import energies_on_kept
from evidence.benchmarks.script import options, trained_and_judged, write_record
from evidence.calibration import combined_score
from evidence.energies import energy_error, fit_energies
from evidence.test_sets import line_free, measured
from evidence.trials import TRIALS
from nblib import TrainConfig
from nblib.assessment import held_out
from nblib.prediction import predict
from nblib.project.profiles import get_profile
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
    pairs: dict[str, tuple[np.ndarray, np.ndarray]] = {
        "attention": (test.attention(), free.attention()),
        "attention over a clean cell's": (relative(test.attention()), relative(free.attention())),
        "residual": (test.residual(), free.residual()),
    }
    noisy_parts, quiet_parts = ([pairs[name][which] for name in ("attention", "residual")] for which in (0, 1))
    pairs["combined"] = combined_score(noisy_parts, quiet_parts), combined_score(quiet_parts, quiet_parts)
    log_psd, truth, contaminated = measured(data)
    chosen = np.flatnonzero(contaminated.any(axis=1))
    clean = energy_error(fit_energies(log_psd[chosen], ~contaminated[chosen]), truth[chosen])
    found: dict[str, dict] = {}
    for name, (noisy, quiet) in pairs.items():
        for rate in RATES:
            kept = energies_on_kept(data, noisy > threshold_at(quiet, rate), n_spectra)["kept bins"]
            found.setdefault(name, {})[f"{rate:.0%}"] = kept / clean
    return found


def main() -> None:
    """Train what is not trained yet, judge it, write the record."""
    given = options(__file__, __doc__, seeds=3, spectra=1000)
    training = get_profile("quick").training | {"families": (FAMILY,), "extensions": ()}
    asked = {
        (name, seed): TrainConfig(**training | TRIALS[name].changes | {"seed": seed})
        for name in VARIANTS
        for seed in range(given.seeds)
    }
    rows: dict[str, dict] = {}
    for (name, seed), by_score in trained_and_judged(asked, partial(errors, n_spectra=given.spectra)).items():
        for score, by_rate in by_score.items():
            for rate, ratios in by_rate.items():
                seeds = rows.setdefault(name, {}).setdefault(score, {}).setdefault(rate, {})
                seeds[str(seed)] = dict(zip(("Ea", "Eb"), ratios.tolist(), strict=True))
    for name, scores in rows.items():
        for score, seeds_at in scores.items():
            means = [f"{rate} {np.mean([row['Ea'] for row in seeds.values()]):.3f}" for rate, seeds in seeds_at.items()]
            print(f"{name:18s} {score:32s} Ea at {', '.join(means)}", flush=True)
    write_record(__file__, {"rows": rows, "n_validation": given.spectra})


if __name__ == "__main__":
    main()
