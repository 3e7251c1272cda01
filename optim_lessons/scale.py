"""Lesson 15: what changes as networks, batches, trainings and memories grow.

lr * mup_factor("adam", "hidden", ratio=8)       # eight times as wide
noise_scale(16, short, 256, long)                # in examples: how large a batch pays
w = dequantised(*quantised(m, block=64))         # eight bits a number
"""

import numpy as np

# How the lr of a layer goes with the width n: lr ∝ n^power. Muon's step is √max(1, outputs/inputs) times
# an orthogonal matrix, as `muon` takes it.
POWERS = {
    "sgd": {"first": 1, "hidden": 0, "last": -1},
    "adam": {"first": 0, "hidden": -1, "last": -1},
    "muon": {"first": 0, "hidden": 0, "last": -0.5},
}


def mup_factor(rule, layer, ratio):
    """Return the number that muP multiplies a layer's lr by when the network gets `ratio` times as wide.

    rule: "sgd", "adam" or "muon".  layer: "first", "hidden" or "last".  Beside it the last layer starts
    with weights that are √ratio times smaller than 1/√inputs would make them.
    Source: Yang and others 2022, https://arxiv.org/abs/2203.03466
    """
    return ratio ** POWERS[rule][layer]


def noise_scale(small, short, large, long):
    """Return tr Σ / ‖G‖²: the batch, in examples, at which noise and gradient are equally long.

    small, large: two batch sizes.  short, long: the mean of ‖g‖² over gradients of batches of these sizes.
    A batch of B has ‖g‖² = ‖G‖² + tr Σ / B on average; two sizes give both unknowns.
    Source: McCandlish and others 2018, https://arxiv.org/abs/1812.06162
    """
    signal = (large * long - small * short) / (large - small)
    noise = (short - long) / (1 / small - 1 / large)
    return noise / signal


def is_spike(norms, factor=5.0):
    """Return whether the last gradient is so many times longer than the usual one, the median before it.

    norms: lengths of gradients in their order, shape (steps, ...), two at least.
    """
    return norms[-1] > factor * np.median(norms[:-1], axis=0)


def bfloat16(x, chance=0.5):
    """Return x with 8 binary digits, as bfloat16 holds it, in x's own dtype.

    chance: 0.5 rounds to the nearest (a tie upwards); random numbers from [0, 1), in the shape of x, round
    up or down by chance, in proportion: right on average.
    """
    digits, exponent = np.frexp(x)
    return np.ldexp(np.floor(digits * 256 + chance) / 256, exponent)


def quantised(x, block=64):
    """Return x in eight bits: whole numbers from −127 to 127, and a scale for each block of the last axis.

    x: shape (..., n), n a multiple of `block`.  codes: (..., n/block, block), int8; scales: (..., n/block, 1)
    Source: Dettmers and others 2022, https://arxiv.org/abs/2110.02861, whose steps are finer near 0.
    """
    blocks = x.reshape(*x.shape[:-1], -1, block)
    scale = np.abs(blocks).max(axis=-1, keepdims=True)
    share = blocks / np.where(scale > 0, scale, 1)
    return np.rint(127 * share).astype(np.int8), scale


def dequantised(codes, scale):
    """Return the numbers that `quantised` has stored, in the dtype of their scales."""
    x = codes.astype(scale.dtype) * (scale / 127)
    return x.reshape(*x.shape[:-2], -1)


def factored(v):
    """Return the table of rank one with the rows' and the columns' sums of v: rows · columns / total.

    v: shape (..., rows, columns), nowhere negative.  0 where all of v is.
    Source: Shazeer and Stern 2018, https://arxiv.org/abs/1804.04235
    """
    rows, columns = v.sum(axis=-1, keepdims=True), v.sum(axis=-2, keepdims=True)
    total = rows.sum(axis=-2, keepdims=True)
    return rows * columns / np.where(total > 0, total, 1)
