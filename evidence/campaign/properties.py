"""What must hold of any input: labels, masks, attention rows, losses and their gradients, flags, fits."""

from collections.abc import Callable
from functools import cache

import hypothesis.strategies as st
import numpy as np
import torch
from hypothesis import HealthCheck, Phase, given, seed, settings

from nblib import NoiseBERT, NoiseBERTDataset, NoiseDetector, fit_spectrum
from nblib.cells import N_INTERVALS, NOISY_RATIO, cell_labels, noise_interval
from nblib.losses import MASKED_ERRORS, REGULARIZERS, masked_error
from nblib.simulation.noise import FAMILIES, draw_external

ROW_ERROR = 1e-4  # of a sum over 150 single-precision shares
FIT_ERROR = 2e-3  # relative, of a corner found again; its interval is a hundred times wider
SEEDS = st.integers(0, 2**32 - 1)
LEVELS = st.integers(-100, 60)  # powers of two: a unit that rounds nothing
AXES = st.tuples(st.integers(300, 1200), st.floats(0.01, 400.0), st.booleans())  # vibration ends at 500 Hz


STRATEGIES: dict[Callable, tuple] = {}  # of each property's arguments


def of(*strategies: st.SearchStrategy) -> Callable[[Callable], Callable]:
    """Decorator: what a property's arguments are drawn from; it can be tried again and again."""

    def register(function):
        STRATEGIES[function] = strategies
        return function

    return register


def _axis(n_bins: int, df: float, is_log: bool):
    return df * (np.geomspace(1, n_bins, n_bins) if is_log else np.arange(1.0, n_bins + 1))


@of(SEEDS, AXES, st.sampled_from(sorted(FAMILIES)), st.floats(0, 10), st.floats(0, 10), LEVELS)
def labels(number, axis, name, low, more, level):
    """Drawn noise is a ratio >= 0, its label names the interval that holds most of it, and no unit changes it."""
    freqs = _axis(*axis)
    try:
        ratio = draw_external(np.random.default_rng(number), freqs, name, (low, low + more))
    except ValueError as error:
        assert "draws of" in str(error)
        return
    assert ratio.shape == freqs.shape and np.isfinite(ratio).all() and (ratio >= 0).all()
    label = int(noise_interval(ratio[None])[0])
    noisy = ratio > NOISY_RATIO
    assert (label == -1) == (not noisy.any())
    assert -1 <= label < N_INTERVALS
    edges = np.arange(N_INTERVALS + 1) * len(freqs) // N_INTERVALS
    held = [ratio[start:end].sum() for start, end in zip(edges, edges[1:], strict=False)]
    assert label == -1 or held[label] >= max(held) * (1 - 1e-9)
    background = 2.0**level / freqs
    scaled = (ratio * background) / background
    near = np.isclose(ratio, NOISY_RATIO, rtol=1e-12)
    assert ((scaled > NOISY_RATIO) == noisy)[~near].all()
    assert near.any() or (cell_labels(scaled[None] > NOISY_RATIO) == cell_labels(noisy[None])).all()


@of(SEEDS, st.sampled_from(sorted(FAMILIES)), st.integers(1, 10), st.floats(0.01, 0.9), st.integers(0, 10_000))
def masks(number, name, tokens, fraction, index):
    """What is to be predicted holds no noisy bin, whatever the family and the blocks; every number is finite."""
    data = NoiseBERTDataset(
        "train", 10_001, number, families=(name,), none_share=0.0, mask_width=20 * tokens, mask_fraction=fraction
    )
    row = data.batch([index])
    assert not (row["mask"] & row["noisy"]).any()
    assert all(torch.isfinite(value).all() for value in row.values() if value.is_floating_point())


@cache
def _model(readout: str):
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return NoiseBERT(300, d_model=16, n_heads=2, num_layers=1, dim_feedforward=16, readout=readout).eval()


@of(SEEDS, st.sampled_from(["token", "cls", "residual"]), st.floats(0, 6), st.integers(0, 14))
def rows(number, readout, size, n_hidden):
    """CLS attention of any input, up to a million standard deviations, is >= 0 and sums to 1."""
    generator = torch.Generator().manual_seed(number)
    values = 10**size * torch.randn(2, 300, generator=generator)
    hidden = torch.zeros(2, 300, dtype=torch.bool)
    hidden[:, : 20 * n_hidden] = True
    with torch.no_grad():
        out, _, attention = _model(readout)(values, hidden, return_attention="cls")
    assert torch.isfinite(out).all() and (attention >= 0).all()
    assert (attention.sum(dim=-1) - 1).abs().max() < ROW_ERROR


@of(
    SEEDS,
    st.sampled_from(sorted(REGULARIZERS)),
    st.integers(1, 40),
    st.floats(0, 5),
    st.sampled_from(["some", "all", "none"]),
)
def penalties(number, name, n_tokens, size, which):
    """Every penalty is finite, and so is its gradient: extreme logits, all tokens noisy, none, a single token."""
    generator = torch.Generator().manual_seed(number)
    logits = (10**size * torch.randn(3, 2, n_tokens, generator=generator)).requires_grad_()
    noisy = torch.rand(3, n_tokens, generator=generator) < {"some": 0.3, "all": 2.0, "none": -1.0}[which]
    interval = torch.where(noisy.any(dim=-1), torch.randint(0, N_INTERVALS, (3,), generator=generator), -1)
    bins = noisy.repeat_interleave(2, dim=-1)
    prediction = torch.randn(bins.shape, generator=generator, requires_grad=True)
    context = {"prediction": prediction, "noisy_bins": bins, "noise_interval": interval, "generator": generator}
    value = REGULARIZERS[name](logits.softmax(dim=-1), noisy, **context)
    assert torch.isfinite(value)
    if value.requires_grad:
        grads = torch.autograd.grad(value, (logits, prediction), allow_unused=True)
        assert all(torch.isfinite(grad).all() for grad in grads if grad is not None)


@of(SEEDS, st.sampled_from(sorted(MASKED_ERRORS)), st.floats(-1, 1.4), st.sampled_from([0.0, 0.2, 1.0]))
def errors(number, kind, size, share):
    """A masked error is >= 0 and finite up to 25 standardised units, nothing masked or everything."""
    generator = torch.Generator().manual_seed(number)
    prediction = (10**size * torch.randn(2, 60, generator=generator)).clamp(-25, 25).requires_grad_()
    target, masked = torch.randn(2, 60, generator=generator), torch.rand(2, 60, generator=generator) < share
    value = masked_error(prediction, target, masked, kind, 0.728)
    assert torch.isfinite(value) and value >= -1e-5
    (grad,) = torch.autograd.grad(value, prediction)
    assert torch.isfinite(grad).all() and (grad[~masked] == 0).all()


def _ranges(detection):
    return [(flag.fmin, flag.fmax) for flag in detection.flags]


@cache
def _detector():
    return NoiseDetector()


def _spectrum(number, freqs, n_lines):
    rng = np.random.default_rng(number)
    psd = (1 / freqs + 1 / freqs[-1]) * rng.gamma(64, 1 / 64, len(freqs))
    psd[rng.integers(0, len(freqs), n_lines)] *= rng.uniform(3, 100, n_lines)
    return psd


@of(SEEDS, AXES, st.integers(0, 5), LEVELS)
def flags(number, axis, n_lines, level):
    """Flags do not know the unit of the level, nor what else stands in the table and in which order."""
    freqs = _axis(*axis)
    psd, other = _spectrum(number, freqs, n_lines), _spectrum(number + 1, freqs, 1)
    alone = _detector().detect(freqs, psd, 64)
    assert np.isfinite([value for flag in alone.flags for value in (flag.fmin, flag.fmax, flag.excess)]).all()
    assert _ranges(_detector().detect(freqs, 2.0**level * psd, 64)) == _ranges(alone)
    first, last = (_detector().detect_many(freqs, table, 64) for table in ([psd, other], [other, psd]))
    assert _ranges(first[0]) == _ranges(last[1]) == _ranges(alone)
    assert _ranges(first[1]) == _ranges(last[0])


@of(SEEDS, st.floats(0.02, 0.3), st.integers(-60, 60), st.integers(-10, 10))
def fits(number, place, level, stretch):
    """A fit's corners depend neither on the unit of the level nor on that of the axis, nor on the order of the bins."""
    freqs = np.arange(1.0, 401.0)
    rng = np.random.default_rng(number)
    background = 1 / freqs + 20 / (1 + (freqs / (400 * place)) ** 2) + 0.01
    psd, order = background * rng.gamma(64, 1 / 64, 400), rng.permutation(400)
    keep = np.ones(400, bool)
    one = fit_spectrum(freqs, psd, 64, keep)
    corners = np.array([corner.value for corner in one.corners])
    for factor, other in (
        (1.0, fit_spectrum(freqs, 2.0**level * psd, 64, keep)),
        (2.0**stretch, fit_spectrum(2.0**stretch * freqs, psd, 64, keep)),
        (1.0, fit_spectrum(freqs[order], psd[order], 64, keep)),
    ):
        other_corners = np.array([corner.value for corner in other.corners])
        assert len(other_corners) == len(corners), f"{len(corners)} corners became {len(other_corners)}"
        np.testing.assert_allclose(np.sort(other_corners), factor * np.sort(corners), rtol=FIT_ERROR)


# property -> its number of examples, relative to the others
PROPERTIES: dict[str, tuple[Callable[..., None], float]] = {
    "labels": (labels, 1.0),
    "masks": (masks, 0.2),
    "rows": (rows, 1.0),
    "penalties": (penalties, 2.0),
    "errors": (errors, 1.0),
    "flags": (flags, 0.2),
    "fits": (fits, 0.03),
}


def falsified(name: str, number: int, examples: int) -> str:
    """Try a property on drawn inputs: "" where it holds, else the smallest input that breaks it.

    Parameters
    ----------
    number : seed of the inputs
    """
    function = PROPERTIES[name][0]
    check = settings(
        max_examples=max(1, examples),
        deadline=None,
        database=None,
        suppress_health_check=list(HealthCheck),
        phases=(Phase.generate, Phase.shrink),  # no explanation, which traces every line
    )(given(*STRATEGIES[function])(function))
    try:
        seed(number)(check)()
    except Exception as error:
        notes = "; ".join(line.strip() for note in getattr(error, "__notes__", ()) for line in note.splitlines())
        return f"{type(error).__name__}: {str(error).splitlines()[0] if str(error) else ''} {notes}"[:600]
    return ""
