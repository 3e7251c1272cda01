"""The long run of lessons 06 and 07, after a minimum that moves."""

from functools import lru_cache

import numpy as np

from optim_lessons.lab.kept import kept
from optim_lessons.lab.path import record
from optim_lessons.studies.bias_correction import corrected

STEPS = 3000  # of the long run
BURST_AT = 1000  # its step with the burst


def effective_lr(v, *, lr, eps=0.0, beta2=None, **others):
    """Return what each gradient was multiplied by, lr/(√v + ε), along a run; v: None for a rule without.

    With beta2, v is corrected first, as Adam does.
    """
    if v is None:
        return lr
    if beta2 is not None:
        v = corrected(v, beta2)
    return lr / (np.sqrt(v) + eps)


@lru_cache(maxsize=32)
def moving_minimum(season=300, noise=0.3, burst=0.0, steps=STEPS, seed=0):
    """Return where the minimum of ½·(w − c)² is at each step, and what is added to the slope there.

    c: swings between −1 and 1, once in `season` steps; shape (steps + 1,).  added: noise of that size, drawn
    from the seed, and at step BURST_AT the burst; shape (steps,). The slope is w − c[t] + added[t].
    """
    c = np.sin(2 * np.pi * np.arange(steps + 1) / season)
    added = noise * np.random.default_rng(seed).standard_normal(steps)
    added[BURST_AT : BURST_AT + 1] += burst
    return kept(c, added)


def follow(rule, c, added, **knobs):
    """Walk a rule from 0 after a moving minimum; return w, shape (steps + 1,), and v after each step.

    v: shape (steps,), or None for a rule without.
    """
    pull = (added - c[:-1]).tolist()
    walk = record(rule, lambda w, t: w + pull[t], 0.0, len(added), **knobs)
    return walk["w"], walk["v"][1:] if "v" in walk else None
