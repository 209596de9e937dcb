"""What a heading or a unit says: unit of the frequency, kind of level (power, amplitude, decibels)."""

import re
from dataclasses import dataclass

from nblib.measured.files.formats import Refusal

PREFIXES = {"": 1.0, "u": 1e-6, "µ": 1e-6, "μ": 1e-6, "m": 1e-3, "k": 1e3, "K": 1e3, "M": 1e6, "G": 1e9, "T": 1e12}
HERTZ = re.compile(r"(?<![A-Za-z√])([uµμmkKMGT]?)(?:Hz|HZ|hz|hertz|Hertz|HERTZ)(?![A-Za-z])")
AFTER_POWER = r"\s*[\)\]}]*\s*(?:\^|\*\*)\s*[\({]?\s*-?\s*(?:0?[.,]50*\b|1\s*/\s*2|½)"
ROOT_HERTZ = re.compile(
    r"(?:sqrt|√|(?<![a-z])rt|root|/\s*r)[\s_\(\[{]*[kM]?Hz|Hz"
    + AFTER_POWER
    + r"|Hz\s*-?\s*\(?-?(?:½|1/2)|Hz\s*⁻?(?:¹[ᐟ⁄/]²|·⁵)",
    re.IGNORECASE,
)
SQUARED = r"(?:\^\s*\{?2\}?|\*\*\s*2|²|(?<=[A-Za-z\)])2|squared|sq)"
POWER_HERTZ = re.compile(
    SQUARED
    + r"\s*[\)\]]*\s*(?:/|_?per_?|[·*.]|\s)\s*[\(\[]*[kM]?Hz|(?<![A-Za-z])[fpnuµm]?W(?:att)?s?\s*(?:/|_?per_?)\s*Hz"
    r"|(?<![\w.])1\s*/\s*Hz|V\*V/Hz|A\*A/Hz",
    re.IGNORECASE,
)
DECIBELS = re.compile(r"(?<![A-Za-z])(?:dB|DB|db)(?=$|[^A-Za-z]|[mVvcuµWAFiIpPr])")
DECIBEL_WORD = re.compile(r"decibel", re.IGNORECASE)
LOGARITHM = re.compile(r"(?<![A-Za-z])(?:log_?(?:10)?|ln)(?=[\s_(\[]|10)", re.IGNORECASE)
AMPLITUDE_WORDS = re.compile(
    r"(?:amplitude|linear|ampl?\.?)[\s_]+(?:noise[\s_]+)?(?:spectral[\s_]+|spectrum[\s_]+)?density"
    r"|(?<![A-Za-z])(?:ASD|LSD)(?![A-Za-z])"
    r"|amplitudendichte|amplituden-?spektraldichte",
    re.IGNORECASE,
)
POWER_WORDS = re.compile(
    r"power[\s_]+(?:spectral[\s_]+|spectrum[\s_]+)?density"
    r"|(?<![A-Za-z])(?:PSD|P[xyz]{2}|S[xyzviVI]{2})(?![a-z])|leistungsdichte",
    re.IGNORECASE,
)
# LTspice and ngspice write noise as V/sqrt(Hz), but a squared or plotted expression carries the same heading
SPICE = re.compile(r"^\s*[VI]\w?\([^)]*\)\s*$|(?<![A-Za-z])[oi]noise", re.IGNORECASE)
PLAIN_UNIT = re.compile(
    r"^\s*(?:[fpnuµμmkMG]?(?:V|A|Pa|T|G|g|m|C|F|K|Ohm|Ω|rad|m/s(?:\^?2|²)?)(?:[\s_]?(?:rms|pk|peak|pp))?)\s*$"
)
PLAIN_POWER = re.compile(r"^\s*[fpnuµμmkM]?(?:W|V(?:rms)?(?:\^2|²|2)|A(?:rms)?(?:\^2|²|2))\s*$")
VAGUE = re.compile(r"amplitude|magnitude|noise[\s_]+density|linear[\s_]+spectrum|amplituden?", re.IGNORECASE)
BRACKETS = re.compile(r"[\(\[{]([^\(\)\[\]{}]*(?:\([^()]*\)[^\(\)\[\]{}]*)*)[\)\]}]")
QUESTION = (
    "amplitude (unit/sqrt(Hz)) or power (unit^2/Hz)? Give --asd to square the values (asd=True), or --no-asd to read "
    "power (asd=False)"
)
NO_FREQUENCIES = (  # what an axis may hold instead, and how it becomes one
    (r"rad\s*/\s*s|rad\s*s\^?-1", "is an angular frequency; divide it by 2 pi (and multiply a density by 2 pi)"),
    (
        r"(?<![a-z])(?:rpm|rev\.?/min|r/min|cpm|bpm|1/min|min\^?-1)(?![a-z])",
        "counts turns a minute; divide it by 60 (and multiply a density by 60)",
    ),
    (r"(?<![a-z])p[eé]riod(?:e|en|s)?(?![a-z])", "is a period; give frequencies, 1 / period, in Hz"),
    (r"[\(\[]\s*(?:[munpµμ]?s|sec|seconds?|min|h)\s*[\)\]]", "is a time; give frequencies in Hz"),
    (r"wave[\s_-]?(?:length|number)|wellenl|cm\^?-1|1/cm", "is no frequency; convert it to Hz"),
)
PER_SECOND = re.compile(r"1\s*/\s*s|s\s*\^?\s*-1|s⁻¹|cps|cycles?\s*/\s*s(?:ec)?", re.IGNORECASE)
NAMED_AMPLITUDE = re.compile(r"(?<![a-z])(?:asd|lsd)(?![a-z])", re.IGNORECASE)  # in the name of a file


@dataclass(frozen=True)
class Level:
    """kind : "asd", "psd", "power" (not a density), "db", "log", "ask" or None = not said; unit as it was written."""

    kind: str | None
    unit: str | None


def level_of(text: str) -> Level:
    """What a heading such as "PSD (V^2/Hz)" or a unit such as "V/sqrt(Hz)" says about the values below it."""
    unit = unit_of(text)
    if DECIBELS.search(text) or DECIBEL_WORD.search(text):
        return Level("db", unit)
    if LOGARITHM.search(text):
        return Level("log", unit)
    if ROOT_HERTZ.search(text):
        return Level("asd", unit)
    if POWER_HERTZ.search(text):
        return Level("ask" if AMPLITUDE_WORDS.search(text) else "psd", unit)
    if AMPLITUDE_WORDS.search(text):
        return Level("asd", unit)
    if POWER_WORDS.search(text):
        return Level("psd", unit)
    bracket = BRACKETS.search(text)
    inner = bracket.group(1) if bracket else text
    if SPICE.search(text) or (PLAIN_UNIT.match(inner) and (bracket or len(text.strip()) > 1)) or VAGUE.search(text):
        return Level("ask", unit)
    if re.search(r"[VAT]\s*/\s*Hz", text):
        return Level("ask", unit)
    return Level("power" if PLAIN_POWER.match(inner) else None, unit)


def unit_of(text: str) -> str | None:
    """The unit in a heading: in brackets, or the word that holds Hz."""
    text = re.sub(r"\s*/\s*(?=\(?Hz|√|sqrt)", "/", text)
    quantity = re.match(r"\s*\w+\s+/\s+(\S.*)$", text)  # "S / V^2/Hz"
    words = [quantity.group(1)] if quantity else []
    words += [match.group(1) for match in BRACKETS.finditer(text)]
    if re.search(r"Hz", text, re.IGNORECASE):  # "(V^2)/Hz" and "nV/sqrt(Hz)": the bracket is only a part
        words = [word for word in words if "hz" in word.lower() and not HERTZ.fullmatch(word.strip())]
    whole = text.strip()
    if PLAIN_POWER.match(whole) or not re.search(r"[A-Za-z]{3,}.*[\s_,:]", whole):
        words.append(whole)
    words += re.findall(r"[^\s,;:]*(?:/|per_)\s*[^\s,;:]*Hz[^\s,;]*", text, re.IGNORECASE)
    for word in words:
        if re.search(r"Hz|dB", word, re.IGNORECASE) or PLAIN_UNIT.match(word) or PLAIN_POWER.match(word):
            return tidy(word)
    return None


def tidy(unit: str) -> str:
    """One spelling: V^2/Hz for V²/Hz, V**2/Hz, V2/Hz and PSD_V2_per_Hz."""
    unit = (
        re.sub(r"\s+", "", unit.strip(" \"'")).replace("²", "^2").replace("**", "^").replace("µ", "u").replace("μ", "u")
    )
    unit = re.sub(r"^(?:PSD|ASD|S|P[xX]{2})_", "", unit).replace("_per_", "/").replace("{", "(").replace("}", ")")
    unit = re.sub(r"(?<=[A-Za-z\)])2(?=/Hz|$)", "^2", unit)
    unit = re.sub(r"[·*]?Hz(?:\^\(?-1\)?|⁻¹)$", "/Hz", unit)
    return re.sub(r"^\(([^()/]*)\)(?=/Hz)", r"\1", unit).replace("HZ", "Hz").replace("hz", "Hz")


def power_unit(level: Level) -> str | None:
    """Unit after the conversion to power: nV/sqrt(Hz) -> nV^2/Hz, dBm/Hz -> mW/Hz, dB re 1 uPa^2/Hz -> uPa^2/Hz."""
    unit = level.unit
    if level.kind == "asd" and unit:
        base = re.split(r"/?[·*]?(?:sqrt|√|rt|root|\(?Hz|/r(?=Hz))", unit, maxsplit=1, flags=re.IGNORECASE)[0].strip(
            "_/([·* "
        )
        if base in ("", "1"):
            return "1/Hz" if base else None
        return f"({base})^2/Hz" if "/" in base else f"{base}^2/Hz"
    if level.kind == "db" and unit:
        if POWER_HERTZ.search(unit) and not DECIBELS.search(unit):
            return unit
        density = "/Hz" if re.search("Hz", unit, re.IGNORECASE) else ""
        named = re.search(r"re\.?:?(?:1|20)?([fpnuµmk]?[A-Za-z]+)", unit[2:]) or re.match(
            r"dB\(?(?:m)?(uV|V|uPa|Pa|A|uA)", unit
        )
        if re.match(r"dBm", unit, re.IGNORECASE):
            return "mW" + density
        if re.match(r"dBW", unit):
            return "W" + density
        if re.match(r"dBc", unit):
            return "1" + density if density else None
        return f"{named.group(1)}^2{density}" if named else None
    return None if level.kind == "db" else unit


def hertz_per_unit(text: str) -> float | None:
    """Factor from the heading of the axis to Hz: 1000 for "f [kHz]"; None where it names no unit of frequency.

    Raises
    ------
    Refusal for units that are no frequency, or that have two meanings ("mhz")
    """
    for pattern, why in NO_FREQUENCIES:
        if re.search(pattern, text, re.IGNORECASE):
            raise Refusal(f"the axis {text.strip()!r} {why}")
    if LOGARITHM.search(text) and not DECIBELS.search(text):
        raise Refusal(f"the axis {text.strip()!r} is a logarithm; export plain frequencies in Hz")
    match = HERTZ.search(re.sub(r"(?<=[A-Za-z])_(?=[A-Za-z]*[Hh][Zz])|_", " ", text))
    if match is None:
        return None
    if match.group(0) == "mhz":
        raise Refusal(f"the axis {text.strip()!r} may mean mHz or MHz; give --unit mHz or --unit MHz")
    return PREFIXES[match.group(1)]


def names_other_unit(text: str) -> bool:
    """True for a heading of the axis whose brackets hold a unit that is not known to be one of frequency."""
    inner = " ".join(match.group(1) for match in BRACKETS.finditer(text))
    return bool(re.search(r"[^\W\d_]", inner)) and not HERTZ.search(text) and not PER_SECOND.search(inner)
