"""`nblib detect FILE...`: flagged ranges of a user's own spectra, printed and written beside nothing of hers."""

import argparse
import dataclasses
import json
import sys
import warnings
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from nblib.analysis.detector import NoiseDetector
from nblib.analysis.measurement import Measurement, from_series, from_spectra, subtract_floor
from nblib.analysis.products import as_json, table, write_products
from nblib.analysis.result import Detection
from nblib.spectra.readers import load_series, load_spectra


def detect_command(arguments: list[str]) -> int:
    """Read spectra, flag what is contaminated, print and write it; 0 read, 2 when any file was refused."""
    options = _parser().parse_args(arguments)
    _check(options)
    detector = NoiseDetector(_progress if sys.stderr.isatty() else None, options.network)
    documents, rows, refused = [], [], 0
    names = output_names(options.files)
    for path, name in zip(options.files, names, strict=True):
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # what was converted or looks odd is printed from the measurement
                found = [(measured, _detected(detector, measured, options)) for measured in _read(path, options)]
        except (ValueError, OSError) as error:
            refused += 1
            text = str(error)
            print(f"refused: {text if path.name in text else f'{path.name}: {text}'}", file=sys.stderr)
            rows.append(f"{path.name}: refused")
            continue
        for measured, detection in found:
            own = name if len(found) == 1 else f"{name}.{measured.file_part}"
            documents.append(as_json(measured, detection))
            rows.append(f"{measured.label}: {_count(detection)}")
            if not options.json:
                print(measured.describe(), *(f"  note: {text}" for text in measured.notes(detection)), sep="\n")
                print(table(detection))
                written = write_products(options.out, own, measured, detection)
                print("wrote " + ", ".join(str(file) for file in written) + "\n")
    if options.json and documents:
        print(json.dumps(documents[0] if len(documents) == 1 else documents, indent=1, allow_nan=False))
    elif len(rows) > 1:
        print(f"{len(options.files) - refused} of {len(options.files)} files read", *rows, sep="\n  ")
    return 2 if refused else 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="nblib detect",
        description="Which parts of my spectrum are contaminated? Reads spectra (text, .npz, .npy, .mat, .h5, .gz ...) "
        "or time series, flags lines, humps and steps above the background, and writes NAME.flags.csv, .json, .png, "
        ".pdf and NAME.cleaned.csv. Nothing is sent anywhere and the files read are never changed.",
    )
    parser.add_argument("files", nargs="+", type=Path, metavar="FILE")
    parser.add_argument(
        "--out", type=Path, default=Path(), metavar="DIR", help="where results go; default: this folder"
    )
    parser.add_argument("--json", action="store_true", help="print the result as JSON and write nothing")
    parser.add_argument(
        "--false-alarm", type=float, default=0.01, metavar="P", help="chance that a clean spectrum has any flag (0.01)"
    )
    parser.add_argument(
        "--network",
        action=argparse.BooleanOptionalAction,
        default=True,
        help="add the network's evidence to the classical statistics (default), or do without",
    )
    parser.add_argument("--segments", type=float, metavar="K", help="averages behind each bin; default: the header's")
    parser.add_argument("--column", metavar="NAME", help="name or number of the column to use; 'all' for every one")
    parser.add_argument(
        "--asd", action=argparse.BooleanOptionalAction, default=None, help="values are amplitudes per sqrt(Hz)"
    )
    parser.add_argument("--db", action=argparse.BooleanOptionalAction, default=None, help="values are decibels")
    parser.add_argument("--unit", help="unit of the frequencies, of the level, or both: kHz, V^2/Hz, 'kHz,V^2/Hz'")
    parser.add_argument("--span", choices=("first", "last", "cut"), help="of overlapping spans: which to keep")
    parser.add_argument("--floor", type=Path, metavar="FILE", help="measured floor of the instrument, subtracted")
    series = parser.add_argument_group("time series")
    series.add_argument("--series", action="store_true", help="the files hold samples, not spectra")
    series.add_argument("--rate", type=float, metavar="HZ", help="samples a second, where the file does not say")
    series.add_argument(
        "--resolution", type=float, metavar="HZ", help="width of a bin; default: chosen from the length"
    )
    return parser


def _check(options) -> None:
    if not 0 < options.false_alarm < 1:
        raise ValueError(f"--false-alarm {options.false_alarm:g} must lie between 0 and 1, e.g. 0.01")
    if options.segments is not None and not 1 <= options.segments < np.inf:
        raise ValueError(f"--segments {options.segments:g} must be a number of averages, at least 1")
    if not options.series and (options.rate is not None or options.resolution is not None):
        raise ValueError("--rate and --resolution go with --series: a spectrum brings its own frequencies")
    if options.resolution is not None and not 0 < options.resolution < np.inf:
        raise ValueError(f"--resolution {options.resolution:g} must be a positive number of Hz")
    if options.out.exists() and not options.out.is_dir():
        raise ValueError(f"--out {options.out} is a file; name a folder")


def _read(path: Path, options) -> list[Measurement]:
    """Every spectrum of a file."""
    if options.series:
        found = [from_series(path, load_series(path, options.rate, options.column), options.resolution)]
    else:
        found = _spectra_or_series(path, options)
    if options.segments is not None:
        found = [dataclasses.replace(measured, n_segments=options.segments) for measured in found]
    if options.floor is None:
        return found
    floor = load_spectra(options.floor, asd=options.asd, db=options.db, unit=options.unit, span=options.span)
    return [subtract_floor(measured, floor) for measured in found]


def _spectra_or_series(path, options):
    """A file that the reader knows to be a time series, and that states its rate, is averaged without being asked."""
    reading = {name: getattr(options, name) for name in ("column", "asd", "db", "unit", "span")}
    try:
        return from_spectra(path, load_spectra(path, **reading))
    except ValueError as refusal:
        if "read it with --series" not in str(refusal) and "is read with --series" not in str(refusal):
            raise
        if options.asd or options.db or options.unit or options.span:
            raise
        try:
            series = load_series(path, None, options.column)
        except ValueError:
            raise refusal from None
    found = from_series(path, series)
    said = "read as a time series, as --series would; its spectrum is Welch's"
    return [dataclasses.replace(found, warnings=(said, *found.warnings))]


def _progress(share: float) -> None:
    end = "\n" if share >= 1 else ""
    print(f"\rthresholds for this kind of spectrum, once: {share:4.0%}", end=end, file=sys.stderr, flush=True)


def _detected(detector: NoiseDetector, measured: Measurement, options) -> Detection:
    found = detector.detect(
        measured.freqs, measured.psd, measured.n_segments, options.false_alarm, measured.sampling_rate
    )
    assert isinstance(found, Detection)  # one spectrum, one detection
    return found


def _count(detection) -> str:
    flags = detection.flags
    return f"{len(flags)} flagged range{'' if len(flags) == 1 else 's'}" if flags else "nothing flagged"


def output_names(paths: Sequence[Path]) -> list[str]:
    """What results are named after: the file's stem; its whole name or folder too where stems would collide."""
    names = [path.name.removesuffix(".gz") for path in paths]
    stems = [Path(name).stem for name in names]
    chosen = [stem if stems.count(stem) == 1 else name for stem, name in zip(stems, names, strict=True)]
    return [
        name if chosen.count(name) == 1 else f"{path.resolve().parent.name}_{name}_{chosen[:number].count(name) + 1}"
        for number, (name, path) in enumerate(zip(chosen, paths, strict=True))
    ]
