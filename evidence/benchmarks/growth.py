"""How training grows: step time and memory against bins, and against spectra streamed from disk. `make bench`

Every point is a process of its own. One thread for all, so that exponents are not those of the thread pool.
"""

import argparse
import json
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import torch
from attention import peak_mib

from nblib import TrainConfig
from nblib.notebook.figures import save_figure, use_style
from nblib.project.environment import run_conditions
from nblib.project.paths import benchmark_record, benchmark_result
from nblib.project.records import read_json, write_json
from nblib.training.objective import loss_terms
from nblib.training.optimizer import MuonAdamW

BINS = (300, 1000, 3000, 10_000, 30_000, 100_000)
SPECTRA = (1000, 10_000, 100_000, 400_000)  # of STREAM_BINS bins, on disk as float32
STREAM_BINS, BATCH, N_STEPS = 3000, 4, 5


def run_bins(n_bins: int) -> dict:
    """Training steps of the quick model on simulated spectra of n bins, 20 to a token."""
    config = TrainConfig(preset="wide", regularizer="uniform_clean", reg_weight=10.0, batch_size=BATCH)
    data = config.dataset("train", BATCH, freqs=np.arange(1, n_bins + 1.0))
    return timed(config, data, [range(BATCH)] * N_STEPS) | {"tokens": -(-n_bins // config.patch_size)}


def run_spectra(n_spectra: int) -> dict:
    """Training steps on measured spectra streamed from a .npy file of n, drawn from all over it."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "spectra.npy"
        table = np.lib.format.open_memmap(path, "w+", np.float32, (1 + n_spectra, STREAM_BINS))
        table[0] = np.arange(1, STREAM_BINS + 1)
        block = np.random.default_rng(0).gamma(8, 1 / 8, (1000, STREAM_BINS)).astype(np.float32)
        for start in range(0, n_spectra, 1000):
            table[1 + start : 1 + start + 1000] = block
        table.flush()
        del table
        # in a process of its own: what was written here would count as memory of the reader
        return ask("file", path)


def run_file(path: str) -> dict:
    """Training steps on the spectra of one file."""
    config = TrainConfig(preset="measured", data_path=path, mask_policy="any", batch_size=BATCH)
    before = peak_mib() - mapped_mib()
    data = config.dataset("train")
    rng = np.random.default_rng(0)
    found = timed(config, data, [rng.integers(0, len(data), BATCH) for _ in range(N_STEPS)])
    # pages of the file that the system keeps while nobody else wants the memory are not the reader's
    return found | {"memory_mib": peak_mib() - mapped_mib() - before, "file_pages_mib": mapped_mib()}


def mapped_mib() -> float:
    """Resident pages of mapped files (libraries included), MiB."""
    status = Path("/proc/self/status").read_text()
    return int(re.search(r"RssFile:\s*(\d+)", status).group(1)) / 1024


def timed(config, data, batches) -> dict:
    """Seconds a step, data included (median), and memory above the start."""
    model = config.build_model(data.freqs)
    optimizer = MuonAdamW(model, config)
    before, seconds = peak_mib(), []
    for indices in batches:
        started = time.perf_counter()
        terms, _ = loss_terms(model, data.batch(indices), config)
        optimizer.zero_grad()
        (terms["mask"][0] / terms["mask"][1] + terms["reg"][0] / terms["reg"][1].clamp(min=1)).backward()
        optimizer.step()
        seconds.append(time.perf_counter() - started)
    return {"seconds": float(np.median(seconds[1:])), "memory_mib": peak_mib() - before}


WORKERS = {"bins": run_bins, "spectra": run_spectra, "file": run_file}


def ask(kind: str, value) -> dict:
    """A point from a process of its own."""
    command = [sys.executable, __file__, "--alone", kind, str(value)]
    return json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)


def exponent(sizes, values) -> float:
    """Slope of ln value against ln size over the points given (least squares)."""
    return float(np.polyfit(np.log(sizes), np.log(values), 1)[0])


def plot(record: dict) -> None:
    """Time and memory against bins (tokens above) and against spectra, with their exponents."""
    use_style()
    fig, axes = plt.subplots(2, 2, figsize=(9, 5), sharex="col")
    for column, kind, label in (
        (axes[:, 0], "bins", "Bins (20 to a token)"),
        (axes[:, 1], "spectra", "Spectra on disk"),
    ):
        rows, fitted = record[kind], record["exponents"][kind]
        sizes = [row["size"] for row in rows]
        for ax, key, name in zip(
            column, ("seconds", "memory_mib"), ("Step [s]", "Memory above start [MiB]"), strict=True
        ):
            ax.plot(sizes, [row[key] for row in rows], marker="o", label=f"exponent {fitted[key]:.2f}")
            ax.set(xscale="log", yscale="log", ylabel=name)
            ax.legend()
        column[1].set(xlabel=label)
    caption = (
        f"A training step of {BATCH} spectra on one core: time and memory against bins, and against spectra on disk."
    )
    save_figure(fig, "bench_growth", caption, "benchmarks")


def main():
    """All points, the fitted exponents, the record and the figure."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--spectra", type=int, nargs="+", default=SPECTRA, help="numbers of spectra on disk")
    parser.add_argument("--alone", nargs=2, help="internal: one point in this process (kind, size or file)")
    parser.add_argument("--redraw", action="store_true", help="draw the recorded figure again, measure nothing")
    options = parser.parse_args()
    if options.redraw:
        plot(read_json(benchmark_record("growth")))
        return
    torch.set_num_threads(1)
    if options.alone:
        kind, value = options.alone
        print(json.dumps(WORKERS[kind](value if kind == "file" else int(value))))
        return
    record = {"exponents": {}}
    for kind, sizes in (("bins", BINS), ("spectra", options.spectra)):
        record[kind] = []
        for size in sizes:
            record[kind].append({"size": size} | ask(kind, size))
            print(kind, record[kind][-1], flush=True)
        fitted = record[kind][-3:]  # the largest three: constant costs no longer count
        record["exponents"][kind] = {
            key: exponent([row["size"] for row in fitted], [row[key] for row in fitted])
            for key in ("seconds", "memory_mib")
        }
    print(json.dumps(record["exponents"]))
    print(f"wrote {write_json(benchmark_result('growth'), record | {'batch': BATCH, **run_conditions()})}")
    plot(record)


if __name__ == "__main__":
    main()
