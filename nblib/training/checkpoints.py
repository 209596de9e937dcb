"""Checkpoints as safetensors and the history as CSV, each file replaced whole, so that a cut run leaves none half."""

import csv
import json
import math
from pathlib import Path

import torch
from safetensors import safe_open
from safetensors.torch import save_file
from torch import nn

HISTORY_COLUMNS = (
    *("step", "seconds", "learning_rate", "train_loss", "mask_loss", "reg_loss", "noisy_mass"),
    *("val_loss", "val_mask_loss", "val_reg_loss", "val_noisy_mass", "val_ap"),
)


def save_checkpoint(path: Path, model: nn.Module, optimizer=None, **metadata) -> None:
    """Weights, optionally the optimizer's state, and metadata that JSON can hold, in one safetensors file."""
    tensors = {f"model.{name}": value for name, value in model.state_dict().items()}
    if optimizer is not None:
        for number, state in optimizer.state_dict()["state"].items():
            tensors |= {f"optimizer.{number}.{name}": torch.as_tensor(value) for name, value in state.items()}
    tensors = {name: value.detach().cpu().contiguous() for name, value in tensors.items()}
    partial = path.with_suffix(".partial")
    save_file(tensors, partial, {name: json.dumps(value) for name, value in metadata.items()})
    partial.replace(path)


def load_checkpoint(path: Path, model: nn.Module, optimizer=None) -> dict:
    """Fill a model, and an optimizer if given, from save_checkpoint's file; returns the metadata.

    Raises
    ------
    ValueError when the file is damaged
    """
    try:
        with safe_open(path, framework="pt") as stream:
            metadata = {name: json.loads(value) for name, value in (stream.metadata() or {}).items()}
            tensors = {name: stream.get_tensor(name) for name in stream.keys()}  # noqa: SIM118 - not a dict
    except Exception as error:  # safetensors raises its own type, which is no ValueError
        raise ValueError(f"{path} is damaged ({error}); delete it and train again") from error
    model.load_state_dict({name[6:]: value for name, value in tensors.items() if name.startswith("model.")})
    if optimizer is not None:
        state: dict[int, dict[str, torch.Tensor]] = {}
        for name, value in tensors.items():
            if name.startswith("optimizer."):
                _, number, entry = name.split(".", 2)
                state.setdefault(int(number), {})[entry] = value
        optimizer.load_state_dict({"state": state, "param_groups": optimizer.state_dict()["param_groups"]})
    return metadata


def write_history(path: Path, rows: list[dict[str, float]]) -> None:
    """One row a validation, columns HISTORY_COLUMNS."""
    partial = path.with_suffix(".partial")
    with partial.open("w", newline="") as stream:
        writer = csv.DictWriter(stream, HISTORY_COLUMNS)
        writer.writeheader()
        writer.writerows(rows)
    partial.replace(path)


def read_history(path: Path, up_to: float = math.inf) -> list[dict[str, float]]:
    """The rows up to a step; none where there is no file."""
    if not path.exists():
        return []
    with path.open(newline="") as stream:
        rows = [{name: float(value) for name, value in row.items()} for row in csv.DictReader(stream)]
    return [row for row in rows if row["step"] <= up_to]
