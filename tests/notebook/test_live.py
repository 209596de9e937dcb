"""Live figures: only what moves is drawn again, outputs are replaced in place, controls leave words in the file."""

import base64
import io

import ipywidgets
import numpy as np
import pytest
from matplotlib.figure import Figure
from PIL import Image

from nblib import live
from nblib.live import LiveFigure, LiveOutput, show_controls


@pytest.fixture
def shown(monkeypatch):
    calls = []
    monkeypatch.setattr("IPython.display.display", lambda bundle, **how: calls.append((bundle, how)))
    return calls


def _pixels(png):
    return np.asarray(Image.open(io.BytesIO(png)))


def _figure():
    figure = Figure(figsize=(3, 2), layout="constrained")
    ax = figure.subplots()
    ax.plot([0, 1], [0, 1])
    (line,) = ax.plot([0, 1], [1, 0], animated=True)
    return LiveFigure(figure), ax, line


def test_what_moves_leaves_no_trace():
    """Planted bug: the bitmap kept with the moving artist on it, so that every place it had been stayed drawn."""
    drawn, _, line = _figure()
    empty, first = _pixels(drawn.png()), _pixels(drawn.png([line]))
    assert (empty != first).any()
    line.set_ydata([0.5, 0.5])
    assert (_pixels(drawn.png([line])) != first).any()
    line.set_ydata([1, 0])
    assert (_pixels(drawn.png([line])) == first).all()
    assert (_pixels(drawn.png()) == empty).all()


def test_new_axes_are_drawn_when_asked_and_do_not_move():
    drawn, ax, _ = _figure()
    before, place = _pixels(drawn.png()), ax.get_position().bounds
    ax.set_ylim(1e-6, 1e6)
    assert (_pixels(drawn.png()) == before).all()
    drawn.draw_still()
    assert (_pixels(drawn.png()) != before).any()
    assert ax.get_position().bounds == place  # wider tick labels push nothing


def test_an_output_is_shown_once_and_then_replaced(shown):
    """Planted bug: a figure more under the cell at every move of a slider."""
    one, other = LiveOutput(), LiveOutput()
    one.show_png(b"png", "words")
    one.show({"text/plain": "second"})
    other.show({"text/plain": "other"})
    (bundle, first), (_, second), (_, third) = shown
    assert base64.b64decode(bundle["image/png"]) == b"png" and bundle["text/plain"] == "words"
    assert [how["update"] for how in (first, second, third)] == [False, True, False]
    assert first["display_id"] == second["display_id"] != third["display_id"]


def test_controls_leave_a_sentence(shown):
    show_controls(ipywidgets.VBox())
    bundle, how = shown[0]
    assert bundle["text/plain"] == live.AGAIN
    assert how["raw"] and any("widget" in name for name in bundle)
