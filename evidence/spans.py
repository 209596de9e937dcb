"""Spans of numbers over seeds and spectra, {"iqm", "low", "high", "n"} as metrics.over_seeds has it; n 0: no seeds.

`interval` writes one as text.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from nblib.scoring.metrics import over_seeds


def interval(span: dict | Sequence[float] | None, digits: int = 3, sign: str = "") -> str:
    """A number and its interval as text: `0.984 [0.982, 0.986]`, without brackets where there is no interval.

    Nothing is written of None.

    Parameters
    ----------
    span : {"iqm", "low", "high"}, or the three numbers; a record's "difference" or "mean" may stand for "iqm"
    digits : digits after the point
    sign : "+" writes the sign of positive numbers too
    """
    if span is None:
        return ""
    numbers: Iterable[float | None] = span
    if isinstance(span, dict):
        value = next(span[name] for name in ("iqm", "difference", "mean") if name in span)
        numbers = value, span.get("low"), span.get("high")
    value, *ends = (math.nan if number is None else number for number in numbers)
    shown, *limits = (f"{number:{sign}.{digits}f}" for number in (value, *ends))
    return f"{shown} [{', '.join(limits)}]" if all(map(math.isfinite, ends)) else shown


def without_seed(value: float, low: float = math.nan, high: float = math.nan) -> dict[str, float]:
    """The span of a number that no seed was trained for."""
    return {"iqm": value, "low": low, "high": high, "n": 0}


def across_seeds(
    by_seed: Mapping[str, dict], *path: str | int, over: float = 1.0, over_left_out: Sequence[float] | None = None
) -> dict[str, float]:
    """Interquartile mean over seeds and 95 % interval of a number.

    The interval covers the test spectra as well where the record holds the number without each group of spectra, under
    its name and "_left_out".

    Parameters
    ----------
    by_seed : {seed: nested numbers}
    path : keys to the number
    over : what it is divided by
    over_left_out : the same without each group of the same spectra
    """
    values, left_out = [], []
    for entry in by_seed.values():
        value = number_at(entry, *path)
        values.append(np.nan if value is None else value / over)
        for key in path[:-1]:
            entry = entry[key]
        if isinstance(entry, dict) and f"{path[-1]}_left_out" in entry:
            shares = np.array(entry[f"{path[-1]}_left_out"], dtype=np.float64)
            left_out.append(shares / (over if over_left_out is None else np.array(over_left_out)))
    return over_seeds(np.array(values), np.array(left_out) if len(left_out) == len(values) else None)


def table_across_seeds(
    measured: Mapping[str, Mapping[str, dict]], paths: Mapping[str, Sequence[str]]
) -> dict[str, dict[str, dict[str, float]]]:
    """`across_seeds` of several numbers of several settings; a number that a setting lacks is left out.

    Parameters
    ----------
    measured : {setting: {seed: nested numbers}}
    paths : the name of each number and the keys to it
    """
    return {
        setting: {
            name: across_seeds(rows, *path) for name, path in paths.items() if path[0] in next(iter(rows.values()))
        }
        for setting, rows in measured.items()
    }


def over_pairs(by_seed: Mapping[str, dict], others: Mapping[str, dict], *path: str | int) -> dict[str, float]:
    """Span of the ratio of a number in one trial to that in another, for the seeds that both have.

    It covers the test spectra as well where both have the number without each group of them.
    """
    groups, ratios = (*path[:-1], f"{path[-1]}_left_out"), {}
    for seed in [seed for seed in by_seed if seed in others]:
        one, other = number_at(by_seed[seed], *path), number_at(others[seed], *path)
        ratios[seed] = {"ratio": None if one is None or not other else one / other}
        left_out = [number_at(rows[seed], *groups) for rows in (by_seed, others)]
        if None not in left_out:
            ratios[seed]["ratio_left_out"] = np.divide(*left_out)
    return across_seeds(ratios, "ratio")


def within_shares(span: dict) -> dict:
    """A span of a share, its ends cut to 0..1: Student's t has no bounds. NaN stays."""
    return span | {end: float(np.clip(span[end], 0.0, 1.0)) for end in ("low", "high")}


def number_at(entry: Mapping, *path: str | int) -> Any:
    """The number, or numbers, at the end of a path of keys; None where there is none, or was not a finite one."""
    value: Any = entry
    for key in path:
        value = value.get(key) if isinstance(value, Mapping) else value[key]
    return value
