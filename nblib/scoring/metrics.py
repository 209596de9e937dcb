"""How well scores per cell find the noise, with chance levels, thresholds and intervals. All unadjusted."""

from collections.abc import Callable

import numpy as np
from jaxtyping import Bool, Float, Int
from numpy import ndarray
from scipy.stats import t as student_t
from scipy.stats import trim_mean
from sklearn.metrics import average_precision_score, roc_auc_score

from nblib.cells import N_INTERVALS, intervals_max

TRIMMED_SCATTER = 7 / 6  # variance of an interquartile mean of 5 to 10 normal values over that of their mean, at most
N_GROUPS = 20  # of test spectra, for the jackknife over them
TOP1_MAX_NOISY = 10  # noisy intervals; spectra with more are left out of top-1


def top1_rate(scores: ndarray, truth: ndarray, n_bins: int) -> dict[str, float]:
    """Share of spectra whose best-scored interval (of 30) is a noisy one, beside two guesses.

    Parameters
    ----------
    scores, truth : (n, cell); spectra with 1 to 10 noisy intervals count, NaN where there is none

    Returns
    -------
    "top1", "top1_constant" (the best single interval for all, chosen on these very spectra, so generous), "top1_random"
    (expected), "n_top1" (spectra that count)
    """
    noisy = intervals_max(truth, n_bins)
    counts = noisy.sum(axis=1)
    chosen = (counts >= 1) & (counts <= TOP1_MAX_NOISY)
    if not chosen.any():
        return {"top1": np.nan, "top1_constant": np.nan, "top1_random": np.nan, "n_top1": 0}
    best = intervals_max(scores, n_bins)[chosen].argmax(axis=1)
    hits = noisy[chosen][np.arange(chosen.sum()), best]
    return {
        "top1": float(hits.mean()),
        "top1_constant": float(noisy[chosen].mean(axis=0).max()),
        "top1_random": float(counts[chosen].mean() / N_INTERVALS),
        "n_top1": int(chosen.sum()),
    }


def detection(scores: Float[ndarray, "n cell"], truth: Bool[ndarray, "n cell"], n_bins: int) -> dict[str, float]:
    """AUROC, average precision with its prevalence, and top-1 of 30; unadjusted, per cell.

    Returns
    -------
    "auroc" and "ap" are NaN when the truth holds one class only; chance is 0.5 and the prevalence
    """
    flat_truth, flat_scores = truth.ravel(), scores.ravel()
    both = flat_truth.any() and not flat_truth.all()
    return {
        "auroc": float(roc_auc_score(flat_truth, flat_scores)) if both else np.nan,
        "ap": float(average_precision_score(flat_truth, flat_scores)) if both else np.nan,
        "prevalence": float(flat_truth.mean()),
        **top1_rate(scores, truth, n_bins),
    }


def attended_tokens(cls_attn: Float[ndarray, "n head token"]) -> float:
    """Effective number of tokens that CLS attends to: exp of the entropy of a row, heads averaged, mean over spectra.

    Returns
    -------
    1 (all on one token) to the number of tokens (even)
    """
    rows = cls_attn.mean(axis=1)
    entropy = -(rows * np.log(np.maximum(rows, np.finfo(np.float32).tiny))).sum(axis=-1)
    return float(np.exp(entropy).mean())


def bootstrap_interval(
    scores: Float[ndarray, "n cell"], truth: Bool[ndarray, "n cell"], n_resamples: int = 200, seed: int = 0
) -> tuple[float, float]:
    """95 % percentile interval of the average precision when test spectra are drawn again with replacement.

    It covers the choice of test spectra, not that of the training seed. NaN where no cell is noisy.
    """
    if not truth.any():
        return (np.nan, np.nan)
    owner = np.repeat(np.arange(len(scores)), scores.shape[1])
    draws = precision_draws(scores.ravel(), truth.ravel(), owner, len(scores), n_resamples, seed)
    low, high = np.percentile(draws, [2.5, 97.5])
    return float(low), float(high)


def precision_draws(
    scores: Float[ndarray, " cell"],
    truth: Bool[ndarray, " cell"],
    owner: Int[ndarray, " cell"],
    n_spectra: int,
    n_draws: int = 200,
    seed: int = 0,
) -> Float[ndarray, " draw"]:
    """Average precision when spectra are drawn again with replacement; one seed, one choice of spectra.

    Parameters
    ----------
    owner : number of the spectrum that a cell belongs to
    """
    order = np.argsort(-scores, kind="stable")
    hits, owner, rng = truth[order], owner[order], np.random.default_rng(seed)

    def draw():
        weights = np.bincount(rng.integers(0, n_spectra, n_spectra), minlength=n_spectra)[owner]
        found, seen = np.cumsum(weights * hits), np.cumsum(weights)
        return (weights * hits * found / np.maximum(seen, 1)).sum() / max(found[-1], 1)

    return np.array([draw() for _ in range(n_draws)])


# ---- thresholds: false alarms per spectrum ----


def threshold_at(line_free: Float[ndarray, "n cell"], rate: float) -> float:
    """Score that the largest cell of a share `rate` of line-free spectra exceeds: a calibrated threshold."""
    if not 0 < rate < 1:
        raise ValueError(f"rate={rate} must lie between 0 and 1")
    return float(np.quantile(line_free.max(axis=1), 1 - rate))


def false_alarm_rate(line_free: Float[ndarray, "n cell"], threshold: float) -> float:
    """Share of line-free spectra with a cell above the threshold."""
    return float((line_free.max(axis=1) > threshold).mean())


def detection_rate(scores: Float[ndarray, "n cell"], truth: Bool[ndarray, "n cell"], threshold: float) -> float:
    """Share of spectra with noise in which a truly noisy cell is above the threshold; NaN where none has noise."""
    found = ((scores > threshold) & truth).any(axis=1)[truth.any(axis=1)]
    return float(found.mean()) if len(found) else np.nan


# ---- several seeds ----


def interquartile_mean(values: Float[ndarray, "*n seed"], axis: int = -1) -> Float[ndarray, "*n"]:
    """Mean of the middle half (Agarwal et al. 2021)."""
    return np.asarray(trim_mean(values, 0.25, axis=axis))


def over_seeds(
    values: Float[ndarray, " seed"], left_out: Float[ndarray, "seed group"] | None = None
) -> dict[str, float]:
    """Interquartile mean over seeds and its 95 % interval, which covers seeds and, with left_out, test spectra.

    The seeds' share of the variance is that of the mean, a sixth larger because extremes are left out. The spectra's,
    common to all seeds that are tested on the same ones, comes from a jackknife over groups of spectra. Each share
    has its own quantile of Student's t (Cochran and Cox 1950), which covers a little more than it says. Without
    left_out the interval says nothing about another choice of test spectra. Give paired differences or ratios, and
    theirs left_out, to compare two methods.

    Parameters
    ----------
    left_out : the same numbers with one group of test spectra left out in turn, see without_group

    Returns
    -------
    "iqm", "low", "high" (NaN below three seeds) and "n"
    """
    values = np.asarray(values, dtype=np.float64)
    centre, n_seeds = float(interquartile_mean(values)), len(values)
    if n_seeds < 3 or not np.isfinite(values).all():
        return {"iqm": centre, "low": np.nan, "high": np.nan, "n": n_seeds}
    variances = [TRIMMED_SCATTER * float(values.var(ddof=1)) / n_seeds]
    freedom = [n_seeds - 1]
    if left_out is not None:
        groups = interquartile_mean(np.asarray(left_out, dtype=np.float64).T)
        variances.append(_jackknife_variance(groups))
        freedom.append(len(groups) - 1)
    parts = zip(variances, freedom, strict=True)
    reach = np.sqrt(sum(float(student_t.ppf(0.975, n_free)) ** 2 * variance for variance, n_free in parts))
    return {"iqm": centre, "low": centre - reach, "high": centre + reach, "n": n_seeds}


def over_spectra(value: float, left_out: Float[ndarray, " group"]) -> dict[str, float]:
    """A number without seeds, with a 95 % jackknife interval over groups of test spectra; arguments as over_seeds."""
    groups = np.asarray(left_out, dtype=np.float64)
    reach = float(student_t.ppf(0.975, len(groups) - 1)) * np.sqrt(_jackknife_variance(groups))
    return {"iqm": float(value), "low": float(value - reach), "high": float(value + reach), "n": 0}


def _jackknife_variance(left_out):
    return (len(left_out) - 1) / len(left_out) * float(((left_out - left_out.mean()) ** 2).sum())


def average_precision_without_groups(
    scores: Float[ndarray, "n cell"], truth: Bool[ndarray, "n cell"], n_groups: int = N_GROUPS
) -> Float[ndarray, " group"]:
    """Average precision with each group of spectra left out in turn; the cells are sorted once. See without_group."""
    order = np.argsort(-scores.ravel(), kind="stable")
    group = np.repeat(np.arange(len(scores)) % n_groups, scores.shape[1])[order]
    hits, found = truth.ravel()[order], []
    for left_out in range(n_groups):
        rows = hits[group != left_out]
        precision = np.cumsum(rows) / np.arange(1, len(rows) + 1)
        found.append(precision[rows].mean() if rows.any() else np.nan)
    return np.array(found)


def without_group(
    statistic: Callable[[ndarray], float], n_spectra: int, n_groups: int = N_GROUPS
) -> Float[ndarray, " group"]:
    """A statistic with each group of test spectra left out in turn: what a jackknife over spectra needs.

    Parameters
    ----------
    statistic : of the indices of the spectra that are kept; group g holds spectra g, g + n_groups, ...
    """
    place = np.arange(n_spectra)
    return np.array([statistic(np.flatnonzero(place % n_groups != group)) for group in range(n_groups)])
