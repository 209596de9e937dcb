"""What a detector is held against: methods without training, the limit, the controls, and fits of the energies."""

from dataclasses import replace

import numpy as np

from nblib.config import TrainConfig
from nblib.detect import (
    FILTER_WIDTHS,
    cells_any,
    cells_max,
    find_peaks_score,
    likelihood_ratio,
    matched_filter,
    running_median,
)
from nblib.energies import bound, energy_error, fit_energies, posterior_medians
from nblib.evaluate import held_out, read, references
from nblib.evidence import (
    KEEP_RATE,
    STRENGTHS,
    Sizes,
    alarm_set,
    at_strength,
    calibration,
    energies_on_kept,
    measured,
    noisy_cells,
    scored,
    upper_half_cells,
)
from nblib.metrics import bootstrap_interval, detection
from nblib.spectra import published_psd

PEAK_WIDTHS = (5, 11, 21, 41, 81)  # bins of find_peaks' moving average; tuned on validation spectra
BLOCK = 1000  # spectra at a time where a whole set would fill the memory


def _untrained_reading(config, name, n_spectra, split="test"):
    """The untrained model is a control, and it reads the spectra."""
    model = config.build_model(config.dataset("test").freqs).eval()
    return read(model, held_out(config, name, n_spectra, split), config, sweep=False)


def reference_methods(config: TrainConfig, name: str, sizes: Sizes) -> dict[str, dict]:
    """Detection by everything that is not trained, on the test spectra of every model.

    returns : "methods": detection and its "ap_interval" (95 %, over test spectra); "tuned": choices made on validation
              spectra. The limit and the GLRT are left out where the estimation noise is not theirs
    """
    test, tuning = (
        _untrained_reading(config, name, n_spectra, split)
        for n_spectra, split in ((sizes.n_test, "test"), (sizes.n_tune, "validation"))
    )
    scores, window = references(test, tuning, name)
    widths = {width: scored(cells_max(find_peaks_score(tuning.log_psd, width)), tuning)["ap"] for width in PEAK_WIDTHS}
    width = max(widths, key=widths.get)
    seen = config.dataset("train", sizes.n_probe, families=(name,)).batch(range(sizes.n_probe))["noisy"].numpy()
    scores |= {
        "find_peaks": cells_max(find_peaks_score(test.log_psd, width)),
        "untrained attention": test.attention(),
        "position only": np.broadcast_to(cells_any(seen).mean(axis=0), test.truth.shape),
        "random": np.random.default_rng(0).random(test.truth.shape),
    }
    if config.intrinsic == "welch":
        ratio = (test.log_psd - test.background).astype(np.float64)
        scores["GLRT, true background"] = likelihood_ratio(ratio, test.n_segments)
    else:
        scores.pop("posterior (limit)", None)
    methods = {
        method: scored(values, test) | {"ap_interval": bootstrap_interval(values, test.truth)}
        for method, values in scores.items()
    }
    return {"methods": methods, "tuned": {"window": window, "find_peaks width": width}}


def assess_references(config: TrainConfig, name: str, sizes: Sizes) -> dict[str, dict]:
    """reference_methods, and the same methods by family and strength, the running median calibrated, and the fits.

    returns : also "families" and "strengths"; "running median": calibration; "energies": fits on all, on kept and on
              truly clean bins, and their bounds, meV; "fit in-band": error of the fit on truly clean bins in the noisy
              ones, ln units
    """
    found = reference_methods(config, name, sizes) | {"strengths": {}, "families": {}}
    tuning = _untrained_reading(config, name, sizes.n_tune, "validation")
    for strength in STRENGTHS:
        model = config.build_model(tuning.freqs).eval()
        here = read(model, at_strength(config, name, sizes.n_family, strength), config, sweep=False)
        truth = upper_half_cells(config, name, sizes.n_family, strength)
        found["strengths"][f"{strength:g}"] = {
            method: detection(values, truth, here.log_psd.shape[1])
            for method, values in references(here, tuning, name)[0].items()
            if not method.startswith("posterior")  # it asks for bins above NOISY_RATIO
        }
    for kind in FILTER_WIDTHS:
        here, tuning = (
            _untrained_reading(config, kind, n_spectra, split)
            for n_spectra, split in ((sizes.n_family, "test"), (sizes.n_tune, "validation"))
        )
        rows = references(here, tuning, kind)[0]
        found["families"][kind] = {method: scored(values, here) for method, values in rows.items()}
    return found | _reference_fits(config, name, sizes, found["tuned"]["window"])


def _reference_fits(config, name, sizes, window):
    def median_score(data):
        parts = []
        for start in range(0, len(data), BLOCK):
            batch = data.batch(range(start, min(start + BLOCK, len(data))))
            log_psd = data.to_log_psd(batch["target"].numpy(), batch["level"].numpy())
            ratio = log_psd - running_median(log_psd, window, data.n_segments)
            parts.append(cells_max(matched_filter(ratio, FILTER_WIDTHS[name], data.n_segments)))
        return np.concatenate(parts)

    data = held_out(config, name, sizes.n_test)
    scores, truth = median_score(data), noisy_cells(data)
    alarms = calibration(
        lambda split, **changes: median_score(alarm_set(config, sizes, split, **changes)), scores, truth
    )
    kept = energies_on_kept(data, scores > alarms[f"threshold at {KEEP_RATE:.0%}"], sizes.n_energies)
    log_psd, energies, noisy = measured(data)
    chosen = np.flatnonzero(noisy.any(axis=1))[: sizes.n_energies]
    log_psd, energies, clean = log_psd[chosen], energies[chosen], ~noisy[chosen]
    fitted = fit_energies(log_psd, clean)
    miss = np.abs(np.log(published_psd(*fitted.T)) - np.log(published_psd(*energies.T)))
    errors = {
        "all bins": energy_error(fit_energies(log_psd), energies),
        "truly clean bins": energy_error(fitted, energies),
        "posterior median, truly clean bins": energy_error(
            posterior_medians(log_psd, data.n_segments, clean), energies
        ),
        "bound, all bins": bound(energies, data.n_segments),
        "bound, truly clean bins": bound(energies, data.n_segments, clean),
    }
    fits = {"energies": errors | {f"running median, {key}": value for key, value in kept.items()}}
    return fits | {"running median": alarms, "fit in-band": float(miss[~clean].mean())}


def harm(config: TrainConfig, name: str, sizes: Sizes) -> dict[str, dict]:
    """Energies fitted on all bins, external noise of rising strength: error and bias, by strength ("0": none).

    returns : "error", "bias" (means over spectra), "bias_error" (standard error of the bias) and "bound", each
              (Ea, Eb) meV
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
