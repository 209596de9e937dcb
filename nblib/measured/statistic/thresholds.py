"""False alarms per spectrum: thresholds of the detector's statistic from line-free draws, by the rank rule.

The statistic is a scale-invariant -ln p. Its largest value in a line-free spectrum depends on the number of
bins (by its logarithm), K, the estimator's correlation, whether K is known - and on the background, which no smooth
curve follows everywhere. So the draws have the backgrounds and grids of the `wide` world, not flat ones: the rate holds
on average over such backgrounds. What follows no curve is mostly broad, so narrow and broad filters have thresholds of
their own, each for half of the false alarms: lines need not pay for humps. Draws are made for each class once, kept,
and the usual classes come with the package.
"""

import json
import logging
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, partial
from importlib.resources import files
from itertools import product
from pathlib import Path

import numpy as np
from jaxtyping import Float
from numpy import ndarray

from nblib.measured.statistic.network import FEWEST_BINS, weights_key
from nblib.measured.statistic.score import Scored, score_spectrum
from nblib.measured.statistic.whitening import GROUPS, Plan
from nblib.project.paths import locked, runs_dir
from nblib.project.records import kept_array, read_json, write_json
from nblib.project.registry import refuse_if

LOG = logging.getLogger(__name__)
RATES = (0.5, 0.2, 0.1, 0.05, 0.02, 0.01, 0.005)  # false alarms per spectrum that a class keeps thresholds for
BINS = (100, 400, 1500, 6000)  # of the grids that are drawn; between them interpolated in ln n, beyond by ln(n / end)
SEGMENTS = (4, 16, 100)  # K that are drawn; between them interpolated in ln K, beyond as at the end
N_DRAWS = 1000  # line-free spectra drawn on demand; rank k = ceil((n + 1)(1 - rate)). The tail is heavy
SHIPPED, SHIPPED_DRAWS = "thresholds.json", 5000
ENDS = (0.1, 0.9)  # quantiles of K over the bins: where bands were averaged, lines alarm at low K, ripple at high K
LOG_RATES = np.log(RATES)
STATISTICS = ("classical", "combined")  # without and with the network's evidence
CLASSES = tuple(product((True, False), STATISTICS))  # is K known, statistic
PART = 20  # draws that are kept together
DRAW_SEED = 4000  # of the world that is drawn; no training and no test has it
VERSION = 12  # of the statistic: a change of the filters or the background makes old thresholds void


def rank_threshold(maxima: Float[ndarray, " draw"], rate: float) -> float:
    """Threshold that a line-free spectrum exceeds with at most probability `rate`: the k-th smallest maximum.

    k = ceil((n + 1)(1 - rate)) of n draws (split conformal rank; exact for exchangeable draws).

    Raises
    ------
    ValueError when n is too small for the rate
    """
    n_draws = len(maxima)
    rank = int(np.ceil((n_draws + 1) * (1 - rate)))
    refuse_if(
        not 0 < rate < 1 or rank > n_draws,
        f"rate={rate} with {n_draws} draws: give a rate in (0, 1) and at least 1/rate - 1 draws",
    )
    return float(np.sort(maxima)[rank - 1])


@dataclass(frozen=True)
class Thresholds:
    """Thresholds of one class and group of filters at falling rates, for a spectrum of `bins` bins.

    Attributes
    ----------
    levels : -ln p by rate, rising as RATES fall
    bins : number of bins that the levels hold for; others shift them by ln(n / bins)
    """

    levels: tuple[float, ...]
    bins: int

    def threshold(self, rate: float, n_bins: int) -> float:
        """Score that a line-free spectrum of n_bins bins exceeds with probability `rate`.

        Between the drawn rates ln(rate) is interpolated; beyond them it goes on as the last three do.

        Raises
        ------
        ValueError for a rate outside (0, 0.5]
        """
        refuse_if(
            not 0 < rate <= RATES[0],
            f"false_alarm={rate} must lie in (0, {RATES[0]}]: expected false alarms per spectrum",
        )
        shift = np.log(n_bins / self.bins)
        if rate >= RATES[-1]:
            return float(np.interp(-np.log(rate), -LOG_RATES, self.levels)) + shift
        return self.levels[-1] + self._slope() * np.log(RATES[-1] / rate) + shift

    def _slope(self):
        return max(1.0, (self.levels[-1] - self.levels[-3]) / np.log(RATES[-3] / RATES[-1]))

    def probability(self, scores: ndarray, n_bins: int) -> ndarray:
        """Probability that a line-free spectrum has a score this high anywhere; 1 where the draws cannot tell."""
        scores = np.asarray(scores, dtype=np.float64) - np.log(n_bins / self.bins)
        inside = np.exp(np.interp(scores, self.levels, LOG_RATES, left=0.0))
        beyond = np.exp(LOG_RATES[-1] - (np.maximum(scores, self.levels[-1]) - self.levels[-1]) / self._slope())
        chance = np.where(scores > self.levels[-1], beyond, inside)
        return np.where(np.isnan(scores), np.nan, chance)


@dataclass(frozen=True)
class Limits:
    """Thresholds of the groups of filters of one class; each is asked for half of the false alarms."""

    narrow: Thresholds
    broad: Thresholds

    def scores(self, by_group: Float[ndarray, "2 bin"], rate: float, n_bins: int) -> tuple[ndarray, float]:
        """Both groups on the narrow one's scale, (bin,), and the threshold that a share `rate` of spectra exceeds."""
        narrow, broad = (group.threshold(rate / 2, n_bins) for group in (self.narrow, self.broad))
        return np.maximum(by_group[0], by_group[1] - broad + narrow), narrow

    def probability(self, by_group: Float[ndarray, "2 bin"], n_bins: int) -> Float[ndarray, " bin"]:
        """Probability that a line-free spectrum has a score this rare anywhere, at most 1."""
        pairs = zip((self.narrow, self.broad), by_group, strict=True)
        return np.minimum(1.0, 2 * np.min([group.probability(row, n_bins) for group, row in pairs], axis=0))


def class_name(bins: int, n_segments: int, estimator: str, known: bool, statistic: str) -> str:
    """Key of a class in the files of thresholds."""
    return f"{bins} bins, K {n_segments} {'known' if known else 'estimated'}, {estimator}, {statistic}, v{VERSION}"


def draw_maxima(
    bins: int,
    n_segments: int,
    estimator: str,
    n_draws: int = N_DRAWS,
    progress: Callable[[float], None] | None = None,
    weights: dict[str, ndarray] | None = None,
    kept: Path | None = None,
) -> dict[tuple[bool, str], Float[ndarray, "draw 2"]]:
    """Largest score of each group of filters in each of n_draws line-free spectra, by (is K known, statistic).

    All come from the same spectra; "combined" is absent where the network is not asked about most of them.

    Parameters
    ----------
    progress : called with the share done after each part
    kept : folder that parts of PART draws are kept in, so that draws that were cut off go on
    """
    from nblib.measured.line_free.world import WideWorld  # not needed where the shipped thresholds do

    world = WideWorld(
        DRAW_SEED, "train", n_bins=bins, none_share=1.0, estimator=estimator, n_segments=n_segments, gaps=False
    )
    parts = []
    for first in range(0, n_draws, PART):
        last = min(first + PART, n_draws)
        draw = partial(_maxima, world, range(first, last), weights)
        parts.append(draw() if kept is None else kept_array(kept / f"{first}-{last}.npz", draw))
        if progress:
            progress(last / n_draws)
    columns = np.concatenate(parts).swapaxes(0, 1)  # (class, draw, group)
    asked = {which: rows[~np.isnan(rows).all(axis=1)] for which, rows in zip(CLASSES, columns, strict=True)}
    return {which: rows for which, rows in asked.items() if 2 * len(rows) > n_draws}


def _maxima(world, draws, weights):
    """Of some draws: (draw, class, group), NaN where the network is not asked."""
    largest = np.full((len(draws), len(CLASSES), len(GROUPS)), np.nan)
    for row, draw in zip(largest, draws, strict=True):
        spectrum = world[draw]
        plan = Plan.of(spectrum.freqs, spectrum.valid)
        for place in (0, 2):
            segments = spectrum.n_segments if CLASSES[place][0] else None
            row[place : place + 2] = largest_scores(score_spectrum(spectrum.psd, plan, segments, weights=weights))
    return largest


def largest_scores(scored: Scored) -> Float[ndarray, "statistic group"]:
    """Largest score of each group of filters, by STATISTICS; NaN where the network was not asked."""
    largest = np.full((len(STATISTICS), len(GROUPS)), np.nan)
    largest[0] = np.nanmax(scored.white.by_group, axis=1)
    if scored.combined:
        largest[1] = np.nanmax(scored.by_group, axis=1)
    return largest


def levels_of(maxima: Float[ndarray, "draw 2"]) -> dict[str, list[float]]:
    """Thresholds at RATES by group of filters."""
    return {
        group: [round(rank_threshold(column, rate), 3) for rate in RATES]
        for group, column in zip(GROUPS, maxima.T, strict=True)
    }


@cache
def _shipped():
    path = files("nblib.measured.statistic") / SHIPPED
    return json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}


def thresholds_for(
    n_bins: int,
    n_segments: float,
    correlated: bool,
    known: bool,
    statistic: str = "classical",
    progress: Callable[[float], None] | None = None,
    n_draws: int = N_DRAWS,
    weights: dict[str, ndarray] | None = None,
) -> Limits:
    """Thresholds between the classes that a spectrum lies among: shipped, kept from an earlier call, or drawn now.

    What the network adds depends on its weights: for custom weights, thresholds are simulated, and for the nearest
    class only.

    Parameters
    ----------
    n_segments : K, typical
    correlated : do neighbouring bins correlate as Hann's do
    known : was K given
    statistic : one of STATISTICS
    """
    sizes = [size for size in BINS if statistic == "classical" or size >= FEWEST_BINS]
    corners = _corners(n_bins, n_segments, sizes)
    own = statistic != "classical" and weights is not None
    if own:
        nearest = max(corners, key=lambda corner: corners[corner])
        corners, bins = {nearest: 1.0}, nearest[0]
    else:
        bins = int(np.clip(n_bins, sizes[0], sizes[-1]))
    levels = np.zeros((len(GROUPS), len(RATES)))
    for (size, segments), share in corners.items():
        settings = (size, segments, "welch_hann" if correlated else "welch")
        names = [class_name(*settings, which, statistic) for which in sorted({known, False})]
        classes = {} if own else _shipped()
        if not classes.keys() >= set(names):
            classes = drawn_classes(settings, progress, n_draws, weights if own else None)
        rows = [[classes[name][group] for group in GROUPS] for name in names]
        levels += share * np.min(rows, axis=0)  # a K that is known makes no threshold stricter
    return Limits(*(Thresholds(tuple(row.tolist()), bins) for row in levels))


def limits_of(
    scored: Scored,
    statistic: str = "",
    progress: Callable[[float], None] | None = None,
    weights: dict[str, ndarray] | None = None,
) -> Limits:
    """Thresholds of one spectrum: for each group of filters the stricter of those at either end of its K.

    Bins that were averaged into bands have ten times the K of the others or more. Chance is mistaken for a line most
    often at low K, the background's own ripple for a hump at high K.

    Parameters
    ----------
    statistic : one of STATISTICS; "": what the spectrum is flagged by
    progress, weights : as in thresholds_for
    """
    judged = scored.judged
    settings = (judged.correlation[0] > 0, not judged.estimated, statistic or STATISTICS[scored.combined], progress)
    ends = np.unique(np.nanquantile(judged.n_segments, ENDS))
    limits = [thresholds_for(scored.n_judged, float(end), *settings, weights=weights) for end in ends]
    levels = np.max([[group.levels for group in (one.narrow, one.broad)] for one in limits], axis=0)
    return Limits(*(Thresholds(tuple(row.tolist()), limits[0].narrow.bins) for row in levels))


def _corners(n_bins, n_segments, sizes):
    """Classes (bins, K) around a spectrum and their shares, linear in ln n and in ln K: at most four."""
    axes = [_neighbours(n_bins, sizes), _neighbours(max(n_segments, 1e-3), SEGMENTS)]
    return {(size, segments): one * other for size, one in axes[0] for segments, other in axes[1]}


def _neighbours(value, grid):
    """The grid's numbers on both sides and their shares, linear in the logarithm; the end alone beyond it."""
    place = float(np.interp(np.log(value), np.log(grid), np.arange(len(grid))))
    low = int(place)
    pairs = [(grid[low], 1 - (place - low)), (grid[min(low + 1, len(grid) - 1)], place - low)]
    return [(number, share) for number, share in pairs if share > 0]


def drawn_classes(
    settings: tuple[int, int, str],
    progress: Callable[[float], None] | None = None,
    n_draws: int = N_DRAWS,
    weights: dict[str, ndarray] | None = None,
) -> dict[str, dict]:
    """Thresholds at RATES of the classes of (bins, K, estimator), and how many draws, by class_name; drawn once."""
    network = "" if weights is None else f", {weights_key(weights)}"
    name = f"{settings[0]} bins, K {settings[1]}, {settings[2]}, v{VERSION}, {n_draws}{network}"
    folder = runs_dir("thresholds", name)
    path = folder / "levels.json"
    with locked(folder):
        if not path.exists():
            LOG.info("drawing thresholds of %s, once; kept in %s", name, folder)
            maxima = draw_maxima(*settings, n_draws=n_draws, progress=progress, weights=weights, kept=folder)
            classes = {
                class_name(*settings, *which): levels_of(values) | {"draws": len(values)}
                for which, values in maxima.items()
            }
            write_json(path, classes)
    return read_json(path)
