"""The data set: one spectrum whatever the batch, disjoint splits, masks off the noise, the exact no-line control."""

import numpy as np
import pytest
import torch
from scipy.special import digamma, polygamma

from nblib import NoiseBERTDataset
from nblib.cells import NOISY_RATIO
from nblib.dataset import to_log_psd
from nblib.measured.files.readers import load_spectra
from nblib.simulation.physics import E_ALPHA_GRID, E_BETA_GRID, LN_STD, published_psd

FAMILIES = ("single_line", "vibration", "power_supply", "interference", "clock_leakage")


def same(one, other):
    return one.keys() == other.keys() and all(
        np.array_equal(one[key].numpy(), other[key].numpy(), equal_nan=one[key].is_floating_point()) for key in one
    )


@pytest.fixture(scope="module")
def data():
    return NoiseBERTDataset(families=FAMILIES)


def test_a_spectrum_is_the_same_alone_in_a_batch_and_from_a_worker():
    """Planted bug: one generator for the whole batch."""
    data = NoiseBERTDataset(families=FAMILIES, n_spectra=12)
    alone = [data[index] for index in (5, 0, 11)]
    together = data.batch([11, 5, 3, 0])
    for item, row in zip(alone, (1, 3, 0), strict=True):
        assert same(item, {key: value[row] for key, value in together.items()})
    loaders = [torch.utils.data.DataLoader(data, batch_size=5, num_workers=workers) for workers in (0, 2)]
    for one, other in zip(*loaders, strict=True):
        assert same(one, other)


def test_epochs_seeds_and_splits_draw_anew(data):
    first = data[3]["target"]
    data.set_epoch(1)
    second = data[3]["target"]
    data.set_epoch(0)
    assert torch.equal(first, data[3]["target"])
    others = [second, NoiseBERTDataset(families=FAMILIES, seed=1)[3]["target"]]
    others.append(NoiseBERTDataset(families=FAMILIES, split="test")[3]["target"])
    assert not any(torch.equal(first, other) for other in others)


def test_splits_share_no_pair_of_energies():
    """Planted bug: splits permuted by the seed of the noise, so that a second seed trained on the first one's test."""
    pairs = {
        split: set(NoiseBERTDataset(split=split, seed=seed).sources) for seed, split in enumerate(("train", "test"))
    }
    pairs["validation"] = set(NoiseBERTDataset(split="validation").sources)
    assert [len(pairs[split]) for split in ("train", "validation", "test")] == [22_400, 3_200, 6_400]
    assert len(set.union(*pairs.values())) == 32_000


def test_nothing_is_learnt_within_1_mev_of_the_region_held_out():
    """Planted bug: the margin left out in one of the two energies."""
    test = NoiseBERTDataset("test", pairs="held_out")
    whole = NoiseBERTDataset("test")
    assert set(test.sources) < set(whole.sources)
    assert len(test) > 500
    steps = len(E_BETA_GRID)
    inside = np.stack([test.sources // steps, test.sources % steps], axis=1)
    assert inside.min() > 10
    assert inside.max() < 189
    for split in ("train", "validation"):
        learnt = NoiseBERTDataset(split, pairs="held_out").sources
        nodes = np.stack([learnt // steps, learnt % steps], axis=1)
        nearest = min(np.abs(nodes - pair).max(axis=1).min() for pair in inside)
        assert nearest >= 10
        assert len(learnt) > 0.6 * len(NoiseBERTDataset(split))


@pytest.mark.slow
def test_documented_statistics_of_all_spectra():
    """In blocks of spectra: all at once they take 768 MB, and as much again for each step of the arithmetic."""
    pairs = np.concatenate([NoiseBERTDataset(split=split).sources for split in ("train", "validation", "test")])
    assert len(pairs) == 32_000
    largest, smallest, sums = -np.inf, np.inf, np.zeros(4)
    for block in np.array_split(pairs, 32):
        psd = published_psd(E_ALPHA_GRID[block // 200], E_BETA_GRID[block % 200])
        largest, smallest = max(largest, psd.max()), min(smallest, psd.min())
        logs, scaled = np.log(2.5e24 * psd), psd * 1e26  # so that squares stay far from the smallest float
        sums += [(values**power).mean() / 32 for values in (scaled, logs) for power in (1, 2)]
    deviations = np.sqrt(sums[1::2] - sums[::2] ** 2)
    for statistic, documented in (
        (largest, 3.77e-23),
        (smallest, 6.74e-27),
        (sums[0] * 1e-26, 7.18e-26),
        (deviations[0] * 1e-26, 9.51e-25),
    ):
        assert statistic == pytest.approx(documented, rel=0.01)
    assert sums[2] == pytest.approx(-3.001, abs=0.01)
    assert deviations[1] == pytest.approx(0.728, abs=0.01)


def test_background_is_the_noise_free_spectrum_in_standardised_units(data):
    batch = data.batch(range(6))
    log_psd = to_log_psd(batch["background"].numpy())
    expected = np.log(published_psd(*batch["energies"].double().numpy().T))
    np.testing.assert_allclose(log_psd, expected, atol=2e-5)  # energies in float32


def test_estimation_noise_has_the_documented_floor_and_bias():
    data = NoiseBERTDataset(families=("none",), n_segments=8)
    batch = data.batch(range(100))
    scatter = (batch["target"] - batch["background"]).double()
    assert data.error_floor == pytest.approx(polygamma(1, 8) / LN_STD**2)
    assert data.log_bias[0] == pytest.approx((digamma(8) - np.log(8)) / LN_STD)
    error = np.sqrt(data.error_floor / scatter.numel())
    assert scatter.mean().item() == pytest.approx(data.log_bias[0], abs=5 * error)
    assert scatter.var().item() == pytest.approx(data.error_floor, rel=0.02)


def test_the_no_line_control_has_the_same_scatter():
    """Planted bug: external and estimation noise drawn from one stream."""
    noisy, control = (NoiseBERTDataset(families=(name,), split="test") for name in ("single_line", "none"))
    one, other = noisy.batch(range(20)), control.batch(range(20))
    difference = (one["target"] - other["target"]).double() * LN_STD
    assert (difference > -1e-5).all()
    above = difference > np.log1p(NOISY_RATIO)
    # float32 standardised values round at the threshold
    assert ((above != one["noisy"]) & ((difference - np.log1p(NOISY_RATIO)).abs() > 1e-5)).sum() == 0
    assert not other["noisy"].any()
    assert one["noisy"].any()
    torch.testing.assert_close(one["background"], other["background"], rtol=0, atol=0)


def test_masks_are_blocks_off_the_noise(data):
    """Planted bug: masks drawn without looking at the noise."""
    batch = data.batch(range(100))
    mask, noisy = batch["mask"], batch["noisy"]
    assert not (mask & noisy).any()
    blocks = mask.reshape(100, 150, 20)
    assert torch.equal(blocks.any(dim=2), blocks.all(dim=2))
    assert mask.float().mean().item() == pytest.approx(0.15, abs=0.01)
    assert batch["input"][mask].abs().max() == 0
    assert torch.equal(batch["input"][~mask], batch["target"][~mask])
    anywhere = NoiseBERTDataset(families=FAMILIES, mask_policy="any").batch(range(100))
    assert (anywhere["mask"] & anywhere["noisy"]).any()


@pytest.mark.slow
def test_labels_say_where_noise_is_and_minus_one_where_there_is_none(data):
    batch = data.batch(range(300))
    has_noise = batch["noisy"].any(dim=1)
    assert torch.equal(batch["noise_interval"] >= 0, has_noise)
    assert set(batch["family"].tolist()) == {-1, 0, 1, 2, 3, 4}
    assert (batch["family"] < 0).float().mean().item() == pytest.approx(0.2, abs=0.07)
    labels = NoiseBERTDataset().batch(range(600))["noise_interval"]
    assert set(labels.tolist()) == set(range(-1, 30))


def test_the_starting_studys_file_stands_in_for_the_generator(tmp_path):
    """Its pickle is converted once, by the reader of measured files, and read as any stored spectra are."""
    import pickle

    energies = np.stack([E_ALPHA_GRID[:20], E_BETA_GRID[:20]], axis=1)
    table = {"x": published_psd(*energies.T)[:, None].astype(np.float32), "y": (energies / 10).astype(np.float32)}
    (tmp_path / "study.pkl").write_bytes(pickle.dumps(table))
    stored = load_spectra(tmp_path / "study.pkl").store(tmp_path / "study.npz")
    data = NoiseBERTDataset(data_path=stored, families=("none",))
    assert len(data) == 14
    batch = data.batch(range(14))
    expected = np.log(published_psd(*batch["energies"].double().numpy().T))
    np.testing.assert_allclose(to_log_psd(batch["background"].numpy()), expected, atol=1e-4)
    with pytest.raises(ValueError, match="a file's are not known"):
        NoiseBERTDataset("test", pairs="held_out", data_path=stored)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"split": "dev"}, "unknown split 'dev'"),
        ({"pairs": "apart"}, "unknown pairs 'apart'"),
        ({"families": ("thunder",)}, "unknown noise family 'thunder'"),
        ({"families": ()}, "families is empty"),
        ({"intrinsic": "pink"}, "unknown intrinsic noise"),
        ({"n_segments": 2.5}, "n_segments=2.5 must be a whole number"),
        ({"mask_policy": "some"}, "unknown mask_policy"),
        ({"seed": -1}, "seed=-1"),
        ({"n_spectra": 0}, "n_spectra=0"),
        ({"none_share": 1.5}, "none_share=1.5 must lie in 0..1"),
        ({"amplitude": (3.0, 1.0)}, "0 <= low <= high"),
        ({"mask_fraction": 1.0}, "mask_fraction=1.0"),
        ({"mask_width": 30}, "mask_width=30 must be a multiple of patch_size=20"),
    ],
)
def test_bad_arguments_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        NoiseBERTDataset(**options)


def test_an_index_outside_is_refused():
    data = NoiseBERTDataset(n_spectra=4)
    for index in (4, -1):
        with pytest.raises(IndexError, match=r"outside 0\.\.3"):
            data[index]
