"""Slopes measured by differences, and how far they are off, for exp, all of whose derivatives are known.

central(np.exp, 1.0, 1e-5) / np.e - 1                          # too large by this share
error_of_slope(one_sided, 1.0, hs, "float32")                  # against the step of the difference
"""

import numpy as np

DTYPES = {"float64": np.float64, "float32": np.float32}


def central(f, w, h):
    """Return the slope of f at w by a central difference; w and h are numbers or arrays of one dtype."""
    return (f(w + h) - f(w - h)) / (2 * h)


def one_sided(f, w, h):
    """Return the slope of f at w by a one-sided difference."""
    return (f(w + h) - f(w)) / h


def unit_roundoff(precision):
    """Return u, the largest relative error of one rounding: half the gap between 1 and the next number."""
    return float(np.finfo(DTYPES[precision]).eps) / 2


def error_of_slope(difference, w, h, precision):
    """Return the relative error of the slope of exp at w by a difference.  h: a number, or an array."""
    point, sizes = DTYPES[precision](w), np.asarray(h, DTYPES[precision])
    return np.abs(np.asarray(difference(np.exp, point, sizes), float) / np.exp(float(point)) - 1)


def rise(w, h, offsets, precision):
    """Return how far exp rises from w to w + offset·h, for each offset, in units of h · slope."""
    kind = DTYPES[precision]
    point, size = kind(w), kind(h)
    unit = float(size) * np.exp(float(point))
    # One number at a time: for arrays NumPy's exp may round otherwise, and at a small h that shows.
    return np.array([float(np.exp(point + kind(x) * size) - np.exp(point)) / unit for x in offsets])
