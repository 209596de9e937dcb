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

from nblib.cells import cell_labels
from nblib.dataset import NoiseBERTDataset, to_log_psd
from nblib.model import NoiseBERT, model_inputs, on_device, patches
from nblib.project.extensions import modules_of
from nblib.project.registry import functions_of, register
from nblib.project.threads import one_thread
from nblib.scoring.attention_score import attention_score
from nblib.scoring.likelihood import BROAD_LINES, line_posterior

READ_BATCH = 40  # spectra a forward pass; larger ones leave the cache
SWEEP_GROUPS = 7  # a restoration hides every seventh mask block at a time, about the training share


@dataclass(frozen=True)
class Predictions:
    """What a model makes of n spectra. ln PSDs are natural logarithms of unit^2/Hz, biases already removed.

    Attributes
    ----------
    log_psd, background : (n, bin) measured and true noise-free ln PSD
    noisy : (n, bin) truth
    masked : (n, bin) the data set's masks
    filled : (n, bin) model's ln background with the data set's masks hidden
    restored : (n, bin) model's ln background: in a CLS readout in one pass with nothing hidden, in a token readout each
        bin predicted while hidden
    cls_attn : (layer, n, head, token), nothing hidden
    cls_out : (n, d_model), nothing hidden
    energies : (n, 2) meV
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


def _batches(model, dataset):
    """A data set's batches on the model's device, READ_BATCH spectra each; the model in eval mode."""
    model.eval()
    device = next(model.parameters()).device
    for start in range(0, len(dataset), READ_BATCH):
        yield on_device(dataset.batch(range(start, min(start + READ_BATCH, len(dataset)))), device)


@one_thread()
@torch.no_grad()
def predict(model: NoiseBERT, dataset: NoiseBERTDataset, sweep: bool = True) -> Predictions:
    """Run a model over a data set.

    Parameters
    ----------
    sweep : False leaves `restored` of a token readout NaN and saves four fifths of the time
    """
    bias = dataset.log_bias if model.masked_error == "squared" else np.zeros(len(dataset.freqs))
    parts = []
    for batch in _batches(model, dataset):
        filled = model(*model_inputs(batch))[0]
        nothing = torch.zeros_like(batch["mask"])
        restored, cls_out, cls_attn = model(*model_inputs(batch, nothing), return_attention="cls")
        if model.readout == "token":  # such a model copies what it is shown
            restored = restore(model, batch, dataset.mask_width) if sweep else torch.full_like(filled, torch.nan)
        log_psds = {
            name: to_log_psd(value.cpu().numpy() - shift)
            for name, value, shift in (
                ("log_psd", batch["target"], 0.0),
                ("background", batch["background"], 0.0),
                ("filled", filled, bias),
                ("restored", restored, bias),
            )
        }
        rest = {"noisy": batch["noisy"], "masked": batch["mask"], "energies": batch["energies"], "cls_out": cls_out}
        parts.append(log_psds | {name: value.cpu().numpy() for name, value in rest.items()})
        parts[-1]["cls_attn"] = cls_attn.float().cpu().numpy()
    joined = {name: np.concatenate([part[name] for part in parts], axis=int(name == "cls_attn")) for name in parts[0]}
    return Predictions(freqs=dataset.freqs, n_segments=dataset.n_segments, patch_size=model.patch_size, **joined)


@one_thread()
@torch.no_grad()
def attention_of(model: NoiseBERT, dataset: NoiseBERTDataset) -> Float[ndarray, "n cell"]:
    """The attention score alone, nothing hidden: one pass."""
    parts = []
    for batch in _batches(model, dataset):
        inputs = model_inputs(batch, torch.zeros_like(batch["mask"]))
        rows = model(*inputs, return_attention="cls")[2][-1]
        parts.append(attention_score(rows.float().cpu().numpy(), len(dataset.freqs)))
    return np.concatenate(parts)


@torch.no_grad()
def restore(model: NoiseBERT, batch: dict[str, Tensor], mask_width: int) -> Float[Tensor, "n bin"]:
    """Every bin predicted while its block was hidden, SWEEP_GROUPS interleaved groups in turn."""
    block = torch.arange(batch["target"].shape[1], device=batch["target"].device) // mask_width
    restored = torch.zeros_like(batch["target"])
    for group in range(SWEEP_GROUPS):
        hide = (block % SWEEP_GROUPS == group).expand_as(batch["mask"])
        restored = torch.where(hide, model(*model_inputs(batch, hide))[0].float(), restored)
    return restored


# ---- scores: what a trained model says about each cell, by name in SCORES ----

SCORES: dict[str, Callable] = {}


def score(function: Callable) -> Callable:
    """Decorator: register a score under its function's name, `(predictions, widths) -> (n, cell)`, high where noisy.

    `predictions` are Predictions; their truth, background and energies are for judging only: a score does not look at
    them. `widths` are standard deviations (bins) of the matched filters that suit the noise family.

    Raises
    ------
    ValueError for a name that is taken
    """
    return register(SCORES, "score", function.__name__, function)


PUBLISHED_SCORES = ("attention", "residual")  # of the published evidence; a new score does not join it by itself


def scores_judged(extensions: Sequence[str] = (), published: bool = False) -> tuple[str, ...]:
    """Names of the scores that a model is judged by: the package's own, and those of the extensions its run names.

    Parameters
    ----------
    published : of the package's own only PUBLISHED_SCORES, so that adding a score leaves published tasks valid
    """
    modules = modules_of(extensions)
    homes = {name: functions_of(function)[-1].__module__ for name, function in SCORES.items()}
    own = PUBLISHED_SCORES if published else [name for name, home in homes.items() if home == __name__]
    return tuple(name for name, home in homes.items() if name in own or home in modules)


@score
def attention(predictions: Predictions, widths: Sequence[float]) -> Float[ndarray, "n cell"]:
    """Where CLS of the last layer looks away, eq. 9."""
    return predictions.attention()


@score
def residual(predictions: Predictions, widths: Sequence[float]) -> Float[ndarray, "n cell"]:
    """Posterior of a line, of which nothing is known, in what the restored background leaves over."""
    return predictions.residual()
