"""What a file's header claims, checked against the file before memory is taken for it."""

import zipfile
from collections.abc import Iterable
from pathlib import Path

import numpy as np

from nblib.measured.files.formats import Refusal

LARGEST = 4 << 30  # bytes after decompression
MOST_TIMES = 1100  # deflate makes nothing smaller than this share
SLACK = 1 << 26  # bytes that any file may unpack to
MOST_TEXT = 1 << 29  # bytes of a text that is held whole, which takes many times as much memory
LONGEST_LINE = 1 << 26  # bytes: some five million numbers in a row
BLOCK = 1 << 24


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


def check_together(parts: Iterable[tuple[int, int]]) -> None:
    """Refuse what is small part by part and large in total.

    Parameters
    ----------
    parts : bytes claimed and bytes stored, of each
    """
    listed = list(parts)
    check_size("it", sum(claimed for claimed, _ in listed), sum(stored for _, stored in listed), MOST_TIMES)


def check_members(archive: zipfile.ZipFile, most_times: float) -> None:
    """The members of a zip archive unpack to no more than memory holds, each and together."""
    for info in archive.infolist():
        check_size(info.filename, info.file_size, info.compress_size, most_times)
    check_together((info.file_size, info.compress_size) for info in archive.infolist())


def check_whole(path: Path) -> None:
    """A text that is to be held whole is not too long for that, and neither is a line of it.

    A longer one of plain rows is read in parts, and asks for its lines alone: `check_lines`.
    """
    size = path.stat().st_size
    if size > MOST_TEXT:
        raise Refusal(
            f"it is a text of {size} bytes that is not plain rows of numbers; only {MOST_TEXT} bytes of such a text "
            "are read: export fewer spectra, or save them as .npy"
        )
    check_lines(path)


def check_lines(path: Path) -> None:
    """No line is longer than LONGEST_LINE, seen without holding one."""
    if path.stat().st_size <= LONGEST_LINE:
        return
    length = 0
    with path.open("rb") as stream:
        while block := stream.read(BLOCK):
            ends = [at for at in (block.find(b"\n"), block.find(b"\r")) if at >= 0]
            length += min(ends, default=len(block))
            if length > LONGEST_LINE:
                raise Refusal(f"a line of it is longer than {LONGEST_LINE} bytes; write one frequency per line")
            if ends:
                length = len(block) - 1 - max(block.rfind(b"\n"), block.rfind(b"\r"))


def check_npz(path: Path) -> None:
    """Each array of an archive is as large as its own header says, and unpacks to no more than memory holds."""
    with zipfile.ZipFile(path) as archive:
        check_members(archive, MOST_TIMES)
        for info in archive.infolist():
            with archive.open(info) as stream:
                version = np.lib.format.read_magic(stream)
                read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
                shape, _, kind = read(stream)
            if not kind.hasobject:
                check_size(info.filename, int(np.prod(shape, dtype=object)) * kind.itemsize, info.file_size)


def check_dataset(key: str, node) -> tuple[int, int]:
    """An HDF5 dataset may claim any shape and store nothing, or name other files; returns bytes claimed and stored."""
    if node.is_virtual or node.external:
        raise Refusal(f"{key} takes its values from other files; export it again as one file")
    claimed, stored = int(np.prod(node.shape or (), dtype=object)) * node.dtype.itemsize, node.id.get_storage_size()
    check_size(key, claimed, stored, MOST_TIMES)
    return claimed, stored


def check_wav(path: Path) -> None:
    """The chunks of a sound file lie within it."""
    size = path.stat().st_size
    with path.open("rb") as stream:
        is_long = stream.read(4) == b"RF64"
        stream.seek(12)
        stated = None  # RF64 states the size of its samples in a chunk before them
        while len(head := stream.read(8)) == 8:
            length = int.from_bytes(head[4:], "little")
            if is_long and head[:4] == b"ds64":
                sizes = stream.read(16)
                stated = int.from_bytes(sizes[8:], "little")
                stream.seek(-len(sizes), 1)
            if head[:4] == b"data":
                length = length if stated is None else stated
                check_size("its chunk of samples", length, size - stream.tell())
            stream.seek(length + length % 2, 1)
