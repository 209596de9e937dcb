"""When the samples of a table were taken: by a column of times or counts, or by its header; and what is a series."""

import re
from dataclasses import dataclass

import numpy as np
from numpy import ndarray

from nblib.measured.files.formats import IsSeries, Refusal
from nblib.measured.files.headers import SECONDS, SERIES, axis_line, sampling_rate
from nblib.measured.files.units import BRACKETS, HERTZ, level_of

TIME = re.compile(
    r"^\W*(?:(?-i:t)(?:[\s_(\[/,]|$)|t\W*[(\[][mun]?s[)\]]|time|zeit|sekunden|segundos|秒|temps|tiempo|tempo|czas|врем|时间|時間|时刻|時刻|시간|timestamp|stamp|(?-i:ts?)[\s_]*$|date|uhrzeit|clock"
    r"|.*[\s_]time\W*$|seconds?\b|secs?\b|(?-i:m?s)$|millis|micros|epoch|unix|elapsed|horodat|fecha|utc|gps)",
    re.IGNORECASE,
)
IN_SECONDS = re.compile(r"[(\[,]\s*(?:[munµμ]?s|m?sec|seconds?|min|h)\s*[)\]]?\s*$")  # whatever the word before it
OTHER_TIME = re.compile(r"p[eé]riod|tau|lag|delay|averaging|τ", re.IGNORECASE)
COUNTER = re.compile(
    r"^\W*(?:count(?:er)?|num(?:ber)?|№|n[°º]|序号|номер|seq(?:uence)?|samples?|packets?|frames?|scans?|ticks?|points?|records?)"
    r"(?:[\s_.-]*(?:no|nr|num|number|index|idx|id|#)\.?)?\W*$",
    re.IGNORECASE,
)
FREQUENCY_WORD = re.compile(
    r"fr[eé]q|fre[ck][uvw]|frekans|周波数|频率|頻率|주파수|cz[eę]st|частот|συχν|תדר|(?:^|[\s(\[_/,])[uµμmkMGT]?Hz\W*$"
    r"|(?-i:^\W*f\d*(?:[\s_(\[,/]|$))",  # F is a force
    re.IGNORECASE,
)
X_UNIT = re.compile(r"(?:horizontal|(?<!\w)x)[\s_.-]*(?:axis)?[\s_.-]*units?\W+(\w+)", re.IGNORECASE)
EPOCH = ((1e17, 1e-9), (1e14, 1e-6), (1e11, 1e-3), (9e8, 1.0))  # stamps since 1970: at least this large, unit in s
JITTER = 0.5  # of the sampling interval: more is not regular sampling
FEW_GAPS = 0.1  # of the steps may be pauses
FEW = 20  # values
SLOWEST, FASTEST, FASTEST_UNSTATED = 1e-3, 1e10, 1e6  # Hz; other rates are noted as implausible


@dataclass(frozen=True)
class Clock:
    """column : position of the times or the counter, None = none; rate : Hz, 0 = not stated; breaks : after pauses."""

    column: int | None = None
    rate: float = 0.0
    breaks: tuple[int, ...] = ()


def names_a_time(label: str) -> bool:
    """True for a heading with a word for time, or any with a unit of it that is not a period or a lag."""
    return bool((TIME.match(label) or IN_SECONDS.search(label)) and not OTHER_TIME.search(label))


def counts(values: ndarray) -> bool:
    """True for whole numbers that go up by one."""
    return len(values) > 1 and bool(values[0] % 1 == 0 and (np.diff(values) == 1).all())


def _counts_mostly(values):
    """Goes up by one, with a few jumps: packets were lost, or the counter starts again."""
    return len(values) > 8 and float((np.diff(values) == 1).mean()) > 1 - FEW_GAPS


def names_an_axis(label: str) -> bool:
    """True for a heading with a word for frequency, a unit of it, or f; x and F do not suffice."""
    return bool(FREQUENCY_WORD.search(label)) and level_of(label).kind not in ("psd", "asd", "db")


def why_series(values: ndarray, names, header, filled) -> str | None:
    """What shows that a table holds a time series, or None where nothing does.

    Parameters
    ----------
    filled : positions of columns that hold numbers

    Raises
    ------
    Refusal, an error that asks, where stamps may be frequencies
    """
    axis, line = names[filled[0]], _first_word(header, values.shape[1])
    if names_an_axis(axis) or (not names_a_time(axis or line) and axis_line(header)):
        return None
    at = time_column(values, names, filled)
    first, label = values[:, at], names[at]
    others = [names[other] for other in filled if other != at]
    if names_a_time(label) and not (len(filled) > 2 and any(map(names_an_axis, others))):
        return f"its {'first column' if at == filled[0] else f'column {at + 1}'} is {label!r}"
    if not any(names) and len(filled) > 2 and TIME.match(line):
        return f"the line above its numbers begins with {line!r}"
    rate, lines = sampling_rate(header), [line for line in header if SERIES.search(line)]
    if any(names_an_axis(name) or level_of(name).kind in ("psd", "asd", "db") for name in others):
        return None
    if lines:
        return f"its header says {lines[0].strip()[:40]!r}"
    if _counts_mostly(first) and COUNTER.match(label):
        return f"its first column {label!r} counts the samples"
    since_1970 = any(9e8 <= first[0] * unit < 2.2e9 for _, unit in EPOCH)  # 1998 to 2039
    if since_1970 and not np.isnan(first).any() and (np.diff(first) >= 0).all():
        if first[0] >= 1e11:
            return "its first column holds stamps since 1970"
        if first[-1] - first[0] < 1e8:
            raise Refusal(
                f"column 1 begins with {first[0]:.10g}: seconds since 1970, or frequencies? Give it the heading "
                "'time (s)' or 'frequency (Hz)'"
            )
    if rate and (not label or counts(first)) and first[-1] > 0.51 * rate:
        return f"its header states {rate:g} samples a second, and column 1 goes on above half of that"
    if re.search(r"(?m)^\W*(?:sample )?interval\s*=", "\n".join(header), re.IGNORECASE):
        return "its header states an interval between samples"
    return None


def _first_word(header, width) -> str:
    """Of a line of headings that was taken for settings, as a spectrogram's is: "time, 1 Hz, 2 Hz"."""
    cells = re.split(r"[,;\t]", header[-1]) if header else []
    return cells[0].strip('#%* "') if len(cells) == width else ""


def time_column(values: ndarray, names, among) -> int:
    """The first column that is named a time and goes on, else the first of all that does not hold one value."""
    for at in among:
        steps = np.diff(values[:, at])
        if names_a_time(names[at]) and steps.any() and (at == among[0] or (steps >= 0).all()):
            return at
    return next((at for at in among if len(np.unique(values[np.isfinite(values[:, at]), at][:100])) > 1), among[0])


def clock_of(values: ndarray, names, header, notes: list[str], rate: float | None) -> Clock:
    """The column of times, or a counter, and the rate that it or the header states.

    Parameters
    ----------
    rate : as asked for, Hz; None = the file decides

    Raises
    ------
    IsSeries where the times do not tell a rate, with the reason
    """
    stated, width = sampling_rate(header), values.shape[1]
    at = time_column(values, names, range(width))
    label, first = names[at], values[:, at]
    if COUNTER.match(label) and _counts_mostly(first) and not counts(first):
        notes.append(f"column {at + 1} {label!r} counts with jumps and is left out: lost samples, or it starts again")
        return Clock(at, stated)
    if width < 2 or len(first) < 2:
        return Clock(None, stated)
    steps = np.diff(first)
    rising = bool(np.isfinite(steps).all() and ((steps >= 0).all() or (steps <= 0).all()) and first[0] != first[-1])
    unit = _unit_of_time(label) or next(
        (_unit_of_time(f"({match[1]})") for match in map(X_UNIT.search, header) if match), None
    )
    is_time = names_a_time(label) or (rising and bool(re.match(r"x[\s_-]*(?:value|axis)?\W*$", label, re.IGNORECASE)))
    if counts(first) and unit is None and abs(first[0]) < EPOCH[-1][0]:
        if not is_time or (stated and abs(stated - 1) > 0.01):
            notes.append(f"column {at + 1} {label!r} counts the samples and is left out")
            return Clock(at, stated)
        if not rate:
            raise IsSeries(f"column {at + 1} {label!r} goes up by one: seconds, or a counter? Give rate=HZ")
    if not (is_time or (rising and (not label or (abs(first[0]) >= EPOCH[-1][0] and not names_an_axis(label))))):
        return Clock(None, stated)
    if not is_time and not unit and (first % 1 == 0).all() and abs(first[0]) < EPOCH[-1][0] and not stated:
        if not rate:
            raise IsSeries(f"column {at + 1} has no heading and goes up by {steps[0]:g}: give rate=HZ")
        return Clock(at, 0.0)
    if rate and (steps == 0).any():
        return Clock(at, 0.0)
    per_unit, breaks = rate_of(first)
    return Clock(at, _in_hertz(per_unit, first, label, unit, at, stated, notes), breaks)


def _in_hertz(per_unit, times, label, unit, at, stated, notes):
    """The rate in Hz, with notes on the unit that was taken and on what contradicts it."""
    named = f"column {at + 1}{f' {label.strip()!r}' if label.strip() else ''}"
    size = next((seconds for least, seconds in EPOCH if abs(times[0]) >= least), None)
    if unit is not None and size is not None and size < unit:
        raise IsSeries(f"{named} holds {times[0]:.10g}, too large for its unit; correct the heading, or give rate=HZ")
    fastest = FASTEST if unit or size else FASTEST_UNSTATED
    if unit is None:
        unit = size or 1.0
        word = {1.0: "seconds", 1e-3: "ms", 1e-6: "us", 1e-9: "ns"}[unit]
        notes.append(f"{named} is read as the time in {word}{' since 1970' if size else ''}; it states no unit")
    rate = per_unit / unit
    if stated and abs(stated / rate - 1) > 0.01:
        notes.append(f"the header states {stated:g} samples a second, the times {rate:g}; the times are used")
    if not SLOWEST < rate < fastest:
        notes.append(f"{rate:g} samples a second are implausible: does the unit of the times fit? rate=HZ decides")
    return rate


def _unit_of_time(label) -> float | None:
    """Seconds in the unit that a heading states: in brackets, after a slash, a comma or _, or as its only word.

    Raises
    ------
    IsSeries for a unit in brackets that is not one of time
    """
    bracket = BRACKETS.search(label)
    word = (bracket.group(1) if bracket else re.split(r"[_/,\s]", label.strip())[-1]).strip()
    seconds = SECONDS.get(word, SECONDS.get(word.lower()))
    if (
        bracket
        and seconds is None
        and word
        and TIME.match(label)
        and not HERTZ.search(word)
        and not re.search("[-:%]|utc", word, re.I)
    ):
        raise IsSeries(f"its times are in {word!r}, which is not known; give rate=HZ")
    return seconds


def rate_of(times: ndarray) -> tuple[float, tuple[int, ...]]:
    """Samples a unit of time, and the first samples after pauses.

    Raises
    ------
    IsSeries where the times repeat, go back, or leave a straight line by half a sample or their digits
    """
    steps = np.diff(times)
    if len(steps) and (steps < 0).all():
        times, steps = -times, -steps
    repeated = int((steps == 0).sum())
    if not np.isfinite(times).all() or not len(steps) or (steps < 0).any():
        at = int(np.argmax(~np.isfinite(times))) if not np.isfinite(times).all() else int(np.argmax(steps < 0)) + 1
        raise IsSeries(f"its times do not go on at sample {at + 1} ({times[at]:g}): several records? Export one")
    if repeated:
        at = int(np.argmax(steps == 0))
        raise IsSeries(
            f"{repeated} of its times repeat, first {times[at]:g} (samples {at + 1} and {at + 2}): written with "
            "too few digits, or samples come in packets. Give rate=HZ"
        )
    width = (times[-1] - times[0]) / len(steps)
    digit = last_digit(times)
    off = np.abs(times - times[0] - width * np.arange(len(times)))
    if off.max() <= max(JITTER * width, 1.01 * digit):
        return 1.0 / width, ()
    usual = float(np.median(steps))
    pauses = np.abs(steps - usual) > max(JITTER * usual, 2.02 * digit)
    if pauses.mean() < FEW_GAPS and (steps[pauses] > usual).all() and (~pauses).sum() >= 15:
        inner = float(steps[~pauses].mean())
        if np.abs(steps[~pauses] - inner).max() <= max(JITTER * inner, 2.02 * digit):
            return 1.0 / inner, tuple((np.flatnonzero(pauses) + 1).tolist())
    at = int(np.argmax(off))
    raise IsSeries(
        f"the time axis is not regular: sample {at + 1} is at {times[at]:g}, {off[at]:g} off; resample it first"
    )


def last_digit(values: ndarray, largest: int = 0) -> float:
    """Unit of the last digit that values were written with, at most 10^largest; 0 for more than 11 decimals."""
    closeness = 1e-13 * max(1.0, abs(values[-1]))
    for digits in range(-largest, 12):
        if all(  # a few first: most numbers of digits are too few for them
            np.allclose(part, np.round(part, digits), rtol=0, atol=closeness) for part in (values[:FEW], values)
        ):
            return 10.0**-digits
    return 0.0
