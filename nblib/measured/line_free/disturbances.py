"""External noise of the `wide` world, in bins and at all scales, and what an averaged estimator makes of it.

An incoherent disturbance multiplies the background by 1 + r. A coherent one (mains, clocks) is a sinusoid: its averaged
periodogram is noncentral chi-squared, and under a taper it fills the taper's main lobe.
"""

import functools
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int
from numpy import ndarray
from scipy.optimize import fsolve
from scipy.special import gammaincinv, ndtr

from nblib.measured.line_free.backgrounds import Grid, log_uniform
from nblib.project.registry import refuse_if

SHAPES = ("bump", "lorentzian", "plateau", "skew", "comb")
NARROWEST = 0.7  # bins, standard deviation
WIDEST = 1 / 12  # of the axis
NARROW = 4.0  # bins: up to here a line may be 10,000 times the background
HEIGHTS_NARROW, HEIGHTS_BROAD = (0.3, 1e4), (0.3, 10.0)  # peak over background, log-uniform
ESTIMATORS = ("welch", "welch_hann")
LOBE = 9  # bins on either side that a tapered sinusoid is followed to: 1e-8 of its peak
MAX_HARMONICS = 60
VISIBLE = 1e-3  # coherent power over background from which on a bin's distribution changes
FEW_SEGMENTS = 30  # below, gamma quantiles come from a table
HANN_AMPLITUDE_OVERLAP = (
    1 / 6
)  # correlation of the transforms of half-overlapping Hann segments, line's phase taken off


@dataclass(frozen=True)
class External:
    """What was added to a background.

    Attributes
    ----------
    ratio : (bin,) incoherent power over background
    positions : (line,) bins of coherent lines, fractions allowed
    powers : (line,) their power over background, on a bin
    """

    ratio: Float[ndarray, " bin"]
    positions: Float[ndarray, " line"]
    powers: Float[ndarray, " line"]


# ---- what is added ----


def shape(rng: np.random.Generator, name: str, n_bins: int, amplitude=None) -> Float[ndarray, " bin"]:
    """One disturbance of a shape as its ratio to the background; width log-uniform in 0.7 bins..1/12 of the axis.

    Parameters
    ----------
    name : "bump" (Gaussian), "lorentzian", "plateau" (flat top, steep edges), "skew" (another width on either side) or
        "comb" (narrow equal bumps, spacing 6 bins to a third of the axis)
    amplitude : (low, high) of the peak, log-uniform; None for 0.3..10,000 where narrow and 0.3..10 where broad

    Raises
    ------
    ValueError for an unknown name
    """
    refuse_if(name not in SHAPES, f"unknown shape {name!r}; known: {', '.join(SHAPES)}")
    bins, centre = np.arange(n_bins), rng.uniform(0, n_bins - 1)
    width = log_uniform(rng, NARROWEST, NARROW if name == "comb" else n_bins * WIDEST)
    height = log_uniform(rng, *(amplitude or (HEIGHTS_NARROW if width <= NARROW else HEIGHTS_BROAD)))
    if name == "comb":
        spacing = log_uniform(rng, max(6, 4 * width), n_bins / 3)
        offset = (bins - centre + spacing / 2) % spacing - spacing / 2
        return height * np.exp(-0.5 * (offset / width) ** 2)
    offset = (bins - centre) / width
    if name in ("bump", "lorentzian"):
        return height * np.exp(-0.5 * offset**2) if name == "bump" else height / (1 + offset**2)
    if name == "plateau":
        steep = log_uniform(rng, 4, 30)
        return height / (1 + np.minimum(np.abs(offset), 1e3) ** steep)
    other = log_uniform(rng, 0.1, 1.0)  # width of the steeper side over the other
    sides = np.where(offset * rng.choice([-1, 1]) > 0, offset, offset / other)
    return height * np.exp(-np.abs(sides))


def coherent_lines(rng, grid: Grid, log_background) -> tuple[ndarray, ndarray]:
    """Places (bins) and powers over background of one source's sinusoids: a lone clock, or mains with harmonics.

    Half of the sources keep their power relative to the background, half have a fixed power, falling as n^-0..2, so
    that a harmonic's visibility follows the background under it.
    """
    n_bins, freqs = len(grid.freqs), grid.freqs
    if rng.random() < 0.4:
        return np.array([rng.uniform(0, n_bins - 1)]), np.array([log_uniform(rng, *HEIGHTS_NARROW)])
    first = freqs[0] + log_uniform(rng, 4, n_bins / 2) * (freqs[1] - freqs[0]) if grid.kind == "linear" else None
    fundamental = first or log_uniform(rng, freqs[0], freqs[-1] / 2)
    orders = np.arange(1, MAX_HARMONICS + 1)
    if rng.random() < 0.3:
        orders = orders[::2]  # odd harmonics
    orders = orders[: rng.integers(3, len(orders))]
    orders = orders[(orders * fundamental < freqs[-1]) & (orders * fundamental > freqs[0])]
    if not len(orders):
        return np.zeros(0), np.zeros(0)
    positions = np.interp(orders * fundamental, freqs, np.arange(n_bins))
    powers = log_uniform(rng, *HEIGHTS_NARROW) * orders ** -rng.uniform(0, 2) * log_uniform(rng, 0.3, 1, len(orders))
    if rng.random() < 0.5:
        beneath = log_background[np.rint(positions).astype(np.int64)]
        powers = powers * np.exp(np.clip(beneath[rng.integers(len(positions))] - beneath, -20, 20))
    keep = powers > 0.02
    return positions[keep], np.minimum(powers[keep], HEIGHTS_NARROW[1])


def draw_external(rng: np.random.Generator, grid: Grid, log_background: Float[ndarray, " bin"]) -> External:
    """One to four sources: shapes (incoherent), mains and clocks (coherent)."""
    ratio, positions, powers = np.zeros_like(log_background), [np.zeros(0)], [np.zeros(0)]
    for _ in range(rng.integers(1, 5)):
        if rng.random() < 0.4:
            place, power = coherent_lines(rng, grid, log_background)
            positions.append(place)
            powers.append(power)
        else:
            ratio += shape(rng, SHAPES[rng.choice(len(SHAPES), p=(0.3, 0.25, 0.15, 0.15, 0.15))], len(ratio))
    return External(ratio, np.concatenate(positions), np.concatenate(powers))


# ---- what the estimator makes of it ----


@functools.cache
def hann_moments() -> tuple[ndarray, ndarray]:
    """|correlation|^2 of tapered periodograms of white noise at 0..3 bins' distance: same segment, half a segment on.

    References
    ----------
    the taper's Fourier transform; Welch 1967, Percival & Walden 1993, section 6.17
    """
    length = 4096
    steps = np.arange(length)
    taper = 0.5 - 0.5 * np.cos(2 * np.pi * steps / length)
    turns = np.exp(2j * np.pi * np.arange(4)[:, None] * steps / length)
    power = (taper**2).sum()
    same = np.abs((turns * taper**2).sum(axis=1) / power) ** 2
    half = length // 2
    onward = np.abs((turns[:, :half] * taper[:half] * taper[half:]).sum(axis=1) / power) ** 2
    return same, onward


@functools.cache
def hann_correlation() -> tuple[float, float]:
    """Correlation of averaged Hann periodograms (half overlap, many segments) one and two bins apart: 0.46, 0.05."""
    same, onward = hann_moments()
    total = same + 2 * onward
    return float(total[1] / total[0]), float(total[2] / total[0])


@functools.cache
def _hann_filter():
    """Three taps that give white normals the correlation above."""
    wanted = hann_correlation()

    def misfit(taps):
        one, two = taps
        power = 1 + one**2 + two**2
        return (one + one * two) / power - wanted[0], two / power - wanted[1]

    one, two = fsolve(misfit, (0.6, 0.05))
    return np.array([1.0, one, two]) / np.sqrt(1 + one**2 + two**2)


def effective_segments(n_segments, estimator: str, merged=1):
    """Independent segments that give a bin's variance: K, less the overlap's share, times the bins merged into it."""
    if estimator == "welch":
        return np.asarray(n_segments, dtype=np.float64) * merged
    same, onward = hann_moments()
    first, second = hann_correlation()
    n_segments = np.asarray(n_segments, dtype=np.float64)
    overlap = 1 + 2 * (1 - 1 / n_segments) * onward[0]
    shared = 1 + 2 * first * (1 - 1 / merged) + 2 * second * np.maximum(1 - 2 / merged, 0)
    return n_segments / overlap * merged / shared


@functools.lru_cache(maxsize=1024)
def _gamma_table(segments):
    nodes = np.linspace(-6, 6, 481)
    return nodes, gammaincinv(segments, ndtr(nodes))


def gamma_factor(
    rng: np.random.Generator, segments: Float[ndarray, " bin"], estimator: str, merged: Int[ndarray, " bin"]
) -> Float[ndarray, " bin"]:
    """Gamma(K) / K per bin; under a taper neighbours of one span correlate (a Gaussian copula, exact margins).

    Parameters
    ----------
    segments : K that gives each bin's variance, > 0
    estimator : one of ESTIMATORS
    merged : linear bins that were averaged into each bin, >= 1
    """
    if estimator == "welch":
        return rng.standard_gamma(segments) / segments
    white = rng.standard_normal(len(segments) + 2)
    normal = np.convolve(white, _hann_filter(), mode="valid")
    normal = np.where(merged > 1, white[2:], normal)  # bands of many bins share little
    # Wilson & Hilferty 1931, good to 0.1 % where many segments are averaged
    factor = (1 - 1 / (9 * segments) + normal / (3 * np.sqrt(segments))) ** 3
    for value in np.unique(segments[segments < FEW_SEGMENTS]):
        here = segments == value
        factor[here] = np.interp(normal[here], *_gamma_table(float(value))) / value
    return factor


def line_response(positions: Float[ndarray, " line"], estimator: str):
    """Bins around sinusoids and their amplitude response there, 1 on a bin: two arrays (line, bin).

    The ideal estimator leaks nothing: the power is shared by the two nearest bins. Hann: sin(pi d) / (pi d (1 - d^2)),
    d the distance in bins, its sign relative to the noise's own phases, which alternate as sin(pi d) does.
    """
    lowest = np.floor(positions).astype(np.int64)[:, None]
    share = positions[:, None] - lowest
    if estimator == "welch":
        return lowest + np.arange(2), np.sqrt(np.concatenate([1 - share, share], axis=1))
    bins = lowest + np.arange(-LOBE, LOBE + 2)
    distance = positions[:, None] - bins + 1e-6  # the response has removable poles at 0 and +-1
    return bins, np.sin(np.pi * (share + 1e-6)) / (np.pi * distance * (1 - distance**2))


def _line_amplitudes(external, estimator, merged):
    """Coherent amplitude over sqrt(background) per bin, and cos(pi d) with d the distance to the line, in bins.

    Powers of several lines add, the last one gives sign and distance. A bin that averages `merged` linear bins dilutes
    a line by as many.
    """
    power, sign, phase = np.zeros(len(merged)), np.ones(len(merged)), np.ones(len(merged))
    if len(external.positions):
        bins, response = line_response(external.positions, estimator)
        inside = (bins >= 0) & (bins < len(merged))
        powers = np.broadcast_to(external.powers[:, None], bins.shape)[inside]
        turns = np.cos(np.pi * (external.positions[:, None] - bins))[inside]
        bins, response = bins[inside], response[inside]
        np.add.at(power, bins, powers * response**2 / merged[bins])
        strong = powers * response**2 > VISIBLE
        sign[bins[strong]], phase[bins[strong]] = np.sign(response[strong]), turns[strong]
    return np.sqrt(power) * sign, phase


def expected_ratio(external: External, estimator: str, merged: Int[ndarray, " bin"]) -> Float[ndarray, " bin"]:
    """Expected external power over background per bin: what decides whether it is noisy."""
    return external.ratio + _line_amplitudes(external, estimator, merged)[0] ** 2


def draw_estimate(
    rng: np.random.Generator, grid: Grid, external: External, n_segments: Float[ndarray, " bin"], estimator: str
) -> Float[ndarray, " bin"]:
    """x / S of an averaged spectrum with external noise: gamma-distributed, noncentral chi-squared under lines.

    With N_i the background's transform in segment i and A the sinusoid's, mean |N_i + A|^2 is |m + A|^2 plus what
    the N_i scatter around their mean m; m is complex normal, of variance 1/K without overlap, independent of that
    scatter, which is Gamma(K - 1) / K then.

    Parameters
    ----------
    n_segments : (bin,) K of the span that a bin belongs to, before bins are merged

    Returns
    -------
    positive factor per bin; its mean is 1 + expected_ratio
    """
    refuse_if(estimator not in ESTIMATORS, f"unknown estimator {estimator!r}; known: {', '.join(ESTIMATORS)}")
    segments = effective_segments(n_segments, estimator, grid.merged)
    factor = gamma_factor(rng, segments, estimator, grid.merged)
    amplitude, phase = _line_amplitudes(external, estimator, grid.merged)
    lines = np.flatnonzero(amplitude**2 > VISIBLE)
    factor *= 1 + external.ratio
    if len(lines):
        overlap = 2 * (1 - 1 / n_segments) * phase * HANN_AMPLITUDE_OVERLAP if estimator == "welch_hann" else 0.0
        spread = ((1 + overlap) / (n_segments * grid.merged))[lines]  # variance of m over the background
        mean = _complex_normal(rng, len(grid.freqs), estimator)[lines] * np.sqrt(spread)
        left = (1 - spread) ** 2 / np.maximum(1 / segments[lines] - spread**2, 1e-9)
        scatter = rng.standard_gamma(left) / left * (1 - spread)
        incoherent = 1 + external.ratio[lines]
        factor[lines] = incoherent * (scatter + np.abs(mean + amplitude[lines] / np.sqrt(incoherent)) ** 2)
    return factor


def _complex_normal(rng, n_bins, estimator):
    """Unit complex normals per bin, correlated between neighbours as a Hann taper leaves them (-2/3, 1/6)."""
    white = (rng.standard_normal(n_bins + 2) + 1j * rng.standard_normal(n_bins + 2)) / np.sqrt(2)
    if estimator == "welch":
        return white[1:-1]
    return np.convolve(white, np.array([-0.25, 0.5, -0.25]) / np.sqrt(0.375), mode="valid")
