"""The experiments of lesson 03: gradients of minibatches, walkers with noise, batch sizes, dealt examples."""

import numpy as np

from optim_lessons.lab.fair import best_of, stays_below
from optim_lessons.lab.path import grid, path
from optim_lessons.landscapes import Landscape
from optim_lessons.sgd import ORDERS, batches, mean_square, noisy, sgd

START = np.array([-0.6, 1.1])  # of the two weights on real data
WALKERS, STEPS = 200, 300


def least_squares(X, y):
    """Return the landscape of ½·mean of (x·w − y)² over examples with two features."""
    H, b = X.T @ X / len(X), X.T @ y / len(X)
    best = np.linalg.solve(H, b)
    constant = 0.5 * np.mean((y - X @ best) ** 2)

    def f(w):
        d = w - best
        return constant + 0.5 * ((d @ H) * d).sum(axis=-1)

    def grad(w):
        return (w - best) @ H

    return Landscape("two weights, real data", f, grad, START, [best], ((-0.9, 1.1), (-0.3, 1.3)))


def drawn_gradients(each, batch, seed, draws=400):
    """Return the mean gradients of batches that are drawn with replacement.  each: one per example."""
    rows = np.random.default_rng((seed, batch)).integers(len(each), size=(draws, batch))
    return each[rows].mean(axis=1)


def off_by(gradients, full):
    """Return the root of the mean squared distance of gradients from the full one."""
    return np.sqrt(((gradients - full) ** 2).sum(axis=1).mean())


def walkers(curvatures, start, *, lr, noise, seed, steps=STEPS, count=WALKERS):
    """Return the walks of SGD in a ravine, each walker with noise of its own: (steps + 1, count, 2).

    On a parabola along each axis the coordinates do not meet, so all walkers are one long vector.
    """
    h, w0 = np.tile(curvatures, count), np.tile(start, count)
    ws = path(sgd, noisy(lambda w: h * w, noise, seed), w0, steps, lr=lr)
    return ws.reshape(steps + 1, count, len(curvatures))


def mean_and_square(curvatures, start, *, lr, noise, steps=STEPS):
    """Return the means of w and of w² of such walkers by formula, two arrays (steps + 1, 2)."""
    t = np.arange(steps + 1)
    squares = [mean_square(t, s, lr, h, noise) for s, h in zip(start, curvatures, strict=True)]
    return (1 - lr * curvatures) ** t[:, None] * start, np.stack(squares, axis=-1)


def most_of_them(mean, square):
    """Return the ellipse that 95% of the walkers stand in, from the means of w and w²: shape (2, 100)."""
    angle = np.linspace(0, 2 * np.pi, 100)
    circle = np.sqrt(-2 * np.log(0.05)) * np.array([np.cos(angle), np.sin(angle)])
    return mean[:, None] + np.sqrt(np.maximum(square - mean**2, 0))[:, None] * circle


def dealt(net, size, order, seed=0):
    """Return a model's gradient on batches, a function of (w, t), in one of ORDERS or "sorted by class"."""
    by_class = np.argsort(net.y, kind="stable")
    X, y = (net.X[by_class], net.y[by_class]) if order == "sorted by class" else (net.X, net.y)
    rows = batches(len(y), size, order=order if order in ORDERS else "as stored", seed=seed)
    return lambda w, t: net.grad(w, X[rows(t)], y[rows(t)])


def steps_to_target(net, target, size, lrs, seeds=(0, 1, 2)):
    """Return how many steps SGD needs until the loss, the mean over the seeds, stays below a target.

    size: batch.  lrs: all are trained at once, from zero; the best one counts. Returns (steps, its lr);
    steps is inf if none arrives. Looked at after steps in equal ratios, about 10% apart at most.
    """
    knobs = grid(lr=np.asarray(lrs), seed=list(seeds))
    budget = 40 + 1800 // size
    starts = np.zeros((len(lrs), len(seeds), net.n), np.float32)
    ws = path(sgd, net.batch_grad(size, knobs["seed"]), starts, budget, lr=knobs["lr"])
    marks = np.unique(np.geomspace(1, budget, 120).astype(int))
    row = stays_below(net(ws[marks]).mean(axis=-1), target)
    steps = np.where(np.isfinite(row), marks[np.where(np.isfinite(row), row, 0).astype(int)], np.inf)
    best = best_of(steps, lr=lrs)
    return best.score, best.value
