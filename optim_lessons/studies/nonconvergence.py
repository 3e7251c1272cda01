"""The experiments of lesson 08 on where Adam does not arrive: Reddi's example, and a long calm at one lr."""

import numpy as np

from optim_lessons.adam import adam
from optim_lessons.lab.path import grid, path, record
from optim_lessons.landscapes import reddi
from optim_lessons.studies.bias_correction import corrected

REDDI_STEPS = 400
REDDI_BETAS = np.linspace(0, 0.99, 67)
CALM = 12_000  # steps


def box(w):
    """Return w, put back into [−1, 1]."""
    return np.clip(w, -1, 1)


def reddi_run(rule, lr, beta1, beta2, C=3.0, steps=REDDI_STEPS):
    """Return a rule's path in Reddi's example with the rare slope C, shape (steps + 1,); a beta2 or many."""
    many = grid(beta2=beta2) if np.ndim(beta2) else {"beta2": beta2}
    knobs = {"lr": lr, "beta1": beta1, "project": box}
    return path(rule, lambda w, t: reddi(w, t, C=C), np.zeros(1), steps, **many, **knobs)[..., 0]


def last_mean(ws):
    """Return the mean of the last 30 points, ten rounds of Reddi's three slopes."""
    return ws[-30:].mean(axis=0)


def long_walk(lr, beta1, beta2, eps, noise, steps=CALM):
    """Return w and √v̂ of Adam on the parabola ½w² from 1, with noise in the slope, after each step."""
    shaken = (noise * np.random.default_rng(0).standard_normal(steps)).tolist()
    knobs = {"lr": lr, "beta1": beta1, "beta2": beta2, "eps": eps}
    walk = record(adam, lambda w, t: w + shaken[t], 1.0, steps, keep=["v"], **knobs)
    return walk["w"][1:], np.sqrt(corrected(walk["v"][1:], beta2))


def largest_effective_lr(beta1, curvature=1.0):
    """Return 2(1 + β₁)/((1 − β₁)·h): above it, averaged momentum diverges on the parabola ½·h·w²."""
    return 2 * (1 + beta1) / ((1 - beta1) * curvature)
