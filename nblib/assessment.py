"""What notebooks 01 to 04 measure: held-out spectra, what a trained model makes of them, and what needs no training.

Equation numbers are those of docs/method.md.
"""

from collections.abc import Callable, Iterable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Bool, Float
from numpy import ndarray
from sklearn.metrics import average_precision_score

from nblib.cells import cell_scores
from nblib.dataset import NoiseBERTDataset
from nblib.prediction import SCORES, Predictions, predict, scores_judged
from nblib.project.parallel import map_side_by_side
from nblib.scoring.filters import matched_filter, running_median
from nblib.scoring.likelihood import line_posterior
from nblib.scoring.metrics import N_GROUPS, detection, without_group
from nblib.simulation.noise import ALL_WIDTHS, filter_widths
from nblib.simulation.physics import LN_STD
from nblib.training.config import TrainConfig
from nblib.training.loop import TrainResult, load_run

MEDIAN_WINDOWS = (51, 101, 201, 301, 401, 601)  # bins; tuned on validation spectra
FEWEST_SPECTRA = 200  # a process takes seconds to start, about what this many spectra take


def held_out(config: TrainConfig, family: str, n_spectra: int, split: str = "test") -> NoiseBERTDataset:
    """Spectra to judge a model on: one noise family, the same spectra whatever the model, its seed and its training.

    Parameters
    ----------
    split : "validation" for choices, "test" for claims
    """
    arguments = {"amplitude": (0.5, 3.0), "none_share": 0.2, "mask_policy": "clean"}
    return config.dataset(split, n_spectra, seed=0, families=(family,), **arguments)


def assess(result: TrainResult, family: str, n_spectra: int, split: str = "test") -> tuple[Predictions, dict]:
    """Read a trained model on held-out spectra of one family, and score everything that has a truth.

    Returns
    -------
    the reading, and metrics by score ("attention", "residual", ...: detection per cell), "masked" (masked prediction),
    "in_band" and its "no_line" control: the same spectra without their lines, in the same bins
    """
    config = result.config
    dataset = held_out(config, family, n_spectra, split)
    reading = predict(result.model, dataset)
    without_lines = predict(result.model, held_out(config, "none", n_spectra, split))
    n_bins, widths, scores = len(dataset.freqs), filter_widths(family), scores_judged(config.extensions)
    return reading, {
        **{name: detection(SCORES[name](reading, widths), reading.truth, n_bins) for name in scores},
        "masked": masked_prediction(reading, dataset),
        "in_band": in_band_error(reading, reading.noisy),
        "no_line": in_band_error(without_lines, reading.noisy),
    }


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


def _map(function: Callable, items: Iterable, n_spectra: int) -> list:
    if n_spectra < FEWEST_SPECTRA:
        return [function(item) for item in items]
    return map_side_by_side(function, items)


def _assess_folder(folder: Path, family: str, n_spectra: int, split: str) -> tuple[Predictions, dict]:
    return assess(load_run(folder), family, n_spectra, split)


# ---- masked error and restoration ----


def in_band_error(reading: Predictions, bins: Bool[ndarray, "n bin"]) -> dict[str, float | ndarray]:
    """Mean |ln error| against the noise-free background in the noisy bins: as measured, and as restored.

    Parameters
    ----------
    bins : which bins count; for the no-line control the noisy bins of the same spectra with their lines

    Returns
    -------
    "before", "after" in ln units, "after_left_out" (without each group of spectra) and "reduction" = 1 - after /
    before; NaN where no bin counts
    """
    before = mean_over_bins(np.abs(reading.log_psd - reading.background), bins)[0]
    after, left_out = mean_over_bins(np.abs(reading.restored - reading.background), bins)
    return {"before": before, "after": after, "after_left_out": left_out, "reduction": 1 - after / before}


def mean_over_bins(values: Float[ndarray, "n bin"], bins: Bool[ndarray, "n bin"]) -> tuple[float, ndarray]:
    """Mean over some bins of all spectra, and without each group of spectra; NaN where no bin counts."""
    sums, counts = np.where(bins, values, 0).sum(axis=1), bins.sum(axis=1)
    if not counts.any():
        return np.nan, np.full(N_GROUPS, np.nan)
    left_out = without_group(lambda kept: sums[kept].sum() / max(counts[kept].sum(), 1), len(values))
    return float(sums.sum() / counts.sum()), left_out


def masked_prediction(reading: Predictions, dataset: NoiseBERTDataset) -> dict[str, float]:
    """Masked bins against the measurement and against the truth, in ln units.

    Returns
    -------
    "mse" (against the noisy target), "floor" (trigamma(K), its smallest possible value), "background_rms" (root mean
    square error against the noise-free background, bias corrected)
    """
    masked = reading.masked
    measured = (reading.filled + dataset.log_bias * LN_STD - reading.log_psd)[masked]
    truth = (reading.filled - reading.background)[masked]
    return {
        "mse": float((measured**2).mean()),
        "floor": dataset.error_floor * LN_STD**2,
        "background_rms": float(np.sqrt((truth**2).mean())),
    }


# ---- what needs no training ----


def baseline_scores(
    reading: Predictions, tuning: Predictions, family: str
) -> tuple[dict[str, Float[ndarray, "n cell"]], int]:
    """What needs no training, on the same spectra as the model: scores by method, and the running median's window.

    Parameters
    ----------
    tuning : validation spectra on which the window is chosen by average precision, never the test
    family : chooses the filter widths, for every matched filter alike

    Returns
    -------
    "running median" (the family's filter widths), "running median, all widths", "true background" and, for single_line,
    "posterior (limit)"
    """
    n_segments = reading.n_segments
    known = filter_widths(family)
    chosen = {"running median": known, "running median, all widths": ALL_WIDTHS}
    windows = {name: tune_window(tuning, widths) for name, widths in chosen.items()}
    residuals = {
        name: (reading.log_psd - running_median(reading.log_psd, windows[name], n_segments), widths)
        for name, widths in chosen.items()
    }
    residuals["true background"] = (reading.log_psd - reading.background, known)
    scores = {
        name: cell_scores(matched_filter(residual, widths, n_segments))
        for name, (residual, widths) in residuals.items()
    }
    if family == "single_line":
        scores["posterior (limit)"] = line_posterior(reading.log_psd - reading.background, n_segments)
    return scores, windows["running median"]


def tune_window(tuning: Predictions, widths) -> int:
    """The running-median window with the best average precision."""
    precision = {}
    for window in MEDIAN_WINDOWS:
        residual = tuning.log_psd - running_median(tuning.log_psd, window, tuning.n_segments)
        cells = cell_scores(matched_filter(residual, widths, tuning.n_segments))
        precision[window] = average_precision_score(tuning.truth.ravel(), cells.ravel())
    return max(precision, key=lambda window: precision[window])
