"""The rows that nets are tried on, apart from the other exports, so that the environment that made the nets can make them too."""

import numpy as np

ROWS = 10_000
SIZES = (7, 12)  # of the embedded categories


def rows():
    """Numbers, and the categories of the nets that embed some."""
    rng = np.random.default_rng(9)
    x = rng.normal(size=(ROWS, 23)).astype(np.float32) * 2
    return x, np.stack([rng.integers(0, size, ROWS) for size in SIZES], axis=1)
