"""Lesson 06: AdaGrad. Most mistakes are about the root, eps, and what is summed."""

from functools import cache

import numpy as np

from optim_lessons.adagrad import adagrad
from optim_lessons.course.judging.kinds import Choice, Diagnosis, Goal, Number, Rule
from optim_lessons.course.judging.mistakes import variant
from optim_lessons.course.judging.words import Page
from optim_lessons.lab.path import record
from optim_lessons.landscapes import quadratic
from optim_lessons.studies.long_run import effective_lr, follow, moving_minimum

page = Page(__name__)

_V = "v = v + g**2"
_NOT_SUMMED = page["06.adagrad"].mistake("not-summed")


def adagrad_norm(w, g, v=0.0, *, lr=0.01, eps=1e-10):
    """AdaGrad with one v for all coordinates: its step falls by itself, and keeps the gradient's direction.

        v ← v + ‖g‖²        w ← w − lr·g / (√v + ε)

    w, g: weights and gradient, same shape.  v: sum of squared lengths, one per run, starts at 0.
    lr: length of the first step.  eps: keeps 0/0 away. Returns the new w and v.
    Source: Ward, Wu, Bottou 2019, https://proceedings.mlr.press/v97/ward19a.html
    """
    v = v + (g**2).sum(axis=-1, keepdims=True)
    w = w - lr * g / (np.sqrt(v) + eps)
    return w, v


# The long run of the lesson: lr from 3.54 to 4.60 follows the minimum through the last season.
SEASON, NEAR = 300, 0.108


def last_season(lr):
    """Return AdaGrad's mean distance to the moving minimum in the last season of the long run."""
    c, added = moving_minimum(SEASON)
    ws, _ = follow(adagrad, c, added, lr=lr, eps=1e-10)
    return float(np.abs(ws - c)[-SEASON:].mean())


def _followed(lr):
    if lr <= 0:
        return "not-positive", ""
    distance = last_season(lr)
    if distance < NEAR:
        return None
    seen = f"In the last season the mean distance is {distance:.3g}." if np.isfinite(distance) else ""
    return ("died" if lr < 4 else "noisy"), seen


_RUNS = {  # run → lr, eps, and the mistake in the rule
    "A": (1.0, 30.0, None),
    "B": (1.0, 1e-10, None),
    "C": (1.0, 1e-10, _NOT_SUMMED),
    "D": (0.01, 1e-10, None),
}
BURST_STEP, BURST = 40, 200.0


@cache
def four_runs(steps=1000):
    """Return four runs of AdaGrad to diagnose, settings hidden: {"A": {"loss": ...}, ...}.

    loss: the loss after each step, shape (steps + 1,).  effective_lr: of both weights, shape (steps, 2).
    """
    ravine = quadratic(condition=20)
    runs = {}
    for letter, (lr, eps, mistake) in _RUNS.items():
        walker = variant(adagrad, mistake) if mistake else adagrad
        height = BURST if letter == "B" else 0.0

        def grad(w, t, height=height):
            return ravine.grad(w) + (height if t == BURST_STEP else 0.0)

        run = record(walker, grad, ravine.start, steps, lr=lr, eps=eps)
        runs[letter] = {
            "loss": ravine(run["w"]),
            "effective_lr": effective_lr(run["v"][1:], lr=lr, eps=eps),
        }
    return runs


exercises = (
    Rule(page["06.adagrad"], adagrad),
    Number(
        page["06.rare_ratio"], "rare_ratio", accept=(9.9, 10.1), solution="np.sqrt(10_000) / np.sqrt(100)"
    ),
    Number(
        page["06.steps_to_travel"],
        "steps_to_travel",
        accept=(9_900, 10_250),
        solution="(2 / (2 * 0.01)) ** 2",
        near=0.02,
    ),
    Choice(page["06.predict_scale"], "scale_free_guess", answer="b"),
    Choice(page["06.predict_turned"], "turned_guess", answer="b"),
    Choice(page["06.predict_life"], "life_guess", answer="c"),
    Goal(page["06.follow"], "following_lr", _followed, solution=4.0),
    Diagnosis(
        page["06.diagnose"],
        "adagrad_diagnosis",
        answer={"A": "eps too large", "B": "burst", "C": "v not kept", "D": "lr too small"},
        points=2,
    ),
    Rule(page["06.adagrad_norm"], adagrad_norm, name="adagrad_norm"),
)
