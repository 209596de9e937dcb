"""Other ways to a corner frequency, which the workbench is compared with: what laboratories do, and a published tool.

Each takes a simulated spectrum and gives its corners in Hz.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float
from numpy import ndarray

from evidence.device_series import Simulated
from nblib.workbench.averaging import averaged
from nblib.workbench.estimate import Problem, Solution, one_more, without_lorentzians
from nblib.workbench.fit import GAMMA
from nblib.workbench.model import Form, log_psd_and_slopes

MAINS, HALF_WIDTH = 50.0, 2.0  # Hz: what is deleted by hand around each harmonic
MOST = 3  # Lorentzians that least squares tries
MOST_PEAKS, EQUAL_STEPS = 8, 3000  # of specparam; its default number of peaks is unlimited, 40 lines take minutes


@dataclass(frozen=True, eq=False)
class LogProblem(Problem):
    """Plain least squares of ln(mean of a cell), each cell alike."""

    def roots(self, log_psd: Float[ndarray, " cell"]) -> tuple[ndarray, ndarray]:
        """ln x - ln S, and its slope by ln S."""
        return np.log(self.cells.mean) - log_psd, np.full(len(log_psd), -1.0)


def by_hand(drawn: Simulated) -> Bool[ndarray, " bin"]:
    """True for the bins that are left when every harmonic of 50 Hz is deleted with 2 Hz on either side."""
    away = np.abs(drawn.freqs - MAINS * np.maximum(np.round(drawn.freqs / MAINS), 1))
    return away > HALF_WIDTH


def log_least_squares(drawn: Simulated, keep: Bool[ndarray, " bin"]) -> list[float]:
    """Corners of a least-squares fit of logarithms in cells, 50 a decade; their number by BIC."""
    axis, middle = np.log(drawn.freqs), float(np.log(drawn.freqs[0] * drawn.freqs[-1]) / 2)
    level = float(np.median(np.log(drawn.psd)))
    axis, psd = axis - middle, drawn.psd * np.exp(-level)
    segments = np.full(len(axis), drawn.n_segments)
    cells = averaged(axis[keep], psd[keep], segments[keep], (), float(axis[0]), np.zeros(int(keep.sum())))
    problem = LogProblem(cells, False, GAMMA, (float(axis[0]), float(axis[-1])))
    path = [without_lorentzians(problem, Form(True, 0, True))]
    while path[-1].form.n_lorentzians < MOST:
        path.append(one_more(problem, path[-1]))
    best = min(path, key=lambda one: _bic(one, len(cells.mean)))
    return sorted(map(float, np.exp(best.theta[best.form.corners] + middle)))


def _bic(solution: Solution, n_cells: int) -> float:
    return n_cells * float(np.log(solution.cost / n_cells)) + solution.form.size * float(np.log(n_cells))


def specparam_knee(drawn: Simulated) -> list[float]:
    """Corner of specparam's knee mode, k^(1/exponent), none where the knee is negative; at most 8 peaks beside it.

    Raises
    ------
    ValueError when specparam is not installed (it comes with the evidence)
    """
    try:
        from specparam import SpectralModel
    except ImportError:
        raise ValueError("specparam is not installed; install the evidence: pip install -e evidence") from None
    model = SpectralModel(aperiodic_mode="knee", max_n_peaks=MOST_PEAKS, verbose=False)
    freqs, psd = drawn.freqs, drawn.psd
    if np.ptp(np.diff(freqs)) > 1e-6 * freqs[0]:  # it asks for equal steps
        freqs = np.linspace(drawn.freqs[0], drawn.freqs[-1], EQUAL_STEPS)
        psd = np.exp(np.interp(np.log(freqs), np.log(drawn.freqs), np.log(drawn.psd)))
    model.fit(freqs, psd)
    _, knee, exponent = model.get_params("aperiodic")
    return [float(knee ** (1 / exponent))] if knee > 0 and exponent > 0 else []


def bound(drawn: Simulated, clean: Bool[ndarray, " bin"]) -> list[float]:
    """Least standard error of each ln corner that an unbiased estimate can have (Cramer-Rao), from the clean bins.

    References
    ----------
    docs/method.md, eq. 4: the information of a bin is K times the squared slopes of ln S
    """
    n_lorentzians = len(drawn.corners)
    if not n_lorentzians:
        return []
    form = Form(True, n_lorentzians, True)
    bumps = sum(
        plateau / (1 + (drawn.freqs / corner) ** 2)
        for corner, plateau in zip(drawn.corners, drawn.plateaus, strict=True)
    )
    rest = drawn.background - bumps
    # A f^-gamma + C of the truth: two frequencies are enough
    powers = np.array([drawn.freqs[[0, -1]] ** -drawn.gamma, np.ones(2)]).T
    level, white = np.linalg.solve(powers, rest[[0, -1]])
    theta = np.empty(form.size)
    theta[[0, 1, -1]] = np.log(level), drawn.gamma, np.log(white)
    theta[form.plateaus], theta[form.corners] = np.log(drawn.plateaus), np.log(drawn.corners)
    _, slopes = log_psd_and_slopes(form, theta, np.log(drawn.freqs[clean]), np.zeros(int(clean.sum())))
    information = drawn.n_segments * slopes.T @ slopes
    return [float(error) for error in np.sqrt(np.diag(np.linalg.inv(information))[form.corners])]
