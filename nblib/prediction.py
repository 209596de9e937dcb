"""What a model makes of spectra: predictions, restored backgrounds and attention.

Equation numbers are those of docs/method.md.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Bool, Float
from numpy import ndarray
from torch import Tensor

from nblib.dataset import NoiseBERTDataset
from nblib.detection.likelihood import BROAD_LINES, line_posterior
from nblib.detection.scores import attention_score
from nblib.model import NoiseBERT, patches
from nblib.project.extensions import modules_of
from nblib.project.registry import functions_of, register
from nblib.spectra.cells import cell_labels

READ_BATCH = 40  # spectra a forward pass; larger ones leave the cache
SWEEP_GROUPS = 7  # a restoration hides every seventh mask block at a time, about the training share


@dataclass(frozen=True)
class Predictions:
    """What a model makes of n spectra. ln PSDs are natural logarithms of unit^2/Hz, biases already removed.

    Attributes
    ----------
    log_psd, background : (n, bin) measured and true noise-free ln PSD (NaN where not known)
    noisy : (n, bin) truth
    masked : (n, bin) the data set's masks
    filled : (n, bin) model's ln background with the data set's masks hidden
    restored : (n, bin) model's ln background: in a CLS readout in one pass with nothing hidden, in a token readout each
        bin predicted while hidden
    cls_attn : (layer, n, head, token), nothing hidden
    cls_out : (n, d_model), nothing hidden
    energies : (n, 2) meV
    valid : (n, bin) False where there is no measurement
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
        return cell_labels(self.noisy)

    def attention(self, layer: int = -1) -> Float[ndarray, "n cell"]:
        """Attention score of one layer."""
        return attention_score(self.cls_attn[layer], self.log_psd.shape[1])

    def residual(self) -> Float[ndarray, "n cell"]:
        """Posterior of a line, of which nothing is known, in the data against the model's restored background."""
        return line_posterior(self.log_psd - self.restored, self.n_segments, BROAD_LINES)


@torch.no_grad()
def predict(model: NoiseBERT, dataset: NoiseBERTDataset, sweep: bool = True) -> Predictions:
    """Run a model over a data set.

    Parameters
    ----------
    sweep : False leaves `restored` of a token readout NaN and saves four fifths of the time
    """
    model.eval()
    device = next(model.parameters()).device
    bias = dataset.log_bias if model.masked_error == "squared" else np.zeros(len(dataset.freqs))
    parts = []
    for start in range(0, len(dataset), READ_BATCH):
        batch = dataset.batch(range(start, min(start + READ_BATCH, len(dataset))))
        batch = {name: value.to(device) for name, value in batch.items() if name != "energies"} | {
            "energies": batch["energies"]
        }
        inputs, extra = model_inputs(batch, model.any_grid)
        filled = model(*inputs, **extra)[0]
        inputs, extra = model_inputs(batch, model.any_grid, hide=torch.zeros_like(batch["mask"]))
        restored, cls_out, cls_attn = model(*inputs, return_attention="cls", **extra)
        if model.readout == "token":  # such a model copies what it is shown
            restored = restore(model, batch, dataset.mask_width) if sweep else torch.full_like(filled, torch.nan)
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
    return Predictions(freqs=dataset.freqs, n_segments=dataset.n_segments, patch_size=model.patch_size, **joined)


@torch.no_grad()
def attention_of(model: NoiseBERT, dataset: NoiseBERTDataset) -> Float[ndarray, "n cell"]:
    """The attention score alone, nothing hidden: one pass."""
    model.eval()
    device, parts = next(model.parameters()).device, []
    for start in range(0, len(dataset), READ_BATCH):
        batch = dataset.batch(range(start, min(start + READ_BATCH, len(dataset))))
        batch = {name: value.to(device) for name, value in batch.items() if name != "energies"}
        inputs, extra = model_inputs(batch, model.any_grid, hide=torch.zeros_like(batch["mask"]))
        rows = model(*inputs, return_attention="cls", **extra)[2][-1]
        parts.append(attention_score(rows.float().cpu().numpy(), len(dataset.freqs)))
    return np.concatenate(parts)


@torch.no_grad()
def restore(model: NoiseBERT, batch: dict[str, Tensor], mask_width: int) -> Tensor:
    """Every bin predicted while its block was hidden, SWEEP_GROUPS interleaved groups in turn: (batch, bin)."""
    block = torch.arange(batch["target"].shape[1], device=batch["target"].device) // mask_width
    restored = torch.zeros_like(batch["target"])
    for group in range(SWEEP_GROUPS):
        hide = (block % SWEEP_GROUPS == group).expand_as(batch["mask"])
        inputs, extra = model_inputs(batch, model.any_grid, hide=hide)
        restored = torch.where(hide, model(*inputs, **extra)[0].float(), restored)
    return restored


def model_inputs(batch: dict[str, Tensor], any_grid: bool, hide: Tensor | None = None) -> tuple[tuple, dict]:
    """Arguments of NoiseBERT.forward: the batch's masked input, or its target with the bins `hide` hidden.

    Parameters
    ----------
    any_grid : the model's; such a model is told frequencies and level at each call
    """
    hide = batch["mask"] if hide is None else hide
    extra = {"freqs": batch["freq"][0], "level": batch["level"]} if any_grid else {}
    return (batch["target"].masked_fill(hide, 0.0), hide | ~batch["valid"]), extra


# ---- scores: what a trained model says about each cell, by name in SCORES ----

SCORES: dict[str, Callable] = {}


def score(function: Callable) -> Callable:
    """Decorator: register a score under its function's name, `(reading, widths) -> (n, cell)`, high where noisy.

    `reading` are Predictions; their truth, background and energies are for judging, and a score does not look at them.
    `widths` are standard deviations (bins) of the matched filters that suit the noise family.

    Raises
    ------
    ValueError for a name that is taken
    """
    return register(SCORES, "score", function.__name__, function)


def scores_judged(extensions: Sequence[str] = ()) -> tuple[str, ...]:
    """Names of the scores that a model is judged by: the package's own, and those of the extensions its run names."""
    modules = modules_of(extensions)
    homes = {name: functions_of(function)[-1].__module__ for name, function in SCORES.items()}
    return tuple(name for name, home in homes.items() if home.split(".")[0] == "nblib" or home in modules)


@score
def attention(reading: Predictions, widths: Sequence[float]) -> Float[ndarray, "n cell"]:
    """Where CLS of the last layer looks away, eq. 9."""
    return reading.attention()


@score
def residual(reading: Predictions, widths: Sequence[float]) -> Float[ndarray, "n cell"]:
    """Posterior of a line, of which nothing is known, in what the restored background leaves over."""
    return reading.residual()
