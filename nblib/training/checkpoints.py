"""Checkpoints: safetensors files that hold a digest of themselves, two generations of each run, each replaced whole."""

import hashlib
import json
import logging
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load, save
from torch import Tensor, nn

from nblib.project.files import write_whole

LAST, FORMER = "last.safetensors", "former.safetensors"
BLANK = b"0" * 64  # stands where the digest comes while it is computed
LOG = logging.getLogger(__name__)


def save_checkpoint(
    path: Path,
    weights: dict[str, Tensor],
    optimizer: torch.optim.Optimizer | None = None,
    best: dict[str, Tensor] | None = None,
    former: Path | None = None,
    **state: Any,
) -> None:
    """Weights, optionally an optimizer's state and other weights, and values that JSON can hold, in one file.

    Parameters
    ----------
    weights, best : of model.state_dict()
    former : where the file that is replaced goes

    Raises
    ------
    ValueError where the folder cannot be written to; the file that was there stays
    """
    tensors = {f"model.{name}": value for name, value in weights.items()}
    tensors |= {f"best.{name}": value for name, value in (best or {}).items()}
    for number, entries in optimizer.state_dict()["state"].items() if optimizer else ():
        tensors |= {f"optimizer.{number}.{name}": torch.as_tensor(value) for name, value in entries.items()}
    tensors = {name: value.detach().cpu().contiguous() for name, value in tensors.items()}
    # one entry: safetensors writes several in another order each time
    text = json.dumps({"sha256": BLANK.decode()} | state)
    content = save(tensors, {"state": text})
    write_whole(path, content.replace(BLANK, hashlib.sha256(content).hexdigest().encode(), 1), former)


def load_checkpoint(path: Path, model: nn.Module, optimizer: torch.optim.Optimizer | None = None) -> dict[str, Any]:
    """Fill a model, and an optimizer if given, from save_checkpoint's file; returns what stands beside, `best` too.

    Raises
    ------
    ValueError when the file is missing, or one bit of it is not as it was written
    """
    try:
        content = path.read_bytes()
        header = json.loads(content[8 : 8 + int.from_bytes(content[:8], "little")])
        state = json.loads(header["__metadata__"]["state"])
        digest = state.pop("sha256")
        if hashlib.sha256(content.replace(digest.encode(), BLANK, 1)).hexdigest() != digest:
            raise ValueError("its digest does not match")
        tensors = load(content)
    except Exception as error:  # safetensors raises its own type, which is no ValueError
        raise ValueError(f"{path} is damaged ({error})") from error
    moments: dict[int, dict[str, Tensor]] = {}
    parts: dict[str, dict[str, Tensor]] = {"model": {}, "best": {}}
    for place, value in tensors.items():
        part, _, name = place.partition(".")
        if part == "optimizer":
            part, _, name = name.partition(".")
            moments.setdefault(int(part), {})[name] = value.clone()  # the file's own bytes may lie at any address
        else:
            parts[part][name] = value.clone()
    model.load_state_dict(parts["model"])
    if optimizer is not None:
        optimizer.load_state_dict({"state": moments, "param_groups": optimizer.state_dict()["param_groups"]})
    return state | ({"best": parts["best"]} if parts["best"] else {})


def load_newest(folder: Path, model: nn.Module, optimizer: torch.optim.Optimizer) -> dict[str, Any] | None:
    """As load_checkpoint, of a run's last checkpoint that is whole; None where there is none.

    A damaged one is reported and set aside.
    """
    damaged = False
    for path in (folder / LAST, folder / FORMER):
        if path.exists():
            try:
                return load_checkpoint(path, model, optimizer)
            except ValueError as error:
                LOG.warning("%s; it is set aside, and the checkpoint before it is used", error)
                damaged = path.replace(path.with_suffix(".damaged")).exists()
    if damaged:
        LOG.warning("no checkpoint of %s is whole: the training starts anew", folder)
    return None


def write_history(path: Path, rows: list[dict[str, Any]]) -> None:
    """One row a validation, columns as the rows name them."""
    lines = [",".join(rows[0])] if rows else []
    write_whole(path, "\n".join([*lines, *(",".join(map(str, row.values())) for row in rows), ""]))
