"""Trained models judged side by side, one core each, with the same numbers as in turn."""

from collections.abc import Callable, Iterable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

from nblib.detection.metrics import detection
from nblib.evaluation.assessments import assess
from nblib.evaluation.baselines import baseline_scores
from nblib.evaluation.test_sets import held_out
from nblib.prediction import Predictions, predict
from nblib.training.loop import TrainResult, load_run
from nblib.training.parallel import side_by_side

FEWEST_SPECTRA = 200  # a process takes seconds to start, about what this many spectra take


def map_side_by_side(function: Callable, items: Iterable) -> list:
    """function(item) of every item, in order, in as many processes of one thread as there are cores.

    With an accelerator, one core, one item, or inside such a process the items are done in turn, here.

    Parameters
    ----------
    function : of a module, or a `partial` of one: processes import it by name
    items : what pickles

    Raises
    ------
    What the function raises, of the first item that fails.
    """
    items = list(items)
    found = side_by_side(function, items)
    return [function(item) for item in items] if found is None else found


def assess_many(
    results: Mapping[Any, TrainResult], family: str, n_spectra: int, split: str = "test"
) -> dict[Any, tuple[Predictions, dict]]:
    """`assess` of several trained models, one core each where there are many spectra.

    Parameters
    ----------
    results : by any name; a model is loaded again from its run's folder
    family : noise family of the spectra
    n_spectra : of the split, at least 1
    split : "validation" for choices, "test" for claims

    Returns
    -------
    What `assess` returns, by the same names in the same order.
    """
    judge = partial(_assess_folder, family=family, n_spectra=n_spectra, split=split)
    return dict(zip(results, _map(judge, [result.folder for result in results.values()], n_spectra), strict=True))


def detection_by_family(
    result: TrainResult, families: Iterable[str], n_spectra: int, n_tune: int
) -> dict[str, dict[str, dict]]:
    """Attention of one model on several noise families, beside what needs no training; one core a family.

    Parameters
    ----------
    result : a trained model, loaded again from its run's folder
    families : names of registered noise families
    n_spectra : test spectra of each family
    n_tune : validation spectra of each, on which the running median's window is chosen

    Returns
    -------
    `detection` by family and method: "attention", and the methods of `baseline_scores`.
    """
    families = tuple(families)
    judge = partial(_detection_in_family, result.folder, n_spectra=n_spectra, n_tune=n_tune)
    return dict(zip(families, _map(judge, families, n_spectra), strict=True))


def _map(function: Callable, items: Iterable, n_spectra: int) -> list:
    if n_spectra < FEWEST_SPECTRA:
        return [function(item) for item in items]
    return map_side_by_side(function, items)


def _assess_folder(folder: Path, family: str, n_spectra: int, split: str) -> tuple[Predictions, dict]:
    return assess(load_run(folder), family, n_spectra, split)


def _detection_in_family(folder: Path, family: str, n_spectra: int, n_tune: int) -> dict[str, dict]:
    result = load_run(folder)
    here = predict(result.model, held_out(result.config, family, n_spectra), sweep=False)
    tuning = predict(result.model, held_out(result.config, family, n_tune, "validation"), sweep=False)
    scores = {"attention": here.attention()} | baseline_scores(here, tuning, family)[0]
    return {method: detection(values, here.truth, len(here.freqs)) for method, values in scores.items()}
