"""Train a NoiseBERT: a short loop of ours on accelerate's device, precision and processes.

A run lives in runs/models/<key>/, the key made of its parameters and of the code that decides its result. Asking for a
run that is complete loads it; one that was cut off goes on where its last checkpoint stands.
"""

import logging
import math
import time
from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import asdict, dataclass
from multiprocessing import parent_process
from pathlib import Path

import numpy as np
import torch
from accelerate import Accelerator, DistributedDataParallelKwargs, PartialState
from accelerate.state import AcceleratorState
from filelock import FileLock
from sklearn.metrics import average_precision_score

from nblib.model import NoiseBERT, noisy_tokens
from nblib.project.environment import available_cores, run_conditions
from nblib.project.parallel import map_side_by_side
from nblib.project.paths import runs_dir
from nblib.project.progress import planned, reporter, training_bar
from nblib.project.records import read_json, write_json
from nblib.project.threads import one_thread
from nblib.training.checkpoints import HISTORY_COLUMNS, load_checkpoint, read_history, save_checkpoint, write_history
from nblib.training.config import TrainConfig
from nblib.training.objective import loss_terms, total_loss
from nblib.training.optimizer import MuonAdamW

LOG = logging.getLogger(__name__)


@dataclass(frozen=True)
class TrainResult:
    """A finished run: the model with its best validation weights (in eval mode), history by column, and its record."""

    config: TrainConfig
    model: NoiseBERT
    history: dict[str, np.ndarray]
    folder: Path
    record: dict


# ---- data by step ----


class StepData(torch.utils.data.Dataset):
    """Item t is this process's share of the t-th global batch, whatever came before: restarts need no replay."""

    def __init__(self, dataset, batch_size, rank=0, world=1):
        self.dataset, self.batch_size, self.rank, self.world = dataset, batch_size, rank, world

    def __getitem__(self, step):
        steps_per_epoch = -(-len(self.dataset) // self.batch_size)
        epoch, place = divmod(step, steps_per_epoch)
        order = np.random.default_rng([self.dataset.seed, epoch]).permutation(len(self.dataset))
        indices = order[place * self.batch_size : (place + 1) * self.batch_size]
        self.dataset.set_epoch(epoch)
        return self.dataset.batch(indices[self.rank :: self.world])


# ---- the run ----


def rate_share_at(step: int, config: TrainConfig) -> float:
    """Learning rate over its peak: linear warm-up over warmup_ratio of the steps, then a cosine to zero."""
    warmup = max(1, round(config.warmup_ratio * config.steps))
    if step < warmup:
        return (step + 1) / warmup
    return 0.5 * (1 + math.cos(math.pi * (step - warmup) / max(1, config.steps - warmup)))


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
    TrainResult; its folder holds best.safetensors (lowest validation loss), last.safetensors (weights, optimizer,
    step), history.csv and record.json (parameters, versions, hardware, wall seconds)
    """
    folder = _folder(config)
    state = PartialState(cpu=not torch.accelerator.is_available())  # said aloud, or torchrun's processes stay alone
    # the first process holds the folder for all; the others look only when it does
    with FileLock(folder / ".lock") if state.is_main_process else nullcontext(), torch.random.fork_rng():
        state.wait_for_everyone()
        if not (folder / "record.json").exists():
            if state.is_main_process and parent_process() is None:  # side by side, they were announced together
                planned("run", [config.key])
            _Run(config, folder, progress).finish(n_workers)
    return load_run(folder)


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
    load_checkpoint(folder / "best.safetensors", model)
    rows = read_history(folder / "history.csv")
    history = {name: np.array([row[name] for row in rows]) for name in HISTORY_COLUMNS}
    return TrainResult(config, model.eval(), history, folder, record)


class _Run:
    """One training in progress."""

    def __init__(self, config: TrainConfig, folder: Path, progress: bool | None):
        AcceleratorState._reset_state(reset_partial_state=False)  # one process may train at several precisions
        self.accelerator = Accelerator(
            mixed_precision=config.precision,
            cpu=not torch.accelerator.is_available(),
            # the only buffer is the frequency grid, the same in every process: nothing to send before a step
            kwargs_handlers=[DistributedDataParallelKwargs(broadcast_buffers=False, gradient_as_bucket_view=True)],
        )
        self.config, self.folder, self.progress = config, folder, progress
        self.data = config.dataset("train", config.n_spectra)
        held_out = config.dataset("validation", config.n_validation)
        self.validation = StepData(held_out, config.batch_size)  # whole in every process: few spectra, one AP
        self.n_validation_steps = -(-config.n_validation // config.batch_size)
        model = config.build_model(self.data.freqs)
        optimizer = MuonAdamW(model, config)
        self.rows: list[dict[str, float]] = []
        self.step, self.best, self.seconds = 0, math.inf, 0.0
        if (folder / "last.safetensors").exists():
            self._resume(model, optimizer)
        self.model, self.optimizer = self.accelerator.prepare(model, optimizer)

    def _resume(self, model, optimizer):
        metadata = load_checkpoint(self.folder / "last.safetensors", model, optimizer)
        self.step, self.best, self.seconds = (metadata[name] for name in ("step", "best", "seconds"))
        self.rows = read_history(self.folder / "history.csv", self.step)
        LOG.info("%s goes on from step %d of %d", self.folder, self.step, self.config.steps)

    def finish(self, n_workers):
        """Train from where the run stands to its last step and write the record."""
        if n_workers is None:  # a process beside others has no core to spare
            n_workers = int(available_cores() > 1 and parent_process() is None)
        config, world = self.config, self.accelerator.num_processes
        started = time.perf_counter() - self.seconds
        loader = torch.utils.data.DataLoader(
            StepData(self.data, config.batch_size, self.accelerator.process_index, world),
            batch_size=None,
            sampler=range(self.step, config.steps),
            num_workers=n_workers if self.step < config.steps else 0,
        )
        shown = self.progress if self.accelerator.is_main_process else False
        bar = training_bar(loader, config.steps, self.step, f"{config.readout} {config.regularizer}", shown)
        recent, report = [], reporter(config.key, config.steps)
        for batch in bar:
            recent.append(self._train_step(batch))
            self.step += 1
            if self.accelerator.is_main_process:
                report(self.step)
            if self.step % config.validate_every == 0 or self.step == config.steps:
                averages = {name: float(np.mean([entry[name] for entry in recent])) for name in recent[0]}
                self.seconds = time.perf_counter() - started
                self._validate(averages)
                self._checkpoint()
                bar.set_postfix({name: f"{self.rows[-1][name]:.3f}" for name in ("val_mask_loss", "val_reg_loss")})
                recent = []
        self._write_record()

    def _loss(self, batch, step):
        batch = {name: value.to(self.accelerator.device) for name, value in batch.items() if name != "energies"}
        with self.accelerator.autocast():
            return loss_terms(self.model, batch, self.config, step)

    def _train_step(self, batch):
        config, accelerator = self.config, self.accelerator
        self.optimizer.optimizer.set_rate(rate_share_at(self.step, config))
        # keyed by step and process, so that dropout is the same after a restart
        torch.manual_seed((config.seed * 1_000_003 + self.step) * 4096 + accelerator.process_index)
        self.model.train()
        loss, values = total_loss(self._loss(batch, self.step)[0], config, accelerator)
        if not math.isfinite(values["loss"]):
            raise FloatingPointError(
                f"loss is {values['loss']} at step {self.step}; lower learning_rate={config.learning_rate:g} or "
                f"muon_learning_rate={config.muon_learning_rate:g}"
            )
        self.optimizer.zero_grad(set_to_none=True)
        accelerator.backward(loss)
        accelerator.clip_grad_norm_(self.model.parameters(), config.max_grad_norm)
        self.optimizer.step()
        return values

    @torch.no_grad()
    def _validate(self, averages):
        self.model.eval()
        entries, scores, truth = [], [], []
        for step in range(self.n_validation_steps):
            batch = self.validation[step]
            terms, attention = self._loss(batch, step)
            entries.append(total_loss(terms, self.config, self.accelerator)[1])
            shown, noisy = (
                ~noisy_tokens(batch["mask"], self.config.patch_size),
                noisy_tokens(batch["noisy"], self.config.patch_size),
            )
            tiny = torch.finfo(attention.dtype).tiny
            scores.append(-attention.cpu()[shown].clamp(min=tiny).log().numpy())
            truth.append(noisy[shown].numpy())
        held_out = {name: float(np.mean([entry[name] for entry in entries])) for name in entries[0]}
        truth, scores = np.concatenate(truth), np.concatenate(scores)
        precision = average_precision_score(truth, scores) if truth.any() else math.nan
        row = {"step": self.step, "seconds": self.seconds, "val_ap": precision}
        row["learning_rate"] = self.config.learning_rate * rate_share_at(self.step - 1, self.config)
        for name, column in (("mask", "mask_loss"), ("reg", "reg_loss"), ("noisy_mass", "noisy_mass")):
            row |= {column: averages[name], f"val_{column}": held_out[name]}
        self.rows.append(row | {"train_loss": averages["loss"], "val_loss": held_out["loss"]})

    def _checkpoint(self):
        model = self.accelerator.unwrap_model(self.model)
        is_best = self.rows[-1]["val_loss"] < self.best
        self.best = min(self.best, self.rows[-1]["val_loss"])
        if self.accelerator.is_main_process:
            if is_best:
                save_checkpoint(self.folder / "best.safetensors", model, step=self.step)
            write_history(self.folder / "history.csv", self.rows)
            state = {"step": self.step, "best": self.best, "seconds": self.seconds}
            save_checkpoint(self.folder / "last.safetensors", model, self.optimizer, **state)
        self.accelerator.wait_for_everyone()

    def _write_record(self):
        if self.accelerator.is_main_process:
            record = {
                "config": asdict(self.config),
                "freqs": self.data.freqs.tolist(),
                "wall_seconds": round(self.seconds, 2),
                "best_val_loss": self.best,
                "device": str(self.accelerator.device),
                "n_processes": self.accelerator.num_processes,
                **run_conditions(),
            }
            write_json(self.folder / "record.json", record)
        self.accelerator.wait_for_everyone()
