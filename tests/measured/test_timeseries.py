import numpy as np
import pytest
from scipy import signal

from nblib.measured.welch import default_segment_length, welch_spectrum


def white(n_samples, seed=0):
    return np.random.default_rng(seed).standard_normal(n_samples)


def test_equals_scipy_without_gaps_apart_from_dc_and_nyquist():
    samples = white(5000) + 3.0
    spectrum = welch_spectrum(samples, rate=250.0, segment_length=200)
    freqs, psd = signal.welch(samples, fs=250.0, nperseg=200, noverlap=100, detrend="constant")
    np.testing.assert_allclose(spectrum.freqs, freqs[1:-1])
    np.testing.assert_allclose(spectrum.psd, psd[1:-1], rtol=1e-12)
    assert spectrum.n_averaged == 49 and spectrum.n_left_out == 0 and spectrum.resolution == 1.25


def test_odd_segments_keep_their_last_bin():
    samples = white(5000)
    spectrum = welch_spectrum(samples, rate=1.0, segment_length=201)
    freqs, psd = signal.welch(samples, nperseg=201, noverlap=100)
    np.testing.assert_allclose(spectrum.freqs, freqs[1:])
    np.testing.assert_allclose(spectrum.psd, psd[1:], rtol=1e-12)


def test_white_noise_has_the_density_of_its_variance():
    spectrum = welch_spectrum(2.0 * white(200_000), rate=1000.0)
    assert spectrum.psd.mean() == pytest.approx(4.0 / 500.0, rel=0.01)  # one-sided: variance over half the rate


@pytest.mark.parametrize("n_averaged", [3, 8, 40])
def test_hann_half_overlap_counts_as_welch_did(n_averaged):
    spectrum = welch_spectrum(white(128 * (n_averaged + 1)), rate=1.0, segment_length=256)
    assert spectrum.n_averaged == n_averaged
    expected = n_averaged / (1 + 2 * (1 - 1 / n_averaged) / 36)
    assert spectrum.n_segments == pytest.approx(expected, rel=1e-3)  # 1/36 is the limit of long segments


@pytest.mark.parametrize("window,overlap", [("hann", 0.5), ("hann", 0.75), ("boxcar", 0.5), ("boxcar", 0.0)])
def test_the_scatter_of_the_spectrum_is_that_of_the_counted_averages(window, overlap):
    scatter, counted = [], []
    for seed in range(40):
        spectrum = welch_spectrum(white(6400, seed), 1.0, segment_length=256, window=window, overlap=overlap)
        scatter.append(spectrum.psd[4:-4])  # away from the bins that the removed mean touches
        counted.append(spectrum.n_segments)
    relative = np.var(scatter) / np.mean(scatter) ** 2
    assert 1 / relative == pytest.approx(counted[0], rel=0.08)  # 40 x 119 bins: 3 to 4 %


def test_segments_with_missing_samples_are_left_out():
    samples = white(8192)
    samples[2000:2003], samples[5000] = np.nan, np.inf
    spectrum = welch_spectrum(samples, rate=1.0, segment_length=256)
    starts = np.arange(0, 8192 - 255, 128)
    kept = [start for start in starts if np.isfinite(samples[start : start + 256]).all()]
    parts = [signal.welch(samples[start : start + 256], nperseg=256)[1] for start in kept]
    np.testing.assert_allclose(spectrum.psd, np.mean(parts, axis=0)[1:-1], rtol=1e-12)
    assert (spectrum.n_averaged, spectrum.n_left_out) == (len(kept), len(starts) - len(kept))
    assert spectrum.missing == 4 / 8192
    pairs = sum(later - earlier == 128 for earlier, later in zip(kept, kept[1:], strict=False))
    n_kept = len(kept)
    assert spectrum.n_segments == pytest.approx(n_kept**2 / (n_kept + 2 * pairs / 36), rel=1e-3)
    assert "left out" in spectrum.describe()


def test_averages_far_apart_count_in_full():
    samples = white(4096)
    samples[::512] = np.nan  # only every other half-overlapping pair survives
    spectrum = welch_spectrum(samples, rate=1.0, segment_length=256, overlap=0.0)
    assert spectrum.n_segments == pytest.approx(spectrum.n_averaged)


@pytest.mark.parametrize("window,overlap,estimator", [("boxcar", 0.0, "welch"), ("hann", 0.5, "welch_hann")])
def test_names_the_estimator_and_the_correlation_of_neighbouring_bins(window, overlap, estimator):
    spectra = [welch_spectrum(white(51_200, seed), 1.0, 512, window=window, overlap=overlap) for seed in range(8)]
    assert spectra[0].estimator == estimator
    psd = np.stack([spectrum.psd[4:-4] for spectrum in spectra])
    measured = np.corrcoef(psd[:, 1:].ravel(), psd[:, :-1].ravel())[0, 1]
    assert measured == pytest.approx(spectra[0].bin_correlation, abs=0.07)  # 8 x 246 bins: 0.02


def test_default_segments_give_averages_and_round_bins():
    assert 4096 / default_segment_length(4096 * 60, 4096.0) in (1.0, 2.0)
    for n_samples, rate in ((200_000, 20_000.0), (32 * 3600, 32.0), (10**6, 48_000.0)):
        length = default_segment_length(n_samples, rate)
        mantissa = rate / length / 10 ** np.floor(np.log10(rate / length) + 1e-9)
        assert min(abs(mantissa - nice) for nice in (1, 2, 5)) < 1e-9
        assert 60 <= (n_samples - length) // (length // 2) + 1 <= 400
    long = default_segment_length(10**8, 20_000.0)
    assert long // 2 <= 10_000
    short = default_segment_length(1000, 100.0)
    assert (1000 - short) // (short // 2) + 1 >= 8


def test_the_number_of_segments_asked_for_is_the_number_averaged():
    assert welch_spectrum(white(10_000), 1.0, n_segments=16).n_averaged == 16
    assert welch_spectrum(white(10_000), 1.0, n_segments=10, overlap=0.0, window="boxcar").n_averaged == 10


def test_a_line_is_found_where_it_was_put():
    time = np.arange(100_000) / 1000.0
    spectrum = welch_spectrum(white(100_000) + np.sin(2 * np.pi * 60.0 * time), 1000.0)
    assert spectrum.freqs[spectrum.psd.argmax()] == pytest.approx(60.0, abs=spectrum.resolution / 2)


def test_a_masked_sample_is_missing():
    """Planted bug: the mask of a masked array dropped."""
    samples, hidden = np.round(100 * white(4000)).astype(int), np.arange(4000) == 2000
    masked = welch_spectrum(np.ma.masked_array(samples, hidden), 10.0, segment_length=100)
    assert masked.n_left_out == 2
    np.testing.assert_array_equal(
        masked.psd, welch_spectrum(np.where(hidden, np.nan, samples), 10.0, segment_length=100).psd
    )


@pytest.mark.parametrize(
    "change,message",
    [
        ({"samples": np.ones(1000)}, "constant"),
        ({"samples": np.full(1000, np.nan)}, "too few"),
        ({"samples": white(63)}, "63 samples"),
        ({"samples": white(1000).reshape(500, 2)}, "one series"),
        ({"samples": white(1000) + 0j}, "complex"),
        ({"samples": np.array(["a"] * 1000)}, "not numbers"),
        ({"samples": np.where(np.arange(1000) % 20, white(1000), np.nan)}, "every one of"),
        ({"rate": 0.0}, "rate=0.0"),
        ({"rate": float("nan")}, "rate=nan"),
        ({"overlap": 1.0}, "overlap=1.0"),
        ({"window": "no such"}, "window='no such'"),
        ({"detrend": "quadratic"}, "detrend='quadratic'"),
        ({"segment_length": 1001}, "segment_length=1001"),
        ({"segment_length": 8}, "segment_length=8"),
        ({"n_segments": 1000}, "n_segments=1000"),
        ({"n_segments": 2.5}, "n_segments=2.5"),
        ({"n_segments": 4, "segment_length": 100}, "give one"),
    ],
)
def test_refuses(change, message):
    with pytest.raises(ValueError, match=message):
        welch_spectrum(**{"samples": white(1000), "rate": 10.0, **change})


@pytest.mark.parametrize("rate", [None, 0.0, -1.0, np.nan, "100"])
def test_a_rate_that_is_none_is_refused(rate):
    """Planted bug: a TypeError for rate=None."""
    with pytest.raises(ValueError, match="must be the sampling rate in Hz"):
        welch_spectrum(white(200), rate=rate)
