"""Intervals of the published records that support a sentence: each a function of the records that gives (low, high)s.

Where a record has no interval, low and high are both its number. RECORDS is what the functions are given: the metrics
of the notebooks' published records and the records of benchmarks, by name.
"""

import numpy as np

from evidence import compared
from nblib.project.paths import NOTEBOOKS, benchmark_record, record_path
from nblib.project.records import committed_result, read_json

DETECTS = 0.5  # average precision from which attention counts as a detector
BENCHMARKS = (
    *("wide", "measured", "wide_cnn", "multitaper", "left_out"),
    *("scaling", "throughput", "log_tokens"),
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


# ---- notebook 06 ----


def against(records, quantity, one, other, **where):
    """Paired difference of a quantity between two rows, each (trial, score); (method, "") without training."""
    return [ends(compared.difference(records["06_benchmark"], quantity, one, other, **where))]


def measured(records, quantity, trial, score, than):
    """A quantity of a row less a number."""
    return [less(compared.span(records["06_benchmark"], trial, quantity, score), than)]


def own_over_even(records, *trials):
    """In-band error with a model's own attention less that with even weights on what its residual does not flag."""
    pairs = [(compared.IN_BAND, (trial, "residual"), (trial, "residual")) for trial in trials]
    return [span for pair in pairs for span in against(records, *pair, weights=("in_band", "in_band, even"))]


def below_limit(records):
    """AP over the limit's of every method and row, less 1."""
    metrics = records["06_benchmark"]
    rows = (compared.methods(metrics) | compared.rows(metrics)).values()
    return [less(row[compared.AP]["iqm"], 1 + 1e-9) for row in rows if row[compared.AP]]


# ---- notebooks 01 to 05: one seed, but for the sweep's short runs ----


def restored(records, *readouts):
    """Error in noisy bins after restoration, less that before, by readout of notebook 01."""
    rows = [records["01_baseline_mask_prediction"][name]["in_band"] for name in readouts]
    return [less(row["after"], row["before"]) for row in rows]


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
    values = [row["ap"] for name, row in rows if name.startswith("uniform_clean") == steered]
    return [less(max(values), DETECTS)]


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


def on_instruments(records, pair, kind="summary", *areas):
    """Share of injected lines' cells that one method finds, less that of the other, at 1 % and at 5 % flagged."""
    rows = records["measured"][kind]["differences"]
    return [ends(rows[area][pair]) for area in areas or rows]


def over_earlier(records, *aims):
    """Share that the detector finds, less that of the earlier version's score, at 1 % and at 5 %, less the aims."""
    rows = on_instruments(records, "detector - earlier score", "earlier", "1%", "5%")
    return [tuple(end - aim for end in row) for row, aim in zip(rows, aims, strict=True)]


def hindsight_over_aims(records, *aims):
    """What the best method of each width finds, less the earlier version's score and the aim, at 1 % and at 5 %."""
    row = records["measured"]["earlier"]
    scores = [row["recall"][area]["earlier score"] for area in ("1%", "5%")]
    return [
        less(row["in hindsight"][area], score + aim)
        for area, score, aim in zip(("1%", "5%"), scores, aims, strict=True)
    ]


def odds_of_unmet(records):
    """Log-odds of structure and of weak lines by networks trained on other instruments, less those of the other."""
    unmet, other = "other instruments as well", "simulated spectra alone"
    structure, weak = records["left_out"]["labels"]["structure"], records["left_out"]["weak lines"]
    pairs = [(structure[unmet]["mean"], structure[other]["mean"])]
    return [less(one, two) for one, two in [*pairs, *zip(weak[unmet].values(), weak[other].values(), strict=True)]]


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
