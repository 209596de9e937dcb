"""Injections: places are free, thresholds are fair, differences are paired."""

import os
from pathlib import Path

import numpy as np
import pytest

from evidence.unknown.background_baselines import iterated_clipping, running_median_filter
from evidence.unknown.injections import (
    AREAS,
    Benchmark,
    Stretch,
    paired_difference,
    reach,
    real_stretches,
    table,
)

REAL = os.environ.get("NBLIB_REAL_DATA")


def _stretch(name="one", seed=0):
    rng = np.random.default_rng(seed)
    freqs = np.arange(1.0, 2001.0)
    listed = np.zeros(2000, dtype=bool)
    listed[500] = True
    psd = rng.gamma(64, 1 / 64, 2000)
    psd[500] *= 50
    return Stretch(name, freqs, psd, freqs > 20, 64.0, listed)


def _knows(freqs, psd, valid, n_segments):
    """The spectra of a table are one spectrum with different lines: a score that knows the clean one."""
    return psd / _stretch().psd - 1


def _chance(freqs, psd, valid, n_segments):
    return np.random.default_rng(0).random(psd.shape)


def test_places_keep_clear_of_listed_lines_and_gaps():
    bench = Benchmark([_stretch()], n_places=40)
    for here in bench.places(_stretch(), [running_median_filter(101, (1,))]):
        assert len(here.centres) or here.width == 60
        assert (np.abs(here.centres - 500) > reach(here.width)).all()
        assert (here.centres - reach(here.width) >= 20).all()


@pytest.mark.slow
def test_a_score_that_knows_finds_all_and_chance_finds_the_flagged_area():
    bench = Benchmark([_stretch()], n_places=30)
    places = bench.places(_stretch(), [])
    found = {
        name: {"one": bench.recalls(m, _stretch(), places)} for name, m in {"all": _knows, "none": _chance}.items()
    }
    means = table(found)
    assert means["all"] == {"1%": 1.0, "5%": 1.0}
    assert means["none"]["5%"] == pytest.approx(0.05, abs=0.03)
    difference, low, high = paired_difference(found["all"], found["none"], 0.05)
    assert low <= difference <= high and difference == pytest.approx(means["all"]["5%"] - means["none"]["5%"])


def test_methods_flag_the_same_area_of_the_spectrum_as_measured():
    bench, stretch = Benchmark([_stretch()]), _stretch()
    for method in (running_median_filter(101, (1, 2, 3)), iterated_clipping(101, (1, 2, 3))):
        quiet = bench.quiet_scores(method, stretch)
        for area in AREAS:
            share = np.nanmean(quiet[~np.isnan(quiet)] > np.nanquantile(quiet, 1 - area))
            assert share == pytest.approx(area, abs=0.006)
        assert np.isnan(quiet[[49, 50, 51]]).all()  # the listed line and its neighbours


def test_a_method_must_return_a_score_a_bin():
    with pytest.raises(ValueError, match="one score a bin"):
        Benchmark([_stretch()]).quiet_scores(lambda *_: np.zeros((1, 3)), _stretch())


@pytest.mark.skipif(not REAL, reason="NBLIB_REAL_DATA names no folder with measured spectra")
def test_the_measured_stretches_are_read():
    stretches = real_stretches(Path(REAL))
    assert [stretch.n_segments for stretch in stretches] == [63, 63, 63, 152]
    assert all(stretch.listed.any() and np.isfinite(stretch.psd[stretch.valid]).all() for stretch in stretches)


def test_missing_files_are_named(tmp_path):
    with pytest.raises(ValueError, match="ligo_o1"):
        real_stretches(tmp_path)
