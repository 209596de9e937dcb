"""The encoder: patches of a spectrum in, filled-in spectrum and CLS out, CLS attention captured beside the kernel."""

import math

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Bool
from torch import Tensor, nn

from nblib.attention import EncoderLayer, ReadoutAttention, collect
from nblib.scoring.posterior import correlate, segments_measured, token_odds
from nblib.simulation.physics import LN_STD
from nblib.smoothing import gaussian

READOUTS = ("token", "cls", "residual")
ATTENTION_MODES = (False, "cls", True)
CONTRAST_POOLS = (1, 2, 4, 8, 16)  # bins averaged before a contrast is taken
CONTRAST_WIDTHS = (1.5, 6.0)  # standard deviations, in pools, of the line and of what it is held against
SHAPES = [gaussian(width, 3.0) for width in CONTRAST_WIDTHS]
KERNELS = np.stack([np.pad(shape, (len(SHAPES[-1]) - len(shape)) // 2) for shape in SHAPES])  # (width, tap)
N_FOURIER = 16  # sine/cosine pairs of ln f that tell a token where it stands
FASTEST_TOKEN, FASTEST_BIN = 1.8, 1.0  # log10 of the fastest pair's radians an e-fold: where a token stands, and how
# fast a decoded background may change
LEAST_WEIGHT = 1e-12  # of a token beside one that is surely clean: where all are flagged, none is


class NoiseBERT(nn.Module):
    """Small BERT-like encoder of power spectral densities.

    Parameters
    ----------
    seq_len : bins of a spectrum; a last token that is not full is padded inside and cropped again
    d_model, n_heads, num_layers, dim_feedforward, dropout : the encoder's sizes
    max_len : largest seq_len that the position table allows for; seq_len if None
    patch_size : bins per token; 1 = the starting study's point tokens, 20 = the CPU default
    readout : "token" = each token predicts itself; "cls" = all bins are decoded from the CLS vector alone; "residual" =
        decoded from CLS as well, whose weights come from no query: 1 less the posterior of a line in the residual of
        the pass before. There is no encoder, and n_heads, num_layers and contrasts say nothing
    freqs : (seq_len,) Hz, the grid the model is made for; 1, 2, ..., seq_len if None
    masked_error : what it is trained with: a squared error fits E[ln x], which lies below ln S
    contrasts : True gives the encoder, beside a token's bins, how far it stands out from what is near at five widths,
        so that narrow lines are found as well; the values that CLS collects do not depend on it
    passes : of a "residual" readout; the first attends evenly
    hard : True leaves a token out where a line is more probable than not, and weights the others evenly
    n_segments : K that the posterior of a "residual" readout assumes; None = measured on every spectrum's residual

    Raises
    ------
    ValueError that names the value, the rule and the fix
    """

    freqs: Tensor

    def __init__(
        self,
        seq_len: int,
        d_model: int = 64,
        n_heads: int = 2,
        num_layers: int = 2,
        dim_feedforward: int = 128,
        dropout: float = 0.1,
        max_len: int | None = None,
        patch_size: int = 1,
        readout: str = "token",
        *,
        freqs: np.ndarray | None = None,
        contrasts: bool = True,
        masked_error: str = "squared",
        passes: int = 3,
        hard: bool = False,
        n_segments: float | None = 8,
    ):
        super().__init__()
        max_len = seq_len if max_len is None else max_len
        if readout not in READOUTS:
            raise ValueError(f"unknown readout {readout!r}; known: {', '.join(READOUTS)}")
        if not 1 <= patch_size <= seq_len <= max_len:
            raise ValueError(
                f"patch_size={patch_size}, seq_len={seq_len}, max_len={max_len}: a spectrum needs at least one token's "
                "bins and at most max_len"
            )
        self.seq_len, self.max_len, self.patch_size = seq_len, max_len, patch_size
        self.readout, self.masked_error = readout, masked_error
        self.passes, self.hard, self.n_segments = passes, hard, n_segments
        grid = torch.arange(1, seq_len + 1, dtype=torch.float64) if freqs is None else torch.as_tensor(np.array(freqs))
        if grid.shape != (seq_len,):
            raise ValueError(f"freqs has shape {tuple(grid.shape)}; the model's seq_len={seq_len} needs as many")
        self.register_buffer("freqs", grid, persistent=True)
        if readout != "residual":
            self.embed = nn.Linear(patch_size, d_model)
            if contrasts:
                self.embed_contrasts = nn.Linear(len(CONTRAST_POOLS), d_model)
            self.mask_token = nn.Parameter(torch.randn(d_model) * 0.02)
            self.cls_token = nn.Parameter(torch.randn(d_model) * 0.02)
            self.frequency = nn.Linear(2 * N_FOURIER, d_model)
            self.position = nn.Parameter(torch.randn(-(-max_len // patch_size), d_model) * 0.02)
        n_mixing = {"token": num_layers, "cls": num_layers - 1, "residual": 0}[readout]
        sizes = (d_model, n_heads, dim_feedforward, dropout)
        self.layers = nn.ModuleList(EncoderLayer(*sizes) for _ in range(n_mixing))
        self.norm = nn.LayerNorm(d_model)
        if readout == "cls":
            self.layers.append(ReadoutAttention(d_model, n_heads, dropout))
        if readout != "token":
            self.value_patch = nn.Linear(patch_size, dim_feedforward)
            self.value_where = nn.Linear(2 * N_FOURIER, dim_feedforward)
            self.value = nn.Linear(dim_feedforward, d_model)
            self.coefficients = _two_layers(d_model, dim_feedforward, d_model)
            self.basis = _two_layers(2 * N_FOURIER, dim_feedforward, d_model)
            self.mean_shape = nn.Linear(2 * N_FOURIER, 1)
        else:
            self.head = nn.Linear(d_model, patch_size)

    @property
    def n_tokens(self) -> int:
        """Tokens of a spectrum of seq_len bins, CLS not counted."""
        return -(-self.seq_len // self.patch_size)

    def forward(
        self,
        x: Tensor,
        mask_positions: Tensor,
        return_attention: bool | str = False,
        *,
        attend: Tensor | None = None,
    ):
        """Fill in a spectrum.

        Parameters
        ----------
        x : (batch, bin) standardised ln PSD; what masked bins hold is not read
        mask_positions : (batch, bin) bool, True = hidden; a token with any masked bin is hidden whole
        return_attention : "cls" for cls_attn (layer, batch, head, token), CLS's own key removed, rows sum to 1; True
            for the last layer's weights (batch, head, L+1, L+1); False for neither
        attend : (batch, token) or (batch, head, token) weights >= 0 that CLS gives the tokens whatever it sees, for
            readouts that decode CLS; hidden tokens get 0, and they are made to sum to 1. The encoder is not asked

        Returns
        -------
        out (batch, bin), cls_out (batch, d_model), and the attention that is asked for

        Raises
        ------
        ValueError for shapes, masks or modes that do not fit
        """
        self._check(x, mask_positions, return_attention, attend)
        hidden = patches(mask_positions, self.patch_size).any(dim=-1, keepdim=True)
        tokens = patches(x, self.patch_size).masked_fill(hidden, 0.0)  # (batch, token, patch)
        where = _frequency_features(self.token_freqs(self.freqs), FASTEST_TOKEN, x.dtype)  # (token, 2N)
        if self.readout == "token":
            sequence, attention = self._encode(x, mask_positions, tokens, where, return_attention)
            encoded = self.norm(sequence)
            cls_out, out = encoded[:, 0], self.head(encoded[:, 1:]).flatten(1)[:, : x.shape[1]]
        else:
            values = self._own_values(tokens, where)
            basis = self._basis(x.dtype)
            if self.readout == "residual" or attend is not None:
                row = self._residual_row(x, mask_positions, values, basis) if attend is None else attend
                row = _share(row, hidden[..., 0])
                cls_out, attention = collect(row, values), [row]
                if return_attention is True:  # every position would attend as CLS does
                    attention = [F.pad(row, (1, 0))[:, :, None].expand(-1, -1, row.shape[-1] + 1, -1)]
            else:
                sequence, attention = self._encode(x, mask_positions, tokens, where, return_attention)
                cls_out, attn = self.layers[-1](sequence, values, hidden[..., 0], return_attention)
                attention.append(attn)
            out = self._decode(cls_out, basis)
        if return_attention == "cls":
            return out, cls_out, torch.stack(attention)
        return (out, cls_out, attention[-1]) if return_attention else (out, cls_out)

    def _encode(self, x, mask_positions, tokens, where, return_attention):
        """States of the mixing layers, CLS first, and their attention as asked for."""
        hidden = patches(mask_positions, self.patch_size).any(dim=-1, keepdim=True)
        embedded = self.embed(tokens)
        if hasattr(self, "embed_contrasts"):
            embedded = embedded + self.embed_contrasts(contrasts(x, ~mask_positions, self.patch_size))
        embedded = torch.where(hidden, self.mask_token.to(x.dtype), embedded) + self.frequency(where)
        embedded = embedded + self.position[: embedded.shape[1]]
        sequence, attention = torch.cat([self.cls_token.expand(len(x), 1, -1), embedded], dim=1), []
        mixing = self.layers[:-1] if self.readout == "cls" else self.layers
        for number, layer in enumerate(mixing, start=1):
            wanted = return_attention if return_attention == "cls" or number == len(self.layers) else False
            sequence, attn = layer(sequence, wanted)
            attention.append(attn)
        return sequence, attention

    @torch.no_grad()
    def _residual_row(self, x, mask_positions, values, basis):
        """1 less the posterior of a line in the residual of the pass before, (batch, token); evenly in the first."""
        hidden = patches(mask_positions, self.patch_size).any(dim=-1)
        weights = torch.ones(hidden.shape, device=x.device)
        for _ in range(self.passes - 1):
            background = self._decode(collect(_share(weights, hidden), values), basis)
            residual = ((x - background) * LN_STD).float().masked_fill(mask_positions, torch.nan)
            n_segments = segments_measured(residual) if self.n_segments is None else self.n_segments
            residual = torch.where(mask_positions, residual.nanmedian(dim=-1, keepdim=True).values, residual)
            odds = token_odds(residual.nan_to_num(), n_segments, self.patch_size)
            weights = (odds < 0).float() if self.hard else (-odds).sigmoid().float()
        return weights.clamp(min=LEAST_WEIGHT)

    def _own_values(self, tokens, where):
        """What a token says of itself: nonlinear in its patch and frequency, before any mixing, (batch, token, d)."""
        return self.value(F.gelu(self.value_patch(tokens) + self.value_where(where)))

    def _basis(self, dtype):
        """Smooth functions of frequency, (d_model, bin), and the mean shape that their sum is added to, (bin,)."""
        where = _frequency_features(self.freqs, FASTEST_BIN, dtype)
        return self.basis(where).T, self.mean_shape(where)[:, 0]

    def _decode(self, cls_out, basis):
        """The spectrum as d_model smooth functions of frequency, their coefficients read from CLS: (batch, bin)."""
        functions, mean_shape = basis
        weights = self.coefficients(self.norm(cls_out)) / math.sqrt(len(functions))  # (batch, d_model)
        return weights @ functions + mean_shape

    def token_freqs(self, freqs: Tensor) -> Tensor:
        """Geometric centre of each token, (..., bin) Hz -> (..., token) Hz."""
        return patches(freqs.log(), self.patch_size).mean(dim=-1).exp()

    def _check(self, x, mask_positions, return_attention, attend):
        if return_attention not in ATTENTION_MODES:
            raise ValueError(f"return_attention={return_attention!r}; known: False, 'cls', True")
        if x.ndim != 2 or mask_positions.shape != x.shape:
            raise ValueError(
                f"x has shape {tuple(x.shape)} and mask_positions {tuple(mask_positions.shape)}; both are (batch, bin)"
            )
        if mask_positions.dtype != torch.bool:
            raise ValueError(f"mask_positions is {mask_positions.dtype}; give bool, True = hidden")
        if x.shape[1] != self.seq_len:
            raise ValueError(
                f"x has {x.shape[1]} bins and the model was made for seq_len={self.seq_len}; resample the spectrum, or "
                "train a model for its grid"
            )
        if attend is not None and self.readout == "token":
            raise ValueError("attend: a 'token' readout decodes no CLS; choose 'cls' or 'residual'")


def _frequency_features(freqs, fastest, dtype):
    """Sines and cosines of ln f, from one turn over twelve decades to 10^fastest radians an e-fold: (..., 2N)."""
    scales = torch.logspace(-1, fastest, N_FOURIER, dtype=freqs.dtype, device=freqs.device)
    phases = freqs.log()[..., None] * scales
    return torch.cat([phases.sin(), phases.cos()], dim=-1).to(dtype)


def _share(weights, hidden):
    """Rows (batch, head, token) that sum to 1, hidden tokens 0; even where every token is hidden."""
    rows = weights if weights.ndim == 3 else weights[:, None]
    rows = torch.where(hidden.all(dim=-1)[:, None, None], 1.0, rows.float().masked_fill(hidden[:, None], 0.0))
    return rows / rows.sum(dim=-1, keepdim=True).clamp(min=torch.finfo(rows.dtype).tiny)


def _two_layers(d_in, d_hidden, d_out):
    return nn.Sequential(nn.Linear(d_in, d_hidden), nn.GELU(), nn.Linear(d_hidden, d_out))


def patches(values: Tensor, patch_size: int) -> Tensor:
    """(..., bin) -> (..., token, patch); a last token that is not full repeats its last bin."""
    missing = -values.shape[-1] % patch_size
    if missing:
        values = torch.cat([values, values[..., -1:].expand(*values.shape[:-1], missing)], dim=-1)
    return values.unflatten(-1, (-1, patch_size))


# ---- what training, penalties and predictions share ----


def on_device(batch: dict[str, Tensor], device: torch.device | str) -> dict[str, Tensor]:
    """A batch where the model is; energies are for judging and stay."""
    return {name: value if name == "energies" else value.to(device) for name, value in batch.items()}


def model_inputs(batch: dict[str, Tensor], hide: Tensor | None = None) -> tuple[Tensor, Tensor]:
    """Arguments of NoiseBERT.forward: the batch's target with the bins `hide` hidden; with its masks if None."""
    hide = batch["mask"] if hide is None else hide
    return batch["target"].masked_fill(hide, 0.0), hide


def noisy_tokens(noisy: Bool[Tensor, "batch bin"], patch_size: int) -> Bool[Tensor, "batch token"]:
    """A token is noisy where it holds a noisy bin."""
    return patches(noisy, patch_size).any(dim=-1)


@torch.no_grad()
def contrasts(x: Tensor, shown: Tensor, patch_size: int) -> Tensor:
    """How far a token stands out from what is near, at five widths from 1.5 to 24 bins: (batch, token, width).

    The mean over a Gaussian less that over one four times as wide, in about standard deviations; the largest in the
    token, so that a narrow line shows wherever it stands in it.

    Parameters
    ----------
    x : (batch, bin) standardised ln PSD
    shown : (batch, bin) bool, what is hidden or missing counts nowhere
    """
    n_bins, found = x.shape[1], []
    weight = shown.to(x.dtype)
    stacked = torch.stack([x.masked_fill(~shown, 0.0), weight], dim=1).flatten(0, 1)  # (2 batch, bin)
    for pool in CONTRAST_POOLS:
        pooled = F.avg_pool1d(stacked, pool, ceil_mode=True) if pool > 1 else stacked
        smooth = correlate(pooled, torch.from_numpy(KERNELS).to(x))  # (2 batch, kernel, pool)
        total, norm = smooth.unflatten(0, (-1, 2)).unbind(dim=1)
        narrow, wide = (total / norm.clamp(min=1e-3)).unbind(dim=1)
        contrast = (narrow - wide) * math.sqrt(CONTRAST_WIDTHS[0] * pool)
        found.append(patches(contrast.repeat_interleave(pool, dim=1)[:, :n_bins], patch_size).amax(dim=-1))
    return torch.stack(found, dim=-1)
