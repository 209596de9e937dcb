"""A spectrum from a time series: Welch's average of modified periodograms, and how many independent ones it holds."""

import dataclasses

import numpy as np
from jaxtyping import Float
from numpy import ndarray
from numpy.typing import ArrayLike

N_AVERAGES = 60  # aimed at by default: a scatter of 13 % a bin, enough to see a line of half the background
MIN_AVERAGES = 8  # a short series keeps at least these, and takes wider bins
MAX_BINS = 10_000  # a long series is averaged more rather than split into more bins
MIN_LENGTH = 32  # samples of the shortest segment
FEW_BINS = 8 * MIN_LENGTH  # samples; a shorter segment is not shortened further for the sake of averages
NICE = np.array([1.0, 2.0, 5.0])  # bin widths are these times a power of ten: mains then falls on a bin
CHUNK = 2**24  # samples of segments that are in memory at once


@dataclasses.dataclass(frozen=True)
class WelchSpectrum:
    """One-sided PSD of a time series and what is needed to judge it.

    Attributes
    ----------
    freqs : Hz, without 0 and without half the sampling rate (its power has half the degrees of freedom)
    psd : unit^2/Hz, float64
    n_segments : K, effective number of independent averages, <= n_averaged; of the Gamma distribution of each bin
    n_averaged, n_left_out : segments averaged, and left out because a sample is missing
    segment_length : samples
    rate : Hz
    resolution : width of a bin, rate / segment_length, Hz
    window, overlap : as asked for; overlap is a share of a segment
    estimator : "welch" (no taper, no overlap: neighbouring bins independent) or "welch_hann" (they correlate)
    bin_correlation : correlation of the power of neighbouring bins of white noise, 4/9 for Hann
    missing : share of the samples that are missing
    """

    freqs: Float[ndarray, " bin"]
    psd: Float[ndarray, " bin"]
    n_segments: float
    n_averaged: int
    n_left_out: int
    segment_length: int
    rate: float
    window: str
    overlap: float
    estimator: str
    bin_correlation: float
    missing: float

    @property
    def resolution(self) -> float:
        """Width of a bin, Hz."""
        return self.rate / self.segment_length

    def describe(self) -> str:
        """One line: what was averaged."""
        left_out = f", {self.n_left_out} more left out for missing samples" if self.n_left_out else ""
        return (
            f"{len(self.freqs)} bins of {self.resolution:.6g} Hz from {self.n_averaged} {self.window} segments of "
            f"{self.segment_length} samples, overlap {self.overlap:.0%} (K = {self.n_segments:.1f}){left_out}"
        )


def welch_spectrum(
    samples: ArrayLike,
    rate: float,
    segment_length: int | None = None,
    n_segments: int | None = None,
    window: str = "hann",
    overlap: float = 0.5,
    detrend: str | bool = "constant",
) -> WelchSpectrum:
    """PSD of a time series by Welch's method (scipy.signal.welch), with the number of averages counted for the overlap.

    Parameters
    ----------
    samples : evenly sampled values; NaN, infinite or masked ones are missing, and segments that hold one are left out
    rate : sampling rate, Hz
    segment_length : samples of a segment, at least 32; or
    n_segments : how many segments to cut the series into; by default `default_segment_length` decides
    window : name known to scipy.signal.get_window
    overlap : share of a segment that the next one shares, 0 <= overlap < 1
    detrend : "constant", "linear" or False, of each segment; the first bin also loses power by it

    Returns
    -------
    WelchSpectrum. K = n^2 / (n + 2 sum_m p_m rho_m), with n segments averaged, p_m pairs of them m steps apart and
    rho_m = (sum_j w_j w_(j + m step))^2 / (sum_j w_j^2)^2; without gaps p_m = n - m, and for Hann at half overlap
    rho_1 = 1/36, so K = n / (1 + 2 (1 - 1/n) / 36).

    Raises
    ------
    ValueError : samples that are complex, not one series, constant or too few; a bad rate, window, overlap or length;
        no segment without missing samples

    References
    ----------
    Welch 1967, IEEE Trans. Audio Electroacoust. 15, 70.
    The spectrum is taken as flat within a segment's resolution.
    """
    samples, gaps = _checked(samples, rate, overlap, detrend)
    length = _segment_length(len(samples), rate, segment_length, n_segments, overlap)
    step = max(length - int(overlap * length), 1)
    taper = _taper(window, length)
    kept, n_starts = _whole_segments(len(samples), gaps, length, step)
    psd = _average(samples, kept, taper, rate, detrend)
    freqs = np.fft.rfftfreq(length, 1 / rate)
    inner = slice(1, len(freqs) - 1 if length % 2 == 0 else len(freqs))
    return WelchSpectrum(
        freqs[inner],
        psd[inner],
        effective_averages(kept // step, taper, step),
        len(kept),
        n_starts - len(kept),
        length,
        float(rate),
        window,
        float(overlap),
        "welch" if np.ptp(taper) == 0 and step >= length else "welch_hann",
        _bin_correlation(taper),
        len(gaps) / len(samples),
    )


def _taper(window, length):
    from scipy.signal import get_window  # takes longer to import than a spectrum to examine

    try:
        return get_window(window, length)
    except (ValueError, TypeError) as error:
        raise ValueError(f"window={window!r} is not known to scipy.signal.get_window; use 'hann'") from error


def _whole_segments(n_samples, gaps, length, step):
    """Where the segments without a missing sample start, and how many segments there are in all."""
    starts = np.arange(0, n_samples - length + 1, step)
    kept = starts[np.searchsorted(gaps, starts + length) == np.searchsorted(gaps, starts)]
    if not len(kept):
        raise ValueError(
            f"every one of {len(starts)} segments of {length} samples holds a missing value; use a smaller "
            f"segment_length, or fill or cut the {len(gaps)} missing samples"
        )
    return kept, len(starts)


def default_segment_length(n_samples: int, rate: float, overlap: float = 0.5) -> int:
    """Samples of a segment that an experimentalist would choose.

    Bins as narrow as about 60 averages allow, their width rounded up to 1, 2 or 5 times a power of ten (mains then
    falls on a bin), never more than 10,000 bins; a short series keeps 8 averages and takes the bins that remain.
    """
    for averages in (N_AVERAGES, MIN_AVERAGES):
        longest = n_samples / (1 + (averages - 1) * (1 - overlap))
        width = rate / min(longest, 2 * MAX_BINS)
        scale = 10.0 ** np.floor(np.log10(width))
        nice = np.append(NICE, 10.0) * scale
        length = round(rate / nice[np.searchsorted(nice, width * (1 - 1e-9))])
        if length < FEW_BINS:  # few bins: a round width costs too many of them
            length = int(longest)
        if length >= FEW_BINS or (averages == MIN_AVERAGES and length >= MIN_LENGTH):
            return min(length, n_samples)
    return MIN_LENGTH


def effective_averages(positions: ndarray, taper: Float[ndarray, " sample"], step: int) -> float:
    """K of `welch_spectrum`: independent averages that scatter as much as these overlapping ones.

    Parameters
    ----------
    positions : (segment,) increasing whole numbers, the starts of the averaged segments in steps
    """
    n_averaged, total = len(positions), 0.0
    used = np.zeros(int(positions[-1]) + 1, dtype=bool)
    used[positions] = True
    for distance in range(1, (len(taper) - 1) // step + 1):
        rho = (taper[: -distance * step] @ taper[distance * step :] / (taper @ taper)) ** 2
        total += rho * np.count_nonzero(used[distance:] & used[:-distance]) if distance < len(used) else 0.0
    return float(n_averaged**2 / (n_averaged + 2 * total))


def mask_as_missing(values) -> ndarray:
    """Values as an array, NaN where a masked array hides real numbers."""
    if np.ma.isMaskedArray(values) and values.dtype.kind in "biuf":
        return np.ma.filled(values.astype(np.float64), np.nan)
    return np.asarray(values)


def _checked(samples, rate, overlap, detrend) -> tuple[ndarray, ndarray]:
    """The samples, as they are stored where they are many, and the positions of those that are missing."""
    samples = mask_as_missing(samples)
    if samples.ndim != 1:
        raise ValueError(f"samples have shape {samples.shape}; give one series, such as samples[:, 0]")
    if np.iscomplexobj(samples):
        raise ValueError("samples are complex; give a real series, such as samples.real")
    try:
        samples = samples if len(samples) > CHUNK and samples.dtype.kind in "iuf" else samples.astype(np.float64)
    except (TypeError, ValueError) as error:
        raise ValueError(f"samples of type {samples.dtype} are not numbers; give numbers") from error
    if not (isinstance(rate, (int, float, np.number)) and np.isfinite(rate) and rate > 0):
        raise ValueError(f"rate={rate} must be the sampling rate in Hz, positive and finite")
    if not 0 <= overlap < 1:
        raise ValueError(f"overlap={overlap} must be a share of a segment, 0 <= overlap < 1; Hann: 0.5")
    if detrend not in ("constant", "linear", False):
        raise ValueError(f"detrend={detrend!r} is not known; use 'constant', 'linear' or False")
    gaps, low, high = np.zeros(0, dtype=int), np.inf, -np.inf
    for start in range(0, len(samples), CHUNK):  # a series may be larger than memory
        block = np.asarray(samples[start : start + CHUNK], dtype=np.float64)
        missing = ~np.isfinite(block)
        gaps = np.concatenate([gaps, start + np.flatnonzero(missing)])
        low = min(low, block.min(where=~missing, initial=np.inf))
        high = max(high, block.max(where=~missing, initial=-np.inf))
    there = len(samples) - len(gaps)
    if there < 2 * MIN_LENGTH:
        raise ValueError(f"{there} samples with a value are too few; a spectrum needs at least {2 * MIN_LENGTH}")
    if low == high:
        raise ValueError(f"all samples are {low:g}: a constant series has no spectrum; check the channel")
    return samples, gaps


def _segment_length(n_samples, rate, segment_length, n_segments, overlap) -> int:
    if segment_length is not None and n_segments is not None:
        raise ValueError(f"segment_length={segment_length} and n_segments={n_segments} were both given; give one")
    if n_segments is not None:
        if int(n_segments) != n_segments or n_segments < 1:
            raise ValueError(f"n_segments={n_segments} must be a whole number, at least 1")
        segment_length = int(n_samples / (1 + (n_segments - 1) * (1 - overlap)))
        if segment_length < MIN_LENGTH:
            raise ValueError(
                f"n_segments={n_segments} leaves {segment_length} samples a segment; use fewer, "
                f"for at least {MIN_LENGTH} samples each"
            )
    if segment_length is None:
        return default_segment_length(n_samples, rate, overlap)
    if int(segment_length) != segment_length or not MIN_LENGTH <= segment_length <= n_samples:
        raise ValueError(
            f"segment_length={segment_length} must be a whole number of samples between {MIN_LENGTH} and the "
            f"series' {n_samples}"
        )
    return int(segment_length)


def _average(samples, starts, taper, rate, detrend) -> ndarray:
    """Mean of the segments' periodograms, a chunk of segments at a time."""
    from scipy.signal import welch

    length = len(taper)
    segments = np.lib.stride_tricks.sliding_window_view(samples, length)
    per_chunk = max(CHUNK // length, 1)
    total = np.zeros(length // 2 + 1)
    for first in range(0, len(starts), per_chunk):
        chunk = segments[starts[first : first + per_chunk]].astype(np.float64)  # (segment, sample)
        _, psd = welch(chunk, fs=rate, window=taper, nperseg=length, noverlap=0, detrend=detrend, axis=-1)
        total += psd.sum(axis=0)
    return total / len(starts)


def _bin_correlation(taper: ndarray) -> float:
    """|sum_j w_j^2 exp(2 pi i j / L)|^2 / (sum_j w_j^2)^2: correlation of neighbouring bins' power, white noise."""
    power = taper**2
    phase = np.exp(2j * np.pi * np.arange(len(taper)) / len(taper))
    return float(abs(power @ phase) ** 2 / power.sum() ** 2)
