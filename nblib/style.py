"""Colours, line styles and sizes of every figure; nothing else sets a colour."""

from cycler import cycler

# any two are at least 15 apart in Lab, for deutan and protan readers too (tests/notebook/test_style.py); the first four
# go from dark to light, so that lines stay apart in grey; the line style says it again
COLOURS = ("#08306b", "#c2410c", "#0c8fb0", "#ee9f65", "#8c8c8c", "#9670e6", "#000000", "#79c625")
LINE_STYLES = ("-", "--", "-.", ":", (0, (5, 1, 1, 1)), (0, (1, 1)), (0, (3, 1, 1, 1, 1, 1)), (0, (8, 2)))
MAIN, ACCENT, SECOND, MARKED, GREY, _, INK, _ = COLOURS  # INK : reference lines; GREY : what was measured, and shading
STYLE = {
    "figure.dpi": 100,
    "savefig.dpi": 200,
    "figure.constrained_layout.use": True,
    "font.size": 9,
    "axes.titlesize": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "grid.alpha": 0.25,
    "grid.linewidth": 0.5,
    "lines.linewidth": 1.2,
    "legend.frameon": False,
    "legend.fontsize": 8,
    "axes.prop_cycle": cycler(color=COLOURS, linestyle=LINE_STYLES),
    "pdf.fonttype": 42,
    "svg.hashsalt": "nblib",
    "axes.formatter.useoffset": False,
}

# what a figure of one detection shows
SPECTRUM, BACKGROUND, FLAGGED, BY_HAND = GREY, MAIN, ACCENT, SECOND

# sizes of figures, inches
SMALL, WIDE, LARGE = (6.5, 3.5), (8.0, 3.3), (8.5, 4.2)  # one panel
CELL_WIDE = (8.2, 3.6)  # as wide as a cell beside JupyterLab's list of files
PAIR, TALL_PAIR, GRID = (9.5, 3.2), (10.0, 4.3), (11.5, 5.0)  # panels side by side; two rows of three


def stacked(n_rows: int, each: float, width: float = 10.0, beside: float = 0.0) -> tuple[float, float]:
    """Size of a figure of rows, each so high; beside : what title and labels take."""
    return width, beside + each * n_rows
