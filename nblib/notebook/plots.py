"""What spectra and attention look like. Every function takes `ax=None`, labels its units and returns the axes."""

import matplotlib.pyplot as plt
import numpy as np
import seaborn as sns
from matplotlib.ticker import MaxNLocator, NullFormatter, ScalarFormatter
from numpy import ndarray

from nblib.style import GREY, INK

FREQUENCY = "Frequency [Hz]"
PSD_LABEL = "PSD [{unit}]"
LEAST_ATTENTION = 1e-3  # of uniform; what is below says nothing more


def new_axes(ax, size=(6, 3)):
    """The axes given, or those of a new figure of a size in inches."""
    return plt.subplots(figsize=size)[1] if ax is None else ax


def shade_noisy(ax, freqs, noisy):
    """Grey bands over noisy bins."""
    ax.fill_between(
        freqs, 0, 1, where=noisy, step="mid", color=GREY, alpha=0.3, lw=0, transform=ax.get_xaxis_transform()
    )


def plot_psd(freqs, psds: dict[str, ndarray], noisy=None, unit="A$^2$/Hz", ax=None):
    """PSDs on log-log axes by label; noisy bins shaded.

    Parameters
    ----------
    psds : label -> (bin,) unit
    noisy : (bin,) bool
    """
    ax = new_axes(ax)
    for label, psd in psds.items():
        measured = "measured" in label
        ax.plot(freqs, psd, label=label, lw=0.5 if measured else 1.3, color=GREY if measured else None)
    if noisy is not None:
        shade_noisy(ax, freqs, noisy)
    ax.set(xscale="log", yscale="log", xlabel=FREQUENCY, ylabel=PSD_LABEL.format(unit=unit))
    if len(psds) > 1:
        ax.legend()
    return ax


def plot_ratio(freqs, ratio, threshold=None, title="", ax=None):
    """External power over background against frequency; the dashed line is the truth's threshold."""
    ax = new_axes(ax)
    ax.plot(freqs, ratio)
    if threshold is not None:
        ax.axhline(threshold, color=INK, ls="--", lw=0.7)
    ax.set(xlabel=FREQUENCY, ylabel="External / background", title=title)
    return ax


def plot_loss_curves(history, floor=None, title="", ax=None):
    """Masked error in training and on validation; the dotted line is the floor trigamma(K)/spread^2."""
    ax = new_axes(ax)
    ax.plot(history["step"], history["mask_loss"], label="training")
    ax.plot(history["step"], history["val_mask_loss"], label="validation")
    if floor is not None:
        ax.axhline(floor, color=INK, ls=":", label="floor")
    ax.set(yscale="log", xlabel="Training step", ylabel="Masked error [standardised$^2$]", title=title)
    ax.yaxis.set_major_locator(MaxNLocator(5, prune="lower"))
    ax.yaxis.set_major_formatter(ScalarFormatter())
    ax.yaxis.set_minor_formatter(NullFormatter())
    ax.legend()
    return ax


def plot_attention_row(freqs, cls_attn, noisy=None, uniform=None, ax=None):
    """CLS attention against frequency: the mean over heads, thin lines for the heads; dotted: uniform attention.

    Parameters
    ----------
    freqs : (token,) Hz, patch centres
    cls_attn : (head, token), each row sums to 1
    noisy : (token,) bool, shaded where True
    uniform : where the dotted line stands; 1 / number of tokens if None
    """
    ax = new_axes(ax)
    if len(cls_attn) > 1:
        for number, row in enumerate(cls_attn):
            ax.plot(freqs, row, lw=0.6, ls="-", alpha=0.6, label=f"head {number}")
    label = "mean over heads" if len(cls_attn) > 1 else None
    ax.plot(freqs, np.mean(cls_attn, axis=0), color=INK, ls="-", lw=1.6, label=label)
    ax.axhline(1 / len(freqs) if uniform is None else uniform, ls=":", color=INK, lw=0.8, label="uniform")
    if noisy is not None:
        shade_noisy(ax, freqs, noisy)
    ax.set(xscale="log", xlabel=FREQUENCY, ylabel="CLS attention")
    if len(cls_attn) > 1:
        ax.legend(fontsize=7)
    return ax


def plot_spectrum_and_attention(freqs, psds, noisy, token_freqs, rows, axes=None, unit="A$^2$/Hz"):
    """A spectrum above and the CLS attention it gets below, on one frequency axis; noisy bins shaded in both.

    Parameters
    ----------
    psds : label -> (bin,) unit
    noisy : (bin,) bool
    token_freqs : (token,) Hz
    rows : label -> (token,) attention over uniform attention
    axes : two axes, the upper and the lower
    """
    if axes is None:
        axes = plt.subplots(2, 1, figsize=(6, 4.5), sharex=True)[1]
    upper, lower = axes
    plot_psd(freqs, psds, noisy, unit, ax=upper)
    for label, row in rows.items():
        lower.plot(token_freqs, row, label=label)
    lower.axhline(1.0, ls=":", color=INK, lw=0.8, label="uniform")
    shade_noisy(lower, freqs, noisy)
    lower.set(xscale="log", yscale="log", xlabel=FREQUENCY, ylabel="CLS attention / uniform")
    low, high = lower.get_ylim()
    lower.set_ylim(max(low, LEAST_ATTENTION), high)
    lower.text(0.02, 0.05, "low = flagged", transform=lower.transAxes, fontsize=8)
    lower.legend(fontsize=7, loc="lower right")
    upper.set(xlabel="")
    return axes


def frequency_ticks(freqs: ndarray, n_ticks: int = 6) -> tuple[ndarray, list[str]]:
    """Round frequencies inside a grid, and where they stand on an axis of cells: (positions, labels)."""
    wanted = MaxNLocator(n_ticks).tick_values(freqs[0], freqs[-1])
    inside = wanted[(wanted > freqs[0]) & (wanted <= freqs[-1] * 1.01)]
    positions = np.interp(inside, freqs, np.arange(len(freqs)) + 0.5)
    return positions, [f"{tick:g}" for tick in inside]


def _heatmap(values, ax, **shown):
    """seaborn's heatmap without ticks. It draws the whole figure, which takes several times as long with a layout."""
    figure = ax.get_figure(root=True)
    engine = figure.get_layout_engine()
    figure.set_layout_engine("none")
    sns.heatmap(values, ax=ax, cmap="gray", rasterized=True, xticklabels=False, yticklabels=False, **shown)
    figure.set_layout_engine(engine)


def plot_heatmap(cls_attn: ndarray, freqs, title="", vmax=3.0, colour_bar=True, n_ticks=6, ax=None):
    """CLS attention over uniform attention: a row per spectrum, frequency to the right (seaborn).

    Parameters
    ----------
    cls_attn : (spectrum, token), rows sum to 1, in the order to be shown
    freqs : (token,) Hz
    """
    ax = new_axes(ax, (6, 4))
    bar = {"label": "attention / uniform"} if colour_bar else None
    _heatmap(cls_attn * cls_attn.shape[1], ax, vmin=0, vmax=vmax, cbar=colour_bar, cbar_kws=bar)
    ax.set_xticks(*frequency_ticks(freqs, n_ticks), rotation=0)
    ax.set(yticks=[], xlabel=FREQUENCY, ylabel="Spectra, by position of the noise", title=title)
    ax.grid(visible=False)
    return ax


def plot_weights(weights: ndarray, freqs: ndarray, title="", ax=None):
    """Full attention of one head, (L+1, L+1): query down, key to the right, CLS first; log colours over uniform.

    Parameters
    ----------
    freqs : (L,) Hz, of the tokens
    """
    ax = new_axes(ax, (4.5, 4))
    size = len(weights)
    floor = np.log10(np.maximum(weights * size, 1e-2))
    _heatmap(floor, ax, vmin=-2, vmax=1.5, cbar_kws={"label": "log10(attention / uniform)"})
    positions, labels = frequency_ticks(freqs, 4)
    for axis in (ax.set_xticks, ax.set_yticks):
        axis([0.5, *(positions + 1)], ["CLS", *labels], rotation=0)
    ax.set(xlabel="Key: token's frequency [Hz]", ylabel="Query: token's frequency [Hz]", title=title, aspect="equal")
    ax.grid(visible=False)
    return ax
