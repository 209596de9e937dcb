"""The explorer of spectra of one's own: edits by hand, dragged, named, saved and loaded again; live and static."""

import matplotlib.pyplot as plt
import numpy as np
import pytest
from matplotlib.backend_bases import MouseEvent
from matplotlib.figure import Figure

from nblib import analyse
from nblib.__main__ import main
from nblib.measured import detector, why
from nblib.measured import explorer as spectrum_explorer
from nblib.measured.editing import EditedDetection, Edits
from nblib.measured.explorer import LOOK, REMOVE, SpectrumControls, explore
from nblib.measured.figure import plot_detection, readable_unit
from nblib.measured.kept_edits import KeptEdits
from nblib.measured.measurement import Measurement

FREQS = np.arange(1.0, 301.0)


def _psd(seed=0):
    psd = np.random.default_rng(seed).gamma(16, 1 / 16, len(FREQS)) / FREQS
    psd[FREQS == 50] *= 30
    psd[FREQS == 200] *= 30
    return psd


@pytest.fixture
def edited():
    return EditedDetection(Measurement("device.csv", "1", FREQS, _psd(), "V^2/Hz", 16.0))


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


def test_a_source_is_named_by_hand_and_as_found_again(edited):
    """Planted bug: the name lost when the threshold moves."""
    cause = edited.detection.flags[0].cause
    edited.rename(45, 55, "the pump")
    edited.set_false_alarm(0.02)
    assert [flag.cause for flag in edited.detection.flags][0] == "the pump" and cause != "the pump"
    edited.rename(50, 50, " ")
    assert edited.detection.flags[0].cause == cause


def test_one_of_several_removed_flags_is_put_back(edited):
    """Planted bug: all that one drag had removed were put back."""
    assert edited.remove(40, 210) == 2
    assert edited.restore(50, 50) == 1
    assert [round(centre) for centre in _centres(edited)] == [50]
    assert [round(flag.centre) for flag in edited.left_out] == [200]


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
        detection = detector.NoiseDetector().detect(measured.freqs, measured.psd, measured.n_segments, false_alarm)
        assert (edited.detection.flagged == detection.flagged).all()
        np.testing.assert_array_equal(edited.detection.background, detection.background)
    with pytest.raises(ValueError, match="0.5"):
        edited.set_false_alarm(0.6)
    assert edited.false_alarm == 0.001


class _Shown(list):
    """Bundles that a cell was given."""

    def pictures(self):
        return [bundle["image/png"] for bundle in self if "image/png" in bundle]

    def tables(self):
        return [bundle["text/plain"] for bundle in self if "from [Hz]" in bundle.get("text/plain", "")]


@pytest.fixture
def shown(monkeypatch):
    calls = _Shown()
    monkeypatch.setattr(
        "IPython.display.display", lambda shown, **_: calls.append(shown) if isinstance(shown, dict) else 0
    )
    return calls


@pytest.fixture
def folder(tmp_path):
    """Two spectra of one's own."""
    for seed, name in enumerate(("a.csv", "b.csv")):
        rows = "".join(f"{freq:g},{level:.8g}\n" for freq, level in zip(FREQS, _psd(seed), strict=True))
        (tmp_path / name).write_text("f [Hz],S [V^2/Hz]\n" + rows)
    return tmp_path


@pytest.fixture
def controls(folder, shown):
    controls = SpectrumControls(analyse(folder, n_segments=16))
    controls.show()
    return controls


def _drag(controls, *freqs):
    """Press at the first frequency, move and release at the last; a click where there is one."""
    canvas, ax = controls.picture.canvas, controls.picture.ax
    y = ax.bbox.y0 + ax.bbox.height / 2
    pixels = [ax.transData.transform((freq, 1.0))[0] for freq in freqs]
    steps = [
        ("button_press_event", pixels[0]),
        ("motion_notify_event", pixels[-1]),
        ("button_release_event", pixels[-1]),
    ]
    for name, x in steps:
        canvas.callbacks.process(name, MouseEvent(name, canvas, x, y, 1))


def _flags(controls):
    return [(round(flag.fmin), round(flag.fmax), flag.cause) for flag in controls.edited.detection.flags]


def test_a_drag_flags_removes_and_looks(controls, shown):
    """Planted bugs: pixels taken for Hz; a click that flags; a drag that looks closer and flags, too."""
    before = len(shown.pictures())
    _drag(controls, 109.5, 130.5)
    assert (110, 130, "by hand") in _flags(controls) and "not saved yet" in controls.message.value
    assert len(shown.pictures()) == before + 1 and "by hand" in shown.tables()[-1]
    _drag(controls, 200.3)
    assert controls.chosen.fmin == 200 and len(_flags(controls)) == 3
    controls.drag.value = REMOVE
    _drag(controls, 100, 105, 125)
    assert [flag[0] for flag in _flags(controls)] == [50, 200]
    controls.drag.value = LOOK
    _drag(controls, 180, 220)
    low, high = controls.picture.ax.get_xlim()
    assert 150 < low <= 180 < 220 <= high < 250 and controls.picture.ax.get_xscale() == "linear"
    limits = controls.picture.ax.get_ylim()
    controls.number.value = 0.3
    assert controls.picture.ax.get_ylim() == limits  # no scale jumps
    controls.buttons["whole"].click()
    assert controls.picture.ax.get_xscale() == "log" and len([f for f in _flags(controls) if f[2] == "by hand"]) == 0


def test_a_dragged_flag_is_shown_before_all_is_drawn_anew(controls, monkeypatch):
    """Planted bugs: no band until the whole figure is drawn; one that stays when the flag is taken back."""
    canvas, ax, sent = controls.picture.canvas, controls.picture.ax, []
    drawn_anew = canvas.draw

    def pixels():
        return np.array(canvas.get_renderer().buffer_rgba())

    monkeypatch.setattr(canvas, "blit", lambda: sent.append(pixels()))
    monkeypatch.setattr(canvas, "draw", lambda: sent.append("draw") or drawn_anew())
    before = pixels()
    _drag(controls, 109.5, 130.5)
    assert len(sent) == 2 and sent[1] == "draw"
    inside, beside = (int(ax.transData.transform((freq, 1.0))[0]) for freq in (120, 150))
    changed = (sent[0] != before).any(axis=2).mean(axis=0)  # (column,)
    assert changed[inside] > 0.7 and changed[beside] == 0
    controls.buttons["undo"].click()
    np.testing.assert_array_equal(pixels(), before)


def test_the_threshold_is_slid_or_typed(controls):
    """Planted bug: the slider moved and the number beside it did not."""
    controls.alarm.value = 0.123456
    assert controls.number.value == controls.edited.false_alarm == 0.123
    controls.number.value = 0.0421
    assert controls.edited.false_alarm == 0.0421
    assert controls.alarm.value == pytest.approx(0.0421)


def test_a_flag_is_put_aside_and_back_and_views_follow(folder, shown):
    """A view sees the chosen flag, removed or not: what a fit with and without it needs."""
    seen = []
    controls = SpectrumControls(analyse(folder / "a.csv"), None, [lambda edited, flag: seen.append((edited, flag))])
    controls.show()
    _drag(controls, 50)
    controls.buttons["remove / put back"].click()
    edited, flag = seen[-1]
    assert flag in edited.left_out and flag.fmin == 50 and "(removed)" in dict(controls.flag.options).__repr__()
    controls.buttons["remove / put back"].click()
    assert seen[-1][1] in edited.detection.flags
    controls.low.value, controls.high.value = 60, 40
    controls.buttons["flag it"].click()
    assert "low <= high" in controls.message.value


def _from_browser(widget, **state):
    """What a browser sends when a value is typed; from a field that waits for its end, nothing before that."""
    if widget.continuous_update:
        widget.set_state(state)


def test_a_click_acts_on_what_is_typed_wherever_the_end_of_typing_comes(controls):
    """A click and the end of typing it brings about may come in either order. Planted bugs: fields that wait for it."""
    _drag(controls, 50)
    _from_browser(controls.cause, value="the pump")
    controls.buttons["rename"].click()
    assert (50, 50, "the pump") in _flags(controls)
    _from_browser(controls.low, value=110)
    _from_browser(controls.high, value=130)
    controls.buttons["flag it"].click()
    assert (110, 130, "by hand") in _flags(controls)


def test_edits_are_saved_loaded_again_and_survive_a_run(controls, folder, capsys):
    """Planted bugs: edits under one name for all spectra; a run that replaces them; a source lost on loading."""
    controls.spectrum.value = 1
    _drag(controls, 109.5, 130.5)
    controls.cause.value = "the pump"
    controls.buttons["rename"].click()
    controls.drag.value = REMOVE
    _drag(controls, 190, 210)
    controls.buttons["save"].click()
    assert "saved b.edits.json and b.edited.* in" in controls.message.value
    results, wanted = folder / "nblib-results", _flags(controls)
    assert (110, 130, "the pump") in wanted and not [flag for flag in wanted if flag[0] == 200]
    kept = {path.name: path.read_bytes() for path in results.iterdir()}
    assert set(kept) == {
        "b.edits.json",
        *(f"b.edited.{end}" for end in ("flags.csv", "flags.json", "flags.png", "cleaned.csv")),
    }
    assert main(["detect", str(folder), "--no-figures"]) == 0
    printed = capsys.readouterr().out
    assert "2 of 2 files read" in printed and "kept b.edits.json and b.edited.*" in printed and "kept a." not in printed
    assert "changed by hand" in (results / "all.html").read_text()
    assert {name: (results / name).read_bytes() for name in kept} == kept
    again = SpectrumControls(analyse(folder))
    again.spectrum.value = 1
    assert _flags(again) == wanted and "3 changes by hand from b.edits.json" in again.message.value
    again.spectrum.value = 0
    assert not [flag for flag in _flags(again) if flag[2] in ("by hand", "the pump")]


def test_edits_of_somebody_else_are_not_replaced(edited, tmp_path):
    """Planted bugs: the last who saves wins; edits that cannot be read replaced by none."""
    mine, theirs = KeptEdits(tmp_path, "a"), KeptEdits(tmp_path, "a")
    edited.add(100, 102)
    mine.save(edited)
    mine.save(edited)  # one's own may be replaced
    with pytest.raises(ValueError, match="a.edits.json was changed elsewhere since it was opened"):
        theirs.save(edited)
    for text in ("{", '{"false_alarm": 0.01, "added": [[1, 2]], "removed": [], "renamed": []}'):
        mine.path.write_text(text)
        with pytest.raises(ValueError, match="a.edits.json holds no edits .*fix it or move it away"):
            KeptEdits(tmp_path, "a").load(edited)
        assert edited.edits == Edits(added=((100.0, 102.0, "by hand"),))
    mine.path.write_text('{"false_alarm": 0.01, "added": [[900, 901, "x"]], "removed": [], "renamed": []}')
    with pytest.raises(ValueError, match="does not fit its spectrum: the range 900..901 Hz holds no measured bin"):
        KeptEdits(tmp_path, "a").load(edited)
    with pytest.raises(ValueError, match="changed elsewhere"):
        mine.save(edited)
    mine.path.unlink()
    (tmp_path / "a.edited.flags.csv").write_text("mine\n")
    with pytest.raises(ValueError, match="which nblib did not write"):
        KeptEdits(tmp_path, "a").save(edited)
    assert not mine.path.exists() and (tmp_path / "a.edited.flags.csv").read_text() == "mine\n"


def test_headless_it_is_one_figure_with_what_was_saved(folder, monkeypatch):
    analysis = analyse(folder / "a.csv")
    (measured, detection) = analysis[0]
    changed = EditedDetection(measured)
    changed.add(110, 130)
    KeptEdits(*analysis.destinations()[0]).save(changed)
    plt.close("all")  # of other tests
    figure = explore(analysis)
    assert isinstance(figure, Figure) and plt.get_fignums() == []  # or JupyterLab would show it twice
    assert "by hand" in [text.get_text() for text in figure.axes[0].get_legend().get_texts()]
    monkeypatch.setattr(spectrum_explorer, "is_live", lambda: True)
    monkeypatch.setattr(SpectrumControls, "show", lambda self: None)
    assert explore(analysis) is None


def test_a_flag_by_hand_has_its_own_colour(edited):
    edited.add(100, 102)
    ax = plot_detection(edited.detection, Figure().subplots(), "V^2/Hz")
    assert ax.get_ylabel() == "PSD [V²/Hz]"
    labels = ax.get_legend_handles_labels()[1]
    assert labels == ["spectrum", "background", "flagged", "by hand"]
    assert [len(bands.get_paths()) for bands in ax.collections] == [2, 1]
    assert len({tuple(bands.get_facecolor()[0, :3]) for bands in ax.collections}) == 2


def test_the_labels_beside_this_flag_are_whole():
    """Planted bug: a margin that numbers such as 6 x 10^-21 fill, with the unit cut off beside them."""
    psd = 1e-20 * np.random.default_rng(0).gamma(64, 1 / 64, len(FREQS))
    psd[FREQS == 200] *= 4  # less than a decade
    edited = EditedDetection(Measurement("device.csv", "1", FREQS, psd, "V^2/Hz", 64.0))
    why.why_png(edited.measured, edited.detection, edited.detection.flags[0])
    left, right = why._kept_axes()
    assert left.yaxis.label.get_window_extent().x0 >= 0
    assert right.yaxis.label.get_window_extent().x0 > left.get_window_extent().x1


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
