"""Noise that a model was never trained on: what `shapes` is worth on five families, and two remedies. `make bench`

Every row is attention's average precision per cell on validation spectra of a family, beside that of a model trained on
the family alone. One seed; `as it is` is what the benchmark of notebook 06 trains. Writes runs/benchmarks/shapes.json.
"""

from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from evidence.benchmarks.script import options, write_record
from evidence.test_sets import noisy_cells
from evidence.trials import PENALTY
from nblib import TrainConfig, train_many
from nblib.assessment import held_out
from nblib.prediction import attention_of
from nblib.project.parallel import map_side_by_side
from nblib.project.profiles import get_profile
from nblib.scoring.metrics import detection
from nblib.simulation.noise import PUBLISHED_FAMILIES
from nblib.training.loop import load_run

REMEDIES: dict[str, tuple[int, dict[str, Any]]] = {  # steps over those of a family alone, and what else is changed
    "as it is": (2, {}),
    "twice the steps": (4, {}),
    "tokens of 10 bins": (2, {"patch_size": 10}),
}


def configs(steps: int) -> dict[str, TrainConfig]:
    """Every training, by name: the remedies, and each family alone."""
    training = get_profile("quick").training | PENALTY | {"seed": 0}
    training |= {"steps": steps} if steps else {}
    found = {}
    for name, (longer, changes) in REMEDIES.items():
        own = {"families": ("shapes",), "steps": longer * training["steps"]}
        found[name] = TrainConfig(**training | own | changes)
    for name in PUBLISHED_FAMILIES:
        found[f"{name} alone"] = TrainConfig(**training | {"families": (name,)})
    return found


def precision(pair: tuple[Path, str], n_spectra: int) -> float:
    """Average precision of a trained model's attention on validation spectra of a family."""
    folder, family = pair
    result = load_run(folder)
    coarse = replace(result.config, patch_size=20)  # cells and masks do not depend on the tokens
    data = held_out(coarse, family, n_spectra, "validation")
    return detection(attention_of(result.model, data), noisy_cells(data), len(data.freqs))["ap"]


def main() -> None:
    """Train what is not trained yet, judge it, write the record."""
    steps = (0, "of a family alone; the quick profile's if left out")
    given = options(__file__, __doc__, steps=steps, spectra=(500, "of each family"))
    asked = configs(given.steps)
    results = dict(zip(asked, train_many(list(asked.values())), strict=True))
    pairs = [(name, family) for name in REMEDIES for family in PUBLISHED_FAMILIES]
    pairs += [(f"{family} alone", family) for family in PUBLISHED_FAMILIES]
    judge = partial(precision, n_spectra=given.spectra)
    scores = map_side_by_side(judge, [(results[name].folder, family) for name, family in pairs])
    found = dict(zip(pairs, scores, strict=True))
    rows: dict[str, dict] = {}
    for name in REMEDIES:
        for family in PUBLISHED_FAMILIES:
            precise, own = found[name, family], found[f"{family} alone", family]
            rows.setdefault(name, {})[family] = {"ap": precise, "family alone": own, "ratio": precise / own}
        print(name, {family: round(row["ratio"], 3) for family, row in rows[name].items()}, flush=True)
    trained = {name: config.steps for name, config in asked.items()}
    write_record(__file__, {"rows": rows, "n_validation": given.spectra, "steps": trained})


if __name__ == "__main__":
    main()
