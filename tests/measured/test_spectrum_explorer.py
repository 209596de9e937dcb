"""The explorer of a spectrum of one's own: edits by hand, a moving threshold, export; live and static."""

import json

import matplotlib.pyplot as plt
import numpy as np
import pytest
from matplotlib.figure import Figure

from nblib.measured import detector
from nblib.measured import explorer as spectrum_explorer
from nblib.measured.explorer import EditedDetection, SpectrumControls, explore_spectrum
from nblib.measured.figure import plot_detection, readable_unit
from nblib.measured.measurement import Measurement

FREQS = np.arange(1.0, 301.0)


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


@pytest.mark.slow
def test_export_writes_the_edited_flags(edited, tmp_path):
    edited.remove(45, 55)
    written = edited.export(tmp_path, "mine")
    flags = json.loads(next(path for path in written if path.name == "mine.flags.json").read_text())["flags"]
    assert [round(flag["centre"]) for flag in flags] == [200]


def test_headless_it_is_one_figure(edited, tmp_path):
    plt.close("all")
    assert isinstance(explore_spectrum(edited, tmp_path, "mine"), Figure)
    assert plt.get_fignums() == []  # or JupyterLab would show it twice


def test_the_background_is_that_of_the_bins_that_are_left(edited):
    """Planted bug: a range flagged by hand still pulled the background up."""
    before = edited.detection.background
    edited.measured.psd[119:180] *= 1.5
    raised = EditedDetection(edited.measured)
    inside = slice(130, 170)
    pulled = (raised.detection.background - before)[inside].mean()
    raised.add(118, 182)
    assert (raised.detection.background - before)[inside].mean() < 0.6 * pulled
    raised.undo()
    assert (raised.detection.background - before)[inside].mean() == pytest.approx(pulled)


def test_changes_by_hand_are_taken_back_one_by_one(edited):
    edited.add(100, 102)
    edited.remove(45, 55)
    with pytest.raises(ValueError, match="low <= high"):
        edited.add(60, 40)  # a refusal is nothing to take back
    assert edited.undo() and [round(centre) for centre in _centres(edited)[:1]] == [50]
    assert edited.undo() and [round(centre) for centre in _centres(edited)] == [50, 200]
    assert not edited.undo()


def test_it_finds_what_the_detector_finds(edited):
    for false_alarm in (0.4, 0.01, 0.001):
        edited.set_false_alarm(false_alarm)
        measured = edited.measured
        found = detector.NoiseDetector().detect(measured.freqs, measured.psd, measured.n_segments, false_alarm)
        assert (edited.detection.flagged == found.flagged).all()
        np.testing.assert_array_equal(edited.detection.background, found.background)
    with pytest.raises(ValueError, match="0.5"):
        edited.set_false_alarm(0.6)
    assert edited.false_alarm == 0.001


class _Shown(list):
    """Bundles that a cell was given."""

    def pictures(self):
        return [bundle["image/png"] for bundle in self if "image/png" in bundle]

    def tables(self):
        return [bundle["text/plain"] for bundle in self if "from [Hz]" in bundle["text/plain"]]


@pytest.fixture
def shown(monkeypatch):
    calls = _Shown()
    monkeypatch.setattr("IPython.display.display", lambda bundle, **_: calls.append(bundle))
    return calls


@pytest.fixture
def controls(edited, tmp_path, shown):
    controls = SpectrumControls(edited, tmp_path, "mine")
    controls.show()
    return controls


def test_live_it_shows_controls_picture_and_table(edited, tmp_path, monkeypatch, shown):
    monkeypatch.setattr(spectrum_explorer, "is_live", lambda: True)
    assert explore_spectrum(edited, tmp_path, "mine") is None
    assert len(shown) == 3 and len(shown.pictures()) == 1
    assert shown.tables()[0].count("\n") == 2
    assert plt.get_fignums() == []


def test_the_threshold_is_slid_or_typed(edited, controls, shown):
    """Planted bug: the slider moved and the number beside it did not."""
    controls.alarm.value = 0.123456
    assert controls.number.value == edited.false_alarm == 0.123
    controls.number.value = 0.0421
    assert edited.false_alarm == 0.0421
    assert controls.alarm.value == pytest.approx(0.0421)
    assert len(set(shown.pictures())) == len(shown.pictures()) == 3  # one a change


def test_flags_by_hand_are_set_removed_and_taken_back(edited, controls):
    """Planted bug: the undo button without an action."""
    assert round(controls.low.value) <= 50 <= round(controls.high.value)  # the strongest, never the whole spectrum
    controls.low.value, controls.high.value = 100, 102
    controls.buttons["add flag"].click()
    assert edited.detection.flagged[99:102].all()
    controls.buttons["remove flags"].click()
    assert not edited.detection.flagged[99:102].any()
    assert controls.message.value.startswith("1 removed")
    controls.buttons["undo"].click()
    assert edited.detection.flagged[99:102].all()
    controls.low.value, controls.high.value = 60, 40
    controls.buttons["add flag"].click()
    assert "low <= high" in controls.message.value


@pytest.mark.slow
def test_a_flag_is_looked_at_from_near_and_scales_do_not_jump(edited, controls):
    ax = controls.drawn.ax
    whole = ax.get_xlim(), ax.get_ylim()
    controls.number.value = 0.3
    assert (ax.get_xlim(), ax.get_ylim()) == whole
    span = next(value for _, value in controls.shown.options if isinstance(value, tuple) and value[0] > 100)
    controls.shown.value = span
    assert (controls.low.value, controls.high.value) == span
    low, high = ax.get_xlim()
    assert 150 < low < 200 < high < 250 and ax.get_xscale() == "linear"
    controls.buttons["remove flags"].click()
    assert ax.get_xlim() == (low, high)  # the flag is gone, the view stays
    controls.low.value, controls.high.value = 40, 60
    assert ax.get_xlim()[0] < 40 < 60 < ax.get_xlim()[1]
    controls.shown.value = "whole"
    assert (ax.get_xlim(), ax.get_ylim(), ax.get_xscale()) == (*whole, "log")


@pytest.mark.slow
def test_export_says_where(controls, tmp_path):
    """Planted bug: the export button without an action."""
    controls.buttons["export"].click()
    assert (tmp_path / "mine.flags.csv").exists()
    assert str(tmp_path) in controls.message.value and "mine.flags.csv" in controls.message.value


def test_a_flag_by_hand_has_its_own_colour(edited):
    edited.add(100, 102)
    ax = plot_detection(edited.detection, Figure().subplots(), "V^2/Hz")
    assert ax.get_ylabel() == "PSD [V²/Hz]"
    labels = ax.get_legend_handles_labels()[1]
    assert labels == ["spectrum", "background", "flagged", "by hand"]
    colours = [band.get_facecolor()[:3] for band in ax.patches]
    assert len(set(colours)) == 2 and colours[0] == colours[2]


@pytest.mark.parametrize(
    ("unit", "shown"),
    [
        ("A^2/Hz", "A²/Hz"),
        (None, "unit²/Hz"),
        ("m**2 s^-4 Hz^(-1)", "m² s⁻⁴ Hz⁻¹"),
        ("$", r"\$"),
    ],
)
def test_units_are_read_as_a_person_writes_them(unit, shown):
    assert readable_unit(unit) == shown
