"""Several spectra below one another on one axis: spectrograms in long form, blocks of traces."""

import numpy as np

from nblib.measured.files.formats import Raw, Refusal
from nblib.measured.files.headers import averages


def unstack(raw: Raw, span: str | int | None) -> bool:
    """Keep of spectra that follow one another on one axis the ones that `span` names; True where there were several.

    Parameters
    ----------
    span : "first", "last", a number from 1, "mean" = their average, "all"

    Raises
    ------
    Refusal, an error that asks, where `span` names none of them
    """
    order = order_of_traces(raw.freqs)
    if order is None:
        return False
    count = len(order)
    positions = {"first": [0], "last": [count - 1], "mean": range(count), "all": range(count)}
    wanted = positions.get(str(span)) or (
        [int(str(span)) - 1] if str(span).isdigit() and 1 <= int(str(span)) <= count else None
    )
    freqs = raw.freqs[order[0]]
    if wanted is None:
        raise Refusal(
            f"the axis starts again at {raw.place(int(order[1, 0]))}: {count} traces on the same axis "
            f"({freqs.min():g}..{freqs.max():g} Hz, {len(freqs)} bins); keep one with span='first', span='last' or "
            f"span=NUMBER, average them with span='mean', or keep each with span='all'"
        )
    values = np.atleast_2d(raw.values)[:, order[wanted]]  # (spectrum, trace, bin)
    if raw.valid is not None:
        values = np.where(np.broadcast_to(raw.valid, np.shape(raw.values))[:, order[wanted]], values, np.nan)
    raw.notes.append(f"{count} traces follow one another on the same axis; kept: {span}")
    if span == "mean":
        filled = np.isfinite(values)
        total = np.where(filled, values, 0.0).sum(axis=1)
        values = np.divide(total, filled.sum(axis=1), out=np.full_like(total, np.nan), where=filled.any(axis=1))[
            :, None
        ]
        stated = raw.n_segments or averages(raw.header)
        raw.n_segments = stated * count if stated else None
    else:
        raw.names = [f"{name}, trace {at + 1}" for name in raw.names or [""] for at in wanted]
    raw.freqs, raw.lines = freqs, raw.lines[order[wanted[0]]] if raw.lines is not None else None
    raw.values = values.reshape(-1, len(freqs))
    raw.valid = np.isfinite(raw.values)
    return True


def order_of_traces(freqs):
    """(trace, bin) positions of the bins of each trace, or None: blocks of one axis, or each frequency N times."""
    if len(freqs) < 4 or np.isnan(freqs).any():
        return None
    again = np.flatnonzero(freqs == freqs[0])
    if len(again) < 2 or len(freqs) % len(again):
        return None
    count = len(again)
    positions = np.arange(len(freqs))
    for order in (positions.reshape(count, -1), positions.reshape(-1, count).T):
        block = freqs[order]
        steps = np.diff(block[0])
        if len(steps) and (block == block[0]).all() and ((steps > 0).all() or (steps < 0).all()):
            return order
    return None
