"""The generated parts of the README: the answer, the costs and each notebook's time, all from committed records."""

import re

from nblib.evaluation import tables
from nblib.evaluation.claims import claims, verdict
from nblib.evaluation.tables import format_interval
from nblib.project.paths import NOTEBOOKS, benchmark_record
from nblib.project.records import committed_result, provenance, read_json

BEGIN, END = "<!-- {}: make readme -->", "<!-- end of {} -->"  # the answer's and the costs' places


def answer(evidence: dict, record: dict) -> str:
    """The README's answer: detection and claims over seeds (record of 06), families and one seed's price (of 03)."""
    metrics = evidence["metrics"]
    lines = [*_sentences(metrics), "", *_detection_rows(metrics), ""]
    lines += [
        "<details><summary>What was asked, and what was measured</summary>",
        "",
        *_claim_rows(metrics),
        "",
        "</details>",
    ]
    lines += ["", "<details><summary>Noise families; restoration of one seed</summary>", ""]
    lines += [*_family_rows(record["metrics"]["families"]), ""]
    lines += [*_prices(record["metrics"], record["parameters"]["regularizer"]), "", "</details>"]
    for entry in (evidence, record):
        lines += ["", f"Record: `records/{entry['profile']}/{entry['notebook']}.json` ({provenance(entry)})."]
    return "\n".join(lines)


def _sentences(metrics):
    ap = {method: row["ap"] for method, row in tables.detection_table(metrics).items()}
    energies = tables.energy_table(metrics)
    tests = tables.faithfulness_table(metrics)
    return [
        f"1. Attention that is pushed off noise finds it: AP "
        f"{format_interval(ap['simulated labels, attention'])} with simulated noise "
        f"labels and {format_interval(ap['label-free, attention'])} without any label, against "
        f"{format_interval(ap['no penalty, attention'])} without the penalty, "
        f"{format_interval(ap['running median'])} for a tuned running median, and a limit of "
        f"{ap['posterior (limit)']['iqm']:.3f}; with labels at hand, a supervised CNN does a little better, "
        f"{format_interval(ap['supervised CNN'])}, and the matched filter on the residual of a model without any "
        "penalty stands at "
        f"{format_interval(ap['no penalty, residual'])}.",
        f"2. Leaving out what it flags lowers the error of fitted energies from "
        f"{_pair(energies['all bins'])} to {_pair(energies['simulated labels, kept bins'])} times the bound (Ea, Eb); "
        f"a linear probe of CLS stays at {_pair(energies['simulated labels, linear probe'])}, so the fit, not the "
        "network, should read the physics.",
        f"3. That attention looks away from noise does not mean that the prediction ignores it: erasing the noisy bins "
        f"changes the rest {format_interval(tests['simulated labels']['erase'], 1)} times as much as erasing "
        f"the same bins without their line, {format_interval(tests['no penalty']['erase'], 1)} times without the "
        "penalty and "
        f"{format_interval(tests['token readout']['erase'], 1)} times in the token readout, where attention does "
        f"not even reach the output (swap {tests['token readout']['swap']['iqm']:.0f}).",
    ]


def _pair(spans):
    return "/".join(f"{span['iqm']:.2f}" for span in spans)


def _detection_rows(metrics):
    """Every method by average precision: over seeds where it is trained, over test spectra where it is not."""
    table = tables.detection_table(metrics)
    reference, limit = (table[name]["ap"]["iqm"] for name in (tables.TRUE, tables.LIMIT))
    lines = ["| `single_line`, locked test | seeds | AP [95 %] | of true background | of limit | top-1 [95 %] |"]
    lines += ["|---|---|---|---|---|---|"]
    for name, row in table.items():
        ap = row["ap"]["iqm"]
        shares = f"{ap / reference:.3f} | {ap / limit:.3f}"
        spans = [format_interval(row[key]) for key in ("ap", "top1")]
        lines.append(f"| {name} | {row['ap']['n'] or ''} | {spans[0]} | {shares} | {spans[1]} |")
    chance = metrics["baselines"]["methods"]["random"]
    guesses = f"{chance['top1_random']:.3f}, constant guess {chance['top1_constant']:.3f}"
    return [*lines, f"| chance | | {chance['prevalence']:.3f} | | | {guesses} |"]


def _claim_rows(metrics):
    lines = ["| asked | of | measured [95 % over seeds] | seeds | |", "|---|---|---|---|---|"]
    for row in claims(metrics):
        measured = f"{format_interval(row['span'])} | {row['span']['n']}"
        lines.append(f"| {row['what']} | {row['target']} | {measured} | {verdict(row)} |")
    return lines


def _family_rows(families):
    methods = [name for name in next(iter(families.values())) if not name.startswith("posterior")]
    lines = ["| AP / top-1 by family, one seed | " + " | ".join(methods) + " |", "|---" * (len(methods) + 1) + "|"]
    for family, rows in families.items():
        cells = [f"{rows[method]['ap']:.3f} / {rows[method]['top1']:.3f}" for method in methods]
        lines.append(f"| {family} | " + " | ".join(cells) + " |")
    return lines


def _prices(metrics, regularizer):
    full = metrics["full"][f"cls {regularizer}"]
    band, control = full["in_band"], full["no_line"]
    return [
        f"Error in the noisy bins (CLS readout, ln units, one seed): {band['before']:.3f} before, {band['after']:.3f} "
        f"after restoration ({band['reduction']:.1%} less); the no-line control, the same bins without their lines: "
        f"{control['before']:.3f} to {control['after']:.3f} ({control['reduction']:.1%} less). Masked prediction "
        f"against the noise-free background, with the regularizer over without: {metrics['masked ratio cls']:.2f} (CLS "
        f"readout), {metrics['masked ratio token']:.2f} (token readout).",
    ]


def costs(records: dict[str, dict]) -> str:
    """What things cost, beside what was asked, as a table: records by name of the benchmark."""
    rows = [*_capture_costs(records["attention"]), *_step_costs(records["throughput"], records["time_to_quality"])]
    rows += [*_growth_costs(records["scaling"], records["growth"]), *_layouts(records["log_tokens"])]
    lines = ["| cost, two cores, no GPU | asked | measured |", "|---|---|---|"]
    lines += [f"| {what} | {asked} | {measured} |" for what, asked, measured in rows]
    found = {(record["commit"], record["hardware"]["processor"]) for record in records.values()}
    sources = ", ".join(f"commit {commit} on {processor}" for commit, processor in sorted(found))
    return "\n".join([*lines, "", f"Records: `records/benchmarks/` ({sources})."])


def _capture_costs(record):
    found, exponents = record["summary"], record["summary"]["exponents"]
    for length, most in (("3000 tokens", 1.05), ("150 tokens", 1.10)):
        row = found[length]
        time, memory = row["CLS rows / no capture, time"], row["CLS rows / no capture, peak memory"]
        yield (
            f"step with CLS rows and penalty / without, {length}",
            f"<= {most}",
            f"{time:.2f}, peak memory {memory:.2f}",
        )
    for length, asked in (("3000 tokens", ">= 2.5, >= 6"), ("12000 tokens", ">= 3.5, >= 12")):
        row = found[length]
        time, memory = row["need_weights / CLS rows, time"], row["need_weights / CLS rows, memory above start"]
        yield f"need_weights=True / CLS rows, {length}: time, memory", asked, f"{time:.1f}, {memory:.1f}"
    for length, most in (("3000 tokens", 1.0), ("150 tokens", 1.05)):
        ratio = found[length]["no capture / torch encoder, time"]
        yield f"our encoder / torch.nn.TransformerEncoder, {length}", f"<= {most:.2f}", f"{ratio:.2f}"
    growth = f"{exponents['CLS rows, memory_mib']:.2f} (time {exponents['CLS rows, seconds']:.2f})"
    yield "exponent of memory, 12,000 to 100,000 tokens, CLS rows", "<= 1.1", growth


def _step_costs(record, quality):
    step, settings = record["step"], {name: row["step_ms"] for name, row in record["settings"].items()}
    share = f"{step['data_ms'] / step['step_ms']:.0%}, drawn by a worker meanwhile"
    yield "drawing a step's spectra / the step", "<= 5 % or overlapped", share
    yield "simulated spectra a second and core", ">= 3,000", f"{record['data']['spectra_per_second']:,.0f}"
    yield "a step's ms: " + ", ".join(settings), "", ", ".join(f"{value:.0f}" for value in settings.values())
    times = ", ".join(f"{value:.0f}" for value in quality["seconds to AP 0.85"].values())
    yield "seconds to validation AP 0.85, by seed", "<= 60", times
    study, spent = max(quality["study"]["ap"]), quality["study"]["seconds"][-1]
    yield "the starting study's configuration: best AP in as long as our whole run", "", f"{study:.2f} in {spent:.0f} s"


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
    bins, spectra = (growth["exponents"][kind] for kind in ("bins", "spectra"))
    measured = f"time {bins['seconds']:.2f}, memory {bins['memory_mib']:.2f}"
    yield "exponents against bins, 10,000 to 100,000", "", measured
    measured = f"time {spectra['seconds']:.2f}, memory {spectra['memory_mib']:.2f}"
    yield "exponents against spectra streamed from disk, 10,000 to 400,000", "", measured


def _layouts(record):
    for name, row in record["rows"].items():
        yield f"{name}: AP, seconds of training", "", f"{row['ap']:.3f}, {row['seconds']:.0f}"


BENCHMARKS = ("attention", "throughput", "time_to_quality", "scaling", "growth", "log_tokens")


def renewed(text: str) -> str:
    """A README with the figures of the committed records: answer and costs in their places, each notebook's time."""
    parts = {
        "answer": answer(committed_result("06_benchmark"), committed_result("03_full_attention_regularizer")),
        "costs": costs({name: read_json(benchmark_record(name)) for name in BENCHMARKS}),
    }
    for place, content in parts.items():
        begin, end = BEGIN.format(place), END.format(place)
        before, rest = text.split(begin)
        text = f"{before}{begin}\n{content}\n{end}{rest.split(end)[1]}"
    for notebook in sorted(path.stem for path in NOTEBOOKS.glob("*.ipynb")):
        minutes = committed_result(notebook)["wall_seconds"] / 60
        text = re.sub(rf"(?m)^(\| \[{notebook}\].*\| )[\d.]+ min( \|)$", rf"\g<1>{minutes:.1f} min\g<2>", text)
    return text
