"""Thresholds drawn from a user's own line-free spectra: for spectra of the same set-up, smooth or rough as it is.

The packaged thresholds hold on average over backgrounds of many kinds, so on a smooth one they ask for more than chance
can do, and on a rough one for less. Here noise is drawn anew on the set-up's own backgrounds and texture
(line_free.own). The draws are made in up to FOLDS parts, each without some of the spectra; these are then judged by the
thresholds of that part, which says what the rate is on spectra that the thresholds have not seen.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
from jaxtyping import Float
from numpy import ndarray
from scipy.special import bdtrc

from nblib.measured.statistic.score import Scored, score_spectrum
from nblib.measured.statistic.thresholds import (
    N_DRAWS,
    STATISTICS,
    Limits,
    Thresholds,
    largest_scores,
    levels_of,
    rank_threshold,
)
from nblib.measured.statistic.whitening import GROUPS, Plan
from nblib.project.registry import refuse_if

FEWEST_SPECTRA = 5
FOLDS = 5
DRAW_SEED = 4001
CHECK_RATE = 0.05  # false alarms per spectrum at which spectra are judged that the thresholds have not seen
UNLIKELY = 0.01  # chance of as many flagged ones, below which the thresholds are not believed alone
SAME_SEGMENTS = 1.1  # times that a stated K may differ
ALIKE_SEGMENTS = 1.5  # times that a measured K may differ without a note
SAME_BIN = 0.01  # of a bin's width that frequencies may differ


@dataclass(frozen=True, eq=False)
class OwnThresholds:
    """Thresholds of one set-up.

    Attributes
    ----------
    name : of the folder of the line-free spectra
    freqs : Hz
    stated : K as stated for the spectra; None where it was measured on each
    measured : K that the detector measures on such a spectrum, the median
    correlated : do neighbouring bins correlate as Hann's do
    n_spectra : line-free ones
    n_bins : judged in each
    levels : thresholds at RATES by statistic and group of filters
    flagged : of the spectra, each judged at CHECK_RATE by draws without it
    """

    name: str
    freqs: Float[ndarray, " bin"]
    stated: float | None
    measured: float
    correlated: bool
    n_spectra: int
    n_bins: int
    levels: dict[str, dict[str, list[float]]]
    flagged: int

    @property
    def hold(self) -> bool:
        """Are no more of the spectra flagged, when left out, than chance explains?"""
        return bool(self.flagged == 0 or bdtrc(self.flagged - 1, self.n_spectra, CHECK_RATE) >= UNLIKELY)

    def limits(self, scored: Scored, packaged: Limits) -> Limits:
        """What a spectrum of the set-up is judged by: never below the packaged thresholds where the own do not hold."""
        own = self.levels["combined" if scored.combined else "classical"]
        shift = np.log(scored.n_judged / self.n_bins)
        groups = []
        for group, usual in zip(GROUPS, (packaged.narrow, packaged.broad), strict=True):
            levels = np.array(own[group]) + shift
            if not self.hold:
                levels = np.maximum(levels, np.array(usual.levels) + np.log(scored.n_judged / usual.bins))
            groups.append(Thresholds(tuple(levels.tolist()), scored.n_judged))
        return Limits(*groups)

    def check(self, freqs: Float[ndarray, " bin"], n_segments: float | ndarray | None, scored: Scored) -> None:
        """Raise ValueError, with what differs, where a spectrum is not of this set-up."""
        where = f"the line-free spectra in {self.name}"
        refuse_if(not same_axis(freqs, self.freqs), f"{where} have {axis_words(self.freqs)}, this {axis_words(freqs)}")
        stated = None if n_segments is None else float(np.median(np.asarray(n_segments)))
        words = [f"K = {value:.4g}" if value else "no K stated" for value in (self.stated, stated)]
        advice = "give both n_segments=K of their own averages, or leave calibrate out"
        refuse_if(
            (stated is None) != (self.stated is None), f"{where} have {words[0]}, this spectrum {words[1]}; {advice}"
        )
        refuse_if(
            stated is not None and self.stated is not None and not _within(stated, self.stated, SAME_SEGMENTS),
            f"{where} have {words[0]}, this spectrum {words[1]}; measure both with as many averages",
        )
        correlated = scored.judged.correlation[0] > 0
        kinds = ["correlate as under a Hann window" if one else "do not" for one in (self.correlated, correlated)]
        refuse_if(
            scored.dependence > 1 or correlated != self.correlated,
            f"neighbouring bins of {where} {kinds[0]}, "
            + (f"those of this spectrum {kinds[1]}" if scored.dependence <= 1 else "those here over several bins")
            + "; use the same window, averages and smoothing for both",
        )

    def notes(self, scored: Scored) -> list[str]:
        """What there is to say beside the flags."""
        notes = [
            f"thresholds from {self.n_spectra} line-free spectra in {self.name}; left out in turn, {self.flagged} of "
            f"them {'is' if self.flagged == 1 else 'are'} flagged at {CHECK_RATE:.0%} asked"
        ]
        if not self.hold:
            notes.append(
                f"that is more than chance explains: the spectra in {self.name} differ by more than noise, so "
                "the packaged thresholds were used where they are higher"
            )
        own = scored.judged.own_segments
        if not _within(own, self.measured, ALIKE_SEGMENTS):
            less = "more" if own < self.measured else "less"
            notes.append(
                f"the spectrum scatters {less} than the line-free ones do (as K = {own:.4g} would, those as K = "
                f"{self.measured:.4g}): has the set-up changed?"
            )
        return notes


def same_axis(freqs: Float[ndarray, " bin"], others: Float[ndarray, " other"]) -> bool:
    """Are two axes the same within a hundredth of a bin?"""
    if len(freqs) != len(others):
        return False
    return bool((np.abs(freqs - others) <= SAME_BIN * np.gradient(others)).all())


def axis_words(freqs: Float[ndarray, " bin"]) -> str:
    """An axis as a message names it."""
    return f"{len(freqs)} bins, {freqs[0]:.6g}..{freqs[-1]:.6g} Hz"


def _within(value, other, factor):
    return 1 / factor <= value / other <= factor


def draw_own(
    name: str,
    freqs: Float[ndarray, " bin"],
    psd: Float[ndarray, "spectrum bin"],
    n_segments: float | None = None,
    with_network: bool = True,
    weights: dict[str, ndarray] | None = None,
    n_draws: int = N_DRAWS,
    progress: Callable[[float], None] | None = None,
) -> OwnThresholds:
    """Thresholds from line-free spectra of one set-up.

    Five spectra are the fewest that are taken; from ten on the check of spectra that are left out means something. With
    few the mean texture is uncertain: draws then vary less from each other than spectra do, and thresholds are as
    uncertain. Backgrounds may differ between the spectra (temperature, gain); their texture may not.

    Parameters
    ----------
    name : of their folder, for messages
    psd : unit^2/Hz, NaN where missing
    n_segments : K as stated; None: measured on each spectrum, as it will be on those that are judged
    with_network, weights : as in score.score_spectrum
    progress : called with the share done

    Raises
    ------
    ValueError for fewer than FEWEST_SPECTRA spectra, and where noise like theirs cannot be drawn
    """
    from nblib.measured.line_free.own import LineFree

    n_spectra = len(psd)
    refuse_if(
        n_spectra < FEWEST_SPECTRA,
        f"{name} holds {n_spectra} line-free spectra; thresholds of their own need at least {FEWEST_SPECTRA}, "
        "better 10 or more",
    )
    valid = np.isfinite(psd).all(axis=0) & (psd > 0).all(axis=0)
    plan = Plan.of(freqs, valid)
    scored_of = partial(_scored, plan, n_segments, with_network, weights)
    scored = [scored_of(row) for row in psd]
    line_free = LineFree.of([one.white for one in scored], plan.grid.valid)
    folds = np.arange(n_spectra) % min(FOLDS, n_spectra)
    parts = np.arange(n_draws) % (folds.max() + 1)
    maxima = _maxima(line_free, folds, parts, scored_of, progress)
    return OwnThresholds(
        name,
        freqs,
        n_segments,
        float(np.median([one.judged.own_segments for one in scored])),
        line_free.correlated,
        n_spectra,
        int(valid.sum()),
        {
            statistic: levels_of(column[~np.isnan(column).any(axis=1)])
            for statistic, column in zip(STATISTICS, maxima.swapaxes(0, 1), strict=True)
            if 2 * (~np.isnan(column).any(axis=1)).sum() > n_draws
        },
        _flagged(scored, folds, maxima, parts),
    )


def _scored(plan, n_segments, with_network, weights, row):
    return score_spectrum(row, plan, n_segments, with_network, weights)


def _maxima(line_free, folds, parts, scored_of, progress):
    """Largest scores of a draw without the spectra of each part's fold: (draw, statistic, group)."""
    rng = np.random.default_rng(DRAW_SEED)
    maxima = np.empty((len(parts), len(STATISTICS), len(GROUPS)))
    for draw, part in enumerate(parts):
        members = np.flatnonzero(folds != part).tolist()
        maxima[draw] = largest_scores(scored_of(line_free.draw(rng, members, int(rng.choice(members)))))
        if progress:
            progress((draw + 1) / len(parts))
    return maxima


def _flagged(scored: Sequence[Scored], folds, maxima, parts) -> int:
    """How many of the spectra exceed, at CHECK_RATE, the thresholds of the draws that were made without them."""
    flagged = 0
    for one, fold in zip(scored, folds, strict=True):
        statistic = int(one.combined)
        drawn = maxima[parts == fold, statistic]
        limits = [rank_threshold(column, CHECK_RATE / 2) for column in drawn.T]
        flagged += bool((largest_scores(one)[statistic] > limits).any())
    return flagged
