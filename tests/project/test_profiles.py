"""Profiles: each is a valid training, in order of effort."""

import pytest

from nblib import TrainConfig
from nblib.project.profiles import PROFILES, get_profile


def test_profiles_are_valid_and_ordered():
    """Planted bug: a digit lost from the number of test spectra of `full`."""
    sizes = [(TrainConfig(**profile.training).steps, profile.n_test, profile.n_tune) for profile in PROFILES.values()]
    assert all(list(column) == sorted(column) for column in zip(*sizes, strict=True))
    assert all(profile.short_steps < profile.training["steps"] for profile in PROFILES.values())


def test_an_unknown_profile_is_refused():
    with pytest.raises(ValueError, match="unknown profile 'quik'; known: smoke, quick, full"):
        get_profile("quik")
