"""Which narrow lines are harmonics of one spacing, and how surprising that would be by chance.

Null hypothesis: N unrelated lines lie independently on the axis, uniformly in frequency or in its logarithm. Comb
hypothesis: k of them are harmonics of one spacing s. Line j with frequency f_j and uncertainty sigma_j is predicted at
a_j + b_j s (a = 0, b = n for harmonic n; folded at the sampling rate for an alias). The evidence of one assignment is

    E = w(h) P(k) / C(N, k) * prod_j q(n_j) / g(f_j) * int pi(s) prod_j Normal(f_j; a_j + b_j s, sigma_j) ds    (A)

with w the weight of the hypothesis, P(k) ~ 1/k, q the prior of the harmonics (harmonics.py), g the larger of the
uniform and the log-uniform density, and pi the prior of the spacing: Normal(50 or 60 Hz, wander) for mains, log-uniform
for an unknown clock. The integral over s is Gaussian and done in closed form. Everything in front of the product is the
look-elsewhere correction: many lines, many harmonics and many spacings make E small. The sum of E over all assignments
has mean <= 1 under the null hypothesis, so P(E >= t) <= 1/t (Markov's inequality) whatever the axis, its bins and N.
The bound is loose: names.py replaces it by FALSE_RATE / t, from simulation.

References
----------
Shafer et al. 2011 and Vovk and Wang 2021 for tests by evidence (e-values); Gross and Vitells 2010 for look-elsewhere.
"""

import dataclasses
from functools import cache

import numpy as np
from jaxtyping import Float
from numpy import ndarray
from scipy.special import bdtrc, gammaln

from nblib.measured.sources.harmonics import (
    MAINS_WANDER,
    N_FLAT,
    Hypothesis,
    Lines,
    Match,
    candidates,
    hypotheses,
    match_lines,
    spacing_range,
)

LOG_ROOT_TWO_PI = 0.5 * np.log(2 * np.pi)
GAP = 2.0  # times the highest harmonic before: what lies beyond has to show that it is not chance
WINDOW = 2.0  # standard deviations on each side
FAR_CHANCE = 0.02  # of as many unrelated lines as near to harmonics


@dataclasses.dataclass(frozen=True)
class Comb:
    """Lines that are harmonics of one spacing.

    Attributes
    ----------
    nominal : 50 or 60 Hz for mains, None for an unknown clock
    spacing, uncertainty : fitted, Hz
    members, harmonics, aliased : per line, its index, harmonic number and whether it is folded at the sampling rate
    log_evidence : ln E of eq. A
    """

    nominal: float | None
    spacing: float
    uncertainty: float
    members: tuple[int, ...]
    harmonics: tuple[int, ...]
    aliased: tuple[bool, ...]
    log_evidence: float


@cache
def _log_prior_count(n_lines: int, is_clock: bool) -> Float[ndarray, " count"]:
    """ln P(k) - ln C(N, k) for k = 1..N, not to be changed in place; a comb has at least two lines."""
    count = np.arange(1, n_lines + 1)
    weight = np.where(count < 2, 0.0, 1 / count)
    if is_clock:
        weight[count == 2] *= 0.2  # two lines are often in a simple ratio
    choose = gammaln(n_lines + 1) - gammaln(count + 1) - gammaln(n_lines - count + 1)
    with np.errstate(divide="ignore"):
        return np.log(weight / max(weight.sum(), 1e-300)) - choose


def _log_evidence(lines: Lines, hypothesis: Hypothesis, spacing: ndarray, spread: ndarray):
    """ln E of eq. A for candidate spacings, the best number of lines at each.

    Returns
    -------
    best ln E (candidate,), count of lines (candidate,), lines in order (candidate, line), match
    """
    match = match_lines(lines, hypothesis, spacing, spread)
    residual = lines.freqs - match.offset - match.slope * spacing[:, None]
    log_ratio = match.log_weight - lines.log_density() - np.log(lines.uncertainties) - LOG_ROOT_TWO_PI
    variance = lines.uncertainties**2 + (match.slope * spread[:, None]) ** 2
    order = np.argsort(residual**2 / variance / 2 - log_ratio, axis=1)
    rows = np.arange(len(spacing))[:, None]
    log_ratio, residual, slope = (part[rows, order] for part in (log_ratio, residual, match.slope))
    precision = 1 / lines.uncertainties[order] ** 2
    information = np.cumsum(slope**2 * precision, axis=1)
    cross = np.cumsum(slope * residual * precision, axis=1)
    square = np.cumsum(residual**2 * precision, axis=1)
    if hypothesis.nominal is None:
        lowest, highest = spacing_range(lines)
        log_spacing = LOG_ROOT_TWO_PI - np.log(spacing * np.log(highest / lowest))[:, None]
    else:
        shift = (hypothesis.nominal - spacing)[:, None]
        information = information + MAINS_WANDER**-2
        cross, square = cross + shift * MAINS_WANDER**-2, square + shift**2 * MAINS_WANDER**-2
        log_spacing = -np.log(MAINS_WANDER)
    chi_squared = np.maximum(square - cross**2 / information, 0)
    log_evidence = np.cumsum(log_ratio, axis=1) + log_spacing - 0.5 * np.log(information) - chi_squared / 2
    log_evidence += _log_prior_count(len(lines.freqs), hypothesis.nominal is None) + np.log(hypothesis.weight)
    best = log_evidence.argmax(axis=1)
    return log_evidence[rows[:, 0], best], best + 1, order, match


def _fit(lines: Lines, hypothesis: Hypothesis, spacing: float, match: Match, members: ndarray) -> tuple[float, float]:
    """Weighted least-squares spacing of the member lines and its uncertainty, Hz; mains also knows its prior."""
    return _spacing(lines.take(members), match.slope[0, members], match.offset[0, members], hypothesis.nominal)


def _spacing(lines: Lines, slope: ndarray, offset: ndarray | float, nominal: float | None) -> tuple[float, float]:
    precision = slope**2 / lines.uncertainties**2
    values = (lines.freqs - offset) / slope
    if nominal is not None:
        precision, values = np.append(precision, MAINS_WANDER**-2), np.append(values, nominal)
    return float(precision @ values / precision.sum()), float(precision.sum() ** -0.5)


def _settle(lines: Lines, hypothesis: Hypothesis, spacing: float, spread: float) -> Comb:
    """Fit the spacing to its lines until they stay, thrice at most, keep one line a harmonic; with its evidence."""
    for _ in range(3):
        centre, width = np.array([spacing]), np.array([spread])
        value, count, order, match = _log_evidence(lines, hypothesis, centre, width)
        members = order[0, : count[0]]
        _, first = np.unique(match.harmonic[0, members], return_index=True)  # in order of share: the better line stays
        dropped = len(members) - len(first)
        members = np.sort(members[np.sort(first)])
        before, (spacing, spread) = (spacing, spread), _fit(lines, hypothesis, spacing, match, members)
        if (spacing, spread) == before:  # the next round would be this one again
            break
    if dropped:
        kept = np.setdiff1d(np.arange(len(lines.freqs)), order[0, : count[0]])
        index = np.sort(np.concatenate([members, kept]))
        comb = _settle(lines.take(index), hypothesis, spacing, spread)
        return dataclasses.replace(comb, members=tuple(int(index[member]) for member in comb.members))
    harmonic, slope, offset = (part[0, members] for part in (match.harmonic, match.slope, match.offset))
    aliased = (offset != 0) | (slope < 0)
    return Comb(
        hypothesis.nominal,
        spacing,
        spread,
        tuple(int(member) for member in members),
        tuple(int(number) for number in harmonic),
        tuple(bool(fold) for fold in aliased),
        float(value[0]),
    )


def extend(comb: Comb, lines: Lines, available: ndarray, sampling_rate: float | None) -> Comb:
    """Add the lines (by index) that are harmonics of a comb found among others, more probably than not."""
    if comb.nominal is None or not any(comb.aliased):
        sampling_rate = None
    others = np.setdiff1d(available, comb.members)
    if not len(others):
        return comb
    hypothesis, rest = Hypothesis(1.0, comb.nominal, sampling_rate), lines.take(others)
    spacing, spread = np.array([comb.spacing]), np.array([comb.uncertainty])
    match = match_lines(rest, hypothesis, spacing, spread)
    harmonic, offset, slope, log_weight = (
        part[0] for part in (match.harmonic, match.offset, match.slope, match.log_weight)
    )
    variance = rest.uncertainties**2 + (slope * comb.uncertainty) ** 2
    distance = (rest.freqs - offset - slope * comb.spacing) ** 2 / variance
    log_odds = log_weight - rest.log_density() - 0.5 * np.log(variance) - LOG_ROOT_TWO_PI - distance / 2
    log_odds += np.log(len(comb.members) / len(available))
    members, harmonics, aliased = list(comb.members), list(comb.harmonics), list(comb.aliased)
    for new in np.argsort(-log_odds):
        if log_odds[new] > 0 and harmonic[new] not in harmonics:
            members.append(int(others[new]))
            harmonics.append(int(harmonic[new]))
            aliased.append(bool(offset[new] != 0 or slope[new] < 0))
    return dataclasses.replace(comb, members=tuple(members), harmonics=tuple(harmonics), aliased=tuple(aliased))


def without_strays(comb: Comb, lines: Lines, available: ndarray) -> Comb:
    """The comb without lines far beyond its other harmonics, where unrelated lines would be as near to a harmonic.

    Far beyond is a harmonic above the tenth and above GAP times the one before. Of the lines (by index) beyond that, as
    many must lie within WINDOW standard deviations of a harmonic as chance gives with at most FAR_CHANCE (binomial).
    The spacing is that of the harmonics before; its uncertainty times the number of the harmonic belongs to the
    deviation, and where that fills the spacing nothing can be told. Folded harmonics stop at the tenth.
    """
    order = np.argsort(comb.harmonics, kind="stable")
    numbers, members = np.array(comb.harmonics)[order], np.array(comb.members)[order]
    gaps = np.flatnonzero(numbers[1:] > np.maximum(GAP * numbers[:-1], N_FLAT))
    if any(comb.aliased) or not len(gaps):
        return comb
    core = int(gaps[0]) + 1
    spacing, spread = _spacing(lines.take(members[:core]), numbers[:core], 0.0, comb.nominal)
    edge = max(GAP * numbers[core - 1], N_FLAT) * spacing
    beyond = lines.take(available[lines.freqs[available] > edge])
    nearest = np.round(beyond.freqs / spacing)
    reach = WINDOW * np.hypot(beyond.uncertainties, nearest * spread)
    near = int((np.abs(beyond.freqs - nearest * spacing) <= reach).sum())
    share = float(np.minimum(2 * reach / spacing, 1.0).mean())
    if near and bdtrc(near - 1, len(reach), share) <= FAR_CHANCE:
        return comb
    return dataclasses.replace(
        comb,
        spacing=spacing,
        uncertainty=spread,
        members=tuple(int(member) for member in members[:core]),
        harmonics=tuple(int(number) for number in numbers[:core]),
        aliased=(False,) * core,
    )


def best_comb(lines: Lines, mains: tuple[float, ...] = (50.0, 60.0), sampling_rate: float | None = None) -> Comb | None:
    """The comb with the largest evidence (eq. A) among all hypotheses; None without lines."""
    best = None
    for hypothesis in hypotheses(lines, mains, sampling_rate):
        spacing, spread = candidates(lines, hypothesis)
        if not len(spacing):
            continue
        value = _log_evidence(lines, hypothesis, spacing, spread)[0]
        top = int(value.argmax())
        comb = _settle(lines, hypothesis, float(spacing[top]), float(spread[top]))
        if best is None or comb.log_evidence > best.log_evidence:
            best = comb
    return best
