"""Lesson 03: stochastic gradient descent. The rule stays; the gradient becomes a noisy one."""

import numpy as np

from optim_lessons.gradient_descent import gradient_descent

sgd = gradient_descent


def noisy(grad, noise=1.0, seed=0):
    """Return a gradient with seeded Gaussian noise: grad(w) + noise·z, a fresh z at every step t.

    grad: a function of w.  noise: standard deviation, in units of the gradient.
    The noise is drawn from (seed, t), so a run can resume at any step, and all runs of a sweep
    share it, so they differ by their knobs alone. The result is a function of (w, t).
    """

    def noisy_grad(w, t):
        z = np.random.default_rng((seed, t)).standard_normal(w.shape[-1:])
        return grad(w) + noise * np.asarray(z, dtype=w.dtype, like=w)

    return noisy_grad
