"""Checkpoints: bitwise, never half, and a damaged one is seen."""

import csv
import errno
import logging
import os

import numpy as np
import pytest
import torch

from nblib.training.checkpoints import (
    FORMER,
    LAST,
    load_checkpoint,
    load_newest,
    save_checkpoint,
    write_history,
)


def trained(steps=3):
    torch.manual_seed(0)
    model = torch.nn.Linear(4, 2)
    optimizer = torch.optim.AdamW(model.parameters(), lr=0.1)
    for _ in range(steps):
        optimizer.zero_grad()
        model(torch.ones(1, 4)).pow(2).sum().backward()
        optimizer.step()
    return model, optimizer


def save(folder, step):
    """The checkpoint after so many steps, as a training writes it."""
    model, optimizer = trained(step)
    save_checkpoint(folder / LAST, model.state_dict(), optimizer, former=folder / FORMER, step=step)
    return model, optimizer


def test_weights_optimizer_and_metadata_come_back_bit_by_bit(tmp_path):
    """Planted bugs: the optimizer's step counter left out; 3 came back as 3.0, so that the next file differed."""
    model, optimizer = save(tmp_path, 3)
    other, fresh = trained(steps=0)
    state = load_checkpoint(tmp_path / LAST, other, fresh)
    assert state == {"step": 3} and isinstance(state["step"], int)
    save_checkpoint(tmp_path / "again", other.state_dict(), fresh, **state)
    assert (tmp_path / "again").read_bytes() == (tmp_path / LAST).read_bytes()
    for one, two in ((model, optimizer), (other, fresh)):
        two.zero_grad()
        one(torch.ones(1, 4)).pow(2).sum().backward()
        two.step()
    assert all(torch.equal(model.state_dict()[name], other.state_dict()[name]) for name in model.state_dict())


@pytest.mark.parametrize("failing", ["fsync", "replace"])
def test_a_full_disk_leaves_the_old_checkpoint_and_says_what_to_do(tmp_path, monkeypatch, failing):
    """Planted bug: written in place."""
    save(tmp_path, 1)
    before = (tmp_path / LAST).read_bytes()

    def fail(*_):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with (
        monkeypatch.context() as patch,
        pytest.raises(ValueError, match=r"cannot write to .*No space left .*NBLIB_RUNS"),
    ):
        patch.setattr(os, failing, fail)
        save(tmp_path, 2)
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == {LAST: before}


def test_every_flipped_bit_and_every_cut_is_seen(tmp_path, caplog):
    """Planted bugs: a digest of the tensors alone, so that a flipped step was believed; no digest."""
    save(tmp_path, 1)
    former, _ = save(tmp_path, 2)
    whole = save(tmp_path, 3) and (tmp_path / LAST).read_bytes()
    former_bytes = (tmp_path / FORMER).read_bytes()
    for bit in range(0, 8 * len(whole), 61):  # 61 and 8 have no common factor: every place of a byte
        damaged = bytearray(whole)
        damaged[bit // 8] ^= 1 << bit % 8
        (tmp_path / LAST).write_bytes(damaged)
        with pytest.raises(ValueError, match="is damaged"):
            load_checkpoint(tmp_path / LAST, trained(0)[0])
    for length in (0, 5, 100, len(whole) - 1):
        (tmp_path / LAST).write_bytes(whole[:length])
        model, optimizer = trained(0)
        with caplog.at_level(logging.WARNING, "nblib"):
            assert load_newest(tmp_path, model, optimizer) == {"step": 2}
        assert (
            "last.safetensors is damaged" in caplog.text
            and "it is set aside, and the checkpoint before it is used" in caplog.text
        )
        assert torch.equal(model.weight, former.weight)
        assert (tmp_path / "last.damaged").read_bytes() == whole[:length]
        assert not (tmp_path / LAST).exists() and (tmp_path / FORMER).read_bytes() == former_bytes
        caplog.clear()
    (tmp_path / FORMER).write_bytes(b"")
    with caplog.at_level(logging.WARNING, "nblib"):
        assert load_newest(tmp_path, *trained(0)) is None
    assert "the training starts anew" in caplog.text


def test_history_comes_back_to_the_last_digit(tmp_path):
    rows = [{"step": step, "loss": 1 / step, "ap": np.float64(step) / 7} for step in (10, 20, 30)]
    write_history(tmp_path / "history.csv", rows)
    with (tmp_path / "history.csv").open(newline="") as stream:
        assert [{name: float(value) for name, value in row.items()} for row in csv.DictReader(stream)] == rows
    assert (tmp_path / "history.csv").read_text().startswith("step,loss,ap\n10,0.1,1.42")
