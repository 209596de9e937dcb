"""What one detector is worth on the locked test: the measurements that notebook 06 repeats for every seed."""

from collections.abc import Callable
from functools import partial

import numpy as np
from jaxtyping import Bool, Float
from numpy import ndarray
from torch import nn

from evidence.calibration import KEEP_RATE, calibration, combined_score
from evidence.energies import bound, energy_error, fit_energies, fit_probe, probe
from evidence.faithfulness import faithfulness
from evidence.supervised import supervised_score
from evidence.test_sets import (
    STRENGTHS,
    Sizes,
    alarm_set,
    at_strength,
    cells_above_half_maximum,
    line_free,
    measured,
    noisy_cells,
)
from nblib.assessment import held_out, in_band_error, masked_prediction
from nblib.cells import kept_bins
from nblib.dataset import NoiseBERTDataset
from nblib.prediction import SCORES, attention_of, predict, scores_judged
from nblib.scoring.attention_score import attention_score
from nblib.scoring.metrics import (
    attended_tokens,
    average_precision_without_groups,
    detection,
    threshold_at,
    top1_rate,
    without_group,
)
from nblib.simulation.noise import families_judged, filter_widths
from nblib.training.config import TrainConfig
from nblib.training.loop import TrainResult

ENERGY_RATE = 0.01  # false alarms a line-free spectrum at which the residual leaves a cell out of a fit
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


# ---- parts of an assessment ----


def by_family(
    attend: Callable[..., Float[ndarray, "n cell"]], config: TrainConfig, name: str, n_spectra: int
) -> dict[str, dict]:
    """Detection on every published noise family and on the model's own, `name`. attend : data set -> scores."""
    sets = {family: held_out(config, family, n_spectra) for family in families_judged(name)}
    return {name: detection(attend(data), noisy_cells(data), len(data.freqs)) for name, data in sets.items()}


def by_strength(
    attend: Callable[..., Float[ndarray, "n cell"]], config: TrainConfig, name: str, n_spectra: int
) -> dict[str, dict]:
    """Detection of noise of one strength, by strength; the truth is cells_above_half_maximum."""
    found = {}
    for strength in STRENGTHS:
        data = at_strength(config, name, n_spectra, strength)
        truth = cells_above_half_maximum(config, name, n_spectra, strength)
        found[f"{strength:g}"] = detection(attend(data), truth, len(data.freqs))
    return found


def by_position(
    attend: Callable[..., Float[ndarray, "n cell"]], config: TrainConfig, n_spectra: int
) -> dict[str, dict]:
    """Detection of single lines in the lower and in the upper half of the axis; line-free spectra count in both."""
    data = held_out(config, "single_line", n_spectra)
    scores, truth = attend(data), noisy_cells(data)
    upper = truth[:, truth.shape[1] // 2 :].sum(axis=1) > truth.sum(axis=1) / 2
    free = ~truth.any(axis=1)
    chosen = {"lower half": free | ~upper, "upper half": free | upper}
    return {name: detection(scores[rows], truth[rows], len(data.freqs)) for name, rows in chosen.items()}


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


# ---- whole assessments ----


def quick_assessment(result: TrainResult, name: str, sizes: Sizes) -> dict[str, dict]:
    """A point of a sweep, on validation spectra: attention, raw and standardised, as a detector; masked prediction."""
    data = held_out(result.config, name, sizes.n_tune, "validation")
    reading, n_bins = predict(result.model, data, sweep=False), len(data.freqs)
    attention = scored(reading.attention(), reading.truth, n_bins) | {"tokens": attended_tokens(reading.cls_attn[-1])}
    rows = reading.cls_attn[-1]
    standardised = scored(standardised_attention(rows, rows, n_bins), reading.truth, n_bins)
    found = {"attention": attention, "attention, standardised": standardised}
    return found | {"masked": masked_prediction(reading, data)}


def assess_elsewhere(result: TrainResult, name: str, sizes: Sizes) -> dict[str, dict]:
    """Detection by attention on the test, on every family and by position: for models trained on something else."""
    attend, data = partial(attention_of, result.model), held_out(result.config, name, sizes.n_test)
    return {
        "attention": scored(attend(data), noisy_cells(data), len(data.freqs)),
        "families": by_family(attend, result.config, name, sizes.n_family),
        "positions": by_position(attend, result.config, sizes.n_test),
    }


def assess_model(result: TrainResult, name: str, sizes: Sizes) -> dict[str, dict]:
    """Everything about one model: detection, calibration, families, strengths, prediction, energies, faithfulness."""
    model, config, widths = result.model, result.config, filter_widths(name)
    attend = partial(attention_of, model)
    test_data = held_out(config, name, sizes.n_test)
    test = predict(model, test_data)
    free = predict(model, line_free(config, sizes.n_tune, "validation"))
    n_bins = len(test.freqs)
    scores = {name: SCORES[name](test, widths) for name in scores_judged(config.extensions, published=True)}
    attention, residual = scores["attention"], scores["residual"]
    both = combined_score([attention, residual], [free.attention(), free.residual()])
    alarms = calibration(
        lambda split, **changes: attend(alarm_set(config, sizes, split, **changes)), attention, test.truth
    )
    energies = energies_on_kept(test_data, attention > alarms[f"threshold at {KEEP_RATE:.0%}"], sizes.n_energies)
    seen = predict(model, config.dataset("train", sizes.n_probe, families=(name,)), sweep=False)
    noisy = np.flatnonzero(test.noisy.any(axis=1))[: sizes.n_energies]
    probed = probe(test.cls_out[noisy], fit_probe(seen.cls_out, seen.energies))
    return {
        **{name: scored(values, test.truth, n_bins) for name, values in scores.items()},
        "attention": scored(attention, test.truth, n_bins) | alarms,
        "combined": scored(both, test.truth, n_bins),
        "masked": masked_prediction(test, test_data),
        "in_band": in_band_error(test, test.noisy),
        "no_line": in_band_error(predict(model, held_out(config, "none", sizes.n_test)), test.noisy),
        "families": by_family(attend, config, name, sizes.n_family),
        "positions": by_position(attend, config, sizes.n_test),
        "strengths": by_strength(attend, config, name, sizes.n_family),
        "faithfulness": faithfulness(model, config, name, sizes.n_tune),
        "energies": energies | {"linear probe": energy_error(probed, test.energies[noisy])},
        "training": training_course(result),
    }


def assess_energies(result: TrainResult, name: str, sizes: Sizes) -> dict[str, Float[ndarray, " 2"]]:
    """Energies without the cells, and their neighbours, that the line posterior on the model's own residual flags.

    A cell that attention flags in vain costs more here than one that it misses; the residual flags fewer of them. Score
    and rate were chosen on validation spectra.

    Returns
    -------
    as energies_on_kept
    """
    data, widths = held_out(result.config, name, sizes.n_test), filter_widths(name)
    free = predict(result.model, line_free(result.config, 2 * sizes.n_tune, "validation"))
    threshold = threshold_at(SCORES["residual"](free, widths), ENERGY_RATE)
    flagged = SCORES["residual"](predict(result.model, data), widths) > threshold
    return energies_on_kept(data, flagged, sizes.n_energies)


def assess_supervised(model: nn.Module, config: TrainConfig, name: str, sizes: Sizes) -> dict[str, dict]:
    """A supervised detector: detection, calibration, families, positions, strengths, energies."""
    score, data = partial(supervised_score, model), held_out(config, name, sizes.n_test)
    scores, truth = score(data), noisy_cells(data)
    alarms = calibration(lambda split, **changes: score(alarm_set(config, sizes, split, **changes)), scores, truth)
    return {
        "logit": scored(scores, truth, len(data.freqs)) | alarms,
        "families": by_family(score, config, name, sizes.n_family),
        "positions": by_position(score, config, sizes.n_test),
        "strengths": by_strength(score, config, name, sizes.n_family),
        "energies": energies_on_kept(data, scores > alarms[f"threshold at {KEEP_RATE:.0%}"], sizes.n_energies),
    }
