"""What one detector is worth on the locked test: the measurements that notebook 06 repeats for every seed."""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Bool, Float
from numpy import ndarray
from torch import nn

from nblib.config import TrainConfig
from nblib.dataset import NoiseBERTDataset
from nblib.detect import FILTER_WIDTHS, cells_any
from nblib.energies import bound, energy_error, fit_energies, fit_probe, probe
from nblib.evaluate import Reading, attention_of, held_out, in_band_error, masked_prediction, read
from nblib.faithfulness import faithfulness
from nblib.metrics import attended_tokens, detection, detection_rate, false_alarm_rate, threshold_at
from nblib.noise import CELL_WIDTH, FAMILIES, family
from nblib.profiles import Profile
from nblib.supervised import supervised_score
from nblib.train import TrainResult

ALARM_RATES = (0.01, 0.05)  # of line-free spectra
KEEP_RATE = 0.05  # false alarms at which a cell is left out of a fit, and its neighbours; chosen on validation spectra
STRENGTHS = (0.1, 0.25, 0.5, 1.0, 2.0, 3.0)  # peak external power over background


@family
def lower_line(rng, freqs, amplitude):
    """`single_line` in the lower half of the axis: to train on, so that the upper half is a held-out position."""
    ratio = FAMILIES["single_line"](rng, freqs, amplitude)
    while ratio.argmax() >= len(freqs) // 2:
        ratio = FAMILIES["single_line"](rng, freqs, amplitude)
    return ratio


@dataclass(frozen=True)
class Sizes:
    """Spectra of each test set."""

    n_test: int
    n_tune: int
    n_family: int
    n_line_free: int
    n_correlated: int
    n_probe: int
    n_energies: int


def sizes_of(settings: Profile) -> Sizes:
    """Test sets of a profile: 10,000 line-free spectra where it trains for a report."""
    n = settings.n_tune
    return Sizes(
        n_test=2 * n, n_tune=n, n_family=n, n_line_free=20 * n, n_correlated=4 * n, n_probe=4 * n, n_energies=n
    )


def line_free(config: TrainConfig, n_spectra: int, split: str, **changes) -> NoiseBERTDataset:
    """Spectra without external noise, for thresholds ("validation") and for false alarms ("test")."""
    return config.dataset(split, n_spectra, seed=0, families=("none",), mask_policy="clean", **changes)


def alarm_set(config: TrainConfig, sizes: Sizes, split: str, **changes) -> NoiseBERTDataset:
    """Line-free spectra as calibration asks for them; fewer where their estimation noise is not the threshold's."""
    return line_free(config, sizes.n_correlated if "intrinsic" in changes else sizes.n_line_free, split, **changes)


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
    """Bins outside the flagged cells and their neighbours, into which a line's wings reach."""
    wide = flagged.copy()
    wide[:, 1:] |= flagged[:, :-1]
    wide[:, :-1] |= flagged[:, 1:]
    return ~np.repeat(wide, CELL_WIDTH, axis=1)[:, :n_bins]


# ---- parts of an assessment ----


def by_family(attend: Callable[..., Float[ndarray, "n cell"]], config: TrainConfig, n_spectra: int) -> dict[str, dict]:
    """Detection on every noise family of the generator. attend : data set -> scores."""
    sets = {name: held_out(config, name, n_spectra) for name in FILTER_WIDTHS}
    return {name: detection(attend(data), noisy_cells(data), len(data.freqs)) for name, data in sets.items()}


def by_strength(
    attend: Callable[..., Float[ndarray, "n cell"]], config: TrainConfig, name: str, n_spectra: int
) -> dict[str, dict]:
    """Detection of noise of one strength, by strength; the truth is upper_half_cells."""
    found = {}
    for strength in STRENGTHS:
        data = at_strength(config, name, n_spectra, strength)
        truth = upper_half_cells(config, name, n_spectra, strength)
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


def noisy_cells(data: NoiseBERTDataset) -> Bool[ndarray, "n cell"]:
    """Truth of every spectrum of a data set."""
    return cells_any(data.batch(range(len(data)))["noisy"].numpy())


def at_strength(config: TrainConfig, name: str, n_spectra: int, strength: float) -> NoiseBERTDataset:
    """Test spectra whose strongest line peaks at `strength` times the background, or up to it for several lines."""
    return replace(config, amplitude=(strength, strength)).dataset(
        "test", n_spectra, seed=0, families=(name,), mask_policy="clean"
    )


def upper_half_cells(config: TrainConfig, name: str, n_spectra: int, strength: float) -> Bool[ndarray, "n cell"]:
    """Cells where the noise is above half its peak: a truth for lines that stay below NOISY_RATIO as well."""
    lines, twins = (at_strength(config, kind, n_spectra, strength) for kind in (name, "none"))
    targets = [data.batch(range(n_spectra))["target"].numpy().astype(np.float64) for data in (lines, twins)]
    return cells_any(np.expm1((targets[0] - targets[1]) * lines.scale.spread) > strength / 2)


def measured(data: NoiseBERTDataset) -> tuple[Float[ndarray, "n bin"], Float[ndarray, "n 2"], Bool[ndarray, "n bin"]]:
    """ln PSDs (ln A^2/Hz), energies (meV) and noisy bins of every spectrum of a data set."""
    batch = data.batch(range(len(data)))
    log_psd = data.to_log_psd(batch["target"].numpy(), batch["level"].numpy())
    return log_psd, batch["energies"].numpy(), batch["noisy"].numpy()


def energies_on_kept(
    data: NoiseBERTDataset, flagged: Bool[ndarray, "n cell"], n_energies: int
) -> dict[str, Float[ndarray, " 2"]]:
    """Fitted energies where a detector's flagged cells are left out: mean error and bound, of noisy spectra, meV.

    flagged : of every spectrum of the data set; the first n_energies that hold noise count
    """
    log_psd, truth, noisy = measured(data)
    chosen = np.flatnonzero(noisy.any(axis=1))[:n_energies]
    keep = kept_bins(flagged[chosen], log_psd.shape[1])
    fitted = fit_energies(log_psd[chosen], keep)
    limit = bound(truth[chosen], data.n_segments, keep)
    return {"kept bins": energy_error(fitted, truth[chosen]), "bound, kept bins": limit}


# ---- whole assessments ----


def glance(result: TrainResult, name: str, sizes: Sizes) -> dict[str, dict]:
    """A point of a sweep, on validation spectra: detection by attention, tokens attended, masked prediction."""
    data = held_out(result.config, name, sizes.n_tune, "validation")
    reading = read(result.model, data, result.config, sweep=False)
    attention = scored(reading.attention(), reading) | {"tokens": attended_tokens(reading.cls_attn[-1])}
    return {"attention": attention, "masked": masked_prediction(reading, data)}


def assess_elsewhere(result: TrainResult, name: str, sizes: Sizes) -> dict[str, dict]:
    """Detection by attention on the test, on every family and by position: for models trained on something else."""

    def attend(data):
        return attention_of(result.model, data, result.config)

    data = held_out(result.config, name, sizes.n_test)
    return {
        "attention": detection(attend(data), noisy_cells(data), len(data.freqs)),
        "families": by_family(attend, result.config, sizes.n_family),
        "positions": by_position(attend, result.config, sizes.n_test),
    }


def assess_model(result: TrainResult, name: str, sizes: Sizes) -> dict[str, dict]:
    """Everything about one model: detection, calibration, families, strengths, prediction, energies, faithfulness."""
    model, config, widths = result.model, result.config, FILTER_WIDTHS[name]

    def attend(data):
        return attention_of(model, data, config)

    test_data = held_out(config, name, sizes.n_test)
    test = read(model, test_data, config)
    free = read(model, line_free(config, sizes.n_tune, "validation"), config)
    attention, residual = test.attention(), test.residual(widths)
    both = combined_score([attention, residual], [free.attention(), free.residual(widths)])
    alarms = calibration(
        lambda split, **changes: attend(alarm_set(config, sizes, split, **changes)), attention, test.truth
    )
    energies = energies_on_kept(test_data, attention > alarms[f"threshold at {KEEP_RATE:.0%}"], sizes.n_energies)
    seen = read(model, config.dataset("train", sizes.n_probe, families=(name,)), config, sweep=False)
    noisy = np.flatnonzero(test.noisy.any(axis=1))[: sizes.n_energies]
    probed = probe(test.cls_out[noisy], fit_probe(seen.cls_out, seen.energies))
    return {
        "attention": scored(attention, test) | alarms,
        "residual": scored(residual, test),
        "combined": scored(both, test),
        "masked": masked_prediction(test, test_data),
        "in_band": in_band_error(test, test.noisy),
        "no_line": in_band_error(read(model, held_out(config, "none", sizes.n_test), config), test.noisy),
        "families": by_family(attend, config, sizes.n_family),
        "positions": by_position(attend, config, sizes.n_test),
        "strengths": by_strength(attend, config, name, sizes.n_family),
        "faithfulness": faithfulness(model, config, name, sizes.n_tune),
        "energies": energies | {"linear probe": energy_error(probed, test.energies[noisy])},
    }


def assess_supervised(model: nn.Module, config: TrainConfig, name: str, sizes: Sizes) -> dict[str, dict]:
    """A supervised detector: detection, calibration, families, positions, strengths, energies."""

    def score(data):
        return supervised_score(model, data)

    data = held_out(config, name, sizes.n_test)
    scores, truth = score(data), noisy_cells(data)
    alarms = calibration(lambda split, **changes: score(alarm_set(config, sizes, split, **changes)), scores, truth)
    return {
        "logit": detection(scores, truth, len(data.freqs)) | alarms,
        "families": by_family(score, config, sizes.n_family),
        "positions": by_position(score, config, sizes.n_test),
        "strengths": by_strength(score, config, name, sizes.n_family),
        "energies": energies_on_kept(data, scores > alarms[f"threshold at {KEEP_RATE:.0%}"], sizes.n_energies),
    }
