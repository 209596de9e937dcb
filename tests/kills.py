"""`make test-install`: a grid that is killed, one of which points fail, and torchrun. No part of `make test`."""

import os
import subprocess
import sys

import pytest

from evidence.campaign import kills
from nblib.project.records import read_json


@pytest.mark.parametrize("kill", [lambda *given: kills.grid(*given, points=4), kills.points_that_fail, kills.batch])
def test_what_is_done_stays_and_what_is_missing_is_done_once(kill, tmp_path):
    """Planted bugs: the lock of a killed runner left behind; a runner beside another one; the workflow's own error
    named instead of the notebook's."""
    assert kill(1, 0, tmp_path)["faults"] == []


def test_torchrun_trains_with_two_processes(tmp_path):
    """Planted bug: a launcher's processes that do not join; each then trains, and writes, by itself."""
    launch = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2", "-m", "nblib", "train"]
    sizes = ["steps=2", "batch_size=4", "validate_every=2", "n_validation=4", "d_model=16", "n_heads=2", "num_layers=1"]
    settings = os.environ | {"NBLIB_RUNS": str(tmp_path), "OMP_NUM_THREADS": "1"}
    answer = subprocess.run([sys.executable, *launch, *sizes], capture_output=True, text=True, env=settings)
    assert answer.returncode == 0, answer.stderr[-2000:]
    (record,) = tmp_path.glob("models/*/record.json")
    assert answer.stdout.strip() == str(record.parent) and read_json(record)["n_processes"] == 2
