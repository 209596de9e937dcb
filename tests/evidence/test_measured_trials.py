"""Injections into the measured spectra of the project: frozen sites, fair thresholds, whole instruments."""

import dataclasses
from functools import partial

import numpy as np
import pytest

from evidence.benchmarks import measured
from evidence.unknown import measured_trials as trials
from evidence.unknown.measured_rivals import CONSTANT_Q, FAMILIES, MEDIAN, RIVALS
from evidence.unknown.measured_spectra import MeasuredSpectrum, measured_spectra
from evidence.unknown.measured_variants import VARIANTS, variant
from nblib.cells import WIDE_CELL


def test_places_and_quiet_cells_are_the_frozen_ones(monkeypatch):
    """Planted bug: one centre moved by a bin."""
    sites, spectra = trials.frozen_sites(), measured_spectra()
    assert list(sites) == sorted(one.name for one in spectra)
    for one in spectra:
        row = sites[one.name]
        assert max(row["quiet"]) < -(-len(one.psd) // WIDE_CELL)
        for width, centres in row["centres"].items():
            reach = int(float(width) * np.sqrt(2 * np.log(8)))
            assert 1 <= len(centres) <= 20
            assert reach <= min(centres) and max(centres) < len(one.psd) - reach
    sites["gbt"]["centres"]["1"][0] += 1
    monkeypatch.setattr(trials, "read_json", lambda _: sites)
    with pytest.raises(ValueError, match="check data/measured out again"):
        trials.frozen_sites()


def _spectrum(n_bins=1200, seed=0):
    psd = np.random.default_rng(seed).gamma(64, 1 / 64, n_bins)
    return MeasuredSpectrum("one", "one", 1, np.arange(1.0, n_bins + 1), psd, 64.0, "V^2/Hz")


def _sites(n_bins, n_quiet):
    return {"quiet": list(range(n_quiet)), "centres": {"1": [n_bins // 2], "5": [], "20": []}}


def test_a_clear_line_is_found_by_every_method_and_few_quiet_cells_count_at_five_percent_only():
    """Planted bug: 1 % of 40 quiet cells, which is not even one."""
    recalls = trials.recalls(_spectrum(), _sites(1200, 110), 1, only=["1, 2"])
    assert set(recalls) == {trials.DETECTOR, trials.CLASSICAL, *RIVALS, trials.MEDIAN_ODDS, "shipped"}
    assert all(rows["1, 2"] == {"1%": 1.0, "5%": 1.0} for rows in recalls.values())
    few = trials.recalls(_spectrum(500), _sites(500, 40), 1, partial(trials.cells_of, rivals={}), ["1, 2"])
    assert set(few[trials.DETECTOR]["1, 2"]) == {"5%"} and set(few["shipped"]["1, 2"]) == {"1%", "5%"}


def test_instruments_count_once_however_many_spectra_they_have():
    """Planted bug: the mean over spectra."""
    rows = {name: {"m": {"1, 1": {"5%": value}}} for name, value in {"a": 0.0, "b": 1.0, "c": 1.0}.items()}
    means = trials.by_instrument(rows, {"a": "x", "b": "x", "c": "y"}, "m", "5%")
    assert means == {"x": 0.5, "y": 1.0}
    assert trials.by_instrument(rows, {"a": "x", "b": "x", "c": "y"}, "m", "1%") == {}


def test_means_over_the_lines_of_a_width_leave_the_mean_of_an_instrument():
    """Planted bug: lines of a fixed signal-to-noise ratio joined with those of a height."""
    rng = np.random.default_rng(4)
    lines = [
        f"{width:g}, {what}"
        for width in trials.WIDTHS
        for what in (*trials.HEIGHTS, *map("SNR {}".format, trials.SNRS))
    ]
    found = {"one": {line: {"1%": rng.random(), "5%": rng.random()} for line in lines}}
    joined = trials.by_width(found)
    assert len(joined["one"]) == 2 * len(trials.WIDTHS)
    for kind in (trials.BY_HEIGHT, trials.BY_SNR):
        for area in ("1%", "5%"):
            whole, short = (trials.by_instrument({"a": row}, {"a": "x"}, "one", area, kind) for row in (found, joined))
            assert short == pytest.approx(whole)


def test_differences_are_paired_by_instrument():
    """Planted bug: instruments of the two methods drawn apart; the interval would not be a point."""
    first = {str(n): n / 10 for n in range(8)}
    difference = trials.difference({name: value + 0.1 for name, value in first.items()}, first)
    assert difference["instruments"] == 8
    assert [difference[key] for key in ("mean", "low", "high")] == pytest.approx([0.1] * 3)


def test_a_rival_is_chosen_without_the_fold_it_is_reported_on():
    """Planted bug: chosen on all folds; then "a" would stand for fold 2 as well."""
    scores = {"a": {"x": 0.0, "y": 0.9}, "b": {"x": 0.5, "y": 0.0}}
    folds = {"x": 1, "y": 2}
    chosen = trials.chosen_on_others(scores, folds)
    assert chosen == {1: "a", 2: "b"} and trials.of_the_chosen(scores, folds, chosen) == {"x": 0.0, "y": 0.0}


def test_a_family_has_the_setting_that_other_folds_choose_and_what_it_finds_on_its_own():
    """Planted bugs: the best setting of all folds for every fold; the choice among medians alone; settings as rows."""
    spectra = [dataclasses.replace(_spectrum(20), name=name, instrument=name, fold=n) for n, name in enumerate("vwxyz")]
    first, best, _ = FAMILIES[CONSTANT_Q]
    found = {first: [0.6, 0.6, 0.6, 0.6, 0.8], best: [0.7, 0.7, 0.7, 0.7, 0.1]}  # by fold
    names = (trials.DETECTOR, trials.CLASSICAL, *RIVALS, trials.MEDIAN_ODDS, "shipped")
    recalls = {
        one.name: {name: {"1, 1": dict.fromkeys(("1%", "5%"), found.get(name, [0.2] * 5)[one.fold])} for name in names}
        for one in spectra
    }
    rows = measured.summary(recalls, spectra, trials.BY_HEIGHT)
    recall, chosen = rows["recall"]["1%"], rows["chosen"]["1%"]
    assert chosen[CONSTANT_Q] == chosen[measured.BEST_RIVAL] == {**dict.fromkeys("0123", first), "4": best}
    assert recall[CONSTANT_Q] == recall[measured.BEST_RIVAL] == pytest.approx((4 * 0.6 + 0.1) / 5)
    assert recall[MEDIAN] == recall["order-statistic CFAR"] == pytest.approx(0.2)
    assert set(recall) == {*names, *FAMILIES, measured.BEST_RIVAL} - rows["settings"]["1%"].keys()
    assert rows["settings"]["1%"][best] == pytest.approx((4 * 0.7 + 0.1) / 5)
    pair = f"{trials.DETECTOR} - {measured.BEST_RIVAL}"
    assert rows["differences"]["1%"][pair]["mean"] == pytest.approx(0.2 - recall[CONSTANT_Q])


def test_lines_of_a_fixed_detectability_have_it():
    """Planted bug: the sum of the shape instead of its square."""
    shape = np.exp(-0.5 * ((np.arange(500) - 250) / 5.0) ** 2)
    heights = {name: height for name, height, _ in trials._lines(5.0, shape, 64.0)}
    noise = np.random.default_rng(0).gamma(64, 1 / 64, (4000, 500)) - 1
    unit = np.std(noise @ shape) / (shape**2).sum()  # of a fitted height
    assert heights["5, SNR 5"] / unit == pytest.approx(5, rel=0.05)
    rows = {"a": {"m": {"1, 1": {"5%": 0.2}, "1, SNR 5": {"5%": 0.8}}}}
    assert trials.by_instrument(rows, {"a": "x"}, "m", "5%") == {"x": 0.2}
    assert trials.by_instrument(rows, {"a": "x"}, "m", "5%", trials.BY_SNR) == {"x": 0.8}


@pytest.mark.parametrize("name", VARIANTS[1:])
def test_a_copy_keeps_its_places_and_quiet_cells(name):
    """Planted bugs: sites not moved by the cut; a band quiet where half of it is."""
    psd = np.ones(1200)
    psd[[500, 900]] = 7.0
    one = MeasuredSpectrum("one", "one", 1, np.arange(1.0, 1201), psd, 64.0, "V^2/Hz")
    copy, sites = variant(one, {"quiet": list(range(0, 100)), "centres": {"1": [3, 500, 900], "20": [40]}}, name)
    centres = sites["centres"]["1"]
    assert (copy.psd[centres[-2:]] > 1.5).all() and len(copy.psd) == len(copy.freqs) < 1200
    assert set(copy.psd.argsort()[-2:].tolist()) == set(centres[-2:])
    frequencies = [copy.freqs[10 * cell] for cell in sites["quiet"]]
    assert max(frequencies) < 1000 < copy.freqs[10 * (sites["quiet"][-1] + 2)]
    few = variant(one, {"quiet": [50, 51], "centres": {"1": []}}, name)
    assert few is None
    if name == "log-averaged":
        assert copy.n_segments[0] == 64 and copy.n_segments[-1] > 128
