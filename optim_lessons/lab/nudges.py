"""Another processor, imitated for tests: OPTIM_LESSONS_NUDGE=1 moves numbers by one unit in the last place.

Sums and functions round differently from one processor, library or system to the next. A walk that forgets
such a difference is the same everywhere; a chaotic one ends elsewhere, and a page must not tell its digits.
With a seed set, `nudged` moves what a walk begins from, each gradient of it, and each matrix product of a
model. A zero stays zero: no rounding moves it. Equal numbers at equal places move alike: runs that are
equal stay equal.
"""

import os
import sys

import numpy as np

SEED = int(os.environ.get("OPTIM_LESSONS_NUDGE") or 0)  # 0: nothing is moved
if SEED:
    print(f"optim_lessons: OPTIM_LESSONS_NUDGE={SEED}, numbers are nudged, as tests want it", file=sys.stderr)

_BITS = {4: np.uint32, 8: np.uint64}


def nudged(x):
    """Return x; in tests with a seed, each number of it moved up, down or not at all, in its last place.

    x: floats, shape (..., n). The seed, a number's bits and its place on the last axis say where it goes.
    """
    return _moved(x, SEED) if SEED else x


def _moved(x, seed):
    if not isinstance(x, np.ndarray | np.floating) or x.dtype.kind != "f" or x.dtype.itemsize not in _BITS:
        return x
    bits = np.ascontiguousarray(x).view(_BITS[x.dtype.itemsize]).reshape(x.shape)
    places = np.arange(x.shape[-1] if x.ndim else 1, dtype=np.uint32)[(...,) if x.ndim else 0]
    mixed = bits.astype(np.uint32) ^ (bits >> (4 * x.dtype.itemsize)).astype(np.uint32)
    with np.errstate(over="ignore"):
        for add in (places * np.uint32(0x9E3779B9), np.uint32(seed * 0x7FEB352D % 2**32)):
            mixed = (mixed + add) * np.uint32(0x846CA68B)
            mixed ^= mixed >> np.uint32(16)
        step = (mixed % np.uint32(3)).astype(bits.dtype) - bits.dtype.type(1)  # unsigned: -1 wraps, and back
        there = (bits + step).view(x.dtype)
    return np.where(np.isfinite(x) & (x != 0) & np.isfinite(there), there, x)[()]
