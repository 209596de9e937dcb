"""Two processes of one core each against one: throughput and losses at the same global batch. `make bench`"""

import argparse
import csv
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np

from nblib import TrainConfig, train
from nblib.paths import benchmark_record
from nblib.records import run_conditions, write_json

STEPS = 120
COLUMNS = ("train_loss", "mask_loss", "reg_loss", "val_loss")


def one_run(n_processes: int) -> dict:
    """Train in n processes of one thread each, in a folder of its own: steps a second, and the losses by row."""
    with tempfile.TemporaryDirectory() as folder:
        environment = os.environ | {"NBLIB_RUNS": folder, "OMP_NUM_THREADS": "1"}
        launch = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node", str(n_processes)]
        command = [sys.executable, *launch, __file__, "--worker"]
        subprocess.run(command, check=True, env=environment, capture_output=True)
        with next(Path(folder).glob("models/*/history.csv")).open(newline="") as stream:
            rows = list(csv.DictReader(stream))
    steps, seconds = (np.array([float(row[name]) for row in rows]) for name in ("step", "seconds"))
    rate = (steps[-1] - steps[0]) / (seconds[-1] - seconds[0])  # the first rows hold the start
    return {"steps_per_second": float(rate), "losses": [[float(row[name]) for name in COLUMNS] for row in rows]}


def worker() -> None:
    """What every process runs: the quick profile's model and global batch."""
    config = TrainConfig(regularizer="uniform_clean", reg_weight=3.0, steps=STEPS, validate_every=20, n_validation=32)
    train(config, progress=False, n_workers=0)


def main():
    """Alternate one and two processes, write the record."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--worker", action="store_true", help="internal: be one of the processes")
    options = parser.parse_args()
    if options.worker:
        worker()
        return
    runs = [{count: one_run(count) for count in (1, 2)} for _ in range(options.repeats)]
    ratios = [pair[2]["steps_per_second"] / pair[1]["steps_per_second"] for pair in runs]
    losses = {count: np.array(runs[0][count]["losses"]) for count in (1, 2)}
    record = {
        "throughput ratio": {"median": float(np.median(ratios)), "all": ratios},
        "steps per second": {str(count): [pair[count]["steps_per_second"] for pair in runs] for count in (1, 2)},
        "largest relative difference of a loss": float(np.abs(losses[2] / losses[1] - 1).max()),
        "steps": STEPS,
        **run_conditions(),
    }
    print(json.dumps({name: record[name] for name in list(record)[:3]}, indent=1))
    print(f"wrote {write_json(benchmark_record('scaling'), record)}")


if __name__ == "__main__":
    main()
