"""The generated parts of the README: the answer, the notebooks and what did not work, all from committed records."""

import statistics

from nblib.evaluation import tables
from nblib.evaluation.claims import SHAPES
from nblib.evaluation.tables import ENERGIES, across_seeds, format_interval
from nblib.evaluation.vocabulary import CLAIMED, LIMIT, MEDIAN, REFIT
from nblib.losses import REGULARIZERS
from nblib.project.paths import NOTEBOOKS, benchmark_record, record_path
from nblib.project.records import committed_result, provenance, read_json
from nblib.reporting.wording import (
    better_or_worse,
    compare,
    ends,
    enumerate_words,
    fill_places,
    markdown_table,
    more_or_less,
)

SIMULATED, LABEL_FREE, CNN, UNPENALISED = (
    "simulated labels, attention",
    "label-free, attention",
    "supervised CNN",
    "no penalty, attention",
)
# the README's rows: method of tables.detection_table -> what the row is called, and what the method must be given
SHOWN = {
    LIMIT: ("limit: posterior probability", "the true background and the generator's prior"),
    CNN: ("supervised CNN", "simulated noise labels"),
    SIMULATED: ("attention, simulated labels", "simulated noise labels"),
    "simulated labels, residual": ("residual, simulated labels", "simulated noise labels, K"),
    LABEL_FREE: ("attention, label-free", "no label"),
    "label-free, residual": ("residual, label-free", "no label, K"),
    MEDIAN: ("running median", "a window tuned on labelled spectra, K"),
    REFIT: ("fit of the formula, refitted; posterior", "the background's formula, K"),
}
QUESTIONS = {
    "00_data": "What do the spectra and their noise look like? What can be known at best?",
    "01_baseline_mask_prediction": "How well does the encoder fill in masked parts?",
    "02_simple_regularizer": "Does it help to punish predictions on noisy bins?",
    "03_full_attention_regularizer": "Which attention penalty makes a detector, at what cost?",
    "04_attention_heatmaps": "Where does CLS look, and what does it miss?",
    "05_lambda_sweep": "Which penalty, strength (lambda), readout and layer?",
    "06_benchmark": "What is it worth against the limit and the alternatives?",
    "07_unknown_backgrounds": "What if the background's form is unknown?",
    "08_your_own_spectra": "Which parts of your own spectrum are contaminated?",
}
CONTROLS = ("none", "random")
LEAST_SHARE = 0.95  # of the AP of a model trained on the family; below it, training on shapes costs
OF_RUN = tuple(QUESTIONS)[:5]  # what `make run` executes


# ---- the answer ----

UNKNOWN = ("wide", "network_injections", "injections")  # benchmarks on unknown backgrounds


def answer(evidence: dict, wide: dict, injected: dict, detector: dict) -> str:
    """Four sentences and one table: notebook 06's record and those of three benchmarks on unknown backgrounds."""
    metrics = evidence["metrics"]
    lines = [*_sentences(metrics), _unknown(wide, injected, detector), "", *_rows(metrics), ""]
    name = f"records/{evidence['profile']}/{evidence['notebook']}.json"
    return "\n".join([*lines, f"From [{name}]({name}): {provenance(evidence)}."])


def _sentences(metrics):
    table = tables.detection_table(metrics)
    ap = {method: row["ap"] for method, row in table.items()}
    found = {method: format_interval(span) for method, span in ap.items()}
    yield (
        f"1. **Detection.** Trained with simulated noise labels, attention finds single lines "
        f"{better_or_worse(ap[SIMULATED], ap[MEDIAN])} a tuned running median and "
        f"{better_or_worse(ap[SIMULATED], ap[CNN])} a supervised CNN (AP {found[SIMULATED]}, {found[MEDIAN]} and "
        f"{found[CNN]}); without any label it reaches {found[LABEL_FREE]}, without the penalty {found[UNPENALISED]}."
    )
    energies = tables.energy_table(metrics)
    before, after = energies["all bins"], energies["simulated labels, kept bins"]
    yield (
        f"2. **Physics.** {_energy_words(before, after)}: from {_pair(before)} to {_pair(after)} times the smallest "
        f"possible error ({' and '.join(ENERGIES)})."
    )
    erase = tables.faithfulness_table(metrics)["simulated labels"]["erase"]
    uses = {1: "still uses", -1: "uses less of", 0: "may still use"}[compare(erase, {"iqm": 1.0})]
    yield (
        f"3. **Limits of the explanation.** The prediction {uses} the noise: erasing the noisy bins changes the rest "
        f"{more_or_less(erase)} erasing the same bins without noise does ({format_interval(erase, 2)} times)."
    )


def _unknown(wide, injected, detector):
    """Backgrounds of unknown form: attention against the best classical setting, and what the network adds."""
    shipped, best = (wide["wide"][name]["ap"] for name in ("network, attention", wide["best"]))
    gain = wide["differences"]["wide"][f"network, attention - {wide['best']}"]
    words = {1: "better than", -1: "worse than", 0: "as good (within the interval) as"}
    keys = ("mean", "low", "high")
    pair = injected["differences"]["classical detector + 1 x real stretch: head - classical detector"]["1%"]
    other = detector["differences"]["shipped detector - its classical part"]["1%"]
    spans = sorted([dict(zip(keys, pair, strict=True)), other], key=lambda span: span["mean"])
    shown = "a gain" if all(_sign(span) > 0 for span in spans) else "no sure gain"
    ends = [f"{span['mean']:+.3f} [{span['low']:+.3f}, {span['high']:+.3f}]" for span in spans]
    return (
        "4. **Unknown backgrounds.** Where nobody knows the background's form, attention of the shipped network finds "
        f"simulated noise {words[_sign(gain)]} the best classical method (AP {shipped:.3f} and {best:.3f}). On "
        f"measured spectra it shows {shown}: it changes the share of injected lines that the classical detector finds "
        f"by {ends[0]} to {ends[1]}, by how their places are chosen (1 % flagged)."
    )


def _sign(difference):
    """1 or -1 where the interval of a difference lies above or below 0, else 0."""
    return 1 if difference["low"] > 0 else -1 if difference["high"] < 0 else 0


def _energy_words(before, after):
    """What leaving out flagged intervals does to the fitted energies, from spans of (Ea, Eb)."""
    subject, places = "Leaving out what it flags", {compare(a, b) for a, b in zip(after, before, strict=True)}
    if places == {-1}:
        return f"{subject} lowers the error of the fitted trap energies"
    if places == {1}:
        return f"{subject} raises the error of the fitted trap energies"
    if places == {0}:
        return f"{subject} does not change the error of the fitted trap energies within the intervals"
    return f"{subject} changes the error of the two fitted trap energies in different ways"


def _pair(spans):
    return " and ".join(f"{span['iqm']:.2f}" for span in spans)


def _rows(metrics):
    table = tables.detection_table(metrics)
    header = ["method, single lines, locked test", "must be given", "AP [95 %]", "top-1 [95 %]"]
    rows = [
        (*SHOWN[method], format_interval(row["ap"]), format_interval(row["top1"]))
        for method, row in table.items()
        if method in SHOWN
    ]
    return markdown_table(header, rows)


# ---- what did not work ----


def setbacks(evidence: dict, sweep: dict) -> str:
    """What did not work, as the records of notebooks 06 and 05 have it, and what to use instead: a line each."""
    metrics = evidence["metrics"]
    lines = [
        *_penalties(sweep["metrics"]),
        *_families(metrics),
        *_alone(metrics),
        *_estimator(metrics),
        *_restoration(metrics),
    ]
    return "\n".join(f"- {line}" for line in lines) if lines else "- Nothing that the records show."


def _penalties(sweep):
    """Penalties whose AP, trained in full, stays below half of the recommended one's."""
    best = {}
    for point, row in sweep["full table"].items():
        name = point.split()[0]
        if name in REGULARIZERS and (name not in best or row["ap"]["iqm"] > best[name]["iqm"]):
            best[name] = row["ap"]
    chosen = sweep["recommended"].split()[0]
    half = {"iqm": ends(best[chosen])[0] / 2}
    poor = sorted(name for name, span in best.items() if name not in CONTROLS and compare(span, half) < 0)
    if poor:
        most = max(best[name]["iqm"] for name in poor)
        yield (
            f"The penalties {enumerate_words([f'`{name}`' for name in poor])} do not make a detector: AP {most:.2f} "
            f"at best after full training, against {best[chosen]['iqm']:.2f} for `{chosen}`. Use `{chosen}`."
        )


def _families(metrics):
    """Noise families that a model trained on shapes of no family finds worse than the running median does."""
    if SHAPES not in metrics["trials"]:
        return
    worse = []
    for name, row in metrics["baselines"]["families"].items():
        span = across_seeds(metrics["trials"][SHAPES], "families", name, "ap")
        if compare(span, {"iqm": row[MEDIAN]["ap"]}) < 0:
            worse.append(f"{name.replace('_', ' ')} (AP {span['iqm']:.2f}, median {row[MEDIAN]['ap']:.2f})")
    if worse:
        yield (
            f"Trained on shapes of no particular family, attention is worse than the running median at "
            f"{enumerate_words(worse)}: use the running median there."
        )


def _alone(metrics):
    """Families that a model trained on shapes finds worse than one trained on the family."""
    trials, worse = metrics["trials"], []
    for name in metrics["baselines"]["families"]:
        alone = tables.trained_on(metrics, name)
        if SHAPES in trials and alone:
            values = [across_seeds(found, "families", name, "ap")["iqm"] for found in (trials[SHAPES], alone)]
            if values[0] < LEAST_SHARE * values[1]:
                worse.append(f"{name.replace('_', ' ')} ({values[0]:.2f} instead of {values[1]:.2f})")
    if worse:
        yield f"Noise of a kind that training did not show is found worse, by AP: {enumerate_words(worse)}."


def _estimator(metrics):
    alarms = tables.alarm_table(metrics)
    spans = [alarms[trial]["false alarms at 1%, welch_hann"] for trial in CLAIMED if trial in alarms]
    if spans and max(ends(span)[0] for span in spans) > 0.02:
        shares = enumerate_words([f"{span['iqm']:.0%}" for span in spans])
        yield (
            f"Thresholds set on ideal averages for 1 % of false alarms give {shares} on tapered, overlapping segments "
            "(scipy's default): calibrate on line-free spectra of your own estimator."
        )


def _restoration(metrics):
    fit = metrics["baselines"]["fit in-band"]
    spans = [across_seeds(metrics["trials"][trial], "in_band", "after", over=fit) for trial in CLAIMED]
    if all(compare(span, {"iqm": 1.0}) > 0 for span in spans):
        values = enumerate_words([f"{span['iqm']:.1f}" for span in spans])
        yield (
            f"In noisy bins the restored background has {values} times the error of a fit with the known formula "
            f"({' and '.join(CLAIMED)}): where the formula is known, fit it."
        )


# ---- the notebooks ----


def notebook_rows() -> str:
    """The notebooks there are, what each asks, and how long its quick run took where a record says so."""
    rows, total, conditions = [], 0.0, set()
    for name in (name for name in QUESTIONS if (NOTEBOOKS / f"{name}.ipynb").exists()):
        time = "`make run DATA=...`" if name.startswith("08") else "`make evidence`"
        if name in OF_RUN:
            record = committed_result(name)
            total += record["wall_seconds"]
            conditions.add(f"{record['hardware']['processor']}, {record['hardware']['cores']} cores")
            time = f"{record['wall_seconds'] / 60:.1f} min"
        elif name >= "07" and record_path("quick", name).exists():
            time = f"{read_json(record_path('quick', name))['wall_seconds'] / 60:.1f} min"
        rows.append((f"[{name}](notebooks/{name}.ipynb)", QUESTIONS[name], time))
    lines = markdown_table(("notebook", "question", "quick run"), rows)
    where = enumerate_words(sorted(conditions))
    brief = statistics.median(read_json(benchmark_record("busy"))["seconds"]["idle"])
    said = f"Notebooks 00 to 04 took {total / 60:.1f} minutes in sum ({where}, no GPU)."
    said += f" The shorter ones of `make run` take {brief / 60:.1f} minutes, after the set-up."
    return "\n".join([*lines, "", said])


def renewed(text: str) -> str:
    """A README with what the committed records say in its three places; the rest of the text stays.

    Raises
    ------
    ValueError where a place is missing
    """
    evidence = committed_result("06_benchmark")
    parts = {
        "answer": answer(evidence, *(read_json(benchmark_record(name)) for name in UNKNOWN)),
        "setbacks": setbacks(evidence, committed_result("05_lambda_sweep")),
        "notebooks": notebook_rows(),
    }
    return fill_places(text, parts)
