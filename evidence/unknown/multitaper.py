"""Steady lines in a time series: Thomson's harmonic F test over Slepian tapers. A rival where a series exists."""

from functools import lru_cache

import numpy as np
from jaxtyping import Float
from numpy import ndarray
from scipy.fft import next_fast_len, rfft
from scipy.signal.windows import dpss
from scipy.stats import f as f_distribution

from nblib.project.registry import refuse_if


def harmonic_f_test(
    samples: Float[ndarray, " sample"],
    rate: float,
    n_segments: int = 1,
    bandwidth: float = 4.0,
    padding: int = 4,
) -> tuple[Float[ndarray, " freq"], Float[ndarray, " freq"], Float[ndarray, " freq"]]:
    """F statistic of a steady sinusoid at each frequency: what the tapers share, over what is left between them.

    F = (K - 1) |mu|^2 sum_k U_k^2 / sum_k |y_k - mu U_k|^2, mu = sum_k U_k y_k / sum_k U_k^2,
    with y_k the transform of the series times taper k and U_k the sum of taper k. On noise that is flat over
    2 * bandwidth bins, F follows the F distribution with 2 and 2K - 2 degrees of freedom. With several segments the
    numerators and the denominators are summed, which allows another amplitude and phase in each of M segments:
    2M and M (2K - 2) degrees.

    Parameters
    ----------
    samples : evenly sampled, finite
    rate : sampling rate, Hz
    n_segments : M, parts of equal length without overlap; 1 = the whole series, the finest resolution
    bandwidth : time-bandwidth product NW of the tapers, in bins of a segment; K = 2 NW - 1 tapers are used
    padding : frequencies a bin of a segment, >= 1; a line between two of them loses power, at most 5 % at 4

    Returns
    -------
    freqs [Hz], without 0 and half the rate; F, >= 0; p, the chance of so large an F without a line, in 0..1

    Raises
    ------
    ValueError : samples that are not one finite series; a bad rate, bandwidth, padding or number of segments

    References
    ----------
    Thomson 1982, Proc. IEEE 70, 1055, equation 13.10.
    """
    samples, length = _checked(samples, rate, n_segments, bandwidth, padding)
    tapers, sums = _tapers(length, bandwidth)
    n_tapers = len(tapers)
    parts = samples[: n_segments * length].reshape(n_segments, length)
    parts = parts - samples.mean()
    n_fft = next_fast_len(padding * length, real=True)
    shared, power = 0.0, 0.0  # (segment, freq)
    for taper, total in zip(tapers, sums, strict=True):
        transform = rfft(parts * taper, n_fft)
        shared = shared + total * transform
        power = power + np.abs(transform) ** 2
    line = (np.abs(shared) ** 2 / (sums**2).sum()).sum(axis=0)
    rest = np.maximum(np.sum(power, axis=0) - line, np.finfo(np.float64).tiny)
    statistic = (n_tapers - 1) * line / rest
    chance = f_distribution.sf(statistic, 2 * n_segments, n_segments * (2 * n_tapers - 2))
    inner = slice(1, (n_fft + 1) // 2)
    return np.fft.rfftfreq(n_fft, 1 / rate)[inner], statistic[inner], chance[inner]


@lru_cache(maxsize=4)  # a series of 131,072 samples: longer than the rest of the test takes
def _tapers(length, bandwidth):
    """Slepian tapers (taper, sample) of unit energy, and their sums; those of the odd ones are zero by symmetry."""
    tapers = dpss(length, bandwidth, int(2 * bandwidth) - 1)
    sums = tapers.sum(axis=1)
    sums[1::2] = 0.0
    return tapers, sums


def bin_maxima(
    freqs: Float[ndarray, " freq"], values: Float[ndarray, " freq"], centres: Float[ndarray, " bin"]
) -> Float[ndarray, " bin"]:
    """Largest value in each bin of a coarser linear grid, for one score per bin of Welch's spectrum.

    Parameters
    ----------
    centres : Hz, evenly spaced; raises ValueError where a bin holds no frequency
    """
    width = centres[1] - centres[0]
    edges = np.searchsorted(freqs, np.append(centres - width / 2, centres[-1] + width / 2))
    refuse_if(
        (np.diff(edges) < 1).any(),
        f"bins of {width:g} Hz hold no frequency of the test; use a larger padding or fewer segments for it",
    )
    return np.maximum.reduceat(values[: edges[-1]], edges[:-1])


def _checked(samples, rate, n_segments, bandwidth, padding):
    samples = np.asarray(samples, dtype=np.float64)
    refuse_if(
        samples.ndim != 1 or not np.isfinite(samples).all(),
        f"samples of shape {samples.shape} must be one finite series; cut or fill what is missing",
    )
    refuse_if(not (np.isfinite(rate) and rate > 0), f"rate={rate} must be the sampling rate in Hz, positive and finite")
    refuse_if(
        not (bandwidth >= 1.5 and int(2 * bandwidth) == 2 * bandwidth),
        f"bandwidth={bandwidth} must be a multiple of 0.5 from 1.5 on, for at least 2 tapers; use 4",
    )
    refuse_if(int(padding) != padding or padding < 1, f"padding={padding} must be a whole number from 1 on")
    length = len(samples) // n_segments if int(n_segments) == n_segments and n_segments >= 1 else 0
    refuse_if(
        length < 8 * bandwidth,
        f"n_segments={n_segments} must be a whole number from 1 on that leaves at least {8 * bandwidth:g} of "
        f"{len(samples)} samples each",
    )
    return samples, length
