"""What a training and a reading cost by readout, in turn on one core, so that the ratios compare. `make bench`"""

import os
import tempfile
from functools import partial
from statistics import median
from typing import Any

from evidence.benchmarks.script import options, seconds_of, write_record
from evidence.story import LABEL_FREE, PENALTY, RESIDUAL, UNLABELLED
from nblib import TrainConfig, train
from nblib.assessment import held_out
from nblib.prediction import predict
from nblib.project.profiles import get_profile

TRAININGS: dict[str, dict[str, Any]] = {
    "queries and penalty": PENALTY,
    "queries and penalty, label-free": LABEL_FREE,
    "queries, no penalty, label-free": UNLABELLED,
    "residual attention": RESIDUAL,
    "masked mean": RESIDUAL | {"hard": True},
}
FORMER_STEPS = 1000  # of the recipe before, with queries and a penalty
N_SPECTRA, N_ROUNDS = 200, 5


def measure(steps: int) -> dict[str, dict[str, list[float]]]:
    """Milliseconds of a training step and of a reading (a spectrum), by training and round."""
    base = get_profile("quick").training | {"steps": steps, "validate_every": steps, "n_validation": 32}
    step_ms: dict[str, list[float]] = {name: [] for name in TRAININGS}
    read_ms: dict[str, list[float]] = {name: [] for name in TRAININGS}
    for seed in range(N_ROUNDS):
        for name, changes in TRAININGS.items():
            result = train(TrainConfig(**base | changes | {"seed": seed}), progress=False)
            step_ms[name].append(1e3 * result.record["wall_seconds"] / steps)
            data = held_out(result.config, "single_line", N_SPECTRA)
            data.batch(range(N_SPECTRA))
            seconds = seconds_of(partial(predict, result.model, data, sweep=False))
            read_ms[name].append(1e3 * seconds / N_SPECTRA)
    return {"step_ms": step_ms, "read_ms": read_ms}


def main() -> None:
    """Measure in a folder of its own, write the record."""
    asked = options(__file__, __doc__, steps=60)
    own = os.environ.get("NBLIB_RUNS")
    with tempfile.TemporaryDirectory() as folder:
        os.environ["NBLIB_RUNS"] = folder
        try:
            timings = measure(asked.steps)
        finally:
            os.environ.pop("NBLIB_RUNS") if own is None else os.environ.update(NBLIB_RUNS=own)
    steps = get_profile("quick").training["steps"]
    former = FORMER_STEPS * median(timings["step_ms"]["queries and penalty"])
    over = {name: steps * median(row) / former for name, row in timings["step_ms"].items()}
    write_record(__file__, timings | {"over the former recipe": over, "steps": steps, "timed steps": asked.steps})
    for name, row in timings["step_ms"].items():
        print(
            f"{name}: {median(row):.0f} ms a step, {median(timings['read_ms'][name]):.1f} ms a spectrum read, "
            f"a training {over[name]:.2f} x the former recipe's time"
        )


if __name__ == "__main__":
    main()
