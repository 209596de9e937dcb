"""What capturing attention costs: step time and peak memory against length, by way of capturing. `make bench`

Ratios are taken within one process, the ways in turn; peak memory comes from a process of its own per way and length.
"""

import argparse
import json
import resource
import subprocess
import sys
import time

import numpy as np
import torch
from torch import nn

from nblib.losses import REGULARIZERS, masked_error
from nblib.model import NoiseBERT
from nblib.paths import ROOT
from nblib.records import run_conditions, write_json

SIZES = {"d_model": 64, "n_heads": 2, "num_layers": 2, "dim_feedforward": 128, "dropout": 0.0}
BATCH = {150: 32, 750: 8, 3000: 2, 12_000: 1, 100_000: 1}
WAYS = ("no capture", "CLS rows", "full weights", "torch encoder", "need_weights")
QUADRATIC = ("full weights", "need_weights")  # ways whose memory grows with the square of the length
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

    def __init__(self, length, layer):
        super().__init__(length, patch_size=1, readout="token", **SIZES)
        arguments = (SIZES["d_model"], SIZES["n_heads"], SIZES["dim_feedforward"], SIZES["dropout"])
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


def peak_memory(length: int, way: str) -> float:
    """MiB that two steps need above the process with its model built, from a process of its own."""
    command = [sys.executable, __file__, "--memory", way, "--lengths", str(length)]
    answer = subprocess.run(command, capture_output=True, text=True, check=True)
    return float(answer.stdout)


def own_memory(length: int, way: str) -> float:
    """The same, in this process."""
    step = build(way, length)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    step()
    step()
    return (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024


def exponent(lengths, values) -> float:
    """Slope in log-log between the last two lengths."""
    return float(np.diff(np.log(values[-2:]))[0] / np.diff(np.log(lengths[-2:]))[0])


def measure(lengths: list[int], repeats: int, longest_quadratic: int) -> dict:
    """All ways at all lengths; the quadratic ones only as far as memory allows."""
    rows = []
    for length in lengths:
        ways = [way for way in WAYS if length <= longest_quadratic or way not in QUADRATIC]
        if length > longest_quadratic:
            ways = ["no capture", "CLS rows"]
        seconds = time_ways(length, ways, repeats if length <= 3000 else min(repeats, 3 if length <= 12_000 else 1))
        for way, values in seconds.items():
            paired = np.array(values) / np.array(seconds["no capture"])
            row = {"length": length, "batch": BATCH[length], "way": way, "memory_mib": peak_memory(length, way)}
            row |= {"seconds": float(np.median(values)), "spread": [float(min(values)), float(max(values))]}
            row |= {
                "ratio": float(np.median(paired)),
                "ratio_spread": [float(q) for q in np.percentile(paired, [25, 75])],
            }
            rows.append(row)
            print(
                f"{length:7d} tokens  {way:14s} {row['seconds']:8.3f} s  x {row['ratio']:.3f} "
                f"[{row['ratio_spread'][0]:.3f}, {row['ratio_spread'][1]:.3f}]  {row['memory_mib']:8.0f} MiB",
                flush=True,
            )
    return {"rows": rows, "sizes": SIZES, "repeats": repeats}


def main():
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--lengths", type=int, nargs="+", default=[150, 750, 3000, 12_000])
    parser.add_argument("--repeats", type=int, default=15)
    parser.add_argument("--longest-quadratic", type=int, default=12_000, help="tokens; beyond, only linear memory runs")
    parser.add_argument("--memory", help="internal: print this way's peak memory and stop")
    options = parser.parse_args()
    if options.memory:
        print(own_memory(options.lengths[0], options.memory))
        return
    record = measure(options.lengths, options.repeats, options.longest_quadratic) | run_conditions()
    path = ROOT / "records" / "benchmarks" / "attention.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    print(json.dumps(record["hardware"]))
    print(f"wrote {write_json(path, record).relative_to(ROOT)}")


if __name__ == "__main__":
    main()
