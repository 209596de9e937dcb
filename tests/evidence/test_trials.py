"""Trials: what they change, how they are judged, and that each is done once."""

from dataclasses import replace

import pytest

from evidence import tasks
from evidence.tables import across_seeds
from evidence.tasks import Task, load_or_run, load_or_run_all, published_tasks
from evidence.trials import CLAIMED, TRIALS, kept_energies, over_trials
from nblib import TrainConfig
from nblib.project.paths import record_path
from nblib.project.profiles import PROFILES, Sizes
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
        replace(task, judged="whole"),
        replace(task, family="vibration"),
        replace(task, kind="cnn"),
        replace(task, sizes=replace(SIZES, n_test=61)),
        replace(task, config=replace(task.config, seed=1)),
    ]
    assert [found["value"] for found in load_or_run_all([task, *others])] == [1, 2, 3, 4, 5, 6]


@pytest.mark.parametrize("profile", ["quick", "full"])
def test_what_a_published_record_holds_is_not_measured_again(profile, calls, monkeypatch):
    """The same task, wherever the record keeps it. Planted bugs: any task of the record; the one of another family."""
    task, other = (Task("whole", TrainConfig(), family, SIZES) for family in ("single_line", "vibration"))
    found = {"ap": 0.5, "task": task.path.stem, "commit": "0123456789", "made": {"task": task.path.stem}}
    record = record_path(profile, "06_benchmark")
    record.parent.mkdir(parents=True)
    write_json(record, {"metrics": {"family": "single_line", "trials": {"label-free": {"0": found}}}})
    begun = []
    monkeypatch.setattr(tasks, "map_side_by_side", lambda function, items: begun.extend(items))
    kept, measured = load_or_run_all([task, other])
    assert kept == found
    assert (measured["value"], measured["task"]) == (1, other.path.stem)
    assert calls == begun == [other]


@pytest.mark.slow
def test_trials_share_everything_but_what_they_change(calls):
    settings = replace(PROFILES["smoke"], n_seeds=2, n_control_seeds=1, n_other_seeds=1)
    found = over_trials(settings, settings.training, "single_line", SIZES, first_seed=3)
    assert list(found["simulated labels"]) == ["3", "4"]
    assert list(found["no penalty"]) == ["3"]
    assert set(found) == set(TRIALS)
    configs = {(task.kind, task.judged, task.config.key) for task in calls}
    assert len(configs) == len(calls)
    plain = next(
        task.config for task in calls if task.config.regularizer == "none" and task.config.mask_policy == "clean"
    )
    penalised = next(task.config for task in calls if task.config.labels == "pseudo")
    assert replace(plain, regularizer="uniform_clean", reg_weight=10, mask_policy="any", labels="pseudo") == penalised
    assert all(("families" in TRIALS[name].changes) <= (TRIALS[name].judged == "elsewhere") for name in TRIALS)


@pytest.mark.slow
def test_energies_are_asked_of_the_models_that_are_claimed(calls):
    settings = replace(PROFILES["smoke"], n_seeds=2)
    found = kept_energies(settings, settings.training, "single_line", SIZES, first_seed=3)
    assert {name: list(rows) for name, rows in found.items()} == dict.fromkeys(CLAIMED, ["3", "4"])
    assert {task.judged for task in calls} == {"energies"}
    asked = {task.config for task in calls}
    calls.clear()
    over_trials(settings, settings.training, "single_line", SIZES, first_seed=3)
    assert asked < {task.config for task in calls}


def test_without_seeds_a_trial_is_left_out(calls):
    found = over_trials(PROFILES["smoke"], PROFILES["smoke"].training, "single_line", SIZES)
    assert "K = 2" not in found
    assert "label-free" in found


def test_numbers_are_found_by_path_and_divided():
    found = {str(number): {"a": {"b": [0.0, float(number)]}} for number in range(5)}
    assert across_seeds(found, "a", "b", 1)["iqm"] == 2.0
    assert across_seeds(found, "a", "b", 1, over=4)["iqm"] == 0.5
