"""Lesson 05: Nesterov's momentum, which looks ahead before it corrects."""

import numpy as np

from optim_lessons.momentum import largest_root


def nesterov(w, g, m=0.0, *, lr=0.01, beta=0.9):
    """Step with the momentum that the next step will have, so that overshoot is seen earlier.

        m ← β·m + g
        w ← w − lr·(g + β·m)

    w, g: weights and gradient, same shape.  m: decaying sum of gradients, starts at 0.
    lr: step size.  beta: memory, in [0, 1). Returns the new w and m.
    PyTorch's form. Here w is the look-ahead point of Sutskever's form, at constant lr and beta.
    Source: Nesterov 1983, Soviet Math. Dokl. 27(2); Sutskever et al. 2013,
    https://proceedings.mlr.press/v28/sutskever13.html
    """
    m = beta * m + g
    w = w - lr * (g + beta * m)
    return w, m


def spectral_radius(lr_times_curvature, beta):
    """Return the factor by which one step shrinks the distance to the minimum of ½·h·w² in the long run.

    The path obeys  w'' = (1 − lr·h)·((1 + β)·w' − β·w);  the factor is the larger root of
    z² − (1 + β)·(1 − lr·h)·z + β·(1 − lr·h): where it oscillates √(β·(1 − lr·h)), which steep
    directions make small. lr_times_curvature: lr·h.  beta: memory. Arrays broadcast.
    """
    kept = 1 - np.asarray(lr_times_curvature, dtype=float)
    return largest_root((1 + beta) * kept, beta * kept)


def best_lr_and_beta(mu, L):
    """Return the lr and beta that shrink all directions of a quadratic fastest: lr = 4/(3L + μ).

    mu, L: smallest and largest curvature. The factor per step is 1 − 2/√(3κ + 1) with κ = L/μ.
    Source: Lessard, Recht, Packard 2016, table 1, https://arxiv.org/abs/1408.3595
    """
    root = np.sqrt(3 * L / mu + 1)
    return 4 / (3 * L + mu), (root - 2) / (root + 2)
