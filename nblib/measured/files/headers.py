"""What the lines above a table state: the columns' units, averages, spans; a value with its unit is a setting."""

import re
from collections.abc import Sequence

from nblib.measured.files.formats import Refusal
from nblib.measured.files.units import (
    AMPLITUDE_WORDS,
    DECIBELS,
    HERTZ,
    POWER_HERTZ,
    PREFIXES,
    ROOT_HERTZ,
    Level,
    level_of,
)

NUMBER = r"[+-]?\d[\d.,]*(?:[eE][+-]?\d+)?"
# the part of a unit that stands before its Hz: "nV/", "nV / ", "V "
UNIT_START = re.compile(r"(?:[^\s;,:=\"']+\s*[/·*]\s*|[fpnuµμmkM]?(?:V|A|Pa|T|W)(?:rms)?(?:\^2|²)?\s+)?[^\s;,:=\"']*$")
NUMBER_BEFORE = re.compile(rf"(?<![\w.^]){NUMBER}[\s;,:=\"']*$")
GLUED = re.compile(rf"[(\[]*{NUMBER}[fpnuµμmkMG]?(?:V|A|W|T|Pa|g|m/s|dB|Hz)")  # "4nV/", but no "300K_V/"
COLUMN_BEFORE = re.compile(
    r"(?:col(?:umn)?|ch(?:an(?:nel)?)?|trace|no|re|ref|rel|to|#)[\s.:]*\d+[\s;,:=\"']*$", re.IGNORECASE
)
NUMBER_AFTER = re.compile(rf"[^\s;,:=\"']*(?![^\s;,:=\"'])[\s)\]}}\"']*([:=]?)[\s;,\"']*{NUMBER}\s*([A-Za-z(\[]?)")
SETTINGS = re.compile(
    r"gain|atten|amplifier|preamp|filter|range|offset|sensitivity|calibrat|slope|threshold|margin|cut-?off|modulat"
    r"|carrier|limit|marker|roll-?off|ref\w*[\s_.-]*(?:level|lvl)|dB\s*/\s*(?:oct|dec)",
    re.IGNORECASE,
)
# words that may stand before the unit of the axis; "Sampling frequency in kHz" is a setting
AXIS = re.compile(
    r"[\W_]*(?:(?:x|f|fr[eé]q[^\W\d_]*|frecuen\w*|fre[kc]w?v?\w*|cz[eę]st\w*|частот\w*|abscissa|horizontal|axis|scale"
    r"|units?|dimension|label|title|values?|data|name|the|is|are|in|of|all|first|1st|(?:col(?:umn)?s?[\W_]*1?)|index|bin|1)[\W_]*)+",
    re.IGNORECASE,
)
AXIS_NAMED = re.compile(r"x|abscissa|horizontal|(?<![^\W_])f|cz|частот", re.IGNORECASE)
GROUPS = r"\d{1,3}(?:[ \u00a0\u202f'’]\d{3})+(?!\d)"
COUNT = rf"({GROUPS}|\d+(?:\.\d+)?[eE]\+?\d+|\d+)(?:\.0)?"
# what follows a count of averages: nothing, another cell, what was counted, or the next setting; never a unit
COUNT_END = (
    r"(?:\.(?!\d)|x\b)?(?![\w.])\s*[\"']?\s*(?:$|,(?!\d)|[;\t)\]|/(#%*!]|-\s|[A-Za-z]\w{3,}\s*[:=]"
    r"|(?:avg|averages?|averaged|spectra|segments?|blocks?|ffts?|frames?|records?|sweeps?|scans?|times|x|of|done"
    r"|completed|psd|rms|linear|exp\w*|overlap\w*|windows?|hann\w*|hamming|blackman\w*|flat\s?top)\b)"
)
AVERAGES = re.compile(
    r"(?<![A-Za-z])(?:n[\s_.-]*avg|n[\s_.-]*averages?|n[\s_.-]*segments?|navg"
    r"|(?:(?:number|num|no\.?|nr\.?|#)[\s_]*(?:of[\s_]*)?)?(?:fft|psd|rms|linear)?"
    r"[\s_]*(?:avg|avgs|averages?|averaging|segments?|mittelungen|moyennes)"
    r"(?:[\s_]*(?:count|number|no\.?|done|completed|n))?)"
    rf"[\"'\])]*\s*[:=;,\t ]+\s*[\"']?\s*{COUNT}{COUNT_END}",
    re.IGNORECASE,
)
EQUALS_K = re.compile(
    rf"(?:^|[#%*!;,(]|averages?|averaged|avg|segments?)\s*[Kk]\s*=\s*{COUNT}{COUNT_END}", re.IGNORECASE
)
QUANTITY = re.compile(r"([+-]?\d+(?:[.,]\d+)?(?:[eE][+-]?\d+)?)[\s;,\t\"']*([uµμmkKMGT]?)(?:Hz|HZ|hz)(?![A-Za-z])")
SECONDS = {
    **dict.fromkeys(("s", "sec", "secs", "second", "seconds"), 1.0),
    **dict.fromkeys(("ms", "msec", "millis", "milliseconds", "millisecond"), 1e-3),
    **dict.fromkeys(("us", "µs", "μs", "usec", "micros", "microseconds", "microsecond"), 1e-6),
    **dict.fromkeys(("ns", "nsec", "nanos", "nanoseconds", "nanosecond"), 1e-9),
    **dict.fromkeys(("min", "mins", "minutes"), 60.0),
    **dict.fromkeys(("h", "hr", "hours"), 3600.0),
    **dict.fromkeys(("d", "days"), 86400.0),
}
OF_TIME = "|".join(sorted(SECONDS, key=len, reverse=True))
OF_RATE = r"[kMG]?(?:Hz|hertz|sps|S/s|Sa/s|samples?/s(?:ec(?:ond)?)?|samples per second)"
VALUE = r"(?P<value>\d[\d.,]*(?:[eE][+-]?\d+)?|[.,]\d+(?:[eE][+-]?\d+)?)"
RATE = re.compile(
    r"(?:sampl\w*[\s_.-]*(?:rate|freq\w*)|abtast(?:rate|frequenz)|采样频?率|частота дискретизации"
    r"|fr[eé]quence d.[eé]chantillonnage|sampled[\s_]+at|data[\s_-]*rate|acquisition[\s_]*rate|scan[\s_]*rate"
    r"|(?<![a-z])(?:fs|f_s|srate|odr|frequency of sampling)(?![a-z]))"
    rf"\s*(?:[\(\[]\s*(?P<before>{OF_RATE})\s*[\)\]])?[\s\"',;:=]*{VALUE}\s*(?P<unit>{OF_RATE})?",
    re.IGNORECASE,
)
BARE_RATE = re.compile(rf"(?<![\w.]){VALUE}\s*(?P<unit>[kM]?(?:sps|S/s|Sa/s))(?![a-z])", re.IGNORECASE)
OLD_PEER = re.compile(rf"^\s*\d+\s+{VALUE}\s+NPTS,\s*DT")  # "6000 .0100 NPTS, DT"
INTERVAL = re.compile(
    r"(?:sampl\w*[\s_.-]*(?:interval|period|time|spacing)|(?:time|x|t)[\s_.-]*(?:step|incr\w*|inc|resolution|interval)"
    r"|(?<![a-z])(?:dt|delta[\s_]?t|interval|increment|tinc|hres|horizontal[\s_]resolution)(?![a-z]))"
    rf"\s*(?:[\(\[]\s*(?P<before>{OF_TIME})\s*[\)\]])?[\s\"',;:=]*{VALUE}\s*(?P<unit>(?:{OF_TIME})(?![a-z]))?(?![\s;,\"']*[kMG]?Hz)",
    re.IGNORECASE,
)
SAMPLE_COUNT = re.compile(
    r"NPTS\W*(\d+)|^\s*(\d+)[\s\d.]+NPTS|(?<![\w.])(\d+) (?:samples|data points|points)(?![a-z])"
    r"|(?:number|num|no|nr)\.?[\s_]*(?:of)?[\s_]*(?:data[\s_]*)?(?:points|samples|values)\W+(\d+)",
    re.IGNORECASE,
)
SERIES = re.compile(  # lines that only a time series has
    r"TIMESERIES\b|\bSLIST\b|\bTSPAIR\b|\bNPTS\b|ChannelTitle=|time[\s_-]?(?:series|history)"
    r"|(?:horizontal|x)[\s_.-]*(?:axis)?[\s_.-]*(?:units?|dimension|label)\W+(?:s|sec\w*|time|[mun]s)\b",
    re.IGNORECASE,
)
LEVEL_UNIT = re.compile(
    r"(?:(?:(?<![a-z])y|vertical).?(?:unit|axis|dimension|scale)(?:_label)?|ordinate|^\W*units?)[\s\"']*[:=;,\t ]+(.+)",
    re.IGNORECASE,
)


def averages(header: Sequence[str]) -> int | None:
    """Number of averaged segments K that a header states ("Number of Avg: 25", "# Averages: 1 000"), or None."""
    for line in header:
        match = AVERAGES.search(line) or EQUALS_K.search(line)
        if match:
            count = float(re.sub(r"[^\d.eE+]", "", match.group(1)))
            if count >= 1 and count.is_integer():
                return int(count)
    return None


def stated(header: Sequence[str], key: str) -> float | None:
    """A frequency in Hz that a header line states with its unit, e.g. key "stop" and the line "Stop;80;kHz"."""
    for line in header:
        match = QUANTITY.search(line)
        if match and re.search(key, line[: match.start()], re.IGNORECASE):
            return float(match.group(1).replace(",", ".")) * PREFIXES[match.group(2)]
    return None


def _number(text):
    """0,001 is a decimal comma and 10,000 a thousands separator."""
    grouped = re.fullmatch(r"[1-9]\d{0,2}(?:,\d{3})+", text)
    return float(text.replace(",", "" if grouped else "."))


def sampling_rate(header: Sequence[str]) -> float:
    """Samples a second that a header states, by a rate or by the interval between samples; 0 where it states none."""
    for pattern, unit_of_time in ((RATE, False), (BARE_RATE, False), (OLD_PEER, True), (INTERVAL, True)):
        for line in header:
            match = pattern.search(line)
            if match is None:
                continue
            groups = match.groupdict()
            value, unit = _number(match["value"].rstrip(".,")), groups.get("before") or groups.get("unit") or ""
            if unit_of_time:
                value *= SECONDS[unit.lower()] if unit else 1.0
                value = 1 / value if value > 0 else 0.0
            else:
                value *= PREFIXES.get(unit[:1], 1.0) if unit[1:] else 1.0
            if value > 0:
                return value
    columns = [
        re.split(r"[;\t]" if ";" in line else r"[,\t]", line) for line in header[-2:]
    ]  # "Start,Increment" above its value
    for cell, below in zip(*columns, strict=False) if len(columns) == 2 else ():
        if re.fullmatch(r"\s*increment\s*", cell, re.IGNORECASE) and re.fullmatch(NUMBER, below.strip()):
            step = _number(below.strip())
            return 1 / step if step > 0 else 0.0
    return 0.0


def sample_count(header: Sequence[str]) -> int | None:
    """Number of samples that a header states ("NPTS= 6000", "6000 samples"), or None."""
    matches = [match for line in header for match in [SAMPLE_COUNT.search(line)] if match]
    return int(next(group for group in matches[0].groups() if group)) if matches else None


def labview_axis(header: Sequence[str]) -> tuple[str, float, float] | None:
    """(name with unit, start, step) of an axis that a LabVIEW file states instead of writing it, or None.

    Raises
    ------
    Refusal where the channels' axes differ
    """
    cells = {parts[0]: parts[1:] for parts in (line.rstrip().split("\t") for line in header)}
    if cells.get("X_Columns", [""])[0] != "No" or "Delta_X" not in cells:
        return None
    starts, steps = (
        {float(cell.replace(",", ".")) for cell in cells.get(key, ["0"]) if cell} for key in ("X0", "Delta_X")
    )
    if len(steps) != 1 or len(starts) > 1 or min(steps) <= 0:
        raise Refusal(f"its channels have axes of their own (Delta_X {sorted(steps)}, X0 {sorted(starts)}); export one")
    is_time = cells.get("X_Dimension", ["Time"])[0].lower() != "frequency"
    return "Time [s]" if is_time else "Frequency [Hz]", min(starts, default=0.0), min(steps)


def axis_line(header: Sequence[str]) -> str:
    """The header line that names the unit of the frequency axis ("x-Unit;kHz", "Frequency in kHz"), or ""."""
    for line in header:
        match = HERTZ.search(line.replace("_", " "))
        if match is None or _is_value(line, match):
            continue
        before = line[: match.start()]
        if AXIS.fullmatch(before) and AXIS_NAMED.search(before):
            return match.group(0)
    return ""


def level_line(header: Sequence[str]) -> Level:
    """What the lines above the table say about the level: a line for the y unit first, then any line with a density."""
    for line in header:
        match = LEVEL_UNIT.search(line)
        unit = match.group(1).strip(" ;,\t\"'") if match else ""
        if level_of(unit).kind and not _states_value(unit):
            return level_of(unit)
    for line in header:
        level, decibels = level_of(line), DECIBELS.search(line)
        if level.kind in ("asd", "psd") and not _states_value(line):
            if _density(line) or AMPLITUDE_WORDS.search(line):
                return level
        elif decibels and not any(
            (_is_value(line, decibels), SETTINGS.search(line), re.search(r"\d", line[: decibels.start()]))
        ):
            return level
    return Level(None, None)


def _density(line):
    return ROOT_HERTZ.search(line) or POWER_HERTZ.search(line)


def _states_value(line):
    unit = DECIBELS.search(line) or _density(line)
    return unit is not None and _is_value(line, unit)


def is_setting(line: str) -> bool:
    """A line that gives a value with its unit, "Cutoff 5kHz" or "noise 4nV/sqrt(Hz)", and so holds no headings."""
    units = (DECIBELS, ROOT_HERTZ, POWER_HERTZ, HERTZ)
    values = [_is_value(line, match) for unit in units for match in unit.finditer(line)]
    return bool(values) and all(values)


def _is_value(line: str, unit: re.Match) -> bool:
    """A number stands directly before or after a unit: "noise: 4 nV/sqrt(Hz)", "Gain (dB): 40"; not "dB re 1 V"."""
    start = UNIT_START.search(line[: unit.start()])
    before = line[: start.start()] if start else ""
    word = line[len(before) : unit.end()]
    glued = GLUED.match(word)
    numbered = word.startswith(("(", "[")) or COLUMN_BEFORE.search(before)  # "1 (V^2/Hz)", "Trace 1 dBm": a column
    if glued or (NUMBER_BEFORE.search(before) and not numbered):
        return True
    after = NUMBER_AFTER.match(line[unit.end() :])
    return after is not None and bool(after.group(1) or not after.group(2))
