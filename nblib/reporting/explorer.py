"""A live look at spectra and attention in JupyterLab, and the same panel as a static figure elsewhere."""

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.figure import Figure

from nblib.prediction import Predictions
from nblib.project.environment import is_live
from nblib.reporting.plots import plot_attention_row, plot_psd

ALL_HEADS = "mean"


def draw_panel(reading: Predictions, index: int, layer: int, head: int | str, axes, label: str = "") -> None:
    """A spectrum with its restored background above, CLS attention below.

    index : spectrum; layer : encoder layer; head : number, or "mean" over heads
    axes  : two matplotlib axes
    """
    rows = reading.cls_attn[layer, index]
    rows = rows.mean(axis=0, keepdims=True) if head == ALL_HEADS else rows[[head]]
    lines = {"measured": reading.log_psd[index], "restored": reading.restored[index], "true": reading.background[index]}
    known = {name: np.exp(values) for name, values in lines.items() if np.isfinite(values).any()}
    plot_psd(reading.freqs, known, reading.noisy[index], ax=axes[0])
    axes[0].set_title(f"spectrum {index}" + (f", {label}" if label else ""))
    n_tokens = rows.shape[1]
    plot_attention_row(reading.token_freqs, rows * n_tokens, reading.noisy_tokens[index], uniform=1.0, ax=axes[1])
    axes[1].set(title=f"layer {layer}, head {head}", ylabel="CLS attention / uniform", ylim=(0, None))


def explore(readings: dict[str, Predictions]):
    """Sliders over spectrum, layer and head and a choice of lambda; a static panel where there is nobody to move them.

    readings : lambda (as text) -> what that model makes of the same spectra
    returns  : an ipywidgets box in JupyterLab, a matplotlib figure elsewhere
    """
    if not is_live():
        return static_panel(readings)
    from ipywidgets import Dropdown, HBox, IntSlider, VBox, interactive_output

    first = next(iter(readings.values()))
    n_layers, n_spectra, n_heads = first.cls_attn.shape[:3]
    controls = {
        "index": IntSlider(0, 0, n_spectra - 1, description="spectrum", continuous_update=False),
        "layer": IntSlider(n_layers - 1, 0, n_layers - 1, description="layer", continuous_update=False),
        "head": Dropdown(options=[ALL_HEADS, *range(n_heads)], description="head"),
        "weight": Dropdown(options=list(readings), value=list(readings)[-1], description="lambda"),
    }

    def update(index, layer, head, weight):
        _, axes = plt.subplots(1, 2, figsize=(10, 3.2))
        draw_panel(readings[weight], index, layer, head, axes, rf"$\lambda$ = {weight}")
        plt.show()

    return VBox([HBox(list(controls.values())), interactive_output(update, controls)])


def static_panel(readings: dict[str, Predictions]) -> Figure:
    """The first spectrum with noise, last layer, heads averaged, a row per lambda."""
    first = next(iter(readings.values()))
    noisy = np.flatnonzero(first.noisy.any(axis=1))
    index = int(noisy[0]) if len(noisy) else 0
    fig, axes = plt.subplots(len(readings), 2, figsize=(10, 2.9 * len(readings)), squeeze=False)
    for row, (weight, reading) in zip(axes, readings.items(), strict=True):
        draw_panel(reading, index, len(reading.cls_attn) - 1, ALL_HEADS, row, rf"$\lambda$ = {weight}")
    plt.close(fig)  # shown once, where it is returned
    return fig
