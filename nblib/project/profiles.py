"""How much a notebook does: seconds (smoke), a first run (brief), what is published (quick), a GPU's work (full)."""

import json
import os
from dataclasses import dataclass, replace
from pathlib import Path

PUBLISHED = ("quick", "full")  # profiles whose records and figures are published; the others are too short to judge by
PROFILES_VARIABLE = "NBLIB_PROFILES"  # names a JSON file with other sizes, e.g. {"quick": {"n_test": 20}}


@dataclass(frozen=True)
class Profile:
    """How much of everything: training parameters of a full run, steps of a short run, sizes of evaluations, seeds.

    Attributes
    ----------
    n_seeds : of a claim
    n_control_seeds : of a control
    n_other_seeds : of a model trained on something else
    n_sweep_seeds, sweep_steps : of a point of a sweep
    n_sets : spectra that the test sets of 05 and 06 are multiples of (sizes_of), None: n_tune
    """

    training: dict
    short_steps: int
    n_test: int
    n_tune: int
    n_seeds: int
    n_control_seeds: int
    n_other_seeds: int
    n_sweep_seeds: int
    sweep_steps: int
    n_sets: int | None = None


SMALL = {"d_model": 32, "dim_feedforward": 64}
PROFILES = {
    "smoke": Profile(
        training={"steps": 12, "batch_size": 8, "validate_every": 6, "n_validation": 16} | SMALL,
        **{"short_steps": 2, "n_test": 40, "n_tune": 24, "n_sets": 6},
        **{"n_seeds": 1, "n_control_seeds": 1, "n_other_seeds": 0, "n_sweep_seeds": 1, "sweep_steps": 4},
    ),
    "brief": Profile(
        training={"steps": 200, "batch_size": 32, "validate_every": 50, "n_validation": 128},
        **{"short_steps": 30, "n_test": 250, "n_tune": 100},
        **{"n_seeds": 1, "n_control_seeds": 1, "n_other_seeds": 0, "n_sweep_seeds": 1, "sweep_steps": 40},
    ),
    "quick": Profile(
        training={"steps": 2000, "batch_size": 32, "validate_every": 200, "n_validation": 256},
        **{"short_steps": 120, "n_test": 1500, "n_tune": 500},
        **{"n_seeds": 10, "n_control_seeds": 5, "n_other_seeds": 3, "n_sweep_seeds": 3, "sweep_steps": 120},
    ),
    "full": Profile(
        training={"steps": 20_000, "batch_size": 32, "validate_every": 500, "n_validation": 512, "patch_size": 1},
        **{"short_steps": 2000, "n_test": 6400, "n_tune": 1000},
        **{"n_seeds": 10, "n_control_seeds": 5, "n_other_seeds": 3, "n_sweep_seeds": 5, "sweep_steps": 1200},
    ),
}


def get_profile(name: str) -> Profile:
    """A profile by name, with the sizes that the file named by NBLIB_PROFILES changes.

    Raises
    ------
    ValueError for an unknown name
    """
    if name not in PROFILES:
        raise ValueError(f"unknown profile {name!r}; known: {', '.join(PROFILES)}")
    if not os.environ.get(PROFILES_VARIABLE):
        return PROFILES[name]
    changes = json.loads(Path(os.environ[PROFILES_VARIABLE]).read_text(encoding="utf-8")).get(name, {})
    training = PROFILES[name].training | changes.pop("training", {})
    return replace(PROFILES[name], training=training, **changes)
