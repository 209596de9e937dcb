"""External noise families, all on the spectrum's own frequency axis.

External noise is given as its ratio r(f) to the local background, so that a measured spectrum is
x = S (1 + r) g with g the factor of estimation.py. A bin is noisy where r > NOISY_RATIO.
Adding a family is one function under `@family` or `@family(widths=...)`.

Equation numbers are those of docs/method.md.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float
from numpy import ndarray

from nblib.cells import MIN_CLEAN_CELLS, NOISY_RATIO, clean_cells
from nblib.project.registry import check_known, register

# standard deviations of Gaussian templates, bins, of matched filters where a family names none
ALL_WIDTHS = (1, 2, 3, 5, 8, 12, 18, 26, 36)
MAX_DRAWS = 100
# the families of the published study; one that is registered later does not join it by itself
PUBLISHED_FAMILIES = ("single_line", "vibration", "power_supply", "interference", "clock_leakage")


@dataclass(frozen=True)
class Family:
    """A registered noise family: draw(rng, freqs, amplitude) -> ratio (bin,), unitless and >= 0.

    Attributes
    ----------
    widths : standard deviations (bins) of the matched filters that suit its lines
    """

    draw: Callable
    widths: tuple[float, ...]

    def __call__(self, rng, freqs, amplitude):
        """One draw."""
        return self.draw(rng, freqs, amplitude)


FAMILIES: dict[str, Family] = {}


def family(draw: Callable | None = None, *, widths: tuple[float, ...] = ALL_WIDTHS) -> Callable:
    """Decorator: register a noise family under its function's name, as `@family` or `@family(widths=...)`.

    Parameters
    ----------
    draw : (rng, freqs, amplitude) -> ratio (bin,), unitless and >= 0
    widths : standard deviations of the matched filters that suit it, bins, > 0

    Raises
    ------
    ValueError for a name that is taken, or widths that are none
    """
    if draw is None:
        return lambda function: family(function, widths=widths)
    if not len(widths) or min(widths) <= 0:
        raise ValueError(f"noise family {draw.__name__!r}: widths={widths} must be positive numbers of bins")
    return register(FAMILIES, "noise family", draw.__name__, Family(draw, tuple(widths)))


def filter_widths(name: str) -> tuple[float, ...]:
    """Standard deviations (bins) of the matched filters that suit a family; raises ValueError for an unknown one."""
    check_family(name)
    return FAMILIES[name].widths


def families_judged(name: str) -> tuple[str, ...]:
    """The families that a model is tested on: the published ones, and its own where that is another."""
    return PUBLISHED_FAMILIES if name in PUBLISHED_FAMILIES else (*PUBLISHED_FAMILIES, name)


def _gaussian(freqs, centre, sigma):
    return np.exp(-0.5 * ((freqs - centre) / sigma) ** 2)


def _resonance(freqs, centre, half_width):
    return 1 / (1 + ((freqs - centre) / half_width) ** 2)


def _bin_width(freqs, centre):
    """Width in Hz of the bin nearest to a frequency: lines are never narrower."""
    index = np.clip(np.searchsorted(freqs, centre), 1, len(freqs) - 1)
    return freqs[index] - freqs[index - 1]


@family
def none(rng, freqs, amplitude):
    """No external noise."""
    return np.zeros_like(freqs)


SINGLE_LINE_WIDTHS = (3, 5, 8, 12, 18, 26, 36)


@family(widths=SINGLE_LINE_WIDTHS)
def single_line(rng, freqs, amplitude):
    """One Gaussian line anywhere, sigma uniform in 3..36 Hz: the reference family."""
    centre = rng.uniform(freqs[0], freqs[-1])
    sigma = max(rng.uniform(3.0, 36.0), _bin_width(freqs, centre))
    return rng.uniform(*amplitude) * _gaussian(freqs, centre, sigma)


@family(widths=SINGLE_LINE_WIDTHS)
def lower_line(rng, freqs, amplitude):
    """`single_line` in the lower half of the axis: to train on, so that the upper half is a held-out position."""
    ratio = FAMILIES["single_line"](rng, freqs, amplitude)
    while ratio.argmax() >= len(freqs) // 2:
        ratio = FAMILIES["single_line"](rng, freqs, amplitude)
    return ratio


@family(widths=(1, 2, 3, 5, 8, 12, 18, 26))
def vibration(rng, freqs, amplitude):
    """One to three mechanical resonances below 500 Hz, Lorentzian, quality factor 5..50 (log-uniform)."""
    ratio = np.zeros_like(freqs)
    for _ in range(rng.integers(1, 4)):
        centre = rng.uniform(max(5.0, freqs[0]), max(min(500.0, freqs[-1]), 5.0))
        quality = np.exp(rng.uniform(np.log(5.0), np.log(50.0)))
        half_width = max(centre / (2 * quality), _bin_width(freqs, centre) / 2)
        ratio += rng.uniform(*amplitude) * _resonance(freqs, centre, half_width)
    return ratio


@family(widths=(1, 2, 5, 12, 30, 60, 90, 140, 200))
def power_supply(rng, freqs, amplitude):
    """50 or 60 Hz and 5..20 harmonics falling as n^-1/2, and a switching hump near 2 kHz, sigma 60..200 Hz."""
    mains = rng.choice([50.0, 60.0])
    n_harmonics = rng.integers(5, 21)
    level = rng.uniform(*amplitude)
    hump_centre, hump_sigma = rng.uniform(1700.0, 2300.0), rng.uniform(60.0, 200.0)
    ratio = rng.uniform(*amplitude) * _gaussian(freqs, hump_centre, hump_sigma)
    orders = np.arange(1, n_harmonics + 1)
    centres = mains * orders
    inside = centres <= freqs[-1] + 1
    widths = np.maximum(1.0, [_bin_width(freqs, centre) for centre in centres])
    lines = (level * orders**-0.5)[:, None] * _gaussian(freqs, centres[:, None], widths[:, None])  # (order, bin)
    return ratio + lines[inside].sum(axis=0)


@family(widths=(1, 2, 3))
def interference(rng, freqs, amplitude):
    """One narrow Lorentzian line anywhere, half-width one to three bins."""
    centre = rng.uniform(freqs[0], freqs[-1])
    half_width = rng.uniform(1.0, 3.0) * _bin_width(freqs, centre)
    return rng.uniform(*amplitude) * _resonance(freqs, centre, half_width)


@family(widths=(1, 2))
def clock_leakage(rng, freqs, amplitude):
    """A comb of narrow lines, spacing 150..1000 Hz (log-uniform), random offset, sigma one to two bins."""
    spacing = np.exp(rng.uniform(np.log(150.0), np.log(1000.0)))
    offset = rng.uniform(0.0, spacing)
    centres = offset + spacing * np.arange(int((freqs[-1] - offset) // spacing) + 1)
    centres = centres[centres >= freqs[0]]
    level, width = rng.uniform(*amplitude), rng.uniform(1.0, 2.0)
    ratio = np.zeros_like(freqs)
    for centre in centres:
        ratio += level * _gaussian(freqs, centre, width * _bin_width(freqs, centre))
    return ratio


PROFILES = {  # of a distance from the centre in widths
    "bump": lambda distance: np.exp(-0.5 * distance**2),
    "resonance": lambda distance: 1 / (1 + distance**2),
    "plateau": lambda distance: np.exp(-(np.minimum(np.abs(distance), 3.0) ** 8)),
}
SHAPE_WIDTHS = (0.7, 1 / 12)  # of `shapes`: from this many bins to this share of the axis
COMB_SHARE = 0.35  # of the draws of `shapes` that hold a comb


def _shape(rng, places, centres, width):
    """One profile, drawn anew, at every centre: to one side it may be wider, (centre, bin)."""
    profile = PROFILES[rng.choice(list(PROFILES))]
    skew = np.exp(rng.uniform(-1.0, 1.0)) if rng.random() < 0.3 else 1.0
    distance = (places - centres[:, None]) / width
    return profile(np.where(distance < 0, distance, distance / skew))


@family
def shapes(rng, freqs, amplitude):
    """No family in particular: up to four bumps, resonances, plateaus and skewed forms of any width, and combs.

    Widths are log-uniform from 0.7 bins to a twelfth of the axis. A comb of 3 to 40 equal lines stands in a third of
    the draws, its heights constant or falling. Nothing is taken from the other families: to train on for noise that is
    not known.
    """
    n_bins = len(freqs)
    places, widest = np.arange(n_bins), SHAPE_WIDTHS[1] * n_bins
    ratio = np.zeros(n_bins)
    has_comb = rng.random() < COMB_SHARE
    if has_comb:
        spacing = np.exp(rng.uniform(np.log(20.0), np.log(n_bins / 3)))
        orders = np.arange(rng.integers(3, 41))
        centres = rng.uniform(0, n_bins / 2) + spacing * orders
        width = np.exp(rng.uniform(np.log(SHAPE_WIDTHS[0]), np.log(max(spacing / 10, 1.0))))
        heights = rng.uniform(*amplitude) * (orders + 1.0) ** -rng.choice([0.0, rng.uniform(0.0, 1.0)])
        ratio += heights @ _shape(rng, places, centres, width)
    for _ in range(rng.integers(0 if has_comb else 1, 3 if has_comb else 5)):
        width = np.exp(rng.uniform(np.log(SHAPE_WIDTHS[0]), np.log(widest)))
        ratio += rng.uniform(*amplitude) * _shape(rng, places, rng.uniform(0, n_bins, 1), width)[0]
    return ratio


def draw_external(
    rng: np.random.Generator, freqs: Float[ndarray, " bin"], name: str, amplitude: tuple[float, float] = (0.5, 3.0)
) -> Float[ndarray, " bin"]:
    """External noise of one family as its ratio to the background, unitless and >= 0.

    Parameters
    ----------
    name : key of FAMILIES
    amplitude : range of the peak ratio, drawn uniformly

    Returns
    -------
    ratio r(f); redrawn while fewer than 30 % of the 20-bin cells are clean

    Raises
    ------
    ValueError for an unknown family, or when 100 draws leave too little clean
    """
    check_family(name)
    for _ in range(MAX_DRAWS):
        ratio = FAMILIES[name](rng, freqs, amplitude)
        if clean_cells(ratio > NOISY_RATIO) >= MIN_CLEAN_CELLS:
            return ratio
    raise ValueError(
        f"{MAX_DRAWS} draws of {name!r} with amplitude {amplitude} each left less than {MIN_CLEAN_CELLS:.0%} of the "
        f"cells clean on this grid ({freqs[0]:g}..{freqs[-1]:g} Hz); use a smaller amplitude or a wider grid"
    )


def check_family(name: str) -> None:
    """Raise ValueError for a family that is not registered."""
    check_known(FAMILIES, "noise family", name)
