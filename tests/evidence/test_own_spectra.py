"""Own files analysed, and flags scored where the truth is known."""

import numpy as np
import pytest

from evidence.unknown.injections import LIGO_FILE, PATCH_FILE, given_stretches
from evidence.unknown.own_spectra import score_flags, score_real
from nblib.measured.analyse import analyse
from nblib.project.paths import REAL_DATA_VARIABLE

FREQS = np.arange(1.0, 501.0)


def _psd(lines=(), seed=0):
    psd = np.random.default_rng(seed).gamma(63, 1 / 63, len(FREQS)) / FREQS
    for line in lines:
        psd[np.abs(FREQS - line) <= 1] *= 20
    return psd


@pytest.fixture
def measured(tmp_path, monkeypatch):
    """A folder of measured spectra, simulated: a known line at 100 Hz, a listed comb at 200 Hz, an unlisted at 300."""
    bins = {line: np.abs(FREQS - line) <= 1 for line in (100, 200)}
    valid = np.ones((1, 500), dtype=bool)
    psd = _psd([100, 200, 300])
    np.savez(tmp_path / PATCH_FILE, freq=FREQS, psd_mean=psd, n_avg=63, mains_mask=bins[100])
    listed = {"known_line": bins[100], "unknown_comb": bins[200], "name": ["1234567890123452015-09-12"]}
    np.savez(tmp_path / LIGO_FILE, freq=FREQS, psd=psd[None], valid=valid, **listed)
    monkeypatch.setenv(REAL_DATA_VARIABLE, str(tmp_path))
    return {stretch.name: stretch for stretch in given_stretches()}


def test_known_lines_are_found_and_a_listed_comb_is_neither_right_nor_wrong(measured):
    """Planted bug: the bins of listed combs counted as false."""
    row, found = score_real(measured["H1 2015-09-12"])
    assert row["strong known lines"] == row["detector finds"] == row["classical finds"] == 1
    assert row["detector, other bins"] == 3 and found.flagged.sum() == 9
    row, _ = score_real(measured["patch clamp"])
    assert row["detector, other bins"] == 6


def test_without_the_folder_there_are_no_measured_files(monkeypatch):
    monkeypatch.delenv(REAL_DATA_VARIABLE, raising=False)
    assert given_stretches() == []


def test_a_file_or_a_folder_is_analysed_and_scored(tmp_path):
    table = np.column_stack([FREQS, _psd([50, 250])])
    np.savetxt(tmp_path / "a.csv", table, delimiter=",", header="f,psd", comments="")
    (tmp_path / "notes.md").write_text("nothing to read")
    ((one, found),) = analyse(tmp_path / "a.csv")
    with pytest.warns(UserWarning, match="notes.md is left out: .*"):
        again = analyse(tmp_path)
    assert one.label == "a.csv" and [flag.fmin for _, each in again for flag in each.flags] == [
        flag.fmin for flag in found.flags
    ]
    (tmp_path / "truth.txt").write_text("fmin,fmax\n49,51\n300,310\n")
    assert score_flags(found, tmp_path / "truth.txt") == {"true ranges": 2, "found": 1, "flags": 2, "false flags": 1}


def test_a_folder_without_a_spectrum_is_refused(tmp_path):
    (tmp_path / "notes.md").write_text("nothing to read")
    with pytest.warns(UserWarning), pytest.raises(ValueError, match="holds no file that can be read"):
        analyse(tmp_path)
