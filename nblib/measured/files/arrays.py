"""Files of arrays: .npz, .npy, .mat of any version, HDF5. Nothing in a file is executed."""

import json
import re
from pathlib import Path

import numpy as np
from numpy import ndarray

from nblib.measured.files.claims import check_dataset, check_npz, check_together, check_whole
from nblib.measured.files.columns import from_matrix
from nblib.measured.files.formats import Column, IsSeries, Raw, Refusal, reader
from nblib.measured.files.matlab import variables
from nblib.measured.files.named_arrays import RATE_KEYS, STEP_KEYS, as_header, flattened, from_arrays, pick, plain_text


@reader(".npz")
def read_npz(path: Path, column: Column) -> Raw:
    """NumPy archive: freq and psd (bin,) or (spectrum, bin), optionally valid."""
    return from_arrays(load_npz(path), column)


def load_npz(path: Path) -> dict[str, ndarray]:
    """Arrays of a NumPy archive by their names, none of them larger than the file can hold."""
    check_npz(path)
    with np.load(path, allow_pickle=False) as archive:
        return {key: archive[key] for key in archive}


@reader(".npy")
def read_npy(path: Path, column: Column) -> Raw:
    """One NumPy array; many spectra stay on disk."""
    table = load_npy(path)
    if table.dtype.names:
        return from_arrays({name: np.asarray(table[name]) for name in table.dtype.names}, column)
    return from_matrix(table, column)


@reader(".json")
def read_json(path: Path, column: Column) -> Raw:
    """JSON: an object with freq and psd as lists, or a list of rows or of records."""
    stored = load_json(path)
    if isinstance(stored, list) and stored and all(isinstance(one, dict) for one in stored):
        stored = {key: [one.get(key) for one in stored] for key in stored[0]}
    arrays = flattened(stored if isinstance(stored, dict) else {"rows": stored})
    return from_arrays(arrays, column)


def load_json(path: Path):
    """What a JSON file holds; one with a record per line is a list of them."""
    check_whole(path)
    text = path.read_text(encoding="utf-8-sig")
    try:
        return json.loads(text)
    except json.JSONDecodeError:
        return [json.loads(line) for line in text.splitlines() if line.strip()]


@reader(".mat")
def read_mat(path: Path, column: Column) -> Raw:
    """MATLAB file up to version 7 (version 7.3 is HDF5): variables f and Pxx, alone or in a structure."""
    return from_arrays(load_mat(path), column)


def load_mat(path: Path) -> dict[str, ndarray]:
    """Numeric and text variables of a MATLAB file, structures flattened to "structure.field"."""
    content = path.read_bytes()
    if content.startswith(b"MATLAB 5.0") or content[126:128] in (b"IM", b"MI"):
        return flattened(variables(content))
    import scipy.io
    from scipy.io.matlab import matfile_version

    if matfile_version(path)[0] != 0:  # SciPy's compiled reader of later versions crashes on some damaged files
        raise Refusal("it is truncated or not a MATLAB file; export it again")
    return flattened(scipy.io.loadmat(path, simplify_cells=True))


@reader(".nc", ".cdf")
def read_netcdf(path: Path, column: Column) -> Raw:
    """NetCDF of version 3 (version 4 is HDF5): variables freq and psd with their attributes."""
    arrays, attributes = load_netcdf(path)
    return from_arrays(arrays, column, attributes)


@reader(".h5", ".hdf5", ".hdf", ".he5")
def read_hdf5(path: Path, column: Column) -> Raw:
    """HDF5: datasets of frequencies and PSD, or one series with f0 and df (gwpy); also MATLAB 7.3."""
    datasets, attributes = load_hdf5(path)
    series = {key: regular_axis(attributes[key], datasets[key]) for key in datasets if datasets[key].ndim == 1}
    spectra = {key: axis for key, axis in series.items() if axis is not None and axis[0] == "frequency"}
    if spectra:
        key = pick(list(spectra), column, "series")
        freqs, level = spectra[key][1], str(attributes[key].get("unit", ""))
        return Raw(freqs, datasets[key], label=level, names=(key,), header=as_header(attributes[key]))
    times = [key for key, axis in series.items() if axis is not None and axis[0] == "time"]
    try:
        return from_arrays(datasets, column, attributes)
    except Refusal:
        if times:
            raise IsSeries(
                f"it holds a time series ({', '.join(times[:5])}); read it with load_series, not as a spectrum"
            ) from None
        raise


def load_hdf5(path: Path) -> tuple[dict[str, ndarray], dict[str, dict]]:
    """Datasets and attributes by their path; object references, tables of text and other files are left out.

    Links to other files are not followed; a dataset whose values lie in other files is refused.
    """
    import h5py

    datasets, attributes, sizes = {}, {}, []
    with h5py.File(path, "r") as stream:
        attributes[""] = dict(stream.attrs)

        def visit(key, node):
            attributes[key] = {name: plain_text(value) for name, value in node.attrs.items()}
            if (
                isinstance(node, h5py.Dataset)
                and not key.startswith("#")
                and node.dtype.kind in "fiucbVOSU"
                and node.shape is not None
                and (node.dtype.kind != "O" or node.size == 1)  # a unit; of a table each entry may be any length
            ):
                sizes.append(check_dataset(key, node))
                check_together(sizes)
                value = node[()]
                if attributes[key].get("MATLAB_class") == "char":
                    value = np.array("".join(chr(int(code)) for code in np.ravel(value)))
                datasets[key] = np.squeeze(value) if np.ndim(value) else np.asarray(plain_text(value))

        stream.visititems(visit)
    return datasets, attributes


def load_netcdf(path: Path) -> tuple[dict[str, ndarray], dict[str, dict]]:
    """Variables, the sampling rate where the file states one, and attributes."""
    import scipy.io

    with scipy.io.netcdf_file(path, mmap=False) as stream:
        arrays = {key: np.squeeze(np.array(variable.data)) for key, variable in stream.variables.items()}
        named = {key: variable._attributes for key, variable in stream.variables.items()} | {"": stream._attributes}
    arrays |= {key: np.asarray(value) for key, value in named[""].items() if key in (*RATE_KEYS, *STEP_KEYS)}
    native = {key: array.astype(array.dtype.newbyteorder("=")) for key, array in arrays.items()}
    return native, {key: {name: plain_text(value) for name, value in own.items()} for key, own in named.items()}


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


def load_npy(path: Path) -> ndarray:
    """One array, left on disk: its header claims no more than the file holds."""
    try:
        array = np.load(path, allow_pickle=False, mmap_mode="r")
    except ValueError as error:  # numpy's word for a cut or foreign file, or for one that holds Python objects
        raise EOFError(str(error).splitlines()[0]) from error
    if not isinstance(array, np.ndarray):
        raise EOFError("it is an .npz archive")
    return array
