"""Every name that CHANGELOG.md promises can be imported."""

import re
from importlib import import_module

import pytest

from nblib.project.paths import ROOT

TABLE = re.findall(r"^\| .* \| (.*) \|$", (ROOT / "CHANGELOG.md").read_text(encoding="utf-8"), re.MULTILINE)
PROMISED = sorted(set(re.findall(r"`((?:nblib|evidence)(?:\.\w+)*)`", "\n".join(TABLE))))


def test_the_table_is_read():
    assert len(PROMISED) >= 15


@pytest.mark.parametrize("name", PROMISED)
def test_a_promised_name_is_there(name):
    """Planted bug: `nblib.spectra.published_psd`, promised by 0.2.0 and gone."""
    assert _exists(name.split(".")), name


def _exists(parts):
    """Is a dotted name a module, or an attribute of one?"""
    for n_modules in range(len(parts), 0, -1):
        try:
            value = import_module(".".join(parts[:n_modules]))
        except ModuleNotFoundError:
            continue
        for part in parts[n_modules:]:
            value = getattr(value, part, None)
        return value is not None
    return False
