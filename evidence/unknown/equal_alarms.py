"""What methods find on the simulated worlds where all of them raise equally many false alarms per spectrum."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float
from numpy import ndarray

from evidence.unknown.second_world import SecondWorld
from evidence.unknown.unknown_backgrounds import LOCKED_SEED
from nblib.measured.line_free.world import WideSpectrum, WideWorld
from nblib.measured.statistic.thresholds import rank_threshold

RATES = (0.01, 0.05)  # of line-free spectra in which any cell is flagged
N_LINE_FREE = 1000
SEED = LOCKED_SEED + 1  # no spectrum of the locked tests, and of no training


def line_free(name: str, n_spectra: int = N_LINE_FREE) -> list[WideSpectrum]:
    """Spectra without external noise of one world, "wide" or "second": all grids, K and estimators."""
    worlds: dict[str, WideWorld | SecondWorld] = {
        "wide": WideWorld(SEED, "test", none_share=1.0),
        "second": SecondWorld(SEED, none_share=1.0),
    }
    return [worlds[name][index] for index in range(n_spectra)]


def found_draws(
    cells: Sequence[ndarray],
    truth: Sequence[ndarray],
    quiet: Sequence[ndarray],
    rate: float,
    n_draws: int = 200,
    seed: int = 0,
) -> Float[ndarray, " draw"]:
    """Share of the noisy cells above the score that a share `rate` of line-free spectra exceeds; as measured first.

    The other draws take both the line-free and the noisy spectra again with replacement, the same for every method. A
    cell without a score is not found; a line-free spectrum without one raises no alarm.

    Parameters
    ----------
    cells, truth : (cell,) scores of every noisy spectrum, and which of its cells hold external noise
    quiet : (cell,) scores of the line-free ones
    """
    maxima = np.array([np.max(row, where=~np.isnan(row), initial=-np.inf) for row in quiet])
    scores = np.concatenate([row[noisy] for row, noisy in zip(cells, truth, strict=True)])
    owner = np.repeat(np.arange(len(truth)), [int(noisy.sum()) for noisy in truth])
    shares = np.zeros(n_draws)
    for draw in range(n_draws):
        rng = np.random.default_rng([seed, draw])
        picked = [rng.integers(0, size, size) if draw else np.arange(size) for size in (len(maxima), len(truth))]
        weights = np.bincount(picked[1], minlength=len(truth))[owner]
        above = scores > rank_threshold(maxima[picked[0]], rate)  # False where a score is missing
        shares[draw] = (above * weights).sum() / weights.sum()
    return shares
