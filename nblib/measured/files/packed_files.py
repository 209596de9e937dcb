"""Files packed by gzip, bzip2 or xz, unpacked in parts into a copy that is removed afterwards."""

import contextlib
import importlib
import tempfile
from collections.abc import Iterator
from pathlib import Path

from nblib.measured.files.claims import LARGEST, SLACK
from nblib.measured.files.formats import Refusal

COMPRESSED = {".gz": "gzip", ".bz2": "bz2", ".xz": "lzma"}
BLOCK = 1 << 22
MOST_TIMES = 200  # no measurement is packed to a smaller share


@contextlib.contextmanager
def plain_file(path: Path) -> Iterator[Path]:
    """The file, or a decompressed copy that is removed afterwards."""
    if path.stat().st_size == 0:
        raise Refusal("it is empty; export it again")
    with path.open("rb") as stream:
        start = stream.read(6)
    magic = {b"\x1f\x8b": ".gz", b"BZh": ".bz2", b"\xfd7zXZ\0": ".xz"}
    packed = next((ending for mark, ending in magic.items() if start.startswith(mark)), None)
    if packed is None:
        if path.suffix.lower() in COMPRESSED:
            raise Refusal(f"it is truncated or not a {path.suffix} file; export it again")
        yield path
        return
    name = path.name[: -len(path.suffix)] if path.suffix.lower() in COMPRESSED else path.name
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder) / (name or "spectrum.txt")
        size, most = 0, min(LARGEST, SLACK + MOST_TIMES * path.stat().st_size)
        try:
            with importlib.import_module(COMPRESSED[packed]).open(path, "rb") as stream, copy.open("wb") as plain:
                while block := stream.read(BLOCK):  # in parts: a small file may unpack to a very large one
                    size += len(block)
                    if size > most:
                        raise Refusal(f"it unpacks to more than {most} bytes; export fewer spectra, or unpack it first")
                    plain.write(block)
        except Refusal:
            raise
        except Exception as error:
            raise Refusal(f"it is truncated or not a {packed} file ({error}); export it again") from error
        if not size:
            raise Refusal("it unpacks to nothing; export it again")
        yield copy
