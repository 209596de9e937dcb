"""The earlier version of the detector at the frozen sites: a detector whose scores are known stands for it."""

from contextlib import contextmanager

import numpy as np
import pytest

from evidence.benchmarks import measured
from evidence.pages.rendering import render
from evidence.pages.unknown_page import earlier_version
from evidence.unknown import measured_earlier, measured_trials
from evidence.unknown.measured_spectra import MeasuredSpectrum
from nblib.project.records import read_json

INSTRUMENTS = {"a": "x", "b": "x", "c": "y"}


def scores(freqs, psd, n_segments):
    """Scores follow the line and ranks its mirror image; by the chance the line's own bin alone is flagged."""
    return {"scores": psd, "ranks": psd[::-1], "chance": np.where(psd > 1.5, 0.03, 1.0)}


@pytest.fixture
def asked(monkeypatch):
    """Commits asked for, and the scorer that is; two spectra with a site each."""
    sites = {"quiet": list(range(110)), "centres": {"1": [905], "5": [], "20": []}}
    monkeypatch.setattr(measured, "frozen_sites", lambda: {"a": sites, "b": sites})
    commits = []

    @contextmanager
    def scorer(commit):
        commits.append(commit)
        yield scores

    return commits, scorer


def spectrum(name):
    psd = 1 + 1e-3 * np.random.default_rng(0).normal(size=1200)
    return MeasuredSpectrum(name, name, 1, np.arange(1.0, 1201), psd, 64.0, "V^2/Hz")


def test_each_score_finds_what_it_orders_first(tmp_path, asked):
    """Planted bugs: scores and ranks swapped; the smallest chance of a cell lost, or its largest taken; lines of a
    fixed SNR tried as well."""
    record: dict = {}
    measured.measure_earlier(record, tmp_path / "record.json", "abc", 1, [spectrum("a")], asked[1])
    rows = record["earlier"]["spectra"]["a"]
    assert set(rows) == {"score", "ranks", "shipped"} and set(rows["score"]) == {"1, 0.5", "1, 1", "1, 2"}
    assert rows["score"]["1, 1"] == {"1%": 1.0, "5%": 1.0} and rows["ranks"]["1, 1"]["1%"] == 0.0
    assert rows["shipped"] == {
        line: {"1%": 0.0, "5%": found} for line, found in (("1, 0.5", 0.0), ("1, 1", 1.0), ("1, 2", 1.0))
    }


def test_what_is_measured_is_kept_and_another_commit_is_measured_anew(tmp_path, asked):
    """Planted bugs: measured a second time; the commit checked out where nothing is missing; rows of two commits."""
    (commits, scorer), path = asked, tmp_path / "record.json"
    record: dict = {"settings": {}}
    measured.measure_earlier(record, path, "abc", 1, [spectrum("a")], scorer)
    record["earlier"]["spectra"]["a"]["mark"] = {}
    for commit in ("abc", "abc", "def"):
        measured.measure_earlier(record, path, commit, 1, [spectrum("a"), spectrum("b")], scorer)
        marked = ["mark" in row for row in record["earlier"]["spectra"].values()]
        assert marked == [commit == "abc", False]
    assert commits == ["abc", "abc", "def"]
    kept = read_json(path)
    assert kept["earlier"] == record["earlier"] and kept["settings"] == {} and kept["earlier"]["commit"] == "def"


def rows_of(**values):
    """`recalls` of three spectra; each value is the share found at 1 %, of the second spectrum 0.2 less."""
    return {
        name: {
            method: {"1, 1": {"1%": value - less, "5%": value - less + 0.1}, "1, SNR 3": {"1%": 0.0, "5%": 0.0}}
            for method, value in values.items()
        }
        for name, less in (("a", 0.0), ("b", 0.2), ("c", 0.0))
    }


@pytest.fixture
def summary():
    then, now = rows_of(score=0.6, ranks=0.4, shipped=0.3), rows_of(detector=0.65, shipped=0.5)
    return measured_earlier.beside_the_present(then, now, INSTRUMENTS)


def test_the_earlier_version_is_taken_from_the_present_one(summary):
    """Planted bugs: scores and ranks swapped; the present thresholds in the place of the earlier ones; earlier less
    present; spectra in the place of instruments."""
    assert summary["recall"]["1%"] == pytest.approx(
        {"earlier score": 0.55, "earlier ranks": 0.35, "earlier shipped": 0.25, "detector": 0.6, "shipped": 0.45}
    )
    differences = {pair: (row["mean"], row["instruments"]) for pair, row in summary["differences"]["5%"].items()}
    assert {pair: round(mean, 9) for pair, (mean, _) in differences.items()} == {
        "detector - earlier score": 0.05,
        "detector - earlier ranks": 0.25,
        "earlier score - earlier ranks": 0.2,
        "shipped - earlier shipped": 0.2,
    }
    assert {number for _, number in differences.values()} == {2}


def test_the_best_of_each_width_is_a_bound_on_choosing_among_methods():
    """Planted bugs: the best of all widths; thresholds of their own counted; spectra in the place of instruments."""

    def row(narrow, wide, shipped):
        lines = [{"1, 1": {"1%": one}, "20, 1": {"1%": other}} for one, other in (narrow, wide, (shipped, shipped))]
        return dict(zip(("median", "detector", "earlier shipped"), lines, strict=True))

    rows = {"a": row((0.8, 0.1), (0.5, 0.6), 1.0), "b": row((0.2, 0.1), (0.1, 0.0), 1.0)}
    assert measured_earlier.best_by_width(rows, {"a": "A", "b": "A"}, "1%") == pytest.approx((0.5 + 0.3) / 2)
    rows["c"] = row((0.1, 0.1), (0.0, 0.6), 1.0)
    assert measured_earlier.best_by_width(rows, {"a": "A", "b": "A", "c": "C"}, "1%") == pytest.approx((0.3 + 0.45) / 2)


def test_a_part_alone_is_summed_up_when_the_spectra_are_there(monkeypatch):
    """Planted bugs: a sum over the spectra that are there alone; the rows of the spectra lost by the sum."""
    monkeypatch.setattr(measured, "summary", lambda *_: {})
    spectra = [MeasuredSpectrum(name, one, 1, *[np.ones(1)] * 2, None, "") for name, one in INSTRUMENTS.items()]
    then, now = rows_of(score=0.6, ranks=0.4, shipped=0.3), rows_of(detector=0.65, shipped=0.5)
    record = {"earlier": {"commit": "abc", "spectra": then}, "spectra": {"a": now["a"]}}
    measured.sum_up(record, spectra)
    assert record["earlier"] == {"commit": "abc", "spectra": then}
    record["spectra"] = now
    measured.sum_up(record, spectra)
    assert record["earlier"]["spectra"] == then and set(record["earlier"]) == {
        *("commit", "spectra", "recall", "differences", "in hindsight")
    }


def test_the_page_has_the_record(summary):
    """Planted bugs: scores and ranks swapped; 5 % in the place of 1 %; a page that needs what a record lacks."""
    name = "unknown.earlier_version"
    assert render(name, {"earlier": earlier_version({})}) == ""
    assert render(name, {"earlier": earlier_version({"earlier": {"commit": "abc", "spectra": {}}})}) == ""
    text = render(name, {"earlier": earlier_version({"earlier": {"commit": "abc"} | summary})})
    assert "(commit abc) finds 0.550 of the lines' cells at 1 % flagged and 0.650 at 5 % by the score" in text
    assert "0.350 and 0.450 by `ranks`" in text and "0.250 and 0.350 at the thresholds that shipped with it" in text
    assert "| detector - earlier ranks | 0.250 [0.250, 0.250] | 0.250 [0.250, 0.250] |" in text
    assert measured_trials.DETECTOR in text
