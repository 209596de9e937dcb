"""How many Lorentzians, and whether there is a power law and a floor: by the deviance that each of them saves."""

import numpy as np

from nblib.workbench.averaging import expected_deviance
from nblib.workbench.estimate import Problem, Solution, deviance, one_more, solved, without, without_lorentzians
from nblib.workbench.model import Form, log_psd_and_slopes

GAIN = 10.0  # deviance that a Lorentzian must save, times phi; of two parameters and a free place on the axis
GAIN_POWER_LAW, GAIN_WHITE = 4.0, 2.0  # left in unless they save less: an interval without them would be too short
MOST = 4  # Lorentzians that are tried
MOST_DROPPED = 2  # further Lorentzians that are tried after one that saves too little


def own_dispersion(problem: Problem, solution: Solution) -> float:
    """D/dof with the variance of each cell, over what a true model gives: 1 where the model describes the data."""
    cells = problem.cells
    log_psd, _ = log_psd_and_slopes(solution.form, solution.theta, cells.log_freqs, cells.floor)
    expected, _ = expected_deviance(cells)
    observed = deviance(np.log(cells.mean) - log_psd, cells.own_averages)
    return observed / max(expected - solution.form.size, 1.0)


def chosen(problem: Problem, n_lorentzians: int | None = None, starts: tuple[Solution, ...] = ()) -> list[Solution]:
    """Solutions from none to the most Lorentzians that were tried, the chosen one first.

    Parameters
    ----------
    n_lorentzians : None: chosen by the deviance
    starts : solutions of another problem on the same axis that are followed as well
    """
    path = _path(problem, n_lorentzians, starts)
    phi = _phi(problem, path[-1])
    best = min(path, key=lambda one: _price(one, phi)) if n_lorentzians is None else path[-1]
    if not problem.robust:  # which only has to find outliers
        others = _other_forms(problem, best, path, n_lorentzians is None)
        best = min([best, *others], key=lambda one: _price(one, phi))
    return [best, *path]


def _phi(problem, solution):
    """max(1, D/dof); of the robust cost 1, as its scale is Student's."""
    return 1.0 if problem.robust else max(1.0, own_dispersion(problem, solution))


def _price(solution: Solution, phi: float) -> float:
    form = solution.form
    gain = GAIN * form.n_lorentzians + GAIN_POWER_LAW * form.power_law + GAIN_WHITE * form.white
    return solution.cost / phi + gain


def _path(problem, n_lorentzians, starts):
    """The best solutions with power law and floor, from no Lorentzian on."""
    path = [without_lorentzians(problem, Form(True, 0, True))]
    most = MOST if n_lorentzians is None else n_lorentzians
    known = {one.form: one for one in starts}
    while path[-1].form.n_lorentzians < most:
        more = one_more(problem, path[-1])
        if more.form in known:
            more = min(more, solved(problem, more.form, known[more.form].theta), key=lambda one: one.cost)
        path.append(more)
        phi = _phi(problem, more)
        best = min(path, key=lambda one: _price(one, phi))
        if n_lorentzians is None and path.index(best) < len(path) - MOST_DROPPED:
            break
    return path


def _other_forms(problem, best, path, may_add):
    """The chosen one without floor, without power law, and with a Lorentzian in place of the power law."""
    solutions = []
    n_lorentzians = best.form.n_lorentzians
    if n_lorentzians:
        solutions.append(solved(problem, *without(best, white=True)))
        solutions.append(solved(problem, *without(best, power_law=True)))
        solutions.append(solved(problem, *without(best, power_law=True, white=True)))
        if may_add and n_lorentzians + 1 < len(path):
            more = path[n_lorentzians + 1]
            solutions.append(solved(problem, *without(more, power_law=True)))
    else:
        solutions.append(solved(problem, *without(best, white=True)))
        if may_add and len(path) > 1:
            solutions.append(solved(problem, *without(path[1], power_law=True)))
    return solutions
