"""What the commands of this room ask for: how files are read, which bins are dropped, what is fitted."""

import argparse
import dataclasses
import re
import warnings
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from jaxtyping import Float
from numpy import ndarray

from nblib.measured.advice import as_options
from nblib.measured.command import add_reading
from nblib.measured.detector import NoiseDetector
from nblib.measured.files.readers import Spectra, load_spectra
from nblib.measured.flags import Flag
from nblib.measured.measurement import Measurement
from nblib.measured.result import Detection
from nblib.measured.settings import READING, Settings
from nblib.workbench.fit import GAMMA, fit_spectrum
from nblib.workbench.given import check_options
from nblib.workbench.given_flags import dropped
from nblib.workbench.result import Fit

FITTING = (  # options that a fit depends on
    *("drop", "false_alarm", "network", "segments", "window", "overlap", "lorentzians", "gamma", "span"),
    *("floor", "current", "gm", "column", "asd", "db", "unit", "which_span", "series", "rate", "resolution"),
)
TYPED = {"span": "range", "which_span": "span"}  # otherwise than the value is called
OWN = re.compile(  # of what a fit or an energy refuses: "gamma=(2.0, 1.0) must be"
    r"(?<![\w.-])(?P<name>lorentzians|gamma|gamma_n|span|window|overlap|t_power|prefactor|temperature)="
    r"(?:\((?P<low>[^,()]+), (?P<high>[^,()]+)\))?"
)


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
    add_reading(parser, "which_span")


@contextmanager
def told_as_options() -> Iterator[None]:
    """What is refused inside, in the words of a command line, as of `as_typed`."""
    try:
        yield
    except ValueError as error:
        raise ValueError(as_typed(str(error))) from error


def as_typed(text: str) -> str:
    """What a reader, a fit or an energy refuses, as options: gamma=(2.0, 1.0) becomes --gamma 2.0:1.0."""

    def option(match):
        name = TYPED.get(match["name"], match["name"]).replace("_", "-")
        return f"--{name} {match['low']}:{match['high']}" if match["low"] else f"--{name} "

    return OWN.sub(option, as_options(text)).replace("None: it is chosen", "auto")


def detector_of(options) -> NoiseDetector:
    """What flags, where --drop is auto."""
    return NoiseDetector(network=options.network)


def checked(options) -> None:
    """Turn texts of options into numbers, in place; raises ValueError for what is not a number."""
    options.gamma = _pair(options.gamma, "--gamma", "0.8:1.2")
    options.span = None if options.span is None else _pair(options.span, "--range", "1:10000")
    if options.span is not None and not 0 <= options.span[0] < options.span[1]:
        raise ValueError("--range {:g}:{:g} must be a lowest and a highest frequency in Hz".format(*options.span))
    if options.lorentzians == "auto":
        options.lorentzians = None
    elif not options.lorentzians.isdecimal():
        raise ValueError(f"--lorentzians {options.lorentzians} must be auto or a whole number")
    else:
        options.lorentzians = int(options.lorentzians)
    check_options(options.lorentzians, options.gamma)
    Settings(n_segments=options.segments, false_alarm=options.false_alarm, floor=options.floor)
    _reading(options)
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
    record = {name: getattr(options, name) for name in FITTING} | {"series": options.series or None}
    record |= {"floor": None if options.floor is None else str(options.floor), "gamma": list(options.gamma)}
    return record | {"span": None if options.span is None else list(options.span)}


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
    measurements = _reading(options).spectra_of_file(path)
    floor = None if options.floor is None else _floor_of(options)
    return [_fitted(one, options, detector, floor) for one in measurements]


def _reading(options) -> Settings:
    """How a file is read; raises ValueError for what makes no sense."""
    names = ("column", "asd", "db", "unit", "series", "rate", "resolution")
    return Settings(span=options.which_span, **{name: getattr(options, name) for name in names})


def _floor_of(options) -> Spectra:
    """The measured floor, read as the spectra are."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        settings = _reading(options)
        floor = load_spectra(options.floor, **{name: getattr(settings, name) for name in READING if name != "column"})
    if len(floor.psd) != 1:
        raise ValueError(f"the floor {floor.source} holds {len(floor.psd)} spectra; give a file with one")
    return floor


def _fitted(measured, options, detector, floor) -> Fitted:
    segments = measured.n_segments if options.segments is None else options.segments
    _check_range(measured, options.span)
    scale, unit = _scaled(options, measured.unit)
    known, span = None, options.span
    beyond: list[str] = []
    if floor is not None:
        known, (low, high), beyond = _floor(measured, floor)
        known = scale * known
        span = (low, high) if span is None else (max(low, span[0]), min(high, span[1]))
    left = dropped(measured, segments, options, detector)
    fit = fit_spectrum(
        measured.freqs,
        scale * measured.psd,
        segments,
        left.keep,
        floor=known,
        lorentzians=options.lorentzians,
        gamma=options.gamma,
        span=span,
        window=options.window,
        overlap=options.overlap,
        unit=unit,
    )
    notes = [*map(as_typed, measured.warnings), *beyond, *left.notes, *map(as_typed, fit.warnings)]
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


def _check_range(measured, span) -> None:
    """Raise ValueError where --range lies beyond the spectrum."""
    low, high = measured.freqs[0], measured.freqs[-1]
    if span is not None and (span[0] > high or span[1] < low):
        asked = f"--range {span[0]:g}:{span[1]:g}"
        raise ValueError(f"{asked} holds no bin of this spectrum, which reaches from {low:g} to {high:g} Hz")


def _floor(measured, floor) -> tuple[Float[ndarray, " bin"], tuple[float, float], list[str]]:
    """The floor at the spectrum's frequencies, interpolated in ln-ln; where it ends, Hz; a note on bins beyond that."""
    if floor.unit and measured.unit and floor.unit != measured.unit:
        raise ValueError(f"the floor {floor.source} is in {floor.unit}, the spectrum in {measured.unit}; use one unit")
    known = floor.valid[0] & (floor.freqs > 0)
    axis = np.log(np.maximum(measured.freqs, np.finfo(float).tiny))
    logs = np.interp(axis, np.log(floor.freqs[known]), np.log(floor.psd[0, known]), left=np.nan, right=np.nan)
    beyond = int((~np.isfinite(logs) & np.isfinite(measured.psd)).sum())
    ends = float(floor.freqs[known][0]), float(floor.freqs[known][-1])
    reach = "the floor {} reaches from {:g} to {:g} Hz".format(floor.source, *ends)
    if beyond == np.isfinite(measured.psd).sum():
        raise ValueError(f"{reach}, the spectrum from {measured.freqs[0]:g} to {measured.freqs[-1]:g} Hz")
    bins = f"{beyond} bin{'' if beyond == 1 else 's'}"
    return np.exp(logs), ends, [f"{reach}: {bins} of the spectrum beyond it are not used"] if beyond else []
