"""`nblib detect`: what it prints, writes and refuses."""

import csv
import hashlib
import json
import re

import numpy as np
import pytest
import scipy.io.wavfile

from nblib.__main__ import main
from nblib.measured.detector import NoiseDetector
from nblib.measured.statistic import score as combination
from nblib.measured.statistic.network import network_evidence
from nblib.project.paths import ROOT

FREQS = np.arange(1.0, 401.0)
WRITTEN = ("flags.csv", "flags.json", "cleaned.csv", "flags.png")


def _spectrum(line=50.0, seed=0, ratio=20.0):
    rng = np.random.default_rng(seed)
    background = 1e-14 / FREQS + 1e-16
    return background * rng.gamma(16, 1 / 16, len(FREQS)) * (1 + ratio * (line == FREQS))


def _write(path, psd, head="Frequency (Hz),PSD (V^2/Hz)", freqs=FREQS):
    rows = (f"{freq:g},{value:.8e}" for freq, value in zip(freqs, psd, strict=True))
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join([head, *rows]) + "\n")
    return path


def _json(capsys, *arguments):
    assert main(["detect", "--json", *map(str, arguments)]) == 0
    return json.loads(capsys.readouterr().out)


def test_json_has_the_promised_keys_and_writes_nothing(tmp_path, capsys, monkeypatch):
    path = _write(tmp_path / "in" / "device.csv", _spectrum())
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    document = _json(capsys, path, "--segments", "16")
    assert document["file"] == "device.csv" and document["schema"] == 1
    expected = {"bins": 400, "fmin": 1.0, "fmax": 400.0, "missing": 0, "unit": "V^2/Hz", "segments": 16}
    assert {key: document["read"][key] for key in expected} == expected
    (flag,) = document["flags"]
    assert {"fmin", "fmax", "excess_db", "probability", "kind", "cause"} <= set(flag)
    assert flag["fmin"] <= 50 <= flag["fmax"] and flag["kind"] == "line" and "50 Hz mains" in flag["cause"]
    assert 11 < flag["excess_db"] < 16 and 0 <= flag["probability"] < 0.01
    assert list((tmp_path / "here").iterdir()) == []


def test_the_page_lists_the_keys_of_the_json(tmp_path, capsys):
    """Planted bug: false_alarm, segments_used, centre, excess, median and sampling_rate missing from the page."""
    page = (ROOT / "docs" / "own_spectra.md").read_text(encoding="utf-8")
    example = page[page.index('{"schema"') : page.index('"warnings": [...]}')] + '"warnings":'
    document = _json(capsys, _write(tmp_path / "device.csv", _spectrum()), "--segments", "16")
    keys = {*document, *document["read"], *document["flags"][0]}
    assert set(re.findall(r'"(\w+)"', example)) == keys


def test_the_network_can_be_left_out(tmp_path, capsys, monkeypatch):
    """Planted bug: the option was read and not passed on; the network was asked twice."""
    asked = []
    monkeypatch.setattr(combination, "network_evidence", lambda *given: asked.append(1) or network_evidence(*given))
    path = _write(tmp_path / "device.csv", _spectrum())
    for option in ("--network", "--no-network"):
        (flag,) = _json(capsys, path, "--segments", "16", option)["flags"]
        assert flag["fmin"] <= 50 <= flag["fmax"]
    assert len(asked) == 1


@pytest.mark.slow
def test_files_are_written_and_the_input_is_not(tmp_path, capsys):
    path = _write(tmp_path / "device.csv", _spectrum())
    before = hashlib.sha256(path.read_bytes()).digest(), path.stat().st_mtime_ns
    out = tmp_path / "deep" / "out"
    assert main(["detect", str(path), "--segments", "16", "--out", str(out)]) == 0
    assert {file.name for file in out.iterdir()} == {f"device.{ending}" for ending in WRITTEN}
    assert (hashlib.sha256(path.read_bytes()).digest(), path.stat().st_mtime_ns) == before
    rows = list(csv.DictReader((out / "device.flags.csv").open()))
    assert list(rows[0])[:3] == ["fmin", "fmax", "cause"]
    assert float(rows[0]["fmin"]) <= 50 <= float(rows[0]["fmax"])
    comment, *lines = (out / "device.cleaned.csv").read_text().splitlines()
    cleaned = list(csv.reader(lines))
    assert comment == "# Frequency (Hz),PSD (V^2/Hz)" and len(cleaned) == 401
    assert [row[4] == (row[2] if row[3] == "1" else row[1]) for row in cleaned[1:]] == [True] * 400
    assert [row[1] == "" for row in cleaned if row[0] == "50"] == [True]
    assert float(cleaned[50][2]) == pytest.approx(1e-14 / 50 + 1e-16, rel=0.25)
    printed = capsys.readouterr().out
    assert "400 bins, 1..400 Hz" in printed and "V^2/Hz" in printed and "K = 16" in printed
    assert json.loads((out / "device.flags.json").read_text())["flags"][0]["kind"] == "line"


def test_a_clean_spectrum_has_no_flag(tmp_path, capsys):
    document = _json(capsys, _write(tmp_path / "quiet.csv", _spectrum(line=0.0)), "--segments", "16")
    assert document["flags"] == []


@pytest.mark.slow
def test_one_bad_file_does_not_stop_the_others(tmp_path, capsys):
    good = [_write(tmp_path / f"{name}.csv", _spectrum(seed=seed)) for seed, name in enumerate(("a", "b"))]
    bad = tmp_path / "bad.csv"
    bad.write_text("nothing to see\n")
    assert main(["detect", str(good[0]), str(bad), str(good[1]), "--out", str(tmp_path / "out")]) == 2
    captured = capsys.readouterr()
    assert "bad.csv" in captured.err and captured.err.startswith("refused: ") and captured.err.count("\n") == 1
    assert "2 of 3 files read" in captured.out
    assert len(list((tmp_path / "out").iterdir())) == 2 * len(WRITTEN) + 2


def test_a_refused_file_leaves_standard_output_empty(tmp_path, capsys):
    assert main(["detect", "--json", str(tmp_path / "absent.csv")]) == 2
    captured = capsys.readouterr()
    assert captured.out == "" and "absent.csv" in captured.err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--false-alarm", "2"], "--false-alarm 2"),
        (["--false-alarm", "0.7"], "--false-alarm 0.7 must lie above 0 and up to 0.5"),
        (["--floor", "absent.csv"], "refused: absent.csv is not there"),
        (["--segments", "0.5"], "--segments 0.5"),
        (["--rate", "100"], "--series"),
    ],
)
def test_options_out_of_range_are_refused(tmp_path, capsys, arguments, message):
    path = _write(tmp_path / "device.csv", _spectrum())
    assert main(["detect", str(path), *arguments]) == 2
    assert message in capsys.readouterr().err


def test_amplitude_density_gives_the_flags_of_the_power_density(tmp_path, capsys):
    psd = _spectrum()
    power = _json(capsys, _write(tmp_path / "psd.csv", psd), "--segments", "16")
    amplitude = _write(tmp_path / "asd.csv", np.sqrt(psd), "f,level")
    from_amplitude = _json(capsys, amplitude, "--segments", "16", "--asd")
    spans = [[(flag["fmin"], flag["fmax"]) for flag in document["flags"]] for document in (power, from_amplitude)]
    assert spans[0] == spans[1] != []


def test_the_floor_is_subtracted_and_bins_below_it_are_missing(tmp_path, capsys):
    psd = _spectrum(line=0.0)
    floor = np.where(FREQS > 390, 2 * psd, 1e-18)
    paths = _write(tmp_path / "device.csv", psd), _write(tmp_path / "floor.csv", floor)
    document = _json(capsys, paths[0], "--floor", paths[1], "--segments", "16")
    assert document["read"]["missing"] == 10
    assert any("floor" in text for text in document["warnings"])


def _mains_at_32_samples_a_second():
    rng = np.random.default_rng(3)
    times = np.arange(32 * 600) / 32
    return rng.normal(size=len(times)) + 1.0 * np.sin(2 * np.pi * 60 * times)


def test_an_alias_of_mains_is_named_in_a_time_series(tmp_path, capsys):
    """60 Hz sampled 32 times a second is seen at |60 - 2 * 32| = 4 Hz. Planted bug: the rate not handed on."""
    path = tmp_path / "series.txt"
    np.savetxt(path, _mains_at_32_samples_a_second())
    document = _json(capsys, "--series", path, "--rate", "32")
    strongest = max(document["flags"], key=lambda flag: flag["excess_db"])
    assert strongest["fmin"] <= 4.0 <= strongest["fmax"]
    assert "alias of 60 Hz mains" in strongest["cause"]
    assert document["read"]["sampling_rate"] == 32


def test_a_recording_that_states_its_rate_needs_no_option(tmp_path, capsys):
    rng = np.random.default_rng(4)
    times = np.arange(60_000) / 2000
    samples = 1000 * (rng.normal(size=len(times)) + np.sin(2 * np.pi * 300 * times))
    path = tmp_path / "room.wav"
    scipy.io.wavfile.write(path, 2000, samples.astype(np.int16))
    document = _json(capsys, path)
    assert any("time series" in text for text in document["warnings"])
    assert any(flag["fmin"] <= 300 <= flag["fmax"] for flag in document["flags"])


def test_the_true_reason_is_given_where_a_time_series_cannot_be_read_as_it_is(tmp_path, capsys):
    """Planted bug: two channels, and the advice was --series alone."""
    samples = np.random.default_rng(7).normal(size=(8000, 2)).astype(np.float32)
    scipy.io.wavfile.write(tmp_path / "two.wav", 2000, samples)
    assert main(["detect", "--json", str(tmp_path / "two.wav")]) == 2
    assert "As a time series: it has 2 channels: 1 'channel 1', 2 'channel 2'" in capsys.readouterr().err


def test_samples_without_a_rate_are_refused_with_the_advice(tmp_path, capsys):
    path = tmp_path / "samples.npy"
    np.save(path, np.random.default_rng(5).normal(size=4000))
    assert main(["detect", str(path)]) == 2
    assert "--series" in capsys.readouterr().err


def test_a_series_with_a_column_of_times_is_read(tmp_path, capsys):
    """Planted bug: the rate from the times is numpy's, and lists were multiplied by a numpy bool: TypeError."""
    times = np.arange(3000) / 100
    samples = np.random.default_rng(6).normal(size=len(times)) + np.sin(2 * np.pi * 20 * times)
    path = _write(tmp_path / "t.csv", samples, "time (s),U (V)", times)
    document = _json(capsys, path)
    assert document["read"]["sampling_rate"] == pytest.approx(100)
    assert any(flag["fmin"] <= 20 <= flag["fmax"] for flag in document["flags"])


def _files(folder, *names):
    return [str(_write(folder / f"{name}.csv", _spectrum(seed=seed))) for seed, name in enumerate(names)]


def test_a_fault_of_the_program_on_one_file_leaves_the_others(tmp_path, capsys, monkeypatch):
    """Planted bug: a TypeError on one file ended the command with a traceback."""
    real, paths = NoiseDetector.detect, _files(tmp_path, "a", "b")
    calls = iter([True, False])

    def failing(*arguments):
        if next(calls):
            raise TypeError("planted")
        return real(*arguments)

    monkeypatch.setattr(NoiseDetector, "detect", failing)
    assert main(["detect", "--json", *paths]) == 1
    captured = capsys.readouterr()
    assert [document["file"] for document in json.loads(captured.out)] == ["b.csv"]
    assert captured.err.startswith("failed: a.csv: TypeError: planted")


def test_an_interrupted_command_prints_what_it_had_finished(tmp_path, capsys, monkeypatch):
    """Planted bugs: Ctrl-C lost every finished file; "the same command goes on from here", which is not so."""
    real, paths = NoiseDetector.detect, _files(tmp_path, "a", "b", "c")
    calls = iter([False, True])

    def interrupted(*arguments):
        if next(calls):
            raise KeyboardInterrupt
        return real(*arguments)

    monkeypatch.setattr(NoiseDetector, "detect", interrupted)
    assert main(["detect", "--json", *paths]) == 130
    captured = capsys.readouterr()
    assert [document["file"] for document in json.loads(captured.out)] == ["a.csv"]
    assert captured.err == "interrupted: 1 of 3 files done, the others not\n"


def test_one_file_of_one_spectrum_gives_an_object_and_anything_else_a_list(tmp_path, capsys):
    """Planted bug: two files of which one is refused gave an object."""
    path, other = _files(tmp_path, "a", "b")
    assert _json(capsys, path, path)["file"] == "a.csv"  # one file, named twice
    assert [document["file"] for document in _json(capsys, path, other)] == ["a.csv", "b.csv"]
    assert main(["detect", "--json", path, str(tmp_path / "absent.csv")]) == 2
    assert [document["file"] for document in json.loads(capsys.readouterr().out)] == ["a.csv"]
    np.savez(tmp_path / "two.npz", freq=FREQS, psd=np.stack([_spectrum(), _spectrum(seed=1)]))
    assert len(_json(capsys, tmp_path / "two.npz")) == 2


def test_a_file_is_looked_for_where_the_user_said_and_nowhere_else(tmp_path, capsys, monkeypatch):
    """Planted bugs: the project's data/example_device.csv read from any folder; an option that detect lacks named."""
    monkeypatch.chdir(tmp_path)
    assert main(["detect", "--json", "data/example_device.csv", "other.csv"]) == 2
    captured = capsys.readouterr()
    assert captured.out == "[]\n" and "data_path" not in captured.err
    assert captured.err == "refused: data/example_device.csv is not there\nrefused: other.csv is not there\n"


def test_the_readme_shows_what_the_command_prints(tmp_path, capsys, monkeypatch):
    """Planted bug: README's example of an earlier detector."""
    shown = (ROOT / "README.md").read_text(encoding="utf-8").split("<!-- detect example -->")[1].split("```")[1]
    command, *rows = shown.removeprefix("text\n").splitlines()
    arguments = command.split("nblib ")[1].split()
    monkeypatch.chdir(ROOT)
    assert main([*arguments, "--no-figures", "--out", str(tmp_path)]) == 0
    printed = capsys.readouterr().out.splitlines()
    assert [row for row in rows if row not in (*printed, "...")] == []
