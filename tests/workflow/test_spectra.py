"""A long list of files split into parts by the workflow: the results are those of one command."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from nblib.__main__ import main
from nblib.measured import parts
from nblib.project.paths import ROOT

FREQS = np.arange(1.0, 301.0)


@pytest.fixture(autouse=True)
def files(tmp_path, monkeypatch):
    """Seven files, one of them no spectrum, two of one name, and their list."""
    monkeypatch.chdir(tmp_path)
    names = ["x/a.csv", "y/a.csv", *(f"x/b {seed}.csv" for seed in range(4)), "x/bad.csv"]
    for seed, name in enumerate(names):
        Path(name).parent.mkdir(exist_ok=True)
        psd = np.random.default_rng(seed).gamma(64, 1 / 64, len(FREQS)) / FREQS
        psd[FREQS == 50] *= 30
        rows = "".join(f"{freq:g},{level:.6g}\n" for freq, level in zip(FREQS, psd, strict=True))
        Path(name).write_text("nothing\n" if "bad" in name else "f,S\n" + rows)
    Path("list.txt").write_text("# measured today\n" + "".join(f"{name}\n" for name in names))
    return names


def _results(folder):
    return {path.name: path.read_bytes() for path in Path(folder).iterdir() if path.is_file()}


@pytest.mark.slow
def test_the_workflow_gives_the_results_of_the_command(files, capsys):
    """Planted bugs: a.csv of two folders in two parts written under one name; parts joined as 0, 1, 10, 2."""
    assert main(["detect", *files, "--out", "command"]) == 2
    command = [sys.executable, "-m", "snakemake", "-s", str(ROOT / "workflow" / "spectra.smk"), "--cores", "1"]
    command += ["--quiet", "all", "--config", "spectra=list.txt", "out=split", "size=4"]
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    answer = subprocess.run(command, capture_output=True, text=True, env=os.environ | {"PATH": path})
    assert answer.returncode == 0, answer.stderr
    one, split = _results("command"), _results("split")
    assert set(one) == set(split) and "y_a.csv.flags.csv" in one
    html = [results.pop("all.html").replace(name, b"") for results, name in ((one, b"command"), (split, b"split"))]
    assert one == split and html[0] == html[1]
    assert "refused: bad.csv: it holds no rows of numbers" in answer.stderr


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("x\n", "list.txt names folders or patterns; name one file per line"),
        ("# none\n\n", "list.txt names no file; name one per line"),
    ],
)
def test_a_list_without_files_of_its_own_is_refused(capsys, text, message):
    """Planted bugs: files of a folder beyond the last part lost without a word; a traceback for an empty list."""
    Path("list.txt").write_text(text)
    assert parts.main(["plan", "list.txt", "plan.jsonl", "--options=--out split"]) == 2
    assert message in capsys.readouterr().err
