"""The network for unknown backgrounds: what experts look at goes in, CLS attention and a score per cell come out.

Its inputs are in nblib/measured/statistic/network_inputs.py. What is shipped is scored without torch, in network.py
beside them.
"""

from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float
from torch import Tensor, nn

from nblib.cells import WIDE_CELL, cell_labels
from nblib.measured.statistic.network import CLEAN_QUANTILE, TINY
from nblib.measured.statistic.network_inputs import CHANNELS, network_inputs


@dataclass(frozen=True)
class WideOutput:
    """What the network says of spectra, per token (= cell of 10 bins).

    Attributes
    ----------
    cls_attn : (batch, head, token) rows over measured tokens, summing to 1; None from a network without attention
    logit : (batch, token) of holding a noisy bin
    strength : (batch, token) predicted ln(1 + r / 0.25), r the largest external power over background
    """

    cls_attn: Float[Tensor, "batch head token"] | None
    logit: Float[Tensor, "batch token"]
    strength: Float[Tensor, "batch token"]


class TokenLayer(nn.Module):
    """Pre-norm layer on tokens: a depthwise convolution over neighbours, self-attention, MLP.

    Attention skips missing tokens; layers without it (attends=False) cost half.

    Parameters
    ----------
    far : dilation of a convolution over 5 tokens and all channels, in the place of attention; 0 for none
    """

    def __init__(self, d_model: int, n_heads: int, dilation: int, attends: bool, far: int = 0):
        super().__init__()
        self.n_heads = n_heads
        self.norm1, self.norm2, self.norm3 = (nn.LayerNorm(d_model) for _ in range(3))
        self.near = nn.Conv1d(d_model, d_model, 7, padding=3 * dilation, dilation=dilation, groups=d_model)
        self.mix = nn.Linear(d_model, d_model)
        self.attends, self.looks_far = attends, far > 0
        if attends:
            self.in_proj, self.out_proj = nn.Linear(d_model, 3 * d_model), nn.Linear(d_model, d_model)
        elif far:
            self.far = nn.Conv1d(d_model, d_model, 5, padding=2 * far, dilation=far)
            self.out_proj = nn.Linear(d_model, d_model)
        self.linear1, self.linear2 = nn.Linear(d_model, 2 * d_model), nn.Linear(2 * d_model, d_model)

    def forward(self, x: Tensor, present: Tensor) -> Tensor:
        """x : (batch, token, d_model); present : (batch, token) False where all bins are missing."""
        near = self.near((self.norm1(x) * present[..., None]).transpose(1, 2)).transpose(1, 2)
        x = x + self.mix(F.gelu(near))
        if self.attends:
            parts = self.in_proj(self.norm2(x)).chunk(3, dim=-1)
            query, key, value = (part.unflatten(-1, (self.n_heads, -1)).transpose(1, 2) for part in parts)
            mixed = F.scaled_dot_product_attention(query, key, value, attn_mask=present[:, None, None])
            x = x + self.out_proj(mixed.transpose(1, 2).flatten(2))
        elif self.looks_far:
            far = self.far((self.norm2(x) * present[..., None]).transpose(1, 2)).transpose(1, 2)
            x = x + self.out_proj(F.gelu(far))
        return x + self.linear2(F.gelu(self.linear1(self.norm3(x))))


class WideNetwork(nn.Module):
    """Convolutional stem over bins, tokens of 10 bins, three layers, a CLS row over the tokens and a head per token.

    Parameters
    ----------
    d_model, n_heads, n_layers, channels : sizes; channels of the stem
    attends : False makes a rival of convolutions only. A convolution with the next dilation stands in the place of
        self-attention, and there is no CLS row: as many parameters to 0.3 %, 37 tokens seen to either side
    """

    def __init__(
        self, d_model: int = 64, n_heads: int = 4, n_layers: int = 3, channels: int = 24, attends: bool = True
    ):
        super().__init__()
        self.n_heads, self.attends = n_heads, attends
        self.stem = nn.ModuleList(
            [nn.Conv1d(CHANNELS, channels, 5, padding=2), nn.Conv1d(channels, channels, 5, padding=2)]
        )
        self.embed = nn.Linear(3 * channels + CHANNELS, d_model)
        last = n_layers - 1
        self.layers = nn.ModuleList(
            TokenLayer(d_model, 2, 2**number, attends and number == last, far=2**n_layers if number == last else 0)
            for number in range(n_layers)
        )
        self.norm = nn.LayerNorm(d_model)
        if attends:
            self.cls_query = nn.Linear(d_model, d_model)  # CLS asks with the mean of the tokens
            self.cls_key = nn.Linear(d_model, d_model)
        self.head = nn.Sequential(nn.Linear(d_model, d_model), nn.GELU(), nn.Linear(d_model, 2))

    def forward(self, inputs: Float[Tensor, "batch channel bin"]) -> WideOutput:
        """inputs : from network_inputs, padded at the end with zeros to a common length."""
        missing = -inputs.shape[-1] % WIDE_CELL
        inputs = F.pad(inputs, (0, missing))
        measured = inputs[:, -1:]  # (batch, 1, bin)
        hidden = F.gelu(self.stem[0](inputs))
        hidden = (hidden + F.gelu(self.stem[1](hidden))) * measured
        present = measured[:, 0].unflatten(1, (-1, WIDE_CELL)).sum(dim=-1)  # (batch, token) measured bins
        inside = hidden.unflatten(2, (-1, WIDE_CELL))  # (batch, channel, token, bin)
        mean = inside.sum(dim=-1) / present.clamp(min=1)[:, None]
        raw = inputs.unflatten(2, (-1, WIDE_CELL)).mean(dim=-1)
        pooled = torch.cat([mean, inside.amax(dim=-1), inside.amin(dim=-1), raw], dim=1).transpose(1, 2)
        x, there = self.embed(pooled), present > 0
        for layer in self.layers:
            x = layer(x, there)
        x = self.norm(x)
        logit, strength = self.head(x).unbind(dim=-1)
        return WideOutput(self._cls_row(x, there) if self.attends else None, logit, strength)

    def _cls_row(self, x, there):
        """(batch, head, token): attention of CLS over the measured tokens."""
        middle = (x * there[..., None]).sum(dim=1) / there.sum(dim=1, keepdim=True).clamp(min=1)
        query = self.cls_query(middle)[:, None].unflatten(-1, (self.n_heads, -1)).transpose(1, 2)
        key = self.cls_key(x).unflatten(-1, (self.n_heads, -1)).transpose(1, 2)  # (batch, head, token, head_dim)
        logits = (query * key).sum(dim=-1) / key.shape[-1] ** 0.5
        return logits.masked_fill(~there[:, None], -torch.inf).softmax(dim=-1)


CELL_SCORES = ("attention", "head", "strength")


def cell_score(output: WideOutput, kind: str, present: Bool[Tensor, "batch token"]) -> Float[Tensor, "batch token"]:
    """Contamination per cell, higher where noise is more likely; NaN where no bin is measured.

    Parameters
    ----------
    kind : "attention" = -ln(mean over heads of the CLS row over a clean token's: network.relative_attention),
        "head" = the token head's logit, "strength" = its predicted strength, which goes on rising where the logit
        saturates

    Raises
    ------
    ValueError for another kind, and for "attention" of a network without it
    """
    if kind not in CELL_SCORES:
        raise ValueError(f"unknown score {kind!r}; known: {', '.join(CELL_SCORES)}")
    if kind == "attention":
        if output.cls_attn is None:
            raise ValueError("the network has no attention; use 'head' or 'strength'")
        row = output.cls_attn.mean(dim=1)
        clean = row.masked_fill(~present, torch.nan).nanquantile(CLEAN_QUANTILE, dim=1, keepdim=True).clamp(min=TINY)
        scores = -(row / clean).clamp(min=TINY).log()
    else:
        scores = output.logit if kind == "head" else output.strength
    return scores.masked_fill(~present, torch.nan)


@torch.no_grad()
def network_cells(model: WideNetwork, freqs, psd, valid, n_segments=None) -> dict[str, np.ndarray]:
    """Scores per 10-bin cell of one spectrum, by kind; NaN where no bin is measured.

    The kinds are CELL_SCORES, without "attention" where the network has none.
    """
    output = model(torch.from_numpy(network_inputs(freqs, psd, valid, n_segments))[None])
    present = torch.from_numpy(cell_labels(valid, WIDE_CELL))[None]
    kinds = CELL_SCORES if model.attends else CELL_SCORES[1:]
    return {kind: cell_score(output, kind, present)[0].numpy().astype(np.float64) for kind in kinds}
