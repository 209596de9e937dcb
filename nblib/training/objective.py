"""One loss, three terms: what a batch says about a model, as sums and counts that add up over processes."""

import torch
from torch import Tensor

from nblib.losses import MASKED_ERRORS, REGULARIZERS, TRUTH
from nblib.model import model_inputs, noisy_tokens
from nblib.scoring.posterior import token_odds
from nblib.simulation.physics import LN_STD
from nblib.training.config import TrainConfig

MAX_COMMON_SHARE, MAX_COMMON_SPECTRA = 0.3, 3  # of a batch; noise that more of them show at one token is not believed


def loss_terms(model, batch, config: TrainConfig, step: int = 0) -> tuple[dict[str, tuple[Tensor, Tensor]], Tensor]:
    """Sums and counts of the loss terms over a batch; a term is its sum over its count, across all processes.

    Parameters
    ----------
    step : keys the draws of the `random` control, and says in training whether "pseudo" labels count yet

    Returns
    -------
    "mask" (error summed over masked bins, their number; weighted where labels are "pseudo"), "reg" (penalty summed over
    the spectra that define it, their number), "noisy_mass" (last layer, for the record only); and the last layer's CLS
    attention (batch, token), heads averaged, without gradient
    """
    inputs = model_inputs(batch)
    truth = noisy_tokens(batch["noisy"], config.patch_size)
    untaught = config.labels == "pseudo" and step < config.labels_after * config.steps and model.training
    attend = None
    if config.readout == "residual" and model.training and (untaught or config.labels == "simulated"):
        attend = torch.ones_like(truth) if untaught else ~truth
    out, _, cls_attn = model(*inputs, return_attention="cls", attend=attend)
    errors = MASKED_ERRORS[config.masked_error](out.float(), batch["target"], LN_STD)
    weights = batch["mask"].float()
    context = {
        "prediction": out.float(),
        "noisy_bins": batch["noisy"],
        "noise_interval": batch["noise_interval"],
        "hidden": noisy_tokens(inputs[1], config.patch_size),
        "generator": torch.Generator().manual_seed(config.seed * 1_000_003 + step),
    }
    if config.labels == "pseudo":  # a penalty cannot read the truth by accident
        context = {name: value for name, value in context.items() if name not in TRUTH}
    noisy = truth
    if untaught:
        noisy = torch.ones_like(truth)  # no label yet: without a clean token there is no penalty
    elif config.labels == "pseudo":
        noise = pseudo_labels(out.detach().float(), batch, config)
        noisy = noise > 0.5
        weights = weights * (1 - noise).repeat_interleave(config.patch_size, dim=1)[:, : weights.shape[1]]
    layers = cls_attn if config.reg_layers == "all" else cls_attn[-1:]
    penalty = REGULARIZERS[config.regularizer]
    parts = [penalty(rows.float(), noisy, reduction="none", **context) for rows in layers]
    rows = torch.stack([values for values, _ in parts]).mean(dim=0)
    defined = parts[0][1]
    mass, has_noise = REGULARIZERS["mass"](cls_attn[-1].detach().float(), truth, reduction="none")
    terms = {
        "mask": (torch.where(weights > 0, weights * errors, 0).sum(), weights.sum()),
        "reg": (torch.where(defined, rows, 0).sum(), defined.sum()),
        "noisy_mass": (torch.where(has_noise, mass, 0).sum(), has_noise.sum()),
    }
    return terms, cls_attn[-1].detach().float().mean(dim=1)


def pseudo_labels(prediction: Tensor, batch: dict[str, Tensor], config: TrainConfig) -> Tensor:
    """Probability that a token holds a noisy bin, by the model's own residual, no truth used: (batch, token).

    A CLS readout draws smooth spectra, so that a line stays in the residual, where the line posterior finds it. What
    many spectra of a batch show at the same frequencies is taken for a wrong background, not for noise: otherwise
    poorly predicted regions would flag and down-weight themselves, and never be learnt.
    Source of the idea, in speech: Lee et al., Interspeech 2022, 10.21437/Interspeech.2022-362.
    """
    log_ratio = (batch["target"] - prediction) * LN_STD
    noise = token_odds(log_ratio, config.n_segments, config.patch_size).sigmoid().float()
    return torch.where(noise.sum(dim=0) > max(MAX_COMMON_SHARE * len(noise), MAX_COMMON_SPECTRA), 0.0, noise)


def total_loss(terms, config, accelerator):
    """This process's share of the loss (a tensor), and loss and terms over all processes as numbers.

    Parameters
    ----------
    terms : from loss_terms

    Returns
    -------
    loss to be propagated back, {"train_loss", "mask_loss", "reg_loss", "noisy_mass"}
    """
    sums = torch.stack([total for total, _ in terms.values()])
    counts = torch.stack([count for _, count in terms.values()]).to(sums.dtype)
    totals, counts = accelerator.reduce(torch.stack([sums.detach(), counts]), "sum")  # one message per step
    counts = counts.clamp(min=1)
    weights = sums.new_tensor([1.0, config.reg_weight, 0.0])
    loss = (weights * sums / counts).sum() * accelerator.num_processes  # gradients are averaged over processes
    means = totals / counts
    columns = ("train_loss", "mask_loss", "reg_loss", "noisy_mass")
    return loss, dict(zip(columns, [(weights * means).sum().item(), *means.tolist()], strict=True))
