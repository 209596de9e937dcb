"""The simplest rivals that a referee would name, judged as trained detectors are.

A smooth fit to each spectrum by itself, principal components of many, and what the encoder is shown.
"""

from collections.abc import Callable, Mapping
from dataclasses import replace

import numpy as np
from jaxtyping import Bool, Float
from numpy import ndarray
from sklearn.metrics import average_precision_score

from evidence.assessments import ENERGY_RATE, energies_on_kept, scored
from evidence.baselines import BLOCK, fit_in_band
from evidence.calibration import calibration
from evidence.filter_bank import bank_score, calibrate_bank
from evidence.input_scores import input_scores
from evidence.smooth_fits import N_LEARNT, SETTINGS, Basis, Fits, component_basis, fit_smoothly, spline_basis
from evidence.test_sets import Sizes, alarm_set, line_free, measured, noisy_cells
from nblib.assessment import held_out, mean_over_bins
from nblib.cells import cell_scores
from nblib.dataset import NoiseBERTDataset, to_log_psd
from nblib.scoring.filters import matched_filter
from nblib.scoring.likelihood import line_posterior
from nblib.scoring.metrics import bootstrap_interval, detection, detection_rate, threshold_at
from nblib.simulation.noise import families_judged, filter_widths
from nblib.training.config import TrainConfig

K_UNKNOWN = ", K measured"  # on each spectrum's own residual
LIMIT = "limit"  # no rival: what nobody can beat, judged in the same way
GIVEN = {  # what a rival requires; a threshold asks for line-free spectra as well
    "spline": "a smoothness, K",
    f"spline{K_UNKNOWN}": "a smoothness",
    "components": "unlabelled spectra of one kind, K",
    f"components{K_UNKNOWN}": "unlabelled spectra of one kind",
    "largest contrast": "unlabelled spectra of one kind",
    "mean of 3 contrasts": "unlabelled spectra of one kind",
    "contrasts, logistic regression": "simulated noise labels",
    LIMIT: "the true background, the generator's prior, K",
}
SEGMENTS = (2, 8, 32)  # K at which every rival is judged briefly

Score = Callable[[NoiseBERTDataset], Float[ndarray, "n cell"]]


def assess_rivals(config: TrainConfig, name: str, sizes: Sizes) -> dict[str, dict]:
    """Detection, false alarms, energies and families of every rival, and the restoration of those with a background.

    Returns
    -------
    by rival: "score" (scored, "ap_interval", calibration), "energies", "families" {family: {score: detection}} and,
    where there is a background, "in_band" (see _in_band). "segments" {K: {rival: scored, "ap_interval", "detected at
    1%"}} of fewer spectra; "settings" {setting of the spline: {split: AP}}
    """
    found = {rival: _judge_fit(basis, config, name, sizes) for rival, basis in _bases(config, name).items()}
    found[LIMIT] = _judge_score(_limit, _limit(held_out(config, name, sizes.n_test)), config, name, sizes)
    for rival, score in input_scores(config, name, sizes).items():
        data = held_out(config, name, sizes.n_test)
        by_family = _families(config, name, sizes, _alone(score))
        found[rival] = _judge_score(score, score(data), config, name, sizes) | {"families": by_family}
    return found | {
        "segments": {str(k): _judge_briefly(replace(config, n_segments=k), name, sizes) for k in SEGMENTS},
        "settings": _spline_settings(config, name, sizes),
    }


def _bases(config, name) -> dict[str, Basis]:
    learnt = config.dataset("train", N_LEARNT, families=(name,))
    return {"spline": spline_basis(learnt.freqs), "components": component_basis(learnt)}


def _limit(data: NoiseBERTDataset) -> Float[ndarray, "n cell"]:
    parts = []
    for start in range(0, len(data), BLOCK):
        batch = data.batch(range(start, min(start + BLOCK, len(data))))
        log_ratio = to_log_psd(batch["target"].numpy()) - to_log_psd(batch["background"].numpy())
        parts.append(line_posterior(log_ratio, data.n_segments))
    return np.concatenate(parts)


def _alone(score: Score) -> Callable[[str, NoiseBERTDataset], Mapping]:
    """A score that takes no family, as _families asks for it."""
    return lambda _, data: {"score": score(data)}


def _judge_score(score: Score, scores: Float[ndarray, "n cell"], config, name, sizes) -> dict[str, dict]:
    """Detection, calibration and energies of a score; scores : of the test spectra."""
    data = held_out(config, name, sizes.n_test)
    truth = noisy_cells(data)
    alarms = calibration(lambda split, **changes: score(alarm_set(config, sizes, split, **changes)), scores, truth)
    flagged = scores > alarms[f"threshold at {ENERGY_RATE:.0%}"]
    return {
        "score": _detected(scores, truth, len(data.freqs)) | alarms,
        "energies": energies_on_kept(data, flagged, sizes.n_energies),
    }


def _detected(scores, truth, n_bins):
    return scored(scores, truth, n_bins) | {"ap_interval": bootstrap_interval(scores, truth)}


def _judge_fit(basis: Basis, config, name, sizes) -> dict[str, dict]:
    """Also the background, and by family what a residual's posterior, filters and bank find."""
    data = held_out(config, name, sizes.n_test)
    fits, n_segments = fit_smoothly(basis, data, config.n_segments), config.n_segments
    found = _judge_score(
        lambda others: fit_smoothly(basis, others, n_segments).posterior, fits.posterior, config, name, sizes
    )
    free = fit_smoothly(basis, line_free(config, 2 * sizes.n_tune, "validation"), n_segments)
    bank = calibrate_bank(free.log_ratio, n_segments)

    def scores(family, data):
        here = fit_smoothly(basis, data, n_segments)
        filtered = matched_filter(here.log_ratio, filter_widths(family), n_segments)
        return {
            "posterior": here.posterior,
            "matched filter": cell_scores(filtered),
            "bank": bank_score(here.log_ratio, n_segments, bank),
        }

    return found | {"in_band": _in_band(fits, data), "families": _families(config, name, sizes, scores)}


def _families(config, name, sizes, scores: Callable[[str, NoiseBERTDataset], Mapping]) -> dict[str, dict]:
    """Detection by family and score. scores : (family, data set) -> scores by name."""
    found: dict[str, dict] = {}
    for family in families_judged(name):
        data = held_out(config, family, sizes.n_family)
        truth = noisy_cells(data)
        rows = scores(family, data).items()
        found[family] = {method: detection(values, truth, len(data.freqs)) for method, values in rows}
    return found


def _in_band(fits: Fits, data: NoiseBERTDataset) -> dict[str, float | ndarray]:
    """Mean |ln error| in the noisy bins, and over that of a fit of the known formula to the truly clean bins.

    Returns
    -------
    "after", "over the fit", and both without each group of spectra ("..._left_out")
    """
    noisy: Bool[ndarray, "n bin"] = measured(data)[2]
    truth = to_log_psd(data.batch(range(len(data)))["background"].numpy())
    after, left_out = mean_over_bins(np.abs(fits.background - truth), noisy)
    fit, fit_left_out = fit_in_band(data)
    return {
        "after": after,
        "after_left_out": left_out,
        "over the fit": after / fit,
        "over the fit_left_out": left_out / fit_left_out,
    }


def _judge_briefly(config, name, sizes) -> dict[str, dict]:
    """Every rival at one K, without and, where it asks for K, with K measured."""
    scores: dict[str, Score] = {}
    for rival, basis in _bases(config, name).items():
        for suffix, n_segments in (("", config.n_segments), (K_UNKNOWN, None)):
            scores[rival + suffix] = _posterior(basis, n_segments)
    scores |= input_scores(config, name, sizes)
    data = held_out(config, name, sizes.n_family)
    truth, free = noisy_cells(data), line_free(config, 2 * sizes.n_tune, "validation")
    found: dict[str, dict] = {}
    for rival, score in scores.items():
        values, threshold = score(data), threshold_at(score(free), ENERGY_RATE)
        found[rival] = _detected(values, truth, len(data.freqs)) | {
            f"detected at {ENERGY_RATE:.0%}": detection_rate(values, truth, threshold)
        }
    return found


def _posterior(basis: Basis, n_segments: float | None) -> Score:
    return lambda data: fit_smoothly(basis, data, n_segments).posterior


def _spline_settings(config, name, sizes) -> dict[str, dict]:
    """Average precision of every setting on both splits: one was fixed before, the others show what depends on it."""
    sets = {
        "validation": held_out(config, name, sizes.n_tune, "validation"),
        "test": held_out(config, name, sizes.n_family),
    }
    truths = {split: noisy_cells(data).ravel() for split, data in sets.items()}
    found: dict[str, dict] = {}
    for n_intervals, ridge in SETTINGS:
        setting = f"{n_intervals} intervals, ridge {ridge:g}"
        found[setting] = {}
        for split, data in sets.items():
            score = _posterior(spline_basis(data.freqs, n_intervals, ridge), config.n_segments)
            found[setting][split] = float(average_precision_score(truths[split], score(data).ravel()))
    return found
