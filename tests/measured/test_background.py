"""The robust background: follows what is smooth on any grid, does not follow lines."""

import numpy as np
import pytest

from nblib.measured.statistic.background import (
    SOFT,
    STIFF,
    Grid,
    first_background,
    median,
    robust_background,
)

LINEAR, LOGARITHMIC = np.arange(1.0, 1001.0), np.geomspace(0.01, 100.0, 300)


def _grid(freqs):
    return Grid(freqs, np.ones(len(freqs), dtype=bool))


@pytest.mark.parametrize("freqs", [LINEAR, LOGARITHMIC])
@pytest.mark.parametrize("stiffness", [SOFT, STIFF])
@pytest.mark.parametrize("exponent", [0.0, 1.0, 2.0])
def test_a_power_law_is_its_own_background(freqs, stiffness, exponent):
    log_psd = -exponent * np.log(freqs) - 80.0
    background = robust_background(log_psd, _grid(freqs), 0.1, stiffness)
    assert np.abs(background - log_psd).max() < 0.06  # the end of a curve that bends is a little off


def test_a_steep_wall_is_followed_to_its_first_bin():
    log_psd = np.log((LINEAR / 5.0) ** -7.0 + 1.0)
    background = robust_background(log_psd, _grid(LINEAR), 0.3, SOFT)
    assert np.abs(background - log_psd)[1:].max() < 0.35  # a wall of eleven ln units within five bins


@pytest.mark.parametrize("decibels", [20, 40, 60])
def test_a_strong_line_does_not_lift_the_background(decibels):
    rng = np.random.default_rng(0)
    log_psd = np.log(rng.gamma(16, 1 / 16, 1000))
    clean = robust_background(log_psd, _grid(LINEAR), 0.25, SOFT)
    log_psd[499:502] = np.log(10.0) * decibels / 10
    assert np.abs(robust_background(log_psd, _grid(LINEAR), 0.25, SOFT) - clean).max() < 0.1


@pytest.mark.parametrize("size", [1, 2, 5, 1000, 1001])
def test_the_fast_median_is_numpys(size):
    values = np.random.default_rng(size).normal(size=size)
    assert median(values) == np.median(values)


def test_the_first_background_keeps_a_monotone_curve():
    values = -2.0 * np.log(LINEAR)
    assert np.allclose(first_background(values, 201, np.log(LINEAR)), values)
