"""Arrays in every format: .npz, .npy, .mat of both kinds, HDF5, pickles with arrays and tensors, packed files."""

import bz2
import collections
import gzip
import lzma
import pickle

import h5py
import numpy as np
import pytest
import scipy.io
from untouched import read_untouched

from nblib.measured.files.readers import load_spectra

try:
    import torch
except ModuleNotFoundError:
    torch = None
needs_torch = pytest.mark.skipif(torch is None, reason="torch is an extra")
FREQS = np.arange(1.0, 81.0)
PSD = 2.9e-14 / FREQS * np.random.default_rng(0).gamma(16, 1 / 16, 80)
STUDY = {"x": np.abs(np.random.default_rng(1).normal(1, 0.1, (3, 1, 3000))) * 1e-24, "y": np.ones((3, 2))}


def read(path, **options):
    return read_untouched(load_spectra, path, **options)


def assert_read(path, psd=PSD, freqs=FREQS, unit=None, noted="", **options):
    spectra = read(path, **options)
    np.testing.assert_allclose(spectra.freqs, freqs, rtol=1e-6)
    np.testing.assert_allclose(spectra.psd[0], psd, rtol=1e-6)
    assert unit is None or spectra.unit == unit
    assert noted in " ".join(spectra.warnings)
    return spectra


NAMED = {
    "usual": {"freq": FREQS, "psd": PSD},
    "scipy's": {"f": FREQS, "Pxx": PSD},
    "amplitudes": {"frequencies": FREQS, "asd": np.sqrt(PSD)},
    "decibels": {"freq": FREQS, "psd_dB": 10 * np.log10(PSD)},
    "kilohertz": {"freq_kHz": FREQS / 1e3, "psd": PSD},
    "rows": {"freq": FREQS[None], "psd": PSD[None]},
    "columns": {"freq": FREQS[:, None], "psd": PSD[:, None]},
    "falling": {"f": FREQS[::-1], "psd": PSD[::-1]},
    "with DC": {"f": np.r_[0, FREQS], "psd": np.r_[1, PSD]},
    "two channels": {"freq": FREQS, "psd": np.stack([PSD, PSD]).T},
    "another name": {"f": FREQS, "channel_3": PSD},
    "whole numbers": {"freq": FREQS.astype(np.int32), "psd": PSD},
}


def _numpy(path, arrays):
    np.savez(path.with_suffix(".npz"), **arrays)
    return path.with_suffix(".npz")


def _matlab(path, arrays):
    scipy.io.savemat(path.with_suffix(".mat"), arrays)
    return path.with_suffix(".mat")


def _matlab_packed(path, arrays):
    scipy.io.savemat(path.with_suffix(".mat"), {"data": arrays}, do_compression=True)
    return path.with_suffix(".mat")


def _matlab_73(path, arrays):
    """MATLAB 7.3: HDF5 behind 512 bytes of text, arrays turned round, text as numbers."""
    path = path.with_suffix(".mat")
    with h5py.File(path, "w", userblock_size=512) as file:
        for name, values in arrays.items():
            file[name] = np.atleast_2d(values).T
        file.create_group("#refs#")["a"] = PSD
        file["note"] = np.array([ord(letter) for letter in "made by hand"], dtype=np.uint16)
        file["note"].attrs["MATLAB_class"] = b"char"
    content = path.read_bytes()
    path.write_bytes(b"MATLAB 7.3 MAT-file, Platform: GLNXA64".ljust(512) + content[512:])
    return path


def _hdf5(path, arrays):
    with h5py.File(path.with_suffix(".h5"), "w") as file:
        for name, values in arrays.items():
            file[f"run 1/{name}"] = values
    return path.with_suffix(".h5")


def _pickled(path, arrays):
    path.with_suffix(".pkl").write_bytes(pickle.dumps(arrays))
    return path.with_suffix(".pkl")


@pytest.mark.parametrize("name", NAMED)
@pytest.mark.parametrize("save", [_numpy, _matlab, _matlab_packed, _matlab_73, _hdf5, _pickled])
def test_named_arrays_are_read_from_every_format(tmp_path, save, name):
    assert_read(save(tmp_path / "device", NAMED[name]))


@pytest.mark.parametrize("save", [_numpy, _matlab, _hdf5, _pickled])
def test_what_cannot_be_one_spectrum_is_refused_with_the_keys(tmp_path, save):
    path = save(tmp_path / "device", {"f": FREQS, "A": PSD, "B": 2 * PSD})
    with pytest.raises(ValueError, match=r"2 arrays beside the frequency: .*A, .*B; choose with column="):
        read(path)
    assert_read(path, psd=2 * PSD, column="B")
    with pytest.raises(ValueError, match="complex"):
        read(save(tmp_path / "cross", {"f": FREQS, "H": PSD * (1 + 1j)}))


def test_units_and_averages_beside_the_arrays_are_used(tmp_path):
    np.savez(tmp_path / "a.npz", frequencies=FREQS, Pxx=PSD, n_avg=152, unit="V^2/Hz")
    assert assert_read(tmp_path / "a.npz", unit="V^2/Hz").n_segments == 152
    with h5py.File(tmp_path / "b.h5", "w") as file:
        file["psd/freqs"], file["psd/psd"] = FREQS, np.sqrt(PSD)
        file["psd/psd"].attrs["unit"], file["psd"].attrs["averages"] = "A/sqrt(Hz)", 32
    assert assert_read(tmp_path / "b.h5", unit="A^2/Hz", noted="squared").n_segments == 32
    scipy.io.savemat(tmp_path / "c.mat", {"spec": {"freq": FREQS, "psd": PSD, "unit": "pA^2/Hz", "n_avg": 9.0}})
    assert assert_read(tmp_path / "c.mat", unit="pA^2/Hz").n_segments == 9


def test_a_frequency_series_with_start_and_step_is_read(tmp_path):
    """As gwpy writes it: f0 and df, or x0, dx and the unit."""
    for attributes in ({"f0": 1.0, "df": 1.0, "unit": "1 / Hz"}, {"x0": 1.0, "dx": 1.0, "xunit": "Hz"}):
        with h5py.File(tmp_path / "series.h5", "w") as file:
            file["H1"] = PSD
            file["H1"].attrs.update(attributes)
        assert_read(tmp_path / "series.h5")


@pytest.mark.parametrize(
    "table",
    [
        np.column_stack([FREQS, PSD]),
        np.stack([FREQS, PSD]),
        np.array(list(zip(FREQS, PSD, strict=True)), dtype=[("frequency", "f8"), ("psd", "f8")]),
        np.array(list(zip(FREQS / 1e3, np.sqrt(PSD), strict=True)), dtype=[("f_kHz", "f8"), ("asd", "f8")]),
    ],
)
def test_one_array_is_read(tmp_path, table):
    np.save(tmp_path / "device.npy", table)
    assert_read(tmp_path / "device.npy")
    if table.dtype.names is None:
        np.savez(tmp_path / "device.npz", table)
        scipy.io.savemat(tmp_path / "device.mat", {"M": table})
        assert_read(tmp_path / "device.npz")
        assert_read(tmp_path / "device.mat")


def test_a_column_of_one_array_is_chosen_by_number(tmp_path):
    np.save(tmp_path / "device.npy", np.column_stack([FREQS, PSD, 3 * PSD]))
    with pytest.raises(ValueError, match="2 columns beside the frequency"):
        read(tmp_path / "device.npy")
    for column in (3, "3"):
        assert_read(tmp_path / "device.npy", psd=3 * PSD, column=column)
    assert len(read(tmp_path / "device.npy", column="all").psd) == 2


@pytest.mark.parametrize("turned", [False, True])
def test_a_spectrum_of_a_table_is_chosen_by_number_or_name(tmp_path, turned):
    """Planted bug: "all" and 2 were looked for among the keys and refused, and nothing else chose one."""
    table, valid = np.stack([PSD, 3 * PSD]), np.ones((2, 80), bool)
    valid[1, 7] = False
    np.savez(tmp_path / "a.npz", freq=FREQS, psd=table.T if turned else table, **({} if turned else {"valid": valid}))
    for column in (2, "2", "psd[1]", [2]):
        spectra = read(tmp_path / "a.npz", column=column)
        assert spectra.names == ("psd[1]",) and spectra.psd.shape == (1, 80)
        np.testing.assert_allclose(spectra.psd[0, spectra.valid[0]], 3 * PSD[spectra.valid[0]])
        assert turned or not spectra.valid[0, 7]
    assert read(tmp_path / "a.npz", column="all").names == ("psd[0]", "psd[1]") == read(tmp_path / "a.npz").names
    with pytest.raises(ValueError, match=r"column=3: psd holds spectra 1\.\.2"):
        read(tmp_path / "a.npz", column=3)


def test_rows_of_one_array_are_chosen_by_number_or_all(tmp_path):
    """Planted bug: "all" refused."""
    np.save(tmp_path / "rows.npy", np.stack([FREQS, PSD, 3 * PSD]))
    assert len(read(tmp_path / "rows.npy", column="all").psd) == 2
    assert_read(tmp_path / "rows.npy", psd=3 * PSD, column=3)
    with pytest.raises(ValueError, match=r"rows 2\.\.3 and the frequency in row 1; give a row or 'all'"):
        read(tmp_path / "rows.npy", column=1)


TENSORS = {key: torch.tensor(values) for key, values in STUDY.items()} if torch else {}


def _assert_study(path):
    spectra = read(path)
    assert spectra.psd.shape == (3, 3000) and spectra.unit == "A^2/Hz"
    np.testing.assert_allclose(spectra.psd, STUDY["x"][:, 0], rtol=1e-6)
    np.testing.assert_allclose(spectra.energies, 10.0)


@needs_torch
@pytest.mark.parametrize("protocol", [2, 4, 5])
@pytest.mark.parametrize("kind", ["arrays", "tensors", "both", "ordered", "single precision"])
def test_the_studys_pickle_holds_arrays_or_tensors(tmp_path, kind, protocol):
    """Planted bug: tensors refused along with everything else that torch can pickle."""
    tables = {
        "arrays": STUDY,
        "tensors": TENSORS,
        "both": {"x": TENSORS["x"], "y": STUDY["y"]},
        "ordered": collections.OrderedDict(TENSORS),
        "single precision": {key: (values * 1e24 if key == "x" else values).float() for key, values in TENSORS.items()},
    }[kind]
    if kind == "single precision":
        tables["x"] = tables["x"].mul(1e-24)
    (tmp_path / "study.pkl").write_bytes(pickle.dumps(tables, protocol))
    _assert_study(tmp_path / "study.pkl")


@needs_torch
@pytest.mark.parametrize("zipped", [True, False])
@pytest.mark.parametrize("tables", [STUDY, TENSORS])
def test_a_file_of_torch_save_is_read(tmp_path, tables, zipped):
    torch.save(tables, tmp_path / "study.pt", _use_new_zipfile_serialization=zipped)
    _assert_study(tmp_path / "study.pt")


@needs_torch
def test_a_turned_tensor_and_one_with_a_gradient_keep_their_values(tmp_path):
    turned = torch.tensor(np.stack([PSD, 2 * PSD], axis=1)).T
    tables = {"freq": torch.tensor(FREQS), "psd": turned.requires_grad_()}
    (tmp_path / "turned.pkl").write_bytes(pickle.dumps(tables))
    assert_read(tmp_path / "turned.pkl")


@needs_torch
def test_a_module_is_refused_before_anything_of_it_is_built(tmp_path):
    for name, save in (
        ("a.pkl", lambda value, path: path.write_bytes(pickle.dumps(value))),
        ("b.pt", lambda value, path: torch.save(value, path)),
    ):
        save({"x": torch.nn.Linear(2, 2)}, tmp_path / name)
        with pytest.raises(ValueError, match="only plain numpy arrays, torch tensors"):
            read(tmp_path / name)


@pytest.mark.parametrize("packed", [(gzip, ".gz"), (bz2, ".bz2"), (lzma, ".xz")])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-16"])
def test_packed_text_and_arrays_are_read(tmp_path, packed, encoding):
    module, ending = packed
    text = "f,psd\n" + "".join(f"{freq:g},{psd:.9g}\n" for freq, psd in zip(FREQS, PSD, strict=True))
    for name in (f"device.dat{ending}", f"device{ending}"):
        (tmp_path / name).write_bytes(module.compress(text.encode(encoding)))
        assert_read(tmp_path / name)
    path = _numpy(tmp_path / "arrays", NAMED["usual"])
    (tmp_path / f"arrays.npz{ending}").write_bytes(module.compress(path.read_bytes()))
    assert_read(tmp_path / f"arrays.npz{ending}")
    (tmp_path / f"cut.csv{ending}").write_bytes(module.compress(40 * text.encode())[:-9])
    with pytest.raises(ValueError, match="truncated or not a"):
        read(tmp_path / f"cut.csv{ending}")
