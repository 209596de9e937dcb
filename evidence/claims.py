"""What is claimed, held against what was measured."""

import math

from evidence.calibration import ALARM_RATES
from evidence.tables import CLAIMED, ENERGIES, LIMIT, MEDIAN, across_seeds, number_at, trained_on
from evidence.trials import BY_RESIDUAL, LONGER
from nblib.simulation.noise import PUBLISHED_FAMILIES

UNPENALISED = "no penalty"
SHAPES = "shapes"  # the trial trained on noise of no particular family
SHAPES_AIM = 0.95  # its AP over that of a model trained on the family alone
LEAST_DETECTION = (  # trial, score, number, least share of the posterior limit's
    ("simulated labels", "attention", "ap", 0.985),
    ("simulated labels", "attention", "top1", 0.99),
    ("label-free", "attention", "ap", 0.965),
    ("label-free", "residual", "ap", 0.99),
)
MOST_IN_BAND = {"simulated labels": 1.6, "label-free": 1.8}  # times the fit's on truly clean bins
MOST_ENERGY = (1.05, 1.1)  # times the error of Ea and Eb on truly clean bins
NAMES = {"ap": "AP", "top1": "top-1"}


def claims(metrics: dict) -> list[dict]:
    """What this repository set out to show, what it measured, and whether that is met: by the interquartile mean.

    Returns
    -------
    rows of "what", "target" (text), "span", "met" (None for a control, of which nothing is asked) and "sure": does the
    interval lie on one side of the aim (None where there is no interval)
    """
    return [
        *_detection_claims(metrics),
        *_use_claims(metrics),
        *_family_claims(metrics),
        *_faithfulness_claims(metrics),
    ]


def claims_of_longer(metrics: dict) -> list[dict]:
    """The aims of the claimed trials, held against the same trained for twice the steps; [] where none was."""
    trials = {trial: metrics["trials"][longer] for trial, longer in LONGER.items() if longer in metrics["trials"]}
    if len(trials) < len(LONGER):
        return []
    longer = metrics | {"trials": trials, BY_RESIDUAL: {}}
    return [*_detection_claims(longer), *_use_claims(longer), *_faithfulness_claims(longer)]


def _claim(what, span, least=-math.inf, most=math.inf, target=None):
    lowest, highest = (span.get(end, math.nan) for end in ("low", "high"))
    known = math.isfinite(lowest) and math.isfinite(highest)
    one_sided = least <= lowest and highest <= most or highest < least or lowest > most
    return {
        "what": what,
        "target": target or (f">= {least:g}" if most == math.inf else f"<= {most:g}"),
        "span": span,
        "met": bool(least <= span["iqm"] <= most),
        "sure": bool(one_sided) if known else None,
    }


def _detection_claims(metrics):
    methods, trials, rows = metrics["baselines"]["methods"], metrics["trials"], []
    for trial, score, key, least in LEAST_DETECTION:
        limit = methods[LIMIT] if key == "ap" else {"top1": 1.0}
        span = across_seeds(trials[trial], score, key, over=limit[key], over_left_out=limit.get(f"{key}_left_out"))
        rows.append(_claim(f"{trial}, {score}: {NAMES[key]}{' / limit' if key == 'ap' else ''}", span, least))
    best = methods[MEDIAN]["ap_interval"][1]
    for trial in CLAIMED:
        span = across_seeds(trials[trial], "attention", "ap")
        rows.append(_claim(f"{trial}, attention: AP, running median's upper end", span, best))
        for rate in ALARM_RATES:
            span = across_seeds(trials[trial], "attention", f"false alarms at {rate:.0%}", over=rate)
            what = f"{trial}: false alarms / asked, {rate:.0%}"
            rows.append(_claim(what, span, 1 / 1.3, 1.3, "1/1.3 to 1.3"))
    return rows


def _use_claims(metrics):
    """What the detection is good for: the background in the noisy bins, the masked error, the energies."""
    baselines, trials, rows = metrics["baselines"], metrics["trials"], []
    for trial, most in MOST_IN_BAND.items():
        limit = {"over": baselines["fit in-band"], "over_left_out": baselines.get("fit in-band left_out")}
        span = across_seeds(trials[trial], "in_band", "after", **limit)
        rows.append(_claim(f"{trial}: error in noisy bins / fit's on truly clean bins", span, most=most))
    if UNPENALISED in trials:
        pairs = over_pairs(trials["simulated labels"], trials[UNPENALISED], "masked", "background_rms")
        rows.append(_claim("masked error against the background, with / without the penalty", pairs, most=1.1))
    kept = [(trial, "attention", trials[trial], ("energies", "kept bins")) for trial in CLAIMED]
    kept += [(trial, "the residual", found, ("kept bins",)) for trial, found in metrics[BY_RESIDUAL].items()]
    for trial, by, found, path in kept:
        for i, energy in enumerate(ENERGIES):
            span = across_seeds(found, *path, i, over=baselines["energies"]["truly clean bins"][i])
            rows.append(_claim(f"{trial}, {energy}: kept by {by} / truly clean bins", span, most=MOST_ENERGY[i]))
    return rows


def _family_claims(metrics):
    """Noise of families that the training never showed."""
    trials, families, rows = metrics["trials"], metrics["baselines"]["families"], []
    for name in PUBLISHED_FAMILIES if SHAPES in trials else ():
        if alone := trained_on(metrics, name):
            span = over_pairs(trials[SHAPES], alone, "families", name, "ap")
            rows.append(_claim(f"{name}: AP trained on shapes / on the family alone", span, SHAPES_AIM))
    for name in ("interference", "clock_leakage") if SHAPES in trials else ():
        span = across_seeds(trials[SHAPES], "families", name, "ap")
        rows.append(_claim(f"{name}: AP trained on shapes, running median's", span, families[name][MEDIAN]["ap"]))
    return rows


def _faithfulness_claims(metrics):
    trials, rows = metrics["trials"], []
    for trial in CLAIMED:
        for test, what, limit in (
            ("erase ln", "change elsewhere when the noise is erased, ln", {"most": 0.0020}),
            ("erase", "change elsewhere when the noise is erased / without its line", {"most": 0.6}),
            ("even", "error in noisy bins with even attention forced / own", {"least": 2.0}),
        ):
            rows.append(_claim(f"{trial}: {what}", across_seeds(trials[trial], "faithfulness", test), **limit))
    return rows + [
        {
            "what": f"{trial}: change elsewhere when the noise is erased / without its line",
            "target": "",
            "span": across_seeds(trials[trial], "faithfulness", "erase"),
            "met": None,
            "sure": None,
        }
        for trial in (UNPENALISED, "token readout")
        if trial in trials
    ]


def verdict(row: dict) -> str:
    """A row of claims in a word, with a question mark where the interval holds the aim."""
    return {True: "met", False: "MISSED", None: "control"}[row["met"]] + ("?" if row["sure"] is False else "")


def over_pairs(found: dict[str, dict], others: dict[str, dict], *path: str | int) -> dict[str, float]:
    """Span of the ratio of a number in one trial to that in another, for the seeds that both have."""
    ratios = {}
    for seed in [seed for seed in found if seed in others]:
        one, other = number_at(found[seed], *path), number_at(others[seed], *path)
        ratios[seed] = {"ratio": None if one is None or not other else one / other}
    return across_seeds(ratios, "ratio")
