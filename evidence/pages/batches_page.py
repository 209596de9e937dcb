"""The numbers of docs/batches.md's generated part, from the record of benchmarks/doors.py."""

from typing import Any

from nblib.project.paths import benchmark_record
from nblib.project.records import read_json

KILLED = ("killed", "killed, with figures")


def numbers() -> dict[str, Any]:
    """Counts and seconds by the names that the page's template asks for.

    Raises
    ------
    ValueError where the record is missing, or says that something was lost
    """
    record = read_json(benchmark_record("doors"))
    split, killed = record["split"], [record[name] for name in KILLED]
    lost = [row for row in killed if row["whole after the last command"] < row["files"] or row["left"]]
    differ = [name for name in ("local", "cluster-generic") if not split[name]["table"]]
    again = [name for name, same in record["twice"].items() if same is False]
    if lost or differ or again:
        raise ValueError(f"the record of batches says that something was lost or differs: {lost or differ or again}")
    return {
        "seconds": record["seconds"],
        "explorer": record["explorer"],
        "disk": record["disk"],
        "killed": killed,
        "split": split,
        "commits": sorted({part["commit"] for part in record.values() if isinstance(part, dict) and "commit" in part}),
        "processor": record["hardware"]["processor"],
    }
