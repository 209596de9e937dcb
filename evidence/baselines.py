"""What a detector is held against: methods without training, the limit, the controls, and fits of the energies."""

from dataclasses import replace

import numpy as np
from jaxtyping import Float
from numpy import ndarray
from scipy.ndimage import uniform_filter1d
from scipy.signal import find_peaks
from sklearn.metrics import average_precision_score

from evidence.assessments import energies_on_kept, scored
from evidence.background_fit import fit_background, refit_background
from evidence.calibration import KEEP_RATE, calibration
from evidence.energies import bound, energy_error, fit_energies, posterior_medians
from evidence.test_sets import (
    STRENGTHS,
    alarm_set,
    at_strength,
    cells_above_half_maximum,
    measured,
    noisy_cells,
)
from nblib.assessment import baseline_scores, held_out, mean_over_bins
from nblib.cells import cell_labels, cell_scores
from nblib.dataset import NoiseBERTDataset, to_log_psd
from nblib.prediction import Predictions, predict
from nblib.project.profiles import Sizes
from nblib.scoring.filters import matched_filter, running_median
from nblib.scoring.likelihood import BROAD_LINES, likelihood_ratio, line_posterior
from nblib.scoring.metrics import bootstrap_interval, detection
from nblib.simulation.noise import families_judged, filter_widths
from nblib.simulation.physics import published_psd
from nblib.training.config import TrainConfig

PEAK_WIDTHS = (5, 11, 21, 41, 81)  # bins of find_peaks' moving average; tuned on validation spectra
BLOCK = 1000  # spectra at a time where a whole set would fill the memory


def _untrained_predictions(config, name, n_spectra, split="test"):
    """The untrained model is a control, and it reads the spectra."""
    model = config.build_model(config.dataset("test").freqs).eval()
    return predict(model, held_out(config, name, n_spectra, split), sweep=False)


def baseline_methods(config: TrainConfig, name: str, sizes: Sizes, fits: bool = False) -> dict[str, dict]:
    """Detection by everything that is not trained, on the test spectra of every model.

    Parameters
    ----------
    fits : fit_scores as well, which take a minute or two

    Returns
    -------
    "methods": detection and its "ap_interval" (95 %, over test spectra); "tuned": choices made on validation spectra.
    The limit and the GLRT are left out where the estimation noise is not theirs
    """
    test, tuning = (
        _untrained_predictions(config, name, n_spectra, split)
        for n_spectra, split in ((sizes.n_test, "test"), (sizes.n_tune, "validation"))
    )
    scores, window = baseline_scores(test, tuning, name)
    widths = {
        width: average_precision_score(
            tuning.truth.ravel(), cell_scores(find_peaks_score(tuning.log_psd, width)).ravel()
        )
        for width in PEAK_WIDTHS
    }
    width = max(widths, key=lambda width: widths[width])
    seen = config.dataset("train", sizes.n_probe, families=(name,)).batch(range(sizes.n_probe))["noisy"].numpy()
    scores |= fit_scores(test) if fits else {}
    scores |= {
        "find_peaks": cell_scores(find_peaks_score(test.log_psd, width)),
        "untrained attention": test.attention(),
        "position only": np.broadcast_to(cell_labels(seen).mean(axis=0), test.truth.shape),
        "random": np.random.default_rng(0).random(test.truth.shape),
    }
    if config.intrinsic == "welch":
        ratio = (test.log_psd - test.background).astype(np.float64)
        scores["GLRT, true background"] = likelihood_ratio(ratio, test.n_segments)
    else:
        scores.pop("posterior (limit)", None)
    methods = {
        method: scored(values, test.truth, len(test.freqs)) | {"ap_interval": bootstrap_interval(values, test.truth)}
        for method, values in scores.items()
    }
    return {"methods": methods, "tuned": {"window": window, "find_peaks width": width}}


def assess_baselines(config: TrainConfig, name: str, sizes: Sizes) -> dict[str, dict]:
    """baseline_methods, and the same methods by family and strength, the running median calibrated, and the fits.

    Returns
    -------
    also "families" and "strengths"; "running median": calibration; "energies": fits on all, on kept and on truly clean
    bins, and their bounds, meV; "fit in-band": error of the fit on truly clean bins in the noisy ones, ln units
    """
    found = baseline_methods(config, name, sizes, fits=True) | {"strengths": {}, "families": {}}
    tuning = _untrained_predictions(config, name, sizes.n_tune, "validation")
    for strength in STRENGTHS:
        model = config.build_model(tuning.freqs).eval()
        here = predict(model, at_strength(config, name, sizes.n_family, strength), sweep=False)
        truth = cells_above_half_maximum(config, name, sizes.n_family, strength)
        found["strengths"][f"{strength:g}"] = {
            method: detection(values, truth, here.log_psd.shape[1])
            for method, values in baseline_scores(here, tuning, name)[0].items()
            if not method.startswith("posterior")  # it asks for bins above NOISY_RATIO
        }
    for kind in families_judged(name):
        here, tuning = (
            _untrained_predictions(config, kind, n_spectra, split)
            for n_spectra, split in ((sizes.n_family, "test"), (sizes.n_tune, "validation"))
        )
        rows = baseline_scores(here, tuning, kind)[0]
        found["families"][kind] = {
            method: detection(values, here.truth, len(here.freqs)) for method, values in rows.items()
        }
    return found | _reference_fits(config, name, sizes, found["tuned"]["window"])


def _reference_fits(config, name, sizes, window):
    def median_score(data):
        parts = []
        for start in range(0, len(data), BLOCK):
            batch = data.batch(range(start, min(start + BLOCK, len(data))))
            log_psd = to_log_psd(batch["target"].numpy())
            ratio = log_psd - running_median(log_psd, window, data.n_segments)
            parts.append(cell_scores(matched_filter(ratio, filter_widths(name), data.n_segments)))
        return np.concatenate(parts)

    data = held_out(config, name, sizes.n_test)
    scores, truth = median_score(data), noisy_cells(data)
    alarms = calibration(
        lambda split, **changes: median_score(alarm_set(config, sizes, split, **changes)), scores, truth
    )
    kept = energies_on_kept(data, scores > alarms[f"threshold at {KEEP_RATE:.0%}"], sizes.n_energies)
    in_band, left_out = fit_in_band(data)
    return {
        "running median": alarms,
        "energies": _energy_fits(data, kept, sizes.n_energies),
        "fit in-band": in_band,
        "fit in-band left_out": left_out,
    }


def fit_in_band(data: NoiseBERTDataset) -> tuple[float, ndarray]:
    """Error in the noisy bins of a fit of the known formula on the truly clean ones, ln units: see in_band_error.

    Returns
    -------
    its mean over all spectra of the set, and the same without each group of spectra
    """
    log_psd, energies, noisy = measured(data)
    rows = noisy.any(axis=1)
    miss = np.zeros_like(log_psd)
    background = fit_background(log_psd[rows], ~noisy[rows])[0]
    miss[rows] = np.abs(background - np.log(published_psd(*energies[rows].T)))
    return mean_over_bins(miss, noisy)


def _energy_fits(data, kept, n_energies):
    log_psd, energies, noisy = measured(data)
    chosen = np.flatnonzero(noisy.any(axis=1))[:n_energies]
    log_psd, energies, clean = log_psd[chosen], energies[chosen], ~noisy[chosen]
    fitted = fit_background(log_psd, clean)[1]
    free = ", amplitudes free"
    errors = {
        "all bins": energy_error(fit_energies(log_psd), energies),
        "truly clean bins": energy_error(fitted, energies),
        "refit": energy_error(refit_background(log_psd, data.n_segments)[1], energies),
        "posterior median, truly clean bins": energy_error(
            posterior_medians(log_psd, data.n_segments, clean), energies
        ),
        "bound, all bins": bound(energies, data.n_segments),
        "bound, truly clean bins": bound(energies, data.n_segments, clean),
        f"truly clean bins{free}": energy_error(fit_background(log_psd, clean, True)[1], energies),
        f"refit{free}": energy_error(refit_background(log_psd, data.n_segments, True)[1], energies),
        f"bound, truly clean bins{free}": bound(energies, data.n_segments, clean, True),
    }
    return errors | {f"running median, {key}": value for key, value in kept.items()}


def energy_bias_by_strength(config: TrainConfig, name: str, sizes: Sizes) -> dict[str, dict]:
    """Energies fitted on all bins, external noise of rising strength: error and bias, by strength ("0": none).

    Returns
    -------
    "error", "bias" (means over spectra), "bias_error" (standard error of the bias) and "bound", each (Ea, Eb) meV
    """
    found, n_spectra = {}, sizes.n_energies
    for strength in (0.0, *STRENGTHS):
        kind = name if strength else "none"
        data = at_strength(replace(config, none_share=0.0), kind, n_spectra, strength or 1.0)
        log_psd, truth, _ = measured(data)
        fitted = fit_energies(log_psd)
        found[f"{strength:g}"] = {
            "error": energy_error(fitted, truth),
            "bias": (fitted - truth).mean(axis=0),
            "bias_error": (fitted - truth).std(axis=0, ddof=1) / np.sqrt(n_spectra),
            "bound": bound(truth, config.n_segments),
        }
    return found


def fit_scores(reading: Predictions) -> dict[str, Float[ndarray, "n cell"]]:
    """Baselines that know the background's functional form: line posterior (broad prior) on a fit, and on a refit.

    Returns
    -------
    by method; "amplitudes free": both amplitudes and the floor are fitted as well as the energies
    """
    found = {}
    for suffix, free in (("", False), (", amplitudes free", True)):
        fitted = fit_background(reading.log_psd, None, free)[0]
        again = refit_background(reading.log_psd, reading.n_segments, free)[0]
        for name, background in (("fit of all bins", fitted), ("refit without flagged cells", again)):
            ratio = reading.log_psd - background
            found[f"{name}, posterior{suffix}"] = line_posterior(ratio, reading.n_segments, BROAD_LINES)
    return found


def find_peaks_score(log_psd: Float[ndarray, "n bin"], width: int) -> Float[ndarray, "n bin"]:
    """scipy.signal.find_peaks on a smoothed ln PSD: the prominence (ln units) at each peak's bin, 0 elsewhere.

    Parameters
    ----------
    width : bins of the moving average, odd
    """
    smooth = uniform_filter1d(log_psd, width, axis=-1, mode="nearest")
    scores = np.zeros_like(smooth)
    for row, score in zip(smooth, scores, strict=True):
        peaks, found = find_peaks(row, prominence=0.0)
        score[peaks] = found["prominences"]
    return scores
