"""Time series: .wav, HDF5 (GWOSC, gwpy), .npy, .npz, .mat, text, and with optional packages .tdms and .abf."""

import re
from pathlib import Path

import numpy as np

from nblib.measured.files.arrays import load_hdf5, load_mat, regular_axis
from nblib.measured.files.axis import last_digit
from nblib.measured.files.columns import INDEX, TIME, names_frequency
from nblib.measured.files.formats import Column, Refusal, Series, package, series_reader
from nblib.measured.files.headers import stated
from nblib.measured.files.text import read_table
from nblib.measured.files.units import BRACKETS

RATE_KEYS = ("fs", "rate", "sample_rate", "sampling_rate", "samplerate", "sampling_frequency", "sr", "data_rate")
STEP_KEYS = ("dt", "sample_interval", "sampling_interval", "ts")
TIME_KEYS = ("t", "time", "times", "tm")
SECONDS = {
    "s": 1.0,
    "sec": 1.0,
    "ms": 1e-3,
    "us": 1e-6,
    "µs": 1e-6,
    "μs": 1e-6,
    "ns": 1e-9,
    "min": 60.0,
    "h": 3600.0,
    "hours": 3600.0,
}
JITTER = 0.5  # of the sampling interval: more is no regular sampling
RATE_LINE = r"sampl\w*[\s_-]*(?:rate|freq\w*)|data[\s_-]*rate|(?<![a-z])fs(?![a-z])"


def checked(series: Series, rate: float | None) -> Series:
    """A series with a positive rate and finite samples; a rate that contradicts the file is said."""
    said = list(series.warnings)
    if rate is not None and not (np.isfinite(rate) and rate > 0):
        raise Refusal(f"rate={rate} must be a positive number of samples a second, in Hz")
    found = series.rate
    if rate is not None:
        if found and abs(found / rate - 1) > 0.01:
            said.append(f"the file states {found:g} samples a second; {rate:g} is used as asked")
        found = float(rate)
    if not found or not np.isfinite(found) or found <= 0:
        raise Refusal("it does not state how often it was sampled; give --rate HZ (rate=...)")
    samples = np.asarray(series.samples)
    if samples.dtype.kind not in "fiub" or samples.ndim != 1:
        raise Refusal(
            f"samples have shape {samples.shape} and type {samples.dtype}; a series is one row of real numbers"
        )
    samples = samples.astype(np.float64)
    samples[~np.isfinite(samples) | (np.abs(samples) > 1e37)] = np.nan
    gaps = int(np.isnan(samples).sum())
    if len(samples) - gaps < 16:
        raise Refusal(f"it holds {len(samples) - gaps} samples; a spectrum needs at least 16")
    if np.nanmin(samples) == np.nanmax(samples):
        raise Refusal(f"every sample is {np.nanmin(samples):g}; there is no noise to see")
    if gaps:
        said.append(f"{gaps} samples are missing; the series is used in the stretches between")
    return Series(samples, float(found), series.unit, series.name, series.breaks, tuple(said))


@series_reader(".wav", ".wave")
def read_wav(path: Path, rate: float | None, column: Column) -> Series:
    """Sound file: integers are scaled to full scale = 1."""
    import scipy.io.wavfile

    found, data = scipy.io.wavfile.read(path)
    kind = data.dtype
    data = data[:, None] if data.ndim == 1 else data
    at = _channel([f"channel {n + 1}" for n in range(data.shape[1])], column)
    samples = data[:, at].astype(np.float64)
    if kind == np.uint8:
        samples = (samples - 128) / 128
    elif kind.kind == "i":
        samples /= 2.0 ** (8 * kind.itemsize - 1)
    return Series(samples, float(found), "full scale", f"channel {at + 1}")


def _channel(names, column, numbers=None):
    """Position of the wanted channel, by name or number; several and no choice is a question.

    numbers : what the file counts the channels by, where that is not 1, 2, ...
    """
    numbers = list(numbers or range(1, len(names) + 1))
    text = str(column).strip().lower()
    listed = ", ".join(f"{number} {name!r}" for number, name in zip(numbers[:20], names, strict=False))
    if column is None or (text == "all" and "all" not in map(str.lower, names)):
        if len(names) == 1:
            return 0
        one = "a time series is read one channel at a time; " if column is not None else ""
        raise Refusal(f"it has {len(names)} channels: {listed}; {one}choose with --column NAME or NUMBER")
    for found in (
        [n for n, name in enumerate(names) if name.lower() == text],
        [n for n, name in enumerate(names) if text and not text.isdigit() and text in name.lower()],
        [numbers.index(int(text))] if text.isdigit() and int(text) in numbers else [],
    ):
        if len(found) == 1:
            return found[0]
    raise Refusal(f"--column {column} names no single channel of {listed}")


@series_reader(".h5", ".hdf5", ".hdf", ".he5")
def read_hdf5_series(path: Path, rate: float | None, column: Column) -> Series:
    """GWOSC (strain/Strain with Xspacing), gwpy (x0, dx), or a plain dataset with a rate among its attributes."""
    datasets, attributes = load_hdf5(path)
    axes = {key: regular_axis(attributes[key], values) for key, values in datasets.items() if values.ndim == 1}
    times = [key for key, axis in axes.items() if axis is not None and axis[0] == "time"]
    if not times:
        every = {
            name.lower(): value for found in attributes.values() for name, value in found.items() if np.size(value) == 1
        }
        arrays = datasets | {name: np.asarray(value) for name, value in every.items() if name in RATE_KEYS + STEP_KEYS}
        return _from_arrays(arrays, rate, column)
    strain = [key for key in times if key.lower().endswith("strain/strain") or key.lower() == "strain"]
    at = _channel(times, column) if column is not None or not strain else times.index(strain[0])
    key = times[at]
    axis, own = axes[key][1], {name.lower(): value for name, value in attributes[key].items()}
    unit = own.get("yunits", own.get("unit", own.get("units")))
    return Series(
        datasets[key],
        1.0 / float(axis[1] - axis[0]),
        None if unit in (None, "") else str(unit),
        key,
    )


@series_reader(".npy")
def read_npy_series(path: Path, rate: float | None, column: Column) -> Series:
    """One row of samples, or columns: time and channels."""
    values = np.load(path, allow_pickle=False)
    if values.dtype.names:
        return _from_arrays({name: values[name] for name in values.dtype.names}, rate, column)
    if values.ndim == 1:
        return Series(values, 0.0)
    if values.ndim != 2 or values.dtype.kind not in "fiu":
        raise Refusal(f"it has shape {values.shape} and type {values.dtype}; a series is (n,) or (n, channels)")
    return _from_table((values if len(values) >= values.shape[1] else values.T).astype(float), (), (), rate, column, [])


@series_reader(".npz")
def read_npz_series(path: Path, rate: float | None, column: Column) -> Series:
    """Named arrays: samples, with fs, dt or t beside them."""
    with np.load(path, allow_pickle=False) as archive:
        return _from_arrays({key: archive[key] for key in archive}, rate, column)


@series_reader(".mat")
def read_mat_series(path: Path, rate: float | None, column: Column) -> Series:
    """MATLAB variables: samples, with fs, dt or t beside them."""
    return _from_arrays(load_mat(path), rate, column)


def _from_arrays(arrays, rate, column):
    """Samples among named arrays; the rate from fs, dt or a time axis."""
    short = {re.split(r"[./]", key)[-1].lower(): key for key in arrays}
    found = 0.0
    for keys, as_rate in ((RATE_KEYS, lambda value: value), (STEP_KEYS, lambda value: 1 / value)):
        for key in keys:
            if key in short and arrays[short[key]].size == 1 and arrays[short[key]].dtype.kind in "fiu":
                value = float(np.ravel(arrays[short[key]])[0])
                found = found or (as_rate(value) if value > 0 else 0.0)
    time = next((short[key] for key in TIME_KEYS if key in short), None)
    rows = {key: np.squeeze(values) for key, values in arrays.items() if values.dtype.kind in "fiu" and key != time}
    rows = {key: values for key, values in rows.items() if values.ndim == 1 and values.size >= 16}
    if not rows:
        raise Refusal(f"it holds {sorted(arrays)[:20]} and no row of at least 16 samples")
    names = list(rows)
    key = names[_channel(names, column)]
    if not found and time is not None and np.size(arrays[time]) == len(rows[key]):
        found = _rate_of(np.ravel(arrays[time]).astype(float))
    return Series(rows[key], found, name=key)


@series_reader("")
def read_text_series(path: Path, rate: float | None, column: Column) -> Series:
    """Text of any ending: a column of samples, with a time column or a rate in the header."""
    table = read_table(path)
    return _from_table(table.values, table.names, table.header, rate, column, table.said)


def _from_table(values, names, header, rate, column, said):
    """One channel of a table whose first column may be the time or a counter."""
    width = values.shape[1]
    labels = [str(name) for name in names] if len(names) == width else [""] * width
    if any(
        names_frequency(label) and not TIME.match(label) and re.search("freq|hz", label, re.IGNORECASE)
        for label in labels[:1]
    ):
        raise Refusal(f"its first column is {labels[0]!r}: a spectrum; read it without --series")
    found, channels = stated(header, RATE_LINE) or 0.0, list(range(width))
    first, steps = values[:, 0], np.diff(values[:, 0])
    if width > 1 and np.isfinite(steps).all() and len(steps) and (steps >= 0).all() and first[-1] > first[0]:
        if (INDEX.match(labels[0]) or not labels[0]) and np.all(steps == 1) and (found or rate):
            channels = channels[1:]  # a counter
        elif TIME.match(labels[0]) or not labels[0]:
            channels = channels[1:]
            found = found or _rate_of(first) / _seconds(labels[0])
    elif width > 1 and TIME.match(labels[0]):
        _rate_of(first)
    named = [labels[n] or f"column {n + 1}" for n in channels]
    at = channels[_channel(named, column, [n + 1 for n in channels])]
    unit = BRACKETS.search(labels[at])
    return Series(
        values[:, at], found, unit.group(1) if unit else None, labels[at] or f"column {at + 1}", warnings=tuple(said)
    )


def _seconds(label):
    unit = BRACKETS.search(label)
    word = (unit.group(1) if unit else re.sub(r"^.*_", "", label)).strip()
    return SECONDS.get(word, SECONDS.get(word.lower(), 1.0))


def _rate_of(times):
    """Samples a unit of time; refused where times leave a straight line by half a sample or their digits."""
    width = (times[-1] - times[0]) / max(1, len(times) - 1)
    off = np.abs(times - times[0] - width * np.arange(len(times)))
    if not np.isfinite(times).all() or not width > 0 or off.max() > max(JITTER * width, 1.01 * last_digit(times)):
        at = int(np.argmax(np.where(np.isfinite(off), off, np.inf)))
        raise Refusal(
            f"the time axis is not regular: sample {at + 1} is at {times[at]:g}, {off[at]:g} off; resample it first"
        )
    return 1.0 / width


@series_reader(".tdms")
def read_tdms(path: Path, rate: float | None, column: Column) -> Series:
    """LabVIEW TDMS; the rate from wf_increment. Needs npTDMS."""
    with package("nptdms").TdmsFile.open(path) as stream:
        channels = {
            f"{group.name}/{channel.name}": channel for group in stream.groups() for channel in group.channels()
        }
        if not channels:
            raise Refusal("it holds no channel")
        names = list(channels)
        name = names[_channel(names, column)]
        step = channels[name].properties.get("wf_increment", 0.0)
        unit = channels[name].properties.get("unit_string")
        return Series(np.asarray(channels[name][:]), 1.0 / step if step else 0.0, unit or None, name)


@series_reader(".abf")
def read_abf(path: Path, rate: float | None, column: Column) -> Series:
    """Axon binary file; sweeps follow one another, each one a break. Needs pyabf."""
    abf = package("pyabf").ABF(str(path))
    at = _channel(list(abf.adcNames), column)
    samples = np.asarray(abf.data[at], dtype=np.float64)
    breaks = tuple(range(abf.sweepPointCount, len(samples), abf.sweepPointCount)) if abf.sweepCount > 1 else ()
    return Series(samples, float(abf.dataRate), str(abf.adcUnits[at]) or None, str(abf.adcNames[at]), breaks)
