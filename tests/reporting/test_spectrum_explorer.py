"""The explorer of a spectrum of one's own: edits by hand, a moving threshold, export; live and static."""

import json

import matplotlib.pyplot as plt
import numpy as np
import pytest
from matplotlib.figure import Figure

from nblib.analysis import detector
from nblib.analysis.measurement import Measurement
from nblib.detection.false_alarms import Thresholds
from nblib.reporting import spectrum_explorer
from nblib.reporting.spectrum_explorer import EditedDetection, explore_spectrum

FREQS = np.arange(1.0, 301.0)


@pytest.fixture(autouse=True)
def given_thresholds(monkeypatch):
    levels = (7.0, 8.5, 9.5, 10.5, 12.0, 13.0)
    monkeypatch.setattr(detector, "thresholds_for", lambda *_, **__: Thresholds(levels, 300))


@pytest.fixture
def edited():
    rng = np.random.default_rng(0)
    psd = rng.gamma(16, 1 / 16, len(FREQS)) / FREQS
    psd[FREQS == 50] *= 30
    psd[FREQS == 200] *= 30
    return EditedDetection(Measurement("device.csv", "1", FREQS, psd, "V^2/Hz", 16.0))


def _centres(edited):
    return [flag.centre for flag in edited.detection.flags]


def test_what_is_removed_stays_removed_at_another_threshold(edited):
    """Planted bug: removals forgotten when the threshold moves."""
    assert [round(centre) for centre in _centres(edited)] == [50, 200]
    edited.remove(45, 55)
    edited.set_false_alarm(0.02)
    assert [round(centre) for centre in _centres(edited)] == [200]
    assert not edited.detection.flagged[49]


def test_what_is_added_is_flagged_and_can_be_removed(edited):
    edited.add(100, 102)
    assert [flag.cause for flag in edited.detection.flags].count("by hand") == 1
    assert edited.detection.flagged[99:102].all()
    edited.set_false_alarm(0.001)
    assert edited.detection.flagged[99:102].all()
    edited.remove(101, 101)
    assert not edited.detection.flagged[99:102].any()


def test_a_removed_flag_can_be_added_again(edited):
    edited.remove(45, 55)
    edited.add(49, 51)
    assert [round(centre) for centre in _centres(edited)] == [50, 200]


@pytest.mark.parametrize("edit", ["add", "remove"])
def test_a_range_upside_down_is_refused(edited, edit):
    with pytest.raises(ValueError, match="low <= high"):
        getattr(edited, edit)(60, 40)


def test_a_wider_false_alarm_never_loses_a_flag(edited):
    strict = set(np.flatnonzero(edited.detection.flagged))
    edited.set_false_alarm(0.4)
    assert strict <= set(np.flatnonzero(edited.detection.flagged))


def test_export_writes_the_edited_flags(edited, tmp_path):
    edited.remove(45, 55)
    written = edited.export(tmp_path, "mine")
    flags = json.loads(next(path for path in written if path.name == "mine.flags.json").read_text())["flags"]
    assert [round(flag["centre"]) for flag in flags] == [200]


def test_headless_it_is_one_figure(edited, tmp_path):
    plt.close("all")
    assert isinstance(explore_spectrum(edited, tmp_path, "mine"), Figure)
    assert plt.get_fignums() == []  # or JupyterLab would show it twice


def test_live_every_control_acts(edited, tmp_path, monkeypatch):
    """Planted bug: the export button without an action."""
    monkeypatch.setattr(spectrum_explorer, "is_live", lambda: True)
    monkeypatch.setattr(plt, "show", lambda *_: None)
    box = explore_spectrum(edited, tmp_path, "mine")
    alarm, by_hand, message, *_ = box.children
    low, high, add, remove, export = by_hand.children
    alarm.value = 0.1
    assert edited.false_alarm == pytest.approx(0.1)
    low.value, high.value = 100, 102
    add.click()
    assert edited.detection.flagged[99:102].all()
    remove.click()
    assert not edited.detection.flagged[99:102].any()
    low.value, high.value = 60, 40
    add.click()
    assert "low <= high" in message.value
    export.click()
    assert (tmp_path / "mine.flags.csv").exists() and "mine.flags.csv" in message.value
    plt.close("all")
