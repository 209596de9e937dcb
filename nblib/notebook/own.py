"""Your own penalty, family or score in a notebook's cell: `%%extension NAME` writes the cell to a file and loads it.

A registered function must live in a file, so that the processes that train find it, and so that a run's key knows its
code. `%load_ext nblib.notebook.own` makes the magic known.
"""

from pathlib import Path
from typing import Any

from nblib.losses import REGULARIZERS
from nblib.prediction import SCORES
from nblib.project import definitions
from nblib.project.extensions import load_again
from nblib.project.paths import from_root, runs_dir, write_whole
from nblib.project.registry import functions_of, refuse_if
from nblib.simulation.noise import FAMILIES

NOTHING = "nothing registered; decorate a function, e.g. with @regularizer"
TABLES: dict[str, dict[str, Any]] = {"penalty": REGULARIZERS, "noise family": FAMILIES, "score": SCORES}


def write_extension(name: str, source: str) -> tuple[str, dict[str, list[str]]]:
    """Write a cell to runs/extensions/NAME.py and load it; run again, it takes the place of what it was.

    Parameters
    ----------
    name : of the module: letters, digits and _
    source : the whole cell, its imports included

    Returns
    -------
    the file, as a notebook's parameter `extensions` takes it, and what it registers, by kind

    Raises
    ------
    ValueError for a name that a module cannot have, and for a cell that cannot be imported
    """
    refuse_if(
        not name.isidentifier(), f"%%extension {name}: give a name of letters, digits and _, e.g. %%extension mine"
    )
    path = runs_dir("extensions") / f"{name}.py"
    path.parent.mkdir(parents=True, exist_ok=True)
    write_whole(path, source)
    definitions.module_of.cache_clear()  # a run's key is made of what stands in the file now
    file = load_again(path)
    by_kind = {
        what: [entry for entry, function in table.items() if functions_of(function)[-1].__module__ == name]
        for what, table in TABLES.items()
    }
    return file, {what: names for what, names in by_kind.items() if names}


def load_ipython_extension(shell: Any) -> None:
    """What `%load_ext nblib.notebook.own` calls: makes `%%extension NAME` known in a kernel."""
    from IPython.core.error import UsageError
    from IPython.display import Markdown, display

    def extension(line: str, cell: str) -> None:
        """%%extension NAME: write this cell to runs/extensions/NAME.py and load it; sets `extensions`."""
        try:
            file, by_kind = write_extension(line.strip(), cell)
        except ValueError as error:
            raise UsageError(str(error)) from None
        shell.user_ns["extensions"] = file
        registered = ", ".join(f"{what} {', '.join(names)}" for what, names in by_kind.items())
        display(Markdown(f"`{from_root(Path(file))}`: {registered or NOTHING}"))

    shell.register_magic_function(extension, "cell", "extension")
