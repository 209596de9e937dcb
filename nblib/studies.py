"""Which detectors notebooks 05 and 06 train and judge, over which seeds; each once, and what was found is kept."""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np

from nblib.config import TrainConfig, code_digest
from nblib.detect import FILTER_WIDTHS
from nblib.evidence import Sizes, assess_elsewhere, assess_model, assess_supervised, glance
from nblib.metrics import over_seeds
from nblib.paths import runs_dir
from nblib.profiles import Profile
from nblib.records import read_json, write_json
from nblib.supervised import KINDS, train_supervised
from nblib.train import side_by_side, train
from nblib.yardsticks import assess_references, harm, reference_methods

JUDGING_CODE = ("detect", "metrics", "energies", "evaluate", "faithfulness", "supervised", "evidence", "yardsticks")
OF_A_MODEL = {"glance": glance, "elsewhere": assess_elsewhere, "whole": assess_model}
WITHOUT_A_MODEL = {"references": assess_references, "methods": reference_methods, "harm": harm}

PENALTY = {"regularizer": "uniform_clean", "reg_weight": 10.0}
WITHOUT_TRUTH = {"mask_policy": "any"}


@dataclass(frozen=True)
class Trial:
    """A detector: what is changed in a profile's training, how many seeds, and how it is judged.

    seeds : "n_seeds" (of a claim), "n_control_seeds" or "n_other_seeds" of the profile
    kind  : "attention", or one of supervised.KINDS
    """

    changes: dict
    seeds: str
    kind: str = "attention"

    @property
    def judged(self) -> str:
        """Key of OF_A_MODEL: models trained on something else are looked at less closely."""
        return "elsewhere" if self.seeds == "n_other_seeds" else "whole"


ALL = tuple(FILTER_WIDTHS)
TRIALS = {
    "simulated labels": Trial(PENALTY, "n_seeds"),
    "label-free": Trial(PENALTY | WITHOUT_TRUTH | {"labels": "residual"}, "n_seeds"),
    "no penalty": Trial({}, "n_control_seeds"),
    "label-free, no penalty": Trial(WITHOUT_TRUTH, "n_control_seeds"),
    "token readout": Trial(PENALTY | {"readout": "token"}, "n_control_seeds"),
    "supervised CNN": Trial({"readout": "token"}, "n_control_seeds", "cnn"),
    "supervised token head": Trial({"readout": "token"}, "n_control_seeds", "token_head"),
    "all families": Trial(PENALTY | {"families": ALL}, "n_other_seeds"),
    **{
        f"all but {name}": Trial(
            PENALTY | {"families": tuple(other for other in ALL if other != name)}, "n_other_seeds"
        )
        for name in ALL
    },
    "lower half": Trial(PENALTY | {"families": ("lower_line",)}, "n_other_seeds"),
    "K = 2": Trial(PENALTY | {"n_segments": 2}, "n_other_seeds"),
    "K = 32": Trial(PENALTY | {"n_segments": 32}, "n_other_seeds"),
    "soft-clipped": Trial(PENALTY | {"intrinsic": "soft_clipped"}, "n_other_seeds"),
}


@dataclass(frozen=True)
class Task:
    """One measurement, and where it is kept.

    judged : key of OF_A_MODEL or of WITHOUT_A_MODEL; kind : as in Trial
    """

    judged: str
    config: TrainConfig
    family: str
    sizes: Sizes
    kind: str = "attention"

    @property
    def path(self) -> Path:
        """A file of runs/evidence/, named by training, parameters and judging code."""
        parts = [self.judged, self.kind, self.config.key, self.family, asdict(self.sizes), code_digest(JUDGING_CODE)]
        digest = hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:12]
        return runs_dir("evidence") / f"{self.judged}-{self.kind}-seed{self.config.seed}-{digest}.json"

    def measure(self) -> dict:
        """Train if need be, and judge."""
        arguments = (self.family, self.sizes)
        if self.judged in WITHOUT_A_MODEL:
            return WITHOUT_A_MODEL[self.judged](self.config, *arguments)
        if self.kind in KINDS:
            return assess_supervised(train_supervised(self.kind, self.config), self.config, *arguments)
        return OF_A_MODEL[self.judged](train(self.config, progress=False), *arguments)


def done(task: Task) -> dict:
    """What a task found, measured now or kept from before."""
    if not task.path.exists():
        write_json(task.path, task.measure())
    return read_json(task.path)


def all_done(tasks: Sequence[Task]) -> list[dict]:
    """What every task found, in order; those not kept yet are done side by side, one core each."""
    side_by_side(done, [task for task in tasks if not task.path.exists()])
    return [done(task) for task in tasks]


def over_trials(settings: Profile, training: dict, name: str, sizes: Sizes, first_seed: int = 0) -> dict[str, dict]:
    """Every trial and seed of a profile: {trial: {seed: what was found}}; a trial without seeds is left out.

    training : parameters of every training (a profile's); name : the noise family trained and tested on
    """
    tasks = {}
    short = replace(sizes, n_line_free=sizes.n_line_free // 5)  # false alarms of a control need not be known to 0.1 %
    for trial_name, trial in TRIALS.items():
        closely = trial.seeds == "n_seeds" or trial.kind != "attention"
        for seed in range(first_seed, first_seed + getattr(settings, trial.seeds)):
            config = TrainConfig(**training | {"families": (name,), "seed": seed} | trial.changes)
            tasks[trial_name, seed] = Task(trial.judged, config, name, sizes if closely else short, trial.kind)
    found = {}
    for (trial_name, seed), result in zip(tasks, all_done(list(tasks.values())), strict=True):
        found.setdefault(trial_name, {})[str(seed)] = result
    return found


def across_seeds(found: dict[str, dict], *path: str, over: float = 1.0) -> dict[str, float]:
    """Interquartile mean over seeds and 95 % interval of a number, see metrics.over_seeds.

    found : {seed: nested numbers}; path : keys to the number; over : what it is divided by
    """
    values = []
    for entry in found.values():
        for key in path:
            entry = entry[key]
        values.append(np.nan if entry is None else entry / over)
    return over_seeds(np.array(values))
