"""What a file's header claims, checked against the file before memory is taken for it."""

import zipfile
from pathlib import Path

import numpy as np

from nblib.measured.files.formats import Refusal

LARGEST = 4 << 30  # bytes after decompression
MOST_TIMES = 1100  # deflate makes nothing smaller than this share
SLACK = 1 << 26  # bytes that any file may unpack to


def check_size(what: str, claimed: int, stored: int, most_times: float = 1.0) -> None:
    """Refuse what claims more bytes than the file can hold.

    Parameters
    ----------
    what : named in the message
    most_times : how far the stored bytes may unpack
    """
    if claimed > LARGEST or claimed > most_times * stored + (SLACK if most_times > 1 else 0):
        raise Refusal(
            f"{what} claims {claimed} bytes where the file holds {stored}; it is damaged or too large: export it again"
        )


def check_npz(path: Path) -> None:
    """Each array of an archive is as large as its own header says, and unpacks to no more than memory holds."""
    with zipfile.ZipFile(path) as archive:
        for info in archive.infolist():
            check_size(info.filename, info.file_size, info.compress_size, MOST_TIMES)
            with archive.open(info) as stream:
                version = np.lib.format.read_magic(stream)
                read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
                shape, _, kind = read(stream)
            if not kind.hasobject:
                check_size(info.filename, int(np.prod(shape, dtype=object)) * kind.itemsize, info.file_size)


def check_dataset(key: str, node) -> None:
    """An HDF5 dataset may claim any shape and store nothing."""
    claimed = int(np.prod(node.shape or (), dtype=object)) * node.dtype.itemsize
    check_size(key, claimed, node.id.get_storage_size(), MOST_TIMES)


def check_wav(path: Path) -> None:
    """The chunks of a sound file lie within it."""
    size = path.stat().st_size
    with path.open("rb") as stream:
        if stream.read(4) != b"RIFF":
            return  # RF64 states its sizes elsewhere
        stream.seek(12)
        while len(head := stream.read(8)) == 8:
            length = int.from_bytes(head[4:], "little")
            if head[:4] == b"data":
                check_size("its chunk of samples", length, size - stream.tell())
            stream.seek(length + length % 2, 1)
