"""The figure of a spectrum in JupyterLab, on which ranges are dragged and flags are pointed at."""

from collections.abc import Callable
from typing import Any

import numpy as np
from ipympl.backend_nbagg import Canvas, FigureManager

from nblib.measured.drawing import DetectionFigure
from nblib.measured.editing import EditedDetection
from nblib.measured.figure import draw_bands
from nblib.measured.why import around
from nblib.style import CELL_WIDE, GREY

DECADES = 10**0.7  # least reach of a zoomed axis up and down: one power of ten is always on it
BESIDE = 0.1  # widths of a range shown on either side of it
CLICK = 4.0  # pixels; a shorter drag points at one place


class SpectrumCanvas:
    """Spectrum, background, flags and, hatched, flags that were removed; follows an EditedDetection.

    Parameters
    ----------
    dragged : called with the ends of a range, Hz, when one was dragged
    pointed : called with a frequency, Hz, when a place was clicked
    """

    def __init__(self, dragged: Callable[[float, float], None], pointed: Callable[[float], None]):
        self.drawn, self._dragged, self._pointed = DetectionFigure(CELL_WIDE), dragged, pointed
        self.ax = self.drawn.ax
        self.canvas = Canvas(self.drawn.figure)
        self.canvas.header_visible = self.canvas.footer_visible = self.canvas.resizable = False
        self.canvas.toolbar_visible = False
        FigureManager(self.canvas, 0)  # which is what sends the picture
        self._start: tuple[float, float] | None = None  # of a drag: pixel and Hz
        self._hatched: list = []
        for name, action in (
            ("button_press_event", self._pressed),
            ("motion_notify_event", self._moved),
            ("button_release_event", self._released),
        ):
            self.canvas.mpl_connect(name, action)

    def look_at(self, edited: EditedDetection, low: float | None = None, high: float | None = None) -> None:
        """Show a range, Hz, and a little beside it; the whole spectrum for None. Raises ValueError for an empty one."""
        self._span = None if low is None or high is None else around(edited.measured.freqs, low, high, BESIDE)
        inside = self._span or slice(None)
        freqs, levels = edited.measured.freqs[inside], edited.measured.psd[inside]
        levels = levels[np.isfinite(levels) & (levels > 0)]
        if not len(levels):
            raise ValueError(f"nothing was measured around {low:g}..{high:g} Hz; give a range on the axis")
        middle = np.sqrt(levels.min() * levels.max())
        reach = max(1.5 * levels.max() / middle, DECADES)
        self._limits = {"xlim": freqs[freqs > 0][[0, -1]], "ylim": (middle / reach, middle * reach)}

    def draw(self, edited: EditedDetection) -> None:
        """Draw the detection as it stands, in the range that is looked at, and send it."""
        self.drawn.show(edited.measured, edited.detection, self._span)
        for patch in self._hatched:
            patch.remove()
        style: dict[str, Any] = {"facecolor": "none", "edgecolor": GREY, "hatch": "///", "alpha": 0.5, "lw": 1}
        half = np.median(np.diff(edited.measured.freqs)) / 2
        self._hatched = [self.ax.axvspan(flag.fmin - half, flag.fmax + half, **style) for flag in edited.left_out]
        self.ax.set(**self._limits)  # no scale jumps
        self.canvas.draw()

    def mark(self, low: float, high: float) -> None:
        """Show a flag by hand, Hz, on the picture as it is, at once: `draw` follows and takes longer."""
        band = draw_bands(self.ax, [(low, high)], by_hand=True)
        self.ax.draw_artist(band)
        band.remove()
        self.canvas.blit()

    def _pressed(self, event):
        self._start = (event.x, event.xdata) if event.inaxes is self.ax and event.button == 1 else None

    def _moved(self, event):
        if self._start:
            bottom, top = self.ax.bbox.y0, self.ax.bbox.y1
            self.canvas.toolbar.draw_rubberband(event, self._start[0], bottom, self._inside(event.x), top)

    def _released(self, event):
        if not self._start:
            return
        (pixel, first), self._start = self._start, None
        self.canvas.toolbar.remove_rubberband()
        end = self._inside(event.x)
        if abs(end - pixel) < CLICK:
            self._pointed(first)
            return
        last = float(self.ax.transData.inverted().transform((end, self.ax.bbox.y0))[0])
        self._dragged(min(first, last), max(first, last))

    def _inside(self, pixel):
        return min(max(pixel, self.ax.bbox.x0), self.ax.bbox.x1)
