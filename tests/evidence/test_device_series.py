"""Simulated devices: the truth that stands beside them."""

import numpy as np
import pytest

from evidence.device_series import BOLTZMANN, ENERGY, LINEAR, draw_series, draw_spectrum


@pytest.mark.parametrize("hard", [False, True])
def test_corners_are_apart_and_half_a_plateau_stands_as_high_over_the_rest_as_asked(hard):
    """Planted bug: the plateau itself at the ratio, a factor 2 too low."""
    for seed in range(12):
        drawn = draw_spectrum(seed, 2, hard=hard)
        assert drawn.corners[1] / drawn.corners[0] > (3 if hard else 6)
        for corner, plateau in zip(drawn.corners, drawn.plateaus, strict=True):
            own = plateau / 2
            ratio = own / (np.interp(corner, drawn.freqs, drawn.background) - own)
            assert 0.22 <= ratio <= (0.28 if hard else 8.5)


def test_a_seed_is_a_spectrum_and_contamination_leaves_the_device_as_it_is():
    one, same, other = draw_spectrum(3, 2, "humps"), draw_spectrum(3, 2, "humps"), draw_spectrum(4, 2, "humps")
    assert (one.psd == same.psd).all() and not (one.psd == other.psd).all()
    assert (draw_spectrum(3, 2).background == one.background).all()


def test_mains_stand_20_to_40_db_over_the_background_and_clean_spectra_have_none():
    for seed in range(8):
        drawn = draw_spectrum(seed, 1, "mains")
        assert 50 < drawn.external[LINEAR == 50.0][0] < 2e4
        assert not draw_spectrum(seed, 1).external.any()


def test_the_estimate_has_the_mean_and_the_scatter_of_its_averages():
    drawn = draw_spectrum(0, 1, n_segments=30)
    ratio = drawn.psd / drawn.background
    assert ratio.mean() == pytest.approx(1, abs=4 / np.sqrt(30 * len(ratio)))
    assert ratio.var() == pytest.approx(1 / 30, rel=0.1)


def test_the_corners_of_a_series_lie_on_the_line_of_their_energy():
    """Planted bug: T^2 left out."""
    series = draw_series(0)
    x = 1 / (BOLTZMANN * np.array([drawn.temperature for drawn in series]))
    logs = [-np.log(2 * np.pi * drawn.corners[0]) + 2 * np.log(drawn.temperature) for drawn in series]
    slope, _ = np.polyfit(x, logs, 1)
    assert slope == pytest.approx(ENERGY, rel=1e-6)
