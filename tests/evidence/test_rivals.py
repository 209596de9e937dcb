"""The rivals that a referee names first: smooth fits, components, the inputs alone, and the filter bank they share."""

from dataclasses import replace

import numpy as np
import pytest
from sklearn.metrics import average_precision_score

from evidence import rivals, smooth_fits
from evidence.filter_bank import bank_score, calibrate_bank
from evidence.input_scores import Standard, _neighbours, input_scores
from evidence.rivals import GIVEN, K_UNKNOWN, LIMIT
from evidence.smooth_fits import FIXED, SETTINGS, component_basis, fit_smoothly, spline_basis
from evidence.tasks import Task, load_or_run
from evidence.test_sets import Sizes, measured, noisy_cells
from nblib import TrainConfig
from nblib.assessment import held_out
from nblib.dataset import to_log_psd
from nblib.simulation.physics import PUBLISHED_FREQS

CONFIG = TrainConfig()
SIZES = Sizes(n_test=24, n_tune=16, n_family=8, n_line_free=20, n_correlated=4, n_probe=30, n_energies=6)


def validation(n_spectra, config=CONFIG, family="single_line"):
    """Data set, its true ln background and its noisy bins."""
    data = held_out(config, family, n_spectra, "validation")
    return data, to_log_psd(data.batch(range(n_spectra))["background"].numpy()), measured(data)[2]


# ---- smooth fits ----


@pytest.mark.parametrize("ridge", [1e-3, 10.0])
def test_the_fits_are_those_of_a_library_spectrum_by_spectrum(ridge, monkeypatch):
    """Planted bugs: the ridge left out; every bin weighted; one level for all spectra."""
    monkeypatch.setattr(smooth_fits, "CLIP", np.inf)
    basis, rng = spline_basis(PUBLISHED_FREQS, 4, ridge), np.random.default_rng(0)
    rows, keep = rng.normal(size=(3, 3000)) + np.arange(3)[:, None], rng.random((3, 3000)) < 0.4
    backgrounds, pull = basis.fit(rows, keep), np.sqrt(ridge) * np.eye(7)
    for row, kept, fitted in zip(rows, keep, backgrounds, strict=True):
        level = np.median(row)
        whole = np.concatenate([basis.functions[kept], pull]), np.concatenate([row[kept] - level, np.zeros(7)])
        np.testing.assert_allclose(fitted, basis.functions @ np.linalg.lstsq(*whole)[0] + level, atol=1e-8)


def test_bins_far_above_the_fit_do_not_move_it():
    """A line of 40 narrow bins, 10 ln units high. Planted bug: bins left out in the last fit alone."""
    rows = np.random.default_rng(0).normal(scale=0.3, size=(2, 3000))
    rows[1] = rows[0]
    rows[1, 1000:2000:25] += 10.0
    basis, keep = spline_basis(PUBLISHED_FREQS), np.ones(rows.shape, dtype=bool)
    backgrounds = basis.fit(rows, keep)
    assert np.abs(backgrounds[1] - backgrounds[0]).max() < 0.03


@pytest.mark.slow
def test_a_line_is_found_and_leaves_the_background_alone():
    """Planted bugs: flagged cells kept in the second fit; the ln-bias added in place of taken out."""
    data, truth, noisy = validation(80)
    fits = fit_smoothly(spline_basis(data.freqs), data, 8)
    assert average_precision_score(noisy_cells(data).ravel(), fits.posterior.ravel()) > 0.97
    once = spline_basis(data.freqs).fit(fits.log_psd, np.ones(noisy.shape, dtype=bool)) + 0.0638  # ln 8 - digamma(8)
    error, error_once = (np.abs(background - truth)[noisy].mean() for background in (fits.background, once))
    assert error < 0.6 * error_once
    assert abs((fits.background - truth)[~noisy].mean()) < 0.004
    np.testing.assert_array_equal(fits.log_ratio, fits.log_psd - fits.background)


@pytest.mark.slow
def test_a_spectrum_does_not_depend_on_its_block(monkeypatch):
    """Planted bug: the second fits put back by place among the flagged, not by spectrum."""
    data = validation(12)[0]
    whole = fit_smoothly(spline_basis(data.freqs), data, None)
    monkeypatch.setattr(smooth_fits, "BLOCK", 5)
    parts = fit_smoothly(spline_basis(data.freqs), data, None)
    np.testing.assert_allclose(parts.background, whole.background, atol=1e-6)
    np.testing.assert_allclose(parts.posterior, whole.posterior, atol=1e-4)


@pytest.mark.slow
@pytest.mark.parametrize("k", [2, 32])
def test_the_number_of_averages_is_measured_on_the_residual(k):
    """Planted bugs: flagged bins counted; the posterior of the K that was not given."""
    data, truth, noisy = validation(30, replace(CONFIG, n_segments=k))
    basis = spline_basis(data.freqs)
    known, estimated = fit_smoothly(basis, data, k), fit_smoothly(basis, data, None)
    assert set(known.n_segments) == {k}
    assert np.median(estimated.n_segments) == pytest.approx(k, rel=0.03)
    assert np.abs(np.log(estimated.n_segments / k)).max() < 0.25
    assert abs((estimated.background - truth)[~noisy].mean()) < 0.01
    assert np.abs(estimated.posterior - known.posterior).mean() < 0.01


@pytest.mark.slow
def test_components_are_learnt_from_spectra_with_their_lines():
    """Planted bugs: the mean's ln-bias kept (0.064); a rank of 3."""
    basis = component_basis(CONFIG.dataset("train", 600))
    data, truth, noisy = validation(60)
    fits = fit_smoothly(basis, data, 8)
    np.testing.assert_allclose(basis.functions.T @ basis.functions, np.eye(4), atol=1e-5)
    assert abs((fits.background - truth)[~noisy].mean()) < 0.01
    assert np.abs(fits.background - truth)[noisy].mean() < 0.03
    assert average_precision_score(noisy_cells(data).ravel(), fits.posterior.ravel()) > 0.985


# ---- one score for every family ----


def gamma_ratios(n_spectra, k=8, seed=0):
    return np.log(np.random.default_rng(seed).gamma(k, 1 / k, (n_spectra, 3000)))


def with_lines(centres, width, height):
    """ln ratios of 20 spectra with the same Gaussian lines; the cells that hold one."""
    distance = np.min(np.abs(np.arange(3000) - np.array(centres)[:, None]), axis=0)
    lines = height * np.exp(-0.5 * (distance / width) ** 2)
    return gamma_ratios(20, seed=1) + np.log1p(lines), np.add.reduceat(lines > 0.25, np.arange(0, 3000, 20)) > 0


@pytest.mark.parametrize(("centres", "width"), [(range(90, 3000, 200), 1.2), ([1510], 25.0), ([1510], 1.5)])
def test_the_bank_finds_combs_broad_and_narrow_lines_above_what_is_near(centres, width):
    """Whatever the lines are, the same score ranks their cells first."""
    calibration = calibrate_bank(gamma_ratios(200), 8)
    ratios, truth = with_lines(centres, width, 3.0)
    scores = bank_score(ratios, 8, calibration)
    assert average_precision_score(np.tile(truth, 20), scores.ravel()) > 0.98


def test_the_banks_widths_have_one_scale():
    """-ln p of every width is exponential on line-free spectra: mean square 2.

    Planted bug: the mean of the squares without its root.
    """
    calibration = calibrate_bank(gamma_ratios(200), 8)
    scores = bank_score(gamma_ratios(100, seed=2), 8, calibration)
    assert np.mean(scores**2) == pytest.approx(2.0, abs=0.05)
    with pytest.raises(ValueError, match="shorter"):
        bank_score(gamma_ratios(2), 8, calibration[:-1])


# ---- the inputs alone ----


def test_contrasts_are_standardised_by_place():
    """Planted bugs: one median for all positions; the standard deviation, which lines widen."""
    data = validation(150)[0]
    read = Standard.of(data).read(data)
    assert read.shape == (150, 150, 5)
    np.testing.assert_allclose(np.median(read, axis=0), 0, atol=1e-5)
    np.testing.assert_allclose(np.quantile(read, 0.1587, axis=0), -1, atol=1e-4)


def test_the_neighbours_of_a_cell_stand_around_it():
    """Planted bugs: a window that begins at the cell; spectra mixed at their ends."""
    values = np.arange(2 * 9 * 5, dtype=float).reshape(2, 9, 5)
    rows = _neighbours(values).reshape(2, 9, 5, 7)
    np.testing.assert_array_equal(rows[..., 3], values)
    np.testing.assert_array_equal(rows[1, 4, :, 0], values[1, 1])
    np.testing.assert_array_equal(rows[1, 0, :, 0], values[1, 0])


@pytest.mark.slow
def test_what_the_encoder_is_shown_finds_lines_and_labels_help():
    """Planted bug: labels of the other cells."""
    scores = input_scores(CONFIG, "single_line", replace(SIZES, n_tune=150, n_probe=300))
    data = validation(100)[0]
    truth = noisy_cells(data).ravel()
    precisions = [average_precision_score(truth, score(data).ravel()) for score in scores.values()]
    assert 0.8 < precisions[0] < precisions[1] < precisions[2] < 0.99


# ---- judged whole ----


@pytest.mark.slow
@pytest.mark.usefixtures("coarse_grid")
def test_rivals_are_judged_whole_and_kept(tmp_path, monkeypatch):
    """Planted bugs: a rival without words for what it is given; the in-band error of the measured spectrum."""
    monkeypatch.setenv("NBLIB_RUNS", str(tmp_path))
    monkeypatch.setattr(rivals, "N_LEARNT", 300)
    monkeypatch.setattr(rivals, "SEGMENTS", (2,))
    monkeypatch.setattr(rivals, "SETTINGS", (FIXED,))
    monkeypatch.setattr(rivals, "families_judged", lambda _: ("vibration", "clock_leakage"))  # two show what all do
    task = Task("rivals", CONFIG, "single_line", SIZES)
    record = load_or_run(task)
    assert task.path.exists() and FIXED in SETTINGS
    briefly = record["segments"]["2"]
    assert set(briefly) == set(GIVEN) - {LIMIT}
    assert record[LIMIT]["score"]["ap"] >= record["spline"]["score"]["ap"]
    whole = {rival: record[rival] for rival in GIVEN if not rival.endswith(K_UNKNOWN)}
    assert set(record) == {*whole, "segments", "settings", "task", "commit", "made"}
    for rival in ("spline", "components"):
        assert record[rival]["score"]["ap"] > max(record["largest contrast"]["score"]["ap"], 0.9)
        assert 1 < record[rival]["in_band"]["over the fit"] < 10
        assert len(record[rival]["in_band"]["over the fit_left_out"]) == 20
        combs = {score: row["ap"] for score, row in record[rival]["families"]["clock_leakage"].items()}
        assert combs["posterior"] < 0.6 < combs["bank"]  # the posterior is of one line
        assert (np.array(record[rival]["energies"]["kept bins"]) > 0).all()
    assert record["settings"]["6 intervals, ridge 0.001"]["validation"] > 0.9
    assert set(record["largest contrast"]["families"]["vibration"]) == {"score"}
