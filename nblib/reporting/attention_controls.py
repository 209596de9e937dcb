"""The controls over test spectra and attention in JupyterLab."""

import ipywidgets as widgets
import numpy as np

from nblib.prediction import Predictions
from nblib.reporting.explorer import ALL_HEADS, AttentionPicture
from nblib.reporting.live import LiveOutput, show_controls


class AttentionControls:
    """Two rows of controls and the picture that follows them.

    Parameters
    ----------
    readings : lambda (as text) -> what that model makes of the same spectra
    """

    def __init__(self, readings: dict[str, Predictions]):
        first = next(iter(readings.values()))
        n_layers, n_spectra, n_heads = first.cls_attn.shape[:3]
        self.all = list(range(n_spectra))
        self.noisy = [int(index) for index in np.flatnonzero(first.noisy.any(axis=1))]
        self.drawn, self.picture = AttentionPicture(readings), LiveOutput()
        label = {"description_width": "70px"}
        self.spectrum = widgets.SelectionSlider(
            options=self.all, description="spectrum", readout=False, style=label, layout=_wide(560)
        )
        self.number = widgets.BoundedIntText(0, 0, n_spectra - 1, layout=_wide(80))
        self.only_noisy = widgets.Checkbox(False, description="only noisy ones", indent=False, layout=_wide(140))
        self.layer = widgets.Dropdown(
            options=range(n_layers), value=n_layers - 1, description="layer", style=label, layout=_wide(160)
        )
        self.head = widgets.Dropdown(options=[ALL_HEADS, *range(n_heads)], description="head", layout=_wide(190))
        self.weight = widgets.Dropdown(
            options=list(readings), value=list(readings)[-1], description="lambda", layout=_wide(190)
        )
        rows = [self.spectrum, self.number, self.only_noisy], [self.layer, self.head, self.weight]
        self.box = widgets.VBox([widgets.HBox(row) for row in rows])
        self._connect()

    def show(self) -> None:
        """Show controls and picture in the running cell."""
        show_controls(self.box)
        self._draw()

    def _connect(self):
        self.spectrum.observe(self._slid, "value")
        self.number.observe(lambda change: self._go_to(change["new"]), "value")
        self.only_noisy.observe(self._choose, "value")
        for control in (self.layer, self.head, self.weight):
            control.observe(lambda change: self._draw(), "value")

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
        words = "spectrum {}, layer {}, head {}, lambda {}".format(*chosen)
        self.picture.show_png(self.drawn.png(*chosen), words)


def _wide(pixels):
    return widgets.Layout(width=f"{pixels}px")
