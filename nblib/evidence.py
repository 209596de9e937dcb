"""What one trained model is worth on the locked test: the measurements that notebook 06 repeats for every seed."""

import hashlib
import json
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np
from jaxtyping import Bool, Float
from numpy import ndarray

from nblib.config import TrainConfig, code_digest
from nblib.dataset import NoiseBERTDataset
from nblib.detect import FILTER_WIDTHS, cells_any, cells_max, find_peaks_score, likelihood_ratio
from nblib.energies import bound, energy_error, fit_energies, fit_probe, posterior_medians, probe
from nblib.evaluate import Reading, attention_of, held_out, in_band_error, masked_prediction, read, references
from nblib.faithfulness import faithfulness
from nblib.metrics import bootstrap_interval, detection, detection_rate, false_alarm_rate, over_seeds, threshold_at
from nblib.noise import CELL_WIDTH
from nblib.paths import runs_dir
from nblib.profiles import Profile
from nblib.records import read_json, write_json
from nblib.spectra import published_psd
from nblib.supervised import KINDS, supervised_score, train_supervised_many
from nblib.train import TrainResult, train_many

JUDGING_CODE = ("detect", "metrics", "energies", "evaluate", "supervised", "evidence")
ALARM_RATES = (0.01, 0.05)  # of line-free spectra
PEAK_WIDTHS = (5, 11, 21, 41, 81)  # bins of find_peaks' moving average; tuned on validation spectra
STRENGTHS = (0.1, 0.25, 0.5, 1.0, 2.0, 3.0)  # peak external power over background

PENALTY = {"regularizer": "uniform_clean", "reg_weight": 10.0}
LABEL_FREE = {"mask_policy": "any"}
MODELS = {
    "simulated labels": PENALTY,
    "no penalty": {},
    "label-free": PENALTY | LABEL_FREE | {"labels": "residual"},
    "label-free, no penalty": LABEL_FREE,
    "token readout": PENALTY | {"readout": "token"},
}


@dataclass(frozen=True)
class Sizes:
    """Spectra of each test set."""

    n_test: int
    n_tune: int
    n_family: int
    n_line_free: int
    n_probe: int
    n_energies: int


def sizes_of(settings: Profile) -> Sizes:
    """Test sets of a profile: 10,000 line-free spectra where it trains for a report."""
    n = settings.n_tune
    return Sizes(n_test=4 * n, n_tune=n, n_family=n, n_line_free=20 * n, n_probe=4 * n, n_energies=n)


def across_seeds(found: dict[int, dict], *path: str) -> dict[str, float]:
    """Interquartile mean and 95 % interval over seeds of the number found under `path`, see metrics.over_seeds."""
    values = []
    for entry in found.values():
        for name in path:
            entry = entry[name]
        values.append(entry)
    return over_seeds(np.array(values))


def line_free(config: TrainConfig, n_spectra: int, split: str, **changes) -> NoiseBERTDataset:
    """Spectra without external noise, for thresholds ("validation") and for false alarms ("test")."""
    return config.dataset(split, n_spectra, seed=0, families=("none",), mask_policy="clean", **changes)


def combined_score(
    parts: list[Float[ndarray, "n cell"]], calibration: list[Float[ndarray, "m cell"]]
) -> Float[ndarray, "n cell"]:
    """Sum over scores of -ln p, p the share of line-free cells that score as high: label-free, in units that add up.

    calibration : the same scores of line-free spectra
    """
    total = np.zeros_like(parts[0])
    for score, free in zip(parts, calibration, strict=True):
        order = np.sort(free.ravel())
        above = len(order) - np.searchsorted(order, score, side="left")
        # beyond the largest the tail goes on: each step of the calibration's own upper spread is a factor e
        scale = max(float(order[-len(order) // 100 :].mean() - np.quantile(order, 0.99)), 1e-12)
        total += np.log(len(order) / np.maximum(above, 1)) + np.maximum(score - order[-1], 0) / scale
    return total


def calibration(
    line_free_score: Callable[..., Float[ndarray, "n cell"]],
    noisy: Float[ndarray, "n cell"],
    truth: Bool[ndarray, "n cell"],
) -> dict[str, float]:
    """Thresholds from line-free validation spectra; false alarms on line-free test spectra, detections; per spectrum.

    line_free_score : (split, **changes of the data set) -> scores of line-free spectra
    returns : "threshold at 1%", "false alarms at 1%", "detected at 1%" (shares of spectra), "false alarms at 1%,
              welch_hann" (same threshold, correlated estimation noise), and the same for 5 %
    """
    free, test_free = (line_free_score(split) for split in ("validation", "test"))
    correlated = line_free_score("test", intrinsic="welch_hann")
    found = {}
    for rate in ALARM_RATES:
        threshold = threshold_at(free, rate)
        found |= {
            f"threshold at {rate:.0%}": threshold,
            f"false alarms at {rate:.0%}": false_alarm_rate(test_free, threshold),
            f"false alarms at {rate:.0%}, welch_hann": false_alarm_rate(correlated, threshold),
            f"detected at {rate:.0%}": detection_rate(noisy, truth, threshold),
        }
    return found


def scored(scores: Float[ndarray, "n cell"], reading: Reading) -> dict[str, float]:
    """Detection metrics of scores on a reading's spectra."""
    return detection(scores, reading.truth, reading.log_psd.shape[1])


def kept_bins(flagged: Bool[ndarray, "n cell"], n_bins: int) -> Bool[ndarray, "n bin"]:
    """Bins outside the flagged cells."""
    return ~np.repeat(flagged, CELL_WIDTH, axis=1)[:, :n_bins]


def assess_model(result: TrainResult, family: str, sizes: Sizes) -> dict[str, dict]:
    """Everything about one model: detection, calibration, families, strengths, prediction, energies, faithfulness."""
    model, config, widths = result.model, result.config, FILTER_WIDTHS[family]

    def attend(data):
        return attention_of(model, data, config)

    test_data = held_out(config, family, sizes.n_test)
    test = read(model, test_data, config)
    free = read(model, line_free(config, sizes.n_tune, "validation"), config)
    attention, residual = test.attention(), test.residual(widths)
    both = combined_score([attention, residual], [free.attention(), free.residual(widths)])
    alarms = calibration(
        lambda split, **changes: attend(line_free(config, sizes.n_line_free, split, **changes)), attention, test.truth
    )
    found = {
        "attention": scored(attention, test) | alarms,
        "residual": scored(residual, test),
        "combined": scored(both, test),
        "masked": masked_prediction(test, test_data),
        "in_band": in_band_error(test, test.noisy),
        "no_line": in_band_error(read(model, held_out(config, "none", sizes.n_test), config), test.noisy),
        "families": {},
        "strengths": {},
        "faithfulness": faithfulness(model, config, family, sizes.n_family),
    }
    n_bins = test.log_psd.shape[1]
    for name in FILTER_WIDTHS:
        data = held_out(config, name, sizes.n_family)
        found["families"][name] = detection(attend(data), noisy_cells(data), n_bins)
    for strength in STRENGTHS:
        data = at_strength(config, family, sizes.n_family, strength)
        truth = upper_half_cells(config, family, sizes.n_family, strength)
        found["strengths"][f"{strength:g}"] = detection(attend(data), truth, n_bins)
    chosen = np.flatnonzero(test.noisy.any(axis=1))[: sizes.n_energies]
    keep = kept_bins(attention[chosen] > alarms[f"threshold at {ALARM_RATES[0]:.0%}"], n_bins)
    seen = read(model, config.dataset("train", sizes.n_probe, families=(family,)), config, sweep=False)
    probed = probe(test.cls_out[chosen], fit_probe(seen.cls_out, seen.energies))
    fitted = fit_energies(test.log_psd[chosen].astype(np.float64), keep)
    truth = test.energies[chosen]
    found["energies"] = {"kept bins": energy_error(fitted, truth), "linear probe": energy_error(probed, truth)}
    return found


def noisy_cells(data: NoiseBERTDataset) -> Bool[ndarray, "n cell"]:
    """Truth of every spectrum of a data set."""
    return cells_any(data.batch(range(len(data)))["noisy"].numpy())


def at_strength(config: TrainConfig, family: str, n_spectra: int, strength: float) -> NoiseBERTDataset:
    """Test spectra whose strongest line peaks at `strength` times the background, or up to it for several lines."""
    return replace(config, amplitude=(strength, strength)).dataset(
        "test", n_spectra, seed=0, families=(family,), mask_policy="clean"
    )


def upper_half_cells(config: TrainConfig, family: str, n_spectra: int, strength: float) -> Bool[ndarray, "n cell"]:
    """Cells where the noise is above half its peak: a truth for lines that stay below NOISY_RATIO as well."""
    lines, twins = (at_strength(config, name, n_spectra, strength) for name in (family, "none"))
    targets = [data.batch(range(n_spectra))["target"].numpy().astype(np.float64) for data in (lines, twins)]
    return cells_any(np.expm1((targets[0] - targets[1]) * lines.scale.spread) > strength / 2)


def assess_references(config: TrainConfig, family: str, sizes: Sizes) -> dict[str, dict]:
    """What needs no training, what knows the true background, and the controls, on the test spectra of every model.

    returns : "methods": detection and its "ap_interval" (95 %, over test spectra); "families" and "strengths" (running
              median and true background); "energies": fits on all and on truly clean bins, and their bounds, meV;
              "fit in-band": error of the fit on truly clean bins, in the noisy ones, ln units
    """
    model = config.build_model(config.dataset("test").freqs).eval()  # untrained: a control, and it reads the spectra

    def reading_of(name, n_spectra, split="test"):
        return read(model, held_out(config, name, n_spectra, split), config, sweep=False)

    test, tuning = reading_of(family, sizes.n_test), reading_of(family, sizes.n_tune, "validation")
    scores, window = references(test, tuning, family)
    widths = {width: scored(cells_max(find_peaks_score(tuning.log_psd, width)), tuning)["ap"] for width in PEAK_WIDTHS}
    width = max(widths, key=widths.get)
    seen = config.dataset("train", sizes.n_probe, families=(family,)).batch(range(sizes.n_probe))["noisy"].numpy()
    ratio = (test.log_psd - test.background).astype(np.float64)
    scores |= {
        "GLRT, true background": likelihood_ratio(ratio, test.n_segments),
        "find_peaks": cells_max(find_peaks_score(test.log_psd, width)),
        "untrained attention": test.attention(),
        "position only": np.broadcast_to(cells_any(seen).mean(axis=0), test.truth.shape),
        "random": np.random.default_rng(0).random(test.truth.shape),
    }
    methods = {
        name: scored(values, test) | {"ap_interval": bootstrap_interval(values, test.truth)}
        for name, values in scores.items()
    }
    found = {"methods": methods, "families": {}, "strengths": {}}
    for strength in STRENGTHS:
        here = read(model, at_strength(config, family, sizes.n_family, strength), config, sweep=False)
        truth = upper_half_cells(config, family, sizes.n_family, strength)
        found["strengths"][f"{strength:g}"] = {
            method: detection(values, truth, here.log_psd.shape[1])
            for method, values in references(here, tuning, family)[0].items()
            if not method.startswith("posterior")  # it asks for bins above NOISY_RATIO
        }
    for name in FILTER_WIDTHS:
        here = reading_of(name, sizes.n_family)
        rows = references(here, reading_of(name, sizes.n_tune, "validation"), name)[0]
        found["families"][name] = {method: scored(values, here) for method, values in rows.items()}
    return found | _reference_fits(test, sizes.n_energies) | {"tuned": {"window": window, "find_peaks width": width}}


def _reference_fits(test, n_energies):
    chosen = np.flatnonzero(test.noisy.any(axis=1))[:n_energies]
    log_psd, truth, clean = test.log_psd[chosen].astype(np.float64), test.energies[chosen], ~test.noisy[chosen]
    fitted = fit_energies(log_psd, clean)
    miss = np.abs(np.log(published_psd(*fitted.T)) - test.background[chosen])
    energies = {
        "all bins": energy_error(fit_energies(log_psd), truth),
        "truly clean bins": energy_error(fitted, truth),
        "posterior median, truly clean bins": energy_error(posterior_medians(log_psd, test.n_segments, clean), truth),
        "bound, all bins": bound(truth, test.n_segments),
        "bound, truly clean bins": bound(truth, test.n_segments, clean),
    }
    return {"energies": energies, "fit in-band": float(miss[~clean].mean())}


def harm(config: TrainConfig, family: str, n_spectra: int) -> dict[str, dict]:
    """Energies fitted on all bins, external noise of rising strength: error and bias, by strength ("0": none).

    returns : "error", "bias" (means over spectra) and "bound", each (Ea, Eb) meV
    """
    found = {}
    for strength in (0.0, *STRENGTHS):
        name = family if strength else "none"
        data = at_strength(replace(config, none_share=0.0), name, n_spectra, strength or 1.0)
        batch = data.batch(range(n_spectra))
        log_psd = data.to_log_psd(batch["target"].numpy(), batch["level"].numpy()).astype(np.float64)
        truth = batch["energies"].numpy()
        fitted = fit_energies(log_psd)
        found[f"{strength:g}"] = {
            "error": energy_error(fitted, truth),
            "bias": (fitted - truth).mean(axis=0),
            "bound": bound(truth, config.n_segments),
        }
    return found


def assess_supervised(model, config: TrainConfig, family: str, sizes: Sizes) -> dict[str, dict]:
    """A supervised detector: detection, calibration, families."""
    test_data = held_out(config, family, sizes.n_test)
    truth, score, n_bins = noisy_cells(test_data), supervised_score(model, test_data), len(test_data.freqs)
    alarms = calibration(
        lambda split, **changes: supervised_score(model, line_free(config, sizes.n_line_free, split, **changes)),
        *(score, truth),
    )
    found = {"score": detection(score, truth, n_bins) | alarms, "families": {}}
    for name in FILTER_WIDTHS:
        data = held_out(config, name, sizes.n_family)
        found["families"][name] = detection(supervised_score(model, data), noisy_cells(data), n_bins)
    return found


def seed_configs(seed: int, family: str, training: dict) -> dict[str, TrainConfig]:
    """The models of one seed, by name."""
    base = training | {"families": (family,), "seed": seed}
    return {name: TrainConfig(**base | changes) for name, changes in MODELS.items()}


def assess_seed(seed: int, family: str, training: dict, sizes: Sizes) -> dict[str, dict]:
    """Train and judge every model of one seed, or read what was found before, by name of the model."""
    configs = seed_configs(seed, family, training)
    supervised = TrainConfig(**training, families=(family,), seed=seed, readout="token")

    def judge():
        results = dict(zip(configs, train_many(list(configs.values())), strict=True))
        found = {name: assess_model(result, family, sizes) for name, result in results.items()}
        detectors = train_supervised_many([(kind, supervised) for kind in KINDS])
        for kind, model in zip(KINDS, detectors, strict=True):
            found[f"supervised {kind}"] = assess_supervised(model, supervised, family, sizes)
        return found

    return kept(f"seed-{seed}", [*configs.values(), supervised], asdict(sizes) | {"family": family}, judge)


def kept(name: str, configs: list[TrainConfig], parameters: dict, measure: Callable[[], dict]) -> dict:
    """What measure() found, once for the same trainings, parameters and judging code; then read from runs/evidence/."""
    text = json.dumps([[config.key for config in configs], parameters, code_digest(JUDGING_CODE)], sort_keys=True)
    path: Path = runs_dir("evidence") / f"{name}-{hashlib.sha256(text.encode()).hexdigest()[:12]}.json"
    if not path.exists():
        write_json(path, measure())
    return read_json(path)
