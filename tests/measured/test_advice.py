"""The library's messages name Python arguments, the command's its options; followed, they lead nowhere wrong."""

import ast
import dataclasses
import io
import re
import sys
import types

import numpy as np
import pytest

from nblib.__main__ import main
from nblib.measured.advice import as_options
from nblib.measured.measurement import Measurement
from nblib.measured.result import Detection
from nblib.project.paths import ROOT

READING = sorted((ROOT / "nblib").rglob("*.py"))
FREQS = np.arange(1.0, 201.0)
PSD = (1 / FREQS + 0.01) * np.random.default_rng(0).gamma(50, 1 / 50, 200)
LEVELS = 10 * np.log10(1e-9 * PSD)
TIMES = np.arange(4000) / 500
SAMPLES = np.random.default_rng(1).normal(size=4000)


@pytest.mark.parametrize(
    ("library", "command"),
    [
        ("Give db=True.", "Give --db."),
        ("power? Give asd=False", "power? Give --no-asd"),
        ("choose with column=NAME or NUMBER", "choose with --column NAME or NUMBER"),
        ("give unit='mHz' or unit='MHz'", "give --unit mHz or --unit MHz"),
        ("keep one with span='first'; or", "keep one with --span first; or"),
        ("read with load_series and rate=HZ", "read with --series and --rate HZ"),
        ("it does not state it; give rate=HZ", "it does not state it; give --series --rate HZ"),
        ("false_alarm=2 must lie above 0", "--false-alarm 2 must lie above 0"),
        ("more than n_segments says; give n_segments=3", "more than --segments says; give --segments 3"),
        ("read it with load_spectra", "read it without --series"),
        ("out=DIR", "--out DIR"),
        ("its heading 'db=True' and the file's rate=5", "its heading 'db=True' and the file's --series --rate 5"),
    ],
)
def test_arguments_become_options(library, command):
    assert as_options(library) == command


def test_no_message_of_the_library_names_an_option():
    """Planted bug: "Give --db" to a caller of load_spectra."""
    named = re.compile(r"--(?:no-)?(?:db|asd|column|series|rate|span|unit|segments|floor|out|resolution)\b")
    for path in READING:
        if path.name in ("command.py", "advice.py", "commands.py") or path.parent.name == "workbench":
            continue
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                assert not named.search(node.value), (path, node.lineno, node.value)


def _rows(*columns, mark=",", form="{:.7g}"):
    return "".join(mark.join(form.format(value) for value in row) + "\n" for row in zip(*columns, strict=True))


ASKED = {
    "decibels": _rows(FREQS, LEVELS),
    "levels of one size": _rows(FREQS, LEVELS + 200),
    "samples": _rows(TIMES, SAMPLES),
    "samples above 0": _rows(TIMES, SAMPLES + 10),
    "two columns": "f,a,b\n" + _rows(FREQS, PSD, 2 * PSD),
    "amplitude": "f (Hz),Noise (V)\n" + _rows(FREQS, PSD**0.5),
    "spans": "f,S\n" + _rows(np.r_[FREQS, 5 * FREQS], np.r_[PSD, 9 * PSD]),
    "traces": "f,S\n" + _rows(np.r_[FREQS, FREQS], np.r_[PSD, 9 * PSD]),
    "two sides": "f (Hz),S\n" + _rows(np.r_[-FREQS[::-1], FREQS], np.r_[PSD, PSD]),
    "factor": "f (x10^3 Hz),S\n" + _rows(FREQS, PSD),
    "counter": "count,x\n" + _rows(np.arange(4000), SAMPLES),
    "packets": "time (s),x\n" + _rows(np.repeat(TIMES[::4], 4), SAMPLES),
    "rows": _rows(SAMPLES[::4], SAMPLES[1::4], SAMPLES[2::4], SAMPLES[3::4]),
    "one column": _rows(SAMPLES),
    "lag": "tau,adev\n" + _rows(FREQS, PSD),
    "unsorted": "f,S\n" + _rows(np.random.default_rng(3).permutation(FREQS), PSD),
}
VALUES = {"NAME": "2", "NUMBER": "2", "HZ": "500"}


def _advised(text):
    """The options that a message names, each with a value."""
    options = re.findall(r"--series --rate HZ|--(?:no-)?(?:asd|db)|--series|--(?:column|span|unit|rate) [\w^/]+", text)
    return [[VALUES.get(word, word) for word in option.rstrip(".;,").split()] for option in dict.fromkeys(options)]


@pytest.mark.parametrize("name", ASKED)
def test_each_option_that_a_message_names_is_understood_and_answers_or_refuses(tmp_path, capsys, monkeypatch, name):
    """Planted bugs: "sort the rows", --span cut over two spectra, --db on samples."""
    monkeypatch.setattr("nblib.measured.examine.detected", _no_detection)
    path = tmp_path / "file.csv"
    path.write_text(ASKED[name])
    arguments = ["detect", "--json", "--no-network", str(path)]
    assert main(arguments) == 2
    text = capsys.readouterr().err
    assert "sort" not in text
    for option in _advised(text):
        status = main([*arguments, *option])
        answer = capsys.readouterr()
        assert status == 0 or answer.err.startswith("refused: "), option
        assert status == 2 or name not in ("lag", "unsorted")
        if name.startswith("samples") and "--db" in option:
            assert name == "samples above 0"  # one of three readings, each named


def _no_detection(measured, *_):
    """A detection that flags nothing."""
    nothing = np.zeros(len(measured.freqs))
    arrays = (measured.freqs, measured.psd, nothing, nothing)
    return Detection(*arrays, 1.0, 0.01, nothing, [], nothing > 0, 1.0, False)


def test_the_first_line_says_which_averages_are_used():
    measured = Measurement("a.csv", "a", FREQS, PSD, n_segments=16.0)
    assert "K = 16," in measured.describe(16.0)
    assert "K = 16 (12.5, as measured, used)," in measured.describe(12.5)
    assert "K not stated (12.5, as measured, used)," in dataclasses.replace(measured, n_segments=None).describe(12.5)


def test_standard_input_is_read(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr("nblib.measured.examine.detected", _no_detection)
    text = "Frequency (Hz),PSD (V^2/Hz)\n" + _rows(FREQS, PSD)
    monkeypatch.setattr(sys, "stdin", types.SimpleNamespace(buffer=io.BytesIO(text.encode())))
    assert main(["detect", "--json", "-"]) == 0
    assert '"file": "stdin"' in capsys.readouterr().out
