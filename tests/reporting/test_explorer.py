"""The explorer: live controls where somebody watches, a static panel elsewhere."""

import matplotlib.pyplot as plt
import numpy as np
import pytest
from matplotlib.figure import Figure

from nblib import TrainConfig
from nblib.evaluation.test_sets import held_out
from nblib.prediction import predict
from nblib.reporting import explorer


@pytest.fixture(scope="module")
def readings():
    config = TrainConfig(d_model=16, n_heads=2, num_layers=2, dim_feedforward=16)
    data = held_out(config, "single_line", 6)
    reading = predict(config.build_model(data.freqs), data)
    return {"0": reading, "3": reading}


def test_headless_it_is_one_figure_with_a_column_a_lambda(readings):
    plt.close("all")
    panel = explorer.explore(readings)
    assert isinstance(panel, Figure)
    assert len(panel.axes) == 4
    assert "lambda$ = 3" in panel.axes[1].get_title()
    assert plt.get_fignums() == []  # or JupyterLab would show it twice


def test_live_every_control_redraws(readings, monkeypatch):
    """Planted bug: the head control not passed on."""
    monkeypatch.setattr(explorer, "is_live", lambda: True)
    monkeypatch.setattr(plt, "show", lambda: None)
    drawn = []
    monkeypatch.setattr(
        explorer,
        "draw_panel",
        lambda reading, index, layer, head, axes, label, top: drawn.append((index, layer, head, label, top)),
    )
    box = explorer.explore(readings)
    controls = {control.description: control for row in box.children[:2] for control in row.children}
    assert {"spectrum", "only noisy ones", "layer", "head", "lambda"} <= set(controls)
    assert drawn[-1][:4] == (0, 1, "mean", r"$\lambda$ = 3")
    for name, value in (("spectrum", 2), ("layer", 0), ("head", 1), ("lambda", "0")):
        controls[name].value = value
    assert drawn[-1][:4] == (2, 0, 1, r"$\lambda$ = 0")
    assert len({entry[4] for entry in drawn}) == 1  # the attention axis does not jump
    plt.close("all")


def test_only_noisy_ones_shows_a_noisy_one(readings, monkeypatch):
    """Planted bug: the nearest spectrum shown whether noisy or not."""
    monkeypatch.setattr(explorer, "is_live", lambda: True)
    monkeypatch.setattr(plt, "show", lambda: None)
    drawn = []
    monkeypatch.setattr(explorer, "draw_panel", lambda reading, index, *rest: drawn.append(index))
    box = explorer.explore(readings)
    controls = {control.description: control for row in box.children[:2] for control in row.children}
    noisy = readings["0"].noisy.any(axis=1)
    controls["only noisy ones"].value = True
    for index in range(len(noisy)):
        controls["spectrum"].value = index
        assert noisy[drawn[-1]]
    plt.close("all")


def test_a_miss_is_shown_from_near(readings):
    reading = readings["3"]
    index = int(np.flatnonzero(reading.noisy.any(axis=1))[0])
    axes = plt.subplots(2, 1, sharex=True)[1]
    explorer.draw_panel(reading, index, 1, "mean", axes)
    explorer.zoom_to_noise(reading, index, axes)
    low, high = axes[0].get_xlim()
    noisy = reading.freqs[reading.noisy[index]]
    assert low <= noisy.min() and noisy.max() <= high
    assert high - low < 15 * max(10, np.ptp(noisy) + 1)
    plt.close("all")


def test_one_head_or_their_mean(readings):
    reading = readings["3"]
    for head, expected in ((1, reading.cls_attn[0, 2, 1]), ("mean", reading.cls_attn[0, 2].mean(axis=0))):
        axes = plt.subplots(2, 1)[1]
        explorer.draw_panel(reading, 2, 0, head, axes)
        assert axes[1].get_lines()[0].get_ydata() == pytest.approx(expected * 150)
    assert {"measured", "restored", "true"} <= {line.get_label() for line in axes[0].get_lines()}
    plt.close("all")
