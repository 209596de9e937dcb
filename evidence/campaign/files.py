"""A small file of each format that is read: what the campaign damages."""

import bz2
import gzip
import io
import json
import lzma
import pickle
import zipfile
from collections.abc import Callable

import h5py
import numpy as np
import scipy.io
import scipy.io.wavfile
import torch

FREQS = np.arange(1.0, 31.0)
PSD = 2.9e-14 / FREQS + 3e-16
SAMPLES = np.sin(np.arange(100)) + 9
TEXTS = (".csv", ".txt", ".asc", ".dat", ".json")


def _table(separator=",", head="Frequency (Hz),PSD (V^2/Hz)\n", decimal="."):
    rows = (f"{freq:g}{separator}{psd:.6g}" for freq, psd in zip(FREQS, PSD, strict=True))
    return (head + "\n".join(rows).replace(".", decimal) + "\n").encode()


def _lines(form: str) -> bytes:
    return "".join(form.format(f=freq, p=psd) for freq, psd in zip(FREQS, PSD, strict=True)).encode()


def _samples(form: str, head: str = "") -> bytes:
    return (head + "".join(form.format(at=at, x=x) for at, x in enumerate(SAMPLES))).encode()


def _stored(save: Callable, *values, **named) -> bytes:
    stream = io.BytesIO()
    save(stream, *values, **named)
    return stream.getvalue()


def _hdf5(**options) -> bytes:
    stream = io.BytesIO()
    with h5py.File(stream, "w") as file:
        for key, values in (("freq", FREQS), ("psd", PSD)):
            file.create_dataset(key, data=values, **options)
        file["psd"].attrs["unit"] = "V^2/Hz"
    return stream.getvalue()


def _strain() -> bytes:
    stream = io.BytesIO()
    with h5py.File(stream, "w") as file:
        file["strain/Strain"] = SAMPLES
        file["strain/Strain"].attrs.update({"Xspacing": 1 / 64, "Xstart": 0.0})
    return stream.getvalue()


def _netcdf() -> bytes:
    stream = io.BytesIO()
    file = scipy.io.netcdf_file(stream, "w")
    file.createDimension("bin", 30)
    for name, values in (("freq", FREQS), ("psd", PSD)):
        file.createVariable(name, "d", ("bin",))[:] = values
    file.flush()
    return stream.getvalue()


def _study() -> dict:
    return {"x": np.tile(np.linspace(2e-23, 1e-26, 3000, dtype=np.float32), (1, 1, 1)), "y": np.ones((1, 2))}


def _tensors() -> dict:
    return {"freq": torch.tensor(FREQS), "psd": torch.tensor(PSD)}


def _saved(**how) -> bytes:
    return _stored(lambda stream, tables: torch.save(tables, stream, **how), _tensors())


def _stamped(start: str) -> bytes:
    return _samples(start + ".{at:03d},{x:.5f}\n", "time,x\n")


def _tdms() -> bytes:
    from nptdms import ChannelObject, TdmsWriter

    stream = io.BytesIO()
    with TdmsWriter(stream) as writer:
        writer.write_segment([ChannelObject("group", "a", SAMPLES, {"wf_increment": 0.01})])
    return stream.getvalue()


MATLAB = {"f": FREQS, "Pxx": PSD}
SPECTRA: dict[str, Callable[[], bytes]] = {
    "comma.csv": _table,
    "decimal_comma.txt": lambda: _table(";", "Frequenz [kHz];PSD [dBm/Hz]\n", ","),
    "blanks.asc": lambda: _table("  ", "# Number of Avg: 25\n* X[Hz]  V/sqrt(Hz)\n"),
    "utf16.txt": lambda: _table("\t", "Freq.\tPSD\n").decode().encode("utf-16"),
    "units.csv": lambda: _lines("{f:g} kHz;{p:.5g}\n"),
    "two_rows.csv": lambda: b"\n".join(",".join(f"{v:.5g}" for v in row).encode() for row in (FREQS, PSD)),
    "beside.csv": lambda: _lines("Source,CH1,,{f:g},{p:.5g}\n"),
    "cyrillic.csv": lambda: _table(";").decode().replace("Frequency (Hz)", "Частота, кГц").encode("cp1251"),
    "blocks.dat": lambda: 2 * (_table(" ", "# trace\n") + b"\n"),
    "records.json": lambda: json.dumps({"freq": FREQS.tolist(), "psd": PSD.tolist()}).encode(),
    "table.csv.gz": lambda: gzip.compress(_table(), mtime=0),
    "table.csv.bz2": lambda: bz2.compress(_table()),
    "table.csv.xz": lambda: lzma.compress(_table()),
    "arrays.npz": lambda: _stored(np.savez_compressed, freq=FREQS, psd=PSD, valid=np.ones(30, bool)),
    "array.npy": lambda: _stored(np.save, np.column_stack([FREQS, PSD])),
    "variables.mat": lambda: _stored(scipy.io.savemat, MATLAB),
    "packed.mat": lambda: _stored(scipy.io.savemat, {"data": MATLAB}, do_compression=True),
    "version4.mat": lambda: _stored(scipy.io.savemat, MATLAB, format="4"),
    "datasets.h5": _hdf5,
    "chunks.h5": lambda: _hdf5(chunks=(10,), compression="gzip", shuffle=True),
    "variables.nc": _netcdf,
    "study.pkl": lambda: pickle.dumps(_study(), 2),
    "text.pkl": lambda: pickle.dumps({"freq": FREQS.tolist(), "psd": PSD}, 0),
    "tensors.pkl": lambda: pickle.dumps(_tensors()),
    "saved.pt": _saved,
    "old.pt": lambda: _saved(_use_new_zipfile_serialization=False),
}
SERIES: dict[str, Callable[[], bytes]] = {
    "sound.wav": lambda: _stored(scipy.io.wavfile.write, 8000, np.arange(200, dtype=np.int16)),
    "floats.wav": lambda: _stored(scipy.io.wavfile.write, 8000, np.stack([SAMPLES, SAMPLES], axis=1)),
    "strain.hdf5": _strain,
    "stamped.csv": lambda: _stamped("2024-04-21T15:00:00"),
    "brief.csv": lambda: _stamped("20240421T150000"),
    "decimal_commas.csv": lambda: b"fs: 9 Hz\n" + _samples("{x:.5f}\n").replace(b".", b","),
    "counted.csv": lambda: _samples("{at},{x:.5f}\n", "# fs = 100 Hz\n"),
    "rows.csv": lambda: _samples("{x:.5f} ", "NPTS= 100, DT= .01\n"),
    "times.csv": lambda: _table(",", "Time (s),U (V)\n"),
    "samples.npz": lambda: _stored(np.savez, x=SAMPLES, fs=100.0),
    "recording.tdms": _tdms,
}
Convert = Callable[[bytes], bytes]
PACKED: dict[str, tuple[Convert, Convert]] = {
    ".gz": (gzip.decompress, gzip.compress),
    ".bz2": (bz2.decompress, bz2.compress),
    ".xz": (lzma.decompress, lzma.compress),
}


def mutated(name: str, content: bytes, rng: np.random.Generator) -> bytes:
    """A file damaged in one to three ways; of a packed one every second time what is inside, its checksums right."""
    ending = "." + name.rsplit(".", 1)[1]
    if ending in PACKED and rng.integers(2):
        unpack, pack = PACKED[ending]
        return pack(_changed(unpack(content), rng, True))
    if ending in (".npz", ".pt") and content.startswith(b"PK") and rng.integers(2):
        return _changed_member(content, rng)
    return _changed(content, rng, name.endswith(TEXTS))


def _changed_member(content, rng):
    """An archive in which one member is damaged and everything around it is sound."""
    stream = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(content)) as old, zipfile.ZipFile(stream, "w") as new:
        members = old.infolist()
        at = rng.integers(len(members))
        for number, info in enumerate(members):
            inside = old.read(info)
            new.writestr(info, _changed(inside, rng, False) if number == at else inside)
    return stream.getvalue()


def _changed(content: bytes, rng, is_text: bool) -> bytes:
    for _ in range(rng.integers(1, 4)):
        kind = rng.integers(0, 9 if is_text else 6)
        at = int(rng.integers(0, len(content) + 1))
        if kind < 2 and content:
            changed = bytearray(content)
            for place in rng.integers(0, len(changed), rng.integers(1, 6)):
                changed[place] = rng.integers(0, 256) if kind else changed[place] ^ (1 << int(rng.integers(0, 8)))
            content = bytes(changed)
        elif kind == 2:
            content = content[:at]
        elif kind == 3:  # a number that claims much, or nothing
            number = (b"\xff" * 4, b"\xff\xff\xff\x7f", bytes(8), b"\0\0\0\0\0\0\0\x7f", b"\0\x10\xa5\xd4\xe8\0\0\0")
            chosen = number[rng.integers(len(number))]
            content = content[:at] + chosen + content[at + len(chosen) :]
        elif kind == 4:  # a part again
            content = content[: at + int(rng.integers(1, 64))] + content[at:]
        elif kind == 5:  # a part gone
            content = content[:at] + content[at + int(rng.integers(1, 64)) :]
        else:
            content = _changed_lines(content, rng, kind)
    return content


def _changed_lines(content, rng, kind):
    """A line gone, one doubled elsewhere, or the columns of one turned round."""
    lines = content.split(b"\n")
    at, to = rng.integers(0, len(lines), 2)
    line = lines.pop(at)
    if kind == 7:
        lines[to:to] = [line, line]
    elif kind == 8:
        lines.insert(to, b",".join(reversed(line.split(b","))))
    return b"\n".join(lines)
