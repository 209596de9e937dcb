"""`nblib fit` and `nblib arrhenius`: what they print, write and refuse."""

import hashlib
import json
import shutil

import numpy as np
import pytest

from nblib.__main__ import main
from nblib.measured.inputs import files_of
from nblib.measured.products import RESULTS, is_result
from nblib.workbench import products, series
from nblib.workbench.constants import BOLTZMANN
from nblib.workbench.folder import is_energies
from nblib.workbench.result import FIT_COLUMNS
from nblib.workbench.stored_fits import read_fit

FREQS = np.arange(1.0, 1001.0)
FAST = ("--drop", "none", "--lorentzians", "1")


def _write(path, corner=60.0, seed=0, head="frequency [Hz],psd [A^2/Hz]"):
    background = 1e-12 / FREQS + 1e-13 / (1 + (FREQS / corner) ** 2) + 1e-16
    psd = background * np.random.default_rng(seed).gamma(100, 0.01, len(FREQS))
    rows = (f"{freq:g},{value:.8e}" for freq, value in zip(FREQS, psd, strict=True))
    path.write_text("\n".join(["# averages: 100", head, *rows]) + "\n")
    return path


def _fit_without_figures(*arguments):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(products, "_figures", lambda *_: None)  # they would take most of the time
        return main(["fit", *map(str, arguments), *FAST])


def test_fit_writes_beside_its_file_and_again_over_its_own(tmp_path, capsys, unrendered):
    """Planted bugs: a repeated command refused; a file of the user's replaced; `nblib detect .` read its results."""
    path, out = _write(tmp_path / "dev.csv"), tmp_path / RESULTS
    assert main(["fit", str(path), *FAST]) == 0
    printed = capsys.readouterr().out
    assert "corner 1 [Hz]" in printed and "bins kept: described" in printed
    assert sorted(file.name for file in out.iterdir()) == sorted(f"dev.{ending}" for ending in products.PRODUCTS)
    assert all(products.is_product(file) for file in out.iterdir()) and not products.is_product(path)
    assert files_of([path]) == ([path], "")
    with pytest.raises(ValueError, match="dev.fit.csv is a result of nblib"):
        files_of([out])
    assert (out / "dev.fit.csv").read_text().splitlines()[0] == ",".join(FIT_COLUMNS)
    document = json.loads((out / "dev.fit.json").read_text())
    assert document["sha256"] == hashlib.sha256(path.read_bytes()).hexdigest() and document["path"] == "../dev.csv"
    assert document["segments"]["stated"] == 100 and document["kept"]["described"]
    corner = next(term for term in document["kept"]["terms"] if term["name"] == "corner 1")
    assert corner["low"] < 60 < corner["high"] and corner["unit"] == "Hz"
    unrendered()
    assert main(["fit", str(tmp_path), *FAST]) == 0  # the folder: the same file, its results are none
    (out / "dev.fit.csv").write_text("my own notes\n")
    assert main(["fit", str(path), *FAST]) == 2
    assert (out / "dev.fit.csv").read_text() == "my own notes\n"
    assert "which nblib fit did not write" in capsys.readouterr().err


def test_a_prefactor_gives_an_energy_that_is_written_and_read_again(tmp_path, capsys):
    """Planted bugs: an open end written as infinity, which no JSON holds; an energy of a limit without a word."""
    for number, corner in enumerate((60.0, 5000.0)):  # the second lies beyond the axis
        path = _write(tmp_path / f"{number}.csv", corner=corner)
        assert _fit_without_figures(path, "--prefactor", "2e4", "--temperature", "300") == 0
        document = json.loads((tmp_path / RESULTS / f"{number}.fit.json").read_text(), parse_constant=pytest.fail)
        (energy,) = document["conditional_energies"]
        term = next(term for term in document["kept"]["terms"] if term["name"] == "corner 1")
        assert energy["energy"] == pytest.approx(BOLTZMANN * 300 * np.log(2e4 / (2 * np.pi * term["value"])))
        read_fit(tmp_path / RESULTS / f"{number}.fit.json")
    printed = capsys.readouterr().out
    assert printed.count("conditional on an assumed cross-section") == 2 and "limit" in printed.splitlines()[-3]


def test_results_of_two_files_with_one_name_do_not_replace_each_other(tmp_path, capsys):
    """Planted bug: the second command, in the same folder of results, wrote dev.fit.json over the first one's."""
    out = tmp_path / "out"
    for folder in ("a", "b"):
        (tmp_path / folder).mkdir()
        _write(tmp_path / folder / "dev.csv")
        assert _fit_without_figures(tmp_path / folder / "dev.csv", "--out", out) == 0
    paths = {json.loads(path.read_text())["path"] for path in out.glob("*.fit.json")}
    assert paths == {"../a/dev.csv", "../b/dev.csv"}
    assert main(["fit", str(tmp_path / "nothing.csv"), *FAST]) == 2
    assert "nothing.csv is not there" in capsys.readouterr().err and not (tmp_path / RESULTS).exists()


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
        (["--lorentzians", "9"], "refused: --lorentzians 9 must be a whole number from 0 to 8, or auto"),
        (["--gamma", "2:1"], "refused: --gamma 2.0:1.0 must be a lowest and a highest exponent"),
        (["--range", "5000:9000"], "--range 5000:9000 holds no bin of this spectrum, which reaches from 1 to 1000 Hz"),
        (["--rate", "8"], "--rate 8.0 goes with --series"),
        (["--floor", "nothing.csv"], "nothing.csv is not there"),
    ],
)
def test_bad_options_are_refused(arguments, words, tmp_path, capsys):
    path = _write(tmp_path / "dev.csv")
    assert main(["fit", str(path), "--json", *arguments]) == 2
    assert words in capsys.readouterr().err


def test_a_file_is_read_as_nblib_detect_reads_it_and_where_the_floor_ends_is_noted(tmp_path, capsys):
    """Amplitudes without a unit. Planted bugs: the reader's advice, --asd, no option; the floor read as power."""
    head, path, floor = "frequency [Hz],level", tmp_path / "dev.csv", tmp_path / "floor.csv"
    rows = np.loadtxt(_write(path, head=head), delimiter=",", skiprows=2)
    for place, there, level in ((path, rows, np.sqrt(rows[:, 1])), (floor, rows[:500:7], np.full(72, 3e-9))):
        np.savetxt(place, np.column_stack([there[:, 0], level]), delimiter=",", header=head, comments="")
    assert main(["fit", str(path), "--json", *FAST, "--segments", "100", "--asd", "--floor", str(floor)]) == 0
    document = json.loads(capsys.readouterr().out)
    corner = next(term for term in document["kept"]["terms"] if term["name"] == "corner 1")
    assert corner["low"] < 60 < corner["high"] and document["kept"]["described"]
    assert "the floor floor.csv reaches from 1 to 498 Hz: 502 bins of the spectrum beyond it are not used" in str(
        document
    )
    assert document["options"]["asd"] is True and document["bins_kept"] == 498


@pytest.fixture(scope="module")
def series_of_four(tmp_path_factory):
    """A folder of four temperatures, one of them in the header alone, and their fits in nblib-results."""
    folder = tmp_path_factory.mktemp("series")
    for seed, kelvin in enumerate((90.0, 100.0, 110.0, 120.0)):
        corner = 60 * (kelvin / 100) ** 2 * np.exp(-0.05 / BOLTZMANN * (1 / kelvin - 1 / 100))
        if seed:
            _write(folder / f"dev_{kelvin:g}K.csv", corner, seed)
        else:
            _write(folder / "first.csv", corner, seed, "# Temperature: 90 K\nfrequency [Hz],psd [A^2/Hz]")
    assert _fit_without_figures(folder) == 0
    return folder


@pytest.fixture
def folder(series_of_four, tmp_path):
    return shutil.copytree(series_of_four, tmp_path / "series")


def test_a_folder_of_temperatures_gives_an_energy_and_its_figure(folder, capsys, unrendered):
    """Planted bugs: results of an earlier command read as spectra; temperatures in the order of names."""
    for _ in range(2):
        assert main(["arrhenius", str(folder), *FAST]) == 0
        unrendered()
    printed = capsys.readouterr().out
    assert "kept, trap 1:" in printed and "by the power of T" in printed and "90 K (header)" in printed
    document = json.loads((folder / RESULTS / "arrhenius.json").read_text())
    (trap,) = (row for row in document["traps"] if row["bins"] == "kept")
    assert trap["low [eV]"] < 0.05 < trap["high [eV]"] and trap["temperatures"] == 4
    assert [one["temperature"] for one in document["spectra"]] == [90.0, 100.0, 110.0, 120.0]
    results = [folder / RESULTS / name for name in series.PRODUCTS]
    assert all(is_energies(path) and is_result(path) for path in results)
    results[1].write_text("mine\n")
    assert main(["arrhenius", str(folder), *FAST]) == 2
    assert "did not write; move it, or name another folder with --out DIR" in capsys.readouterr().err


def test_fits_give_the_energies_of_their_spectra(folder, capsys, unrendered):
    """Planted bugs: intervals read from the CSV's eight digits; the temperature of the header lost."""
    assert main(["arrhenius", str(folder), "--json", *FAST]) == 0
    own = json.loads(capsys.readouterr().out)
    fits = folder / RESULTS
    unrendered()
    assert main(["arrhenius", str(fits)]) == 0
    assert "90 K (header)" in capsys.readouterr().out
    read = json.loads((fits / "arrhenius.json").read_text())
    assert [one.pop("fit") for one in own["spectra"]] == [None] * 4
    assert [one.pop("fit") for one in read["spectra"]][:2] == ["first.fit.json", "dev_100K.fit.json"]
    assert read == own
    stored = read_fit(fits / "dev_110K.fit.json")
    (one,) = (row for row in own["spectra"] if row["file"] == "dev_110K.csv")
    assert [term.value for term in stored.corners] == [row["value"] for row in one["corners"]]
    assert stored.to_frame().to_csv(index=False, float_format="%.8g") == (fits / "dev_110K.fit.csv").read_text()
    for path in folder.glob("*.csv"):
        path.unlink()  # the fits alone are enough, listed by the names of their spectra
    table = "file,temperature\nfirst.csv,80\ndev_100K,90\ndev_110K.fit.json,95\ndev_120K.csv,101\n"
    (folder / "T.csv").write_text(table)
    assert main(["arrhenius", str(fits), "--json", "--temperatures", str(folder / "T.csv")]) == 0
    assert [one["temperature"] for one in json.loads(capsys.readouterr().out)["spectra"]] == [80, 90, 95, 101]


def test_fits_beside_their_spectra_are_used_and_what_does_not_match_is_refused(folder, capsys):
    """Planted bugs: a spectrum that is counted twice; a fit of former data used; options that silently do nothing."""
    fits = folder / RESULTS
    shutil.copy(fits / "dev_100K.fit.json", folder)
    (folder / "dev_100K.fit.json").write_text((folder / "dev_100K.fit.json").read_text().replace("../", ""))
    assert main(["arrhenius", str(folder), "--json"]) == 0
    output, errors = capsys.readouterr()
    assert "dev_100K.csv is not fitted again: dev_100K.fit.json, which was made from it, is used" in errors
    assert [one["fit"] is None for one in json.loads(output)["spectra"]] == [True, False, True, True]
    assert main(["arrhenius", str(folder), "--json", "--lorentzians", "2", "--range", "1:900"]) == 2
    assert "--lorentzians, --range cannot change fits that are done (dev_100K.fit.json)" in capsys.readouterr().err
    _write(folder / "dev_100K.csv", 70.0, 9)
    assert main(["arrhenius", str(folder), "--json"]) == 2
    output, errors = capsys.readouterr()
    assert "left out: dev_100K.fit.json was fitted to other data than" in errors
    assert len(json.loads(output)["spectra"]) == 3 and "dev_100K.fit.json" in json.loads(output)["left_out"][0]
    shutil.copy(fits / "dev_110K.fit.json", fits / "again.fit.json")
    assert main(["arrhenius", str(fits), "--json"]) == 2
    assert "again.fit.json and dev_110K.fit.json are fits of one spectrum" in capsys.readouterr().err


def test_a_spectrum_without_a_temperature_is_left_out_and_the_others_go_on(folder, capsys):
    """Planted bugs: one file without a temperature refused the folder; its fit counted at 0 K."""
    fits = folder / RESULTS
    first = fits / "first.fit.json"
    first.write_text(first.read_text().replace('"temperature": 90.0', '"temperature": null'))
    assert main(["arrhenius", str(fits), "--json"]) == 2
    output, errors = capsys.readouterr()
    assert "left out: first.csv: no temperature in its name" in errors
    document = json.loads(output)
    assert [one["temperature"] for one in document["spectra"]] == [100, 110, 120] and len(document["left_out"]) == 1
    assert main(["arrhenius", str(fits), "--json", "--gamma-n", "1e21", "--t-power", "0"]) == 2
    assert "--gamma-n 1e+21 must be positive, in cm^-2 s^-1 K^-2, and goes with --t-power 2" in capsys.readouterr().err


def test_columns_of_one_file_are_spectra_of_their_own_temperatures(folder, capsys):
    """Planted bugs: one temperature for the file; the fits of its columns read with the name of the file."""
    names = ["dev_100K.csv", "dev_110K.csv", "dev_120K.csv"]
    columns = [np.loadtxt(folder / name, delimiter=",", skiprows=2)[:, 1] for name in names]
    shutil.rmtree(folder)
    folder.mkdir()
    rows = np.column_stack([FREQS, *columns])
    heads = "# averages: 100\nfrequency [Hz],100K [A^2/Hz],110K [A^2/Hz],120K [A^2/Hz]"
    np.savetxt(folder / "all_300K.csv", rows, delimiter=",", header=heads, comments="")
    assert _fit_without_figures(folder, "--column", "all") == 0
    for where, options in ((folder, (*FAST, "--column", "all")), (folder / RESULTS, ())):
        capsys.readouterr()
        assert main(["arrhenius", str(where), "--json", *options]) == 0
        spectra = json.loads(capsys.readouterr().out)["spectra"]
        assert [one["temperature"] for one in spectra] == [100, 110, 120]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda text: text[: len(text) // 2], "line "),
        (lambda text: '{"all_bins": 3}', "without 'kept'"),
        (lambda text: "[1, 2]", "indices"),
        (lambda text: text.replace('"schema": 1', '"schema": 99'), "schema 99"),
        (lambda text: text.replace('"fmax": 1000.0', '"fmax": null'), "NoneType"),
        (lambda text: text.replace('"name": "plateau 1"', '"name": "nothing"'), "without its plateau"),
        (lambda text: text.replace('"sha256": "', '"sha256": 1, "x": "'), "sha256 is 1"),
        (lambda text: text.replace('"value": ', '"value": -'), "power law at 1 Hz is -"),
    ],
)
def test_a_damaged_or_foreign_json_is_refused_in_a_sentence(change, words, stored_fit):
    """Planted bugs: a traceback of json; a corner of -60 Hz in an energy."""
    path, text = stored_fit
    path.write_text(change(text))
    with pytest.raises(ValueError, match=rf"dev.fit.json is not a whole fit of this .*{words}.*fit its spectrum"):
        read_fit(path)


@pytest.fixture(scope="module")
def stored_fit(tmp_path_factory):
    folder = tmp_path_factory.mktemp("fit")
    _write(folder / "dev.csv")
    assert _fit_without_figures(folder) == 0
    path = folder / RESULTS / "dev.fit.json"
    return path, path.read_text()


def test_an_end_that_the_data_do_not_set_stays_open(stored_fit):
    """JSON has no infinity. Planted bug: an open end read as 0, so that the corner had an interval."""
    path, text = stored_fit
    document = json.loads(text)
    row = next(term for term in document["kept"]["terms"] if term["name"] == "corner 1")
    row["high"] = row["error"] = None
    path.write_text(json.dumps(document))
    (corner,) = read_fit(path).corners
    assert corner.high == np.inf and np.isnan(corner.error) and corner.low == row["low"]


def test_two_temperatures_give_no_energy(tmp_path, capsys):
    """Planted bug: an empty nblib-results left behind."""
    for kelvin in (100, 110):
        _write(tmp_path / f"dev_{kelvin}K.csv")
    assert main(["arrhenius", str(tmp_path), *FAST]) == 2
    assert "needs at least 3" in capsys.readouterr().err and not (tmp_path / RESULTS).exists()
    (tmp_path / "empty").mkdir()
    assert main(["arrhenius", str(tmp_path / "empty")]) == 2
    assert "holds no file to read" in capsys.readouterr().err
