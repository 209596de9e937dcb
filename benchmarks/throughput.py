"""Where a quick-profile step spends its time, and how fast spectra are made. `make bench`

Writes records/benchmarks/throughput.json and the figure bench_step_profile.
"""

import time

import matplotlib.pyplot as plt
import numpy as np
import torch
from torch.profiler import ProfilerActivity, profile

from nblib import TrainConfig
from nblib.dataset import EXTERNAL, INTRINSIC, MASK, NoiseBERTDataset
from nblib.figures import save_figure, use_style
from nblib.noise import draw_external, draw_intrinsic
from nblib.objective import loss_terms
from nblib.optimizer import MuonAdamW
from nblib.paths import benchmark_record
from nblib.records import run_conditions, write_json

N_STEPS, N_REPEATS = 20, 7
GROUPS = {
    "attention kernel": ("scaled_dot_product",),
    "matrix products": ("aten::mm", "aten::addmm", "aten::bmm", "aten::matmul"),
    "activations and norms": ("gelu", "relu", "threshold", "layer_norm", "softmax"),
    "optimizer and clipping": ("Optimizer", "_foreach", "lerp", "addcdiv", "addcmul"),
}


def time_data(n_spectra: int = 320) -> dict:
    """Spectra a second on one core, and where the time of one goes (microseconds), medians over repeats."""
    data = NoiseBERTDataset(families=("single_line",))
    indices = np.arange(32)
    parts = {
        "random generators": lambda: [data._generator(s, i) for i in indices for s in (EXTERNAL, INTRINSIC, MASK)],
        "estimation noise": lambda: [draw_intrinsic(data._generator(INTRINSIC, i), data.freqs) for i in indices],
        "external noise": lambda: [
            draw_external(data._generator(EXTERNAL, i), data.freqs, "single_line") for i in indices
        ],
        "masks": lambda: data._masks(indices, np.zeros((32, 3000), bool)),
        "background": lambda: data._backgrounds(indices),
        "all": lambda: data.batch(indices),
    }
    micros = {}
    for name, part in parts.items():
        seconds = []
        for _ in range(N_REPEATS * 3):
            started = time.perf_counter()
            part()
            seconds.append(time.perf_counter() - started)
        micros[name] = float(np.median(seconds) / len(indices) * 1e6)
    return {"microseconds": micros, "spectra_per_second": 1e6 / micros["all"]}


def profile_step() -> dict:
    """Milliseconds of one training step on this process's threads: by group of operators, and the data beside it."""
    config = TrainConfig(regularizer="uniform_clean", reg_weight=3.0)
    data = config.dataset("train")
    model = config.build_model(data.freqs)
    optimizer = MuonAdamW(model, config)
    optimizer.set_rate(0.01)

    def step(batch):
        terms, _ = loss_terms(model, batch, config, data.scale.spread)
        optimizer.zero_grad()
        (terms["mask"][0] / terms["mask"][1] + terms["reg"][0] / terms["reg"][1]).backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()

    batches = [data.batch(range(32 * i, 32 * i + 32)) for i in range(N_STEPS)]
    step(batches[0])
    seconds, drawing = [], []
    for number, batch in enumerate(batches):
        started = time.perf_counter()
        step(batch)
        seconds.append(time.perf_counter() - started)
        started = time.perf_counter()
        data.batch(range(32 * number, 32 * number + 32))
        drawing.append(time.perf_counter() - started)
    with profile(activities=[ProfilerActivity.CPU]) as recorded:
        for batch in batches[:5]:
            step(batch)
    events = {event.key: event.self_cpu_time_total for event in recorded.key_averages()}
    total = sum(events.values())
    shares = {
        group: sum(value for key, value in events.items() if any(name in key for name in names)) / total
        for group, names in GROUPS.items()
    }
    shares["the rest"] = 1 - sum(shares.values())
    return {
        "step_ms": float(np.median(seconds) * 1e3),
        "data_ms": float(np.median(drawing) * 1e3),
        "shares": shares,
    }


def plot(record: dict) -> None:
    """Step by operator group, and one spectrum by stage."""
    use_style()
    fig, axes = plt.subplots(1, 2, figsize=(9, 2.6))
    shares = {name: share * record["step"]["step_ms"] for name, share in record["step"]["shares"].items()}
    shares["drawing 32 spectra (overlapped)"] = record["step"]["data_ms"]
    micros = {name: value for name, value in record["data"]["microseconds"].items() if name != "all"}
    for ax, values, label in ((axes[0], shares, "ms a step of 32 spectra"), (axes[1], micros, "µs a spectrum")):
        bars = ax.barh(list(values), list(values.values()), color="#7aa6c9")
        ax.bar_label(bars, fmt="%.1f", padding=3, fontsize=7)
        ax.invert_yaxis()
        ax.set(xlabel=label, xlim=(0, 1.2 * max(values.values())))
    caption = "Where a quick-profile training step and one simulated spectrum spend their time."
    save_figure(fig, "bench_step_profile", caption, "quick")


def main():
    """Measure, write the record and the figure."""
    step = profile_step()
    torch.set_num_threads(1)
    record = {"step": step, "data": time_data(), **run_conditions()}
    write_json(benchmark_record("throughput"), record)
    plot(record)
    print(f"step {step['step_ms']:.1f} ms, drawing its data {step['data_ms']:.1f} ms (overlapped by a worker)")
    print(f"{record['data']['spectra_per_second']:.0f} spectra a second and core, ready for the model")
    print({name: round(value, 1) for name, value in record["data"]["microseconds"].items()})


if __name__ == "__main__":
    main()
