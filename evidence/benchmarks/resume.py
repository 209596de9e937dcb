"""Does the same seed give the same run: killed or not, twice, for any batch size and number of processes?

Writes runs/benchmarks/resume.json: runs killed with SIGKILL - at a random moment, or inside a write - and resumed;
damaged checkpoints; spectra by batch size and workers; trainings done twice, and once on two threads. Parts that the
record has are not measured again (delete it to start anew).
"""

import hashlib
import json
import logging
import os
import random
import shutil
import tempfile
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch

from evidence.benchmarks.script import options
from evidence.forks import begin, end, files_of
from evidence.story import LABEL_FREE, PENALTY
from evidence.supervised import train_supervised
from evidence.unknown.training import WideTraining, train_wide
from nblib import NoiseBERTDataset, TrainConfig, train
from nblib.measured.statistic.thresholds import draw_maxima
from nblib.project.environment import run_conditions
from nblib.project.paths import benchmark_result, locked, runs_dir
from nblib.project.profiles import get_profile
from nblib.project.records import read_json, write_json
from nblib.training.checkpoints import FORMER, LAST
from nblib.training.steps import StepData

SMALL: dict[str, Any] = {"d_model": 16, "n_heads": 2, "dim_feedforward": 16, "batch_size": 8, "n_validation": 16}
SHORT: dict[str, Any] = {"steps": 12, "validate_every": 3, "dropout": 0.1} | SMALL
WIDE = WideTraining(steps=6, sizes=(300, 320), batch_size=4, validate_every=2)
TRIALS: dict[str, dict] = {
    "no penalty": {},
    "simulated labels": PENALTY,
    "label-free": LABEL_FREE,
    "shapes": PENALTY | {"families": ("shapes",)},
}


# ---- what is killed ----


def works() -> dict[str, tuple[Callable[[], object], int]]:
    """What a process does, and how many of them do it together."""
    plain, pseudo = (TrainConfig.from_dict(SHORT | changes) for changes in (PENALTY, LABEL_FREE))
    cnn = TrainConfig.from_dict(SHORT | {"readout": "token"})
    _ = plain.key, pseudo.key, cnn.digest("evidence.supervised:train_supervised")  # read once, not in every process
    return {
        "dropout": (partial(train, plain, False, 0), 1),
        "pseudo-labels, a worker": (partial(train, pseudo, False, 1), 1),
        "two processes": (partial(train, plain, False, 0), 2),
        "wide network, a worker": (lambda: train_wide(WIDE, runs_dir("wide"), n_workers=1), 1),
        "supervised": (partial(train_supervised, "cnn", cnn), 1),
        "thresholds": (_draws, 1),
    }


def _draws():
    folder = runs_dir("thresholds")
    with locked(folder):
        maxima = draw_maxima(100, 16, "welch", n_draws=60, kept=folder)
        write_json(folder / "maxima.json", {str(which): rows for which, rows in maxima.items()})


def killed(count: int, names: Sequence[str] = (), seed: int = 0) -> dict:
    """Kill each work in turn, at a random moment or inside a write, resume it, and compare every file.

    Parameters
    ----------
    names : of works; all of them by default
    """
    rng, found, whole = random.Random(seed), dict[str, dict](), dict[str, tuple]()
    doable = {name: work for name, work in works().items() if name in names or not names}
    for number in range(count):
        name, (work, n_processes) = list(doable.items())[number % len(doable)]
        row = found.setdefault(name, {"killed": 0, "inside a write": 0, "identical": 0, "processes left": 0})
        with tempfile.TemporaryDirectory() as folder:
            if name not in whole:
                begun, runs = time.perf_counter(), Path(folder) / "whole"
                assert end(begin(work, n_processes, runs))[0], f"{name} does not run"
                calls = int((Path(folder) / "calls").read_text())
                whole[name] = files_of(runs), time.perf_counter() - begun, calls
            files, seconds, calls = whole[name]
            inside, runs = number // len(doable) % 2 == 1, Path(folder) / "killed"
            well = True
            while well:  # it may have been through before
                shutil.rmtree(runs, ignore_errors=True)
                pids = begin(work, n_processes, runs, rng.randint(1, calls) if inside else 0)
                well, left = end(pids, None if inside else rng.uniform(0, seconds))
            assert end(begin(work, n_processes, runs))[0], f"{name} does not go on"
            row["killed"] += 1
            row["inside a write"] += inside
            row["identical"] += files_of(runs) == files
            row["processes left"] += left
    return found


# ---- what is damaged ----


def damage(path: Path, rng: random.Random) -> str:
    """Flip one bit of a file, or cut it off; which of both."""
    content = bytearray(path.read_bytes())
    if rng.random() < 0.5:
        path.write_bytes(content[: rng.randrange(len(content))])
        return "torn"
    place = rng.randrange(8 * len(content))
    content[place // 8] ^= 1 << place % 8
    path.write_bytes(content)
    return "flipped"


def damaged(count: int, seed: int = 1) -> dict:
    """Damage the last checkpoint of an unfinished run, both of them, or the last of a finished run; train again."""
    config, rng, found = TrainConfig.from_dict(SHORT | PENALTY | {"steps": 6}), random.Random(seed), dict[str, dict]()
    with tempfile.TemporaryDirectory() as folder:
        runs, begun = Path(folder) / "whole", Path(folder) / "begun"
        logged, handler = list[str](), logging.Handler()
        handler.emit = lambda record: logged.append(record.getMessage())  # type: ignore[method-assign]
        logging.getLogger("nblib").addHandler(handler)
        os.environ["NBLIB_RUNS"] = str(runs)
        home = train(config, False, 0).folder.relative_to(runs)
        whole = files_of(runs)
        shutil.copytree(runs, begun)
        shutil.copytree(runs, Path(folder) / "finished")
        (begun / home / "record.json").unlink()
        for number in range(count):
            what = ("last", "last", "last", "both", "finished")[number % 5]
            shutil.rmtree(runs)
            shutil.copytree(Path(folder) / "finished" if what == "finished" else begun, runs)
            kinds = [damage(runs / home / name, rng) for name in ((LAST, FORMER) if what == "both" else (LAST,))]
            logged.clear()
            train(config, False, 0)
            row = found.setdefault(f"{what}, {kinds[-1]}", {"damaged": 0, "detected": 0, "recovered": 0})
            row["damaged"] += 1
            row["detected"] += sum("is damaged" in text for text in logged) == len(kinds)
            row["recovered"] += files_of(runs) == whole
    return found


# ---- what is repeated ----


def spectra(count: int = 64) -> dict:
    """Digests of the same spectra by batch size and workers, and shared out over processes."""
    families = ("single_line", "vibration", "power_supply", "interference", "clock_leakage", "shapes")
    data = NoiseBERTDataset(n_spectra=count, seed=3, families=families)
    found = {}
    for size in (1, 7, 64):
        for workers in (0, 1, 2):
            batches = list(torch.utils.data.DataLoader(data, size, num_workers=workers))
            found[f"batch {size}, workers {workers}"] = _digest(batches)
    for world in (1, 2):
        shares = [StepData(data, count // 4, rank, world) for rank in range(world)]
        rows = [share[step] for step in range(4) for share in shares]
        found[f"processes {world}"] = _digest(rows, np.argsort(_positions(data, world), kind="stable"))
    return {"digests": found, "different": len(set(found.values()))}


def _positions(data, world):
    """Which spectrum each row of the shares of the first epoch is."""
    order = np.random.default_rng([data.seed, 0]).permutation(len(data)).reshape(4, -1)
    return np.concatenate([batch[rank::world] for batch in order for rank in range(world)])


def _digest(batches, order=slice(None)):
    text = hashlib.sha256()
    for name in sorted(batches[0]):
        text.update(torch.cat([batch[name] for batch in batches])[order].numpy().tobytes())
    return text.hexdigest()


def repeated(steps: int, seeds: int) -> dict:
    """Every trial and seed trained twice on one thread, in processes of their own: how many files differ."""
    found = {}
    for name, changes in TRIALS.items():
        for seed in range(seeds):
            config = _quick(steps, changes, seed)
            with tempfile.TemporaryDirectory() as folder:
                runs = [Path(folder) / which for which in ("once", "again")]
                for path in runs:
                    assert end(begin(partial(train, config, False, 0), 1, path))[0], f"{name} does not run"
                once, again = (files_of(path) for path in runs)
                record = read_json(next(runs[0].glob("models/*/record.json")))
            differing = [path for path in once if once[path] != again[path]]
            found[f"{name}, seed {seed}"] = {"differing": differing, "best_val_loss": record["best_val_loss"]}
    return found


def _quick(steps, changes, seed):
    training = get_profile("quick").training | {"steps": steps, "validate_every": steps // 2, "seed": seed}
    config = TrainConfig.from_dict(training | changes)
    _ = config.key
    return config


def on_two_threads(steps: int) -> dict:
    """One training on one thread and on two: largest relative differences of its losses, by step."""
    config, histories = _quick(steps, PENALTY, 0), []
    for threads in (1, 2):
        with tempfile.TemporaryDirectory() as folder:

            def work(threads=threads):
                os.environ["OMP_NUM_THREADS"] = str(threads)
                torch.set_num_threads(threads)
                train(config, False, 0)

            assert end(begin(work, 1, Path(folder) / "runs"))[0], "a training does not run"
            histories.append(
                np.genfromtxt(next(Path(folder).glob("runs/models/*/history.csv")), delimiter=",", names=True)
            )
    return {
        f"step {one['step']:.0f}": max(abs(float(two[name] / one[name] - 1)) for name in ("train_loss", "val_loss"))
        for one, two in zip(*histories, strict=True)
    }


def main() -> None:
    """Measure what the record lacks."""
    # steps, seeds: of each trial that is trained twice
    asked = options(__file__, __doc__, kills=50, damaged=200, steps=60, seeds=3)
    path = benchmark_result("resume")
    record = read_json(path) if path.exists() else {}
    parts: dict[str, Callable[[], dict]] = {
        "spectra": spectra,
        "killed": partial(killed, asked.kills),
        "repeated": partial(repeated, asked.steps, asked.seeds),
        "two threads / one": partial(on_two_threads, asked.steps),
        "damaged": partial(damaged, asked.damaged),
    }
    torch.set_num_threads(1)
    for name, measure in parts.items():
        if name not in record:
            begun = time.perf_counter()
            record[name] = measure()
            print(f"{name} ({time.perf_counter() - begun:.0f} s): {json.dumps(record[name])}", flush=True)
            os.environ["NBLIB_RUNS"] = str(path.parents[1])
            write_json(path, record | {"options": vars(asked)} | run_conditions())
    print(f"wrote {path}")


if __name__ == "__main__":
    main()
