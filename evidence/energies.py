"""Activation energies from spectra: maximum likelihood, a linear probe of CLS, and the errors nobody can go below.

Amplitudes and floor of the published generator are taken as known; energies are (Ea, Eb) in meV.

Equation numbers are those of docs/method.md.
"""

import functools

import numpy as np
from jaxtyping import Bool, Float
from numpy import ndarray

from nblib.simulation.physics import E_ALPHA_GRID, E_BETA_GRID, cramer_rao_energies, energy_slopes, published_psd

LOWEST = np.array([E_ALPHA_GRID[0], E_BETA_GRID[0]])
HIGHEST = np.array([E_ALPHA_GRID[-1], E_BETA_GRID[-1]])
GRID_STEP = 2  # every second energy of the preset: 0.2 meV, below the bound of one spectrum with K = 8
N_ITERATIONS = 8
BLOCK = 250  # spectra at a time
MAE_OF_SIGMA = np.sqrt(2 / np.pi)  # mean |error| of a normal error over its standard deviation


@functools.cache
def _grid():
    """Energies (grid, 2) and noise-free PSDs (grid, bin) that the search starts from."""
    pairs = np.stack(np.meshgrid(E_ALPHA_GRID[::GRID_STEP], E_BETA_GRID[::GRID_STEP], indexing="ij"), axis=-1)
    pairs = pairs.reshape(-1, 2)
    return pairs, published_psd(*pairs.T).astype(np.float64)


def _grid_costs(log_psd, keep):
    """Whittle cost sum_k (ln S + x/S) over the bins kept, at every pair of the grid: (n, grid)."""
    psds = _grid()[1]
    unit = psds.mean()
    return keep @ np.log(psds / unit).T + (keep * np.exp(log_psd - np.log(unit))) @ (unit / psds).T


def fit_energies(
    log_psd: Float[ndarray, "n 3000"], keep: Bool[ndarray, "n 3000"] | None = None
) -> Float[ndarray, "n 2"]:
    """Maximum-likelihood (Whittle, eq. 4) energies, within the range of the published generator.

    Parameters
    ----------
    log_psd : ln x, ln A^2/Hz
    keep : bins used; all if None

    Returns
    -------
    (Ea, Eb) meV: the best pair of a grid, then Fisher scoring
    """
    keep = np.ones(log_psd.shape) if keep is None else keep.astype(np.float64)
    found = [_fit(log_psd[i : i + BLOCK], keep[i : i + BLOCK]) for i in range(0, len(log_psd), BLOCK)]
    return np.concatenate(found)


def _fit(log_psd, keep):
    energies = _grid()[0][_grid_costs(log_psd, keep).argmin(axis=1)]
    for _ in range(N_ITERATIONS):
        model, slopes = energy_slopes(*energies.T)
        score, information = fisher_score(log_psd - model, slopes, keep)
        step = np.linalg.solve(information + 1e-12 * np.eye(2), score[..., None])[..., 0]
        energies = np.clip(energies + step, LOWEST, HIGHEST)
    return energies


def fisher_score(
    residual: Float[ndarray, "n bin"], slopes: Float[ndarray, "n parameter bin"], keep: Float[ndarray, "n bin"]
) -> tuple[Float[ndarray, "n parameter"], Float[ndarray, "n parameter parameter"]]:
    """Slope of Whittle's ln likelihood (eq. 4) over K, and its information; residual : ln x - ln S."""
    kept = slopes * keep[:, None]
    return (kept @ np.expm1(residual)[..., None])[..., 0], kept @ slopes.transpose(0, 2, 1)


def posterior_medians(
    log_psd: Float[ndarray, "n 3000"], n_segments: float = 8, keep: Bool[ndarray, "n 3000"] | None = None
) -> Float[ndarray, "n 2"]:
    """Marginal posterior medians under even odds for every energy in range: no estimator has a smaller mean |error|.

    Where a bound for unbiased estimators misleads, near the ends of the range, this is the limit. Arguments as above.
    """
    keep = np.ones(log_psd.shape) if keep is None else keep.astype(np.float64)
    shape = (len(E_ALPHA_GRID[::GRID_STEP]), len(E_BETA_GRID[::GRID_STEP]))
    medians = []
    for start in range(0, len(log_psd), BLOCK):
        costs = n_segments * _grid_costs(log_psd[start : start + BLOCK], keep[start : start + BLOCK])
        odds = np.exp(costs.min(axis=1, keepdims=True) - costs).reshape(-1, *shape)
        sides = zip((odds.sum(axis=2), odds.sum(axis=1)), (E_ALPHA_GRID, E_BETA_GRID), strict=True)
        medians.append(np.stack([_median(side, grid[::GRID_STEP]) for side, grid in sides], axis=1))
    return np.concatenate(medians)


def _median(odds, grid):
    """Median of a density given at grid points, linear in between: (n,)."""
    steps = np.cumsum(odds, axis=1) - 0.5 * odds
    return np.array([np.interp(0.5 * total, row, grid) for row, total in zip(steps, odds.sum(axis=1), strict=True)])


def fit_probe(
    cls_out: Float[ndarray, "n d_model"], targets: Float[ndarray, "n target"]
) -> Float[ndarray, "d_model+1 target"]:
    """Ordinary least squares from CLS to numbers such as energies: weights, the last row an intercept.

    Training spectra only.
    """
    return np.linalg.lstsq(_with_one(cls_out), targets, rcond=None)[0]


def probe(
    cls_out: Float[ndarray, "n d_model"], weights: Float[ndarray, "d_model+1 target"]
) -> Float[ndarray, "n target"]:
    """What a fitted linear probe reads from CLS, energies in meV."""
    return _with_one(cls_out) @ weights


def _with_one(rows):
    return np.concatenate([rows, np.ones((len(rows), 1))], axis=1).astype(np.float64)


def energy_error(found: Float[ndarray, "n 2"], truth: Float[ndarray, "n 2"]) -> Float[ndarray, " 2"]:
    """Mean |error| of Ea and Eb, meV."""
    return np.abs(found - truth).mean(axis=0)


def bound(
    truth: Float[ndarray, "n 2"],
    n_segments: float = 8,
    keep: Bool[ndarray, "n 3000"] | None = None,
    free_amplitudes: bool = False,
) -> Float[ndarray, " 2"]:
    """Mean |error| at the Cramer-Rao bound of the bins used, eq. 5, meV: for unbiased estimators."""
    parts = []
    for i in range(0, len(truth), BLOCK):
        e_alpha, e_beta = truth[i : i + BLOCK].T
        kept = None if keep is None else keep[i : i + BLOCK]
        parts.append(cramer_rao_energies(e_alpha, e_beta, n_segments, kept, free_amplitudes))
    return MAE_OF_SIGMA * np.concatenate(parts).mean(axis=0)
