"""Tokens that widen with frequency: fewer for the same decades, at what loss of detection? `make bench`

A token always holds 20 values; above some frequencies a value is the mean ln PSD of 2 or 4 neighbouring bins. The same
loop trains every layout, on the same spectra; validation spectra judge, cells of 20 bins as everywhere.
"""

import argparse
import json
import tempfile
import time
from pathlib import Path

import numpy as np
import torch

from nblib import NoiseBERTDataset, TrainConfig
from nblib.assessment import held_out
from nblib.cells import CELL_WIDTH, cell_labels
from nblib.model import model_inputs
from nblib.project.environment import run_conditions
from nblib.project.paths import benchmark_result
from nblib.project.profiles import get_profile
from nblib.project.records import write_json
from nblib.scoring.metrics import detection
from nblib.simulation.physics import LN_STD
from nblib.training.objective import loss_terms, total_loss
from nblib.training.steps import StepData, Training

# (bins a value, tokens) from low to high frequency; 3,000 bins in all
LAYOUTS = {
    "150 tokens of 20 bins": ((1, 150),),
    "75 tokens: 20 bins to 760 Hz, 40 to 1480 Hz, 80 above": ((1, 38), (2, 18), (4, 19)),
    "55 tokens: 20 bins to 200 Hz, 40 to 1000 Hz, 80 above": ((1, 10), (2, 20), (4, 25)),
}
FAMILY, N_SPECTRA = "single_line", 500


class Widening:
    """A data set seen through a layout: its batches with the bins of a value joined."""

    def __init__(self, data: NoiseBERTDataset, layout):
        self.data, self.seed = data, data.seed
        self.cells_a_token = np.concatenate([np.full(n_tokens, width) for width, n_tokens in layout])
        sizes = np.repeat(self.cells_a_token, CELL_WIDTH)
        self.starts, self.sizes = np.cumsum(sizes) - sizes, sizes
        if sizes.sum() != len(data.freqs):
            raise ValueError(f"the layout covers {sizes.sum()} bins and the spectra have {len(data.freqs)}")
        self.freqs = self._mean(data.freqs)

    def _mean(self, values):
        return np.add.reduceat(values, self.starts, axis=-1) / self.sizes

    def __len__(self):
        return len(self.data)

    def set_epoch(self, epoch: int) -> None:
        """As the data set's."""
        self.data.set_epoch(epoch)

    def batch(self, indices) -> dict:
        """As the data set's: means of values and frequencies, "any" of masks and noise, "all" of validity."""
        whole = self.data.batch(indices)
        joined = {name: self._mean(whole[name].numpy()).astype(np.float32) for name in ("target", "background")}
        for name, join in (("mask", np.logical_or), ("noisy", np.logical_or), ("valid", np.logical_and)):
            joined[name] = join.reduceat(whole[name].numpy(), self.starts, axis=-1)
        return whole | {name: torch.from_numpy(values) for name, values in joined.items()}


def train_layout(config: TrainConfig, layout) -> tuple[torch.nn.Module, float]:
    """The quick profile's training on a layout: the model and its seconds."""
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


@torch.no_grad()
def judge(model, config: TrainConfig, layout) -> dict:
    """Detection per cell, every cell of a token sharing its score, and masked error against the background (ln)."""
    data = Widening(held_out(config, FAMILY, N_SPECTRA, "validation"), layout)
    scores, truth, errors = [], [], []
    for start in range(0, len(data), 50):
        indices = range(start, start + 50)
        batch = data.batch(indices)
        inputs = model_inputs(batch)
        missed = model(*inputs)[0].numpy() - batch["background"].numpy() - data.data.log_bias.mean()
        errors.append((missed * LN_STD)[batch["mask"].numpy()])
        inputs = model_inputs(batch, torch.zeros_like(batch["mask"]))
        rows = model(*inputs, return_attention="cls")[2][-1].mean(dim=1).numpy()
        scores.append(np.repeat(-np.log(rows * rows.shape[-1]), data.cells_a_token, axis=1))
        truth.append(cell_labels(data.data.batch(indices)["noisy"].numpy()))
    found = detection(np.concatenate(scores), np.concatenate(truth), len(data.data.freqs))
    return found | {"background_rms": float(np.sqrt((np.concatenate(errors) ** 2).mean()))}


def main():
    """Train and judge every layout, write the record."""
    argparse.ArgumentParser(description=__doc__).parse_args()
    training = get_profile("quick").training | {"regularizer": "uniform_clean", "reg_weight": 10.0}
    config = TrainConfig(families=(FAMILY,), **training)
    rows = {}
    for name, layout in LAYOUTS.items():
        model, seconds = train_layout(config, layout)
        rows[name] = judge(model, config, layout) | {"seconds": seconds}
        print(json.dumps({name: {key: round(value, 4) for key, value in rows[name].items()}}), flush=True)
    record = {"rows": rows, "layouts": LAYOUTS, "steps": config.steps, "n_validation": N_SPECTRA, **run_conditions()}
    print(f"wrote {write_json(benchmark_result('log_tokens'), record)}")


if __name__ == "__main__":
    main()
