"""What a numbered notebook keeps behind one name: parameters checked, figures and record kept, a table of both runs.

Everything that is physics, model or judgement stands in the notebook's own cells.
"""

import inspect
from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from IPython.display import Markdown, display
from matplotlib.figure import Figure

from nblib.losses import REGULARIZERS
from nblib.notebook.figures import save_figure, use_style
from nblib.notebook.parameters import check_parameters
from nblib.notebook.stored_outputs import BESIDE
from nblib.project.extensions import load_extensions
from nblib.project.fingerprint import fingerprint
from nblib.project.profiles import PUBLISHED, get_profile
from nblib.project.records import committed_result, flatten, provenance, save_result, seeds_in_words

JUDGED_BY = ("nblib.training.loop:train", "nblib.assessment:assess")  # what decides the numbers of a notebook
OTHERS_BY = {
    "05_lambda_sweep": ("nblib.training.loop:train", "evidence.assessments:quick_assessment"),
    "06_benchmark": (
        "nblib.training.loop:train",
        "evidence.taught:train_taught",
        "evidence.supervised:train_supervised",
        "evidence.closely:assess_supervised",
        *(f"evidence.readings:assess_{look}" for look in ("readings", "beyond", "families", "region")),
        *(f"evidence.{name}:assess_{name}" for name in ("closely", "baselines", "rivals")),
    ),
    "07_unknown_backgrounds": ("nblib.measured.statistic.score:score_spectrum",),
    "09_physics": ("nblib.measured.statistic.score:score_spectrum", "nblib.workbench.arrhenius:arrhenius"),
}
AS_STORED = "smoke"  # profile of every stored cell of parameters
OF_SEEDS = {"05_lambda_sweep": "n_sweep_seeds", "06_benchmark": "n_seeds"}  # how many at most: a profile's fields
NOTHING = "\N{EN DASH}"  # in a table: the published record has no such number


class Paper:
    """One run of a numbered notebook.

    Attributes
    ----------
    settings : the profile's sizes
    training : parameters of a training of this run, for TrainConfig
    metrics : what the run's record will hold; fill it
    fingerprint : of the code that trains and judges, beginning

    Parameters
    ----------
    name : the notebook's, e.g. "01_baseline_mask_prediction"
    from_record : nothing is measured, the published record is drawn
    parameters : what its cell of parameters says, by name; checked before anything starts

    Raises
    ------
    ValueError for a parameter that breaks its rule
    """

    def __init__(self, name: str, from_record: bool = False, **parameters: Any):
        use_style()
        self.name, self.parameters = name, parameters
        extensions = load_extensions(parameters.get("extensions", ""))
        check_parameters(**parameters)
        self.profile, self.run_name = parameters["profile"], parameters.pop("run_name", "")
        self.settings = get_profile(self.profile)
        self.metrics: dict[str, Any] = {}
        self.training = self.settings.training | {"extensions": extensions}
        own = {"steps": parameters.get("steps"), "n_segments": parameters.get("n_segments")}
        own |= {"seed": parameters.get("seed"), "families": parameters.get("family")}
        self.training |= {key: value for key, value in own.items() if value or key == "seed"}
        self.fingerprint = fingerprint(*OTHERS_BY.get(name, JUDGED_BY))[:10]
        if name in OF_SEEDS:
            first = parameters["seed"]
            self.parameters["seeds"] = list(range(first, first + getattr(self.settings, OF_SEEDS[name])))
        display(Markdown(self._first_line(from_record)))

    def _first_line(self, from_record):
        if from_record:
            return f"outputs below: the published record ({provenance(committed_result(self.name))})"
        seeds = seeds_in_words(self.parameters)
        words = f"outputs below: profile {self.profile}, {seeds}, fingerprint {self.fingerprint}"
        if self.profile not in PUBLISHED:
            return words
        again = "draw the published record" if self.name in OF_SEEDS else f"use `{AS_STORED}`, the parameters' default"
        return f"{words}; cells run here {again}"

    def source(self, penalty: str) -> Markdown:
        """The code of a penalty, to read."""
        code = inspect.getsource(REGULARIZERS[penalty].rows)
        return Markdown(f"```python\n{code}```")

    def figure(self, fig: Figure, name: str, caption: str) -> None:
        """Keep a figure as PNG and PDF, as save_figure does."""
        save_figure(fig, name, caption, self.profile, self.run_name)

    def beside(self, rows: Mapping[str, str], columns: Mapping[str, str], digits: int = 3) -> pd.DataFrame:
        """Numbers of this run beside those of the published one.

        Parameters
        ----------
        rows : label -> where its numbers begin in the metrics, e.g. "cls"
        columns : label -> where the number stands from there, e.g. "masked.mse"; a row without it is left empty
        """
        here, published = flatten(self.metrics), flatten(committed_result(self.name)["metrics"])
        table = {
            (label, source): [_shown(values.get(f"{row}.{place}".strip(".")), digits) for row in rows.values()]
            for label, place in columns.items()
            for source, values in zip(BESIDE, (here, published), strict=True)
        }
        return pd.DataFrame(table, index=list(rows))

    def save(self, **parameters: Any) -> None:
        """Write the run's record; parameters : those that the run chose itself, beside what it was given."""
        given = self.parameters | parameters
        save_result(self.name, self.profile, self.run_name, given, self.metrics, fingerprint=self.fingerprint)


def _shown(value, digits):
    if value is None:
        return NOTHING
    return f"{value:.{digits}f}" if isinstance(value, float | np.floating) else str(value)
