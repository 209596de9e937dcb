"""Trials of batches of a user's own files: killed, the disk full, repeated, and split by the workflow."""

import csv
import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from nblib.project.paths import ROOT

PNG_END = b"IEND\xaeB`\x82"
ENDED = re.compile(r"an earlier command was ended before (\d+) of its (\d+) files")
SCRIPTS = Path(sys.executable).parent


def make_files(folder: Path, count: int, n_bins: int) -> Path:
    """Simulated spectra with mains, clock and a vibration, as text of two columns; returns the folder."""
    folder.mkdir(parents=True, exist_ok=True)
    freqs = np.arange(1.0, n_bins + 1)
    for number in range(count):
        rng = np.random.default_rng([26, number])
        psd = (1e-14 / freqs + 1e-17) * rng.gamma(64, 1 / 64, n_bins)
        for harmonic in range(1, 12):
            psd[freqs == 50 * harmonic] *= 1 + 30 / harmonic
        psd *= 1 + 3 * np.exp(-0.5 * ((freqs - 0.23 * n_bins - number % 40) / 4) ** 2)
        rows = "".join(f"{freq:g},{level:.6g}\n" for freq, level in zip(freqs, psd, strict=True))
        (folder / f"{number:04}.csv").write_text("f [Hz],S [V^2/Hz]\n" + rows, encoding="utf-8")
    return folder


def command(*arguments: object) -> list[str]:
    """`nblib detect` with these arguments."""
    return [sys.executable, "-m", "nblib", "detect", *map(str, arguments)]


def ran(asked: list[str], folder: Path) -> subprocess.CompletedProcess:
    """A command run in a folder, with all that it prints."""
    return subprocess.run(asked, cwd=folder, capture_output=True, text=True, env=environment())


def environment() -> dict[str, str]:
    """That of a person who has activated the environment."""
    return os.environ | {"PATH": f"{SCRIPTS}{os.pathsep}{os.environ['PATH']}"}


def whole(results: Path, n_bins: int, with_figures: bool) -> set[str]:
    """Names of the files whose results are there; raises AssertionError where one of those is not whole."""
    names = {path.name.removesuffix(".flags.json") for path in results.glob("*.flags.json")}
    for name in names:
        document = json.loads((results / f"{name}.flags.json").read_text(encoding="utf-8"))
        rows = list(csv.reader((results / f"{name}.flags.csv").read_text(encoding="utf-8").splitlines()))
        assert len(rows) == 1 + len(document["flags"]) and rows[0][0] == "fmin", name
        assert (results / f"{name}.cleaned.csv").read_text(encoding="utf-8").count("\n") == n_bins + 2, name
    figures = {path.name.removesuffix(".flags.png") for path in results.glob("*.flags.png")}
    for name in figures:
        assert (results / f"{name}.flags.png").read_bytes().endswith(PNG_END), name
    return names & figures if with_figures else names


def killed(folder: Path, count: int, n_bins: int, kills: int, options: Sequence[object] = ()) -> dict:
    """A batch killed again and again, each time further on: whole results, and the rest named by the next command."""
    files, n_whole = make_files(folder / "in", count, n_bins), []
    results = files / "nblib-results"
    before: tuple[int, int] | None = None
    for at in range(kills):
        begun = time.time()
        process = subprocess.Popen(
            command(files, *options),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        wanted = (at + 1) * count // (kills + 2)
        while process.poll() is None and len(_fresh(results, begun)) < wanted:
            time.sleep(0.02)
        os.kill(process.pid, signal.SIGKILL)
        words = process.communicate()[1]
        time.sleep(0.5)  # its other processes end with it
        done = whole(results, n_bins, "--no-figures" not in options) & _fresh(results, begun)
        if before is not None:
            assert (match := ENDED.search(words)), words
            assert (int(match[1]), int(match[2])) == before, (match[0], before)
        before = (count - len(done), count)
        n_whole.append(len(done))
    answer = ran(command(files, *options), folder)
    match = ENDED.search(answer.stderr)
    assert match and (int(match[1]), int(match[2])) == before, answer.stderr[-300:]
    assert answer.returncode == 0 and f"{count} of {count} files read" in answer.stdout
    assert len(whole(results, n_bins, "--no-figures" not in options)) == count
    left = [path.name for path in results.iterdir() if path.name.endswith((".partial", "unfinished.txt"))]
    return {
        "files": count,
        "killed": kills,
        "whole when killed": n_whole,
        "whole after the last command": count,
        "left": left,
    }


def _fresh(results, begun):
    return {
        path.name.removesuffix(".flags.json") for path in results.glob("*.flags.json") if path.stat().st_mtime >= begun
    }


@contextmanager
def small_disk(place: Path, size: int) -> Iterator[Path]:
    """A file system of so many bytes, where the system lets this user mount one. Raises PermissionError."""
    place.mkdir(parents=True, exist_ok=True)
    answer = subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(place)], capture_output=True)
    if answer.returncode:
        raise PermissionError(answer.stderr.decode())
    try:
        yield place
    finally:
        subprocess.run(["umount", str(place)], check=True)


def full_disk(folder: Path, count: int, n_bins: int, share: float = 0.5) -> dict:
    """A batch whose results do not fit: what is there is whole, every other file is named, the reason is last.

    Raises
    ------
    PermissionError where the system mounts no small disk for this user
    """
    files = make_files(folder / "in", count, n_bins)
    one = ran(command(files / "0000.csv", "--no-figures", "--out", folder / "one"), folder)
    assert one.returncode == 0, one.stderr
    size = sum(-(-path.stat().st_size // 4096) * 4096 for path in (folder / "one").iterdir())
    with small_disk(folder / "disk", int(share * count * size)) as disk:
        answer = ran(command(files, "--no-figures", "--out", disk / "out"), folder)
        lines = answer.stderr.splitlines()
        done = whole(disk / "out", n_bins, False)
        named = set(re.findall(r"refused: (\d{4})\.csv: cannot write .*: No space left on device", answer.stderr))
        partial = [path.name for path in (disk / "out").iterdir() if path.name.endswith(".partial")]
    assert answer.returncode == 2 and 0 < len(done) < count
    assert done | named == {f"{number:04}" for number in range(count)} and not done & named, (len(done), len(named))
    assert lines[-1].startswith("refused: ") and not partial, (lines[-1], partial)
    return {"files": count, "whole": len(done), "named": len(named), "last line": lines[-1].replace(str(disk), "DISK")}


def workflow(folder: Path, files: Path, executor: str, size: int) -> dict:
    """Split by the workflow's rule, killed once, gone on with the same command: the results of the command's table."""
    listed, out = folder / "files.txt", folder / executor
    listed.write_text("".join(f"{path}\n" for path in sorted(files.glob("*.csv"))), encoding="utf-8")
    asked = [sys.executable, "-m", "snakemake", "-s", str(ROOT / "workflow" / "spectra.smk"), "--rerun-incomplete"]
    if executor == "local":
        asked += ["--cores", "2"]
    else:
        asked += ["--executor", "cluster-generic", "--cluster-generic-submit-cmd", "bash", "--jobs", "1"]  # at once
    asked += ["--config", f"spectra={listed}", f"out={out}", f"size={size}", "options=--no-figures"]
    process = subprocess.Popen(
        asked,
        cwd=folder,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env=environment(),
        start_new_session=True,
    )
    count = len(listed.read_text(encoding="utf-8").splitlines())
    while process.poll() is None and len(list(out.glob("parts/[0-9]*.json"))) < -(-count // size) // 2:
        time.sleep(0.1)
    parts = len(list(out.glob("parts/[0-9]*.json")))
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    ran([*asked[: asked.index("--config")], "--unlock", *asked[asked.index("--config") :]], folder)
    answer = ran(asked, folder)
    assert answer.returncode == 0, answer.stderr[-500:]
    return {"parts": -(-count // size), "parts when killed": parts, "table": (out / "all.flags.csv").read_bytes()}


def split(folder: Path, count: int, n_bins: int, size: int = 250) -> dict:
    """The command on all files, and the workflow with local jobs and through cluster-generic, each killed once."""
    files = make_files(folder / "in", count, n_bins)
    answer = ran(command(files, "--no-figures", "--out", folder / "command"), folder)
    assert answer.returncode == 0, answer.stderr[-300:]
    table = (folder / "command" / "all.flags.csv").read_bytes()
    record: dict = {"files": count, "rows": table.count(b"\n") - 1}
    for executor in ("local", "cluster-generic"):
        row = workflow(folder, files, executor, size)
        record[executor] = row | {"table": row["table"] == table}
        names = {path.name for path in (folder / executor).iterdir() if path.is_file()}
        record[executor]["files of the command"] = names == {path.name for path in (folder / "command").iterdir()}
    return record


def twice(folder: Path, count: int, n_bins: int) -> dict:
    """The same command twice on a pattern and on a folder: the same words and the same bytes."""
    files, same = make_files(folder / "in", count, n_bins), {}
    for name, source in (("*.csv", "*.csv"), ("folder", "."), ("quoted pattern and --out .", "*.csv")):
        more = ["--out", "."] if "--out" in name else []
        answers, bytes_of = [], []
        for _ in range(2):
            answers.append(ran(command("--no-figures", source, *more), files))
            place = files if more else files / "nblib-results"
            bytes_of.append({path.name: path.read_bytes() for path in place.iterdir() if path.is_file()})
        same[name] = (
            [answer.returncode for answer in answers] == [0, 0]
            and answers[0].stdout == answers[1].stdout
            and bytes_of[0] == bytes_of[1]
        )
    return same
