"""The experiments of lesson 06: examples that come one by one, and regret, what a walk loses to hindsight."""

from functools import lru_cache

import numpy as np

from optim_lessons.lab.kept import kept
from optim_lessons.lab.path import path, record
from optim_lessons.studies.long_run import effective_lr

EXAMPLES = 1000  # of the rare and the frequent feature
LRS = np.geomspace(1e-3, 1e2, 41)  # whose regrets are compared
DISTANCE = 2.0  # from the start to the middle of the targets


@lru_cache(maxsize=32)
def feature_stream(frequency=0.02, seed=0, examples=EXAMPLES):
    """Return examples that come one by one: x, shape (examples, 2), and y = x[0] + x[1] + noise of 0.5.

    x[0] is always 1: the frequent feature. x[1] is 1 in a share `frequency` of the examples, else 0.
    """
    rng = np.random.default_rng(seed)
    x = np.stack([np.ones(examples), rng.random(examples) < frequency], axis=-1).astype(float)
    y = x.sum(axis=-1) + 0.5 * rng.standard_normal(examples)
    return kept(x, y)


def stream_slope(x, y):
    """Return the gradient of ½·(x·w − y)² for the example that comes at step t, a function of (w, t)."""

    def slope(w, t):
        return x[t] * ((x[t] * w).sum(axis=-1, keepdims=True) - y[t])

    return slope


def on_stream(rule, x, y, **knobs):
    """Walk a rule from 0 along such a stream; return its w, and the effective lr of each weight.

    The second has shape (examples, 2), and is NaN before a weight has had a gradient; None without v.
    """
    run = record(rule, stream_slope(x, y), np.zeros(2), len(x), **knobs)
    if "v" not in run:
        return run["w"], None
    v = run["v"][1:]
    return run["w"], np.where(v > 0, np.clip(effective_lr(v, **knobs), 1e-9, 1e9), np.nan)


@lru_cache(maxsize=128)
def regrets(rule, steps, scale, seed):
    """Return the mean regret of each lr in LRS, in units of the scale: the mean loss above the best fixed w.

    The loss of step t is scale·|w − c[t]|, with c[t] = 2 + standard noise; the walk starts at 0.
    """
    c = DISTANCE + np.random.default_rng(seed).standard_normal(steps)
    ws = path(rule, lambda w, t: scale * np.sign(w - c[t]), np.zeros(1), steps, lr=LRS[:, None])[:-1, :, 0]
    return kept((np.abs(ws - c[:, None]) - np.abs(np.median(c) - c)[:, None]).mean(axis=0))


def regret_bound(steps, scale):
    """Return the theory's bound for each fixed lr in LRS, as `regrets` counts, and the lr where it is lowest.

    D²/(2·lr) + lr·G/2 in all, lowest at D/√G; G: the sum of the squared gradients.
    """
    squares = steps * scale**2
    return (DISTANCE**2 / (2 * LRS) + LRS * squares / 2) / steps / scale, DISTANCE / np.sqrt(squares)
