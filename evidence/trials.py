"""Which detectors notebooks 05 and 06 train and judge, over which seeds; each once, and what was found is kept."""

from dataclasses import dataclass, replace

from evidence.tasks import Task, load_or_run_all
from nblib.project.profiles import Profile, Sizes
from nblib.simulation.noise import PUBLISHED_FAMILIES
from nblib.training.config import TrainConfig

TRUE, LIMIT, MEDIAN = "true background", "posterior (limit)", "running median"
REFIT = "refit without flagged cells, posterior"  # the strongest method without training
CLAIMED = ("simulated labels", "label-free")
LONGER = {trial: f"{trial} (twice the steps)" for trial in CLAIMED}
BY_RESIDUAL = "energies by residual"  # of a record of 06: {trial: {seed: what assess_energies found}}

PENALTY = {"regularizer": "uniform_clean", "reg_weight": 10.0}
LABEL_FREE = PENALTY | {"mask_policy": "any", "labels": "pseudo"}


@dataclass(frozen=True)
class Trial:
    """A detector: what is changed in a profile's training, how many seeds, and how it is judged.

    Attributes
    ----------
    seeds : "n_seeds" (of a claim), "n_control_seeds" or "n_other_seeds" of the profile
    kind : "attention", or one of supervised.KINDS
    longer : steps over the profile's
    """

    changes: dict
    seeds: str
    kind: str = "attention"
    longer: int = 1

    @property
    def judged(self) -> str:
        """Key of OF_A_MODEL: models trained on something else are looked at less closely."""
        return "elsewhere" if self.seeds == "n_other_seeds" or "families" in self.changes else "whole"


TRIALS = {
    "simulated labels": Trial(PENALTY, "n_seeds"),
    "label-free": Trial(LABEL_FREE, "n_seeds"),
    LONGER["simulated labels"]: Trial(PENALTY, "n_control_seeds", longer=2),
    LONGER["label-free"]: Trial(LABEL_FREE, "n_control_seeds", longer=2),
    "no penalty": Trial({}, "n_control_seeds"),
    "token readout": Trial(PENALTY | {"readout": "token"}, "n_control_seeds"),
    "supervised CNN": Trial({"readout": "token"}, "n_control_seeds", "cnn"),
    "supervised token head": Trial({"readout": "token"}, "n_control_seeds", "token_head"),
    "shapes": Trial(PENALTY | {"families": ("shapes",)}, "n_control_seeds", longer=2),  # many kinds of noise to see
    **{
        f"{name} alone": Trial(PENALTY | {"families": (name,)}, "n_control_seeds")
        for name in PUBLISHED_FAMILIES
        if name != "single_line"  # that is "simulated labels"
    },
    "lower half": Trial(PENALTY | {"families": ("lower_line",)}, "n_other_seeds"),
    "K = 2": Trial(PENALTY | {"n_segments": 2}, "n_other_seeds"),
    "K = 32": Trial(PENALTY | {"n_segments": 32}, "n_other_seeds"),
    "soft-clipped": Trial(PENALTY | {"intrinsic": "soft_clipped"}, "n_other_seeds"),
}


def over_trials(settings: Profile, training: dict, name: str, sizes: Sizes, first_seed: int = 0) -> dict[str, dict]:
    """Every trial and seed of a profile: {trial: {seed: what was found}}; arguments as trial_tasks."""
    return _by_trial(trial_tasks(settings, training, name, sizes, first_seed))


def kept_energies(settings: Profile, training: dict, name: str, sizes: Sizes, first_seed: int = 0) -> dict[str, dict]:
    """assess_energies of the trials that are claimed, by trial and seed; arguments as trial_tasks."""
    return _by_trial(trial_tasks(settings, training, name, sizes, first_seed, energies=True))


def trial_tasks(
    settings: Profile, training: dict, name: str, sizes: Sizes, first_seed: int = 0, energies: bool = False
) -> dict[tuple[str, int], Task]:
    """The measurements of a profile by trial and seed; a trial without seeds is left out.

    Parameters
    ----------
    training : parameters of every training (a profile's)
    name : the noise family trained and tested on
    energies : assess_energies of the trials that are claimed, in place of what each is judged by
    """
    tasks = {}
    short = replace(sizes, n_line_free=sizes.n_line_free // 5)  # false alarms of a control need not be known to 0.1 %
    for trial_name, trial in TRIALS.items():
        closely = trial.seeds == "n_seeds" or trial.kind != "attention"
        for seed in range(first_seed, first_seed + getattr(settings, trial.seeds)):
            config = _config(trial, training, name, seed)
            if not energies:
                tasks[trial_name, seed] = Task(trial.judged, config, name, sizes if closely else short, trial.kind)
            elif trial.seeds == "n_seeds":
                tasks[trial_name, seed] = Task("energies", config, name, sizes)
    return tasks


def _config(trial, training, name, seed):
    own = {"families": (name,), "seed": seed, "steps": trial.longer * training["steps"]}
    return TrainConfig(**training | own | trial.changes)


def _by_trial(tasks: dict[tuple[str, int], Task]) -> dict[str, dict]:
    by_seed = sorted(tasks, key=lambda place: place[1])  # a run that is cut off leaves whole seeds
    results = dict(zip(by_seed, load_or_run_all([tasks[place] for place in by_seed]), strict=True))
    found: dict[str, dict] = {}
    for trial_name, seed in tasks:
        found.setdefault(trial_name, {})[str(seed)] = results[trial_name, seed]
    return found
