"""The campaign in short: each format damaged a few times, hostile files, each property."""

import sys

import pytest

from evidence.benchmarks import campaign
from evidence.campaign import properties, trials
from evidence.campaign.files import SPECTRA, mutated
from nblib.measured.files import pickles

FILES, EXAMPLES = 3, 10  # of a format; of a property


@pytest.fixture(scope="module")
def watch(tmp_path_factory):
    return trials.Watch(tmp_path_factory.mktemp("watched"))


@pytest.mark.slow
@pytest.mark.parametrize("name", trials.FORMATS)
def test_a_damaged_file_is_refused_or_makes_sense(name, tmp_path, watch):
    """Planted bugs: KeyError of h5py, struct.error of scipy and MemoryError of numpy let through; NaN kept as valid."""
    counts = trials.damage(name, 1, 0, FILES, tmp_path, watch)
    assert counts["faults"] == []
    assert counts["read"] + counts["refused"] == FILES


@pytest.mark.slow
def test_every_hostile_file_is_refused_and_the_studys_own_are_read(tmp_path, watch):
    """Planted bugs: values of an HDF5 in other files read; a list that is a thousand times its file; os.system."""
    counts = trials.hostile_files(tmp_path, watch)
    assert counts["faults"] == []
    assert counts["refused"] == counts["tried"] > 45
    assert counts["read"] == counts["sound"] == 8


def test_a_pickle_that_calls_is_seen(tmp_path, watch, monkeypatch):
    """The watch itself: with every name let through, something is executed."""
    monkeypatch.setattr(pickles.ArraysOnly, "find_class", pickles.pickle._Unpickler.find_class)
    faults = trials.hostile_files(tmp_path, watch, "pickle: reduce")["faults"]
    assert len(faults) == 6 and {fault["kind"] for fault in faults} == {"executed"}


def test_damage_depends_on_the_seed_alone():
    """A fault is made again from the record. Planted bug: one generator for all files."""
    import numpy as np

    content = SPECTRA["comma.csv"]()
    one, again, other = (mutated("comma.csv", content, np.random.default_rng([0, at])) for at in (1, 1, 2))
    assert one == again != other


@pytest.mark.slow
@pytest.mark.parametrize("name", properties.PROPERTIES)
def test_a_property_holds_of_drawn_inputs(name):
    examples = max(1, round(EXAMPLES * min(1.0, properties.PROPERTIES[name][1])))
    assert properties.falsified(name, 1, examples) == ""


def test_what_breaks_a_property_is_told(monkeypatch):
    """Planted bug: a penalty that is NaN."""
    monkeypatch.setitem(properties.REGULARIZERS, "mass", lambda attention, noisy, **_: attention.sum() * float("nan"))
    assert properties.falsified("penalties", 0, 100).startswith("AssertionError")


def test_parts_are_kept_and_a_crash_is_a_fault(tmp_path, monkeypatch):
    """Planted bug: a process that died counted as one without faults."""
    (tmp_path / "python").write_text("#!/bin/sh\nkill -9 $$\n")
    (tmp_path / "python").chmod(0o700)
    monkeypatch.setattr(sys, "executable", str(tmp_path / "python"))  # a new Python takes seconds to import torch
    died = campaign.in_a_process(["no such part"])
    assert [fault["kind"] for fault in died["faults"]] == ["crash"]
    row = {"read": 3, "refused": 4, "faults": [], "peak_mib": 2.0, "seconds": 1.0}
    summary = campaign.summary(
        {"comma.csv, from 0": row, "comma.csv, from 7": row, "hostile files": died | {"seconds": 1}}
    )
    assert (summary["files"]["tried"], summary["kinds"]) == (14, {"crash": 1})
