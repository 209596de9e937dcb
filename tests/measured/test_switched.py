"""Source-switched pairs: the ratio's law, what cancels in it, what is flagged, and what cannot be compared."""

import json
from functools import partial

import numpy as np
import pytest
from scipy.special import ndtr

import nblib
from nblib.__main__ import main
from nblib.measured import switched
from nblib.measured.advice import as_options
from nblib.measured.measurement import Measurement
from nblib.measured.settings import Settings
from nblib.measured.statistic import pair
from nblib.measured.statistic.pair import judge_pair, norms_of, pair_thresholds
from nblib.measured.statistic.whitening import Plan
from nblib.measured.switched import SwitchedDetector

FREQS = np.arange(1.0, 401.0)
PLAN = Plan.of(FREQS, np.ones(400, dtype=bool))
LINES = 1 + 40 * (FREQS % 50 == 0) + 0.3 * np.sin(FREQS / 5)  # and texture: in both spectra of a pair
LINE = 1 + 2.5 * (FREQS == 333)
HUMP = 1 + 1.5 * np.exp(-0.5 * ((FREQS - 180) / 8) ** 2)


@pytest.fixture(autouse=True)
def few_pairs(monkeypatch):
    """Thresholds of few simulated pairs."""
    monkeypatch.setattr(switched, "pair_thresholds", partial(pair_thresholds, n_pairs=199))


def _psd(seed, added=1.0, n_segments=64):
    return (1 + 50 / FREQS) * LINES * added * np.random.default_rng(seed).gamma(n_segments, 1 / n_segments, 400)


def test_deviates_are_standard_normal_whatever_both_averages():
    """Planted bug: the degrees of freedom of on and off exchanged."""
    rng, n_draws = np.random.default_rng(0), 40_000
    for on, off in ((4, 64), (64, 4), (8, 8)):
        ratio = rng.gamma(on, 1 / on, n_draws) / rng.gamma(off, 1 / off, n_draws)
        deviates = pair._normal(ratio, 2 * on, 2 * off)
        for limit in (-3.0, -2.0, 2.0, 3.0):
            expected = ndtr(limit)
            assert np.mean(deviates < limit) == pytest.approx(
                expected, abs=5 * np.sqrt(expected * (1 - expected) / n_draws)
            )
    assert pair._normal(np.array([1e4, 1e-4]), 200, 200) == pytest.approx([37.0, -37.0], abs=1)  # no infinity


def test_what_both_spectra_hold_cancels_and_a_gain_changes_nothing():
    """Planted bugs: the ratio of each to its own smooth background; K degrees of freedom in place of 2 K."""
    rng = np.random.default_rng(1)
    on, off = rng.gamma(64, 1 / 64, (2, 400))
    plain = judge_pair(np.log(on / off), PLAN, norms_of(PLAN), (64.0, 64.0), False)
    both = judge_pair(np.log(3 * LINES * on / (LINES * off)), PLAN, norms_of(PLAN), (64.0, 64.0), False)
    assert np.std(plain.deviates) == pytest.approx(1.0, abs=0.12)
    np.testing.assert_allclose(both.scores, plain.scores, rtol=1e-6)
    np.testing.assert_allclose(both.scale, 3 * plain.scale, rtol=1e-6)


@pytest.mark.parametrize("segments", [64, None])
def test_a_pair_flags_what_the_source_adds_and_nothing_else(segments):
    detector = SwitchedDetector.of(FREQS, _psd(0), segments)
    assert detector.detect(FREQS, 1.4 * _psd(1), segments).flags == []
    detection = detector.detect(FREQS, 1.4 * _psd(2, LINE * HUMP), segments)
    hump, line = detection.flags
    assert line.fmin <= 333 <= line.fmax and line.kind == "line" and 1.5 < line.excess < 4
    assert 150 < hump.fmin < 180 < hump.fmax < 210 and hump.kind == "hump"
    assert np.median(detection.scale) == pytest.approx(1.4, rel=0.1)
    assert detection.more()["reference"]["file"] == "reference"
    assert (
        np.exp(detection.background)[49] > 20 * np.exp(detection.background)[45]
    )  # the scaled reference, its lines too
    back = detector.detect(FREQS, _psd(3) / LINE**2, segments)
    assert back.flags == [] and any("lower than reference at 333..333 Hz" in text for text in back.warnings)


def test_a_ratio_that_scatters_more_than_k_says_has_the_smaller_k():
    """Planted bug: the stated K believed: dozens of flags."""
    unsteady = np.exp(0.3 * np.random.default_rng(5).standard_normal(400))
    detection = SwitchedDetector.of(FREQS, _psd(0, n_segments=400), 400).detect(FREQS, _psd(1, unsteady, 400), 400)
    assert detection.flags == [] and detection.pair_segments[0] < 60
    assert any("scatters more than both K say" in text for text in detection.warnings)


def test_spectra_that_cannot_be_compared_are_refused_with_what_differs():
    """Planted bug: bins of 0.5 Hz against bins of 1 Hz where their frequencies agree."""
    detector = SwitchedDetector.of(FREQS, _psd(0), 64)
    for freqs, psd, words in (
        (FREQS / 2, _psd(1), "has 400 bins, 0.5..200 Hz, reference 400 bins, 1..400 Hz: measure both with the same"),
        (FREQS, _psd(0), "values of the reference reference itself"),
    ):
        with pytest.raises(ValueError, match=words):
            detector.detect(freqs, psd, 64)
    noise = np.random.default_rng(1).gamma(8, 1 / 8, (2, 408))
    on, off = (np.convolve(row, np.full(9, 1 / 9), "valid") * LINES for row in noise)
    with pytest.raises(ValueError, match="neighbouring bins of this spectrum, or of reference, depend on each other"):
        SwitchedDetector.of(FREQS, off).detect(FREQS, on)
    with pytest.raises(ValueError, match="flagged as it is read"):
        detector.score(FREQS, _psd(1))


def test_a_part_of_the_axis_is_judged_where_the_reference_lacks_the_rest():
    detector = SwitchedDetector.of(FREQS, _psd(0), 64)
    part = detector.detect(FREQS[100:], _psd(1)[100:], 64)
    assert part.flags == [] and not any("not judged" in text for text in part.warnings)
    detector = SwitchedDetector.of(FREQS[:350], _psd(0)[:350], 64)
    part = detector.detect(FREQS, _psd(1), 64)
    assert "50 bins without the same bin in the reference are not judged" in part.warnings[0]
    assert np.isnan(part.psd[350:]).all() and np.isfinite(part.psd[:350]).all()


def test_the_command_writes_the_usual_files_and_names_the_reference(tmp_path, capsys, monkeypatch):
    """Planted bugs: --reference read and not passed on; the figure of one spectrum alone."""
    drawn = []
    monkeypatch.setattr("nblib.measured.drawing.PairFigure.show", lambda *given: drawn.append(given[2].reference))
    for name, psd in (("off", _psd(0)), ("on", _psd(2, LINE))):
        rows = "".join(f"{freq:g},{value:.8e}\n" for freq, value in zip(FREQS, psd, strict=True))
        (tmp_path / f"{name}.csv").write_text(f"Frequency (Hz),PSD (V^2/Hz)\n{rows}")
    on, off = str(tmp_path / "on.csv"), str(tmp_path / "off.csv")
    assert main(["detect", "--segments", "64", "--reference", off, on]) == 0
    printed = capsys.readouterr().out
    assert "judged by its ratio to off.csv (K = " in printed and "K = 64" in printed
    document = json.loads((tmp_path / "nblib-results" / "on.flags.json").read_text())
    assert document["reference"]["file"] == "off.csv" and [flag["fmin"] for flag in document["flags"]] == [333.0]
    assert drawn == ["off.csv"]
    ((_, detection),) = nblib.analyse(on, reference=off, n_segments=64)
    assert [flag.fmin for flag in detection.flags] == [333.0]
    assert main(["detect", "--reference", str(tmp_path / "none.csv"), on]) == 2
    with pytest.raises(ValueError, match="calibrate and reference were both given"):
        Settings(reference=off, calibrate=tmp_path)
    assert as_options("reference=FILE") == "--reference FILE"


def test_a_reference_is_one_spectrum(tmp_path):
    np.savez(tmp_path / "off.npz", freq=FREQS, psd=np.stack([_psd(0), _psd(1)]))
    with pytest.raises(ValueError, match=r"the reference off\.npz holds 2 spectra"):
        nblib.analyse(FREQS, _psd(2), reference=tmp_path / "off.npz")


def test_the_figure_of_a_pair_shows_on_off_and_ratio():
    detection = SwitchedDetector.of(FREQS, _psd(0), 64).detect(FREQS, _psd(2, LINE), 64)
    upper, lower = detection.plot()
    assert [line.get_label() for line in upper.lines[:2]] == ["on", "off, scaled"]
    np.testing.assert_allclose(lower.lines[0].get_ydata(), detection.ratio)
    from nblib.measured.drawing import PairFigure

    drawn = PairFigure()
    drawn.show(Measurement("on.csv", "", FREQS, detection.psd), detection)
    assert drawn.below.get_xlim() == drawn.ax.get_xlim() and len(drawn._below_bands) == len(detection.flags)
