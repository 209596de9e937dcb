"""What a user would pick where the background's form is not known, as methods of the injections: nothing is trained.

Each is a callable (freqs, psd (n, bin), valid (n, bin), n_segments) -> score (n, bin), NaN where a bin is missing.
"""

from collections.abc import Callable
from functools import partial
from itertools import product

import numpy as np
from jaxtyping import Bool, Float
from numpy import ndarray

from nblib.measured.statistic.score import score_spectrum
from nblib.measured.statistic.whitening import Plan
from nblib.scoring.filters import matched_filter, running_median

WINDOWS = (51, 101, 201, 401)  # bins of the running median
NARROW, ALL = (1, 2, 3), (1, 3, 9, 27)  # standard deviations of the filters, bins
WIDTH_SETS = {"1": (1,), "narrow": NARROW, "all": ALL}
CLIP_ROUNDS, CLIP_LIMIT = 6, 3.0  # iterated clipping: rounds, standard deviations
TAIL_FROM = 0.5  # quantile of the bins from which on the tail is taken as exponential
TAIL_TO = 0.85  # quantile beyond which bins may hold lines


def _by_row(score: Callable[[ndarray, ndarray, float], ndarray]) -> Callable:
    """A method from score(freqs, log_psd, K) of one spectrum without gaps."""

    def method(freqs, psd, valid, n_segments):
        scores = np.full(psd.shape, np.nan)
        for row, x, here in zip(scores, psd, valid, strict=True):
            row[here] = score(freqs[here], np.log(x[here]), n_segments)
        return scores

    return method


def _filters_on(background: Callable[[ndarray, ndarray, float], ndarray], widths) -> Callable:
    """Matched filters on the residual of a background(freqs, log_psd, K), as a method."""

    def score(freqs, log_psd, n_segments):
        residual = log_psd - background(freqs, log_psd, n_segments)
        return matched_filter(residual[None], widths, n_segments)[0]

    return _by_row(score)


def _median(log_psd, window, n_segments):
    return running_median(log_psd[None], window, n_segments)[0]


def running_median_filter(window: int, widths) -> Callable:
    """Matched filters on the residual of a running median."""

    return _filters_on(lambda _, log_psd, n_segments: _median(log_psd, window, n_segments), widths)


def calibrated_bank(windows=(101, 401), widths=ALL) -> Callable:
    """Each window and width with an exponential tail of its own, fitted on the spectrum's own bins; the maximum."""

    def score(_, log_psd, n_segments):
        best = np.full(len(log_psd), -np.inf)
        for window, width in product(windows, widths):
            residual = log_psd - _median(log_psd, window, n_segments)
            found = matched_filter(residual[None], (width,), n_segments)[0]
            low, high = np.quantile(found, [TAIL_FROM, TAIL_TO])
            excess = found[(found > low) & (found < high)].mean() - low
            np.maximum(best, (found - low) / max(excess, 1e-9), out=best)
        return best

    return _by_row(score)


def filled(log_psd: Float[ndarray, " bin"], valid: Bool[ndarray, " bin"]) -> Float[ndarray, " bin"]:
    """ln x with missing bins interpolated between their neighbours."""
    return np.interp(np.arange(len(log_psd)), np.flatnonzero(valid), log_psd[valid])


def clipped_mean(
    log_psd: Float[ndarray, " bin"], valid: Bool[ndarray, " bin"], smooth: Callable, spread: Callable
) -> Float[ndarray, " bin"]:
    """Iterated clipping: a smooth mean of ln x over the bins that do not stand out of it, repeated.

    Parameters
    ----------
    smooth : weighted sum of the bins around each bin
    spread : standard deviation of the estimate, from the residual of the bins kept so far
    """
    keep = valid
    for _ in range(CLIP_ROUNDS):
        weight = smooth(keep.astype(float))
        background = filled(smooth(np.where(keep, log_psd, 0.0)) / np.maximum(weight, 1e-9), weight > 1e-6)
        residual = log_psd - background
        keep = valid & (residual < CLIP_LIMIT * spread(residual[keep]))
    return background


def iterated_clipping(window: int, widths) -> Callable:
    """Running mean of ln x over the bins that are not clipped, repeated; matched filters on its residual."""

    def mean(_, log_psd, n_segments):
        everywhere, smooth = np.ones(len(log_psd), dtype=bool), partial(np.convolve, v=np.ones(window), mode="same")
        return clipped_mean(log_psd, everywhere, smooth, lambda _: 1 / np.sqrt(n_segments))

    return _filters_on(mean, widths)


def pybaselines_method(name: str, widths=NARROW) -> Callable:
    """A classification baseline of pybaselines at its defaults on ln x against ln f; matched filters on its residual.

    Raises
    ------
    ValueError when pybaselines is not installed (extra "benchmarks")
    """
    try:
        from pybaselines import Baseline
    except ImportError:
        raise ValueError("pybaselines is not installed; install the extra: pip install nblib[benchmarks]") from None

    return _filters_on(lambda freqs, log_psd, _: getattr(Baseline(x_data=np.log(freqs)), name)(log_psd)[0], widths)


class SharedScores:
    """Scores that come out of one computation on a spectrum: done once, remembered, each of NAMES a method."""

    NAMES: tuple[str, ...] = ()

    def __init__(self) -> None:
        self._found: dict[int, tuple] = {}

    def method(self, name: str) -> Callable:
        """One of NAMES."""
        if name not in self.NAMES:
            raise ValueError(f"unknown score {name!r}; known: {', '.join(self.NAMES)}")
        column = self.NAMES.index(name)

        def method(freqs, psd, valid, n_segments):
            return np.stack(
                [self._scored(freqs, row, here, n_segments)[column] for row, here in zip(psd, valid, strict=True)]
            )

        return method

    def _scored(self, freqs, psd, valid, n_segments):
        key = hash((freqs.tobytes(), psd[valid].tobytes(), valid.tobytes(), n_segments))
        if key not in self._found:
            self._found[key] = tuple(part.astype(np.float32) for part in self._compute(freqs, psd, valid, n_segments))
        return self._found[key]

    def _compute(self, freqs, psd, valid, n_segments):
        """One score (bin,) for each of NAMES."""
        raise NotImplementedError


class DetectorScores(SharedScores):
    """The detector's statistic as methods: "scores" is what flags, "classical scores" leaves the network out.

    Parameters
    ----------
    n_segments_known : False: K is measured on each spectrum
    """

    NAMES = ("scores", "classical scores")

    def __init__(self, n_segments_known: bool = True):
        super().__init__()
        self.known = bool(n_segments_known)

    def _compute(self, freqs, psd, valid, n_segments):
        scored = score_spectrum(psd, Plan.of(freqs, valid), n_segments if self.known else None)
        return scored.scores, scored.white.scores


class SpecparamScores(SharedScores):
    """A power law and peaks fitted by specparam at its defaults (Donoghue et al. 2020, the former FOOOF).

    "peaks" is the height of its peaks over the power law (log10 units), "aperiodic" matched filters on the residual of
    the power law alone.

    Raises
    ------
    ValueError when specparam is not installed (extra "benchmarks")
    """

    NAMES = ("peaks", "aperiodic")

    def __init__(self) -> None:
        super().__init__()
        try:
            from specparam import SpectralModel
        except ImportError:
            raise ValueError("specparam is not installed; install the extra: pip install nblib[benchmarks]") from None
        self._model = SpectralModel

    def _compute(self, freqs, psd, valid, n_segments):
        model = self._model(verbose=False)
        model.fit(freqs[valid], psd[valid])
        power_law = np.log(10) * model.results.model.get_component("aperiodic")
        residual = (np.log(psd[valid]) - power_law)[None]
        found = np.full((2, len(psd)), np.nan)
        found[0, valid] = model.results.model.get_component("peak")
        found[1, valid] = matched_filter(residual, NARROW, n_segments)[0]
        return tuple(found)


def single_settings() -> dict[str, Callable]:
    """Every single classical setting of ours that competes, by name."""
    found = {
        f"running median {window}, {name}": running_median_filter(window, widths)
        for window, (name, widths) in product(WINDOWS, WIDTH_SETS.items())
    }
    return found | {f"clipping {window}, narrow": iterated_clipping(window, NARROW) for window in (101, 401)}


def library_settings() -> dict[str, Callable]:
    """What libraries offer at their defaults, by name.

    Raises
    ------
    ValueError when pybaselines or specparam is not installed (extra "benchmarks")
    """
    specparam = SpecparamScores()
    found = {f"pybaselines {name}": pybaselines_method(name) for name in ("fabc", "dietrich", "std_distribution")}
    return found | {f"specparam {name}": specparam.method(name) for name in SpecparamScores.NAMES}
