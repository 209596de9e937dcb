"""The temperature of a spectrum: what names, headers, headings and tables say, and what they do not."""

import pytest

from nblib.workbench.temperatures import in_header, in_name, of_headings, temperatures_of, temperatures_or_reasons


@pytest.mark.parametrize(
    ("name", "kelvin"),
    [
        ("run_300K.csv", 300.0),
        ("dev_300.5_K.csv", 300.5),
        ("T300.csv", 300.0),
        ("a_T=77K_b.dat", 77.0),
        ("s25C.csv", None),
        ("s_-20C.csv", 253.15),
        ("s_25degC.csv", 298.15),
        ("sample300K.csv", 300.0),
        ("temp_150.txt", 150.0),
        ("10K_4.2K.csv", "2 temperatures"),
        ("R100Ohm.csv", None),
        ("run_3.csv", None),
        ("300-K.csv", 300.0),
        ("dev-300K.csv", 300.0),
        ("300Kelvin.csv", 300.0),
        ("V0p5_4p25K.csv", 4.25),
        ("300mK.csv", 0.3),
        ("T25C.csv", 298.15),
        ("25_deg_C.csv", 298.15),
        ("T=-40C.csv", 233.15),
        ("run-40C.csv", "is the hyphen in -40C a minus"),
        ("chip-T3.csv", None),
        ("T=4.csv", 4.0),
    ],
)
def test_temperatures_of_names(name, kelvin):
    """Planted bugs: "100Ohm" read as 100; C taken as K; -40C read as 40 after a letter; 4p25K as 25; transistor T3."""
    if isinstance(kelvin, str):
        with pytest.raises(ValueError, match=kelvin):
            in_name(name)
    else:
        assert in_name(name) == (kelvin if kelvin is None else pytest.approx(kelvin))


@pytest.mark.parametrize(
    ("line", "kelvin"),
    [
        ("# Temperature: 300 K", 300.0),
        ("# Temperature [C]: 26.85", 300.0),
        ("Temperature (K),77", 77.0),
        ("# temp = 26.85 °C", 300.0),
        ("# averages: 30", None),
        ("Temperature: 25 degrees C", 298.15),
        ("Temperature,25,C", 298.15),
        ("Temperature_C,25", 298.15),
        ("Temperature: 300 mK", 0.3),
        ('"Temperature (K)","300"', 300.0),
        ("Temperature,300,Averages,30", 300.0),
        ("T = 77 K", 77.0),
        ("T = 0.5", None),
        ("Temperature: 77 F", None),
        ("temp. coefficient: 5 ppm", None),
        ("Room temperature, 2025-01-13", None),
    ],
)
def test_temperatures_of_headers(line, kelvin, tmp_path):
    """Planted bugs: a unit that is not known taken for K; a date for a temperature; a measuring time T."""
    (tmp_path / "a.csv").write_text(f"{line}\n1,2\n", encoding="utf-8")
    temperature = in_header(tmp_path / "a.csv")
    assert temperature == (kelvin if kelvin is None else pytest.approx(kelvin))


def test_a_table_goes_before_names_and_what_contradicts_is_refused(tmp_path):
    path = tmp_path / "run_300K.csv"
    path.write_text("# Temperature: 77 K\n1,2\n")
    with pytest.raises(ValueError, match="300 K by its name and 77 K by its header"):
        temperatures_of([path])
    table = tmp_path / "T.csv"
    table.write_text("file,temperature [C]\nrun_300K.csv,26.85\n")
    assert temperatures_of([path], table) == [(pytest.approx(300.0), "T.csv")]
    table.write_text("file;temperature [\N{DEGREE SIGN}C]\nrun_300K;26,85\n", encoding="latin-1")
    assert temperatures_of([path], table) == [(pytest.approx(300.0), "T.csv")]
    table.write_text("name,T\nrun_300K.csv,26.85\n")
    with pytest.raises(ValueError, match="file and temperature are needed"):
        temperatures_of([path], table)
    with pytest.raises(ValueError, match="no temperature in its name"):
        (tmp_path / "a.csv").write_text("1,2\n")
        temperatures_of([tmp_path / "a.csv"])


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "file and temperature are needed"),
        (b"\xff\xaa\x00", "file and temperature are needed"),
        (b"file,temperature [F]\na.csv,300\n", "has an unknown unit"),
        (b"file,temperature\na.csv,warm\n", "a.csv has 'warm'"),
        (b"file,temperature\na.csv,300\na.csv,310\n", "a.csv has '310'; each file needs a row and a number"),
        (b"file,temperature\na.csv,-5\n", "is it in degrees C"),
    ],
)
def test_a_table_of_temperatures_that_is_none_is_refused_in_a_sentence(content, words, tmp_path):
    """Planted bugs: csv.Error of an empty table; a codec's message without the file; F read as K."""
    (tmp_path / "T.csv").write_bytes(content)
    with pytest.raises(ValueError, match=words):
        temperatures_of([tmp_path / "a.csv"], tmp_path / "T.csv")


def test_a_file_without_a_temperature_has_a_reason_and_the_others_their_kelvin(tmp_path):
    """Planted bug: the whole folder refused for a text of notes in it."""
    paths = [tmp_path / name for name in ("notes.txt", "run_300K.csv")]
    for path in paths:
        path.write_text("1,2\n")
    (missing, reason), temperature = temperatures_or_reasons(paths)
    assert missing is None and reason.startswith("no temperature in its name") and temperature == (300.0, "name")
    (tmp_path / "T.csv").write_text("file,temperature\nrun_300K.csv,301\n")
    (missing, reason), temperature = temperatures_or_reasons(paths, tmp_path / "T.csv")
    assert missing is None and "has no temperature for notes.txt" in reason and temperature == (301.0, "T.csv")


def test_columns_have_the_temperatures_of_their_headings():
    (first, where), (second, reason) = of_headings(["S_I 250K (A^2/Hz)", "background"])
    assert (first, where, second) == (250.0, "heading", None) and "give a file each" in reason
