"""Named arrays: .npz, .npy, .mat of any version, HDF5. Nothing in a file is executed."""

import re
from pathlib import Path

import numpy as np
from numpy import ndarray

from nblib.spectra.columns import choose, from_matrix
from nblib.spectra.formats import Column, Raw, Refusal, Table, reader

FREQ_KEYS = (
    "freq",
    "freqs",
    "frequency",
    "frequencies",
    "f",
    "freq_hz",
    "f_hz",
    "fhz",
    "fx",
    "fxx",
    "faxis",
    "f_axis",
    "freq_axis",
    "hz",
)
PSD_KEYS = (
    "psd",
    "psd_mean",
    "mean_psd",
    "pxx",
    "psds",
    "psdx",
    "sxx",
    "s",
    "p",
    "power_spectral_density",
    "spectrum",
    "spectra",
    "power",
    "values",
)
ASD_KEYS = ("asd", "amplitude_spectral_density", "lsd")
K_KEYS = ("n_avg", "n_averages", "n_average", "navg", "n_segments", "nsegments", "k", "averages", "num_averages")
UNIT_KEYS = ("unit", "units", "psd_unit", "psd_units", "y_unit", "yunit")
FREQ_UNIT_KEYS = ("freq_unit", "freq_units", "x_unit", "xunit", "frequency_unit", "f_unit")


@reader(".npz")
def read_npz(path: Path, column: Column) -> Raw:
    """NumPy archive: freq and psd (bin,) or (spectrum, bin), optionally valid."""
    archive = _numpy_load(path)
    if isinstance(archive, np.ndarray):
        raise EOFError("it holds one bare array")
    with archive:
        return from_arrays({key: archive[key] for key in archive}, column)


@reader(".npy")
def read_npy(path: Path, column: Column) -> Raw:
    """One NumPy array; many spectra stay on disk."""
    table = _numpy_load(path, mmap_mode="r")
    if not isinstance(table, np.ndarray):
        raise EOFError("it is an .npz archive")
    if table.dtype.names:
        return from_arrays({name: np.asarray(table[name]) for name in table.dtype.names}, column)
    return from_matrix(table, column)


@reader(".mat")
def read_mat(path: Path, column: Column) -> Raw:
    """MATLAB file up to version 7 (version 7.3 is HDF5): variables f and Pxx, alone or in a structure."""
    return from_arrays(load_mat(path), column)


def load_mat(path: Path) -> dict[str, ndarray]:
    """Numeric and text variables of a MATLAB file, structures flattened to "structure.field"."""
    import scipy.io

    return flattened(
        {key: value for key, value in scipy.io.loadmat(path, simplify_cells=True).items() if not key.startswith("__")}
    )


@reader(".h5", ".hdf5", ".hdf", ".he5")
def read_hdf5(path: Path, column: Column) -> Raw:
    """HDF5: datasets of frequencies and PSD, or one series with f0 and df (gwpy); also MATLAB 7.3."""
    datasets, attributes = load_hdf5(path)
    series = {key: regular_axis(attributes[key], datasets[key]) for key in datasets if datasets[key].ndim == 1}
    spectra = {key: axis for key, axis in series.items() if axis is not None and axis[0] == "frequency"}
    if spectra:
        key = _pick(list(spectra), column, "series")
        freqs, level = spectra[key][1], str(attributes[key].get("unit", ""))
        return Raw(freqs, datasets[key], label=level, names=(key,), header=_as_header(attributes[key]))
    times = [key for key, axis in series.items() if axis is not None and axis[0] == "time"]
    try:
        return from_arrays(datasets, column, attributes)
    except Refusal:
        if times:
            raise Refusal(
                f"it holds a time series ({', '.join(times[:5])}); read it with --series, not as a spectrum"
            ) from None
        raise


def load_hdf5(path: Path) -> tuple[dict[str, ndarray], dict[str, dict]]:
    """Datasets and attributes by their path; object references and images of structure are left out."""
    import h5py

    datasets, attributes = {}, {}
    with h5py.File(path, "r") as stream:
        attributes[""] = dict(stream.attrs)

        def visit(key, node):
            attributes[key] = {name: _plain(value) for name, value in node.attrs.items()}
            if (
                isinstance(node, h5py.Dataset)
                and not key.startswith("#")
                and node.dtype.kind in "fiucbVOSU"
                and node.shape is not None
            ):
                value = node[()]
                if attributes[key].get("MATLAB_class") == "char":
                    value = np.array("".join(chr(int(code)) for code in np.ravel(value)))
                datasets[key] = np.squeeze(value) if np.ndim(value) else np.asarray(_plain(value))

        stream.visititems(visit)
    return datasets, attributes


def _plain(value):
    return value.decode("utf-8", errors="replace") if isinstance(value, bytes) else value


def _as_header(attributes):
    return [f"{name}: {value}" for name, value in attributes.items() if np.ndim(value) == 0]


def regular_axis(attributes, values):
    """("time" or "frequency", axis) of a series stored with a start and a step, or None."""
    lower = {name.lower(): value for name, value in attributes.items()}
    for start, step in (("f0", "df"), ("xstart", "xspacing"), ("x0", "dx"), ("t0", "dt")):
        if step not in lower:
            continue
        width, low = float(np.ravel(lower[step])[0]), float(np.ravel(lower.get(start, 0.0))[0])
        unit = f"{lower.get('xunit', lower.get('xunits', ''))}"
        level = f"{lower.get('unit', '')} {lower.get('name', '')}"
        is_spectrum = (
            step == "df"
            or "hz" in unit.lower()
            or (not unit and step == "dx" and re.search(r"/\s*Hz|Hz\^|psd|asd", level, re.IGNORECASE))
        )
        return "frequency" if is_spectrum else "time", low + width * np.arange(len(values))
    return None


def flattened(tree: dict, before: str = "") -> dict[str, ndarray]:
    """Nested dictionaries as {"outer.inner": array}; what is no array, number or text is left out."""
    flat = {}
    for key, value in tree.items():
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


def _first(arrays, keys, group=None):
    for wanted in keys:
        for key in arrays:
            if _short(key) == wanted and (group is None or key[: -len(wanted)] == group):
                return key
    return None


def _pick(keys, column, what):
    if column is None and len(keys) == 1:
        return keys[0]
    found = [key for key in keys if column is not None and str(column).lower() in (key.lower(), _short(key))]
    if len(found) != 1:
        raise Refusal(f"it holds {len(keys)} {what}: {', '.join(keys[:12])}; choose with --column NAME")
    return found[0]


def from_arrays(arrays: dict[str, ndarray], column: Column = None, attributes: dict[str, dict] | None = None) -> Raw:
    """Frequencies and spectra among named arrays.

    column : key of the spectrum where several are stored
    attributes : {key: {name: value}}, e.g. the unit of a dataset; key "" for the whole file
    raises : Refusal that names the keys, what was found and what is needed
    """
    freq_keys = [key for key in arrays if _short(key) in FREQ_KEYS or re.match(r"f(?:req\w*)?_[kmgu]?hz$", _short(key))]
    if not freq_keys:
        numeric = [
            key
            for key in arrays
            if arrays[key].dtype.kind in "fiuc" and arrays[key].ndim == 2 and min(arrays[key].shape) > 1
        ]
        if len(numeric) == 1:
            return from_matrix(arrays[numeric[0]], column)
        if len(arrays) > 1 and all(array.ndim == 1 and array.dtype.kind in "fiu" for array in arrays.values()):
            same = {len(array) for array in arrays.values()}
            if len(same) == 1 and any(re.search(r"hz|freq", key, re.IGNORECASE) for key in arrays):
                return choose(
                    Table(np.column_stack([np.asarray(array, float) for array in arrays.values()]), tuple(arrays)),
                    column,
                )
        _refuse_keys(arrays)
    freq_key, psd_key = _pair(arrays, freq_keys, column)
    group = freq_key[: -len(_short(freq_key))]
    beside = {_short(key): key for key in arrays if key.startswith(group) or not re.search(r"[./]", key)}
    freqs, psd = numbers(freq_key, arrays[freq_key]), numbers(psd_key, arrays[psd_key], keep_memmap=True)
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
    raw.header = [line for key in (psd_key, group.rstrip("./"), "") for line in _as_header(attributes.get(key, {}))]
    raw.names = (
        (psd_key,)
        if n_spectra == 1
        else tuple(f"{psd_key}[{at}]" for at in range(n_spectra))
        if n_spectra < 1000
        else ()
    )
    return raw


def _text(arrays, beside, keys):
    """A unit stored as text beside the arrays, or ""."""
    found = [arrays[beside[key]] for key in keys if key in beside and arrays[beside[key]].dtype.kind in "US"]
    return "" if not found else str(_plain(np.ravel(found[0])[0]) if found[0].size else "")


def _refuse_keys(arrays):
    raise Refusal(
        f"it holds {sorted(arrays)[:20]}; it needs freq (or f, frequencies) and one of psd, psd_mean, Pxx, asd, one value per frequency"
    )


def _pair(arrays, freq_keys, column):
    """Keys of frequency and spectrum, in one group; the wanted key where one is named."""
    named = PSD_KEYS + ASD_KEYS
    if column is not None:
        others = [key for key in arrays if key not in freq_keys and arrays[key].dtype.kind in "fiuc"]
        psd_key = _pick(others, column, "arrays")
    else:
        found = [key for wanted in named for key in arrays if _short(key) == wanted and key not in freq_keys]
        groups = {key[: -len(_short(key))] for key in found}
        if len(groups) > 1:
            _pick(found, None, "spectra")
        if not found:
            sizes = {arrays[key].shape[-1] for key in freq_keys if arrays[key].ndim == 1}
            found = [
                key
                for key in arrays
                if key not in freq_keys
                and arrays[key].dtype.kind in "fiuc"
                and arrays[key].ndim
                and arrays[key].shape[-1] in sizes
            ]
            if not found:
                _refuse_keys(arrays)
            return freq_keys[0], _pick(found, None, "arrays beside the frequency")
        psd_key = found[0]
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
            f"key {beside['valid']!r} has shape {valid.shape} and {psd_key!r} {psd.shape}; give one value per bin, shape {psd.shape[-1:]} "
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


def _numpy_load(path, mmap_mode=None):
    try:
        return np.load(path, allow_pickle=False, mmap_mode=mmap_mode)
    except ValueError as error:  # numpy's word for a cut or foreign file, or for one that holds Python objects
        raise EOFError(str(error).splitlines()[0]) from error
