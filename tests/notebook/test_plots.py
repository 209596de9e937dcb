"""Plots show what they are given, on the axes that they are given, with units."""

import matplotlib.pyplot as plt
import numpy as np
import pytest

from nblib.notebook import charts, plots

FREQS = np.geomspace(1, 3000, 150)
RNG = np.random.default_rng(0)
ROWS = RNG.random((2, 150))
ROWS /= ROWS.sum(axis=1, keepdims=True)
NOISY = np.arange(150) % 50 < 5
TRUTH = RNG.random((20, 150)) < 0.1
SCORES = {"one": RNG.random((20, 150)), "perfect": TRUTH + 0.0}
STEPS = np.arange(10.0, 60.0, 10.0)
HISTORY = {"step": STEPS, "mask_loss": 2 / STEPS, "val_mask_loss": 3 / STEPS, "val_noisy_mass": 1 / STEPS}
SPAN = {"iqm": 0.5, "low": 0.4, "high": None, "n": 3}
POINT = {"ap": SPAN, "masked": SPAN}
CALLS = {
    "plot_psd": lambda ax: plots.plot_psd(FREQS, {"measured": 1 / FREQS, "true": 2 / FREQS}, NOISY, ax=ax),
    "plot_ratio": lambda ax: plots.plot_ratio(FREQS, NOISY * 1.0, 0.25, "line", ax=ax),
    "plot_loss_curves": lambda ax: plots.plot_loss_curves(HISTORY, 0.01, ax=ax),
    "plot_attention_row": lambda ax: plots.plot_attention_row(FREQS, ROWS, NOISY, ax=ax),
    "plot_heatmap": lambda ax: plots.plot_heatmap(ROWS, FREQS, ax=ax),
    "plot_weights": lambda ax: plots.plot_weights(np.full((151, 151), 1 / 151), FREQS, ax=ax),
    "plot_front": lambda ax: charts.plot_front({"mean": [POINT, POINT]}, POINT, {"token": POINT}, (1, 10), ax=ax),
    "plot_gradients": lambda ax: charts.plot_gradients(FREQS / 3001, {"mean": FREQS}, 0.03, ax=ax),
    "plot_spans": lambda ax: charts.plot_spans({"a": SPAN, "b": SPAN}, {"chance": 0.1}, "AP", ax=ax),
    "plot_curves": lambda ax: charts.plot_curves({"a": {0.5: SPAN, 2.0: SPAN}}, "Strength", "AP", ax=ax),
    "plot_distances": lambda ax: charts.plot_distances({"a": SPAN, "limit": SPAN | {"iqm": 0.9}}, 0.9, "AP", ax=ax),
}


@pytest.fixture(autouse=True)
def _close():
    yield
    plt.close("all")


def lines(ax):
    return {line.get_label(): line.get_xydata().T for line in ax.get_lines()}


def test_every_plot_is_tried():
    names = {name for module in (plots, charts) for name in vars(module) if name.startswith("plot_")}
    assert names - set(CALLS) == {"plot_spectrum_and_attention"}  # it draws on two axes, below


@pytest.mark.parametrize("name", CALLS)
def test_a_plot_labels_its_axes_and_draws_where_it_is_told(name):
    own = CALLS[name](None)
    ax = plt.subplots()[1]
    assert CALLS[name](ax) is ax
    for axes in (own, ax):
        assert axes.get_xlabel()
        assert axes.get_ylabel() or name in (
            "plot_scores",
            "plot_spans",
            "plot_distances",
        )  # the methods are named
    over_frequency = ("plot_psd", "plot_ratio", "plot_attention_row", "plot_heatmap", "plot_weights")
    assert ("Hz" in ax.get_xlabel()) == (name in over_frequency)


def test_psd_units_and_shading():
    ax = plots.plot_psd(FREQS, {"measured": 1 / FREQS}, NOISY, unit="V$^2$/Hz")
    np.testing.assert_array_equal(lines(ax)["measured"], [FREQS, 1 / FREQS])
    assert ax.get_ylabel() == "PSD [V$^2$/Hz]"
    assert (ax.get_xscale(), ax.get_yscale()) == ("log", "log")
    assert len(ax.collections) == 1


def test_loss_curves_show_training_validation_and_floor():
    curves = lines(CALLS["plot_loss_curves"](None))
    np.testing.assert_array_equal(curves["training"][1], HISTORY["mask_loss"])
    np.testing.assert_array_equal(curves["validation"][1], HISTORY["val_mask_loss"])
    assert set(curves["floor"][1]) == {0.01}


def test_attention_rows_one_line_a_head_and_uniform():
    """Planted bug: uniform drawn at one over the number of heads."""
    curves = lines(CALLS["plot_attention_row"](None))
    np.testing.assert_array_equal(curves["head 1"][1], ROWS[1])
    assert curves["uniform"][1] == pytest.approx([1 / 150, 1 / 150])


def test_heatmap_is_attention_over_uniform():
    image = CALLS["plot_heatmap"](None).collections[0]
    np.testing.assert_allclose(np.ravel(image.get_array()), np.ravel(ROWS * 150))


def test_a_spectrum_and_its_attention_share_one_axis():
    upper, lower = plots.plot_spectrum_and_attention(FREQS, {"measured": 1 / FREQS}, NOISY, FREQS, {"after": ROWS[0]})
    np.testing.assert_array_equal(lines(lower)["after"][1], ROWS[0])
    assert upper.get_xlim() == lower.get_xlim()
    assert len(upper.collections) == len(lower.collections) == 1  # noisy bins shaded in both


def test_ticks_stand_on_their_frequencies():
    """Planted bug: positions counted from the cells' left edges."""
    positions, labels = plots.frequency_ticks(np.arange(10.0, 3000.0, 20.0))
    assert labels == ["500", "1000", "1500", "2000", "2500", "3000"]
    assert positions[0] == pytest.approx((500 - 10) / 20 + 0.5)


def test_distances_leave_out_the_limit_and_turn_the_interval():
    ax = CALLS["plot_distances"](None)
    assert [text.get_text() for text in ax.get_yticklabels()] == ["a"]
    assert ax.containers[0][0].get_xydata().tolist() == [pytest.approx([0.4, 0.0])]


def test_spans_stand_where_they_should_and_know_missing_ends():
    """Planted bug: low and high swapped."""
    ax = CALLS["plot_spans"](None)
    (bars,) = ax.containers
    segments = bars[2][0].get_segments()
    assert segments[0][0].tolist() == pytest.approx([0.4, 0.0])
    assert segments[0][1].tolist() == pytest.approx([0.5, 0.0])
    assert [text.get_text() for text in ax.get_yticklabels()] == ["a", "b"]


def test_a_bar_that_reaches_the_end_of_a_logit_axis_is_drawn():
    """Planted bug: an interval of AP down to 0, minus infinity there, whose bar was not drawn."""
    unsure = POINT | {"ap": {"iqm": 0.4, "low": 0.0, "high": 1.0}}
    ax = charts.plot_front({"mean": [unsure, POINT]}, POINT, {}, (1, 10), ax=plt.subplots()[1])
    ends = ax.transData.transform([line for bars in ax.collections for line in _segments(bars)])
    assert np.isfinite(ends).all() and ends[:, 1].min() < ax.transAxes.transform((0, 0))[1]


def _segments(bars):
    return [point for path in bars.get_paths() for point in path.vertices] if hasattr(bars, "get_segments") else []


def test_a_ninth_curve_is_drawn_as_well():
    """Planted bug: curves beyond the eighth marker left out without a word."""
    ax = charts.plot_curves({f"curve {number}": {1.0: SPAN, 2.0: SPAN} for number in range(9)})
    assert len(ax.get_legend().get_texts()) == 9


def test_the_front_frames_every_point_and_tells_their_marks_apart():
    """Planted bugs: an upper end of 0.97, above which a penalty is not seen; an interval that stretches the axis."""
    best = {"ap": SPAN | {"iqm": 0.995}, "masked": {"iqm": 0.6, "low": 0.1, "high": 9.0}}
    others = {name: POINT for name in ("mass", "random", "ranking", "simple", "label-free")}
    ax = charts.plot_front({"mean": [POINT, best]}, POINT, others, (1, 10), ax=plt.subplots()[1])
    assert ax.get_ylim()[0] < 0.5 < 0.995 < ax.get_ylim()[1]
    assert ax.get_xlim()[0] < 0.5 < 0.6 < ax.get_xlim()[1] < 1
    points = [mark for mark in ax.collections if mark.get_label() in {"none", *others}]
    assert len({mark.get_paths()[0].vertices.tobytes() for mark in points}) == 6
