"""Shapes and types in signatures are checked where the tests call: of every function, in every test, but not each call.

A check costs more than most functions do, and a spectrum goes through hundreds of calls of them.
"""

import dataclasses
import functools
import inspect
from importlib.util import find_spec

import jaxtyping

FIRST = 4  # calls of a function in a test that are checked, and then the 8th, 16th, ...
if find_spec("beartype"):
    from beartype import BeartypeConf, beartype

    checked = beartype(conf=BeartypeConf(is_pep484_tower=True))  # an int is a float
_each_call = jaxtyping.jaxtyped
_calls = {}  # of a function, by the identity of its code: one that is defined anew in each call is still one


def jaxtyped(fn=None, *, typechecker=None):
    """jaxtyping's decorator, made when a function is first called and left out of most calls after the first."""
    if fn is None:
        return functools.partial(jaxtyped, typechecker=typechecker)
    if inspect.isclass(fn):
        if dataclasses.is_dataclass(fn) and "__init__" in vars(fn):
            fn.__init__ = jaxtyped(fn.__init__, typechecker=typechecker)
        return fn
    # asked for once: audit hooks hear of it, and are functions of this kind; a hash goes through all that code holds
    code, decorated = id(fn.__code__), None

    @functools.wraps(fn)
    def sparingly(*given, **named):
        nonlocal decorated
        if _calls is None:
            return fn(*given, **named)
        count = _calls[code] = _calls.get(code, 0) + 1
        if count > FIRST and count & (count - 1):
            return fn(*given, **named)
        if decorated is None:
            decorated = fn  # while it is decorated, of which audit hooks hear too
            decorated = _each_call(fn, typechecker=typechecker)
        return decorated(*given, **named)

    return sparingly


def check(modules):
    """Have the signatures of these modules checked, where beartype is installed; before they are imported."""
    if find_spec("beartype"):
        jaxtyping.jaxtyped = jaxtyped
        jaxtyping.install_import_hook(modules, f"{__name__}.checked")


def begin(checking=True):
    """Count calls from the first again: a test begins. Nothing is checked where `checking` is False."""
    global _calls
    _calls = {} if checking else None
