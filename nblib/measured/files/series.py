"""Time series: .wav, HDF5 (GWOSC, gwpy), .npy, .npz, .mat, text, and with optional packages .tdms and .abf."""

import re
from dataclasses import replace
from pathlib import Path

import numpy as np

from nblib.measured.files.arrays import load_hdf5, load_json, load_mat, load_netcdf, load_npy, load_npz, regular_axis
from nblib.measured.files.claims import check_size, check_wav
from nblib.measured.files.clocks import rate_of
from nblib.measured.files.fills import clipped, fill_value
from nblib.measured.files.formats import MOST_SHOWN, Column, IsSeries, Refusal, Series, Table, package, series_reader
from nblib.measured.files.named_arrays import RATE_KEYS, STEP_KEYS, TIME_KEYS, flattened
from nblib.measured.files.series_tables import channel, from_table


def checked(series: Series, rate: float | None) -> Series:
    """A series with a positive rate and finite samples; warns if the rate contradicts the file."""
    notes = list(series.warnings)
    if rate is not None and not (np.isfinite(rate) and rate > 0):
        raise Refusal(f"rate={rate} must be a positive number of samples a second, in Hz")
    sampling_rate = series.rate
    if rate is not None:
        if sampling_rate and abs(sampling_rate / rate - 1) > 0.01:
            notes.append(f"the file states {sampling_rate:g} samples a second; {rate:g} is used as asked")
        sampling_rate = float(rate)
    if not sampling_rate or not np.isfinite(sampling_rate) or sampling_rate <= 0:
        raise IsSeries("it does not state how often it was sampled; give rate=HZ")
    samples = np.asarray(series.samples)
    if samples.dtype.kind not in "fiub" or samples.ndim != 1:
        raise Refusal(
            f"samples have shape {samples.shape} and type {samples.dtype}; a series is one row of real numbers"
        )
    if len(samples) > MOST_SHOWN:
        _check_in_parts(samples)
        notes += filter(None, [clipped(np.asarray(samples[:MOST_SHOWN], dtype=np.float64))])
        return replace(series, rate=float(sampling_rate), warnings=tuple(notes))
    samples = samples * float(series.scale)
    samples[~np.isfinite(samples) | (np.abs(samples) > 1e37)] = np.nan
    fill = fill_value(samples[np.isfinite(samples)])
    if fill is not None:
        notes.append(f"{int((samples == fill).sum())} samples are {fill:.6g}, a fill value: read as missing")
        samples[samples == fill] = np.nan
    gaps = int(np.isnan(samples).sum())
    if len(samples) - gaps < 16:
        raise Refusal(f"it holds {len(samples) - gaps} samples; a spectrum needs at least 16")
    if np.nanmin(samples) == np.nanmax(samples):
        raise Refusal(f"every sample is {np.nanmin(samples):g}; there is no noise to see")
    if gaps:
        notes.append(f"{gaps} samples are missing; the series is used in the stretches between")
    if series.breaks:
        notes.append(f"the recording pauses {len(series.breaks)} times; the series is used in the stretches between")
    notes += filter(None, [clipped(samples)])
    whole = replace(series, samples=samples, scale=1.0)
    return replace(whole, rate=float(sampling_rate), warnings=tuple(notes))


def _check_in_parts(samples):
    """A series larger than memory is used as it is stored, so nothing in it may be missing."""
    for start in range(0, len(samples), MOST_SHOWN):
        missing = ~np.isfinite(samples[start : start + MOST_SHOWN])
        if missing.any():
            at = start + int(np.argmax(missing))
            raise Refusal(f"sample {at + 1} of {len(samples)} is missing; so long a series must be whole: cut it there")


@series_reader(".wav", ".wave")
def read_wav(path: Path, rate: float | None, column: Column) -> Series:
    """Sound file: integers are scaled to full scale = 1."""
    import scipy.io.wavfile

    check_wav(path)
    try:
        file_rate, data = scipy.io.wavfile.read(path, mmap=True)
    except ValueError:  # samples of three bytes are unpacked
        file_rate, data = scipy.io.wavfile.read(path)
    data = data[:, None] if data.ndim == 1 else data
    at = channel([f"channel {n + 1}" for n in range(data.shape[1])], column)
    samples, kind = data[:, at], data.dtype
    if kind == np.uint8 and len(samples) <= MOST_SHOWN:
        samples = samples.astype(np.float64) - 128
    scale = 2.0 ** (1 - 8 * kind.itemsize) if kind.kind in "iu" else 1.0
    return Series(samples, float(file_rate), "full scale", f"channel {at + 1}", scale=scale)


@series_reader(".h5", ".hdf5", ".hdf", ".he5")
def read_hdf5_series(path: Path, rate: float | None, column: Column) -> Series:
    """GWOSC (strain/Strain with Xspacing), gwpy (x0, dx), or a plain dataset with a rate among its attributes."""
    datasets, attributes = load_hdf5(path)
    axes = {key: regular_axis(attributes[key], values) for key, values in datasets.items() if values.ndim == 1}
    times = [key for key, axis in axes.items() if axis is not None and axis[0] == "time"]
    if not times:
        every = {
            name.lower(): value for attrs in attributes.values() for name, value in attrs.items() if np.size(value) == 1
        }
        arrays = datasets | {name: np.asarray(value) for name, value in every.items() if name in RATE_KEYS + STEP_KEYS}
        return _from_arrays(arrays, rate, column)
    strain = [key for key in times if key.lower().endswith("strain/strain") or key.lower() == "strain"]
    at = channel(times, column) if column is not None or not strain else times.index(strain[0])
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
    values = load_npy(path)
    if values.dtype.names:
        return _from_arrays({name: values[name] for name in values.dtype.names}, rate, column)
    if values.ndim == 1:
        return Series(values, 0.0)
    if values.ndim != 2 or values.dtype.kind not in "fiu":
        raise Refusal(f"it has shape {values.shape} and type {values.dtype}; a series is (n,) or (n, channels)")
    return from_table(Table((values if len(values) >= values.shape[1] else values.T).astype(float)), rate, column)


@series_reader(".npz")
def read_npz_series(path: Path, rate: float | None, column: Column) -> Series:
    """Named arrays: samples, with fs, dt or t beside them."""
    return _from_arrays(load_npz(path), rate, column)


@series_reader(".json")
def read_json_series(path: Path, rate: float | None, column: Column) -> Series:
    """JSON object of lists: samples, with fs, dt or t beside them."""
    stored = load_json(path)
    return _from_arrays(flattened(stored if isinstance(stored, dict) else {"samples": stored}), rate, column)


@series_reader(".nc", ".cdf")
def read_netcdf_series(path: Path, rate: float | None, column: Column) -> Series:
    """NetCDF variables: samples, with fs, dt or a time axis in seconds beside them."""
    return _from_arrays(load_netcdf(path)[0], rate, column)


@series_reader(".mat")
def read_mat_series(path: Path, rate: float | None, column: Column) -> Series:
    """MATLAB variables: samples, with fs, dt or t beside them."""
    return _from_arrays(load_mat(path), rate, column)


def _from_arrays(arrays, rate, column):
    """Samples among named arrays; the rate from fs, dt or a time axis."""
    short = {re.split(r"[./]", key)[-1].lower(): key for key in arrays}
    sampling_rate = 0.0
    for keys, as_rate in ((RATE_KEYS, lambda value: value), (STEP_KEYS, lambda value: 1 / value)):
        for key in keys:
            if key in short and arrays[short[key]].size == 1 and arrays[short[key]].dtype.kind in "fiu":
                value = float(np.ravel(arrays[short[key]])[0])
                sampling_rate = sampling_rate or (as_rate(value) if value > 0 else 0.0)
    time = next((short[key] for key in TIME_KEYS if key in short), None)
    rows = {key: np.squeeze(values) for key, values in arrays.items() if values.dtype.kind in "fiu" and key != time}
    for key in [key for key, values in rows.items() if values.ndim == 2 and 1 < min(values.shape) < max(values.shape)]:
        table = rows.pop(key)
        for at, row in enumerate(table if table.shape[0] < table.shape[1] else table.T):
            rows[f"{key}[{at}]"] = row
    rows = {key: values for key, values in rows.items() if values.ndim == 1 and values.size >= 16}
    elsewhere = next(
        (str(value) for value in arrays.values() if value.dtype.kind in "US" and str(value).lower().endswith(".fdt")),
        None,
    )
    if elsewhere:
        raise Refusal(f"its samples are in another file, {elsewhere}; save the data set as one file")
    if not rows:
        raise Refusal(f"it holds {sorted(arrays)[:20]} and no row of at least 16 samples")
    names = list(rows)
    key = names[channel(names, column)]
    if not sampling_rate and time is not None and np.size(arrays[time]) == len(rows[key]):
        sampling_rate = rate_of(np.ravel(arrays[time]).astype(float))[0]
    return Series(rows[key], sampling_rate, name=key)


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
        name = names[channel(names, column)]
        check_size(name, len(channels[name]) * (channels[name].dtype or np.dtype("O")).itemsize, path.stat().st_size)
        step = channels[name].properties.get("wf_increment", 0.0)
        unit = channels[name].properties.get("unit_string")
        return Series(np.asarray(channels[name][:]), 1.0 / step if step else 0.0, unit or None, name)


@series_reader(".abf")
def read_abf(path: Path, rate: float | None, column: Column) -> Series:
    """Axon binary file; sweeps follow one another, each one a break. Needs pyabf."""
    abf = package("pyabf").ABF(str(path))
    at = channel(list(abf.adcNames), column)
    samples = np.asarray(abf.data[at], dtype=np.float64)
    breaks = tuple(range(abf.sweepPointCount, len(samples), abf.sweepPointCount)) if abf.sweepCount > 1 else ()
    return Series(samples, float(abf.dataRate), str(abf.adcUnits[at]) or None, str(abf.adcNames[at]), breaks)
