"""What one flag does to the fit: corners and model with its bins left out and with them, for the explorer of flags."""

import base64
import io
from collections.abc import Sequence
from functools import cache
from textwrap import shorten
from weakref import WeakKeyDictionary

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from nblib.measured.editing import EditedDetection, edited
from nblib.measured.figure import readable_unit
from nblib.measured.flags import Flag
from nblib.measured.result import Detection
from nblib.style import ACCENT, GREY, INK, MAIN, PAIR
from nblib.workbench.dropped import kept_bins
from nblib.workbench.fit import fit_detection, refitted
from nblib.workbench.result import Fit

REMEMBERED = 20  # fits of one spectrum
ROWS = ("with this flag", "without it")  # its bins left out; its bins fitted
LOOKS = ((MAIN, "-"), (ACCENT, "--"))  # of both rows
LONGEST = 80  # letters of a title
POINTS = 600  # of a model curve
BESIDE = 5.0  # times: how far the axis of the corners reaches beyond that of the spectrum


class FlagView:
    """A view of `nblib.measured.explorer.explore`: the fit with and without the chosen flag, side by side.

    The first fit of a spectrum measures its K and the dependence of its bins; after that a flag that is put aside or
    back costs the fit of the bins kept alone, and one that was seen before nothing.
    """

    def __init__(self):
        self._first: WeakKeyDictionary[EditedDetection, Fit] = WeakKeyDictionary()
        self._known: WeakKeyDictionary[EditedDetection, dict[bytes, Fit]] = WeakKeyDictionary()

    def __call__(self, spectrum: EditedDetection, flag: Flag | None) -> dict[str, str] | None:
        """A picture and a text of both fits; the reason where there is none; None where no flag is chosen."""
        if flag is None:
            return None
        try:
            fits = self.fits(spectrum, flag)
        except ValueError as error:
            return {"text/plain": f"no fit with and without {_name(flag)}: {error}"}
        text = "\n".join(f"{row}: {_verdict(fit)}" for row, fit in zip(ROWS, fits, strict=True))
        picture = base64.b64encode(_png(fits, flag, flag in spectrum.left_out)).decode("ascii")
        return {"image/png": picture, "text/plain": f"{_name(flag)}\n{text}"}

    def fits(self, spectrum: EditedDetection, flag: Flag) -> tuple[Fit, Fit]:
        """The fit with the bins of a flag left out and that with them, all other flags as they stand.

        Parameters
        ----------
        flag : of spectrum.detection.flags, or one that was removed, of spectrum.left_out

        Raises
        ------
        ValueError where too few bins are left for a fit
        """
        detection = spectrum.detection
        others = [one for one in detection.flags if one != flag]
        return self._fit(spectrum, edited(detection, [*others, flag])), self._fit(spectrum, edited(detection, others))

    def _fit(self, spectrum: EditedDetection, detection: Detection) -> Fit:
        if spectrum not in self._first:
            self._first[spectrum] = fit_detection(detection, unit=spectrum.measured.unit)
        first, known = self._first[spectrum], self._known.setdefault(spectrum, {})
        # bins of the fit: those above 0 Hz, by frequency
        keep = kept_bins(detection)[detection.freqs > 0]
        key = keep.tobytes()
        if key not in known:
            known[key] = refitted(first, keep)
            for old in list(known)[:-REMEMBERED]:
                del known[old]
        return known[key]


def _name(flag: Flag) -> str:
    return f"{flag.fmin:.6g}..{flag.fmax:.6g} Hz, {flag.cause or flag.kind}"


def _verdict(fit: Fit) -> str:
    """Corners with intervals, and whether the model describes the bins, in one line."""
    corners = ", ".join(f"{one.value:.4g} Hz [{one.low:.4g}, {one.high:.4g}]" for one in fit.corners) or "no corner"
    return f"{corners}; {'described' if fit.described else 'NOT DESCRIBED'} (p = {fit.kept.probability:.2g})"


@cache
def _axes():
    """One figure for all pictures: finding its layout would take longer than all the rest."""
    figure = Figure(figsize=PAIR, dpi=90, layout="none")
    FigureCanvasAgg(figure)
    figure.subplots_adjust(0.08, 0.15, 0.99, 0.9, wspace=0.05)
    return figure.subplots(1, 2, width_ratios=(4, 3))


def _png(fits: Sequence[Fit], flag: Flag, is_removed: bool) -> bytes:
    """The spectrum with both models, and beside it the corners with their intervals, as a PNG file."""
    left, right = _axes()
    for ax in (left, right):
        ax.clear()
    _draw_models(left, fits, flag)
    _draw_corners(right, fits, is_removed)
    for ax in (left, right):
        ax.minorticks_off()  # they would take half of the time
    stream = io.BytesIO()
    left.figure.canvas.print_png(stream, pil_kwargs={"compress_level": 1})
    return stream.getvalue()


def _draw_models(ax, fits, flag):
    first = fits[0]
    ax.plot(first.freqs, first.psd, ls="-", lw=0.6, color=GREY)
    away = np.isfinite(first.psd) & ~first.keep
    ax.plot(first.freqs[away], first.psd[away], ".", ms=2.5, color=INK, label="left out with this flag")
    shown = np.unique(np.linspace(0, len(first.freqs) - 1, POINTS).astype(int))
    shown = np.union1d(shown, np.searchsorted(first.freqs, np.geomspace(*first.span, POINTS)[:-1]))
    for fit, row, (colour, style) in zip(fits, ROWS, LOOKS, strict=True):
        ax.plot(fit.freqs[shown], (fit.kept.psd + fit.floor)[shown], ls=style, lw=1.5, color=colour, label=row)
    ax.axvspan(flag.fmin, flag.fmax, color=ACCENT, alpha=0.15, lw=0)
    levels = first.psd[np.isfinite(first.psd)]
    ax.set(xscale="log", yscale="log", ylim=(levels.min() / 2, levels.max() * 2), xlabel="Frequency [Hz]")
    ax.set_ylabel(f"PSD [{readable_unit(first.unit)}]")
    ax.set_title(shorten(f"the fit with and without {_name(flag)}", LONGEST), loc="left", fontsize=8, y=1.0)
    ax.legend(fontsize=8, frameon=False)


def _draw_corners(ax, fits, is_removed):
    now = ROWS[1 if is_removed else 0]
    low, high = fits[0].span
    for place, (fit, row, (colour, _)) in enumerate(zip(fits, ROWS, LOOKS, strict=True)):
        for one in fit.corners:
            ends = [max(one.low, low / BESIDE), min(one.high, high * BESIDE)]
            ax.plot(ends, [-place, -place], lw=2, ls="-", color=colour)
            ax.plot(one.value, -place, "o" if fit.described else "x", ms=6, color=colour)
            text, below = f"{one.value:.4g} Hz\n[{one.low:.4g}, {one.high:.4g}]", (0, -24)
            ax.annotate(text, (one.value, -place), below, textcoords="offset points", ha="center", fontsize=8)
        verdict = "described" if fit.described else "NOT described"
        text = f"{row}{' (now)' if row == now else ''}: {verdict}, p = {fit.kept.probability:.2g}"
        text += "" if fit.corners else "; no corner"
        ax.annotate(text, (0.02, 0.25 - place), xycoords=("axes fraction", "data"), fontsize=8, color=colour)
    ax.set(
        xscale="log", xlim=(low / BESIDE, high * BESIDE), ylim=(-1.6, 0.5), yticks=[], xlabel="Corner frequency [Hz]"
    )
    ax.set_title(f"corners with {fits[0].level:.0%} intervals", loc="left", fontsize=8, y=1.0)
    ax.grid(visible=False)
