"""How a training step grows with the bins of a spectrum: its time and its memory. `make bench`

Every point is a process of its own, on synthetic batches that are drawn before the clock starts. One thread for all, so
that exponents are not those of the thread pool.
"""

import json

import matplotlib.pyplot as plt
import numpy as np
import torch

from evidence.benchmarks.script import in_own_process, options, peak_mib, seconds_of, training_step, write_record
from nblib import TrainConfig
from nblib.notebook.figures import save_figure, use_style
from nblib.style import PAIR
from nblib.training.optimizer import MuonAdamW

BINS = [300, 1000, 3000, 10_000, 30_000, 100_000]
BATCH, N_STEPS = 4, 5
LABELS = {"seconds": "Step [s]", "memory_mib": "Memory above start [MiB]"}


def step_of(n_bins: int) -> dict[str, float]:
    """Median seconds of a step of the quick model, 20 bins to a token, and memory above the start, in this process."""
    config = TrainConfig(regularizer="uniform_clean", reg_weight=10.0, batch_size=BATCH)
    model = config.build_model(np.arange(1, n_bins + 1.0))
    shape = BATCH, n_bins
    batch = {"target": torch.randn(shape), "mask": torch.rand(shape) < 0.15, "noisy": torch.rand(shape) < 1 / 30}
    batch["noise_interval"] = torch.zeros(BATCH, dtype=torch.int64)
    optimizer, before = MuonAdamW(model, config), peak_mib()
    seconds = [seconds_of(lambda: training_step(model, optimizer, batch, config)) for _ in range(N_STEPS)]
    return {"seconds": float(np.median(seconds[1:])), "memory_mib": peak_mib() - before, "tokens": model.n_tokens}


def plot(record: dict) -> None:
    """Time and memory against bins, with their exponents over the largest three."""
    use_style()
    fig, axes = plt.subplots(1, 2, figsize=PAIR)
    for ax, (key, label) in zip(axes, LABELS.items(), strict=True):
        points = [(row["size"], row[key]) for row in record["bins"]]
        exponent = f"exponent {record['exponents']['bins'][key]:.2f}"
        ax.plot(*zip(*points, strict=True), marker="o", label=exponent)
        ax.set(xscale="log", yscale="log", xlabel="Bins (20 to a token)", ylabel=label)
        ax.legend()
    caption = f"A training step of {BATCH} spectra on one core: time and memory against bins."
    save_figure(fig, "bench_growth", caption, "benchmarks")


def main() -> None:
    """All points, the fitted exponents, the record and the figure."""
    inner = {"type": int, "help": "internal: this many bins in this process"}
    asked = options(__file__, __doc__, plot, bins=BINS, alone=inner)
    torch.set_num_threads(1)
    if asked.alone:
        print(json.dumps(step_of(asked.alone)))
        return
    rows = []
    for size in asked.bins:
        rows.append({"size": size} | json.loads(in_own_process(__file__, "--alone", size)))
        print(rows[-1], flush=True)
    largest = rows[-3:]  # constant costs no longer count
    sizes = np.log([row["size"] for row in largest])
    exponents = {key: float(np.polyfit(sizes, np.log([row[key] for row in largest]), 1)[0]) for key in LABELS}
    record = {"bins": rows, "exponents": {"bins": exponents}, "batch": BATCH}
    write_record(__file__, record)
    plot(record)


if __name__ == "__main__":
    main()
