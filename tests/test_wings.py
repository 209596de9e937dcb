"""Three wings on a ground: the idea and the user's spectra do not know each other, and nobody knows the evidence."""

import tomllib

import pytest
import wings
from jaxtyping import TypeCheckError

from evidence.calibration import combined_score
from nblib.project.paths import ROOT

NAMES = sorted(wings.files())


def test_every_module_lives_in_a_room():
    gone = {"analysis", "detection", "evaluation", "reporting", "spectra"}  # they name the new modules
    assert {wings.room(name) for name in NAMES} - gone <= set(wings.ROOMS)


@pytest.mark.parametrize("name", NAMES)
def test_imports_run_one_way(name):
    """Planted bug: an import of measured.files.readers inside a function of dataset.py."""
    below = wings.ROOMS[: wings.ROOMS.index(wings.room(name)) + 1] if wings.room(name) in wings.ROOMS else ()
    assert {wings.room(other) for other in wings.arrows()[name]} <= set(below)


def test_the_idea_and_the_users_spectra_do_not_know_each_other():
    pairs = wings.between_rooms()
    apart = {(one, other) for one in wings.IDEA for other in ("measured",)}
    apart |= {(other, one) for one, other in apart} | {("measured", "notebook")}
    apart |= {(name, "evidence") for name in wings.ROOMS[:-1]}
    assert {pair: pairs[pair] for pair in apart if pair in pairs} == {}
    assert {other for one, other in pairs if one in wings.GROUND} <= set(wings.GROUND)


def test_an_import_inside_a_function_counts_and_the_wing_across_is_seen():
    """Planted bugs: only imports at the top counted; `from nblib import NoiseDetector` not followed."""
    known = wings.files()
    inside = "def f():\n    from nblib.measured.files import readers\n    from nblib import NoiseDetector\n"
    assert wings.imported(inside, known) == {"nblib.measured.files.readers", "nblib.measured.detector"}


def test_there_is_no_circle():
    assert wings.circles() == []


@pytest.mark.parametrize(
    ("start", "modules", "lines"), [("nblib.dataset", 10, 1400), ("nblib.training.loop", 29, 4090)]
)
def test_the_idea_drags_little_along(start, modules, lines):
    reached = wings.reached(start)
    assert len(reached) <= modules, sorted(reached)
    assert wings.lines(reached) <= lines


def test_the_idea_is_small():
    assert wings.lines(name for name in NAMES if wings.room(name) in wings.IDEA) <= 3370


def test_detection_reaches_no_torch():
    """Planted bug: `import torch` in a module that the detector or the workbench imports."""
    names = wings.reached("nblib.measured.command", "nblib.workbench.command", "nblib.workbench.series")
    sources = [wings.files()[name].read_text() for name in names]
    assert not [text for text in sources if "\nimport torch" in text or "\nfrom torch" in text]


# ---- the evidence is a project of its own, and what looks after code looks after it too ----


def test_the_evidence_is_no_part_of_the_package_and_both_are_typed():
    """Planted bugs: evidence in nblib's wheel; mypy's packages without it."""
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text())
    assert settings["tool"]["setuptools"]["packages"]["find"]["include"] == ["nblib*"]
    assert settings["tool"]["mypy"]["packages"] == ["nblib", "evidence"]
    own = tomllib.loads((ROOT / "evidence" / "pyproject.toml").read_text())
    assert own["project"]["name"] == "evidence"


def test_shapes_are_checked_in_the_evidence():
    """Planted bug: the tests' hook on nblib alone, so that wrong shapes passed in the evidence."""
    with pytest.raises(TypeCheckError):
        combined_score("no list", [])
