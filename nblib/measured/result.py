"""What was found in one spectrum, with its tables and its figure."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Bool, Float
from numpy import ndarray

from nblib.measured.figure import plot_detection
from nblib.measured.flags import FLAG_COLUMNS, Flag
from nblib.project.steps import next_step


@dataclass(frozen=True, eq=False)
class Detection:
    """What was found in one spectrum; bins along the last axis, NaN where a bin is missing.

    Scores rise with noise (scikit-learn's outlier scores fall).

    Attributes
    ----------
    freqs, psd : Hz and unit^2/Hz as given
    scores : -ln p of the strongest filter at each bin, one test, the network's evidence added; broad filters on the
        scale of the narrow ones, so that one threshold serves both
    probabilities : that a line-free spectrum has such a score anywhere
    threshold : of the scores, at the false alarms per spectrum that were asked
    background : ln of the background, restored under the flags
    flags : contaminated ranges, by frequency
    flagged : (bin,) bool
    n_segments : K used, the median over bins
    estimated : was it measured on the spectrum itself
    stated_segments : K as it was given, one number or one per bin; None where it was not
    attention : (cell,) of 10 bins: the network's CLS attention over a clean cell's, below 1 where it looks away; NaN
        where nothing was measured, and everywhere where the network was not asked
    """

    freqs: Float[ndarray, " bin"]
    psd: Float[ndarray, " bin"]
    scores: Float[ndarray, " bin"]
    probabilities: Float[ndarray, " bin"]
    threshold: float
    false_alarm: float
    background: Float[ndarray, " bin"]
    flags: list[Flag]
    flagged: Bool[ndarray, " bin"]
    n_segments: float
    estimated: bool
    warnings: list[str] = field(default_factory=list)
    attention: Float[ndarray, " cell"] = field(default_factory=lambda: np.full(0, np.nan))
    bin_segments: Float[ndarray, " bin"] = field(default_factory=lambda: np.full(0, np.nan))
    stated_segments: float | ndarray | None = None

    @property
    def spectrum_segments(self) -> float:
        """K of the spectrum itself, as used."""
        return self.n_segments

    def more(self) -> dict[str, Any]:
        """What the JSON says beside what it says of every spectrum."""
        return {}

    def to_frame(self):
        """Flags as a pandas table, one row per flag; columns: FLAG_COLUMNS of nblib.measured.flags (Hz, ratio, dB)."""
        import pandas as pd

        return pd.DataFrame([flag.as_row() for flag in self.flags], columns=list(FLAG_COLUMNS))

    def to_csv(self, path: str | Path) -> Path:
        """Write the flags as a table; its first columns are fmin, fmax, cause."""
        self.to_frame().to_csv(path, index=False)
        return Path(path)

    def plot(self, ax=None, unit: str | None = None):
        """Spectrum, restored background and flagged ranges against frequency; unit : of psd, for the axis."""
        return plot_detection(self, ax, unit)

    def fit(self, **options: Any):
        """Corner frequencies of the bins that are not flagged, beside those of all bins.

        Parameters
        ----------
        options : of `nblib.fit_spectrum`, such as unit, lorentzians or window; n_segments and keep in place of those of
            this detection

        Returns
        -------
        nblib.Fit

        Raises
        ------
        ValueError that names the value, the rule and the fix
        """
        return next_step("fit_detection")(self, **options)
