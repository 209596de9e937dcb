"""docs/evidence.md, the generated part: every table of the evidence, from the records of notebooks 06 and 03."""

import numpy as np

from evidence import tables
from evidence.assessments import ENERGY_RATE
from evidence.calibration import KEEP_RATE
from evidence.claims import claims, claims_of_longer, verdict
from evidence.pages.wording import compare, enumerate_words, fill_places, markdown_table
from evidence.tables import ENERGIES, format_interval
from nblib.project.records import committed_result, provenance

NEAREST = 3  # methods named with their distance to the limit
TESTS = {  # of tables.faithfulness_table: what a column is called
    "erase ln": "change on erasing noise, ln",
    "erase": "erase noise / same bins without it",
    "erase elsewhere": "erase noise / clean bins elsewhere",
    "gradient": "gradient on noise / same bins without it",
    "line ln": "line, change in all, ln",
    "rows ln": "line through the rows, ln",
    "values ln": "line through the values, ln",
    "swap ln": "change on swapping attention, ln",
    "even": "error in noisy bins, even attention / own",
    "line in CLS": "line strength read from CLS, R^2",
}


def evidence(record: dict, single: dict) -> str:
    """Headings, sentences and tables. record : of notebook 06; single : of notebook 03, one seed."""
    metrics = record["metrics"]
    parts = [
        ("Detection of single lines", _detection(metrics)),
        ("Paired differences", _paired(metrics)),
        ("What was aimed at, and what was measured", _claims(metrics)),
        ("The same aims after twice the steps", _longer(metrics)),
        ("Lines of one strength", _strengths(metrics)),
        ("Noise families", _families(metrics)),
        ("Other estimation noise", _noise(metrics)),
        ("False alarms", _alarms(metrics)),
        ("Activation energies", _energies(metrics)),
        ("Does the prediction use the noise?", _faithfulness(metrics)),
        ("Restoration, one seed", _prices(single["metrics"])),
    ]
    lines = []
    for title, content in parts:
        lines += [f"## {title}", "", *content, ""]
    for entry in (record, single):
        name = f"records/{entry['profile']}/{entry['notebook']}.json"
        lines += [f"Record: [{name}](../{name}) ({provenance(entry)}).", ""]
    return "\n".join(lines).rstrip()


def _detection(metrics):
    """Every method by average precision: over seeds where it is trained, over test spectra where it is not."""
    table = tables.detection_table(metrics)
    reference, limit = (table[name]["ap"]["iqm"] for name in (tables.TRUE, tables.LIMIT))
    rows = []
    for name, row in table.items():
        ap = row["ap"]["iqm"]
        spans = [format_interval(row[key]) for key in ("ap", "top1")]
        seeds = str(row["ap"]["n"] or "")
        rows.append((name, seeds, spans[0], f"{ap / reference:.3f}", f"{ap / limit:.3f}", spans[1]))
    chance = metrics["baselines"]["methods"]["random"]
    guesses = f"{chance['top1_random']:.3f}, constant guess {chance['top1_constant']:.3f}"
    rows.append(("chance", "", f"{chance['prevalence']:.3f}", "", "", guesses))
    header = ("method", "seeds", "AP [95 %]", "of true background", "of limit", "top-1 [95 %]")
    return [_above(metrics, table), "", *markdown_table(header, rows)]


def _paired(metrics):
    """Differences of average precision of two methods on the same spectra, with an interval of their own."""
    verdicts = {1: "better", -1: "worse", 0: "not to be told apart"}
    rows = [
        (
            one,
            other,
            str(span["n"]),
            format_interval(span, 4),
            verdicts[compare(span, {"iqm": 0.0})] if span["n"] > 2 else "",
        )
        for (one, other), span in tables.paired_differences(metrics).items()
    ]
    said = "AP of the first minus AP of the second on the same test spectra, by seed where both are trained."
    return [said, "", *markdown_table(("first", "second", "seeds", "difference [95 %]", "the first is"), rows)]


def _above(metrics, table):
    """Which methods come nearest to the limit, and which exceed the matched filter on the true background, in words.

    By paired differences; a method without an interval of them is not named.
    """
    to_limit, to_reference = (
        {
            one: span
            for (one, _), span in tables.paired_differences(metrics, [(name, mark) for name in table]).items()
            if one not in (mark, tables.LIMIT) and np.isfinite(span["low"])
        }
        for mark in (tables.LIMIT, tables.TRUE)
    )
    nearest = sorted(to_limit, key=lambda name: -to_limit[name]["iqm"])[:NEAREST]
    reached = [name for name, span in to_limit.items() if compare(span, {"iqm": 0.0}) >= 0]
    exceeding = [name for name, span in to_reference.items() if compare(span, {"iqm": 0.0}) > 0]
    found = [f"`{name}` ({format_interval(to_limit[name], 4)})" for name in nearest]
    return (
        f"Nearest to the limit, by paired differences on the same spectra: {enumerate_words(found)}. Not to be told "
        f"from it: {_named(reached) or 'no method'}. The matched filter on the true background is exceeded by "
        f"{_named(exceeding) or 'no method'}."
    )


def _named(methods):
    """Names of methods hold commas: each in code marks."""
    return enumerate_words([f"`{name}`" for name in methods])


def _claims(metrics):
    found = claims(metrics)
    asked = [row for row in found if row["met"] is not None]
    counts = {(met, sure): 0 for met in (True, False) for sure in (True, False, None)}
    for row in asked:
        counts[row["met"], row["sure"]] += 1
    met = sum(count for (is_met, _), count in counts.items() if is_met)
    said = (
        f"Of {len(asked)} aims {met} are met and {len(asked) - met} are missed. In {counts[True, False]} of those met "
        f"and {counts[False, False]} of those missed the interval holds the aim (marked ?), so another choice of seeds "
        "could turn them; controls have no aim. The aims for energies kept by the residual were added after attention "
        "had missed its own."
    )
    return [said, "", *_table_of_claims(found)]


def _longer(metrics):
    said = (
        "The same trainings for twice the steps, and so in twice the time: a remedy chosen on validation spectra "
        "([Remedies](remedies.md)), then held against the same aims on the locked test."
    )
    return [said, "", *_table_of_claims(claims_of_longer(metrics))]


def _table_of_claims(found):
    rows = [
        (row["what"], row["target"], format_interval(row["span"], 4), str(row["span"]["n"]), verdict(row))
        for row in found
    ]
    return markdown_table(("measured", "aim", "value [95 %]", "seeds", ""), rows)


def _strengths(metrics):
    curves = tables.strength_curves(metrics)
    strengths = list(next(iter(curves.values())))
    rows = [(name, *(format_interval(curve[at]) for at in strengths)) for name, curve in curves.items()]
    said = (
        "AP by the peak of the line over the background. Here a cell is noisy where the line is above half its peak, "
        "another truth than above: of a strong line the core must rank above the wings, and attention leaves out both."
    )
    return [said, "", *markdown_table(("method", *(f"{at:g}" for at in strengths)), rows)]


def _families(metrics):
    shares = tables.family_shares(metrics)
    families = list(next(iter(shares.values())))
    rows = [(method, *(f"{row[name]:.2f}" for name in families)) for method, row in shares.items()]
    said = (
        "AP of a method over AP of the matched filter on the true background, by the family of noise tested on. Above "
        "1 the method knows better than that filter what such noise looks like."
    )
    return [said, "", *markdown_table(("trained as", *(name.replace("_", " ") for name in families)), rows)]


def _noise(metrics):
    table = tables.noise_table(metrics)
    methods = list(dict.fromkeys(method for row in table.values() for method in row))
    rows = [
        (name, *(format_interval(row[method]) if method in row else "" for method in methods))
        for name, row in table.items()
    ]
    said = "AP; each model is trained on the estimation noise it is tested on. K is the number of averages."
    return [said, "", *markdown_table(("noise", *methods), rows)]


def _alarms(metrics):
    table = tables.alarm_table(metrics)
    columns = list(next(iter(table.values())))
    rows = [(name, *(f"{row[column]['iqm']:.1%}" for column in columns)) for name, row in table.items()]
    said = (
        "Thresholds are set on line-free validation spectra for 1 % and 5 % of false alarms a spectrum, and counted on "
        "line-free test spectra; `welch_hann` has tapered, overlapping segments that the threshold did not see."
    )
    return [said, "", *markdown_table(("detector", *columns), rows)]


def _energies(metrics):
    errors = metrics["baselines"]["energies"]
    free, limit, known = (
        errors[name]
        for name in (
            "refit, amplitudes free",
            "bound, truly clean bins, amplitudes free",
            "bound, truly clean bins",
        )
    )
    rows = [
        (name, *(format_interval(span, 2) for span in spans)) for name, spans in tables.energy_table(metrics).items()
    ]
    said = (
        "Mean absolute error over the Cramer-Rao bound of the truly clean bins; no unbiased estimator is below 1 on "
        "average; a finite test set scatters around that. Amplitudes and floor of the background are taken as known. "
        f"Fitted too, the refit misses Ea by {free[0]:.2f} and Eb by {free[1]:.2f} meV (bounds: {limit[0]:.1f} and "
        f"{limit[1]:.2f} meV; known: {known[0]:.2f} and {known[1]:.2f}). Attention leaves out what it flags at "
        f"{KEEP_RATE:.0%} false alarms, the residual at {ENERGY_RATE:.0%}; both were chosen on validation spectra."
    )
    return [said, "", *markdown_table(("estimator", *ENERGIES), rows)]


def _faithfulness(metrics):
    table = tables.faithfulness_table(metrics)
    tests = [test for test in TESTS if all(test in row for row in table.values())]  # older records have fewer
    rows = [
        (name, *(format_interval(row[test], 4 if test.endswith(" ln") else 2) for test in tests))
        for name, row in table.items()
    ]
    using = [name for name, row in table.items() if compare(row["erase"], {"iqm": 1.0}) > 0]
    sparing = [name for name, row in table.items() if compare(row["erase"], {"iqm": 1.0}) < 0]
    said = (
        "A ratio below 1 means that the noisy bins are used less than clean ones. Erasing them changes the rest more "
        f"than erasing the same bins without noise for {_named(using) or 'no model'}, and less for "
        f"{_named(sparing) or 'no model'}."
    )
    return [said, "", *markdown_table(("model", *(TESTS[test] for test in tests)), rows)]


def _prices(metrics):
    full = metrics["full"]["simulated labels"]
    band, control = full["in_band"], full["no_line"]
    return [
        f"Error in the noisy bins (CLS readout, ln units): {band['before']:.3f} before, {band['after']:.3f} after "
        f"restoration ({band['reduction']:.1%} less). The control, the same bins without their lines: "
        f"{control['before']:.3f} to {control['after']:.3f} ({control['reduction']:.1%} less). Masked prediction "
        f"against the noise-free background, with the penalty over without: {metrics['masked ratio']:.2f}.",
    ]


def renewed(text: str) -> str:
    """docs/evidence.md with what the committed records say in its place.

    Raises
    ------
    ValueError where the place is missing
    """
    found = evidence(committed_result("06_benchmark"), committed_result("03_full_attention_regularizer"))
    return fill_places(text, {"evidence": found})
