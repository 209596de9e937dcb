"""Measurements: each is done once, and kept."""

from dataclasses import replace

import pytest

from evidence import tasks
from evidence.tasks import Task, load_or_run, load_or_run_all, published_tasks
from evidence.test_sets import Sizes
from nblib import TrainConfig
from nblib.project.paths import record_path
from nblib.project.records import write_json

SIZES = Sizes(n_test=60, n_tune=40, n_family=30, n_line_free=60, n_correlated=30, n_probe=60, n_energies=20)


@pytest.fixture
def calls(tmp_path, monkeypatch):
    """Measurements are counted, not made; runs/ and records/ are empty."""
    for name in ("RUNS", "RECORDS"):
        monkeypatch.setenv(f"NBLIB_{name}", str(tmp_path / name.lower()))
    published_tasks.cache_clear()
    made = []

    def measure(task):
        made.append(task)
        return {"value": len(made), "seed": task.config.seed}

    monkeypatch.setattr(Task, "measure", measure)
    monkeypatch.setattr(tasks, "map_side_by_side", lambda function, items: None)
    yield made
    published_tasks.cache_clear()


@pytest.mark.slow
def test_a_task_is_done_once_for_the_same_training_and_again_for_another(calls):
    """Planted bug: parameters left out of the digest."""
    task = Task("quick", TrainConfig(), "single_line", SIZES)
    first = load_or_run(task)
    assert load_or_run(task) == first
    assert first == {"value": 1, "seed": 0, "task": task.path.stem, "commit": first["commit"], "made": first["made"]}
    assert first["commit"] and "threads" in first["made"]["on"]
    assert tasks.task_of(first["made"]) == task
    others = [
        replace(task, judged="readings"),
        replace(task, family="vibration"),
        replace(task, kind="cnn"),
        replace(task, sizes=replace(SIZES, n_test=61)),
        replace(task, config=replace(task.config, seed=1)),
    ]
    assert [record["value"] for record in load_or_run_all([task, *others])] == [1, 2, 3, 4, 5, 6]


@pytest.mark.parametrize("profile", ["quick", "full"])
def test_what_a_published_record_holds_is_not_measured_again(profile, calls, monkeypatch):
    """The same task, wherever the record keeps it. Planted bugs: any task of the record; the one of another family."""
    task, other = (Task("readings", TrainConfig(), family, SIZES) for family in ("single_line", "vibration"))
    published = {"ap": 0.5, "task": task.path.stem, "commit": "0123456789", "made": {"task": task.path.stem}}
    record = record_path(profile, "06_benchmark")
    record.parent.mkdir(parents=True)
    write_json(record, {"metrics": {"family": "single_line", "trials": {"label-free": {"0": published}}}})
    begun = []
    monkeypatch.setattr(tasks, "map_side_by_side", lambda function, items: begun.extend(items))
    kept, measured = load_or_run_all([task, other])
    assert kept == published
    assert (measured["value"], measured["task"]) == (1, other.path.stem)
    assert calls == begun == [other]
