"""The experiments of lesson 07: how RMSProp forgets a burst, drifts in a rhythm of slopes, and jitters."""

import numpy as np

from optim_lessons.lab.path import record
from optim_lessons.rmsprop import rmsprop
from optim_lessons.studies.long_run import STEPS

BURST_STEPS = 2000  # of the slopes with a burst
SLOPES = np.array([0.1] * 9 + [-0.9])  # nine small ones and a large one: their mean is 0


def fed(rule, slopes, **knobs):
    """Feed a rule with given slopes from w = 0; return its w, shape (steps + 1,), and v, shape (steps,)."""
    walk = record(rule, lambda w, t: slopes[t], 0.0, len(slopes), **knobs)
    return walk["w"], walk["v"][1:]


def slopes_with_burst(size, start, length):
    """Return 2,000 slopes of size 1; from step `start` on, `length` of them are `size` times as large."""
    slopes = np.ones(BURST_STEPS)
    slopes[start : start + length] = size
    return slopes


def drift(beta):
    """Return how far w moves in ten steps, in units of lr, when nine slopes of 0.1 and one of −0.9 repeat.

    Their mean is 0. v has its lasting rhythm; eps is 0.
    """
    beta = np.asarray(beta, dtype=float)[..., None]
    age = (np.arange(10)[:, None] - np.arange(10)) % 10  # of slope j, seen at phase i
    v = ((1 - beta) / (1 - beta**10))[..., None] * beta[..., None] ** age @ (SLOPES**2)[:, None]
    return -(SLOPES / np.sqrt(v[..., 0])).sum(axis=-1)


def amplitude(lr, eps, curvature):
    """Return how far from the minimum of ½·h·w² RMSProp jitters for ever: lr/2 − ε/h, or 0."""
    return np.maximum(lr / 2 - eps / curvature, 0.0)


def on_parabola(lr, beta, eps, curvature):
    """Walk RMSProp from 1 down ½·curvature·w² for 3,000 steps; return w, and v after each step."""
    walk = record(rmsprop, lambda w: curvature * w, 1.0, STEPS, lr=lr, beta=beta, eps=eps)
    return walk["w"], walk["v"][1:]
