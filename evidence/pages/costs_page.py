"""docs/costs.md, the generated part: what things cost, from the records of the benchmarks."""

import statistics

from evidence.pages.wording import enumerate_words, fill_places, markdown_table
from nblib.project.paths import benchmark_record
from nblib.project.records import read_json

BENCHMARKS = ("attention", "throughput", "time_to_quality", "scaling", "growth", "log_tokens", "recipe", "busy")
PAYS_OFF = 1.8  # speed of two processes over one


def costs(records: dict[str, dict]) -> str:
    """What things cost, beside what was aimed at, as tables: records by name of the benchmark."""
    throughput, quality = records["throughput"], records["time_to_quality"]
    parts = [
        ("The first run", _first_run(records["busy"])),
        ("Attention rows and their penalty", _capture_costs(records["attention"])),
        ("A training step, and the time to quality", [*_step_costs(throughput, quality), *_settings(throughput)]),
        ("Two processes, more bins, more spectra", _growth_costs(records["scaling"], records["growth"])),
        ("Tokens that widen with frequency", _layouts(records["log_tokens"])),
    ]
    lines = []
    for title, rows in parts:
        lines += [f"## {title}", "", *markdown_table(("cost, two cores, no GPU", "aim", "measured"), rows), ""]
    lines += ["## Choices of the recipe", "", *_recipe(records["recipe"]), ""]
    lines += ["## What follows", "", *(f"- {line}" for line in _advice(records)), ""]
    found = {(record["commit"], record["hardware"]["processor"]) for record in records.values()}
    sources = enumerate_words([f"commit {commit} on {processor}" for commit, processor in sorted(found)])
    return "\n".join([*lines, f"Records: [records/benchmarks](../records/benchmarks) ({sources})."])


def _first_run(record):
    idle = statistics.median(record["seconds"]["idle"]) / 60
    yield "`make run` from nothing, without the set-up, idle machine", "<= 10 min with it", f"{idle:.1f} min"
    yield "the same beside two busy processes / idle", f"<= {record['asked']}", f"{record['busy / idle']:.2f}"


def _capture_costs(record):
    found, exponents = record["summary"], record["summary"]["exponents"]
    for length, most in (("3000 tokens", 1.05), ("150 tokens", 1.10)):
        row = found[length]
        time, memory = row["CLS rows / no capture, time"], row["CLS rows / no capture, peak memory"]
        what = f"step with CLS rows and penalty / without, {length}"
        yield what, f"<= {most}", f"{time:.2f}, peak memory {memory:.2f}"
    for length, aim in (("3000 tokens", ">= 2.5, >= 6"), ("12000 tokens", ">= 3.5, >= 12")):
        row = found[length]
        time, memory = row["need_weights / CLS rows, time"], row["need_weights / CLS rows, memory above start"]
        yield f"need_weights=True / CLS rows, {length}: time, memory", aim, f"{time:.1f}, {memory:.1f}"
    for length, most in (("3000 tokens", 1.0), ("150 tokens", 1.05)):
        ratio = found[length]["no capture / torch encoder, time"]
        yield f"our encoder / torch.nn.TransformerEncoder, {length}", f"<= {most:.2f}", f"{ratio:.2f}"
    growth = f"{exponents['CLS rows, memory_mib']:.2f} (time {exponents['CLS rows, seconds']:.2f})"
    yield "exponent of memory, 12,000 to 100,000 tokens, CLS rows", "<= 1.1", growth


def _step_costs(record, quality):
    step = record["step"]
    share = f"{step['data_ms'] / step['step_ms']:.0%}, drawn by a worker meanwhile"
    yield "drawing a step's spectra / the step", "<= 5 % or overlapped", share
    yield "simulated spectra a second on one core", ">= 3,000", f"{record['data']['spectra_per_second']:,.0f}"
    times = ", ".join(f"{value:.0f}" for value in quality["seconds to AP 0.85"].values())
    yield "seconds to validation AP 0.85, by seed", "<= 60", times
    study, spent = max(quality["study"]["ap"]), quality["study"]["seconds"][-1]
    yield "the starting study's configuration: best AP in as long as our whole run", "", f"{study:.2f} in {spent:.0f} s"


def _settings(record):
    for name, row in record["settings"].items():
        yield f"a training step, {name}", "", f"{row['step_ms']:.0f} ms"


def _growth_costs(scaling, growth):
    for name in sorted(
        (name for name in scaling if name.startswith("global batch")), key=lambda name: int(name.split()[2])
    ):
        row, differences = scaling[name], scaling[name]["largest relative difference of a loss"]
        together, apart = (row[f"two {kind} / one"]["median"] for kind in ("processes", "trainings apart"))
        step = min(differences, key=int)
        measured = (
            f"{together:.2f}; two separate trainings {apart:.2f}; losses at step {step} {differences[step]:.0e} apart"
        )
        yield f"two processes of one core / one, {name}", ">= 1.8", measured
    for kind, what in (
        ("bins", "bins, 10,000 to 100,000"),
        ("spectra", "spectra streamed from disk, 10,000 to 400,000"),
    ):
        found = growth["exponents"][kind]
        yield f"exponents against {what}", "", f"time {found['seconds']:.2f}, memory {found['memory_mib']:.2f}"


def _layouts(record):
    for name, row in record["rows"].items():
        yield f"{name}: AP, time of training", "", f"{row['ap']:.3f}, {row['seconds']:.0f} s"


def _recipe(record):
    """One change at a time to the recipe: detection, masked prediction and time, each as recorded."""
    said = (
        "One change at a time, one seed, on validation spectra: AP of attention, error of the masked prediction "
        f"against the noise-free background, time of the training. {record['base']['steps']:,} steps, commit "
        f"{record['commit']}."
    )
    rows = [
        (name, f"{row['ap']:.3f}", f"{row['background_rms']:.3f}", f"{row['seconds']:.0f} s")
        for name, row in record["rows"].items()
    ]
    return [said, "", *markdown_table(("recipe", "AP", "masked error [ln units]", "time"), rows)]


def _advice(records):
    """What a user should do, from the same numbers."""
    settings = {name: row["step_ms"] for name, row in records["throughput"]["settings"].items()}
    scaling = {int(name.split()[2]): row for name, row in records["scaling"].items() if name.startswith("global batch")}
    apart = min(row["two trainings apart / one"]["median"] for row in scaling.values())
    gain = settings["one thread"] / settings["two threads"]
    if gain < apart:
        yield (
            f"Run two trainings side by side, one thread each: together they do {apart:.1f} times the work of one or "
            f"more, while two threads make one training {gain:.2f} times as fast."
        )
    enough = sorted(size for size, row in scaling.items() if round(row["two processes / one"]["median"], 2) >= PAYS_OFF)
    yield (
        f"Two processes on one training are at least {PAYS_OFF} times as fast as one at "
        f"{'global batches of ' + enumerate_words([str(size) for size in enough]) if enough else 'no batch measured'}"
        f"{'' if len(enough) == len(scaling) else ', not at smaller ones' if enough else ''}."
    )
    rows = list(records["log_tokens"]["rows"].items())
    even, others = rows[0][1], [row for _, row in rows[1:]]
    better = {row["ap"] > even["ap"] for row in others}
    words = {(True,): "detect better", (False,): "detect worse"}.get(tuple(better), "detect better or worse, by layout")
    times = enumerate_words([f"{row['seconds'] / even['seconds']:.1f}" for row in others])
    yield f"Tokens that widen with frequency take {times} times as long to train as even ones, and {words} (one seed)."


def renewed(text: str) -> str:
    """docs/costs.md with what the records of the benchmarks say in its place.

    Raises
    ------
    ValueError where the place or a record is missing
    """
    return fill_places(text, {"costs": costs({name: read_json(benchmark_record(name)) for name in BENCHMARKS})})
