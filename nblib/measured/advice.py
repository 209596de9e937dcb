"""The library's advice in the words of `nblib.analyse`, which has arguments, and of the command, which has options."""

import re

NAMES = "column|asd|db|unit|span|rate|series|resolution|floor|false_alarm|n_segments|network|together|known|out"
NAMES += "|calibrate|reference"
ADVICE = re.compile(
    r"(?P<quoted>(?<![A-Za-z\d])'[^']*')"  # of the file: left as it is
    rf"|(?<![\w.])(?P<name>{NAMES})=(?P<value>'[^']*'|[^\s,;:()]*[^\s,;:().?])"
    r"|(?P<reads>(?:with )?load_(?:series|spectra))(?!\w)"
    r"|(?<![\w.])(?P<averages>n_segments)(?![\w=])"
)
READS = {
    "with load_series": "with series=True",
    "load_series": "series=True",
    "with load_spectra": "without series=True",
    "load_spectra": "it without series=True",
}
OPTIONS = {"n_segments": "segments"}  # named otherwise than the argument


def as_arguments(text: str) -> str:
    """What a reader advises, for a caller of `nblib.analyse`: `load_series` becomes series=True."""
    text = ADVICE.sub(lambda match: READS[match["reads"]] if match["reads"] else match.group(), text)
    if "series=True" in text:
        return text
    return re.sub(r"(?<![\w.])rate=", "series=True, rate=", text)  # the one needs the other


def as_options(text: str) -> str:
    """`db=True` becomes --db, `db=False` --no-db, `column=NAME` --column NAME, `load_series` --series."""

    def option(match):
        if match["quoted"]:
            return match["quoted"]
        name, value = match["name"] or match["averages"], (match["value"] or "").strip("'")
        option = f"--{OPTIONS.get(name, name).replace('_', '-')}"
        if value in ("True", "False"):
            return option if value == "True" else f"--no-{option[2:]}"
        return f"{option} {value}".rstrip()

    return ADVICE.sub(option, as_arguments(text)).replace("--series, --rate", "--series --rate")
