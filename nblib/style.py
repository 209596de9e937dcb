"""Colours, line styles and sizes of every figure."""

from cycler import cycler

# dark to light, so that lines stay apart in grey; the line style says it again
COLOURS = ("#08306b", "#c2410c", "#2a9d8f", "#e9a23b", "#8c8c8c", "#7b2d8b", "#000000", "#6b8e23")
LINE_STYLES = ("-", "--", "-.", ":", (0, (5, 1, 1, 1)), (0, (1, 1)), (0, (3, 1, 1, 1, 1, 1)), (0, (8, 2)))
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
SPECTRUM, BACKGROUND, FLAGGED, BY_HAND = "0.55", COLOURS[0], COLOURS[1], COLOURS[2]
