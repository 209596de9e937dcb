"""The numbers of docs/on_off.md's generated part: source-switched pairs, from the benchmark."""

from typing import Any

from evidence.pages.rendering import interval
from nblib.project.paths import benchmark_record
from nblib.project.records import read_json

RATES = ("1%", "5%")


def percent(row: dict[str, float]) -> str:
    """A share with its interval, in percent."""
    return interval([100 * row[key] for key in ("share", "low", "high")], 1) + " %"


def numbers() -> dict[str, Any]:
    """Rows by the names that the page's template asks for.

    Raises
    ------
    ValueError where the record is missing
    """
    record = read_json(benchmark_record("on_off"))
    lines, alarms = record["summary"]["found"], record["summary"]["alarms"]
    names = list(next(iter(lines.values())))
    widths = list(dict.fromkeys(name.split(", ")[0] for name in names))
    snrs = list(dict.fromkeys(name.split(", ")[1] for name in names))
    return {
        "setups": len(record["set-ups"]),
        "alarms": [
            {"known": f"{known}, {by_rate['1%']['of']} pairs", "shares": [percent(by_rate[rate]) for rate in RATES]}
            for known, by_rate in alarms.items()
        ],
        "with_line": next(iter(lines["on and off"].values()))["of"],
        "snrs": snrs,
        "found": [
            {
                "width": f"{width} bin{'s' if float(width) > 1 else ''}",
                "method": method,
                "shares": [f"{lines[method][f'{width}, {snr}']['share']:.2f}" for snr in snrs],
            }
            for width in widths
            for method in lines
        ],
    }
