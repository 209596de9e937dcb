"""Numbers that stand for no number: overload markers, fill values; and samples at the limits of their converter."""

import numpy as np
from numpy import ndarray

# What instruments and programs write for "overload" or "not a number": SCPI, and the largest floats
OVERLOADS = (9.9e37, 9.91e37, 3.4028235e38, 1e38, 1.7976931e308, 1.70141e38)
# of netCDF, GeoTIFF, GRIB and integers; beside them 999, -9999.0, 99999.99 and so on
FILLS = (999.25, 9.969209968386869e36, 1e20, 1e30, 1e35, 1e36, 32767.0, 32768.0, 65535.0, 2147483647.0, 2147483648.0)
FAR = 3.0  # ranges of the other values: a fill value lies this far away from them
MOST_SHARE = 0.5  # of values may be filled


def overloads(values: ndarray, valid: ndarray) -> ndarray:
    """True where a value is an overload marker: far above everything usual."""
    usual = np.nanmedian(np.abs(values[valid])) if valid.any() else 0.0
    size = np.abs(values)
    is_overload = np.zeros(values.shape, dtype=bool)
    for marker in OVERLOADS:
        is_overload |= (np.abs(size - marker) < 2e-3 * marker) & (size > 1e6 * usual)
    return is_overload


def fill_value(values: ndarray) -> float | None:
    """The fill value among finite values of one row, or None: an extreme one, written as fills are, and set apart.

    Set apart is what differs in sign from all others, lies `FAR` ranges away from them, or comes again and again.
    """
    for extreme in (values.min(initial=np.inf), values.max(initial=-np.inf)):
        if not _is_fill(extreme):
            continue
        others = values[values != extreme]
        if len(others) < max(2, MOST_SHARE * len(values)):
            continue
        count, gap = len(values) - len(others), np.abs(others - extreme).min()
        signs = extreme < 0 <= others.min()
        if signs or gap > FAR * np.ptp(others) or (count >= 3 and gap > 0.5 * abs(extreme)):
            return float(extreme)
    return None


def _is_fill(value) -> bool:
    size = abs(float(value))
    digits = f"{size:.10g}".replace(".", "")
    return (len(digits) >= 3 and set(digits) == {"9"} and size >= 99) or any(
        abs(size - fill) <= 1e-5 * fill for fill in FILLS
    )


def clipped(samples: ndarray) -> str | None:
    """A note where many samples lie exactly at the largest or the smallest value, as an overdriven converter writes."""
    finite = samples[np.isfinite(samples)]
    for name, extreme in (("largest", finite.max()), ("smallest", finite.min())):
        at_limit = finite == extreme
        count = int(at_limit.sum())
        inner = finite[~at_limit]
        following = int((at_limit[1:] & at_limit[:-1]).sum())  # pairs of neighbours
        beside = int((inner == (inner.max() if name == "largest" else inner.min())).sum()) if len(inner) else 0
        if following >= 3 and count >= 10 and count > 3 * beside:
            return f"clipped: {count} samples lie at the {name} value, {extreme:.4g}; distortion adds lines of its own"
    return None
