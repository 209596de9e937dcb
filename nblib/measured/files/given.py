"""Arrays that a caller gives instead of a file, checked by the same rules."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike

from nblib.measured.files.formats import Raw, Refusal, Series
from nblib.measured.files.readers import Spectra, checked_spectra
from nblib.measured.files.series import checked as checked_series
from nblib.measured.welch import mask_as_missing


def spectra_of(
    freqs: ArrayLike,
    psd: ArrayLike,
    *,
    asd: bool | None = None,
    db: bool | None = None,
    unit: str | Sequence[str] | None = None,
    span: str | int | None = None,
) -> Spectra:
    """Arrays checked by the rules that files are checked by, whose messages call them "arrays".

    Parameters
    ----------
    freqs : (bin,), Hz unless `unit` says otherwise; NaN in psd where a bin is missing
    psd : (bin,) or (spectrum, bin)
    asd, db, unit, span : as in load_spectra

    Raises
    ------
    ValueError that says what was found and what to do
    """
    values = np.array(mask_as_missing(psd))
    try:
        if values.dtype.kind not in "fiub":
            raise Refusal(f"psd is of type {values.dtype}; give real numbers, a power spectral density")
        axis = np.array(mask_as_missing(freqs), dtype=np.float64)
        return checked_spectra("arrays", Raw(axis, values.astype(np.float64)), asd, db, unit, span)
    except Refusal as error:
        raise Refusal(f"arrays: {error}") from error.__cause__


def series_of(samples: ArrayLike, rate: float | None) -> Series:
    """Samples checked by the rules that files are checked by; rate : Hz. Raises ValueError."""
    try:
        return checked_series(Series(mask_as_missing(samples), 0.0), rate)
    except Refusal as error:
        raise type(error)(f"arrays: {error}") from error.__cause__
