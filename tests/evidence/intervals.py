"""Intervals of the published records that support a sentence: each a function of the records that gives (low, high)s.

Where a record has no interval, low and high are both its number. RECORDS is what the functions are given: the metrics
of the notebooks' published records and the records of benchmarks, by name.
"""

import numpy as np

from evidence import tables
from evidence.claims import SHAPES_AIM, over_pairs
from evidence.tables import across_seeds
from evidence.trials import CLAIMED, MEDIAN, TRUE
from nblib.project.paths import NOTEBOOKS, benchmark_record, record_path
from nblib.project.records import committed_result, read_json

DETECTS = 0.5  # average precision from which attention counts as a detector
BENCHMARKS = (
    *("wide", "network_injections", "injections", "wide_cnn", "multitaper"),
    *("shapes", "energies", "scaling", "throughput", "log_tokens"),
)
PUBLISHED = [path.stem for path in NOTEBOOKS.glob("*.ipynb") if record_path("quick", path.stem).exists()]
RECORDS = {name: committed_result(name)["metrics"] for name in PUBLISHED} | {
    name: read_json(benchmark_record(name)) for name in BENCHMARKS
}


def ends(span):
    """(low, high) of a span, of three numbers, or of a number."""
    if isinstance(span, dict):
        span = next(span[name] for name in ("iqm", "difference", "mean") if name in span), span["low"], span["high"]
    value, low, high = span if isinstance(span, (tuple, list)) else (span, None, None)
    return (value, value) if low is None or not np.isfinite(low) else (low, high)


def less(span, number):
    """The interval of a span less a number."""
    return tuple(float(end - number) for end in ends(span))


def value(records, *path, than=0.0):
    """A number or a span of a record."""
    for key in path:
        records = records[key]
    return [less(records, than)]


def over_chance(records, layer):
    """AUROC of attention in a layer, less that of a random score."""
    return value(records, "04_attention_heatmaps", layer, "auroc", than=0.5)


# ---- notebook 06 ----


def ap(records, one, other):
    """Paired difference of average precision on the same test spectra."""
    return [ends(tables.paired_differences(records["06_benchmark"], [(one, other)])[one, other])]


def above_true_background(records):
    """Every method above `true background` in the table, less it; the first row is the limit."""
    names = list(tables.detection_table(records["06_benchmark"]))
    return [interval for name in names[1 : names.index(TRUE)] for interval in ap(records, name, TRUE)]


def energies_kept(records):
    """Errors of Ea and Eb on kept bins, less those on all bins."""
    rows = tables.energy_table(records["06_benchmark"])
    pairs = zip(rows["simulated labels, kept bins"], rows["all bins"], strict=True)
    return [less(kept, before["iqm"]) for kept, before in pairs]


def faithful(records, test, *trials):
    """Ratios of a faithfulness test, less 1."""
    table = tables.faithfulness_table(records["06_benchmark"])
    return [less(table[trial][test], 1.0) for trial in trials]


def over_median(records, family):
    """AP on a family of the model trained on single lines, less that of the running median tuned on the family."""
    metrics = records["06_benchmark"]
    span = across_seeds(metrics["trials"]["simulated labels"], "families", family, "ap")
    return [less(span, metrics["baselines"]["families"][family][MEDIAN]["ap"])]


def alone_over_median(records, family):
    """AP on a family of the model trained on it, less that of the running median tuned on it."""
    metrics = records["06_benchmark"]
    span = across_seeds(tables.trained_on(metrics, family), "families", family, "ap")
    return [less(span, metrics["baselines"]["families"][family][MEDIAN]["ap"])]


def shapes_over_alone(records, *families):
    """AP of the model trained on shapes over that of one trained on the family, less 1."""
    metrics = records["06_benchmark"]
    shapes = metrics["trials"]["shapes"]
    return [
        less(over_pairs(shapes, tables.trained_on(metrics, name), "families", name, "ap"), 1.0) for name in families
    ]


def in_band(records, trial):
    """Error in noisy bins over that of the same seeds without a penalty, less 1."""
    trials = records["06_benchmark"]["trials"]
    return [less(over_pairs(trials[trial], trials["no penalty"], "in_band", "after"), 1.0)]


def in_band_over_fit(records):
    """Error in noisy bins over that of a fit with the known formula, less 1."""
    metrics = records["06_benchmark"]
    fit, left_out = (metrics["baselines"][name] for name in ("fit in-band", "fit in-band left_out"))
    rows = [metrics["trials"][trial] for trial in CLAIMED]
    return [less(across_seeds(row, "in_band", "after", over=fit, over_left_out=left_out), 1.0) for row in rows]


# ---- notebooks 01 to 05: one seed, but for the sweep's short runs ----


def over_random(records, readout):
    """AP of attention in a readout of notebook 01, less that of a random score."""
    row = records["01_baseline_mask_prediction"][readout]["attention"]
    return [less(row["ap"], row["prevalence"])]


def restored(records):
    """Error in noisy bins after restoration, less that before."""
    row = records["01_baseline_mask_prediction"]["cls"]["in_band"]
    return [less(row["after"], row["before"])]


def simple_restored(records):
    """Error in noisy bins with the simple penalty, less that without, by lambda."""
    rows = {name: row for name, row in records["02_simple_regularizer"].items() if name.startswith("lambda")}
    plain = rows.pop("lambda 0")["in_band"]["after"]
    return [less(row["in_band"]["after"], plain) for row in rows.values()]


def simple_detects(records):
    rows = records["02_simple_regularizer"].items()
    return [less(row["attention"]["ap"], DETECTS) for name, row in rows if name.startswith("lambda")]


def short_detects(records, steered):
    """Largest AP of the short runs with `uniform_clean`, or of all others, less what counts as a detector."""
    rows = records["03_full_attention_regularizer"]["short"].items()
    values = [row["attention"]["ap"] for name, row in rows if name.startswith("uniform_clean") == steered]
    return [less(max(values), DETECTS)]


def missed_noise(records):
    """Noisy bins of the three spectra that are missed most, less those of all spectra."""
    row = records["04_attention_heatmaps"]["misses"]
    return [less(row["noisy bins, three worst"], row["noisy bins, all"])]


def first_layer(records):
    """AUROC of the first layer's attention, less 0.4: below, it looks at the noise."""
    return value(records, "04_attention_heatmaps", "simulated labels layer 0", "auroc", than=0.4)


def sweep_detects(records, *settings):
    """AP of short runs of the sweep, less what counts as a detector."""
    return [less(records["05_lambda_sweep"]["table"][name]["ap"], DETECTS) for name in settings]


def full_detects(records, *penalties):
    """AP of full trainings of the sweep, less what counts as a detector."""
    rows = records["05_lambda_sweep"]["full table"].items()
    return [less(row["ap"], DETECTS) for name, row in rows if name.split()[0] in penalties]


# ---- benchmarks ----


def gain(records, name, *aims):
    """Attention over the best classical setting on both simulated worlds, less the aims."""
    wide = records["wide"]
    rows = [wide["differences"][test][f"{name} - {wide['best']}"] for test in ("wide", "second")]
    return [less(row, aim) for row, aim in zip(rows, aims, strict=True)]


def by_spectrum(records, one, other, *spectra):
    """Share of an injected line's cells found by one method, less that by the other, on some spectra at 1 % flagged."""
    rows = records["network_injections"]["by stretch"]
    return [less(rows[one][name]["1%"], rows[other][name]["1%"]) for name in spectra]


def other_weight(records, chosen, shipped):
    """What the network adds with another weight, less what it adds as shipped, at 1 % and at 5 % flagged."""
    rows = records["network_injections"]["differences"]
    return [less(rows[chosen][area][0], rows[shipped][area][0]) for area in ("1%", "5%")]


def larger_over_longer(records):
    """What larger training spectra add to the token head's AP, less what four times the steps add."""
    tried = {name: row["head"] for name, row in records["wide"]["tried"].items()}
    first, longer, larger = (
        *("700 steps on 300 to 1,500 bins, then 800 with a measured stretch", "2,800 steps on 300 to 1,500 bins"),
        "2,500 steps on 300 to 5,000 bins",
    )
    return [less(tried[larger] - tried[longer], tried[longer] - tried[first]), less(tried[longer], tried[first])]


def convolutions(records):
    pair = "attention, seed 0: head - cnn, seed 0: head"
    return [ends(records["wide_cnn"][test]["differences"][pair]) for test in ("wide", "second")]


def multitaper(records, pair, *disturbances):
    """Share found by one method, less that of the other on the same series, at 1 % and at 5 % flagged."""
    rows = [row for name in disturbances for row in records["multitaper"]["found"][name].values()]
    return [(row[pair]["low"], row[pair]["high"]) for row in rows]


def shapes_reached(records):
    """The least ratio of each remedy, less the aim."""
    rows = records["shapes"]["rows"].values()
    return [less(min(entry["ratio"] for entry in row.values()), SHAPES_AIM) for row in rows]


def ea_error(records, variant, score, rate):
    """Mean error of Ea of one row and column, less the smallest of all others."""
    means = {
        (name, at): np.mean([row["Ea"] for row in seeds.values()])
        for name, by_rate in records["energies"]["rows"][variant].items()
        for at, seeds in by_rate.items()
    }
    return [less(means.pop((score, rate)), min(means.values()))]


def apart_over_threads(records):
    """Work of two trainings side by side over that of one, less what a second thread gains."""
    settings = records["throughput"]["settings"]
    threads = settings["one thread"]["step_ms"] / settings["two threads"]["step_ms"]
    rows = [row for name, row in records["scaling"].items() if name.startswith("global batch")]
    return [less(row["two trainings apart / one"]["median"], threads) for row in rows]


def wide_tokens(records):
    """AP with tokens that widen with frequency, less that with even ones."""
    even, *others = (row["ap"] for row in records["log_tokens"]["rows"].values())
    return [less(number, even) for number in others]
