"""The draws and judgements of evidence/benchmarks/hard_shapes.py, with detectors whose flags are known."""

from types import SimpleNamespace

import numpy as np
import pytest

from evidence.benchmarks import hard_shapes as benchmark
from evidence.pages.detector_page import _by_k
from evidence.unknown import hard_shapes as shapes
from nblib.measured.detector import NoiseDetector


class Flagging(NoiseDetector):
    """A stand-in that flags what a rule says of (freqs, psd), and keeps what it was shown."""

    def __init__(self, rule):
        super().__init__()
        self.rule, self.shown = rule, []

    def detect(self, freqs, psd, n_segments, false_alarm=0.01):
        """The flags of the rule, one a run of bins; the background is the spectrum itself."""
        flagged = self.rule(freqs, psd)
        self.shown.append(SimpleNamespace(freqs=freqs, psd=psd, n_segments=n_segments, false_alarm=false_alarm))
        edges = np.flatnonzero(np.diff(np.concatenate([[0], flagged.astype(int), [0]])))
        flags = [
            SimpleNamespace(fmin=freqs[low], fmax=freqs[high - 1])
            for low, high in zip(edges[::2], edges[1::2], strict=True)
        ]
        return SimpleNamespace(freqs=freqs, flags=flags, flagged=flagged, background=np.log(psd))


NOTHING = Flagging(lambda freqs, psd: np.zeros(len(freqs), dtype=bool))
ALL = Flagging(lambda freqs, psd: np.ones(len(freqs), dtype=bool))
HIGH = Flagging(lambda freqs, psd: psd > 8 * np.median(psd))


@pytest.mark.parametrize("place", [0, 2, -1, -3])
def test_a_line_stands_on_the_bin_that_is_asked_about(place):
    assert shapes.line_at_end(1, 2, place, HIGH) and not shapes.line_at_end(1, 2, place, NOTHING)
    shown = HIGH.shown[-1]
    assert np.argmax(shown.psd) == place % shapes.N_BINS
    assert shown.freqs[0] == shapes.FROM_ZERO * (shown.freqs[1] - shown.freqs[0])


@pytest.mark.parametrize(("kind", "n_bins"), [("rise, 6 bins", 6), ("rise, 30 bins", 30)])
def test_a_rise_reaches_its_height_at_the_last_bin(kind, n_bins):
    assert shapes.flagged_background(1, 2, kind, True, ALL)
    shown, seen = ALL.shown[-1].psd, []
    for log_factor in (None, np.zeros(shapes.N_BINS)):
        rng = np.random.default_rng([1, 2, len(kind)])
        seen.append(shapes._spectrum(rng, shapes.END_SEGMENTS, 1, log_factor).psd)
    factor = shown / seen[0]
    assert factor[-1] == pytest.approx(shapes.RISE) and (factor[: -n_bins - 1] == 1).all()
    assert (factor[-n_bins:] > 1).all() and (seen[0] == seen[1]).all()


def test_a_wall_falls_and_k_is_kept_back_where_it_is_not_known():
    assert not shapes.flagged_background(1, 2, "wall", False, NOTHING)
    shown = NOTHING.shown[-1]
    assert shown.n_segments is None and shown.psd[0] > 1e5 * shown.psd[40]


@pytest.mark.parametrize("first", benchmark.FIRSTS)
@pytest.mark.parametrize("kind", benchmark.LOW_RISES)
def test_a_rise_or_wall_at_the_low_end_stands_on_the_first_bins(kind, first):
    """Planted bugs: the rise at the last bins; an axis that begins at one bin width; a wall in bins instead of in f."""
    assert shapes.flagged_low_end(1, 2, kind, first, True, ALL)
    shown = ALL.shown[-1]
    assert shown.freqs[0] == first * (shown.freqs[1] - shown.freqs[0]) and shown.n_segments == shapes.END_SEGMENTS
    flat = shapes._spectrum(np.random.default_rng([1, 2, len(kind), first]), shapes.END_SEGMENTS, first)
    factor, n_bins = shown.psd / flat.psd, int(kind.split()[2])
    if kind.startswith("wall"):
        assert factor - 1 == pytest.approx((shown.freqs / shown.freqs[n_bins]) ** -6.0)
    else:
        assert factor[0] == pytest.approx(8) and (factor[:n_bins] > 1).all() and (factor[n_bins:] == 1).all()
    assert not shapes.flagged_low_end(1, 2, kind, first, False, NOTHING) and NOTHING.shown[-1].n_segments is None


def test_every_background_is_counted_with_k_known_and_estimated(monkeypatch):
    """Planted bug: the low end left out where K is estimated."""
    monkeypatch.setattr(shapes, "_flagged", lambda draw, known, detector: not known)
    rows = benchmark.rises(1, 2, NOTHING)
    assert len(rows) == 24 and {row["of"] for row in rows.values()} == {2}
    assert all(row["share"] == name.endswith("K estimated") for name, row in rows.items())
    shown = _by_k(rows, (", K known", ", K estimated"))
    assert [row["share"] for row in shown["wall, first 30 bins, axis from 50 bin widths"]] == [0, 1]


def test_a_hump_is_covered_in_whole_in_part_or_not_at_all():
    whole, none = (shapes.hump(1, 2, 60, detector) for detector in (ALL, NOTHING))
    assert (whole["flagged"], whole["sliver"], whole["covered"]) == (1, 0, 1)
    assert (none["flagged"], none["sliver"], none["covered"]) == (0, 0, 0)
    shown = ALL.shown[-1]
    assert shown.false_alarm == 0.05 and shown.n_segments == shapes.HUMP_SEGMENTS
    # this background is the spectrum itself: at the top it is too high by the hump
    assert np.log(1 + shapes.HUMP_RATIO) - 0.1 < whole["error"] < np.log(1 + shapes.HUMP_RATIO) + 0.6
    top = Flagging(lambda freqs, psd: (freqs > (c := freqs[np.argmax(psd[500:]) + 500]) - 20) & (freqs < c + 20))
    part = shapes.hump(1, 2, 60, top)
    assert (part["flagged"], part["sliver"]) == (1, 1) and part["covered"] < shapes.SLIVER


def test_lines_that_are_found_are_counted():
    given = (50, 8.0)
    assert shapes.lines_found(1, 2, *given, True, ALL) == shapes.LINES
    assert shapes.lines_found(1, 2, *given, True, NOTHING) == 0
    beyond = Flagging(lambda freqs, psd: (freqs > 500) & (psd > 5 * np.median(psd)))
    assert 0 < shapes.lines_found(1, 2, *given, True, beyond) < shapes.LINES
    assert shapes.in_deviations(8, 64) == 1.0
