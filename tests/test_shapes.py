"""Wrong shapes and types are seen in every test, though most calls are not looked at."""

import numpy as np
import pytest
import shapes
from jaxtyping import Float, TypeCheckError


def doubled(x: Float[np.ndarray, " bin"]) -> Float[np.ndarray, " bin"]:
    return 2 * x if len(x) < 5 else 2


GOOD, WRONG_VALUE = np.ones(3), np.ones(9)


@pytest.fixture
def sparing():
    pytest.importorskip("beartype")
    shapes.begin()
    return shapes.jaxtyped(doubled, typechecker=shapes.checked)


@pytest.mark.parametrize("wrong", [np.ones((2, 2)), WRONG_VALUE, [1.0]])
def test_a_wrong_argument_and_a_wrong_value_are_seen(sparing, wrong):
    """Planted bug: arguments checked and values not."""
    with pytest.raises(TypeCheckError):
        sparing(wrong)


def test_a_test_looks_at_the_first_calls_and_fewer_and_fewer_of_the_others(sparing):
    """Planted bug: calls counted for the whole session, so that the last tests checked nothing."""
    for _ in range(2):
        seen = []
        for call in range(1, 33):
            try:
                sparing(WRONG_VALUE)
            except TypeCheckError:
                seen.append(call)
        assert seen == [1, 2, 3, 4, 8, 16, 32]
        shapes.begin()
    shapes.begin(checking=False)
    assert sparing(WRONG_VALUE) == 2
    shapes.begin()


def test_what_is_defined_anew_in_each_call_is_one_function():
    """Planted bug: an inner function counted from the first with each of its definitions."""
    seen = []

    def counting(fn):
        seen.append(fn)
        return fn

    shapes.begin()
    for _ in range(32):

        @shapes.jaxtyped(typechecker=counting)
        def inner(x: int) -> int:
            return x

        inner(1)
    assert len(seen) == 2 * 7  # jaxtyping has two functions checked: of the arguments, and of all
