"""The measured spectra that come with the project: table, hashes, licences and folds."""

import re
import shutil

import numpy as np
import pytest

from evidence.unknown.measured_spectra import DIGEST, FOLDS, digest_of, measured_spectra, table_of_spectra
from nblib.project.paths import measured_data_dir

ROWS = table_of_spectra()


def test_the_table_names_every_file_and_no_other():
    """Planted bug: a row of measured.json taken out."""
    assert {path.stem for path in measured_data_dir().glob("*.npz")} == set(ROWS)
    assert len(ROWS) == 39 and len({row["group"] for row in ROWS.values()}) == 27


def test_files_instruments_and_folds_are_the_recorded_ones():
    """Planted bug: one instrument moved to another fold."""
    assert digest_of(ROWS) == DIGEST
    assert {row["fold"] for row in ROWS.values()} == set(FOLDS)
    folds = {row["group"]: set() for row in ROWS.values()}
    for row in ROWS.values():
        folds[row["group"]].add(row["fold"])
    assert all(len(numbers) == 1 for numbers in folds.values())
    sizes = [sum(numbers == {fold} for numbers in folds.values()) for fold in FOLDS]
    assert max(sizes) - min(sizes) <= 1


def test_every_spectrum_may_be_passed_on_and_says_whose_it_is():
    """Planted bug: an attribution without the commit."""
    for name, row in ROWS.items():
        assert row["licence"].split()[0] in ("MIT", "BSD-3", "Apache-2.0"), name
        assert row["repo"] in row["attribution"] and row["path"] in row["attribution"]
        assert row["commit"][:10] in row["attribution"]


def test_the_readers_table_says_what_the_files_hold():
    """Planted bug: another number of bins in one row of README.md."""
    text = (measured_data_dir() / "README.md").read_text(encoding="utf-8")
    cells = [re.split(r" \| ", line.strip("| ")) for line in text.splitlines() if line.startswith("| ")][1:]
    spectra = measured_spectra()
    assert len(cells) == len(spectra)
    for row, one in zip(cells, spectra, strict=True):
        segments = "not stated" if one.n_segments is None else f"{one.n_segments:.4g}"
        entry = ROWS[one.name]
        told = [one.name, entry["instrument"], str(one.fold), str(len(one.psd)), segments, one.unit]
        assert row == [*told, entry["licence"], entry["attribution"]]


def test_every_spectrum_is_complete():
    """Planted bug: psd read as float32, in which strain underflows."""
    for one in measured_spectra():
        assert len(one.freqs) == len(one.psd) >= 500 and (np.diff(one.freqs) > 0).all()
        assert np.isfinite(one.psd).all() and (one.psd > 0).all() and one.psd.dtype == np.float64


def test_a_file_that_was_changed_is_refused(tmp_path):
    """Planted bug: the hash not compared."""
    shutil.copytree(measured_data_dir(), tmp_path / "measured")
    changed = tmp_path / "measured" / "gbt.npz"
    np.savez(changed, freqs=np.arange(1.0, 501.0), psd=np.ones(500), n_segments=1.0)
    with pytest.raises(ValueError, match=r"gbt\.npz is not the file"):
        measured_spectra(tmp_path / "measured")
    changed.unlink()
    with pytest.raises(ValueError, match=r"gbt\.npz is missing"):
        measured_spectra(tmp_path / "measured")
