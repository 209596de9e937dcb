"""Time series on unknown backgrounds with and without a disturbance, and what a score finds of it at a fixed share.

Every method flags the same share of the undisturbed series' bins, so none gains by its threshold. Backgrounds and
series are those of the second generator.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float
from numpy import ndarray
from scipy.signal import welch

from evidence.unknown.second_world import coloured_noise, draw_background, line_amplitude
from nblib.cells import NOISY_RATIO

RATE = 2048.0  # Hz
N_BINS = 2047  # of Welch's spectrum: segments of 4096 samples, bins of 0.5 Hz
AVERAGES = 63  # segments at half overlap: 64 s
SITES = 4  # lines or humps a series, each in its own part of the axis
MARGIN = 20  # bins without a site at either end of the axis
KINDS = ("steady", "wandering", "hump")


@dataclass(frozen=True)
class SeriesTrial:
    """A series, and what is to be found in it.

    Attributes
    ----------
    samples : at RATE
    groups : indices of bins, a group is found where any of its bins is flagged
    """

    samples: Float[ndarray, " sample"]
    groups: list[ndarray]


def quiet_series(seed: int, index: int) -> tuple[Float[ndarray, " sample"], Float[ndarray, " bin"]]:
    """A series without a disturbance, and ln of its background on the bins of Welch's spectrum, at unit rate."""
    log_background = draw_background(np.random.default_rng([seed, index, 0]), N_BINS)
    return _noise(seed, index, log_background), log_background


def disturbed_series(seed: int, index: int, kind: str, strength: float, width: float = 0.0) -> SeriesTrial:
    """The same series with lines or humps in it.

    Parameters
    ----------
    kind : "steady" - sinusoids; "wandering" - sinusoids whose frequency walks; "hump" - Gaussian noise of a Gaussian
        spectrum
    strength : power over background, of a line at its peak in Welch's spectrum as if it were steady
    width : standard deviation of the frequency over the record, or of the hump, bins

    Returns
    -------
    a steady line is to be found in one of 3 bins; of the others every bin with a ratio above 0.25, for a wandering line
    those that its frequency visits (not those that only the window fills)

    Raises
    ------
    ValueError for another kind
    """
    if kind not in KINDS:
        raise ValueError(f"unknown kind {kind!r}; known: {', '.join(KINDS)}")
    samples, log_background = quiet_series(seed, index)
    rng, bins = np.random.default_rng([seed, index, 2]), np.arange(1, N_BINS + 1)
    part = (N_BINS - 2 * MARGIN) / SITES
    sites = MARGIN + part * (np.arange(SITES) + rng.uniform(0.1, 0.9, SITES))
    if kind == "hump":
        ratio = sum(strength * np.exp(-0.5 * ((bins - site) / width) ** 2) for site in sites)
        return SeriesTrial(_noise(seed, index, log_background + np.log1p(ratio)), _noisy_bins(ratio))
    segment = 2 * (N_BINS + 1)
    lines, visited = np.zeros_like(samples), np.zeros(N_BINS, dtype=bool)
    for site in sites:
        level = strength * np.exp(np.interp(site, bins, log_background))
        course = site + width * _walk(rng, len(samples)) * (kind == "wandering")  # frequency in bins
        phase = 2 * np.pi * (np.cumsum(course) / segment + rng.random())
        visited[np.clip(np.rint(course).astype(int) - 1, 0, N_BINS - 1)] = True
        lines += line_amplitude(level, segment) * np.sin(phase)
    if kind == "steady":
        return SeriesTrial(samples + lines, [np.rint(site).astype(int) - 1 + np.arange(-1, 2) for site in sites])
    ratio = welch(lines, nperseg=segment)[1][1:-1] / np.exp(log_background)
    return SeriesTrial(samples + lines, _noisy_bins(ratio * visited))


def found_share(scores: Float[ndarray, " bin"], quiet: Float[ndarray, " bin"], share: float, groups: list) -> float:
    """Share of the groups that are found where `share` of the bins of the undisturbed series are flagged.

    Parameters
    ----------
    quiet : scores of that series; NaN where there is nothing to find
    """
    threshold = np.quantile(quiet, 1 - share)
    return float(np.mean([(scores[group] > threshold).any() for group in groups])) if groups else np.nan


def either(first: ndarray, second: ndarray, first_quiet: ndarray, second_quiet: ndarray) -> Float[ndarray, " bin"]:
    """Two scores as one: the smaller of their chances among the bins of the undisturbed series, negative."""
    pairs = ((first, first_quiet), (second, second_quiet))
    chances = [1 - np.searchsorted(np.sort(quiet), scores, side="left") / len(quiet) for scores, quiet in pairs]
    return -np.minimum(*chances)


def _noise(seed, index, log_psd):
    """Of the same draws for every spectrum that it is given."""
    return coloured_noise(np.random.default_rng([seed, index, 1]), log_psd, (AVERAGES + 1) * (N_BINS + 1))


def _walk(rng, n_samples, n_steps=500):
    """A random walk of 500 steps over the record, of mean 0 and standard deviation 1."""
    walk = np.cumsum(rng.normal(size=n_steps))
    return np.interp(np.linspace(0, n_steps - 1, n_samples), np.arange(n_steps), (walk - walk.mean()) / walk.std())


def _noisy_bins(ratio):
    return list(np.flatnonzero(ratio > NOISY_RATIO)[:, None])
