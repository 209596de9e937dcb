"""Rivals of the detector: each finds what stands out from a power law, and the line's power is what it finds."""

import numpy as np
import pytest

from evidence.unknown.measured_rivals import RIVALS, SLOW

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
