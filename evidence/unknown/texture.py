"""Training spectra with the texture of measured ones: dilated, tilted, mirrored, their scatter drawn anew.

A simulated background is smooth, or rough in ways that somebody thought of. A measured one has knees, ripples and
shoulders of its own, which a network must have met to leave them alone. What is injected is known to be noise. What was
flagged on the spectrum carries no label, unless it was labelled structure of the background; the rest is clean.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float
from numpy import ndarray
from scipy.ndimage import gaussian_filter1d

from evidence.unknown.flag_labels import BEFORE, labelled
from evidence.unknown.measured_spectra import MeasuredSpectrum, plan_of
from nblib.cells import NOISY_RATIO
from nblib.measured.line_free.backgrounds import log_uniform
from nblib.measured.line_free.disturbances import SHAPES, shape
from nblib.measured.statistic.score import score_spectrum

BESIDE_FLAGS = 5  # bins on either side of a labelled range that carry no label either
CLEAN_LABEL = "structure"
AS_MEASURED = 0.3  # of the copies keep scale and scatter
DILATION = (0.5, 3.0)  # bins of the copy per bin of the source, log-uniform
SMOOTHED = 2.0  # bins, standard deviation: what is left of the source's own scatter is a seventh of its variance
TILT = 1.5  # largest exponent of f, either way
AMPLITUDE = (0.3, 6.0)  # peaks of what is injected, over the background
INJECTED, MOST_INJECTED = SHAPES[:4], 3  # no comb: it leaves little of the texture to learn
MOST_NOISY = 0.6  # of the bins
FEWEST_SEGMENTS = 4.0  # K of a copy
LONGEST = 3  # times the source's bins that a dilated copy may span; beyond that it is dilated further


@dataclass(frozen=True, eq=False)
class Texture:
    """A measured spectrum to train with, its own contamination unknown.

    Attributes
    ----------
    instrument : whose it is
    log_psd : (bin,) ln of it, a linear grid
    n_segments : the median K that the detector uses
    trusted : (bin,) True where no noise was seen: clean unless something is injected there
    """

    instrument: str
    log_psd: Float[ndarray, " bin"]
    n_segments: float
    trusted: Bool[ndarray, " bin"]

    @classmethod
    def of(cls, spectrum: MeasuredSpectrum) -> "Texture":
        """Its K by the detector's classical part, what is trusted by the labels of flags that BEFORE raised."""
        scored = score_spectrum(spectrum.psd, plan_of(spectrum), spectrum.n_segments, with_network=False)
        trusted = np.ones(len(spectrum.psd), dtype=bool)
        for one, label, _ in labelled(BEFORE):
            if one.spectrum == spectrum.name and label != CLEAN_LABEL:
                first, last = one.bins(spectrum.freqs)
                trusted[max(first - BESIDE_FLAGS, 0) : last + BESIDE_FLAGS + 1] = False
        segments = float(np.median(scored.white.n_segments))
        return cls(spectrum.instrument, np.log(spectrum.psd), segments, trusted)


@dataclass(frozen=True, eq=False)
class TexturedSpectrum:
    """A copy with or without something injected; per bin.

    Attributes
    ----------
    freqs : Hz, a linear grid
    psd : arbitrary unit
    ratio : what was injected, over the background
    trusted : True where the source is, at the same part of its axis
    n_segments : K
    """

    freqs: Float[ndarray, " bin"]
    psd: Float[ndarray, " bin"]
    ratio: Float[ndarray, " bin"]
    trusted: Bool[ndarray, " bin"]
    n_segments: float


def by_instruments(textures: list[Texture]) -> list[list[Texture]]:
    """Grouped, so that an instrument with three spectra is drawn as often as one with a single one."""
    names = sorted({texture.instrument for texture in textures})
    return [[texture for texture in textures if texture.instrument == name] for name in names]


def textured_spectrum(rng: np.random.Generator, groups: list[list[Texture]], n_bins: int) -> TexturedSpectrum:
    """A part of a measured spectrum, copied and disturbed.

    Parameters
    ----------
    groups : from by_instruments
    n_bins : of the copy
    """
    group = groups[rng.integers(len(groups))]
    source = group[rng.integers(len(group))]
    copied = _as_measured(rng, source, n_bins) if rng.random() < AS_MEASURED else _dilated(rng, source, n_bins)
    log_psd, trusted, n_segments = copied
    if rng.random() < 0.5:
        log_psd, trusted = log_psd[::-1], trusted[::-1]
    freqs = np.arange(n_bins) + log_uniform(rng, 1, 3 * n_bins)
    ratio = np.zeros(n_bins)
    for _ in range(rng.integers(0, MOST_INJECTED + 1)):
        ratio += shape(rng, str(rng.choice(INJECTED)), n_bins, AMPLITUDE)
    if (ratio > NOISY_RATIO).mean() > MOST_NOISY:
        ratio[:] = 0
    tilt = rng.uniform(-TILT, TILT) * np.log(freqs / freqs[-1])
    return TexturedSpectrum(freqs, np.exp(log_psd + tilt) * (1 + ratio), ratio, trusted, n_segments)


def _mirrored(values, first, n_bins):
    """n_bins values from a bin on, mirrored beyond the ends."""
    turned = np.concatenate([values, values[::-1]])
    return turned[(first + np.arange(n_bins)) % len(turned)]


def _as_measured(rng, source, n_bins):
    first = rng.integers(2 * len(source.log_psd))
    return *(_mirrored(values, first, n_bins) for values in (source.log_psd, source.trusted)), source.n_segments


def _dilated(rng, source, n_bins):
    """At another scale and another K: at most that of the source, or 8."""
    dilation = max(log_uniform(rng, *DILATION), n_bins / (LONGEST * len(source.log_psd)))
    n_segments = log_uniform(rng, FEWEST_SEGMENTS, max(source.n_segments, 2 * FEWEST_SEGMENTS))
    positions = (rng.uniform(0, 2 * len(source.log_psd)) + np.arange(n_bins) / dilation) % (2 * len(source.log_psd) - 1)
    smooth = gaussian_filter1d(source.log_psd, SMOOTHED, mode="nearest")
    bins = np.arange(2 * len(smooth))
    curve = np.interp(positions, bins, np.concatenate([smooth, smooth[::-1]]))
    trusted = np.concatenate([source.trusted, source.trusted[::-1]])[np.rint(positions).astype(int)]
    return curve + np.log(rng.gamma(n_segments, 1 / n_segments, n_bins)), trusted, n_segments
