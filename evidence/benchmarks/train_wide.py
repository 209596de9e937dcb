"""Train the network for unknown backgrounds on the `wide` world; with --folds, go on with copies of measured spectra.

Most batches of the second part are copies of the spectra in data/measured with injections (evidence.unknown.texture),
five times, each without the instruments of one fold: evidence/benchmarks/left_out.py judges each on that fold. None of
the five ships. Trainings resume, those of the folds two at a time; --ship writes the weights of the first part and
their record into the package.
"""

from functools import partial
from hashlib import sha256
from pathlib import Path

import torch
from safetensors.torch import save_file

from evidence.benchmarks.script import options
from evidence.unknown.measured_spectra import FOLDS, measured_spectra
from evidence.unknown.network import WideNetwork
from evidence.unknown.texture import Texture
from evidence.unknown.training import WideTraining, train_wide
from nblib.measured.statistic import network
from nblib.project.environment import run_conditions
from nblib.project.parallel import map_side_by_side
from nblib.project.paths import runs_dir
from nblib.project.records import write_json
from nblib.training.checkpoints import load_checkpoint

SIMULATED_RUN, LAST = "simulated", "last.safetensors"
SIMULATED = WideTraining(steps=8000, sizes=(300, 5000), validate_every=100)
CONTINUED = WideTraining(
    steps=1500,
    sizes=(300, 5000),
    learning_rate=2.5e-3,
    muon_learning_rate=7e-3,
    texture_share=0.6,
    start=SIMULATED_RUN,
    validate_every=100,
)


def last_of(run: str) -> Path:
    """The last checkpoint of a run."""
    return runs_dir("wide", run) / LAST


def without(fold: int) -> str:
    """Name of the run that leaves the instruments of a fold out."""
    return f"without_fold_{fold}"


def train_without(fold: int) -> None:
    """The second part with the instruments of the other folds, trained where it is missing."""
    torch.set_num_threads(1)
    textures = [Texture.of(one) for one in measured_spectra() if one.fold != fold]
    train_wide(CONTINUED, runs_dir("wide", without(fold)), textures, last_of(SIMULATED_RUN), log=partial(print, fold))


def ship() -> None:
    """The first part's weights into the package, and beside them how they came about; prints their hash."""
    weights, model, conditions = Path(network.__file__).with_name(network.WEIGHTS), WideNetwork(), run_conditions()
    metadata = load_checkpoint(last_of(SIMULATED_RUN), model)
    save_file({name: value.contiguous() for name, value in model.state_dict().items()}, weights)
    digest = sha256(weights.read_bytes()).hexdigest()
    trained = {"config": metadata["config"], "history": metadata["rows"]}
    write_json(weights.with_suffix(".json"), {"trained": trained, "sha256": digest} | conditions)
    print(f"WEIGHTS_SHA256 of nblib/measured/statistic/network.py: {digest}")


def main() -> None:
    """Train, and ship if asked to."""
    asked = options(
        __file__,
        __doc__,
        folds=(False, "go on five times, each time without the instruments of a fold"),
        ship=(False, "write the weights of the first part into the package"),
    )
    torch.set_num_threads(1)
    train_wide(SIMULATED, runs_dir("wide", SIMULATED_RUN), log=print)
    if asked.ship:
        ship()
    if asked.folds:
        map_side_by_side(train_without, FOLDS)


if __name__ == "__main__":
    main()
