"""What libraries offer where the background is unknown: they find what stands out, and compute once what they share."""

import numpy as np
import pytest

from evidence.unknown.background_baselines import DetectorScores, SpecparamScores, library_settings, single_settings

K, LINE = 64, 300


def _spectrum():
    """A power law with one broad line, its first bins missing."""
    rng = np.random.default_rng(0)
    freqs = np.arange(1.0, 601.0)
    line = 1 + 5 * np.exp(-0.5 * ((np.arange(600) - LINE) / 4) ** 2)
    return freqs, (rng.gamma(K, 1 / K, 600) * line / freqs)[None], (freqs > 5)[None]


@pytest.mark.parametrize("name", sorted({**library_settings(), **single_settings()}))
def test_every_setting_finds_a_line_on_a_power_law_and_leaves_missing_bins_out(name):
    freqs, psd, valid = _spectrum()
    scores = {**library_settings(), **single_settings()}[name](freqs, psd, valid, K)[0]
    assert abs(np.argmax(scores[200:]) + 200 - LINE) <= 9  # the running mean of the clipping fails at the steep end
    assert np.isnan(scores[:5]).all() and not np.isnan(scores[5:]).any()


@pytest.mark.parametrize("kind", [DetectorScores, SpecparamScores])
def test_scores_of_one_spectrum_are_computed_once(kind, monkeypatch):
    scores, calls = kind(), []
    compute = scores._compute
    monkeypatch.setattr(scores, "_compute", lambda *spectrum: calls.append(1) or compute(*spectrum))
    freqs, psd, valid = _spectrum()
    found = [scores.method(name)(freqs, psd, valid, K) for name in kind.NAMES]
    assert len(calls) == 1
    assert not np.array_equal(found[0], found[1], equal_nan=True)
    scores.method(kind.NAMES[0])(freqs, psd * (1 + (freqs == LINE)), valid, K)
    assert len(calls) == 2


def test_an_unknown_score_is_refused():
    with pytest.raises(ValueError, match="known: scores, classical scores"):
        DetectorScores().method("peaks")
