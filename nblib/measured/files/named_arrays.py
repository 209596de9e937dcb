"""Frequencies and spectra among named arrays, whatever file they come from."""

import re

import numpy as np
from numpy import ndarray

from nblib.measured.files.columns import choose, from_matrix
from nblib.measured.files.formats import Column, IsSeries, Raw, Refusal, Table

FREQ_KEYS = (
    "freq", "freqs", "frequency", "frequencies", "f", "freq_hz", "f_hz",
    "fhz", "fx", "fxx", "faxis", "f_axis", "freq_axis", "hz",
)  # fmt: skip
PSD_KEYS = (
    "psd", "psd_mean", "mean_psd", "pxx", "psds", "psdx", "sxx",
    "s", "p", "power_spectral_density", "spectrum", "spectra", "power", "values",
)  # fmt: skip
ASD_KEYS = ("asd", "amplitude_spectral_density", "lsd")
K_KEYS = ("n_avg", "n_averages", "n_average", "navg", "n_segments", "nsegments", "k", "averages", "num_averages")
RATE_KEYS = (
    "fs",
    "rate",
    "sample_rate",
    "sampling_rate",
    "samplerate",
    "sampling_frequency",
    "sr",
    "srate",
    "data_rate",
)
STEP_KEYS = ("dt", "sample_interval", "sampling_interval", "ts")
TIME_KEYS = ("t", "time", "times", "tm")
UNIT_KEYS = ("unit", "units", "psd_unit", "psd_units", "y_unit", "yunit")
FREQ_UNIT_KEYS = ("freq_unit", "freq_units", "x_unit", "xunit", "frequency_unit", "f_unit")


def plain_text(value):
    """Bytes as text; anything else as it is."""
    return value.decode("utf-8", errors="replace") if isinstance(value, bytes) else value


def as_header(attributes):
    """Attributes of one value each as header lines, "name: value"."""
    return [f"{name}: {value}" for name, value in attributes.items() if np.ndim(value) == 0]


def flattened(tree: dict, before: str = "") -> dict[str, ndarray]:
    """Nested dictionaries as {"outer.inner": array}; only arrays, numbers and text are kept."""
    flat: dict[str, ndarray] = {}
    for key, value in tree.items():
        if str(key).startswith("__"):
            continue
        if isinstance(value, dict):
            flat |= flattened(value, f"{before}{key}.")
        elif isinstance(value, (ndarray, list, tuple, str, int, float, complex, np.generic)):
            array = np.asarray(value) if not isinstance(value, (list, tuple)) else _as_array(value)
            if array is not None and array.dtype.kind in "fiucbUSV":
                flat[before + str(key)] = np.squeeze(array) if array.ndim > 1 else array
    return flat


def _as_array(value):
    try:
        return np.asarray(value)
    except ValueError:
        return None


def _short(key):
    return re.split(r"[./]", key)[-1].lower()


def pick(keys, column, what):
    """The one key that is there or that was chosen by name; several and no choice is a Refusal that lists them."""
    if column is None and len(keys) == 1:
        return keys[0]
    matches = [key for key in keys if column is not None and _is_key(column, key)]
    if len(matches) != 1:
        raise Refusal(f"it holds {len(keys)} {what}: {', '.join(keys[:12])}; choose with column=NAME")
    return matches[0]


def _is_key(column, key):
    return str(column).lower() in (key.lower(), _short(key))


def _split_column(arrays, column):
    """(key of the array, rows of it) that `column` asks for; None where it leaves one open.

    "psd" is a key, 2 or "2" the second spectrum of the array that would be read without it, "psd[1]" the same by the
    name that is printed, "all" every spectrum.
    """
    if column is None or any(_is_key(column, key) for key in arrays):
        return column, None
    if isinstance(column, str):
        if column.strip().lower() == "all":
            return None, None
        name = re.fullmatch(r"(.+)\[(\d+)\]", column.strip())
        if name and any(_is_key(name.group(1), key) for key in arrays):
            return name.group(1), [int(name.group(2))]
    wanted = [column] if isinstance(column, (str, int, np.integer)) else list(column)
    if all(re.fullmatch(r"\d+", str(one).strip()) for one in wanted):
        return None, [int(one) - 1 for one in wanted]
    return column, None


def from_arrays(arrays: dict[str, ndarray], column: Column = None, attributes: dict[str, dict] | None = None) -> Raw:
    """Frequencies and spectra among named arrays.

    Parameters
    ----------
    column : key of the spectrum where several are stored; of a table of spectra a number from 1, "psd[0]" or "all"
    attributes : {key: {name: value}}, e.g. the unit of a dataset; key "" for the whole file

    Raises
    ------
    Refusal that names the keys, what was found and what is needed
    """
    freq_keys = [key for key in arrays if _short(key) in FREQ_KEYS or re.match(r"f(?:req\w*)?_[kmgu]?hz$", _short(key))]
    if not freq_keys:
        return _without_frequencies(arrays, column)
    key, rows = _split_column(arrays, column)
    freq_key, psd_key = _pair(arrays, freq_keys, key)
    group = freq_key[: -len(_short(freq_key))]
    beside = {_short(key): key for key in arrays if key.startswith(group) or not re.search(r"[./]", key)}
    freqs, psd = numbers(freq_key, arrays[freq_key]), numbers(psd_key, arrays[psd_key], keep_memmap=True)
    freqs = freqs.ravel() if freqs.size == max(freqs.shape, default=0) else freqs
    if psd.ndim == 2 and psd.shape[1] != freqs.size and psd.shape[0] == freqs.size:
        psd = psd.T
    if freqs.ndim != 1 or psd.ndim not in (1, 2) or psd.shape[-1] != len(freqs):
        raise Refusal(f"{psd_key} has shape {psd.shape} and {freq_key} {freqs.shape}; one PSD value per frequency")
    attributes = attributes or {}
    own = {name.lower(): value for name, value in attributes.get(psd_key, {}).items()}
    of_freq = {name.lower(): value for name, value in attributes.get(freq_key, {}).items()}
    unit = _text(arrays, beside, UNIT_KEYS) or next((str(own[key]) for key in UNIT_KEYS if key in own), "")
    freq_unit = _text(arrays, beside, FREQ_UNIT_KEYS) or next(
        (str(of_freq[key]) for key in UNIT_KEYS if key in of_freq), ""
    )
    short = _short(psd_key)
    label = unit or (
        "ASD" if short in ASD_KEYS else psd_key if re.search(r"d[bB]|asd|hz", psd_key, re.IGNORECASE) else ""
    )
    raw = Raw(
        freqs,
        psd,
        freq_unit or freq_key,
        label,
        valid=_mask(arrays, beside, psd, psd_key),
        n_segments=_segments(arrays, beside),
    )
    n_spectra = 1 if psd.ndim == 1 else len(psd)
    raw.header = [line for key in (psd_key, group.rstrip("./"), "") for line in as_header(attributes.get(key, {}))]
    raw.names = (
        (psd_key,)
        if n_spectra == 1
        else tuple(f"{psd_key}[{at}]" for at in range(n_spectra))
        if n_spectra < 1000
        else ()
    )
    if rows is not None:
        if not all(0 <= row < n_spectra for row in rows):
            raise Refusal(f"column={column}: {psd_key} holds spectra 1..{n_spectra}")
        _take(raw, rows)
    return raw


def _take(raw, rows):
    """Only these spectra of the table."""
    raw.values = np.atleast_2d(raw.values)[rows]
    raw.valid = raw.valid[rows] if raw.valid is not None and raw.valid.ndim == 2 else raw.valid
    raw.names = tuple(raw.names[row] for row in rows) if raw.names else ()


def _without_frequencies(arrays, column) -> Raw:
    """Arrays of which none is named a frequency: one matrix, or columns of equal length with a unit in a name."""
    numeric = [
        key
        for key in arrays
        if arrays[key].dtype.kind in "fiuc" and arrays[key].ndim == 2 and min(arrays[key].shape) > 1
    ]
    if len(numeric) == 1 and not _is_series(arrays):
        return from_matrix(arrays[numeric[0]], column)
    if len(arrays) > 1 and all(array.ndim == 1 and array.dtype.kind in "fiu" for array in arrays.values()):
        same = {len(array) for array in arrays.values()}
        if len(same) == 1 and any(re.search(r"hz|freq", key, re.IGNORECASE) for key in arrays):
            columns = np.column_stack([np.asarray(array, float) for array in arrays.values()])
            return choose(Table(columns, tuple(arrays)), column)
    return _refuse_keys(arrays)


def _text(arrays, beside, keys):
    """A unit stored as text beside the arrays, or ""."""
    units = [arrays[beside[key]] for key in keys if key in beside and arrays[beside[key]].dtype.kind in "US"]
    return "" if not units else str(plain_text(np.ravel(units[0])[0]) if units[0].size else "")


def _is_series(arrays):
    keys = [_short(key) for key in arrays]
    return not any(re.search("psd|asd|pxx|spect", key) for key in keys) and any(
        key in (*RATE_KEYS, *STEP_KEYS, *TIME_KEYS) for key in keys
    )


def _refuse_keys(arrays):
    is_series = _is_series(arrays)
    raise (IsSeries if is_series else Refusal)(
        f"it holds {sorted(arrays)[:20]}; it needs freq (or f, frequencies) and one of psd, psd_mean, Pxx, asd, "
        "one value per frequency" + (". A time series is read with load_series" if is_series else "")
    )


def _pair(arrays, freq_keys, column):
    """Keys of frequency and spectrum, in one group; the wanted key where one is named."""
    named = PSD_KEYS + ASD_KEYS
    if column is not None:
        others = [key for key in arrays if key not in freq_keys and arrays[key].dtype.kind in "fiuc"]
        psd_key = pick(others, column, "arrays")
    else:
        psd_keys = [key for wanted in named for key in arrays if _short(key) == wanted and key not in freq_keys]
        groups = {key[: -len(_short(key))] for key in psd_keys}
        if len(groups) > 1:
            pick(psd_keys, None, "spectra")
        if not psd_keys:
            sizes = {arrays[key].shape[-1] for key in freq_keys if arrays[key].ndim == 1}
            psd_keys = [
                key
                for key in arrays
                if key not in freq_keys
                and arrays[key].dtype.kind in "fiuc"
                and arrays[key].ndim
                and arrays[key].shape[-1] in sizes
            ]
            if not psd_keys:
                _refuse_keys(arrays)
            return freq_keys[0], pick(psd_keys, None, "arrays beside the frequency")
        psd_key = psd_keys[0]
    group = psd_key[: -len(_short(psd_key))]
    return next((key for key in freq_keys if key[: -len(_short(key))] == group), freq_keys[0]), psd_key


def numbers(key: str, values: ndarray, keep_memmap: bool = False) -> ndarray:
    """Real numbers as float64, or a Refusal that names the key."""
    if keep_memmap and isinstance(values, np.memmap) and values.dtype.kind in "fiu":
        return values
    if np.iscomplexobj(values) or (values.dtype.names and set(values.dtype.names) == {"real", "imag"}):
        raise Refusal(
            f"{key} is complex: a cross spectrum or transform, not a PSD; store a real power spectral density, |X|^2/Hz"
        )
    if values.dtype.kind not in "fiu":
        raise Refusal(f"{key} is not an array of real numbers (its type is {values.dtype})")
    return np.asarray(values, dtype=np.float64)


def _mask(arrays, beside, psd, psd_key):
    if "valid" not in beside:
        return None
    valid = np.asarray(arrays[beside["valid"]])
    if valid.dtype.kind not in "biuf" or not np.isin(valid, (0, 1)).all():
        raise Refusal(f"key {beside['valid']!r} must hold True and False, one for each value of {psd_key}")
    if valid.shape not in (psd.shape, psd.shape[-1:]):
        raise Refusal(
            f"key {beside['valid']!r} has shape {valid.shape} and {psd_key!r} {psd.shape}; give one value per "
            f"bin, shape {psd.shape[-1:]} "
            f"or {psd.shape}"
        )
    return valid.astype(bool)


def _segments(arrays, beside):
    for key in K_KEYS:
        if key in beside:
            values = np.unique(np.ravel(arrays[beside[key]]))
            if len(values) == 1 and values.dtype.kind in "iuf" and values[0] >= 1 and float(values[0]).is_integer():
                return int(values[0])
    return None
