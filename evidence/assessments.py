"""How well one detector does: the parts that every assessment is made of."""

import numpy as np
from jaxtyping import Bool, Float
from numpy import ndarray

from evidence.energies import bound, energy_error, fit_energies
from evidence.test_sets import Sizes, measured
from nblib.assessment import held_out, masked_prediction
from nblib.cells import kept_bins
from nblib.dataset import NoiseBERTDataset
from nblib.prediction import predict
from nblib.scoring.attention_score import attention_score
from nblib.scoring.metrics import (
    attended_tokens,
    average_precision_without_groups,
    detection,
    top1_rate,
    without_group,
)
from nblib.training.loop import TrainResult

ENERGY_RATE = 0.01  # false alarms per line-free spectrum at which the residual leaves a cell out of a fit
GOAL_AP = 0.98  # average precision whose first step is reported


def scored(scores: Float[ndarray, "n cell"], truth: Bool[ndarray, "n cell"], n_bins: int) -> dict[str, float | ndarray]:
    """Detection metrics, and "ap_left_out" and "top1_left_out": what they are without each group of spectra."""
    return detection(scores, truth, n_bins) | {
        "ap_left_out": average_precision_without_groups(scores, truth),
        "top1_left_out": without_group(lambda kept: top1_rate(scores[kept], truth[kept], n_bins)["top1"], len(truth)),
    }


def standardised_attention(
    cls_attn: Float[ndarray, "n head token"], unlabelled: Float[ndarray, "m head token"], n_bins: int
) -> Float[ndarray, "n cell"]:
    """-ln attention less its mean at this place and head over other spectra, over their spread; heads averaged.

    Attention that no penalty evens out has a pattern of positions, which hides what it finds.

    Parameters
    ----------
    unlabelled : rows of spectra with noise of which nothing is known
    """

    def by_head(rows):
        return np.stack([attention_score(rows[:, [head]], n_bins) for head in range(rows.shape[1])], axis=1)

    others = by_head(unlabelled)
    return ((by_head(cls_attn) - others.mean(axis=0)) / np.maximum(others.std(axis=0), 1e-12)).mean(axis=1)


def energies_on_kept(
    data: NoiseBERTDataset, flagged: Bool[ndarray, "n cell"], n_energies: int
) -> dict[str, Float[ndarray, " 2"]]:
    """Fitted energies where a detector's flagged cells are left out: mean error and bound, of noisy spectra, meV.

    Parameters
    ----------
    flagged : of every spectrum of the data set; the first n_energies that hold noise count
    """
    log_psd, truth, noisy = measured(data)
    chosen = np.flatnonzero(noisy.any(axis=1))[:n_energies]
    keep = kept_bins(flagged[chosen], log_psd.shape[1])
    fitted = fit_energies(log_psd[chosen], keep)
    limit = bound(truth[chosen], data.n_segments, keep)
    return {"kept bins": energy_error(fitted, truth[chosen]), "bound, kept bins": limit}


def training_course(result: TrainResult) -> dict[str, float]:
    """Wall seconds of a training, and the first step at which validation AP reached GOAL_AP (NaN: never)."""
    reached = result.history["step"][result.history["val_ap"] >= GOAL_AP]
    first = float(reached[0]) if len(reached) else np.nan
    return {"wall seconds": result.record["wall_seconds"], f"step at AP {GOAL_AP:g}": first}


def quick_assessment(result: TrainResult, name: str, sizes: Sizes) -> dict[str, dict]:
    """A point of a sweep, on validation spectra: attention, raw and standardised, as a detector; masked prediction."""
    data = held_out(result.config, name, sizes.n_tune, "validation")
    reading, n_bins = predict(result.model, data, sweep=False), len(data.freqs)
    attention = scored(reading.attention(), reading.truth, n_bins) | {"tokens": attended_tokens(reading.cls_attn[-1])}
    rows = reading.cls_attn[-1]
    standardised = scored(standardised_attention(rows, rows, n_bins), reading.truth, n_bins)
    found = {"attention": attention, "attention, standardised": standardised}
    return found | {"masked": masked_prediction(reading, data)}
