"""How probable each kept bin is free of what the flags missed: a mixture of clean and contaminated bins.

Flags miss what is weak: at K = 10 a bin may hold as much external power as background and stay below any threshold. A
kept bin is x = S u with u ~ Gamma(K, 1/K) or, for a share of the bins, x = S (1 + e) u with external power e. The
shares of contaminated bins, beside dropped ranges and elsewhere, are those that the spectrum makes most likely.
"""

import numpy as np
from jaxtyping import Bool, Float
from numpy import ndarray
from scipy.special import gammaln, logsumexp

EXCESSES = np.geomspace(0.25, 8.0, 8)  # e, equally likely
BESIDE = 3  # bins: this close to a dropped one, contamination is likelier than elsewhere
ROUNDS = 30  # of expectation and maximisation
FIRST_SHARE = 0.05
GAIN = 6.0  # twice the logarithm of the likelihood that contaminated bins must gain; else all are taken as clean
LEAST_BINS = 20  # of a group


def clean_probability(
    ratio: Float[ndarray, " bin"], n_segments: Float[ndarray, " bin"], used: Bool[ndarray, " bin"]
) -> Float[ndarray, " bin"]:
    """That a used bin is clean, in [0, 1]; 1 where nothing speaks against it, and where a bin is not used.

    Parameters
    ----------
    ratio : x/S of a first fit
    n_segments : K
    used : neither dropped nor trimmed
    """
    found = np.ones(len(ratio))
    out = np.convolve(~used, np.ones(2 * BESIDE + 1), "same") > 0
    for group in (used & out, used & ~out):
        if group.sum() >= LEAST_BINS:
            found[group] = _posterior(ratio[group], n_segments[group])
    return found


def _posterior(ratio, segments):
    k, u = segments, np.maximum(ratio, 1e-12)
    clean = k * np.log(k) - gammaln(k) + (k - 1) * np.log(u) - k * u
    scales = 1 + EXCESSES[:, None]
    noisy = logsumexp(clean + k * u * (1 - 1 / scales) - k * np.log(scales), axis=0) - np.log(len(EXCESSES))
    odds, share = noisy - clean, FIRST_SHARE
    for _ in range(ROUNDS):
        dirty = share / (share + (1 - share) * np.exp(-np.clip(odds, -300, 300)))
        share = float(np.clip(dirty.mean(), 1e-6, 0.9))
    gain = 2 * np.logaddexp(np.log1p(-share), np.log(share) + odds).sum()
    return 1 - dirty if gain > GAIN else np.ones(len(u))


def information_share(
    clean: Float[ndarray, " bin"], ratio: Float[ndarray, " bin"], n_segments: Float[ndarray, " bin"]
) -> Float[ndarray, " bin"]:
    """What a bin tells of S, over K: w - w (1 - w) K (u - 1)^2, as it is not known which component it belongs to.

    References
    ----------
    T. A. Louis, "Finding the observed information matrix when using the EM algorithm", J. R. Stat. Soc. B 44, 226, 1982
    """
    return clean - clean * (1 - clean) * n_segments * (ratio - 1) ** 2
