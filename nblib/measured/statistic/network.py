"""The shipped network for unknown backgrounds, scored with numpy alone: a detector must start without torch.

The same function as evidence.unknown.network.WideNetwork in eval mode (tests compare them); attention is computed in
blocks of queries, so that memory grows with the number of bins and not with its square.
"""

import hashlib
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from pathlib import Path

import numpy as np
from jaxtyping import Bool, Float
from numpy import ndarray
from safetensors import SafetensorError
from safetensors.numpy import load, load_file

from nblib.cells import WIDE_CELL
from nblib.measured.statistic.network_inputs import network_inputs

WEIGHTS = "wide_network.safetensors"  # shipped; wide_network.json says how they came about
WEIGHTS_SHA256 = "02e575123ae67b19e0cfd9b7349ef5f25a0f13165bcd67453b9c441056afa360"  # train_wide.py prints it
CLS_HEADS, LAYER_HEADS = 4, 2
KERNEL, NEAR_KERNEL = 5, 7
EPSILON = 1e-5  # of the layer norms
ERF_SERIES = np.array([4.30638e-5, 2.765672e-4, 1.520143e-4, 9.2705272e-3, 4.22820123e-2, 7.05230784e-2], np.float32)
CLEAN_QUANTILE = 0.75  # of a CLS row: attention that a clean token gets, unless most of the axis is noise
TINY = float(np.finfo(np.float32).tiny)  # a row may put all it has on a few tokens
FAR_OUT = np.float32(10)  # from which on x Phi(x) is 0 or x in single precision
QUERIES = 512  # attended at a time
FEWEST_BINS, MOST_BINS = 300, 10_000  # of the spectra that it was trained on or tested with
FEWEST_SEGMENTS = 3.0  # K; its spectra had 4 and more


@dataclass(frozen=True, eq=False)
class Evidence:
    """What the network says of one spectrum, per cell of 10 bins; NaN where no bin is measured.

    Attributes
    ----------
    attention : CLS attention over a clean cell's, mean over heads: see relative_attention
    log_odds : of holding a contaminated bin, nats
    """

    attention: Float[ndarray, " cell"]
    log_odds: Float[ndarray, " cell"]


def in_range(n_bins: int, n_segments: float) -> bool:
    """Has the network met spectra of this many bins and averages K?"""
    return FEWEST_BINS <= n_bins <= MOST_BINS and n_segments >= FEWEST_SEGMENTS


def network_evidence(
    freqs: Float[ndarray, " bin"],
    psd: Float[ndarray, " bin"],
    valid: Bool[ndarray, " bin"],
    n_segments: float | Float[ndarray, " bin"] | None = None,
    weights: dict[str, ndarray] | None = None,
) -> Evidence:
    """Attention and log-odds of every cell; arguments as in network_inputs, and the shipped weights if None."""
    rows, logit, _ = forward(network_inputs(freqs, psd, valid, n_segments), weights)
    present = np.logical_or.reduceat(valid, np.arange(0, len(valid), WIDE_CELL))
    return Evidence(relative_attention(rows, present), np.where(present, logit, np.nan).astype(np.float64))


def relative_attention(rows: Float[ndarray, "head cell"], present: Bool[ndarray, " cell"]) -> Float[ndarray, " cell"]:
    """CLS attention, mean over heads, over what a clean cell gets: below 1 where CLS looks away; NaN where absent.

    A clean cell gets the row's upper quartile. Over the row's mean, attention would rank the cells of a spectrum with
    much noise too low: there the clean cells share what the noise does not get.
    """
    row = np.where(present, rows.mean(axis=0), np.nan).astype(np.float64)
    return row / max(np.quantile(row[present], CLEAN_QUANTILE), TINY)


@cache
def _weights() -> dict[str, ndarray]:
    """The shipped weights; raises ValueError where they are not those that were trained, as after a cut copy."""
    content = (files("nblib.measured.statistic") / WEIGHTS).read_bytes()
    if hashlib.sha256(content).hexdigest() != WEIGHTS_SHA256:
        raise ValueError(f"{WEIGHTS} of the package is damaged or was changed; install nblib again")
    return load(content)


def load_weights(path: str | Path) -> dict[str, ndarray]:
    """Weights of a network like the shipped one, from a checkpoint of its training or a file of weights alone.

    Raises
    ------
    ValueError for a file that is missing, is not a safetensors file, or holds another network
    """
    try:
        tensors = load_file(path)
    except FileNotFoundError:
        raise ValueError(
            f"{str(path)!r} is not there; name a .safetensors file of evidence/benchmarks/train_wide.py"
        ) from None
    except SafetensorError as error:
        raise ValueError(f"{str(path)!r} is not a safetensors file: {error}") from None
    weights = {name.removeprefix("model."): row for name, row in tensors.items() if not name.startswith("optimizer.")}
    shapes, asked = ({name: row.shape for name, row in part.items()} for part in (weights, _weights()))
    if shapes != asked:
        odd = sorted(name for name in {*shapes, *asked} if shapes.get(name) != asked.get(name))
        raise ValueError(
            f"{str(path)!r} holds another network than the shipped one: {len(odd)} weights differ in name or shape, "
            f"first {odd[0]!r}; train one with evidence/benchmarks/train_wide.py"
        )
    return weights


def weights_key(weights: dict[str, ndarray]) -> str:
    """A name that follows from the numbers."""
    digest = hashlib.sha256()
    for name in sorted(weights):
        digest.update(name.encode() + np.ascontiguousarray(weights[name]).tobytes())
    return digest.hexdigest()[:12]


def forward(
    inputs: Float[ndarray, "channel bin"], weights: dict[str, ndarray] | None = None
) -> tuple[Float[ndarray, "head token"], Float[ndarray, " token"], Float[ndarray, " token"]]:
    """CLS rows, logits and strengths (network.WideOutput) of one spectrum; weights : the shipped ones if None."""
    weights = weights or _weights()
    inputs = np.pad(inputs, ((0, 0), (0, -inputs.shape[1] % WIDE_CELL)))
    measured = inputs[-1]
    hidden = _gelu(_convolved(inputs, weights, "stem.0"))
    hidden = (hidden + _gelu(_convolved(hidden, weights, "stem.1"))) * measured
    inside, raw = _by_token(hidden), _by_token(inputs).mean(axis=0)  # (bin, channel, token), (channel, token)
    present = measured.reshape(-1, WIDE_CELL).sum(axis=1)  # (token,) measured bins
    mean = inside.sum(axis=0) / np.maximum(present, 1)
    x = _linear(np.concatenate([mean, inside.max(axis=0), inside.min(axis=0), raw]).T, weights, "embed")
    there = present > 0
    number = 0
    while f"layers.{number}.mix.weight" in weights:
        x = _layer(x, there, weights, f"layers.{number}", 2**number)
        number += 1
    x = _norm(x, weights, "norm")
    middle = x[there].sum(axis=0) / max(there.sum(), 1)
    query = _linear(middle, weights, "cls_query").reshape(CLS_HEADS, -1)
    key = _linear(x, weights, "cls_key").reshape(len(x), CLS_HEADS, -1)  # (token, head, head_dim)
    logits = np.einsum("hd,thd->ht", query, key) / np.float32(np.sqrt(key.shape[2]))
    rows = _softmax(np.where(there, logits, -np.inf))
    logit, strength = _linear(_gelu(_linear(x, weights, "head.0")), weights, "head.2").T
    return rows, logit, strength


def _by_token(x):
    """(channel, bin) as (bin of the token, channel, token): reductions along the first axis cost least."""
    return np.ascontiguousarray(x.reshape(len(x), -1, WIDE_CELL).transpose(2, 0, 1))


def _layer(x, there, weights, name, dilation):
    """network.TokenLayer; x : (token, d_model)."""
    normed = _norm(x, weights, f"{name}.norm1") * there[:, None]
    taps = np.ascontiguousarray(weights[f"{name}.near.weight"][:, 0].T)  # (tap, d_model)
    reach = dilation * (NEAR_KERNEL // 2)
    padded = np.pad(normed, ((reach, reach), (0, 0)))
    near = weights[f"{name}.near.bias"] + padded[: len(x)] * taps[0]
    for tap in range(1, NEAR_KERNEL):
        near += padded[tap * dilation : tap * dilation + len(x)] * taps[tap]
    x = x + _linear(_gelu(near), weights, f"{name}.mix")
    if f"{name}.in_proj.weight" in weights:
        mixed = _attended(_linear(_norm(x, weights, f"{name}.norm2"), weights, f"{name}.in_proj"), there)
        x = x + _linear(mixed, weights, f"{name}.out_proj")
    inner = _gelu(_linear(_norm(x, weights, f"{name}.norm3"), weights, f"{name}.linear1"))
    return x + _linear(inner, weights, f"{name}.linear2")


def _attended(projected, there):
    """Self-attention over the measured tokens; projected : (token, 3 d_model)."""
    parts = np.split(projected, 3, axis=1)
    query, key, value = (
        part.reshape(len(part), LAYER_HEADS, -1).transpose(1, 0, 2) for part in parts
    )  # (head, token, dim)
    key, value = key[:, there].transpose(0, 2, 1), value[:, there]
    query = query / np.float32(np.sqrt(query.shape[2]))
    mixed = [_softmax(query[:, low : low + QUERIES] @ key) @ value for low in range(0, len(projected), QUERIES)]
    return np.concatenate(mixed, axis=1).transpose(1, 0, 2).reshape(len(projected), -1)


def _convolved(x, weights, name):
    """Convolution along bins with zeros beyond the ends; x : (channel, bin)."""
    kernel, half = weights[f"{name}.weight"], KERNEL // 2  # (out, channel, tap)
    padded, n_bins = np.pad(x, ((0, 0), (half, half))), x.shape[1]
    taps = np.ascontiguousarray(kernel.transpose(2, 0, 1))
    convolved = taps[0] @ padded[:, :n_bins]
    part = np.empty_like(convolved)
    for tap in range(1, KERNEL):
        convolved += np.matmul(taps[tap], padded[:, tap : tap + n_bins], out=part)
    convolved += weights[f"{name}.bias"][:, None]
    return convolved


def _linear(x, weights, name):
    return x @ weights[f"{name}.weight"].T + weights[f"{name}.bias"]


def _norm(x, weights, name):
    centred = x - x.mean(axis=-1, keepdims=True)
    scaled = centred / np.sqrt((centred**2).mean(axis=-1, keepdims=True) + np.float32(EPSILON))
    return scaled * weights[f"{name}.weight"] + weights[f"{name}.bias"]


def _gelu(x):
    """x Phi(x), with the error function of Abramowitz and Stegun 7.1.28 (off by 3e-7): faster than scipy's."""
    size = np.minimum(np.abs(x), FAR_OUT)  # the powers must stay finite
    scaled = size * np.float32(np.sqrt(0.5))
    series = scaled * ERF_SERIES[0]
    for factor in ERF_SERIES[1:]:
        series += factor
        series *= scaled
    series += 1
    for _ in range(4):  # to the 16th power
        series *= series
    size /= series  # twice |x| times the tail of the normal distribution beyond |x|
    size *= np.float32(0.5)
    return np.maximum(x, 0) - size


def _softmax(logits):
    """Along the last axis, in place: of all queries and keys they are the largest array there is."""
    logits -= logits.max(axis=-1, keepdims=True)
    np.exp(logits, out=logits)
    logits /= logits.sum(axis=-1, keepdims=True)
    return logits
