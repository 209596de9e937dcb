"""Fit of one spectrum: corners found, intervals, the gate, invariances, and what is refused."""

from functools import cache

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import digamma

from evidence.device_series import draw_spectrum
from nblib.workbench.averaging import averaged, expected_deviance, information_factor, window_correlation
from nblib.workbench.estimate import Problem, deviance, nonnegative, solved
from nblib.workbench.fit import fit_spectrum, refitted
from nblib.workbench.intervals import fisher_errors, profile_interval
from nblib.workbench.model import Form, components, log_psd_and_slopes
from nblib.workbench.result import FIT_COLUMNS

FREQS = np.arange(1.0, 2001.0)
FORM = Form(True, 2, True)
THETA = np.array([1.0, 1.1, 0.5, -2.0, -0.5, 1.0, -3.0])
NO_FLOOR = np.zeros(200)


def _one_trap(seed=0, n_segments=30, corner=100.0, freqs=FREQS):
    rng = np.random.default_rng(seed)
    background = 1e-12 / freqs + 3e-14 / (1 + (freqs / corner) ** 2) + 1e-16
    return background, background * rng.gamma(n_segments, 1 / n_segments, len(freqs))


@cache
def _with_mains():
    drawn = draw_spectrum(seed=137, n_lorentzians=2, contamination="mains", n_segments=30)
    return drawn, fit_spectrum(drawn.freqs, drawn.psd, 30, drawn.external < 0.02, unit="A^2/Hz")


# ---- the model and the averages ----


def test_slopes_are_those_of_finite_differences():
    """Planted bug: the factor 2 of d ln(1 + r^2) / d ln f left out."""
    log_freqs, step = np.linspace(-4, 4, 200), 1e-6
    floor = 0.1 * np.exp(-log_freqs)
    value, slopes = log_psd_and_slopes(FORM, THETA, log_freqs, floor)
    assert np.exp(value) == pytest.approx(components(FORM, THETA, log_freqs).sum(axis=0) + floor)
    for number in range(FORM.size):
        moved = THETA + step * (np.arange(FORM.size) == number)
        quotient = (log_psd_and_slopes(FORM, moved, log_freqs, floor)[0] - value) / step
        assert slopes[:, number] == pytest.approx(quotient, abs=1e-5)


@pytest.mark.parametrize(
    ("window", "overlap", "expected"),
    [
        ("hann", 0.5, 2.00),
        ("hann", 0.0, 1.94),
        ("hann", 0.75, 2.08),
        ("blackmanharris", 0.5, 2.77),
        ("boxcar", 0.0, 1.0),
    ],
)
def test_a_window_takes_this_much_from_the_effective_averages(window, overlap, expected):
    """Planted bug: the phase of the later segment left out, so that overlap changed nothing."""
    correlation, _ = window_correlation(window, overlap, 1000)
    assert information_factor(correlation) == pytest.approx(expected, abs=0.006)


def test_averages_that_overlap_are_fewer_and_both_factors_make_2_11():
    correlation, factor = window_correlation("hann", 0.5, 1000)
    assert information_factor(correlation) * factor == pytest.approx(2.11, abs=0.006)


def test_a_cell_is_the_mean_of_its_bins_and_counts_their_averages():
    """Planted bugs: the mean of ln x; K of the mean instead of the sum."""
    log_freqs, psd = np.log([1.0, 1.01, 1.02, 5.0]), np.array([1.0, 2.0, 6.0, 4.0])
    cells = averaged(log_freqs, psd, np.array([10.0, 10.0, 20.0, 8.0]), (), 0.0, np.zeros(4))
    assert cells.mean == pytest.approx([(10 * 1 + 10 * 2 + 20 * 6) / 40, 4.0])
    assert list(cells.averages) == list(cells.own_averages) == [40.0, 8.0]
    assert list(cells.counts) == [3, 1]


def test_dependence_of_neighbours_counts_once():
    """A lone bin scatters as K says, and tells half as much of a smooth model. Planted bug: K/2 in the gate as well."""
    log_freqs = np.log(np.arange(1.0, 3001.0))
    parts = (np.ones(3000), np.full(3000, 50.0), (4 / 9, 1 / 36), 0.0, np.zeros(3000))
    cells = averaged(log_freqs, *parts)
    assert cells.own_averages[0] == pytest.approx(50) and cells.averages[0] == pytest.approx(50 / (1 + 17 / 18))
    assert cells.own_averages[-1] == pytest.approx(cells.averages[-1], rel=0.02)


@pytest.mark.parametrize("n_segments", [3.0, 10.0, 100.0])
def test_the_deviance_of_the_true_model_is_what_the_gate_expects(n_segments):
    """Planted bug: the mean taken as the number of cells, 6 % too small at K = 3."""
    rng, log_freqs = np.random.default_rng(0), np.linspace(0, 9, 150)  # a bin per cell
    psd = rng.gamma(n_segments, 1 / n_segments, (800, 150))
    cells = averaged(log_freqs, psd[0], np.full(150, n_segments), (), 0.0, np.zeros(150))
    drawn = [deviance(row, cells.own_averages) for row in np.log(psd)]
    mean, variance = expected_deviance(cells)
    assert np.mean(drawn) == pytest.approx(mean, rel=4 * np.sqrt(variance / 800) / mean)
    assert np.var(drawn) == pytest.approx(variance, rel=0.2)
    k = np.full(len(cells.mean), n_segments)
    assert mean == pytest.approx((2 * k * (np.log(k) - digamma(k))).sum(), rel=0.02)


# ---- estimates ----


@pytest.mark.parametrize("robust", [False, True])
def test_an_exact_spectrum_gives_its_parameters_back(robust):
    log_freqs = np.linspace(-4, 4, 200)
    psd = np.exp(log_psd_and_slopes(FORM, THETA, log_freqs, NO_FLOOR)[0])
    cells = averaged(log_freqs, psd, np.full(200, 1e6), (), log_freqs[0], NO_FLOOR)
    problem = Problem(cells, robust, (0.5, 1.6), (-4.0, 4.0))
    solution = solved(problem, FORM, THETA + 0.2)
    assert solution.theta == pytest.approx(THETA, abs=0.03)  # a cell's mean lies a little above its middle


def test_the_profile_agrees_with_fisher_where_the_data_are_many():
    """Planted bug: phi left out, or the root of the rise not taken."""
    rng, log_freqs = np.random.default_rng(1), np.linspace(-4, 4, 200)
    psd = np.exp(log_psd_and_slopes(FORM, THETA, log_freqs, NO_FLOOR)[0]) * rng.gamma(1e5, 1e-5, 200)
    problem = Problem(averaged(log_freqs, psd, np.full(200, 1e5), (), -4.0, NO_FLOOR), False, (0.5, 1.6), (-4.0, 4.0))
    solution = solved(problem, FORM, THETA)
    held = np.eye(FORM.size)[3]
    low, high, better = profile_interval(problem, solution, held, 2.0, 1.96)
    error = np.sqrt(fisher_errors(solution, 2.0)[3, 3])
    assert better is None
    assert (high - low) / (2 * 1.96) == pytest.approx(error, rel=0.03)
    held_at = solved(problem, FORM, solution.theta, held, high)
    assert held_at.cost - solution.cost == pytest.approx(2.0 * 1.96**2, rel=0.05) and held_at.theta[3] == high


def test_non_negative_least_squares_goes_on_where_scipy_gives_up(monkeypatch):
    def gives_up(*_):
        raise RuntimeError("Maximum number of iterations reached.")

    matrix, values = np.array([[1.0, 0.2], [0.1, 1.0], [1.0, 1.0]]), np.array([1.0, -1.0, 0.5])
    expected, squares = nonnegative(matrix, values)
    monkeypatch.setattr("nblib.workbench.estimate.nnls", gives_up)
    solution, own = nonnegative(matrix, values)
    assert solution == pytest.approx(expected, abs=1e-6) and own == pytest.approx(squares)


# ---- one spectrum ----


def test_both_corners_are_found_beside_mains_and_all_bins_are_not_described():
    """Planted bugs: flags not used; the gate at a fixed D/dof."""
    drawn, fit = _with_mains()
    assert [low.low <= corner <= low.high for corner, low in zip(drawn.corners, fit.corners, strict=True)] == [True] * 2
    assert fit.described and not fit.all_bins.described
    assert abs(fit.shift(fit.corners[1])) > 10
    assert not fit.kept.used[~fit.keep].any() and fit.all_bins.used.all()


def test_the_table_has_a_row_for_each_term_of_both_fits():
    _, fit = _with_mains()
    frame = fit.to_frame()
    assert list(frame.columns) == list(FIT_COLUMNS)
    assert len(frame) == len(fit.kept.terms) + len(fit.all_bins.terms)
    assert set(frame[frame.bins == "all bins"].note) == {"not described"}
    assert set(frame.unit) == {"Hz", "1", "A^2/Hz"}


def test_the_figure_shows_components_and_dropped_bins():
    _, fit = _with_mains()
    top, middle, bottom = fit.plot()
    labels = [text.get_text() for text in top.get_legend().get_texts()]
    assert {"measured", "dropped", "Lorentzian 1", "Lorentzian 2", "fit"} <= set(labels)
    assert top.get_ylabel() == "PSD [A²/Hz]" and middle.get_ylabel() == "f S(f) [A²]"
    assert bottom.get_xlabel() == "Frequency [Hz]"


def test_no_lorentzian_is_found_in_a_power_law_with_a_floor():
    """4 clean spectra. Planted bug: AIC's gain of 4 took one in 7 to 36 % of them."""
    rng = np.random.default_rng(3)
    background = 1e-12 / FREQS + 1e-15
    fits = [fit_spectrum(FREQS, background * rng.gamma(30, 1 / 30, 2000), 30) for _ in range(4)]
    assert sum(bool(fit.corners) for fit in fits) == 0
    assert all(fit.described for fit in fits)


@pytest.mark.parametrize("seed", [20236, 20375])
def test_the_fit_without_a_lorentzian_finds_its_floor(seed):
    """Planted bug: a floor that starts far too low is never found, and a Lorentzian stands in for it."""
    drawn = draw_spectrum(seed, 0, axis="log", n_segments=30 if seed == 20236 else 100)
    assert fit_spectrum(drawn.freqs, drawn.psd, drawn.n_segments).corners == []


def test_hann_segments_are_described_and_their_bins_count_half():
    """Planted bug: independent bins assumed, so that the gate fired on clean spectra."""
    drawn = draw_spectrum(5, 1, n_segments=30, estimator="welch_hann")
    fit = fit_spectrum(drawn.freqs, drawn.psd, 30 / (1 + 2 * (29 / 30) / 36))
    assert fit.correlation == pytest.approx((4 / 9, 1 / 36))
    assert fit.described and len(fit.corners) == 1
    told = fit_spectrum(drawn.freqs, drawn.psd, 30, window="hann", overlap=0.5)
    # the dependence of bins is one factor on K: it moves errors, and no corner while the same bins are trimmed
    assert told.corners[0].value == pytest.approx(fit.corners[0].value, rel=1e-6)
    assert told.corners[0].error == pytest.approx(fit.corners[0].error, rel=0.05)


@cache
def _plain():
    return fit_spectrum(FREQS, _one_trap()[1], 30)


def _corners(fit):
    """Value, low and high of the only corner of _one_trap."""
    (corner,) = fit.corners
    return np.array([corner.value, corner.low, corner.high])


@settings(max_examples=4, deadline=None, derandomize=True)
@given(decades=st.integers(-35, 20), factor=st.floats(1e-3, 1e3), seed=st.integers(0, 2**16))
def test_corners_know_no_unit_and_no_order_and_move_with_the_axis(decades, factor, seed):
    """Planted bugs: an absolute tolerance; bins paired with K before they are sorted; corners bounded in Hz."""
    _, psd = _one_trap()
    level, order = 10.0**decades, np.random.default_rng(seed).permutation(len(FREQS))
    keep = np.ones(len(FREQS), bool)
    other = fit_spectrum(factor * FREQS[order], level * psd[order], np.full(len(FREQS), 30.0), keep)
    assert _corners(other) == pytest.approx(factor * _corners(_plain()), rel=1e-3)
    plateaus = [fit.kept.plateau(fit.corners[0]).value for fit in (_plain(), other)]
    assert plateaus[1] == pytest.approx(level * plateaus[0], rel=1e-3)


def test_spans_of_different_averages_each_count_theirs():
    """The lower part averaged 10 times, the upper 1000 times. Planted bug: the median K used for both."""
    rng = np.random.default_rng(0)
    segments = np.where(FREQS < 300, 10.0, 1000.0)
    background, _ = _one_trap()
    fit = fit_spectrum(FREQS, background * rng.gamma(segments, 1 / segments), segments)
    assert fit.described and not fit.warnings
    (corner,) = fit.corners
    assert corner.low < 100 < corner.high
    flat = fit_spectrum(FREQS, background * rng.gamma(segments, 1 / segments), 1000)
    assert any("scatter more than K says" in text for text in flat.warnings) or not flat.described


def test_without_averages_the_scatter_is_measured_and_noted():
    _, psd = _one_trap()
    known, measured = _plain(), fit_spectrum(FREQS, psd)
    assert any(text.startswith("K is not known") for text in measured.warnings)
    assert np.median(measured.n_segments) == pytest.approx(30, rel=0.15)
    assert measured.corners[0].value == pytest.approx(known.corners[0].value, rel=0.02)


def test_averages_that_overlap_are_believed_less():
    """A header's 60 averages at three quarters overlap: the bins scatter as 30 would. Planted bug: K as stated."""
    _, psd = _one_trap(n_segments=30)
    fit = fit_spectrum(FREQS, psd, 60)
    assert any("scatter more than K says" in text for text in fit.warnings) and fit.described
    assert np.median(fit.n_segments) == pytest.approx(30, rel=0.15)


def test_what_the_model_misses_is_not_taken_for_scatter():
    """A wave of 15 % on the background, K = 100. Planted bug: K halved by it, so that the gate let the fit pass."""
    background, _ = _one_trap()
    psd = background * (1 + 0.15 * np.sin(8 * np.log(FREQS))) * np.random.default_rng(0).gamma(100, 0.01, 2000)
    fit = fit_spectrum(FREQS, psd, 100)
    assert np.median(fit.n_segments) == 100 and not fit.correlation
    assert not fit.described


def test_a_measured_floor_is_a_part_of_the_model():
    """Planted bug: the floor subtracted from the spectrum, so that its scatter was taken as that of a lower level."""
    background, _ = _one_trap()
    floor = 3e-14 * (1 + (FREQS / 500) ** 2)
    psd = (background + floor) * np.random.default_rng(0).gamma(30, 1 / 30, len(FREQS))
    fit = fit_spectrum(FREQS, psd, 30, floor=floor)
    (corner,) = fit.corners
    assert corner.low < 100 < corner.high and fit.described
    assert (fit.kept.psd < background * 1.5).all()


def test_the_number_of_lorentzians_may_be_given():
    _, psd = _one_trap()
    assert [len(fit_spectrum(FREQS, psd, 30, lorentzians=number).corners) for number in (0, 1, 2)] == [0, 1, 2]
    assert not fit_spectrum(FREQS, psd, 30, lorentzians=0).described


def test_corners_near_an_end_of_the_axis_are_limits_and_close_ones_are_joint():
    _, psd = _one_trap(corner=1500.0)
    wide = 1e-14 / (1 + (FREQS / 1500) ** 2) * np.random.default_rng(0).gamma(100, 0.01, len(FREQS))
    fit = fit_spectrum(FREQS, psd + wide, 30, lorentzians=1)
    assert fit.corners[0].note.startswith("limit: within a factor of 2 of the highest")
    two = 1e-13 / FREQS + 1e-13 / (1 + (FREQS / 100) ** 2) + 1e-13 / (1 + (FREQS / 250) ** 2)
    fit = fit_spectrum(FREQS, two * np.random.default_rng(0).gamma(3000, 1 / 3000, len(FREQS)), 3000, lorentzians=2)
    assert [corner.note for corner in fit.corners] == ["joint: another corner within a factor of 3"] * 2


# ---- what is refused ----


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"psd": -np.ones(2000)}, "decibels, or a floor that was subtracted"),
        ({"psd": np.ones(2000) * 1j}, "complex"),
        ({"psd": np.ones(5)}, "give one spectrum"),
        ({"freqs": np.append(FREQS[:-1], np.nan)}, "finite and not negative"),
        ({"keep": np.zeros(2000, bool)}, "no measured bin is kept"),
        ({"keep": FREQS < 8}, "at least one is needed for a corner"),
        ({"keep": FREQS % 100 == 1}, "at least 30 are needed"),
        ({"keep": np.ones(2000)}, "True or False for each of 2000 bins"),
        ({"n_segments": 0.5}, "must be at least 1"),
        ({"n_segments": None, "window": "hann"}, "give n_segments as well"),
        ({"window": "nonsense"}, "not known to scipy"),
        ({"overlap": 1.0}, "0 <= overlap < 1"),
        ({"lorentzians": 1.5}, "whole number"),
        ({"gamma": (1.2, 0.8)}, "lowest < highest"),
        ({"span": (100.0, 10.0)}, "lowest < highest"),
        ({"level": 95.0}, "between 0 and 1"),
        ({"floor": -np.ones(2000)}, "floor="),
    ],
)
def test_bad_input_is_refused(given, words):
    """Planted bugs: a traceback of numpy; a fit of ten bins."""
    _, psd = _one_trap()
    with pytest.raises(ValueError, match=words):
        fit_spectrum(**({"freqs": FREQS, "psd": psd, "n_segments": 30} | given))


def test_a_decade_that_is_mostly_dropped_is_noted():
    _, psd = _one_trap()
    fit = fit_spectrum(FREQS, psd, 30, (FREQS < 200) | (FREQS > 900))
    assert any("of the bins from 100 to 1000 Hz are kept" in text for text in fit.warnings)
    assert not any("are kept" in text for text in refitted(fit, np.ones(len(fit.freqs), bool)).warnings)
