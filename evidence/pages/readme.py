"""The generated parts of the README: the answer, the notebooks and what did not work, all from committed records."""

import statistics

import numpy as np

from evidence import tables
from evidence.claims import SHAPES, over_pairs
from evidence.pages.wording import (
    better_or_worse,
    compare,
    difference_words,
    ends,
    enumerate_words,
    fill_places,
    markdown_table,
    more_or_less,
)
from evidence.tables import ENERGIES, across_seeds, format_interval
from evidence.trials import CLAIMED, LIMIT, LONGER, MEDIAN, REFIT
from nblib.losses import REGULARIZERS
from nblib.project.paths import NOTEBOOKS, benchmark_record, record_path
from nblib.project.records import committed_result, provenance, read_json
from nblib.simulation.physics import E_ALPHA_GRID, PUBLISHED_FREQS
from nblib.training.config import TrainConfig

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
    LABEL_FREE: ("attention, label-free", "many spectra of one kind, K; no label in training"),
    "label-free, residual": ("residual, label-free", "many spectra of one kind, K; no label in training"),
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
OF_RUN = tuple(QUESTIONS)[:5]  # what `make run` executes


# ---- the answer ----

UNKNOWN = ("wide", "network_injections", "injections")  # benchmarks on unknown backgrounds


def answer(evidence: dict, wide: dict, injected: dict, detector: dict) -> str:
    """Four sentences and one table: notebook 06's record and those of three benchmarks on unknown backgrounds."""
    metrics = evidence["metrics"]
    lines = [*_sentences(metrics), _unknown(wide, injected, detector), "", *_rows(metrics), ""]
    name = f"records/{evidence['profile']}/{evidence['notebook']}.json"
    lines.append(f"{_spectra()} From [{name}]({name}): {provenance(evidence)}.")
    return "\n".join(lines)


def _spectra():
    """Which spectra the table is about."""
    config = TrainConfig()
    low, high = config.amplitude
    return (
        f"Single line: one Gaussian of sigma 3 to 36 bins, {low:g} to {high:g} times the background, in "
        f"{1 - config.none_share:.0%} of the spectra of {len(PUBLISHED_FREQS):,} bins, K = {config.n_segments}."
    )


def _sentences(metrics):
    table = tables.detection_table(metrics)
    ap = {method: row["ap"] for method, row in table.items()}
    found = {method: format_interval(span) for method, span in ap.items()}
    pairs = [(SIMULATED, MEDIAN), (SIMULATED, CNN)]
    words = [better_or_worse(span) for span in tables.paired_differences(metrics, pairs).values()]
    free = [row["attention"]["ap"] for row in metrics["trials"]["label-free"].values()]
    yield (
        f"1. **Detection.** Trained with simulated noise labels, attention finds single lines {words[0]} a tuned "
        f"running median and {words[1]} a supervised CNN (AP {found[SIMULATED]}, {found[MEDIAN]} and {found[CNN]}); "
        f"trained without any label it reaches {found[LABEL_FREE]} (the worst of {len(free)} seeds {min(free):.3f}), "
        f"without the penalty {found[UNPENALISED]}."
    )
    energies = tables.energy_table(metrics)
    before, after = energies["all bins"], energies["simulated labels, kept bins"]
    error = metrics["baselines"]["energies"]["refit, amplitudes free"][0]
    guess = np.ptp(E_ALPHA_GRID) / 4  # mean distance of a uniform draw from the middle
    yield (
        f"2. **Physics.** {_energy_words(before, after)}: from {_pair(before)} to {_pair(after)} times the smallest "
        f"possible error ({' and '.join(ENERGIES)}; the background's amplitudes known exactly. With free amplitudes "
        f"even the refitted formula misses Ea by {error:.1f} meV, where a constant guess misses it by {guess:.1f})."
    )
    faithful = tables.faithfulness_table(metrics)
    own, longer, without = (faithful[name] for name in ("simulated labels", LONGER["simulated labels"], "no penalty"))
    erase, lines = own["erase"], [format_interval(row["line ln"], 4) for row in (own, without)]
    uses = {1: "still uses", -1: "uses less of", 0: "may still use"}[compare(erase, {"iqm": 1.0})]
    yield (
        f"3. **Limits of the explanation.** The prediction {uses} the noise: erasing the noisy bins changes the rest "
        f"{more_or_less(erase)} erasing the same bins without noise does ({format_interval(erase, 2)} times; "
        f"trained twice as long {format_interval(longer['erase'], 2)}). As a whole, the line moves the prediction by "
        f"{lines[0]} ln, without the penalty by {lines[1]} ln."
    )


def _unknown(wide, injected, detector):
    """Backgrounds of unknown form: attention against classical methods, simulated and measured, and what it adds."""
    shipped, best, both = (
        wide["wide"][name]["ap"] for name in ("network, attention", wide["best"], "shipped detector")
    )
    gain = wide["differences"]["wide"][f"network, attention - {wide['best']}"]
    alone, pair = (
        dict(
            zip(
                ("difference", "low", "high"),
                injected["differences"][f"{name} - classical detector"]["1%"],
                strict=True,
            )
        )
        for name in ("real stretch: attention", "classical detector + 1 x real stretch: head")
    )
    other = detector["differences"]["shipped detector - its classical part"]["1%"]
    spans = sorted([pair, {"difference": other["mean"]} | other], key=lambda span: span["difference"])
    shown = "a gain" if all(difference_words(span) == "better than" for span in spans) else "no sure gain"
    ends = [f"{span['difference']:+.3f} [{span['low']:+.3f}, {span['high']:+.3f}]" for span in (alone, *spans)]
    return (
        "4. **Unknown backgrounds.** Where nobody knows the background's form, attention of the shipped network finds "
        f"simulated noise {difference_words(gain)} the best classical setting (AP per 10-bin cell {shipped:.3f} and "
        f"{best:.3f}; what `nblib detect` flags by {both:.3f}). On three measured spectra it is "
        f"{difference_words(alone)} our classical detector (share of an injected line's cells found, 1 % flagged: "
        f"{ends[0]}), and added to it the network shows {shown} ({ends[1]} to {ends[2]}, by how the places are chosen)."
    )


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
    return " and ".join(format_interval(span, 2) for span in spans)


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
        seeds = " (one seed)" if best[chosen]["n"] == 1 else ""
        yield (
            f"The penalties {enumerate_words([f'`{name}`' for name in poor])} do not make a detector: AP {most:.2f} "
            f"at best after a full training{seeds}, against {best[chosen]['iqm']:.2f} for `{chosen}`. Use `{chosen}`."
        )


def _families(metrics):
    """Noise families that a model trained on other noise finds worse than a running median tuned on them does."""
    for trial, trained in (("simulated labels", "single lines"), (SHAPES, "shapes of no particular family")):
        worse = []
        for name, row in metrics["baselines"]["families"].items():
            span = across_seeds(metrics["trials"].get(trial, {}), "families", name, "ap")
            if compare(span, {"iqm": row[MEDIAN]["ap"]}) < 0:
                worse.append(f"{name.replace('_', ' ')} (AP {span['iqm']:.2f}, median {row[MEDIAN]['ap']:.2f})")
        if worse:
            yield (
                f"Trained on {trained}, attention is worse than a running median tuned on the family at "
                f"{enumerate_words(worse)}: use the running median there."
            )


def _alone(metrics):
    """Families that a model trained on shapes finds worse than one trained on the family."""
    trials, worse = metrics["trials"], []
    for name in metrics["baselines"]["families"]:
        alone = tables.trained_on(metrics, name)
        if SHAPES in trials and alone:
            ratio = over_pairs(trials[SHAPES], alone, "families", name, "ap")
            if compare(ratio, {"iqm": 1.0}) < 0:
                worse.append(f"{name.replace('_', ' ')} {format_interval(ratio, 2)}")
    if worse:
        yield (
            "Noise of a kind that training did not show is found worse; AP over that of a model trained on the family: "
            f"{enumerate_words(worse)}."
        )


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
    limit = {"over": metrics["baselines"]["fit in-band"], "over_left_out": metrics["baselines"]["fit in-band left_out"]}
    spans, longer = (
        [across_seeds(metrics["trials"][trial], "in_band", "after", **limit) for trial in trials]
        for trials in (CLAIMED, LONGER.values())
    )
    if all(compare(span, {"iqm": 1.0}) > 0 for span in spans):
        values, better = (enumerate_words([format_interval(span, 1) for span in row]) for row in (spans, longer))
        yield (
            f"In noisy bins the restored background has {values} times the error of a fit with the known formula "
            f"({' and '.join(CLAIMED)}; trained twice as long {better}): where the formula is known, fit it."
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
