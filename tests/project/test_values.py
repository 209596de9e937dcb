"""Typed values: numbers are numbers, texts stay texts, and what does not fit is named."""

from typing import Any

import pytest

from nblib.project.values import fit_value, kind_of, read_value


@pytest.mark.parametrize(
    ("text", "kind", "value"),
    [
        ("1e-1", float, 0.1),
        ("3", float, 3.0),
        ("1e3", int, 1000),
        ("no", str, "no"),
        ("2024", str, "2024"),
        ("dev #3.csv", str, "dev #3.csv"),
        ("a: b, [c", str, "a: b, [c"),
        ("no", bool, False),
        ("True", bool, True),
        ("[1e-1, 1]", list[float], [0.1, 1.0]),
        ("1e-1, 1", list[float], [0.1, 1.0]),
        ("5", list[float], [5.0]),
        ("[]", list[float], []),
        ("[mass, 'log odds']", list[str], ["mass", "log odds"]),
        ("['a, b', c]", list[str], ["a, b", "c"]),
        ("(0.5, 3)", tuple[float, float], (0.5, 3.0)),
        ("single_line", tuple[str, ...], ("single_line",)),
        ("('a',)", tuple[str, ...], ("a",)),
        ("None", int | None, None),
        ("12", int | None, 12),
        ("2024", str | None, "2024"),
        ("none", str, "none"),
        ("[1, 'a']", Any, [1, "a"]),
        ("word", Any, "word"),
    ],
)
def test_a_value_keeps_its_parameters_type(text, kind, value):
    """Planted bug: YAML's rules for everything; 1e-1 became a text, no became False and `dev #3.csv` was cut."""
    parsed = read_value("name", text, kind)
    assert (parsed, type(parsed)) == (value, type(value))


@pytest.mark.parametrize(
    ("text", "kind", "needed"),
    [
        ("1.5", int, "a whole number"),
        ("inf", int, "a whole number"),
        ("abc", float, "a number"),
        ("maybe", bool, "true or false"),
        ("[a]", list[float], "a list of numbers"),
        ("[1, 2", list[float], "a list of numbers"),
        ("1,,2", list[float], "a list of numbers"),
        ("[1]", tuple[float, float], "a list of numbers"),
        ("x", int | None, "a whole number or none"),
    ],
)
def test_what_does_not_fit_is_named(text, kind, needed):
    with pytest.raises(ValueError) as refusal:
        read_value("steps", text, kind)
    assert str(refusal.value).startswith(f"steps={text!r} does not fit: steps is {needed}")


def test_values_of_a_file_are_fitted():
    assert fit_value("reg_weight", "1e-1", float) == 0.1  # YAML 1.1 leaves it a text
    assert fit_value("reg_weights", ["1e-1", 1], list[float]) == [0.1, 1.0]
    assert fit_value("run_name", 2024, str) == "2024"
    assert fit_value("compare", False, bool) is False
    for kind in (str, float, int):
        with pytest.raises(ValueError, match="name=False does not fit: .*put words like no into quotes"):
            fit_value("name", False, kind)


@pytest.mark.parametrize(
    ("default", "kind"),
    [(True, bool), (1, int), (0.5, float), ("", str), ([1.0], list[float]), ([], list[Any]), (None, Any)],
)
def test_a_default_tells_its_parameters_type(default, kind):
    assert kind_of(default) == kind
