"""Where `nblib detect` writes: names that do not collide, and nothing of the user's replaced."""

import json
from pathlib import Path

import numpy as np
import pytest

from nblib.__main__ import main
from nblib.measured import drawing
from nblib.measured.files.readers import load_spectra
from nblib.measured.outputs import output_names
from nblib.measured.products import is_product

FREQS = np.arange(1.0, 101.0)


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def _write(name, seed=0, head="f,S\n"):
    psd = (1 / FREQS + 0.01) * np.random.default_rng(seed).gamma(64, 1 / 64, len(FREQS))
    text = head + "".join(f"{freq:g},{level:.6g}\n" for freq, level in zip(FREQS, psd, strict=True))
    Path(name).write_text(text)
    return text


def test_results_of_files_with_one_name_do_not_overwrite_each_other():
    names = output_names([Path(part) for part in ("x/a.csv", "y/a.csv", "y/a.txt", "y/b.csv", "x_a.csv", "c/A.csv")])
    assert len({name.casefold() for name in names}) == 6
    assert names[3] == "b"


def test_only_known_endings_are_cut():
    """Planted bug: run_300.5K and run_300.7K both gave run_300."""
    paths = [Path(name) for name in ("run_300.5K", "run_300.7K", "a.csv.gz", "b.NPZ", "c.txt")]
    assert output_names(paths) == ["run_300.5K", "run_300.7K", "a", "b", "c"]


@pytest.mark.slow
def test_spectra_of_one_file_and_another_file_do_not_overwrite_each_other(capsys):
    """Planted bug: t.npz and t.1_psd_0_.csv both wrote t.1_psd_0_.flags.csv."""
    _write("t.1_psd_0_.csv")
    np.savez("t.npz", freq=FREQS, psd=np.ones((2, 100)) * np.random.default_rng(1).gamma(64, 1 / 64, (2, 100)))
    assert main(["detect", "t.npz", "t.1_psd_0_.csv"]) == 0
    assert len(list(Path("nblib-results").glob("*.flags.json"))) == 3


@pytest.mark.parametrize("place", ["nblib-results", "."])
def test_a_file_of_the_users_is_not_replaced(capsys, place):
    """Planted bug: my.cleaned.csv, written by the user and read by the same command, replaced by a result."""
    _write("my.csv")
    Path(place).mkdir(exist_ok=True)
    before = _write(f"{place}/my.cleaned.csv", 2)
    for more in ([], [f"{place}/my.cleaned.csv"]):
        assert main(["detect", "my.csv", *more, "--out", place]) == 2
        errors = capsys.readouterr().err.splitlines()
        theirs = Path(place, "my.cleaned.csv")
        assert errors[-1].startswith(f"refused: my.csv: its results would replace {theirs}, which nblib did not write")
        assert theirs.read_text() == before
    assert not Path(place, "my.flags.csv").exists()


@pytest.mark.slow
def test_a_repeated_command_replaces_its_own_results_and_reads_none_of_them(capsys):
    """Planted bug: the second command on *.csv read its own results, and refused every file."""
    _write("my.csv")
    _write("other.csv", 1)
    documents = []
    for sources, out in ((["."], []), (["*.csv"], []), (["*.csv"], ["--out", "."]), (["."], ["--out", "."])):
        assert main(["detect", *sources, *out, "--no-figures"]) == 0
        assert "2 of 2 files read" in capsys.readouterr().out
        folder = Path(out[-1] if out else "nblib-results")
        documents.append([(folder / f"{name}.flags.csv").read_text() for name in ("my", "other", "all")])
    assert all(tables == documents[0] for tables in documents)
    assert main(["detect", "my.csv", "my.cleaned.csv", "nblib-results", "--json"]) == 0
    assert main(["detect", "my.cleaned.csv"]) == 2
    assert "my.cleaned.csv is a result of nblib, not a measurement" in capsys.readouterr().err


@pytest.mark.slow
def test_files_of_one_name_never_replace_each_others_results(capsys):
    """Planted bug: a.txt after a.csv, and x/a.csv after y/a.csv with one --out, both written as a.flags.csv."""
    for folder in ("x", "y"):
        Path(folder).mkdir()
        _write(f"{folder}/a.csv")
    _write("x/a.txt", 1)
    for source in ("x/a.csv", "x/a.txt", "y/a.csv", "x/a.csv"):
        assert main(["detect", source, "--out", "out", "--no-figures"]) == 0
    paths = {path.name: json.loads(path.read_text())["path"] for path in Path("out").glob("*.flags.json")}
    assert paths == {
        "a.flags.json": "../x/a.csv",
        "a.txt.flags.json": "../x/a.txt",
        "a.csv.flags.json": "../y/a.csv",
    }


@pytest.mark.slow
def test_a_file_called_all_leaves_the_joint_table(capsys):
    """Planted bug: the flags of all.csv written over those of all files."""
    _write("all.csv")
    _write("b.csv", 1)
    assert main(["detect", "all.csv", "b.csv", "--no-figures"]) == 0
    assert {path.name for path in Path("nblib-results").glob("all*")} == {
        *("all.flags.csv", "all.html"),
        *(f"all.csv.{ending}" for ending in ("cleaned.csv", "flags.csv", "flags.json")),
    }


def test_tables_are_written_as_the_file_is(capsys):
    """Planted bugs: a decimal point among decimal commas; a header line lost; a table that is not known again."""
    psd = (1 / FREQS + 0.01) * np.random.default_rng(0).gamma(64, 1 / 64, len(FREQS))
    psd[30] *= 50
    rows = "".join(f"{freq:g};{level:.6g}\n".replace(".", ",") for freq, level in zip(FREQS, psd, strict=True))
    Path("my.csv").write_text("Temperatur: 300 K\nFrequenz [Hz];S [V^2/Hz]\n" + rows)
    for keep, mark in ((["--keep-format"], ";"), ([], ",")):
        assert main(["detect", "my.csv", *keep, "--no-figures"]) == 0
        lines = Path("nblib-results/my.cleaned.csv").read_text().splitlines()
        assert lines[:2] == ["# Temperatur: 300 K", "# Frequenz [Hz];S [V^2/Hz]"]
        assert len(lines[3].split(mark)) == 5 and ("." in lines[3]) is (mark == ",")
        assert Path("nblib-results/my.flags.csv").read_text().startswith(f"fmin{mark}fmax")
        assert all(is_product(path) for path in Path("nblib-results").iterdir())
        again = load_spectra("nblib-results/my.cleaned.csv", column="filled [V^2/Hz]")
        np.testing.assert_allclose(again.psd[0][:30], psd[:30], rtol=1e-5)
        assert again.psd[0][30] < 0.2 * psd[30] and again.unit == "V^2/Hz"


def test_a_folder_that_cannot_be_written_is_refused_before_the_work(capsys):
    """Planted bug: NotADirectoryError with a traceback after the first file."""
    _write("a.csv")
    Path("full").touch()
    for out in ("full", "full/x", "/proc/xx"):
        assert main(["detect", "--out", out, "a.csv"]) == 2
        captured = capsys.readouterr()
        assert captured.err.startswith(f"refused: cannot write to {out} (") and captured.out == ""


@pytest.mark.slow
def test_a_file_that_cannot_be_written_leaves_the_others(capsys, monkeypatch):
    _write("a.csv")
    _write("b.csv")
    real = drawing.replace_whole

    def full(path, content):
        if path.name.startswith("a."):
            raise OSError(28, "No space left on device", str(path))
        return real(path, content)

    monkeypatch.setattr("nblib.measured.products.replace_whole", full)
    assert main(["detect", "a.csv", "b.csv", "--no-figures"]) == 2
    captured = capsys.readouterr()
    where = Path("nblib-results/a.cleaned.csv")
    assert captured.err == f"refused: a.csv: cannot write {where}: No space left on device\n"
    assert "b.csv: nothing flagged" in captured.out and "1 of 2 files read" in captured.out
