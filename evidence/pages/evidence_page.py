"""The numbers of docs/evidence.md's generated part: every table of the evidence, from the records of 06 and 03."""

from collections import Counter
from typing import Any

import numpy as np

from evidence import tables
from evidence.assessments import ENERGY_RATE
from evidence.calibration import KEEP_RATE
from evidence.claims import claims, claims_of_longer, verdict
from nblib.project.records import committed_result, provenance


def numbers() -> dict[str, Any]:
    """Numbers and rows by the names that the page's template asks for.

    Raises
    ------
    ValueError where a record is missing
    """
    record, single = committed_result("06_benchmark"), committed_result("03_full_attention_regularizer")
    metrics = record["metrics"]
    return {
        **_detection(metrics),
        **_aims(metrics),
        "strengths": tables.strength_curves(metrics),
        "family_shares": tables.family_shares(metrics),
        "noise": {
            name: {method: row.get(method) for method in ("attention", tables.MEDIAN, tables.TRUE, tables.LIMIT)}
            for name, row in tables.noise_table(metrics).items()
        },
        "alarms": tables.alarm_table(metrics),
        "energies": tables.energy_table(metrics),
        "errors": metrics["baselines"]["energies"],
        "rates": {"attention": KEEP_RATE, "residual": ENERGY_RATE},
        "faithful": tables.faithfulness_table(metrics),
        "full": single["metrics"]["full"]["simulated labels"],
        "masked_ratio": single["metrics"]["masked ratio"],
        "records": {f"records/{row['profile']}/{row['notebook']}.json": provenance(row) for row in (record, single)},
    }


def _detection(metrics):
    """Every method by average precision: over seeds where it is trained, over test spectra where it is not."""
    table = tables.detection_table(metrics)
    reference, limit = (table[name]["ap"]["iqm"] for name in (tables.TRUE, tables.LIMIT))
    to_limit = tables.paired_differences(metrics, [(name, tables.LIMIT) for name in table])
    return {
        "detection": {
            name: row | {"of_reference": row["ap"]["iqm"] / reference, "of_limit": row["ap"]["iqm"] / limit}
            for name, row in table.items()
        },
        "chance": metrics["baselines"]["methods"]["random"],
        "to_limit": {one: span for (one, _), span in to_limit.items() if np.isfinite(span["low"])},
        "paired": tables.paired_differences(metrics),
    }


def _aims(metrics):
    """What was aimed at, what was measured, and how many aims are met (True) and missed (False), surely or not."""
    aims, longer = (
        [row | {"verdict": verdict(row)} for row in rows] for rows in (claims(metrics), claims_of_longer(metrics))
    )
    asked = [row for row in aims if row["met"] is not None]
    return {
        "aims": aims,
        "longer": longer,
        "n_aims": len(asked),
        "judged": Counter(row["met"] for row in asked),
        "unsure": Counter(row["met"] for row in asked if row["sure"] is False),
    }
