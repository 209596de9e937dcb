"""False alarms per spectrum: counted per spectrum, found cells per cell, intervals exact."""

import pytest

from evidence.unknown import alarm_rates
from nblib.measured.line_free.world import WideWorld
from nblib.measured.statistic.thresholds import Limits, Thresholds


def _threshold(monkeypatch, level):
    limits = Limits(*[Thresholds((level,) * 7, 300)] * 2)
    monkeypatch.setattr(alarm_rates, "limits_of", lambda *_, **__: limits)


@pytest.mark.parametrize(("level", "expected"), [(-1e3, 1.0), (1e9, 0.0)])
def test_shares_at_thresholds_that_everything_or_nothing_exceeds(monkeypatch, level, expected):
    _threshold(monkeypatch, level)
    quiet, noisy = (WideWorld(5, "test", n_bins=320, none_share=share) for share in (1.0, 0.0))
    alarms = alarm_rates.alarm_rates([quiet[0], quiet[1]], known=True)
    found = alarm_rates.found_cells([noisy[0], noisy[1]], known=False)
    for row in (alarms, found):
        assert set(row) == {"classical", "combined"}
        assert row["combined"]["1%"]["share"] == row["classical"]["5%"]["share"] == expected
    assert alarms["combined"]["5%"]["of"] == 2 and found["combined"]["5%"]["of"] > 2


def test_intervals_are_exact():
    assert alarm_rates.share(0, 100)["high"] == pytest.approx(1 - 0.025 ** (1 / 100))
    assert alarm_rates.share(3, 300)["share"] == 0.01


def test_classes_are_pooled_by_what_is_known():
    """Planted bug: the mean of the shares, 0.06 for the classes with K known."""
    row = {"combined": {"1%": {"share": 0.10, "of": 100}}}
    other = {"combined": {"1%": {"share": 0.02, "of": 300}}}
    alarms = {"welch, log, K known": row, "welch, linear, K known": other, "welch, log, K estimated": other}
    assert alarm_rates.pooled_rate(alarms, True, "1%") == alarm_rates.share(16, 400)
    assert alarm_rates.pooled_rate(alarms, False, "1%")["of"] == 300
