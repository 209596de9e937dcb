"""What the commands of this room ask for: how files are read, which bins are dropped, what is fitted."""

import argparse
import dataclasses
import warnings
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from jaxtyping import Float
from numpy import ndarray

from nblib.measured.advice import as_options
from nblib.measured.detector import NoiseDetector
from nblib.measured.files.readers import IsSeries, load_series, load_spectra
from nblib.measured.flags import Flag
from nblib.measured.measurement import Measurement, from_series, from_spectra
from nblib.measured.result import Detection
from nblib.workbench.fit import GAMMA, fit_spectrum
from nblib.workbench.given_flags import dropped
from nblib.workbench.result import Fit

FITTING = (  # options that a fit depends on
    *("drop", "false_alarm", "network", "segments", "window", "overlap", "lorentzians", "gamma", "span"),
    *("floor", "current", "gm", "column", "unit"),
)
TYPED = {"span": "range"}  # otherwise than the value is called


@dataclasses.dataclass(frozen=True, eq=False)
class Fitted:
    """A spectrum of a file, what was dropped and what was fitted.

    Attributes
    ----------
    flags : by frequency, of --drop auto or its table
    detection : whose flags they are, else None
    """

    measured: Measurement
    flags: tuple[Flag, ...]
    fit: Fit
    notes: tuple[str, ...]
    detection: Detection | None = None


def add_options(parser: argparse.ArgumentParser) -> None:
    """The options that every command of this room takes."""
    parser.add_argument(
        "--out", type=Path, metavar="DIR", help="where results go; default: nblib-results beside what is read"
    )
    parser.add_argument("--json", action="store_true", help="print the result as JSON and write nothing")
    parser.add_argument(
        "--drop",
        default="auto",
        metavar="WHAT",
        help="auto (what nblib detect flags), none, or a table of flags (.csv): one that nblib detect wrote is "
        "treated as auto is, one of your own (columns fmin, fmax) is taken exactly",
    )
    parser.add_argument("--false-alarm", type=float, default=0.01, metavar="P", help="of the flags, up to 0.5 (0.01)")
    parser.add_argument(
        "--network", action=argparse.BooleanOptionalAction, default=True, help="flags with the network, or without"
    )
    parser.add_argument(
        "--segments", type=float, metavar="K", help="effective averages; with --window the number that was averaged"
    )
    parser.add_argument("--window", metavar="NAME", help="of the segments (hann, blackmanharris ...)")
    parser.add_argument("--overlap", type=float, metavar="SHARE", help="of the segments, below 1")
    parser.add_argument("--lorentzians", default="auto", metavar="N", help="auto, or their number")
    parser.add_argument("--gamma", default=f"{GAMMA[0]}:{GAMMA[1]}", metavar="LO:HI", help="exponents of the power law")
    parser.add_argument("--range", dest="span", metavar="F1:F2", help="frequencies used, Hz")
    parser.add_argument(
        "--floor", type=Path, metavar="FILE", help="measured floor of the instrument, a known part of S"
    )
    parser.add_argument("--current", type=float, metavar="I", help="ampere: S_I / I^2 is fitted")
    parser.add_argument("--gm", type=float, metavar="S", help="siemens: S_I / gm^2 is fitted, referred to the gate")
    parser.add_argument("--column", metavar="NAME", help="which spectrum, as of nblib detect")
    parser.add_argument("--unit", help="unit of the frequencies, of the level, or both, as of nblib detect")


@contextmanager
def told_as_options() -> Iterator[None]:
    """What is refused inside, in the words of a command line: out=DIR becomes --out DIR."""
    try:
        yield
    except ValueError as error:
        raise ValueError(as_options(str(error))) from error


def detector_of(options) -> NoiseDetector:
    """What flags, where --drop is auto."""
    return NoiseDetector(network=options.network)


def checked(options) -> None:
    """Turn texts of options into numbers, in place; raises ValueError for what is none."""
    options.gamma = _pair(options.gamma, "--gamma", "0.8:1.2")
    options.span = None if options.span is None else _pair(options.span, "--range", "1:10000")
    if options.lorentzians == "auto":
        options.lorentzians = None
    elif not options.lorentzians.isdecimal():
        raise ValueError(f"--lorentzians {options.lorentzians} must be auto or a whole number")
    else:
        options.lorentzians = int(options.lorentzians)
    if options.current is not None and options.gm is not None:
        raise ValueError("--current and --gm are two ways to scale S_I; give one")
    for name in ("current", "gm"):
        value = getattr(options, name)
        if value is not None and not (np.isfinite(value) and value != 0):
            raise ValueError(f"--{name} {value:g} must be a number other than 0")


def _pair(text, option, example):
    parts = text.split(":")
    try:
        low, high = map(float, parts)
    except ValueError:
        raise ValueError(f"{option} {text} must be two numbers with a colon between them, such as {example}") from None
    return low, high


def settings(options) -> dict:
    """Options as they stand in a record."""
    found = {name: getattr(options, name) for name in FITTING}
    found |= {"floor": None if options.floor is None else str(options.floor), "gamma": list(options.gamma)}
    return found | {"span": None if options.span is None else list(options.span)}


def changed(options) -> list[str]:
    """Options of a fit that differ from what they are by default, as they are typed."""
    parser = argparse.ArgumentParser()
    add_options(parser)
    usual = parser.parse_args([])
    checked(usual)
    before, now = settings(usual), settings(options)
    return [f"--{TYPED.get(name, name).replace('_', '-')}" for name in now if now[name] != before[name]]


def without_tables(paths: Iterable[Path], options) -> list[Path]:
    """The files without those that an option names: a floor, flags, temperatures."""
    named = [options.floor, getattr(options, "temperatures", None)]
    named += [] if options.drop in ("auto", "none") else [Path(options.drop)]
    others = {path.resolve() for path in named if path is not None}
    return [path for path in paths if path.resolve() not in others]


def fitted(path: Path, options, detector: NoiseDetector) -> list[Fitted]:
    """Every spectrum of a file, fitted; raises ValueError for what cannot be read or fitted."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # what was converted or looks odd is in the measurement
        measurements = _read(path, options)
        floor = None if options.floor is None else load_spectra(options.floor, unit=options.unit)
    return [_fitted(one, options, detector, floor) for one in measurements]


def _read(path, options) -> list[Measurement]:
    if not path.is_file():
        raise ValueError(f"{path} {'is a folder; name its files' if path.is_dir() else 'is not there'}")
    try:
        return from_spectra(path, load_spectra(path, column=options.column, unit=options.unit))
    except IsSeries:
        return [from_series(path, load_series(path, None, options.column))]


def _fitted(measured, options, detector, floor) -> Fitted:
    segments = measured.n_segments if options.segments is None else options.segments
    left = dropped(measured, segments, options, detector)
    scale, unit = _scaled(options, measured.unit)
    known = None if floor is None else scale * _floor(measured, floor)
    fit = fit_spectrum(
        measured.freqs,
        scale * measured.psd,
        segments,
        left.keep,
        floor=known,
        lorentzians=options.lorentzians,
        gamma=options.gamma,
        span=options.span,
        window=options.window,
        overlap=options.overlap,
        unit=unit,
    )
    notes = [*map(as_options, measured.warnings), *left.notes, *fit.warnings]
    return Fitted(measured, left.flags, fit, tuple(dict.fromkeys(notes)), left.detection)


def _scaled(options, unit) -> tuple[float, str | None]:
    """Factor on the PSD, and its unit."""
    if options.current is None and options.gm is None:
        return 1.0, unit
    if unit is not None and not unit.startswith("A^2"):
        raise ValueError(f"--current and --gm divide a PSD of current (A^2/Hz); this one is in {unit}")
    if options.current is not None:
        return 1 / options.current**2, "1/Hz"
    return 1 / options.gm**2, "V^2/Hz"


def _floor(measured, floor) -> Float[ndarray, " bin"]:
    """The floor at the spectrum's frequencies, interpolated in ln-ln; NaN beyond its span."""
    if len(floor.psd) != 1:
        raise ValueError(f"the floor {floor.source} holds {len(floor.psd)} spectra; give a file with one")
    if floor.unit and measured.unit and floor.unit != measured.unit:
        raise ValueError(f"the floor {floor.source} is in {floor.unit}, the spectrum in {measured.unit}; use one unit")
    known = floor.valid[0] & (floor.freqs > 0)
    axis = np.log(np.maximum(measured.freqs, np.finfo(float).tiny))
    logs = np.interp(axis, np.log(floor.freqs[known]), np.log(floor.psd[0, known]), left=np.nan, right=np.nan)
    return np.exp(logs)
