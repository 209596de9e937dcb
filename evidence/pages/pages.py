"""The pages with generated parts, and the one function that renews them all from committed records."""

from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

from evidence.pages import (
    batches_page,
    costs_page,
    detector_page,
    evidence_page,
    fit_page,
    on_off_page,
    own_page,
    readme,
    trust_page,
    unknown_page,
)
from evidence.pages.rendering import fill_parts
from nblib.project.paths import ROOT

# path below the project root -> the numbers that its templates ask for, from committed records
PAGES: dict[str, Callable[[], dict[str, Any]]] = {
    "README.md": readme.numbers,
    "docs/evidence.md": evidence_page.numbers,
    "docs/beyond.md": evidence_page.numbers,
    "docs/batches.md": batches_page.numbers,
    "docs/costs.md": costs_page.numbers,
    "docs/detector.md": detector_page.numbers,
    "docs/fit.md": fit_page.numbers,
    "docs/on_off.md": on_off_page.numbers,
    "docs/own_spectra.md": own_page.numbers,
    "docs/unknown.md": unknown_page.numbers,
    "docs/trust.md": trust_page.numbers,
}


def renew_pages(root: Path = ROOT) -> list[Path]:
    """Write the generated parts of the README and of docs/ again from the committed records.

    Parameters
    ----------
    root : folder that holds the pages

    Returns
    -------
    The pages that changed.

    Raises
    ------
    ValueError
        Where a record is missing, or a page lacks the place of a generated part.
    """
    changed, once = [], cache(lambda numbers: numbers())  # two pages of one record ask for the same
    for name, numbers in PAGES.items():
        path = root / name
        before = path.read_text(encoding="utf-8")
        after = fill_parts(before, path.stem, once(numbers))
        if after != before:
            path.write_text(after, encoding="utf-8")
            changed.append(path)
    return changed
