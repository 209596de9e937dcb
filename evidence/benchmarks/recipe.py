"""What each choice of the quick profile's recipe does: one change at a time, validation spectra. `make bench`

Two trainings at a time, one core each, so that their seconds compare.
"""

import json
from typing import Any

from evidence.benchmarks.script import options, write_record
from nblib import TrainConfig, train_many
from nblib.assessment import held_out, masked_prediction
from nblib.prediction import predict
from nblib.project.profiles import get_profile
from nblib.project.records import committed_result
from nblib.scoring.metrics import detection

FAMILY, N_SPECTRA = "single_line", 500
CHANGES: dict[str, dict[str, Any]] = {
    "as it is": {},
    "AdamW alone": {"muon_learning_rate": 0.0, "learning_rate": 5e-3},
    "AdamW alone, 1400 steps": {"muon_learning_rate": 0.0, "learning_rate": 5e-3, "steps": 1400},
    "Muon's rate doubled": {"muon_learning_rate": 2e-2},
    "Muon's rate halved": {"muon_learning_rate": 5e-3},
    "AdamW's rate halved": {"learning_rate": 5e-3},
    "three layers": {"num_layers": 3},
    "two heads": {"n_heads": 2},
    "dropout 0.1": {"dropout": 0.1},
    "tokens of 10 bins": {"patch_size": 10},
    "batch 64, half the steps, rates x 1.4": {
        **{"batch_size": 64, "steps": 500, "learning_rate": 1.4e-2, "muon_learning_rate": 1.4e-2},
    },
    "batch 16, twice the steps, rates / 1.4": {
        **{"batch_size": 16, "steps": 2000, "learning_rate": 7e-3, "muon_learning_rate": 7e-3},
    },
    "bf16": {"precision": "bf16"},
    "Whittle error": {"masked_error": "whittle"},
    "all layers penalised": {"reg_layers": "all"},
}


def main() -> None:
    """Train every variant, judge it on validation spectra, write the record."""
    names = {"nargs": "+", "choices": list(CHANGES), "default": list(CHANGES)}
    asked = options(__file__, __doc__, only=names)
    weight = committed_result("03_full_attention_regularizer")["parameters"]["reg_weight"]
    base = get_profile("quick").training | {"regularizer": "uniform_clean", "reg_weight": weight, "families": (FAMILY,)}
    configs = [TrainConfig(**base | CHANGES[name]) for name in asked.only]
    rows: dict[str, dict] = {}
    for name, result in zip(asked.only, train_many(configs), strict=True):
        data = held_out(result.config, FAMILY, N_SPECTRA, "validation")
        reading = predict(result.model, data, sweep=False)
        metrics = detection(reading.attention(), reading.truth, len(data.freqs))
        rows[name] = {"ap": metrics["ap"], "top1": metrics["top1"], **masked_prediction(reading, data)}
        rows[name] |= {"seconds": result.record["wall_seconds"], "change": CHANGES[name]}
        print(json.dumps({name: {key: round(value, 4) for key, value in rows[name].items() if key != "change"}}))
    write_record(__file__, {"rows": rows, "reg_weight": weight, "base": base, "n_validation": N_SPECTRA})


if __name__ == "__main__":
    main()
