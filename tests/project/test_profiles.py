"""Profiles: each is a valid training, in order of effort."""

import pytest

from evidence.test_sets import Sizes, sizes_of
from nblib import TrainConfig
from nblib.project.profiles import PROFILES, get_profile


def test_profiles_are_valid_and_ordered():
    """Planted bug: a digit lost from the number of test spectra of `full`."""
    sizes = [(TrainConfig(**profile.training).steps, profile.n_test, profile.n_tune) for profile in PROFILES.values()]
    assert all(list(column) == sorted(column) for column in zip(*sizes, strict=True))
    assert all(profile.short_steps < profile.training["steps"] for profile in PROFILES.values())


def test_what_a_report_is_measured_on_does_not_change_with_the_smoke_test():
    """Planted bug: the smaller sets of `smoke` used by `quick`."""
    assert sizes_of(PROFILES["quick"]) == Sizes(1500, 500, 500, 10_000, 2000, 2000, 500)
    assert sizes_of(PROFILES["full"]) == Sizes(6400, 1000, 1000, 20_000, 4000, 4000, 1000)
    assert sizes_of(PROFILES["smoke"]).n_line_free < 1000


def test_an_unknown_profile_is_refused():
    with pytest.raises(ValueError, match="unknown profile 'quik'; known: smoke, brief, quick, full"):
        get_profile("quik")
