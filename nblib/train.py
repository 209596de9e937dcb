"""Train a NoiseBERT: a short loop of ours on accelerate's device, precision and processes.

A run lives in runs/models/<key>/, the key made of its parameters and of the code that decides its result. Asking for a
run that is complete loads it; one that was cut off goes on where its last checkpoint stands.
"""

import math
import time
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import torch
from accelerate import Accelerator
from accelerate.state import AcceleratorState
from filelock import FileLock
from sklearn.metrics import average_precision_score
from torch import Tensor
from tqdm.auto import tqdm

from nblib.checkpoints import (
    HISTORY_COLUMNS,
    load_checkpoint,
    read_history,
    save_checkpoint,
    write_history,
)
from nblib.config import TrainConfig
from nblib.losses import MASKED_ERRORS, REGULARIZERS, noisy_tokens
from nblib.model import NoiseBERT
from nblib.paths import runs_dir
from nblib.records import (
    available_cores,
    is_live,
    read_json,
    run_conditions,
    write_json,
)


@dataclass(frozen=True)
class TrainResult:
    """A finished run: the model with its best validation weights (in eval mode), history by column, and its record."""

    config: TrainConfig
    model: NoiseBERT
    history: dict[str, np.ndarray]
    folder: Path
    record: dict


# ---- data by step ----


class _StepData(torch.utils.data.Dataset):
    """Item t is this process's share of the t-th global batch, whatever came before: restarts need no replay."""

    def __init__(self, dataset, batch_size, rank=0, world=1):
        self.dataset, self.batch_size, self.rank, self.world = (
            dataset,
            batch_size,
            rank,
            world,
        )

    def __getitem__(self, step):
        steps_per_epoch = -(-len(self.dataset) // self.batch_size)
        epoch, place = divmod(step, steps_per_epoch)
        order = np.random.default_rng([self.dataset.seed, epoch]).permutation(len(self.dataset))
        indices = order[place * self.batch_size : (place + 1) * self.batch_size]
        self.dataset.set_epoch(epoch)
        return self.dataset.batch(indices[self.rank :: self.world])


# ---- one loss, three terms ----


def model_inputs(batch: dict[str, Tensor], config: TrainConfig, hide: Tensor | None = None) -> tuple[tuple, dict]:
    """Arguments of NoiseBERT.forward: the batch's masked input, or its target with the bins `hide` hidden."""
    hide = batch["mask"] if hide is None else hide
    extra = {} if config.preset == "published" else {"freqs": batch["freq"][0], "level": batch["level"]}
    return (batch["target"].masked_fill(hide, 0.0), hide | ~batch["valid"]), extra


def loss_terms(
    model, batch, config: TrainConfig, spread: float, step: int = 0
) -> tuple[dict[str, tuple[Tensor, Tensor]], Tensor]:
    """Sums and counts of the loss terms over a batch; a term is its sum over its count, across all processes.

    spread  : ln units of one standardised unit (the dataset's scale)
    step    : keys the draws of the `random` control
    returns : "mask" (error summed over masked bins, their number), "reg" (penalty summed over the spectra that define
              it, their number), "noisy_mass" (last layer, for the record only);
              and the last layer's CLS attention (batch, token), heads averaged, without gradient
    """
    inputs, extra = model_inputs(batch, config)
    out, _, cls_attn = model(*inputs, return_attention="cls", **extra)
    noisy = noisy_tokens(batch["noisy"], config.patch_size)
    errors = MASKED_ERRORS[config.masked_error](out.float(), batch["target"], spread)
    masked = batch["mask"] & batch["valid"]
    context = {
        "prediction": out.float(),
        "noisy_bins": batch["noisy"],
        "noise_interval": batch["noise_interval"],
        "generator": torch.Generator().manual_seed(config.seed * 1_000_003 + step),
    }
    layers = cls_attn if config.reg_layers == "all" else cls_attn[-1:]
    penalty = REGULARIZERS[config.regularizer]
    parts = [penalty(rows.float(), noisy, reduction="none", **context) for rows in layers]
    rows = torch.stack([values for values, _ in parts]).mean(dim=0)
    defined = parts[0][1]
    mass, has_noise = REGULARIZERS["mass"](cls_attn[-1].detach().float(), noisy, reduction="none")
    terms = {
        "mask": (torch.where(masked, errors, 0).sum(), masked.sum()),
        "reg": (torch.where(defined, rows, 0).sum(), defined.sum()),
        "noisy_mass": (torch.where(has_noise, mass, 0).sum(), has_noise.sum()),
    }
    return terms, cls_attn[-1].detach().float().mean(dim=1)


def _total(terms, config, accelerator):
    """This process's share of the loss and the terms over all processes: {"loss", "mask", "reg", "noisy_mass"}."""
    sums = torch.stack([total for total, _ in terms.values()])
    counts = torch.stack([count for _, count in terms.values()]).to(sums.dtype)
    counts = accelerator.reduce(counts, "sum").clamp(min=1)
    shares = sums / counts  # summed over processes they are the means over the global batch
    weights = shares.new_tensor([1.0, config.reg_weight, 0.0])
    loss = (weights * shares).sum() * accelerator.num_processes  # gradients are averaged over processes
    means = accelerator.reduce(shares.detach(), "sum")
    values = dict(zip(terms, means.tolist(), strict=True))
    return loss, {"loss": float((weights * means).sum()), **values}


def learning_rate_at(step: int, config: TrainConfig) -> float:
    """Linear warm-up over warmup_share of the steps, then a cosine to zero."""
    warmup = max(1, round(config.warmup_share * config.steps))
    if step < warmup:
        return config.learning_rate * (step + 1) / warmup
    return config.learning_rate * 0.5 * (1 + math.cos(math.pi * (step - warmup) / max(1, config.steps - warmup)))


# ---- the run ----


def train(config: TrainConfig, progress: bool | None = None, n_workers: int | None = None) -> TrainResult:
    """Train, resume or load the run of a config.

    config   : one config is one run; a complete one is loaded, an interrupted one continued
    progress : show a bar with the separate terms; None = where somebody watches (a terminal, JupyterLab)
    n_workers : processes that draw spectra while the model trains; None = one, where there is a core for it
    returns  : TrainResult; its folder holds best.safetensors (lowest validation loss), last.safetensors (weights,
               optimizer, step), history.csv and record.json (parameters, versions, hardware, wall seconds)
    """
    folder = _folder(config)
    with FileLock(folder / ".lock"), torch.random.fork_rng():
        if not (folder / "record.json").exists():
            _Run(config, folder, progress).finish(n_workers)
    return load_run(folder)


def train_many(configs: Sequence[TrainConfig]) -> list[TrainResult]:
    """Train several runs side by side, one core each; with an accelerator, one after the other.

    Small models gain little from a second thread, so two runs of one thread finish well before two in turn.

    returns : one TrainResult a config, in order; complete runs are loaded, equal configs are one run
    """
    waiting = [config for config in dict.fromkeys(configs) if not (_folder(config) / "record.json").exists()]
    n_processes = min(available_cores(), len(waiting))
    if n_processes > 1 and not torch.cuda.is_available():
        with ProcessPoolExecutor(n_processes, get_context("spawn"), torch.set_num_threads, (1,)) as pool:
            list(pool.map(_train_alone, waiting))
    return [train(config) for config in configs]


def _train_alone(config):
    train(config, progress=False, n_workers=0)


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

    def __init__(self, config: TrainConfig, folder: Path, progress: bool):
        AcceleratorState._reset_state(reset_partial_state=False)  # one process may train at several precisions
        self.accelerator = Accelerator(mixed_precision=config.precision)
        self.config, self.folder, self.progress = config, folder, progress
        self.data = config.dataset("train", config.n_spectra)
        held_out = config.dataset("validation", config.n_validation)
        self.validation = _StepData(held_out, config.batch_size)  # whole in every process: few spectra, one AP
        self.n_validation_steps = -(-config.n_validation // config.batch_size)
        model = config.build_model(self.data.freqs)
        decayed = [value for value in model.parameters() if value.ndim > 1]
        others = [value for value in model.parameters() if value.ndim <= 1]
        groups = [
            {"params": decayed, "weight_decay": config.weight_decay},
            {"params": others, "weight_decay": 0.0},
        ]
        optimizer = torch.optim.AdamW(groups, lr=config.learning_rate, betas=(0.9, config.adam_beta2))
        self.step, self.rows, self.best, self.seconds = 0, [], math.inf, 0.0
        if (folder / "last.safetensors").exists():
            self._resume(model, optimizer)
        self.model, self.optimizer = self.accelerator.prepare(model, optimizer)

    def _resume(self, model, optimizer):
        metadata = load_checkpoint(self.folder / "last.safetensors", model, optimizer)
        self.step, self.best, self.seconds = (
            metadata["step"],
            metadata["best"],
            metadata["seconds"],
        )
        self.rows = read_history(self.folder / "history.csv", self.step)

    def finish(self, n_workers):
        """Train from where the run stands to its last step and write the record."""
        n_workers = int(available_cores() > 1) if n_workers is None else n_workers
        config, world = self.config, self.accelerator.num_processes
        started = time.perf_counter() - self.seconds
        loader = torch.utils.data.DataLoader(
            _StepData(self.data, config.batch_size, self.accelerator.process_index, world),
            batch_size=None,
            sampler=range(self.step, config.steps),
            num_workers=n_workers if self.step < config.steps else 0,
        )
        bar = tqdm(
            loader,
            total=config.steps,
            initial=self.step,
            desc=f"{config.readout} {config.regularizer}",
            disable=not (self.accelerator.is_main_process and (is_live() if self.progress is None else self.progress)),
        )
        recent = []
        for batch in bar:
            recent.append(self._train_step(batch))
            self.step += 1
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
            return loss_terms(self.model, batch, self.config, self.data.scale.spread, step)

    def _train_step(self, batch):
        config, accelerator = self.config, self.accelerator
        rate = learning_rate_at(self.step, config)
        for group in self.optimizer.param_groups:
            group["lr"] = rate
        # keyed by step and process, so that dropout is the same after a restart
        torch.manual_seed((config.seed * 1_000_003 + self.step) * 4096 + accelerator.process_index)
        self.model.train()
        loss, values = _total(self._loss(batch, self.step)[0], config, accelerator)
        if not math.isfinite(values["loss"]):
            raise FloatingPointError(f"loss is {values['loss']} at step {self.step}; lower learning_rate={rate:g}")
        self.optimizer.zero_grad(set_to_none=True)
        accelerator.backward(loss)
        accelerator.clip_grad_norm_(self.model.parameters(), config.clip_norm)
        self.optimizer.step()
        return values

    @torch.no_grad()
    def _validate(self, averages):
        self.model.eval()
        entries, scores, truth = [], [], []
        for step in range(self.n_validation_steps):
            batch = self.validation[step]
            terms, attention = self._loss(batch, step)
            entries.append(_total(terms, self.config, self.accelerator)[1])
            scores.append(-attention.log().cpu().numpy().ravel())
            truth.append(noisy_tokens(batch["noisy"], self.config.patch_size).numpy().ravel())
        held_out = {name: float(np.mean([entry[name] for entry in entries])) for name in entries[0]}
        truth, scores = np.concatenate(truth), np.concatenate(scores)
        precision = average_precision_score(truth, scores) if truth.any() else math.nan
        names = {
            "loss": "{}_loss",
            "mask": "{}mask_loss",
            "reg": "{}reg_loss",
            "noisy_mass": "{}noisy_mass",
        }
        row = {
            "step": self.step,
            "learning_rate": learning_rate_at(self.step - 1, self.config),
            "val_ap": precision,
        }
        row["seconds"] = self.seconds
        for name, pattern in names.items():
            row[pattern.format("train" if name == "loss" else "")] = averages[name]
            row[pattern.format("val" if name == "loss" else "val_")] = held_out[name]
        self.rows.append(row)

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
