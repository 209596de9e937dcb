"""What a fit is given, checked: options, arrays by frequency, enough bins; refused in one sentence."""

import numpy as np

from nblib.workbench.averaging import CELLS_A_DECADE

MIN_CELLS, MIN_DECADES = 30, 1.0  # kept


def check_options(lorentzians, gamma, level=0.95) -> None:
    """Raise ValueError for a number of Lorentzians, a range of exponents or a level of intervals out of range."""
    if lorentzians is not None and (int(lorentzians) != lorentzians or not 0 <= lorentzians <= 8):
        raise ValueError(f"lorentzians={lorentzians} must be a whole number from 0 to 8, or None: it is chosen")
    if not 0 <= gamma[0] < gamma[1] <= 4:
        raise ValueError(f"gamma={gamma} must be a lowest and a highest exponent, 0 <= lowest < highest <= 4")
    if not 0 < level < 1:
        raise ValueError(f"level={level} must lie between 0 and 1, such as 0.95")


def checked(freqs, psd, n_segments, keep, floor, span):
    """What was given as arrays by frequency; K None where it is not known."""
    axis, values = np.asarray(freqs, np.float64), np.asarray(psd)
    if np.iscomplexobj(values):
        raise ValueError("psd is complex; give the power spectral density")
    values = values.astype(np.float64)
    if axis.ndim != 1 or axis.shape != values.shape:
        raise ValueError(f"freqs has shape {axis.shape} and psd {values.shape}; give one spectrum, (bin,) each")
    if not np.isfinite(axis).all() or (axis < 0).any():
        raise ValueError("freqs must be finite and not negative, in Hz")
    if (values < 0).any():
        raise ValueError(
            f"{int((values < 0).sum())} values of psd are negative: decibels, or a floor that was subtracted? The "
            "scatter of a difference is not that of an average; give the spectrum as measured, and the floor as floor"
        )
    inside = axis > 0
    if span is not None:
        if not 0 <= span[0] < span[1]:
            raise ValueError(f"span={span} must be a lowest and a highest frequency in Hz, lowest < highest")
        inside &= (axis >= span[0]) & (axis <= span[1])
    order = np.flatnonzero(inside)[np.argsort(axis[inside], kind="stable")]
    segments = None if n_segments is None else _a_bin("n_segments", n_segments, axis.shape, 1.0)[order]
    return {
        "freqs": axis[order],
        "psd": values[order],
        "keep": flags_of(keep, axis.shape)[order],
        "n_segments": segments,
        "floor": _a_bin("floor", 0.0 if floor is None else floor, axis.shape, 0.0)[order],
    }


def flags_of(keep, shape):
    """True where a bin is kept, all if None; raises ValueError for another shape or type."""
    kept = np.ones(shape, bool) if keep is None else np.asarray(keep)
    if kept.shape != shape or kept.dtype != bool:
        raise ValueError(
            f"keep has shape {kept.shape} and type {kept.dtype}; give True or False for each of {shape[0]} bins"
        )
    return kept


def _a_bin(name, given, shape, lowest):
    values = np.asarray(given, np.float64)
    bad = values.shape not in ((), shape) or np.isinf(values).any() or (values < lowest).any()
    if bad or (name == "n_segments" and np.isnan(values).any()):
        raise ValueError(f"{name}={given} must be at least {lowest:g}: one number, or one for each of {shape[0]} bins")
    return np.broadcast_to(values, shape)


def check_enough(axis, used) -> None:
    """Raise ValueError where the bins used are too few for a corner."""
    if not used.any():
        raise ValueError(f"no measured bin is kept; at least {MIN_CELLS} are needed")
    lowest, highest = axis[used][0], axis[used][-1]
    decades = np.log10(highest / lowest)
    if decades < MIN_DECADES:
        raise ValueError(
            f"the bins kept reach from {lowest:g} to {highest:g} Hz, {decades:.2g} decades; at least "
            "one is needed for a corner"
        )
    n_cells = len(np.unique(np.floor(CELLS_A_DECADE * np.log10(axis[used] / axis[0]) + 1e-6)))
    if n_cells < MIN_CELLS:
        raise ValueError(
            f"{n_cells} cells of 50 a decade hold a bin that is kept; at least {MIN_CELLS} are needed: use a finer "
            "frequency resolution or drop less"
        )
