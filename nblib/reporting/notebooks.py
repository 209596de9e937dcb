"""Run a notebook headless: `NOTEBOOK OUTPUT -p NAME VALUE ...`; unknown names are refused."""

import argparse
import sys
from pathlib import Path

import papermill
import yaml
from papermill.exceptions import PapermillExecutionError

from nblib.project.paths import ROOT

TIMEOUT = 6 * 3600  # s a cell; papermill itself would wait for ever


def known_parameters(notebook: Path) -> dict[str, str]:
    """Parameters of a notebook and their defaults, from the cell tagged `parameters`.

    raises : ValueError when the file is no notebook or has no such cell
    """
    if not notebook.is_file():
        raise ValueError(f"{notebook} is not a file; the notebooks are in notebooks/")
    found = papermill.inspect_notebook(str(notebook))
    if not found:
        raise ValueError(f"{notebook.name} has no cell tagged `parameters`; tag one, or pass no parameters")
    return {name: entry["default"] for name, entry in found.items()}


def check_parameters(notebook: Path, parameters: dict) -> None:
    """Raise ValueError for names that the notebook does not have; papermill itself would only warn."""
    known = known_parameters(notebook)
    unknown = sorted(set(parameters) - set(known))
    if unknown:
        listing = ", ".join(f"{name} (default {default})" for name, default in known.items())
        raise ValueError(f"{notebook.name} has no parameter {', '.join(unknown)}; known: {listing}")


def run_notebook(notebook: Path, output: Path, parameters: dict) -> None:
    """Execute a notebook to `output`, which appears only when every cell ran.

    parameters : by name, values as Python literals
    raises : ValueError for unknown names; PapermillExecutionError when a cell fails, and then the notebook up to the
             failing cell is kept as <output>.failed.ipynb
    """
    check_parameters(notebook, parameters)
    output.parent.mkdir(parents=True, exist_ok=True)
    partial = output.with_suffix(".failed.ipynb")
    partial.unlink(missing_ok=True)
    papermill.execute_notebook(
        str(notebook),
        str(partial),
        parameters,
        cwd=str(ROOT),
        kernel_name="python3",
        execution_timeout=TIMEOUT,
        progress_bar={"desc": notebook.stem, "file": sys.stderr},
    )
    partial.replace(output)


def main(arguments: list[str] | None = None) -> int:
    """Command line; exit status 0, 1 when a cell fails, 2 for input that is refused."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("notebook", type=Path)
    parser.add_argument("output", type=Path)
    parser.add_argument("-p", dest="parameters", nargs=2, action="append", default=[], metavar=("NAME", "VALUE"))
    options = parser.parse_args(arguments)
    parameters = {name: yaml.safe_load(value) for name, value in options.parameters}
    try:
        run_notebook(options.notebook, options.output, parameters)
    except ValueError as error:
        print(f"refused: {error}", file=sys.stderr)
        return 2
    except PapermillExecutionError as error:
        print(f"{error}\nkept up to there: {options.output.with_suffix('.failed.ipynb')}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
