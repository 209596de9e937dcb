"""Where the harmonics of a spacing lie on an axis, directly or folded at a sampling rate, and how probable each is."""

import dataclasses

import numpy as np
from jaxtyping import Float
from numpy import ndarray
from scipy.special import digamma

MAINS_WANDER = 0.05  # Hz, standard deviation of a grid's frequency
MAX_HARMONIC = 100  # of an unknown clock
MAX_ALIASED_HARMONIC = 10  # higher ones seldom pass an anti-alias filter, and would fit any line
HARMONIC_OFFSET = 2.0  # prior of harmonic n: half ~ 1/(n + 2), half flat on the first ten
N_FLAT = 10
CLOCK_WEIGHT = 0.78  # of an unknown spacing; the rest is shared by the mains frequencies
N_ANCHORS = 60  # the strongest lines that may be the highest harmonic of an unknown comb


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


@dataclasses.dataclass(frozen=True)
class Match:
    """Lines matched to harmonics for candidate spacings, each (candidate, line): f = offset + slope * spacing."""

    harmonic: ndarray
    offset: ndarray
    slope: ndarray
    log_weight: ndarray  # ln q(n), -inf where there is no such harmonic


def hypotheses(lines: Lines, mains: tuple[float, ...], sampling_rate: float | None) -> list[Hypothesis]:
    """The kinds of comb that are compared, with prior weights that sum to one.

    Mains needs little weight, because its known frequency is already strong evidence.
    """
    kinds = [Hypothesis(CLOCK_WEIGHT)]
    for nominal in mains:
        share = (1 - CLOCK_WEIGHT) / len(mains)
        folds = bool(sampling_rate is not None and sampling_rate / 2 < nominal * MAX_ALIASED_HARMONIC)
        direct = bool(nominal * (1 + 1e-3) < lines.high) or not folds
        for rate in [None] * direct + [sampling_rate] * folds:
            part = share * (1.0 if direct + folds == 1 else 0.8 if rate is None else 0.2)
            kinds.append(Hypothesis(part, nominal, rate))
    return kinds


def _harmonic_log_weight(harmonic: ndarray, lowest: ndarray, highest: ndarray) -> ndarray:
    """ln q(n) on lowest..highest: half falls as 1/(n + 2), half is flat on the first ten; -inf outside."""
    first, last = np.maximum(lowest, 1), np.maximum(highest, lowest)
    falling = (
        1 / (harmonic + HARMONIC_OFFSET) / (digamma(last + HARMONIC_OFFSET + 1) - digamma(first + HARMONIC_OFFSET))
    )
    flat = (harmonic < first + N_FLAT) / np.minimum(last - first + 1, N_FLAT)
    inside = (harmonic >= lowest) & (harmonic <= highest)
    with np.errstate(divide="ignore"):
        return np.log(np.where(inside, 0.5 * flat + 0.5 * falling, 0.0))


def folded(nominal: float, sampling_rate: float, n_harmonics: int) -> tuple[ndarray, ndarray]:
    """Where the harmonics of a frequency appear after sampling: |n f - m fs| as offset + slope * f, near f = nominal.

    Returns
    -------
    offset (harmonic,) Hz and slope (harmonic,), +-n; slope = n and offset = 0 where nothing folds
    """
    order = np.arange(1, n_harmonics + 1)
    turns = np.round(order * nominal / sampling_rate)
    sign = np.where(order * nominal - turns * sampling_rate < 0, -1.0, 1.0)
    return -sign * turns * sampling_rate, sign * order


def _match_direct(lines: Lines, hypothesis: Hypothesis, spacing: ndarray) -> Match:
    """The nearest harmonic of each candidate spacing (candidate,) to each line."""
    harmonic = np.maximum(np.round(lines.freqs / spacing[:, None]), 1)
    lowest, highest = (np.floor(lines.low / spacing) + 1)[:, None], np.floor(lines.high / spacing + 1e-2)[:, None]
    if hypothesis.nominal is not None:  # beyond, its wander is as wide as the spacing
        highest = np.minimum(highest, np.floor(hypothesis.nominal / (6 * MAINS_WANDER)))
    log_weight = _harmonic_log_weight(harmonic, lowest, highest)
    return Match(harmonic, np.zeros_like(harmonic), harmonic, log_weight)


def _match_folded(lines: Lines, hypothesis: Hypothesis, spacing: ndarray, spread: ndarray) -> Match:
    """The harmonic, folded at the sampling rate, that explains each line best at each candidate spacing."""
    assert hypothesis.nominal is not None and hypothesis.sampling_rate is not None  # match_lines asks no other
    offset, slope = folded(hypothesis.nominal, hypothesis.sampling_rate, MAX_ALIASED_HARMONIC)
    order = np.arange(1, MAX_ALIASED_HARMONIC + 1)
    log_weight = _harmonic_log_weight(order, np.array(1), np.array(MAX_ALIASED_HARMONIC))
    position = offset + slope * spacing[:, None]  # (candidate, harmonic)
    visible = (position >= lines.low) & (position <= lines.high)
    variance = lines.uncertainties[:, None] ** 2 + (slope * spread[:, None, None]) ** 2  # (candidate, line, harmonic)
    distance = (lines.freqs[:, None] - position[:, None]) ** 2 / variance
    best = np.where(visible[:, None], log_weight - distance / 2, -np.inf).argmax(axis=-1)  # (candidate, line)
    hidden = ~np.take_along_axis(visible, best, axis=1)
    return Match(order[best], offset[best], slope[best], np.where(hidden, -np.inf, log_weight[best]))


def match_lines(lines: Lines, hypothesis: Hypothesis, spacing: ndarray, spread: ndarray) -> Match:
    """The harmonic that explains each line best at each candidate spacing, direct or folded at a sampling rate."""
    if hypothesis.sampling_rate is None or hypothesis.nominal is None:
        return _match_direct(lines, hypothesis, spacing)
    return _match_folded(lines, hypothesis, spacing, spread)


def candidates(lines: Lines, hypothesis: Hypothesis) -> tuple[ndarray, ndarray]:
    """Candidate spacings and their uncertainty, (candidate,): each line as each harmonic that the prior allows."""
    freqs, sigma = lines.freqs, lines.uncertainties
    nominal = hypothesis.nominal
    if nominal is None:
        strongest = np.argsort(-lines.strengths, kind="stable")[:N_ANCHORS]
        order = np.arange(1, MAX_HARMONIC + 1)[:, None]
        spacing, spread = (freqs[strongest] / order).ravel(), (sigma[strongest] / order).ravel()
        lowest, highest = spacing_range(lines)
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


def spacing_range(lines: Lines) -> tuple[float, float]:
    """Smallest and largest spacing of an unknown clock, Hz: four bins, and two harmonics on the axis."""
    return 4 * lines.resolution, max(lines.high / 2, 5 * lines.resolution)
