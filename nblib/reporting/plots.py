"""What the figures show. Every function takes `ax=None`, labels its units and returns the axes."""

import matplotlib.pyplot as plt
import numpy as np
import seaborn as sns
from numpy import ndarray
from sklearn.metrics import precision_recall_curve, roc_curve

from nblib.spectra.cells import N_INTERVALS

FREQUENCY = "Frequency [Hz]"
PSD_LABEL = "PSD [{unit}]"


def _axes(ax, size=(6, 3)):
    return plt.subplots(figsize=size)[1] if ax is None else ax


def shade_noisy(ax, freqs, noisy):
    """Grey bands over noisy bins."""
    ax.fill_between(
        freqs, 0, 1, where=noisy, step="mid", color="0.5", alpha=0.3, lw=0, transform=ax.get_xaxis_transform()
    )


def plot_psd(freqs, psds: dict[str, ndarray], noisy=None, unit="A$^2$/Hz", ax=None):
    """PSDs on log-log axes by label; noisy bins shaded.

    psds : label -> (bin,) unit
    noisy : (bin,) bool
    """
    ax = _axes(ax)
    for label, psd in psds.items():
        measured = "measured" in label
        ax.plot(freqs, psd, label=label, lw=0.5 if measured else 1.3, color="0.6" if measured else None)
    if noisy is not None:
        shade_noisy(ax, freqs, noisy)
    ax.set(xscale="log", yscale="log", xlabel=FREQUENCY, ylabel=PSD_LABEL.format(unit=unit))
    if len(psds) > 1:
        ax.legend()
    return ax


def plot_ratio(freqs, ratio, threshold=None, title="", ax=None):
    """External power over background against frequency; the dashed line is the truth's threshold."""
    ax = _axes(ax)
    ax.plot(freqs, ratio)
    if threshold is not None:
        ax.axhline(threshold, color="k", ls="--", lw=0.7)
    ax.set(xlabel=FREQUENCY, ylabel="External / background", title=title)
    return ax


def plot_interval_counts(counts: ndarray, ax=None):
    """How many spectra carry each label: counts (31,), first -1 = none, then the 30 intervals."""
    ax = _axes(ax)
    ax.bar(np.arange(-1, N_INTERVALS), counts, color=["#c2410c"] + ["#08306b"] * N_INTERVALS)
    ax.set(xlabel="noise_interval (-1 = no noise)", ylabel="Spectra")
    return ax


def plot_loss_curves(history, floor=None, title="", ax=None):
    """Masked error in training and on validation; the dotted line is the floor trigamma(K)/spread^2."""
    ax = _axes(ax)
    ax.plot(history["step"], history["mask_loss"], label="training")
    ax.plot(history["step"], history["val_mask_loss"], label="validation")
    if floor is not None:
        ax.axhline(floor, color="k", ls=":", label="floor")
    ax.set(yscale="log", xlabel="Step", ylabel="Masked error [standardised$^2$]", title=title)
    ax.legend()
    return ax


def plot_mass(histories: dict, uniform: float, ax=None):
    """Share of CLS attention on noisy tokens during training (from 1e-5 on), by penalty; dotted: spread evenly."""
    ax = _axes(ax)
    for label, history in histories.items():
        ax.plot(history["step"], history["val_noisy_mass"], label=label)
    ax.axhline(uniform, color="k", ls=":", lw=1, label="even attention")
    ax.set(xlabel="Step", ylabel="CLS attention on noisy tokens", yscale="log", ylim=(1e-5, None))
    ax.legend(fontsize=7, loc="center left", bbox_to_anchor=(1.0, 0.5))
    return ax


def plot_attention_row(freqs, cls_attn, noisy=None, uniform=None, ax=None):
    """CLS attention against frequency, a line per head; the dotted line is uniform attention.

    freqs    : (token,) Hz, patch centres
    cls_attn : (head, token), each row sums to 1
    noisy    : (token,) bool, shaded where True
    uniform  : where the dotted line stands; 1 / number of tokens if None
    """
    ax = _axes(ax)
    for number, row in enumerate(cls_attn):
        ax.plot(freqs, row, label=f"head {number}")
    ax.axhline(1 / len(freqs) if uniform is None else uniform, ls=":", color="k", lw=0.8, label="uniform")
    if noisy is not None:
        shade_noisy(ax, freqs, noisy)
    ax.set(xscale="log", xlabel=FREQUENCY, ylabel="CLS attention")
    if len(cls_attn) > 1:
        ax.legend(fontsize=7)
    return ax


def plot_scores(scores: dict[str, float], chance: dict[str, float] | None = None, label="", intervals=None, ax=None):
    """Horizontal bars of one metric by method; dashed lines mark guesses.

    scores : method -> value; chance : guess -> value; intervals : method -> (low, high)
    """
    ax = _axes(ax, (6, 0.5 + 0.3 * len(scores)))
    names = list(scores)
    bounds = None
    if intervals is not None:
        bounds = np.transpose([(scores[n] - intervals[n][0], intervals[n][1] - scores[n]) for n in names]).clip(min=0)
    bars = ax.barh(names, [scores[name] for name in names], xerr=bounds, color="#7aa6c9", ecolor="k", capsize=2)
    ax.bar_label(bars, fmt="%.3f", padding=4, fontsize=7)
    for (name, value), style in zip((chance or {}).items(), ("--", ":", "-."), strict=False):
        ax.axvline(value, color="k", ls=style, lw=0.9, label=name)
    if chance:
        ax.legend(fontsize=7, loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=len(chance))
    if not ax.yaxis_inverted():  # a shared axis may be already
        ax.invert_yaxis()
    ax.grid(axis="y", visible=False)
    ax.set(xlabel=label, xlim=(0, 1.12))
    return ax


def plot_heatmap(cls_attn: ndarray, freqs, title="", vmax=3.0, colour_bar=True, ax=None):
    """CLS attention over uniform attention: a row per spectrum, frequency to the right (seaborn).

    cls_attn : (spectrum, token), rows sum to 1, in the order to be shown; freqs : (token,) Hz
    """
    ax = _axes(ax, (6, 4))
    n_tokens = cls_attn.shape[1]
    sns.heatmap(
        cls_attn * n_tokens,
        ax=ax,
        cmap="gray",
        vmin=0,
        vmax=vmax,
        rasterized=True,
        cbar=colour_bar,
        cbar_kws={"label": "attention / uniform"} if colour_bar else None,
    )
    ticks = np.linspace(0, n_tokens, 7)
    ax.set_xticks(ticks, [f"{freqs[min(int(tick), n_tokens - 1)]:.0f}" for tick in ticks], rotation=0)
    ax.set(yticks=[], xlabel=FREQUENCY, ylabel="Spectra, by position of the noise", title=title)
    ax.grid(visible=False)
    return ax


def plot_weights(weights: ndarray, title="", ax=None):
    """Full attention of one head, (L+1, L+1): query down, key to the right, CLS first; log colours over uniform."""
    ax = _axes(ax, (4.5, 4))
    size = len(weights)
    floor = np.log10(np.maximum(weights * size, 1e-2))
    sns.heatmap(
        floor, ax=ax, cmap="gray", vmin=-2, vmax=1.5, rasterized=True, cbar_kws={"label": "log10(attention / uniform)"}
    )
    ticks = np.linspace(0, size, 6)
    for axis in (ax.set_xticks, ax.set_yticks):
        axis(ticks, [str(int(tick)) for tick in ticks], rotation=0)
    ax.set(xlabel="Key token (0 = CLS)", ylabel="Query token (0 = CLS)", title=title, aspect="equal")
    ax.grid(visible=False)
    return ax


def plot_roc(scores: dict[str, ndarray], truth: ndarray, ax=None):
    """ROC per cell by method, on a logarithmic false-alarm axis where the methods differ."""
    ax = _axes(ax, (4, 3.5))
    for name, values in scores.items():
        false_alarms, hits, _ = roc_curve(truth.ravel(), values.ravel())
        ax.plot(np.maximum(false_alarms, 1e-5), hits, label=name)
    line = np.logspace(-4, 0)
    ax.plot(line, line, color="k", ls=":", lw=0.8, label="chance")
    ax.set(xscale="log", xlim=(1e-4, 1), ylim=(0, 1.02), xlabel="False-alarm rate per cell", ylabel="Detection rate")
    ax.legend(fontsize=7)
    return ax


def plot_precision_recall(scores: dict[str, ndarray], truth: ndarray, ax=None):
    """Precision against recall per cell by method; dotted: the prevalence."""
    ax = _axes(ax, (4, 3.5))
    for name, values in scores.items():
        precision, recall, _ = precision_recall_curve(truth.ravel(), values.ravel())
        ax.plot(recall, precision, label=name)
    ax.axhline(truth.mean(), color="k", ls=":", lw=0.8, label="chance (prevalence)")
    ax.set(xlim=(0, 1), ylim=(0, 1.02), xlabel="Recall", ylabel="Precision")
    ax.legend(fontsize=7)
    return ax


def plot_front(lines: dict, none: dict, others: dict, reg_weights, ax=None):
    """Detection against masked error: a line a penalty with lambda growing along it, single points for other choices.

    lines : penalty -> entries in order of reg_weights; none, others' values : one entry each. An entry holds "ap" and
        "masked", each {"iqm", "low", "high"}
    """
    ax = _axes(ax, (7, 4))
    for (name, entries), marker in zip(lines.items(), "osv^DP", strict=False):
        x, y = ([entry[key]["iqm"] for entry in entries] for key in ("masked", "ap"))
        ax.errorbar(x, y, _spans(entries, "ap"), _spans(entries, "masked"), marker=marker, capsize=2, lw=1, label=name)
        for weight, *place in zip(reg_weights, x, y, strict=True):
            ax.annotate(f"{weight:g}", place, xytext=(4, 4), textcoords="offset points", fontsize=7)
    for (name, entry), marker in zip(({"none": none} | others).items(), "x+*1234h<>", strict=False):
        ax.scatter(entry["masked"]["iqm"], entry["ap"]["iqm"], marker=marker, color="k", s=40, label=name)
    ax.set(xlabel="Masked error against the background [ln]", ylabel="Average precision by attention", ylim=(0, 1))
    ax.legend(fontsize=7, ncols=2, loc="center left", bbox_to_anchor=(1.0, 0.5))
    return ax


def _spans(entries, key):
    """Distances of intervals from their middle, (2, n), for errorbar; 0 where there is no interval."""
    found = [[entry[key][bound] for bound in ("low", "iqm", "high")] for entry in entries]
    return np.nan_to_num(np.abs(np.diff(np.array(found, dtype=np.float64), axis=1)).T)  # JSON says None for NaN


def plot_gradients(shares: ndarray, pushes: dict[str, ndarray], even: float, ax=None):
    """Push of penalties, the sum over noisy tokens of |dR / d logit|, against the attention on them; dotted: even."""
    ax = _axes(ax)
    for name, push in pushes.items():
        ax.plot(shares, push, label=name)
    ax.axvline(even, color="k", ls=":", lw=0.8, label="even attention")
    ax.set(xscale="log", yscale="log", xlabel="CLS attention on noisy tokens", ylabel="Push on their logits")
    ax.set(ylim=(1e-6, 3))
    ax.legend(fontsize=7, loc="center left", bbox_to_anchor=(1.0, 0.5))
    return ax


def plot_spans(rows: dict[str, dict], marks: dict[str, float] | None = None, label="", ax=None):
    """Points with intervals by label, the first on top; vertical lines mark reference values.

    rows : label -> {"iqm", "low", "high"}, NaN or None where there is no interval; marks : name -> value
    """
    ax = _axes(ax, (6, 0.6 + 0.24 * len(rows)))
    entries = list(rows.values())
    values = [entry["iqm"] for entry in entries]
    spans = _spans([{"row": entry} for entry in entries], "row")
    ax.errorbar(values, np.arange(len(rows)), xerr=spans, fmt="o", ms=4, capsize=2, lw=1)
    for (name, value), style in zip((marks or {}).items(), ("--", ":", "-."), strict=False):
        ax.axvline(value, color="k", ls=style, lw=0.9, label=name)
    if marks:
        ax.legend(fontsize=7, loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=len(marks))
    ax.set_yticks(np.arange(len(rows)), list(rows))
    if not ax.yaxis_inverted():  # a shared axis may be already
        ax.invert_yaxis()
    ax.set(xlabel=label)
    return ax


def plot_curves(curves: dict[str, dict[float, dict]], xlabel="", ylabel="", marks=None, ax=None):
    """Spans against a positive number on a logarithmic axis, a line a label; horizontal lines mark reference values.

    curves : label -> {x: {"iqm", "low", "high"}}; marks : name -> value
    """
    ax = _axes(ax)
    for (name, points), marker in zip(curves.items(), "osv^DPX*", strict=False):
        spans = _spans([{"row": entry} for entry in points.values()], "row")
        values = [entry["iqm"] for entry in points.values()]
        ax.errorbar(list(points), values, yerr=spans, marker=marker, ms=3.5, capsize=2, lw=1, label=name)
    for (name, value), style in zip((marks or {}).items(), ("--", ":"), strict=False):
        ax.axhline(value, color="k", ls=style, lw=0.9, label=name)
    ticks = sorted({x for points in curves.values() for x in points})
    ax.set(xscale="log", xlabel=xlabel, ylabel=ylabel)
    ax.set_xticks(ticks, [f"{tick:g}" for tick in ticks])
    ax.xaxis.minorticks_off()
    ax.legend(fontsize=7)
    return ax


def plot_shares(rows: dict[str, dict[str, float]], label="", ax=None):
    """A number for every pair as a table in grey (seaborn): rows down, their keys to the right."""
    columns = list(next(iter(rows.values())))
    ax = _axes(ax, (1.4 + 1.1 * len(columns), 0.8 + 0.32 * len(rows)))
    values = np.array([[row[column] for column in columns] for row in rows.values()])
    names = [column.replace("_", " ") for column in columns]
    style = {"cmap": "Greys", "vmin": 0, "vmax": 1.4, "annot": True, "fmt": ".2f", "linewidths": 0.5}
    sns.heatmap(values, ax=ax, xticklabels=names, yticklabels=list(rows), cbar_kws={"label": label}, **style)
    ax.tick_params(labelsize=7, rotation=0)
    ax.grid(visible=False)
    return ax
