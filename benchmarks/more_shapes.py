"""Two other mixtures of what `shapes` draws, for benchmarks/shapes.py; registered from outside the package."""

import numpy as np

from nblib.spectra.noise import SHAPE_WIDTHS, _shape, family

MORE_COMBS = 0.7  # share of the draws that hold a comb; 0.35 in `shapes`


def _comb(rng, places, amplitude, widest):
    spacing = np.exp(rng.uniform(np.log(20.0), np.log(len(places) / 3)))
    orders = np.arange(rng.integers(3, 41))
    width = np.exp(rng.uniform(np.log(SHAPE_WIDTHS[0]), np.log(widest(spacing))))
    heights = rng.uniform(*amplitude) * (orders + 1.0) ** -rng.choice([0.0, rng.uniform(0.0, 1.0)])
    return heights @ _shape(rng, places, rng.uniform(0, len(places) / 2) + spacing * orders, width)


def _alone(rng, places, amplitude, widest):
    width = np.exp(rng.uniform(np.log(SHAPE_WIDTHS[0]), np.log(widest)))
    return rng.uniform(*amplitude) * _shape(rng, places, rng.uniform(0, len(places), 1), width)[0]


@family
def combs_and_shapes(rng, freqs, amplitude):
    """As `shapes`, with a comb in seven draws of ten."""
    places, widest = np.arange(len(freqs)), SHAPE_WIDTHS[1] * len(freqs)
    has_comb = rng.random() < MORE_COMBS
    ratio = np.zeros(len(freqs))
    if has_comb:
        ratio += _comb(rng, places, amplitude, lambda spacing: max(spacing / 10, 1.0))
    for _ in range(rng.integers(0 if has_comb else 1, 3 if has_comb else 5)):
        ratio += _alone(rng, places, amplitude, widest)
    return ratio


@family
def narrow_shapes(rng, freqs, amplitude):
    """As `combs_and_shapes`, half of the spectra with nothing broader than four bins, and one shape or comb alone."""
    places = np.arange(len(freqs))
    if rng.random() < 0.5:
        return combs_and_shapes(rng, freqs, amplitude)
    if rng.random() < 0.5:
        return _comb(rng, places, amplitude, lambda spacing: 4.0)
    return _alone(rng, places, amplitude, 4.0)
