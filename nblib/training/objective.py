"""One loss, three terms: what a batch says about a model, as sums and counts that add up over processes."""

import torch
from torch import Tensor

from nblib.losses import MASKED_ERRORS, REGULARIZERS, TRUTH
from nblib.model import noisy_tokens
from nblib.prediction import model_inputs
from nblib.spectra.filters import noise_without_labels
from nblib.training.config import TrainConfig

MAX_NOISY_SHARE = 0.3  # of the bins of a spectrum; labels from a residual that claim more are not believed


def loss_terms(
    model, batch, config: TrainConfig, spread: float, step: int = 0
) -> tuple[dict[str, tuple[Tensor, Tensor]], Tensor]:
    """Sums and counts of the loss terms over a batch; a term is its sum over its count, across all processes.

    spread  : ln units of one standardised unit (the dataset's scale)
    step    : keys the draws of the `random` control, and says in training whether "pseudo" labels count yet
    returns : "mask" (error summed over masked bins, their number), "reg" (penalty summed over the spectra that define
              it, their number), "noisy_mass" (last layer, for the record only);
              and the last layer's CLS attention (batch, token), heads averaged, without gradient
    """
    inputs, extra = model_inputs(batch, config.preset != "published")
    out, _, cls_attn = model(*inputs, return_attention="cls", **extra)
    errors = MASKED_ERRORS[config.masked_error](out.float(), batch["target"], spread)
    masked = batch["mask"] & batch["valid"]
    noisy_bins = batch["noisy"]
    if config.labels == "pseudo":
        started = not model.training or step >= config.labels_after * config.steps
        noisy_bins = noise_labels(out.detach().float(), batch, config, spread, started)
    noisy = noisy_tokens(noisy_bins, config.patch_size)
    context = {
        "prediction": out.float(),
        "noisy_bins": noisy_bins,
        "noise_interval": batch["noise_interval"],
        "generator": torch.Generator().manual_seed(config.seed * 1_000_003 + step),
    }
    if config.labels == "pseudo":  # a penalty cannot read the truth by accident
        context = {name: value for name, value in context.items() if name not in TRUTH}
    layers = cls_attn if config.reg_layers == "all" else cls_attn[-1:]
    penalty = REGULARIZERS[config.regularizer]
    parts = [penalty(rows.float(), noisy, reduction="none", **context) for rows in layers]
    rows = torch.stack([values for values, _ in parts]).mean(dim=0)
    defined = parts[0][1]
    truth = noisy_tokens(batch["noisy"], config.patch_size)
    mass, has_noise = REGULARIZERS["mass"](cls_attn[-1].detach().float(), truth, reduction="none")
    terms = {
        "mask": (torch.where(masked, errors, 0).sum(), masked.sum()),
        "reg": (torch.where(defined, rows, 0).sum(), defined.sum()),
        "noisy_mass": (torch.where(has_noise, mass, 0).sum(), has_noise.sum()),
    }
    return terms, cls_attn[-1].detach().float().mean(dim=1)


def noise_labels(
    prediction: Tensor, batch: dict[str, Tensor], config: TrainConfig, spread: float, started: bool = True
) -> Tensor:
    """Noisy bins by the model's own residual, no truth used: (batch, bin) bool.

    A CLS readout draws smooth spectra, so that a line stays in the residual, where the matched filter finds it. All
    bins of a spectrum count as noisy, which leaves it without a penalty, before the labels have started, and where so
    many seem noisy that the prediction must be wrong.
    Source of the idea, in speech: Lee et al., Interspeech 2022, 10.21437/Interspeech.2022-362.
    """
    if not started:
        return torch.ones_like(batch["noisy"])
    log_ratio = ((batch["target"] - prediction) * spread).masked_fill(~batch["valid"], 0.0)
    noisy = noise_without_labels(log_ratio, n_segments=config.n_segments)
    return noisy | (noisy.float().mean(dim=-1, keepdim=True) > MAX_NOISY_SHARE)


def total_loss(terms, config, accelerator):
    """This process's share of the loss (a tensor), and loss and terms over all processes as numbers.

    terms   : from loss_terms
    returns : loss to be propagated back, {"loss", "mask", "reg", "noisy_mass"}
    """
    sums = torch.stack([total for total, _ in terms.values()])
    counts = torch.stack([count for _, count in terms.values()]).to(sums.dtype)
    totals, counts = accelerator.reduce(torch.stack([sums.detach(), counts]), "sum")  # one message a step
    counts = counts.clamp(min=1)
    weights = sums.new_tensor([1.0, config.reg_weight, 0.0])
    loss = (weights * sums / counts).sum() * accelerator.num_processes  # gradients are averaged over processes
    means = totals / counts
    values = dict(zip(terms, means.tolist(), strict=True))
    return loss, {"loss": float((weights * means).sum()), **values}
