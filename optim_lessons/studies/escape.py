"""How walks leave a saddle, and how they find the basin of a plateau, without noise and with it.

saddle_steps(1e-3, lr=0.1)                          # steps from the ridge of a saddle to its slope
plateau_walks(14, noise=0.03) < 4                   # which of 20 walkers are in the basin, at each step
"""

import itertools

import numpy as np

from optim_lessons.gradient_descent import gradient_descent
from optim_lessons.lab.path import iterate


def saddle_steps(distance, lr, descent=0.5, far=0.5):
    """Return how many steps the formula gives for |w[1]| to grow from `distance` to `far`."""
    return np.log(far / distance) / np.log1p(lr * descent)


def basin(w):
    """Return the height of a plateau around a basin, for any number of weights: 1 − exp(−|w|²/32)."""
    return -np.expm1(-(w**2).sum(axis=-1) / 32)


def basin_grad(w):
    """Return its gradient. It is the slope of landscapes.plateau(condition=1)."""
    return w / 16 * np.exp(-(w**2).sum(axis=-1, keepdims=True) / 32)


def plateau_walks(start, noise, weights=1, seed=0, steps=800, walkers=20, lr=3.0):
    """Return the distance from the basin's centre along walks from `start`, shape (steps + 1, 1 + walkers).

    The first walk is without noise. noise: standard deviation, in each of the `weights` coordinates.
    """
    rng = np.random.default_rng(seed)

    def grad(w, t):
        shakes = noise * rng.standard_normal((walkers, weights))
        return basin_grad(w) + np.concatenate([np.zeros((1, weights)), shakes])

    w0 = np.zeros((1 + walkers, weights))
    w0[:, 0] = start
    walk = itertools.islice(iterate(gradient_descent, grad, w0, lr=lr), steps + 1)
    return np.array([np.linalg.norm(w, axis=-1) for (w,) in walk])
