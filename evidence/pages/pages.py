"""The pages with generated parts, and the one function that renews them all from committed records."""

from collections.abc import Callable
from pathlib import Path

from evidence.pages import costs_page, evidence_page, own_page, readme, remedies_page, unknown_page
from nblib.project.paths import ROOT

# path below the project root -> page as it is -> page as the records have it
PAGES: dict[str, Callable[[str], str]] = {
    "README.md": readme.renewed,
    "docs/evidence.md": evidence_page.renewed,
    "docs/remedies.md": remedies_page.renewed,
    "docs/costs.md": costs_page.renewed,
    "docs/own_spectra.md": own_page.renewed,
    "docs/unknown.md": unknown_page.renewed,
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
    changed = []
    for name, renewed in PAGES.items():
        path = root / name
        before = path.read_text(encoding="utf-8")
        after = renewed(before)
        if after != before:
            path.write_text(after, encoding="utf-8")
            changed.append(path)
    return changed
