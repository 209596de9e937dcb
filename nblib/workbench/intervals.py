"""Profile likelihood: an interval ends where the deviance, all other parameters refitted, rises by phi times chi^2."""

import numpy as np
from jaxtyping import Float
from numpy import ndarray

from nblib.workbench.estimate import AMPLITUDE_BOUND, Problem, Solution, solved

N_STEPS = 8  # of the search for an end
CLOSE = 0.02  # standard deviations: an end is found this closely
BETTER = 0.1  # deviance: a profile that falls so far below the solution has found a better one


def fisher_errors(solution: Solution, phi: float) -> Float[ndarray, "parameter parameter"]:
    """Covariance of the parameters from the slopes at the solution, times phi."""
    information = solution.slopes.T @ solution.slopes
    return phi * np.linalg.pinv(information, hermitian=True)


def profile_interval(
    problem: Problem, solution: Solution, held: Float[ndarray, " parameter"], phi: float, height: float
) -> tuple[float, float, Solution | None]:
    """Ends of the interval of a combination of parameters, held @ theta.

    Parameters
    ----------
    phi : dispersion, >= 1
    height : standard deviations, 1.96 for 95 %

    Returns
    -------
    low, high; infinite where the deviance does not rise so far; and a better solution where the profile met one
    """
    value = float(held @ solution.theta)
    error = float(np.sqrt(max(held @ fisher_errors(solution, phi) @ held, 1e-16)))
    ends = []
    for side in (-1.0, 1.0):
        end, better = _end(problem, solution, held, value, side * min(error, 3.0), phi, height)
        if better is not None:
            return value, value, better
        ends.append(end)
    return ends[0], ends[1], None


def _end(problem, solution, held, value, error, phi, height):
    """Where the signed root of the rise reaches the height, on the side of `error`'s sign."""
    step, theta = error * height, solution.theta
    inside, outside = 0.0, None  # steps known to rise too little, and too much
    low, high = problem.bounds(solution.form)
    limits = held @ np.where(held * error > 0, high, low), held @ solution.theta
    room = limits[0] - limits[1] if np.count_nonzero(held) == 1 else np.sign(error) * 2 * AMPLITUDE_BOUND
    for _ in range(N_STEPS):
        step = np.sign(error) * min(abs(step), abs(room))
        trial = solved(problem, solution.form, theta, held, value + step)
        rise = (trial.cost - solution.cost) / phi
        if trial.cost < solution.cost - BETTER:
            return value, solved(problem, solution.form, trial.theta)
        root = np.sqrt(max(rise, 0.0))
        if abs(root - height) < CLOSE:
            return value + step, None
        if root < height:
            if abs(step) >= abs(room) * (1 - 1e-9):
                return np.sign(error) * np.inf, None
            inside, theta = step, trial.theta
        else:
            outside = step
        wished = step * np.clip(height / max(root, 1e-3), 0.2, 3.0)
        if outside is not None and not min(inside, outside) < wished < max(inside, outside):
            wished = (inside + outside) / 2
        step = wished
    return value + step, None
