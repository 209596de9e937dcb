"""The attention score on fixed cells of 20 bins, higher where noise is more likely.

Equation numbers are those of docs/method.md.
"""

import numpy as np
from jaxtyping import Float
from numpy import ndarray

from nblib.cells import cell_edges


def attention_score(cls_attn: Float[ndarray, "n head token"], n_bins: int) -> Float[ndarray, "n cell"]:
    """-ln(attention of the cell over uniform attention), heads averaged, eq. 9: high where CLS looks away.

    Parameters
    ----------
    cls_attn : rows that sum to 1; tokens of equally many bins in order of frequency
    """
    n_tokens = cls_attn.shape[-1]
    patch_size = -(-n_bins // n_tokens)
    per_bin = np.repeat(cls_attn.mean(axis=1) / patch_size, patch_size, axis=-1)[:, :n_bins]
    edges = cell_edges(n_bins)
    sizes = np.diff(np.append(edges, n_bins))
    share = np.add.reduceat(per_bin, edges, axis=-1) / (sizes / n_bins)
    return -np.log(np.maximum(share, np.finfo(np.float32).tiny))
