"""The numbers of docs/own_spectra.md's generated part: `nblib detect` tried as its user does, from the benchmark."""

from typing import Any

from evidence.pages.on_off_page import percent
from nblib.project.paths import benchmark_record
from nblib.project.records import read_json

FEW_BINS = 400  # false alarms of spectra with more are counted apart


def numbers() -> dict[str, Any]:
    """Draws and shares by the names that the page's template asks for, and what it costs on one core.

    Raises
    ------
    ValueError where the record is missing
    """
    record = read_json(benchmark_record("own_spectra"))
    quiet = record["false alarms"]["found"]
    few = {name: row for name, row in quiet.items() if int(name.split(" bins")[0].split()[-1]) <= FEW_BINS}
    many = {name: row for name, row in quiet.items() if name not in few}
    return {
        "same": record["invariance"]["found"],
        "mains": record["mains"]["found"],
        "combs": record["combs"]["found"],
        "few_bins": FEW_BINS,
        "few": together(few),
        "many": together(many),
        "joint": read_json(benchmark_record("together")),
        "calibrated": calibrated(read_json(benchmark_record("calibrate"))),
        "cost": record["costs"]["found"],
        "processor": record["costs"]["hardware"]["processor"],
    }


def calibrated(record: dict) -> dict[str, Any]:
    """Thresholds from line-free spectra beside the packaged ones: a row for each kind of set-up and thresholds."""
    rows = []
    for name, by_thresholds in record["summary"].items():
        kind, count = name.removesuffix(" line-free").split(", ")
        for thresholds, by_rate in by_thresholds.items():
            rows.append(
                {
                    "name": f"{kind}, {count}",
                    "thresholds": thresholds,
                    "alarms": [percent(row["alarms"]) for row in by_rate.values()],
                    "most": [f"{row['worst set-up']:.1%}" for row in by_rate.values()],
                    "found": [f"{row['found']['share']:.2f}" for row in by_rate.values()],
                }
            )
    settings, setups = record["settings"], {name.split(",")[0] for name in record["set-ups"]}
    return {"rows": rows, "setups": len(setups), "quiet": settings["quiet"], "noisy": settings["noisy"]}


def together(classes: dict[str, dict]) -> dict[str, dict]:
    """False alarms of classes of spectra as those of one class: rate asked -> {"draws", "share"}.

    Parameters
    ----------
    classes : class -> rate asked -> {"draws", "share"}
    """
    pooled = {}
    for rate in ("0.01", "0.05"):
        rows = [row[rate] for row in classes.values()]
        draws = sum(row["draws"] for row in rows)
        pooled[rate] = {"draws": draws, "share": sum(row["share"] * row["draws"] for row in rows) / draws}
    return pooled
