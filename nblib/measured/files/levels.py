"""From what was written - power, amplitude or decibels, in any unit of frequency - to power per Hz on an axis in Hz."""

import re

import numpy as np
from numpy import ndarray

from nblib.measured.files.fills import fill_value, overloads
from nblib.measured.files.formats import Raw, Refusal
from nblib.measured.files.headers import axis_line, level_line, sampling_rate, stated
from nblib.measured.files.units import (
    BRACKETS,
    HERTZ,
    NAMED_AMPLITUDE,
    QUESTION,
    Level,
    hertz_per_unit,
    level_of,
    names_other_unit,
    power_unit,
)

MOST_TURNS = 0.1  # share of neighbours of different sign: decibels change sign less often than samples
MOST_DB = 400.0
MOST_SAMPLE = 1e9  # larger samples than a converter gives
LARGEST_DB = 1e-3  # decibels that all lie this close to 0 are not decibels


def ask_sign(values: ndarray) -> str:
    """What negative values may be, and what to give for each: samples, decibels, a difference of spectra."""
    values = values[np.isfinite(values)]
    turns = float((np.diff(np.sign(values)) != 0).mean()) if len(values) > 1 else 0.0
    flat = np.ptp(values) < 3.0
    samples, decibels = "Samples of a time series? load_series reads them. ", ""
    if turns < MOST_TURNS and not flat and np.abs(values).max() < MOST_DB:
        decibels = "Decibels? Give db=True. "
    first, second = (decibels, samples) if (values < 0).all() else (samples, decibels)
    floor = "A floor was subtracted? Give the spectrum as measured and floor=FILE, or write nan where nothing is left"
    return f"{first}{second}{floor}"


def split_units(unit) -> tuple[str | None, str | None]:
    """(unit of the frequency axis, unit of the level) from the option `unit`: "kHz", "V^2/Hz" or both, "kHz,V^2/Hz".

    Raises
    ------
    Refusal for what is neither
    """
    axis = level = None
    for part in [] if unit is None else _unit_parts(unit) if isinstance(unit, str) else list(unit):
        if HERTZ.fullmatch(part):
            axis = part
        elif level_of(part).kind or HERTZ.search(part):
            level = part
        else:
            hertz_per_unit(part)  # its refusal names the conversion
            raise Refusal(
                f"unit={part!r} is neither a unit of frequency (Hz, kHz ...) nor of a spectrum (V^2/Hz, nV/sqrt(Hz), "
                "dBm/Hz ...); of both, write unit='kHz,V^2/Hz'"
            )
    return axis, level


def _unit_parts(text):
    """Units between commas; a blank serves where the unit of the axis stands first or last."""
    parts = []
    for part in filter(None, map(str.strip, text.split(","))):
        first, _, rest = part.partition(" ")
        before, _, last = part.rpartition(" ")
        if HERTZ.fullmatch(first) and rest:
            parts += [first, rest.strip()]
        elif HERTZ.fullmatch(last) and re.search(r"(?:Hz|dB)\S*\s*$", before):
            parts += [before.strip(), last]
        else:
            parts.append(part)
    return parts


def mark_missing(raw: Raw) -> None:
    """raw.valid is False where the value is not a number, an overload or a fill value; raw.values stay as they are."""
    if isinstance(raw.values, np.memmap):
        return  # many spectra on disk: looked at a block at a time, later
    values = raw.values = np.atleast_2d(raw.values)
    valid = np.isfinite(values)
    if raw.valid is not None:
        valid = valid & np.broadcast_to(raw.valid, values.shape)
    valid &= ~overloads(values, valid)
    for row, good in zip(values, valid, strict=True):
        fill = fill_value(row[good])
        if fill is not None:
            raw.notes.append(f"{int((row[good] == fill).sum())} values are {fill:.6g}, a fill value: read as missing")
            good &= row != fill
    raw.valid = valid


def to_hertz(raw: Raw, unit: str | None) -> None:
    """Scale raw.freqs to Hz by the option, the heading or a line of the header."""
    text = unit or raw.freq_label
    factor = hertz_per_unit(text)
    if factor is None and not unit:
        text = axis_line(raw.header)
        factor = hertz_per_unit(text) if text else None
        if factor is None and names_other_unit(raw.freq_label):
            raw.notes.append(
                f"the heading {raw.freq_label.strip()!r} names no known unit of frequency: read as Hz (else "
                "give unit='kHz' or another)"
            )
    raw.freqs = np.asarray(raw.freqs, dtype=np.float64) * (factor or 1.0)
    if factor not in (None, 1.0):
        raw.notes.append(f"frequencies in {text.strip()!r} are scaled to Hz (times {factor:g})")


def check_span(raw: Raw) -> None:
    """Say so when the axis does not fit what the header states about it."""
    top = float(raw.freqs[-1])
    stop = stated(raw.header, r"stop|end(?![a-z])|f.?max|max.*freq|upper")
    rate = sampling_rate(raw.header)
    if stop and not 0.9 < top / stop < 1.1:
        raw.notes.append(
            f"the header states a span up to {stop:g} Hz, but the axis ends at {top:g} Hz: another unit? unit='kHz' or "
            "unit='MHz' decides"
        )
    if rate and top > 0.51 * rate:
        raw.notes.append(
            f"the axis ends at {top:g} Hz, above half the sampling rate of {rate:g} Hz that the header states"
        )
    if top > 1e13 or top < 1e-7:
        raw.notes.append(
            f"the axis ends at {top:g} Hz: does the unit of the frequency fit? unit='kHz' decides otherwise"
        )


def to_power(raw: Raw, asd: bool | None, db: bool | None, unit: str | None, file: str = "") -> str | None:
    """Convert raw.values to power; returns its unit or None.

    Parameters
    ----------
    asd, db : True or False decide; None = the option `unit`, the heading or the header decide
    file : its name; one that says ASD where nothing in it does is asked about

    Raises
    ------
    Refusal, an error that asks, where the file cannot tell
    """
    level = level_of(unit) if unit else level_of(raw.label)
    if level.kind is None and not unit:
        level = level_line(raw.header)
    elif level.kind == "psd" and level.unit is None and not unit and level_line(raw.header).kind == "psd":
        level = level_line(raw.header)  # the heading says "PSD", a line above it the unit
    if asd is None and db is None and not unit and NAMED_AMPLITUDE.search(file):
        _name_says_amplitude(level, raw)
    kind = _decided(level, asd, db, raw)
    if kind == "db":
        return _from_decibels(raw, level)
    if kind == "asd":
        return _from_amplitude(raw, level)
    if level.kind == "power":
        raw.notes.append(
            f"the unit {level.unit} is a power, not a density: levels depend on the bin width, flags do not"
        )
    if asd is None and db is None and level.kind is None:
        _ask_level(raw)
        if any(re.search(r"[^\W\d_]|%", match.group(1)) for match in BRACKETS.finditer(raw.label)):
            raw.notes.append(f"the heading {raw.label!r} has no known unit: read as power (asd=True squares it)")
        else:
            raw.notes.append("nothing says whether the values are amplitudes: read as power (asd=True squares them)")
    return level.unit if level.kind in ("psd", "power") else unit


def _ask_level(raw):
    """Values of a size that nobody's noise power has, and that vary little, may be decibels or samples."""
    values = np.asarray(raw.values[0], float)[np.asarray(raw.valid[0])] if raw.valid is not None else np.zeros(0)
    if len(values) <= 8 or values.min() <= 0:
        return
    low, high = values.min(), values.max()
    if high < MOST_SAMPLE and ((low > 3 and 1.05 < high / low < 5) or (low > 1e-3 and 1 < high / low < 1.5)):
        decibels = "Decibels? Give db=True. " if high < MOST_DB else ""
        raise Refusal(
            f"all values lie in {low:.4g}..{high:.4g} and no heading says what they are. {decibels}Samples of a time "
            "series? load_series reads them. Power? Give db=False"
        )


def _name_says_amplitude(level, raw):
    """A name and a heading that contradict each other: only a unit settles it."""
    if level.kind == "psd" and level.unit and "/" in level.unit:
        raw.notes.append(f"the file's name says amplitude density; read as {level.unit}, as the file itself says")
    elif level.kind in (None, "psd"):
        heading = f" beside its heading {raw.label!r}" if raw.label else ""
        raise Refusal(f"its name says amplitude density{heading}, which states no unit: {QUESTION}")


def _decided(level: Level, asd, db, raw):
    """ "db", "asd" or "psd" """
    if db or (db is None and level.kind == "db"):
        if db or not _tiny(raw):
            if asd:
                raw.notes.append(
                    "decibels are not squared: 20 lg of an amplitude is 10 lg of its power (not decibels: db=False)"
                )
            return "db"
        raw.notes.append(
            f"the header says decibels, but every value lies within {LARGEST_DB:g} of 0: read as they stand "
            "(decibels: db=True)"
        )
        return "asd" if asd else "psd"
    if asd:
        if level.kind in ("psd", "power"):
            raw.notes.append(f"values are squared as asked, although the file says {level.unit or raw.label!r}")
        return "asd"
    if level.kind == "asd":
        if asd is None:
            return "asd"
        raw.notes.append(f"values are read as power as asked, although the file says {level.unit or raw.label!r}")
    if level.kind == "log" and asd is None and db is None:
        raise Refusal(f"the column {raw.label!r} holds logarithms; export plain values")
    if level.kind == "ask" and asd is None and db is None:
        raise Refusal(f"the heading {raw.label or level.unit!r} leaves open what the values are: {QUESTION}")
    return "psd"


def _tiny(raw):
    values = np.abs(raw.values[raw.valid]) if raw.valid is not None else np.abs(raw.values)
    return values.size > 0 and float(values.max()) < LARGEST_DB


def _from_decibels(raw, level):
    values = np.where(raw.valid, raw.values, np.nan) if raw.valid is not None else np.asarray(raw.values, np.float64)
    if np.nanmax(np.abs(values), initial=0.0) > 3000:
        raise Refusal(f"a level of {np.nanmax(np.abs(values)):g} is not in decibels; is it the right column?")
    raw.values = 10.0 ** (values / 10)
    raw.notes.append("decibels are converted to power, 10^(dB/10)" + (f" ({level.unit})" if level.unit else ""))
    return power_unit(level) if level.kind == "db" else None


def _from_amplitude(raw, level):
    values = np.where(raw.valid, raw.values, np.nan) if raw.valid is not None else np.asarray(raw.values, np.float64)
    if (values < 0).any():
        raise Refusal(
            f"{int((values < 0).sum())} amplitudes are negative; an amplitude density is not. {ask_sign(values)}"
        )
    raw.values = values**2
    lost = (raw.values == 0) & (values > 0)
    if lost.any() or np.isinf(raw.values).any():
        raise Refusal(
            "the squares of these amplitudes do not fit a float64; export them in another unit, e.g. nV instead of V"
        )
    raw.notes.append("amplitude density is squared to power" + (f" ({level.unit})" if level.unit else ""))
    return power_unit(Level("asd", level.unit)) if level.kind in ("asd", "ask") else None
