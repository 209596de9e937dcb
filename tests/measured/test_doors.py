"""One front door: the command, `make run DATA=`, notebook 08 and Python find the same and say the same."""

import importlib.util
import json
import re
import signal
import sys
import warnings
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pytest
import scipy.io.wavfile

import nblib
from nblib.__main__ import main
from nblib.measured.advice import as_options
from nblib.project.paths import NOTEBOOKS, ROOT

FREQS = np.arange(1.0, 401.0)
_SPEC = importlib.util.spec_from_file_location("workflow_run", ROOT / "workflow" / "run.py")
WORKFLOW = importlib.util.module_from_spec(_SPEC)
_SPEC.loader.exec_module(WORKFLOW)


def _psd(seed=0):
    psd = (1e-14 / FREQS + 1e-16) * np.random.default_rng(seed).gamma(16, 1 / 16, len(FREQS))
    psd[FREQS == 50] *= 30
    return psd


def _text(path, *columns, head="Frequency (Hz),PSD (V^2/Hz)", mark=","):
    rows = (mark.join(f"{value:.8g}" for value in row) for row in zip(*columns, strict=True))
    path.parent.mkdir(exist_ok=True)
    path.write_text("\n".join([head, *rows]) + "\n")


def _wav(path):
    samples = np.random.default_rng(4).normal(size=20_000) + np.sin(2 * np.pi * 300 * np.arange(20_000) / 2000)
    scipy.io.wavfile.write(path, 2000, (1000 * samples).astype(np.int16))


def _samples(path):
    np.savetxt(path, np.random.default_rng(5).normal(size=4000))


def _folder(path):
    for seed, name in enumerate(("a", "b")):
        _text(path / f"{name}.csv", FREQS, _psd(seed))
    (path / "notes.md").write_text("nothing to read\n")


# kind of input -> what makes it, what is named, and the arguments beside it
KINDS = {
    "text": (lambda here: _text(here / "a.csv", FREQS, _psd()), "a.csv", {}),
    "options": (lambda here: _text(here / "a.csv", FREQS, _psd()), "a.csv", {"n_segments": 16.0, "false_alarm": 0.1}),
    "columns, asked": (lambda here: _text(here / "a.csv", FREQS, _psd(), _psd(1), head="f,x,y"), "a.csv", {}),
    "columns, chosen": (
        lambda here: _text(here / "a.csv", FREQS, _psd(), _psd(1), head="f,x,y"),
        "a.csv",
        {"column": "all"},
    ),
    "amplitudes": (
        lambda here: _text(here / "a.csv", FREQS / 1e3, _psd() ** 0.5, head="f,level"),
        "a.csv",
        {"asd": True, "unit": "kHz"},
    ),
    "decimal commas": (
        lambda here: (here / "a.csv").write_text(
            "".join(f"{f:g};{s:.7g}\n".replace(".", ",") for f, s in zip(FREQS, _psd(), strict=True))
        ),
        "a.csv",
        {},
    ),
    "arrays in a file": (
        lambda here: np.savez(here / "a.npz", freq=FREQS, psd=np.stack([_psd(), _psd(1)])),
        "a.npz",
        {},
    ),
    "recording": (lambda here: _wav(here / "a.wav"), "a.wav", {}),
    "samples, asked": (lambda here: _samples(here / "a.txt"), "a.txt", {}),
    "samples": (lambda here: _samples(here / "a.txt"), "a.txt", {"series": True, "rate": 100.0}),
    "folder": (lambda here: _folder(here / "in"), "in", {}),
    "pattern": (lambda here: _folder(here / "in"), "in/*.csv", {}),
    "pattern without a file": (lambda here: None, "none/*.csv", {}),
    "not there": (lambda here: None, "none.csv", {}),
    "not a spectrum": (lambda here: (here / "a.csv").write_text("nothing\n"), "a.csv", {}),
}


def _options(arguments):
    """Arguments as the command's options."""
    return as_options(", ".join(f"{name}={value!r}" for name, value in arguments.items())).replace(",", " ").split()


def _said(text):
    """What is printed, but for where results went and what only one door can say of the way it was called."""
    lines = [line for line in text.splitlines() if line and not line.startswith(("wrote ", "refused: "))]
    return [line for line in lines if " spectra together: " not in line]


def _refusals(text):
    return [line.removeprefix("refused: ") for line in text.splitlines() if line.startswith("refused: ")]


def _command(capsys, source, arguments):
    assert main(["detect", "--no-figures", source, *_options(arguments)]) in (0, 2)
    shown = capsys.readouterr()
    return _said(shown.out), _refusals(shown.err)


def _make(capsys, monkeypatch, source, arguments):
    given = " ".join(["--no-figures", *(f"'{word}'" for word in _options(arguments))])
    monkeypatch.setattr(sys, "argv", ["run.py", "report", f"--data={source}", f"--options={given}"])
    assert WORKFLOW.main() in (0, 2)
    shown = capsys.readouterr()
    return _said(shown.out), _refusals(shown.err)


def _python(source, arguments):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            text = str(nblib.analyse(source, **arguments))
        except ValueError as error:
            return [], [as_options(line) for line in str(error).splitlines()]
    return _said(as_options(text)), _refusals(as_options(text))


def _notebook(capsys, source, arguments):
    """The cells of 08 up to the one that prints, in this process."""
    cells = json.loads((NOTEBOOKS / "08_your_own_spectra.ipynb").read_text(encoding="utf-8"))["cells"]
    code = ["".join(cell["source"]) for cell in cells if cell["cell_type"] == "code"]
    names: dict = {}
    exec(code[0], names)
    assert set(arguments) <= set(names)  # a message names arguments that the notebook has
    names |= {"source": source, **arguments}
    with warnings.catch_warnings(), plt.rc_context():
        warnings.simplefilter("ignore")
        try:
            exec("\n".join(code[1:3]), names)
        except ValueError as error:
            return [], [as_options(line) for line in str(error).splitlines()]
    shown = as_options(capsys.readouterr().out)
    return _said(shown), _refusals(shown)


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_every_door_finds_and_says_the_same(tmp_path, monkeypatch, capsys, kind):
    """Planted bugs: a folder refused by the command alone; `load_series` in Python's advice; a pattern read by none."""
    monkeypatch.chdir(tmp_path)
    make, source, arguments = KINDS[kind]
    make(tmp_path)
    command = _command(capsys, source, arguments)
    assert any(command)
    assert _make(capsys, monkeypatch, source, arguments) == command
    assert _python(source, arguments) == command
    assert _notebook(capsys, source, arguments) == command


def test_arrays_are_what_their_file_is(tmp_path, monkeypatch):
    """Planted bug: arrays judged by other rules than files."""
    np.savez(tmp_path / "a.npz", freq=FREQS, psd=np.stack([_psd(), _psd(1)]))
    from_file, same = nblib.analyse(tmp_path / "a.npz"), nblib.analyse(FREQS, np.stack([_psd(), _psd(1)]))
    assert [detection.flags for _, detection in same] == [detection.flags for _, detection in from_file]
    with pytest.raises(ValueError, match="arrays: every value is negative"):
        nblib.analyse(FREQS, -_psd())
    samples = np.random.default_rng(1).normal(size=4000)
    ((measured, _),) = nblib.analyse(samples, series=True, rate=100)
    assert measured.sampling_rate == 100
    with pytest.raises(ValueError, match="an array alone holds samples: give series=True and rate=HZ"):
        nblib.analyse(samples)


def test_several_files_in_python(tmp_path):
    """Planted bug: what one file says lost, because another could be read."""
    _folder(tmp_path / "in")
    with pytest.warns(UserWarning, match="notes.md: it holds no rows of numbers"):
        analysis = nblib.analyse([tmp_path / "in" / "a.csv", tmp_path / "in"])
    assert len(analysis) == 2 and str(analysis).splitlines()[-1].startswith("refused: notes.md: ")
    written = analysis.write(tmp_path / "out", figures=("pdf",))
    assert {path.name for path in written} == {path.name for path in (tmp_path / "out").iterdir()}
    assert {"a.flags.pdf", "b.cleaned.csv", "all.flags.csv", "all.html"} <= {path.name for path in written}


@pytest.mark.parametrize("source", ["none.csv", "none/*.csv", "empty", "a.csv"])
def test_the_reason_is_the_last_line_on_the_screen(tmp_path, monkeypatch, capfd, source):
    """Planted bug: the name of a log, or of the results, after it."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "empty").mkdir()
    (tmp_path / "a.csv").write_text("nothing\n")
    _text(tmp_path / "b.csv", FREQS, _psd())
    for command in (["detect", source], ["detect", "--no-figures", "b.csv", source]):
        main(command)
        last = capfd.readouterr().err.splitlines()[-1]
        assert last.startswith("refused: ") and source.split("/")[0] in last
    monkeypatch.setattr(sys, "argv", ["run.py", "report", f"--data={source}"])
    numbers = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGHUP)}
    assert WORKFLOW.main() == 2
    assert capfd.readouterr().err.splitlines()[-1].startswith("refused: ")
    assert numbers == {number: signal.getsignal(number) for number in numbers}


def test_a_setting_out_of_range_is_named_by_its_argument():
    for given, text in (
        ({"false_alarm": 2}, "false_alarm=2 must lie above 0"),
        ({"rate": 5}, "rate=5 goes with series"),
    ):
        with pytest.raises(ValueError, match=re.escape(text)):
            nblib.analyse(FREQS, _psd(), **given)


def test_nothing_of_what_the_project_wrote_is_read(tmp_path):
    """Planted bug: a half-written file of a killed command read as a spectrum."""
    _folder(tmp_path / "in")
    (tmp_path / "in" / "notes.md").unlink()
    nblib.analyse(tmp_path / "in").write(tmp_path / "in")
    (tmp_path / "in" / "a.cleaned.csv.77.partial").write_text("1,2\n2,3\n")
    again = nblib.analyse(tmp_path / "in")
    assert [Path(outcome.path).name for outcome in again.outcomes] == ["a.csv", "b.csv"]
    assert again.left_out.startswith("11 of nblib's own results")
