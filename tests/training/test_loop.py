"""Training: learns, resumes bit by bit, loads what is done, and shares its batches between processes."""

import contextlib
import json
import math
import sys
from dataclasses import replace
from multiprocessing import get_context

import numpy as np
import pytest
import torch

from evidence import forks
from nblib import NoiseBERTDataset, TrainConfig, train, train_many
from nblib.__main__ import main
from nblib.project import parallel
from nblib.project.parallel import map_side_by_side
from nblib.project.profiles import PROFILES
from nblib.training import loop
from nblib.training.checkpoints import load_checkpoint
from nblib.training.command import read_config
from nblib.training.loop import load_run
from nblib.training.schedule import rate_share_at
from nblib.training.steps import StepData, Training

TINY = TrainConfig(
    **{"d_model": 16, "n_heads": 2, "num_layers": 2, "dim_feedforward": 16, "families": ("single_line",)},
    **{"steps": 12, "batch_size": 8, "validate_every": 4, "n_validation": 16, "regularizer": "uniform_clean"},
)
LOSSES = [
    *("step", "learning_rate", "train_loss", "mask_loss", "reg_loss", "noisy_mass"),
    *("val_loss", "val_mask_loss", "val_reg_loss", "val_noisy_mass", "val_ap"),
]


@pytest.fixture(autouse=True)
def _own_runs(tmp_path, monkeypatch):
    monkeypatch.setenv("NBLIB_RUNS", str(tmp_path / "runs"))


def quietly(config, n_workers=0):
    return train(config, progress=False, n_workers=n_workers)


def assert_same_run(one, other):
    for name in LOSSES:
        np.testing.assert_array_equal(one.history[name], other.history[name])
    weights, others = one.model.state_dict(), other.model.state_dict()
    assert all(torch.equal(weights[name], others[name]) for name in weights)


def test_learning_rate_rises_then_falls_to_zero():
    config = replace(TINY, steps=100, warmup_ratio=0.1)
    assert [rate_share_at(step, config) for step in (0, 4, 9, 10)] == pytest.approx([0.1, 0.5, 1.0, 1.0])
    assert rate_share_at(55, config) == pytest.approx(0.5)
    assert rate_share_at(100, config) == pytest.approx(0)


@pytest.mark.slow
def test_a_short_run_learns_and_leaves_its_record():
    """Planted bug: the optimizer stepped before the gradients were computed anew."""
    result = quietly(replace(TINY, steps=60, validate_every=20))
    history = result.history
    assert list(history) == [*LOSSES, "seconds"]
    assert history["step"].tolist() == [20, 40, 60]
    assert history["val_mask_loss"][-1] < 0.75 * history["val_mask_loss"][0]
    assert (np.diff(history["seconds"]) > 0).all()
    assert result.record["best_val_loss"] == history["val_loss"].min()
    assert {"config", "versions", "commit", "hardware", "wall_seconds", "device"} <= set(result.record)
    assert not result.model.training


@pytest.mark.slow
def test_the_best_checkpoint_is_the_lowest_validation_loss(monkeypatch):
    """Planted bug: the last weights saved as the best."""
    losses = iter([3.0, 1.0, 2.0])  # at steps 4, 8 and 12
    judge = loop._judge

    def scripted(*given):
        judgement = judge(*given)
        return lambda: judgement() | {"val_loss": next(losses)}

    monkeypatch.setattr(loop, "_judge", scripted)
    result = quietly(TINY)
    assert result.record["best_val_loss"] == 1.0
    assert result.history["val_loss"].tolist() == [3.0, 1.0, 2.0]
    last = TINY.build_model(result.model.freqs.numpy())
    best = load_checkpoint(result.folder / "last.safetensors", last)["best"]["embed.weight"]
    assert torch.equal(best, result.model.embed.weight) and not torch.equal(best, last.embed.weight)
    eight = load_checkpoint(result.folder / "former.safetensors", last)
    assert eight["step"] == 8 and torch.equal(best, last.embed.weight)


@pytest.mark.slow
def test_an_interrupted_run_goes_on_bit_by_bit(tmp_path, monkeypatch):
    """Dropout included. Planted bug: the random state not keyed by the step."""
    config = replace(TINY, dropout=0.1)
    whole = quietly(config)
    monkeypatch.setenv("NBLIB_RUNS", str(tmp_path / "again"))
    step = Training._step

    def pull_the_plug(run, *given):
        if run.step == 10:
            raise KeyboardInterrupt
        return step(run, *given)

    monkeypatch.setattr(Training, "_step", pull_the_plug)
    with pytest.raises(KeyboardInterrupt):
        quietly(config)
    folder = tmp_path / "again" / "models" / config.key
    assert not (folder / "record.json").exists()
    with pytest.raises(ValueError, match="holds no complete run"):
        load_run(folder)
    monkeypatch.setattr(Training, "_step", step)
    assert_same_run(quietly(config), whole)


@pytest.mark.slow
def test_a_complete_run_is_loaded_not_trained_again(monkeypatch):
    first = quietly(TINY)

    def refuse(*_):
        raise AssertionError("trained again")

    monkeypatch.setattr(loop, "_finish", refuse)
    assert_same_run(quietly(TINY), first)
    with pytest.raises(AssertionError, match="trained again"):
        quietly(replace(TINY, seed=1))


@pytest.mark.slow
def test_a_worker_changes_no_number(tmp_path, monkeypatch):
    alone = quietly(TINY)
    monkeypatch.setenv("NBLIB_RUNS", str(tmp_path / "again"))
    assert_same_run(quietly(TINY, n_workers=1), alone)


@pytest.mark.slow
def test_side_by_side_is_the_same_as_in_turn(tmp_path, monkeypatch):
    """Processes are forked here, for each new one takes seconds to import torch (test_extensions has such a one)."""
    monkeypatch.setattr(parallel, "get_context", lambda _: get_context("fork"))
    short = replace(TINY, steps=4)
    configs = [short, replace(short, readout="token"), short, replace(short, seed=1)]  # three on two cores
    one_by_one = [quietly(config) for config in configs]
    monkeypatch.setenv("NBLIB_RUNS", str(tmp_path / "again"))
    monkeypatch.setenv("NBLIB_CORES", "2")  # two processes where there are two cores
    together = train_many(configs)
    for one, other in zip(one_by_one, together, strict=True):
        assert_same_run(one, other)
    assert len(list((tmp_path / "again" / "models").iterdir())) == 3


def test_a_process_beside_others_starts_no_more(monkeypatch):
    """Planted bug: four trainings on two cores, two in each of two processes."""
    monkeypatch.setattr(parallel, "available_cores", lambda: 2)
    monkeypatch.setattr(parallel, "parent_process", lambda: object())
    monkeypatch.setattr(parallel, "ProcessPoolExecutor", None)
    assert map_side_by_side(str.upper, ["a", "b", "c"]) == ["A", "B", "C"]


@pytest.mark.slow
def test_a_run_says_how_far_it_is(tmp_path, monkeypatch):
    """Planted bug: the last step not noted, so that a finished run looked unfinished."""
    monkeypatch.setenv("NBLIB_PROGRESS", str(tmp_path / "events"))
    quietly(TINY)
    quietly(TINY)  # loaded: nothing to say
    events = [json.loads(line) for line in (tmp_path / "events").read_text().splitlines()]
    assert [event["planned"] for event in events if "planned" in event] == [[TINY.key]]
    assert [event["reached"] for event in events if "reached" in event][-1] == TINY.steps
    assert all((event["of"], event["total"]) == (TINY.key, TINY.steps) for event in events if "reached" in event)


@pytest.mark.slow
def test_the_callers_random_numbers_are_left_alone():
    """Planted bug: train() without its fork of the generator."""
    torch.manual_seed(5)
    expected, numbers = torch.random.get_rng_state(), np.random.get_state()[1].copy()  # noqa: NPY002
    quietly(TINY)
    assert torch.equal(torch.random.get_rng_state(), expected)
    assert np.array_equal(np.random.get_state()[1], numbers)  # noqa: NPY002


def test_a_loss_that_is_not_finite_stops_the_run(tmp_path, monkeypatch):
    def broken(*_):
        return {name: (torch.tensor(math.nan), torch.tensor(1)) for name in ("mask", "reg", "noisy_mass")}, None

    monkeypatch.setattr(sys.modules["nblib.training.loop"], "loss_terms", broken)
    with pytest.raises(FloatingPointError, match=r"loss is nan at step 0; lower learning_rate="):
        quietly(TINY)
    with pytest.raises(ValueError, match="no complete run"):
        load_run(tmp_path / "runs" / "models" / TINY.key)


def test_half_precision_trains():
    result = quietly(replace(TINY, precision="bf16", steps=4))
    assert np.isfinite(result.history["val_loss"]).all()


@pytest.mark.parametrize("world", [1, 2, 3])
def test_processes_share_every_epoch_without_repeats(world):
    """Planted bug: shards cut as rank * share, which lost the rest of a batch that does not divide."""
    data = NoiseBERTDataset(n_spectra=37, families=("single_line",))
    shards = [StepData(data, 8, rank, world) for rank in range(world)]
    seen = []
    for step in range(10):  # two epochs of five batches, the last of five spectra
        drawn = [shard[step]["target"] for shard in shards]
        seen.append({tuple(row[:3].tolist()) for part in drawn for row in part})
        assert sum(len(part) for part in drawn) == (8 if step % 5 < 4 else 5)
    first, second = set.union(*seen[:5]), set.union(*seen[5:])
    assert len(first) == len(second) == 37
    assert not first & second  # another epoch, other noise
    alone = StepData(data, 8)[3]["target"]
    together = torch.cat([shard[3]["target"] for shard in shards])
    assert {tuple(row[:3].tolist()) for row in alone} == {tuple(row[:3].tolist()) for row in together}


@pytest.mark.slow
def test_two_processes_train_what_one_does(tmp_path, monkeypatch):
    """Same global batch, same losses up to the order of float32 sums, which twelve steps of Adam enlarge.

    The processes have the variables that torchrun sets; tests/kills.py starts them by torchrun itself.
    Planted bug: the loss not multiplied by the number of processes whose gradients are averaged.
    """
    one = quietly(TINY)
    values = {name: getattr(TINY, name) for name in ("steps", "batch_size", "validate_every", "n_validation")}
    values |= {name: getattr(TINY, name) for name in ("d_model", "n_heads", "num_layers", "dim_feedforward")}
    assignments = [f"{name}={value}" for name, value in (values | {"regularizer": TINY.regularizer}).items()]

    def command():
        with (tmp_path / "printed").open("a") as stream, contextlib.redirect_stdout(stream):
            assert main(["train", *assignments]) == 0

    assert forks.end(forks.begin(command, 2, tmp_path / "two"))[0]
    folder = tmp_path / "two" / "models" / TINY.key
    assert (tmp_path / "printed").read_text().strip() == str(folder)
    two = load_run(folder)
    assert two.record["n_processes"] == 2
    for name in ("train_loss", "mask_loss", "reg_loss", "val_loss"):
        np.testing.assert_allclose(two.history[name], one.history[name], rtol=1e-4)


def test_the_command_line_is_a_config(capsys):
    """Planted bug: the profile's parameters left out."""
    texts = {"reg_weight": "3e0", "families": "[vibration]", "regularizer": "mass", "precision": "no"}
    config = read_config("smoke", texts | {"data_path": "dev #3.csv"})
    assert (config.reg_weight, config.families, config.precision) == (3, ("vibration",), "no")
    assert config.steps == PROFILES["smoke"].training["steps"] != TrainConfig().steps
    assert config.data_path == "dev #3.csv"
    for arguments, message in (
        (["reg_weight"], "is not NAME=VALUE"),
        (["lambda=3"], "unknown training parameter lambda"),
        (["-p", "reg_weight", "3", "reg_weight=4"], "reg_weight is given twice"),
        (["reg_weight=much"], "reg_weight='much' does not fit: reg_weight is a number"),
        (["-p", "reg_weight", "-3"], "reg_weight=-3.0 must be a finite number"),
    ):
        assert main(["train", *arguments]) == 2
        assert message in capsys.readouterr().err


def test_what_is_not_there_is_refused_before_training(tmp_path):
    with pytest.raises(ValueError, match="unknown noise family 'thunder'"):
        quietly(replace(TINY, families=("thunder",)))
    with pytest.raises(ValueError, match="d_model=16 must be a multiple of n_heads=3"):
        quietly(replace(TINY, n_heads=3))
    assert not list((tmp_path / "runs").rglob("*.safetensors"))
