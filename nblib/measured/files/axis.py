"""One increasing axis of positive frequencies: falling, two-sided, repeated, overlapping and interleaved axes."""

import numpy as np

from nblib.measured.files.clocks import last_digit
from nblib.measured.files.formats import Raw, Refusal
from nblib.measured.files.stacks import unstack

ROUNDED = 0.6  # of the last digit: an even grid, fitted by least squares, that was rounded lies this close
SIDES = ("fold", "positive", "negative")  # of a two-sided spectrum
SPANS = ("first", "last", "cut", "mean", "all", *SIDES)
MOST_SPANS = 12
EQUAL = 0.01  # ln: halves of a real signal's spectrum, written with two decimals of a decibel
OTHER_WIDTH = 1.5  # times: from here on a change of the bin width is noted
APART = 1.5  # times: overlapping spans of one spectrum agree better than this


def one_axis(raw: Raw, span: str | int | None) -> None:
    """Put the bins of `raw` in order of frequency; changes raw.freqs, raw.values, raw.valid, raw.lines and raw.notes.

    Parameters
    ----------
    span : of overlapping spans keep the "first" or the "last" in the file, "cut" = each frequency from the finer; of
        spectra on one axis also a number, "mean" or "all"; of a two-sided spectrum "fold", "positive" or "negative"

    Raises
    ------
    Refusal that names the line and the way out
    """
    if span is not None and span not in SPANS and not str(span).isdigit():
        raise Refusal(f"span={span!r}; known: {', '.join(SPANS)} or a number")
    _drop_rows_without_frequency(raw)
    _span_line(raw)
    several = unstack(raw, span)
    if len(raw.freqs) > 1 and (np.diff(raw.freqs) < 0).sum() > 0.9 * (len(raw.freqs) - 1):
        _keep(raw, slice(None, None, -1))
        raw.notes.append("frequencies fall in the file; the order is reversed")
    two_sided = bool((raw.freqs < 0).any())
    if two_sided:
        _fold(raw, span)
    starts = np.flatnonzero(np.diff(raw.freqs) <= 0) + 1
    if len(starts):
        _spans(raw, starts, span)
    elif span is not None and not several and not (two_sided and span in SIDES):
        raw.notes.append(f"span={span!r} has nothing to choose: the axis never starts again")
    if len(raw.freqs) > 1 and raw.freqs[0] == 0:
        _keep(raw, slice(1, None))
        raw.notes.append("the 0 Hz bin (DC) is dropped")
    _mirrored(raw)
    if not _rounded(raw):
        _interleaved(raw)


def _keep(raw, which):
    """Only these bins, in this order."""
    raw.freqs, raw.values = raw.freqs[which], raw.values[..., which]
    raw.valid = raw.valid[..., which] if raw.valid is not None else None
    raw.lines = raw.lines[which] if raw.lines is not None else None


def _drop_rows_without_frequency(raw):
    lost = ~np.isfinite(raw.freqs)
    if not lost.any():
        return
    if lost.all():
        raise Refusal("no frequency is a number; the first column must hold frequencies in Hz")
    if np.isfinite(raw.values[..., lost]).any():
        raise Refusal(
            f"the frequency at {raw.place(int(np.argmax(lost)))} is missing but its level is not; complete or "
            "remove that row"
        )
    raw.notes.append(f"{lost.sum()} rows without numbers are left out, first {raw.place(int(np.argmax(lost)))}")
    _keep(raw, np.flatnonzero(~lost))


def _span_line(raw):
    """Some programs write the span, "0 80", above the rows."""
    if raw.lines is None or len(raw.freqs) < 4 or len(raw.values) != 1:
        return
    if raw.values[0, 0] == raw.freqs[-1] == raw.freqs[1:].max() and raw.freqs[0] <= raw.freqs[1]:
        raw.notes.append(f"{raw.place(0)} states the span {raw.freqs[0]:g}..{raw.freqs[-1]:g} and is not a bin")
        _keep(raw, np.arange(1, len(raw.freqs)))


def _fold(raw, span):
    """One-sided spectrum S(f) + S(-f) of a two-sided one; DC and Nyquist are not doubled (scipy's convention)."""
    order = np.argsort(raw.freqs, kind="stable")
    freqs = raw.freqs[order]
    width = float(np.median(np.diff(freqs)))
    positive = np.flatnonzero(freqs > 0.01 * width)
    partner = np.clip(np.searchsorted(freqs, -freqs[positive] - 0.01 * width), 0, len(freqs) - 1)
    matched = np.abs(freqs[partner] + freqs[positive]) <= 0.01 * width
    turns = int((np.diff(raw.freqs) < 0).sum())
    if turns > 1 or (np.diff(freqs) <= 0).any() or len(positive) < 2 or matched.sum() < 0.8 * len(positive):
        at = int(np.argmax(raw.freqs < 0))
        raise Refusal(
            f"{raw.place(at)} has {raw.freqs[at]:g} Hz, and the negative values do not mirror the others: is column 1 "
            "the frequency? A time series is read with load_series"
        )
    if span in ("positive", "negative"):
        kept = positive if span == "positive" else np.flatnonzero(freqs < -0.01 * width)[::-1]
        _keep(raw, order[kept])
        raw.freqs = np.abs(raw.freqs)
        raw.notes.append(f"of a two-sided spectrum the {span} frequencies are kept, as asked; powers stay as they are")
        return
    if abs(freqs[0] + freqs[-1]) > 1.5 * width:
        raise Refusal(
            f"the axis runs from {freqs[0]:g} to {freqs[-1]:g} Hz: the sides do not mirror each other, as those of a "
            "complex (IQ) signal need not. Give span='positive' or span='negative'"
        )
    _keep(raw, order)
    nyquist = [0] if -freqs[0] > freqs[-1] + 0.5 * width else []
    high, low = np.asarray(raw.values[..., positive]), np.where(matched, raw.values[..., partner], np.nan)
    if raw.valid is not None:
        low = np.where(raw.valid[..., partner], low, np.nan)
        high = np.where(raw.valid[..., positive], high, np.nan)
    if span != "fold":
        _compare_halves(high, low)
    folded = np.where(matched, high + low, high)  # a last bin without a partner is the Nyquist bin
    edge, edge_freq = np.asarray(raw.values[..., nyquist]), -freqs[nyquist]
    _keep(raw, np.r_[positive, nyquist].astype(int))
    raw.freqs, raw.values = np.r_[freqs[positive], edge_freq], np.concatenate([folded, edge], axis=-1)
    raw.notes.append(
        "two-sided spectrum read as one-sided: S(f) + S(-f), the power is doubled; 0 Hz and Nyquist are not"
    )


def _compare_halves(high, low):
    """A real signal has equal halves; where they differ, the negative frequencies may be those of a complex signal."""
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = np.abs(np.log(np.atleast_2d(high) / np.atleast_2d(low)))
    ratio = ratio[np.isfinite(ratio)]
    if ratio.size and ratio.max() > EQUAL:
        raise Refusal(
            f"the axis is two-sided and the halves differ (median {np.exp(np.median(ratio)):.3g} times, at most "
            f"{np.exp(ratio.max()):.3g} times). A complex (IQ) signal, whose negative frequencies are others? Give "
            "span='positive' or span='negative'. A real signal? Keep f > 0 and double the power: span='fold'"
        )


def _mirrored(raw):
    """A two-sided spectrum on 0..f_s: the second half repeats the first, backwards."""
    values = np.atleast_2d(raw.values)
    if not values.shape[-1] >= 16 or isinstance(raw.values, np.memmap) or len(values) > 100:
        return
    freqs, width = raw.freqs, raw.freqs[1] - raw.freqs[0]
    if not np.allclose(np.diff(freqs), width, rtol=1e-3) or abs(freqs[0] - width) > 0.01 * width:
        return  # 0 Hz is gone, so that bin i mirrors bin n-1-i
    same = np.isclose(values, values[:, ::-1], rtol=1e-3, atol=0, equal_nan=True)
    if not same.all() or np.ptp(np.nan_to_num(values)) < 0.1 * np.nanmax(np.abs(values)):
        return
    half = (values.shape[-1] + 1) // 2
    doubled = np.where(np.isclose(freqs[:half], freqs[::-1][:half], rtol=1e-6), 1.0, 2.0)  # Nyquist stands for itself
    _keep(raw, slice(0, half))
    raw.values = raw.values * doubled
    raw.notes.append(
        "the second half repeats the first backwards: a two-sided spectrum, read as one-sided with the power doubled"
    )


def _spans(raw, starts, span):
    """The axis starts again: spans of different resolution, several traces, repeated (rounded) or unsorted bins."""
    freqs = raw.freqs
    pieces = np.split(np.arange(len(freqs)), starts)
    steps = [float(np.median(np.diff(freqs[piece]))) if len(piece) > 2 else 0.0 for piece in pieces]
    seams = all(
        freqs[at] < freqs[at - 1] or not 0.8 < steps[n] / max(steps[n + 1], 1e-300) < 1.25
        for n, at in enumerate(starts)
    )
    if len(pieces) > MOST_SPANS or min(steps) <= 0 or not seams:
        repeated = np.flatnonzero(np.diff(freqs) == 0)
        if len(repeated):
            at = int(repeated[0])
            raise Refusal(
                f"{len(repeated)} frequencies repeat, first {freqs[at]:g} Hz ({raw.place(int(at))} and "
                f"{raw.place(int(at) + 1)}): written with too few "
                "digits, or merged from two spans? Export with more digits, or each span to its own file"
            )
        at = int(starts[0])
        raise Refusal(
            f"frequencies must increase, but {freqs[at]:g} Hz follows {freqs[at - 1]:g} Hz ({raw.place(int(at))}). Is "
            "column 1 the frequency? A time series is read with load_series; several spectra belong in a file each"
        )
    place = raw.place(int(starts[0]))
    kind = f"{len(pieces)} spans" + (" of different resolution" if np.ptp(steps) > 0.01 * max(steps) else "")
    listed = "; ".join(
        f"{freqs[piece[0]]:g}..{freqs[piece[-1]]:g} Hz in steps of {step:.4g}"
        for piece, step in zip(pieces, steps, strict=True)
    )
    if span not in ("first", "last", "cut"):
        raise Refusal(
            f"the axis starts again at {place}: {kind} ({listed}); keep one with span='first' or span='last', or cut "
            "them with span='cut' (each frequency once, from the finer span)"
        )
    raw.notes.append(f"the axis starts again at {place}: {kind} ({listed}); kept: {span}")
    if span == "cut":
        _check_overlap(raw, pieces)
    _keep(raw, _cut(freqs, pieces, steps) if span == "cut" else pieces[0 if span == "first" else -1])


def _check_overlap(raw, pieces):
    """Spans that are cut together must be of one spectrum: where they overlap, their levels agree."""
    values = np.atleast_2d(raw.values)[0]
    for first, second in zip(pieces, pieces[1:], strict=False):
        inside = [
            piece[(raw.freqs[piece] >= raw.freqs[other[0]]) & (raw.freqs[piece] <= raw.freqs[other[-1]])]
            for piece, other in ((first, second), (second, first))
        ]
        levels = [
            np.nanmedian(values[piece][values[piece] > 0]) if (values[piece] > 0).any() else np.nan for piece in inside
        ]
        if min(map(len, inside)) >= 3 and max(levels) > APART * min(levels):
            raise Refusal(
                f"the spans disagree where they overlap ({levels[0]:.3g} and {levels[1]:.3g} in the median): different "
                "spectra? Keep one with span='first' or span='last'"
            )


def _cut(freqs, pieces, steps):
    """Bins of all spans in order of frequency; where spans overlap, those of the finer one."""
    taken, covered = [], []
    for n in np.argsort(steps, kind="stable"):
        piece = pieces[n]
        free = np.ones(len(piece), dtype=bool)
        for low, high in covered:
            free &= (freqs[piece] < low) | (freqs[piece] > high)
        taken.append(piece[free])
        covered.append((freqs[piece[0]], freqs[piece[-1]]))
    taken = np.concatenate(taken)
    return taken[np.argsort(freqs[taken], kind="stable")]


def _rounded(raw):
    """An even grid, or one of even ratios, written with so few digits that its steps differ."""
    freqs, unit = raw.freqs, last_digit(raw.freqs, largest=9)
    steps = np.diff(freqs)
    if len(freqs) < 8 or not unit > 0.1 * steps.min() or np.ptp(steps) < 0.5 * unit:
        return False
    at = np.arange(len(freqs))
    linear = np.polyval(np.polyfit(at, freqs, 1), at)
    ratios = np.exp(np.polyval(np.polyfit(at, np.log(freqs), 1, w=freqs), at))
    for fitted, width in (
        (linear, f"of {np.diff(linear).mean():.4g} Hz"),
        (ratios, f"of even ratios, {ratios[1] / ratios[0]:.4g}"),
    ):
        if np.abs(freqs - fitted).max() < ROUNDED * unit:
            raw.notes.append(f"frequencies look rounded to {unit:g} Hz (bins {width}); they are used as written")
            return True
    return False


def _interleaved(raw):
    """Two spans sorted into one another: the coarser one splits bins of the finer; a change of width is only noted."""
    steps = np.diff(raw.freqs)
    if len(steps) < 6:
        return
    before, after = steps[:-3], steps[3:]
    pair = steps[1:-2] + steps[2:-1]
    split = (steps[1:-2] < 0.97 * before) & (steps[2:-1] < 0.97 * before)
    if split.any():
        split &= np.isclose(pair, before, rtol=0.02) & np.isclose(pair, after, rtol=0.02)
    if split.sum() >= 3:
        at = int(np.argmax(split)) + 2
        raise Refusal(
            f"two spans of different resolution are sorted into one another: {raw.freqs[at]:g} Hz "
            f"({raw.place(int(at))}) splits a bin, and so do "
            f"{split.sum() - 1} others. Export each span to its own file"
        )
    if len(steps) < 17 or steps.max() < OTHER_WIDTH * steps.min():
        return
    eight = np.lib.stride_tricks.sliding_window_view(steps, 8)
    is_even = np.ptp(eight, axis=1) < 1e-3 * eight[:, 0]
    before, after = eight[:-9], eight[9:]  # the step between them belongs to neither
    even = is_even[:-9] & is_even[9:]
    change = even & (np.abs(np.log(after[:, 0] / before[:, 0])) > np.log(OTHER_WIDTH))
    if change.any():
        at = int(np.argmax(change))
        raw.notes.append(
            f"the bin width changes from {before[at, 0]:.4g} to {after[at, 0]:.4g} Hz near {raw.freqs[at + 9]:g} Hz: "
            "spans of different resolution, merged; lines stand out less in the wider bins"
        )
