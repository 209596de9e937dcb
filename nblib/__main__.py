"""The command line: `nblib SUBCOMMAND ...`, or `python -m nblib SUBCOMMAND ...`.

A subcommand is a function of its arguments with a parser of its own; its module is imported when it is called.
"""

import os
import sys
from importlib import import_module

# name -> (module, function, what it does); `nblib NAME --help` explains the rest
COMMANDS = {
    "detect": ("nblib.measured.command", "detect_command", "flag what is contaminated in spectra of your own"),
    "train": ("nblib.training.command", "train_command", "train one model, alone or under torchrun"),
    "run": ("nblib.notebook.commands", "run_command", "execute a notebook with parameters"),
    "grid-table": ("nblib.notebook.commands", "grid_table_command", "join the records of a grid of runs as CSV"),
    "outputs": ("nblib.notebook.commands", "outputs_command", "list what runs wrote"),
}
RESUMED = ("train", "run")  # what they had done when they were interrupted is kept


def usage() -> str:
    """The menu of subcommands."""
    width = max(map(len, COMMANDS))
    lines = [f"  {name:{width}s}  {summary}" for name, (_, _, summary) in COMMANDS.items()]
    return "\n".join(["usage: nblib SUBCOMMAND ...", "", *lines, "", "nblib SUBCOMMAND --help explains its arguments."])


def main(arguments: list[str] | None = None) -> int:
    """Run a subcommand; exit status 0, 1 when it fails, 2 for input that is refused, 130 when interrupted."""
    arguments = sys.argv[1:] if arguments is None else arguments
    if not arguments or arguments[0] in ("-h", "--help"):
        print(usage())
        return 0 if arguments else 2
    name, *rest = arguments
    if name not in COMMANDS:
        print(f"refused: no subcommand {name!r}; known: {', '.join(COMMANDS)}", file=sys.stderr)
        return 2
    module, function, _ = COMMANDS[name]
    try:
        return getattr(import_module(module), function)(rest)
    except ValueError as error:
        print(f"refused: {error}", file=sys.stderr)
        return 2
    except BrokenPipeError:  # whoever read the output has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except KeyboardInterrupt:
        print("interrupted" + ("; the same command goes on from here" if name in RESUMED else ""), file=sys.stderr)
        return 130


if __name__ == "__main__":
    sys.exit(main())
