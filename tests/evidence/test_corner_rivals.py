"""Other ways to a corner frequency, the bound, and what the benchmark of the workbench counts."""

import numpy as np
import pytest

from evidence.benchmarks.workbench import FIRST_SEED, asked_draws, over_ours, summary_of_series, summary_of_spectra
from evidence.corner_errors import row_of
from evidence.corner_rivals import bound, by_hand, log_least_squares
from evidence.device_series import draw_spectrum
from evidence.pages import fit_page
from evidence.pages.rendering import fill_parts
from nblib.project.paths import ROOT
from nblib.workbench.fit import fit_spectrum


def test_least_squares_of_logarithms_finds_a_clean_corner_and_hand_deletes_mains():
    """Planted bugs: the corner left relative to the axis' middle; bins of mains kept instead of the others."""
    drawn = draw_spectrum(4, 1, axis="log", n_segments=100)
    (corner,) = log_least_squares(drawn, np.ones(len(drawn.freqs), bool))
    assert corner == pytest.approx(drawn.corners[0], rel=0.25)
    dirty = draw_spectrum(4, 1, "mains", "linear", 100)
    left = by_hand(dirty)
    assert not left[dirty.freqs == 50].any() and not left[dirty.freqs == 152].any()
    assert left[dirty.freqs == 1].all() and left.mean() == pytest.approx(0.9, abs=0.01)


def test_the_bound_falls_with_the_root_of_the_averages_and_is_near_the_intervals():
    """Planted bug: the floor's amplitude taken at the first bin."""
    few, many = (draw_spectrum(4, 1, axis="log", n_segments=k) for k in (25, 100))
    clean = np.ones(len(few.freqs), bool)
    assert bound(few, clean)[0] == pytest.approx(2 * bound(many, clean)[0], rel=1e-6)
    fit = fit_spectrum(many.freqs, many.psd, 100)
    assert fit.corners[0].error == pytest.approx(bound(many, clean)[0], rel=0.3)
    row = row_of(fit.kept, many)
    covered = fit.corners[0].low <= many.corners[0] <= fit.corners[0].high
    assert (row["steps"][0] < 1.96) == covered


def test_a_corner_that_was_missed_lends_no_interval_of_another():
    """Planted bug: each true corner judged by the nearest interval, that of another one if it was missed."""
    drawn = draw_spectrum(5, 2, axis="log", n_segments=100)
    both = fit_spectrum(drawn.freqs, drawn.psd, 100, lorentzians=2)
    one = fit_spectrum(drawn.freqs, drawn.psd, 100, lorentzians=1)
    assert len(row_of(both.kept, drawn)["steps"]) == 2
    assert len(row_of(one.kept, drawn)["steps"]) == 1 and len(row_of(one.kept, drawn)["errors"]) == 2


def _draw(truth, ours, other):
    def row(errors, steps):
        return {"number": len(errors), "errors": errors, "described": True, "steps": steps}

    rows = {"ours": row(ours, [1.0] * len(ours)), "other": row(other, [3.0] * len(other))}
    return {"truth": truth, "bound": [0.1] * len(truth), "rows": rows}


def test_the_summary_counts_what_it_says():
    """Planted bugs: errors with their signs; the ratio of a way to itself; corners where there is none left out."""
    draws = [_draw([10.0], [-0.1], [0.8]), _draw([10.0], [0.1], [-0.8]), _draw([], [0.2], [])]
    draws[2]["rows"]["ours"] |= {"errors": [], "steps": []}
    summary = summary_of_spectra(draws)
    assert summary["ours"]["lorentzian where there is none"]["count"] == 1
    assert summary["other"]["off by more than 2"]["share"] == 1 and summary["ours"]["off by more than 2"]["share"] == 0
    assert summary["ours"]["covered"]["95%"]["share"] == 1 and summary["other"]["covered"]["95%"]["share"] == 0
    draws.append(_draw([10.0, 90.0], [0.1, 2.3], []))
    draws[3]["rows"]["ours"] |= {"number": 1, "steps": [1.0]}
    missed = summary_of_spectra(draws)["ours"]
    assert missed["covered"]["95%"]["share"] == 1
    assert missed["covered, of all true corners"]["95%"]["count"] == 3
    assert missed["covered, of all true corners"]["95%"]["of"] == 4
    pairs = [(draw, draw["rows"]["other"]) for draw in draws]
    assert over_ours(pairs, "ours")["ratio"] == pytest.approx(8)


def test_a_run_that_is_cut_short_has_some_of_every_cell():
    """Planted bug: one cell after the other, so that an hour gave clean spectra alone."""

    class Asked:
        spectra, nulls, hard, rivals, series, rival_series = 40, 14, 6, 6, 10, 4

    draws = asked_draws(Asked)
    cells = {cell for cell, _, _ in draws}
    assert {cell for cell, _, _ in draws[: len(cells)]} == cells
    assert len({(cell, seed) for cell, _, seed in draws}) == len(draws)
    assert sum(given.get("rivals", False) for cell, given, _ in draws if cell == "spectra, mains, log") == 6


def test_the_page_is_rendered_from_a_record_whatever_its_draws(monkeypatch):
    """Planted bugs: a name that the template asks for is not given; a row without draws ends the page."""
    draws = [_draw([10.0], [-0.1], [0.8]), _draw([10.0], [0.1], [-0.8]), _draw([], [], [])]
    cells = {"spectra, mains, linear": summary_of_spectra(draws)}
    energies = {"ours": {"energy": 0.301, "low": 0.29, "high": 0.31, "corners": 9}}
    cells["series, mains"] = summary_of_series([{"rows": energies}, {"rows": {"ours": None}}])
    record = {"cells": cells, "missing draws": 7, "commit": "abc", "first_seed": FIRST_SEED}
    read = fit_page.read_json
    monkeypatch.setattr(fit_page, "read_json", lambda path: record if path.stem == "workbench" else read(path))
    text = (ROOT / "docs" / "fit.md").read_text(encoding="utf-8")
    page = fill_parts(text, "fit", fit_page.numbers())
    assert "| 95 % intervals of the corner cover, mains | >= 0.90 | 1.000 [0.342, 1.000], n = 2 |" in page
    assert "| least possible (Cramer-Rao, truly clean bins) | \N{EN DASH} | 0." in page
    assert "7 of the draws asked for are missing" in page and "1.0 meV (n = 2)" in page
    assert fill_parts(page, "fit", fit_page.numbers()) == page
    assert len(page.splitlines()) < 300
