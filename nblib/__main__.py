"""The command line: `nblib SUBCOMMAND ...`, or `python -m nblib SUBCOMMAND ...`.

A subcommand is a function of its arguments with a parser of its own; its module is imported when it is called.
"""

import os
import sys
from importlib import import_module

import nblib
from nblib.project.extras import what_to_install
from nblib.project.processes import import_ahead
from nblib.project.threads import use_one_thread

# name -> (module, function, what it does); `nblib NAME --help` explains the rest
COMMANDS = {
    "detect": ("nblib.measured.command", "detect_command", "flag what is contaminated in spectra of your own"),
    "fit": ("nblib.workbench.command", "fit_command", "corner frequencies of spectra, with and without the flags"),
    "arrhenius": ("nblib.workbench.series", "arrhenius_command", "activation energies from a folder of temperatures"),
    "report": ("nblib.workbench.report", "report_command", "flags, fits and energies of a folder as one page"),
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
    return "\n".join(
        [
            "usage: nblib SUBCOMMAND ...",
            "",
            *lines,
            "",
            "nblib SUBCOMMAND --help explains its arguments; nblib --version.",
        ]
    )


def main(arguments: list[str] | None = None) -> int:
    """Run a subcommand; exit status 0, 1 when it fails, 2 when it is refused or not installed, 130 interrupted."""
    use_one_thread()  # before torch is imported
    try:
        try:
            return _run(*(sys.argv[1:] if arguments is None else arguments))
        finally:
            sys.stdout.flush()  # so that a pipe nobody reads is met here, and not when the interpreter ends
    except BrokenPipeError:  # the reader of the output has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0


def _run(name: str = "", *rest: str) -> int:
    if name in ("", "-h", "--help", "--version"):
        print(f"nblib {nblib.__version__}" if name == "--version" else usage())
        return 0 if name else 2
    if name not in COMMANDS:
        print(f"refused: no subcommand {name!r}; known: {', '.join(COMMANDS)}", file=sys.stderr)
        return 2
    module, function, _ = COMMANDS[name]
    if any(argument.startswith("--jobs") for argument in rest):
        import_ahead(module)
    try:
        return getattr(import_module(module), function)(list(rest))
    except ValueError as error:
        print(f"refused: {error}", file=sys.stderr)
        return 2
    except ModuleNotFoundError as error:
        if line := what_to_install(f"nblib {name}", error):
            print(line, file=sys.stderr)
            return 2
        raise
    except KeyboardInterrupt:
        print("interrupted" + ("; the same command goes on from here" if name in RESUMED else ""), file=sys.stderr)
        return 130


if __name__ == "__main__":
    sys.exit(main())
