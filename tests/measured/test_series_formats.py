"""Time series in every format: .wav, HDF5, arrays, text with and without a time column."""

import gzip

import h5py
import numpy as np
import pytest
import scipy.io
import scipy.io.wavfile
from untouched import read_untouched

from nblib.measured.files.readers import load_series, load_spectra

SAMPLES = np.random.default_rng(0).normal(size=2000)
TIMES = np.arange(2000) / 500


def read(path, **options):
    return read_untouched(load_series, path, **options)


def assert_read(path, expected, samples=SAMPLES, unit=None, tolerance=1e-5, **options):
    series = read(path, **options)
    assert series.rate == pytest.approx(expected, rel=1e-6)
    np.testing.assert_allclose(series.samples, samples, atol=tolerance)
    assert unit is None or series.unit == unit
    return series


@pytest.mark.parametrize(
    ("stored", "tolerance"),
    [
        ((SAMPLES / 8 * 32767).astype(np.int16), 1e-4),
        ((SAMPLES / 8 * (2**31 - 1)).astype(np.int32), 1e-6),
        ((SAMPLES / 8 * 127 + 128).astype(np.uint8), 2e-2),
        ((SAMPLES / 8).astype(np.float32), 1e-6),
    ],
)
def test_sound_is_scaled_to_full_scale(tmp_path, stored, tolerance):
    scipy.io.wavfile.write(tmp_path / "a.wav", 8000, stored)
    assert_read(tmp_path / "a.wav", 8000, SAMPLES / 8, "full scale", tolerance)
    with pytest.raises(ValueError, match="holds a time series; read it with load_series"):
        load_spectra(tmp_path / "a.wav")


def test_a_channel_is_chosen(tmp_path):
    scipy.io.wavfile.write(tmp_path / "a.wav", 8000, np.stack([SAMPLES, -SAMPLES], axis=1).astype(np.float32))
    with pytest.raises(ValueError, match="2 channels: 1 'channel 1', 2 'channel 2'; choose with column="):
        read(tmp_path / "a.wav")
    for column in (2, "2", "channel 2"):
        assert_read(tmp_path / "a.wav", 8000, -SAMPLES, column=column)


def test_channels_of_a_text_are_listed_by_the_numbers_that_choose_them(tmp_path):
    """Planted bugs: 1 and 2 listed where 2 and 3 choose; column=all refused without the reason."""
    rows = zip(TIMES, SAMPLES, -SAMPLES, strict=True)
    (tmp_path / "a.csv").write_text("time,A,B\n" + "".join(f"{t:g},{a:.7g},{b:.7g}\n" for t, a, b in rows))
    with pytest.raises(ValueError, match="2 channels: 2 'A', 3 'B'; choose with column="):
        read(tmp_path / "a.csv")
    with pytest.raises(ValueError, match="2 'A', 3 'B'; a time series is read one channel at a time"):
        read(tmp_path / "a.csv", column="all")
    with pytest.raises(ValueError, match="column=1 names no single channel of 2 'A', 3 'B'"):
        read(tmp_path / "a.csv", column=1)
    for column in (3, "3", "B"):
        assert_read(tmp_path / "a.csv", 500, -SAMPLES, column=column)


def test_strain_of_the_open_science_center_is_read(tmp_path):
    with h5py.File(tmp_path / "H-H1_LOSC_4_V1.hdf5", "w") as file:
        file["strain/Strain"] = SAMPLES
        file["strain/Strain"].attrs.update({"Xstart": 1e9, "Xspacing": 1 / 4096, "Xunits": "second", "Yunits": ""})
        file["quality/simple/DQmask"] = np.ones(3, dtype=int)
        file["quality/simple/DQmask"].attrs.update({"Xstart": 0.0, "Xspacing": 1.0})
        file["meta/GPSstart"] = 1
    assert_read(tmp_path / "H-H1_LOSC_4_V1.hdf5", 4096)
    series = read(tmp_path / "H-H1_LOSC_4_V1.hdf5", rate=2048)
    assert series.rate == 2048 and "states 4096 samples a second; 2048 is used as asked" in series.warnings[0]
    with pytest.raises(ValueError, match="holds a time series .*; read it with load_series"):
        load_spectra(tmp_path / "H-H1_LOSC_4_V1.hdf5")


@pytest.mark.parametrize("names", [("x0", "dx"), ("t0", "dt")])
def test_a_series_with_start_and_step_is_read(tmp_path, names):
    with h5py.File(tmp_path / "gwpy.h5", "w") as file:
        file["L1:GDS"] = SAMPLES
        file["L1:GDS"].attrs.update({names[0]: 5.0, names[1]: 1 / 500, "unit": "V"})
    assert_read(tmp_path / "gwpy.h5", 500)


def test_arrays_with_a_rate_a_step_or_times_are_read(tmp_path):
    for number, arrays in enumerate(
        [{"fs": 500.0, "data": SAMPLES}, {"dt": 0.002, "x": SAMPLES}, {"t": TIMES, "v": SAMPLES}]
    ):
        np.savez(tmp_path / f"{number}.npz", **arrays)
        scipy.io.savemat(tmp_path / f"{number}.mat", arrays)
        assert_read(tmp_path / f"{number}.npz", 500)
        assert_read(tmp_path / f"{number}.mat", 500)
    np.save(tmp_path / "a.npy", SAMPLES)
    assert_read(tmp_path / "a.npy", 100, rate=100)
    with pytest.raises(ValueError, match=r"does not state how often it was sampled; give rate=HZ"):
        read(tmp_path / "a.npy")


def _table(head, separator=",", scale=1.0, decimal=".", samples=SAMPLES):
    pairs = zip(scale * TIMES, samples, strict=True)
    return head + "".join(f"{time:.9g}{separator}{value:.7g}\n".replace(".", decimal) for time, value in pairs)


TEXTS = {
    "seconds": _table("Time (s),Voltage (V)\n"),
    "milliseconds": _table("t_ms;ch1\n", ";", 1e3),
    "microseconds": _table("Time [us]\tCH1 [V]\n", "\t", 1e6),
    "decimal comma": _table("Zeit [ms];U [V]\n", ";", 1e3, ","),
    "no heading": _table("", "  "),
    "Windows": _table("time,volt\n").replace("\n", "\r\n"),
    "byte-order mark": "\ufeff" + _table("time;volt\n", ";"),
    "header block": _table("Instrument: scope\nModel;DSO\n\nTime (s);A (V)\n", ";"),
    "rate in the header": "% Sample Rate = 500.0 Hz\n" + "".join(f"{value:.7g}\n" for value in SAMPLES),
    "rate and counter": "# data_rate: 0.5 kHz\n" + "".join(f"{n} {value:.7g}\n" for n, value in enumerate(SAMPLES)),
}


@pytest.mark.parametrize("name", TEXTS)
@pytest.mark.parametrize("packed", [False, True])
def test_text_is_read(tmp_path, name, packed):
    content = TEXTS[name].encode()
    path = tmp_path / ("series.txt.gz" if packed else "series.txt")
    path.write_bytes(gzip.compress(content) if packed else content)
    assert_read(path, 500, tolerance=5e-6)


def test_a_spectrum_and_irregular_times_are_no_series(tmp_path):
    (tmp_path / "a.csv").write_text(_table("Frequency (Hz),PSD\n"))
    with pytest.raises(ValueError, match="a spectrum; read it with load_spectra"):
        read(tmp_path / "a.csv")
    pairs = zip(TIMES**1.1, SAMPLES, strict=True)
    (tmp_path / "b.csv").write_text("t,v\n" + "".join(f"{time:g},{value:g}\n" for time, value in pairs))
    with pytest.raises(ValueError, match="the time axis is not regular: sample"):
        read(tmp_path / "b.csv")


def test_missing_samples_are_gaps(tmp_path):
    samples = SAMPLES.copy()
    samples[100:110] = np.nan
    (tmp_path / "a.csv").write_text("\n".join(f"{value:.9g}" for value in samples))
    series = read(tmp_path / "a.csv", rate=10)
    assert [len(piece) for piece in series.stretches()] == [100, 1890]
    assert "10 samples are missing" in series.warnings[0]


def test_labview_and_axon_files(tmp_path):
    tdms = pytest.importorskip("nptdms")
    with tdms.TdmsWriter(tmp_path / "a.tdms") as writer:
        properties = {"wf_increment": 0.002, "unit_string": "V"}
        writer.write_segment([tdms.ChannelObject("group", "channel", SAMPLES, properties=properties)])
    assert_read(tmp_path / "a.tdms", 500, unit="V")
    (tmp_path / "a.abf").write_bytes(b"ABF2" + bytes(600))
    with pytest.raises(ValueError, match="a.abf"):
        read(tmp_path / "a.abf")
