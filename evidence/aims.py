"""What this repository set out to show, held against what was measured."""

import math
from collections.abc import Iterator, Mapping

import numpy as np

from evidence import compared, looks
from evidence.calibration import ALARM_RATES
from evidence.compared import AP, ENERGY, FOUND, IN_BAND
from evidence.spans import across_seeds
from evidence.story import TAUGHT
from nblib.simulation.noise import PUBLISHED_FAMILIES

RESIDUAL, FREE = "residual attention", "label-free"
OF_SCORES = (  # trial, score, quantity, least, most
    (RESIDUAL, "residual", AP, 0.997, None),
    (RESIDUAL, "residual", FOUND, 0.985, None),
    (RESIDUAL, "residual", IN_BAND, None, 1.30),
    (RESIDUAL, "residual", ENERGY, None, 1.03),
    (FREE, "attention", AP, 0.965, None),  # its interval's lower end is asked
    (FREE, "attention", IN_BAND, None, 1.65),
)
OWN_WIDTHS = {"vibration": 0.93, "power_supply": 0.75, "interference": 0.81, "clock_leakage": 0.88}  # least AP
BANK_BEHIND = 0.03  # how far one score for all families may stay behind
SHAPES_AIM = 0.95  # AP of a model trained on shapes of no family over that of one trained on the family alone
PROBE_AIM = 1.25  # times the smallest possible error
FAITHFUL = (("erase ln", None, 0.0020), ("erase", None, 0.6), ("even", 2.0, None))  # test, least, most


def aims(metrics: Mapping) -> list[dict]:
    """What was aimed at, what was measured, and whether that is met: by the interquartile mean, or the whole interval.

    Returns
    -------
    rows of "what", "target" (text), "span", "met" and "sure": does the interval lie on one side of the aim (None where
    there is no interval); what is not measured yet is left out
    """
    parts = (_scores, _families, _taught, _probe, _closely)
    return [_row(*row) for part in parts for row in part(metrics) if row[1] is not None]


def verdict(row: dict) -> str:
    """A row of aims in a word, with a question mark where the interval holds the aim."""
    unsure = {True: "", False: "?", None: ", no interval"}
    return ("met" if row["met"] else "MISSED") + unsure[row["sure"]]


def _row(what, span, least=None, most=None, whole=False):
    """whole : the whole interval must be within the aim, not its middle alone."""
    low, high = (-math.inf if least is None else least), (math.inf if most is None else most)
    ends = [math.nan if span[end] is None else span[end] for end in ("low", "high")]
    known = all(map(math.isfinite, ends))
    one_sided = (low <= ends[0] and ends[1] <= high) or ends[1] < low or ends[0] > high
    target = " and ".join(f"{sign} {end:.4g}" for sign, end in ((">=", low), ("<=", high)) if math.isfinite(end))
    return {
        **{"what": what, "target": f"{target}, the whole interval" if whole else target, "span": span},
        "met": bool(low <= ends[0] and ends[1] <= high) if whole else bool(low <= span["iqm"] <= high),
        "sure": bool(one_sided) if known else None,
    }


Rows = Iterator[tuple]


def _scores(metrics) -> Rows:
    for trial, score, quantity, least, most in OF_SCORES:
        whole = (trial, quantity) == (FREE, AP)
        yield f"{trial}, {score}: {quantity}", compared.span(metrics, trial, quantity, score), least, most, whole


def _families(metrics) -> Rows:
    """Noise that training never showed: filters of its widths, one score for all, a training on shapes."""
    by_seed = compared.readings(metrics, RESIDUAL, "beyond")
    for family, least in OWN_WIDTHS.items() if by_seed else ():
        words = family.replace("_", " ")
        yield f"{words}, filters of its widths: AP", looks.families(metrics, RESIDUAL)[family]["own widths"], least
        behind = {seed: _less(row["families"][family], "bank", "own widths") for seed, row in by_seed.items()}
        yield f"{words}, one bank of widths for all families less these", across_seeds(behind, "ap"), -BANK_BEHIND
    for family in PUBLISHED_FAMILIES:
        score = "residual" if family == "single_line" else "own widths"
        ratio = looks.over_alone(metrics, "residual attention, shapes", family, score)
        yield f"{family.replace('_', ' ')}: trained on shapes / on the family alone, AP", ratio, SHAPES_AIM


def _less(by_score, one, other):
    """AP by one score less that by another, and the same without each group of spectra."""
    names = [name for name in ("ap", "ap_left_out") if name in by_score[one]]
    return {name: np.subtract(by_score[one][name], by_score[other][name]) for name in names}


def _taught(metrics) -> Rows:
    """Query and keys against residual attention at equal steps: to be better in one of these, surely."""
    if compared.readings(metrics, TAUGHT) and compared.readings(metrics, RESIDUAL):
        pair = (TAUGHT, "residual"), (RESIDUAL, "residual")
        yield (
            f"{TAUGHT} less {RESIDUAL}: {FOUND} (one of these two)",
            compared.difference(metrics, FOUND, *pair),
            0.0,
            None,
            True,
        )
        yield (
            f"{TAUGHT} less {RESIDUAL}: {IN_BAND} (one of these two)",
            compared.difference(metrics, IN_BAND, *pair),
            None,
            0.0,
            True,
        )


def _probe(metrics) -> Rows:
    for trial in (RESIDUAL, FREE):
        for energy, span in zip(("Ea", "Eb"), looks.probe(metrics, trial), strict=False):
            yield f"{trial}: {energy} read from CLS / smallest possible error", span, None, PROBE_AIM


def _closely(metrics) -> Rows:
    alarms, tests = looks.alarms(metrics), looks.faithful(metrics)
    for trial, score in ((RESIDUAL, "residual"), (FREE, "attention")):
        for rate in ALARM_RATES if trial in tests else ():
            span = alarms[f"{trial}, {score}"][f"false alarms at {rate:.0%}"]
            over = {key: None if value is None else value / rate for key, value in span.items() if key != "n"}
            yield f"{trial}, {score}: false alarms / asked, {rate:.0%}", over | {"n": span["n"]}, 1 / 1.3, 1.3
    for trial in (RESIDUAL, FREE, "simulated labels"):
        for test, least, most in FAITHFUL if trial in tests else ():
            yield f"{trial}: {looks.FAITHFULNESS[test]}", tests[trial][test], least, most
