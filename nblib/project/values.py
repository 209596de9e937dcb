"""Values that people type - NAME=VALUE, `-p NAME VALUE` - read as the type of the parameter they are for."""

import argparse
import ast
import math
import types
from typing import Any, Union, get_args, get_origin

from nblib.project.refusal import refuse_if

WORDS = {"true": True, "yes": True, "on": True, "1": True, "false": False, "no": False, "off": False, "0": False}
NOTHING = ("none", "null", "")
NAMES = {str: "text", int: "a whole number", float: "a number", bool: "true or false"}


def add_parameters(parser: argparse.ArgumentParser) -> None:
    """Let a parser take `-p NAME VALUE`, as often as wanted, and NAME=VALUE."""
    parser.add_argument(
        "-p", dest="pairs", nargs=2, action="append", default=[], metavar=("NAME", "VALUE"), help="set a parameter"
    )
    parser.add_argument("assignments", nargs="*", metavar="NAME=VALUE", help="the same, in one word")


def given_parameters(options: argparse.Namespace) -> dict[str, str]:
    """The parameters given, by name, as typed.

    Raises
    ------
    ValueError for a word that is not NAME=VALUE, and for a parameter given twice
    """
    malformed = [text for text in options.assignments if "=" not in text]
    if malformed:
        raise ValueError(f"{malformed[0]!r} is not NAME=VALUE; write e.g. reg_weight=3, or -p reg_weight 3")
    pairs = [*options.pairs, *(text.split("=", 1) for text in options.assignments)]
    names = [name for name, _ in pairs]
    twice = sorted({name for name in names if names.count(name) > 1})
    refuse_if(twice, f"{', '.join(twice)} is given twice; give each parameter once")
    return dict(pairs)


def read_value(name: str, text: str, kind: Any) -> Any:
    """A typed value of a parameter from what was typed: `1e-1` is a number for a float, `2024` a text for a str.

    Parameters
    ----------
    name : the parameter's, for the message
    text : as typed
    kind : str, int, float, bool, list[...], tuple[...], or one of these | None; Any reads a Python literal or a text

    Raises
    ------
    ValueError : where the text does not fit, with the parameter, what it needs and the text
    """
    try:
        return _read(text, kind)
    except (ValueError, SyntaxError, OverflowError):
        raise ValueError(f"{name}={text!r} does not fit: {name} is {describe(kind)}") from None


def fit_value(name: str, value: Any, kind: Any) -> Any:
    """As read_value, for a value that a YAML or JSON file has typed already; a text is read as if typed.

    Raises
    ------
    ValueError also where YAML took a word such as `no` for false and the parameter is a text
    """
    refuse_if(
        isinstance(value, bool) and kind not in (bool, Any),
        f"{name}={value!r} does not fit: {name} is {describe(kind)}; put words like no into quotes",
    )
    return read_value(name, repr(value) if isinstance(value, (list, tuple)) else str(value), kind)


def kind_of(default: Any) -> Any:
    """The type of a parameter from its default: 0.5 -> float, [1.0] -> list[float], None -> Any."""
    if default is None:
        return Any
    if isinstance(default, (list, tuple)):
        kinds = {kind_of(entry) for entry in default}
        return types.GenericAlias(list, (kinds.pop() if len(kinds) == 1 else Any,))
    return type(default)


def describe(kind: Any) -> str:
    """A type in words: "a list of numbers, e.g. [1.0, 10.0]"."""
    origin, inner = get_origin(kind), get_args(kind)
    if origin in (Union, types.UnionType):
        return " or ".join("none" if entry is type(None) else describe(entry) for entry in inner)
    if origin in (list, tuple):
        words = {str: "texts, e.g. [a, b]", float: "numbers, e.g. [1, 0.5]", int: "whole numbers, e.g. [1, 2]"}
        return f"a list of {words.get(inner[0], 'values')}"
    return NAMES.get(kind, "a value")


def _read(text, kind):
    origin, inner = get_origin(kind), get_args(kind)
    if origin in (Union, types.UnionType):
        if text.strip().lower() in NOTHING:
            return None
        return _read(text, next(entry for entry in inner if entry is not type(None)))
    if origin in (list, tuple):
        return _read_list(text, origin, inner)
    if kind is Any:
        return _literal(text)
    if kind is bool:
        if text.strip().lower() not in WORDS:
            raise ValueError
        return WORDS[text.strip().lower()]
    if kind is int:
        return _whole(text)
    return kind(text)


def _whole(text):
    try:
        return int(text)
    except ValueError:
        number = float(text)
        if not math.isfinite(number) or number != int(number):
            raise
        return int(number)


def _literal(text):
    try:
        return ast.literal_eval(text)
    except (ValueError, SyntaxError):
        return text


def _read_list(text, origin, inner):
    entries = _entries(text) if isinstance(text, str) else text
    if origin is tuple and Ellipsis not in inner and len(entries) != len(inner):
        raise ValueError
    kinds = inner if origin is tuple and Ellipsis not in inner else inner[:1] * len(entries)
    return origin(_read(entry, kind) for entry, kind in zip(entries, kinds, strict=True))


def _entries(text):
    """The entries of [a, b], (a, b) or a, b as texts, quotes taken off: YAML's grammar without its types."""
    import yaml  # of the extra `train`; papermill brings it as well

    text = text.strip()
    bare = text[1:-1] if text[:1] + text[-1:] in ("[]", "()") else text
    try:
        entries = yaml.load(f"[{bare}]", yaml.BaseLoader)
    except yaml.YAMLError:
        raise ValueError from None
    if any(isinstance(entry, dict) for entry in entries):  # a colon and a space
        raise ValueError
    return entries
