"""The encoder: patches of a spectrum in, filled-in spectrum and CLS out, CLS attention captured beside the kernel."""

import math

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Bool
from torch import Tensor, nn

READOUTS = ("token", "cls")
ATTENTION_MODES = (False, "cls", True)
N_FOURIER = 16  # sine/cosine pairs of ln f that tell a token where it stands


class AttentionWithWeights(nn.Module):
    """Multi-head self-attention on the fused kernel that can also show what CLS (position 0) attends to.

    d_model, n_heads : width and heads, d_model a multiple of n_heads
    dropout          : on the attention weights, during training

    Parameters are named and shaped as torch.nn.MultiheadAttention's, so its state_dict loads unchanged.
    After a call with return_attention="cls", `cls_self_share` (batch, head) holds what CLS kept for itself.
    """

    def __init__(self, d_model: int, n_heads: int, dropout: float = 0.0):
        super().__init__()
        if n_heads < 1 or d_model % n_heads:
            raise ValueError(f"d_model={d_model} must be a multiple of n_heads={n_heads}")
        self.n_heads, self.dropout = n_heads, dropout
        self.in_proj_weight = nn.Parameter(torch.empty(3 * d_model, d_model))
        self.in_proj_bias = nn.Parameter(torch.zeros(3 * d_model))
        self.out_proj = nn.Linear(d_model, d_model)
        self.cls_self_share: Tensor | None = None
        nn.init.xavier_uniform_(self.in_proj_weight)
        nn.init.zeros_(self.out_proj.bias)

    def forward(
        self, x: Tensor, return_attention: bool | str = False, only_cls: bool = False
    ) -> tuple[Tensor, Tensor | None]:
        """Attend.

        x : (batch, L, d_model), CLS first
        return_attention : False; "cls" = CLS's row over the other keys, renormalised, before dropout,
            (batch, head, L-1), in O(L) memory; True = all weights before dropout (batch, head, L, L)
        only_cls : compute the output of position 0 alone, (batch, 1, d_model): what a CLS readout needs
        returns : output (batch, L, d_model) - the same whichever is asked - and the attention or None
        """
        query, key, value = self._project(x, only_cls)  # (batch, head, query, head_dim)
        dropout = self.dropout if self.training else 0.0
        mixed = F.scaled_dot_product_attention(query, key, value, dropout_p=dropout)
        out = self.out_proj(mixed.transpose(1, 2).flatten(2))  # (batch, query, d_model)
        if return_attention == "cls":
            return out, self._cls_row(query[:, :, :1], key)
        if return_attention:
            query = self._project(x, only_cls=False)[0] if only_cls else query
            return out, (query @ key.transpose(-1, -2) / math.sqrt(key.shape[-1])).softmax(dim=-1)
        return out, None

    def _project(self, x, only_cls):
        batch, length, d_model = x.shape
        if only_cls:
            query = F.linear(x[:, :1], self.in_proj_weight[:d_model], self.in_proj_bias[:d_model])
            key_value = F.linear(x, self.in_proj_weight[d_model:], self.in_proj_bias[d_model:])
            key, value = key_value.chunk(2, dim=-1)
        else:
            query, key, value = F.linear(x, self.in_proj_weight, self.in_proj_bias).chunk(3, dim=-1)
        return tuple(part.unflatten(-1, (self.n_heads, -1)).transpose(1, 2) for part in (query, key, value))

    def _cls_row(self, cls_query, key):
        """Softmax over every key but CLS's own: equal to the full row without that key, renormalised."""
        # (batch, head, L): one product a key, in float32 at least so that small attention survives half precision
        with torch.autocast(key.device.type, enabled=False):
            wide = torch.promote_types(key.dtype, torch.float32)
            logits = (key.to(wide) @ cls_query.to(wide).transpose(-1, -2))[..., 0] / math.sqrt(key.shape[-1])
            self.cls_self_share = logits.detach().softmax(dim=-1)[..., 0]
            return logits[..., 1:].softmax(dim=-1)


class EncoderLayer(nn.Module):
    """Pre-norm transformer layer; with only_cls it computes position 0 alone."""

    def __init__(self, d_model: int, n_heads: int, dim_feedforward: int, dropout: float):
        super().__init__()
        self.norm1, self.norm2 = nn.LayerNorm(d_model), nn.LayerNorm(d_model)
        self.attention = AttentionWithWeights(d_model, n_heads, dropout)
        self.linear1, self.linear2 = nn.Linear(d_model, dim_feedforward), nn.Linear(dim_feedforward, d_model)
        self.dropout = nn.Dropout(dropout)

    def forward(self, x, return_attention=False, only_cls=False):
        attended, attn = self.attention(self.norm1(x), return_attention, only_cls)
        x = (x[:, :1] if only_cls else x) + self.dropout(attended)
        hidden = self.dropout(F.relu(self.linear1(self.norm2(x))))
        return x + self.dropout(self.linear2(hidden)), attn


class NoiseBERT(nn.Module):
    """Small BERT-like encoder of power spectral densities.

    seq_len    : bins of a spectrum; a last token that is not full is padded inside and cropped again
    d_model, n_heads, num_layers, dim_feedforward, dropout : the encoder's sizes
    max_len    : largest seq_len that the position table allows for; seq_len if None
    patch_size : bins per token; 1 = the starting study's point tokens, 20 = the CPU default
    readout    : "token" = each token predicts itself; "cls" = all bins are decoded from the CLS vector alone
    freqs      : (seq_len,) Hz, the grid the model is made for; 1, 2, ..., seq_len if None
    any_grid   : True for models of the `wide` preset: positions come from ln f alone, freqs and level are given at
                 each call, and any grid of at most max_len bins is taken
    masked_error : what it is trained with: a squared error fits E[ln x], which lies below ln S
    raises     : ValueError that names the value, the rule and the fix
    """

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
        any_grid: bool = False,
        masked_error: str = "squared",
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
        self.readout, self.any_grid, self.masked_error = readout, any_grid, masked_error
        grid = torch.arange(1, seq_len + 1, dtype=torch.float64) if freqs is None else torch.as_tensor(np.array(freqs))
        if grid.shape != (seq_len,):
            raise ValueError(f"freqs has shape {tuple(grid.shape)}; the model's seq_len={seq_len} needs as many")
        self.register_buffer("freqs", grid, persistent=True)
        self.embed = nn.Linear(patch_size, d_model)
        self.mask_token = nn.Parameter(torch.randn(d_model) * 0.02)
        self.cls_token = nn.Parameter(torch.randn(d_model) * 0.02)
        self.frequency = nn.Linear(2 * N_FOURIER, d_model)
        if any_grid:
            self.level = nn.Linear(1, d_model)
        else:
            self.position = nn.Parameter(torch.randn(-(-max_len // patch_size), d_model) * 0.02)
        sizes = (d_model, n_heads, dim_feedforward, dropout)
        self.layers = nn.ModuleList(EncoderLayer(*sizes) for _ in range(num_layers))
        self.norm = nn.LayerNorm(d_model)
        if readout == "cls":
            self.coefficients = _two_layers(d_model, dim_feedforward, d_model)
            self.basis = _two_layers(2 * N_FOURIER, dim_feedforward, patch_size * d_model)
            self.mean_shape = nn.Linear(2 * N_FOURIER, patch_size)
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
        freqs: Tensor | None = None,
        level: Tensor | None = None,
    ):
        """Fill in a spectrum.

        x : (batch, bin) standardised ln PSD; what masked bins hold is not read
        mask_positions : (batch, bin) bool, True = hidden; a token with any masked bin is hidden whole
        return_attention : False, "cls" or True, see below
        freqs : (batch, bin) or (bin,) Hz. any_grid models need it; the others check it against their own grid
        level : (batch,) ln units, used by any_grid models
        returns : out (batch, bin), cls_out (batch, d_model), and if attention is asked for
            "cls": cls_attn (layer, batch, head, token), CLS's own key removed, rows sum to 1
            True : the last layer's weights (batch, head, L+1, L+1)
        raises : ValueError for shapes, masks, grids or modes that do not fit
        """
        self._check(x, mask_positions, return_attention)
        grid = self._grid(x, freqs)
        n_bins = x.shape[1]
        tokens = patches(x, self.patch_size)  # (batch, token, patch)
        hidden = patches(mask_positions, self.patch_size).any(dim=-1, keepdim=True)
        where = self._frequency_features(grid)  # (batch or 1, token, 2 * N_FOURIER)
        embedded = torch.where(hidden, self.mask_token.to(x.dtype), self.embed(tokens)) + self.frequency(where)
        cls = self.cls_token.expand(len(x), 1, -1)
        if self.any_grid:
            level = x.new_zeros(len(x)) if level is None else level.to(x.dtype)
            cls = cls + self.level(level[:, None, None] / 100)  # ln levels of real spectra reach -100
        else:
            embedded = embedded + self.position[: embedded.shape[1]]
        encoded, rows, weights = self._encode(torch.cat([cls, embedded], dim=1), return_attention)
        cls_out = encoded[:, 0]
        out = self._decode(cls_out, where) if self.readout == "cls" else self.head(encoded[:, 1:])
        out = out.flatten(1)[:, :n_bins]
        if return_attention == "cls":
            return out, cls_out, torch.stack(rows)
        return (out, cls_out, weights) if return_attention else (out, cls_out)

    def _encode(self, sequence, return_attention):
        """Run the layers; a CLS readout needs the last layer at position 0 only."""
        rows, weights = [], None
        last = len(self.layers) - 1
        for number, layer in enumerate(self.layers):
            mode = return_attention if return_attention == "cls" or number == last else False
            sequence, attn = layer(sequence, mode, only_cls=self.readout == "cls" and number == last)
            if mode == "cls":
                rows.append(attn)
            elif mode:
                weights = attn
        return self.norm(sequence), rows, weights

    def _decode(self, cls_out, where):
        """The spectrum as d_model functions of frequency, their coefficients read from CLS: (batch, token, patch)."""
        basis = self.basis(where).unflatten(-1, (self.patch_size, -1))  # (batch or 1, token, patch, d_model)
        weights = self.coefficients(cls_out) / math.sqrt(basis.shape[-1])  # (batch, d_model)
        if len(basis) == 1:  # one grid for the whole batch
            shapes = (weights @ basis[0].flatten(0, 1).T).unflatten(1, (-1, self.patch_size))
        else:
            shapes = torch.einsum("bd,btpd->btp", weights, basis)
        return shapes + self.mean_shape(where)

    @property
    def cls_self_share(self) -> Tensor:
        """(layer, batch, head) attention that CLS kept for itself in the last call with "cls"; no gradient."""
        return torch.stack([layer.attention.cls_self_share for layer in self.layers])  # type: ignore[union-attr,misc]

    def token_freqs(self, freqs: Tensor) -> Tensor:
        """Geometric centre of each token, (..., bin) Hz -> (..., token) Hz."""
        return patches(freqs.log(), self.patch_size).mean(dim=-1).exp()

    def _frequency_features(self, grid):
        """Sines and cosines of ln f, from one turn over twelve decades down to a few bins: (batch, token, 2F)."""
        log_freqs = self.token_freqs(grid).log()
        scales = torch.logspace(-1, 1.8, N_FOURIER, dtype=grid.dtype, device=grid.device)
        phases = log_freqs[..., None] * scales
        return torch.cat([phases.sin(), phases.cos()], dim=-1).to(self.mask_token.dtype)

    def _grid(self, x, freqs):
        if self.any_grid:
            if freqs is None:
                raise ValueError("a model made with any_grid=True needs freqs (Hz) at each call")
            freqs = torch.as_tensor(freqs, dtype=torch.float64, device=x.device)
            if freqs.shape[-1] != x.shape[1]:
                raise ValueError(f"freqs has {freqs.shape[-1]} bins and x has {x.shape[1]}; give one frequency a bin")
            return freqs if freqs.ndim == 2 else freqs[None]
        if freqs is not None:
            given = torch.as_tensor(freqs, dtype=torch.float64, device=x.device)
            if given.shape[-1] != self.seq_len or not torch.allclose(given, self.freqs.expand_as(given), rtol=1e-6):
                raise ValueError(
                    f"this model was made for {self.seq_len} bins at {self.freqs[0]:g}..{self.freqs[-1]:g} Hz, the "
                    f"spectrum has {given.shape[-1]} at {given.min():g}..{given.max():g} Hz; train a model with "
                    "preset='wide' for other grids, or resample the spectrum"
                )
        return self.freqs[None]

    def _check(self, x, mask_positions, return_attention):
        if return_attention not in ATTENTION_MODES:
            raise ValueError(f"return_attention={return_attention!r}; known: False, 'cls', True")
        if x.ndim != 2 or mask_positions.shape != x.shape:
            raise ValueError(
                f"x has shape {tuple(x.shape)} and mask_positions {tuple(mask_positions.shape)}; both are (batch, bin)"
            )
        if mask_positions.dtype != torch.bool:
            raise ValueError(f"mask_positions is {mask_positions.dtype}; give bool, True = hidden")
        if self.any_grid and not self.patch_size <= x.shape[1] <= self.max_len:
            raise ValueError(f"x has {x.shape[1]} bins; this model takes {self.patch_size}..{self.max_len}")
        if not self.any_grid and x.shape[1] != self.seq_len:
            raise ValueError(
                f"x has {x.shape[1]} bins and the model was made for seq_len={self.seq_len}; use preset='wide' or "
                "resample the spectrum"
            )


def _two_layers(d_in, d_hidden, d_out):
    return nn.Sequential(nn.Linear(d_in, d_hidden), nn.GELU(), nn.Linear(d_hidden, d_out))


def patches(values: Tensor, patch_size: int) -> Tensor:
    """(..., bin) -> (..., token, patch); a last token that is not full repeats its last bin."""
    missing = -values.shape[-1] % patch_size
    if missing:
        values = torch.cat([values, values[..., -1:].expand(*values.shape[:-1], missing)], dim=-1)
    return values.unflatten(-1, (-1, patch_size))


# ---- what the penalties share ----


def noisy_tokens(noisy: Bool[Tensor, "batch bin"], patch_size: int) -> Bool[Tensor, "batch token"]:
    """A token is noisy where it holds a noisy bin."""
    return patches(noisy, patch_size).any(dim=-1)
