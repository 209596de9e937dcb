"""Thresholds from line-free spectra of one set-up: the noise drawn on them, what they are for, how they are kept."""

import dataclasses
import json

import numpy as np
import pytest

from nblib.__main__ import main
from nblib.measured import calibrate
from nblib.measured.calibrate import KEPT, detector_of, own_thresholds
from nblib.measured.detector import NoiseDetector
from nblib.measured.inputs import files_of
from nblib.measured.line_free.own import LineFree
from nblib.measured.settings import Settings
from nblib.measured.statistic.own_thresholds import OwnThresholds, draw_own
from nblib.measured.statistic.score import score_spectrum
from nblib.measured.statistic.thresholds import RATES, thresholds_for
from nblib.measured.statistic.whitening import Plan, whiten

FREQS = np.arange(1.0, 121.0)
LEVELS = {"narrow": [5.0] * len(RATES), "broad": [4.0] * len(RATES)}
OWN = OwnThresholds("quiet", FREQS, 16.0, 16.0, False, 6, 120, {"classical": LEVELS, "combined": LEVELS}, 0)


def _psd(seed, freqs=FREQS, n_segments=16, texture=0.0):
    return (
        np.exp(texture) * (1 + 30 / freqs) * np.random.default_rng(seed).gamma(n_segments, 1 / n_segments, len(freqs))
    )


def _scored(psd, freqs=FREQS, n_segments=16.0):
    return score_spectrum(psd, Plan.of(freqs, np.ones(len(freqs), dtype=bool)), n_segments)


def test_a_draw_scatters_as_the_spectra_do_and_has_their_texture():
    """Planted bugs: noise of K averages on the mean ratio, which scatters too; the texture left out."""
    n_members, n_segments, n_bins = 4, 20.0, 20_000
    texture = np.where(np.arange(n_bins) % 100 == 0, 1.5, 1.0)
    ratio = texture * np.random.default_rng(0).gamma(n_segments, 1 / n_segments, (n_members, n_bins))
    own = LineFree(np.zeros((n_members, n_bins)), ratio, np.full(n_bins, n_segments), False)
    drawn = own.draw(np.random.default_rng(1), range(n_members), 0)
    assert n_segments * np.var(drawn / texture) == pytest.approx(1.0, abs=0.06)  # 1.25 with K
    assert drawn[::100].mean() == pytest.approx(1.5, abs=0.1)


def test_averages_are_measured_between_spectra_so_that_texture_does_not_count():
    """Planted bug: K from each spectrum's scatter about its own background (11 here)."""
    freqs, plan = np.arange(1.0, 601.0), Plan.of(np.arange(1.0, 601.0), np.ones(600, dtype=bool))
    texture = 0.4 * np.sin(np.arange(600) / 2.5)
    white = [whiten(_psd(seed, freqs, 50, texture), plan, 50) for seed in range(6)]
    own = LineFree.of(white, plan.grid.valid)
    assert 40 < np.median(own.segments) < 62 and not own.correlated
    assert np.median([one.own_segments for one in white]) < 20


def test_thresholds_of_a_smooth_set_up_are_low_and_hold():
    """Planted bug: the packaged levels handed on."""
    own = draw_own("here", FREQS, np.stack([_psd(seed) for seed in range(8)]), 16.0, n_draws=199)
    found = [_scored(_psd(100 + seed)) for seed in range(60)]
    usual = thresholds_for(120, 16.0, False, True)
    limits = own.limits(found[0], usual)
    alarms = [np.nanmin(limits.probability(one.by_group, 120)) < 0.05 for one in found]
    assert own.hold and sum(alarms) <= 9  # 3 expected; 10 or more in one of a thousand
    assert limits.narrow.threshold(0.025, 120) < usual.narrow.threshold(0.025, 120) - 2


def test_own_thresholds_that_do_not_hold_are_never_below_the_packaged_ones():
    """Planted bug: a note alone."""
    scored = _scored(_psd(0))
    usual = thresholds_for(120, 16.0, False, True)
    assert OWN.hold and OWN.limits(scored, usual).narrow.threshold(0.01, 120) == pytest.approx(5.0)
    bad = dataclasses.replace(OWN, flagged=3)
    assert not bad.hold and "used where they are higher" in bad.notes(scored)[1]
    assert bad.limits(scored, usual).narrow.threshold(0.01, 120) == pytest.approx(usual.narrow.threshold(0.01, 120))


@pytest.mark.parametrize(
    ("freqs", "n_segments", "words"),
    [
        (np.arange(1.0, 101.0), 16.0, "have 120 bins, 1..120 Hz, this 100 bins, 1..100 Hz"),
        (FREQS * 1.01, 16.0, "have 120 bins, 1..120 Hz, this 120 bins, 1.01..121.2 Hz"),
        (FREQS, 20.0, "have K = 16, this spectrum K = 20; measure both with as many averages"),
        (FREQS, None, "have K = 16, this spectrum no K stated"),
    ],
)
def test_spectra_of_another_set_up_are_refused_with_what_differs(freqs, n_segments, words):
    detector = NoiseDetector()
    detector.own_thresholds = OWN
    with pytest.raises(ValueError, match=words):
        detector.detect(freqs, _psd(0, freqs), n_segments)
    detector.own_thresholds = dataclasses.replace(OWN, correlated=True)
    with pytest.raises(ValueError, match="use the same window"):
        detector.detect(FREQS, _psd(0), 16.0)


def test_a_spectrum_that_scatters_otherwise_than_the_line_free_ones_is_noted():
    calm = dataclasses.replace(OWN, measured=40.0)
    assert "scatters more than the line-free ones" in calm.notes(_scored(_psd(0)))[1]
    assert len(OWN.notes(_scored(_psd(0)))) == 1


# ---- the folder ----


def _write(path, psd):
    rows = "".join(f"{freq:g},{value:.8e}\n" for freq, value in zip(FREQS, psd, strict=True))
    path.write_text(f"Frequency (Hz),PSD (V^2/Hz)\n{rows}")


@pytest.fixture()
def quiet(tmp_path, monkeypatch):
    """A folder of line-free spectra; the draws are counted and not made."""
    folder = tmp_path / "quiet"
    folder.mkdir()
    for seed in range(5):
        _write(folder / f"q{seed}.csv", _psd(seed))
    calls = []
    monkeypatch.setattr(calibrate, "draw_own", lambda *given: calls.append(given) or OWN)
    return folder, calls


def test_thresholds_are_drawn_once_kept_and_renewed_when_a_spectrum_or_a_setting_changes(quiet):
    """Planted bugs: kept by name without a hash; without the settings that the files were read with."""
    folder, calls = quiet
    settings = Settings(n_segments=16, calibrate=folder)
    for _ in range(2):
        assert detector_of(settings).own_thresholds.levels == OWN.levels
    assert len(calls) == 1
    assert KEPT not in [path.name for path in files_of([folder])[0]]
    own_thresholds(folder, Settings(n_segments=20), NoiseDetector())
    _write(folder / "q0.csv", _psd(77))
    own_thresholds(folder, Settings(n_segments=20), NoiseDetector())
    own_thresholds(folder, Settings(n_segments=20, network=False), NoiseDetector(network=False))
    assert len(calls) == 4
    kept = json.loads((folder / KEPT).read_text())
    assert {"K stated", "window", "bins", "rates", "statistic", "nblib"} <= set(kept)
    assert len(kept["line_free"]["files"]["q0.csv"]) == 64


def test_a_folder_that_is_not_of_one_line_free_set_up_is_refused_by_name(quiet):
    folder, _ = quiet
    settings = Settings(n_segments=16, calibrate=folder)
    _write(folder / "hum.csv", _psd(9) * np.where(FREQS == 50, 20, 1))
    with pytest.raises(ValueError, match=r"hum\.csv is not line-free: 50 Hz stands "):
        detector_of(settings)
    (folder / "hum.csv").write_text("nothing\n")
    with pytest.raises(ValueError, match=r"hum\.csv cannot be read as a line-free spectrum"):
        detector_of(settings)
    np.savetxt(folder / "hum.csv", np.stack([FREQS[:90], _psd(3)[:90]], axis=1), delimiter=",", header="Hz,V^2/Hz")
    with pytest.raises(ValueError, match="give each set-up a folder of its own"):
        detector_of(settings)


def test_nothing_is_replaced_that_another_program_wrote(quiet):
    folder, _ = quiet
    (folder / KEPT).write_text('{"levels": 3}')
    with pytest.raises(ValueError, match="which nblib did not write"):
        detector_of(Settings(n_segments=16, calibrate=folder))
    assert (folder / KEPT).read_text() == '{"levels": 3}'


def test_few_spectra_are_refused():
    with pytest.raises(ValueError, match="holds 4 line-free spectra; thresholds of their own need at least 5"):
        draw_own("here", FREQS, np.stack([_psd(seed) for seed in range(4)]), 16.0)


def test_the_command_takes_the_folder(quiet, tmp_path, capsys):
    """Planted bug: an option that is read and not passed on."""
    folder, _ = quiet
    _write(tmp_path / "a.csv", _psd(3) * np.where(FREQS == 60, 1.9, 1))
    asked = ["detect", "--json", "--segments", "16", str(tmp_path / "a.csv")]
    flags = []
    for more in ([], ["--calibrate", str(folder)]):
        assert main([*asked, *more]) == 0
        found = json.loads(capsys.readouterr().out)
        flags.append(len(found["flags"]))
    assert flags[0] < flags[1] and "thresholds from 6 line-free spectra" in "".join(found["warnings"])
    assert main([*asked, "--calibrate", str(tmp_path / "none")]) == 2
    assert "--calibrate" in capsys.readouterr().err
