"""The record of notebook 06 read as answers: what the notebook, its figures and the README show.

`metrics` is that record's "metrics": "family", "trials" {trial: {seed: what was found}}, "baselines", "references by
noise" {trial: ...}, "energy bias" {family: ...}, "energies by residual" (as "trials") and "example". A span is {"iqm",
"low", "high", "n"} over seeds.
"""

from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np

from evidence.calibration import ALARM_RATES
from evidence.tasks import ADDED
from evidence.trials import BY_RESIDUAL, CLAIMED, LIMIT, MEDIAN, REFIT, TRIALS, TRUE
from nblib.prediction import SCORES
from nblib.scoring.metrics import over_seeds, over_spectra
from nblib.simulation.noise import PUBLISHED_FAMILIES

DERIVED_SCORES = ("combined", "logit")  # beside those of prediction.SCORES


ENERGIES = ("Ea", "Eb")
FAITHFULNESS = {  # test -> what its number is
    "erase ln": "Erasing the noise:\nchange elsewhere [ln]",
    "erase": "Erasing the noise /\nits line-free twin",
    "erase elsewhere": "Erasing the noise /\nas many clean bins",
    "gradient": "Gradient on the noise /\nits line-free twin",
    "line ln": "The line: change of\nthe prediction [ln]",
    "rows ln": "Line through the rows\nof attention [ln]",
    "values ln": "Line through the values\nattended to [ln]",
    "swap ln": "Change when attention is\nanother spectrum's [ln]",
    "even": "Error in noisy bins, even\nattention forced / own",
    "line in CLS": "Line strength read\nfrom CLS [$R^2$]",
}
FAITHFULNESS_RATIOS = ("erase", "erase elsewhere", "gradient", "even")  # 1 = no difference


def _judged_whole(metrics) -> Iterator[tuple[str, dict]]:
    for trial in TRIALS:  # a record's own keys are sorted
        if trial in metrics["trials"] and TRIALS[trial].judged == "whole":
            yield trial, metrics["trials"][trial]


def _scores_of(metrics) -> dict[str, tuple[dict, str]]:
    """Every trained model's scores: label of a row -> ({seed: what was found}, score)."""
    return {
        trial if score == "logit" else f"{trial}, {score}": (found, score)
        for trial, found in _judged_whole(metrics)
        for score in (*SCORES, *DERIVED_SCORES)
        if score in next(iter(found.values()))
    }


def _without_seed(value, low=np.nan, high=np.nan):
    return {"iqm": value, "low": low, "high": high, "n": 0}


def detection_table(metrics: dict) -> dict[str, dict]:
    """Spans of AP and top-1 by method, best first: over seeds where it is trained, over test spectra where it is not.

    Returns
    -------
    method -> {"ap": span, "top1": span}; n is 0 where there are no seeds
    """
    rows = {
        label: {key: within_shares(across_seeds(found, score, key)) for key in ("ap", "top1")}
        for label, (found, score) in _scores_of(metrics).items()
    }
    for method, row in metrics["baselines"]["methods"].items():
        rows[method] = {"ap": _without_seed(row["ap"], *row["ap_interval"]), "top1": _without_seed(row["top1"])}
    return dict(sorted(rows.items(), key=lambda item: -item[1]["ap"]["iqm"]))


PAIRS = (  # two rows of detection_table, held against each other on the same test spectra
    ("simulated labels, attention", MEDIAN),
    ("label-free, attention", MEDIAN),
    ("simulated labels, attention", "label-free, attention"),
    ("simulated labels, attention", "supervised CNN"),
    ("simulated labels, attention", "token readout, attention"),
    ("simulated labels, residual", REFIT),
    ("label-free, residual", REFIT),
    ("simulated labels, attention", LIMIT),
)


def paired_differences(metrics: dict, pairs: Iterable[tuple[str, str]] = PAIRS) -> dict[tuple[str, str], dict]:
    """Differences of AP on the same test spectra, by seed where both are trained: spans of the pairs in the record.

    The interval covers seeds and test spectra together, a jackknife over the same groups of spectra for both; where
    neither is trained, spectra alone.

    Parameters
    ----------
    pairs : (one, other), rows of detection_table
    """
    found = {}
    for one, other in pairs:
        values, left_out = _differences(_precisions(metrics, one), _precisions(metrics, other))
        if len(values):
            trained = not {one, other} <= set(metrics["baselines"]["methods"])
            found[one, other] = over_seeds(values, left_out) if trained else over_spectra(values[0], left_out[0])
    return found


def _precisions(metrics, label):
    """AP and AP without each group of spectra, by seed (None: no seeds), of a row of detection_table."""
    if label in metrics["baselines"]["methods"]:
        rows = {None: metrics["baselines"]["methods"][label]}
    else:
        found, score = _scores_of(metrics).get(label, ({}, ""))
        rows = {seed: row[score] for seed, row in found.items()}
    return {seed: (row["ap"], np.array(row["ap_left_out"])) for seed, row in rows.items() if "ap_left_out" in row}


def _differences(one, other):
    """Values and their left-out twins, (seed,) and (seed, group), of the seeds that all that is trained has."""
    trained = [set(rows) for rows in (one, other) if None not in rows]
    seeds = sorted(set.intersection(*trained)) if trained else [None]
    pairs = [[rows[None if None in rows else seed] for rows in (one, other)] for seed in seeds]
    values, left_out = (np.array([first[part] - second[part] for first, second in pairs]) for part in (0, 1))
    return values, left_out


def strength_curves(metrics: dict) -> dict[str, dict[float, dict]]:
    """Spans of AP by method and strength: the claimed detectors, the supervised ones, and what needs no training."""
    strengths = metrics["baselines"]["strengths"]
    curves = {
        trial: {
            float(strength): within_shares(across_seeds(found, "strengths", strength, "ap")) for strength in strengths
        }
        for trial, found in _judged_whole(metrics)
        if trial in CLAIMED or TRIALS[trial].kind != "attention"
    }
    for method in (MEDIAN, TRUE):
        curves[method] = {float(strength): _without_seed(row[method]["ap"]) for strength, row in strengths.items()}
    return curves


def family_shares(metrics: dict) -> dict[str, dict[str, float]]:
    """AP on each noise family as a share of the matched filter on the true background: method -> family -> share.

    "shapes" was trained on no family in particular; "the family alone" is, for each family, the model trained on it.
    """
    references = {name: metrics["baselines"]["families"][name] for name in PUBLISHED_FAMILIES}
    rows = {MEDIAN: {name: row[MEDIAN]["ap"] / row[TRUE]["ap"] for name, row in references.items()}}
    for trial in TRIALS:
        found = metrics["trials"].get(trial)
        if found and (trial in (*CLAIMED, "shapes") or TRIALS[trial].kind != "attention"):
            rows[trial] = {name: _family_share(metrics, found, name)["iqm"] for name in references}
    alone = {name: trained_on(metrics, name) for name in references}
    if all(alone.values()):
        rows["the family alone"] = {name: _family_share(metrics, found, name)["iqm"] for name, found in alone.items()}
    return rows


def trained_on(metrics: dict, family: str) -> dict[str, dict] | None:
    """The trial trained on one family alone, {seed: what was found}; None where the record has none."""
    return metrics["trials"].get("simulated labels" if family == metrics["family"] else f"{family} alone")


def _family_share(metrics, found, name):
    reference = metrics["baselines"]["families"][name][TRUE]["ap"]
    return across_seeds(found, "families", name, "ap", over=reference)


def noise_table(metrics: dict) -> dict[str, dict[str, dict]]:
    """AP of attention, running median, true background and limit by kind of estimation noise, each trained on it."""
    rows = {"K = 8": ("simulated labels", metrics["baselines"])}
    rows |= {trial: (trial, found) for trial, found in metrics["baselines by noise"].items()}
    table = {}
    for label, (trial, references) in rows.items():
        table[label] = {"attention": within_shares(across_seeds(metrics["trials"][trial], "attention", "ap"))}
        for method in (MEDIAN, TRUE, LIMIT):
            if method in references["methods"]:
                table[label][method] = _without_seed(references["methods"][method]["ap"])
    return table


def energy_table(metrics: dict) -> dict[str, list[dict]]:
    """Mean |error| of (Ea, Eb) over the Cramer-Rao bound of the truly clean bins: estimator -> two spans."""
    known = metrics["baselines"]["energies"]
    limit = known["bound, truly clean bins"]
    rows = {}
    fits = ("all bins", "refit", "truly clean bins", "posterior median, truly clean bins", "running median, kept bins")
    for label in [label for label in fits if label in known]:
        rows[label] = [_without_seed(known[label][i] / limit[i]) for i in range(2)]
    for trial, found in _judged_whole(metrics):
        for key in ("kept bins", "linear probe"):
            if key in next(iter(found.values()))["energies"]:
                rows[f"{trial}, {key}"] = [across_seeds(found, "energies", key, i, over=limit[i]) for i in range(2)]
    for trial, found in metrics[BY_RESIDUAL].items():
        rows[f"{trial}, kept by the residual"] = [across_seeds(found, "kept bins", i, over=limit[i]) for i in range(2)]
    return rows


def alarm_table(metrics: dict) -> dict[str, dict[str, dict]]:
    """False alarms (share of line-free spectra) and detections: detector -> key of evidence.calibration -> span."""
    rows = {}
    keys = [f"{what} at {rate:.0%}" for rate in ALARM_RATES for what in ("false alarms", "detected")]
    keys += [f"false alarms at {rate:.0%}, welch_hann" for rate in ALARM_RATES]
    for trial, found in _judged_whole(metrics):
        score = "attention" if "attention" in next(iter(found.values())) else "logit"
        rows[trial] = {key: across_seeds(found, score, key) for key in keys}
    median = metrics["baselines"][MEDIAN]
    rows[MEDIAN] = {key: _without_seed(median[key]) for key in keys}
    return rows


def rows_by_strength(found: dict) -> dict[float, dict]:
    """What was found at each strength, without the entries that say which task found it."""
    return {float(key): row for key, row in found.items() if key not in ADDED}


def energy_bias_curves(metrics: dict) -> dict[str, list[dict[float, dict]]]:
    """Mean error of energies fitted on all bins over its bound: family -> (Ea, Eb) -> strength of the noise -> span."""
    curves = {}
    for name, rows in metrics["energy bias"].items():
        noisy = {strength: row for strength, row in rows_by_strength(rows).items() if strength}
        curves[name.replace("_", " ")] = [
            {strength: _without_seed(row["error"][i] / row["bound"][i]) for strength, row in noisy.items()}
            for i in range(2)
        ]
    return curves


def faithfulness_table(metrics: dict) -> dict[str, dict[str, dict]]:
    """Spans of every faithfulness test, by attention model: trial -> test -> span."""
    return {
        trial: {test: across_seeds(found, "faithfulness", test) for test in FAITHFULNESS}
        for trial, found in _judged_whole(metrics)
        if TRIALS[trial].kind == "attention"
    }


def format_interval(span: dict, digits: int = 3) -> str:
    """A span as text: `0.984 [0.982, 0.986]`, without brackets where there is no interval."""
    low, high = span.get("low"), span.get("high")
    text = f"{span['iqm']:.{digits}f}"
    known = low is not None and high is not None and np.isfinite(low) and np.isfinite(high)
    return f"{text} [{low:.{digits}f}, {high:.{digits}f}]" if known else text


def across_seeds(
    found: dict[str, dict], *path: str | int, over: float = 1.0, over_left_out: list[float] | None = None
) -> dict[str, float]:
    """Interquartile mean over seeds and 95 % interval of a number, see metrics.over_seeds.

    The interval covers the test spectra as well where the record holds the number without each group of spectra, under
    its name and "_left_out".

    Parameters
    ----------
    found : {seed: nested numbers}
    path : keys to the number
    over : what it is divided by
    over_left_out : the same without each group of the same spectra
    """
    values, left_out = [], []
    for entry in found.values():
        value = number_at(entry, *path)
        values.append(np.nan if value is None else value / over)
        for key in path[:-1]:
            entry = entry[key]
        if isinstance(entry, dict) and f"{path[-1]}_left_out" in entry:
            shares = np.array(entry[f"{path[-1]}_left_out"], dtype=np.float64)
            left_out.append(shares / (over if over_left_out is None else np.array(over_left_out)))
    return over_seeds(np.array(values), np.array(left_out) if len(left_out) == len(values) else None)


def within_shares(span: dict) -> dict:
    """A span of a share, its ends cut to 0..1: Student's t knows nothing of bounds. NaN stays."""
    return span | {end: float(np.clip(span[end], 0.0, 1.0)) for end in ("low", "high")}


def number_at(found: dict, *path: str | int) -> float | None:
    """The number at the end of a path of keys; None where it was not a finite one."""
    value: Any = found
    for key in path:
        value = value[key]
    return value
