"""A figure and a text that follow controls in JupyterLab: quick to redraw, and stored in the notebook as left.

Pictures are ordinary outputs of the cell, replaced in place, and not parts of a widget: a notebook that is opened again
without its kernel still shows the last one.
"""

import base64
import io
import uuid

import numpy as np
from matplotlib.artist import Artist
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from PIL import Image

AGAIN = "Run this cell again to move its controls."


class LiveFigure:
    """A figure whose artists move over a part that stays.

    The layout is found once, so axes do not jump. What stays is drawn once and kept as a bitmap; `png` draws only the
    moving artists over it, which takes a tenth of the time of a whole figure.

    Parameters
    ----------
    figure : not managed by pyplot, so that JupyterLab does not show it by itself
    """

    def __init__(self, figure: Figure):
        self.figure = figure
        self.canvas = FigureCanvasAgg(figure)
        figure.draw_without_rendering()  # places the axes
        figure.set_layout_engine("none")
        self.draw_still()

    def draw_still(self) -> None:
        """Draw everything but the artists marked as moving (`animated`); call it when the axes change."""
        self.canvas.draw()
        self._still = self.canvas.copy_from_bbox(self.figure.bbox)

    def png(self, moving: list[Artist] | None = None) -> bytes:
        """The figure as a PNG file, the moving artists in the order given over what stays."""
        self.canvas.restore_region(self._still)
        for artist in moving or []:
            if artist.axes is not None:
                artist.axes.draw_artist(artist)
        stream = io.BytesIO()
        pixels = Image.fromarray(np.asarray(self.canvas.buffer_rgba())).convert("RGB")
        pixels.save(stream, "png", compress_level=1)  # the default level takes as long as drawing
        return stream.getvalue()


class LiveOutput:
    """An output of a notebook's cell that is shown once and then replaced."""

    def __init__(self):
        self._name: str | None = None

    def show(self, bundle: dict[str, str]) -> None:
        """Show or replace; bundle : media type -> text, PNG in base64."""
        from IPython.display import display

        is_new = self._name is None
        self._name = self._name or uuid.uuid4().hex
        display(bundle, raw=True, display_id=self._name, update=not is_new)

    def show_png(self, png: bytes, words: str) -> None:
        """Show or replace a PNG; words : what a reader without pictures gets."""
        self.show({"image/png": base64.b64encode(png).decode("ascii"), "text/plain": words})


def show_controls(box) -> None:
    """Show a box of controls; where it cannot live, and in the file, the reader gets a sentence instead."""
    from IPython.display import display

    display(box._repr_mimebundle_() | {"text/plain": AGAIN}, raw=True)


def wide(pixels: int):
    """Layout of a control that is so wide."""
    from ipywidgets import Layout

    return Layout(width=f"{pixels}px")
