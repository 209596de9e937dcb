"""What the fit of one spectrum found, from all bins and from the bins kept, with its tables and its figure."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float
from numpy import ndarray

from nblib.workbench.description import Description, Term

SIDES = ("kept", "all bins")
FIT_COLUMNS = ("bins", "term", "value", "low", "high", "error", "unit", "note", "shift")


def _step(term: Term, other: Term) -> float:
    """From a term to another: of gamma the difference, of all others that of the logarithms."""
    return float(other.value - term.value if term.unit == "1" else np.log(other.value / term.value))


class BothSides:
    """What a fit says of one spectrum, from the bins kept and from all bins.

    Attributes
    ----------
    kept, all_bins : the two descriptions
    level : of the intervals
    unit : of the PSD, or None
    """

    kept: Description
    all_bins: Description
    level: float
    unit: str | None

    @property
    def described(self) -> bool:
        """Does the model describe the kept bins."""
        return self.kept.described

    @property
    def corners(self) -> list[Term]:
        """Corner frequencies from the kept bins, lowest first; a fit that is not described has them all the same."""
        return self.kept.corners

    def nearest(self, term: Term) -> Term | None:
        """The term of `all_bins` of the same kind that lies nearest to one of `kept`, or None."""
        others = [one for one in self.all_bins.terms if one.name.split()[0] == term.name.split()[0]]
        return min(others, key=lambda one: abs(_step(term, one))) if others else None

    def shift(self, term: Term) -> float:
        """How far a term of `kept` lies from the nearest of its kind in `all_bins`, in its own standard errors."""
        other = self.nearest(term)
        return float("nan") if other is None else _step(term, other) / term.error

    def to_frame(self):
        """A pandas table, a row a term: its columns are FIT_COLUMNS; shift is that of all bins, in standard errors."""
        import pandas as pd

        rows = []
        for side, description in zip(SIDES, (self.kept, self.all_bins), strict=True):
            for term in description.terms:
                note = term.note if description.described else "; ".join(filter(None, [term.note, "not described"]))
                unit = (self.unit or "unit^2/Hz") if term.unit == "psd" else term.unit
                numbers = (term.value, term.low, term.high, term.error)
                rows.append((side, term.name, *numbers, unit, note, self.shift(term) if side == "kept" else np.nan))
        return pd.DataFrame(rows, columns=list(FIT_COLUMNS))


@dataclass(frozen=True, eq=False)
class Fit(BothSides):
    """Two descriptions of one spectrum, by frequency.

    Attributes
    ----------
    floor : known part of psd, 0 where none was given
    keep : bins that were kept and measured
    n_segments : (bin,) K used
    correlation : of the power 1, 2, ... bins apart; () where none was seen
    kept : from the bins kept, what still stood out trimmed
    all_bins : from every measured bin, for comparison
    level : of the intervals
    unit : of psd, or None
    warnings : one sentence each
    """

    freqs: Float[ndarray, " bin"]
    psd: Float[ndarray, " bin"]
    floor: Float[ndarray, " bin"]
    keep: Bool[ndarray, " bin"]
    n_segments: Float[ndarray, " bin"]
    correlation: tuple[float, ...]
    kept: Description
    all_bins: Description
    level: float
    unit: str | None
    warnings: tuple[str, ...]

    @property
    def span(self) -> tuple[float, float]:
        """Lowest and highest frequency, Hz."""
        return float(self.freqs[0]), float(self.freqs[-1])

    def plot(self, axes=None):
        """S with components and dropped bins, f S(f), residuals; axes : three of matplotlib, or a new figure's."""
        from nblib.workbench.figure import plot_fit

        return plot_fit(self, axes)
