"""What decides a run: parameters checked before anything starts, and a key that misses none of them."""

from dataclasses import asdict, fields, replace

import numpy as np
import pytest
import torch

from nblib.training.config import TrainConfig

OTHER = {
    "families": ("vibration",),
    "amplitude": (1.0, 2.0),
    "intrinsic": "welch_hann",
    "mask_policy": "any",
    "n_spectra": 100,
    "readout": "token",
    "masked_error": "whittle",
    "regularizer": "mass",
    "reg_layers": "all",
    "labels": "pseudo",
    "precision": "bf16",
    "adam_beta2": 0.9,
    "none_share": 0.5,
    "pairs": "held_out",
}


@pytest.mark.parametrize(
    "name", [field.name for field in fields(TrainConfig) if field.name not in ("data_path", "extensions")]
)
def test_every_parameter_is_part_of_the_key(name):
    """Planted bug: adam_beta2 left out of the key."""
    value = OTHER[name] if name in OTHER else getattr(TrainConfig(), name) * 2 or 1
    base = TrainConfig(mask_policy="any") if name == "labels" else TrainConfig()
    changed = replace(base, **{name: value})
    assert changed.key != base.key
    assert TrainConfig.from_dict(asdict(changed)).key == changed.key


def test_the_data_files_bytes_are_part_of_the_key(tmp_path):
    path = tmp_path / "stored.npz"
    keys = []
    for level in (1.0, 2.0):
        np.savez(path, freqs=np.arange(1.0, 3001.0), psd=np.full((10, 3000), level))
        keys.append(TrainConfig(data_path=str(path)).key)
    assert keys[0] != keys[1]
    with pytest.raises(ValueError, match="is not a file"):
        TrainConfig(data_path=str(tmp_path / "none.npz")).key  # noqa: B018 - computing it is the test


def test_equal_configs_are_one_run():
    """Planted bug: 3 and 3.0 kept as given, which have two spellings in JSON."""
    assert TrainConfig(reg_weight=3, learning_rate=1).key == TrainConfig(reg_weight=3.0, learning_rate=1.0).key


def test_lists_from_json_are_tuples():
    assert TrainConfig(families=["vibration"], amplitude=[1.0, 2.0]) == TrainConfig(
        families="vibration", amplitude=(1.0, 2.0)
    )


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"regularizer": "entropy"}, "unknown regularizer 'entropy'; known"),
        ({"masked_error": "huber"}, "unknown masked error 'huber'"),
        ({"reg_layers": "first"}, "reg_layers='first' must be one of last, all"),
        ({"precision": "fp8"}, "precision='fp8' must be one of no, bf16, fp16"),
        ({"steps": 0}, "steps=0 must be a whole number of at least 1"),
        ({"batch_size": 2.5}, "batch_size=2.5"),
        ({"reg_weight": -1.0}, "reg_weight=-1.0 must be a finite number of at least 0"),
        ({"reg_weight": float("nan")}, "reg_weight=nan"),
        ({"learning_rate": 0.0}, "learning_rate=0.0 must be a finite number above 0"),
        ({"adam_beta2": 1.0}, "adam_beta2=1.0"),
        ({"lambda_reg": 1.0}, "unknown training parameter lambda_reg; known: seed, steps"),
    ],
)
def test_bad_parameters_are_refused_by_name(changes, message):
    with pytest.raises(ValueError, match=message):
        TrainConfig.from_dict(changes)


def test_data_follow_the_config_and_changes_replace_it():
    config = TrainConfig(families=("vibration",), n_segments=4, seed=3)
    data = config.dataset("test", 5, families=("none",))
    assert (data.split, len(data), data.families, data.n_segments, data.seed) == ("test", 5, ("none",), 4, 3)


def test_a_model_depends_on_the_seed_alone():
    """Planted bug: the global generator seeded without giving it back."""
    torch.manual_seed(123)
    expected = torch.rand(3)
    torch.manual_seed(123)
    grid = np.arange(1.0, 61.0)
    one, same, other = (TrainConfig(seed=seed).build_model(grid).state_dict() for seed in (0, 0, 1))
    assert torch.equal(torch.rand(3), expected)
    assert all(torch.equal(one[name], same[name]) for name in one)
    assert not torch.equal(one["embed.weight"], other["embed.weight"])


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"labels": "guessed"}, "labels='guessed' must be one of simulated, pseudo"),
        ({"labels": "pseudo"}, "only 'any' places masks without the truth"),
        ({"labels": "pseudo", "mask_policy": "any", "readout": "token"}, "only a readout that decodes CLS"),
        ({"labels": "pseudo", "mask_policy": "any", "regularizer": "first_bin"}, "'first_bin' takes simulated"),
        ({"labels_after": 1.5}, "labels_after=1.5 must be a share"),
    ],
)
def test_labels_that_would_use_the_truth_are_refused(changes, message):
    with pytest.raises(ValueError, match=message):
        TrainConfig(**changes)
