"""Detectors trained on labels: they learn, return what they learnt, and see as far as they say."""

import numpy as np
import pytest
import torch

from evidence.supervised import KINDS, LineCNN, supervised_score, train_supervised
from nblib import NoiseBERTDataset, TrainConfig
from nblib.cells import cell_labels
from nblib.scoring.metrics import detection

SMALL = {"readout": "token", "d_model": 16, "n_heads": 2, "num_layers": 1, "dim_feedforward": 16, "batch_size": 8}
STEPS = {"cnn": 40, "token_head": 100}  # the head of a token sees little, and learns slowly


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_a_detector_learns_and_comes_back_from_its_file(kind, tmp_path, monkeypatch):
    """Planted bug: labels of another batch."""
    monkeypatch.setenv("NBLIB_RUNS", str(tmp_path))
    data = NoiseBERTDataset(split="test", n_spectra=60, none_share=0.0)
    truth = cell_labels(data.batch(range(60))["noisy"].numpy())
    configs = [TrainConfig(**SMALL, steps=steps, n_spectra=640) for steps in (1, STEPS[kind])]
    short, model = (train_supervised(kind, config) for config in configs)
    before, after = (detection(supervised_score(trained, data), truth, 3000)["ap"] for trained in (short, model))
    assert after > before + 0.1
    again = train_supervised(kind, configs[1])
    assert all(torch.equal(a, b) for a, b in zip(model.parameters(), again.parameters(), strict=True))


def test_the_network_sees_the_distance_it_says():
    """Token 75 is bins 1500 to 1519. Planted bug: dilations left out."""
    model = LineCNN(20)
    x = torch.zeros(1, 3000, requires_grad=True)
    model(x)[0, 75].backward()
    seen = np.flatnonzero(x.grad[0].numpy())
    assert 1500 - 250 <= seen.min() < 1500 - 200
    assert 1520 + 180 < seen.max() <= 1520 + 250
    with pytest.raises(ValueError, match="patch_size=10 must be a multiple of stride=4"):
        LineCNN(10)


def test_other_kinds_and_readouts_are_refused():
    with pytest.raises(ValueError, match="give one of cnn, token_head"):
        train_supervised("svm", TrainConfig(readout="token"))
    with pytest.raises(ValueError, match="readout 'token'"):
        train_supervised("cnn", TrainConfig())
