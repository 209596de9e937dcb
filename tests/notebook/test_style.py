"""Figure files: two formats, the same bytes twice, an index that keeps every entry."""

import matplotlib.pyplot as plt
import pytest

from nblib.notebook.figures import save_figure, use_style
from nblib.style import COLOURS, LINE_STYLES


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.setenv("NBLIB_RUNS", str(tmp_path))
    return tmp_path / "quick" / "figures"


def draw():
    use_style()
    fig, ax = plt.subplots()
    ax.plot([1, 2], [3, 4], label="line")
    ax.legend()
    plt.close(fig)
    return fig


@pytest.mark.slow
def test_the_same_figure_is_the_same_file(folder):
    """Planted bug: the PDF's creation date left in."""
    save_figure(draw(), "one", "A line.", "quick")
    first = {path.name: path.read_bytes() for path in folder.glob("one.*")}
    save_figure(draw(), "one", "A line.", "quick")
    assert sorted(first) == ["one.pdf", "one.png"]
    assert first == {path.name: path.read_bytes() for path in folder.glob("one.*")}
    assert b"CreationDate" not in first["one.pdf"]  # two saves within a second would share it


@pytest.mark.slow
def test_the_index_keeps_every_entry(folder):
    save_figure(draw(), "one", "A line.", "quick")
    save_figure(draw(), "two", "Another line.", "quick")
    save_figure(draw(), "one", "A better line.", "quick")
    index = (folder / "README.md").read_text()
    assert "![A better line.](one.png)" in index
    assert "Another line. (profile quick; [PDF](two.pdf))" in index
    assert "A line." not in index


def test_lines_stay_apart_in_grey():
    assert len(set(LINE_STYLES)) == len(LINE_STYLES) == len(COLOURS)
