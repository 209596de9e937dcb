"""Wall time until attention detects, ours beside the starting study's configuration given the same time. `make bench`

Ours: the quick profile's model and penalty. The study's: point tokens, token readout, the mean penalty,
need_weights=True. Both in one process of one thread; validation average precision per cell, simulated labels, wall
time from the first step on.
"""

import json
import tempfile
import time
from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import torch
from sklearn.metrics import average_precision_score

from evidence.benchmarks.attention import StudyLayer, TorchEncoder, cls_row
from evidence.benchmarks.script import in_own_process, options, write_record
from nblib import TrainConfig, train
from nblib.cells import cell_labels
from nblib.losses import REGULARIZERS, masked_error
from nblib.notebook.figures import save_figure, use_style
from nblib.project.profiles import get_profile
from nblib.project.records import committed_result
from nblib.scoring.attention_score import attention_score
from nblib.style import ACCENT, INK, MAIN, SMALL
from nblib.training.loop import load_run

GOAL = 0.85
STUDY_DROPOUT = 0.1
STUDY = {"patch_size": 1, "readout": "token", "regularizer": "mean", "num_layers": 2, "n_heads": 2}
STUDY_BATCH, STUDY_RATE = 4, 1e-3


def ours(weight: float, seed: int) -> TrainConfig:
    """The quick profile's regularized model, validated more often."""
    training = get_profile("quick").training | {"validate_every": 50, "regularizer": "uniform_clean"}
    return TrainConfig.from_dict(training | {"reg_weight": weight, "seed": seed})


def curve(weight: float, seed: int) -> dict[str, list[float]]:
    """Train ours from nothing: seconds and validation AP."""
    with tempfile.TemporaryDirectory() as folder:
        in_own_process(__file__, "--worker", weight, seed, NBLIB_RUNS=folder)
        history = load_run(next(Path(folder).glob("models/*"))).history
    return {"seconds": history["seconds"].tolist(), "ap": history["val_ap"].tolist()}


def study_curve(weight: float, seed: int, limit: float) -> dict[str, list[float]]:
    """The starting study's configuration until `limit` seconds are spent: seconds and validation AP."""
    config = TrainConfig.from_dict(STUDY | {"reg_weight": weight, "seed": seed, "dropout": STUDY_DROPOUT})
    data, held_out = config.dataset("train"), config.dataset("validation", 64)
    torch.manual_seed(seed)
    model: Any = TorchEncoder(len(data.freqs), StudyLayer, dropout=STUDY_DROPOUT)
    optimizer = torch.optim.AdamW(model.parameters(), lr=STUDY_RATE)
    points: dict[str, list[float]] = {"seconds": [], "ap": [], "step": []}
    started, step, next_look = time.perf_counter(), 0, limit / 6
    while (spent := time.perf_counter() - started) < limit:
        batch = data.batch(range(STUDY_BATCH * step, STUDY_BATCH * (step + 1)))
        out = model(batch["target"].masked_fill(batch["mask"], 0), batch["mask"])[0]
        penalty = REGULARIZERS["mean"](cls_row(model.layers[-1].weights), batch["noisy"])
        optimizer.zero_grad()
        (masked_error(out, batch["target"], batch["mask"]) + weight * penalty).backward()
        optimizer.step()
        step += 1
        if spent > next_look:
            next_look += limit / 6
            looking = time.perf_counter()
            for name, value in (("seconds", spent), ("ap", _study_precision(model, held_out)), ("step", step)):
                points[name].append(value)
            started += time.perf_counter() - looking  # looking is not training
    return points


@torch.no_grad()
def _study_precision(model, held_out):
    model.eval()
    scores, truth = [], []
    for start in range(0, len(held_out), STUDY_BATCH):
        batch = held_out.batch(range(start, start + STUDY_BATCH))
        model(batch["target"], torch.zeros_like(batch["mask"]))
        scores.append(attention_score(model.layers[-1].weights[:, :, 0, 1:].numpy(), len(held_out.freqs)))
        truth.append(cell_labels(batch["noisy"].numpy()))
    model.train()
    return float(average_precision_score(np.concatenate(truth).ravel(), np.concatenate(scores).ravel()))


def time_to(points: dict, goal: float = GOAL) -> float | None:
    """First second at which a curve is at the goal, None if it never is."""
    return next((second for second, ap in zip(points["seconds"], points["ap"], strict=True) if ap >= goal), None)


def plot(record: dict) -> None:
    """Validation AP against wall time."""
    use_style()
    curves, study = record["curves"], record["study"]
    fig, ax = plt.subplots(figsize=SMALL)
    for number, points in enumerate(curves):
        ax.plot(points["seconds"], points["ap"], color=ACCENT, ls="-", label=None if number else "this repository")
    ax.plot(study["seconds"], study["ap"], marker="o", ms=3, color=MAIN, label="starting study's configuration")
    ax.axhline(GOAL, color=INK, ls=":", lw=0.8, label=f"AP {GOAL}")
    ax.set(xlabel="Wall time of training, two cores [s]", ylabel="Validation average precision", ylim=(0, 1))
    ax.legend()
    caption = (
        "Validation AP of attention against wall time on two cores; a line per seed, and the starting study's way."
    )
    save_figure(fig, "bench_time_to_quality", caption, "benchmarks")


def main() -> None:
    """Ours for every seed, then the study's for as long as ours took."""
    inner = {"nargs": 2, "help": "internal: train ours in this process (lambda, seed)"}
    asked = options(__file__, __doc__, plot, seeds=[0, 1, 2], worker=inner)
    if asked.worker:
        train(ours(float(asked.worker[0]), int(asked.worker[1])), progress=False)
        return
    weight = committed_result("03_full_attention_regularizer")["parameters"]["reg_weight"]
    curves = [curve(weight, seed) for seed in asked.seeds]
    times = [time_to(points) for points in curves]
    limit = max(points["seconds"][-1] for points in curves)
    study = study_curve(weight, asked.seeds[0], limit)
    by_seed = dict(zip(map(str, asked.seeds), times, strict=True))
    record = {"curves": curves, "study": study, "study batch": STUDY_BATCH, "reg_weight": weight}
    print(
        json.dumps({"seconds to AP 0.85": times, "study, best AP": max(study["ap"]), "study steps": study["step"][-1]})
    )
    write_record(__file__, record | {"seconds to AP 0.85": by_seed})
    plot(record)


if __name__ == "__main__":
    main()
