"""Spectra of one set-up: what the benchmark draws is what it says, and the thresholds that ship are the record's."""

import numpy as np

from evidence.unknown.stacks import Draw, draw_stack, lines_found
from nblib.measured.detector import NoiseDetector
from nblib.measured.recurrent import CLIP, LEVELS, SHARP
from nblib.measured.statistic.thresholds import VERSION
from nblib.project.paths import benchmark_record
from nblib.project.records import read_json


def test_the_thresholds_that_ship_are_the_record_s():
    """Planted bug: a level changed by hand."""
    record = read_json(benchmark_record("together"))["levels"]
    assert {name: [list(row) for row in rows] for name, rows in LEVELS.items()} == record["found"]
    assert record["settings"] == {"draws": 400, "sharp": SHARP, "clip": CLIP, "statistic": VERSION}


def test_lines_of_a_stack_stand_in_as_many_spectra_and_as_high_as_asked():
    """Planted bug: half bins with the height of whole ones."""
    draw = Draw(n_spectra=4, n_segments=400, n_bins=300, grids=True, height=20.0, in_spectra=3, single=(50.0, 3))
    spectra, sites, begin = draw_stack(draw, (1, 2), NoiseDetector())
    assert [len(one.freqs) == 300 for one in spectra] == [True, False, True, False]
    ratios = [[float(np.interp(site, one.freqs, one.ratio)) for site in sites] for one in spectra]
    assert np.allclose(ratios[0], 21, rtol=0.3) and np.allclose(ratios[3], 1, rtol=0.3)
    inside = sites <= spectra[1].freqs[-1]
    assert np.allclose(np.array(ratios[1])[inside], 41, rtol=0.3)
    assert lines_found(spectra[0].ranges, sites) == 5
    alone = [one.ratio[(one.freqs >= begin) & (one.freqs <= begin + 2)].mean() for one in spectra]
    assert alone[0] > 30 and max(alone[1:]) < 2
