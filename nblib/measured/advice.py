"""The library's advice, which names Python arguments, in the words of the command, which has options."""

import re

ADVICE = re.compile(
    r"(?P<quoted>(?<![A-Za-z\d])'[^']*')"  # of the file: left as it is
    r"|(?<![\w.])(?P<name>column|asd|db|unit|span|rate)=(?P<value>'[^']*'|[^\s,;:()]*[^\s,;:().?])"
    r"|(?P<reads>(?:with )?load_(?:series|spectra))(?!\w)"
)
READS = {
    "with load_series": "with --series",
    "load_series": "--series",
    "with load_spectra": "without --series",
    "load_spectra": "the command without --series",
}


def as_options(text: str) -> str:
    """`db=True` becomes --db, `db=False` --no-db, `column=NAME` --column NAME, `load_series` --series."""

    def option(match):
        if match["quoted"]:
            return match["quoted"]
        if match["reads"]:
            return READS[match["reads"]]
        name, value = match["name"], match["value"].strip("'")
        if value in ("True", "False"):
            return f"--{name}" if value == "True" else f"--no-{name}"
        return f"--{name} {value}"

    text = ADVICE.sub(option, text)
    return text if "--series" in text else text.replace("--rate", "--series --rate")  # the one needs the other
