"""Train the network for unknown backgrounds: on the `wide` world, then with copies of measured spectra as well.

In the second part most batches are copies of the spectra in data/measured with injections (evidence.unknown.texture).
What is said of these instruments comes from five networks, each trained on the instruments of four folds alone; the one
that ships is trained on all. Trainings resume, the five and the shipped one two at a time; --ship writes the weights
and their record into the package, those of the five into data/measured/networks.
"""

from functools import partial
from hashlib import sha256
from pathlib import Path

import torch
from safetensors.torch import save_file

from evidence.benchmarks.script import options
from evidence.unknown.flag_labels import LABEL_FILE
from evidence.unknown.fold_networks import weights_without
from evidence.unknown.measured_spectra import DIGEST, FOLDS, measured_spectra
from evidence.unknown.network import WideNetwork
from evidence.unknown.texture import Texture
from evidence.unknown.training import WideTraining, train_wide
from nblib.measured.statistic import network
from nblib.project.environment import run_conditions
from nblib.project.parallel import map_side_by_side
from nblib.project.paths import measured_data_dir, runs_dir
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
EVERY = 0  # "fold" of the network that leaves none out


def trained_without(fold: int, start: Path) -> Path:
    """The second part with the instruments of the other folds, trained where it is missing; its checkpoint."""
    torch.set_num_threads(1)
    folder = runs_dir("wide", f"without_fold_{fold}" if fold else "every_fold")
    textures = [Texture.of(one) for one in measured_spectra() if one.fold != fold]
    train_wide(CONTINUED, folder, textures, start, log=partial(print, fold))
    return folder / LAST


def trained_on(fold: int) -> dict:
    """Instruments that a network was trained on, and digests of their spectra and labels."""
    labels = (measured_data_dir() / LABEL_FILE).read_bytes()
    instruments = sorted({one.instrument for one in measured_spectra() if one.fold != fold})
    return {"instruments": instruments, "spectra digest": DIGEST, "labels sha256": sha256(labels).hexdigest()}


def shipped(weights: Path, checkpoints: list[Path], fold: int, conditions: dict) -> None:
    """The last checkpoint's weights, and beside them how they came about; prints their hash."""
    trained = []
    for checkpoint in checkpoints:
        model = WideNetwork()
        metadata = load_checkpoint(checkpoint, model)
        trained.append({"config": metadata["config"], "history": metadata["rows"]})
    save_file({name: value.contiguous() for name, value in model.state_dict().items()}, weights)
    digest = sha256(weights.read_bytes()).hexdigest()
    write_json(weights.with_suffix(".json"), {"trained": trained, "sha256": digest} | trained_on(fold) | conditions)
    print(weights, digest)


def main() -> None:
    """Train, and ship if asked to."""
    asked = options(__file__, __doc__, ship=(False, "write the weights into the package and to data/measured"))
    conditions = run_conditions()  # before a file is written: the commit of the trainings
    torch.set_num_threads(1)
    train_wide(SIMULATED, runs_dir("wide", SIMULATED_RUN), log=print)
    start = runs_dir("wide", SIMULATED_RUN) / LAST
    checkpoints = map_side_by_side(partial(trained_without, start=start), (EVERY, *FOLDS))
    if asked.ship:
        shipped(Path(network.__file__).with_name(network.WEIGHTS), [start, checkpoints[0]], EVERY, conditions)
        for fold, checkpoint in zip(FOLDS, checkpoints[1:], strict=True):
            shipped(weights_without(fold), [checkpoint], fold, conditions)


if __name__ == "__main__":
    main()
