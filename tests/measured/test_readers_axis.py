"""The frequency axis of files as people have them: rounded, unnamed, named in other languages, numbered by pandas."""

import numpy as np
import pytest

from nblib.measured.files.readers import load_series, load_spectra

FREQS = np.arange(1.0, 101.0)
PSD = (1 / FREQS + 0.01) * np.random.default_rng(0).gamma(64, 1 / 64, 100)


@pytest.fixture
def write(tmp_path):
    def writing(head, *columns, form="{:.9g}"):
        path = tmp_path / "device.csv"
        rows = zip(*columns, strict=True)
        path.write_text(head + "".join(",".join(map(form.format, row)) + "\n" for row in rows))
        return path

    return writing


@pytest.mark.parametrize("width", [1.1, 1.25, 1.333, 1.5, 2.5])
@pytest.mark.parametrize("unit", ["Hz", "kHz", "MHz"])
def test_rounded_frequencies_are_read_with_a_warning(write, width, unit):
    """Planted bug: a grid of 1.25 Hz written as 1, 2, 4, 5, 6, 8, ... refused as two spans sorted into one another."""
    freqs = np.round(width * FREQS)
    path = write(f"f ({unit}),S\n", freqs, PSD)
    with pytest.warns(UserWarning, match="frequencies look rounded to 1"):
        spectra = load_spectra(path)
    np.testing.assert_allclose(spectra.freqs, freqs * {"Hz": 1, "kHz": 1e3, "MHz": 1e6}[unit])


def test_a_rounded_grid_of_even_ratios_is_read_with_a_warning(write):
    freqs = np.round(np.geomspace(30, 1e4, 100))
    with pytest.warns(UserWarning, match="rounded to 1 Hz .bins of even ratios, 1.06"):
        assert load_spectra(write("f,S\n", freqs, PSD)).freqs[-1] == 1e4


def test_two_spans_of_whole_frequencies_are_still_refused(write):
    freqs = np.unique(np.r_[np.arange(2, 150, 2), np.arange(5, 150, 5)])
    with pytest.raises(ValueError, match="sorted into one another"):
        load_spectra(write("f,S\n", freqs, np.ones(len(freqs))))


@pytest.mark.parametrize(
    "heading", ["bin center,noise V^2/Hz", "Frekvens,Brus (V^2/Hz)", "Частота,S (V^2/Hz)", "nu,S (V^2 per Hz)"]
)
def test_the_hertz_of_a_density_does_not_make_a_column_the_frequency(write, heading):
    """Planted bug: the second column taken for the frequency, since its unit holds Hz."""
    spectra = load_spectra(write(heading + "\n", FREQS, PSD))
    np.testing.assert_array_equal(spectra.freqs, FREQS)
    assert spectra.unit.startswith("V^2")


def test_a_column_whose_unit_is_hertz_is_the_frequency(write):
    for heading in ("S (V^2/Hz),[Hz]", "S,f/Hz", "S,axis_kHz", "S,Частота (kHz)"):
        assert load_spectra(write(heading + "\n", PSD, FREQS)).freqs[-1] in (100, 1e5)


@pytest.mark.parametrize("first", [0.0, 1.0])
@pytest.mark.parametrize("rows", [100, 5000])
@pytest.mark.filterwarnings("ignore::nblib.measured.files.readers.ReadingWarning")
def test_the_numbers_that_pandas_writes_above_columns_are_no_bin(write, first, rows):
    """Planted bugs: "0,1" read as a bin at 0 Hz, or refused as a repeated frequency."""
    freqs, psd = first + np.arange(rows), np.resize(PSD, rows)
    for head, columns in (("0,1\n", (freqs, psd)), (",0,1\n", (np.arange(rows), freqs, psd))):
        spectra = load_spectra(write(head, *columns))
        np.testing.assert_array_equal(spectra.freqs, freqs[freqs > 0])
        assert "numbers the columns and is not a row" in spectra.warnings[0]
    spectra = load_spectra(write("0,1,2\n", freqs, psd, 2 * psd), column="all")
    assert spectra.psd.shape == (2, (freqs > 0).sum())


def test_a_first_row_of_counts_is_a_row(write):
    series = load_series(write("", np.arange(100), np.arange(1, 101) % 7), rate=1.0)
    assert len(series.samples) == 100 and series.samples[0] == 1
