"""Measurements done once and kept, side by side."""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from nblib.evaluation.assessments import assess_elsewhere, assess_model, assess_supervised, quick_assessment
from nblib.evaluation.baselines import assess_baselines, baseline_methods, energy_bias_by_strength
from nblib.evaluation.supervised import KINDS, train_supervised
from nblib.project.fingerprint import JUDGING_CODE, code_digest
from nblib.project.paths import runs_dir
from nblib.project.profiles import Sizes
from nblib.project.records import read_json, write_json
from nblib.training.config import TrainConfig
from nblib.training.loop import train
from nblib.training.parallel import side_by_side

OF_A_MODEL = {"quick": quick_assessment, "elsewhere": assess_elsewhere, "whole": assess_model}
WITHOUT_A_MODEL = {"baselines": assess_baselines, "methods": baseline_methods, "energy bias": energy_bias_by_strength}


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


def load_or_run(task: Task) -> dict:
    """What a task found, measured now or kept from before."""
    if not task.path.exists():
        write_json(task.path, task.measure())
    return read_json(task.path)


def load_or_run_all(tasks: Sequence[Task]) -> list[dict]:
    """What every task found, in order; those not kept yet are done side by side, one core each."""
    side_by_side(load_or_run, [task for task in tasks if not task.path.exists()])
    return [load_or_run(task) for task in tasks]
