"""All files of one command together: the joint table, and the lines that several spectra share."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from nblib.measured.drawing import envelope, parts_of
from nblib.measured.files.formats import PLAIN, Marks
from nblib.measured.flags import FLAG_COLUMNS
from nblib.measured.products import flag_cells, table_text
from nblib.measured.recurrent import Recurrent

JOINT_COLUMNS = ("file", *FLAG_COLUMNS)
CURVE_POINTS = 300  # of one spectrum on the page
MOST_CURVES = 120  # spectra drawn on the page; the tables hold all
SHARED = 0.5  # of the spectra; lines in as many are marked in the figure of all


@dataclass(frozen=True)
class Row:
    """One spectrum of a batch, or one file that was not read.

    Attributes
    ----------
    file : the file, and the spectrum's name where it holds several
    results : NAME of its results, beside or below the joint table: a relative path without ending; "" where none were
        written
    figures : "png", "pdf": which of them there are
    flags : as Flag.as_row gives them
    step : width of a bin, Hz
    problem : why the file was not read; ""
    freqs, over : Hz and dB over the background, the least and the largest of some parts of the axis
    flagged : of each of those points
    is_edited : results changed by hand lie beside it
    """

    file: str
    results: str = ""
    figures: tuple[str, ...] = ()
    flags: tuple[dict, ...] = ()
    step: float = 0.0
    problem: str = ""
    freqs: tuple[float, ...] = ()
    over: tuple[float, ...] = ()
    flagged: tuple[bool, ...] = ()
    is_edited: bool = False

    def as_dict(self) -> dict:
        """Plain numbers, for JSON."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: dict) -> "Row":
        """What as_dict gave, read from JSON."""
        plain: dict[str, Any] = {
            name: tuple(value) if isinstance(value, list) else value for name, value in values.items()
        }
        return cls(**plain)


def row_of(file: str, results: str, figures: tuple[str, ...], measured, detection, with_curve: bool = True) -> Row:
    """What the joint table and page need of one spectrum; with_curve : it is drawn on the page."""
    flags = tuple(flag.as_row() for flag in detection.flags)
    step = float(np.median(np.diff(measured.freqs)))
    if not with_curve:
        return Row(file, results, figures, flags, step)
    positive = measured.freqs > 0
    freqs, flagged = measured.freqs[positive], detection.flagged[positive]
    over = 10 / np.log(10) * (np.log(measured.psd) - detection.background)[positive]
    starts = parts_of(freqs, "log", CURVE_POINTS)
    inside = np.maximum.reduceat(flagged, starts)
    inside = inside if len(starts) == len(freqs) else np.repeat(inside, 2)
    freqs, over = envelope(freqs, over, "log", CURVE_POINTS)
    points = [f"{value:.4g}" for value in np.clip(np.nan_to_num(over, nan=0.0), -99, 99)]
    return Row(
        file,
        results,
        figures,
        flags,
        step,
        "",
        tuple(float(f"{freq:.6g}") for freq in freqs),
        tuple(map(float, points)),
        tuple(map(bool, inside)),
    )


def recurrent_rows(recurrent: Recurrent | None) -> list[Row]:
    """The average of all spectra as one more row; none where it was not asked for."""
    if recurrent is None:
        return []
    return [row_of(recurrent.measured.label, "", (), recurrent.measured, recurrent.detection)]


@dataclass(frozen=True)
class SharedLine:
    """Flags of several spectra at one frequency.

    Attributes
    ----------
    fmin, fmax, centre : Hz, over all spectra; centre is the median
    count : spectra that have it
    files : of them
    causes : likely sources, the most frequent first
    excess : the median over the spectra
    """

    fmin: float
    fmax: float
    centre: float
    count: int
    files: tuple[str, ...]
    causes: tuple[str, ...]
    excess: float


def shared_lines(rows: Sequence[Row], least: int = 2) -> list[SharedLine]:
    """Flags whose centres agree within a bin in at least so many spectra, in order of frequency."""
    flags = sorted(
        ((flag["centre"], row.step, row.file, flag) for row in rows for flag in row.flags), key=lambda f: f[:3]
    )
    groups: list[list] = []
    for entry in flags:
        last = groups[-1][-1] if groups else None
        if last is not None and entry[0] - last[0] <= max(entry[1], last[1]) * (1 + 1e-6):
            groups[-1].append(entry)
        else:
            groups.append([entry])
    shared = []
    for group in groups:
        files = tuple(dict.fromkeys(entry[2] for entry in group))
        if len(files) >= least:
            own = [entry[3] for entry in group]
            causes = [flag["cause"].split(", harmonic")[0] for flag in own if flag["cause"]]
            shared.append(
                SharedLine(
                    min(flag["fmin"] for flag in own),
                    max(flag["fmax"] for flag in own),
                    float(np.median([flag["centre"] for flag in own])),
                    len(files),
                    files,
                    tuple(sorted(dict.fromkeys(causes), key=lambda cause: -causes.count(cause))),
                    float(np.median([flag["excess"] for flag in own])),
                )
            )
    return shared


def joint_csv(rows: Sequence[Row], marks: Marks = PLAIN) -> str:
    """One row per flag: file, then the columns of the flags of one file."""
    cells = ([row.file, *flag_cells(flag, marks)] for row in rows for flag in row.flags)
    return table_text([JOINT_COLUMNS, *cells], marks)
