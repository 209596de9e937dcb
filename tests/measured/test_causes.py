"""Causes on a detection's flags: merged lines are split, hand-made flags are described."""

import dataclasses

import numpy as np
import pytest

from nblib.measured.causes import with_causes
from nblib.measured.editing import edited, flag_between
from nblib.measured.flags import Flag
from nblib.measured.result import Detection

FREQS = np.arange(1.0, 1001.0)


def _detection(lines, flags, n_segments=64.0):
    psd = np.random.default_rng(0).gamma(n_segments, 1 / n_segments, len(FREQS))
    for line in lines:
        psd += 30 * np.exp(-0.5 * ((FREQS - line) / 0.6) ** 2)
    zeros = np.zeros(len(FREQS))
    raised = [Flag(low, high, (low + high) / 2, 30.0, 1e-9, kind) for low, high, kind in flags]
    empty = Detection(FREQS, psd, zeros, zeros, 10.0, 0.01, zeros, raised, zeros > 1, n_segments, False)
    return edited(empty, raised)


def test_two_lines_in_one_range_become_two_flags():
    detection = with_causes(_detection([300.0, 306.0], [(298.0, 308.0, "line")]))
    assert len(detection.flags) == 2
    assert [round(flag.centre) for flag in detection.flags] == [300, 306]


def test_a_piece_that_the_threshold_would_not_flag_joins_the_stronger_one_beside_it():
    """Planted bugs: every piece a flag of its own; pieces of a range flagged by hand joined; joined to the weaker."""
    by_hand = _detection([290.0, 296.0, 302.0], [(288.0, 304.0, "line")])
    scores = np.where(np.abs(FREQS - 290) < 2, 50.0, np.where(np.abs(FREQS - 302) < 2, 11.0, 9.0))
    flags = with_causes(dataclasses.replace(by_hand, scores=scores)).flags
    assert [(flag.fmin, round(flag.centre), flag.fmax) for flag in flags] == [(288, 290, 297), (298, 302, 304)]
    assert len(with_causes(by_hand).flags) == 3


def test_one_line_stays_one_flag():
    assert len(with_causes(_detection([300.0], [(297.0, 303.0, "line")])).flags) == 1


def test_a_wide_foot_of_a_strong_line_is_no_hump():
    """Windows spread a line 50 dB high over a dozen bins. Planted bug: the detector's own "hump" kept."""
    detection = with_causes(_detection([300.0], [(294.0, 306.0, "hump")]))
    assert [flag.kind for flag in detection.flags] == ["line"]


def test_a_line_on_a_hump_is_cut_out_of_it_and_the_bins_stay_the_same():
    plain = _detection([], [(280.0, 360.0, "hump")])
    psd = plain.psd * (
        1 + 2 * np.exp(-0.5 * ((FREQS - 320) / 15) ** 2) + 300 * np.exp(-0.5 * ((FREQS - 332) / 0.6) ** 2)
    )
    detection = with_causes(dataclasses.replace(plain, psd=psd))
    assert [(flag.kind, flag.fmin <= 332 <= flag.fmax) for flag in detection.flags] == [
        ("hump", False),
        ("line", True),
        ("hump", False),
    ]
    assert detection.flags[1].fmax - detection.flags[1].fmin <= 5
    assert edited(detection, detection.flags).flagged.sum() == 81
    assert with_causes(detection).flags == detection.flags


def test_the_skirts_of_a_strong_line_are_part_of_its_flag():
    """A line 60 dB high leaks as 1/d^2. Planted bugs: skirts as flags of their own; a joined flag called a hump."""
    plain = _detection([], [(285.0, 315.0, "hump")], 400.0)
    away = np.abs(FREQS - 300)
    skirts = dataclasses.replace(
        plain, psd=plain.psd * (1 + np.where(away < 3, 1e6, 60 / np.maximum(away - 2, 1) ** 2))
    )
    detection = with_causes(skirts)
    assert [(flag.fmin, flag.fmax, flag.centre) for flag in detection.flags] == [(285, 315, pytest.approx(300, abs=2))]
    assert detection.flags[0].kind == "line"
    assert with_causes(detection).flags == detection.flags


def test_a_comb_of_mains_is_named_on_each_flag():
    lines = [50.0, 150.0, 250.0, 350.0]
    detection = with_causes(_detection(lines, [(line - 2, line + 2, "line") for line in lines]))
    assert [flag.cause for flag in detection.flags] == [f"50 Hz mains, harmonic {number}" for number in (1, 3, 5, 7)]


def test_a_flag_by_hand_is_described_and_its_bins_are_flagged():
    detection = _detection([300.0], [])
    flag = flag_between(detection, 298, 302)
    assert (flag.fmin, flag.fmax, flag.kind, flag.cause) == (298.0, 302.0, "line", "by hand")
    assert flag.centre == pytest.approx(300.0, abs=0.3) and 0 < flag.uncertainty < 0.5
    assert FREQS[edited(detection, [flag]).flagged].tolist() == [298.0, 299.0, 300.0, 301.0, 302.0]


@pytest.mark.parametrize("span", [(302, 298), (2000, 3000)])
def test_a_range_without_a_bin_is_refused(span):
    with pytest.raises(ValueError, match="holds no measured bin"):
        flag_between(_detection([], []), *span)


def test_missing_bins_are_never_flagged_by_hand():
    detection = _detection([300.0], [])
    psd = detection.psd.copy()
    psd[299] = np.nan
    detection = dataclasses.replace(detection, psd=psd)
    assert not edited(detection, [flag_between(detection, 298, 302)]).flagged[299]
