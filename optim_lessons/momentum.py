"""Lesson 04: momentum (the heavy ball), which remembers the way it came."""

import numpy as np


def momentum(w, g, m=0.0, *, lr=0.01, beta=0.9):
    """Keep rolling: what all gradients agree on adds up, what they disagree on cancels.

        m ← β·m + g
        w ← w − lr·m

    w, g: weights and gradient, same shape.  m: decaying sum of gradients, starts at 0.
    lr: step size; a steady gradient is followed at lr/(1 − β).  beta: memory, in [0, 1).
    Returns the new w and m. PyTorch and JAX use this form; the damped one adds (1 − β)·g.
    Source: Polyak 1964, USSR Comp. Math. 4(5), https://doi.org/10.1016/0041-5553(64)90137-5
    """
    m = beta * m + g
    w = w - lr * m
    return w, m


def spectral_radius(lr_times_curvature, beta):
    """Return the factor by which one step shrinks the distance to the minimum of ½·h·w² in the long run.

    The path obeys  w'' = (1 + β − lr·h)·w' − β·w;  the factor is the larger root of
    z² − (1 + β − lr·h)·z + β.
    Where the roots are complex the path oscillates and the factor is √β, whatever lr and h.
    lr_times_curvature: lr·h.  beta: memory. Arrays broadcast. Below 1: converges; above 1: diverges.
    """
    return largest_root(1 + beta - lr_times_curvature, beta)


def best_lr_and_beta(mu, L):
    """Return the lr and beta that shrink all directions of a quadratic fastest: lr = 4/(√μ + √L)².

    mu, L: smallest and largest curvature. The factor per step is √β = (√κ − 1)/(√κ + 1) with κ = L/μ,
    where gradient descent at its best has (κ − 1)/(κ + 1). Source: Polyak 1964, as for `momentum`.
    """
    a, b = np.sqrt(mu), np.sqrt(L)
    return (2 / (a + b)) ** 2, ((b - a) / (b + a)) ** 2


def largest_root(p, q):
    """Return max |z| over the roots of z² − p·z + q."""
    p, q = np.asarray(p, dtype=float), np.asarray(q, dtype=float)
    under_root = p * p / 4 - q
    real = np.abs(p) / 2 + np.sqrt(np.maximum(under_root, 0))
    return np.where(under_root < 0, np.sqrt(np.abs(q)), real)[()]
