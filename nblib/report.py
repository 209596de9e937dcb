"""What runs left behind: `python -m nblib.report PROFILE` lists it, `--table OUT RECORD...` joins records as CSV,
`--readme` renews the README's figures from the committed records."""

import argparse
import csv
import re
import sys
from pathlib import Path

from nblib.paths import NOTEBOOKS, ROOT, figures_dir, runs_dir
from nblib.records import committed_result, provenance, read_json

BEGIN, END = "<!-- figures: make readme -->", "<!-- end of figures -->"


def flatten(value, prefix: str = "") -> dict[str, object]:
    """Nested dicts as one level: {"a": {"b": 1}} -> {"a.b": 1}."""
    if not isinstance(value, dict):
        return {prefix: value}
    flat = {}
    for key, entry in value.items():
        flat |= flatten(entry, f"{prefix}.{key}" if prefix else str(key))
    return flat


def write_table(output: Path, records: list[Path]) -> None:
    """One row a record: its parameters and its metrics, columns in order of first appearance."""
    rows = []
    for path in records:
        record = read_json(path)
        rows.append(flatten(record["parameters"]) | flatten(record["metrics"]) | {"commit": record["commit"]})
    columns = list(dict.fromkeys(column for row in rows for column in row))
    output.parent.mkdir(parents=True, exist_ok=True)
    with output.open("w", newline="") as stream:
        writer = csv.DictWriter(stream, columns)
        writer.writeheader()
        writer.writerows(rows)


def _relative(path: Path) -> Path:
    return path.relative_to(ROOT) if path.is_relative_to(ROOT) else path


def list_outputs(profile: str) -> str:
    """Executed notebooks, records and figures of a profile, as text."""
    runs, figures = runs_dir(profile), figures_dir(profile)
    groups = {
        "executed notebooks": sorted(runs.glob("*/*.ipynb")),
        "records": sorted(runs.glob("*/result.json")),
        "figures (each also as .pdf)": sorted(figures.glob("*.png")),
    }
    lines = []
    for title, paths in groups.items():
        lines += [f"{len(paths)} {title}"] + [f"  {_relative(path)}" for path in paths]
    return "\n".join(lines)


def answer(evidence: dict, record: dict) -> str:
    """The README's tables: detection, energies and prediction over seeds (06), families and one seed's price (03)."""
    lines = [*_detection_rows(evidence["metrics"]), "", *_family_rows(record["metrics"]["families"]), ""]
    lines += _prices(evidence["metrics"], record["metrics"], record["parameters"]["regularizer"])
    for entry in (evidence, record):
        lines += ["", f"Record: `records/{entry['profile']}/{entry['notebook']}.json` ({provenance(entry)})."]
    return "\n".join(lines)


def _detection_rows(metrics):
    """Every method by average precision: over seeds where it is trained, over test spectra where it is not."""
    reference, limit = (
        metrics["references"]["methods"][name]["ap"] for name in ("true background", "posterior (limit)")
    )
    rows = {
        name: (*(row["ap"][key] for key in ("iqm", "low", "high")), row["top1"]["iqm"])
        for name, row in metrics["table"].items()
    }
    for name, row in metrics["references"]["methods"].items():
        rows[name] = (row["ap"], *row["ap_interval"], row["top1"])
    columns = "AP [95 %] | of true background | of limit | top-1 |"
    lines = [f"| `single_line`, locked test, {metrics['n_seeds']} seeds | {columns}", "|---|---|---|---|---|"]
    for name, (ap, low, high, top1) in sorted(rows.items(), key=lambda item: -item[1][0]):
        lines.append(
            f"| {name} | {ap:.3f} [{low:.3f}, {high:.3f}] | {ap / reference:.3f} | {ap / limit:.3f} | {top1:.3f} |"
        )
    chance = metrics["references"]["methods"]["random"]
    guesses = f"{chance['top1_random']:.3f}, constant guess {chance['top1_constant']:.3f}"
    return [*lines, f"| chance | {chance['prevalence']:.3f} | | | {guesses} |"]


def _family_rows(families):
    methods = [name for name in next(iter(families.values())) if not name.startswith("posterior")]
    lines = ["| AP / top-1 by family, one seed | " + " | ".join(methods) + " |", "|---" * (len(methods) + 1) + "|"]
    for family, rows in families.items():
        cells = [f"{rows[method]['ap']:.3f} / {rows[method]['top1']:.3f}" for method in methods]
        lines.append(f"| {family} | " + " | ".join(cells) + " |")
    return lines


def _prices(evidence, metrics, regularizer):
    full = metrics["full"][f"cls {regularizer}"]
    band, control = full["in_band"], full["no_line"]
    energies = {name: "/".join(f"{value:.3f}" for value in pair) for name, pair in evidence["energies"].items()}
    return [
        f"Energies, mean error Ea/Eb in meV, amplitudes known: {energies['all bins']} fitted on all bins of noisy "
        f"spectra, {energies['kept bins, simulated labels']} on the bins that attention keeps, {energies['truly clean bins']} on "
        f"truly clean bins (bound {energies['bound, truly clean bins']}); linear probe of CLS "
        f"{energies['linear probe, simulated labels']}.",
        "",
        f"Error in the noisy bins (CLS readout, ln units, one seed): {band['before']:.3f} before, {band['after']:.3f} after "
        f"restoration ({band['reduction']:.1%} less); the no-line control, the same bins without their lines: "
        f"{control['before']:.3f} to {control['after']:.3f} ({control['reduction']:.1%} less). Masked prediction "
        f"against the noise-free background, with the regularizer over without: {metrics['masked ratio cls']:.2f} (CLS "
        f"readout), {metrics['masked ratio token']:.2f} (token readout).",
    ]


def quote(notebook: str, *names: str, profile: str = "quick") -> str:
    """Figures of a committed record, one a line, and where they come from: what a notebook's answer stands on.

    names  : flattened metrics, e.g. "cls.masked.mse"; one that the record lacks (other parameters) is said to be so
    raises : ValueError where there is no record
    """
    record = committed_result(notebook, profile)
    metrics = flatten(record["metrics"])
    width = max(len(name) for name in names)
    values = [f"{name:{width}s}  " + (f"{metrics[name]:.4g}" if name in metrics else "not recorded") for name in names]
    return "\n".join([f"{notebook}, {provenance(record)}", *values])


def renewed(text: str) -> str:
    """A README with the figures of the committed records: the answer between the markers, and each notebook's time."""
    before, rest = text.split(BEGIN)
    tables = answer(committed_result("06_benchmark"), committed_result("03_full_attention_regularizer"))
    text = f"{before}{BEGIN}\n{tables}\n{END}{rest.split(END)[1]}"
    for notebook in sorted(path.stem for path in NOTEBOOKS.glob("*.ipynb")):
        minutes = committed_result(notebook)["wall_seconds"] / 60
        text = re.sub(rf"(?m)^(\| \[{notebook}\].*\| )[^|]*( \|)$", rf"\g<1>{minutes:.1f} min\g<2>", text)
    return text


def main(arguments: list[str] | None = None) -> int:
    """Command line; exit status 0."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--table", type=Path, help="write this CSV from the records named")
    parser.add_argument("--readme", action="store_true", help="renew the README's figures")
    parser.add_argument("names", nargs="*", help="a profile, or with --table the records")
    options = parser.parse_args(arguments)
    if options.readme:
        readme = ROOT / "README.md"
        readme.write_text(renewed(readme.read_text(encoding="utf-8")), encoding="utf-8")
    elif options.table:
        write_table(options.table, [Path(name) for name in options.names])
    else:
        print("\n".join(list_outputs(profile) for profile in options.names or ["quick"]))
    return 0


if __name__ == "__main__":
    sys.exit(main())
