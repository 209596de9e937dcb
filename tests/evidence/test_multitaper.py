"""Thomson's F test: its distribution on noise, its formula, what it finds and cannot see; trials on series."""

import numpy as np
import pytest
from scipy.signal import welch
from scipy.signal.windows import dpss
from scipy.stats import kstest

from evidence.unknown import series_trials
from evidence.unknown.multitaper import bin_maxima, harmonic_f_test
from evidence.unknown.series_trials import RATE, disturbed_series, either, found_share, quiet_series

N_SAMPLES = 4096


@pytest.mark.parametrize(("n_segments", "bandwidth"), [(1, 4.0), (1, 2.5), (8, 4.0)])
def test_on_white_noise_the_chance_is_uniform(n_segments, bandwidth):
    chances = []
    for seed in range(8):
        samples = np.random.default_rng(seed).normal(3.0, 2.0, N_SAMPLES)
        _, _, chance = harmonic_f_test(samples, 1.0, n_segments, bandwidth, padding=1)
        chances.append(chance[10 :: int(3 * bandwidth)])  # frequencies that share no noise
    assert kstest(np.concatenate(chances), "uniform").pvalue > 0.01


def test_the_statistic_is_a_regression_on_the_tapers_sums():
    samples, where = np.random.default_rng(1).normal(size=512), 37
    freqs, statistic, chance = harmonic_f_test(samples, 100.0, bandwidth=3.0, padding=1)
    tapers = dpss(512, 3.0, 5)
    turned = (samples - samples.mean()) * np.exp(-2j * np.pi * freqs[where] / 100.0 * np.arange(512))
    transforms, sums = tapers @ turned, tapers.sum(axis=1)
    line = np.linalg.lstsq(sums[:, None].astype(complex), transforms, rcond=None)[0][0]
    rest = np.sum(np.abs(transforms - line * sums) ** 2)
    assert statistic[where] == pytest.approx(4 * np.abs(line) ** 2 * np.sum(sums**2) / rest, rel=1e-6)
    np.testing.assert_allclose(chance, (1 + statistic / 4) ** -4.0)  # closed form of F with 2 and 2 * 4 degrees


@pytest.mark.parametrize("n_segments", [1, 4])
def test_a_weak_steady_line_is_found_at_its_frequency_whatever_scale_and_offset(n_segments):
    times = np.arange(N_SAMPLES) / 50.0
    samples = np.random.default_rng(2).normal(size=N_SAMPLES) + 0.4 * np.sin(2 * np.pi * 12.3456 * times)
    freqs, statistic, chance = harmonic_f_test(samples, 50.0, n_segments)
    assert abs(freqs[statistic.argmax()] - 12.3456) < 50.0 / N_SAMPLES * n_segments
    assert chance.min() < 1e-6
    again = harmonic_f_test(1e-12 * samples + 7e-12, 50.0, n_segments)
    np.testing.assert_allclose(again[1], statistic, rtol=1e-5)


def test_a_hump_wider_than_the_tapers_band_is_no_line():
    """A hump of 100 times the background and 400 Rayleigh bins: the share of small chances stays what it says."""
    position = np.arange(N_SAMPLES * 4 // 2 + 1)
    hump = 1 + 100 * np.exp(-0.5 * ((position - 4000) / 400) ** 2)
    rng, below = np.random.default_rng(3), []
    for _ in range(20):
        normal = rng.normal(size=len(hump)) + 1j * rng.normal(size=len(hump))
        freqs, _, chance = harmonic_f_test(np.fft.irfft(np.sqrt(hump) * normal), 1.0)
        inside = abs(freqs * N_SAMPLES * 4 - 4000) < 600
        below.append((chance[inside] < 0.01).mean())
    assert np.mean(below) == pytest.approx(0.01, abs=0.004)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"samples": np.full(100, np.nan)}, r"shape \(100,\) must be one finite series"),
        ({"rate": 0.0}, "rate=0.0 must be the sampling rate"),
        ({"bandwidth": 1.0}, "bandwidth=1.0 must be a multiple of 0.5"),
        ({"padding": 0}, "padding=0 must be a whole number"),
        ({"n_segments": 40}, "n_segments=40 must be a whole number"),
        ({"n_segments": 0}, "n_segments=0 must be a whole number"),
    ],
)
def test_bad_input_is_named(change, message):
    with pytest.raises(ValueError, match=message):
        harmonic_f_test(**({"samples": np.arange(100.0), "rate": 1.0} | change))


def test_each_bin_gets_the_largest_value_inside_it():
    freqs, values = np.arange(1, 40) / 4, np.random.default_rng(4).normal(size=39)
    centres = np.arange(2.0, 9.0)
    expected = [values[(freqs >= c - 0.5) & (freqs < c + 0.5)].max() for c in centres]
    np.testing.assert_array_equal(bin_maxima(freqs, values, centres), expected)
    with pytest.raises(ValueError, match="hold no frequency of the test"):
        bin_maxima(freqs, values, centres / 50)


# ---- the trials ----


@pytest.fixture(scope="module")
def level():
    """Welch's spectrum over the background, of a series with the given samples."""
    background = np.exp(quiet_series(5, 3)[1])
    return lambda samples: welch(samples, nperseg=4096)[1][1:-1] / background


@pytest.mark.parametrize(("kind", "width"), [("steady", 0.0), ("wandering", 1.0), ("hump", 10.0)])
def test_a_disturbance_lies_where_the_truth_says_and_nowhere_else(level, kind, width):
    quiet, trial = quiet_series(5, 3)[0], disturbed_series(5, 3, kind, 50.0, width)
    ratio, inside = level(trial.samples) / level(quiet), np.zeros(series_trials.N_BINS, dtype=bool)
    inside[np.concatenate(trial.groups)] = True
    best = [ratio[group].max() for group in trial.groups]
    assert len(best) == 4 if kind == "steady" else len(best) > 8
    assert min(best) > (20 if kind == "steady" else 1.02) and max(best) < 100
    reach = np.convolve(inside, np.ones(13), "same") > 0  # Hann's window and its first side lobes
    assert np.abs(np.log(ratio[~reach])).max() < 0.5


def test_a_steady_line_has_the_power_it_is_asked_for(level):
    """Between 0.72 (half between two bins, Hann) and 1 times the strength at the line's highest bin."""
    lines = disturbed_series(5, 3, "steady", 4.0).samples - quiet_series(5, 3)[0]
    highest = np.array([level(lines)[group].max() for group in disturbed_series(5, 3, "steady", 4.0).groups])
    assert (highest > 0.7 * 4).all() and (highest < 1.1 * 4).all()


def test_a_wandering_line_is_counted_in_the_bins_it_visits_alone():
    narrow, wide = (disturbed_series(6, 1, "wandering", 3.0, width) for width in (0.001, 3.0))
    assert 4 <= len(narrow.groups) <= 8 < len(wide.groups)
    with pytest.raises(ValueError, match="unknown kind 'chirp'"):
        disturbed_series(6, 1, "chirp", 1.0)


def test_shares_found_are_counted_at_the_quiet_series_own_threshold():
    quiet = np.arange(1000.0)
    scores = quiet.copy()
    scores[[10, 20]] = 995.0, 970.0
    groups = [np.array([9, 10, 11]), np.array([20]), np.array([30])]
    assert found_share(scores, quiet, 0.01, groups) == pytest.approx(1 / 3)
    assert found_share(scores, quiet, 0.05, groups) == pytest.approx(2 / 3)
    assert np.isnan(found_share(scores, quiet, 0.05, []))
    backwards = either(scores, -quiet, quiet, -quiet)
    assert (backwards[[0, 10]] > np.quantile(either(quiet, -quiet, quiet, -quiet), 0.98)).all()
    assert backwards[500] < backwards[20]


@pytest.mark.slow
def test_the_f_test_finds_steady_lines_that_the_mean_of_segments_hides():
    """Power of a quarter of the background in Welch's spectrum, 63 averages: 2 standard deviations there."""
    hits = []
    for index in range(3):
        quiet, trial = quiet_series(8, index)[0], disturbed_series(8, index, "steady", 0.5)
        centres = np.arange(1, series_trials.N_BINS + 1) * RATE / 4096
        scores = [bin_maxima(*harmonic_f_test(samples, RATE)[:2], centres) for samples in (trial.samples, quiet)]
        hits.append(found_share(*scores, 0.05, trial.groups))
    assert np.mean(hits) > 0.5  # chance: 0.15
