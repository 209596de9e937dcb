"""Masked error and penalties: closed forms, gradients at even attention, and batches that define nothing."""

import math

import pytest
import torch

from nblib.losses import MASKED_ERRORS, REGULARIZERS, check_masked_error, check_regularizer, masked_error, regularizer
from nblib.model import noisy_tokens

N_TOKENS, N_NOISY = 30, 3
ATTENTION_PENALTIES = ("mean", "mass", "log_barrier", "log_odds", "uniform_clean", "ranking")


def noise(n_tokens=N_TOKENS, n_noisy=N_NOISY, batch=2):
    noisy = torch.zeros(batch, n_tokens, dtype=torch.bool)
    noisy[:, 5 : 5 + n_noisy] = True
    return noisy


def attention(share, noisy):
    """Rows with this share on the noisy tokens, even within each kind: (batch, 1, token)."""
    n_noisy = noisy.sum(dim=-1, keepdim=True).double()
    clean = (1 - share) / (noisy.shape[-1] - n_noisy)
    return torch.where(noisy, share / n_noisy, clean)[:, None]


def context(noisy, seed=0):
    return {
        "prediction": torch.linspace(-1, 1, noisy.numel() * 2).reshape(len(noisy), -1),
        "noisy_bins": noisy.repeat_interleave(2, dim=-1),
        "noise_interval": torch.where(noisy.any(dim=-1), 5, -1),
        "generator": torch.Generator().manual_seed(seed),
    }


def expected(share):
    odds = math.log(share / N_NOISY) - math.log((1 - share) / (N_TOKENS - N_NOISY))
    return {
        "none": 0.0,
        "mean": share / N_NOISY,
        "first_bin": share / N_NOISY,
        "mass": share,
        "log_barrier": -math.log(1 - share),
        "log_odds": max(0.0, odds + 1),
        "uniform_clean": -math.log(1 - share),
        "ranking": math.log1p(math.exp(odds + 1)),
    }


@pytest.mark.parametrize("share", [0.01, 0.1, 0.5, 0.95])
@pytest.mark.parametrize("name", sorted(expected(0.5)))
def test_closed_forms(name, share):
    """Planted bugs: log_barrier with its sign reversed; ln n_clean left out of uniform_clean."""
    noisy = noise()
    value = REGULARIZERS[name](attention(share, noisy), noisy, **context(noisy))
    assert value.item() == pytest.approx(expected(share)[name], rel=1e-6, abs=3e-7)  # ln n_clean is float32


def test_heads_are_averaged_and_not_their_logarithm():
    noisy = noise()
    heads = torch.cat([attention(0.1, noisy), attention(0.5, noisy)], dim=1)
    for name in ATTENTION_PENALTIES:
        alone = (expected(0.1)[name] + expected(0.5)[name]) / 2
        assert REGULARIZERS[name](heads, noisy).item() == pytest.approx(alone, rel=1e-6)


def test_simple_is_the_size_of_predictions_on_noisy_bins():
    noisy = torch.tensor([[False, True, True, False]])
    prediction = torch.tensor([[9.0, -1.0, 3.0, 9.0]])
    value = REGULARIZERS["simple"](torch.ones(1, 1, 4) / 4, noisy, prediction=prediction, noisy_bins=noisy)
    assert value.item() == 2.0


def test_random_is_a_control_that_knows_nothing_but_the_number_of_noisy_tokens():
    """Planted bug: the ranks compared with the noisy tokens themselves instead of with their number."""
    generator = torch.Generator().manual_seed(4)
    rows = torch.rand(2, 1, N_TOKENS, generator=generator).softmax(dim=-1)
    elsewhere = noise().roll(11, dims=1)
    values = [REGULARIZERS["random"](rows, where, **context(where)) for where in (noise(), elsewhere)]
    assert values[0] == values[1]
    assert values[0] != REGULARIZERS["random"](rows, noise(), **context(noise(), seed=1))
    even = torch.full((2, 1, N_TOKENS), 1 / N_TOKENS)
    value = REGULARIZERS["random"](even, noise(), **context(noise()))
    assert value.item() == pytest.approx(math.log(N_TOKENS / (N_TOKENS - N_NOISY)), rel=1e-5)


def test_gradients_at_even_attention():
    """100 of 3,000 tokens noisy, logits all equal: the sum over noisy tokens of |d penalty / d logit|, by penalty.

    Planted bug: `mean` divided by all tokens instead of by the noisy ones.
    """
    n_noisy, n_tokens = 100, 3000
    share = n_noisy / n_tokens
    noisy = noise(n_tokens, n_noisy, batch=1)
    wanted = {"mean": share * (1 - share) / n_noisy, "mass": share * (1 - share), "log_barrier": share}
    wanted |= {"log_odds": 1.0, "uniform_clean": share}
    assert [round(wanted[name], 5) for name in ("mean", "mass", "log_barrier")] == [0.00032, 0.03222, 0.03333]
    for name, value in wanted.items():
        logits = torch.zeros(1, 1, n_tokens, dtype=torch.float64, requires_grad=True)
        REGULARIZERS[name](logits.softmax(dim=-1), noisy).backward()
        gradient = logits.grad[0, 0]
        assert gradient[noisy[0]].sum().item() == pytest.approx(value, rel=1e-6)  # positive: descent takes mass away
        assert gradient.sum().item() == pytest.approx(0, abs=1e-9)


def test_uniform_clean_levels_the_clean_tokens_too():
    noisy = noise()
    logits = torch.randn(2, 1, N_TOKENS, generator=torch.Generator().manual_seed(0)).double().requires_grad_()
    rows = logits.softmax(dim=-1)
    REGULARIZERS["uniform_clean"](rows, noisy).backward()
    wanted = torch.where(noisy[:, None], rows, rows - 1 / (N_TOKENS - N_NOISY)) / 2  # mean of two spectra
    torch.testing.assert_close(logits.grad, wanted.detach(), rtol=0, atol=1e-9)


@pytest.mark.parametrize("name", ATTENTION_PENALTIES)
def test_a_step_down_takes_attention_off_the_noise(name):
    noisy = noise()
    logits = torch.zeros(2, 1, N_TOKENS, requires_grad=True)
    REGULARIZERS[name](logits.softmax(dim=-1), noisy).backward()
    moved = (logits - logits.grad).softmax(dim=-1)
    assert (moved * noisy[:, None]).sum() < 2 * N_NOISY / N_TOKENS


@pytest.mark.parametrize("name", sorted(REGULARIZERS))
@pytest.mark.parametrize("n_noisy", [0, 1, N_TOKENS - 1, N_TOKENS])
def test_every_batch_has_a_finite_value_and_gradient(name, n_noisy):
    """Planted bug: log_odds without its guard for rows of one kind only (infinite rows)."""
    noisy = noise()
    noisy[0] = torch.arange(N_TOKENS) < n_noisy
    logits = torch.zeros(2, 2, N_TOKENS, requires_grad=True)
    value = REGULARIZERS[name](logits.softmax(dim=-1), noisy, **context(noisy))
    assert value.isfinite()
    assert REGULARIZERS[name](logits.softmax(dim=-1), noisy, "none", **context(noisy))[0].isfinite().all()
    if value.requires_grad:
        value.backward()
        assert logits.grad.isfinite().all()


UNDEFINED = [(name, everything) for name in (*ATTENTION_PENALTIES, "first_bin") for everything in (False, True)]
UNDEFINED.remove(("uniform_clean", False))  # without noise it is the divergence from even attention over all tokens


@pytest.mark.parametrize(("name", "everything"), [*UNDEFINED, ("simple", False)])
def test_a_batch_that_defines_nothing_is_zero_and_pulls_at_nothing(name, everything):
    noisy = torch.full((2, N_TOKENS), everything)
    logits = torch.randn(2, 2, N_TOKENS, generator=torch.Generator().manual_seed(0)).requires_grad_()
    value = REGULARIZERS[name](logits.softmax(dim=-1), noisy, **context(noisy))
    assert value.item() == 0
    if value.requires_grad:
        value.backward()
        assert logits.grad is None or logits.grad.abs().max() == 0


@pytest.mark.parametrize("name", ATTENTION_PENALTIES)
@pytest.mark.parametrize("on_noise", [False, True])
def test_attention_that_is_exactly_zero_stays_finite(name, on_noise):
    noisy = noise()
    rows = torch.where(noisy == on_noise, 0.0, 1.0)[:, None]
    rows = (rows / rows.sum(dim=-1, keepdim=True)).requires_grad_()
    value = REGULARIZERS[name](rows, noisy)
    value.backward()
    assert value.isfinite()
    assert rows.grad.isfinite().all()


@pytest.mark.parametrize("name", sorted(set(REGULARIZERS) - {"random"}))
def test_half_batches_add_up(name):
    noisy = torch.cat([noise(), noise(n_noisy=7), torch.zeros(2, N_TOKENS, dtype=torch.bool)])
    rows = torch.rand(6, 2, N_TOKENS, generator=torch.Generator().manual_seed(0)).softmax(dim=-1)
    given = context(noisy)
    values, defined = REGULARIZERS[name](rows, noisy, reduction="none", **given)
    assert values.shape == defined.shape == (6,)
    for part in (slice(0, 3), slice(3, 6)):
        cut = {key: value if key == "generator" else value[part] for key, value in given.items()}
        half, half_defined = REGULARIZERS[name](rows[part], noisy[part], reduction="none", **cut)
        torch.testing.assert_close(half, values[part])
        assert torch.equal(half_defined, defined[part])
    mean = torch.where(defined, values, 0).sum() / defined.sum().clamp(min=1)
    torch.testing.assert_close(REGULARIZERS[name](rows, noisy, **given), mean)


def test_ones_own_penalty_is_one_function():
    def entropy(cls_attn, noisy, **context):
        return -(cls_attn * cls_attn.log()).sum(dim=-1).mean(dim=1), noisy.any(dim=-1)

    try:
        even = torch.full((2, 1, N_TOKENS), 1 / N_TOKENS)
        assert regularizer(entropy)(even, noise()).item() == pytest.approx(math.log(N_TOKENS), rel=1e-6)
        check_regularizer("entropy")
    finally:
        del REGULARIZERS["entropy"]


# ---- masked error ----


def test_only_masked_bins_count():
    prediction = torch.tensor([[1.0, 2.0, 5.0]], requires_grad=True)
    target, masked = torch.zeros(1, 3), torch.tensor([[True, True, False]])
    value = masked_error(prediction, target, masked)
    value.backward()
    assert value.item() == 2.5
    assert prediction.grad.tolist() == [[1.0, 2.0, 0.0]]
    assert masked_error(prediction, target, ~masked & masked).item() == 0


@pytest.mark.parametrize("spread", [1.0, 0.728])
def test_whittle_error_is_the_gamma_deviance_and_its_best_is_the_mean(spread):
    """Minimising it over many draws gives ln of their mean, unlike the squared error, which gives the mean of ln.

    Planted bug: target and prediction exchanged.
    """
    generator = torch.Generator().manual_seed(0)
    power = torch.distributions.Gamma(8.0, 8.0).sample((1, 100)) + torch.rand(1, 100, generator=generator)
    best = (power.mean().log() / spread).double().requires_grad_()
    target = (power.log() / spread).double()
    masked = torch.ones(1, 100, dtype=torch.bool)
    value = masked_error(best.expand(1, 100), target, masked, "whittle", spread)
    value.backward()
    assert best.grad.item() == pytest.approx(0, abs=1e-6)
    ratio = power.double() / power.double().mean()
    assert value.item() == pytest.approx((ratio - ratio.log() - 1).mean().item(), rel=1e-5)
    assert masked_error(target, target, masked, "whittle", spread).item() == 0


def test_both_errors_agree_where_they_are_small():
    """x/S - ln(x/S) - 1 is half the squared log ratio to leading order."""
    prediction, target = torch.zeros(1, 1).double(), torch.full((1, 1), 1e-3).double()
    squared, whittle = (error(prediction, target).item() for error in MASKED_ERRORS.values())
    assert whittle == pytest.approx(squared / 2, rel=1e-3)


def test_a_token_is_noisy_where_any_bin_is():
    bins = torch.tensor([[False, False, True, False, False]])
    assert noisy_tokens(bins, 2).tolist() == [[False, True, False]]
    assert noisy_tokens(bins.roll(2, dims=1), 2).tolist() == [[False, False, True]]


def test_unknown_names_are_refused_with_the_known_ones():
    with pytest.raises(ValueError, match="unknown regularizer 'entropy'; known: none, simple, mean"):
        check_regularizer("entropy")
    with pytest.raises(ValueError, match="unknown masked error 'huber'; known: squared, whittle"):
        check_masked_error("huber")
