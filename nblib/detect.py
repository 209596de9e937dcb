"""Contamination scores on fixed cells of 20 bins, what a user would pick instead, and what nobody can exceed.

Every score is higher where noise is more likely. All backgrounds and spectra here are natural-log PSDs (unit^2/Hz).
"""

import numpy as np
from jaxtyping import Bool, Float
from numpy import ndarray
from scipy.fft import irfft, next_fast_len, rfft
from scipy.ndimage import median_filter
from scipy.special import gammaincinv

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
    residual = np.expm1(log_ratio) * np.sqrt(n_segments)
    best = np.full_like(residual, -np.inf)
    for width in widths:
        template = _gaussian_template(width)
        power = _correlate(np.ones((1, residual.shape[1])), template**2)
        best = np.maximum(best, _correlate(residual, template) / np.sqrt(power))
    return best


def _gaussian_template(width):
    half = int(np.ceil(4 * width))
    return np.exp(-0.5 * (np.arange(-half, half + 1) / width) ** 2)


def _correlate(rows, template):
    """Correlation of each row with a symmetric template, zeros beyond the ends, same length."""
    n_bins, half = rows.shape[-1], len(template) // 2
    size = next_fast_len(n_bins + len(template) - 1, real=True)
    full = irfft(rfft(rows, size, axis=-1) * rfft(template, size), size, axis=-1)
    return full[..., half : half + n_bins]


# ---- baselines and limits ----


def running_median(log_psd: Float[ndarray, "n bin"], window: int, n_segments: float = 8) -> Float[ndarray, "n bin"]:
    """ln background from a running median of ln x, corrected for the median of Gamma(K, 1/K). window in bins, odd."""
    if window < 3 or window % 2 == 0:
        raise ValueError(f"window={window} must be an odd number of bins, at least 3")
    # row by row: scipy's one-dimensional filter is some fifty times faster than its two-dimensional one
    median = np.stack([median_filter(row, size=window, mode="nearest") for row in log_psd])
    return median - np.log(gammaincinv(n_segments, 0.5) / n_segments)


def line_posterior(
    log_ratio: Float[ndarray, "n bin"],
    n_segments: float = 8,
    none_share: float = 0.2,
    amplitude: tuple[float, float] = (0.5, 3.0),
    n_amplitudes: int = 10,
    n_widths: int = 14,
) -> Float[ndarray, "n cell"]:
    """The limit for `single_line`: P(cell holds a noisy bin | spectrum, true background, the generator's prior).

    The likelihood ratio K sum_k [y_k r_k / (1 + r_k) - ln(1 + r_k)] of eq. 11 (y = x/S, r the line over the
    background) is averaged over the prior of centre, width (3..36 bins) and amplitude on a midpoint grid.

    log_ratio : ln x - ln S with the true S
    returns   : probabilities in [0, 1]
    """
    n_spectra, n_bins = log_ratio.shape
    ratio, edges = np.exp(log_ratio), cell_edges(n_bins)
    ends = np.append(edges[1:], n_bins)
    widths = 3 + 33 * (np.arange(n_widths) + 0.5) / n_widths
    heights = amplitude[0] + (amplitude[1] - amplitude[0]) * (np.arange(n_amplitudes) + 0.5) / n_amplitudes
    log_scale = np.zeros((n_spectra, 1))  # running maximum, so that exp never overflows
    total, noisy = np.zeros((n_spectra, 1)), np.zeros((n_spectra, len(edges)))
    for width in widths:
        template = _gaussian_template(width)
        for height in heights:
            line = height * template
            cost = _correlate(np.ones((1, n_bins)), np.log1p(line))
            log_ratios = n_segments * (_correlate(ratio, line / (1 + line)) - cost)
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
    n_hypotheses = n_widths * n_amplitudes * n_bins
    line_odds = (1 - none_share) / n_hypotheses
    return line_odds * noisy / (line_odds * total + none_share * np.exp(-log_scale))
