"""How probable is external noise at each place, given a spectrum and an estimate of its background? On torch tensors.

A line of any width and height in a broad prior may stand anywhere; nothing about the noise family is known. The prior
is coarse, so that a training can afford it at every step.
Equation numbers are those of docs/method.md.
"""

import math
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from nblib.cells import CELL_WIDTH, NOISY_RATIO
from nblib.smoothing import LOWER, gaussian, log_median, segments_of_spread

EXACT_LOG_RATIO, COMPRESSION, LARGEST_LOG_RATIO = 400.0, 35.0, 700.0  # stronger lines keep their order in a float64
SUPPORT = 3.5  # standard deviations at which a template ends
LEAST_BLOCK = 10  # bins that are judged together; smaller tokens share what is found, or it would take too long
EXACT_REST = 1e-15  # of what is near; below, the difference that leaves it is rounding


@dataclass(frozen=True)
class BroadPrior:
    """Lines of any kind: log-spaced widths and heights, and how many a spectrum holds.

    Attributes
    ----------
    widths : standard deviations in bins, by the number of bins that are averaged before they are sought
    heights : peak over background; those below NOISY_RATIO are lines that do not count as noise
    n_lines : expected lines of a spectrum
    reach : bins; lines nearer than this to a place are explanations of the same excess, of which one is true
    """

    widths: tuple[tuple[int, tuple[float, ...]], ...] = ((2, (1.5, 3.0)), (5, (5.5, 9.0, 15.0, 25.0, 42.0)))
    heights: tuple[float, ...] = (0.18, 0.36, 0.72, 1.4, 2.8)
    n_lines: float = 1.0
    reach: int = 250


BROAD_PRIOR = BroadPrior()


def line_log_odds(
    log_ratio: Float[Tensor, "n bin"],
    n_segments: float | Float[Tensor, " n"] = 8,
    block: int = CELL_WIDTH,
    prior: BroadPrior = BROAD_PRIOR,
    centred: bool = True,
) -> Float[Tensor, "n block"]:
    """ln odds that a block of bins holds a noisy bin: evidence of the lines that reach it over that of all else near.

    The likelihood ratio of a line, K sum_k [y_k r_k / (1 + r_k) - ln(1 + r_k)] with y = x/S, is eq. 11.

    Parameters
    ----------
    log_ratio : ln x - ln S, S the true, fitted or modelled background
    n_segments : K, of all spectra or of each
    block : bins; 1 gives the odds of every bin
    centred : take each spectrum's median out first, so that an offset of the whole background does not matter

    Returns
    -------
    natural logarithm, float64
    """
    n_bins = log_ratio.shape[-1]
    segments = torch.as_tensor(n_segments, dtype=log_ratio.dtype, device=log_ratio.device).reshape(-1, 1)
    if centred:
        middle = torch.from_numpy(np.asarray(log_median(segments.double().cpu().numpy()))).to(log_ratio)
        log_ratio = log_ratio - log_ratio.median(dim=-1, keepdim=True).values + middle
    n_blocks = -(-n_bins // block)
    reaching = torch.zeros(len(log_ratio), n_blocks, dtype=torch.float64, device=log_ratio.device)
    near = torch.zeros_like(reaching)
    n_kinds = len(prior.heights) * sum(len(widths) for _, widths in prior.widths)
    for coarse, widths in prior.widths:
        pool = math.gcd(coarse, block)
        ratio = F.avg_pool1d(log_ratio.exp(), pool, ceil_mode=True)  # (n, centre)
        share, total = prior.n_lines * pool / (n_kinds * n_bins), 0.0
        for width in widths:
            evidence = _evidence(ratio, width / pool, prior.heights, segments[..., None] * pool)  # (n, height, centre)
            total = total + evidence.sum(dim=1)
            for line, height in zip(evidence.unbind(dim=1), prior.heights, strict=True):
                if height > NOISY_RATIO:
                    reach = width * math.sqrt(2 * math.log(height / NOISY_RATIO))
                    reaching += share * _around(line, pool, block, reach, n_blocks)
        near += share * _around(total, pool, block, prior.reach, n_blocks)
    rest = torch.maximum(near - reaching, EXACT_REST * near) + 1  # 1: no line at all
    return reaching.clamp(min=torch.finfo(reaching.dtype).tiny).log() - rest.log()


def noise_probability(log_ratio, n_segments=8, block=CELL_WIDTH, prior=BROAD_PRIOR, centred=True):
    """Probability that a block holds a noisy bin: line_log_odds through a sigmoid, same arguments."""
    return line_log_odds(log_ratio, n_segments, block, prior, centred).sigmoid()


def token_odds(
    log_ratio: Float[Tensor, "n bin"], n_segments: float | Float[Tensor, " n"], patch_size: int
) -> Float[Tensor, "n token"]:
    """line_log_odds of tokens of patch_size bins."""
    tokens = -(-LEAST_BLOCK // patch_size)
    odds = line_log_odds(log_ratio, n_segments, tokens * patch_size)
    return odds.repeat_interleave(tokens, dim=1)[:, : -(-log_ratio.shape[1] // patch_size)]


def segments_measured(log_ratio: Float[Tensor, "n bin"]) -> Float[Tensor, " n"]:
    """K of each spectrum by its residual's lower spread, which lines do not widen; NaN bins are left out.

    Parameters
    ----------
    log_ratio : ln x - ln S of an estimated background, independent from bin to bin
    """
    middle, low = log_ratio.double().nanquantile(log_ratio.new_tensor([0.5, LOWER]).double(), dim=-1)
    return torch.from_numpy(np.asarray(segments_of_spread((middle - low).double().cpu().numpy()))).to(log_ratio)


def _evidence(ratio, width, heights, n_segments):
    """Likelihood ratio of a Gaussian line of each height at each centre, (n, height, centre), float64."""
    shape = torch.as_tensor(gaussian(width, SUPPORT), device=ratio.device)
    lines = torch.tensor(heights, device=ratio.device)[:, None] * shape  # (height, template)
    weights, costs = (lines / (1 + lines)).to(ratio.dtype), torch.log1p(lines).to(ratio.dtype)
    cost = correlate(torch.ones_like(ratio[:1]), costs)
    log_ratios = (n_segments * (correlate(ratio, weights) - cost)).double()
    if log_ratios.max() > EXACT_LOG_RATIO:  # seldom
        above = COMPRESSION * ((log_ratios - EXACT_LOG_RATIO).clamp(min=0) / COMPRESSION).log1p()
        log_ratios = (log_ratios.clamp(max=EXACT_LOG_RATIO) + above).clamp(max=LARGEST_LOG_RATIO)
    return log_ratios.exp()


def correlate(rows: Tensor, kernels: Tensor, block: int = 32) -> Tensor:
    """Correlation of each row with each kernel, zeros beyond the ends: (n, bin), (kernel, tap) -> (n, kernel, bin).

    As a product with a banded matrix: a CPU's convolution of a single channel takes four times as long.

    Parameters
    ----------
    kernels : of an odd number of taps
    block : bins that one product gives
    """
    n_bins, taps = rows.shape[-1], kernels.shape[-1]
    banded = F.pad(kernels, (block - 1, block - 1)).unfold(-1, block, 1).flip(-1)  # (kernel, window, block)
    windows = F.pad(rows, (taps // 2, taps // 2 + -n_bins % block)).unfold(-1, block + taps - 1, block)
    return torch.einsum("nbw,kwo->nkbo", windows, banded).flatten(2)[..., :n_bins]


def _around(values, pool, block, reach, n_blocks):
    """Sum of what is centred within `reach` bins of each block, (n, block).

    Added up window by window: in a running sum a strong line would swallow the weak ones that follow it.
    """
    before = math.floor((reach - 0.5) / pool + 0.5)  # centres before the block's first one
    after = math.floor((block - 0.5 + reach) / pool - 0.5)  # and from it on, the first not counted
    kernel, stride = before + after + 1, block // pool
    missing = max(0, (n_blocks - 1) * stride + kernel - before - values.shape[-1])
    padded = F.pad(values, (before, missing))[:, None]
    return kernel * F.avg_pool1d(padded, kernel, stride)[:, 0, :n_blocks]
