"""Changes by hand as files beside the results: NAME.edits.json, and NAME.edited.* with what becomes of them."""

import hashlib
import json
from pathlib import Path

import numpy as np

from nblib.measured.drawing import draw
from nblib.measured.editing import EditedDetection, Edits
from nblib.measured.outputs import check_targets, owner_of
from nblib.measured.products import EDITS, SCHEMA, path_from, product_paths, write_products, writing
from nblib.project.paths import replace_whole
from nblib.project.registry import refuse_if

EDITED = "edited"  # NAME.edited.flags.csv and so on
WIDTHS = {"added": 3, "removed": 2, "renamed": 3}  # entries of a change: ends in Hz, and the source


class KeptEdits:
    """The changes to one spectrum on the disk: loaded, saved, and never replaced where somebody else changed them.

    Attributes
    ----------
    path : NAME.edits.json

    Parameters
    ----------
    folder, name : of the spectrum's results
    """

    def __init__(self, folder: Path, name: str):
        self.folder, self.name = folder, name
        self.path = folder / f"{name}.{EDITS}"
        self._seen = ""  # what the file held when it was loaded or saved here; "" where there was none

    def load(self, edited: EditedDetection) -> str:
        """Give a detection the changes that were saved; returns a line on them, "" where there are none.

        Raises
        ------
        ValueError for a file that holds no such changes; the detection stays as it was
        """
        text = self._text()
        if not text:
            return ""
        try:
            document = json.loads(text)
            false_alarm = float(document["false_alarm"])
            rows = {name: tuple(_entry(row, width) for row in document[name]) for name, width in WIDTHS.items()}
        except (ValueError, KeyError, TypeError, IndexError) as error:
            raise ValueError(f"{self.path} holds no edits ({error!r}); fix it or move it away") from error
        before = edited.false_alarm
        try:
            edited.set_false_alarm(false_alarm)
            edited.take(Edits(**rows))
        except ValueError as error:
            edited.set_false_alarm(before)
            raise ValueError(f"{self.path} does not fit its spectrum: {error}") from error
        self._seen = text
        count = sum(len(document[name]) for name in WIDTHS)
        changed = "" if document.get("spectrum") == digest(edited) else "; the spectrum has changed since"
        return f"{count} changes by hand from {self.path.name}{changed}"

    def save(self, edited: EditedDetection) -> list[Path]:
        """Write the changes, then the tables and the figure of what they lead to; returns the files.

        Raises
        ------
        ValueError where a file cannot be written, would replace what nblib did not write, or was changed by somebody
        else since it was loaded
        """
        refuse_if(
            self._text() != self._seen,
            f"{self.path} was changed elsewhere since it was opened; choose the file again, or move it away",
        )
        name = f"{self.name}.{EDITED}"
        measured, detection = edited.measured, edited.detection
        source = Path(measured.path).resolve() if measured.path else self.folder.resolve()
        owner = owner_of(self.folder, name)
        refuse_if(owner not in (None, source), f"{name} in {self.folder} holds the results of {owner}; move them away")
        figure = product_paths(self.folder, name)[-1]
        check_targets([self.path, *product_paths(self.folder, name)], [source] if measured.path else [])
        document = {
            "schema": SCHEMA,
            "path": measured.path and path_from(self.folder, source),
            "spectrum": digest(edited),
            "false_alarm": edited.false_alarm,
            **{name: [list(entry) for entry in getattr(edited.edits, name)] for name in WIDTHS},
        }
        text = json.dumps(document, indent=1, allow_nan=False, ensure_ascii=False) + "\n"
        with writing(self.folder):
            self.folder.mkdir(parents=True, exist_ok=True)
            replace_whole(self.path, text)
        self._seen = text
        written = write_products(self.folder, name, measured, detection)
        draw([figure], measured, detection)
        return [self.path, *written, figure]

    def _text(self):
        try:
            return self.path.read_text(encoding="utf-8")
        except FileNotFoundError:
            return ""
        except (OSError, UnicodeDecodeError) as error:
            raise ValueError(f"{self.path} cannot be read ({error}); fix it or move it away") from error


def digest(edited: EditedDetection) -> str:
    """By which a spectrum is known again."""
    content = np.stack([edited.measured.freqs, edited.measured.psd]).tobytes()
    return hashlib.sha256(content).hexdigest()[:16]


def _entry(row, width):
    low, high, *names = row
    ends = float(low), float(high)
    if len(row) != width or not (np.isfinite(ends).all() and all(isinstance(name, str) for name in names)):
        raise ValueError(f"{row!r}")
    return (*ends, *names)
