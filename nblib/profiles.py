"""How much a notebook does: seconds (smoke), minutes on two cores (quick), or a GPU's work (full)."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Profile:
    """How much of everything: training parameters of a full run, steps of a short run, and sizes of evaluations."""

    training: dict
    short_steps: int
    n_test: int
    n_tune: int


PROFILES = {
    "smoke": Profile({"steps": 100, "batch_size": 16, "validate_every": 20, "n_validation": 32}, 20, 60, 40),
    "quick": Profile({"steps": 1000, "batch_size": 32, "validate_every": 100, "n_validation": 256}, 120, 1500, 500),
    "full": Profile(
        {"steps": 20_000, "batch_size": 32, "validate_every": 500, "n_validation": 512, "patch_size": 1},
        2000,
        6400,
        1000,
    ),
}


def get_profile(name: str) -> Profile:
    """A profile by name; raises ValueError for an unknown one."""
    if name not in PROFILES:
        raise ValueError(f"unknown profile {name!r}; known: {', '.join(PROFILES)}")
    return PROFILES[name]
