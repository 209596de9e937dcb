"""Wall time until attention detects, ours beside the starting study's configuration given the same time. `make bench`

Ours: the quick profile's model and penalty. The study's: point tokens, token readout, the mean penalty,
need_weights=True. Both in one process of one thread; validation average precision per cell, simulated labels, wall
time from the first step on.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import torch
from attention import StudyLayer, TorchEncoder
from sklearn.metrics import average_precision_score

from nblib import TrainConfig, train
from nblib.cells import cell_labels
from nblib.losses import REGULARIZERS, masked_error
from nblib.notebook.figures import save_figure, use_style
from nblib.project.environment import run_conditions
from nblib.project.paths import benchmark_record, benchmark_result
from nblib.project.profiles import get_profile
from nblib.project.records import committed_result, read_json, write_json
from nblib.scoring.attention_score import attention_score
from nblib.training.loop import load_run

GOAL = 0.85
STUDY = {"patch_size": 1, "readout": "token", "regularizer": "mean", "num_layers": 2, "n_heads": 2, "dropout": 0.1}
STUDY_BATCH, STUDY_RATE = 4, 1e-3


def ours(weight: float, seed: int) -> TrainConfig:
    """The quick profile's regularized model, validated more often."""
    training = get_profile("quick").training | {"validate_every": 50}
    return TrainConfig(regularizer="uniform_clean", reg_weight=weight, seed=seed, **training)


def curve(weight: float, seed: int) -> dict[str, list[float]]:
    """Train ours from nothing: seconds and validation AP."""
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, __file__, "--worker", str(weight), str(seed)]
        subprocess.run(command, check=True, env=os.environ | {"NBLIB_RUNS": folder}, capture_output=True)
        history = load_run(next(Path(folder).glob("models/*"))).history
    return {"seconds": history["seconds"].tolist(), "ap": history["val_ap"].tolist()}


def study_curve(weight: float, seed: int, limit: float) -> dict[str, list[float]]:
    """The starting study's configuration until `limit` seconds are spent: seconds and validation AP."""
    config = TrainConfig(reg_weight=weight, seed=seed, **STUDY)
    data, held_out = config.dataset("train"), config.dataset("validation", 64)
    torch.manual_seed(seed)
    model = TorchEncoder(len(data.freqs), StudyLayer, dropout=STUDY["dropout"])
    optimizer = torch.optim.AdamW(model.parameters(), lr=STUDY_RATE)
    points, started, step, next_look = {"seconds": [], "ap": [], "step": []}, time.perf_counter(), 0, limit / 6
    while (spent := time.perf_counter() - started) < limit:
        batch = data.batch(range(STUDY_BATCH * step, STUDY_BATCH * (step + 1)))
        out = model(batch["target"].masked_fill(batch["mask"], 0), batch["mask"])[0]
        row = model.layers[-1].weights[:, :, 0, 1:]
        penalty = REGULARIZERS["mean"](row / row.sum(dim=-1, keepdim=True), batch["noisy"])
        optimizer.zero_grad()
        (masked_error(out, batch["target"], batch["mask"]) + weight * penalty).backward()
        optimizer.step()
        step += 1
        if spent > next_look:
            next_look += limit / 6
            looking = time.perf_counter()
            points["seconds"].append(spent)
            points["ap"].append(_study_precision(model, held_out))
            points["step"].append(step)
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


def plot(curves: list[dict], study: dict) -> None:
    """Validation AP against wall time."""
    use_style()
    fig, ax = plt.subplots(figsize=(5.5, 3.2))
    for number, points in enumerate(curves):
        ax.plot(points["seconds"], points["ap"], color="#08306b", ls="-", label=None if number else "this repository")
    ax.plot(study["seconds"], study["ap"], marker="o", ms=3, color="#c2410c", label="starting study's configuration")
    ax.axhline(GOAL, color="k", ls=":", lw=0.8, label=f"AP {GOAL}")
    ax.set(xlabel="Wall time of training, two cores [s]", ylabel="Validation average precision", ylim=(0, 1))
    ax.legend()
    caption = "Validation AP of attention against wall time on two cores; a line a seed, and the starting study's way."
    save_figure(fig, "bench_time_to_quality", caption, "benchmarks")


def main():
    """Ours for every seed, then the study's for as long as ours took."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--worker", nargs=2, help="internal: train ours in this process (lambda, seed)")
    parser.add_argument("--redraw", action="store_true", help="draw the recorded figure again, measure nothing")
    options = parser.parse_args()
    if options.redraw:
        record = read_json(benchmark_record("time_to_quality"))
        plot(record["curves"], record["study"])
        return
    if options.worker:
        train(ours(float(options.worker[0]), int(options.worker[1])), progress=False)
        return
    weight = committed_result("03_full_attention_regularizer")["parameters"]["reg_weight"]
    curves = [curve(weight, seed) for seed in options.seeds]
    times = [time_to(points) for points in curves]
    limit = max(points["seconds"][-1] for points in curves)
    study = study_curve(weight, options.seeds[0], limit)
    record = {"seconds to AP 0.85": dict(zip(map(str, options.seeds), times, strict=True)), "curves": curves}
    record |= {"study": study, "study batch": STUDY_BATCH, "reg_weight": weight, **run_conditions()}
    print(
        json.dumps({"seconds to AP 0.85": times, "study, best AP": max(study["ap"]), "study steps": study["step"][-1]})
    )
    print(f"wrote {write_json(benchmark_result('time_to_quality'), record)}")
    plot(curves, study)


if __name__ == "__main__":
    main()
