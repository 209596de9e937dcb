"""The numbers of the README's generated parts: the answer and what did not work, from records."""

from typing import Any

from evidence import compared, looks
from evidence.compared import MAIN
from evidence.pages.answers import most_of_others
from nblib.project.records import committed_result, provenance

TABLE = (  # rows of compared.methods and compared.rows that the README shows
    *("limit", "fit of the formula", "residual attention, residual", "masked mean, residual", "components", "spline"),
    *("supervised token head", "label-free, residual", "label-free, attention", "simulated labels, residual"),
    *("simulated labels, attention", "no penalty, attention, standardised"),
)
CORRELATED = "false alarms at 1%, welch_hann"


def numbers() -> dict[str, Any]:
    """Numbers by the names that the README's templates ask for.

    Raises
    ------
    ValueError where a record is missing
    """
    evidence, sweep = committed_result("06_benchmark"), committed_result("05_lambda_sweep")["metrics"]
    return {
        **_answer(evidence),
        "physics": committed_result("09_physics")["metrics"],
        "most_of_others": most_of_others(sweep["full table"]),
    }


def _answer(evidence):
    """Notebook 06: what each part adds, spans over seeds."""
    metrics = evidence["metrics"]
    methods, rows = compared.methods(metrics), compared.rows(metrics)
    errors = metrics["references"][MAIN]["baselines"]["energies"]
    known = methods | rows
    return {
        **{"methods": methods, "rows": rows, "differences": compared.differences(metrics)},
        "table": [{"name": name} | known[name] for name in TABLE if name in known],
        **{"families": looks.by_family(metrics), "segments": looks.by_segments(metrics)},
        "n_beyond": len(compared.readings(metrics, "residual attention", "beyond")),
        "alarms": {name: row[CORRELATED]["iqm"] for name, row in looks.alarms(metrics).items()},
        "limit": metrics["references"][MAIN]["baselines"]["methods"][compared.LIMIT]["ap"],
        "all_bins": errors["all bins"][0] / errors["truly clean bins"][0],
        "record": f"records/{evidence['profile']}/{evidence['notebook']}.json",
        "provenance": provenance(evidence),
    }
