"""Where `nblib detect` writes: names that do not collide, and nothing of the user's replaced."""

from pathlib import Path

import numpy as np
import pytest

from nblib.__main__ import main
from nblib.measured import products
from nblib.measured.outputs import output_names
from nblib.measured.products import PRODUCTS, is_product

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
    assert len(list(Path().glob("*.flags.json"))) == 3


def test_a_file_of_the_users_is_not_replaced(capsys):
    """Planted bug: my.cleaned.csv, written by the user and read by the same command, replaced by a result."""
    _write("my.csv")
    before = _write("my.cleaned.csv", 2)
    for more in ([], ["my.cleaned.csv"]):
        assert main(["detect", "my.csv", *more]) == 2
        assert "refused: my.csv: its results would replace my.cleaned.csv, which" in capsys.readouterr().err
        assert Path("my.cleaned.csv").read_text() == before
    assert not Path("my.flags.csv").exists()


@pytest.mark.slow
def test_a_repeated_command_replaces_its_own_results_but_not_one_that_it_reads(capsys):
    _write("my.csv")
    assert main(["detect", "my.csv"]) == 0
    assert all(is_product(Path(f"my.{ending}")) for ending in PRODUCTS)
    _write("my.csv", 1)
    old = Path("my.cleaned.csv").read_text()
    assert main(["detect", "my.csv"]) == 0
    new = Path("my.cleaned.csv").read_text()
    assert new != old
    _write("my.csv", 2)
    assert main(["detect", "my.csv", "my.cleaned.csv"]) == 2
    assert "my.cleaned.csv, which this command reads" in capsys.readouterr().err
    assert Path("my.cleaned.csv").read_text() == new


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

    def full(figures, *_):
        if figures[0].name.startswith("a."):
            raise OSError(28, "No space left on device", str(figures[0]))

    monkeypatch.setattr(products, "_figures", full)
    assert main(["detect", "a.csv", "b.csv"]) == 2
    captured = capsys.readouterr()
    assert captured.err == "refused: a.csv: cannot write a.flags.png: No space left on device\n"
    assert "b.csv: nothing flagged" in captured.out and "1 of 2 files read" in captured.out
