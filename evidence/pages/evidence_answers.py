"""What the sweep and the benchmark answer, in words that follow from their published records."""

from evidence import tables
from evidence.claims import claims, claims_of_longer
from evidence.pages.answers import DETECTS, answers, show_published
from evidence.pages.wording import better_or_worse, enumerate_words
from evidence.tables import format_interval
from evidence.trials import CLAIMED, LIMIT, MEDIAN, REFIT

__all__ = ["show_published"]  # here it knows these answers too


@answers("05_lambda_sweep")
def _sweep(metrics):
    table = metrics["table"]
    detecting = [name for name, row in table.items() if row["ap"]["iqm"] > DETECTS]
    recommended = table[metrics["recommended"]]
    yield (
        f"In short runs attention detects (AP above {DETECTS:g}) with "
        f"{enumerate_words([f'`{name}`' for name in detecting]) or 'no setting'}. Among settings whose masked error "
        f"is within a tenth of the best, `{metrics['recommended']}` detects best: AP "
        f"{format_interval(recommended['ap'], 2)}."
    )
    alive = metrics["push at a tenth of even attention"]
    fading = metrics["push at even attention"]
    lasting = [name for name in alive if alive[name] > 0.9 * fading[name]]
    lost = [
        name
        for name in lasting
        if all(row["ap"]["iqm"] < DETECTS for at, row in table.items() if at.split()[0] == name)
    ]
    if lost:
        yield (
            f"A push that does not fade is not enough: {enumerate_words([f'`{name}`' for name in lost])} keeps its "
            "gradient and does not detect."
        )
    yield from _full_length(metrics["full table"])


def _full_length(rows):
    """Trainings as long as those of 03 and 06: the detectors, the best one first, and how far the others come."""
    ordered = sorted(rows, key=lambda name: -rows[name]["ap"]["iqm"])
    detecting = [name for name in ordered if rows[name]["ap"]["iqm"] > DETECTS]
    others = [name for name in ordered if name not in detecting]
    found = [
        f"`{name}`: AP {format_interval(rows[name]['ap'])}, masked {rows[name]['masked']['iqm']:.4f} ln"
        for name in detecting
    ]
    seeds = rows[ordered[0]]["ap"]["n"]
    said = "one seed" if seeds == 1 else f"{seeds} seeds"
    yield f"At full length ({said}, validation spectra): {enumerate_words(found) or 'no penalty detects'}."
    if others:
        yield (
            f"{enumerate_words([f'`{name}`' for name in others])} stay at {rows[others[0]]['ap']['iqm']:.2f} or below."
        )


@answers("06_benchmark")
def _benchmark(metrics):
    ap = {method: row["ap"] for method, row in tables.detection_table(metrics).items()}
    for trial in CLAIMED:
        label = f"{trial}, attention"
        pairs = [(label, other) for other in (MEDIAN, "supervised CNN")]
        words = [better_or_worse(span) for span in tables.paired_differences(metrics, pairs).values()]
        yield (
            f"Attention, {trial}: AP {format_interval(ap[label])}, {words[0]} a running median "
            f"({format_interval(ap[MEDIAN])}) and {words[1]} a supervised CNN "
            f"({format_interval(ap['supervised CNN'])}); the limit is {ap[LIMIT]['iqm']:.3f}."
        )
    if REFIT in ap:
        pair = (REFIT, "simulated labels, attention")
        words = better_or_worse(tables.paired_differences(metrics, [pair])[pair])
        yield (
            "Who knows the formula of the background needs no network: a fit, refitted without the cells it flags, is "
            f"{words} attention: AP {format_interval(ap[REFIT])}."
        )
    asked = [row for row in claims(metrics) if row["met"] is not None]
    missed = [
        f"{row['what']} ({format_interval(row['span'])}, asked {row['target']})" for row in asked if not row["met"]
    ]
    yield f"{len(asked) - len(missed)} of {len(asked)} aims are met."
    if missed:
        yield f"Missed: {'; '.join(missed)}."
    longer = claims_of_longer(metrics)
    if longer:
        met = sum(row["met"] for row in longer)
        yield f"Trained for twice the steps, {met} of the {len(longer)} aims that do not need other trainings are met."
