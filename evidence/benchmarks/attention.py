"""What capturing attention costs: step time and peak memory against length, by way of capturing. `make bench`

Ratios are taken within one process, the ways in turn; peak memory comes from a process of its own per way and length.
"""

import argparse
import json
import re
import subprocess
import sys
import time
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import torch
from torch import nn

from nblib.losses import REGULARIZERS, masked_error
from nblib.model import NoiseBERT
from nblib.notebook.figures import save_figure, use_style
from nblib.project.environment import run_conditions
from nblib.project.paths import benchmark_record, benchmark_result
from nblib.project.records import read_json, write_json

SIZES = {"d_model": 64, "n_heads": 2, "num_layers": 2, "dim_feedforward": 128, "dropout": 0.0}
BATCH = {150: 32, 750: 8, 3000: 2, 12_000: 1, 100_000: 1}
WAYS = ("no capture", "CLS rows", "full weights", "torch encoder", "need_weights")
QUADRATIC = ("full weights", "need_weights")  # ways whose memory grows with the square of the length
LINEAR = ("no capture", "CLS rows")
LONGEST = 12_000  # tokens up to which all ways run; beyond, the linear ones
NOISY_SHARE = 1 / 30


class StudyLayer(nn.TransformerEncoderLayer):
    """The starting study's way: torch's layer with need_weights=True per head, which leaves the fused kernel."""

    def forward(self, src, **_):
        normed = self.norm1(src)
        attended, self.weights = self.self_attn(normed, normed, normed, need_weights=True, average_attn_weights=False)
        src = src + attended
        return src + self._ff_block(self.norm2(src))


class TorchEncoder(NoiseBERT):
    """NoiseBERT with its layers replaced by torch's own of the same sizes."""

    def __init__(self, length, layer, dropout=0.0):
        super().__init__(length, patch_size=1, readout="token", **SIZES)
        arguments = (SIZES["d_model"], SIZES["n_heads"], SIZES["dim_feedforward"], dropout)
        make = {"batch_first": True, "norm_first": True}
        self.layers = nn.ModuleList(layer(*arguments, **make) for _ in range(SIZES["num_layers"]))

    def _encode(self, sequence, return_attention):
        for layer in self.layers:
            sequence = layer(sequence)
        return self.norm(sequence), [], None


def build(way: str, length: int):
    """A step of one way: forward, masked error (and penalty where attention is captured), backward, AdamW."""
    torch.manual_seed(0)
    batch = BATCH[length]
    if way in ("torch encoder", "need_weights"):
        model = TorchEncoder(length, StudyLayer if way == "need_weights" else nn.TransformerEncoderLayer)
    else:
        model = NoiseBERT(length, patch_size=1, readout="token", **SIZES)
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-4)
    spectra, masked = torch.randn(batch, length), torch.rand(batch, length) < 0.15
    noisy = torch.rand(batch, length) < NOISY_SHARE
    penalty = REGULARIZERS["uniform_clean"]

    def step():
        mode = {"CLS rows": "cls", "full weights": True}.get(way, False)
        out, _, *captured = model(spectra, masked, mode)
        loss = masked_error(out, spectra, masked)
        if way == "CLS rows":
            loss = loss + penalty(captured[0][-1], noisy)
        elif way in QUADRATIC:
            weights = captured[0] if way == "full weights" else model.layers[-1].weights
            row = weights[:, :, 0, 1:]
            loss = loss + penalty(row / row.sum(dim=-1, keepdim=True), noisy)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()

    return step


def time_ways(length: int, ways, repeats: int) -> dict[str, list[float]]:
    """Seconds a step, the ways in turn within one process: way -> one figure a repeat."""
    steps = {way: build(way, length) for way in ways}
    for step in steps.values():
        step()
    seconds = {way: [] for way in ways}
    for _ in range(repeats):
        for way, step in steps.items():
            started = time.perf_counter()
            step()
            seconds[way].append(time.perf_counter() - started)
    return seconds


def alone(length: int, way: str, n_steps: int = 2) -> tuple[float, float, float]:
    """(peak MiB, MiB above the process with its model built, seconds of the last step) of a process of its own."""
    command = [sys.executable, __file__, "--alone", way, "--lengths", str(length), "--repeats", str(n_steps)]
    answer = subprocess.run(command, capture_output=True, text=True, check=True)
    peak, memory, seconds = map(float, answer.stdout.split())
    return peak, memory, seconds


def run_alone(length: int, way: str, n_steps: int) -> None:
    """The same, in this process: print it."""
    step = build(way, length)
    before = peak_mib()
    for _ in range(n_steps):
        started = time.perf_counter()
        step()
        seconds = time.perf_counter() - started
    print(peak_mib(), peak_mib() - before, seconds)


def peak_mib() -> float:
    """Largest resident memory of this program so far (Linux; getrusage counts what the parent held before exec)."""
    status = Path("/proc/self/status").read_text()
    return float(re.search(r"VmHWM:\s+(\d+) kB", status).group(1)) / 1024


def measure(lengths: list[int], repeats: int) -> list[dict]:
    """All ways at all lengths up to LONGEST, beyond it one step of the linear ones: a row each."""
    rows = []
    for length in lengths:
        paired = length <= LONGEST
        seconds = time_ways(length, WAYS, repeats if length <= 3000 else min(repeats, 3)) if paired else {}
        for way in WAYS if paired else LINEAR:
            peak, memory, once = alone(length, way, 2 if paired else 1)
            values = np.array(seconds.get(way, [once]))
            ratios = values / np.array(seconds.get("no capture", [once]))
            row = {
                "length": length,
                "batch": BATCH[length],
                "way": way,
                "peak_mib": peak,
                "memory_mib": memory,
                "n": len(values),
            }
            row |= {"seconds": float(np.median(values)), "spread": [float(values.min()), float(values.max())]}
            row |= {"ratio": float(np.median(ratios)) if paired else None}
            row |= {"ratio_quartiles": [float(q) for q in np.percentile(ratios, [25, 75])] if paired else None}
            rows.append(row)
            print(
                f"{length:7d} tokens  {way:14s} {row['seconds']:8.3f} s  {memory:8.0f} MiB  x {row['ratio']}",
                flush=True,
            )
    return rows


def summary(rows: list[dict]) -> dict:
    """Ratios of time and memory, and exponents between the last two lengths, from the rows."""
    table = {(row["length"], row["way"]): row for row in rows}
    found = {}
    for length in sorted({row["length"] for row in rows if row["ratio"] is not None}):
        time_of, memory_of, peak_of = (
            {way: table[length, way][key] for way in WAYS} for key in ("ratio", "memory_mib", "peak_mib")
        )
        found[f"{length} tokens"] = {
            "CLS rows / no capture, time": time_of["CLS rows"],
            "CLS rows / no capture, peak memory": peak_of["CLS rows"] / peak_of["no capture"],
            "need_weights / CLS rows, time": time_of["need_weights"] / time_of["CLS rows"],
            "need_weights / CLS rows, memory above start": memory_of["need_weights"] / memory_of["CLS rows"],
            "no capture / torch encoder, time": 1 / time_of["torch encoder"],
        }
    found["exponents"] = {}
    for way in WAYS:
        points = [row for row in rows if row["way"] == way and row["batch"] == 1]
        for key in ("seconds", "memory_mib") if len(points) > 1 else ():
            ratio = points[-1][key] / points[0][key]
            found["exponents"][f"{way}, {key}"] = float(
                np.log(ratio) / np.log(points[-1]["length"] / points[0]["length"])
            )
    return found


def plot(rows: list[dict]) -> None:
    """Time a spectrum and memory a spectrum against length, log-log."""
    use_style()
    fig, axes = plt.subplots(1, 2, figsize=(9, 3.4))
    for ax, key, label in (
        (axes[0], "seconds", "Step [s per spectrum]"),
        (axes[1], "memory_mib", "Peak memory [MiB per spectrum]"),
    ):
        for way, marker in zip(WAYS, "os^Dv", strict=True):
            points = [row for row in rows if row["way"] == way]
            lengths = [row["length"] for row in points]
            ax.plot(lengths, [row[key] / row["batch"] for row in points], marker=marker, ms=4, label=way)
        ax.set(xscale="log", yscale="log", xlabel="Tokens", ylabel=label)
        ticks = sorted({row["length"] for row in rows})
        ax.set_xticks(ticks, [f"{tick:,}" for tick in ticks])
        ax.xaxis.minorticks_off()
    axes[0].legend()
    caption = "Training step by way of capturing attention, against length: time and peak memory above the start."
    save_figure(fig, "bench_attention", caption, "benchmarks")


def main():
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--lengths", type=int, nargs="+", default=list(BATCH), choices=list(BATCH))
    parser.add_argument("--repeats", type=int, default=15)
    parser.add_argument("--alone", help="internal: this way's memory and time in this process")
    parser.add_argument("--redraw", action="store_true", help="draw the recorded figure again, measure nothing")
    options = parser.parse_args()
    if options.redraw:
        plot(read_json(benchmark_record("attention"))["rows"])
        return
    if options.alone:
        run_alone(options.lengths[0], options.alone, options.repeats)
        return
    rows = measure(options.lengths, options.repeats)
    record = {"rows": rows, "summary": summary(rows), "sizes": SIZES, **run_conditions()}
    print(json.dumps(record["summary"], indent=1))
    print(f"wrote {write_json(benchmark_result('attention'), record)}")
    plot(rows)


if __name__ == "__main__":
    main()
