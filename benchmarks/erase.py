"""Noise that the prediction still uses: what a stronger penalty changes. `make bench`

Every row is measured on validation spectra with noise: the change of the prediction elsewhere when the noisy bins are
erased, over that of the line-free twin; average precision of attention; masked error. Writes
runs/benchmarks/erase.json.
"""

import argparse
from functools import partial
from pathlib import Path

import numpy as np

from nblib import TrainConfig, train_many
from nblib.detection.metrics import detection
from nblib.evaluation.assessments import masked_prediction
from nblib.evaluation.faithfulness import line_free_twins, output_change_on_erasing
from nblib.evaluation.parallel import map_side_by_side
from nblib.evaluation.test_sets import held_out
from nblib.evaluation.trials import TRIALS
from nblib.prediction import predict
from nblib.project.environment import run_conditions
from nblib.project.paths import benchmark_result
from nblib.project.profiles import get_profile
from nblib.project.records import write_json
from nblib.training.loop import load_run

FAMILY, TRIAL = "single_line", "simulated labels"
REMEDIES = {  # what is changed
    "as it is": {},
    "penalty three times as strong": {"reg_weight": 3 * TRIALS[TRIAL].changes["reg_weight"]},
}


def judged(folder: Path, n_spectra: int) -> dict[str, float]:
    """Erasing, detection and masked error of a trained model on validation spectra."""
    result = load_run(folder)
    data = held_out(result.config, FAMILY, n_spectra, "validation")
    reading = predict(result.model, data, sweep=False)
    changes = {"erase": [], "twin": []}
    for batch, twin in line_free_twins(result.config, FAMILY, n_spectra, "validation"):
        for name, part in (("erase", batch), ("twin", twin)):
            changes[name].append(output_change_on_erasing(result.model, part, batch["noisy"]))
    means = {name: float(np.concatenate(values).mean()) for name, values in changes.items()}
    return {
        "erase ln": means["erase"] * data.scale.spread,
        "erase": means["erase"] / means["twin"],
        "ap": detection(reading.attention(), reading.truth, len(data.freqs))["ap"],
        "masked": masked_prediction(reading, data)["background_rms"],
    }


def main():
    """Train what is not trained yet, judge it, write the record."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=2)
    parser.add_argument("--steps", type=int, help="of the first row; the quick profile's if left out")
    parser.add_argument("--spectra", type=int, default=500)
    options = parser.parse_args()
    training = get_profile("quick").training | TRIALS[TRIAL].changes | {"families": (FAMILY,), "extensions": ()}
    training |= {"steps": options.steps} if options.steps else {}
    asked = [(name, seed) for name in REMEDIES for seed in range(options.seeds)]
    configs = [TrainConfig(**training | REMEDIES[name] | {"seed": seed}) for name, seed in asked]
    folders = [result.folder for result in train_many(configs)]
    found = map_side_by_side(partial(judged, n_spectra=options.spectra), folders)
    rows: dict[str, dict] = {}
    for (name, seed), values in zip(asked, found, strict=True):
        rows.setdefault(name, {})[str(seed)] = values
        print(name, seed, values, flush=True)
    record = {"rows": rows, "n_validation": options.spectra, "steps": training["steps"], **run_conditions()}
    print(f"wrote {write_json(benchmark_result('erase'), record)}")


if __name__ == "__main__":
    main()
