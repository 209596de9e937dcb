"""What runs left behind, as a list, and grids of runs as two tables: a small one to read and one that holds all."""

import csv
import re
from collections.abc import Sequence
from pathlib import Path

from nblib.project.paths import figures_dir, from_root, runs_dir
from nblib.project.records import flatten, read_json

MAIN_METRICS = ("ap", "top1", "after", "background_rms")  # of a grid that names no columns
MOST_COLUMNS = 8


def neutral(key: str, parameters: dict) -> str:
    """A metric's name without the penalty it belongs to, so that a column means one thing in every row of a grid.

    "full.cls log_odds.in_band.after" -> "full.cls regularizer.in_band.after", "short.log_odds 5.tokens" ->
    "short.regularizer.tokens"
    """
    penalty, weight = parameters.get("regularizer"), parameters.get("reg_weight")
    if not penalty:
        return key
    suffix = rf"(?: {re.escape(f'{weight:g}')})?" if isinstance(weight, (int, float)) else ""
    return re.sub(rf"(?<![\w]){re.escape(penalty)}{suffix}(?![\w])", "regularizer", key)


def grid_rows(records: Sequence[Path]) -> list[tuple[dict, dict]]:
    """A pair a record: its parameters, and its metrics under neutral names, both flat."""
    rows = []
    for path in records:
        record = read_json(path)
        parameters = flatten(record["parameters"])
        metrics = {neutral(key, parameters): value for key, value in flatten(record["metrics"]).items()}
        rows.append((parameters, metrics | {"run": Path(path).parent.name, "commit": record["commit"]}))
    return rows


def main_columns(rows: Sequence[tuple[dict, dict]], asked: Sequence[str] = ()) -> list[str]:
    """Columns of the small table: parameters that vary, then the metrics asked for, or else a few that every run has.

    Raises
    ------
    ValueError for a metric that no run has
    """
    parameters, metrics = (_columns([row[part] for row in rows]) for part in (0, 1))
    missing = [column for column in asked if column not in metrics]
    if missing:
        raise ValueError(f"no run recorded {', '.join(missing)}; known: {', '.join(metrics)}")
    varying = [name for name in parameters if len({str(row[0].get(name)) for row in rows}) > 1]
    common = [name for name in metrics if all(name in row[1] for row in rows)]
    few = [name for name in common if name.rsplit(".", 1)[-1] in MAIN_METRICS][:MOST_COLUMNS]
    return varying + list(asked or few)


def write_grid(output: Path, records: Sequence[Path], asked: Sequence[str] = ()) -> Path:
    """Write a grid's small table to `output`, and everything beside it as <output>_all.csv."""
    rows = grid_rows(records)
    merged = [parameters | metrics for parameters, metrics in rows]
    write_table(full_table(output), merged)
    return write_table(output, merged, main_columns(rows, asked))


def full_table(table: Path) -> Path:
    """The file that holds everything of a grid, beside its small table."""
    return table.with_name(f"{table.stem}_all.csv")


def show_table(path: Path) -> str:
    """A CSV as aligned text, numbers to four digits."""
    with path.open(newline="", encoding="utf-8") as stream:
        rows = [[_short(value) for value in row] for row in csv.reader(stream)]
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    lines = ["  ".join(value.ljust(width) for value, width in zip(row, widths, strict=True)) for row in rows]
    return "\n".join(line.rstrip() for line in lines)


def _short(value):
    try:
        return f"{float(value):.4g}"
    except ValueError:
        return value


def _columns(rows):
    return list(dict.fromkeys(column for row in rows for column in row))


def write_table(output: Path, rows: Sequence[dict], columns: Sequence[str] = ()) -> Path:
    """Rows as CSV; without columns all of them, in order of first appearance."""
    columns = list(columns) or _columns(rows)
    output.parent.mkdir(parents=True, exist_ok=True)
    with output.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.DictWriter(stream, columns, extrasaction="ignore")
        writer.writeheader()
        writer.writerows(rows)
    return output


def list_outputs(profile: str) -> str:
    """Executed notebooks, records and figures of a profile, as text, and what to open first."""
    runs, figures = runs_dir(profile), figures_dir(profile)
    notebooks = sorted(runs.glob("*/*.ipynb"))
    drawn = sorted(figures.glob("*.png"))
    groups = {
        "executed notebooks": [path for path in notebooks if not path.stem.endswith(".failed")],
        "records": sorted(runs.glob("*/result.json")),
        "figures (each also as .pdf)": drawn,
    }
    lines = []
    for title, paths in groups.items():
        lines += [f"{len(paths)} {title}"] + [f"  {from_root(path)}" for path in paths]
    answers = [path for path in drawn if path.stem.endswith("_answer")]
    lines += [f"open first: {from_root(answers[-1])}"] if answers else []
    return "\n".join(lines)
