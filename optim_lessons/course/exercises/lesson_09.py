"""Lesson 09: schedules written by hand, how fast lr may fall, decay under a budget, four runs to diagnose."""

from functools import cache

import numpy as np

from optim_lessons.course.judging.answers import read_pair
from optim_lessons.course.judging.kinds import Choice, Diagnosis, Function, Goal, Number
from optim_lessons.course.judging.words import Page
from optim_lessons.lab import datasets, models
from optim_lessons.lab.path import path
from optim_lessons.schedules import constant, cosine, exponential, linear, step
from optim_lessons.sgd import noisy, sgd

page = Page(__name__)


def warm_cosine(t, peak, warm, total, floor):
    """Return the lr of step t: a straight rise to the peak, half a cosine down to the floor, then the floor.

    t: steps taken before.  warm: steps of the rise, from 0.  total: steps until the floor, the rise included.
    Source: Loshchilov and Hutter 2017, https://arxiv.org/abs/1608.03983
    """
    if t < warm:
        return peak * t / warm
    share = min((t - warm) / (total - warm), 1.0)
    return floor + (peak - floor) * (1 + np.cos(np.pi * share)) / 2


def trapezoid(t, peak, warm, total, cool):
    """Return the lr of step t: a straight rise, a long flat part, a straight fall to 0 in the last steps.

    warm: steps of the rise, from 0.  total: steps in all.  cool: steps of the fall; after it, lr is 0.
    Source: Hägele and others 2024, https://arxiv.org/abs/2405.18392 ("warm-up, stable, decay")
    """
    if t < warm:
        return peak * t / warm
    left = max(total - t, 0)
    return peak * min(left / cool, 1.0)


def _moments(*values):
    def draw(rng):
        del rng  # the moments are chosen: each tells some mistakes from the rule
        return {title: (t, *knobs) for knobs, moments in values for title, t in moments.items()}

    return draw


_COSINE_MOMENTS = _moments(
    ((0.3, 8, 48, 0.02), {"at the first step": 0, "in the warm-up": 5, "one step before its end": 7}),
    ((0.3, 10, 50, 0.05), {"at the peak": 10, "a quarter down": 20, "half-way down": 30, "further down": 43}),
    ((0.4, 5, 33, 0.04), {"one step before the end": 32, "at the end": 33, "after the end": 47}),
    ((0.2, 6, 31, 0.0), {"without a floor": 17}),
    ((1e-8, 6, 31, 1e-9), {"with a tiny peak": 3, "with a tiny peak, in the fall": 20}),
    ((0.2, 6, 31, 0.2), {"with a floor as high as the peak": 20}),
    ((0.3, 5, 50, 0.02), {"long after the end": 10**6}),
)
_TRAPEZOID_MOMENTS = _moments(
    ((0.3, 8, 48, 11), {"at the first step": 0, "in the warm-up": 5, "one step before its end": 7}),
    ((0.3, 10, 60, 20), {"at the peak": 10, "on the flat part": 30, "where the fall begins": 40}),
    ((0.3, 10, 60, 15), {"in the fall": 49, "further down": 57}),
    ((0.4, 5, 33, 7), {"one step before the end": 32, "at the end": 33, "after the end": 47}),
    ((0.3, 10, 30, 20), {"where there is no flat part": 10, "without a flat part, in the fall": 21}),
    ((1e-8, 6, 31, 5), {"with a tiny peak": 3, "with a tiny peak, in the fall": 29}),
    ((0.3, 5, 50, 10), {"long after the end": 10**6}),
)

# Softmax regression on digits with L2, 3 epochs in batches of 16, mean of 5 seeds. A constant lr ends at
# 0.225 at best; a straight line from 0.5 or 1 to 0 ends below the target.
EPOCHS, BATCH, L2, TARGET = 3, 16, 0.01, 0.2190
STEPS = EPOCHS * 68


@cache
def _digits():
    X, y = datasets.digits().train
    return models.softmax(X, y, l2=L2)


@cache
def loss_after(peak, end, seeds=5):
    """Return the loss after the exercise's 3 epochs with a line from peak to end, the mean over the seeds."""
    net = _digits()
    w0 = np.zeros((seeds, net.n))
    ws = path(sgd, net.batch_grad(BATCH, range(seeds)), w0, STEPS, lr=linear(peak, end, length=STEPS))
    return float(net(ws[-1]).mean())


def _reached(pair):
    peak, end = pair
    if peak <= 0 or end < 0:
        return "not-positive", ""
    loss = loss_after(peak, end)
    if loss < TARGET:
        return None
    if not loss < np.log(10):
        return "diverged", ""
    seen = f"After {EPOCHS} epochs the loss is {loss:.4g}."
    if end > peak:
        return "rises", seen
    if loss_after(peak, 0.0) < TARGET:
        return "ends-too-high", seen
    return ("peak-too-large" if loss_after(0.8 * peak, 0.0) < loss_after(peak, 0.0) else "not-arrived"), seen


_RUNS = {  # run → its schedule, over 300 steps
    "A": cosine(0.5, length=300),
    "B": exponential(0.5, length=40, factor=0.01),
    "C": constant(0.5),
    "D": step(0.5, every=100),
}


@cache
def four_runs(walkers=40, steps=300):
    """Return the mean loss of 40 walkers in a noisy ravine under four schedules: {"A": losses, ...}."""
    h, start = np.tile([0.05, 1.0], walkers), np.tile([-4.0, 1.5], walkers)
    runs = {}
    for letter, lr in _RUNS.items():
        ws = path(sgd, noisy(lambda w: h * w, 0.5, seed=3), start, steps, lr=lr)
        runs[letter] = 0.5 * (ws**2 @ h) / walkers
    return runs


exercises = (
    Choice(page["09.predict_drop"], "drop_guess", answer="b"),
    Function(page["09.warm_cosine"], warm_cosine, inputs=_COSINE_MOMENTS, points=3),
    Number(page["09.beats_from"], "beats_from", accept=(330, 335), solution="2 / (0.02 * 0.3) - 1"),
    Choice(page["09.predict_too_fast"], "too_fast_guess", answer="b"),
    Goal(page["09.three_epochs"], "peak_and_end", _reached, read=read_pair, solution="0.7, 0.0", points=2),
    Choice(page["09.predict_warm_up"], "warm_up_guess", answer="b"),
    Diagnosis(
        page["09.diagnose"],
        "schedule_diagnosis",
        answer={"A": "cosine", "B": "fell too fast", "C": "constant", "D": "step"},
        points=2,
    ),
    Function(page["09.trapezoid"], trapezoid, name="trapezoid", inputs=_TRAPEZOID_MOMENTS, points=3),
    Number(
        page["09.per_epoch"],
        "fallen_by",
        accept=(1.69e-4, 1.765e-4),
        solution="0.1 * (1 - np.cos(np.pi * 9 / 340)) / 2",
        near=0.001,
    ),
)
