"""Train a NoiseBERT, on accelerate's device, precision and processes.

A run lives in runs/models/<key>/, the key made of its parameters and of the code that decides its result. Asking for a
run that is complete loads it; one that was cut off goes on where its last checkpoint stands.
"""

import hashlib
import math
from collections.abc import Callable, Sequence
from contextlib import nullcontext, suppress
from dataclasses import asdict, dataclass
from multiprocessing import parent_process
from pathlib import Path

import numpy as np
import torch
from accelerate import PartialState
from sklearn.metrics import average_precision_score

from nblib.model import NoiseBERT, noisy_tokens
from nblib.project.environment import available_cores, run_conditions
from nblib.project.files import locked
from nblib.project.parallel import map_side_by_side
from nblib.project.paths import runs_dir
from nblib.project.progress import planned, reporter, training_bar
from nblib.project.records import read_json, write_json
from nblib.project.threads import one_thread
from nblib.training.checkpoints import LAST, load_checkpoint
from nblib.training.config import TrainConfig
from nblib.training.objective import loss_terms, total_loss
from nblib.training.steps import StepData, Training, seconds_taken


@dataclass(frozen=True)
class TrainResult:
    """A finished run: the model with its best validation weights (in eval mode), history by column, and its record.

    history : what history.csv holds, and the "seconds" from the beginning
    """

    config: TrainConfig
    model: NoiseBERT
    history: dict[str, np.ndarray]
    folder: Path
    record: dict


@one_thread()
def train(config: TrainConfig, progress: bool | None = None, n_workers: int | None = None) -> TrainResult:
    """Train, resume or load the run of a config.

    Parameters
    ----------
    config : one config is one run; a complete one is loaded, an interrupted one continued
    progress : show a bar with the separate terms; None = where somebody watches (a terminal, JupyterLab)
    n_workers : processes that draw spectra while the model trains; None = one, where there is a core for it

    Returns
    -------
    TrainResult; its folder holds last.safetensors (the weights with the lowest validation loss too, see steps.Training)
    and the one before it, history.csv, seconds.json and record.json (parameters, versions, hardware, wall seconds)

    Raises
    ------
    ValueError where the folder cannot be written to
    """
    folder = _folder(config)
    state = PartialState(cpu=not torch.accelerator.is_available())  # explicit, or torchrun's processes will not join
    # the first process holds the folder for all; the others look only when it does
    with locked(folder) if state.is_main_process else nullcontext():
        state.wait_for_everyone()
        if not _is_complete(folder):
            if state.is_main_process and parent_process() is None:  # side by side, they were announced together
                planned("run", [config.key])
            _finish(config, folder, progress, n_workers)
    return load_run(folder)


def _is_complete(folder):
    with suppress(ValueError):  # of a damaged checkpoint, the training will say so
        return bool(load_run(folder))
    return False


def train_many(configs: Sequence[TrainConfig]) -> list[TrainResult]:
    """Train several runs side by side, one core each; with an accelerator, one by one.

    Steps of models this small leave threads waiting: cores are better spent on several runs than on one.

    Returns
    -------
    one TrainResult a config, in order; complete runs are loaded, equal configs are one run
    """
    waiting = [config for config in dict.fromkeys(configs) if not (_folder(config) / "record.json").exists()]
    planned("run", [config.key for config in waiting])
    if len(waiting) > 1:
        map_side_by_side(_train_alone, waiting)
    return [train(config) for config in configs]


def _train_alone(config):
    train(config, progress=False)


def _folder(config):
    return runs_dir("models", config.key)


def load_run(folder: str | Path) -> TrainResult:
    """A complete run from its folder; raises ValueError when it is not complete."""
    folder = Path(folder)
    if not (folder / "record.json").exists():
        raise ValueError(f"{folder} holds no complete run (no record.json); train(config) starts or resumes it")
    record = read_json(folder / "record.json")
    config = TrainConfig.from_dict(record["config"])
    model = config.build_model(np.array(record["freqs"]))
    state, seconds = load_checkpoint(folder / LAST, model), seconds_taken(folder)
    model.load_state_dict(state["best"])
    rows = [row | {"seconds": seconds.get(str(row["step"]), math.nan)} for row in state["rows"]]
    history = {name: np.array([row[name] for row in rows]) for name in rows[0]}
    return TrainResult(config, model.eval(), history, folder, record)


# ---- one run ----


def _finish(config, folder, progress, n_workers):
    """Train from where the run stands to its last step; write the best weights and the record."""
    if n_workers is None:  # a process beside others has no core to spare
        n_workers = int(available_cores() > 1 and parent_process() is None)
    data = config.dataset("train", config.n_spectra)
    training = Training(config, config.build_model(data.freqs), folder)
    accelerator, step = training.accelerator, training.step
    is_main, n_processes = accelerator.is_main_process, accelerator.num_processes

    def loss(batch, step):
        return total_loss(loss_terms(training.model, batch, config, step)[0], config, accelerator)

    batches = StepData(data, config.batch_size, accelerator.process_index, n_processes)
    rows = training.steps(batches, loss, _judge(training, config), n_workers)
    bar = training_bar(
        rows, config.steps, step, f"{config.readout} {config.regularizer}", progress if is_main else False
    )
    report = reporter(config.key, config.steps)
    for row in bar:
        if is_main:
            report(training.step)
        if row is not None:
            bar.set_postfix({name: f"{row[name]:.3f}" for name in ("val_mask_loss", "val_reg_loss")})
    if is_main:
        record = {
            "config": asdict(config),
            "freqs": data.freqs.tolist(),
            "wall_seconds": training.seconds.get(str(config.steps)),
            "best_val_loss": min(row["val_loss"] for row in training.rows),
            "checkpoint": hashlib.sha256((folder / LAST).read_bytes()).hexdigest(),
            "device": str(accelerator.device),
            "n_processes": n_processes,
            **run_conditions(),
        }
        write_json(folder / "record.json", record)
    accelerator.wait_for_everyone()


def _judge(training: Training, config: TrainConfig) -> Callable[[], dict[str, float]]:
    """A function that judges the model as it stands on held-out spectra: losses, and AP of its attention."""
    # whole in every process: few spectra, one AP
    batches = StepData(config.dataset("validation", config.n_validation), config.batch_size)

    @torch.no_grad()
    def judge():
        entries, scores, truth = [], [], []
        for step in range(-(-config.n_validation // config.batch_size)):
            batch = batches[step]
            terms, attention = training.evaluate(
                lambda *given: loss_terms(training.model, given[0], config, given[1]), batch, step
            )
            entries.append(total_loss(terms, config, training.accelerator)[1])
            shown, noisy = (
                ~noisy_tokens(batch["mask"], config.patch_size),
                noisy_tokens(batch["noisy"], config.patch_size),
            )
            tiny = torch.finfo(attention.dtype).tiny
            scores.append(-attention.cpu()[shown].clamp(min=tiny).log().numpy())
            truth.append(noisy[shown].numpy())
        means = {
            f"val_{name.removeprefix('train_')}": float(np.mean([row[name] for row in entries])) for name in entries[0]
        }
        truth, scores = np.concatenate(truth), np.concatenate(scores)
        precision = float(average_precision_score(truth, scores)) if truth.any() else math.nan
        return means | {"val_ap": precision}

    return judge
