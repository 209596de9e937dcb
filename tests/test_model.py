"""The encoder: parity with torch's attention, the CLS row, the three readouts, and what it refuses."""

import numpy as np
import pytest
import shapes
import torch

from nblib.attention import AttentionWithWeights, ReadoutAttention
from nblib.model import NoiseBERT, contrasts, patches
from nblib.simulation.physics import LN_STD

LENGTH, BINS = 9, 60
SIZES = {"d_model": 16, "n_heads": 2, "num_layers": 2, "dim_feedforward": 24, "dropout": 0.0}


@pytest.fixture
def pair():
    """Ours and torch's attention with the same weights, and an input."""
    torch.manual_seed(1)
    theirs = torch.nn.MultiheadAttention(16, 4, batch_first=True).double()
    torch.nn.init.normal_(theirs.in_proj_bias)
    ours = AttentionWithWeights(16, 4).double()
    ours.load_state_dict(theirs.state_dict())
    return ours, theirs, torch.randn(3, LENGTH, 16, dtype=torch.float64, requires_grad=True)


def make(readout="cls", **changes):
    torch.manual_seed(0)
    return NoiseBERT(BINS, **(SIZES | {"patch_size": 5, "readout": readout} | changes)).eval()


def spectra(n_bins=BINS):
    generator = torch.Generator().manual_seed(3)
    mask = torch.zeros(2, n_bins, dtype=torch.bool)
    mask[:, 10:20] = True
    return torch.randn(2, n_bins, generator=generator), mask


def test_output_and_weights_equal_torchs_attention(pair):
    """Planted bug: logits divided by sqrt(d_model) instead of sqrt(head_dim)."""
    ours, theirs, x = pair
    expected, weights = theirs(x, x, x, need_weights=True, average_attn_weights=False)
    out, attn = ours(x, return_attention=True)
    torch.testing.assert_close(out, expected, rtol=0, atol=1e-10)
    torch.testing.assert_close(attn, weights, rtol=0, atol=1e-10)
    torch.testing.assert_close(attn.sum(dim=-1), torch.ones_like(attn[..., 0]), rtol=0, atol=1e-12)


def test_cls_row_is_the_full_rows_without_its_own_key(pair):
    """Planted bug: the CLS row normalised over all keys."""
    ours, _, x = pair
    full = ours(x, return_attention=True)[1][:, :, 0]
    row = ours(x, return_attention="cls")[1]
    torch.testing.assert_close(row, full[..., 1:] / full[..., 1:].sum(dim=-1, keepdim=True), rtol=0, atol=1e-10)


def test_gradient_of_the_cls_row_equals_autograds_through_the_full_weights(pair):
    """Planted bug: the key detached in the CLS row."""
    ours, _, x = pair
    generator = torch.Generator().manual_seed(2)
    pull = torch.randn(3, 4, LENGTH - 1, generator=generator, dtype=torch.float64)
    inputs = [x, ours.in_proj_weight, ours.in_proj_bias]
    gradients = torch.autograd.grad((ours(x, return_attention="cls")[1] * pull).sum(), inputs)
    full = ours(x, return_attention=True)[1][:, :, 0, 1:]
    expected = torch.autograd.grad((full / full.sum(dim=-1, keepdim=True) * pull).sum(), inputs)
    for one, other in zip(gradients, expected, strict=True):
        torch.testing.assert_close(one, other, rtol=0, atol=1e-10)


def test_dropout_changes_the_output_and_not_the_captured_row():
    torch.manual_seed(0)
    attention = AttentionWithWeights(16, 2, dropout=0.5).train()
    x = torch.randn(2, LENGTH, 16)
    (out, row), (other, same) = attention(x, "cls"), attention(x, "cls")
    assert not torch.equal(out, other)
    assert torch.equal(row, same)


@pytest.mark.slow
def test_capture_is_one_graph_under_torch_compile():
    """Planted bug: a Python branch on the attention's values, which breaks the graph."""
    shapes.begin(checking=False)  # the checks would be compiled too
    model = make()
    x, mask = spectra()
    compiled = torch.compile(model, backend="aot_eager", fullgraph=True)
    outputs, expected = compiled(x, mask, "cls"), model(x, mask, "cls")
    for one, other in zip(outputs, expected, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-5, atol=1e-6)
    gradients = [torch.autograd.grad((out[2] + 1e-9).log().sum(), model.cls_token)[0] for out in (outputs, expected)]
    torch.testing.assert_close(*gradients, rtol=1e-4, atol=1e-6)


def test_captured_rows_survive_half_precision():
    """bfloat16 holds 8 bits: without float32 logits the 600 equal shares would not sum to one."""
    torch.manual_seed(0)
    attention, x = AttentionWithWeights(16, 2), torch.randn(1, 601, 16)
    exact = attention(x, "cls")[1]
    with torch.autocast("cpu", torch.bfloat16):
        row = attention(x, "cls")[1]
    assert row.dtype == torch.float32
    torch.testing.assert_close(row.sum(dim=-1), torch.ones(1, 2), rtol=0, atol=1e-5)
    torch.testing.assert_close(row, exact, rtol=0.1, atol=0)


@pytest.mark.parametrize("readout", ["token", "cls", "residual"])
@pytest.mark.parametrize("patch_size", [1, 5, 7])
def test_outputs_are_the_same_whichever_attention_is_asked_for(readout, patch_size):
    model = make(readout, patch_size=patch_size)
    n_tokens = -(-BINS // patch_size)
    out, cls_out = model(*spectra())
    same, _, rows = model(*spectra(), "cls")
    too, _, weights = model(*spectra(), True)
    assert out.shape == (2, BINS)
    assert cls_out.shape == (2, 16)
    shape = (1, 2, 1) if readout == "residual" else (2, 2, 2)  # one layer, one set of weights
    assert rows.shape == (*shape, n_tokens)
    assert model.n_tokens == n_tokens
    assert weights.shape == (2, shape[2], n_tokens + 1, n_tokens + 1)
    assert torch.equal(out, same)
    assert torch.equal(out, too)


def test_the_starting_studys_signature():
    model = NoiseBERT(40, 16, 2, 2, 24, 0.1, 50)
    out, cls_out, cls_attn = model(torch.randn(2, 40), torch.zeros(2, 40, dtype=torch.bool), return_attention="cls")
    assert (model.patch_size, model.readout, model.max_len) == (1, "token", 50)
    assert (out.shape, cls_out.shape, cls_attn.shape) == ((2, 40), (2, 16), (2, 2, 2, 40))


@pytest.mark.parametrize("readout", ["token", "cls", "residual"])
def test_masked_content_is_not_read(readout):
    """Planted bug: the mask token added to the embedding instead of replacing it."""
    model = make(readout)
    x, mask = spectra()
    changed = x.masked_fill(mask, 1e3).requires_grad_()
    out = model(changed, mask)[0]
    assert torch.equal(out, model(x, mask)[0])
    out.sum().backward()
    assert changed.grad[mask].abs().max() == 0
    assert changed.grad[~mask].abs().max() > 0


def test_only_the_cls_readout_depends_on_what_cls_collects():
    """The starting study's readout left the last CLS row without a purpose; ours must not."""
    for readout, matters in (("token", False), ("cls", True)):
        out, cls_out = make(readout)(*spectra())
        reaches = torch.autograd.grad(out.sum() + 0 * cls_out.sum(), cls_out, allow_unused=True)[0]
        assert (reaches is not None and reaches.abs().max() > 0) == matters


# ---- the CLS readout: it sees what it attends to ----


def readout_of(n_tokens=LENGTH):
    """The last layer of a CLS readout, states and values of n_tokens tokens, the third of them hidden."""
    torch.manual_seed(0)
    layer, generator = ReadoutAttention(16, 2), torch.Generator().manual_seed(5)
    states, values = (torch.randn(3, n, 16, generator=generator) for n in (n_tokens + 1, n_tokens))
    return layer, states, values, torch.arange(n_tokens).expand(3, -1) == 2


def test_rows_of_a_cls_readout_sum_to_one_and_leave_hidden_tokens_out():
    """Planted bugs: hidden tokens not masked; the mask added after the softmax."""
    model, (x, mask) = make(), spectra()
    rows = model(x, mask, "cls")[2]
    torch.testing.assert_close(rows.sum(dim=-1), torch.ones(2, 2, 2), rtol=0, atol=1e-6)
    hidden = patches(mask, 5).any(dim=-1)[:, None].expand(-1, 2, -1)
    assert (rows[-1][hidden] == 0).all()
    assert (rows[-1][~hidden] > 0).all()


def test_what_cls_collects_is_its_row_times_the_values_alone():
    """No residual from CLS's earlier states, no key of its own. Planted bug: CLS's state added to what it collects."""
    layer, states, values, hidden = readout_of()
    collected, row = layer(states, values, hidden, "cls")
    heads = values.unflatten(-1, (2, 8)).transpose(1, 2)  # (batch, head, token, head_dim)
    torch.testing.assert_close(collected, (row[:, :, None] @ heads)[:, :, 0].flatten(1))
    weights = layer(states, values, hidden, True)[1]
    assert weights.shape == (3, 2, LENGTH + 1, LENGTH + 1)
    assert (weights[..., 0] == 0).all()
    torch.testing.assert_close(weights[:, :, 0, 1:], row)


def test_a_token_without_attention_does_not_reach_the_output():
    """With the rows as they are, a changed token changes the output by its own share alone; none where that is 0.

    Planted bug: values taken from the encoder's mixed states.
    """
    model, (x, mask) = make(), spectra()
    none = torch.zeros_like(mask)
    out, _, rows = model(x, none, "cls")
    row = rows[-1].detach().clone()
    row[..., 4] = 0
    readout, changed = model.layers[-1], x.clone()
    changed[:, 20:25] += 3.0  # the bins of token 4
    readout.rows = lambda queries, tokens, hidden: row[:, :, None]
    same, too = model(x, none)[0], model(changed, none)[0]
    del readout.rows
    assert torch.equal(same, too)
    assert not torch.allclose(model(changed, none)[0], out)


def test_where_everything_is_hidden_nothing_is_read():
    model, (x, mask) = make(), spectra()
    out = model(x, torch.ones_like(mask))[0]
    assert torch.equal(out, model(x + 7, torch.ones_like(mask))[0])
    assert out.isfinite().all()


# ---- the residual readout: weights without a query ----


def drawing(background, **changes):
    """A residual readout that draws a background whatever it collects, spectra of 400 bins."""
    torch.manual_seed(0)
    model = NoiseBERT(400, **(SIZES | {"patch_size": 20, "readout": "residual"} | changes)).eval()
    model._decode = lambda cls_out, basis: background + 0 * cls_out.sum()
    return model


def with_line(n_segments=8, height=2.0):
    """Standardised ln PSD of one spectrum whose background is 0, a line of 8 bins' deviation in the tenth token."""
    rng, positions = np.random.default_rng(0), np.arange(400)
    line = height * np.exp(-0.5 * ((positions - 190) / 8) ** 2)
    values = np.log1p(line) + np.log(rng.gamma(n_segments, 1 / n_segments, 400))
    return torch.from_numpy(values / LN_STD).float()[None]


def test_weights_leave_out_the_line_that_the_pass_before_left_in_the_residual():
    """Planted bugs: the posterior in place of 1 less it; passes counted from 0; masked bins read."""
    x, nothing = with_line(), torch.zeros(1, 400, dtype=torch.bool)
    row = drawing(torch.zeros(400))(x, nothing, "cls")[2]
    assert row.shape == (1, 1, 1, 20)
    assert row.sum() == pytest.approx(1, abs=1e-6)
    assert row[0, 0, 0, 9] < 1e-3 / 20
    far = row[0, 0, 0, [0, 1, 2, 3, 4, 5, 14, 15, 16, 17, 18, 19]]
    assert far.min() > 0.9 * far.max()
    even = drawing(torch.zeros(400), passes=1)(x, nothing, "cls")[2]
    torch.testing.assert_close(even, torch.full_like(even, 1 / 20))
    hidden = nothing.clone()
    hidden[:, 160:220] = True  # the line cannot be seen: its tokens have no weight, and no other loses weight
    unseen = drawing(torch.zeros(400))(x, hidden, "cls")[2][0, 0, 0]
    assert (unseen[8:11] == 0).all()
    assert unseen[unseen > 0].min() > 0.9 / 17


def test_hard_weights_are_even_or_nothing():
    row = drawing(torch.zeros(400), hard=True)(with_line(), torch.zeros(1, 400, dtype=torch.bool), "cls")[2].flatten()
    kept = row > 1e-9
    assert not kept[9]
    torch.testing.assert_close(row[kept], torch.full_like(row[kept], 1 / int(kept.sum())))


def test_where_every_token_looks_noisy_all_count_alike():
    """Planted bug: weights that sum to nothing."""
    row = drawing(torch.zeros(400))(
        with_line() + torch.linspace(0, 40, 400), torch.zeros(1, 400, dtype=torch.bool), "cls"
    )
    assert row[2].isfinite().all()
    assert row[2].sum() == pytest.approx(1, abs=1e-5)


@pytest.mark.parametrize("n_segments", [2, 32])
def test_k_that_is_not_given_is_measured(n_segments):
    """At K = 2 the scatter alone would look like lines to K = 32. Planted bug: K = 8 in its place."""
    x, nothing = with_line(n_segments, height=0.0), torch.zeros(1, 400, dtype=torch.bool)
    measured, known, wrong = (
        drawing(torch.zeros(400), n_segments=k)(x, nothing, "cls")[2].flatten() for k in (None, n_segments, 200)
    )
    torch.testing.assert_close(measured, known, rtol=0, atol=0.3 / 20)
    assert wrong.min() < measured.min()


@pytest.mark.parametrize("readout", ["cls", "residual"])
def test_weights_that_are_given_are_what_cls_collects_with(readout):
    """Planted bug: hidden tokens collected because a weight was given."""
    model, (x, mask) = make(readout), spectra()
    given = torch.rand(2, 12, generator=torch.Generator().manual_seed(0))
    out, _, rows = model(x, mask, "cls", attend=given)
    hidden = patches(mask, 5).any(dim=-1)
    expected = given.masked_fill(hidden, 0.0)
    torch.testing.assert_close(rows[-1], (expected / expected.sum(dim=-1, keepdim=True))[:, None])
    torch.testing.assert_close(model(x, mask, attend=3 * given)[0], out)
    full = model(x, mask, True, attend=given)[2]
    assert full.shape == (2, 1, 13, 13)
    assert (full[..., 0] == 0).all()
    torch.testing.assert_close(full[:, :, 5, 1:], rows[-1])
    with pytest.raises(ValueError, match="a 'token' readout decodes no CLS"):
        make("token")(x, mask, attend=given)


@pytest.mark.parametrize("readout", ["token", "cls", "residual"])
def test_every_parameter_learns(readout):
    """Processes that train together wait for every gradient."""
    model = make(readout)
    out = model(*spectra())[0]
    (out * torch.linspace(1, 2, BINS)).pow(2).sum().backward()
    assert [name for name, value in model.named_parameters() if value.grad is None] == []


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"readout": "mean"}, "unknown readout 'mean'; known: token, cls, residual"),
        ({"patch_size": 61}, "patch_size=61, seq_len=60"),
        ({"max_len": 59}, "max_len=59"),
        ({"n_heads": 3}, "d_model=16 must be a multiple of n_heads=3"),
        ({"freqs": np.arange(1.0, 5.0)}, r"freqs has shape \(4,\)"),
    ],
)
def test_sizes_that_do_not_fit_are_refused(changes, message):
    with pytest.raises(ValueError, match=message):
        make(**changes)


@pytest.mark.parametrize(
    ("x", "mask", "mode", "message"),
    [
        (torch.zeros(2, 59), torch.zeros(2, 59, dtype=torch.bool), False, "x has 59 bins"),
        (torch.zeros(60), torch.zeros(60, dtype=torch.bool), False, r"both are \(batch, bin\)"),
        (torch.zeros(2, 60), torch.zeros(2, 50, dtype=torch.bool), False, r"mask_positions \(2, 50\)"),
        (torch.zeros(2, 60), torch.zeros(2, 60), False, "give bool"),
        (torch.zeros(2, 60), torch.zeros(2, 60, dtype=torch.bool), "all", "known: False, 'cls', True"),
    ],
)
def test_inputs_that_do_not_fit_are_refused(x, mask, mode, message):
    with pytest.raises(ValueError, match=message):
        make()(x, mask, mode)


def test_a_last_token_that_is_not_full_repeats_its_last_bin():
    assert patches(torch.tensor([[1, 2, 3, 4, 5]]), 3).tolist() == [[[1, 2, 3], [4, 5, 5]]]


def test_tokens_stand_at_the_geometric_centre_of_their_bins():
    centres = make().token_freqs(torch.arange(1.0, BINS + 1))
    assert centres.shape == (12,)
    assert centres[0].item() == pytest.approx(120 ** (1 / 5))


def test_a_contrast_stands_out_at_the_lines_width_wherever_it_is():
    """Planted bug: hidden bins counted as zeros, so that every edge of a mask looks like a line."""
    positions = torch.arange(600.0)
    shown = torch.ones(1, 600, dtype=torch.bool)
    flat = contrasts(torch.full((1, 600), 3.0), shown, 20)
    torch.testing.assert_close(flat, torch.zeros(1, 30, 5), rtol=0, atol=1e-5)
    for width, best in ((1.5, 0), (24.0, 4)):
        for centre in (230.0, 239.5):
            line = 2 * torch.exp(-0.5 * ((positions - centre) / width) ** 2)[None]
            contrast = contrasts(line, shown, 20)
            assert contrast.flatten().argmax() % 5 == best
            assert contrast[0, :, best].argmax() in (11, 12)
    hidden = shown.clone()
    hidden[:, 300:340] = False
    torch.testing.assert_close(contrasts(torch.full((1, 600), 3.0), hidden, 20), flat, rtol=0, atol=1e-5)
