"""Records: what a run measured and under which conditions, as small JSON files written whole or not at all."""

import json
import logging
import math
import os
import time
from collections.abc import Callable
from io import BytesIO
from pathlib import Path

import numpy as np

from nblib.project.environment import run_conditions
from nblib.project.paths import record_path, runs_dir, write_whole
from nblib.project.profiles import PROFILES_VARIABLE

LOG = logging.getLogger(__name__)
STARTED = time.perf_counter()  # of the notebook or program that imports this


def _plain(value):
    """JSON has no arrays and no NaN: arrays become lists, NaN and infinities null."""
    if isinstance(value, dict):
        return {str(key): _plain(entry) for key, entry in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(entry) for entry in value]
    if isinstance(value, np.ndarray):
        return _plain(value.tolist())
    if isinstance(value, np.generic):
        return _plain(value.item())
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value


def write_json(path: Path, value: dict) -> Path:
    """Write a record, whole or not at all; raises ValueError where its folder cannot be written to."""
    return write_whole(path, json.dumps(_plain(value), indent=1, sort_keys=True) + "\n")


def read_json(path: Path) -> dict:
    """A record; raises ValueError when it is missing or damaged."""
    try:
        return json.loads(Path(path).read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ValueError(f"no record at {path}; run the notebook or training that writes it") from None
    except json.JSONDecodeError as error:
        raise ValueError(f"{path} is not JSON ({error}); delete it and run again") from error


def kept_array(path: Path, compute: Callable[[], np.ndarray]) -> np.ndarray:
    """An array that is computed once and kept as .npz; one that is damaged is reported and computed again."""
    if path.exists():
        try:
            with np.load(path) as kept:
                return kept["values"]
        except Exception as error:  # of zipfile, zlib or numpy, whatever the damage looks like to them
            LOG.warning("%s is damaged (%s) and is computed again", path, error)
    values, content = compute(), BytesIO()
    np.savez(content, values=values)
    write_whole(path, content.getvalue())
    return values


def find_result(notebook: str, profile: str, run_name: str = "") -> dict | None:
    """An earlier notebook's record; None when it has not run with this profile."""
    path = runs_dir(profile, notebook, run_name) / "result.json"
    return read_json(path) if path.exists() else None


def committed_result(notebook: str, profile: str = "quick") -> dict:
    """The published record of a notebook's longer run, quoted by prose and README.

    Raises
    ------
    ValueError when there is none
    """
    return read_json(record_path(profile, notebook))


def provenance(record: dict) -> str:
    """One line: profile, seed or seeds, fingerprint of the code where there is one, commit, hardware, versions."""
    hardware, versions, code = record["hardware"], record["versions"], record.get("fingerprint")
    return (
        f"profile {record['profile']}, {seeds_in_words(record['parameters'])}, "
        f"{f'fingerprint {code}, ' if code else ''}commit {record['commit']}, "
        f"{hardware['processor']} ({hardware['cores']} cores, accelerator {hardware['accelerator']}), "
        f"torch {versions['torch']}"
    )


def seeds_in_words(parameters: dict) -> str:
    """The seed or seeds of a notebook's parameters: "seed 0" or "seeds 0 to 9"."""
    seeds = parameters.get("seeds", [parameters["seed"]])
    return f"seed {seeds[0]}" if len(seeds) == 1 else f"seeds {seeds[0]} to {seeds[-1]}"


def save_result(
    notebook: str, profile: str, run_name: str, parameters: dict, metrics: dict, fingerprint: str = ""
) -> Path:
    """Record a notebook's answer under runs/<profile>/<notebook>/<run_name>/result.json.

    Parameters
    ----------
    parameters : the notebook's parameters by name
    metrics : what it measured, numbers or nested dicts of numbers
    fingerprint : of the code that trains and judges, beginning; "" where nothing is trained

    Returns
    -------
    path of the record, which also holds wall seconds, versions, commit and hardware; `make publish` copies that of a
    plain quick or full run to records/
    """
    record = {
        "notebook": notebook,
        "profile": profile,
        "parameters": parameters,
        "metrics": metrics,
        "wall_seconds": round(time.perf_counter() - STARTED, 1),
    }
    record |= run_conditions() | ({"fingerprint": fingerprint} if fingerprint else {})
    if os.environ.get(PROFILES_VARIABLE):
        record["profiles_from"] = os.environ[PROFILES_VARIABLE]
    return write_json(runs_dir(profile, notebook, run_name) / "result.json", record)


def flatten(value, prefix: str = "") -> dict[str, object]:
    """Nested dicts as one level: {"a": {"b": 1}} -> {"a.b": 1}."""
    if not isinstance(value, dict):
        return {prefix: value}
    flat: dict[str, object] = {}
    for key, entry in value.items():
        flat |= flatten(entry, f"{prefix}.{key}" if prefix else str(key))
    return flat
