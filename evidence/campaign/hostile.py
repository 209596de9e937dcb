"""Files made to do harm: pickles that call, HDF5 that points elsewhere, headers that claim, archives that unpack."""

import io
import lzma
import os
import pickle
import struct
import zipfile
from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import scipy.io
import torch

FREQS = np.arange(1.0, 81.0)
PSD = 1e-14 / FREQS
HUGE = 10**12  # rows
MARK = "was_here"  # the file that code of a pickle would make


class _Call:
    """Pickles as a call."""

    def __init__(self, function: Callable, *arguments):
        self.call = function, arguments

    def __reduce__(self):
        return self.call


def _protocol2(*parts: bytes) -> bytes:
    return b"\x80\x02" + b"".join(parts) + b"."


def _text(value: str) -> bytes:
    return b"X" + struct.pack("<I", len(value)) + value.encode()


def _calls(folder: Path) -> dict[str, bytes]:
    """Pickles that would make a file: by a call, by name, nested, through a memo, through a state."""
    mark = folder / MARK
    system = _Call(os.system, f"touch {mark}")
    code = f"open({str(mark)!r}, 'w')"
    psd = {"freq": FREQS, "psd": system}
    return {
        **{f"reduce, protocol {number}": pickle.dumps(psd, number) for number in range(6)},
        "eval": pickle.dumps({"freq": FREQS, "psd": _Call(eval, code)}),
        "exec": pickle.dumps({"freq": FREQS, "psd": _Call(exec, code)}),
        "nested in a list of an array": pickle.dumps({"freq": FREQS, "psd": [[system], PSD]}),
        "array of objects": pickle.dumps({"freq": FREQS, "psd": np.array([system, None], dtype=object)}),
        "global by its name alone": _protocol2(b"cposix\nsystem\n", _text(f"touch {mark}"), b"\x85R"),
        "instance": b"(S'" + f"touch {mark}".encode() + b"'\niposix\nsystem\n.",
        "dotted name": b"\x80\x04%b%b\x93%b\x85R."
        % tuple(map(_short, ("numpy", "testing.os.system", f"touch {mark}"))),
        "allowed module, other name": _protocol2(b"cnumpy._core.multiarray\nsys.modules\n"),
        "builtins.getattr": _protocol2(b"cbuiltins\ngetattr\n", b"cnumpy\nndarray\n", _text("tofile"), b"\x86R"),
        "persistent id": _protocol2(_text("anything"), b"Q"),
        "extension registry": _protocol2(b"\x82\x01"),
        "memo of any size": _protocol2(b"}q\x00K\x01r\xff\xff\xff\x3fsb"),
        "memo fetched before it is made": _protocol2(b"h\x07"),
        "bytes of any size": b"\x80\x04\x8e" + struct.pack("<Q", 6 << 30) + b"abc.",
        "another codec": _protocol2(b"c_codecs\nencode\n", _text("abc"), _text("rot13"), b"\x86R"),
        "state that renames": _protocol2(b"ccollections\nOrderedDict\n)R}", _text("__class__"), _text("x"), b"sb"),
        "an array of any size": pickle.dumps({"freq": _Call(np.ndarray, (HUGE,))}),
        "lists of lists of lists": pickle.dumps({"freq": FREQS, "psd": _spread(10)}),
        "one array many times": pickle.dumps({"freq": FREQS, "psd": [np.ones(10_000)] * 5000}),
        "a tensor spread out": pickle.dumps({"freq": FREQS, "psd": torch.zeros(1).expand(400_000_000)}),
        "tensor whose file calls": pickle.dumps(
            {"freq": FREQS, "psd": _Call(torch.storage._load_from_bytes, pickle.dumps(system))}
        ),
        "module": pickle.dumps({"x": torch.nn.Linear(2, 2)}),
    }


def _short(value: str) -> bytes:
    return b"\x8c" + bytes([len(value)]) + value.encode()


def _spread(depth):
    value: object = 1.0
    for _ in range(depth):
        value = [value] * 10
    return value


def _torch_files(folder: Path) -> dict[str, bytes]:
    """torch.save, new and old layout, that would make a file; one whose parts unpack, one that claims."""
    contents = {}
    call = {"freq": torch.tensor(FREQS), "psd": _Call(os.system, f"touch {folder / MARK}")}
    for name, is_zip in (("zip", True), ("old", False)):
        stream = io.BytesIO()
        torch.save(call, stream, _use_new_zipfile_serialization=is_zip)
        contents[name] = stream.getvalue()
    for name, psd, packing in (
        ("zip, spread out", torch.zeros(1).expand(400_000_000), zipfile.ZIP_STORED),
        ("zip, deflated", torch.zeros(30_000), zipfile.ZIP_DEFLATED),
    ):
        stream, again = io.BytesIO(), io.BytesIO()
        torch.save({"freq": torch.tensor(FREQS), "psd": psd}, stream)
        with zipfile.ZipFile(stream) as old, zipfile.ZipFile(again, "w", packing) as new:
            for info in old.infolist():
                new.writestr(info.filename, old.read(info))
        contents[name] = again.getvalue()
    return contents


def _hdf5(folder: Path) -> dict[str, bytes]:
    """Values that lie in other files, shapes that claim, many small claims."""
    secret, raw = folder / "secret.h5", folder / "raw"
    with h5py.File(secret, "w") as file:
        file["psd"] = PSD
    raw.write_bytes(PSD.tobytes())

    def virtual(file):
        layout = h5py.VirtualLayout((80,), "f8")
        layout[:] = h5py.VirtualSource(str(secret), "psd", shape=(80,))
        file.create_virtual_dataset("psd", layout)

    def many(file):
        for number in range(100):
            file.create_dataset(f"x{number}", (8_000_000,), "f8")

    makers = {
        "virtual dataset": virtual,
        "external storage": lambda file: file.create_dataset("psd", (80,), "f8", external=[(str(raw), 0, 640)]),
        "external link": lambda file: file.__setitem__("psd", h5py.ExternalLink(str(secret), "psd")),
        "soft link to nothing": lambda file: file.__setitem__("psd", h5py.SoftLink("/nowhere")),
        "10^12 rows": lambda file: file.create_dataset("psd", (HUGE,), "f8", chunks=(10**6,)),
        "many claims": many,
    }
    contents = {}
    for name, make in makers.items():
        stream = io.BytesIO()
        with h5py.File(stream, "w") as file:
            file["freq"] = FREQS
            make(file)
        contents[name] = stream.getvalue()
    return contents


def _npy(shape) -> bytes:
    stream = io.BytesIO()
    np.lib.format.write_array_header_1_0(stream, {"descr": "<f8", "fortran_order": False, "shape": shape})
    return stream.getvalue() + bytes(80)


def _archive(*members: tuple[str, bytes], packing: int = zipfile.ZIP_DEFLATED) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", packing) as archive:
        for name, content in members:
            archive.writestr(name, content)
    return stream.getvalue()


def _claims() -> dict[str, tuple[str, bytes]]:
    """Headers, archives and packed files that claim more than they hold: {what: (ending, content)}."""
    long_wav = b"RF64\xff\xff\xff\xffWAVEds64" + struct.pack("<IQQQI", 28, 1 << 42, 1 << 42, 1 << 40, 0)
    form = b"fmt " + struct.pack("<IHHIIHH", 16, 1, 1, 1000, 2000, 2, 16)
    samples = b"data" + struct.pack("<I", 1 << 31) + bytes(400)
    zeros, plain = io.BytesIO(), io.BytesIO()
    scipy.io.savemat(zeros, {"x": np.zeros(4_000_000, np.int8)}, do_compression=True)
    scipy.io.savemat(plain, {"f": FREQS, "Pxx": PSD})
    head, variable, named = zeros.getvalue()[:128], zeros.getvalue()[128:], plain.getvalue()
    return {
        "npy of 10^12 rows": (".npy", _npy((HUGE,))),
        "npy whose size overflows": (".npy", _npy((2**32, 2**32))),
        "npz of 10^12 rows": (".npz", _archive(("freq.npy", _npy((HUGE,))), ("psd.npy", _npy((HUGE,))))),
        "npz with a path": (".npz", _archive(("../../x.npy", _npy((10,))))),
        "xz of many zeros": (".npy.xz", lzma.compress(bytes(80_000_000), preset=0)),
        "wav": (".wav", b"RIFF" + struct.pack("<I", 1 << 31) + b"WAVE" + form + samples),
        "wav of 64 bits": (".wav", long_wav + form + b"data" + b"\xff" * 4 + bytes(400)),
        "line of 80 MB": (".csv", b"freq,psd\n" + b"1,2," * 20_000_000),
        "json, deep": (".json", b"[" * 200_000),
        "json, of nothing": (".json", b"[" + b"[]," * 20_000 + b"[]]"),
        "matlab of many zeros": (".mat", head + 80 * variable),
        "matlab of another version": (".mat", b"XATLAB" + named[6:126] + b"XX" + named[128:]),
        "matlab 4, 10^9 by 10^9": (".mat", struct.pack("<5i", 0, 10**9, 10**9, 0, 2) + b"x\0" + bytes(80)),
        "spreadsheet": (".xlsx", _archive(("xl/worksheets/sheet1.xml", bytes(100)))),
        "zip": (".zip", _archive(("a.csv", b"1,2\n"))),
    }


def hostile(folder: Path, only: str = "") -> dict[str, tuple[str, bytes]]:
    """Every hostile file: {what it tries: (ending, content)}.

    Parameters
    ----------
    folder : where code of a pickle would leave MARK, and where the other files of links lie
    only : beginning of the names of those that are made
    """
    groups: dict[str, Callable[[], dict[str, tuple[str, bytes]]]] = {
        "pickle": lambda: {name: (".pkl", content) for name, content in _calls(folder).items()},
        "torch": lambda: {name: (".pt", content) for name, content in _torch_files(folder).items()},
        "HDF5": lambda: {name: (".h5", content) for name, content in _hdf5(folder).items()},
        "claim": _claims,
    }
    made = {group: make() for group, make in groups.items() if only.startswith(group) or not only}
    named = {f"{group}: {name}": entry for group, entries in made.items() for name, entry in entries.items()}
    return {name: entry for name, entry in named.items() if name.startswith(only)}


def sound(folder: Path) -> dict[str, Path]:
    """The starting study's own layouts, of arrays and of tensors, which are read."""
    arrays = {"x": np.tile(np.linspace(2e-23, 1e-26, 3000, dtype=np.float32), (2, 1, 1)), "y": np.ones((2, 2))}
    tensors = {key: torch.tensor(values) for key, values in arrays.items()}
    paths = {}
    for name, tables in (("arrays", arrays), ("tensors", tensors)):
        for protocol in (2, 4):
            paths[f"{name}, protocol {protocol}"] = folder / f"{name}{protocol}.pkl"
            paths[f"{name}, protocol {protocol}"].write_bytes(pickle.dumps(tables, protocol))
        for is_zip in (True, False):
            paths[f"{name}, torch.save, zip {is_zip}"] = folder / f"{name}{is_zip}.pt"
            torch.save(tables, paths[f"{name}, torch.save, zip {is_zip}"], _use_new_zipfile_serialization=is_zip)
    return paths
