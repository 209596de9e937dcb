"""A live look at spectra and attention in JupyterLab, and the same panel as a static figure elsewhere."""

import ipywidgets as widgets
import matplotlib.pyplot as plt
import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from nblib.live import LiveFigure, LiveOutput, show_controls, wide
from nblib.notebook.plots import LEAST_ATTENTION, plot_spectrum_and_attention, shade_noisy
from nblib.prediction import Predictions
from nblib.project.environment import is_live

ALL_HEADS = "mean"
TOP_SHARE = 0.999  # of all attention values: where the fixed upper end of the attention axis stands


def attention_top(readings: dict[str, Predictions]) -> float:
    """One upper end for every spectrum, layer and head, so that the axis does not jump: attention over uniform."""
    rows = np.concatenate([reading.cls_attn.ravel() * reading.cls_attn.shape[-1] for reading in readings.values()])
    return max(2.0, 1.05 * float(np.quantile(rows, TOP_SHARE)))


def draw_panel(
    reading: Predictions, index: int, layer: int, head: int | str, axes, label: str = "", top: float | None = None
) -> None:
    """A spectrum with its restored background above, CLS attention below, on one frequency axis.

    Parameters
    ----------
    index : spectrum
    layer : encoder layer
    head : number, or "mean" over heads
    axes : two matplotlib axes, the upper and the lower
    top : upper end of the attention axis; the row's own if None
    """
    levels = _log_levels(reading, index)
    known = {name: np.exp(values) for name, values in levels.items() if np.isfinite(values).any()}
    attention = {f"layer {layer}, head {head}": _over_uniform(reading, index, layer, head)}
    plot_spectrum_and_attention(reading.freqs, known, reading.noisy[index], reading.token_freqs, attention, axes)
    axes[0].set_title(f"spectrum {index}" + (f", {label}" if label else ""))
    axes[1].set(ylim=(LEAST_ATTENTION, top))


def draw_models(readings: dict[str, Predictions], index: int, axes) -> None:
    """A spectrum and its true background above; below, where each model's CLS looks: last layer, heads averaged.

    Parameters
    ----------
    readings : name of a model -> what it makes of the same spectra
    index : spectrum
    axes : two matplotlib axes, the upper and the lower
    """
    first = next(iter(readings.values()))
    shown = {name: np.exp(levels) for name, levels in _log_levels(first, index).items() if name != "restored"}
    rows = {name: _over_uniform(reading, index, -1, ALL_HEADS) for name, reading in readings.items()}
    plot_spectrum_and_attention(first.freqs, shown, first.noisy[index], first.token_freqs, rows, axes)


def zoom_to_noise(reading: Predictions, index: int, axes) -> None:
    """Show the surroundings of a spectrum's noisy bins: five times their width to either side; even attention shows."""
    inside = np.flatnonzero(reading.noisy[index])
    width = max(10, inside[-1] - inside[0] + 1)
    first, last = max(0, inside[0] - 5 * width), min(len(reading.freqs) - 1, inside[-1] + 5 * width)
    shown = np.exp(reading.log_psd[index, first : last + 1])
    if reading.freqs[last] < 10 * reading.freqs[first]:  # less than a decade: ticks of a logarithmic axis would overlap
        for ax in axes:
            ax.set_xscale("linear")
            ax.xaxis.set_major_locator(MaxNLocator(4))
    axes[1].set_xlim(reading.freqs[first], reading.freqs[last])
    axes[0].set_ylim(0.8 * np.nanmin(shown), 1.8 * np.nanmax(shown))
    place = reading.freqs[(inside[0] + inside[-1]) // 2]
    axes[0].annotate("noise", (place, 1.3 * np.nanmax(shown)), ha="center", va="center", fontsize=8)
    axes[1].set_ylim(top=max(2.0, axes[1].get_ylim()[1]))


def explore(readings: dict[str, Predictions]) -> Figure | None:
    """Controls over spectrum, layer, head and model in JupyterLab; a static panel where nobody is there to move them.

    Parameters
    ----------
    readings : name of a model -> what it makes of the same spectra

    Returns
    -------
    None in JupyterLab, where controls and figure are shown; a matplotlib figure elsewhere
    """
    if not is_live():
        return static_panel(readings)
    AttentionControls(readings).show()
    return None


class AttentionPicture:
    """The panel of one spectrum, drawn again in place; its scales are those of all spectra, so that none jumps.

    Attention stands on a logarithmic axis here: a head may put ten times uniform attention on one token, and a token
    that is overlooked is a dip below one.
    """

    def __init__(self, readings: dict[str, Predictions]):
        self.readings = readings
        first = next(iter(readings.values()))
        figure = Figure(figsize=(8.5, 4.8), layout="constrained")
        self.axes = upper, lower = figure.subplots(2, 1, sharex=True)
        draw_panel(first, 0, 0, ALL_HEADS, self.axes)
        low, high = np.exp([np.nanmin(first.log_psd), np.nanmax(first.log_psd)])
        upper.set(ylim=(low / 1.5, high * 1.5), xlim=first.freqs[[0, -1]])
        lower.set(yscale="log", ylim=(LEAST_ATTENTION, attention_top(readings)))
        lower.yaxis.set_major_formatter("{x:g}")
        upper.tick_params(labelbottom=False)
        self.lines = {line.get_label(): line for line in upper.get_lines()}
        self.row = lower.get_lines()[0]
        self.row.set_label("attention")
        self.title = upper.set_title("spectrum")  # replaced; the layout leaves room for it
        for ax in self.axes:
            ax.legend(loc="upper left", bbox_to_anchor=(1.0, 1.0))
            ax.collections[0].remove()
        for artist in (*self.lines.values(), self.row, self.title):
            artist.set_animated(True)
        self.live = LiveFigure(figure)

    def png(self, index: int, layer: int, head: int | str, weight: str) -> bytes:
        """Spectrum `index` above; below, the attention of a layer and a head (or "mean") of a model."""
        reading = self.readings[weight]
        for name, line in self.lines.items():
            line.set_ydata(np.exp(_log_levels(reading, index)[name]))
        self.row.set_ydata(_over_uniform(reading, index, layer, head))
        chosen = "heads averaged" if head == ALL_HEADS else f"head {head}"
        self.title.set_text(f"spectrum {index}, {weight}, layer {layer}, {chosen}")
        for ax in self.axes:
            shade_noisy(ax, reading.freqs, reading.noisy[index])
        bands = [ax.collections[-1] for ax in self.axes]
        try:
            return self.live.png([*bands, *self.lines.values(), self.row, self.title])
        finally:
            for band in bands:
                band.remove()


def _log_levels(reading, index):
    """ln PSD of one spectrum by name."""
    return {"measured": reading.log_psd[index], "restored": reading.restored[index], "true": reading.background[index]}


def _over_uniform(reading, index, layer, head):
    """CLS attention over uniform attention, (token,)."""
    rows = reading.cls_attn[layer, index]
    row = rows.mean(axis=0) if head == ALL_HEADS else rows[head]
    return row * len(row)


def static_panel(readings: dict[str, Predictions]) -> Figure:
    """The first spectrum with noise, last layer, heads averaged, a column a model."""
    first = next(iter(readings.values()))
    noisy = np.flatnonzero(first.noisy.any(axis=1))
    index = int(noisy[0]) if len(noisy) else 0
    fig, axes = plt.subplots(2, len(readings), figsize=(5 * len(readings), 4.6), squeeze=False, sharex=True)
    for column, (weight, reading) in zip(axes.T, readings.items(), strict=True):
        draw_panel(reading, index, len(reading.cls_attn) - 1, ALL_HEADS, column, weight)
    plt.close(fig)  # shown once, where it is returned
    return fig


class AttentionControls:
    """Two rows of controls and the picture that follows them.

    Parameters
    ----------
    readings : name of a model -> what it makes of the same spectra
    """

    def __init__(self, readings: dict[str, Predictions]):
        first = next(iter(readings.values()))
        n_spectra = len(first.noisy)
        self.readings, self.all = readings, list(range(n_spectra))
        self.noisy = [int(index) for index in np.flatnonzero(first.noisy.any(axis=1))]
        self.drawn, self.picture, self._is_turning = AttentionPicture(readings), LiveOutput(), False
        label = {"description_width": "70px"}
        self.spectrum = widgets.SelectionSlider(
            options=self.all, description="spectrum", readout=False, style=label, layout=wide(560)
        )
        self.number = widgets.BoundedIntText(0, 0, n_spectra - 1, layout=wide(80))
        self.only_noisy = widgets.Checkbox(False, description="only noisy ones", indent=False, layout=wide(140))
        self.layer = widgets.Dropdown(description="layer", style=label, layout=wide(160))
        self.head = widgets.Dropdown(description="head", layout=wide(190))
        self.weight = widgets.Dropdown(
            options=list(readings), value=list(readings)[-1], description="model", layout=wide(190)
        )
        rows = [self.spectrum, self.number, self.only_noisy], [self.layer, self.head, self.weight]
        self.box = widgets.VBox([widgets.HBox(row) for row in rows])
        self._offer()
        self._connect()

    def show(self) -> None:
        """Show controls and picture in the running cell."""
        show_controls(self.box)
        self._draw()

    def _connect(self):
        self.spectrum.observe(self._slid, "value")
        self.number.observe(lambda change: self._go_to(change["new"]), "value")
        self.only_noisy.observe(self._choose, "value")
        self.weight.observe(self._turn_to, "value")
        for control in (self.layer, self.head):
            control.observe(self._changed, "value")

    def _offer(self):
        """Layers and heads of the chosen model (residual attention has one of each); the last layer, all heads."""
        n_layers, _, n_heads = self.readings[self.weight.value].cls_attn.shape[:3]
        if (len(self.layer.options), len(self.head.options)) != (n_layers, n_heads + 1):
            self.layer.options, self.head.options = range(n_layers), [ALL_HEADS, *range(n_heads)]
            self.layer.value, self.head.value = n_layers - 1, ALL_HEADS

    def _turn_to(self, _):
        self._is_turning = True  # one picture, not one for each control that follows
        self._offer()
        self._is_turning = False
        self._draw()

    def _changed(self, _):
        if not self._is_turning:
            self._draw()

    def _slid(self, change):
        self.number.value = change["new"]
        self._draw()

    def _go_to(self, index):
        """The spectrum itself, or the nearest of those offered."""
        self.spectrum.value = min(self.spectrum.options, key=lambda other: abs(other - index))
        self.number.value = self.spectrum.value

    def _choose(self, change):
        """Offer all spectra or those with noise, and stay as near as possible."""
        index = self.spectrum.value
        with self.spectrum.hold_trait_notifications():  # no picture of the first one in between
            self.spectrum.options = (self.noisy or self.all) if change["new"] else self.all
            self._go_to(index)

    def _draw(self):
        chosen = self.spectrum.value, self.layer.value, self.head.value, self.weight.value
        words = "spectrum {}, layer {}, head {}, {}".format(*chosen)
        self.picture.show_png(self.drawn.png(*chosen), words)
