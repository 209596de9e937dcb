"""What masked prediction, the penalty and attention are each worth: the trainings compared, in the order of measuring.

Every trial is a training of a profile with something changed; all are judged by readings.assess_readings on the same
spectra, the first seeds by readings.assess_beyond as well.
"""

from dataclasses import dataclass, field, replace
from typing import Any

from evidence.readings import OTHER_SEGMENTS
from evidence.tasks import Task
from evidence.test_sets import Sizes
from nblib.project.profiles import Profile
from nblib.training.config import TrainConfig

PENALTY = {"regularizer": "uniform_clean", "reg_weight": 10.0}
UNLABELLED = {"mask_policy": "any", "labels": "pseudo"}  # masks anywhere, noisy tokens by the model's own residual
RESIDUAL = UNLABELLED | {"readout": "residual"}
REGION = {"pairs": "held_out"}
CLAIMED, CONTROL = 10, 3  # seeds of what stands in the README, and of what explains it
BEYOND_SEEDS = 3


@dataclass(frozen=True)
class Compared:
    """A training that is compared: what is changed in a profile's, and over how many seeds.

    Attributes
    ----------
    given : what the reader must have for it, beside spectra
    share : steps over the profile's
    kind : as in tasks.Task
    looks : keys of tasks.OF_A_MODEL, beside "readings"; "beyond" is measured for the first BEYOND_SEEDS seeds only
    """

    changes: dict[str, Any]
    given: str
    n_seeds: int = CONTROL
    share: float = 1.0
    kind: str = "attention"
    looks: tuple[str, ...] = field(default=())


TRIALS = {
    "residual attention": Compared(RESIDUAL, "unlabelled spectra, K", CLAIMED, looks=("beyond", "region")),
    "label-free": Compared(PENALTY | UNLABELLED, "unlabelled spectra, K", CLAIMED, looks=("beyond", "region")),
    "no penalty": Compared({}, "spectra whose masks avoid noise", CLAIMED, looks=("beyond",)),
    "simulated labels": Compared(PENALTY, "simulated noise labels", CLAIMED, looks=("beyond",)),
    "residual attention, region left out": Compared(RESIDUAL | REGION, "unlabelled spectra, K"),
    "masked mean": Compared(RESIDUAL | {"hard": True}, "unlabelled spectra, K", CLAIMED, looks=("beyond",)),
    "masked mean, labels": Compared({"readout": "residual", "hard": True}, "simulated noise labels, K"),
    "no penalty, label-free": Compared(UNLABELLED, "unlabelled spectra, K"),
    "residual attention, K = 2": Compared(RESIDUAL | {"n_segments": 2}, "unlabelled spectra, K"),
    "residual attention, K = 32": Compared(RESIDUAL | {"n_segments": 32}, "unlabelled spectra, K"),
    "label-free, region left out": Compared(PENALTY | UNLABELLED | REGION, "unlabelled spectra, K"),
    "no contrasts": Compared(PENALTY | {"contrasts": False}, "simulated noise labels"),
    "label-free, half the steps": Compared(PENALTY | UNLABELLED, "unlabelled spectra, K", share=0.5),
    "masked mean, half the steps": Compared(RESIDUAL | {"hard": True}, "unlabelled spectra, K", share=0.5),
    "masked mean, labels, half the steps": Compared(
        {"readout": "residual", "hard": True}, "simulated noise labels, K", share=0.5
    ),
    "residual attention, shapes": Compared(
        RESIDUAL | {"families": ("shapes",)}, "unlabelled spectra, K", looks=("beyond",)
    ),
}
FIRST = 3  # seeds of the claimed trials that are measured before anything else is


def story_tasks(settings: Profile, training: dict, name: str, sizes: Sizes) -> dict[tuple[str, int, str], Task]:
    """All measurements by trial, seed and look, in the order in which they are worth having.

    Parameters
    ----------
    settings : a profile; where it has fewer seeds of a claim, no trial has more
    training : parameters of every training (a profile's)
    name : the noise family trained and tested on
    """
    places = [
        (trial, seed, look)
        for trial, compared in TRIALS.items()
        for seed in range(min(compared.n_seeds, settings.n_seeds))
        for look in ("readings", *compared.looks)
        if look != "beyond" or seed < BEYOND_SEEDS
    ]
    places.sort(key=lambda place: place[1] >= FIRST)  # stable: the first seeds of all, then the rest
    return {
        (trial, seed, look): Task(look, _config(TRIALS[trial], training, name, seed), name, sizes, TRIALS[trial].kind)
        for trial, seed, look in places
    }


def reference_tasks(settings: Profile, training: dict, name: str, sizes: Sizes) -> dict[tuple[str, str], Task]:
    """What nothing is trained for, on the same spectra: limit, fits and rivals, by test and look."""
    tests = {"interleaved": {}, "held_out": REGION}
    short = replace(sizes, n_line_free=sizes.n_line_free // 5)  # as readings has it
    found = {
        (test, look): Task(look, TrainConfig(**training | changes | {"families": (name,)}), name, given)
        for test, changes in tests.items()
        for look, given in (("baselines", sizes), ("rivals", short))
    }
    for n_segments in OTHER_SEGMENTS:
        config = TrainConfig(**training | {"families": (name,), "n_segments": n_segments})
        found[f"K = {n_segments}", "methods"] = Task("methods", config, name, sizes)
    return found


def _config(compared, training, name, seed):
    own = {"families": (name,), "seed": seed, "steps": round(compared.share * training["steps"])}
    return TrainConfig(**training | own | compared.changes)
