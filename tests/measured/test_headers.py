"""Lines above the table: which decide about units and averages, and which are values of settings."""

import numpy as np
import pytest

from nblib.measured.files.headers import averages, axis_line, level_line
from nblib.measured.files.readers import load_spectra

FREQS = np.arange(1.0, 101.0)
PSD = (1 / FREQS + 0.01) * np.random.default_rng(0).gamma(64, 1 / 64, 100)


@pytest.fixture
def read(tmp_path):
    def reading(head, levels=PSD, name="device.csv", **options):
        table = "".join(f"{freq:g},{level:.9g}\n" for freq, level in zip(FREQS, levels, strict=True))
        (tmp_path / name).write_text(head + table)
        return load_spectra(tmp_path / name, **options)

    return reading


SETTINGS = [
    "Preamp noise: 4 nV/sqrt(Hz)",
    "Preamp: SR560, 4nV/rtHz",
    "Preamp noise (nV / sqrt(Hz)): 4",
    "input noise 4 nV / sqrt(Hz) at 1 kHz",
    "noise floor = 1e-9 V Hz^-1/2",
    "noise 4nV/sqrt(Hz)",
    "Cutoff 5kHz",
    "Gain (dB): 40",
    "Gain;40;dB",
    "Gain in dB",
    "Filter slope in dB/octave",
    "y-axis range: 40 dB",
    "Ref Level;-20;dBm",
    "Sampling frequency (kHz): 10",
    "Sampling frequency in kHz",
    "Cutoff freq kHz: 5",
    "Max frequency [kHz]: 10",
    "Modulation frequency in MHz = 80",
    "Frequency (kHz): 10",
]


@pytest.mark.parametrize("line", SETTINGS)
def test_the_value_of_a_setting_changes_nothing(read, line):
    """Planted bugs: a unit in any remark decided: the PSD squared, or taken for decibels, or its axis scaled; a remark
    of two words taken for the headings."""
    for headings in ("frequency,S\n", ""):
        spectra = read(f"# {line}\n{headings}")
        np.testing.assert_array_equal(spectra.freqs, FREQS)
        np.testing.assert_allclose(spectra.psd[0], PSD, rtol=1e-8)


def test_columns_named_by_numbers_keep_their_units(read):
    assert read("f (Hz),1 (V/rtHz)\n", np.sqrt(PSD)).unit == "V^2/Hz"
    assert read("f (Hz),Trace 1 dBm/Hz\n", 10 * np.log10(PSD)).unit == "mW/Hz"


@pytest.mark.parametrize("heading", ["S at 1 kHz BW (V/rtHz)", "300K_V/rtHz", "300K V/rtHz", "ASD at 300 Hz RBW"])
def test_numbers_in_headings_leave_their_units(read, heading):
    for first in ("f", "f (Hz)"):
        np.testing.assert_allclose(read(f"{first},{heading}\n", np.sqrt(PSD)).psd[0], PSD, rtol=1e-6)


@pytest.mark.parametrize(
    ("line", "kind"),
    [
        ("y-Unit;V^2/Hz;", "psd"),
        ("Units: V/sqrt(Hz)", "asd"),
        ("PSD (V^2/Hz), 16 averages", "psd"),
        ("column 2: nV/sqrt(Hz)", "asd"),
        ("amplitude spectral density 2024-05-01", "asd"),
        ("Level in dBm/Hz", "db"),
        ("y-Unit;dBV^2/Hz;", "db"),
        ("Display: dBV^2/Hz", "db"),
        ("PSD in dB re 1 uPa^2/Hz", "db"),
        ("Noise [m/s^2/sqrt(Hz)]", "asd"),
    ],
)
def test_a_line_that_states_the_unit_of_the_levels_decides(line, kind):
    assert level_line([line]).kind == kind


@pytest.mark.parametrize(
    "line",
    [
        "x-Unit;kHz;",
        "X_Unit: kHz",
        "# Frequency in kHz",
        "Fréquence (kHz)",
        "Columns: frequency [kHz], PSD",
        "f/kHz",
        "first column: f in kHz",
    ],
)
def test_a_line_that_states_the_unit_of_the_axis_decides(line):
    assert axis_line([line]) == "kHz"


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("Averages: 1 000", 1000),
        ("Averages: 1'000", 1000),
        ("Averages: 1e2", 100),
        ("Averages: 16.0", 16),
        ("Averages: 25 done", 25),
        ("Averages: 25.", 25),
        ("avg: 25x", 25),
        ("segments: 25 overlap 50%", 25),
        ("Averages: 25, window: Hann", 25),
        ("Averages: 25 Overlap: 50 %", 25),
        ("averages,25,,", 25),
        ("K = 25", 25),
        ("FFT of the device, K = 25", 25),
        ("Averages: 1,000", None),
        ("Averages: 2.5", None),
        ("Averaging: 10 min", None),
        ("Averaging: 10 s Window: Hann", None),
        ("bath K = 300", None),
        ("k = 1.38e-23", None),
        ("FFT segments: 1024 samples", None),
        ("16 averages, 3 channels", None),
    ],
)
def test_averages_are_counts_and_nothing_else(line, expected):
    """Planted bugs: 1 000 and 1e2 read as 1, so that nothing is flagged; times, temperatures and lengths read as K."""
    assert averages([f"# {line}"]) == expected


@pytest.mark.parametrize("heading", ["PSD (dB)", "Level [dBV/sqrt(Hz)]"])
def test_decibels_are_not_squared(read, heading):
    """Planted bug: --asd squared the decibels."""
    level = 10 * np.log10(PSD)
    with pytest.warns(UserWarning, match="decibels are not squared"):
        spectra = read(f"f,{heading}\n", level, asd=True)
    np.testing.assert_allclose(spectra.psd[0], PSD, rtol=1e-6)
    amplitudes = read(f"f,{heading}\n", np.sqrt(PSD), asd=True, db=False)
    np.testing.assert_allclose(amplitudes.psd[0], PSD, rtol=1e-6)


@pytest.mark.parametrize(
    ("heading", "message"),
    [
        ("Period (s)", "is a period; give frequencies, 1 / period"),
        ("f (rpm)", "turns a minute; divide it by 60"),
        ("f (s)", "is a time"),
        ("wavelength (nm)", "not a frequency"),
    ],
)
def test_an_axis_that_is_no_frequency_is_refused(read, heading, message):
    """Planted bug: a period in seconds and turns a minute read as Hz without a word."""
    with pytest.raises(ValueError, match=message):
        read(f"{heading},PSD\n")


def test_an_unknown_unit_of_the_axis_is_said_and_hertz_by_other_names_is_not(read):
    with pytest.warns(UserWarning, match=r"'f \(foo\)' names no known unit of frequency: read as Hz"):
        read("f (foo),PSD\n")
    for heading in ("f (1/s)", "f [s^-1]", "f (cycles/s)", "f (Hz)", "f [-]"):
        assert read(f"{heading},PSD\n").warnings == ()


def test_the_option_for_units_takes_a_blank_for_the_comma_and_known_units_alone(read):
    """Planted bugs: the kHz of "kHz V^2/Hz" ignored; rad/s and foo taken for the unit of the level."""
    for unit in ("kHz V^2/Hz", "V^2/Hz kHz", "kHz,V^2/Hz", ["kHz", "V^2/Hz"]):
        spectra = read("f,S\n", unit=unit)
        assert spectra.freqs[-1] == 1e5 and spectra.unit == "V^2/Hz"
    assert read("f,S\n", unit="V^2 / Hz").freqs[-1] == 100
    for unit, message in {"rad/s": "2 pi", "rpm": "by 60", "1/s": "neither a unit", "foo": "neither a unit"}.items():
        with pytest.raises(ValueError, match=message):
            read("f,S\n", unit=unit)
