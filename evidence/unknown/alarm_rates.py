"""False alarms per spectrum and what is found at the same thresholds, on spectra that no threshold was drawn from."""

from collections.abc import Iterable, Sequence

import numpy as np
from scipy.stats import binomtest

from nblib.cells import WIDE_CELL, cell_labels
from nblib.measured.line_free.world import WideSpectrum
from nblib.measured.statistic.score import score_spectrum
from nblib.measured.statistic.thresholds import STATISTICS, limits_of
from nblib.measured.statistic.whitening import Plan

RATES = (0.01, 0.05)  # false alarms per spectrum that are asked


def exceeded(spectrum: WideSpectrum, known: bool, rates: Sequence[float] = RATES) -> dict[str, dict[float, np.ndarray]]:
    """Cells of 10 bins that each statistic flags, by statistic and rate.

    "combined" is what `nblib detect` flags; it is there only where the network is asked.

    Parameters
    ----------
    known : is K given
    """
    scored = score_spectrum(
        spectrum.psd, Plan.of(spectrum.freqs, spectrum.valid), spectrum.n_segments if known else None
    )
    flagged = {}
    for statistic, by_group in zip(STATISTICS, (scored.white.by_group, scored.by_group), strict=True):
        if statistic == "combined" and not scored.combined:
            continue
        chance = limits_of(scored, statistic).probability(by_group, scored.n_judged)
        flagged[statistic] = {rate: cell_labels(np.nan_to_num(chance, nan=1.0) < rate, WIDE_CELL) for rate in rates}
    return flagged


def share(count: int, total: int) -> dict[str, float]:
    """A share with its exact 95 % interval (Clopper and Pearson 1934, Biometrika 26, 404)."""
    low, high = binomtest(int(count), int(total)).proportion_ci(0.95)
    return {"share": count / total, "low": float(low), "high": float(high), "of": int(total)}


def pooled_rate(alarms: dict[str, dict], known: bool, rate: str, statistic: str = "combined") -> dict[str, float]:
    """Share over all classes of a record of alarm_rates by class name ("..., K known"), with its exact interval."""
    ending = "K known" if known else "K estimated"
    rows = [row[statistic][rate] for name, row in alarms.items() if name.endswith(ending)]
    return share(round(sum(row["share"] * row["of"] for row in rows)), sum(row["of"] for row in rows))


def alarm_rates(spectra: Iterable[WideSpectrum], known: bool) -> dict[str, dict[str, dict[str, float]]]:
    """Share of line-free spectra with any flagged cell, by statistic and rate asked ("1%")."""
    return _shares((flagged, None) for flagged in (exceeded(row, known) for row in spectra))


def found_cells(spectra: Iterable[WideSpectrum], known: bool) -> dict[str, dict[str, dict[str, float]]]:
    """Share of truly noisy cells that are flagged, by statistic and rate asked; intervals take cells as independent."""
    return _shares((exceeded(row, known), cell_labels(row.noisy, WIDE_CELL)) for row in spectra)


def _shares(rows):
    counts: dict[tuple[str, float], list[int]] = {}
    for flagged, truth in rows:
        for statistic, by_rate in flagged.items():
            for rate, cells in by_rate.items():
                hits, total = (int(cells.any()), 1) if truth is None else (int((cells & truth).sum()), int(truth.sum()))
                tally = counts.setdefault((statistic, rate), [0, 0])
                tally[0] += hits
                tally[1] += total
    result: dict[str, dict[str, dict[str, float]]] = {}
    for (statistic, rate), (hits, total) in counts.items():
        result.setdefault(statistic, {})[f"{rate:.0%}"] = share(hits, max(total, 1))
    return result
