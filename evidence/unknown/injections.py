"""Injections into measured spectra: lines of known place, width and height on backgrounds that nobody simulated.

A measured spectrum x is multiplied by 1 + r, r a Gaussian line. A method is a callable
`(freqs, psd (n, bin), valid (n, bin), n_segments) -> score (n, bin)`, higher where noise is more likely and NaN where a
bin is missing. Every method flags the same share of the quiet cells of the spectrum without the injection; what counts
is the share of the line's cells that it flags.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Bool, Float
from numpy import ndarray

from nblib.cells import NOISY_RATIO, WIDE_CELL, cell_labels, cell_scores
from nblib.project.paths import real_data_dir
from nblib.project.refusal import refuse_if
from nblib.smoothing import rolling_median

WIDTHS = (1.0, 5.0, 20.0, 60.0)  # standard deviation of the line, bins
HEIGHTS = (0.5, 1.0, 2.0)  # times the local background
AREAS = (0.01, 0.05)  # share of the quiet cells of the spectrum as measured that a method may flag
SCREEN = 0.95  # a place is used where no method's score is above this quantile of its own quiet cells
VISIBLE, VISIBLE_WINDOW = 8.0, 101  # a bin that any eye calls a line
LIGO_FILE, PATCH_FILE = "ligo_o1_h1_psd_1hz.npz", "patchclamp_60hz_psd_1hz.npz"
LIGO_SEGMENTS = 63

Method = Callable[[ndarray, ndarray, ndarray, float | None], ndarray]


@dataclass(frozen=True)
class Stretch:
    """One measured spectrum.

    Attributes
    ----------
    freqs, psd : (bin,) Hz and unit^2/Hz
    valid : (bin,) False where there is no measurement
    n_segments : K averaged segments
    listed : (bin,) bins of identified lines: no injection there, and their cells are not quiet
    ignored : (bin,) bins that nobody knows to be clean or not: left out of every score and of the truth
    unit : of psd
    """

    name: str
    freqs: Float[ndarray, " bin"]
    psd: Float[ndarray, " bin"]
    valid: Bool[ndarray, " bin"]
    n_segments: float
    listed: Bool[ndarray, " bin"]
    ignored: Bool[ndarray, " bin"] | None = None
    unit: str | None = None

    @property
    def counted(self) -> Bool[ndarray, " bin"]:
        """Measured bins that are not ignored."""
        return self.valid if self.ignored is None else self.valid & ~self.ignored


def real_stretches(folder: Path | None = None) -> list[Stretch]:
    """Three stretches of LIGO Hanford and one patch clamp: the files of a folder, of $NBLIB_REAL_DATA if None.

    Raises
    ------
    ValueError when the variable is not set, or a file is not there
    """
    folder = Path(folder or real_data_dir())
    for name in (LIGO_FILE, PATCH_FILE):
        refuse_if(
            not (folder / name).is_file(), f"{folder} has no {name}; injections need both {LIGO_FILE} and {PATCH_FILE}"
        )
    with np.load(folder / LIGO_FILE) as ligo:
        freqs, listed, ignored = (ligo[name] for name in ("freq", "known_line", "unknown_comb"))
        found = [
            Stretch(f"H1 {name[15:25]}", freqs, psd, valid, LIGO_SEGMENTS, listed, ignored, "strain^2/Hz")
            for name, psd, valid in zip(ligo["name"], ligo["psd"], ligo["valid"], strict=True)
        ]
    with np.load(folder / PATCH_FILE) as patch:
        freqs, psd, listed, averages = (patch[name] for name in ("freq", "psd_mean", "mains_mask", "n_avg"))
    everywhere = np.ones(len(freqs), dtype=bool)
    return [*found, Stretch("patch clamp", freqs, psd, everywhere, float(averages), listed, None, "pA^2/Hz")]


def given_stretches() -> list[Stretch]:
    """The measured spectra of $NBLIB_REAL_DATA; none where it is not set, or holds others."""
    try:
        return real_stretches()
    except ValueError:
        return []


def visible_lines(stretch: Stretch) -> Bool[ndarray, " bin"]:
    """Bins that stand VISIBLE standard deviations (1/sqrt(K)) above the median of the 101 bins around them."""
    index = np.flatnonzero(stretch.valid)
    median = rolling_median(stretch.psd[index], VISIBLE_WINDOW)
    found = np.zeros(len(stretch.valid), dtype=bool)
    found[index] = (stretch.psd[index] / median - 1) * np.sqrt(stretch.n_segments) > VISIBLE
    return found


@dataclass(frozen=True)
class Places:
    """Injections of one stretch and one width: ratio at unit height (place, bin), truth cells by height."""

    width: float
    centres: ndarray  # (place,) bins
    shapes: Float[ndarray, "place bin"]


def reach(width: float, height: float = max(HEIGHTS)) -> int:
    """Bins on either side of the centre where a Gaussian line is above NOISY_RATIO."""
    return int(np.floor(width * np.sqrt(2 * np.log(height / NOISY_RATIO))))


class Benchmark:
    """Places in measured spectra, the same for all methods, and what each method finds there.

    Parameters
    ----------
    stretches : measured spectra
    n_places : injections a stretch and width, fewer where there is no room
    seed : of the places
    guard : cells beside a listed line that are not quiet either (leakage and skirts reach there)
    skip_visible : leave cells with a visible line that nobody listed out of the quiet ones too: such lines are no false
        alarms, and at 1 % of a hundred cells a single one would set every method's threshold
    """

    def __init__(
        self, stretches: list[Stretch], n_places: int = 30, seed: int = 0, guard: int = 1, skip_visible: bool = True
    ):
        self.stretches, self.n_places, self.seed = list(stretches), int(n_places), int(seed)
        self.guard, self.skip_visible = int(guard), bool(skip_visible)

    def _scored(self, method, stretch, psd):
        valid = np.broadcast_to(stretch.valid, psd.shape)
        scores = np.array(method(stretch.freqs, psd, valid, stretch.n_segments), dtype=np.float64)
        refuse_if(
            scores.shape != psd.shape,
            f"the method returned scores {scores.shape} for spectra {psd.shape}; one score a bin",
        )
        scores[:, ~stretch.counted] = np.nan
        return cell_scores(scores, WIDE_CELL)

    def quiet_cells(self, stretch: Stretch) -> Bool[ndarray, " cell"]:
        """Cells with a measured bin, and no line in them or in a cell beside them."""
        lines = stretch.listed | visible_lines(stretch) if self.skip_visible else stretch.listed
        listed = np.pad(cell_labels(lines, WIDE_CELL), self.guard)
        near = np.stack([listed[k : len(listed) - 2 * self.guard + k] for k in range(2 * self.guard + 1)]).any(axis=0)
        return cell_labels(stretch.counted, WIDE_CELL) & ~near

    def quiet_scores(self, method: Method, stretch: Stretch) -> Float[ndarray, " cell"]:
        """The method's scores on the spectrum as measured; NaN in cells that are not quiet."""
        scores = self._scored(method, stretch, stretch.psd[None])[0]
        return np.where(self.quiet_cells(stretch), scores, np.nan)

    def places(self, stretch: Stretch, screens: list[Method]) -> list[Places]:
        """Where lines are put: nothing listed and no screening method above its own 95 % point within the reach.

        Parameters
        ----------
        screens : methods; the reach is that of the highest line
        """
        taken = stretch.listed | ~stretch.valid
        for method in screens:
            scores = self.quiet_scores(method, stretch)
            high = scores > np.nanquantile(scores, SCREEN)
            taken = taken | np.repeat(high, WIDE_CELL)[: len(taken)]
        index = np.arange(len(taken))
        found = []
        for number, width in enumerate(WIDTHS):
            half = reach(width)
            blocked = np.concatenate([[0], np.cumsum(taken)])
            low, high = index - half, index + half + 1
            inside = (low >= 0) & (high <= len(taken))
            free = np.zeros(len(taken), dtype=bool)
            free[inside] = blocked[high[inside]] == blocked[low[inside]]
            stream = [self.seed, number, *stretch.name.encode()]
            rng = np.random.default_rng(stream)
            candidates = np.flatnonzero(free & stretch.counted)
            centres = rng.choice(candidates, min(self.n_places, len(candidates)), replace=False)
            shapes = np.exp(-0.5 * ((index - centres[:, None]) / width) ** 2)
            found.append(Places(width, np.sort(centres), shapes[np.argsort(centres)]))
        return found

    def recalls(self, method: Method, stretch: Stretch, places: list[Places]) -> dict:
        """Share of each injected line's cells above the method's threshold.

        Returns
        -------
        {(width, height): {area: (place,) recall}}; widths without a place are left out
        """
        quiet = self.quiet_scores(method, stretch)
        limits = {area: np.nanquantile(quiet, 1 - area) for area in AREAS}
        found = {}
        for here in places:
            if not len(here.centres):
                continue
            for height in HEIGHTS:
                ratio = height * here.shapes
                scores = self._scored(method, stretch, stretch.psd * (1 + ratio))
                truth = cell_labels((ratio > NOISY_RATIO) & stretch.counted, WIDE_CELL)
                n_truth = truth.sum(axis=1)
                found[here.width, height] = {
                    area: np.where(n_truth, (truth & (scores > limit)).sum(axis=1) / np.maximum(n_truth, 1), np.nan)
                    for area, limit in limits.items()
                }
        return found


def table(recalls: dict[str, dict[str, dict]]) -> dict[str, dict[str, float]]:
    """Mean recall over settings and stretches, by method and area.

    Parameters
    ----------
    recalls : {method: {stretch: Benchmark.recalls}}
    """
    return {
        method: {f"{area:.0%}": float(np.mean([_mean(here, area) for here in rows.values()])) for area in AREAS}
        for method, rows in recalls.items()
    }


def by_stretch(recalls: dict[str, dict[str, dict]]) -> dict[str, dict[str, dict[str, float]]]:
    """`table` of each measured spectrum alone, by method, spectrum and area."""
    return {
        method: {name: table({method: {name: found}})[method] for name, found in rows.items()}
        for method, rows in recalls.items()
    }


def places_used(places: dict[str, list[Places]]) -> dict[str, dict[str, int]]:
    """How many places of each width were found, by measured spectrum."""
    return {name: {f"{here.width:g}": len(here.centres) for here in found} for name, found in places.items()}


def _mean(settings, area, chosen=None):
    """Mean over settings of the mean over places; chosen: {width: places drawn with replacement}."""
    means = []
    for (width, _), found in settings.items():
        values = found[area] if chosen is None else found[area][chosen[width]]
        means.append(np.nanmean(values))
    return np.mean(means)


def paired_difference(first: dict[str, dict], second: dict[str, dict], area: float, n_resamples: int = 1000, seed=0):
    """Difference of two methods' mean recalls with a 95 % interval over stretches and places, drawn again together.

    Parameters
    ----------
    first, second : {stretch: Benchmark.recalls} of the same places

    Returns
    -------
    (difference, low, high)
    """
    names = sorted(first)
    rng = np.random.default_rng(seed)
    draws = []
    for _ in range(n_resamples):
        parts = []
        for name in rng.choice(names, len(names)):
            sizes = {width: len(found[area]) for (width, _), found in first[name].items()}
            chosen = {width: rng.integers(0, size, size) for width, size in sizes.items()}
            parts.append(_mean(first[name], area, chosen) - _mean(second[name], area, chosen))
        draws.append(np.mean(parts))
    observed = np.mean([_mean(first[name], area) - _mean(second[name], area) for name in names])
    return float(observed), *(float(bound) for bound in np.percentile(draws, [2.5, 97.5]))
