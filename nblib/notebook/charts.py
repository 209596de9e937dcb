"""Methods, penalties and models compared. Every function takes `ax=None`, labels its units and returns the axes."""

from collections.abc import Sequence
from itertools import cycle

import numpy as np
from numpy import ndarray

from nblib.notebook.plots import new_axes
from nblib.style import ACCENT, INK, MAIN

WITHIN = (1e-6, 1 - 1e-6)  # what a logit axis can show; a bar to 0 or 1 would vanish
CORNERS = ((8, 8), (8, -8), (-8, -8), (-8, 8))  # points; where the lambdas of the first, second, ... line stand


def plot_front(lines: dict, none: dict, others: dict, reg_weights, ax=None):
    """Detection against masked error: a line for each penalty with lambda along it, open marks for other choices.

    The frame holds all points; an interval that is longer is cut at its edge. Bars of the open marks are faint.

    Parameters
    ----------
    lines : penalty -> entries in order of reg_weights; none, others' values : one entry each. An entry holds "ap" and
        "masked", each {"iqm", "low", "high"}
    """
    ax = new_axes(ax, (7, 4))
    drawn, points = [], [none, *others.values(), *(entry for entries in lines.values() for entry in entries)]
    for number, ((name, entries), marker) in enumerate(zip(lines.items(), "osv^DP", strict=False)):
        x, y = ([entry[key]["iqm"] for entry in entries] for key in ("masked", "ap"))
        drawn += ax.plot(x, y, marker=marker, lw=1, label=name, zorder=3)
        beside = {"xytext": CORNERS[number % 4], "textcoords": "offset points", "ha": "center", "va": "center"}
        for weight, *point in zip(reg_weights, x, y, strict=True):
            ax.annotate(f"{weight:g}", point, **beside, fontsize=7, color=drawn[-1].get_color())
    for line, entries in zip(drawn, lines.values(), strict=False):  # after the lines: each takes a turn of the colours
        _draw_bars(ax, entries, line.get_color(), 0.4)
    _draw_bars(ax, [none, *others.values()], INK, 0.2)
    for (name, entry), marker in zip(({"none": none} | others).items(), "x+*hD<s>dop", strict=False):
        hollow = {"color": INK} if marker in "x+" else {"facecolors": "none", "edgecolors": INK}
        place = entry["masked"]["iqm"], entry["ap"]["iqm"]  # larger than the marks of the lines: both show
        ax.scatter(*place, marker=marker, s=90, linewidths=1, label=name, zorder=4, **hollow)
    masked, ap = ([entry[key]["iqm"] for entry in points] for key in ("masked", "ap"))
    margin = 0.08 * np.ptp(masked) or 0.1 * masked[0]
    ax.set(
        xlim=(min(masked) - margin, max(masked) + margin),
        xlabel="Masked error against the background [ln] (left is better)",
    )
    ticks = (0.02, 0.05, 0.1, 0.2, 0.5, 0.8, 0.9, 0.95, 0.98, 0.99, 0.995)
    ends = min(0.01, 0.7 * min(ap)), max(0.97, 1 - 0.7 * (1 - max(ap)))
    ax.set(yscale="logit", ylim=ends, ylabel="Average precision by attention (up is better)")  # apart at both ends
    ax.set_yticks(*zip(*[(tick, f"{tick:g}") for tick in ticks if ends[0] <= tick <= ends[1]], strict=True))
    ax.minorticks_off()
    ax.legend(fontsize=7, ncols=2, loc="center left", bbox_to_anchor=(1.0, 0.5))
    return ax


def _draw_bars(ax, entries, colour, alpha):
    """Intervals of both numbers, where there are any."""
    centres = [[entry[key]["iqm"] for entry in entries] for key in ("masked", "ap")]
    spans = {"yerr": _spans(entries, "ap", WITHIN), "xerr": _spans(entries, "masked")}
    ax.errorbar(*centres, **spans, fmt="none", ecolor=colour, elinewidth=0.8, alpha=alpha)


def _spans(entries, key, within=(-np.inf, np.inf)):
    """Distances of intervals from their middle, (2, n), for errorbar; 0 where there is no interval."""
    bounds = [[entry[key][bound] for bound in ("low", "iqm", "high")] for entry in entries]
    bounds = np.clip(np.array(bounds, dtype=np.float64), *within)  # JSON says None for NaN
    return np.nan_to_num(np.abs(np.diff(bounds, axis=1)).T)


def plot_gradients(shares: ndarray, pushes: dict[str, Sequence[float] | ndarray], even: float, ax=None):
    """Push of penalties, the sum over noisy tokens of |dR / d logit|, against the attention on them; dotted: even."""
    ax = new_axes(ax)
    for number, (name, push) in enumerate(pushes.items()):
        ax.plot(shares, push, lw=1 + 0.6 * (len(pushes) - number), alpha=0.8, label=name)  # coinciding ones show
    ax.axvline(even, color=INK, ls=":", lw=0.8, label="even attention")
    ax.set(
        xscale="log", yscale="log", xlabel="CLS attention on noisy tokens", ylabel="Push on the logits of noisy tokens"
    )
    ax.set(ylim=(1e-6, 3))
    ax.legend(fontsize=7, loc="center left", bbox_to_anchor=(1.0, 0.5))
    return ax


def plot_spans(rows: dict[str, dict], marks: dict[str, float] | None = None, label="", ours=(), ax=None):
    """Points with intervals by label, the first on top; vertical lines mark reference values.

    Parameters
    ----------
    rows : label -> {"iqm", "low", "high"}, NaN or None where there is no interval
    marks : name -> value
    ours : labels drawn in another colour
    """
    ax = new_axes(ax, (6, 0.6 + 0.24 * len(rows)))
    entries = list(rows.values())
    values = [entry["iqm"] for entry in entries]
    spans = _spans([{"row": entry} for entry in entries], "row")
    is_ours = np.array([name in ours for name in rows])
    for chosen, colour in ((~is_ours, MAIN), (is_ours, ACCENT)):
        if chosen.any():
            numbers = np.flatnonzero(chosen)
            style = {"fmt": "o", "ms": 4, "capsize": 2, "lw": 1, "color": colour}
            ax.errorbar(np.array(values)[chosen], numbers, xerr=spans[:, chosen], **style)
    for (name, value), dashes in zip((marks or {}).items(), ("--", ":", "-."), strict=False):
        ax.axvline(value, color=INK, ls=dashes, lw=0.9, label=name)
    if marks:
        ax.legend(fontsize=7, loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=len(marks))
    ax.set_yticks(np.arange(len(rows)), list(rows))
    if not ax.yaxis_inverted():  # a shared axis may be already
        ax.invert_yaxis()
    ax.locator_params(axis="x", nbins=6)
    ax.set(xlabel=label)
    return ax


def plot_distances(rows: dict[str, dict], limit: float, label="", ours=(), ax=None):
    """How far below a limit each method stays, on a logarithmic axis: left is better, the limit itself is left out.

    Parameters
    ----------
    rows : label -> {"iqm", "low", "high"}
    limit : the largest value that can be reached
    """
    below = {}
    for name, row in rows.items():
        if row["iqm"] < limit:
            low, high = (limit - row[key] if row[key] is not None else np.nan for key in ("high", "low"))
            below[name] = {"iqm": limit - row["iqm"], "low": max(low, 1e-4), "high": high}
    ax = plot_spans(below, None, label, ours, ax)
    ax.set(xscale="log")
    return ax


def plot_curves(curves: dict[str, dict[float, dict]], xlabel="", ylabel="", marks=None, ax=None):
    """Spans against a positive number on a logarithmic axis, a line a label; horizontal lines mark reference values.

    Parameters
    ----------
    curves : label -> {x: {"iqm", "low", "high"}}
    marks : name -> value
    """
    ax = new_axes(ax)
    for (name, points), marker in zip(curves.items(), cycle("osv^DPX*"), strict=False):
        spans = _spans([{"row": entry} for entry in points.values()], "row")
        values = [entry["iqm"] for entry in points.values()]
        ax.errorbar(list(points), values, yerr=spans, marker=marker, ms=3.5, capsize=2, lw=1, label=name)
    for (name, value), style in zip((marks or {}).items(), ("--", ":"), strict=False):
        ax.axhline(value, color=INK, ls=style, lw=0.9, label=name)
    ticks = sorted({x for points in curves.values() for x in points})
    ax.set(xscale="log", xlabel=xlabel, ylabel=ylabel)
    ax.set_xticks(ticks, [f"{tick:g}" for tick in ticks])
    ax.xaxis.minorticks_off()
    ax.legend(fontsize=7)
    return ax
