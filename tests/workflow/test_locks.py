"""The locks agree with what is asked for, name no server, and hold a hash for each package."""

import importlib.util
import re
import tomllib

import pytest

from nblib.project.paths import ROOT

_SPEC = importlib.util.spec_from_file_location("locks", ROOT / "workflow" / "locks.py")
locks = importlib.util.module_from_spec(_SPEC)
_SPEC.loader.exec_module(locks)
PIN = r"^([\w.-]+)(?:\[[^\]]*\])?==([^\s;]+)"  # with the extras that others ask for
ALL = (locks.LIGHT, locks.GPU, locks.CPU)
TEXTS = {name: (ROOT / name).read_text(encoding="utf-8") for name in ALL}


def _key(name):
    return re.sub(r"[-_.]+", "-", name).lower()


def _pinned(text):
    return {_key(name): version for name, version in re.findall(PIN, text, re.MULTILINE)}


@pytest.mark.parametrize("name", ALL)
def test_every_package_has_hashes_and_no_server_is_named(name):
    """Planted bug: an index of somebody's machine written into the lock."""
    entries = [entry for entry in re.split(r"\n(?=\S)", TEXTS[name]) if not entry.startswith("#")]
    assert entries and all(re.match(PIN, entry) and "--hash=sha256:" in entry for entry in entries)
    assert "://" not in TEXTS[name] and "--index" not in TEXTS[name] and "--find-links" not in TEXTS[name]


def test_locks_hold_the_versions_that_are_asked_for():
    """Planted bug: a version changed in requirements.txt alone."""
    asked = _pinned((ROOT / "requirements.txt").read_text())
    within = _pinned((ROOT / "constraints.txt").read_text())
    for text in (TEXTS[locks.GPU], TEXTS[locks.CPU]):
        assert asked.items() <= _pinned(text).items()
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    needed = {_key(re.match(r"[\w.-]+", one)[0]) for one in settings["dependencies"]}
    assert needed <= set(_pinned(TEXTS[locks.LIGHT]))
    for text in TEXTS.values():
        versions = _pinned(text)
        assert {name: version for name, version in versions.items() if within.get(name, version) != version} == {}


def test_the_cpus_lock_has_pytorchs_cpu_builds_and_nothing_of_cuda():
    assert not re.search("^(nvidia|cuda|triton)", TEXTS[locks.CPU], re.MULTILINE)
    assert re.search("^nvidia", TEXTS[locks.GPU], re.MULTILINE)
    body = TEXTS[locks.GPU].split("\n", 1)[1]
    assert TEXTS[locks.CPU].split("\n", 1)[1] == locks.for_cpu(body)
    with pytest.raises(ValueError, match=r"no hashes of the CPU builds of torch 9\.9\.9"):
        locks.for_cpu(body.replace("torch==2.13.0", "torch==9.9.9"))


def test_every_locked_package_is_on_the_page_of_licences():
    """Planted bug: the page of an earlier lock."""
    page = (ROOT / "docs" / "licences.md").read_text(encoding="utf-8")
    listed = {_key(name): version for name, version in re.findall(r"([\w.-]+) ([\w.]+)\*?(?=,| \|)", page)}
    for text in TEXTS.values():
        assert _pinned(text).items() <= listed.items()
