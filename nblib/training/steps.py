"""The one loop of steps: batches by step, rate, clipped gradient, history and checkpoints, resumed bit by bit."""

import json
import logging
import math
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import torch
from accelerate import Accelerator, DistributedDataParallelKwargs
from accelerate.state import AcceleratorState
from torch import Tensor, nn

from nblib.model import on_device
from nblib.project.parallel import end_with_parent
from nblib.project.records import read_json, write_json
from nblib.project.threads import one_thread
from nblib.training.checkpoints import FORMER, LAST, load_newest, save_checkpoint, write_history
from nblib.training.optimizer import MuonAdamW
from nblib.training.schedule import Schedule, rate_share_at

LOG = logging.getLogger(__name__)
Batch = dict[str, Tensor]
Loss = Callable[[Batch, int], tuple[Tensor, dict[str, float]]]  # of a batch at a step; its terms for the history


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


class Training:
    """A model on its way through a schedule, resumed from the newest whole checkpoint of a folder.

    A checkpoint holds all that decides the rest: weights, optimizer, step, history, and the weights with the lowest
    "val_loss" of a row. The seconds that steps took stand apart, in seconds.json, so that a run that was cut leaves the
    same checkpoints and history as one that was not.

    Attributes
    ----------
    accelerator : device, precision and processes
    model : as the accelerator prepared it, for the loss; `weights` is the same without its wrapping
    step : steps done
    rows : the history, one row a checkpoint
    best : weights by name of the best row, empty where rows have no "val_loss"

    Raises
    ------
    ValueError where the folder's checkpoint has other parameters
    """

    def __init__(self, schedule: Schedule, model: nn.Module, folder: Path):
        AcceleratorState._reset_state(reset_partial_state=False)  # one process may train at several precisions
        self.accelerator = Accelerator(
            mixed_precision=schedule.precision,
            cpu=not torch.accelerator.is_available(),
            # the only buffer is the frequency grid, the same in every process: nothing to send before a step
            kwargs_handlers=[DistributedDataParallelKwargs(broadcast_buffers=False, gradient_as_bucket_view=True)],
        )
        if self.accelerator.num_processes > 1:
            end_with_parent()
        self.schedule, self.folder, self.weights = schedule, folder, model
        self.step, self.rows, self.best = 0, list[dict[str, Any]](), dict[str, Tensor]()
        config = {name: value for name, value in asdict(schedule).items() if name != "extensions"}
        self._config = json.loads(json.dumps(config))
        self._moments = MuonAdamW(model, schedule)
        with self.accelerator.main_process_first():  # which deletes what is damaged
            self._resume()
        self.model, self.optimizer = self.accelerator.prepare(model, self._moments)
        taken = seconds_taken(folder)
        self.seconds = {name: value for name, value in taken.items() if int(name) <= self.step}
        self._begun = time.perf_counter() - self.seconds.get(str(self.step), 0.0)

    def _resume(self):
        state = load_newest(self.folder, self.weights, self._moments)
        if state is not None:
            changed = [name for name, value in self._config.items() if state["config"].get(name) != value]
            if changed:
                raise ValueError(f"{self.folder} holds a run with another {', '.join(changed)}; choose another folder")
            self.step, self.rows, self.best = state["step"], state["rows"], state.get("best", {})
            LOG.info("%s goes on from step %d of %d", self.folder, self.step, self.schedule.steps)
            if self.accelerator.scaler is not None:
                self.accelerator.scaler.load_state_dict(state["scaler"])
        if self.accelerator.is_main_process:
            write_history(self.folder / "history.csv", self.rows)

    def steps(
        self,
        data: torch.utils.data.Dataset,
        loss: Loss,
        judge: Callable[[], dict[str, float]] | None = None,
        n_workers=0,
    ) -> Iterator[dict[str, Any] | None]:
        """Do the steps that are left; after each comes its row of the history, or None where none is due.

        Parameters
        ----------
        data : item t is the batch of step t
        loss : of a batch at a step, and its terms
        judge : what a row says besides the terms' means, the model in eval mode; the lowest "val_loss" is the best
        n_workers : processes that draw batches meanwhile; no number depends on it
        """
        schedule, begin = self.schedule, self.step
        batches = torch.utils.data.DataLoader(
            data,
            batch_size=None,
            sampler=range(begin, schedule.steps),
            num_workers=n_workers if begin < schedule.steps else 0,
            worker_init_fn=end_with_parent,
        )
        recent = []
        with one_thread(), torch.random.fork_rng():
            for batch in batches:
                recent.append(self._step(batch, loss))
                self.step += 1
                is_due = self.step % schedule.validate_every == 0 or self.step == schedule.steps
                if is_due:
                    rate = schedule.learning_rate * rate_share_at(self.step - 1, schedule)
                    means = {name: float(np.mean([entry[name] for entry in recent])) for name in recent[0]}
                    self.model.eval()
                    self.rows.append({"step": self.step, "learning_rate": rate} | means | (judge() if judge else {}))
                    self._checkpoint()
                    recent = []
                yield self.rows[-1] if is_due else None

    def _step(self, batch, loss):
        """One step of the optimizer; the terms of its loss."""
        schedule, accelerator = self.schedule, self.accelerator
        self._moments.set_rate(rate_share_at(self.step, schedule))
        # keyed by step and process, so that dropout is the same after a restart
        torch.manual_seed((schedule.seed * 1_000_003 + self.step) * 4096 + accelerator.process_index)
        self.model.train()
        value, terms = self.evaluate(loss, batch, self.step)
        wrong = [term for term in terms.values() if not math.isfinite(term)]
        if wrong:
            raise FloatingPointError(
                f"loss is {wrong[0]} at step {self.step}; lower learning_rate={schedule.learning_rate:g} or "
                f"muon_learning_rate={schedule.muon_learning_rate:g}"
            )
        self.optimizer.zero_grad(set_to_none=True)
        accelerator.backward(value)
        accelerator.clip_grad_norm_(self.model.parameters(), schedule.max_grad_norm)
        self.optimizer.step()
        return terms

    def evaluate(self, function: Callable, batch: Batch, step: int) -> Any:
        """function(batch, step) on the accelerator's device, at its precision."""
        with self.accelerator.autocast():
            return function(on_device(batch, self.accelerator.device), step)

    def _checkpoint(self):
        losses = [row["val_loss"] for row in self.rows if "val_loss" in row]
        if losses and (not self.best or losses[-1] < min(losses[:-1])):
            self.best = {name: value.clone() for name, value in self.weights.state_dict().items()}
        if self.accelerator.is_main_process:
            scaler = self.accelerator.scaler
            state = {"step": self.step, "rows": self.rows, "config": self._config}
            state |= {} if scaler is None else {"scaler": scaler.state_dict()}
            self.seconds[str(self.step)] = round(time.perf_counter() - self._begun, 3)
            write_json(self.folder / "seconds.json", self.seconds)
            last, former = self.folder / LAST, self.folder / FORMER
            save_checkpoint(last, self.weights.state_dict(), self._moments, self.best, former, **state)
            write_history(self.folder / "history.csv", self.rows)
        self.accelerator.wait_for_everyone()


def seconds_taken(folder: Path) -> dict[str, float]:
    """Seconds from the beginning by step of a checkpoint; none where they are lost, which changes no number."""
    try:
        return read_json(folder / "seconds.json")
    except ValueError:
        return {}
