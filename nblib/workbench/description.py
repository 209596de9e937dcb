"""One fit of the bins of a spectrum: its terms with intervals, and whether it describes the data."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float
from numpy import ndarray
from scipy.stats import gamma as gamma_distribution
from scipy.stats import norm

from nblib.workbench.averaging import Cells, averaged, expected_deviance
from nblib.workbench.choice import chosen, own_dispersion
from nblib.workbench.estimate import Problem, Solution, deviance
from nblib.workbench.intervals import profile_interval
from nblib.workbench.model import Form, components, log_psd_and_slopes

GATE = 0.003  # upper tail probability of the deviance: below it the model does not describe the data
END = 2.0  # times: a corner this close to an end of the axis is a limit only
CLOSE = 3.0  # times: two corners this close have a joint interval
N_BETTER = 3  # times that intervals may find a better solution


@dataclass(frozen=True)
class Term:
    """One fitted number.

    Attributes
    ----------
    name : "power law at 1 Hz", "gamma", "corner 1", "plateau 1", ..., "white"
    unit : of value, low and high: Hz, "1", or "psd" for that of the spectrum
    low, high : ends of the interval; 0, or infinite, where the data set no bound
    error : standard error, of ln value (of the value for gamma); NaN where an end is open
    note : "limit: ..." for a corner near an end of the axis, "joint: ..." for two that are close, "at its bound"
    """

    name: str
    unit: str
    value: float
    low: float
    high: float
    error: float
    note: str = ""


@dataclass(frozen=True, eq=False)
class Description:
    """A model of the bins of one spectrum.

    Attributes
    ----------
    used : bins that the likelihood read
    terms : fitted numbers, in the order of the model
    deviance, dof : of the cells at their own scatter; dof is what a true model would give
    probability : upper tail of that deviance
    phi : max(1, deviance / dof), by which intervals are widened
    psd : S at every frequency, a known floor left out; parts : each component there
    """

    used: Bool[ndarray, " bin"]
    terms: tuple[Term, ...]
    deviance: float
    dof: float
    probability: float
    phi: float
    psd: Float[ndarray, " bin"]
    parts: dict[str, Float[ndarray, " bin"]]

    @property
    def described(self) -> bool:
        """Does the model describe the data: its deviance is not larger than chance explains."""
        return self.probability >= GATE

    @property
    def corners(self) -> list[Term]:
        """The corner frequencies, lowest first."""
        return [term for term in self.terms if term.name.startswith("corner")]

    def plateau(self, corner: Term) -> Term:
        """The plateau of the Lorentzian of a corner."""
        return next(term for term in self.terms if term.name == corner.name.replace("corner", "plateau"))


@dataclass(frozen=True, eq=False)
class Spectrum:
    """What every fit of one spectrum shares; bins by frequency, 0 Hz left out.

    Attributes
    ----------
    n_segments : K of each bin
    floor : known part of the PSD, >= 0
    correlation : of the power 1, 2, ... bins apart
    gamma : lowest and highest exponent of the power law
    log_freq, log_level : what the logarithms of the model are relative to: ln Hz, ln unit^2/Hz
    """

    freqs: Float[ndarray, " bin"]
    psd: Float[ndarray, " bin"]
    n_segments: Float[ndarray, " bin"]
    floor: Float[ndarray, " bin"]
    correlation: tuple[float, ...]
    gamma: tuple[float, float]
    log_freq: float
    log_level: float

    @classmethod
    def of(cls, freqs, psd, n_segments, floor, correlation, gamma) -> "Spectrum":
        """The spectrum with the references of its logarithms: the axis' middle and the median level."""
        middle = float(np.log(freqs[0] * freqs[-1]) / 2)
        level = float(np.nanmedian(np.log(psd)))
        return cls(freqs, psd, n_segments, floor, correlation, gamma, middle, level)

    @property
    def log_freqs(self) -> Float[ndarray, " bin"]:
        """ln of the frequency over the reference."""
        return np.log(self.freqs) - self.log_freq

    def problem(self, used: Bool[ndarray, " bin"], robust: bool = False) -> Problem:
        """The bins used, in cells of the axis, as a problem of estimate."""
        axis, unit = self.log_freqs, np.exp(self.log_level)
        parts = (axis[used], self.psd[used] / unit, self.n_segments[used], self.correlation)
        cells = averaged(*parts, float(axis[0]), self.floor[used] / unit)
        return Problem(cells, robust, self.gamma, (float(axis[0]), float(axis[-1])))

    def log_ratio(self, solution: Solution) -> Float[ndarray, " bin"]:
        """ln x - ln S at each bin; NaN where there is no measurement."""
        unit = np.exp(self.log_level)
        model, _ = log_psd_and_slopes(solution.form, solution.theta, self.log_freqs, self.floor / unit)
        measured = np.isfinite(self.psd) & (self.psd > 0)
        return np.log(np.where(measured, self.psd, np.nan)) - self.log_level - model


def describe(
    spectrum: Spectrum,
    used: Bool[ndarray, " bin"],
    n_lorentzians: int | None,
    level: float,
    starts: tuple[Solution, ...] = (),
) -> Description:
    """Whittle fit of the bins used, their number of Lorentzians chosen unless given; see fit.fit_spectrum."""
    problem = spectrum.problem(used)
    solution = chosen(problem, n_lorentzians, starts)[0]
    solution = _ordered(solution)
    for _ in range(N_BETTER):
        phi = max(1.0, own_dispersion(problem, solution))
        terms, better = _terms(problem, solution, spectrum, phi, level)
        if better is None:
            break
        solution = _ordered(better)
    observed, dof, probability = goodness(problem.cells, solution)
    parts = components(solution.form, solution.theta, spectrum.log_freqs) * np.exp(spectrum.log_level)
    names = _component_names(solution.form)
    return Description(
        used,
        tuple(terms),
        observed,
        dof,
        probability,
        phi,
        parts.sum(axis=0),
        dict(zip(names, parts, strict=True)),
    )


def goodness(cells: Cells, solution: Solution) -> tuple[float, float, float]:
    """Deviance of the cells at their own scatter, what a true model gives, and the upper tail probability."""
    log_psd, _ = log_psd_and_slopes(solution.form, solution.theta, cells.log_freqs, cells.floor)
    observed = deviance(np.log(cells.mean) - log_psd, cells.own_averages)
    expected, variance = expected_deviance(cells)
    share = max(expected - solution.form.size, 1.0) / expected
    expected, variance = expected * share, variance * share
    shape = expected**2 / variance
    return observed, expected, float(gamma_distribution.sf(observed, shape, scale=variance / expected))


def _component_names(form: Form) -> list[str]:
    names = ["power law"] if form.power_law else []
    names += [f"Lorentzian {number + 1}" for number in range(form.n_lorentzians)]
    return [*names, "white"] if form.white else names


def _ordered(solution: Solution) -> Solution:
    """Lorentzians by their corners, lowest first."""
    form, theta = solution.form, solution.theta.copy()
    order = np.argsort(theta[form.corners])
    by_corner = np.arange(form.size)
    for part in (form.plateaus, form.corners):
        by_corner[part] = by_corner[part][order]
    return Solution(form, theta[by_corner], solution.cost, solution.slopes[:, by_corner])


def _terms(problem, solution, scale: Spectrum, phi, level):
    """Every parameter with its interval; or a better solution."""
    height, terms = float(norm.ppf(0.5 + level / 2)), []
    for name, unit, held, shift in _asked(solution.form, scale):
        low, high, better = profile_interval(problem, solution, held, phi, height)
        if better is not None:
            return [], better
        value = float(held @ solution.theta)
        error = (high - low) / (2 * height) if np.isfinite(high - low) else np.nan
        note = _note(problem, solution, name, value)
        if name == "gamma":
            terms.append(Term(name, unit, value, low, high, error, note))
        else:
            low, high = float(np.exp(low + shift)), float(np.exp(high + shift))
            terms.append(Term(name, unit, float(np.exp(value + shift)), low, high, error, note))
    return terms, None


def _asked(form: Form, scale: Spectrum):
    """Name, unit, combination of parameters, and what is added to it, of every term."""
    unit = np.eye(form.size)
    if form.power_law:
        # ln A at 1 Hz = ln A at the reference + gamma * ln(reference)
        yield "power law at 1 Hz", "psd", unit[0] + scale.log_freq * unit[1], scale.log_level
        yield "gamma", "1", unit[1], 0.0
    for number, (plateau, corner) in enumerate(zip(unit[form.plateaus], unit[form.corners], strict=True), start=1):
        yield f"corner {number}", "Hz", corner, scale.log_freq
        yield f"plateau {number}", "psd", plateau, scale.log_level
    if form.white:
        yield "white", "psd", unit[-1], scale.log_level


def _note(problem, solution, name, value):
    if name == "gamma":
        at_bound = min(value - problem.gamma[0], problem.gamma[1] - value) < 1e-3
        return "at its bound" if at_bound else ""
    if not name.startswith("corner"):
        return ""
    low, high = problem.span
    if value < low + np.log(END):
        return "limit: within a factor of 2 of the lowest frequency"
    if value > high - np.log(END):
        return "limit: within a factor of 2 of the highest frequency"
    others = np.abs(solution.theta[solution.form.corners] - value)
    close = others[others > 0].min(initial=np.inf) < np.log(CLOSE)
    return "joint: another corner within a factor of 3" if close else ""
