"""The experiments of lesson 08 on Adam's two averages: as they are, corrected, and the steps they make."""

import numpy as np

from optim_lessons.adam import adam
from optim_lessons.lab.path import record

LONG = 3000  # steps of the two averages


def corrected(average, beta):
    """Return an average after steps 1, 2, ... (the first axis), corrected for its start at 0: m/(1 − βᵗ)."""
    t = np.arange(1, len(average) + 1).reshape(-1, *[1] * (average.ndim - 1))
    return average / (1 - beta**t)


def averages(gradients, beta1=0.9, beta2=0.999):
    """Return m̂ and √v̂ of Adam after each gradient, two arrays as long as the gradients."""
    _, m_hat, _, v_hat = _raw_and_corrected(gradients, beta1, beta2)
    return m_hat, np.sqrt(v_hat)


def _raw_and_corrected(gradients, beta1, beta2):
    knobs = {"beta1": beta1, "beta2": beta2}
    walk = record(adam, lambda w, t: gradients[t], 0.0, len(gradients), **knobs)
    m, v = walk["m"][1:], walk["v"][1:]
    return m, corrected(m, beta1), v, corrected(v, beta2)


def long_run(beta1, beta2, noise, seed):
    """Return m, m̂, v, v̂ and the steps over lr, with and without correction, after 1, 2, ..., 3,000 steps.

    The gradient is 1 + noise·z with seeded normal z, whatever the weights are; eps is 0.
    """
    gradients = 1 + noise * np.random.default_rng(seed).standard_normal(LONG)
    m, m_hat, v, v_hat = _raw_and_corrected(gradients, beta1, beta2)
    steps = {"step": m_hat / np.sqrt(v_hat), "raw": m / np.sqrt(v)}
    return {"m": m, "m_hat": m_hat, "v": v, "v_hat": v_hat} | steps


def stretch(beta1, beta2, steps=LONG):
    """Return by how much Adam's steps 1, 2, ... get longer without correction: (1 − β₁ᵗ)/√(1 − β₂ᵗ)."""
    t = np.arange(1, steps + 1)
    return (1 - beta1**t) / np.sqrt(1 - beta2**t)
