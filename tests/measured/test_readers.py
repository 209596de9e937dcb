"""Files of spectra: every format, bad input of every kind, and that nothing in a file is executed."""

import os
import pickle

import numpy as np
import pytest

from nblib.measured.files.readers import load_spectra
from nblib.project.paths import REAL_DATA_VARIABLE, real_data_dir
from nblib.simulation.physics import PUBLISHED_FREQS

FREQS = np.array([1.0, 2.0, 4.5, 9.0])
PSD = np.array([4e-46, 3.25e-46, 2e-46, 1e-46])  # below the smallest float32


def text(path, separator=",", header=""):
    lines = [f"{freq!r}{separator}{psd!r}" for freq, psd in zip(FREQS.tolist(), PSD.tolist(), strict=True)]
    path.write_text(header + "\n".join(lines) + "\n")
    return path


@pytest.mark.parametrize("separator", [",", ";", "\t", "  ", ", "])
@pytest.mark.parametrize("header", ["", "frequency_Hz,psd\n", "# made by hand\n\n# again\nf;S\n", "\ufefff,S\n"])
def test_two_column_text(tmp_path, separator, header):
    path = text(tmp_path / "device.csv", separator, header)
    before = path.read_bytes()
    spectra = load_spectra(path)
    np.testing.assert_array_equal(spectra.freqs, FREQS)
    np.testing.assert_array_equal(spectra.psd[0], PSD)
    assert spectra.valid.all()
    assert spectra.energies is None
    assert path.read_bytes() == before


@pytest.mark.parametrize("key", ["psd", "psd_mean"])
def test_npz_with_gaps(tmp_path, key):
    """Planted bug: the `valid` mask ignored, so that a gap of NaN was refused."""
    valid = np.array([True, True, False, True])
    np.savez(tmp_path / "gaps.npz", freq=FREQS, valid=valid, **{key: np.where(valid, PSD, np.nan)})
    spectra = load_spectra(tmp_path / "gaps.npz")
    assert spectra.valid.tolist() == [valid.tolist()]
    np.testing.assert_array_equal(spectra.psd[0, valid], PSD[valid])


def test_several_spectra_and_any_increasing_grid(tmp_path):
    np.savez(tmp_path / "many.npz", freq=np.geomspace(1e-3, 1e7, 4), psd=np.stack([PSD, 2 * PSD]))
    spectra = load_spectra(tmp_path / "many.npz")
    assert spectra.psd.shape == (2, 4)
    assert spectra.freqs[-1] == pytest.approx(1e7)


@pytest.mark.parametrize("table", [np.column_stack([FREQS, PSD]), np.stack([FREQS, PSD])])
def test_npy_either_way_round(tmp_path, table):
    np.save(tmp_path / "device.npy", table)
    np.testing.assert_array_equal(load_spectra(tmp_path / "device.npy").psd[0], PSD)


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_the_starting_studys_layout(tmp_path, protocol):
    psd = np.tile(np.linspace(2e-23, 1e-26, 3000, dtype=np.float32), (3, 1, 1))
    energies = np.array([[0.74, 1.8329], [0.1, 1.25], [2.0, 3.25]], dtype=np.float32)
    (tmp_path / "study.pkl").write_bytes(pickle.dumps({"x": psd, "y": energies}, protocol))
    spectra = load_spectra(tmp_path / "study.pkl")
    np.testing.assert_array_equal(spectra.freqs, PUBLISHED_FREQS)
    np.testing.assert_array_equal(spectra.psd, psd[:, 0].astype(float))
    np.testing.assert_allclose(spectra.energies, energies.astype(float) * 10)  # meV


def test_many_spectra_stay_on_disk(tmp_path):
    """Planted bug: the whole file read into memory."""
    table = np.exp(np.random.default_rng(0).normal(-50, 1, (2501, 40))).astype(np.float32)
    table[0] = np.arange(1, 41)
    np.save(tmp_path / "many.npy", table)
    spectra = load_spectra(tmp_path / "many.npy")
    assert isinstance(spectra.psd, np.memmap)
    assert not spectra.psd.flags.writeable
    assert spectra.valid.strides == (0, 0)
    np.testing.assert_array_equal(spectra.psd[1700], table[1701])
    table[2200, 7] = 0
    np.save(tmp_path / "many.npy", table)
    with pytest.warns(UserWarning, match=r"1 bin missing .*1 of them 0\), first 8 Hz"):
        spectra = load_spectra(tmp_path / "many.npy")
    assert not spectra.valid[2199, 7]
    assert spectra.valid.sum() == spectra.valid.size - 1
    assert isinstance(spectra.psd, np.memmap)


class Burglar:
    """A pickle that would create a file, were it executed."""

    def __init__(self, target, call=os.system, argument="touch {}"):
        self.target, self.call, self.argument = target, call, argument

    def __reduce__(self):
        return self.call, (self.argument.format(self.target),)


@pytest.mark.parametrize("call", [os.system, eval, exec, os.remove])
def test_nothing_is_executed(tmp_path, call):
    """Planted bug: builtins allowed along with numpy's own names."""
    precious = tmp_path / "precious"
    precious.write_text("data")
    argument = {os.system: "rm {}", os.remove: "{}"}.get(call, "__import__('os').remove('{}')")
    burglar = {"x": Burglar(precious, call, argument), "y": np.zeros((1, 2))}
    (tmp_path / "bad.pkl").write_bytes(pickle.dumps(burglar))
    with pytest.raises(ValueError, match="only plain numpy arrays, torch tensors"):
        load_spectra(tmp_path / "bad.pkl")
    assert precious.read_text() == "data"


@pytest.mark.parametrize("ending", [".npy", ".npz"])
def test_arrays_of_objects_are_not_unpickled(tmp_path, ending):
    precious = tmp_path / "precious"
    objects = np.array([Burglar(precious, argument="touch {}"), None], dtype=object)
    path = tmp_path / f"bad{ending}"
    np.savez(path, freq=FREQS, psd=objects) if ending == ".npz" else np.save(path, objects)
    with pytest.raises(ValueError, match=f"bad{ending}: it is truncated or not a {ending} file"):
        load_spectra(path)
    assert not precious.exists()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "device.csv: it is empty"),
        ("freq,psd\n", "holds no rows of numbers"),
        ("1,2\n2,abc\n3,4\n", r"line 2: column 2 of '2,abc' is not numbers"),
        ("1,2,3\n2,3,4\n", "has 2 columns beside the frequency.*choose with column="),
        ("1,0,4,0\n2,0,3,0\n3,5,2,9\n", "3 columns beside the frequency.*decimals are written with a comma"),
        ("1\n2\n", "has 1 column; a spectrum needs two"),
        ("1,4\n3,3\n2,2\n", r"frequencies must increase, but 2 Hz follows 3 Hz \(line 3\)"),
        ("1,4\n1,3\n", r"1 frequencies repeat, first 1 Hz \(line 1 and line 2\)"),
        ("-1,4\n1,3\n", "line 1 has -1 Hz, and the negative"),
        ("1,nan\n2,nan\n", "no bin holds a measurement"),
        ("1,4\n2,0\n3,-1\n", r"psd is -1 at 3 Hz \(line 3, spectrum 1\) and 1 of 3 values are negative"),
        ("1,-4\n2,-5\n", "every value is negative"),
        ("1,4\n", "holds 1 bin; a spectrum has at least 2"),
    ],
)
def test_text_that_is_no_spectrum(tmp_path, content, message):
    (tmp_path / "device.csv").write_text(content)
    with pytest.raises(ValueError, match=message):
        load_spectra(tmp_path / "device.csv")


def test_the_bin_at_dc_is_dropped_with_a_warning(tmp_path):
    (tmp_path / "device.txt").write_text("0 9\n1 4\n2 3\n")
    with pytest.warns(UserWarning, match="0 Hz bin"):
        spectra = load_spectra(tmp_path / "device.txt")
    assert spectra.freqs.tolist() == [1, 2]
    assert spectra.psd.tolist() == [[4, 3]]


@pytest.mark.parametrize("ending", [".npz", ".npy", ".pkl"])
@pytest.mark.parametrize("share", [0.05, 0.5, 0.97])
def test_truncated_files(tmp_path, ending, share):
    path = tmp_path / f"cut{ending}"
    freqs, psd = np.arange(1.0, 3001.0), np.full(3000, 1e-20)
    if ending == ".npz":
        np.savez(path, freq=freqs, psd=psd)
    elif ending == ".npy":
        np.save(path, np.stack([freqs, psd]))
    else:
        path.write_bytes(pickle.dumps({"x": psd[None, None], "y": np.zeros((1, 2))}))
    path.write_bytes(path.read_bytes()[: int(share * path.stat().st_size)])
    with pytest.raises(ValueError, match=f"cut{ending}: it is truncated or not a {ending} file"):
        load_spectra(path)


def test_other_contents_are_refused(tmp_path):
    np.savez(tmp_path / "a.npz", x=FREQS, psd=PSD)
    np.save(tmp_path / "b.npy", np.zeros((4, 3, 2)))
    (tmp_path / "c.pkl").write_bytes(pickle.dumps({"x": np.ones((2, 1, 100)), "y": np.ones((2, 2))}))
    (tmp_path / "d.pkl").write_bytes(pickle.dumps([1, 2]))
    (tmp_path / "e.csv").write_bytes(b"\xff\xfe\x00\x01")
    (tmp_path / "f.xlsx").write_bytes(b"PK\x03\x04")
    np.savez(tmp_path / "g.npz", freq=FREQS, psd=np.ones((2, 3)))
    np.savez(tmp_path / "h.npz", freq=FREQS, psd=np.array(["a"] * 4))
    for name, message in {
        "a.npz": r"holds \['psd', 'x'\]; it needs freq \(or f, frequencies\) and one of psd",
        "b.npy": r"has shape \(4, 3, 2\)",
        "c.pkl": r"x \(2, 1, 100\)",
        "d.pkl": "holds a list",
        "e.csv": "no rows of numbers",
        "f.xlsx": r"ends in '\.xlsx' and is not text",
        "g.npz": r"psd has shape \(2, 3\) and freq \(4,\)",
        "h.npz": "psd is not an array of real numbers",
        "missing.csv": r"is not a file \(tried .*missing\.csv",
    }.items():
        with pytest.raises(ValueError, match=message):
            load_spectra(tmp_path / name)


@pytest.mark.skipif(REAL_DATA_VARIABLE not in os.environ, reason=f"{REAL_DATA_VARIABLE} names no measured spectra")
def test_measured_spectra_are_read():
    paths = sorted(path for path in real_data_dir().rglob("*") if path.suffix in (".csv", ".txt", ".npz", ".npy"))
    assert paths
    for path in paths:
        spectra = load_spectra(path)
        assert spectra.freqs.size >= 30
        assert (spectra.psd[spectra.valid] > 0).all()
