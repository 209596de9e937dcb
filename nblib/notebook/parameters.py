"""Parameters of notebooks: their defaults, values typed by people, and rules checked before anything starts."""

import ast
import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from nblib.project.extensions import load_extensions
from nblib.project.paths import resolve_data_path
from nblib.project.profiles import get_profile
from nblib.project.registry import refuse_if
from nblib.project.values import fit_value, kind_of, read_value


def known_parameters(notebook: Path) -> dict[str, Any]:
    """Parameters of a notebook and their defaults, from the cell tagged `parameters`.

    Raises
    ------
    ValueError when the file is not a notebook or has no such cell
    """
    refuse_if(not notebook.is_file(), f"{notebook} is not a file; the notebooks are in notebooks/")
    try:
        cells = json.loads(notebook.read_text(encoding="utf-8"))["cells"]
    except (json.JSONDecodeError, UnicodeDecodeError, KeyError, TypeError):
        raise ValueError(f"{notebook} is not a notebook; give a file that ends in .ipynb") from None
    tagged = [cell for cell in cells if "parameters" in cell["metadata"].get("tags", [])]
    refuse_if(not tagged, f"{notebook.name} has no cell tagged `parameters`; tag one, or pass no parameters")
    assigned = [line for line in ast.parse("".join(tagged[0]["source"])).body if isinstance(line, ast.Assign)]
    return {ast.unparse(line.targets[0]): ast.literal_eval(line.value) for line in assigned}


def typed_parameters(notebook: Path, values: Mapping[str, Any]) -> dict[str, Any]:
    """Values of a notebook's parameters with the types of their defaults, every rule checked.

    Parameters
    ----------
    values : as typed (text), or as a YAML file gives them

    Raises
    ------
    ValueError for names that the notebook lacks (papermill itself would only warn), for a value that does not fit its
    parameter's type, and for one that breaks a rule of check_parameters
    """
    known = known_parameters(notebook)
    unknown = sorted(set(values) - set(known))
    if unknown:
        listing = ", ".join(f"{name} (default {default!r})" for name, default in known.items())
        raise ValueError(f"{notebook.name} has no parameter {', '.join(unknown)}; known: {listing}")
    typed = {}
    for name, value in values.items():
        read = read_value if isinstance(value, str) else fit_value
        typed[name] = read(name, value, kind_of(known[name]))
    check_parameters(**typed)
    return typed


def check_parameters(**parameters: Any) -> None:
    """Check values that notebooks take, by parameter's name; names without a rule pass.

    Raises
    ------
    ValueError with the parameter, its value, the rule and the fix
    """
    if parameters.get("extensions"):
        load_extensions(parameters["extensions"])  # they may bring the family or the penalty that is named
    for name, value in parameters.items():
        if name in RULES:
            RULES[name](name, value)


def _at_least(least):
    def rule(name, value):
        refuse_if(
            not least <= value < math.inf or value != int(value),
            f"{name}={value!r} must be a whole number of at least {least}",
        )

    return rule


def _weight(name, value):
    refuse_if(not 0 <= value < math.inf, f"{name}={value!r} must be a finite number of at least 0")


def _weights(name, values):
    refuse_if(not len(values), f"{name}={values!r} is empty; give one number or more, e.g. [1.0, 10.0]")
    for value in values:
        _weight(name, value)


def _one_of(*known):
    def rule(name, value):
        refuse_if(value not in known, f"unknown {name} {value!r}; known: {', '.join(known)}")

    return rule


def _family(_, value):
    from nblib.simulation.noise import check_family

    check_family(value)


def _penalty(_, value):
    from nblib.losses import check_regularizer

    check_regularizer(value)


def _penalties(name, values):
    refuse_if(
        not len(values) and name == "penalties",
        f"{name}={values!r} is empty; name one penalty or more, e.g. [mass, log_barrier]",
    )
    for value in values:
        _penalty(name, value)


def _data_path(_, value):
    if value and not Path(value).expanduser().is_dir():
        resolve_data_path(value)


def _false_alarm(name, value):
    refuse_if(not 0 < value <= 0.5, f"{name}={value!r} must lie above 0 and up to 0.5, e.g. 0.01")


def _run_name(name, value):
    refuse_if(
        value.startswith(("/", "~")) or ".." in Path(value).parts or "\\" in value,
        f"{name}={value!r} must be a name for a folder below runs/; leave out /, .. and \\",
    )


RULES = {
    "profile": lambda _, value: get_profile(value),
    "seed": _at_least(0),
    "steps": _at_least(0),
    "n_segments": lambda name, value: None if value is None else _at_least(1)(name, value),
    "n_spectra": _at_least(0),
    "n_instruments": _at_least(0),
    "reg_weight": _weight,
    "reg_weights": _weights,
    "reg_layers": _one_of("last", "all"),
    "readout": _one_of("cls", "token"),
    "family": _family,
    "regularizer": _penalty,
    "penalties": _penalties,
    "others": _penalties,
    "mine": _penalties,
    "data_path": _data_path,
    "false_alarm": _false_alarm,
    "run_name": _run_name,
}
