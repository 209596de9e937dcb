"""Noise drawn anew on a user's own line-free spectra of one set-up: their background, their texture, their averages.

The spectra share what no smooth curve follows (kinks, shoulders, a filter's edge) and differ by their noise. The mean
of spectrum over background is that texture; what is left of each spectrum says how many averages there are and whether
neighbouring bins correlate. A draw is one of the backgrounds times the texture times new noise.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float
from numpy import ndarray

from nblib.measured.line_free.disturbances import gamma_factor
from nblib.measured.statistic.dependence import dependence_lengths
from nblib.measured.statistic.scatter import CLASS_LIMIT, local_segments, lower_spread, neighbour_correlation
from nblib.measured.statistic.whitening import Whitened
from nblib.project.registry import refuse_if

LEAST = 1e-3  # of the background: a stretched Gamma of few averages could fall below 0


@dataclass(frozen=True, eq=False)
class LineFree:
    """Line-free spectra of one set-up; (spectrum, bin), NaN where a bin is missing.

    Attributes
    ----------
    background : ln of the detector's background of each spectrum, unit^2/Hz
    ratio : spectrum over that background
    segments : (bin,) K as the spectra scatter around each other, so that their common texture makes it no smaller
    correlated : do neighbouring bins correlate as Hann's do
    """

    background: Float[ndarray, "spectrum bin"]
    ratio: Float[ndarray, "spectrum bin"]
    segments: Float[ndarray, " bin"]
    correlated: bool

    @classmethod
    def of(cls, spectra: Sequence[Whitened], valid: Bool[ndarray, " bin"]) -> "LineFree":
        """From what the filter bank made of each of at least two spectra.

        Parameters
        ----------
        valid : True where every spectrum has a measurement

        Raises
        ------
        ValueError where neighbouring bins depend on each other further than under Hann's window
        """
        background = np.stack([one.background for one in spectra])
        excess = np.stack([one.log_psd for one in spectra]) - background
        index = np.flatnonzero(valid)
        own = (excess - excess.mean(axis=0))[:, index] * np.sqrt(len(spectra) / (len(spectra) - 1))
        segments = np.median([local_segments(row) for row in own], axis=0)
        scaled = [row / max(lower_spread(row), 1e-9) for row in own]
        lags = [neighbour_correlation(row, np.diff(index) == 1)[0] for row in scaled]
        lengths = [np.median(dependence_lengths(row)) for row in own]
        refuse_if(
            np.median(lengths) > 1,
            f"about {np.median(lengths):.0f} neighbouring bins of the line-free spectra depend on each other (tapers, "
            "resolution bandwidth, zero padding or smoothing): noise like that cannot be drawn; leave calibrate out",
        )
        per_bin = np.interp(np.arange(len(valid)), index, segments)
        return cls(background, np.exp(excess), per_bin, float(np.median(lags)) > CLASS_LIMIT)

    def draw(self, rng: np.random.Generator, members: Sequence[int], of: int) -> Float[ndarray, " bin"]:
        """A new line-free spectrum, unit^2/Hz, NaN where spectrum `of` lacks a bin.

        The mean of m ratios scatters itself, with variance v = 1 / (m K) and third cumulant 2 v^2. The new noise has
        what the product lacks of the variance and third cumulant of K averages, 1 / K and 2 / K^2: variance
        w = (m - 1) / (m K + 1) and third cumulant c = 2 / K^2 - 2 v^2 - 6 v w. It is a Gamma of 4 w^3 / c^2 averages,
        stretched about its mean 1.

        Parameters
        ----------
        members : the spectra whose mean ratio is the texture, at least four
        of : the spectrum whose background is taken
        """
        n_members = len(members)
        texture = self.ratio[list(members)].mean(axis=0)
        shared = 1 / (n_members * self.segments)
        left = (n_members - 1) / (n_members * self.segments + 1)
        cumulant = 2 / self.segments**2 - 2 * shared**2 - 6 * shared * left
        averages = 4 * left**3 / cumulant**2
        estimator = "welch_hann" if self.correlated else "welch"
        noise = gamma_factor(rng, averages, estimator, np.ones(len(averages), dtype=np.int64))
        stretched = 1 + np.sqrt(left * averages) * (noise - 1)
        return np.exp(self.background[of]) * texture * np.maximum(stretched, LEAST)
