"""Attention of the encoder: layers that can show what CLS attends to, and the readout that sees nothing else."""

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class AttentionWithWeights(nn.Module):
    """Multi-head self-attention on the fused kernel that can also show what CLS (position 0) attends to.

    Parameters are named and shaped as torch.nn.MultiheadAttention's, so its state_dict loads unchanged.

    Parameters
    ----------
    d_model, n_heads : width and heads, d_model a multiple of n_heads
    dropout : on the attention weights, during training
    """

    def __init__(self, d_model: int, n_heads: int, dropout: float = 0.0):
        super().__init__()
        if n_heads < 1 or d_model % n_heads:
            raise ValueError(f"d_model={d_model} must be a multiple of n_heads={n_heads}")
        self.n_heads, self.dropout = n_heads, dropout
        self.in_proj_weight = nn.Parameter(torch.empty(3 * d_model, d_model))
        self.in_proj_bias = nn.Parameter(torch.zeros(3 * d_model))
        self.out_proj = nn.Linear(d_model, d_model)
        nn.init.xavier_uniform_(self.in_proj_weight)
        nn.init.zeros_(self.out_proj.bias)

    def forward(self, x: Tensor, return_attention: bool | str = False) -> tuple[Tensor, Tensor | None]:
        """Attend.

        Parameters
        ----------
        x : (batch, L, d_model), CLS first
        return_attention : False; "cls" = CLS's row over the other keys, renormalised, before dropout, (batch, head,
            L-1), in O(L) memory; True = all weights before dropout (batch, head, L, L)

        Returns
        -------
        output (batch, L, d_model) - the same whichever is asked - and the attention or None
        """
        query, key, value = self._project(x)  # (batch, head, query, head_dim)
        dropout = self.dropout if self.training else 0.0
        mixed = F.scaled_dot_product_attention(query, key, value, dropout_p=dropout)
        out = self.out_proj(mixed.transpose(1, 2).flatten(2))  # (batch, query, d_model)
        if return_attention == "cls":
            return out, self._cls_row(query[:, :, :1], key)
        if return_attention:
            return out, (query @ key.transpose(-1, -2) / math.sqrt(key.shape[-1])).softmax(dim=-1)
        return out, None

    def _project(self, x):
        query, key, value = F.linear(x, self.in_proj_weight, self.in_proj_bias).chunk(3, dim=-1)
        return tuple(part.unflatten(-1, (self.n_heads, -1)).transpose(1, 2) for part in (query, key, value))

    def _cls_row(self, cls_query, key):
        """Softmax over every key but CLS's own: equal to the full row without that key, renormalised."""
        # (batch, head, L): one product a key, in float32 at least so that small attention survives half precision
        with torch.autocast(key.device.type, enabled=False):
            wide = torch.promote_types(key.dtype, torch.float32)
            logits = (key.to(wide) @ cls_query.to(wide).transpose(-1, -2))[..., 0] / math.sqrt(key.shape[-1])
            return logits[..., 1:].softmax(dim=-1)


class EncoderLayer(nn.Module):
    """Pre-norm transformer layer."""

    def __init__(self, d_model: int, n_heads: int, dim_feedforward: int, dropout: float):
        super().__init__()
        self.norm1, self.norm2 = nn.LayerNorm(d_model), nn.LayerNorm(d_model)
        self.attention = AttentionWithWeights(d_model, n_heads, dropout)
        self.linear1, self.linear2 = nn.Linear(d_model, dim_feedforward), nn.Linear(dim_feedforward, d_model)
        self.dropout = nn.Dropout(dropout)

    def forward(self, x, return_attention=False):
        attended, attn = self.attention(self.norm1(x), return_attention)
        x = x + self.dropout(attended)
        hidden = self.dropout(F.relu(self.linear1(self.norm2(x))))
        return x + self.dropout(self.linear2(hidden)), attn


class ReadoutAttention(nn.Module):
    """CLS's attention in the last layer of a "cls" readout: the encoder says where to look, the values what is seen.

    Query and keys come from the encoder's tokens. The values are given, so that nothing the layers mixed can pass;
    CLS has no key and no value of its own, and hidden tokens get exactly 0.
    """

    def __init__(self, d_model: int, n_heads: int, dropout: float = 0.0):
        super().__init__()
        self.n_heads, self.dropout = n_heads, dropout
        self.norm = nn.LayerNorm(d_model)
        self.query, self.key = nn.Linear(d_model, d_model), nn.Linear(d_model, d_model)

    def forward(
        self, x: Tensor, values: Tensor, hidden: Tensor, return_attention: bool | str = False
    ) -> tuple[Tensor, Tensor | None]:
        """Collect the values.

        Parameters
        ----------
        x : (batch, L, d_model) the encoder's last states, CLS first
        values : (batch, L-1, d_model) the tokens' own embeddings
        hidden : (batch, L-1) bool, True = masked out
        return_attention : False; "cls" = CLS's row over the tokens before dropout, (batch, head, L-1); True = what
            every position would attend to (batch, head, L, L), its CLS column 0

        Returns
        -------
        the weighted sum of values (batch, d_model) and the attention or None
        """
        row = self.rows(x[:, :1], x[:, 1:], hidden)[:, :, 0]  # (batch, head, token)
        collected = collect(F.dropout(row, self.dropout, self.training), values)
        if return_attention == "cls":
            return collected, row
        if return_attention:
            return collected, F.pad(self.rows(x, x[:, 1:], hidden), (1, 0))
        return collected, None

    def rows(self, queries: Tensor, tokens: Tensor, hidden: Tensor) -> Tensor:
        """Softmax over the tokens that are not hidden, (batch, head, query, token); even where all of them are."""
        query, key = self.query(self.norm(queries)), self.key(self.norm(tokens))
        query, key = (part.unflatten(-1, (self.n_heads, -1)).transpose(1, 2) for part in (query, key))
        with torch.autocast(key.device.type, enabled=False):  # small attention must survive half precision
            wide = torch.promote_types(key.dtype, torch.float32)
            logits = query.to(wide) @ key.to(wide).transpose(-1, -2) / math.sqrt(key.shape[-1])
            return logits.masked_fill(hidden[:, None, None], torch.finfo(wide).min).softmax(dim=-1)


def collect(rows: Tensor, values: Tensor) -> Tensor:
    """The values' sum with CLS's weights: (batch, head, token), (batch, token, d_model) -> (batch, d_model)."""
    heads = values.unflatten(-1, (rows.shape[1], -1))  # (batch, token, head, head_dim)
    return torch.einsum("bht,bthd->bhd", rows.to(values.dtype), heads).flatten(1)
