"""Two processes of one core each against one: throughput and losses at the same global batch. `make bench`"""

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np

from evidence.benchmarks.script import options, write_record
from nblib import TrainConfig, train
from nblib.training.loop import load_run

STEPS = {32: 120, 128: 40, 512: 12}  # by global batch
COLUMNS = ("train_loss", "mask_loss", "reg_loss", "val_loss")


def start(n_processes: int, batch: int, folder: str) -> subprocess.Popen:
    """Begin a training in n processes of one thread each, in a folder of its own."""
    environment = os.environ | {"NBLIB_RUNS": folder, "OMP_NUM_THREADS": "1"}
    launch = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node", str(n_processes)]
    command = [sys.executable, *launch, __file__, "--worker", str(batch)]
    return subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def outcome(running: subprocess.Popen, folder: str) -> dict:
    """Wait for a training: steps per second, and the losses by row."""
    if running.wait() != 0:
        raise RuntimeError(f"a training of the benchmark ended with {running.returncode}; run --worker by hand")
    history = load_run(next(Path(folder).glob("models/*"))).history
    steps, seconds = history["step"], history["seconds"]
    rate = (steps[-1] - steps[0]) / (seconds[-1] - seconds[0])  # the first rows hold the start
    return {"steps_per_second": float(rate), "losses": np.stack([history[name] for name in COLUMNS], axis=1).tolist()}


def one_run(n_processes: int, batch: int) -> dict:
    """One training by n processes."""
    with tempfile.TemporaryDirectory() as folder:
        return outcome(start(n_processes, batch, folder), folder)


def two_apart(batch: int) -> float:
    """Steps per second of two independent trainings side by side: what the memory bus leaves."""
    with tempfile.TemporaryDirectory() as one, tempfile.TemporaryDirectory() as other:
        running = [(start(1, batch, folder), folder) for folder in (one, other)]
        return sum(outcome(*pair)["steps_per_second"] for pair in running)


def rows_at(batch: int) -> list[int]:
    """Steps at which the losses are written."""
    return [STEPS[batch] * quarter // 4 for quarter in range(1, 5)]


def worker(batch: int) -> None:
    """What every process runs: the quick profile's model at this global batch."""
    sizes = {"steps": STEPS[batch], "batch_size": batch, "validate_every": rows_at(batch)[0], "n_validation": 32}
    config = TrainConfig.from_dict({"regularizer": "uniform_clean", "reg_weight": 10.0} | sizes)
    train(config, progress=False, n_workers=0)


def compare(batch: int, repeats: int) -> dict:
    """One process, two together and two apart, in turn: ratios of throughput, and the losses of one and two."""
    runs = [(one_run(1, batch), one_run(2, batch), two_apart(batch)) for _ in range(repeats)]
    together = [two["steps_per_second"] / one["steps_per_second"] for one, two, _ in runs]
    apart = [free / one["steps_per_second"] for one, _, free in runs]
    losses = [np.array(run["losses"]) for run in runs[0][:2]]
    by_row = np.abs(losses[1] / losses[0] - 1).max(axis=1)
    return {
        "two processes / one": {"median": float(np.median(together)), "all": together},
        "two trainings apart / one": {"median": float(np.median(apart)), "all": apart},
        "steps per second, one": [one["steps_per_second"] for one, _, _ in runs],
        # training amplifies the order of float32 sums: small in the first steps, growing from there
        "largest relative difference of a loss": dict(zip(rows_at(batch), by_row.tolist(), strict=True)),
    }


def main() -> None:
    """Every global batch in turn, write the record."""
    inner = {"type": int, "choices": STEPS, "help": "internal: be one of the processes, global batch"}
    asked = options(__file__, __doc__, repeats=5, worker=inner)
    if asked.worker:
        worker(asked.worker)
        return
    record = {f"global batch {batch}": compare(batch, asked.repeats) for batch in STEPS}
    print(json.dumps(record, indent=1))
    write_record(__file__, record)


if __name__ == "__main__":
    main()
