"""Another processor, imitated for tests: OPTIM_LESSONS_NUDGE=1 moves numbers by one unit in the last place.

Sums and functions round differently from one processor, library or system to the next. A walk that forgets
such a difference is the same everywhere; a chaotic one ends elsewhere, and a page must not tell its digits.
With a seed set, `nudged` moves what a walk begins from, each gradient of it, and each matrix product of a
model. A zero stays zero: no rounding moves it. Equal numbers at equal places move alike: runs that are
equal stay equal.
"""

import functools
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
    bits = np.ascontiguousarray(x).view(_BITS[x.dtype.itemsize])  # of a single number, an array of one
    mixed = bits.astype(np.uint32)
    mixed ^= (bits >> (4 * x.dtype.itemsize)).astype(np.uint32)
    for add in _adds(x.shape[-1] if x.ndim else 1, seed):
        mixed += add
        mixed *= np.uint32(0x846CA68B)
        mixed ^= mixed >> 16
    mixed %= 3
    there = (bits + mixed - 1).view(x.dtype).reshape(x.shape)
    if not (x.all() and np.isfinite(there).all()):
        there = np.where(np.isfinite(x) & (x != 0) & np.isfinite(there), there, x)
    return there[()]


@functools.cache
def _adds(places, seed):
    by_place = np.arange(places, dtype=np.uint32) * np.uint32(0x9E3779B9)
    return by_place, np.array([seed * 0x7FEB352D % 2**32], np.uint32)
