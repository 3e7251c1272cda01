"""Lesson 12: what a training wants to be asked. Each instrument is one number for one layer, or one step."""

import numpy as np


def norms(layers):
    """Return the length ‖·‖ of each layer's weights (or of its gradient), shape (..., layers).

    layers: arrays of shape (..., inputs + 1, outputs), as net.layers(w) gives them.
    """
    return np.stack([np.sqrt((W * W).sum(axis=(-2, -1))) for W in layers], axis=-1)


def update_ratio(layers, steps):
    """Return how far a step moves each layer, as a share of the layer's own length: ‖step‖ / ‖w‖.

    layers, steps: the weights, and their changes in one step, as for `norms`. Shape (..., layers).
    0 where nothing moves, even from w = 0. 1e-3 is the usual rule of thumb, far from it worth a look.
    Source: Stanford CS231n, https://cs231n.github.io/neural-networks-3/
    """
    moved = norms(steps)
    return np.divide(moved, norms(layers), out=np.zeros_like(moved), where=moved != 0)


def dead(h):
    """Return the share of units that are 0 for every example: under ReLU they have no gradient either.

    h: what a hidden layer hands on, shape (..., examples, units).
    """
    return (h == 0).all(axis=-2).mean(axis=-1)


def saturated(h, level=0.97):
    """Return the share of a tanh layer's values beyond ±level, where the slope 1 − h² is nearly 0.

    h: shape (..., examples, units).  level: at 0.97 the slope is 0.06.
    """
    return (np.abs(h) > level).mean(axis=(-2, -1))


def relative_error(a, b):
    """Return ‖a − b‖ / max(‖a‖, ‖b‖): 0 if two gradients agree, 1 if one is missing, 2 if it is reversed.

    a, b: a gradient by formula and one by differences, any shape, float64. Two zeros agree.
    """
    larger = np.sqrt(max((a * a).sum(), (b * b).sum()))
    return np.sqrt(((a - b) ** 2).sum()) / larger if larger > 0 else larger


def scaled_step(w, g, scale, lr):
    """Step downhill with the float16 gradient of scale · loss; skip the step if any of it is not finite.

        w ← w − lr·g/scale    if all of g is finite, else w

    w: weights in float32 or more, shape (n,).  g: gradient of the scaled loss, float16.  scale: a power of 2.
    Dividing in float16 would lose again what the scale has saved.
    Source: Micikevicius et al. 2018, https://arxiv.org/abs/1710.03740
    """
    g = g.astype(w.dtype) / scale
    finite = np.isfinite(g).all()
    return np.where(finite, w - lr * g, w)


def next_scale(scale, good, finite, *, growth=2.0, backoff=0.5, patience=2000):
    """Return the next loss scale and the number of good steps since it changed: grow slowly, shrink at once.

    good: finite steps since the last change.  finite: was this one?  The defaults are PyTorch's.
    """
    if not finite:
        return scale * backoff, 0
    if good + 1 == patience:
        return scale * growth, 0
    return scale, good + 1
