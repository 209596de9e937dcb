"""docs/own_spectra.md, the generated part: `nblib detect` tried as its user does, from the benchmark's record."""

from evidence.pages.wording import fill_places, markdown_table
from nblib.project.paths import benchmark_record
from nblib.project.records import read_json

FEW_BINS = 400  # false alarms of spectra with more are counted apart
BESIDE = "background beside it moved by less than 0.1 ln"


def tried(record: dict) -> str:
    """What was tried and how often it went right, and what it costs on one core."""
    same, mains, combs = (record[name]["found"] for name in ("invariance", "mains", "combs"))
    alone, beside, unrelated = (
        combs[name] for name in ("3 harmonics of 50 Hz", "with 3 unrelated lines", "3 to 6 unrelated lines")
    )
    quiet = record["false alarms"]["found"]
    rows = [
        (
            "the same flags for x 1e-40 to 1e40; from an amplitude density",
            same["scaled"],
            same["amplitude density squared"],
        ),
        (
            "5 % of bins missing, K given or not: each flag overlaps by half",
            same["5 % missing"],
            same["5 % missing, K not given"],
        ),
        ("resampled to a log grid, averaged; interpolated", same["log grid, averaged"], same["log grid, interpolated"]),
        (
            "mains 20 to 60 dB above the background: flagged; background beside it moves by less than 0.1 ln",
            mains["flagged"],
            mains[BESIDE],
        ),
        (
            "3 of the first 10 harmonics of 50 Hz: named, alone; beside 3 unrelated lines",
            alone["named"],
            beside["named"],
        ),
        ("3 to 6 unrelated lines called a comb; called mains alone", unrelated["a comb"], unrelated["mains alone"]),
    ]
    bins = {name: int(name.split(" bins")[0].split()[-1]) for name in quiet}
    for words, small in ((f"up to {FEW_BINS}", True), (f"more than {FEW_BINS}", False)):
        found = [row for name, row in quiet.items() if (bins[name] <= FEW_BINS) == small]
        what = f"a flag on a clean spectrum with a simple background, {words} bins, 1 % asked; 5 % asked"
        rows.append((what, *(_together([row[rate] for row in found]) for rate in ("0.01", "0.05"))))
    table = markdown_table(("what", "draws"), [(what, _counts(first, second)) for what, first, second in rows])
    one, many, long = (
        record["costs"]["found"][name]
        for name in (
            "a file of 3,000 bins, cold start, median of 3",
            "1,000 spectra of 3,000 bins",
            "a file of 100,000 bins",
        )
    )
    return "\n".join(
        [
            *table,
            "",
            f"One core ({record['costs']['hardware']['processor']}): a file of 3,000 bins from a cold start "
            f"{one['seconds']:.1f} s, 1,000 spectra of 3,000 bins {many['seconds']:.0f} s, a file of 100,000 bins "
            f"{long['seconds']:.1f} s and {long['peak GiB']:.2f} GiB.",
        ]
    )


def _together(rows):
    draws = sum(row["draws"] for row in rows)
    return {"draws": draws, "share": sum(row["share"] * row["draws"] for row in rows) / draws}


def _counts(first, second):
    one, other = (f"{round(row['share'] * row['draws'])} of {row['draws']}" for row in (first, second))
    return f"{one}; {other}"


def renewed(text: str) -> str:
    """docs/own_spectra.md with what the benchmark's record says in its place.

    Raises
    ------
    ValueError where the place or the record is missing
    """
    return fill_places(text, {"tried": tried(read_json(benchmark_record("own_spectra")))})
