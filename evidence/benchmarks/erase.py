"""Noise that the prediction still uses, and its error in the noisy bins: what was tried against both. `make bench`

Every row is measured on validation spectra: the change of the prediction elsewhere when the noisy bins are erased, over
that of the line-free twin; the error in the noisy bins over that of a fit on the truly clean ones; average precision of
attention; masked error. Writes runs/benchmarks/erase.json.
"""

from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from evidence.baselines import fit_in_band
from evidence.benchmarks.script import options, trained_and_judged, write_record
from evidence.faithfulness import line_free_twins, output_change_on_erasing
from evidence.trials import CLAIMED, PENALTY, TRIALS
from nblib import TrainConfig
from nblib.assessment import held_out, in_band_error, masked_prediction
from nblib.prediction import predict
from nblib.project.profiles import get_profile
from nblib.scoring.metrics import detection
from nblib.simulation.physics import LN_STD
from nblib.training.loop import load_run

FAMILY = "single_line"
REMEDIES: dict[str, tuple[int, dict[str, Any]]] = {  # steps over the profile's, and what else is changed
    "as it is": (1, {}),
    "penalty three times as strong": (1, {"reg_weight": 3 * TrainConfig.from_dict(PENALTY).reg_weight}),
    "twice the steps": (2, {}),
    "values twice as wide": (1, {"dim_feedforward": 2 * TrainConfig().dim_feedforward}),
}


def configs(variant: str, seed: int, steps: int) -> dict[str, TrainConfig]:
    """Trainings of one of CLAIMED and one seed, by remedy."""
    training = get_profile("quick").training | TRIALS[variant].changes | {"families": (FAMILY,), "seed": seed}
    training |= {"steps": steps} if steps else {}
    return {
        name: TrainConfig(**training | changes | {"steps": longer * training["steps"]})
        for name, (longer, changes) in REMEDIES.items()
    }


def judged(folder: Path, n_spectra: int) -> dict[str, Any]:
    """Erasing, detection and masked error of a trained model on validation spectra."""
    result = load_run(folder)
    data = held_out(result.config, FAMILY, n_spectra, "validation")
    reading = predict(result.model, data)
    changes: dict[str, list] = {"erase": [], "twin": []}
    for batch, twin in line_free_twins(result.config, FAMILY, n_spectra, "validation"):
        for name, part in (("erase", batch), ("twin", twin)):
            changes[name].append(output_change_on_erasing(result.model, part, batch["noisy"]))
    means = {name: float(np.concatenate(values).mean()) for name, values in changes.items()}
    return {
        "erase ln": means["erase"] * LN_STD,
        "erase": means["erase"] / means["twin"],
        "in_band": in_band_error(reading, reading.noisy)["after"],
        "ap": detection(reading.attention(), reading.truth, len(data.freqs))["ap"],
        "masked": masked_prediction(reading, data)["background_rms"],
    }


def main() -> None:
    """Train what is not trained yet, judge it, write the record."""
    steps = (0, "of the first row; the quick profile's if left out")
    given = options(__file__, __doc__, seeds=2, steps=steps, spectra=500)
    asked = {
        (variant, name, seed): config
        for seed in range(given.seeds)
        for variant in CLAIMED
        for name, config in configs(variant, seed, given.steps).items()
    }
    rows: dict[str, dict] = {}
    for (variant, name, seed), values in trained_and_judged(asked, partial(judged, n_spectra=given.spectra)).items():
        rows.setdefault(variant, {}).setdefault(name, {})[str(seed)] = values
        print(variant, name, seed, values, flush=True)
    first = next(iter(asked.values()))
    fit = fit_in_band(held_out(first, FAMILY, given.spectra, "validation"))[0]
    write_record(__file__, {"rows": rows, "fit in-band": fit, "n_validation": given.spectra, "steps": first.steps})


if __name__ == "__main__":
    main()
