"""Time series in tables: the channel, and the rate from a column of times, a counter or the header."""

from pathlib import Path

import numpy as np

from nblib.measured.files.clocks import TIME, clock_of, names_an_axis
from nblib.measured.files.formats import Column, Refusal, Series, Table, series_reader
from nblib.measured.files.text import read_table
from nblib.measured.files.units import BRACKETS, level_of


def channel(names, column, numbers=None):
    """Position of the wanted channel, by name or number; several and no choice is an error that asks.

    numbers : what the file counts the channels by, where that is not 1, 2, ...
    """
    numbers = list(numbers or range(1, len(names) + 1))
    text = str(column).strip().lower()
    listed = ", ".join(f"{number} {name[:40]!r}" for number, name in zip(numbers[:12], names, strict=False))
    listed += f" ... {len(names) - 12} more" if len(names) > 12 else ""
    if column is None or (text == "all" and "all" not in map(str.lower, names)):
        if len(names) == 1:
            return 0
        one = "a time series is read one channel at a time; " if column is not None else ""
        raise Refusal(f"it has {len(names)} channels: {listed}; {one}choose with column=NAME or NUMBER")
    for matches in (
        [n for n, name in enumerate(names) if name.lower() == text],
        [n for n, name in enumerate(names) if text and not text.isdigit() and text in name.lower()],
        [numbers.index(int(text))] if text.isdigit() and int(text) in numbers else [],
    ):
        if len(matches) == 1:
            return matches[0]
    raise Refusal(f"column={column} names no single channel of {listed}")


@series_reader("")
def read_text_series(path: Path, rate: float | None, column: Column) -> Series:
    """Text of any ending: a column of samples, with a time column or a rate in the header."""
    return from_table(read_table(path), rate, column)


def from_table(table: Table, rate: float | None, column: Column) -> Series:
    """One channel of a table whose first column may be the time or a counter; column "rows" = along the rows."""
    values, notes = table.values, list(table.notes)
    width = values.shape[1]
    labels = [str(name) for name in table.names] if len(table.names) == width else [""] * width
    if names_an_axis(labels[0]):
        raise Refusal(f"its first column is {labels[0]!r}: a spectrum; read it with load_spectra")
    clock = clock_of(values, labels, table.header, notes, rate)
    if str(column).strip().lower() == "rows" and "rows" not in map(str.lower, labels):
        notes.append(f"samples run on along the rows of {width} columns, as asked")
        samples = values.ravel()[: values.size - int(np.argmax(~np.isnan(values.ravel()[::-1])))]
        return Series(samples, clock.rate, warnings=tuple(notes), header=tuple(table.header), marks=table.marks)
    clocks = [
        at for at in range(width) if at == clock.column or (clock.column is not None and _is_clock(values, labels, at))
    ]
    channels = [at for at in range(width) if at not in clocks and not np.isnan(values[:, at]).all()] or clocks
    if len(channels) > 1 and not any(labels) and clock.column is None:
        _ask_rows(channels, column)
    named = [labels[at] or f"column {at + 1}" for at in channels]
    at = channels[channel(named, column, [at + 1 for at in channels])]
    if level_of(labels[at]).kind in ("psd", "asd"):
        raise Refusal(f"column {at + 1} {labels[at]!r} is a spectrum, not samples; write the frequencies beside it")
    unit = BRACKETS.search(labels[at])
    return Series(
        values[:, at],
        clock.rate,
        unit.group(1) if unit else None,
        labels[at] or f"column {at + 1}",
        clock.breaks,
        warnings=tuple(notes),
        header=tuple(table.header),
        marks=table.marks,
    )


def _is_clock(values, labels, at):
    """A further column of times: named so, or one that only rises."""
    steps = np.diff(values[:, at])
    return bool((steps >= 0).all() and (TIME.match(labels[at]) or (len(steps) > 8 and (steps > 0).all())))


def _ask_rows(channels, column):
    """Columns without headings and times may be channels, or one series written along the rows."""
    if column is None:
        raise Refusal(
            f"it has {len(channels)} columns without headings: channels? Choose with column=NUMBER, from 1 on. "
            "One series, written along the rows? Give column='rows'"
        )
