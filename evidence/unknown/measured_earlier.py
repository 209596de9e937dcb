"""The detector of an earlier commit at the frozen sites of the measured spectra, by its two scores and its thresholds.

That version had two scores: by `scores` it flagged, and `ranks`, which left the background's uncertainty out, were to
order the bins of one spectrum. Lines, quiet cells and limits are those of measured_trials.
"""

from evidence.earlier import Scorer
from evidence.unknown.measured_trials import AREAS, DETECTOR, HEIGHTS, WIDTHS, Methods, by_instrument, difference
from nblib.cells import WIDE_CELL, cell_scores

LINES = tuple(f"{width:g}, {height:g}" for width in WIDTHS for height in HEIGHTS)  # none of a fixed SNR
SCORE, RANKS, SHIPPED = "earlier score", "earlier ranks", "earlier shipped"
PAIRS = ((DETECTOR, SCORE), (DETECTOR, RANKS), (SCORE, RANKS), ("shipped", SHIPPED))


def cells_with(score: Scorer) -> Methods:
    """Methods of measured_trials.recalls: both scores, and the chance at which the thresholds of that version flag."""

    def cells(freqs, psd, n_segments, plan):
        rows = score(freqs, psd, n_segments)
        return {
            "score": cell_scores(rows["scores"], WIDE_CELL),
            "ranks": cell_scores(rows["ranks"], WIDE_CELL),
            "chance": -cell_scores(-rows["chance"], WIDE_CELL),
        }

    return cells


def beside_the_present(earlier: dict[str, dict], present: dict[str, dict], instruments: dict[str, str]) -> dict:
    """Means over instruments and paired differences, by area.

    Parameters
    ----------
    earlier, present : `recalls` by spectrum, of the same lines
    instruments : by spectrum

    Returns
    -------
    "recall" of the earlier version's SCORE, RANKS and SHIPPED, and of the present DETECTOR and "shipped";
    "differences" of PAIRS; "in hindsight", what best_by_width has of all methods of both
    """
    rows = {
        spectrum: present[spectrum] | {f"earlier {name}": lines for name, lines in methods.items()}
        for spectrum, methods in earlier.items()
    }
    summary: dict[str, dict] = {"recall": {}, "differences": {}, "in hindsight": {}}
    for area in (f"{value:.0%}" for value in AREAS):
        names = (SCORE, RANKS, SHIPPED, DETECTOR, "shipped")
        values = {name: by_instrument(rows, instruments, name, area) for name in names}
        summary["recall"][area] = {name: sum(row.values()) / len(row) for name, row in values.items()}
        summary["differences"][area] = {
            f"{one} - {other}": difference(values[one], values[other]) for one, other in PAIRS
        }
        summary["in hindsight"][area] = best_by_width(rows, instruments, area)
    return summary


def best_by_width(by_spectrum: dict[str, dict], instruments: dict[str, str], area: str) -> float:
    """Mean over widths of what the best method of each finds at equal area, picked when all is known.

    Parameters
    ----------
    by_spectrum : `recalls` by spectrum; what thresholds of their own flag does not count
    """
    widths = {line.split(",")[0] for methods in by_spectrum.values() for lines in methods.values() for line in lines}
    best = []
    for width in widths:
        rows = {
            spectrum: {name: _of_width(lines, width) for name, lines in methods.items() if "shipped" not in name}
            for spectrum, methods in by_spectrum.items()
        }
        values = [
            by_instrument(rows, instruments, name, area) for name in {name for row in rows.values() for name in row}
        ]
        best.append(max(sum(row.values()) / len(row) for row in values if row))
    return sum(best) / len(best)


def _of_width(lines, width):
    """`recalls` of one method, the lines of one width."""
    return {line: by_area for line, by_area in lines.items() if line.split(",")[0] == width}
