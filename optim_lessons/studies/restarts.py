"""Momentum with restarts, which lesson 04 asks for and then races."""

import numpy as np


def restarted_momentum(w, g, m=0.0, *, lr=0.01, beta=0.9):
    """Momentum that stops dead whenever its velocity would carry it uphill, and starts again from rest.

        m ← 0 if g·m < 0        m ← β·m + g        w ← w − lr·m

    g·m is the sum over the last axis, of each run alone. After a restart the step is plain descent, so
    lr has to stay below 2/L.  w, g, m, lr, beta: as for `momentum`. Returns the new w and m.
    Source: O'Donoghue and Candès 2015, section 3.2, https://arxiv.org/abs/1204.3982
    """
    uphill = (g * m).sum(axis=-1, keepdims=True) < 0
    m = beta * np.where(uphill, 0.0, m) + g
    w = w - lr * m
    return w, m
