"""What a header claims is checked before memory is taken; a long series is averaged as it lies on disk."""

import gzip
import io
import os
import pickle
import zipfile

import h5py
import numpy as np
import pytest
import scipy.io.wavfile
from untouched import read_untouched

from nblib.measured import welch as timeseries
from nblib.measured.files import claims, packed_files
from nblib.measured.files import series as series_files
from nblib.measured.files.formats import READERS, Raw, reader
from nblib.measured.files.readers import IsSeries, Spectra, load_series, load_spectra
from nblib.measured.measurement import from_series, from_spectra
from nblib.measured.outputs import prepare
from nblib.measured.products import RESULTS
from nblib.measured.statistic import network
from nblib.notebook.parameters import check_parameters
from nblib.project.paths import replace_whole

HUGE = 10**12  # values


def _npy():
    stream = io.BytesIO()
    np.lib.format.write_array_header_1_0(stream, {"descr": "<f8", "fortran_order": False, "shape": (HUGE,)})
    return stream.getvalue() + bytes(80)


def _npz():
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        archive.writestr("freq.npy", _npy())
        archive.writestr("psd.npy", _npy())
    return stream.getvalue()


def _hdf5():
    stream = io.BytesIO()
    with h5py.File(stream, "w") as file:
        for key in ("freq", "psd"):
            file.create_dataset(key, shape=(HUGE,), chunks=(10**6,), dtype="f8")
    return stream.getvalue()


def _wav():
    stream = io.BytesIO()
    scipy.io.wavfile.write(stream, 1000, np.arange(100, dtype=np.int16))
    return stream.getvalue().replace(b"data" + (200).to_bytes(4, "little"), b"data" + (1 << 31).to_bytes(4, "little"))


class _Claims:
    def __reduce__(self):
        return np.ndarray, ((HUGE,),)


CLAIMS = {
    "a.npy": _npy,
    "a.npz": _npz,
    "a.h5": _hdf5,
    "a.wav": _wav,
    "a.pkl": lambda: pickle.dumps({"freq": _Claims()}),
}


@pytest.mark.parametrize("name", CLAIMS)
def test_a_claim_beyond_the_file_is_refused(tmp_path, name):
    """Planted bugs: memory for 8 TB asked of the system; a MemoryError let through."""
    (tmp_path / name).write_bytes(CLAIMS[name]())
    load = load_series if name.endswith(".wav") else load_spectra
    with pytest.raises(ValueError, match=rf"{name}: .*(claims|truncated|only plain)"):
        read_untouched(load, tmp_path / name)


def test_a_line_without_end_and_a_text_too_long_to_hold_are_refused(tmp_path, monkeypatch):
    """Planted bugs: the length counted anew in every block; lines that a carriage return alone ends not seen."""
    monkeypatch.setattr(claims, "LONGEST_LINE", 1000)
    monkeypatch.setattr(claims, "BLOCK", 300)
    path = tmp_path / "a.csv"
    path.write_bytes(b"f,psd\n" + b"1,2," * 400)
    with pytest.raises(ValueError, match="a line of it is longer than 1000 bytes"):
        load_spectra(path)
    path.write_bytes(b"f,psd\r" + b"".join(b"%d,2e-9\r" % at for at in range(1, 400)))
    assert len(load_spectra(path).freqs) == 399
    monkeypatch.setattr(claims, "MOST_TEXT", 2000)
    with pytest.raises(ValueError, match="only 2000 bytes of such a text are read"):
        load_spectra(path)


def test_what_is_small_part_by_part_is_refused_in_sum():
    """Planted bug: each data set, each member of an archive judged alone."""
    claims.check_together([(claims.SLACK // 2, 10)])
    with pytest.raises(ValueError, match="it claims"):
        claims.check_together(3 * [(claims.SLACK // 2, 10)])


def test_nothing_is_written_through_a_link_or_above_a_folder(tmp_path, monkeypatch):
    """Planted bugs: results that follow a link of a stranger's folder; a partial file that is a link; a key with ../"""
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    precious = elsewhere / "precious"
    precious.write_text("data")
    (tmp_path / RESULTS).symlink_to(elsewhere)
    with pytest.raises(ValueError, match="is a link to .*elsewhere; remove it"):
        prepare(tmp_path / RESULTS)
    (tmp_path / f"a.json.{os.getpid()}.partial").symlink_to(precious)
    replace_whole(tmp_path / "a.json", "{}")
    assert precious.read_text() == "data" and (tmp_path / "a.json").read_text() == "{}"
    psd = {"../../up": np.ones(80), "/root": np.ones(80)}
    spectra = Spectra(np.arange(1.0, 81.0), np.stack(list(psd.values())), np.ones((2, 80), bool), names=tuple(psd))
    assert [one.file_part for one in from_spectra(tmp_path / "a.npz", spectra)] == ["1_.._.._up", "2__root"]
    for name in ("../x", "/x", "a/../../x"):
        with pytest.raises(ValueError, match="must be a name for a folder below runs/"):
            check_parameters(run_name=name)


def test_damaged_weights_are_refused(monkeypatch):
    """Planted bug: loaded whatever they are."""
    monkeypatch.setattr(network, "WEIGHTS_SHA256", "0" * 64)
    network._weights.cache_clear()
    with pytest.raises(ValueError, match="wide_network.safetensors of the package is damaged"):
        network._weights()
    network._weights.cache_clear()


def test_what_unpacks_without_end_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(packed_files, "LARGEST", 10_000)
    monkeypatch.setattr(packed_files, "BLOCK", 1_000)
    (tmp_path / "a.csv.gz").write_bytes(gzip.compress(b"1,2\n" * 10_000))
    with pytest.raises(ValueError, match="unpacks to more than"):
        load_spectra(tmp_path / "a.csv.gz")


@pytest.mark.parametrize("kind", [np.int16, np.float32])
def test_a_long_series_is_averaged_in_parts(tmp_path, monkeypatch, kind):
    """Planted bug: integers left unscaled."""
    samples = np.random.default_rng(0).normal(size=5000)
    stored = (3000 * samples).astype(np.int16) if kind is np.int16 else samples.astype(np.float32)
    scipy.io.wavfile.write(tmp_path / "a.wav", 1000, stored)
    whole = from_series(tmp_path / "a.wav", read_untouched(load_series, tmp_path / "a.wav"), 10.0)
    monkeypatch.setattr(series_files, "MOST_SHOWN", 1000)
    monkeypatch.setattr(timeseries, "CHUNK", 1000)
    series = read_untouched(load_series, tmp_path / "a.wav")
    assert series.samples.dtype == kind
    in_parts = from_series(tmp_path / "a.wav", series, 10.0)
    np.testing.assert_allclose(in_parts.psd, whole.psd, rtol=1e-9)


def test_a_long_series_with_a_gap_is_refused_by_its_sample(tmp_path, monkeypatch):
    monkeypatch.setattr(series_files, "MOST_SHOWN", 1000)
    np.save(tmp_path / "a.npy", np.where(np.arange(3000) == 1234, np.nan, 1.0 * np.arange(3000)))
    with pytest.raises(ValueError, match="sample 1235 of 3000 is missing"):
        load_series(tmp_path / "a.npy", 100)


def test_a_format_of_an_extension_is_used_whatever_the_bytes_look_like(tmp_path):
    """Planted bugs: the first bytes decided against the registered ending; a spectrum's file read as a text series."""

    def read_own(path, column):
        return Raw(np.arange(1.0, 11.0), np.ones(10) * 1e-12)

    reader(".of_tests")(read_own)
    try:
        (tmp_path / "a.of_tests").write_bytes(b"\x89HDF\r\n\x1a\n and what follows")
        assert len(load_spectra(tmp_path / "a.of_tests").freqs) == 10
        with pytest.raises(ValueError, match="holds spectra; read it with load_spectra"):
            load_series(tmp_path / "a.of_tests")
    finally:
        del READERS[".of_tests"]


def test_a_time_series_is_an_error_of_its_own(tmp_path):
    (tmp_path / "a.csv").write_text("time (s),x\n" + "".join(f"{at / 100},{at % 7}\n" for at in range(100)))
    with pytest.raises(IsSeries, match=r"a.csv: its first column is 'time \(s\)'"):
        load_spectra(tmp_path / "a.csv")
