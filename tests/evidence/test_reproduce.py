"""What a record says is run again, and what differs is named."""

import json

import pytest

from evidence import reproduce as module
from evidence.__main__ import main
from evidence.reproduce import reproduce
from evidence.tasks import Task, task_of
from evidence.test_sets import Sizes
from nblib import TrainConfig, train
from nblib.project.records import read_json, write_json

TINY = {"d_model": 16, "n_heads": 2, "num_layers": 1, "dim_feedforward": 16, "steps": 2, "batch_size": 4}
TINY |= {"n_validation": 4}
SIZES = Sizes(n_test=60, n_tune=40, n_family=30, n_line_free=60, n_correlated=30, n_probe=60, n_energies=20)


@pytest.fixture(autouse=True)
def _own_runs(tmp_path, monkeypatch):
    monkeypatch.setenv("NBLIB_RUNS", str(tmp_path / "runs"))


@pytest.mark.slow
def test_a_training_is_run_again_and_what_differs_is_named(capsys):
    """Planted bug: the kept run loaded in place of a new one, so that nothing could differ."""
    path = train(TrainConfig.from_dict(TINY), progress=False, n_workers=0).folder / "record.json"
    assert main(["reproduce", str(path)]) == 0
    assert "0 differ" in capsys.readouterr().out
    record = read_json(path)
    (path.parent / "last.safetensors").write_bytes(b"")  # nothing of it is read
    write_json(path, record | {"best_val_loss": 0.25, "hardware": record["hardware"] | {"torch_threads": 7}})
    assert main(["reproduce", str(path)]) == 1
    shown = capsys.readouterr().out
    assert f"best_val_loss: 0.25 -> {record['best_val_loss']}" in shown and shown.rstrip().endswith("1 differ")
    assert "(run on hardware.torch_threads 7, now 1)" in shown


def test_a_task_is_measured_again_as_it_was_made(tmp_path, monkeypatch):
    """By name or place. Planted bug: the profile's sizes for all."""
    task, asked = Task("quick", TrainConfig.from_dict(TINY), "vibration", SIZES), []

    def measure(task):
        asked.append(task)
        return {"attention": {"ap": 0.5, "curve": [1.0, None]}, "wall seconds": 7.0}

    monkeypatch.setattr(Task, "measure", measure)
    kept = {"attention": {"ap": 0.5, "curve": [1.0, 2.0]}, "wall seconds": 3.0, "task": task.path.stem} | task.made()
    older = {"attention": {"ap": 0.5, "curve": [1.0, None]}, "task": "older", "commit": "0123456789"}
    metrics = {"points": {"none": {"0": kept}}, "trials": {"label-free": {"2": older}}}
    path = write_json(tmp_path / "06.json", {"metrics": metrics})
    for name in ("points.none.0", task.path.stem):
        assert reproduce(path, name)[1] == ["attention.curve.1: 2.0 -> None"]
    assert asked == [task, task] and task_of(kept["made"]) == task
    with pytest.raises(ValueError, match="trials.label-free.2 does not say what made it"):
        reproduce(path, "trials.label-free.2")
    with pytest.raises(ValueError, match=r"no task 'none' in this record; it has points\.none\.0"):
        reproduce(path, "none")


def test_a_benchmark_is_run_by_its_script(tmp_path, monkeypatch):
    script = tmp_path / "evidence" / "benchmarks" / "toy.py"
    script.parent.mkdir(parents=True)
    script.write_text(
        "import json, os, pathlib\nfolder = pathlib.Path(os.environ['NBLIB_RUNS'], 'benchmarks')\nfolder.mkdir()\n"
        "(folder / 'toy.json').write_text(json.dumps({'ap': [0.5, 0.25], 'seconds': 2.0}))\n"
    )
    monkeypatch.setattr(module, "ROOT", tmp_path)
    path = tmp_path / "records" / "benchmarks" / "toy.json"
    path.parent.mkdir(parents=True)
    path.write_text(json.dumps({"ap": [0.5, 0.5], "seconds": 1.0, "commit": "0123456789"}))
    assert reproduce(path) == (2, ["ap.1: 0.5 -> 0.25"])
    path.rename(tmp_path / "toy.json")
    with pytest.raises(ValueError, match="says neither a training, nor a notebook, nor a benchmark"):
        reproduce(tmp_path / "toy.json")
