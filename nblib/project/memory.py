"""Freed memory stays with the process, so that the next array of its size needs no new pages."""

from functools import cache

import numpy as np

KEPT = 1 << 24  # bytes


@cache
def keep_freed_memory() -> None:
    """Have glibc keep twice KEPT bytes of what is freed; elsewhere this does nothing.

    It gives the end of its heap back to the system from a size on that it raises to twice that of the largest block
    freed so far (mallopt(3), M_MMAP_THRESHOLD). Without this block a spectrum of 3,000 bins costs a thousand page
    faults, a tenth of its time.
    """
    np.empty(KEPT, dtype=np.uint8)
