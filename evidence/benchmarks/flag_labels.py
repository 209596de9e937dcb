"""What the flags on the measured spectra stand on, by labels that were given blind to which detector raised them.

flag_labels --raised NAME            # writes this commit's ranges to runs/benchmarks/flags-NAME.csv
flag_labels --sheet A.csv B.csv      # draws all ranges in random order, and a table to fill in
flag_labels --join                   # filled-in labels and who raised what -> data/measured/flag_labels.csv
flag_labels                          # counts labels among this commit's flags: runs/benchmarks/flag_labels.json
"""

from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd

from evidence.benchmarks.script import options, write_record
from evidence.unknown.alarm_rates import share
from evidence.unknown.flag_labels import (
    LABEL_FILE,
    LABELS,
    UNLABELLED,
    Range,
    best_of,
    distinct,
    labelled,
    labels_of,
    raised,
)
from evidence.unknown.measured_spectra import MeasuredSpectrum, measured_spectra
from nblib.project.paths import benchmark_result, measured_data_dir
from nblib.style import ACCENT, GREY

SEED, ROWS, PAIRS = 29, 4, 2  # of the sheet: ranges shown on a page are ROWS x PAIRS
BESIDE = (60, 8)  # a range is shown with so many bins on either side, or so many of its widths


def folder() -> Path:
    """Where the sheet lies."""
    return benchmark_result("flag_labels").parent / "flag_sheet"


def name_of(path: str) -> str:
    """What a table of ranges is called in raised_by."""
    return Path(path).stem.removeprefix("flags-")


def read(path: str) -> list[Range]:
    """The ranges of a table."""
    rows = pd.read_csv(path).itertuples(index=False)
    return [Range(row.spectrum, row.fmin, row.fmax) for row in rows]


def as_frame(ranges: list[Range]) -> pd.DataFrame:
    """One row a range."""
    return pd.DataFrame([(one.spectrum, one.fmin, one.fmax) for one in ranges], columns=["spectrum", "fmin", "fmax"])


def draw_range(axes, spectrum: MeasuredSpectrum, fmin: float, fmax: float, title: str) -> None:
    """The range with its neighbourhood, and where it lies on the whole spectrum."""
    freqs, psd = spectrum.freqs, spectrum.psd
    first, last = int(np.searchsorted(freqs, fmin)), int(np.searchsorted(freqs, fmax, side="right")) - 1
    beside = max(BESIDE[0], BESIDE[1] * (last - first + 1))
    near = slice(max(first - beside, 0), min(last + beside + 1, len(freqs)))
    axes[0].semilogy(freqs[near], psd[near], lw=0.8, color=GREY)
    axes[0].axvspan(fmin, fmax, color=ACCENT, alpha=0.25)
    axes[0].semilogy(freqs[first : last + 1], psd[first : last + 1], ".-", ms=3, lw=0.8, color=ACCENT)
    axes[0].set_title(title, fontsize=8, loc="left")
    axes[1].loglog(freqs, psd, lw=0.5, color=GREY)
    axes[1].axvspan(fmin, max(fmax, fmin * 1.01), color=ACCENT, alpha=0.5)
    for one in axes:
        one.tick_params(labelsize=6)


def draw_sheet(paths: list[str]) -> None:
    """Pages of ranges in random order, key.csv that says what they are, and labels.csv to fill in."""
    known = labelled()
    ranges = distinct([one for path in paths for one in read(path) if labels_of([one], known) == [UNLABELLED]])
    order = np.random.default_rng(SEED).permutation(len(ranges))
    spectra = {one.name: one for one in measured_spectra()}
    folder().mkdir(parents=True, exist_ok=True)
    key = as_frame([ranges[place] for place in order])
    key.to_csv(folder() / "key.csv", index_label="number")
    pd.DataFrame({"label": [""] * len(key)}).to_csv(folder() / "labels.csv", index_label="number")
    for page, start in enumerate(range(0, len(key), ROWS * PAIRS)):
        figure, axes = plt.subplots(ROWS, 2 * PAIRS, figsize=(16, 10), layout="constrained")
        pairs = axes.reshape(ROWS * PAIRS, 2)
        for pair in pairs[len(key) - start :]:
            for one in pair:
                one.set_axis_off()
        for pair, row in zip(pairs, key.iloc[start:].itertuples(), strict=False):
            resolution = np.median(np.diff(spectra[row.spectrum].freqs))
            title = f"{row.Index}: {row.spectrum} {row.fmin:.6g} to {row.fmax:.6g} Hz, bin {resolution:.3g} Hz"
            draw_range(pair, spectra[row.spectrum], row.fmin, row.fmax, title)
        figure.savefig(folder() / f"page_{page:02d}.png", dpi=80)
        plt.close(figure)
    print(f"wrote {folder()}: fill in labels.csv with {', '.join(LABELS)}")


def join(paths: list[str]) -> None:
    """The filled-in labels into the data of the project, and at each range the names of the tables that hold it."""
    rows = pd.read_csv(folder() / "key.csv").itertuples(index=False)
    labels = pd.read_csv(folder() / "labels.csv")["label"]
    new = [(Range(row.spectrum, row.fmin, row.fmax), label, "") for row, label in zip(rows, labels, strict=True)]
    known = [*labelled(), *new]
    names = [row[2].split() for row in known]
    for path in paths:
        for one in read(path):
            at = best_of(one, known)
            if at is not None and name_of(path) not in names[at]:
                names[at].append(name_of(path))
    table = as_frame([row[0] for row in known])
    table = table.assign(label=[row[1] for row in known], raised_by=[" ".join(row) for row in names])
    target = measured_data_dir() / LABEL_FILE
    table.sort_values(["spectrum", "fmin", "fmax"]).to_csv(target, index=False, float_format="%.10g")
    print(f"wrote {target}")


def counted(labels: list[str]) -> dict:
    """Number of flags by label, and the share of structure among those that have one."""
    number = {label: labels.count(label) for label in (*LABELS, UNLABELLED)}
    with_label = len(labels) - number[UNLABELLED]
    return {"flags": len(labels), "labels": number, "structure": share(number["structure"], with_label)}


def main() -> None:
    """Draw the sheet, join its labels, or count them."""
    asked = options(
        __file__,
        __doc__,
        raised=("", "write this commit's ranges under a name"),
        sheet=({"nargs": "+", "default": []}, "draw the ranges of these tables, in random order"),
        join=({"nargs": "+", "default": []}, "filled-in labels, and what these tables hold, into data/measured"),
    )
    if asked.raised:
        path = benchmark_result(f"flags-{asked.raised}").with_suffix(".csv")
        path.parent.mkdir(parents=True, exist_ok=True)
        as_frame(raised()).to_csv(path, index=False)
        print(f"wrote {path}")
    elif asked.sheet:
        draw_sheet(asked.sheet)
    elif asked.join:
        join(asked.join)
    else:
        known = labelled()
        names = dict.fromkeys(name for *_, names in known for name in names.split())
        before = {name: counted([label for _, label, names in known if name in names.split()]) for name in names}
        record = {"now": counted(labels_of(raised(), known)), "when labelled": before, "seed of the sheet": SEED}
        write_record(__file__, record)
        print(record)


if __name__ == "__main__":
    main()
