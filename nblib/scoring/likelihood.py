"""The likelihood of a line on a known background: ratio test and posterior, the limit of `single_line`.

Equation numbers are those of docs/method.md.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float
from numpy import ndarray

from nblib.cells import NOISY_RATIO, cell_edges, cell_scores
from nblib.scoring.filters import REACH
from nblib.smoothing import correlator, gaussian


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


BROAD_LINES = LinePrior(0.5, (0.2, 5.0), (1.0, 60.0))  # when the generator is unknown: any line, or none


def _midpoints(low, high, n):
    return low + (high - low) * (np.arange(n) + 0.5) / n


def _line_log_ratios(log_ratio, n_segments, prior):
    """(width, height, ln likelihood ratio (n, bin) of a line centred at each bin), eq. 11, over the prior's grid."""
    ratio, longest = np.exp(log_ratio), len(gaussian(prior.width[1], REACH))
    filtered, summed = correlator(ratio, longest), correlator(np.ones_like(ratio[:1]), longest)
    for width, height in prior.lines():
        line = height * gaussian(width, REACH)
        yield width, height, n_segments * (filtered(line / (1 + line)) - summed(np.log1p(line)))


def likelihood_ratio(
    log_ratio: Float[ndarray, "n bin"], n_segments: float = 8, prior: LinePrior = LinePrior()
) -> Float[ndarray, "n cell"]:
    """GLRT: ln likelihood ratio of eq. 11, the largest over the lines of the prior centred in the cell."""
    best = np.full_like(log_ratio, -np.inf)
    for _, _, log_ratios in _line_log_ratios(log_ratio, n_segments, prior):
        np.maximum(best, log_ratios, out=best)
    return cell_scores(best)


def line_posterior(
    log_ratio: Float[ndarray, "n bin"],
    n_segments: float | Float[ndarray, "n 1"] = 8,
    prior: LinePrior = LinePrior(),
) -> Float[ndarray, "n cell"]:
    """The limit for `single_line`: P(cell holds a noisy bin | spectrum, true background, the generator's prior).

    The likelihood ratio K sum_k [y_k r_k / (1 + r_k) - ln(1 + r_k)] of eq. 11 (y = x/S, r the line over the
    background) is averaged over the prior of centre, width and amplitude on a midpoint grid.

    Parameters
    ----------
    log_ratio : ln x - ln S with the true S
    n_segments : K, of all spectra or of each

    Returns
    -------
    probabilities in [0, 1]
    """
    n_spectra, n_bins = log_ratio.shape
    edges = cell_edges(n_bins)
    ends = np.append(edges[1:], n_bins)
    log_ratio, n_segments = log_ratio.astype(np.float32), np.asarray(n_segments, dtype=np.float32)  # half the time
    log_scale = np.zeros((n_spectra, 1))  # running maximum, so that exp never overflows
    total, noisy = np.zeros((n_spectra, 1)), np.zeros((n_spectra, len(edges)))
    for width, height, log_ratios in _line_log_ratios(log_ratio, n_segments, prior):
        new_scale = np.maximum(log_scale, log_ratios.max(axis=1, keepdims=True))
        total, noisy = total * np.exp(log_scale - new_scale), noisy * np.exp(log_scale - new_scale)
        log_scale = new_scale
        weights = np.exp(log_ratios - log_scale.astype(np.float32))  # by line centre
        cumulative = np.pad(np.cumsum(weights, axis=1, dtype=np.float64), ((0, 0), (1, 0)))
        total += cumulative[:, -1:]
        if height > NOISY_RATIO:
            reach = int(width * np.sqrt(2 * np.log(height / NOISY_RATIO)))
            first, last = np.clip(edges - reach, 0, n_bins), np.clip(ends + reach, 0, n_bins)
            noisy += cumulative[:, last] - cumulative[:, first]
    line_odds = (1 - prior.none_share) / (prior.n_widths * prior.n_amplitudes * n_bins)
    return line_odds * noisy / (line_odds * total + prior.none_share * np.exp(-log_scale))
