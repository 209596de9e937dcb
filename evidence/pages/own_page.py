"""The numbers of docs/own_spectra.md's generated part: `nblib detect` tried as its user does, from the benchmark."""

from typing import Any

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
        "cost": record["costs"]["found"],
        "processor": record["costs"]["hardware"]["processor"],
    }


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
