"""Train the network for unknown backgrounds: 2500 steps on the `wide` world, then 1200 with a measured stretch.

In the second part 40 % of the batches are injections into the first H1 stretch ($NBLIB_REAL_DATA); nobody labels that
spectrum: cells where the classical detector's score is in its upper 15 % carry no label. The runs resume; --ship writes
the weights and their record into the package.
"""

from hashlib import sha256
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import save_file

from evidence.benchmarks.script import options
from evidence.unknown.training import RealSpectrum, WideTraining, train_wide
from evidence.unknown.unknown_backgrounds import bank_score
from nblib.cells import WIDE_CELL, cell_scores
from nblib.measured.statistic import network
from nblib.project.environment import run_conditions
from nblib.project.paths import real_data_dir, runs_dir
from nblib.project.records import write_json
from nblib.project.registry import refuse_if
from nblib.training.checkpoints import load_checkpoint

LIGO_FILE, LIGO_SEGMENTS = "ligo_o1_h1_psd_1hz.npz", 63
TRUSTED = 0.85  # quantile of the classical score below which a cell of the measured spectrum counts as clean
SIMULATED = WideTraining(steps=8000, sizes=(300, 5000), validate_every=100)
CONTINUED = WideTraining(
    steps=1200,
    sizes=(300, 10_000),
    learning_rate=2.5e-3,
    muon_learning_rate=7e-3,
    real_share=0.4,
    start="simulated",
    validate_every=50,
)


def first_stretch() -> RealSpectrum:
    """The first H1 stretch, unlabelled.

    Raises
    ------
    ValueError where $NBLIB_REAL_DATA is not set, or names no folder with that file
    """
    path = real_data_dir() / LIGO_FILE
    refuse_if(not path.is_file(), f"{path} is missing; the network is trained on it")
    with np.load(path) as ligo:
        freqs, psd, valid = ligo["freq"], ligo["psd"][0], ligo["valid"][0]
    scores = cell_scores(bank_score(freqs, psd, valid, LIGO_SEGMENTS), WIDE_CELL)
    return RealSpectrum(psd, valid, LIGO_SEGMENTS, scores < np.nanquantile(scores, TRUSTED))


def main() -> None:
    """Train, and ship if asked to."""
    asked = options(__file__, __doc__, ship=(False, "write the weights into the package"))
    torch.set_num_threads(1)
    folders = {name: runs_dir("wide", name) for name in ("simulated", "continued")}
    train_wide(SIMULATED, folders["simulated"], log=print, n_workers=1)
    start = folders["simulated"] / "last.safetensors"
    model = train_wide(CONTINUED, folders["continued"], [first_stretch()], start, log=print, n_workers=1)
    if asked.ship:
        trained = []
        for folder in folders.values():
            metadata = load_checkpoint(folder / "last.safetensors", model)  # the continued run comes last
            trained.append({"config": metadata["config"], "history": metadata["rows"]})
        weights = Path(network.__file__).with_name(network.WEIGHTS)
        save_file({name: value.contiguous() for name, value in model.state_dict().items()}, weights)
        measured = f"first H1 stretch, injections in {CONTINUED.real_share:.0%} of the batches of the second part"
        print(f"WEIGHTS_SHA256 of nblib/measured/statistic/network.py: {sha256(weights.read_bytes()).hexdigest()}")
        write_json(weights.with_suffix(".json"), {"trained": trained, "measured spectra": measured} | run_conditions())


if __name__ == "__main__":
    main()
