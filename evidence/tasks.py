"""Measurements done once and kept, side by side."""

import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path

from evidence.assessments import quick_assessment
from evidence.baselines import assess_baselines, baseline_methods, energy_bias_by_strength
from evidence.closely import assess_closely, assess_supervised
from evidence.readings import assess_beyond, assess_families, assess_readings, assess_region
from evidence.rivals import assess_rivals
from evidence.supervised import KINDS, train_supervised
from evidence.taught import WAYS, train_taught
from evidence.test_sets import Sizes
from nblib.prediction import scores_judged
from nblib.project.environment import run_conditions
from nblib.project.fingerprint import fingerprint
from nblib.project.parallel import map_side_by_side
from nblib.project.paths import record_path, runs_dir
from nblib.project.progress import planned, reached
from nblib.project.records import read_json, write_json
from nblib.simulation.noise import families_judged
from nblib.training.config import TrainConfig
from nblib.training.loop import train

OF_A_MODEL: dict[str, Callable[..., dict]] = {
    "quick": quick_assessment,
    "readings": assess_readings,
    "beyond": assess_beyond,
    "families": assess_families,
    "region": assess_region,
    "closely": assess_closely,
}
ADDED = ("task", "commit", "made")  # to what a task found: which task it was, and what made it
SOURCES = ("05_lambda_sweep", "06_benchmark")  # notebooks whose published records are made of tasks
WITHOUT_A_MODEL = {
    "baselines": assess_baselines,
    "methods": baseline_methods,
    "energy bias": energy_bias_by_strength,
    "rivals": assess_rivals,
}


@dataclass(frozen=True)
class Task:
    """One measurement, and where it is kept.

    Attributes
    ----------
    judged : key of OF_A_MODEL or of WITHOUT_A_MODEL
    kind : "attention", one of supervised.KINDS, or one of taught.WAYS
    """

    judged: str
    config: TrainConfig
    family: str
    sizes: Sizes
    kind: str = "attention"

    @property
    def path(self) -> Path:
        """A file of runs/evidence/, named by training, parameters and the code that judges."""
        parts = [self.judged, self.kind, self.config.key, self.family, asdict(self.sizes), self._judging_code()]
        digest = hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:12]
        kind = self.kind.replace(" ", "-")
        return runs_dir("evidence") / f"{self.judged}-{kind}-seed{self.config.seed}-{digest}.json"

    def _judging_code(self) -> str:
        """Fingerprint of the assessment, with the training of a supervised detector."""
        families = {*self.config.families, *families_judged(self.family), "none"}
        choices = self.config.choices() | {
            "nblib.simulation.noise:FAMILIES": sorted(families),
            "nblib.simulation.estimation:INTRINSIC": sorted({self.config.intrinsic, "welch", "welch_hann"}),
            "nblib.prediction:SCORES": scores_judged(self.config.extensions, published=True),
        }
        if self.kind in KINDS:
            entries = ["evidence.closely:assess_supervised", "evidence.supervised:train_supervised"]
        else:
            table = OF_A_MODEL if self.judged in OF_A_MODEL else WITHOUT_A_MODEL
            entries = [f"{table[self.judged].__module__}:{table[self.judged].__name__}"]
            entries += ["evidence.taught:train_taught"] if self.kind in WAYS else []
        return fingerprint(*entries, choices=choices, without=self.config.without())

    def made(self) -> dict:
        """What a record says of where a number comes from: what to run again, and what it was run on."""
        default, conditions = asdict(TrainConfig()), run_conditions()
        changes = {name: value for name, value in asdict(self.config).items() if value != default[name]}
        versions = ", ".join(f"{name} {version}" for name, version in conditions["versions"].items())
        hardware = conditions["hardware"]
        threads = f"{hardware['torch_threads']} threads"
        made = {
            "task": self.path.stem,  # a record that was put under another name is seen by it
            "on": f"{hardware['processor']}, {threads}, accelerator {hardware['accelerator']}; {versions}",
            **{"judged": self.judged, "config": changes, "family": self.family, "sizes": asdict(self.sizes)},
            "kind": self.kind,
        }
        return {"commit": conditions["commit"], "made": made}

    def measure(self) -> dict:
        """Train if need be, and judge."""
        arguments = (self.family, self.sizes)
        if self.judged in WITHOUT_A_MODEL:
            return WITHOUT_A_MODEL[self.judged](self.config, *arguments)
        if self.kind in KINDS:
            return assess_supervised(train_supervised(self.kind, self.config), self.config, *arguments)
        if self.kind in WAYS:
            return OF_A_MODEL[self.judged](train_taught(self.kind, self.config), *arguments)
        return OF_A_MODEL[self.judged](train(self.config, progress=False), *arguments)


def task_of(made: dict) -> Task:
    """The task that Task.made says."""
    config, sizes = TrainConfig.from_dict(made["config"]), Sizes(**made["sizes"])
    return Task(made["judged"], config, made["family"], sizes, made["kind"])


def is_kept(task: Task) -> bool:
    """Is a task measured already, here or in a published record?"""
    return task.path.exists() or task.path.stem in published_tasks()


def load_or_run(task: Task) -> dict:
    """What a task found: measured now, kept from before, or published by a run of the same parameters and code."""
    if not task.path.exists():
        name = task.path.stem
        write_json(task.path, published_tasks().get(name) or task.measure() | {"task": name} | task.made())
        reached(name, 1, 1)
    return read_json(task.path)


@cache
def published_tasks() -> dict[str, dict]:
    """What the published records of sweep and benchmark hold, by the name of the task that found it.

    Older entries that do not say what made them, and such as were put under another name since, are left out.
    """
    published: dict[str, dict] = {}

    def collect(value):
        if isinstance(value, dict) and "task" in value:
            if value["task"] == value.get("made", {}).get("task"):
                published[value["task"]] = value
        elif isinstance(value, dict):
            for entry in value.values():
                collect(entry)

    paths = [record_path(profile, notebook) for profile in ("quick", "full") for notebook in SOURCES]
    for path in paths:
        collect(read_json(path) if path.exists() else {})
    return published


def load_or_run_all(tasks: Sequence[Task]) -> list[dict]:
    """What every task found, in order; those not kept yet are done side by side, one core each."""
    waiting = [task for task in tasks if not is_kept(task)]
    planned("measurement", [task.path.stem for task in waiting])
    map_side_by_side(load_or_run, waiting)
    return [load_or_run(task) for task in tasks]
