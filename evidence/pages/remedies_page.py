"""docs/remedies.md, the generated parts: what was tried where an aim is missed, from the benchmarks' records."""

import statistics

from evidence.claims import SHAPES_AIM
from evidence.pages.wording import enumerate_words, fill_places, markdown_table
from nblib.project.paths import benchmark_record
from nblib.project.records import read_json

AS_IT_IS = "as it is"  # the row of a benchmark of remedies that notebook 06 trains


def shape_remedies(record: dict) -> str:
    """What was tried for noise that a model was never trained on, as a table (evidence/benchmarks/shapes.py)."""
    rows, steps, alone = record["rows"], record["steps"], record["rows"][AS_IT_IS]
    table = [
        (name, *(f"{row[family]['ap']:.3f}" for family in alone), f"{steps[name]:,}") for name, row in rows.items()
    ]
    table.append(("the family alone", *(f"{row['family alone']:.3f}" for row in alone.values()), ""))
    reached = [name for name, row in rows.items() if all(entry["ratio"] >= SHAPES_AIM for entry in row.values())]
    names = (family.replace("_", " ") for family in alone)
    return "\n".join(
        [
            "Models that saw `shapes` only: AP on validation spectra of each family, one seed.",
            "",
            *markdown_table(("trained on", *names, "steps"), table),
            "",
            f"{SHAPES_AIM} times the AP of a model trained on the family alone is reached for every family by "
            f"{enumerate_words(reached) if reached else 'none of them'}. (commit {record['commit']})",
        ]
    )


def energy_remedies(record: dict) -> str:
    """Cells left out of a fit of the energies, by score and threshold (evidence/benchmarks/energies.py)."""
    lines = []
    for variant, by_score in record["rows"].items():
        rates = sorted(next(iter(by_score.values())), key=lambda rate: float(rate.rstrip("%")))
        table = [
            (score, *(f"{statistics.mean(row['Ea'] for row in by_rate[rate].values()):.3f}" for rate in rates))
            for score, by_rate in by_score.items()
        ]
        least = min(
            (float(value), score, rate) for score, *values in table for rate, value in zip(rates, values, strict=True)
        )
        lines += [f"**{variant}**", "", *markdown_table(("left out by", *rates), table), ""]
        lines += [f"Least: {least[1]} at {least[2]}, {least[0]:.3f}.", ""]
    seeds = len(next(iter(next(iter(by_score.values())).values())))
    return "\n".join(
        [
            "Error of Ea where a detector's cells and their neighbours are left out, over that on the truly clean "
            f"bins; by false alarms a line-free spectrum. Validation spectra, mean of {seeds} seeds.",
            "",
            *lines,
            f"(commit {record['commit']})",
        ]
    )


def erase_remedies(record: dict) -> str:
    """What was tried against noise that the prediction still uses: the record of evidence/benchmarks/erase.py."""
    kinds = {"erase": 2, "erase ln": 4, "in_band": 2, "ap": 3, "masked": 4}  # digits
    header = ("erase noise / same bins without it", "change, ln", "error in noisy bins / fit's", "AP", "masked, ln")
    lines = []
    for variant, rows in record["rows"].items():
        table = []
        for name, seeds in rows.items():
            means = {kind: statistics.mean(row[kind] for row in seeds.values()) for kind in kinds}
            means["in_band"] /= record["fit in-band"]
            table.append((name, *(f"{means[kind]:.{digits}f}" for kind, digits in kinds.items())))
        lines += [f"**{variant}**", "", *markdown_table(("trained", *header), table), ""]
    return "\n".join(
        [
            f"Attention's detection, validation spectra, mean of {len(rows[AS_IT_IS])} seeds.",
            "",
            *lines,
            f"(commit {record['commit']})",
        ]
    )


def renewed(text: str) -> str:
    """docs/remedies.md with what the benchmarks' records say in its places.

    Raises
    ------
    ValueError where a place or a record is missing
    """
    return fill_places(
        text,
        {
            "shapes": shape_remedies(read_json(benchmark_record("shapes"))),
            "energies": energy_remedies(read_json(benchmark_record("energies"))),
            "erase": erase_remedies(read_json(benchmark_record("erase"))),
        },
    )
