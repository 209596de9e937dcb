"""Rivals of the detector: each finds what stands out from a power law, and the line's power is what it finds."""

import numpy as np
import pytest

from evidence.unknown.measured_rivals import FAMILIES, MEDIAN, MEDIANS, RIVALS, SLOW
from nblib.cells import CELL_WIDTH

K, LINE = 64, 300


@pytest.mark.parametrize("name", [*RIVALS, *SLOW])
def test_a_line_on_a_power_law_is_found(name):
    """Planted bugs: the posterior's windows put back half a window off; K's bias taken twice."""
    freqs = np.arange(1.0, 601.0)
    line = 1 + 5 * np.exp(-0.5 * ((np.arange(600) - LINE) / 4) ** 2)
    log_psd = np.log(np.random.default_rng(0).gamma(K, 1 / K, 600) * line / freqs)
    scores = {**RIVALS, **SLOW}[name](freqs, log_psd, K)
    assert scores.shape == (600,) and not np.isnan(scores).any()
    assert abs(np.argmax(scores[100:]) + 100 - LINE) <= 20
    quiet = np.r_[scores[150:250], scores[350:]]
    assert scores[LINE] > np.quantile(quiet, 0.99)


@pytest.mark.parametrize("name", RIVALS)
def test_a_strong_narrow_line_on_a_power_law_comes_first(name):
    """Planted bugs: window and percent of the order statistic exchanged; windows of the splines mixed."""
    freqs, at = np.arange(200.0, 800.0), LINE + CELL_WIDTH // 2
    line = 1 + 20 * np.exp(-0.5 * (np.arange(600) - at) ** 2)
    scores = RIVALS[name](freqs, np.log(np.random.default_rng(1).gamma(K, 1 / K, 600) * line / freqs), K)
    assert abs(np.argmax(scores) - at) < CELL_WIDTH
    away = np.abs(np.arange(600) - at) > 100  # of the window with the line
    assert scores[at] > scores[away].max() > scores[away].min()


def test_every_family_has_settings_that_differ():
    """Planted bug: every polynomial of the last degree, as a loop's variable leaves it."""
    freqs = np.arange(1.0, 601.0)
    log_psd = np.log(np.random.default_rng(2).gamma(K, 1 / K, 600) / freqs)
    for name, settings in FAMILIES.items():
        rows = [rival(freqs, log_psd, K) for rival in settings.values()]
        assert len(rows) >= 2 and all(setting.startswith(f"{name}: ") for setting in settings)
        assert len(np.unique(rows, axis=0)) == len(rows)
    assert RIVALS.keys() == MEDIANS.keys() | {setting for settings in FAMILIES.values() for setting in settings}
    assert MEDIAN in MEDIANS


def test_splines_of_another_spectrum_are_not_taken_for_this_ones():
    """Planted bug: what is kept of the last spectrum found by its frequencies alone."""
    freqs, rng = np.arange(1.0, 601.0), np.random.default_rng(3)
    one, other = np.log(rng.gamma(K, 1 / K, (2, 600)) / freqs)
    rivals = FAMILIES["spline, likelihood ratio of a line"].values()
    first, second = ([rival(freqs, log_psd, K) for rival in rivals] for log_psd in (one, other))
    again = [rival(freqs, one, K) for rival in rivals]
    assert np.array_equal(first, again) and not np.array_equal(first, second)
    assert not np.array_equal(first, [rival(freqs, one, 2 * K) for rival in rivals])
