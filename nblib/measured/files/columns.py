"""Which column is the frequency and which the spectrum: by name where there are names, else by behaviour."""

import re
from collections.abc import Sequence

import numpy as np
from numpy import ndarray

from nblib.measured.files.clocks import counts, names_an_axis, why_series
from nblib.measured.files.formats import Column, IsSeries, Raw, Refusal, Table
from nblib.measured.files.headers import level_line, stated
from nblib.measured.files.stacks import order_of_traces
from nblib.measured.files.units import level_of

FREQUENCY = re.compile(
    r"^\W*f\d*(?:[\s_(\[,/]|$)|^\W*f_?[kmg]?hz|fr[eé]q|fre[ck][uvw]|frekans|^\W*x\d*(?:[\s_(\[]|$)|x_value"
    r"|周波数|cz[eę]st|частот|^\W*w(?:[\s(\[]|$)|omega|rad/s",
    re.IGNORECASE,
)
AXIS_UNIT = re.compile(
    r"(?:^|(?<!per)(?<!/)[\s(\[_,])[uµμmkMGT]?(?:Hz|Hertz)(?![A-Za-z^⁻])", re.IGNORECASE
)  # not 5kHz, /Hz
INDEX = re.compile(
    r"^\W*$|^\W*(?:index|idx|no\.?|nr\.?|n|i|bin|row|point|pt|line|sample|count|sequence|unnamed.*|#)\W*$",
    re.IGNORECASE,
)
BESIDES = re.compile(
    r"phase(?![\s_]*noise)|phi\b|deg(?:rees)?\b|coherence|\bstd|sigma|err(?:or)?\b|uncert|lower|upper|confidence|"
    r"\bcounts?\b(?!\s*(?:\^|²|\*))|"
    r"\btime|flag|valid|mask|window|[amh]dev\b|allan|correlation|histogram",
    re.IGNORECASE,
)
POWER = re.compile(r"psd|spectral|pxx|density|spectrum|leistung|power", re.IGNORECASE)
MOST_LISTED = 12  # columns that a message names
HINT = "if decimals are written with a comma, separate the columns by ; or tab"


def names_frequency(heading: str) -> bool:
    """True for a heading that says frequency or has a unit of one; the Hz of a density, V^2/Hz, is not one."""
    if level_of(heading).kind in ("psd", "asd", "db") or POWER.search(heading):
        return False
    return bool(FREQUENCY.search(heading) or AXIS_UNIT.search(heading))


def choose(table: Table, column: Column = None) -> Raw:
    """The frequency and the wanted spectra of a table.

    Parameters
    ----------
    column : heading (or an unmistakable part of it) or number, the first column being 1; a sequence of those; "all"

    Raises
    ------
    Refusal that lists the columns where the choice is not plain
    """
    values, names = table.values, _padded(table.names, table.values.shape[1])
    if values.shape[1] == 1:
        if level_line(table.header).kind or stated(table.header, r"start|stop|cent(?:er|re)|span|step|delta.?f"):
            raise Refusal("it has 1 column and its header speaks of a spectrum: write the frequency before each level")
        raise IsSeries(
            "it has 1 column; a spectrum needs two: frequency [Hz] and PSD [unit^2/Hz]. A time series is read "
            "with load_series and rate=HZ"
        )
    if len(values) < 2:
        raise Refusal(f"it holds {len(values)} bin; a spectrum has at least 2")
    given = bool(table.names)
    filled = [at for at in range(values.shape[1]) if not np.isnan(values[:, at]).all() or values.shape[1] == 2]
    notes = list(table.notes)
    while len(filled) > 2 and np.ptp(_there(values[:, filled[0]])) == 0:
        notes.append(f"column {filled[0] + 1} {names[filled[0]]!r} holds one value and is left out")
        filled = filled[1:]
    why = why_series(values, names, table.header, filled)
    if why:
        raise IsSeries(f"{why}: a time series, read with load_series, not as a spectrum")
    axes, rest = _axes(values, names, filled, given, notes)
    chosen = _wanted(column, names, rest, axes) if column is not None else _only(names, rest, axes, values)
    owners = {max((axis for axis in axes if axis < at), default=axes[0]) for at in chosen}
    if len(owners) > 1:
        raise Refusal(f"columns {_listed(names, chosen)} have frequencies of their own; choose one with column=NUMBER")
    axis = owners.pop()
    if len({level_of(names[at]).kind for at in chosen}) > 1:
        raise Refusal(f"columns {_listed(names, chosen)} have different kinds of units; choose columns of one kind")
    if not names[axis]:
        notes.append(f"column {axis + 1} has no heading and is read as the frequency")
    return Raw(
        values[:, axis],
        values[:, chosen].T,
        names[axis] if given else "",
        names[chosen[0]] if given else "",
        table.header,
        tuple(names[at] or f"column {at + 1}" for at in chosen),
        lines=table.lines,
        notes=notes,
        marks=table.marks,
    )


def _padded(names, width):
    return [str(name) for name in names] if len(names) == width else [""] * width


def _increases(values):
    steps = np.diff(values[np.isfinite(values)])
    return len(steps) > 0 and bool((steps > 0).all() or (steps < 0).all())


def _uniform(values):
    steps = np.diff(values)
    return len(steps) > 1 and np.isfinite(steps).all() and np.ptp(steps) <= 0.02 * abs(np.median(steps))


def _on_a_grid(values):
    return _increases(values) and bool(values[-1] > values[0]) and (_uniform(values) or _even_ratios(values))


def _axes(values, names, filled, given, notes):
    """Positions of the frequencies, the first one that of the spectrum where there is one, and the other columns.

    Where several columns are frequencies (x, y, x, y), each spectrum belongs to the nearest on its left.
    """
    filled = _without_index(values, names, filled, given, notes)
    rising = [at for at in filled if _on_a_grid(_there(values[:, at]))]
    named = [at for at in filled if given and names_frequency(names[at])]
    steady = [at for at in named if _increases(_there(values[:, at]))]
    named = steady or [at for at in named if names_an_axis(names[at]) or at == filled[0]][:1]
    axes = [at for at in named if names_an_axis(names[at])] or named
    if axes:
        axes = sorted({*axes, *(at for at in rising if not names[at])})
    elif len(filled) == 2:
        axes = [_unnamed(values, filled, notes)]
    elif not given and len(filled) == 3 and all(order_of_traces(values[:, at]) is not None for at in filled[:2]):
        raise Refusal(
            "columns 1 and 2 together form a grid, as of a spectrogram; give the columns headings with units, such as "
            "time (s), frequency (Hz), PSD (V^2/Hz)"
        )
    elif not rising and not given and not _increases(_there(values[:, filled[0]])):
        raise Refusal(
            f"it has {len(filled)} columns and none increases as a frequency does. Samples of a time series? "
            "load_series reads one channel (column=NUMBER), or samples that run on along the rows (column='rows')"
        )
    else:
        axes = rising or filled[:1]
    if len(axes) > 1:
        notes.append(f"columns {_listed(names, axes)} are frequencies, each of the columns to its right")
    return axes, [at for at in filled if at not in axes]


def _without_index(values, names, filled, given, notes):
    """The columns without one that counts the rows."""
    first, first_values = filled[0], values[:, filled[0]]
    is_index = first_values[0] in (0, 1) and counts(first_values) and (not given or INDEX.match(names[first]))
    second = values[:, filled[1]] if len(filled) > 2 else first_values
    if is_index and len(filled) > 2 and (_on_a_grid(second) or (given and _increases(second))):
        notes.append("column 1 counts the rows and is left out")
        return filled[1:]
    if is_index and given and names[first].strip() and not any(names_frequency(names[at]) for at in filled):
        raise IsSeries(
            f"its first column {names[first]!r} counts the rows, no column is a frequency; a spectrum needs one in Hz. "
            "A time series is read with load_series and rate=HZ"
        )
    return filled


def _there(values):
    return values[np.isfinite(values)]


def _unnamed(values, filled, notes):
    """Which of two columns without a word for frequency is it."""
    axis, other = filled
    rises = _uniform(values[:, other]) and values[-1, other] > values[0, other]
    if rises and len(values) > 8 and not _increases(values[:, axis]):
        notes.append(
            "the second column increases in equal steps and the first does not: the second is read as the frequency"
        )
        return other
    if _both_steady(values[:, axis], values[:, other]):
        raise Refusal("both columns increase or fall steadily: which is the frequency? Put it first, with a heading")
    return axis


def _even_ratios(values):
    with np.errstate(divide="ignore", invalid="ignore"):
        ratios = np.diff(np.log(np.abs(values)))
    return bool(len(ratios) > 1 and np.isfinite(ratios).all() and np.ptp(ratios) < 0.5 * abs(np.median(ratios)))


def _both_steady(first, second):
    """The first column is monotonous on no usual grid, while the second increases in equal steps."""
    on_a_grid = _uniform(first) or _even_ratios(first) or len(first) <= 3
    return _uniform(second) and _increases(first) and not on_a_grid


def _listed(names, which):
    listed = ", ".join(f"{at + 1} {names[at][:40]!r}" if names[at] else str(at + 1) for at in which[:MOST_LISTED])
    return listed + (f" ... {len(which) - MOST_LISTED} more" if len(which) > MOST_LISTED else "")


def _only(names, rest, axes, values):
    """The one column that can be the spectrum; where there are several, an error that asks."""
    plain = [at for at in rest if not BESIDES.search(names[at])]
    power = [at for at in plain if POWER.search(names[at]) or level_of(names[at]).kind in ("psd", "asd", "db")]
    if {"re", "im"} & {re.sub(r"\W.*", "", names[at].lower()) for at in rest} or any(
        re.match(r"\W*(?:real|imag)", names[at], re.IGNORECASE) for at in rest
    ):
        raise Refusal(
            f"columns {_listed(names, rest)}: real and imaginary parts; a PSD is real: export the power |V|^2/Hz"
        )
    if len(rest) == 1 and not plain and level_of(names[rest[0]]).kind is None:
        raise Refusal(f"its only column beside the frequency is {names[rest[0]]!r}, which is not a spectrum")
    for some in (plain, power, rest):
        if len(some) == 1:
            return some
    hint = "" if any(names) else f" ({HINT})"
    raise Refusal(
        f"it has {len(rest)} columns beside the frequency (column {' and '.join(str(at + 1) for at in axes[:6])}): "
        f"{_listed(names, rest)}; choose with column=NAME or NUMBER, or column='all'{hint}"
    )


def _wanted(column, names, rest, axes):
    """The columns asked for, by name or number."""
    if _is_all(column):
        return rest
    wanted = [column] if isinstance(column, (str, int, np.integer)) else list(column)
    return [_position(one, names, rest, axes) for one in wanted]


def _is_all(column):
    return isinstance(column, str) and column.strip().lower() == "all"


def _position(one, names: Sequence[str], rest, axes) -> int:
    text = str(one).strip()
    exact = [at for at in rest if names[at].lower() == text.lower()]
    part = [at for at in rest if text.lower() in names[at].lower()] if text and not text.lstrip("-").isdigit() else []
    at = int(text) - 1 if re.fullmatch(r"\d+", text) else -1
    for matches in (exact, part, [at] if at in rest else []):
        if len(matches) == 1:
            if BESIDES.search(names[matches[0]]) and level_of(names[matches[0]]).kind is None:
                raise Refusal(f"column={one} is {names[matches[0]]!r}, which is not a spectrum")
            return matches[0]
    why = "is the frequency" if at in axes else "names no single column"
    listed = ", ".join(str(at + 1) for at in axes[:6])
    raise Refusal(f"column={one} {why}; columns beside the frequency (column {listed}): {_listed(names, rest)}")


def from_matrix(values: ndarray, column: Column = None) -> Raw:
    """A plain matrix: (bin, column) with the frequency first, or (1 + N, bin): frequencies, then N spectra."""
    if values.dtype.kind == "c":
        raise Refusal("it holds complex values; a PSD is real: export the power |X|^2/Hz")
    if values.ndim != 2 or min(values.shape) < 2 or values.dtype.kind not in "fiu":
        raise (IsSeries if values.size == max(values.shape, default=0) else Refusal)(
            f"it has shape {values.shape} and type {values.dtype}; it needs numbers, (bin, 2): frequency [Hz] and "
            "PSD [unit^2/Hz], or (1 + N, bin): frequencies, then N spectra. A time series is read with load_series"
        )
    down, across = np.asarray(values[:, 0], float), np.asarray(values[0], float)
    if values.shape[1] == 2 or (_increases(down) and (not _increases(across) or len(down) > len(across))):
        return choose(Table(np.asarray(values, float)), column)
    spectra = values[1:] if column is None or _is_all(column) else values[_rows(column, len(values))]
    return Raw(
        across,
        spectra,
        names=tuple(f"spectrum {at}" for at in range(1, len(spectra) + 1)) if len(spectra) < 1000 else (),
    )


def _rows(column, n_rows):
    wanted = [column] if isinstance(column, (str, int, np.integer)) else list(column)
    for one in wanted:
        if not str(one).isdigit() or not 2 <= int(one) <= n_rows:
            raise Refusal(
                f"column={one}: the file holds spectra in rows 2..{n_rows} and the frequency in row 1; give a row or "
                "'all'"
            )
    return [int(one) - 1 for one in wanted]
