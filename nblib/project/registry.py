"""Tables of functions that are chosen by name: one rule for registering, for asking, and for refusing bad input."""

import functools
import inspect
import types
from collections.abc import Callable, Mapping, MutableMapping
from dataclasses import fields, is_dataclass
from typing import TypeVar

Entry = TypeVar("Entry", bound=Callable)


def refuse_if(is_wrong: object, message: str) -> None:
    """Raise ValueError with the message where something is wrong."""
    if is_wrong:
        raise ValueError(message)


def register(table: MutableMapping[str, Entry], what: str, name: str, entry: Entry) -> Entry:
    """Enter a function under a name; defining the same function anew (a notebook's cell run twice) replaces it.

    Parameters
    ----------
    what : what the table holds, for messages, e.g. "noise family"

    Raises
    ------
    ValueError where another function has the name
    """
    new, old = (functions_of(one)[-1] for one in (entry, table.get(name, entry)))
    if (new.__module__, new.__qualname__) != (old.__module__, old.__qualname__):
        raise ValueError(
            f"{what} {name!r} of {new.__module__} is taken by that of {old.__module__}; give it another name"
        )
    table[name] = entry
    return entry


def functions_of(entry: Callable) -> list[Callable]:
    """The functions or classes behind an entry: of a wrapper what it wraps, of a dataclass what it is and holds.

    Raises
    ------
    ValueError for anything else
    """
    entry = inspect.unwrap(entry.func if isinstance(entry, functools.partial) else entry)
    if isinstance(entry, (types.FunctionType, type)):
        return [entry]
    if is_dataclass(entry):
        held = [getattr(entry, field.name) for field in fields(entry)]
        return [type(entry)] + [function for part in held if callable(part) for function in functions_of(part)]
    raise ValueError(f"{entry!r} is registered, and is neither a function nor a class; register a function")


def check_known(table: Mapping[str, object], what: str, name: str) -> None:
    """Raise ValueError for a name that is not registered."""
    if name not in table:
        raise ValueError(
            f"unknown {what} {name!r}; known: {', '.join(table)}; one of your own is known once its file is named in "
            "`extensions`"
        )
