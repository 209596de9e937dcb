"""The physics: published sample, limits of a Lorentzian, Whittle likelihood, Cramer-Rao bound."""

import numpy as np
import pytest

from nblib.simulation.physics import (
    AMPLITUDE_ALPHA,
    BOLTZMANN,
    CROSS_SECTION_ALPHA,
    CROSS_SECTION_BETA,
    E_ALPHA_GRID,
    E_BETA_GRID,
    FLOOR,
    PUBLISHED_FREQS,
    TEMPERATURE,
    corner_frequency,
    cramer_rao_energies,
    lorentzian,
    published_components,
    published_psd,
    published_tables,
)


def test_first_published_sample():
    """Planted bug: energies taken as eV times 1e-2."""
    psd = published_psd(7.4, 18.329)[0]
    assert psd.dtype == np.float64
    assert [f"{value:.2e}" for value in psd[:5]] == ["3.61e-23", "2.79e-23", "2.02e-23", "1.46e-23", "1.07e-23"]
    assert f"{psd[-1]:.2e}" == "1.10e-26"


def test_a_lorentzian_is_flat_half_at_its_corner_and_falls_with_the_square():
    values = lorentzian(np.array([1e-3, 50.0, 5e4, 5e5]), 2.0, 50.0)
    assert values[:2] == pytest.approx([2.0, 1.0], rel=1e-6)
    assert values[2] / values[3] == pytest.approx(100, rel=1e-4)


def test_a_corner_falls_by_e_for_each_thermal_energy():
    thermal = BOLTZMANN * TEMPERATURE * 1e3  # meV
    corners = corner_frequency(np.array([5.0, 5.0 + thermal]), CROSS_SECTION_ALPHA)
    assert corners[0] / corners[1] == pytest.approx(np.e)
    ratio = corner_frequency(np.array([5.0]), CROSS_SECTION_BETA) / corners[0]
    assert ratio == pytest.approx(830)


def test_parts_add_up_and_tables_hold_every_energy():
    alpha, beta = published_components(E_ALPHA_GRID[[3, 150]], E_BETA_GRID[[7, 90]])
    np.testing.assert_allclose(alpha + beta + FLOOR, published_psd(E_ALPHA_GRID[[3, 150]], E_BETA_GRID[[7, 90]]))
    np.testing.assert_array_equal(published_tables()[0][[3, 150]], alpha)
    np.testing.assert_array_equal(published_tables()[1][[7, 90]], beta)
    assert (alpha < AMPLITUDE_ALPHA).all()


@pytest.mark.parametrize(
    ("energies", "message"),
    [(([1.0, 2.0], [15.0]), r"shapes \(2,\) and \(1,\)"), (([np.nan], [15.0]), "NaN or infinity")],
)
def test_energies_that_do_not_fit_are_refused(energies, message):
    with pytest.raises(ValueError, match=message):
        published_psd(*energies)


def test_cramer_rao_bound_against_a_numerical_jacobian():
    """Planted bug: the Fisher information without the factor K."""
    step, base = 1e-4, np.array([8.0, 21.0])
    columns = []
    for axis in range(2):
        shift = np.eye(2)[axis] * step
        up, down = (np.log(published_psd(*(base + sign * shift))[0]) for sign in (1, -1))
        columns.append((up - down) / (2 * step))
    jacobian = np.stack(columns)
    expected = np.sqrt(np.diag(np.linalg.inv(8 * jacobian @ jacobian.T)))
    np.testing.assert_allclose(cramer_rao_energies(8.0, 21.0, n_segments=8), expected, rtol=1e-5)


def test_the_bound_behaves_as_information_must():
    few, many = (cramer_rao_energies(8.0, 21.0, n_segments) for n_segments in (8, 32))
    np.testing.assert_allclose(few, 2 * many)
    assert (cramer_rao_energies(8.0, 21.0, free_amplitudes=True) > few).all()
    keep = PUBLISHED_FREQS > 100  # the first trap's noise lies below the second's from there on
    lost = cramer_rao_energies(8.0, 21.0, keep=keep) / few
    assert lost[0] > 2
    assert lost[1] == pytest.approx(1, abs=0.01)


@pytest.mark.parametrize(("free", "expected"), [(False, (0.447, 0.184)), (True, (3.1, 0.97))])
def test_the_documented_bounds(free, expected):
    pairs = [(a, b) for a in E_ALPHA_GRID[5::19] for b in E_BETA_GRID[5::19]]
    bounds = np.mean([cramer_rao_energies(a, b, 8, free_amplitudes=free) for a, b in pairs], axis=0)
    assert bounds * np.sqrt(2 / np.pi) == pytest.approx(expected, rel=0.02)
