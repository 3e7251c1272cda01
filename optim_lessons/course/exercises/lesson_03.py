"""Lesson 03: the gradient of a batch, the noise ball, batch sizes, and the mean of a walk."""

from functools import cache

import numpy as np

from optim_lessons.course.judging.kinds import Choice, Diagnosis, Function, Goal, Number, Rule
from optim_lessons.course.judging.words import Page
from optim_lessons.lab import datasets, models
from optim_lessons.lab.path import path
from optim_lessons.sgd import batch_gradient, batches, sgd

page = Page(__name__)


def averaged_descent(w, g, w_mean=0.0, t=0, *, lr=0.01):
    """Step straight downhill, and keep the mean of all the places visited: the answer is w_mean.

        w ← w − lr·g        w_mean ← w_mean + (w − w_mean)/t

    w, g: weights and gradient, same shape.  w_mean: the mean of the new w of all steps.  t: steps taken.
    The walk is SGD's own; its mean shakes less. Returns the new w, w_mean and t.
    Source: Polyak and Juditsky 1992, https://doi.org/10.1137/0330046; PyTorch: ASGD
    """
    t = t + 1
    w = w - lr * g
    w_mean = w_mean + (w - w_mean) / t
    return w, w_mean, t


def _draw(rng):
    def examples(n, features):
        return rng.standard_normal(features), rng.standard_normal((n, features)), rng.standard_normal(n)

    return {
        "for 4 of 9 examples": (*examples(9, 3), rng.permutation(9)[:4]),
        "for a single example": (*examples(6, 2), rng.integers(6, size=1)),
        "where an example was drawn twice": (*examples(7, 4), np.append(rng.permutation(7)[:2], [3, 5, 3])),
        "for all examples": (*examples(5, 3), np.arange(5)),
        "where all errors are 0": (np.zeros(3), rng.standard_normal((6, 3)), np.zeros(6), np.array([1, 4])),
        "with a single weight": (*examples(5, 1), np.array([3, 0])),
        "with huge inputs": (np.ones(2), 1e8 * rng.standard_normal((5, 2)), np.zeros(5), np.array([2, 4])),
    }


# Softmax regression on digits with L2: 3 epochs in batches of 16, mean of 5 seeds; lr from 0.16 to 0.27.
EPOCHS, BATCH, L2, TARGET = 3, 16, 0.01, 0.229


@cache
def _digits(l2=L2):
    X, y = datasets.digits().train
    return models.softmax(X, y, l2=l2), X, y


def loss_after(lr, seeds=range(5)):
    """Return the loss on all training images after the exercise's 3 epochs, the mean over the seeds."""
    net, X, y = _digits()
    steps = EPOCHS * -(-len(X) // BATCH)
    losses = []
    for seed in seeds:
        rows = batches(len(X), BATCH, seed=seed)

        def grad(w, t, rows=rows):
            return net.grad(w, X[rows(t)], y[rows(t)])

        losses.append(net(path(sgd, grad, np.zeros(net.n), steps, lr=lr)[-1]))
    return float(np.mean(losses))


def _reached(lr):
    if lr <= 0:
        return "not-positive", ""
    loss = loss_after(lr)
    if loss < TARGET:
        return None
    if not loss < np.log(10):
        return "diverged", ""
    seen = f"After {EPOCHS} epochs the loss is {loss:.4g}."
    return ("ball-too-large" if loss_after(0.9 * lr) < loss else "not-arrived"), seen


@cache
def four_runs(epochs=5):
    """Return four trainings to diagnose: {"A": losses, ...}, one loss per step, on all training images.

    Softmax regression on digits with L2, in batches of 8. One run knows no shuffling, one has lost
    the pairs of image and label.
    """
    net, X, y = _digits()
    by_class = np.argsort(y, kind="stable")
    mixed = np.random.default_rng(0).permutation(len(y))
    runs = {
        "A": (0.5, X[by_class], y[by_class], "as stored"),
        "B": (0.1, X, y[mixed], "reshuffled"),
        "C": (1.0, X, y, "reshuffled"),
        "D": (0.001, X, y, "reshuffled"),
    }
    losses = {}
    for letter, (lr, inputs, labels, order) in runs.items():
        rows = batches(len(y), 8, order=order)

        def grad(w, t, inputs=inputs, labels=labels, rows=rows):
            return net.grad(w, inputs[rows(t)], labels[rows(t)])

        losses[letter] = net(path(sgd, grad, np.zeros(net.n), epochs * -(-len(y) // 8), lr=lr))
    return losses


exercises = (
    Choice(page["03.predict_batch"], "batch_guess", answer="b"),
    Function(page["03.batch_gradient"], batch_gradient, inputs=_draw),
    Choice(page["03.predict_ball"], "ball_guess", answer="b"),
    Number(
        page["03.ball_radius"],
        "ball_radius",
        accept=(0.0995, 0.1005),
        solution="0.8 * np.sqrt(0.1 / (4 * (2 - 0.1 * 4)))",
    ),
    Choice(page["03.predict_minimum"], "minimum_guess", answer="b"),
    Goal(page["03.three_epochs"], "sgd_lr", _reached, solution=0.2, points=2),
    Choice(page["03.predict_lr"], "lr_guess", answer="a"),
    Number(
        page["03.critical_batch"],
        "critical_batch",
        accept=(312, 328),
        solution="(2200 - 250) / (250 / 32 - 2200 / 1280)",
    ),
    Diagnosis(
        page["03.diagnose"],
        "causes",
        answer={"A": "not shuffled", "B": "labels mixed up", "C": "noise ball", "D": "lr too small"},
        points=2,
    ),
    Rule(page["03.averaged_descent"], averaged_descent, name="averaged_descent"),
)
