"""Which narrow lines are harmonics of one spacing, and how surprising that would be by chance.

Null hypothesis: N unrelated lines lie independently on the axis, uniformly in frequency or in its logarithm. Comb
hypothesis: k of them are harmonics of one spacing s. Line j with frequency f_j and uncertainty sigma_j is predicted at
a_j + b_j s (a = 0, b = n for harmonic n; folded at the sampling rate for an alias). The evidence of one assignment is

    E = w(h) P(k) / C(N, k) * prod_j q(n_j) / g(f_j) * int pi(s) prod_j Normal(f_j; a_j + b_j s, sigma_j) ds    (A)

with w the weight of the hypothesis, P(k) ~ 1/k, q ~ 1/(n + 2) on the harmonics that fit on the axis, g the larger of the
uniform and the log-uniform density, and pi the prior of the spacing: Normal(50 or 60 Hz, wander) for mains, log-uniform
for an unknown clock. The integral over s is Gaussian and done in closed form. Everything in front of the product is the
look-elsewhere correction: many lines, many harmonics and many spacings make E small. The sum of E over all assignments
has mean <= 1 under the null hypothesis, so P(E >= t) <= 1/t (Markov's inequality) whatever the axis, its bins and N.
The bound is loose: `chance` replaces it by FALSE_RATE / E, from simulation.

References
----------
Shafer et al. 2011 and Vovk and Wang 2021 for tests by evidence (e-values); Gross and Vitells 2010 for look-elsewhere.
"""

import dataclasses

import numpy as np
from jaxtyping import Float
from numpy import ndarray
from scipy.special import digamma, gammaln

MAINS_WANDER = 0.05  # Hz, standard deviation of a grid's frequency
SMALLEST_UNCERTAINTY = 0.3  # bins; also covers frequencies given to the nearest bin
MAX_HARMONIC = 300  # of an unknown clock
MAX_ALIASED_HARMONIC = 10  # higher ones seldom pass an anti-alias filter, and would fit any line
FIRST_HARMONICS = np.array([0.6, 0.25, 0.15])  # prior of harmonic 1, 2, 3 where mains shows as a single line
HARMONIC_OFFSET = 2.0  # prior of harmonic n: half ~ 1/(n + 2), half flat on the first ten
N_FLAT = 10
CLOCK_WEIGHT = 0.78  # of an unknown spacing; the rest is shared by the mains frequencies
N_ANCHORS = 60  # the strongest lines that may be the highest harmonic of an unknown comb
LOG_ROOT_TWO_PI = 0.5 * np.log(2 * np.pi)


@dataclasses.dataclass(frozen=True)
class Lines:
    """Narrow lines on one axis. freqs, uncertainties, strengths : (line,); low, high, resolution : Hz."""

    freqs: Float[ndarray, " line"]
    uncertainties: Float[ndarray, " line"]
    strengths: Float[ndarray, " line"]
    low: float
    high: float
    resolution: float

    def take(self, index: ndarray) -> "Lines":
        """The lines of an index or mask, on the same axis."""
        return dataclasses.replace(
            self,
            freqs=self.freqs[index],
            uncertainties=self.uncertainties[index],
            strengths=self.strengths[index],
        )

    def log_density(self) -> Float[ndarray, " line"]:
        """ln g(f) of eq. A, 1/Hz: the larger of the uniform and the log-uniform density on the axis."""
        lowest = max(self.low, self.high / 1000)
        log_uniform = 1 / (np.maximum(self.freqs, lowest) * np.log(self.high / lowest))
        return np.log(np.maximum(1 / (self.high - self.low), log_uniform))


@dataclasses.dataclass(frozen=True)
class Hypothesis:
    """One kind of comb: `mains` at a nominal frequency (Hz) or, where that is None, a clock of unknown spacing."""

    weight: float
    nominal: float | None = None
    sampling_rate: float | None = None  # given: harmonics above half of it are folded
    single: bool = False  # one line alone, at one of the first three harmonics


@dataclasses.dataclass(frozen=True)
class Comb:
    """Lines that are harmonics of one spacing.

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


@dataclasses.dataclass(frozen=True)
class _Match:
    """Lines matched to harmonics for candidate spacings, each (candidate, line): f = offset + slope * spacing."""

    harmonic: ndarray
    offset: ndarray
    slope: ndarray
    log_weight: ndarray  # ln q(n), -inf where there is no such harmonic


def hypotheses(lines: Lines, mains: tuple[float, ...], sampling_rate: float | None) -> list[Hypothesis]:
    """The kinds of comb that are compared, with prior weights that sum to one: mains first, as in most laboratories."""
    found = [Hypothesis(CLOCK_WEIGHT)]
    for nominal in mains:
        share = (1 - CLOCK_WEIGHT) / len(mains)
        folds = sampling_rate is not None and sampling_rate / 2 < nominal * MAX_ALIASED_HARMONIC
        direct = nominal * (1 + 1e-3) < lines.high or not folds
        for rate in [None] * direct + [sampling_rate] * folds:
            part = share * (1.0 if direct + folds == 1 else 0.8 if rate is None else 0.2)
            found.append(Hypothesis(0.7 * part, nominal, rate))
            found.append(Hypothesis(0.3 * part, nominal, rate, single=True))
    return found


def _harmonic_log_weight(harmonic: ndarray, lowest: ndarray, highest: ndarray) -> ndarray:
    """ln q(n) on lowest..highest: half falls as 1/(n + 2), half is flat on the first ten; -inf outside."""
    first, last = np.maximum(lowest, 1), np.maximum(highest, lowest)
    falling = 1 / (harmonic + HARMONIC_OFFSET) / (digamma(last + HARMONIC_OFFSET + 1) - digamma(first + HARMONIC_OFFSET))
    flat = (harmonic < first + N_FLAT) / np.minimum(last - first + 1, N_FLAT)
    inside = (harmonic >= lowest) & (harmonic <= highest)
    with np.errstate(divide="ignore"):
        return np.log(np.where(inside, 0.5 * flat + 0.5 * falling, 0.0))


def folded(nominal: float, sampling_rate: float, n_harmonics: int) -> tuple[ndarray, ndarray]:
    """Where the harmonics of a frequency appear after sampling: |n f - m fs| as offset + slope * f, near f = nominal.

    returns : offset (harmonic,) Hz and slope (harmonic,), +-n; slope = n and offset = 0 where nothing folds
    """
    order = np.arange(1, n_harmonics + 1)
    turns = np.round(order * nominal / sampling_rate)
    sign = np.where(order * nominal - turns * sampling_rate < 0, -1.0, 1.0)
    return -sign * turns * sampling_rate, sign * order


def _match_direct(lines: Lines, hypothesis: Hypothesis, spacing: ndarray) -> _Match:
    """The nearest harmonic of each candidate spacing (candidate,) to each line."""
    harmonic = np.maximum(np.round(lines.freqs / spacing[:, None]), 1)
    lowest, highest = (np.floor(lines.low / spacing) + 1)[:, None], np.floor(lines.high / spacing + 1e-2)[:, None]
    if hypothesis.nominal is not None:  # beyond, its wander is as wide as the spacing
        highest = np.minimum(highest, np.floor(hypothesis.nominal / (6 * MAINS_WANDER)))
    if hypothesis.single:
        weight = np.append(FIRST_HARMONICS, 0.0)[np.minimum(harmonic, 4).astype(int) - 1]
        with np.errstate(divide="ignore"):
            log_weight = np.log(weight)
    else:
        log_weight = _harmonic_log_weight(harmonic, lowest, highest)
    return _Match(harmonic, np.zeros_like(harmonic), harmonic, log_weight)


def _match_folded(lines: Lines, hypothesis: Hypothesis, spacing: ndarray, spread: ndarray) -> _Match:
    """The harmonic, folded at the sampling rate, that explains each line best at each candidate spacing."""
    n_harmonics = len(FIRST_HARMONICS) if hypothesis.single else MAX_ALIASED_HARMONIC
    offset, slope = folded(hypothesis.nominal, hypothesis.sampling_rate, n_harmonics)
    order = np.arange(1, n_harmonics + 1)
    log_weight = np.log(FIRST_HARMONICS) if hypothesis.single else _harmonic_log_weight(order, 1, n_harmonics)
    position = offset + slope * spacing[:, None]  # (candidate, harmonic)
    visible = (position >= lines.low) & (position <= lines.high)
    variance = lines.uncertainties[:, None] ** 2 + (slope * spread[:, None, None]) ** 2  # (candidate, line, harmonic)
    distance = (lines.freqs[:, None] - position[:, None]) ** 2 / variance
    best = np.where(visible[:, None], log_weight - distance / 2, -np.inf).argmax(axis=-1)  # (candidate, line)
    hidden = ~np.take_along_axis(visible, best, axis=1)
    return _Match(order[best], offset[best], slope[best], np.where(hidden, -np.inf, log_weight[best]))


def _match(lines: Lines, hypothesis: Hypothesis, spacing: ndarray, spread: ndarray) -> _Match:
    if hypothesis.sampling_rate is None:
        return _match_direct(lines, hypothesis, spacing)
    return _match_folded(lines, hypothesis, spacing, spread)


def _candidates(lines: Lines, hypothesis: Hypothesis) -> tuple[ndarray, ndarray]:
    """Spacings worth a try and their uncertainty, (candidate,): each line as each harmonic that the prior allows."""
    freqs, sigma = lines.freqs, lines.uncertainties
    nominal = hypothesis.nominal
    if nominal is None:
        strongest = np.argsort(-lines.strengths, kind="stable")[:N_ANCHORS]
        order = np.arange(1, MAX_HARMONIC + 1)[:, None]
        spacing, spread = (freqs[strongest] / order).ravel(), (sigma[strongest] / order).ravel()
        lowest, highest = _spacing_range(lines)
        keep = (spacing >= lowest) & (spacing <= highest)
        return spacing[keep], spread[keep]
    if hypothesis.sampling_rate is None:
        order = np.maximum(np.round(freqs / nominal), 1)
        spacing, spread = freqs / order, sigma / order
    else:
        offset, slope = folded(nominal, hypothesis.sampling_rate, MAX_ALIASED_HARMONIC)
        spacing = ((freqs[:, None] - offset) / slope).ravel()
        spread = (sigma[:, None] / np.abs(slope)).ravel()
    keep = np.abs(spacing - nominal) <= 3 * np.hypot(MAINS_WANDER, spread)
    return np.append(spacing[keep], nominal), np.append(spread[keep], MAINS_WANDER)


def _spacing_range(lines: Lines) -> tuple[float, float]:
    """Smallest and largest spacing of an unknown clock, Hz: four bins, and two harmonics on the axis."""
    return max(4 * lines.resolution, lines.high / MAX_HARMONIC), max(lines.high / 2, 5 * lines.resolution)


def _log_prior_count(n_lines: int, hypothesis: Hypothesis) -> Float[ndarray, " count"]:
    """ln P(k) - ln C(N, k) for k = 1..N; an unknown clock needs two lines, a single line is one."""
    count = np.arange(1, n_lines + 1)
    weight = 1 / count
    if hypothesis.single:
        weight = (count == 1).astype(float)
    elif hypothesis.nominal is None:
        weight = weight * np.select([count < 2, count == 2], [0.0, 0.2], 1.0)  # two lines are often in a simple ratio
    choose = gammaln(n_lines + 1) - gammaln(count + 1) - gammaln(n_lines - count + 1)
    with np.errstate(divide="ignore"):
        return np.log(weight / max(weight.sum(), 1e-300)) - choose


def _log_evidence(lines: Lines, hypothesis: Hypothesis, spacing: ndarray, spread: ndarray):
    """ln E of eq. A for candidate spacings, the best number of lines at each.

    returns : best ln E (candidate,), count of lines (candidate,), lines in order of their share (candidate, line), match
    """
    match = _match(lines, hypothesis, spacing, spread)
    residual = lines.freqs - match.offset - match.slope * spacing[:, None]
    log_ratio = match.log_weight - lines.log_density() - np.log(lines.uncertainties) - LOG_ROOT_TWO_PI
    variance = lines.uncertainties**2 + (match.slope * spread[:, None]) ** 2
    order = np.argsort(residual**2 / variance / 2 - log_ratio, axis=1)
    log_ratio, residual, slope = (np.take_along_axis(part, order, axis=1) for part in (log_ratio, residual, match.slope))
    precision = 1 / lines.uncertainties[order] ** 2
    information = np.cumsum(slope**2 * precision, axis=1)
    cross = np.cumsum(slope * residual * precision, axis=1)
    square = np.cumsum(residual**2 * precision, axis=1)
    if hypothesis.nominal is None:
        lowest, highest = _spacing_range(lines)
        log_spacing = LOG_ROOT_TWO_PI - np.log(spacing * np.log(highest / lowest))[:, None]
    else:
        shift = (hypothesis.nominal - spacing)[:, None]
        information = information + MAINS_WANDER**-2
        cross, square = cross + shift * MAINS_WANDER**-2, square + shift**2 * MAINS_WANDER**-2
        log_spacing = -np.log(MAINS_WANDER)
    chi_squared = np.maximum(square - cross**2 / information, 0)
    log_evidence = np.cumsum(log_ratio, axis=1) + log_spacing - 0.5 * np.log(information) - chi_squared / 2
    log_evidence += _log_prior_count(len(lines.freqs), hypothesis) + np.log(hypothesis.weight)
    best = log_evidence.argmax(axis=1)
    return np.take_along_axis(log_evidence, best[:, None], axis=1)[:, 0], best + 1, order, match


def _fit(lines: Lines, hypothesis: Hypothesis, spacing: float, match: _Match, members: ndarray) -> tuple[float, float]:
    """Weighted least-squares spacing of the member lines and its uncertainty, Hz; mains also knows its prior."""
    slope, offset = match.slope[0, members], match.offset[0, members]
    precision = slope**2 / lines.uncertainties[members] ** 2
    values = (lines.freqs[members] - offset) / slope
    if hypothesis.nominal is not None:
        precision, values = np.append(precision, MAINS_WANDER**-2), np.append(values, hypothesis.nominal)
    return float(precision @ values / precision.sum()), float(precision.sum() ** -0.5)


def _settle(lines: Lines, hypothesis: Hypothesis, spacing: float, spread: float) -> Comb:
    """Fit the spacing to its lines, twice, keep one line a harmonic, and give the comb its evidence."""
    for _ in range(3):
        centre, width = np.array([spacing]), np.array([spread])
        value, count, order, match = _log_evidence(lines, hypothesis, centre, width)
        members = order[0, : count[0]]
        _, first = np.unique(match.harmonic[0, members], return_index=True)  # in order of share: the better line stays
        dropped = len(members) - len(first)
        members = np.sort(members[np.sort(first)])
        spacing, spread = _fit(lines, hypothesis, spacing, match, members)
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


def best_comb(lines: Lines, mains: tuple[float, ...] = (50.0, 60.0), sampling_rate: float | None = None) -> Comb | None:
    """The comb with the largest evidence (eq. A) among all hypotheses; None without lines."""
    best = None
    for hypothesis in hypotheses(lines, mains, sampling_rate):
        spacing, spread = _candidates(lines, hypothesis)
        if not len(spacing):
            continue
        value = _log_evidence(lines, hypothesis, spacing, spread)[0]
        top = int(value.argmax())
        comb = _settle(lines, hypothesis, float(spacing[top]), float(spread[top]))
        if best is None or comb.log_evidence > best.log_evidence:
            best = comb
    return best
