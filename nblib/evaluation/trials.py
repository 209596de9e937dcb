"""Which detectors notebooks 05 and 06 train and judge, over which seeds; each once, and what was found is kept."""

from dataclasses import dataclass, replace

from nblib.evaluation.tasks import Task, load_or_run_all
from nblib.project.profiles import Profile, Sizes
from nblib.spectra.noise import PUBLISHED_FAMILIES
from nblib.training.config import TrainConfig

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


TRIALS = {
    "simulated labels": Trial(PENALTY, "n_seeds"),
    "label-free": Trial(PENALTY | WITHOUT_TRUTH | {"labels": "pseudo"}, "n_seeds"),
    "no penalty": Trial({}, "n_control_seeds"),
    "label-free, no penalty": Trial(WITHOUT_TRUTH, "n_control_seeds"),
    "token readout": Trial(PENALTY | {"readout": "token"}, "n_control_seeds"),
    "supervised CNN": Trial({"readout": "token"}, "n_control_seeds", "cnn"),
    "supervised token head": Trial({"readout": "token"}, "n_control_seeds", "token_head"),
    "all families": Trial(PENALTY | {"families": PUBLISHED_FAMILIES}, "n_other_seeds"),
    **{
        f"all but {name}": Trial(
            PENALTY | {"families": tuple(other for other in PUBLISHED_FAMILIES if other != name)}, "n_other_seeds"
        )
        for name in PUBLISHED_FAMILIES
    },
    "lower half": Trial(PENALTY | {"families": ("lower_line",)}, "n_other_seeds"),
    "K = 2": Trial(PENALTY | {"n_segments": 2}, "n_other_seeds"),
    "K = 32": Trial(PENALTY | {"n_segments": 32}, "n_other_seeds"),
    "soft-clipped": Trial(PENALTY | {"intrinsic": "soft_clipped"}, "n_other_seeds"),
}


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
    found: dict[str, dict] = {}
    for (trial_name, seed), result in zip(tasks, load_or_run_all(list(tasks.values())), strict=True):
        found.setdefault(trial_name, {})[str(seed)] = result
    return found
