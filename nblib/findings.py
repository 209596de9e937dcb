"""The record of notebook 06 read as answers: what the notebook, its figures and the README show.

`metrics` is that record's "metrics": "family", "trials" {trial: {seed: what was found}}, "references", "references by
noise" {trial: ...}, "harm" {family: ...} and "example". A span is {"iqm", "low", "high", "n"} over seeds.
"""

from collections.abc import Iterator

import numpy as np

from nblib.detect import FILTER_WIDTHS
from nblib.evidence import ALARM_RATES
from nblib.studies import TRIALS, across_seeds

SCORES = ("attention", "residual", "combined", "logit")
TRUE, LIMIT, MEDIAN = "true background", "posterior (limit)", "running median"
CLAIMED = ("simulated labels", "label-free")
ENERGIES = ("Ea", "Eb")
FAITHFULNESS = ("erase", "erase elsewhere", "gradient", "swap", "line in CLS")


def _judged_whole(metrics) -> Iterator[tuple[str, dict]]:
    for trial in TRIALS:  # a record's own keys are sorted
        if trial in metrics["trials"] and TRIALS[trial].judged == "whole":
            yield trial, metrics["trials"][trial]


def _without_seed(value, low=np.nan, high=np.nan):
    return {"iqm": value, "low": low, "high": high, "n": 0}


def detection_table(metrics: dict) -> dict[str, dict]:
    """Spans of AP and top-1 by method, best first: over seeds where it is trained, over test spectra where it is not.

    returns : method -> {"ap": span, "top1": span}; n is 0 where there are no seeds
    """
    rows = {}
    for trial, found in _judged_whole(metrics):
        for score in SCORES:
            if score in next(iter(found.values())):
                label = trial if score == "logit" else f"{trial}, {score}"
                rows[label] = {key: across_seeds(found, score, key) for key in ("ap", "top1")}
    for method, row in metrics["references"]["methods"].items():
        rows[method] = {"ap": _without_seed(row["ap"], *row["ap_interval"]), "top1": _without_seed(row["top1"])}
    return dict(sorted(rows.items(), key=lambda item: -item[1]["ap"]["iqm"]))


def strength_curves(metrics: dict) -> dict[str, dict[float, dict]]:
    """Spans of AP by method and strength: the claimed detectors, the supervised ones, and what needs no training."""
    strengths = metrics["references"]["strengths"]
    curves = {
        trial: {float(strength): across_seeds(found, "strengths", strength, "ap") for strength in strengths}
        for trial, found in _judged_whole(metrics)
        if trial in CLAIMED or TRIALS[trial].kind != "attention"
    }
    for method in (MEDIAN, TRUE):
        curves[method] = {float(strength): _without_seed(row[method]["ap"]) for strength, row in strengths.items()}
    return curves


def family_shares(metrics: dict) -> dict[str, dict[str, float]]:
    """AP on each noise family as a share of the matched filter on the true background: method -> family -> share.

    "not seen" is, for each family, the model trained on all the others.
    """
    references = {name: metrics["references"]["families"][name] for name in FILTER_WIDTHS}
    rows = {MEDIAN: {name: row[MEDIAN]["ap"] / row[TRUE]["ap"] for name, row in references.items()}}
    for trial in TRIALS:
        found = metrics["trials"].get(trial)
        if found and (trial in (*CLAIMED, "all families") or TRIALS[trial].kind != "attention"):
            rows[trial] = {name: _family_share(metrics, found, name)["iqm"] for name in references}
    left_out = {name: metrics["trials"].get(f"all but {name}") for name in references}
    if all(left_out.values()):
        shares = {name: _family_share(metrics, found, name)["iqm"] for name, found in left_out.items()}
        rows["all families, the tested one not seen"] = shares
    return rows


def _family_share(metrics, found, name):
    reference = metrics["references"]["families"][name][TRUE]["ap"]
    return across_seeds(found, "families", name, "ap", over=reference)


def noise_table(metrics: dict) -> dict[str, dict[str, dict]]:
    """AP of attention, running median, true background and limit by kind of estimation noise, each trained on it."""
    rows = {"K = 8": ("simulated labels", metrics["references"])}
    rows |= {trial: (trial, found) for trial, found in metrics["references by noise"].items()}
    table = {}
    for label, (trial, references) in rows.items():
        table[label] = {"attention": across_seeds(metrics["trials"][trial], "attention", "ap")}
        for method in (MEDIAN, TRUE, LIMIT):
            if method in references["methods"]:
                table[label][method] = _without_seed(references["methods"][method]["ap"])
    return table


def energy_table(metrics: dict) -> dict[str, list[dict]]:
    """Mean |error| of (Ea, Eb) over the Cramer-Rao bound of the truly clean bins: estimator -> two spans."""
    known = metrics["references"]["energies"]
    limit = known["bound, truly clean bins"]
    rows = {}
    for label in ("all bins", "truly clean bins", "posterior median, truly clean bins", "running median, kept bins"):
        rows[label] = [_without_seed(known[label][i] / limit[i]) for i in range(2)]
    for trial, found in _judged_whole(metrics):
        for key in ("kept bins", "linear probe"):
            if key in next(iter(found.values()))["energies"]:
                rows[f"{trial}, {key}"] = [across_seeds(found, "energies", key, i, over=limit[i]) for i in range(2)]
    return rows


def alarm_table(metrics: dict) -> dict[str, dict[str, dict]]:
    """False alarms (share of line-free spectra) and detections: detector -> key of evidence.calibration -> span."""
    rows = {}
    keys = [f"{what} at {rate:.0%}" for rate in ALARM_RATES for what in ("false alarms", "detected")]
    keys += [f"false alarms at {rate:.0%}, welch_hann" for rate in ALARM_RATES]
    for trial, found in _judged_whole(metrics):
        score = "attention" if "attention" in next(iter(found.values())) else "logit"
        rows[trial] = {key: across_seeds(found, score, key) for key in keys}
    median = metrics["references"][MEDIAN]
    rows[MEDIAN] = {key: _without_seed(median[key]) for key in keys}
    return rows


def harm_curves(metrics: dict) -> dict[str, list[dict[float, dict]]]:
    """Mean error of energies fitted on all bins over its bound: family -> (Ea, Eb) -> strength of the noise -> span."""
    curves = {}
    for name, rows in metrics["harm"].items():
        noisy = {float(strength): row for strength, row in rows.items() if float(strength)}
        curves[name.replace("_", " ")] = [
            {strength: _without_seed(row["error"][i] / row["bound"][i]) for strength, row in noisy.items()}
            for i in range(2)
        ]
    return curves


def faithfulness_table(metrics: dict) -> dict[str, dict[str, dict]]:
    """Spans of every faithfulness test by attention model: trial -> test -> span."""
    return {
        trial: {test: across_seeds(found, "faithfulness", test) for test in FAITHFULNESS}
        for trial, found in _judged_whole(metrics)
        if TRIALS[trial].kind == "attention"
    }


def claims(metrics: dict) -> list[dict]:
    """What this repository set out to show, what it measured, and whether that is met.

    returns : rows of "what", "target" (text), "span", "met" (None for a control, of which nothing is asked)
    """
    rows = []

    def claim(what, target, span, met):
        rows.append({"what": what, "target": target, "span": span, "met": None if met is None else bool(met)})

    methods, trials = metrics["references"]["methods"], metrics["trials"]
    for trial, score, least in (
        ("simulated labels", "attention", 0.98),
        ("label-free", "attention", 0.97),
        ("label-free", "residual", 0.99),
    ):
        for key, name in (("ap", "AP"), ("top1", "top-1")):
            span = across_seeds(trials[trial], score, key, over=methods[TRUE][key])
            claim(f"{trial}, {score}: {name} / true background", f">= {least}", span, span["iqm"] >= least)
        span = across_seeds(trials[trial], score, "ap", over=methods[LIMIT]["ap"])
        claim(f"{trial}, {score}: AP / posterior limit", "< 1", span, span["iqm"] < 1)
    for trial in CLAIMED:
        span, best = across_seeds(trials[trial], "attention", "ap"), methods[MEDIAN]["ap_interval"][1]
        claim(f"{trial}, attention: AP", f"> {best:.3f}, running median's upper end", span, span["low"] > best)
    for name in FILTER_WIDTHS:
        if f"all but {name}" in trials:
            span = over_pairs(trials[f"all but {name}"], trials["all families"], "families", name, "ap")
            claim(f"{name}: AP not seen in training / seen", ">= 0.95", span, span["iqm"] >= 0.95)
    for trial in CLAIMED:
        for rate in ALARM_RATES:
            span = across_seeds(trials[trial], "attention", f"false alarms at {rate:.0%}", over=rate)
            claim(f"{trial}: false alarms / asked, {rate:.0%}", "1/1.3 to 1.3", span, 1 / 1.3 <= span["iqm"] <= 1.3)
    for trial in CLAIMED:
        span = across_seeds(trials[trial], "in_band", "after", over=metrics["references"]["fit in-band"])
        claim(f"{trial}: error in noisy bins / fit's", "<= 2", span, span["iqm"] <= 2)
    energies = metrics["references"]["energies"]
    for trial in CLAIMED:
        for i, energy in enumerate(ENERGIES):
            for key, limit, most in (
                ("kept bins", "truly clean bins", 1.1),
                ("linear probe", "bound, truly clean bins", 1.25),
            ):
                span = across_seeds(trials[trial], "energies", key, i, over=energies[limit][i])
                claim(f"{trial}, {energy}: {key} / {limit}", f"<= {most}", span, span["iqm"] <= most)
    effects = (
        ("erase", "effect of erasing the noise / the same bins without it"),
        ("erase elsewhere", "effect of erasing the noise / as many clean bins elsewhere"),
        ("gradient", "gradient on the noise / on the same bins without it"),
    )
    for trial in (*CLAIMED, "no penalty", "token readout"):
        for test, what in effects:
            span = across_seeds(trials[trial], "faithfulness", test)
            claim(f"{trial}: {what}", "< 1", span, span["high"] < 1 if trial in CLAIMED else None)
    return rows


def verdict(row: dict) -> str:
    """A row of claims in a word."""
    return {True: "met", False: "MISSED", None: "control"}[row["met"]]


def over_pairs(found: dict[str, dict], others: dict[str, dict], *path: str) -> dict[str, float]:
    """Span of the ratio of a number in one trial to that in another, seed by seed."""
    ratios = {}
    for seed in found:
        one, other = found[seed], others[seed]
        for key in path:
            one, other = one[key], other[key]
        ratios[seed] = {"ratio": one / other}
    return across_seeds(ratios, "ratio")


def say(span: dict, digits: int = 3) -> str:
    """A span as text: `0.984 [0.982, 0.986]`, without brackets where there is no interval."""
    low, high = span.get("low"), span.get("high")
    text = f"{span['iqm']:.{digits}f}"
    known = low is not None and high is not None and np.isfinite(low) and np.isfinite(high)
    return f"{text} [{low:.{digits}f}, {high:.{digits}f}]" if known else text
