"""MATLAB files of version 5 to 7, every length checked: SciPy's compiled reader crashes on some damaged files.

Source: MathWorks, MAT-File Format, level 5. Numbers, text and structures are read; cells, objects, sparse are left out.
"""

import struct
import zlib

import numpy as np

TYPES = {
    1: "i1",
    2: "u1",
    3: "i2",
    4: "u2",
    5: "i4",
    6: "u4",
    7: "f4",
    9: "f8",
    12: "i8",
    13: "u8",
    16: "u1",
    17: "u2",
    18: "u4",
}
MATRIX, PACKED = 14, 15
STRUCTURE, TEXT = 2, 4
NUMBERS = range(6, 16)
MOST_BYTES = 1 << 31  # of all variables, unpacked and as double-precision numbers
MOST_DEPTH = 20  # structures within structures


def variables(content: bytes) -> dict:
    """{name: array, text or dictionary of the same}.

    Parameters
    ----------
    content : the whole file

    Raises
    ------
    ValueError, struct.error or zlib.error when it is damaged
    """
    if len(content) < 128 or content[126:128] not in (b"IM", b"MI"):
        raise ValueError("its header is not that of a MATLAB file")
    order = "<" if content[126:128] == b"IM" else ">"
    by_name = {}
    left = MOST_BYTES
    for kind, body in _elements(content[128:], order):
        if kind == PACKED:
            unpacker = zlib.decompressobj()
            inner = unpacker.decompress(body, left)
            if not unpacker.eof:
                raise ValueError(f"a compressed variable is cut, or all unpack to more than {MOST_BYTES} bytes")
            kind, body = next(iter(_elements(inner, order)))
        if kind == MATRIX:
            name, value = _matrix(body, order, 0)
            if value is not None:
                by_name[name] = value
                left -= _size(value)
    return by_name


def _size(value):
    """Bytes that a variable takes."""
    if isinstance(value, dict):
        return sum(map(_size, value.values()))
    return value.nbytes if isinstance(value, np.ndarray) else len(value)


def _elements(content, order):
    """(type, bytes) of the elements that follow one another; small ones share 8 bytes with their tag."""
    at = 0
    while at < len(content):
        (first,) = struct.unpack_from(order + "I", content, at)
        if first >> 16:  # small element
            kind, size, start, step = first & 0xFFFF, first >> 16, at + 4, 8
            if size > 4:
                raise ValueError(f"a small element of {size} bytes")
        else:
            kind, (size,), start = first, struct.unpack_from(order + "I", content, at + 4), at + 8
            step = 8 + size + (-size % 8 if kind != PACKED else 0)
        if start + size > len(content):
            raise ValueError(f"an element of {size} bytes where {len(content) - start} are left")
        yield kind, content[start : start + size]
        at += step


def _values(element, order):
    kind, body = element
    if kind not in TYPES or len(body) % np.dtype(TYPES[kind]).itemsize:
        raise ValueError(f"type {kind} is not a kind of number")
    return np.frombuffer(body, dtype=order + TYPES[kind])


def _matrix(body, order, depth):
    """(name, value) of one array; the value is None where it is of a kind that is left out."""
    if depth > MOST_DEPTH:
        raise ValueError(f"structures more than {MOST_DEPTH} deep")
    if not body:
        return "", None
    parts = iter(_elements(body, order))
    flags = _values(next(parts, (0, b"")), order)
    shape = [int(size) for size in _values(next(parts, (0, b"")), order)]
    name = bytes(_values(next(parts, (0, b"")), order)).decode("latin1").rstrip("\0")
    if not len(flags) or len(shape) < 2 or min(shape) < 0:
        raise ValueError("an array without flags or shape")
    kind = int(flags[0]) & 0xFF
    if kind == STRUCTURE:
        return name, _structure(parts, shape, order, depth)
    if kind != TEXT and kind not in NUMBERS:
        return name, None
    real = _values(next(parts, (0, b"")), order)
    if real.size != np.prod(shape, dtype=object):
        raise ValueError(f"{name} holds {real.size} values, its shape is {shape}")
    if kind == TEXT:
        return name, "".join(chr(int(code)) for code in real)
    values = real.astype(np.float64)
    if int(flags[0]) & 0x800:  # complex
        values = values + 1j * _values(next(parts, (0, b"")), order)
    return name, values.reshape(shape, order="F")


def _structure(parts, shape, order, depth):
    """A structure of one element as a dictionary; arrays of structures are left out."""
    (width,) = _values(next(parts, (0, b"")), order)[:1].tolist() or [0]
    names = bytes(_values(next(parts, (0, b"")), order))
    if width < 1 or np.prod(shape, dtype=object) != 1:
        return None
    keys = [names[at : at + width].split(b"\0")[0].decode("latin1") for at in range(0, len(names), width)]
    fields = {}
    for key in keys:
        kind, body = next(parts, (0, b""))
        if kind != MATRIX:
            raise ValueError(f"field {key} is not an array")
        value = _matrix(body, order, depth + 1)[1]
        if value is not None:
            fields[key] = value
    return fields
