"""Damaged files: every mutation ends in numbers that make sense or in a ValueError, and soon."""

import gzip
import io
import json
import pickle
import warnings

import h5py
import numpy as np
import pytest
import scipy.io
import scipy.io.wavfile
import torch

from nblib.measured.files.readers import load_series, load_spectra

FREQS = np.arange(1.0, 31.0)
PSD = 2.9e-14 / FREQS + 3e-16
ROUNDS = 100  # inputs a format


def _table(separator=",", head="Frequency (Hz),PSD (V^2/Hz)\n", decimal="."):
    rows = (f"{freq:g}{separator}{psd:.6g}" for freq, psd in zip(FREQS, PSD, strict=True))
    return (head + "\n".join(rows).replace(".", decimal) + "\n").encode()


def _stored(save, *values, **named):
    stream = io.BytesIO()
    save(stream, *values, **named)
    return stream.getvalue()


def _hdf5():
    stream = io.BytesIO()
    with h5py.File(stream, "w") as file:
        file["freq"], file["psd"] = FREQS, PSD
        file["psd"].attrs["unit"] = "V^2/Hz"
    return stream.getvalue()


def _strain():
    stream = io.BytesIO()
    with h5py.File(stream, "w") as file:
        file["strain/Strain"] = np.random.default_rng(1).normal(size=64)
        file["strain/Strain"].attrs["Xspacing"] = 1 / 64
        file["strain/Strain"].attrs["Xstart"] = 0.0
    return stream.getvalue()


def _study():
    return {"x": np.tile(np.linspace(2e-23, 1e-26, 3000, dtype=np.float32), (1, 1, 1)), "y": np.ones((1, 2))}


def _tensors():
    return {"freq": torch.tensor(FREQS), "psd": torch.tensor(PSD)}


def _netcdf():
    stream = io.BytesIO()
    file = scipy.io.netcdf_file(stream, "w")
    file.createDimension("bin", 30)
    for name, values in (("freq", FREQS), ("psd", PSD)):
        file.createVariable(name, "d", ("bin",))[:] = values
    file.flush()
    return stream.getvalue()


def _stamped(start="2024-04-21T15:00:00"):
    lines = (f"{start}.{at:03d},{np.sin(at):.5f}" for at in range(100))
    return ("time,x\n" + "\n".join(lines)).encode()


SOURCES = {
    "comma.csv": _table,
    "decimal_comma.txt": lambda: _table(";", "Frequenz [kHz];PSD [dBm/Hz]\n", ","),
    "blanks.asc": lambda: _table("  ", "# Number of Avg: 25\n* X[Hz]  V/sqrt(Hz)\n"),
    "utf16.txt": lambda: _table("\t", "Freq.\tPSD\n").decode().encode("utf-16"),
    "table.csv.gz": lambda: gzip.compress(_table(), mtime=0),
    "arrays.npz": lambda: _stored(np.savez_compressed, freq=FREQS, psd=PSD, valid=np.ones(30, bool)),
    "array.npy": lambda: _stored(np.save, np.column_stack([FREQS, PSD])),
    "variables.mat": lambda: _stored(scipy.io.savemat, {"f": FREQS, "Pxx": PSD}),
    "datasets.h5": _hdf5,
    "variables.nc": _netcdf,
    "records.json": lambda: json.dumps({"freq": FREQS.tolist(), "psd": PSD.tolist()}).encode(),
    "units.csv": lambda: "".join(f"{f:g} kHz;{p:.5g}\n" for f, p in zip(FREQS, PSD, strict=True)).encode(),
    "two_rows.csv": lambda: b"\n".join(",".join(f"{v:.5g}" for v in row).encode() for row in (FREQS, PSD)),
    "beside.csv": lambda: "".join(f"Source,CH1,,{f:g},{p:.5g}\n" for f, p in zip(FREQS, PSD, strict=True)).encode(),
    "cyrillic.csv": lambda: _table(";").decode().replace("Frequency (Hz)", "Частота, кГц").encode("cp1251"),
    "blocks.dat": lambda: 2 * (_table(" ", "# trace\n") + b"\n"),
    "study.pkl": lambda: pickle.dumps(_study(), 2),
    "tensors.pkl": lambda: pickle.dumps(_tensors()),
    "saved.pt": lambda: _stored(lambda stream, tables: torch.save(tables, stream), _tensors()),
}
SERIES = {
    "sound.wav": lambda: _stored(scipy.io.wavfile.write, 8000, np.arange(200, dtype=np.int16)),
    "strain.hdf5": _strain,
    "stamped.csv": _stamped,
    "brief.csv": lambda: _stamped("20240421T150000"),
    "decimal_commas.csv": lambda: (
        b"fs: 9 Hz\n" + "".join(f"{np.sin(at) + 9:.5f}\n" for at in range(100)).replace(".", ",").encode()
    ),
    "counted.csv": lambda: b"# fs = 100 Hz\n" + "".join(f"{at},{np.sin(at):.5f}\n" for at in range(100)).encode(),
    "rows.csv": lambda: (
        b"NPTS= 100, DT= .01\n"
        + "".join(f"{np.sin(at):.5f}{' '[at % 5 == 4 :]}{chr(10)[at % 5 != 4 :]}" for at in range(100)).encode()
    ),
    "times.csv": lambda: _table(",", "Time (s),U (V)\n"),
}


def mutated(content: bytes, rng, is_text: bool) -> bytes:
    """One to three changes: bytes flipped, the end cut off; in text also lines dropped, doubled, columns swapped."""
    for _ in range(rng.integers(1, 4)):
        kind = rng.integers(0, 6 if is_text else 3)
        if kind < 2 and content:
            changed = bytearray(content)
            for at in rng.integers(0, len(changed), rng.integers(1, 6)):
                changed[at] = rng.integers(0, 256) if kind else changed[at] ^ (1 << int(rng.integers(0, 8)))
            content = bytes(changed)
        elif kind == 2:
            content = content[: int(rng.integers(0, len(content) + 1))]
        else:
            lines = content.split(b"\n")
            at, to = rng.integers(0, len(lines), 2)
            line = lines.pop(at)
            if kind == 4:
                lines[to:to] = [line, line]
            elif kind == 5:
                lines.insert(to, b",".join(reversed(line.split(b","))))
            content = b"\n".join(lines)
    return content


@pytest.mark.slow
@pytest.mark.parametrize("name", SOURCES)
def test_a_damaged_spectrum_is_refused_or_makes_sense(tmp_path, name):
    """Planted bugs: KeyError of h5py, struct.error of scipy and MemoryError of numpy let through; NaN kept as valid."""
    content, rng = SOURCES[name](), np.random.default_rng(list(name.encode()))
    is_text = name.endswith((".csv", ".txt", ".asc", ".dat", ".json"))
    path, refused = tmp_path / name, 0
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for _ in range(ROUNDS):
            path.write_bytes(mutated(content, rng, is_text))
            try:
                spectra = load_spectra(path)
            except ValueError as error:
                assert str(error).startswith(name)
                refused += 1
                continue
            assert np.isfinite(spectra.freqs).all()
            assert (spectra.freqs > 0).all()
            assert (np.diff(spectra.freqs) > 0).all()
            assert spectra.psd.shape == spectra.valid.shape == (len(spectra.psd), len(spectra.freqs))
            assert (np.isfinite(spectra.psd[spectra.valid]) & (spectra.psd[spectra.valid] > 0)).all()
            assert spectra.valid.any(axis=1).all()
            assert "bins" in spectra.describe()
    assert refused > 0
    assert refused < ROUNDS or name.endswith((".gz", ".json"))  # a checksum or syntax finds every change


@pytest.mark.slow
@pytest.mark.parametrize("name", SERIES)
def test_a_damaged_series_is_refused_or_makes_sense(tmp_path, name):
    content, rng = SERIES[name](), np.random.default_rng(list(name.encode()))
    path, refused = tmp_path / name, 0
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for _ in range(ROUNDS):
            path.write_bytes(mutated(content, rng, name.endswith(".csv")))
            try:
                series = load_series(path)
            except ValueError as error:
                assert str(error).startswith(name)
                refused += 1
                continue
            assert np.isfinite(series.rate)
            assert series.rate > 0
            assert all(np.isfinite(piece).all() for piece in series.stretches())
    assert 0 < refused < ROUNDS
