"""Lesson 04: momentum. Its rival forms are the most usual wrong answers."""

from functools import cache

import numpy as np

from optim_lessons.course.judging.answers import read_pair
from optim_lessons.course.judging.kinds import Choice, Diagnosis, Goal, Number, Rule
from optim_lessons.course.judging.words import Page
from optim_lessons.lab.fair import stays_below
from optim_lessons.lab.path import path
from optim_lessons.landscapes import quadratic
from optim_lessons.momentum import momentum
from optim_lessons.studies.restarts import restarted_momentum

page = Page(__name__)


# One step budget and one loss to fall below and to stay below, in the ravine of condition number 100, where
# L = 1. The best lr and beta of the theory leave 0.51, the best lr without memory 0.039.
STEPS, TARGET = 20, 0.005
RAVINE = quadratic(condition=100)


def _reached(pair):
    lr, beta = pair
    if lr <= 0 or not 0 <= beta < 1:
        return "not-allowed", ""
    with np.errstate(over="ignore", invalid="ignore"):
        ws = path(momentum, RAVINE.grad, RAVINE.start, 2 * STEPS, lr=lr, beta=beta)
        losses = RAVINE(ws)
        w = ws[STEPS]
        flat, steep = 0.5 * w**2 / [100, 1]
    if stays_below(losses, TARGET) <= STEPS:
        return None
    if lr >= 2 * (1 + beta):
        return "diverged", ""
    if losses[STEPS] <= TARGET:
        later = STEPS + int(np.argmax(losses[STEPS:]))
        return (
            "crossing",
            f"After {STEPS} steps the loss is {losses[STEPS]:.2g}, at step {later} {losses[later]:.2g}.",
        )
    seen = f"After {STEPS} steps the loss is {flat + steep:.3g}: {flat:.2g} along, {steep:.2g} across."
    if steep > flat and ws[: STEPS + 1, 1].min() < 0 < ws[: STEPS + 1, 1].max():
        return "rings-across", seen
    return ("too-slow" if w[0] < 0 else "rolled-past"), seen


_BALLS = {  # run → lr × curvature, beta
    "A": (0.04, 0.95),
    "B": (0.04, 0.2),
    "C": (3.85, 0.9),
    "D": (0.04, 0.64),
}


@cache
def four_balls(steps=50):
    """Return four balls on a parabola to diagnose, knobs hidden: {"A": w, ...}, w of shape (steps + 1,)."""
    return {
        name: path(momentum, lambda w: w, np.ones(1), steps, lr=lr, beta=beta)[:, 0]
        for name, (lr, beta) in _BALLS.items()
    }


exercises = (
    Rule(page["04.momentum"], momentum),
    Choice(page["04.predict_velocity"], "velocity_guess", answer="b"),
    Choice(page["04.predict_hold"], "hold_guess", answer="c"),
    Choice(page["04.predict_factor"], "factor_guess", answer="a"),
    Number(page["04.largest_lr"], "largest_ball_lr", accept=(0.796, 0.804), solution="2 * (1 + 0.6) / 4"),
    Number(
        page["04.best_beta"],
        "best_beta",
        accept=(0.665, 0.674),
        solution="((np.sqrt(100) - 1) / (np.sqrt(100) + 1)) ** 2",
    ),
    Goal(page["04.twenty_steps"], "lr_and_beta", _reached, read=read_pair, solution="2.6, 0.7"),
    Diagnosis(
        page["04.diagnose"],
        "ball_diagnosis",
        what="ball",
        answer={"A": "underdamped", "B": "overdamped", "C": "diverging", "D": "critical"},
    ),
    Rule(page["04.restarted_momentum"], restarted_momentum, name="restarted_momentum"),
)
