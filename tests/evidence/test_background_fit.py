"""The expert's fit: exact where nothing is random, near its bound, and better without the cells that it flags."""

import numpy as np
import pytest

from evidence.background_fit import fit_background, refit_background
from evidence.energies import bound, energy_error
from evidence.test_sets import measured
from nblib import TrainConfig
from nblib.assessment import held_out
from nblib.dataset import to_log_psd
from nblib.simulation.physics import (
    AMPLITUDE_ALPHA,
    AMPLITUDE_BETA,
    CROSS_SECTION_ALPHA,
    CROSS_SECTION_BETA,
    FLOOR,
    PUBLISHED_FREQS,
    corner_frequency,
    lorentzian,
)

N_SPECTRA = 30


def other_amplitudes(energies, factors):
    """ln S of the published form, its amplitudes and floor multiplied by factors."""
    parts = [
        lorentzian(PUBLISHED_FREQS, amplitude * factor, corner_frequency(np.array([energy]), section))[0]
        for amplitude, factor, energy, section in zip(
            (AMPLITUDE_ALPHA, AMPLITUDE_BETA),
            factors,
            energies,
            (CROSS_SECTION_ALPHA, CROSS_SECTION_BETA),
            strict=False,
        )
    ]
    return np.log(sum(parts) + FLOOR * factors[2])[None]


@pytest.mark.slow
def test_free_amplitudes_are_found_where_nothing_is_random():
    """Planted bug: slopes by ln amplitude taken of the known amplitudes."""
    log_psd = other_amplitudes((8.0, 22.0), (1.3, 0.8, 1.2))
    background, energies = fit_background(log_psd, free_amplitudes=True)
    np.testing.assert_allclose(background, log_psd, atol=2e-3)
    np.testing.assert_allclose(energies, [[8.0, 22.0]], atol=0.2)
    assert np.abs(fit_background(log_psd)[0] - log_psd).mean() > 0.05  # which the known amplitudes cannot follow


@pytest.fixture(scope="module")
def spectra():
    data = held_out(TrainConfig(), "single_line", N_SPECTRA, "validation")
    batch = data.batch(range(N_SPECTRA))
    return *measured(data), to_log_psd(batch["background"].numpy())


@pytest.fixture(scope="module")
def of_clean_bins(spectra):
    return fit_background(spectra[0], ~spectra[2])


@pytest.mark.slow
def test_leaving_flagged_cells_out_brings_the_fit_near_that_of_clean_bins(spectra, of_clean_bins):
    """Planted bug: the cells kept and flagged exchanged."""
    log_psd, _, noisy, truth = spectra
    errors = [
        np.abs(background - truth)[noisy].mean()
        for background in (
            fit_background(log_psd)[0],
            refit_background(log_psd)[0],
            of_clean_bins[0],
        )
    ]
    assert errors[0] > 2 * errors[1]
    assert errors[1] < 1.3 * errors[2]


@pytest.mark.slow
def test_a_fit_of_free_amplitudes_is_as_good_as_its_bound_allows(spectra, of_clean_bins):
    """Planted bug: the bound of known amplitudes."""
    log_psd, energies, noisy, _ = spectra
    fits = of_clean_bins, fit_background(log_psd, ~noisy, True)
    known, free = (energy_error(fit[1], energies) for fit in fits)
    limit = bound(energies, 8, ~noisy, True)
    assert (known < limit).all()
    assert 0.5 * limit[1] < free[1] < 1.6 * limit[1]
