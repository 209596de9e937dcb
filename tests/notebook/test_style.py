"""Figure files: two formats, the same bytes twice, an index that keeps every entry."""

import re
from itertools import combinations

import matplotlib.pyplot as plt
import numpy as np
import pytest

from nblib.notebook.figures import save_figure, use_style
from nblib.project.paths import ROOT
from nblib.style import BACKGROUND, BY_HAND, COLOURS, FLAGGED, LINE_STYLES, SPECTRUM, stacked

LEAST_APART = 15.0  # CIE76, in Lab
# linear RGB to the cones' responses, and what a response becomes where its cone is missing: Vienot, Brettel and Mollon
# 1999, Color Research and Application 24, 243
TO_CONES = np.array([[17.8824, 43.5161, 4.11935], [3.45565, 27.1554, 3.86714], [0.0299566, 0.184309, 1.46709]])
VISIONS = {
    "normal": np.eye(3),
    "protan": np.array([[0, 2.02344, -2.52581], [0, 1, 0], [0, 0, 1]]),
    "deutan": np.array([[1, 0, 0], [0.494207, 0, 1.24827], [0, 0, 1]]),
}
TO_XYZ = np.array([[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]])  # sRGB, D65


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


def lab(colour, vision):
    """A colour as seen, in CIE Lab (D65)."""
    rgb = np.array([int(colour[at : at + 2], 16) for at in (1, 3, 5)]) / 255
    linear = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
    seen = np.linalg.solve(TO_CONES, VISIONS[vision] @ TO_CONES @ linear).clip(0, 1)
    ratio = TO_XYZ @ seen / TO_XYZ.sum(axis=1)
    x, y, z = np.where(ratio > (6 / 29) ** 3, np.cbrt(ratio), ratio / (3 * (6 / 29) ** 2) + 4 / 29)
    return np.array([116 * y - 16, 500 * (x - y), 200 * (y - z)])


def closest(colours, vision):
    """Smallest distance of two colours, and which."""
    return min((np.linalg.norm(lab(a, vision) - lab(b, vision)), a, b) for a, b in combinations(colours, 2))


@pytest.mark.parametrize("vision", VISIONS)
@pytest.mark.parametrize("colours", [COLOURS, (SPECTRUM, BACKGROUND, FLAGGED, BY_HAND)], ids=["lines", "detection"])
def test_no_two_colours_of_a_figure_look_alike(colours, vision):
    """Planted bug: grey and teal, 5 apart for protan readers."""
    assert closest(colours, vision)[0] >= LEAST_APART, closest(colours, vision)
    if vision == "protan":
        assert closest([*colours, "#2a9d8f"], vision)[0] < LEAST_APART


def test_lines_stay_apart_in_grey():
    lightness = [lab(colour, "normal")[0] for colour in COLOURS[:4]]
    assert (np.diff(lightness) > 8).all()
    assert len(set(LINE_STYLES)) == len(LINE_STYLES) == len(COLOURS)


def test_colours_stand_in_one_file():
    """Planted bug: the accent's number written into a plot; changing it would touch two files."""
    sources = [path for wing in ("nblib", "evidence", "notebooks") for path in (ROOT / wing).rglob("*.[pi][yp]*")]
    literal = re.compile(r"""#[0-9a-fA-F]{6}\b|colou?r=\\?["'](?!none)""")
    names = {path.name for path in sources if path.suffix in (".py", ".ipynb") and literal.search(_code_of(path))}
    assert names == {"style.py"}


def _code_of(path):
    """A source without what a notebook's cells put out."""
    lines = path.read_text(encoding="utf-8").splitlines()
    return "\n".join(line for line in lines if path.suffix == ".py" or line.startswith('    "'))


def test_a_stack_grows_with_its_rows():
    assert stacked(3, 2.0, beside=0.5) == (10.0, 6.5)
