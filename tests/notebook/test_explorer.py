"""The explorer: live controls where somebody watches, a static panel elsewhere."""

from itertools import pairwise

import matplotlib.pyplot as plt
import numpy as np
import pytest
from matplotlib.figure import Figure

from nblib import TrainConfig
from nblib.assessment import held_out
from nblib.notebook import explorer
from nblib.notebook.explorer import AttentionControls
from nblib.prediction import predict

UNLABELLED = {"mask_policy": "any", "labels": "pseudo"}


@pytest.fixture(scope="module")
def readings():
    config = TrainConfig(d_model=16, n_heads=2, num_layers=2, dim_feedforward=16)
    data = held_out(config, "single_line", 6)
    reading = predict(config.build_model(data.freqs), data)
    return {"0": reading, "3": reading}


def test_headless_it_is_one_figure_with_a_column_a_model(readings):
    plt.close("all")
    panel = explorer.explore(readings)
    assert isinstance(panel, Figure)
    assert len(panel.axes) == 4
    assert "3" in panel.axes[1].get_title()
    assert plt.get_fignums() == []  # or JupyterLab would show it twice


@pytest.fixture
def shown(monkeypatch):
    calls = []
    monkeypatch.setattr("IPython.display.display", lambda bundle, **_: calls.append(bundle))
    return calls


@pytest.mark.slow
def test_live_every_control_redraws(readings, shown):
    """Planted bug: the head control not passed on."""
    controls = AttentionControls(readings)
    controls.show()
    assert [bundle["text/plain"] for bundle in shown[1:]] == ["spectrum 0, layer 1, head mean, 3"]
    for name, value in (("spectrum", 2), ("layer", 0), ("head", 1), ("weight", "0"), ("number", 4)):
        getattr(controls, name).value = value
    assert shown[-1]["text/plain"] == "spectrum 4, layer 0, head 1, 0"
    assert controls.number.value == controls.spectrum.value == 4
    pictures = [bundle["image/png"] for bundle in shown[1:]]
    assert len(pictures) == 6  # one a change
    assert len(set(pictures[:4])) == 4  # weights are those of one model here, so the model changes the title alone


def test_residual_attention_stands_beside_models_of_more_layers_and_heads(readings, shown):
    """Planted bug: the layers and heads of the first model offered for all."""
    config = TrainConfig(d_model=16, n_heads=2, dim_feedforward=16, readout="residual", **UNLABELLED)
    data = held_out(config, "single_line", 6)
    controls = AttentionControls(readings | {"residual attention": predict(config.build_model(data.freqs), data)})
    assert (tuple(controls.layer.options), controls.layer.value, len(controls.head.options)) == ((0,), 0, 2)
    controls.show()
    controls.weight.value = "3"
    assert (tuple(controls.layer.options), controls.layer.value, len(controls.head.options)) == ((0, 1), 1, 3)
    controls.head.value = 1
    controls.weight.value = "0"  # as many layers and heads: what was chosen stays
    controls.weight.value = "residual attention"
    assert [bundle["text/plain"] for bundle in shown[1:]] == [
        "spectrum 0, layer 0, head mean, residual attention",
        "spectrum 0, layer 1, head mean, 3",
        "spectrum 0, layer 1, head 1, 3",
        "spectrum 0, layer 1, head 1, 0",
        "spectrum 0, layer 0, head mean, residual attention",
    ]


@pytest.mark.slow
def test_scales_do_not_jump_between_spectra(readings):
    """Planted bug: each spectrum's attention on its own scale."""
    picture = explorer.AttentionPicture(readings)
    scales = set()
    for index in range(6):
        picture.png(index, 1, "mean", "3")
        upper, lower = picture.axes
        scales.add((upper.get_xlim(), upper.get_ylim(), lower.get_ylim(), upper.get_position().bounds))
        assert upper.get_xlim() == lower.get_xlim()
        assert upper.get_position().x0 == lower.get_position().x0  # the panels line up
        assert upper.get_position().x1 == lower.get_position().x1
    assert len(scales) == 1


@pytest.mark.slow
def test_only_noisy_ones_are_offered(readings, shown):
    """Planted bug: a step to the right that fell back to the noisy spectrum it came from."""
    noisy = np.flatnonzero(readings["0"].noisy.any(axis=1)).tolist()
    controls = AttentionControls(readings)
    controls.show()
    controls.only_noisy.value = True
    assert list(controls.spectrum.options) == noisy
    for position in range(len(noisy)):
        controls.spectrum.index = position
        assert shown[-1]["text/plain"].startswith(f"spectrum {noisy[position]},")
    clean = next(index for index in range(6) if index not in noisy)
    controls.number.value = clean
    assert controls.number.value == controls.spectrum.value in noisy
    controls.only_noisy.value = False
    controls.number.value = clean
    assert controls.spectrum.value == clean


@pytest.mark.slow
def test_live_it_shows_controls_and_one_picture(readings, monkeypatch, shown):
    monkeypatch.setattr(explorer, "is_live", lambda: True)
    plt.close("all")
    assert explorer.explore(readings) is None
    assert ["image/png" in bundle for bundle in shown] == [False, True]
    assert plt.get_fignums() == []


def test_a_miss_is_shown_from_near(readings):
    """Planted bug: the logarithmic axis kept, whose ticks overlap within a tenth of a decade."""
    reading = readings["3"]
    index = int(np.argmax(reading.noisy.argmax(axis=1)))  # the noise of the highest frequency
    axes = plt.subplots(2, 1, sharex=True, figsize=(3.8, 5))[1]
    explorer.draw_panel(reading, index, 1, "mean", axes)
    explorer.zoom_to_noise(reading, index, axes)
    low, high = axes[0].get_xlim()
    noisy = reading.freqs[reading.noisy[index]]
    assert low <= noisy.min() and noisy.max() <= high
    assert high - low < 15 * max(10, np.ptp(noisy) + 1)
    axes[0].figure.draw_without_rendering()
    labels = [label for label in axes[1].get_xticklabels(which="both") if low <= label.get_position()[0] <= high]
    boxes = sorted((box.x0, box.x1) for box in (label.get_window_extent() for label in labels if label.get_text()))
    assert len(boxes) >= 2
    assert all(left[1] < right[0] for left, right in pairwise(boxes))
    plt.close("all")


def test_one_head_or_their_mean(readings):
    reading = readings["3"]
    for head, expected in ((1, reading.cls_attn[0, 2, 1]), ("mean", reading.cls_attn[0, 2].mean(axis=0))):
        axes = plt.subplots(2, 1)[1]
        explorer.draw_panel(reading, 2, 0, head, axes)
        assert axes[1].get_lines()[0].get_ydata() == pytest.approx(expected * 150)
    assert {"measured", "restored", "true"} <= {line.get_label() for line in axes[0].get_lines()}
    plt.close("all")


def test_rows_of_several_models_stand_below_one_spectrum(readings):
    """Planted bugs: the first layer for the last; the restored spectrum of one model among what is true of all."""
    axes = plt.subplots(2, 1)[1]
    explorer.draw_models(readings, 2, axes)
    assert {line.get_label() for line in axes[0].get_lines()} >= {"measured", "true"}
    assert "restored" not in {line.get_label() for line in axes[0].get_lines()}
    row = axes[1].get_lines()[list(readings).index("3")]
    assert row.get_ydata() == pytest.approx(readings["3"].cls_attn[-1, 2].mean(axis=0) * 150)
    plt.close("all")
