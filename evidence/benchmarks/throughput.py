"""Where a quick-profile step spends its time, what its settings cost, how fast spectra are made. `make bench`

Writes runs/benchmarks/throughput.json and the figure bench_step_profile.
"""

from functools import partial

import matplotlib.pyplot as plt
import numpy as np
import torch
from torch.profiler import ProfilerActivity, profile

from evidence.benchmarks.script import options, seconds_of, training_step, write_record
from nblib import TrainConfig
from nblib.dataset import EXTERNAL, INTRINSIC, MASK, NoiseBERTDataset
from nblib.notebook.figures import save_figure, use_style
from nblib.simulation.estimation import draw_intrinsic
from nblib.simulation.noise import draw_external
from nblib.style import PAIR, SECOND
from nblib.training.optimizer import MuonAdamW

N_STEPS, N_REPEATS = 20, 7
GROUPS = {
    "attention kernel": ("scaled_dot_product",),
    "matrix products": ("aten::mm", "aten::addmm", "aten::bmm", "aten::matmul"),
    "activations and norms": ("gelu", "relu", "threshold", "layer_norm", "softmax"),
    "optimizer and clipping": ("Optimizer", "_foreach", "lerp", "addcdiv", "addcmul"),
}


# settings of a step: threads, autocast to bfloat16, torch.compile
SETTINGS = {
    "two threads": (2, False, False),
    "one thread": (1, False, False),
    "one thread, torch.compile": (1, False, True),
    "two threads, torch.compile": (2, False, True),
    "two threads, bf16": (2, True, False),
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
        seconds = [seconds_of(part) for _ in range(N_REPEATS * 3)]
        micros[name] = float(np.median(seconds) / len(indices) * 1e6)
    return {"microseconds": micros, "spectra_per_second": 1e6 / micros["all"]}


class Step:
    """One training step of the quick profile's model after another, on batches drawn beforehand."""

    def __init__(self, compiled: bool = False):
        self.config = TrainConfig(regularizer="uniform_clean", reg_weight=10.0)
        self.data = self.config.dataset("train")
        model = self.config.build_model(self.data.freqs)
        self.optimizer = MuonAdamW(model, self.config)
        self.optimizer.set_rate(0.01)
        self.forward = torch.compile(model) if compiled else model

    def batch(self, number: int) -> dict:
        """The number-th 32 spectra."""
        return self.data.batch(range(32 * number, 32 * number + 32))

    def __call__(self, batch: dict, bf16: bool = False) -> float:
        """Seconds of a step."""
        forward = torch.autocast("cpu", torch.bfloat16, enabled=bf16)(self.forward)
        return seconds_of(lambda: training_step(forward, self.optimizer, batch, self.config))


def profile_step() -> dict:
    """Milliseconds of one training step on this process's threads: by group of operators, and the data beside it."""
    step = Step()
    batches = [step.batch(number) for number in range(N_STEPS)]
    step(batches[0])
    turns = [(step(batch), seconds_of(partial(step.batch, number))) for number, batch in enumerate(batches)]
    step_ms, data_ms = 1e3 * np.median(turns, axis=0)
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
    return {"step_ms": float(step_ms), "data_ms": float(data_ms), "shares": shares}


def time_settings() -> dict:
    """Milliseconds of a step by setting, in turn, medians; and the seconds that compiling takes before the first."""
    steps = {name: Step(compiled) for name, (_, _, compiled) in SETTINGS.items()}
    batch = next(iter(steps.values())).batch(0)
    seconds: dict[str, list[float]] = {name: [] for name in SETTINGS}
    for _ in range(N_STEPS + 1):
        for name, (threads, bf16, _) in SETTINGS.items():
            torch.set_num_threads(threads)
            seconds[name].append(steps[name](batch, bf16))
    return {
        name: {"step_ms": float(np.median(later) * 1e3), "first_s": first} for name, (first, *later) in seconds.items()
    }


def plot(record: dict) -> None:
    """Step by operator group, and one spectrum by stage."""
    use_style()
    fig, axes = plt.subplots(1, 2, figsize=PAIR)
    shares = {name: share * record["step"]["step_ms"] for name, share in record["step"]["shares"].items()}
    shares["drawing 32 spectra (overlapped)"] = record["step"]["data_ms"]
    micros = {name: value for name, value in record["data"]["microseconds"].items() if name != "all"}
    for ax, values, label in ((axes[0], shares, "ms a step of 32 spectra"), (axes[1], micros, "µs a spectrum")):
        bars = ax.barh(list(values), list(values.values()), color=SECOND)
        ax.bar_label(bars, fmt="%.1f", padding=3, fontsize=7)
        ax.invert_yaxis()
        ax.set(xlabel=label, xlim=(0, 1.2 * max(values.values())))
    caption = "Where a quick-profile training step and one simulated spectrum spend their time."
    save_figure(fig, "bench_step_profile", caption, "benchmarks")


def main() -> None:
    """Measure, write the record and the figure."""
    options(__file__, __doc__, plot)
    step = profile_step()
    settings = time_settings()
    torch.set_num_threads(1)
    record = {"step": step, "settings": settings, "data": time_data()}
    write_record(__file__, record)
    plot(record)
    print(f"step {step['step_ms']:.1f} ms, drawing its data {step['data_ms']:.1f} ms (overlapped by a worker)")
    print(f"{record['data']['spectra_per_second']:.0f} spectra a second and core, ready for the model")
    print({name: round(value, 1) for name, value in record["data"]["microseconds"].items()})
    print({name: f"{row['step_ms']:.1f} ms, the first {row['first_s']:.1f} s" for name, row in settings.items()})


if __name__ == "__main__":
    main()
