"""What is claimed, held against what was measured."""

from nblib.detection.calibration import ALARM_RATES
from nblib.evaluation.tables import CLAIMED, ENERGIES, LIMIT, MEDIAN, TRUE, across_seeds, number_at
from nblib.spectra.noise import PUBLISHED_FAMILIES


def claims(metrics: dict) -> list[dict]:
    """What this repository set out to show, what it measured, and whether that is met.

    returns : rows of "what", "target" (text), "span", "met" (None for a control, of which nothing is asked)
    """
    rows = []

    def claim(what, target, span, met):
        rows.append({"what": what, "target": target, "span": span, "met": None if met is None else bool(met)})

    methods, trials = metrics["baselines"]["methods"], metrics["trials"]
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
    for name in PUBLISHED_FAMILIES:
        if f"all but {name}" in trials:
            span = over_pairs(trials[f"all but {name}"], trials["all families"], "families", name, "ap")
            claim(f"{name}: AP not seen in training / seen", ">= 0.95", span, span["iqm"] >= 0.95)
    for trial in CLAIMED:
        for rate in ALARM_RATES:
            span = across_seeds(trials[trial], "attention", f"false alarms at {rate:.0%}", over=rate)
            claim(f"{trial}: false alarms / asked, {rate:.0%}", "1/1.3 to 1.3", span, 1 / 1.3 <= span["iqm"] <= 1.3)
    for trial in CLAIMED:
        span = across_seeds(trials[trial], "in_band", "after", over=metrics["baselines"]["fit in-band"])
        claim(f"{trial}: error in noisy bins / fit's", "<= 2", span, span["iqm"] <= 2)
    energies = metrics["baselines"]["energies"]
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


def over_pairs(found: dict[str, dict], others: dict[str, dict], *path: str | int) -> dict[str, float]:
    """Span of the ratio of a number in one trial to that in another, seed by seed."""
    ratios = {}
    for seed in found:
        one, other = number_at(found[seed], *path), number_at(others[seed], *path)
        ratios[seed] = {"ratio": None if one is None or not other else one / other}
    return across_seeds(ratios, "ratio")
