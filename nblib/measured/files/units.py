"""What a heading or a unit says: unit of the frequency, kind of level (power, amplitude, decibels)."""

import re
import unicodedata
from dataclasses import dataclass
from functools import lru_cache

from nblib.measured.files.formats import Refusal

PREFIXES = {"": 1.0, "u": 1e-6, "µ": 1e-6, "μ": 1e-6, "m": 1e-3, "k": 1e3, "K": 1e3, "M": 1e6, "G": 1e9, "T": 1e12}
HERTZ = re.compile(r"(?<![A-Za-z√])([uµμmkKMGT]?)(?:Hz|HZ|hz|hertz|Hertz|HERTZ)(?![A-Za-z])")
ANY_HERTZ = r"[kM]?H(?:ert)?z"
AFTER_POWER = r"\s*[\)\]}]*\s*(?:\^|\*\*)\s*[\({]?\s*-?\s*(?:0?[.,]50*\b|1\s*/\s*2|½)"
ROOT_HERTZ = re.compile(
    r"(?:sqrt|√|(?<![a-z])rt|roots?|racine|raiz|ra[ií]z|wurzel|surd|/\s*r)(?:\s+(?:of|de|aus))?[\s_.·\-\(\[{]*"
    + ANY_HERTZ
    + "|H(?:ert)?z"
    + AFTER_POWER
    + r"|Hz\s*-?\s*\(?-?(?:½|1/2)|Hz\s*⁻?(?:¹[ᐟ⁄/]²|·⁵)",
    re.IGNORECASE,
)
SQUARED = (  # of the whole unit: the 2 of m/s^2 is not
    r"(?:(?<!/s)(?<!/ s)(?:\^\s*\{?2|\*\*\s*2|²|(?<=[A-Za-z\)])2|squared|sq)|\^\s*\{?4|\*\*\s*4|⁴|(?<=/s)4)"
)
# per Hz to the first power: no other exponent follows, not even one that was cut off
PER_HERTZ = (
    rf"\s*[\)\]}}]*\s*(?:(?:/|_?per_?|[·*.])\s*[\(\[]*{ANY_HERTZ}|\s{ANY_HERTZ}(?=\s*(?:\^|\*\*)?\s*[\({{]?\s*-\s*1))"
    r"(?!\s*(?:\^|\*\*)\s*[\({]?\s*-?\s*(?!-?1(?![\d/.])))"
)
POWER_HERTZ = re.compile(
    SQUARED + PER_HERTZ + rf"|(?<![A-Za-z])[fpnuµm]?W(?:att)?s?\s*(?:/|_?per_?)\s*{ANY_HERTZ}(?!\s*[\^*])"
    r"|(?<![\w.])1\s*/\s*Hz(?!\s*[\^*])|V\*V/Hz|A\*A/Hz",
    re.IGNORECASE,
)
OVER_HERTZ = re.compile(r"(?:/|(?<![a-z])per(?![a-z])|_per_)[^,;\s]*\s?\S*H(?:ert)?z|\w\s*Hz\s*\^?\s*-", re.IGNORECASE)
DECIBELS = re.compile(r"(?<![A-Za-z])(?:dB|DB|db)(?=$|[^A-Za-z]|[mVvcuµWAFiIpPr])")
DECIBEL_WORD = re.compile(r"decibel", re.IGNORECASE)
TEN_LOG = re.compile(r"(?<!\d)[12]0\s*[*·.×x]?\s*(?:log|lg)", re.IGNORECASE)  # 10 log10(V^2/Hz) is decibels
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
VAGUE = re.compile(  # words for an amplitude, of which neither a square nor "per Hz" is stated
    r"amplitud|magnitud|noise[\s_]+density|linear[\s_]+spectrum|амплитуд|напряж|振幅|幅[值度]|진폭|电压|電圧|spannung|voltage|tension"
    r"|(?<![a-z])(?:ampls?|magn?|rms|volts?|vrms|arms|vpp|vpk|amps?|amperes?|currents?|strom|courant|pascals?|tesla|gauss"
    r"|accel(?:eration)?|veloc(?:ity)?|displ(?:acement)?|counts?|lsb|adu)(?![a-z])"
    r"|\|[^|]+\||[VA]/[VA](?![a-z])",  # a transfer function
    re.IGNORECASE,
)
BRACKETS = re.compile(r"[\(\[{]([^\(\)\[\]{}]*(?:\([^()]*\)[^\(\)\[\]{}]*)*)[\)\]}]")
QUESTION = (
    "amplitude (unit/sqrt(Hz)) or power (unit^2/Hz)? Give asd=True to square the values, or asd=False to read them as "
    "power"
)
NO_FREQUENCIES = (  # what an axis may hold instead, and how it becomes one
    (r"rad\s*/\s*s|rad\s*s\^?-1", "is an angular frequency; divide it by 2 pi (and multiply a density by 2 pi)"),
    (
        r"(?<![a-z])(?:rpm|rev\.?/min|r/min|cpm|bpm|1/min|min\^?-1)(?![a-z])",
        "counts turns a minute; divide it by 60 (and multiply a density by 60)",
    ),
    (r"(?<![a-z])p[eé]riod(?:e|en|s)?(?![a-z])", "is a period; give frequencies, 1 / period, in Hz"),
    (r"[\(\[]\s*(?:[munpµμ]?s|sec|seconds?|min|h)\s*[\)\]]", "is a time; give frequencies in Hz"),
    (r"wave[\s_-]?(?:length|number)|wellenl|cm\^?-1|1/cm", "is not a frequency; convert it to Hz"),
    (
        r"(?<![a-z])(?:tau|lag|delay|averaging[\s_]time)s?(?![a-z])|(?<![α-ώ])τ(?![α-ώ])",
        "is a lag, not a frequency axis; export a PSD",
    ),
    (r"(?<![a-z])orders?(?![a-z])", "counts multiples of a speed; give frequencies in Hz"),
)
SUPERSCRIPTS: dict[int, str | int | None] = {**str.maketrans("⁻⁰¹²³⁴⁵⁶⁷⁸⁹·ᐟ⁄", "-0123456789.//"), ord("½"): "1/2"}
WORDS = {"kilo": "k", "mega": "M", "giga": "G", "milli": "m"}
HERTZ_WORD = re.compile(r"(?<![A-Za-z])(kilo|mega|giga|milli|[kMGm]?)hertz(?![a-z])", re.IGNORECASE)
SCRIPTS = (  # units in other scripts, and as LaTeX writes them
    (r"\\(?:mu|micro)(?![a-z])\s*", "u"),
    (r"\\(?:sqrt|surd)", "sqrt"),
    (r"(?<=[\^_])\{(-?[\d.]+)\}", r"\1"),
    (
        r"килогерц\w*|тыс\.?\s*Г[цЦ]|(?<![а-яё])[кК]Г[цЦ]|(?<![а-яё])кгц|千赫兹?|千赫茲?|キロヘルツ|킬로헤르츠"
        r"|קילו-?הרץ|كيلو ?هرتز|χιλιοχ[εέ]ρτζ",
        "kHz",
    ),
    (r"мегагерц\w*|(?<![а-яё])МГ[цЦ]|兆赫兹?|兆赫茲?|メガヘルツ|메가헤르츠|ميغا ?هرتز", "MHz"),
    (r"миллигерц\w*|(?<![а-яё])мГц", "mHz"),
    (r"гигагерц\w*|ГГ[цЦ]|吉赫兹?|吉赫茲?|ギガヘルツ|기가헤르츠", "GHz"),
    (r"герц\w*|Г[цЦ]|(?<![а-яё])гц|赫兹|赫茲|赫|ヘルツ|헤르츠|הרץ|هرتز|हर्ट्ज़?|เฮิรตซ์|χ[εέ]ρτζ|Ηz|Нz", "Hz"),
    (r"(?<=[kMGm])[ΗН][zZ]", "Hz"),
    (r"дБ|децибел\w*|分贝|デシベル|데시벨", "dB"),
    (r"(?<![а-яё])мкВ(?![а-яё])", "uV"),
    (r"(?<![а-яё])нВ(?![а-яё])", "nV"),
    (r"(?<![а-яё])мВ(?![а-яё])", "mV"),
    (r"(?<![а-яёА-ЯЁ])В(?![а-яёА-ЯЁ])", "V"),
    (r"(?<![а-яё])Вт(?![а-яё])", "W"),
    (r"(?<![а-яё])(?:мс|мсек)(?![а-яё])|毫秒|ミリ秒", "ms"),
    (r"(?<![а-яё])(?:сек?)(?![а-яё])|(?<=[(\[/])秒", "s"),
    (r"корень из|根号|平方根", "sqrt "),
)
# a power of ten beside the unit: "x10^3 Hz", "Hz x 1000"
TIMES_TEN = re.compile(
    r"(?:10\s*(?:\^|\*\*)?\s*\(?[+-]?[\d³⁶⁹]+\)?|(?<![\d.])1[.,]?000|(?<!\w)1?e\+?\d|thousand|million)"
    r"\s*\)?[*·×x\s]*[kMGm]?Hz|Hz\s*[)\]]?\s*[*·×x/]\s*(?:10|1e)",
    re.IGNORECASE,
)
PER_SECOND = re.compile(r"1\s*/\s*s|s\s*\^?\s*-1|s⁻¹|cps|cycles?\s*/\s*s(?:ec)?", re.IGNORECASE)
NAMED_AMPLITUDE = re.compile(r"(?<![a-z])(?:asd|lsd)(?![a-z])", re.IGNORECASE)  # in the name of a file


@dataclass(frozen=True)
class Level:
    """kind : "asd", "psd", "power" (not a density), "db", "log", "ask" or None = not stated; unit as it was written."""

    kind: str | None
    unit: str | None


@lru_cache(maxsize=1024)  # the files of a batch have the same headings
def latin(text: str) -> str:
    """Units in Latin letters: Hz for Гц, 赫兹 or ㎐, kHz for кГц, V for В, sqrt for LaTeX's; the rest as it is."""
    text = re.sub("[\uff00-\uffef\u3300-\u33ff]+", lambda match: unicodedata.normalize("NFKC", match.group()), text)
    text = re.sub("⁻[⁰¹²³⁴⁵⁶⁷⁸⁹·ᐟ⁄½]+", lambda match: "^" + match.group().translate(SUPERSCRIPTS), text)
    text = HERTZ_WORD.sub(lambda match: WORDS.get(match[1].lower(), match[1]) + "Hz", text)
    if text.isascii() and "\\" not in text and "{" not in text:
        return text
    for pattern, word in SCRIPTS:
        text = re.sub(pattern, word, text)
    return text


@lru_cache(maxsize=1024)
def level_of(text: str) -> Level:
    """What a heading such as "PSD (V^2/Hz)" or a unit such as "V/sqrt(Hz)" says about the values below it."""
    unit = unit_of(text)
    if DECIBELS.search(text) or DECIBEL_WORD.search(text) or TEN_LOG.search(text):
        return Level("db", unit)
    if LOGARITHM.search(text):
        return Level("log", unit)
    if ROOT_HERTZ.search(text):
        return Level("asd", unit)
    if POWER_HERTZ.search(text):
        return Level("ask" if AMPLITUDE_WORDS.search(text) else "psd", unit)
    if AMPLITUDE_WORDS.search(text):
        return Level("asd", unit)
    if OVER_HERTZ.search(text):  # "V/?Hz", "Vrms/Hz^(1/...": the root may be lost
        return Level("ask", unit)
    if POWER_WORDS.search(text):
        return Level("psd", unit)
    bracket = BRACKETS.search(text)
    inner = bracket.group(1) if bracket else text
    if PLAIN_POWER.match(inner):
        return Level("power", unit)
    vague = VAGUE.search(text) and not re.search(SQUARED, text)
    if SPICE.search(text) or (PLAIN_UNIT.match(inner) and (bracket or len(text.strip()) > 1)) or vague:
        return Level("ask", unit)
    return Level("ask" if re.search(ANY_HERTZ, text) else None, unit)


def unit_of(text: str) -> str | None:
    """The unit in a heading: in brackets, or the word that holds Hz."""
    text = re.sub(r"\s*/\s*(?=\(?Hz|√|sqrt)", "/", text)
    quantity = re.match(r"\s*\w+\s+/\s+(\S.*)$", text)  # "S / V^2/Hz"
    words = [quantity.group(1)] if quantity else []
    words += [match.group(1) for match in BRACKETS.finditer(text)]
    if re.search(r"Hz", text, re.IGNORECASE):  # "(V^2)/Hz" and "nV/sqrt(Hz)": the bracket is only a part
        words = [word for word in words if "hz" in word.lower() and not HERTZ.fullmatch(word.strip())]
    whole = text.strip()
    if PLAIN_POWER.match(whole) or not re.search(r"[^\W\d_]{3,}.*[\s_,:]", whole):
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
        base = re.split(r"(?:per)?/?[·*]?(?:sqrt|√|rt|root|\(?Hz|/r(?=Hz))", unit, maxsplit=1, flags=re.IGNORECASE)[
            0
        ].strip("_/([·* ")
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
    Refusal for other quantities, and for what has two meanings ("mhz", "x10^3 Hz")
    """
    for pattern, why in NO_FREQUENCIES:
        if re.search(pattern, text, re.IGNORECASE):
            raise Refusal(f"the axis {text.strip()!r} {why}")
    if LOGARITHM.search(text) and not DECIBELS.search(text):
        raise Refusal(f"the axis {text.strip()!r} is a logarithm; export plain frequencies in Hz")
    spaced = re.sub(r"(?<=[a-z])(?=[kKMG]Hz)|_", " ", text)  # freqKHz, freq_kHz
    match = HERTZ.search(re.sub(r"(?<![A-Za-z])([kKMG])\s(?=Hz)", r"\1", spaced))
    if match is None:
        if any(PLAIN_UNIT.match(bracket.group(1)) for bracket in BRACKETS.finditer(text)):
            raise Refusal(f"the axis {text.strip()!r} is not a frequency; a spectrum needs a column in Hz")
        return None
    if match.group(0) == "mhz":
        raise Refusal(f"the axis {text.strip()!r} may mean mHz or MHz; give unit='mHz' or unit='MHz'")
    if TIMES_TEN.search(text):
        raise Refusal(
            f"the axis {text.strip()!r} holds a factor: were the numbers divided by it or multiplied? Give the unit "
            "that they are in, e.g. unit='Hz' or unit='kHz'"
        )
    return PREFIXES[match.group(1)]


def names_other_unit(text: str) -> bool:
    """True for a heading of the axis that states a unit which is not known to be one of frequency."""
    inner = " ".join(match.group(1) for match in BRACKETS.finditer(text))
    inner = inner or " ".join(re.findall(r"[,/]\s*(\S*[^\W\d_a-zA-Z]\S*)\s*$", text))  # a word of another script
    return bool(re.search(r"[^\W\d_]", inner)) and not HERTZ.search(text) and not PER_SECOND.search(inner)
