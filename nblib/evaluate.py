"""Read a trained model on a data set and score what it says: detection, masked error, restoration."""

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Bool, Float
from numpy import ndarray
from sklearn.metrics import average_precision_score

from nblib.config import TrainConfig
from nblib.dataset import NoiseBERTDataset
from nblib.detect import (
    FILTER_WIDTHS,
    MEDIAN_WINDOWS,
    attention_score,
    cells_any,
    cells_max,
    line_posterior,
    matched_filter,
    running_median,
)
from nblib.metrics import detection
from nblib.model import NoiseBERT, patches
from nblib.objective import model_inputs
from nblib.train import TrainResult

READ_BATCH = 40  # spectra a forward pass; larger ones leave the cache
SWEEP_GROUPS = 7  # a restoration hides every seventh mask block at a time, about the training share


@dataclass(frozen=True)
class Reading:
    """What a model makes of n spectra. ln PSDs are natural logarithms of unit^2/Hz, biases already removed.

    log_psd, background : (n, bin) measured and true noise-free ln PSD (NaN where not known)
    noisy               : (n, bin) truth
    masked              : (n, bin) the data set's masks
    filled              : (n, bin) model's ln background with the data set's masks hidden
    restored            : (n, bin) model's ln background, each bin predicted while hidden
    cls_attn            : (layer, n, head, token), nothing hidden
    cls_out             : (n, d_model), nothing hidden
    energies            : (n, 2) meV
    valid               : (n, bin) False where there is no measurement
    """

    freqs: Float[ndarray, " bin"]
    log_psd: Float[ndarray, "n bin"]
    background: Float[ndarray, "n bin"]
    noisy: Bool[ndarray, "n bin"]
    masked: Bool[ndarray, "n bin"]
    filled: Float[ndarray, "n bin"]
    restored: Float[ndarray, "n bin"]
    cls_attn: Float[ndarray, "layer n head token"]
    cls_out: Float[ndarray, "n d_model"]
    energies: Float[ndarray, "n 2"]
    valid: Bool[ndarray, "n bin"]
    n_segments: int
    patch_size: int

    @property
    def token_freqs(self) -> Float[ndarray, " token"]:
        """Geometric centre of each token, Hz."""
        return np.exp(patches(torch.from_numpy(np.log(self.freqs)), self.patch_size).mean(dim=-1).numpy())

    @property
    def noisy_tokens(self) -> Bool[ndarray, "n token"]:
        """Tokens that hold a noisy bin."""
        return patches(torch.from_numpy(self.noisy), self.patch_size).any(dim=-1).numpy()

    @property
    def truth(self) -> Bool[ndarray, "n cell"]:
        """Cells that hold a noisy bin."""
        return cells_any(self.noisy)

    def attention(self, layer: int = -1) -> Float[ndarray, "n cell"]:
        """Attention score of one layer."""
        return attention_score(self.cls_attn[layer], self.log_psd.shape[1])

    def residual(self, widths) -> Float[ndarray, "n cell"]:
        """Matched filter of the data against the model's restored background."""
        return cells_max(matched_filter(self.log_psd - self.restored, widths, self.n_segments))


@torch.no_grad()
def read(model: NoiseBERT, dataset: NoiseBERTDataset, config: TrainConfig, sweep: bool = True) -> Reading:
    """Run a model over a data set.

    config : the training's; it says how the model takes its input and which error it was trained with
    sweep  : False leaves `restored` NaN and saves four fifths of the time, where only attention is wanted
    """
    model.eval()
    device = next(model.parameters()).device
    bias = dataset.log_bias if config.masked_error == "squared" else np.zeros(len(dataset.freqs))
    parts = []
    for start in range(0, len(dataset), READ_BATCH):
        batch = dataset.batch(range(start, min(start + READ_BATCH, len(dataset))))
        batch = {name: value.to(device) for name, value in batch.items() if name != "energies"} | {
            "energies": batch["energies"]
        }
        inputs, extra = model_inputs(batch, config)
        filled = model(*inputs, **extra)[0]
        inputs, extra = model_inputs(batch, config, hide=torch.zeros_like(batch["mask"]))
        restored, cls_out, cls_attn = model(*inputs, return_attention="cls", **extra)
        if model.readout == "token":  # such a model copies what it sees
            restored = restore(model, batch, config, dataset.mask_width) if sweep else torch.full_like(filled, torch.nan)
        level = batch["level"].cpu().numpy()
        log_psds = {
            name: dataset.to_log_psd(value.cpu().numpy() - shift, level)
            for name, value, shift in (
                ("log_psd", batch["target"], 0.0),
                ("background", batch["background"], 0.0),
                ("filled", filled, bias),
                ("restored", restored, bias),
            )
        }
        truth = {"noisy": batch["noisy"], "masked": batch["mask"], "valid": batch["valid"]}
        rest = {**truth, "energies": batch["energies"], "cls_out": cls_out}
        parts.append(log_psds | {name: value.cpu().numpy() for name, value in rest.items()})
        parts[-1]["cls_attn"] = cls_attn.float().cpu().numpy()
    joined = {name: np.concatenate([part[name] for part in parts], axis=int(name == "cls_attn")) for name in parts[0]}
    return Reading(freqs=dataset.freqs, n_segments=dataset.n_segments, patch_size=config.patch_size, **joined)


@torch.no_grad()
def attention_of(model: NoiseBERT, dataset: NoiseBERTDataset, config: TrainConfig) -> Float[ndarray, "n cell"]:
    """The attention score alone, nothing hidden: one pass instead of the nine of a reading with its sweep."""
    model.eval()
    device, parts = next(model.parameters()).device, []
    for start in range(0, len(dataset), READ_BATCH):
        batch = dataset.batch(range(start, min(start + READ_BATCH, len(dataset))))
        batch = {name: value.to(device) for name, value in batch.items() if name != "energies"}
        inputs, extra = model_inputs(batch, config, hide=torch.zeros_like(batch["mask"]))
        rows = model(*inputs, return_attention="cls", **extra)[2][-1]
        parts.append(attention_score(rows.float().cpu().numpy(), len(dataset.freqs)))
    return np.concatenate(parts)


@torch.no_grad()
def restore(model, batch, config: TrainConfig, mask_width: int):
    """Every bin predicted while its block was hidden, SWEEP_GROUPS interleaved groups in turn: (batch, bin)."""
    block = torch.arange(batch["target"].shape[1], device=batch["target"].device) // mask_width
    restored = torch.zeros_like(batch["target"])
    for group in range(SWEEP_GROUPS):
        hide = (block % SWEEP_GROUPS == group).expand_as(batch["mask"])
        inputs, extra = model_inputs(batch, config, hide=hide)
        restored = torch.where(hide, model(*inputs, **extra)[0].float(), restored)
    return restored


# ---- a whole assessment ----


def held_out(config: TrainConfig, family: str, n_spectra: int, split: str = "test") -> NoiseBERTDataset:
    """Spectra to judge a model on: one noise family, the same spectra whatever the model, its seed and its training.

    split : "validation" for choices, "test" for claims
    """
    arguments = {"amplitude": (0.5, 3.0), "none_share": 0.2, "mask_policy": "clean"}
    return config.dataset(split, n_spectra, seed=0, families=(family,), **arguments)


def assess(result: TrainResult, family: str, n_spectra: int, split: str = "test") -> tuple[Reading, dict]:
    """Read a trained model on held-out spectra of one family, and score everything that has a truth.

    returns : the reading, and metrics "attention" and "residual" (detection per cell), "masked" (masked prediction),
              "in_band" and its "no_line" control: the same spectra without their lines, scored in the same bins
    """
    config = result.config
    dataset = held_out(config, family, n_spectra, split)
    reading = read(result.model, dataset, config)
    without_lines = read(result.model, held_out(config, "none", n_spectra, split), config)
    n_bins = len(dataset.freqs)
    return reading, {
        "attention": detection(reading.attention(), reading.truth, n_bins),
        "residual": detection(reading.residual(FILTER_WIDTHS[family]), reading.truth, n_bins),
        "masked": masked_prediction(reading, dataset),
        "in_band": in_band_error(reading, reading.noisy),
        "no_line": in_band_error(without_lines, reading.noisy),
    }


def references(reading: Reading, tuning: Reading, family: str) -> tuple[dict[str, Float[ndarray, "n cell"]], int]:
    """What needs no training, on the same spectra as the model: scores by method, and the running median's window.

    tuning  : validation spectra on which the window is chosen by average precision, never the test
    family  : chooses the filter widths, for every matched filter alike
    returns : "running median", "true background" and, for single_line, "posterior (limit)"
    """
    widths, n_segments = FILTER_WIDTHS[family], reading.n_segments
    window = tune_window(tuning, widths)
    backgrounds = {
        "running median": running_median(reading.log_psd, window, n_segments),
        "true background": reading.background,
    }
    scores = {
        name: cells_max(matched_filter(reading.log_psd - estimate, widths, n_segments))
        for name, estimate in backgrounds.items()
    }
    if family == "single_line":
        scores["posterior (limit)"] = line_posterior(reading.log_psd - reading.background, n_segments)
    return scores, window


def tune_window(tuning: Reading, widths) -> int:
    """The running-median window with the best average precision."""
    precision = {}
    for window in MEDIAN_WINDOWS:
        residual = tuning.log_psd - running_median(tuning.log_psd, window, tuning.n_segments)
        cells = cells_max(matched_filter(residual, widths, tuning.n_segments))
        precision[window] = average_precision_score(tuning.truth.ravel(), cells.ravel())
    return max(precision, key=precision.get)


# ---- masked error and restoration ----


def in_band_error(reading: Reading, bins: Bool[ndarray, "n bin"]) -> dict[str, float]:
    """Mean |ln error| against the noise-free background in the noisy bins: as measured, and as restored.

    bins : which bins count; for the no-line control the noisy bins of the same spectra with their lines
    returns : "before", "after" in ln units and "reduction" = 1 - after / before; NaN where no bin counts
    """
    if not bins.any():
        return {"before": np.nan, "after": np.nan, "reduction": np.nan}
    before = float(np.abs(reading.log_psd - reading.background)[bins].mean())
    after = float(np.abs(reading.restored - reading.background)[bins].mean())
    return {"before": before, "after": after, "reduction": 1 - after / before}


def masked_prediction(reading: Reading, dataset: NoiseBERTDataset) -> dict[str, float]:
    """Masked bins against the measurement and against the truth, in ln units.

    returns : "mse" (against the noisy target), "floor" (trigamma(K), its smallest possible value), "background_rms"
              (root mean square error against the noise-free background, bias corrected)
    """
    masked, spread = reading.masked & reading.valid, dataset.scale.spread
    measured = (reading.filled + dataset.log_bias * spread - reading.log_psd)[masked]
    truth = (reading.filled - reading.background)[masked]
    return {
        "mse": float((measured**2).mean()),
        "floor": dataset.error_floor * spread**2,
        "background_rms": float(np.sqrt((truth**2).mean())),
    }
