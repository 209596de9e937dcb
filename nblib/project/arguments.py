"""NAME=VALUE and `-p NAME VALUE` on command lines: the same everywhere."""

import argparse


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
    if twice:
        raise ValueError(f"{', '.join(twice)} is given twice; give each parameter once")
    return dict(pairs)
