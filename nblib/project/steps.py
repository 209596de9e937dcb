"""What can be done next with a result, where another room does it: the front door names it, so that no room reaches up.

`nblib/__init__.py` enters each step by name; a result asks for it when the method is called.
"""

from collections.abc import Callable
from importlib import import_module
from typing import Any

STEPS: dict[str, tuple[str, str]] = {}  # name -> (module, function of the result)


def next_step(name: str) -> Callable[..., Any]:
    """The function that was entered under a name; its module is imported when it is first asked for."""
    module, function = STEPS[name]
    return getattr(import_module(module), function)
