"""Pickles: NumPy arrays, torch tensors and plain containers are rebuilt, nothing is executed."""

import io
import pickle
import re
import zipfile
from pathlib import Path

import numpy as np

from nblib.measured.files.claims import check_members, check_size
from nblib.measured.files.formats import Column, Raw, Refusal, package, reader
from nblib.measured.files.named_arrays import flattened, from_arrays

SAFE_GLOBALS = {
    (module, name)
    for module in ("numpy.core.multiarray", "numpy._core.multiarray", "numpy.core.numeric", "numpy._core.numeric")
    for name in ("_reconstruct", "scalar", "_frombuffer")
} | {("numpy", "ndarray"), ("numpy", "dtype"), ("collections", "OrderedDict")}
ARRAY = "ndarray"
STUDY_FREQS = np.arange(1.0, 3001.0)  # Hz; the starting study's pickles hold none
SHARED = 1 << 16  # bytes that any file may hold more than once
REFUSED = "only plain numpy arrays, torch tensors and containers are read"


class ArraysOnly(pickle._Unpickler):  # type: ignore[name-defined, misc]  # typeshed leaves it out
    """Rebuilds arrays, tensors and plain containers; every other name is refused before it is imported.

    The unpickler in Python, not the compiled one, which takes memory for whatever place a memo names.
    """

    def find_class(self, module, name):
        if (module, name) == ("_codecs", "encode"):
            return _bytes
        if (module, name) == ("torch._utils", "_rebuild_tensor_v2"):
            return _tensor
        if (module, name) == ("torch.storage", "_load_from_bytes"):
            return _storage
        if (module, name) not in SAFE_GLOBALS:
            raise pickle.UnpicklingError(f"it asks for {module}.{name}; {REFUSED}")
        if (module, name) == ("numpy", "ndarray"):
            return ARRAY  # only an argument of _reconstruct
        if name == "_reconstruct":
            return _empty
        if module.startswith("numpy.core"):
            module = module.replace("numpy.core", "numpy._core", 1)
        return super().find_class(module, name)


def _empty(kind, shape, code):
    """An array without numbers, which its pickled state fills; NumPy's own makes one of any claimed size."""
    if kind != ARRAY or shape != (0,):
        raise pickle.UnpicklingError(f"it asks for an array of shape {shape}; {REFUSED}")
    return np.zeros(0)


def _bytes(text, encoding):
    """Bytes as protocols before 3 spell them."""
    if encoding != "latin1":
        raise pickle.UnpicklingError(f"it asks for the encoding {encoding!r}; {REFUSED}")
    return text.encode("latin1")


def _storage(content: bytes):
    """The numbers of a tensor, which torch pickles as a file within the file; weights_only executes nothing."""
    return package("torch").load(io.BytesIO(content), weights_only=True, map_location="cpu")


def _tensor(storage, offset, size, stride, *ignored):
    """A tensor's values as a NumPy array. torch checks that size and stride stay within the storage."""
    check_size("a tensor", int(np.prod(size, dtype=object)) * storage.dtype.itemsize, storage.nbytes())
    return package("torch")._utils._rebuild_tensor_v2(storage, offset, tuple(size), tuple(stride), False, {}).numpy()


@reader(".pkl", ".pickle", ".pt", ".pth")
def read_pickle(path: Path, column: Column) -> Raw:
    """{"x": (N, 1, 3000) PSD, "y": (N, 2) = (Ea/10, Eb/10)} of the starting study, or {"freq": ..., "psd": ...}."""
    table = load_pickle(path)
    if not isinstance(table, dict):
        raise Refusal(
            f"it holds a {type(table).__name__}; it needs "
            '{"x": (N, 1, 3000), "y": (N, 2)} or {"freq": ..., "psd": ...}'
        )
    arrays = {str(key): _array(value) for key, value in table.items()}
    if not {"x", "y"} <= set(arrays):
        return from_arrays(flattened(arrays), column)
    psd, labels = arrays["x"], arrays["y"]
    for key, values in (("x", psd), ("y", labels)):
        if getattr(values, "dtype", np.dtype(object)).kind not in "fiu":
            raise Refusal(f"{key} is not an array of real numbers")
    psd, labels = np.asarray(psd, np.float64), np.asarray(labels, np.float64)
    if psd.ndim != 3 or psd.shape[1:] != (1, len(STUDY_FREQS)) or labels.shape != (len(psd), 2):
        raise Refusal(f"x {psd.shape}, y {labels.shape}; the layout is x (N, 1, 3000), y (N, 2)")
    return Raw(STUDY_FREQS.copy(), psd[:, 0], "Hz", "A^2/Hz", energies=labels * 10)


def load_pickle(path: Path):
    """What a pickle or a file of torch.save holds, tensors as arrays; a Refusal for anything that would be executed."""
    content = path.read_bytes()
    table = _unpickled(path, content)
    _check_spread(table, 2 * len(content) + SHARED)
    return table


def _check_spread(table, most):
    """A list that holds one thing many times is small in the file, and any size once it is an array."""
    left, waiting = most, [table]
    while waiting:
        value = waiting.pop()
        if isinstance(value, dict):
            waiting += value.values()
        elif isinstance(value, (list, tuple)):
            waiting += value
        left -= 1 + getattr(value, "nbytes", len(value) if isinstance(value, (str, bytes)) else 0)
        if left < 0:
            raise Refusal(f"spread out, it holds more than {most} bytes; export it again")


def _unpickled(path, content):
    start = content[:16]
    if start.startswith(b"PK\x03\x04") or start.startswith(
        b"\x80\x02\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19"
    ):  # torch.save, new and old
        return _torch_file(path)
    try:
        return ArraysOnly(io.BytesIO(content), encoding="latin1").load()
    except pickle.UnpicklingError as error:
        if REFUSED in str(error):
            raise Refusal(str(error)) from None
        raise


def _torch_file(path):
    """torch.load that rebuilds tensors and arrays only."""
    from numpy._core.multiarray import _reconstruct, scalar

    torch = package("torch")
    if zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as archive:
            check_members(archive, 1.0)
    allowed = [_reconstruct, scalar, np.ndarray, np.dtype, *(type(np.dtype(kind)) for kind in "fdeilqbBhH?")]
    allowed += [(_reconstruct, "numpy.core.multiarray._reconstruct"), (scalar, "numpy.core.multiarray.scalar")]
    try:
        with torch.serialization.safe_globals(allowed):
            return torch.load(path, weights_only=True, map_location="cpu")
    except pickle.UnpicklingError as error:
        if "Unsupported global" in str(error) or "Unsupported operand" in str(error):
            asked = re.search(r"GLOBAL (\S+)", str(error))
            raise Refusal(f"it asks for {asked.group(1) if asked else 'more'}; {REFUSED}") from None
        raise


def _array(value):
    """Tensors as arrays; everything else as it is."""
    if type(value).__module__.startswith("torch") and hasattr(value, "detach"):
        check_size("a tensor", value.nbytes, value.untyped_storage().nbytes())
        value = value.detach().float() if str(value.dtype) == "torch.bfloat16" else value.detach()
        return value.cpu().numpy()
    return value
