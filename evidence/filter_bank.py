"""One score of external noise for every family: a bank of matched filters that line-free spectra bring to one scale.

It asks for a residual, K and line-free residuals of the same background, whatever made it: a trained model or a fit.
Its widths, its limit and how widths are put together were chosen on validation spectra of the published families.
"""

import numpy as np
from jaxtyping import Float
from numpy import ndarray

from evidence.calibration import combined_score
from nblib.cells import cell_scores
from nblib.scoring.filters import matched_filter

WIDTHS = (1.0, 1.5, 2.0, 3.0, 4.0, 6.0, 9.0, 14.0, 20.0, 30.0)  # standard deviations, bins
# standard deviations over the root of the width at which a bin is cut, or a broad filter finds every narrow line and
# all that is near it; a line as broad as the filter is hardly cut
LIMIT = 9.0


def calibrate_bank(line_free: Float[ndarray, "m bin"], n_segments: float) -> Float[ndarray, "width m cell"]:
    """Responses of the bank to line-free spectra: the calibration of bank_score.

    Parameters
    ----------
    line_free : ln x - ln S of validation spectra without external noise, S from the method that bank_score will judge
    n_segments : K
    """
    return np.stack([_response(line_free, width, n_segments) for width in WIDTHS])


def bank_score(
    log_ratio: Float[ndarray, "n bin"], n_segments: float, calibration: Float[ndarray, "width m cell"]
) -> Float[ndarray, "n cell"]:
    """Root mean square over widths of -ln p, p the share of line-free cells that respond as strongly.

    The largest of the widths alone would flag all that a broad filter reaches, their mean would lose narrow lines.

    Parameters
    ----------
    log_ratio : ln x - ln S
    n_segments : K
    calibration : see calibrate_bank

    Returns
    -------
    >= 0, high where noise is likely
    """
    pairs = zip(WIDTHS, calibration, strict=True)
    squares = (combined_score([_response(log_ratio, width, n_segments)], [free]) ** 2 for width, free in pairs)
    return np.sqrt(sum(squares) / len(WIDTHS))


def _response(log_ratio, width, n_segments):
    limit = np.log1p(LIMIT / np.sqrt(width * n_segments))
    return cell_scores(matched_filter(np.minimum(log_ratio, limit), (width,), n_segments))
