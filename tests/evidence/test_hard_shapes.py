"""The draws and judgements of evidence/benchmarks/hard_shapes.py, with detectors whose flags are known."""

from types import SimpleNamespace

import numpy as np
import pytest

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
