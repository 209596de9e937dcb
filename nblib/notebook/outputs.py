"""What runs left behind, as a list, and grids of runs as two tables: a small one to read and one that holds all."""

import re
from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from nblib.project.paths import figures_dir, from_root, runs_dir
from nblib.project.records import flatten, read_json

MAIN_METRICS = ("ap", "top1", "after", "background_rms")  # of a grid that names no columns
MOST_COLUMNS = 8


def without_penalty_name(key: str, parameters: dict) -> str:
    """A metric's name without the penalty it belongs to, so that a column means one thing in every row of a grid.

    "full.cls log_odds.in_band.after" -> "full.cls regularizer.in_band.after", "short.log_odds 5.tokens" ->
    "short.regularizer.tokens"
    """
    penalty, weight = parameters.get("regularizer"), parameters.get("reg_weight")
    if not penalty:
        return key
    suffix = rf"(?: {re.escape(f'{weight:g}')})?" if isinstance(weight, (int, float)) else ""
    return re.sub(rf"(?<![\w]){re.escape(penalty)}{suffix}(?![\w])", "regularizer", key)


def grid_tables(records: Sequence[Path]) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Parameters, and metrics under names without the penalty's: a row per record, a column per name, both flat."""
    parameters, metrics = [], []
    for path in records:
        record = read_json(path)
        parameters.append(flatten(record["parameters"]))
        row = {without_penalty_name(key, parameters[-1]): value for key, value in flatten(record["metrics"]).items()}
        metrics.append(row | {"run": Path(path).parent.name, "commit": record["commit"]})
    return pd.DataFrame(parameters, dtype=object), pd.DataFrame(metrics, dtype=object)


def main_columns(parameters: pd.DataFrame, metrics: pd.DataFrame, asked: Sequence[str] = ()) -> list[str]:
    """Columns of the small table: parameters that vary, then the metrics asked for, or else a few that every run has.

    Raises
    ------
    ValueError for a metric that no run has
    """
    missing = [column for column in asked if column not in metrics]
    if missing:
        raise ValueError(f"no run recorded {', '.join(missing)}; known: {', '.join(metrics)}")
    varying = [name for name in parameters if parameters[name].map(str).nunique() > 1]
    common = metrics.columns[metrics.notna().all()]
    few = [name for name in common if name.rsplit(".", 1)[-1] in MAIN_METRICS][:MOST_COLUMNS]
    return varying + list(asked or few)


def write_grid(output: Path, records: Sequence[Path], asked: Sequence[str] = ()) -> Path:
    """Write a grid's small table to `output`, and everything beside it as <output>_all.csv.

    Where seeds vary the small table has their means and, as "seeds", how many there are.
    """
    tables = grid_tables(records)
    columns, whole = main_columns(*tables, asked), pd.concat(tables, axis=1)
    output.parent.mkdir(parents=True, exist_ok=True)
    whole.to_csv(full_table(output), index=False)
    small = over_seeds(whole[columns], tables[0]) if "seed" in columns else whole[columns]
    small.to_csv(output, index=False)
    return output


def over_seeds(small: pd.DataFrame, parameters: pd.DataFrame) -> pd.DataFrame:
    """Means over the seeds of each combination of the other parameters that vary, and "seeds": how many."""
    varying = [name for name in small if name in parameters and name != "seed"]
    keys = small[varying].map(str).agg(" ".join, axis=1) if varying else pd.Series("", small.index)
    rows = []
    for _, group in small.groupby(keys, sort=False):
        means = pd.to_numeric(group.drop(columns=[*varying, "seed"]).stack(), errors="coerce").unstack().mean()
        rows.append(group[varying].iloc[0].to_dict() | {"seeds": len(group)} | means.to_dict())
    return pd.DataFrame(rows)


def full_table(table: Path) -> Path:
    """The file that holds everything of a grid, beside its small table."""
    return table.with_name(f"{table.stem}_all.csv")


def show_table(path: Path) -> str:
    """A CSV as aligned text, numbers to four digits."""
    frame = pd.read_csv(path).astype(object).fillna("")
    texts = frame.map(lambda value: f"{value:.4g}" if type(value) in (int, float) else str(value))
    rows = [list(frame), *texts.values.tolist()]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = ["  ".join(value.ljust(width) for value, width in zip(row, widths, strict=True)) for row in rows]
    return "\n".join(line.rstrip() for line in lines)


def list_outputs(profile: str) -> str:
    """Executed notebooks, records and figures of a profile, as text, and what to open first."""
    runs, figures = runs_dir(profile), figures_dir(profile)
    notebooks = sorted(runs.glob("*/**/*.ipynb"))  # named runs have folders of their own
    drawn = sorted(figures.glob("*.png"))
    groups = {
        "executed notebooks": [path for path in notebooks if not path.stem.endswith(".failed")],
        "records": sorted(runs.glob("*/**/result.json")),
        "figures (each also as .pdf)": drawn,
    }
    lines = []
    for title, paths in groups.items():
        lines += [f"{len(paths)} {title}"] + [f"  {from_root(path)}" for path in paths]
    answers = [path for path in drawn if path.stem.endswith("_answer")]
    lines += [f"open first: {from_root(answers[-1])}"] if answers else []
    return "\n".join(lines)
