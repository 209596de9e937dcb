"""Fits that `nblib fit` wrote, read again: NAME.fit.json holds all that energies need, without the spectrum."""

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from nblib.workbench.description import Description, Term
from nblib.workbench.result import BothSides

ENDING = ".fit.json"
SCHEMA = 1  # of the JSON; it rises when a key changes its name or its meaning
OPEN = {"low": -np.inf, "high": np.inf, "error": np.nan}  # what null stands for

KINDS: dict[str, type | tuple[type, ...]] = {  # of what is read from the JSON beside the fits
    **dict.fromkeys(("file", "path", "sha256", "summary"), str),
    **dict.fromkeys(("flags", "warnings"), list),
    **dict.fromkeys(("bins", "bins_kept", "bins_trimmed"), int),
    "temperature": (int, float, type(None)),
    "options": dict,
}


@dataclass(frozen=True, eq=False)
class StoredFit(BothSides):
    """A fit without its bins, as its JSON tells it.

    Attributes
    ----------
    kept, all_bins : their terms and what the gate says; `used`, `psd` and `parts` of no bin
    level, unit : as of a Fit
    span : lowest and highest frequency, Hz
    document : the whole JSON
    """

    kept: Description
    all_bins: Description
    level: float
    unit: str | None
    span: tuple[float, float]
    document: dict


def is_stored_fit(path: Path) -> bool:
    """True for a file whose name says that it is a fit."""
    return path.name.lower().endswith(ENDING)


def read_fit(path: str | Path) -> StoredFit:
    """A fit that `nblib fit` wrote.

    Parameters
    ----------
    path : NAME.fit.json

    Raises
    ------
    ValueError for a file that holds none, is damaged, or was made from other data than the file beside it holds now
    """
    path = Path(path)
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
        sides = (_side(document["kept"]), _side(document["all_bins"]))
        span = (float(document["fmin"]), float(document["fmax"]))
        if document["schema"] != SCHEMA or not 0 < span[0] < span[1]:
            raise ValueError(f"schema {document['schema']}, {span[0]:g}..{span[1]:g} Hz")
        fit = StoredFit(*sides, float(document["level"]), document["unit"], span, document)
        for name, kind in KINDS.items():
            if not isinstance(document[name], kind):
                raise ValueError(f"{name} is {document[name]!r}")
    except OSError as error:
        raise ValueError(f"{path.name} cannot be read ({error.strerror})") from error
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ValueError(
            f"{path.name} is not a whole fit of this version of nblib ({_reason(error)}); fit its spectrum again"
        ) from error
    _check_data(path, document)
    return fit


def spectrum_of(path: Path, document: dict) -> Path | None:
    """The spectrum of a fit, where it was or beside the fit; None where it is at neither place."""
    named = Path(document["path"])
    candidates = (path.parent / named, path.parent / named.name)
    return next((candidate for candidate in candidates if candidate.is_file()), None)


def sha256(path: Path) -> str:
    """Hash of a file's bytes."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _side(given: dict) -> Description:
    terms = []
    for row in given["terms"]:
        numbers = {name: row[name] if row[name] is not None else OPEN[name] for name in ("low", "high", "error")}
        term = Term(str(row["name"]), str(row["unit"]), float(row["value"]), **numbers, note=str(row["note"]))
        if not (
            np.isfinite(term.value) and term.low <= term.value <= term.high and (term.value > 0 or term.unit == "1")
        ):
            raise ValueError(f"{term.name} is {term.value:g} [{term.low:g}, {term.high:g}]")
        terms.append(term)
    deviance, dof, probability, phi = (float(given[name]) for name in ("deviance", "dof", "probability", "phi"))
    description = Description(np.zeros(0, bool), tuple(terms), deviance, dof, probability, phi, np.zeros(0), {})
    if len(description.corners) != sum(term.name.startswith("plateau") for term in terms):
        raise ValueError("a corner without its plateau")
    return description


def _reason(error) -> str:
    """What is wrong, in a few words."""
    if isinstance(error, json.JSONDecodeError):
        return f"line {error.lineno}: {error.msg}"
    return f"without {error}" if isinstance(error, KeyError) else str(error)[:80]


def _check_data(path, document):
    spectrum = spectrum_of(path, document)
    if spectrum is not None and sha256(spectrum) != document["sha256"]:
        raise ValueError(f"{path.name} was fitted to other data than {spectrum} holds now; fit that spectrum again")
