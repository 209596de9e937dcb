"""What a trained model reads on the locked test, and what it would read with other weights on the same tokens.

The measurements that every model of story.TRIALS is judged by.
"""

from dataclasses import replace
from functools import partial

import numpy as np
import torch
from jaxtyping import Bool, Float
from numpy import ndarray

from evidence.assessments import ENERGY_RATE, energies_on_kept, scored, standardised_attention, training_course
from evidence.calibration import ALARM_RATES
from evidence.energies import energy_error, fit_probe, probe
from evidence.filter_bank import bank_score, calibrate_bank
from evidence.test_sets import Sizes, line_free
from nblib.assessment import held_out, in_band_error, masked_prediction
from nblib.cells import cell_scores
from nblib.dataset import NoiseBERTDataset, to_log_psd
from nblib.model import NoiseBERT, model_inputs
from nblib.prediction import READ_BATCH, Predictions, predict
from nblib.project.threads import one_thread
from nblib.scoring.filters import matched_filter
from nblib.scoring.likelihood import BROAD_LINES, line_posterior
from nblib.scoring.metrics import detection_rate, threshold_at, without_group
from nblib.scoring.posterior import segments_measured, token_odds
from nblib.simulation.noise import families_judged, filter_widths
from nblib.training.loop import TrainResult

OTHER_SEGMENTS = (2, 4, 8, 32)  # K of spectra that a model trained at another K is read on
PASSES = (1, 2, 3, 4)


@one_thread()
@torch.no_grad()
def restored_without_flagged(
    model: NoiseBERT, data: NoiseBERTDataset, log_ratio: Float[ndarray, "n bin"], hide: bool
) -> Float[ndarray, "n bin"]:
    """ln background once tokens are left out in which a residual makes a line more probable than not.

    Parameters
    ----------
    model : one that decodes CLS
    log_ratio : the residual, ln x - ln S
    hide : True hides those tokens and lets the model attend as it will; False gives the others even weights
    """
    bias, parts = data.log_bias if model.masked_error == "squared" else np.zeros(len(data.freqs)), []
    for start in range(0, len(data), READ_BATCH):
        batch = data.batch(range(start, min(start + READ_BATCH, len(data))))
        here = torch.from_numpy(log_ratio[start : start + READ_BATCH]).float()
        kept = token_odds(here, data.n_segments, model.patch_size) < 0
        kept |= ~kept.any(dim=1, keepdim=True)  # where all are flagged, none is
        hidden = ~kept.repeat_interleave(model.patch_size, dim=1)[:, : here.shape[1]] & hide
        out = model(*model_inputs(batch, hidden), attend=None if hide else kept.float())[0]
        parts.append(to_log_psd(out.numpy() - bias))
    return np.concatenate(parts)


def found_at(
    scores: Float[ndarray, "n cell"], truth: Bool[ndarray, "n cell"], free: Float[ndarray, "m cell"]
) -> dict[str, float | ndarray]:
    """Share of noisy spectra found at 1 % and 5 % false alarms per spectrum, and without each group of spectra.

    Parameters
    ----------
    free : scores of line-free validation spectra
    """
    found: dict[str, float | ndarray] = {}
    for rate in ALARM_RATES:
        threshold = threshold_at(free, rate)
        found[f"threshold at {rate:.0%}"] = threshold
        found[f"detected at {rate:.0%}"] = detection_rate(scores, truth, threshold)
        found[f"detected at {rate:.0%}_left_out"] = without_group(partial(_rate, scores, truth, threshold), len(truth))
    return found


def _rate(scores, truth, threshold, kept):
    return detection_rate(scores[kept], truth[kept], threshold)


def assess_readings(result: TrainResult, name: str, sizes: Sizes) -> dict[str, dict]:
    """Detection by every score, in-band error with own and with other weights, energies, masked prediction.

    Returns
    -------
    by score ("attention", "attention, standardised", "residual"): scored and found_at; "in_band", "in_band, even" (even
    weights on tokens that its own residual does not flag) and "in_band, hidden" (those tokens hidden, a second time);
    "energies" on bins kept by the residual at ENERGY_RATE; "masked"; "training"
    """
    model, config = result.model, result.config
    data = held_out(config, name, sizes.n_test)
    test = predict(model, data)
    free = predict(model, line_free(config, sizes.n_correlated, "validation"))
    residual, free_residual = test.residual(), free.residual()
    scores = {"attention": (test.attention(), free.attention()), "residual": (residual, free_residual)}
    if model.readout != "residual":
        others = predict(model, held_out(config, name, sizes.n_tune, "validation"), sweep=False).cls_attn[-1]
        scores["attention, standardised"] = (
            standardised_attention(test.cls_attn[-1], others, len(data.freqs)),
            standardised_attention(free.cls_attn[-1], others, len(data.freqs)),
        )
    in_band = {"in_band": in_band_error(test, test.noisy)}
    for way, hide in (("even", False), ("hidden", True)) if model.readout == "cls" else ():
        again = replace(test, restored=restored_without_flagged(model, data, test.log_psd - test.restored, hide))
        in_band[f"in_band, {way}"] = in_band_error(again, test.noisy)
    flagged = residual > threshold_at(free_residual, ENERGY_RATE)
    return {
        **{
            score: scored(values, test.truth, len(data.freqs)) | found_at(values, test.truth, line_free_values)
            for score, (values, line_free_values) in scores.items()
        },
        **in_band,
        "energies": energies_on_kept(data, flagged, sizes.n_energies),
        "masked": masked_prediction(test, data),
        "training": training_course(result),
    }


def assess_region(result: TrainResult, name: str, sizes: Sizes) -> dict[str, dict]:
    """assess_readings on the test's pairs inside the region, whether or not the training left it out."""
    return assess_readings(replace(result, config=replace(result.config, pairs="held_out")), name, sizes)


def assess_beyond(result: TrainResult, name: str, sizes: Sizes) -> dict[str, dict]:
    """What one model makes of noise and K that it was not trained on, of fewer passes, and what a probe reads in CLS.

    Returns
    -------
    "families" {family: {"attention", "residual" (posterior of one broad line), "own widths" (matched filter of the
    family's widths on the residual), "bank" (one score that asks for no family): scored}}; "K" {K: {"known",
    "measured": scored, by the residual}}; "passes" {passes: {"residual": scored, "in_band": ...}} of a residual
    readout; "linear probe" (Ea, Eb) meV
    """
    model, config = result.model, result.config
    found: dict[str, dict] = {"families": {}, "K": {}}
    free = predict(model, line_free(config, 2 * sizes.n_tune, "validation"))
    bank = calibrate_bank(free.log_psd - free.restored, config.n_segments)
    for family in families_judged(name):
        here = predict(model, held_out(config, family, sizes.n_family))
        found["families"][family] = _by_score(here, family, bank)
    for n_segments in OTHER_SEGMENTS:
        data = held_out(replace(config, n_segments=n_segments), name, sizes.n_family)
        found["K"][str(n_segments)] = _with_segments(model, data, n_segments)
    if model.readout == "residual":
        found["passes"] = _by_passes(model, held_out(config, name, sizes.n_family))
    seen = predict(model, config.dataset("train", sizes.n_probe, families=(name,)), sweep=False)
    test = predict(model, held_out(config, name, sizes.n_test), sweep=False)
    noisy = np.flatnonzero(test.noisy.any(axis=1))[: sizes.n_energies]
    probed = probe(test.cls_out[noisy], fit_probe(seen.cls_out, seen.energies))
    return found | {"linear probe": {"error": energy_error(probed, test.energies[noisy])}}


def assess_families(result: TrainResult, name: str, sizes: Sizes) -> dict[str, dict]:
    """The families of assess_beyond alone: for models that are trained on noise of other families."""
    model, config = result.model, result.config
    free = predict(model, line_free(config, 2 * sizes.n_tune, "validation"))
    bank = calibrate_bank(free.log_psd - free.restored, config.n_segments)
    sets = {family: predict(model, held_out(config, family, sizes.n_family)) for family in families_judged(name)}
    return {"families": {family: _by_score(here, family, bank) for family, here in sets.items()}}


def _by_score(here: Predictions, family, bank):
    n_bins, log_ratio = len(here.freqs), here.log_psd - here.restored
    scores = {
        "attention": here.attention(),
        "residual": here.residual(),
        "own widths": cell_scores(matched_filter(log_ratio, filter_widths(family), here.n_segments)),
        "bank": bank_score(log_ratio, here.n_segments, bank),
    }
    return {score: scored(values, here.truth, n_bins) for score, values in scores.items()}


def _with_segments(model, data, n_segments):
    """Detection by the residual, K given or measured: for the posterior, and inside a readout that asks for K."""
    found, own = {}, model.n_segments
    for name, known in (("known", n_segments), ("measured", None)):
        model.n_segments = known
        here = predict(model, data)
        log_ratio = here.log_psd - here.restored
        counted = known or segments_measured(torch.from_numpy(log_ratio)).numpy()[:, None]
        found[name] = scored(line_posterior(log_ratio, counted, BROAD_LINES), here.truth, len(data.freqs))
    model.n_segments = own
    return found


def _by_passes(model, data):
    found, own = {}, model.passes
    for model.passes in PASSES:
        here = predict(model, data)
        residual = scored(here.residual(), here.truth, len(data.freqs))
        found[str(model.passes)] = {"residual": residual, "in_band": in_band_error(here, here.noisy)}
    model.passes = own
    return found
