"""Killed, damaged or done twice, a run ends with the same bytes: the benchmark of it, in short."""

import os
import signal
import subprocess
import sys
import time

import psutil
import pytest

from evidence.benchmarks import resume
from nblib import TrainConfig
from nblib.project.paths import unwritable
from nblib.training.steps import Training


@pytest.fixture(autouse=True)
def _own_runs(tmp_path, monkeypatch):
    monkeypatch.setenv("NBLIB_RUNS", str(tmp_path / "runs"))


@pytest.mark.slow
@pytest.mark.parametrize("name", ["pseudo-labels, a worker", "two processes"])
def test_killed_at_any_moment_a_run_ends_with_the_same_bytes(name):
    """Once anywhere, once inside a write. Planted bugs: seconds in the checkpoint; a worker that outlives its parent;
    the best weights written apart from the step that they belong to."""
    counts = resume.killed(2, (name,))
    assert counts == {name: {"killed": 2, "inside a write": 1, "identical": 2, "processes left": 0}}


@pytest.mark.slow
def test_damaged_checkpoints_are_seen_and_the_good_one_is_used():
    """Planted bugs: a damaged last checkpoint moved over the good one before it; a finished run not looked at."""
    for row in resume.damaged(5).values():
        assert row["damaged"] == row["detected"] == row["recovered"]


@pytest.mark.slow
def test_trained_twice_every_trial_leaves_the_same_files(monkeypatch):
    """Planted bug: the `random` state of dropout taken from the process."""
    monkeypatch.setattr(
        resume, "_quick", lambda steps, changes, seed: TrainConfig.from_dict(resume.SHORT | changes | {"steps": steps})
    )
    rows = resume.repeated(2, 1)
    assert set(rows) == {f"{name}, seed 0" for name in resume.TRIALS}
    assert not any(row["differing"] for row in rows.values())


def test_spectra_do_not_depend_on_batches_workers_and_processes():
    """Planted bug: draws keyed by the place in the batch."""
    assert resume.spectra(8)["different"] == 1


def test_a_folder_with_a_run_of_other_parameters_is_refused(tmp_path):
    """Planted bug: gone on with, whatever it held."""
    config = TrainConfig.from_dict(resume.SHORT)
    model = config.build_model(config.dataset("train", 8).freqs)
    training = Training(config, model, tmp_path)
    training.rows = [{"step": 3, "val_loss": 1.0}]
    training._checkpoint()
    with pytest.raises(ValueError, match=r"holds a run with another seed, dropout; choose another folder"):
        Training(TrainConfig.from_dict(resume.SHORT | {"seed": 1, "dropout": 0.0}), model, tmp_path)


SLEEPERS = """
import signal
signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background job ignores it
from pathlib import Path
from nblib.project import parallel
parallel.available_cores = lambda: 2
parallel.map_side_by_side(Path.read_text, [Path("one"), Path("two")])
"""


@pytest.mark.slow
@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGINT])
def test_work_side_by_side_ends_with_the_process_that_began_it(how, tmp_path):
    """A kernel that is interrupted hears of it alone. Planted bugs: killed, its processes waited for ever; interrupted,
    it waited for them to be through."""
    ends = [tmp_path / name for name in ("one", "two")]
    for end in ends:
        os.mkfifo(end)
    command = [sys.executable, "-c", SLEEPERS]
    parent = subprocess.Popen(command, stderr=subprocess.DEVNULL, start_new_session=True, cwd=tmp_path)
    opened = [_opened(end) for end in ends]  # so both have begun, and wait for what is never written
    try:
        children = psutil.Process(parent.pid).children()  # and a tracker
        os.kill(parent.pid, how)
        assert parent.wait(timeout=10) != 0
        assert len(children) == 3 and not psutil.wait_procs(children, timeout=5)[1]
    finally:
        for descriptor in opened:
            os.close(descriptor)


def _opened(end):
    """The writing end of a pipe that a process reads."""
    until = time.monotonic() + 60
    while True:
        try:
            return os.open(end, os.O_WRONLY | os.O_NONBLOCK)
        except OSError:  # nobody reads yet
            assert time.monotonic() < until
            time.sleep(0.05)


def test_what_to_do_about_a_folder_that_cannot_be_written_to_is_said(tmp_path, monkeypatch):
    """Planted bug: NotADirectoryError of pathlib, of a folder that nobody named."""
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("NBLIB_RUNS", str(tmp_path / "file"))
    with pytest.raises(ValueError, match=r"cannot write to .*file/models.*NBLIB_RUNS"):
        resume.train(TrainConfig.from_dict(resume.SHORT))
    assert "goes on from there" in unwritable(tmp_path, OSError(28, "No space left on device"))
