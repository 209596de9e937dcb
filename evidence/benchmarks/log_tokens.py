"""Tokens that widen with frequency: fewer for the same decades, at what loss of detection? `make bench`

A token always holds 20 values; above some frequencies a value is the mean ln PSD of 2 or 4 neighbouring bins. The same
loop trains every layout, on the same spectra; validation spectra judge, cells of 20 bins as everywhere.
"""

import json
import tempfile
import time
from pathlib import Path

import numpy as np
import torch
from torch import nn

from evidence.benchmarks.script import options, write_record
from evidence.test_sets import noisy_cells
from nblib import NoiseBERTDataset, TrainConfig
from nblib.assessment import held_out, masked_prediction
from nblib.cells import CELL_WIDTH
from nblib.prediction import predict
from nblib.project.profiles import get_profile
from nblib.scoring.metrics import detection
from nblib.training.objective import loss_terms, total_loss
from nblib.training.steps import StepData, Training

# (bins a value, tokens) from low to high frequency; 3,000 bins in all
LAYOUTS = {
    "150 tokens of 20 bins": ((1, 150),),
    "75 tokens: 20 bins to 760 Hz, 40 to 1480 Hz, 80 above": ((1, 38), (2, 18), (4, 19)),
    "55 tokens: 20 bins to 200 Hz, 40 to 1000 Hz, 80 above": ((1, 10), (2, 20), (4, 25)),
}
FAMILY = "single_line"


class Widening(NoiseBERTDataset):
    """A data set seen through a layout: its batches with the bins of a value joined. All else is the data set's."""

    def __init__(self, data: NoiseBERTDataset, layout):
        self.__dict__.update(data.__dict__)
        self.data = data
        self.cells_a_token = np.concatenate([np.full(n_tokens, width) for width, n_tokens in layout])
        self.sizes = np.repeat(self.cells_a_token, CELL_WIDTH)
        self.starts = np.cumsum(self.sizes) - self.sizes
        if self.sizes.sum() != len(data.freqs):
            raise ValueError(f"the layout covers {self.sizes.sum()} bins and the spectra have {len(data.freqs)}")
        self.freqs = self._mean(data.freqs)

    def _mean(self, values):
        return np.add.reduceat(values, self.starts, axis=-1) / self.sizes

    def batch(self, indices) -> dict:
        """As the data set's: means of values, "any" of masks and of noise."""
        whole = self.data.batch(indices)
        joined = {name: self._mean(whole[name].numpy()).astype(np.float32) for name in ("target", "background")}
        for name in ("mask", "noisy"):
            joined[name] = np.logical_or.reduceat(whole[name].numpy(), self.starts, axis=-1)
        return whole | {name: torch.from_numpy(values) for name, values in joined.items()}


def train_layout(config: TrainConfig, layout) -> tuple[nn.Module, float]:
    """The profile's training on a layout: the model and its seconds."""
    data = Widening(config.dataset("train"), layout)
    model = config.build_model(data.freqs)
    started = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        training = Training(config, model, Path(folder))

        def loss(batch, step):
            return total_loss(loss_terms(training.model, batch, config, step)[0], config, training.accelerator)

        for _ in training.steps(StepData(data, config.batch_size), loss):
            pass
    return model.cpu().eval(), time.perf_counter() - started


def judge(model, config: TrainConfig, layout, n_spectra: int) -> dict:
    """Detection per cell, every cell of a token sharing its score, and masked error against the background (ln)."""
    whole = held_out(config, FAMILY, n_spectra, "validation")
    data = Widening(whole, layout)
    seen = predict(model, data)
    rows = seen.cls_attn[-1].mean(axis=1)
    scores = np.repeat(-np.log(rows * rows.shape[-1]), data.cells_a_token, axis=1)
    truth = noisy_cells(whole)
    error = masked_prediction(seen, data)["background_rms"]
    return detection(scores, truth, len(whole.freqs)) | {"background_rms": error}


def main() -> None:
    """Train and judge every layout, write the record."""
    asked = options(__file__, __doc__, spectra=(500, "validation spectra"), profile="quick")
    training = get_profile(asked.profile).training | {"regularizer": "uniform_clean", "reg_weight": 10.0}
    config = TrainConfig.from_dict({"families": (FAMILY,)} | training)
    rows = {}
    for name, layout in LAYOUTS.items():
        model, seconds = train_layout(config, layout)
        rows[name] = judge(model, config, layout, asked.spectra) | {"seconds": seconds}
        print(json.dumps({name: {key: round(value, 4) for key, value in rows[name].items()}}), flush=True)
    write_record(__file__, {"rows": rows, "layouts": LAYOUTS, "steps": config.steps, "n_validation": asked.spectra})


if __name__ == "__main__":
    main()
