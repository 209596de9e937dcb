"""Fingerprints of code: what a run executes, found by following names from where it starts.

What counts is a definition: a function, a class or a constant at the top of a module. From the ones a run starts with,
every name that they use is followed, statically, through the imports of nblib, of the evidence and of loaded
extensions; other packages are not followed (a record names their versions). nblib/project/, nblib/notebook/ and
evidence/pages/ never count: where files lie, bars, plots and prose decide no number. Comments, docstrings, layout and
the type hints of functions do not count.

A table is a dict of functions at the top of a module (losses.REGULARIZERS, noise.FAMILIES, ...). Of a table only those
entries count that the run is told to use (`choices`) or that its code names (`TABLE["mass"]`): each with all it uses.
A table of which nothing is told counts whole, so that forgetting one costs a training, and never a wrong answer.

Names made while running (getattr, importlib) are not seen. Files are read once a
process: what runs is what was imported.
"""

import ast
import gc
import hashlib
import importlib
import sys
from collections.abc import Callable, Iterable, Mapping

from nblib.project.definitions import LOOSE, Place, definitions_of, module_of, named, uses_of


def fingerprint(*entries: str, choices: Mapping[str, Iterable[str]] | None = None, without: Iterable[str] = ()) -> str:
    """Digest of the code behind a run.

    Parameters
    ----------
    entries : where it starts, "module:name"
    choices : table ("module:name") -> the entries that this run uses; a key the table lacks makes all of it count
    without : definitions ("module:name") that this run does not reach

    Returns
    -------
    64 hexadecimal digits

    Raises
    ------
    ValueError for a name that does not exist, or a function without a source file
    """
    collecting = gc.isenabled()
    gc.disable()  # a syntax tree's many nodes would set off full collections, over all that torch has loaded
    try:
        code = code_behind(*entries, choices=choices, without=without)
    finally:
        if collecting:
            gc.enable()
    return hashlib.sha256("\n".join(f"{name} {text}" for name, text in sorted(code.items())).encode()).hexdigest()


def code_behind(
    *entries: str, choices: Mapping[str, Iterable[str]] | None = None, without: Iterable[str] = ()
) -> dict[str, str]:
    """What `fingerprint` is the digest of: "module:name" of every definition that counts -> its code."""
    told = {named(table): tuple(names) for table, names in (choices or {}).items()}
    unreached = {named(name) for name in without}
    code: dict[str, str] = {}
    waiting: list[tuple[Place, str | None]] = [(named(entry), None) for entry in entries]
    seen = set()
    while waiting:
        place, key = waiting.pop()
        if place in unreached or (place, key) in seen:
            continue
        seen.add((place, key))
        table = _table(place, told)
        if table is not None:
            keys = told.get(place, table) if key is None else (key,)
            for name in keys if set(keys) <= set(table) else table:
                text, uses = _entry(place, name, table[name])
                code[f"{place[0]}:{place[1]}[{name}]"] = text
                waiting += uses
        elif place[1] == "":  # a module used as a whole
            waiting += [((place[0], name), None) for name in module_of(place[0]).statements]
        else:
            text, uses = module_of(place[0]).definition(place[1])
            code[":".join(place)] = text
            waiting += [*uses, ((place[0], LOOSE), None)]
    return code


# ---- tables: what is registered by name ----


def _table(place: Place, told: Mapping[Place, tuple[str, ...]]) -> dict | None:
    """The dict of functions that a name stands for; None for anything else."""
    if place[1] in ("", LOOSE):
        return None
    module = sys.modules.get(place[0]) or importlib.import_module(place[0])
    value = getattr(module, place[1], None)
    if not isinstance(value, dict) or not (value or place in told) or not all(map(callable, value.values())):
        return None
    return value


def _entry(place: Place, key: str, value: Callable) -> tuple[str, list[tuple[Place, str | None]]]:
    """An entry of a table: the expression in the dict itself, or the function that was registered."""
    module = module_of(place[0])
    for statement in module.statements[place[1]]:
        display = getattr(statement, "value", None)
        for name, part in zip(display.keys, display.values, strict=True) if isinstance(display, ast.Dict) else ():
            if isinstance(name, ast.Constant) and name.value == key:
                wrapped = ast.Expr(part)
                return ast.dump(wrapped), module.resolved(uses_of(wrapped, list(ast.walk(wrapped))))
    targets = definitions_of(value)
    return " ".join(map(":".join, targets)), [(target, None) for target in targets]
