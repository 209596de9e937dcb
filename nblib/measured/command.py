"""`nblib detect FILE...`: flagged ranges of a user's own spectra, printed and written without replacing their files."""

import argparse
import contextlib
import dataclasses
import json
import shutil
import sys
import tempfile
import warnings
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from nblib.measured.advice import as_options
from nblib.measured.analyse import detected
from nblib.measured.detector import NoiseDetector
from nblib.measured.files.readers import IsSeries, load_series, load_spectra
from nblib.measured.measurement import Measurement, from_series, from_spectra, subtract_floor
from nblib.measured.outputs import check_targets, free_name, output_names, prepare
from nblib.measured.products import as_json, product_paths, table, write_products
from nblib.project.extensions import load_extensions


@dataclasses.dataclass
class _Done:
    """What became of the files of one command so far."""

    documents: list[dict] = dataclasses.field(default_factory=list)
    rows: list[str] = dataclasses.field(default_factory=list)
    refused: set[int] = dataclasses.field(default_factory=set)  # positions of files in the command
    failed: set[int] = dataclasses.field(default_factory=set)
    finished: int = 0  # files, the refused ones among them

    @contextlib.contextmanager
    def going_on(self, path: Path) -> Iterator[None]:
        """Report a file's error, and continue with the next file."""
        try:
            yield
        except (ValueError, OSError) as error:
            self.refused.add(self.finished)
            text = as_options(str(error))
            self._report(path, "refused", text if path.name in text else f"{path.name}: {text}")
        except Exception as error:
            self.failed.add(self.finished)
            self._report(
                path, "failed", f"{path.name}: {type(error).__name__}: {error}; a fault of nblib: please report it"
            )

    def _report(self, path, what, text):
        print(f"{what}: {text}", file=sys.stderr)
        self.rows.append(f"{path.name}: {what}")


def detect_command(arguments: list[str]) -> int:
    """Read spectra, flag what is contaminated, print and write it.

    Returns
    -------
    0 all read, 2 when any file was refused, 1 when nblib failed on one, 130 when interrupted
    """
    options = _parser().parse_args(arguments)
    with tempfile.TemporaryDirectory() as folder:
        if options.files.count(Path("-")) == 1:
            options.files[options.files.index(Path("-"))] = _standard_input(Path(folder))
        return _detect(options)


def _standard_input(folder: Path) -> Path:
    """What is piped into the command, as a file."""
    path = folder / "stdin"
    with path.open("wb") as stream:
        shutil.copyfileobj(sys.stdin.buffer, stream)
    return path


def _detect(options) -> int:
    _check(options)
    detector = NoiseDetector(_progress if sys.stderr.isatty() else None, options.network)
    names, done, interrupted = output_names(options.files), _Done(), False
    taken = {name.casefold() for name in names}
    try:
        for path, name in zip(options.files, names, strict=True):
            _one_file(path, name, taken, detector, options, done)
            done.finished += 1
    except KeyboardInterrupt:
        interrupted = True
        print(f"interrupted: {done.finished} of {len(options.files)} files done, the others not", file=sys.stderr)
    if options.json and len(options.files) > 1:
        print(json.dumps(done.documents, indent=1, allow_nan=False))
    elif options.json and done.documents:
        print(json.dumps(done.documents[0] if len(done.documents) == 1 else done.documents, indent=1, allow_nan=False))
    elif not options.json and len(done.rows) > 1:
        n_read = done.finished - len(done.refused | done.failed)
        print(f"{n_read} of {len(options.files)} files read", *done.rows, sep="\n  ")
    return 130 if interrupted else 1 if done.failed else 2 if done.refused else 0


def _one_file(path, name, taken, detector, options, done: _Done):
    """Read one file, then print and write what was found in each of its spectra."""
    found = []
    with done.going_on(path), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # what was converted or looks odd is printed from the measurement
        spectra = _read(path, options)
        names = [name] if len(spectra) == 1 else [free_name(f"{name}.{one.file_part}", taken) for one in spectra]
        if not options.json:
            targets = [target for own in names for target in product_paths(options.out, own)]
            check_targets(targets, [*options.files, *([options.floor] if options.floor else [])])
        flagged = (detected(one, options.false_alarm, None, detector) for one in spectra)
        found = list(zip(names, spectra, flagged, strict=True))
    for own, measured, detection in found:
        done.documents.append(as_json(measured, detection))
        done.rows.append(f"{measured.label}: {_count(detection)}")
        if options.json:
            continue
        print(
            measured.describe(detection.n_segments),
            *(f"  note: {text}" for text in measured.notes(detection)),
            sep="\n",
        )
        print(table(detection))
        written = []
        with done.going_on(path):
            written = write_products(options.out, own, measured, detection)
        print(f"wrote {', '.join(map(str, written)) or 'nothing'}\n")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="nblib detect",
        description="Which parts of my spectrum are contaminated? Reads spectra (text, .npz, .npy, .mat, .h5, .gz ...) "
        "or time series, flags lines, humps and steps above the background, and writes NAME.flags.csv, .json, .png, "
        ".pdf and NAME.cleaned.csv. Nothing is sent anywhere and the files read are never changed.",
    )
    parser.add_argument("files", nargs="+", type=Path, metavar="FILE", help="- is standard input")
    parser.add_argument(
        "--out", type=Path, default=Path(), metavar="DIR", help="where results go; default: this folder"
    )
    parser.add_argument("--json", action="store_true", help="print the result as JSON and write nothing")
    parser.add_argument(
        "--false-alarm",
        type=float,
        default=0.01,
        metavar="P",
        help="chance that a clean spectrum has any flag, up to 0.5 (0.01)",
    )
    parser.add_argument(
        "--network",
        action=argparse.BooleanOptionalAction,
        default=True,
        help="add the network's evidence to the classical statistics (default), or do without",
    )
    parser.add_argument("--segments", type=float, metavar="K", help="averages behind each bin; default: the header's")
    parser.add_argument(
        "--column",
        metavar="NAME",
        help="which spectrum: heading, key or number (of a text the column, of an array the spectrum, from 1); 'all' "
        "for every one. Of a time series: one channel, or 'rows' = samples along the rows",
    )
    parser.add_argument(
        "--asd", action=argparse.BooleanOptionalAction, default=None, help="values are amplitudes per sqrt(Hz)"
    )
    parser.add_argument("--db", action=argparse.BooleanOptionalAction, default=None, help="values are decibels")
    parser.add_argument("--unit", help="unit of the frequencies, of the level, or both: kHz, V^2/Hz, 'kHz,V^2/Hz'")
    parser.add_argument(
        "--span",
        metavar="WHICH",
        help="of overlapping spans first, last or cut; of spectra below one another also a number, mean or all; of a "
        "two-sided spectrum fold, positive or negative",
    )
    parser.add_argument("--floor", type=Path, metavar="FILE", help="measured floor of the instrument, subtracted")
    parser.add_argument(
        "--extensions", default="", metavar="NAMES", help="modules or .py files that add formats, a comma between"
    )
    series = parser.add_argument_group("time series")
    series.add_argument("--series", action="store_true", help="the files hold samples, not spectra")
    series.add_argument("--rate", type=float, metavar="HZ", help="samples a second, where the file does not say")
    series.add_argument(
        "--resolution", type=float, metavar="HZ", help="width of a bin; default: chosen from the length"
    )
    return parser


def _check(options) -> None:
    if not 0 < options.false_alarm <= 0.5:
        raise ValueError(f"--false-alarm {options.false_alarm:g} must lie above 0 and up to 0.5, e.g. 0.01")
    if options.segments is not None and not 1 <= options.segments < np.inf:
        raise ValueError(f"--segments {options.segments:g} must be a number of averages, at least 1")
    if not options.series and (options.rate is not None or options.resolution is not None):
        raise ValueError("--rate and --resolution go with --series: a spectrum brings its own frequencies")
    if options.resolution is not None and not 0 < options.resolution < np.inf:
        raise ValueError(f"--resolution {options.resolution:g} must be a positive number of Hz")
    if options.floor is not None:
        _check_there(options.floor)
    load_extensions(options.extensions)
    if not options.json:
        prepare(options.out)


def _check_there(path: Path) -> None:
    """Files are looked for where the user said and nowhere else."""
    if not path.is_file():
        raise ValueError(f"{path} {'is a folder; name its files' if path.is_dir() else 'is not there'}")


def _read(path: Path, options) -> list[Measurement]:
    """Every spectrum of a file."""
    _check_there(path)
    if options.series:
        found = [from_series(path, load_series(path, options.rate, options.column), options.resolution)]
    else:
        found = _spectra_or_series(path, options)
    found = [dataclasses.replace(one, warnings=tuple(map(as_options, one.warnings))) for one in found]
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
    except IsSeries as refusal:
        if options.asd or options.db or options.unit or options.span:
            raise
        try:
            series = load_series(path, None, options.column)
        except ValueError as error:
            why = str(error).removeprefix(f"{path.name}: ")
            raise ValueError(f"{refusal}. As a time series: {why}") from None
    found = from_series(path, series)
    note = "read as a time series, as --series would; its spectrum is Welch's"
    return [dataclasses.replace(found, warnings=(note, *found.warnings))]


def _progress(share: float) -> None:
    end = "\n" if share >= 1 else ""
    print(f"\rthresholds for this kind of spectrum, once: {share:4.0%}", end=end, file=sys.stderr, flush=True)


def _count(detection) -> str:
    flags = detection.flags
    return f"{len(flags)} flagged range{'' if len(flags) == 1 else 's'}" if flags else "nothing flagged"
