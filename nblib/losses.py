"""Masked error and the penalties on CLS attention, by name in REGULARIZERS.

A penalty is written for one spectrum and averaged over the spectra that define it: those with the tokens its formula
needs. Where no spectrum defines it, it is 0 with gradient 0.

Equation numbers are those of docs/method.md.
"""

import inspect
from collections.abc import Callable
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float
from torch import Tensor

from nblib.project.registry import check_known, register

TRUTH = ("noisy_bins", "noise_interval")  # of a penalty's context: what only simulated labels can give
MARGIN = 1.0  # logits; of log_odds and ranking


def mean_over_defined(rows: Float[Tensor, " batch"], defined: Bool[Tensor, " batch"]) -> Float[Tensor, ""]:
    """Average over the spectra that define a penalty; 0, with gradient 0, when none does."""
    return torch.where(defined, rows, 0).sum() / defined.sum().clamp(min=1)


@dataclass(frozen=True)
class Penalty:
    """A registered penalty: rows(cls_attn, noisy, clean, **context) -> (value, is it defined), a spectrum.

    The rows are written for noisy and clean tokens, both given as bool: tokens that are `hidden` (batch, token) from
    the model, or missing, are neither.

    Attributes
    ----------
    needs_truth : it reads the simulated labels themselves, so that pseudo-labels cannot stand in
    """

    rows: Callable
    needs_truth: bool

    def __call__(self, cls_attn, noisy, reduction="mean", hidden=None, **context):
        """The penalty averaged over the spectra that define it; reduction="none" returns the rows."""
        shown = torch.ones_like(noisy) if hidden is None else ~hidden
        values, defined = self.rows(cls_attn, noisy & shown, clean=~noisy & shown, **context)
        return mean_over_defined(values, defined) if reduction == "mean" else (values, defined)


REGULARIZERS: dict[str, Penalty] = {}


def regularizer(rows: Callable | None = None, *, needs_truth: bool | None = None) -> Callable:
    """Decorator: register a penalty under its function's name, as `@regularizer` or `@regularizer(needs_truth=...)`.

    Parameters
    ----------
    rows : (cls_attn, noisy, **context) -> (value per spectrum, bool per spectrum: does the penalty exist for it)
    needs_truth : does it read an entry of TRUTH? None = as its code says

    Raises
    ------
    ValueError for a name that is taken, and for needs_truth=False on a function that names an entry of TRUTH
    """
    if rows is None:
        return lambda function: regularizer(function, needs_truth=needs_truth)
    code = inspect.unwrap(rows).__code__
    read = [name for name in TRUTH if name in (*inspect.signature(rows).parameters, *code.co_consts)]
    if needs_truth is False and read:
        raise ValueError(f"penalty {rows.__name__!r} reads {', '.join(read)}; declare it with needs_truth=True")
    return register(REGULARIZERS, "penalty", rows.__name__, Penalty(rows, bool(needs_truth or read)))


# ---- masked error ----


def squared_error(prediction, target, spread=1.0):
    """(prediction - target)^2 per bin, standardised units; its floor is trigamma(K) / spread^2."""
    return (prediction - target) ** 2


def whittle_error(prediction, target, spread=1.0):
    """Gamma (Whittle) deviance per bin, eq. 4: x/S - ln(x/S) - 1 with ln x, ln S the values times spread; >= 0."""
    log_ratio = (target - prediction) * spread
    return log_ratio.exp() - log_ratio - 1


MASKED_ERRORS = {"squared": squared_error, "whittle": whittle_error}


def check_masked_error(kind: str) -> None:
    """Raise ValueError for a masked error that is not known."""
    check_known(MASKED_ERRORS, "masked error", kind)


def check_regularizer(name: str) -> None:
    """Raise ValueError for a regularizer that is not registered."""
    check_known(REGULARIZERS, "regularizer", name)


def masked_error(
    prediction: Float[Tensor, "batch bin"],
    target: Float[Tensor, "batch bin"],
    masked: Bool[Tensor, "batch bin"],
    kind: str = "squared",
    spread: float = 1.0,
) -> Float[Tensor, ""]:
    """Mean error over masked bins, eq. 7; 0 when nothing is masked.

    Parameters
    ----------
    prediction, target : standardised ln PSD
    masked : True = hidden from the model and to be predicted
    kind : "squared" or "whittle"
    spread : ln units of one standardised unit
    """
    check_masked_error(kind)
    errors = MASKED_ERRORS[kind](prediction, target, spread)
    return torch.where(masked, errors, 0).sum() / masked.sum().clamp(min=1)


def _log(cls_attn):
    return cls_attn.clamp(min=torch.finfo(cls_attn.dtype).tiny).log()


def _both_kinds(noisy, clean):
    return noisy.any(dim=-1) & clean.any(dim=-1)


def _log_mean_exp(logits, keep):
    """ln of the mean of exp(logits) over the tokens kept: (batch, head)."""
    masked = logits.masked_fill(~keep[:, None], -torch.inf)
    empty = ~keep.any(dim=-1)[:, None, None]
    total = torch.where(empty, logits, masked).logsumexp(dim=-1)  # finite where nothing is kept
    return total - keep.sum(dim=-1).clamp(min=1).log()[:, None]


def _mass(cls_attn, noisy):
    return (cls_attn * noisy[:, None]).sum(dim=-1)  # (batch, head)


def _uniform_over(cls_attn, kept):
    """-mean over the tokens kept of ln a, minus ln(their number): 0 at its best, averaged over heads.

    Parameters
    ----------
    kept : (batch, token) bool, or shares in [0, 1]
    """
    n_kept = kept.sum(dim=-1).clamp(min=1)
    logs = torch.where(kept[:, None] > 0, kept[:, None] * _log(cls_attn), 0).sum(dim=-1) / n_kept[:, None]
    return -logs.mean(dim=1) - n_kept.log(), kept.sum(dim=-1) >= 1


# ---- the penalties: cls_attn (batch, head, token), noisy (batch, token) ----


@regularizer
def none(cls_attn: Float[Tensor, "batch head token"], noisy: Bool[Tensor, "batch token"], *, clean, **context):
    """0: no penalty."""
    return cls_attn.new_zeros(len(cls_attn)), noisy.any(dim=-1)


@regularizer(needs_truth=True)
def simple(cls_attn, noisy, *, clean, prediction, noisy_bins, **context):
    """Mean |prediction| on noisy bins; attention is not used. prediction, noisy_bins : (batch, bin)."""
    n_noisy = noisy_bins.sum(dim=-1)
    rows = torch.where(noisy_bins, prediction.abs(), 0).sum(dim=-1) / n_noisy.clamp(min=1)
    return rows, n_noisy > 0


@regularizer
def mean(cls_attn: Float[Tensor, "batch head token"], noisy: Bool[Tensor, "batch token"], *, clean, **context):
    """Mean attention on noisy tokens, averaged over heads: the starting study's penalty. Gradient A(1-A)/k."""
    return (_mass(cls_attn, noisy) / noisy.sum(dim=-1).clamp(min=1)[:, None]).mean(dim=1), _both_kinds(noisy, clean)


@regularizer(needs_truth=True)
def first_bin(cls_attn, noisy, *, clean, noise_interval, n_intervals=30, **context):
    """Attention on the token of the labelled interval's first bin: the starting study's code, literally.

    Parameters
    ----------
    noise_interval : (batch,) int, -1 for none
    """
    token = (noise_interval.clamp(min=0) * cls_attn.shape[-1]) // n_intervals
    picked = cls_attn.gather(2, token[:, None, None].expand(-1, cls_attn.shape[1], 1))[..., 0]
    return picked.mean(dim=1), (noise_interval >= 0) & clean.any(dim=-1)


@regularizer
def mass(cls_attn: Float[Tensor, "batch head token"], noisy: Bool[Tensor, "batch token"], *, clean, **context):
    """A = share of attention on noisy tokens, averaged over heads, in [0, 1]. Gradient A(1-A)."""
    return _mass(cls_attn, noisy).mean(dim=1), _both_kinds(noisy, clean)


@regularizer
def log_barrier(cls_attn: Float[Tensor, "batch head token"], noisy: Bool[Tensor, "batch token"], *, clean, **context):
    """-ln(1 - A), averaged over heads (Pruthi et al., ACL 2020). Gradient A."""
    return -_log(_mass(cls_attn, ~noisy)).mean(dim=1), _both_kinds(noisy, clean)


@regularizer
def log_odds(cls_attn: Float[Tensor, "batch head token"], noisy: Bool[Tensor, "batch token"], *, clean, **context):
    """[LSE_noisy - ln k - LSE_clean + ln(L - k) + margin]+ on the logits. Gradient 1 until the margin.

    ln a differs from the logits by one constant per row, which cancels.
    """
    logits = _log(cls_attn)
    gap = _log_mean_exp(logits, noisy) - _log_mean_exp(logits, clean)
    return F.relu(gap + MARGIN).mean(dim=1), _both_kinds(noisy, clean)


@regularizer
def uniform_clean(cls_attn: Float[Tensor, "batch head token"], noisy: Bool[Tensor, "batch token"], clean, **context):
    """Divergence from uniform attention over the clean tokens: 0 at its best. Gradient A on the noisy tokens."""
    return _uniform_over(cls_attn, clean)


@regularizer
def ranking(cls_attn: Float[Tensor, "batch head token"], noisy: Bool[Tensor, "batch token"], *, clean, **context):
    """Mean over (noisy, clean) pairs of softplus(logit_noisy - logit_clean + 1), averaged over heads."""
    logits = _log(cls_attn)
    pairs = F.softplus(logits[..., :, None] - logits[..., None, :] + MARGIN)  # (batch, head, token, token)
    wanted = (noisy[:, :, None] & clean[:, None, :])[:, None]
    n_pairs = wanted.sum(dim=(2, 3)).clamp(min=1)
    return (torch.where(wanted, pairs, 0).sum(dim=(2, 3)) / n_pairs).mean(dim=1), _both_kinds(noisy, clean)


@regularizer
def random(cls_attn, noisy, *, clean, generator, **context):
    """The control: `uniform_clean` with as many tokens as are noisy, drawn at random each step.

    Parameters
    ----------
    generator : torch.Generator on the CPU
    """
    shown = noisy | clean
    keys = torch.rand(noisy.shape, generator=generator).to(noisy.device).masked_fill(~shown, 2.0)
    ranks = keys.argsort(dim=-1).argsort(dim=-1)
    return _uniform_over(cls_attn, shown & (ranks >= noisy.sum(dim=-1, keepdim=True)))


def logit_gradient(name: str, mass: float, n_noisy: int, n_tokens: int) -> float:
    """Push of a penalty: sum over noisy tokens of |dR / d logit|, one head, attention even within both groups.

    Parameters
    ----------
    name : of a penalty on attention alone
    mass : attention on the noisy tokens, between 0 and 1
    """
    noisy = torch.arange(n_tokens) < n_noisy
    shares = torch.where(noisy, mass / n_noisy, (1 - mass) / (n_tokens - n_noisy)).double()
    logits = shares.log().requires_grad_(True)
    penalty = REGULARIZERS[name](logits.softmax(dim=-1)[None, None], noisy[None])
    return float(torch.autograd.grad(penalty, logits)[0][noisy].abs().sum())
