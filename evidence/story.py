"""What masked prediction, the penalty and attention each add: the trainings compared, in the order of measuring.

Every trial is a training of a profile with something changed. All are judged by the same code on the same spectra.
"""

import time
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

from evidence.readings import OTHER_SEGMENTS
from evidence.tasks import WITHOUT_A_MODEL, Task, is_kept, load_or_run
from evidence.taught import WAYS
from evidence.test_sets import Sizes
from nblib.project.parallel import map_side_by_side
from nblib.project.profiles import Profile
from nblib.project.progress import planned
from nblib.simulation.noise import PUBLISHED_FAMILIES
from nblib.training.config import TrainConfig

PENALTY = {"regularizer": "uniform_clean", "reg_weight": 10.0}
UNLABELLED = {"mask_policy": "any", "labels": "pseudo"}  # masks anywhere, noisy tokens by the model's own residual
LABEL_FREE = PENALTY | UNLABELLED
RESIDUAL = UNLABELLED | {"readout": "residual"}
REGION = {"pairs": "held_out"}
LABELLED_MEAN = {"readout": "residual", "hard": True}
CLAIMED, CONTROL, OTHER = "n_seeds", "n_control_seeds", "n_other_seeds"  # how many seeds: a profile's fields
FIRST = 3  # seeds of every trial that are measured before a fourth of any but
DECIDED = ("residual attention", "label-free")  # these: intervals over their seeds decide aims
BEYOND_SEEDS = 3  # seeds of the looks that take longest
DIGITS = 7  # after the point; groups differ by 1e-5 and more
LONG_LOOKS = ("beyond", "closely", "families")
OF_ALL_SEEDS = ("residual attention", "beyond")  # a long look that is claimed
TAUGHT = "taught attention"
CHOSEN_WAY = "taught by the last"  # of taught.WAYS, by AP of attention on validation spectra, one seed each
HARMFUL = ("single_line", "vibration", "power_supply")  # noise whose harm to fitted energies is measured by strength
SPECTRA, LABELS = "unlabelled spectra, K", "simulated noise labels"


@dataclass(frozen=True)
class Compared:
    """A training that is compared: what is changed in a profile's, and over how many seeds.

    Attributes
    ----------
    given : what the reader must have for it, beside spectra
    seeds : CLAIMED, CONTROL or OTHER
    share : steps over the profile's
    kind : as in tasks.Task
    looks : keys of tasks.OF_A_MODEL; LONG_LOOKS but OF_ALL_SEEDS are measured for the first BEYOND_SEEDS seeds only
    """

    changes: dict[str, Any]
    given: str
    seeds: str = OTHER
    share: float = 1.0
    kind: str = "attention"
    looks: tuple[str, ...] = field(default=("readings",))


WITH_REGION = ("readings", "beyond", "region", "closely")
WITHOUT_REGION = ("readings", "beyond", "closely")
TRIALS = {
    "residual attention": Compared(RESIDUAL, SPECTRA, CLAIMED, looks=WITH_REGION),
    "label-free": Compared(LABEL_FREE, SPECTRA, CLAIMED, looks=WITH_REGION),
    "no penalty": Compared({}, f"{LABELS} (masks avoid noise)", CLAIMED, looks=WITHOUT_REGION),
    "simulated labels": Compared(PENALTY, LABELS, CLAIMED, looks=WITHOUT_REGION),
    "residual attention, region left out": Compared(RESIDUAL | REGION, SPECTRA),
    "masked mean": Compared(RESIDUAL | {"hard": True}, SPECTRA, CLAIMED, looks=("readings", "beyond")),
    "masked mean, labels": Compared(LABELLED_MEAN, f"{LABELS}, K", looks=("readings", "beyond")),
    "supervised token head": Compared({"readout": "token"}, LABELS, CONTROL, kind="token_head"),
    "no penalty, label-free": Compared(UNLABELLED, SPECTRA, CONTROL),
    TAUGHT: Compared(UNLABELLED, SPECTRA, CLAIMED, kind=CHOSEN_WAY, looks=("readings", "beyond")),
    "residual attention, K = 2": Compared(RESIDUAL | {"n_segments": 2}, SPECTRA),
    "residual attention, K = 32": Compared(RESIDUAL | {"n_segments": 32}, SPECTRA),
    "label-free, region left out": Compared(LABEL_FREE | REGION, SPECTRA),
    "no contrasts": Compared(PENALTY | {"contrasts": False}, LABELS),
    "label-free, half the steps": Compared(LABEL_FREE, SPECTRA, share=0.5),
    "masked mean, half the steps": Compared(RESIDUAL | {"hard": True}, SPECTRA, share=0.5),
    "masked mean, labels, half the steps": Compared(LABELLED_MEAN, f"{LABELS}, K", share=0.5),
    "residual attention, shapes": Compared(RESIDUAL | {"families": ("shapes",)}, SPECTRA, looks=("readings", "beyond")),
    "supervised CNN": Compared({"readout": "token"}, LABELS, kind="cnn"),
    "token readout": Compared(PENALTY | {"readout": "token"}, LABELS),
    **{
        f"residual attention, {name} alone": Compared(RESIDUAL | {"families": (name,)}, SPECTRA, looks=("families",))
        for name in PUBLISHED_FAMILIES
        if name != "single_line"  # that is "residual attention"
    },
}


def story_tasks(settings: Profile, training: dict, name: str, sizes: Sizes) -> dict[tuple[str, int, str], Task]:
    """All measurements by trial, seed and look, in the order of measuring.

    Parameters
    ----------
    settings : a profile; a trial without seeds there is left out
    training : parameters of every training (a profile's)
    name : the noise family trained and tested on
    """
    measurements = [
        (trial, seed, look)
        for trial, compared in TRIALS.items()
        for seed in range(getattr(settings, compared.seeds))
        for look in compared.looks
        if look not in LONG_LOOKS or seed < BEYOND_SEEDS or (trial, look) == OF_ALL_SEEDS
    ]
    measurements.sort(key=_turn)  # stable: in a turn, in the order of TRIALS
    short = replace(sizes, n_line_free=sizes.n_line_free // 5)  # false alarms need not be known to 0.1 %
    return {
        (trial, seed, look): Task(
            *(look, _config(TRIALS[trial], training, name, seed), name),
            *(short if look == "closely" else sizes, TRIALS[trial].kind),
        )
        for trial, seed, look in measurements
    }


def _turn(place):
    """The looks that take least first, of the first seeds of all trials and of all seeds that decide aims."""
    trial, seed, look = place
    is_long = look in LONG_LOOKS
    return seed >= FIRST and (is_long or trial not in DECIDED), is_long


def reference_tasks(settings: Profile, training: dict, name: str, sizes: Sizes) -> dict[tuple[str, str], Task]:
    """What stands beside the trials, on the same spectra: limit, fits and rivals, by test and look.

    Also the choice among the ways to teach attention: one seed each, on validation spectra.
    """
    base = training | {"families": (name,)}
    short = replace(sizes, n_line_free=sizes.n_line_free // 5)  # as story_tasks has it
    tasks = {
        ("interleaved", "baselines"): Task("baselines", TrainConfig(**base), name, sizes),
        ("interleaved", "rivals"): Task("rivals", TrainConfig(**base), name, short),
        ("held_out", "baselines"): Task("baselines", TrainConfig(**base | REGION), name, sizes),
    }
    for n_segments in OTHER_SEGMENTS if settings.n_other_seeds else ():
        config = TrainConfig(**base | {"n_segments": n_segments})
        tasks[f"K = {n_segments}", "methods"] = Task("methods", config, name, sizes)
    tasks |= {("energy bias", kind): Task("energy bias", TrainConfig(), kind, sizes) for kind in HARMFUL}
    for way in WAYS if settings.n_other_seeds else ():
        config = _config(TRIALS[TAUGHT], training, name, 0)
        tasks["ways", way] = Task("quick", config, name, sizes, way)
    return tasks


def measure(tasks: Mapping[Any, Task], minutes: float = 0.0) -> None:
    """Train and judge what is not kept yet, side by side; a run that is cut off goes on where it was.

    Parameters
    ----------
    minutes : begin nothing new after so many; 0: to the end
    """
    until = time.time() + 60 * minutes if minutes else float("inf")
    waiting: dict[tuple, list[Task]] = {}  # by training, so that no process waits for another's
    for task in tasks.values():
        if not is_kept(task):
            apart = task.judged if task.judged in WITHOUT_A_MODEL else task.judged in LONG_LOOKS
            waiting.setdefault((task.kind, task.config.key, apart), []).append(task)
    planned("measurement", [task.path.stem for group in waiting.values() for task in group])
    map_side_by_side(partial(_measure, until=until), waiting.values())


def _measure(tasks: list[Task], until: float) -> None:
    for task in tasks:
        if time.time() < until:
            load_or_run(task)


def nested(tasks: Mapping[tuple, Task]) -> dict[Any, Any]:
    """What is kept of some tasks, by the parts of their names."""
    kept: dict[Any, Any] = {}
    for place, task in tasks.items():
        if is_kept(task):
            inside = kept
            for part in place[:-1]:
                inside = inside.setdefault(str(part), {})
            inside[str(place[-1])] = _shortened(load_or_run(task))
    return kept


def _shortened(found):
    """Without what nothing reads, numbers without a group of spectra to DIGITS: a record stays below 2 MiB."""
    if not isinstance(found, dict):
        return found
    return {
        key: [value and round(value, DIGITS) for value in row] if key.endswith("_left_out") else _shortened(row)
        for key, row in found.items()
        if key != "top1_left_out"
    }


def _config(compared, training, name, seed):
    own = {"families": (name,), "seed": seed, "steps": round(compared.share * training["steps"])}
    return TrainConfig(**training | own | compared.changes)
