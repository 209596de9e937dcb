"""The record of notebook 06 read as answers: noise, K and passes absent from training, false alarms, faithfulness.

`metrics` and spans as in evidence.compared.
"""

from collections.abc import Mapping

import numpy as np

from evidence.compared import LIMIT, MAIN, MEDIAN, TRUE, readings, reference
from evidence.readings import PASSES
from evidence.rivals import K_UNKNOWN, SEGMENTS
from evidence.spans import across_seeds, over_pairs, within_shares, without_seed
from evidence.story import TAUGHT, TRIALS
from nblib.scoring.metrics import over_seeds
from nblib.simulation.noise import PUBLISHED_FAMILIES

FAITHFULNESS = {  # test of faithfulness.faithfulness -> what its number is
    "erase ln": "noise erased: change elsewhere [ln]",
    "erase": "noise erased / its line-free twin",
    "line ln": "the line: change of the prediction [ln]",
    "even": "error with even attention / own",
}


def families(metrics: Mapping, trial: str) -> dict[str, dict[str, dict]]:
    """AP on every family: family -> score -> span; {} where nothing was looked at beyond the training's noise."""
    by_seed = _beyond(metrics, trial)
    first: dict[str, dict] = next(iter(by_seed.values()), {"families": {}})["families"]
    return {
        family: {score: within_shares(across_seeds(by_seed, "families", family, score, "ap")) for score in by_score}
        for family, by_score in first.items()
    }


def over_alone(metrics: Mapping, trial: str, family: str, score: str) -> dict | None:
    """AP on a family over that of residual attention trained on that family alone, by seed; None: not measured."""
    known = "residual attention" if family == "single_line" else f"residual attention, {family} alone"
    beyond, alone = _beyond(metrics, trial), _beyond(metrics, known)
    return over_pairs(beyond, alone, "families", family, score, "ap") if set(beyond) & set(alone) else None


def _beyond(metrics, trial):
    return readings(metrics, trial, "beyond") or readings(metrics, trial, "families")


RIVAL_SCORES = ("posterior", "matched filter", "bank")


def by_family(metrics: Mapping) -> dict[str, dict[str, dict]]:
    """AP on every published family, of rivals and of models trained on single lines: row -> family -> span."""
    known = metrics["references"][MAIN]["baselines"]["families"].items()
    spans = {
        f"{name}, filters of its widths": {family: without_seed(row[name]["ap"]) for family, row in known}
        for name in (TRUE, MEDIAN)
    }
    rivals = reference(metrics, MAIN, "rivals")
    for rival in ("spline", "components") if rivals else ():
        for score in RIVAL_SCORES:
            rows = rivals[rival]["families"].items()
            spans[f"{rival}, {score}"] = {family: without_seed(row[score]["ap"]) for family, row in rows}
    for trial in TRIALS:
        words = trial.replace("_", " ")
        ties = {"attention"} if TRIALS[trial].changes.get("hard") else set()  # weights of 0 and 1 as a score
        for family, by_score in families(metrics, trial).items():
            for score in (score for score in by_score if score not in ties):
                spans.setdefault(f"{words}, {score}", {})[family] = by_score[score]
    return spans


def by_segments(metrics: Mapping) -> dict[str, dict[str, dict]]:
    """AP by K of the spectra: of rivals fitted at that K, of the residual of models trained at 8: row -> K -> span."""
    segments = [str(k) for k in SEGMENTS]
    spans = {}
    rivals = reference(metrics, MAIN, "rivals").get("segments", {})
    for rival in ("spline", f"spline{K_UNKNOWN}", "components", f"components{K_UNKNOWN}") if rivals else ():
        rows = {k: rivals[k][rival] for k in segments}
        spans[f"{rival}, fitted at that K"] = {
            k: without_seed(row["ap"], *row["ap_interval"]) for k, row in rows.items()
        }
    for name in (LIMIT, MEDIAN):
        rows = {k: reference(metrics, f"K = {k}", "methods").get("methods", {}).get(name) for k in segments}
        if all(rows.values()):
            spans[f"{name}, at that K"] = {k: without_seed(row["ap"]) for k, row in rows.items()}
    alone = {k: readings(metrics, f"residual attention, K = {k}") for k in segments}
    alone["8"] = readings(metrics, "residual attention")
    if all(alone.values()):
        spans["residual attention, trained at that K"] = {
            k: within_shares(across_seeds(rows, "residual", "ap")) for k, rows in alone.items()
        }
    for trial in TRIALS:
        looked = readings(metrics, trial, "beyond")
        for how in ("known", "measured") if looked else ():
            spans[f"{trial}, K {how}"] = {k: within_shares(across_seeds(looked, "K", k, how, "ap")) for k in segments}
    return spans


OTHER_K = (  # pairs of trials whose AP is compared where training saw another K, residuals
    ("residual attention", "no penalty"),
    ("simulated labels", "no penalty"),
    ("label-free", "no penalty"),
    (TAUGHT, "residual attention"),
)


def at_other_k(metrics: Mapping, segments: str = "2") -> dict[str, dict]:
    """Differences of AP, seed by seed, on spectra of another K than training saw (given): words -> span."""
    spans = {}
    for one, other in OTHER_K:
        first, second = readings(metrics, one, "beyond"), readings(metrics, other, "beyond")
        rows = [
            (first[seed]["K"][segments]["known"], second[seed]["K"][segments]["known"])
            for seed in first
            if seed in second
        ]
        if rows:
            values, groups = (
                np.array([np.subtract(mine[key], theirs[key]) for mine, theirs in rows])
                for key in ("ap", "ap_left_out")
            )
            spans[f"{one} less {other}"] = over_seeds(values, groups)
    return spans


def passes(metrics: Mapping, trial: str) -> dict[str, dict[str, dict]]:
    """AP and in-band error (ln) by the number of passes."""
    by_seed = readings(metrics, trial, "beyond")
    return {
        str(number): {
            "ap": within_shares(across_seeds(by_seed, "passes", str(number), "residual", "ap")),
            "in_band": across_seeds(by_seed, "passes", str(number), "in_band", "after"),
        }
        for number in PASSES
        if by_seed and "passes" in next(iter(by_seed.values()))
    }


def probe(metrics: Mapping, trial: str) -> list[dict]:
    """Error of (Ea, Eb) read from CLS over the Cramer-Rao bound of the truly clean bins; [] where not measured."""
    by_seed = readings(metrics, trial, "beyond")
    bound = metrics["references"][MAIN]["baselines"]["energies"]["bound, truly clean bins"]
    return [across_seeds(by_seed, "linear probe", "error", i, over=bound[i]) for i in range(2)] if by_seed else []


# ---- a closer look ----


def alarms(metrics: Mapping) -> dict[str, dict[str, dict]]:
    """False alarms (share of line-free spectra) by "TRIAL, SCORE" and key of evidence.calibration."""
    spans = {}
    for trial in TRIALS:
        looked = readings(metrics, trial, "closely")
        for score, keys in next(iter(looked.values()), {"alarms": {}})["alarms"].items():
            shares = {key: across_seeds(looked, "alarms", score, key) for key in keys}
            spans[f"{trial}, {score}"] = {
                key: span if key.startswith("threshold") else within_shares(span) for key, span in shares.items()
            }
    known = {MEDIAN: metrics["references"][MAIN]["baselines"][MEDIAN]}
    known |= {rival: row["score"] for rival, row in reference(metrics, MAIN, "rivals").items() if "score" in row}
    return spans | {
        name: {key: without_seed(value) for key, value in row.items() if key.startswith(("false alarms", "detected"))}
        for name, row in known.items()
        if row
    }


def strengths(metrics: Mapping) -> dict[str, dict[float, dict]]:
    """AP by strength of the line: "TRIAL, SCORE" or method -> peak over background -> span."""
    known = metrics["references"][MAIN]["baselines"]["strengths"]
    curves = {name: {float(at): without_seed(row[name]["ap"]) for at, row in known.items()} for name in (MEDIAN, TRUE)}
    for trial in TRIALS:
        by_seed = readings(metrics, trial, "closely")
        for score in ("residual", "attention") if by_seed else ():
            curves[f"{trial}, {score}"] = {
                float(at): within_shares(across_seeds(by_seed, "strengths", at, score, "ap")) for at in known
            }
    return curves


def faithful(metrics: Mapping) -> dict[str, dict[str, dict]]:
    """Spans of the tests of FAITHFULNESS, by trial."""
    looked = {trial: readings(metrics, trial, "closely") for trial in TRIALS}
    return {
        trial: {test: across_seeds(by_seed, "faithfulness", test) for test in FAITHFULNESS}
        for trial, by_seed in looked.items()
        if by_seed
    }


def harm(metrics: Mapping) -> dict[str, list[dict[float, dict]]]:
    """Error of energies fitted on all bins over its bound: family -> (Ea, Eb) -> strength of the noise -> span."""
    curves = {}
    for name in PUBLISHED_FAMILIES:
        by_strength = reference(metrics, "energy bias", name)
        noisy = {float(key): row for key, row in by_strength.items() if key.replace(".", "").isdigit() and float(key)}
        if noisy:
            curves[name.replace("_", " ")] = [
                {at: without_seed(row["error"][i] / row["bound"][i]) for at, row in noisy.items()} for i in range(2)
            ]
    return curves
