"""What runs left behind: `python -m nblib.report PROFILE` lists it, `--table OUT RECORD...` joins records as CSV,
`--readme` renews the README's figures from the committed records."""

import argparse
import csv
import sys
from pathlib import Path

from nblib.project.paths import ROOT, figures_dir, runs_dir
from nblib.project.records import flatten, read_json
from nblib.reporting.readme import renewed


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
