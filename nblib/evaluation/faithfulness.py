"""Does the attention say what the model uses? Each test compares a spectrum with its twin: the same without its line.

The twin has the same background, scatter and masks, so that the interval under the line is its own matched clean one.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from numpy import ndarray
from torch import Tensor

from nblib.evaluation.energies import fit_probe, probe
from nblib.evaluation.test_sets import held_out
from nblib.model import NoiseBERT, noisy_tokens
from nblib.prediction import model_inputs
from nblib.training.config import TrainConfig

BATCH = 50  # spectra a pass


def line_free_twins(
    config: TrainConfig, family: str, n_spectra: int, split: str = "test"
) -> Iterator[tuple[dict, dict]]:
    """Batches of spectra with noise and of their twins without external noise; spectra that have none are left out.

    split : as for held_out; the twin of a spectrum differs by its external noise alone
    """
    data, clean = (held_out(config, name, n_spectra, split) for name in (family, "none"))
    for start in range(0, n_spectra, BATCH):
        indices = range(start, min(start + BATCH, n_spectra))
        batch, twin = data.batch(indices), clean.batch(indices)
        chosen = batch["noisy"].any(dim=1)
        with_noise, without = ({name: value[chosen] for name, value in part.items()} for part in (batch, twin))
        yield with_noise, without


@torch.no_grad()
def output_change_on_erasing(model: NoiseBERT, batch: dict[str, Tensor], erased: Tensor) -> Float[ndarray, " n"]:
    """Root mean square change of the prediction elsewhere when bins are replaced by [MASK], ln-standardised units.

    erased : (n, bin) bool
    """
    whole = _predict(model, batch, torch.zeros_like(erased))
    change = (_predict(model, batch, erased) - whole).masked_fill(_whole_tokens(erased, model.patch_size), 0.0)
    return (change**2).mean(dim=1).sqrt().numpy()


def _whole_tokens(bins, patch_size):
    """Tokens hidden because they hold one of the bins, as bins."""
    return noisy_tokens(bins, patch_size).repeat_interleave(patch_size, dim=1)[:, : bins.shape[1]]


def _predict(model, batch, hide):
    inputs, extra = model_inputs(batch, model.any_grid, hide=hide)
    return model(*inputs, **extra)[0]


def gradient_on(model: NoiseBERT, batch: dict[str, Tensor], bins: Tensor) -> Float[ndarray, " n"]:
    """Norm of the gradient, on some bins, of a random projection of the prediction elsewhere: how much they are used.

    bins : (n, bin) bool
    """
    generator = torch.Generator().manual_seed(0)
    values = batch["target"].clone().requires_grad_(True)
    out = _predict(model, batch | {"target": values}, torch.zeros_like(bins))
    weights = torch.randn(out.shape, generator=generator).masked_fill(_whole_tokens(bins, model.patch_size), 0.0)
    (gradient,) = torch.autograd.grad((out * weights).sum(), values)
    return (gradient * bins).norm(dim=1).numpy()


@contextmanager
def forced_attention(model: NoiseBERT, rows: Float[Tensor, "n head token"]):
    """Inside, the last layer's CLS attends as `rows` say (its own key gets nothing), whatever the spectrum."""
    attention: Any = model.layers[-1].attention  # a method of it is exchanged
    own = attention.forward

    def forward(x, return_attention=False, only_cls=False):
        value = attention._project(x, only_cls=False)[2][:, :, 1:]  # (n, head, token, head_dim)
        mixed = attention.out_proj((rows[:, :, None] @ value).transpose(1, 2).flatten(2))
        if only_cls:
            return mixed, rows
        out, _ = own(x)
        return torch.cat([mixed, out[:, 1:]], dim=1), rows

    attention.forward = forward
    try:
        yield
    finally:
        del attention.forward


@torch.no_grad()
def output_change_on_swapping(model: NoiseBERT, batch: dict[str, Tensor]) -> Float[ndarray, " n"]:
    """Root mean square change of the prediction when CLS attends as it does in another spectrum of the batch.

    The other is the next one; against its own rows forced in the same way, so that CLS's own key plays no part.
    """
    inputs, extra = model_inputs(batch, model.any_grid, hide=torch.zeros_like(batch["mask"]))
    rows = model(*inputs, return_attention="cls", **extra)[2][-1]
    with forced_attention(model, rows):
        own = model(*inputs, **extra)[0]
    with forced_attention(model, rows.roll(1, dims=0)):
        other = model(*inputs, **extra)[0]
    return ((other - own) ** 2).mean(dim=1).sqrt().numpy()


def line_in_cls(
    cls_out: Float[ndarray, "n d_model"], strength: Float[ndarray, " n"], fitted_on: ndarray, scored_on: ndarray
) -> float:
    """R^2 of a linear probe of the line's strength from CLS, on spectra it was not fitted on: 0 = nothing, 1 = all.

    fitted_on, scored_on : indices or masks, disjoint
    """
    weights = fit_probe(cls_out[fitted_on], strength[fitted_on, None])
    residual = strength[scored_on] - probe(cls_out[scored_on], weights)[:, 0]
    return float(1 - (residual**2).sum() / ((strength[scored_on] - strength[scored_on].mean()) ** 2).sum())


@torch.no_grad()
def cls_and_strength(model: NoiseBERT, config: TrainConfig, family: str, n_spectra: int, split: str) -> tuple:
    """CLS vectors (n, d_model) and the strength of each spectrum's noise: mean over bins of ln(1 + r)."""
    vectors, strengths = [], []
    for batch, twin in line_free_twins(config, family, n_spectra, split):
        inputs, extra = model_inputs(batch, model.any_grid, hide=torch.zeros_like(batch["mask"]))
        vectors.append(model(*inputs, **extra)[1].numpy())
        strengths.append((batch["target"] - twin["target"]).mean(dim=1).numpy())
    return np.concatenate(vectors), np.concatenate(strengths)


def faithfulness(model: NoiseBERT, config: TrainConfig, family: str, n_spectra: int) -> dict[str, float]:
    """All tests on the locked test spectra, as ratios of means: spectrum over twin; and the swap and the probe.

    returns : "erase" and "gradient" (below 1: the noisy interval is used less than the same one without its line),
              "erase elsewhere" (the noisy interval over as many clean bins half the axis away in the same spectrum),
              "swap" (0: attention does not reach the prediction), "line in CLS" (R^2, half of the spectra fitted on)
    """
    sums = dict.fromkeys(("erase", "erase twin", "elsewhere", "gradient", "gradient twin", "swap"), 0.0)
    count = 0
    for batch, twin in line_free_twins(config, family, n_spectra):
        noisy = batch["noisy"]
        for name, part in (("", batch), (" twin", twin)):
            sums[f"erase{name}"] += output_change_on_erasing(model, part, noisy).sum()
            sums[f"gradient{name}"] += gradient_on(model, part, noisy).sum()
        elsewhere = noisy.roll(noisy.shape[1] // 2, dims=1) & ~noisy
        sums["elsewhere"] += output_change_on_erasing(model, batch, elsewhere).sum()
        sums["swap"] += output_change_on_swapping(model, batch).sum()
        count += len(noisy)
    vectors, strength = cls_and_strength(model, config, family, n_spectra, "test")
    order = np.arange(len(vectors))
    return {
        "erase": float(sums["erase"] / sums["erase twin"]),
        "erase elsewhere": float(sums["erase"] / sums["elsewhere"]),
        "gradient": float(sums["gradient"] / sums["gradient twin"]),
        "swap": float(sums["swap"] / count),
        "line in CLS": line_in_cls(vectors, strength, order % 2 == 0, order % 2 == 1),
    }
