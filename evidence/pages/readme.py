"""The numbers of the README's generated parts: the answer and what did not work, from records."""

from typing import Any

from evidence import compared, looks
from evidence.compared import MAIN
from evidence.pages import fit_page
from evidence.pages.answers import most_of_others
from evidence.pages.evidence_page import times_of_readouts
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
        "times": times_of_readouts(),
        "fits": fit_page.numbers()["series"],
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
        "best_spline": _validated_spline(metrics),
        "all_bins": errors["all bins"][0] / errors["truly clean bins"][0],
        "record": f"records/{evidence['profile']}/{evidence['notebook']}.json",
        "provenance": provenance(evidence),
    }


def _validated_spline(metrics):
    """AP over the limit's of the smoothness that validation spectra would choose; the table has a fixed one."""
    settings = compared.reference(metrics, MAIN, "rivals")["settings"].values()
    return max(settings, key=lambda row: row["validation"])["test"] / compared.denominator(metrics, compared.AP)[0]
