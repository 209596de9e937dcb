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

from evidence.energies import fit_probe, probe
from nblib.assessment import held_out
from nblib.model import NoiseBERT, model_inputs, noisy_tokens
from nblib.simulation.physics import LN_STD
from nblib.training.config import TrainConfig

BATCH = 50  # spectra a pass


def line_free_twins(
    config: TrainConfig, family: str, n_spectra: int, split: str = "test"
) -> Iterator[tuple[dict, dict]]:
    """Batches of spectra with noise and of their twins without external noise; spectra that have none are left out.

    Parameters
    ----------
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

    Parameters
    ----------
    erased : (n, bin) bool
    """
    whole = _predict(model, batch, torch.zeros_like(erased))
    change = (_predict(model, batch, erased) - whole).masked_fill(_whole_tokens(erased, model.patch_size), 0.0)
    return _rms(change)


def _whole_tokens(bins, patch_size):
    """Tokens hidden because they hold one of the bins, as bins."""
    return noisy_tokens(bins, patch_size).repeat_interleave(patch_size, dim=1)[:, : bins.shape[1]]


def _predict(model, batch, hide):
    return model(*model_inputs(batch, hide))[0]


def gradient_on(model: NoiseBERT, batch: dict[str, Tensor], bins: Tensor) -> Float[ndarray, " n"]:
    """Norm of the gradient, on some bins, of a random projection of the prediction elsewhere: how much they are used.

    Parameters
    ----------
    bins : (n, bin) bool
    """
    generator = torch.Generator().manual_seed(0)
    values = batch["target"].clone().requires_grad_(True)
    out = _predict(model, batch | {"target": values}, torch.zeros_like(bins))
    weights = torch.randn(out.shape, generator=generator).masked_fill(_whole_tokens(bins, model.patch_size), 0.0)
    (gradient,) = torch.autograd.grad((out * weights).sum(), values)
    return (gradient * bins).norm(dim=1).numpy()


@contextmanager
def forced_attention(model: NoiseBERT, rows: Float[Tensor, "n head token"]) -> Iterator[None]:
    """Inside, CLS of a token readout collects the values in the last layer as `rows` say, whatever the spectrum."""
    last: Any = model.layers[-1]
    attention = last.attention  # a method of it is exchanged
    own = attention.forward

    def forced(x, return_attention=False):
        value = attention._project(x)[2][:, :, 1:]  # (n, head, token, head_dim)
        mixed = attention.out_proj((rows[:, :, None] @ value).transpose(1, 2).flatten(2))
        return torch.cat([mixed, own(x)[0][:, 1:]], dim=1), rows

    attention.forward = forced
    try:
        yield
    finally:
        del attention.forward


def _seen(model, batch):
    """What a model predicts of a batch with nothing hidden, and CLS's rows of the last layer."""
    out, _, cls_attn = model(*model_inputs(batch, torch.zeros_like(batch["mask"])), return_attention="cls")
    return out, cls_attn[-1]


def _predict_with(model, batch, rows):
    nothing = torch.zeros_like(batch["mask"])
    if model.readout != "token":
        return model(*model_inputs(batch, nothing), attend=rows)[0]
    with forced_attention(model, rows):
        return _predict(model, batch, nothing)


def _rms(change):
    """Root mean square over the bins of each spectrum: (n,)."""
    return (change**2).mean(dim=1).sqrt().numpy()


@torch.no_grad()
def output_change_on_swapping(model: NoiseBERT, batch: dict[str, Tensor]) -> Float[ndarray, " n"]:
    """Root mean square change of the prediction when CLS attends as it does in another spectrum of the batch.

    The other is the next one; against its own rows forced in the same way.
    """
    rows = _seen(model, batch)[1]
    return _rms(_predict_with(model, batch, rows.roll(1, dims=0)) - _predict_with(model, batch, rows))


@torch.no_grad()
def output_change_by_path(
    model: NoiseBERT, batch: dict[str, Tensor], twin: dict[str, Tensor]
) -> dict[str, Float[ndarray, " n"]]:
    """What the line does to the prediction, and through which path: rms over all bins, ln-standardised units.

    Returns
    -------
    "line" (spectrum against its line-free twin), "rows" (the twin's rows with the spectrum's own values, against its
    own rows) and "values" (its own rows with the twin's values, against its own values)
    """
    (own, rows), (without, twin_rows) = _seen(model, batch), _seen(model, twin)
    forced = _predict_with(model, batch, rows)  # equal to `own` where CLS is decoded
    return {
        "line": _rms(own - without),
        "rows": _rms(_predict_with(model, batch, twin_rows) - forced),
        "values": _rms(_predict_with(model, twin, rows) - forced),
    }


@torch.no_grad()
def error_with_even_attention(model: NoiseBERT, batch: dict[str, Tensor], bias: Tensor) -> tuple[float, float]:
    """Sum of |error| in the noisy bins as predicted, and with CLS's attention forced even.

    Parameters
    ----------
    bias : (bin,) E[ln x - ln S], standardised as the batch
    """
    own, rows = _seen(model, batch)
    even = _predict_with(model, batch, torch.full_like(rows, 1 / rows.shape[-1]))
    miss = [(out - bias - batch["background"])[batch["noisy"]].abs() for out in (own, even)]
    return float(miss[0].sum()), float(miss[1].sum())


def line_in_cls(
    cls_out: Float[ndarray, "n d_model"], strength: Float[ndarray, " n"], fitted_on: ndarray, scored_on: ndarray
) -> float:
    """R^2 of a linear probe of the line's strength from CLS, on spectra it was not fitted on: 0 = nothing, 1 = all.

    Parameters
    ----------
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
        vectors.append(model(*model_inputs(batch, torch.zeros_like(batch["mask"])))[1].numpy())
        strengths.append((batch["target"] - twin["target"]).mean(dim=1).numpy())
    return np.concatenate(vectors), np.concatenate(strengths)


def faithfulness(model: NoiseBERT, config: TrainConfig, family: str, n_spectra: int) -> dict[str, float]:
    """All tests on the locked test spectra: means over spectra in ln units, and their ratios to the line-free twin.

    Returns
    -------
    "erase ln", "erase twin ln" and "erase elsewhere ln" (change of the prediction elsewhere when the noisy bins are
    erased; the same bins of the twin; as many clean bins half the axis away), their ratios "erase" and "erase
    elsewhere" (below 1: the noise is used less than what is clean), "gradient" (the same for the gradient's norm),
    "line ln", "rows ln", "values ln" (see output_change_by_path), "swap ln" (0: attention does not reach the
    prediction), "even" (error in the noisy bins with even attention over the model's own) and "line in CLS" (R^2, half
    of the spectra fitted on)
    """
    sums: dict[str, float] = {}
    count, data = 0, held_out(config, family, n_spectra)
    bias = torch.from_numpy(data.log_bias if model.masked_error == "squared" else np.zeros(len(data.freqs))).float()

    def add(name, values):
        sums[name] = sums.get(name, 0.0) + float(np.sum(values))

    for batch, twin in line_free_twins(config, family, n_spectra):
        noisy = batch["noisy"]
        for name, part in (("", batch), (" twin", twin)):
            add(f"erase{name} ln", output_change_on_erasing(model, part, noisy))
            add(f"gradient{name}", gradient_on(model, part, noisy))
        elsewhere = noisy.roll(noisy.shape[1] // 2, dims=1) & ~noisy
        add("erase elsewhere ln", output_change_on_erasing(model, batch, elsewhere))
        add("swap ln", output_change_on_swapping(model, batch))
        for name, change in output_change_by_path(model, batch, twin).items():
            add(f"{name} ln", change)
        for name, total in zip(("own", "even"), error_with_even_attention(model, batch, bias), strict=True):
            add(name, total)
        count += len(noisy)
    vectors, strength = cls_and_strength(model, config, family, n_spectra, "test")
    order = np.arange(len(vectors))
    return {name: value / count * LN_STD for name, value in sums.items() if name.endswith(" ln")} | {
        "erase": sums["erase ln"] / sums["erase twin ln"],
        "erase elsewhere": sums["erase ln"] / sums["erase elsewhere ln"],
        "gradient": sums["gradient"] / sums["gradient twin"],
        "even": sums["even"] / sums["own"],
        "line in CLS": line_in_cls(vectors, strength, order % 2 == 0, order % 2 == 1),
    }
