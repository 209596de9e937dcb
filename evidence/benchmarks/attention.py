"""What capturing attention costs: step time and peak memory against length, by way of capturing. `make bench`

Ratios are taken within one process, the ways in turn; peak memory comes from a process of its own per way and length.
"""

import json
from collections.abc import Callable
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import torch
from torch import Tensor, nn

from evidence.benchmarks.script import in_own_process, options, peak_mib, seconds_of, write_record
from nblib.losses import REGULARIZERS, masked_error
from nblib.model import NoiseBERT
from nblib.notebook.figures import save_figure, use_style
from nblib.style import PAIR

SIZES: dict[str, Any] = {"d_model": 64, "n_heads": 2, "num_layers": 2, "dim_feedforward": 128, "dropout": 0.0}
BATCH = {150: 32, 750: 8, 3000: 2, 12_000: 1, 100_000: 1}
WAYS = ("no capture", "CLS rows", "full weights", "torch encoder", "need_weights")
LINEAR = ("no capture", "CLS rows")
LONGEST = 12_000  # tokens up to which all ways run; beyond, the linear ones
NOISY_SHARE = 1 / 30


class TorchLayer(nn.TransformerEncoderLayer):
    """torch's own layer, called as NoiseBERT calls its own."""

    def forward(self, src, *_):
        return super().forward(src), None


class StudyLayer(nn.TransformerEncoderLayer):
    """The starting study's way: torch's layer with need_weights=True per head, which leaves the fused kernel."""

    def forward(self, src, *_):
        normed = self.norm1(src)
        attended, self.weights = self.self_attn(normed, normed, normed, need_weights=True, average_attn_weights=False)
        src = src + attended
        return src + self._ff_block(self.norm2(src)), self.weights


class TorchEncoder(NoiseBERT):
    """NoiseBERT with its layers replaced by torch's own of the same sizes."""

    def __init__(self, length: int, layer: type[nn.TransformerEncoderLayer], dropout: float = 0.0):
        super().__init__(length, patch_size=1, readout="token", **SIZES)
        arguments = (SIZES["d_model"], SIZES["n_heads"], SIZES["dim_feedforward"], dropout)
        layers = [layer(*arguments, batch_first=True, norm_first=True) for _ in range(SIZES["num_layers"])]
        self.layers = nn.ModuleList(layers)


def cls_row(weights: Tensor) -> Tensor:
    """What CLS gives the tokens, (batch, head, token), its own key left out; weights : of all queries and keys."""
    row = weights[:, :, 0, 1:]
    return row / row.sum(dim=-1, keepdim=True)


WITH_PENALTY: dict[str, Callable] = {  # CLS's rows of the last layer, from (model, what it returned)
    "CLS rows": lambda model, captured: captured[0][-1],
    "full weights": lambda model, captured: cls_row(captured[0]),
    "need_weights": lambda model, captured: cls_row(model.layers[-1].weights),
}


def build(way: str, length: int) -> Callable[[], None]:
    """A step of one way: forward, masked error (and penalty where attention is captured), backward, AdamW."""
    torch.manual_seed(0)
    batch = BATCH[length]
    layers: dict[str, type] = {"torch encoder": TorchLayer, "need_weights": StudyLayer}
    model: Any = NoiseBERT(length, patch_size=1, readout="token", **SIZES)
    model = TorchEncoder(length, layers[way]) if way in layers else model
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-4)
    spectra, masked = torch.randn(batch, length), torch.rand(batch, length) < 0.15
    noisy = torch.rand(batch, length) < NOISY_SHARE
    mode = {"CLS rows": "cls", "full weights": True}.get(way, False)

    def step() -> None:
        out, _, *captured = model(spectra, masked, mode)
        loss = masked_error(out, spectra, masked)
        if way in WITH_PENALTY:
            loss = loss + REGULARIZERS["uniform_clean"](WITH_PENALTY[way](model, captured), noisy)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()

    return step


def time_ways(length: int, ways, repeats: int) -> dict[str, list[float]]:
    """Seconds a step, the ways in turn within one process: way -> one figure a repeat."""
    steps = {way: build(way, length) for way in ways}
    turns = [{way: seconds_of(step) for way, step in steps.items()} for _ in range(1 + repeats)]
    return {way: [turn[way] for turn in turns[1:]] for way in ways}


def alone(length: int, way: str, n_steps: int) -> list[float]:
    """[peak MiB, MiB above the process with its model built, seconds of the last step], in this process."""
    step = build(way, length)
    before = peak_mib()
    seconds = [seconds_of(step) for _ in range(n_steps)]
    return [peak_mib(), peak_mib() - before, seconds[-1]]


def measure(lengths: list[int], repeats: int) -> list[dict]:
    """All ways at all lengths up to LONGEST, beyond it one step of the linear ones: a row each."""
    rows = []
    for length in lengths:
        paired = length <= LONGEST
        seconds = time_ways(length, WAYS, repeats if length <= 3000 else min(repeats, 3)) if paired else {}
        for way in WAYS if paired else LINEAR:
            printed = in_own_process(__file__, "--alone", way, 2 if paired else 1, "--lengths", length)
            peak, memory, once = json.loads(printed)
            values = np.array(seconds.get(way, [once]))
            ratios = values / np.array(seconds.get("no capture", [once]))
            row = {
                **{"length": length, "batch": BATCH[length], "way": way, "n": len(values)},
                **{"peak_mib": peak, "memory_mib": memory},
                **{"seconds": float(np.median(values)), "spread": [float(values.min()), float(values.max())]},
                "ratio": float(np.median(ratios)) if paired else None,
                "ratio_quartiles": np.percentile(ratios, [25, 75]).tolist() if paired else None,
            }
            rows.append(row)
            seen = f"{row['seconds']:8.3f} s  {memory:8.0f} MiB  x {row['ratio']}"
            print(f"{length:7d} tokens  {way:14s} {seen}", flush=True)
    return rows


def summary(rows: list[dict]) -> dict:
    """Ratios of time and memory, and exponents between the last two lengths, from the rows."""
    table = {(row["length"], row["way"]): row for row in rows}
    ratios: dict[str, dict] = {}
    for length in sorted({row["length"] for row in rows if row["ratio"] is not None}):
        time_of, memory_of, peak_of = (
            {way: table[length, way][key] for way in WAYS} for key in ("ratio", "memory_mib", "peak_mib")
        )
        ratios[f"{length} tokens"] = {
            "CLS rows / no capture, time": time_of["CLS rows"],
            "CLS rows / no capture, peak memory": peak_of["CLS rows"] / peak_of["no capture"],
            "need_weights / CLS rows, time": time_of["need_weights"] / time_of["CLS rows"],
            "need_weights / CLS rows, memory above start": memory_of["need_weights"] / memory_of["CLS rows"],
            "no capture / torch encoder, time": 1 / time_of["torch encoder"],
        }
    ratios["exponents"] = {}
    for way in WAYS:
        points = [row for row in rows if row["way"] == way and row["batch"] == 1]
        for key in ("seconds", "memory_mib") if len(points) > 1 else ():
            ratio = points[-1][key] / points[0][key]
            longer = points[-1]["length"] / points[0]["length"]
            ratios["exponents"][f"{way}, {key}"] = float(np.log(ratio) / np.log(longer))
    return ratios


def plot(record: dict) -> None:
    """Time a spectrum and memory a spectrum against length, log-log."""
    use_style()
    rows = record["rows"]
    fig, axes = plt.subplots(1, 2, figsize=PAIR)
    ticks = sorted({row["length"] for row in rows})
    labels = {"seconds": "Step [s per spectrum]", "memory_mib": "Peak memory [MiB per spectrum]"}
    for ax, (key, label) in zip(axes, labels.items(), strict=True):
        for way, marker in zip(WAYS, "os^Dv", strict=True):
            points = [(row["length"], row[key] / row["batch"]) for row in rows if row["way"] == way]
            ax.plot(*zip(*points, strict=True), marker=marker, ms=4, label=way)
        ax.set(xscale="log", yscale="log", xlabel="Tokens", ylabel=label)
        ax.set_xticks(ticks, [f"{tick:,}" for tick in ticks])
        ax.xaxis.minorticks_off()
    axes[0].legend()
    caption = "Training step by way of capturing attention, against length: time and peak memory above the start."
    save_figure(fig, "bench_attention", caption, "benchmarks")


def main() -> None:
    """Measure all ways and lengths; write the record and the figure."""
    lengths = {"type": int, "nargs": "+", "default": list(BATCH), "choices": list(BATCH)}
    inner = {"nargs": 2, "help": "internal: memory and time of this way, so many steps, in this process"}
    asked = options(__file__, __doc__, plot, lengths=lengths, repeats=15, alone=inner)
    if asked.alone:
        print(json.dumps(alone(asked.lengths[0], asked.alone[0], int(asked.alone[1]))))
        return
    rows = measure(asked.lengths, asked.repeats)
    record = {"rows": rows, "summary": summary(rows), "sizes": SIZES}
    print(json.dumps(record["summary"], indent=1))
    write_record(__file__, record)
    plot(record)


if __name__ == "__main__":
    main()
