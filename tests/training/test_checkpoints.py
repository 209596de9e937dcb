"""Checkpoints: bitwise, and never half."""

import pytest
import torch

from nblib.training import checkpoints
from nblib.training.checkpoints import HISTORY_COLUMNS, load_checkpoint, read_history, save_checkpoint, write_history


def trained(steps=3):
    torch.manual_seed(0)
    model = torch.nn.Linear(4, 2)
    optimizer = torch.optim.AdamW(model.parameters(), lr=0.1)
    for _ in range(steps):
        optimizer.zero_grad()
        model(torch.ones(1, 4)).pow(2).sum().backward()
        optimizer.step()
    return model, optimizer


def test_weights_optimizer_and_metadata_come_back_bit_by_bit(tmp_path):
    """Planted bug: the optimizer's step counter left out."""
    model, optimizer = trained()
    save_checkpoint(tmp_path / "last.safetensors", model, optimizer, step=3, best=0.25)
    other, fresh = trained(steps=0)
    assert load_checkpoint(tmp_path / "last.safetensors", other, fresh) == {"step": 3, "best": 0.25}
    for one, two in ((model, optimizer), (other, fresh)):
        two.zero_grad()
        one(torch.ones(1, 4)).pow(2).sum().backward()
        two.step()
    assert all(torch.equal(model.state_dict()[name], other.state_dict()[name]) for name in model.state_dict())


def test_a_failing_write_leaves_the_old_checkpoint(tmp_path, monkeypatch):
    model, _ = trained()
    path = tmp_path / "best.safetensors"
    save_checkpoint(path, model, step=1)

    def fail(tensors, partial, metadata):
        partial.write_bytes(b"half")
        raise OSError("disk full")

    monkeypatch.setattr(checkpoints, "save_file", fail)
    with pytest.raises(OSError, match="disk full"):
        save_checkpoint(path, model, step=2)
    assert load_checkpoint(path, model)["step"] == 1


def test_a_damaged_checkpoint_is_named(tmp_path):
    model, _ = trained()
    path = tmp_path / "best.safetensors"
    save_checkpoint(path, model)
    path.write_bytes(path.read_bytes()[:-10])
    with pytest.raises(ValueError, match=r"best\.safetensors is damaged .*delete it and train again"):
        load_checkpoint(path, model)


def test_history_comes_back_up_to_a_step(tmp_path):
    rows = [{name: float(step) for name in HISTORY_COLUMNS} for step in (10, 20, 30)]
    write_history(tmp_path / "history.csv", rows)
    assert read_history(tmp_path / "history.csv") == rows
    assert read_history(tmp_path / "history.csv", up_to=20) == rows[:2]
    assert read_history(tmp_path / "none.csv") == []
