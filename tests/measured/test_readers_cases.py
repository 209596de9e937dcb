"""Files as people really have them: each kind, in variants, is read with the right value or refused with the reason."""

import re

import numpy as np
import pytest
from untouched import read_untouched

from nblib.measured.files.readers import load_spectra

FREQS = np.arange(1.0, 81.0)
PSD = (2.9e-14 / FREQS + 3e-16) * np.random.default_rng(0).gamma(16, 1 / 16, 80)
SEPARATORS = pytest.mark.parametrize("separator", [",", ";", "\t", "  ", " | "])


def rows(freqs, levels, separator=",", freq_format="{:g}", level_format="{:.7g}"):
    pairs = zip(freqs, levels, strict=True)
    return "\n".join(freq_format.format(freq) + separator + level_format.format(level) for freq, level in pairs) + "\n"


def comma(text):
    return text.replace(".", ",")


@pytest.fixture
def read(tmp_path):
    """Write a file, read it, and check that it was not changed."""

    def reading(content, name="device.csv", encoding="utf-8", **options):
        path = tmp_path / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode(encoding))
        return read_untouched(load_spectra, path, **options)

    return reading


def assert_same(spectra, freqs=FREQS, psd=PSD, unit=None, noted=""):
    np.testing.assert_allclose(spectra.freqs, freqs, rtol=1e-6)
    valid = spectra.valid[0]
    np.testing.assert_allclose(spectra.psd[0, valid], np.asarray(psd)[valid], rtol=2e-5)
    assert unit is None or spectra.unit == unit
    assert any(re.search(noted, text) for text in spectra.warnings) or not noted


@SEPARATORS
@pytest.mark.parametrize("unit", ["Hz", "kHz", "MHz", "mHz", "GHz"])
def test_04_the_unit_of_the_axis(read, separator, unit):
    factor = {"Hz": 1, "kHz": 1e3, "MHz": 1e6, "mHz": 1e-3, "GHz": 1e9}[unit]
    table = rows(FREQS, PSD, separator)
    noted = "" if unit == "Hz" else "scaled to Hz"
    assert_same(read(f"f ({unit}){separator}PSD (A^2/Hz)\n{table}"), FREQS * factor, unit="A^2/Hz", noted=noted)
    assert_same(read(f"freq_{unit}{separator}Pxx\n{table}"), FREQS * factor)
    assert_same(
        read(f"Type;ANALYZER\nx-Unit;{unit};\ny-Unit;V^2/Hz;\nStart;1;{unit}\n{table}"), FREQS * factor, unit="V^2/Hz"
    )
    assert_same(read(table, unit=unit), FREQS * factor)


def test_05_a_units_row_belongs_to_the_headings_above_it(read):
    """Planted bugs: "p" above "W/Hz" read as pW/Hz; Origin's row of comments taken for the headings."""
    assert_same(read("f;p\nGHz;W/Hz\n" + rows(FREQS, PSD, ";")), FREQS * 1e9, unit="W/Hz")
    origin = "Frequency\tPSD\nHz\tA^2/Hz\nComments\tdevice 3\n" + rows(FREQS, PSD, "\t")
    assert_same(read(origin, name="device.dat"), unit="A^2/Hz")
    labview = "Separator\tTab\n***End_of_Header***\nY_Unit_Label\tV^2/Hz\n***End_of_Header***\nX_Value\tPSD\tComment\n"
    assert_same(read(labview + rows(FREQS, PSD, "\t").replace("\n", "\t\n"), name="device.lvm"), unit="V^2/Hz")


AMPLITUDES = [
    "V/sqrt(Hz)",
    "V/√Hz",
    "nV/rtHz",
    "V/Hz^0.5",
    "V/Hz^(1/2)",
    "Vrms/√Hz",
    "V Hz^-1/2",
    "pA/root Hz",
    "1 / Hz(1/2)",
]


@SEPARATORS
@pytest.mark.parametrize("unit", [*AMPLITUDES, "m/s^2/sqrt(Hz)"])
def test_02_amplitude_density_is_squared(read, separator, unit):
    """Planted bug: "V/Hz^(1/2)" taken for a power because its bracket is cut off."""
    text = f"Frequency (Hz){separator}Noise [{unit}]\n" + rows(FREQS, np.sqrt(PSD), separator)
    assert_same(read(text), noted="squared")
    assert read(text).unit.endswith("^2/Hz") or read(text).unit == "1/Hz"
    assert_same(read(text, asd=False), psd=np.sqrt(PSD), noted="read as power as asked")


@pytest.mark.parametrize("name", ["ASD", "amplitude spectral density", "Linear Spectral Density"])
def test_02_amplitude_density_by_name(read, name):
    assert_same(read(f"f,{name}\n" + rows(FREQS, np.sqrt(PSD))), noted="squared")


@pytest.mark.parametrize("heading", ["V(onoise)", "V(inoise)", "onoise_spectrum", "Voltage (V)", "Amplitude", "I(R1)"])
def test_02_what_cannot_be_known_is_asked(read, heading):
    text = f"Freq.\t{heading}\n" + rows(FREQS, np.sqrt(PSD), "\t")
    with pytest.raises(ValueError, match=r"leaves open what the values are: amplitude .* or power .*\? Give asd=True"):
        read(text)
    assert_same(read(text, asd=True))
    assert_same(read(text, asd=False), psd=np.sqrt(PSD))


@pytest.mark.parametrize("name", ["mains_asd.csv", "ASD 3.txt", "lsd-2.dat"])
@pytest.mark.parametrize("heading", ["f,psd\n", "f,level\n", ""])
def test_02_a_name_that_says_amplitude_where_nothing_in_the_file_does_is_a_question(read, name, heading):
    """Planted bug: mains_asd.csv with the heading "psd" and no unit, read as power without a word."""
    text = heading + rows(FREQS, np.sqrt(PSD))
    with pytest.raises(
        ValueError, match=r"name says amplitude density.*Give asd=True .* or asd=False to read them as power"
    ):
        read(text, name=name)
    assert_same(read(text, name=name, asd=True), noted="squared")
    assert_same(read(text, name=name, asd=False), psd=np.sqrt(PSD))
    stated = read("Frequency (Hz),PSD (V^2/Hz)\n" + rows(FREQS, PSD), name=name)
    assert_same(stated, unit="V^2/Hz", noted="the file's name says amplitude density; read as V")
    assert_same(read("f,level\n" + rows(FREQS, PSD), name="passdown.csv"))


@SEPARATORS
@pytest.mark.parametrize(
    ("heading", "unit"),
    [
        ("PSD (dBm/Hz)", "mW/Hz"),
        ("PSD (dB re 1 uPa^2/Hz)", "uPa^2/Hz"),
        ("Level [dBV/√Hz]", "V^2/Hz"),
        ("Level (dB)", None),
        ("Phase noise (dBc/Hz)", "1/Hz"),
    ],
)
def test_03_decibels(read, separator, heading, unit):
    level = 10 * np.log10(PSD)
    text = f"Frequency (Hz){separator}{heading}\n"
    assert_same(read(text + rows(FREQS, level, separator)), unit=unit, noted="decibels")
    assert_same(read(text + rows(FREQS, level + 250, separator)), psd=PSD * 1e25, unit=unit)
    with pytest.raises(ValueError, match=r"every value is negative. Decibels\? Give db=True"):
        read(rows(FREQS, level, separator))
    assert_same(read(rows(FREQS, level, separator), db=True))
    with pytest.raises(
        ValueError, match=r"no heading says what they are. Decibels\? Give db=True.*Power\? Give db=False"
    ):
        read(rows(FREQS, level + 250, separator))


MISSING = [
    "1.#INF",
    "1.#QNAN0e+000",
    "-1.#IND",
    "nan",
    "-nan(ind)",
    "inf",
    "#N/A",
    "NA",
    "---",
    "****",
    "9.9e37",
    "9.91E+37",
    "0",
]


@pytest.mark.parametrize("word", [*MISSING, "3.40282e+38", "OVLD", ""])
@pytest.mark.parametrize("separator", [",", ";", "\t"])
def test_01_27_37_a_bin_without_a_value(read, word, separator):
    """Planted bugs: 1.#INF read as 1; 9.9e37 kept as a level."""
    lines = rows(FREQS, PSD, separator).splitlines()
    lines[19] = f"20{separator}{word}"
    spectra = read(f"Frequency (Hz){separator}PSD (V^2/Hz)\r\n" + "\r\n".join(lines))
    assert_same(spectra, noted=r"1 bin missing .* first 20 Hz \(line 21\)")
    assert np.flatnonzero(~spectra.valid[0]).tolist() == [19]
    if separator != ",":
        spectra = read("\n".join([comma(rows(FREQS, PSD, separator)).splitlines()[0], *map(comma, lines[1:])]))
        assert np.flatnonzero(~spectra.valid[0]).tolist() == [19]


@SEPARATORS
@pytest.mark.parametrize(
    "above",
    [
        "* Freq(Hz) SPL(dB) Phase(deg)\n*\n",
        "! Model, serial\n! 01.01.2020 00:00:00\n! Frequency, S\n",
        "% made by hand\n// and more\n",
        "Type;ANALYZER;\nStart;1;Hz\nRBW;1;Hz\ny-Unit;V^2/Hz;\nTrace 1;;\nValues;80;\n",
        "300 K, device 3\nf{0}S\n",
        "LabVIEW Measurement\nSeparator\tTab\n***End_of_Header***\nX_Value{0}PSD{0}Comment\n",
    ],
)
def test_05_06_20_25_28_text_above_the_data(read, separator, above):
    if "Separator" in above and separator != "\t":
        above = above.replace("Separator\tTab\n", "")
    assert_same(read(above.format(separator) + rows(FREQS, PSD, separator)))
    assert_same(read(above.format(separator) + "\n" + rows(FREQS, PSD, separator) + "END\n\x1a", name="device.lvm"))


@SEPARATORS
def test_05_a_row_of_units(read, separator):
    text = f"Frequency{separator}Channel A\n(kHz){separator}(V^2/Hz)\n\n" + rows(FREQS, PSD, separator)
    assert_same(read(text), FREQS * 1e3, unit="V^2/Hz")


def test_28_33_a_line_with_the_span_and_excels_separator(read):
    for text in ("0 80\n", "1 80\n", "80\n"):
        assert_same(read(text + rows(FREQS, PSD, " ")))
    for separator in ";,\t":
        assert_same(read(f"sep={separator}\nf{separator}S\n" + rows(FREQS, PSD, separator)))


def test_averages_are_read_from_the_header(read):
    for line in ("Number of Avg: 25", "# FFT Averages: 25", "Averages;25", "n_avg = 25"):
        assert read(line + "\nf,psd\n" + rows(FREQS, PSD)).n_segments == 25
    assert read("Average type: RMS, 300 K, 5 devices\nf,psd\n" + rows(FREQS, PSD)).n_segments is None


@pytest.mark.parametrize("separator", [";", "\t", "  "])
def test_07_17_decimal_comma_and_quotes(read, separator):
    assert_same(
        read(f"Frequenz [Hz]{separator}PSD [V²/Hz]\n" + comma(rows(FREQS + 0.5, PSD, separator))),
        FREQS + 0.5,
        unit="V^2/Hz",
    )
    quoted = "".join(f'"{freq:.1f}","{psd:.6g}"\n' for freq, psd in zip(FREQS, PSD, strict=True))
    assert_same(read('"f","S"\n' + quoted))
    assert_same(read('"f","S"\n' + comma(quoted).replace('","', '"|"').replace("|", ",")))
    with pytest.raises(ValueError, match="decimals are written with a comma|with decimal commas"):
        read(comma(rows(FREQS / 8, PSD, ",")))


@pytest.mark.parametrize("mark", [",", ".", " ", "'", "\u00a0", "\u202f"])
@pytest.mark.parametrize("separator", [";", "\t"])
def test_31_thousands(read, mark, separator):
    freqs = 900.0 + 2 * np.arange(80)
    whole = rows(freqs, PSD, separator, "{:,.0f}").replace(",", mark)
    assert_same(read(f"Frequency{separator}PSD\n" + whole), freqs)
    if mark != ".":
        assert_same(read(rows(freqs, PSD, separator, "{:,.1f}").replace(",", mark)), freqs)
    else:
        assert_same(read(rows(freqs, PSD, separator, "{:,.1f}").translate(str.maketrans(",.", ".,"))), freqs)


def test_31c_what_cannot_be_known_is_said(read):
    freqs = 1000 + 10.0 * np.arange(80)
    text = "Frequenz [Hz];PSD\n" + rows(freqs, PSD, ";", "{:,.0f}").replace(",", ".")
    assert_same(read(text), freqs / 1e3, noted="1000..1790: export without thousands")
    assert "80 bins, 1..1.79 Hz, median" in read(text).describe()
    assert any("states a span up to 1790 Hz" in noted for noted in read("Stop;1790;Hz\n" + text).warnings)


@pytest.mark.parametrize("encoding", ["cp1252", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32"])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_08_09_encodings(read, encoding, end):
    text = "Fréquence (kHz);PSD (V²/Hz)\n" + rows(FREQS, PSD, ";")
    assert_same(read(text.replace("\n", end), encoding=encoding), FREQS * 1e3, unit="V^2/Hz")


FINE, COARSE = np.arange(0.125, 12.51, 0.125), np.arange(1.0, 101.0)


@SEPARATORS
def test_11_overlapping_spans(read, separator):
    text = "f" + separator + "psd\n" + rows(np.r_[FINE, COARSE], 2e-14 / np.r_[FINE, COARSE], separator)
    with pytest.raises(ValueError, match="the axis starts again at line 102: 2 spans of different resolution"):
        read(text)
    cut = np.r_[FINE, COARSE[12:]]
    for span, freqs in {"first": FINE, "last": COARSE, "cut": cut}.items():
        assert_same(read(text, span=span), freqs, 2e-14 / freqs)
    assert_same(read(rows(cut, 2e-14 / cut, separator)), cut, 2e-14 / cut, noted="bin width changes from 0.125 to 1 Hz")
    mixed = np.sort(np.r_[FINE, np.arange(0.31, 30, 0.437)])
    with pytest.raises(ValueError, match="sorted into one another"):
        read(rows(mixed, 2e-14 / mixed, separator))


@pytest.mark.parametrize("n_bins", [127, 128])
def test_12_two_sided(read, n_bins):
    """Planted bug: the Nyquist bin doubled."""
    freqs = np.fft.fftfreq(n_bins, 1 / n_bins)
    psd = 1e-15 * (1 + 20 / np.maximum(np.abs(freqs), 0.5))
    one = np.arange(1.0, n_bins // 2 + 1)
    expected = 2e-15 * (1 + 20 / one) * np.where(one == n_bins / 2, 0.5, 1.0)
    order = np.argsort(freqs)
    assert_same(read(rows(freqs, psd)), one, expected, noted="the power is doubled")
    assert_same(read(rows(freqs[order], psd[order], "\t")), one, expected, noted="the power is doubled")
    assert_same(read(rows(freqs, 10 * np.log10(psd)), db=True), one, expected)
    assert_same(read(rows(np.arange(n_bins), psd)), one, expected, noted="power doubled")
    with pytest.raises(ValueError, match="complex .IQ. signal.*Keep f > 0 and double"):
        read(rows(freqs, np.where(freqs == -20, 1e4, 1) * psd))


def test_15_16_29_any_grid(read):
    for freqs in (15.625 * 2.0 ** np.arange(11), np.geomspace(1e-4, 8e6, 132), np.arange(9e3, 3e7, 29991.0)):
        psd = 1e-15 / freqs
        spectra = read("f,psd\n" + rows(freqs, psd))
        np.testing.assert_allclose(spectra.freqs, freqs, rtol=1e-5)
        np.testing.assert_allclose(spectra.psd[0], psd, rtol=1e-5)


def test_18_fortran(read):
    for letter in "DdQ":
        assert_same(read(rows(FREQS, PSD, "  ").replace("e", letter), name="device.dat"))
    lines = rows(FREQS, PSD, "  ").splitlines()
    lines[0] = "  1.000000E+00  3.254321-114"
    spectra = read("\n".join(lines), name="device.dat")
    assert spectra.psd[0, 0] == 3.254321e-114
    assert any("jumps by 100 decades" in text for text in spectra.warnings)
    for first in ("1.0E+00  abc", "1.0E+00", "1.0,2e-14"):  # begins with a number: never a header
        with pytest.raises(ValueError, match="line 1"):
            read("\n".join([first, *lines[1:]]), name="device.dat")


@SEPARATORS
def test_19_24_repeated_and_falling(read, separator):
    with pytest.raises(ValueError, match=r"67 frequencies repeat, first 1000 Hz \(line 7 and line 8\)"):
        read("f,psd\n" + rows(FREQS + 994, PSD, separator, "{:.3g}"))
    assert_same(read("f,psd\n" + rows(FREQS[::-1], PSD[::-1], separator)), noted="reversed")


def test_21_40_columns(read):
    text = "Frequency (Hz),Trace 1,Trace 2\n" + rows(FREQS, PSD).replace("\n", ",5e-15\n")
    with pytest.raises(ValueError, match="2 'Trace 1', 3 'Trace 2'; choose with column=NAME"):
        read(text)
    for column in ("Trace 1", "trace 1", 2, "2"):
        assert_same(read(text, column=column))
    assert_same(read(text, column=3), psd=np.full(80, 5e-15))
    assert read(text, column="all").names == ("Trace 1", "Trace 2")
    for column in ("Trace", 1, 4, "phase"):
        with pytest.raises(ValueError, match=f"column={column}"):
            read(text, column=column)
    for head in (",freq,psd\n", "index,freq,psd\n", ""):
        table = "".join(f"{at},{freq:g},{psd:.7g}\n" for at, (freq, psd) in enumerate(zip(FREQS, PSD, strict=True)))
        assert_same(read(head + table), noted="counts the rows")
    assert_same(read("PSD (V^2/Hz),Frequency (Hz)\n" + rows(PSD, FREQS, freq_format="{:.7g}")), unit="V^2/Hz")
    assert_same(read("f\tPSD\tPhase (deg)\n" + rows(FREQS, PSD, "\t").replace("\n", "\t12\n")))


def test_22_complex_and_other_quantities(read):
    pairs = "".join(f"{freq:.6e}\t{psd:.9e},{psd / 3:.9e}\n" for freq, psd in zip(FREQS, PSD, strict=True))
    for text, message in {
        "Freq.\tV(n002)\n" + pairs: "complex values",
        "Freq,Re,Im\n" + rows(FREQS, PSD).replace("\n", ",1e-16\n"): "real and imaginary",
        "Time (s),U (V)\n" + rows(FREQS / 1e3, PSD): "read with load_series",
        "f,log10(PSD)\n" + rows(FREQS, np.log10(PSD)): "logarithms",
        "w (rad/s),S\n" + rows(FREQS, PSD): "angular frequency",
        "f (mhz),S\n" + rows(FREQS, PSD): "mHz or MHz",
    }.items():
        with pytest.raises(ValueError, match=message):
            read(text)


def test_scale_does_not_matter(read):
    for scale in (1e-40, 1e-10, 1e20, 1e40):
        assert_same(read(rows(FREQS, PSD * scale)), psd=PSD * scale)
