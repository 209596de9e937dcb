"""Contamination scores on fixed cells of 20 bins, what a user would pick instead, and what nobody can exceed.

Every score is higher where noise is more likely. All backgrounds and spectra here are natural-log PSDs (unit^2/Hz).
"""

import math
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float
from numpy import ndarray
from scipy.fft import next_fast_len
from scipy.ndimage import median_filter, uniform_filter1d
from scipy.signal import find_peaks
from scipy.special import gammaincinv
from torch import Tensor

from nblib.noise import CELL_WIDTH, N_INTERVALS, NOISY_RATIO

# Gaussian widths (standard deviation, bins) of the matched-filter bank that suits each family
FILTER_WIDTHS = {
    "single_line": (3, 5, 8, 12, 18, 26, 36),
    "vibration": (1, 2, 3, 5, 8, 12, 18, 26),
    "power_supply": (1, 2, 5, 12, 30, 60, 90, 140, 200),
    "interference": (1, 2, 3),
    "clock_leakage": (1, 2),
}
ALL_WIDTHS = (1, 2, 3, 5, 8, 12, 18, 26, 36)  # when the family is not known
NORMAL_QUARTILE = 0.6745  # of the standard normal: median |deviation| over standard deviation
PEAK_REACH = 20  # bins; nearer maxima are one line
MEDIAN_WINDOWS = (51, 101, 201, 301, 401, 601)  # bins; tuned on validation spectra


def cell_edges(n_bins: int) -> ndarray:
    """First bin of each 20-bin cell."""
    return np.arange(0, n_bins, CELL_WIDTH)


def cells_any(noisy: Bool[ndarray, "*n bin"]) -> Bool[ndarray, "*n cell"]:
    """Truth per cell: True where the cell holds a noisy bin."""
    return np.logical_or.reduceat(noisy, cell_edges(noisy.shape[-1]), axis=-1)


def cells_max(scores: Float[ndarray, "*n bin"]) -> Float[ndarray, "*n cell"]:
    """Score per cell: the largest score of its bins."""
    return np.maximum.reduceat(scores, cell_edges(scores.shape[-1]), axis=-1)


def intervals_max(cells: ndarray, n_bins: int) -> ndarray:
    """Score or truth per interval (30 equal ones): the largest of the cells that overlap it, (..., 30)."""
    starts = np.arange(N_INTERVALS) * n_bins // N_INTERVALS
    ends = np.append(starts[1:], n_bins)
    parts = [cells[..., first // CELL_WIDTH : -(-last // CELL_WIDTH)] for first, last in zip(starts, ends, strict=True)]
    return np.stack([part.max(axis=-1) for part in parts], axis=-1)


# ---- scores of the model ----


def attention_score(cls_attn: Float[ndarray, "n head token"], n_bins: int) -> Float[ndarray, "n cell"]:
    """-ln(attention of the cell over uniform attention), heads averaged, eq. 9: high where CLS looks away.

    cls_attn : rows that sum to 1; tokens of equally many bins in order of frequency
    """
    n_tokens = cls_attn.shape[-1]
    patch_size = -(-n_bins // n_tokens)
    per_bin = np.repeat(cls_attn.mean(axis=1) / patch_size, patch_size, axis=-1)[:, :n_bins]
    edges = cell_edges(n_bins)
    sizes = np.diff(np.append(edges, n_bins))
    share = np.add.reduceat(per_bin, edges, axis=-1) / (sizes / n_bins)
    return -np.log(np.maximum(share, np.finfo(np.float32).tiny))


def matched_filter(
    log_ratio: Float[ndarray, "n bin"], widths=ALL_WIDTHS, n_segments: float = 8
) -> Float[ndarray, "n bin"]:
    """Bank of Gaussian matched filters on the residual x/S - 1, eq. 10: the largest response over widths, per bin.

    log_ratio : ln x - ln S, S the true, estimated or modelled background
    widths    : standard deviations, bins
    returns   : in standard deviations of the intrinsic noise (1/sqrt(K) per bin)
    """
    return _filter_bank(torch.from_numpy(log_ratio), widths, n_segments)[0].numpy()


def noise_without_labels(
    log_ratio: Float[Tensor, "n bin"], widths=ALL_WIDTHS, n_segments: float = 8, threshold: float = 5.0
) -> Bool[Tensor, "n bin"]:
    """Bins that look noisy in the residual alone: those where a line that stands out is above NOISY_RATIO.

    A line stands at each local maximum (within PEAK_REACH bins) of the matched filter's response above the threshold,
    with the width and height of the template that gives it.

    log_ratio : ln x - ln S, S the model's own background; a constant offset per spectrum does not matter
    threshold : of the response, in robust standard deviations of the same spectrum's responses
    """
    n_bins = log_ratio.shape[-1]
    median_gamma = math.log(gammaincinv(n_segments, 0.5) / n_segments)
    centred = log_ratio - log_ratio.median(dim=-1, keepdim=True).values + median_gamma
    response, height, width = _filter_bank(centred, widths, n_segments)
    above = response - response.median(dim=-1, keepdim=True).values
    deviation = above.abs().median(dim=-1, keepdim=True).values / NORMAL_QUARTILE
    highest = F.max_pool1d(response[:, None], 2 * PEAK_REACH + 1, stride=1, padding=PEAK_REACH)[:, 0]
    row, bin_ = ((above > threshold * deviation) & (height > NOISY_RATIO) & (response == highest)).nonzero(
        as_tuple=True
    )
    reach = (width * (2 * (height / NOISY_RATIO).log()).sqrt())[row, bin_].long()
    steps = response.new_zeros(len(response), n_bins + 1)  # +1 where a line begins, -1 behind its end
    one = steps.new_ones(len(row))
    steps.index_put_((row, (bin_ - reach).clamp(min=0)), one, accumulate=True)
    steps.index_put_((row, (bin_ + reach + 1).clamp(max=n_bins)), -one, accumulate=True)
    return steps[:, :-1].cumsum(dim=-1) > 0.5


def _filter_bank(log_ratio, widths, n_segments):
    """Largest response over widths, and the height (over background) and width of the line that gives it, per bin."""
    residual = torch.expm1(log_ratio)
    longest = len(_gaussian_template(max(widths)))
    filtered, summed = _correlator(residual, longest), _correlator(torch.ones_like(residual[:1]), longest)
    best = torch.full_like(residual, -torch.inf)
    height, chosen = torch.zeros_like(residual), torch.zeros_like(residual)
    for width in widths:
        template = _gaussian_template(width)
        power = summed(template**2).sqrt()
        response = filtered(template) / power
        wins = response > best
        height, chosen = torch.where(wins, response / power, height), chosen.masked_fill(wins, width)
        best = torch.maximum(best, response)
    return best * math.sqrt(n_segments), height, chosen


def _gaussian_template(width):
    half = int(np.ceil(4 * width))
    return np.exp(-0.5 * (np.arange(-half, half + 1) / width) ** 2)


def _correlator(rows, longest):
    """template -> correlation of each row with it, zeros beyond the ends, same length; the rows are transformed once.

    template : symmetric, at most `longest` bins
    """
    n_bins = rows.shape[-1]
    size = next_fast_len(n_bins + longest - 1, real=True)
    transformed = torch.fft.rfft(rows, size)

    def correlate(template):
        kernel = torch.fft.rfft(torch.as_tensor(template, dtype=rows.dtype, device=rows.device), size)
        half = len(template) // 2
        return torch.fft.irfft(transformed * kernel, size)[..., half : half + n_bins]

    return correlate


# ---- baselines and limits ----


def running_median(log_psd: Float[ndarray, "n bin"], window: int, n_segments: float = 8) -> Float[ndarray, "n bin"]:
    """ln background from a running median of ln x, corrected for the median of Gamma(K, 1/K). window in bins, odd."""
    if window < 3 or window % 2 == 0:
        raise ValueError(f"window={window} must be an odd number of bins, at least 3")
    # row by row: scipy's one-dimensional filter is some fifty times faster than its two-dimensional one
    median = np.stack([median_filter(row, size=window, mode="nearest") for row in log_psd])
    return median - np.log(gammaincinv(n_segments, 0.5) / n_segments)


def find_peaks_score(log_psd: Float[ndarray, "n bin"], width: int) -> Float[ndarray, "n bin"]:
    """scipy.signal.find_peaks on a smoothed ln PSD: the prominence (ln units) at each peak's bin, 0 elsewhere.

    width : bins of the moving average, odd
    """
    smooth = uniform_filter1d(log_psd, width, axis=-1, mode="nearest")
    scores = np.zeros_like(smooth)
    for row, score in zip(smooth, scores, strict=True):
        peaks, found = find_peaks(row, prominence=0.0)
        score[peaks] = found["prominences"]
    return scores


@dataclass(frozen=True)
class LinePrior:
    """The generator's prior of `single_line`: what the limit and the GLRT may know. Widths are in bins."""

    none_share: float = 0.2
    amplitude: tuple[float, float] = (0.5, 3.0)
    width: tuple[float, float] = (3.0, 36.0)
    n_amplitudes: int = 10
    n_widths: int = 14

    def lines(self):
        """Midpoint grid: (width, height) pairs."""
        for width in _midpoints(*self.width, self.n_widths):
            for height in _midpoints(*self.amplitude, self.n_amplitudes):
                yield width, height


def _midpoints(low, high, n):
    return low + (high - low) * (np.arange(n) + 0.5) / n


def _line_log_ratios(log_ratio, n_segments, prior):
    """(width, height, ln likelihood ratio (n, bin) of a line centred at each bin), eq. 11, over the prior's grid."""
    ratio = torch.from_numpy(np.exp(log_ratio))
    longest = len(_gaussian_template(prior.width[1]))
    filtered, summed = _correlator(ratio, longest), _correlator(torch.ones_like(ratio[:1]), longest)
    for width, height in prior.lines():
        line = height * _gaussian_template(width)
        log_ratios = n_segments * (filtered(line / (1 + line)) - summed(np.log1p(line)))
        yield width, height, log_ratios.numpy()


def likelihood_ratio(
    log_ratio: Float[ndarray, "n bin"], n_segments: float = 8, prior: LinePrior = LinePrior()
) -> Float[ndarray, "n cell"]:
    """GLRT: ln likelihood ratio of eq. 11, the largest over the lines of the prior centred in the cell."""
    best = np.full_like(log_ratio, -np.inf)
    for _, _, log_ratios in _line_log_ratios(log_ratio, n_segments, prior):
        np.maximum(best, log_ratios, out=best)
    return cells_max(best)


def line_posterior(
    log_ratio: Float[ndarray, "n bin"], n_segments: float = 8, prior: LinePrior = LinePrior()
) -> Float[ndarray, "n cell"]:
    """The limit for `single_line`: P(cell holds a noisy bin | spectrum, true background, the generator's prior).

    The likelihood ratio K sum_k [y_k r_k / (1 + r_k) - ln(1 + r_k)] of eq. 11 (y = x/S, r the line over the
    background) is averaged over the prior of centre, width and amplitude on a midpoint grid.

    log_ratio : ln x - ln S with the true S
    returns   : probabilities in [0, 1]
    """
    n_spectra, n_bins = log_ratio.shape
    edges = cell_edges(n_bins)
    ends = np.append(edges[1:], n_bins)
    log_scale = np.zeros((n_spectra, 1))  # running maximum, so that exp never overflows
    total, noisy = np.zeros((n_spectra, 1)), np.zeros((n_spectra, len(edges)))
    for width, height, log_ratios in _line_log_ratios(log_ratio, n_segments, prior):
        new_scale = np.maximum(log_scale, log_ratios.max(axis=1, keepdims=True))
        total, noisy = total * np.exp(log_scale - new_scale), noisy * np.exp(log_scale - new_scale)
        log_scale = new_scale
        weights = np.exp(log_ratios - log_scale)  # by line centre
        cumulative = np.pad(np.cumsum(weights, axis=1), ((0, 0), (1, 0)))
        total += cumulative[:, -1:]
        if height > NOISY_RATIO:
            reach = int(width * np.sqrt(2 * np.log(height / NOISY_RATIO)))
            first, last = np.clip(edges - reach, 0, n_bins), np.clip(ends + reach, 0, n_bins)
            noisy += cumulative[:, last] - cumulative[:, first]
    line_odds = (1 - prior.none_share) / (prior.n_widths * prior.n_amplitudes * n_bins)
    return line_odds * noisy / (line_odds * total + prior.none_share * np.exp(-log_scale))
