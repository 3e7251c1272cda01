"""Lesson 03: stochastic gradient descent. The rule stays; the gradient becomes a noisy one."""

import functools

import numpy as np

from optim_lessons.gradient_descent import contraction, gradient_descent

sgd = gradient_descent


def batch_gradient(w, X, y, rows):
    """Return the gradient of least squares, ½·mean of (x·w − y)², on some of the examples only.

        g = mean over i in rows of (xᵢ·w − yᵢ)·xᵢ

    w: shape (n,).  X: inputs, shape (examples, n).  y: shape (examples,).  rows: which examples.
    On rows drawn at random it is right on average; its error falls with the root of len(rows).
    Source: Robbins and Monro 1951, https://doi.org/10.1214/aoms/1177729586
    """
    Xb, yb = X[rows], y[rows]
    errors = Xb @ w - yb
    return Xb.T @ errors / len(rows)


ORDERS = "reshuffled", "with replacement", "as stored"


def batches(examples, size, *, order="reshuffled", seed=0):
    """Return a function of t: the numbers of the examples that step t looks at.

    order: "reshuffled", every example once an epoch, in a new order each time; "with replacement", each
    draw from all of them; "as stored", the same order always. Drawn from (seed, t): a run can resume.
    """
    if order not in ORDERS:
        raise ValueError(f"order is {order!r}: the known ones are {', '.join(ORDERS)}")
    per_epoch = -(-examples // size)

    @functools.lru_cache(maxsize=1)
    def deal(epoch):
        return np.random.default_rng((seed, epoch)).permutation(examples)

    def rows(t):
        if order == "with replacement":
            return np.random.default_rng((seed, t)).integers(examples, size=size)
        epoch, batch = divmod(t, per_epoch)
        cards = deal(epoch) if order == "reshuffled" else np.arange(examples)
        return cards[batch * size : (batch + 1) * size].copy()  # the cards stay as they were dealt

    return rows


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


def noise_ball(lr, curvature, noise):
    """Return the radius of the ball in which noise keeps SGD: the standard deviation of w, far on.

        √(lr·σ² / (h·(2 − lr·h)))      for lr below 2/h; near √(lr/2h)·σ where lr is small

    On the parabola ½·h·w² with noise of standard deviation σ in each gradient, exact.
    Source: Mandt, Hoffman, Blei 2017, https://arxiv.org/abs/1704.04289 (in continuous time)
    """
    return noise * np.sqrt(lr / (curvature * (2 - lr * curvature)))


def mean_square(t, start, lr, curvature, noise):
    """Return the mean of w² after t steps from start: what is left of the way, plus what noise has added.

        a²ᵗ·start² + (1 + a² + a⁴ + ... + a²⁽ᵗ⁻¹⁾)·lr²·σ²        a = 1 − lr·h

    Below lr = 2/h the first part dies out and the second becomes the square of `noise_ball`.
    """
    t, shrink = np.asarray(t, dtype=float), contraction(lr, curvature) ** 2
    left = shrink**t
    terms = t if shrink == 1 else (1 - left) / (1 - shrink)
    return left * start**2 + terms * (lr * noise) ** 2


def noise_scale(gradients):
    """Return tr Σ/‖G‖²: the batch at which the noise is as large as the mean gradient G itself.

    gradients: one for each example, shape (examples, n).  Σ: their covariance.
    Source: McCandlish et al. 2018, https://arxiv.org/abs/1812.06162
    """
    mean = gradients.mean(axis=0)
    return ((gradients - mean) ** 2).sum(axis=-1).mean() / (mean**2).sum()


def lr_for_batch(batch, lr_full, critical):
    """Return lr_full/(1 + critical/batch), the lr that gains most in one step: small batches, small lr.

    lr_full: the best lr with the full gradient.  critical: the batch whose best lr is half of that.
    """
    return lr_full / (1 + critical / batch)


def steps_for_batch(batch, least, critical):
    """Return the steps to a target, least·(1 + critical/batch): at a batch of `critical`, twice the least."""
    return least * (1 + critical / batch)
