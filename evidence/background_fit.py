"""What an expert who knows the form of the background would do: fit it, leave out what looks noisy, fit again.

The form is that of the published generator; its amplitudes and floor are known, or free as well.
Equation numbers are those of docs/method.md.
"""

import numpy as np
from jaxtyping import Bool, Float
from numpy import ndarray

from evidence.energies import BLOCK, HIGHEST, LOWEST, fisher_score, fit_energies
from nblib.cells import kept_bins
from nblib.scoring.likelihood import BROAD_LINES, line_posterior
from nblib.simulation.physics import FLOOR, energy_slopes, published_components, published_psd

N_ITERATIONS = 25  # of the fit with free amplitudes
LARGEST_STEP = 1.0  # ln units; of an amplitude in one iteration
DAMPING = 1e-3  # of the information's diagonal
N_REFITS = 2
FLAGGED = 0.5  # probability of noise at which a cell, and its neighbours, are left out


def fit_background(
    log_psd: Float[ndarray, "n 3000"], keep: Bool[ndarray, "n 3000"] | None = None, free_amplitudes: bool = False
) -> tuple[Float[ndarray, "n 3000"], Float[ndarray, "n 2"]]:
    """Maximum-likelihood (Whittle, eq. 4) background: ln S (ln A^2/Hz) and energies (Ea, Eb) in meV.

    Parameters
    ----------
    log_psd : ln x, ln A^2/Hz
    keep : bins used; all if None
    free_amplitudes : True = the amplitudes of both Lorentzians and the floor are fitted as well
    """
    energies = fit_energies(log_psd, keep)
    if not free_amplitudes:
        return np.log(published_psd(*energies.T)), energies
    keep = np.ones(log_psd.shape) if keep is None else keep.astype(np.float64)
    blocks = [slice(start, start + BLOCK) for start in range(0, len(log_psd), BLOCK)]
    found = [_fit_free(log_psd[block], keep[block], energies[block]) for block in blocks]
    backgrounds, fitted = zip(*found, strict=True)
    return np.concatenate(backgrounds), np.concatenate(fitted)


def _fit_free(log_psd, keep, energies):
    """Damped Fisher scoring of (Ea, Eb, ln Aa, ln Ab, ln C); a step that raises the cost is made smaller."""
    parameters = np.concatenate([energies, np.zeros((len(energies), 3))], axis=1)
    model, slopes = _free_slopes(parameters)
    cost = _cost(log_psd, keep, model)
    for _ in range(N_ITERATIONS):
        score, information = fisher_score(log_psd - model, slopes, keep)
        diagonal = np.einsum("nii->ni", information)
        diagonal += DAMPING * diagonal + 1e-9
        step = np.linalg.solve(information, score[..., None])[..., 0]
        step[:, 2:] = np.clip(step[:, 2:], -LARGEST_STEP, LARGEST_STEP)
        for _ in range(3):
            trial = parameters + step
            trial[:, :2] = np.clip(trial[:, :2], LOWEST, HIGHEST)
            new_model, new_slopes = _free_slopes(trial)
            new_cost = _cost(log_psd, keep, new_model)
            better = new_cost <= cost
            parameters[better], model[better], slopes[better] = trial[better], new_model[better], new_slopes[better]
            cost = np.where(better, new_cost, cost)
            step = np.where(better[:, None], 0.0, step / 4)
            if better.all():
                break
    return model, parameters[:, :2]


def _free_slopes(parameters):
    """ln S and its slopes by (Ea, Eb, ln Aa, ln Ab, ln C): (n, bin), (n, 5, bin). Amplitudes are relative, ln."""
    alpha, beta = published_components(*parameters[:, :2].T)
    parts = np.stack([alpha, beta, np.full_like(alpha, FLOOR)], axis=1) * np.exp(parameters[:, 2:, None])
    psd = parts.sum(axis=1)
    known, by_energy = energy_slopes(*parameters[:, :2].T)
    by_energy = by_energy * (np.exp(known) / psd)[:, None] * np.exp(parameters[:, 2:4, None])
    return np.log(psd), np.concatenate([by_energy, parts / psd[:, None]], axis=1)


def _cost(log_psd, keep, model):
    return (keep * (model + np.exp(log_psd - model))).sum(axis=1)


def refit_background(
    log_psd: Float[ndarray, "n 3000"], n_segments: float = 8, free_amplitudes: bool = False
) -> tuple[Float[ndarray, "n 3000"], Float[ndarray, "n 2"], Bool[ndarray, "n cell"]]:
    """Fit of all bins, then fits without the cells that look noisy on the fit before, and their neighbours.

    Returns
    -------
    ln S, energies (meV) and the cells that looked noisy before the last fit
    """
    model, energies = fit_background(log_psd, None, free_amplitudes)
    for _ in range(N_REFITS):
        flagged = line_posterior(log_psd - model, n_segments, BROAD_LINES) > FLAGGED
        keep = kept_bins(flagged, log_psd.shape[1])
        keep[keep.mean(axis=1) < 0.3] = True  # so much cannot be noise: the fit was wrong
        model, energies = fit_background(log_psd, keep, free_amplitudes)
    return model, energies, flagged
