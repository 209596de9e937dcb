"""`nblib fit` and `nblib arrhenius`: what they print, write and refuse."""

import hashlib
import json

import numpy as np
import pytest

from nblib.__main__ import main
from nblib.measured.inputs import files_of
from nblib.measured.products import is_result
from nblib.workbench import products, series
from nblib.workbench.constants import BOLTZMANN
from nblib.workbench.folder import is_energies
from nblib.workbench.result import FIT_COLUMNS

FREQS = np.arange(1.0, 1001.0)
FAST = ("--drop", "none", "--lorentzians", "1")


def _write(path, corner=60.0, seed=0, head="frequency [Hz],psd [A^2/Hz]"):
    background = 1e-12 / FREQS + 1e-13 / (1 + (FREQS / corner) ** 2) + 1e-16
    psd = background * np.random.default_rng(seed).gamma(100, 0.01, len(FREQS))
    rows = (f"{freq:g},{value:.8e}" for freq, value in zip(FREQS, psd, strict=True))
    path.write_text("\n".join(["# averages: 100", head, *rows]) + "\n")
    return path


def test_fit_writes_its_files_and_again_over_its_own(tmp_path, capsys):
    """Planted bugs: a repeated command refused; a file of the user's replaced; `nblib detect .` read its results."""
    path, out = _write(tmp_path / "dev.csv"), tmp_path / "out"
    assert main(["fit", str(path), "--out", str(out), *FAST]) == 0
    printed = capsys.readouterr().out
    assert "corner 1 [Hz]" in printed and "bins kept: described" in printed
    assert sorted(file.name for file in out.iterdir()) == sorted(f"dev.{ending}" for ending in products.PRODUCTS)
    assert all(products.is_product(file) for file in out.iterdir()) and not products.is_product(path)
    assert files_of([path]) == ([path], "")
    with pytest.raises(ValueError, match="dev.fit.csv is a result of nblib"):
        files_of([out])
    assert (out / "dev.fit.csv").read_text().splitlines()[0] == ",".join(FIT_COLUMNS)
    document = json.loads((out / "dev.fit.json").read_text())
    assert document["sha256"] == hashlib.sha256(path.read_bytes()).hexdigest()
    assert document["segments"]["stated"] == 100 and document["kept"]["described"]
    corner = next(term for term in document["kept"]["terms"] if term["name"] == "corner 1")
    assert corner["low"] < 60 < corner["high"] and corner["unit"] == "Hz"
    assert main(["fit", str(path), "--out", str(out), *FAST]) == 0
    (out / "dev.fit.csv").write_text("my own notes\n")
    assert main(["fit", str(path), "--out", str(out), *FAST]) == 2
    assert (out / "dev.fit.csv").read_text() == "my own notes\n"
    assert "which nblib fit did not write" in capsys.readouterr().err


def test_dropped_ranges_current_and_range_reach_the_fit(tmp_path, capsys):
    """Planted bugs: --drop FILE read and not used; the PSD divided by I instead of I^2."""
    path, flags = _write(tmp_path / "dev.csv"), tmp_path / "flags.csv"
    flags.write_text("fmin,fmax,cause\n200,300,mine\n")
    arguments = ["fit", str(path), "--json", "--lorentzians", "1", "--drop", str(flags)]
    assert main([*arguments, "--current", "1e-3", "--range", "2:900"]) == 0
    scaled = json.loads(capsys.readouterr().out)
    assert scaled["bins"] == 899 and scaled["bins_kept"] == 899 - 101
    assert scaled["unit"] == "1/Hz" and scaled["flags"][0]["cause"] == "mine"
    plateau = next(term["value"] for term in scaled["kept"]["terms"] if term["name"] == "plateau 1")
    assert plateau == pytest.approx(1e-13 / 1e-6, rel=0.2)
    assert sorted(file.name for file in tmp_path.iterdir()) == ["dev.csv", "flags.csv"]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--gamma", "1"], "two numbers with a colon"),
        (["--lorentzians", "two"], "auto or a whole number"),
        (["--current", "1", "--gm", "1"], "give one"),
        (["--current", "0"], "other than 0"),
        (["--drop", "nothing.csv"], "neither auto nor none nor a file"),
        (["--range", "500:600"], "decades"),
        (["--prefactor", "1e4"], "go together"),
        (["--prefactor", "x", "--temperature", "300"], "numbers in 1/s"),
    ],
)
def test_bad_options_are_refused(arguments, words, tmp_path, capsys):
    path = _write(tmp_path / "dev.csv")
    assert main(["fit", str(path), "--json", *arguments]) == 2
    assert words in capsys.readouterr().err


def test_a_folder_of_temperatures_gives_an_energy_and_its_figure(tmp_path, capsys):
    """Planted bugs: results of an earlier command read as spectra; temperatures in the order of names."""
    folder = tmp_path / "series"
    folder.mkdir()
    for seed, kelvin in enumerate((90.0, 100.0, 110.0, 120.0)):
        corner = 60 * (kelvin / 100) ** 2 * np.exp(-0.05 / BOLTZMANN * (1 / kelvin - 1 / 100))
        _write(folder / f"dev_{kelvin:g}K.csv", corner, seed)
    for _ in range(2):
        assert main(["arrhenius", str(folder), "--out", str(folder), *FAST]) == 0
    printed = capsys.readouterr().out
    assert "kept, trap 1:" in printed and "by the power of T" in printed and "90 K (name)" in printed
    document = json.loads((folder / "arrhenius.json").read_text())
    (trap,) = (row for row in document["traps"] if row["bins"] == "kept")
    assert trap["low [eV]"] < 0.05 < trap["high [eV]"] and trap["temperatures"] == 4
    assert [one["temperature"] for one in document["spectra"]] == [90.0, 100.0, 110.0, 120.0]
    assert all(is_energies(folder / name) and is_result(folder / name) for name in series.PRODUCTS)


def test_two_temperatures_give_no_energy(tmp_path, capsys):
    for kelvin in (100, 110):
        _write(tmp_path / f"dev_{kelvin}K.csv")
    assert main(["arrhenius", str(tmp_path), "--json", *FAST]) == 2
    assert "needs at least 3" in capsys.readouterr().err
