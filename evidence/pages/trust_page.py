"""The numbers of docs/trust.md's generated part, from the record of benchmarks/campaign.py."""

from typing import Any

from nblib.project.paths import benchmark_record
from nblib.project.records import read_json


def numbers() -> dict[str, Any]:
    """Counts by the names that the page's template asks for.

    Raises
    ------
    ValueError where the record is missing, or a part of the campaign is
    """
    record = read_json(benchmark_record("campaign"))
    if record["missing"]:
        raise ValueError(f"the record of the campaign lacks {', '.join(record['missing'])}; run it again to go on")
    formats = record["files"]["formats"]
    return {
        "tried": record["files"]["tried"],
        "read": record["files"]["read"],
        "refused": record["files"]["tried"] - record["files"]["read"],
        "formats": len(formats),
        "peak_mib": max(row["peak_mib"] for row in formats.values()),
        "hostile": record["hostile"],
        "properties": [f"{name} {count}" for name, count in record["properties"].items()],
        "kills": record["kills"],
        "n_faults": len(record["faults"]),
        "minutes": record["seconds"] / 60,
        "seed": record["seed"],
        "commit": record["commit"],
        "processor": record["hardware"]["processor"],
    }
