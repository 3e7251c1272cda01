"""Lesson 01: gradient descent, its largest step, and what its runs look like."""

from functools import cache

import numpy as np

from optim_lessons.course.judging.kinds import Choice, Diagnosis, Goal, Number, Rule
from optim_lessons.course.judging.mistakes import variant
from optim_lessons.course.judging.words import Page
from optim_lessons.gradient_descent import gradient_descent
from optim_lessons.lab.path import path
from optim_lessons.landscapes import d2l, quadratic

page = Page(__name__)

_CLIMBS = page["01.gradient_descent"].mistake("climbs")


def clipped_descent(w, g, *, lr=0.01, clip=1.0):
    """Step downhill, but with a gradient that is never longer than clip.

        w ← w − lr·g·min(1, clip / ‖g‖)

    w, g: weights and gradient, same shape.  lr: step size.  clip: longest gradient, along the last axis.
    Returns the new w. Source: Pascanu, Mikolov, Bengio 2013, https://arxiv.org/abs/1211.5063
    """
    norm = np.linalg.norm(g, axis=-1, keepdims=True)
    g = g * clip / np.maximum(norm, clip)
    return w - lr * g


# One step budget and one loss to fall below, on the d2l landscape: lr from 0.4362 to 0.4632 does it.
STEPS, TARGET = 20, 0.065


def _loss_after(lr):
    with np.errstate(over="ignore"):
        return d2l(path(gradient_descent, d2l.grad, d2l.start, STEPS, lr=lr))


def _reached(lr):
    if lr <= 0:
        return "not-positive", ""
    loss = _loss_after(lr)
    if np.nanmin(loss) < TARGET:
        return None
    if lr >= 0.5:
        return "diverged", "" if lr > 0.5 else "At this very value it jumps from side to side for ever."
    seen = f"After {STEPS} steps the loss is {loss[-1]:.4g}."
    return ("zig-zag" if _loss_after(0.99 * lr)[-1] < loss[-1] else "too-slow"), seen


_RUNS = {  # run → condition number, lr, and the mistake in the rule
    "A": (200.0, 0.8, None),
    "B": (4.0, 0.06, _CLIMBS),
    "C": (4.0, 0.03, None),
    "D": (4.0, 2.1, None),
}


@cache
def four_runs(steps=40):
    """Return four runs of gradient descent to diagnose, lr hidden: {"A": {"loss": ..., "steep": ...}, ...}.

    loss: the loss after each step, shape (steps + 1,).  steep: the coordinate across the ravine.
    """
    runs = {}
    for letter, (condition, lr, mistake) in _RUNS.items():
        ravine = quadratic(condition=condition)
        descent = variant(gradient_descent, mistake) if mistake else gradient_descent
        w = path(descent, ravine.grad, ravine.start, steps, lr=lr)
        runs[letter] = {"loss": ravine(w), "steep": w[:, 1]}
    return runs


exercises = (
    Rule(page["01.gradient_descent"], gradient_descent, points=1),
    Choice(page["01.double_curvature"], "double_curvature", answer="b"),
    Number(page["01.largest_lr"], "largest_lr", accept=(0.0495, 0.0505), solution="2 / 40"),
    Number(
        page["01.ravine_steps"],
        "ravine_steps",
        accept=(113, 120),
        solution="np.log(10) / -np.log(99 / 101)",
        near=0.02,
    ),
    Goal(page["01.reach_target"], "good_lr", _reached, solution=0.45),
    Diagnosis(
        page["01.diagnose"],
        "diagnosis",
        answer={"A": "ravine", "B": "wrong sign", "C": "lr too small", "D": "lr too large"},
        points=2,
    ),
    Rule(page["01.clipped_descent"], clipped_descent, name="clipped_descent"),
    Choice(page["01.predict_ravine"], "ravine_guess", answer="b"),
    Choice(page["01.predict_edge"], "edge_guess", answer="b"),
)
