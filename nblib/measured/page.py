"""The page of a batch that a person opens first: spectra under each other, the lines they share, every file."""

import base64
import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote

import numpy as np
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from nblib.measured.joint import MOST_CURVES, SHARED, Row, SharedLine, recurrent_rows, shared_lines
from nblib.measured.products import MAKER
from nblib.measured.recurrent import CLIP, Recurrent
from nblib.style import ACCENT, BACKGROUND, FLAGGED, SPECTRUM

TEMPLATE = Path(__file__).parent / "page.html.j2"
PANEL = 40  # spectra a figure
ROW_DB = 20.0  # between the base lines of neighbouring spectra
MOST_LABELS = 14  # shared lines that are named in the figure
LABEL_ROOM = 0.012  # of the axis, for the name of a line


def page(
    rows: Sequence[Row],
    title: str,
    figures: bool = True,
    template: Path = TEMPLATE,
    recurrent: Recurrent | None = None,
    **more: Any,
) -> str:
    """The page as HTML, one file without links to the outside.

    Parameters
    ----------
    rows : one per spectrum, and one per file that was not read
    title : of the page
    figures : draw the spectra
    recurrent : what was flagged on the average of all spectra, where that was asked; drawn first
    template, more : one that extends page.html.j2, and what it shows in addition
    """
    read = [row for row in rows if not row.problem]
    shared = shared_lines(read)
    common = [line for line in shared if line.count >= max(2, SHARED * len(read))]
    drawn = [row for row in (*recurrent_rows(recurrent), *read) if len(row.freqs)][:MOST_CURVES] if figures else []
    environment = Environment(
        loader=FileSystemLoader([template.parent, TEMPLATE.parent]),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
    )
    environment.filters["address"] = quote
    pictures = [drawn[start : start + PANEL] for start in range(0, len(drawn), PANEL)]
    return environment.get_template(template.name).render(
        title=title,
        read=read,
        refused=[row for row in rows if row.problem],
        shared=sorted(shared, key=lambda line: (-line.count, line.centre)),
        n_flags=sum(len(row.flags) for row in read),
        pictures=[base64.b64encode(_picture(part, common)).decode("ascii") for part in pictures],
        n_drawn=min(sum(bool(row.freqs) for row in read), MOST_CURVES) if figures else 0,
        recurrent=recurrent,
        clip=f"{CLIP:g}",
        **({"maker": MAKER} | more),
    )


def _picture(rows: Sequence[Row], common: Sequence[SharedLine]) -> bytes:
    """Spectra over their backgrounds under each other, flagged parts coloured, shared lines marked, as PNG."""
    from matplotlib.style import context

    with context("default"):  # whatever the style of a notebook says
        return _drawn(rows, common)


def _drawn(rows, common):
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(11, 1.3 + 0.38 * len(rows)), layout="constrained")
    FigureCanvasAgg(figure)
    ax = figure.subplots()
    for at, row in enumerate(rows):
        base, over = -ROW_DB * at, np.clip(row.over, -ROW_DB / 2, 1.2 * ROW_DB)
        ax.axhline(base, color=BACKGROUND, lw=0.4)
        ax.plot(row.freqs, base + over, lw=0.5, ls="-", color=SPECTRUM)
        beside = np.convolve(row.flagged, [1, 1, 1], "same") > 0  # one point alone would not be drawn
        ax.plot(row.freqs, base + np.where(beside, over, np.nan), lw=1.1, ls="-", color=FLAGGED)
    for line in common:
        ax.axvline(line.centre, color=ACCENT, lw=0.5, ls=":", zorder=0)
    freqs = np.concatenate([row.freqs for row in rows])
    scale = "log" if freqs.max() > 100 * freqs.min() else "linear"
    for line in _apart(sorted(common, key=lambda line: -line.count)[:MOST_LABELS], freqs, scale):
        ax.annotate(
            f"{line.centre:.5g} Hz",
            (line.centre, 1),
            xycoords=("data", "axes fraction"),
            xytext=(0, 3),
            textcoords="offset points",
            rotation=60,
            fontsize=7,
        )
    names = [row.file if len(row.file) <= 32 else f"...{row.file[-29:]}" for row in rows]
    ax.set_yticks([-ROW_DB * at for at in range(len(rows))], names, fontsize=7)
    ax.set(ylim=(-ROW_DB * (len(rows) - 0.4), 1.3 * ROW_DB), xlabel="Frequency [Hz]")
    ax.set_xscale(scale)
    stream = io.BytesIO()
    figure.savefig(stream, format="png", dpi=110, metadata={"Software": MAKER})
    return stream.getvalue()


def _apart(lines: Sequence[SharedLine], freqs, scale) -> list[SharedLine]:
    """Lines whose names do not lie on each other, earlier ones first."""
    place = np.log if scale == "log" else np.asarray
    room = LABEL_ROOM * (place(freqs.max()) - place(freqs.min()))
    kept: list[SharedLine] = []
    for line in lines:
        if all(abs(place(line.centre) - place(other.centre)) > room for other in kept):
            kept.append(line)
    return kept
