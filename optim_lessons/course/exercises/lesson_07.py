"""Lesson 07: RMSProp, AdaGrad with a decaying average."""

from functools import cache

import numpy as np

from optim_lessons.adagrad import adagrad
from optim_lessons.course.judging.kinds import Choice, Diagnosis, Goal, Number, Rule
from optim_lessons.course.judging.words import Page
from optim_lessons.lab.path import path
from optim_lessons.landscapes import d2l
from optim_lessons.rmsprop import rmsprop

page = Page(__name__)


def centred_rmsprop(w, g, m=0.0, v=0.0, *, lr=0.01, beta=0.9, eps=1e-2):
    """Divide each coordinate's step by the spread of its recent gradients, not by their size.

        m ← β·m + (1 − β)·g
        v ← β·v + (1 − β)·g²
        w ← w − lr·g / (√(v − m²) + ε)

    v − m² estimates the variance. PyTorch: RMSprop(centered=True).
    Source: Graves 2013, equations 38 to 45, with ε inside the root, https://arxiv.org/abs/1308.0850
    """
    m = beta * m + (1 - beta) * g
    v = beta * v + (1 - beta) * g**2
    w = w - lr * g / (np.sqrt(v - m**2) + eps)
    return w, m, v


# On the d2l landscape: at beta 0.9, lr from 0.0230 to 0.0613 stays below the target at the end.
STEPS, LAST, TARGET, BETA = 250, 20, 0.002, 0.9


def _settled(lr):
    """Return the losses of the last steps."""
    with np.errstate(all="ignore"):
        return d2l(path(rmsprop, d2l.grad, d2l.start, STEPS, lr=lr, beta=BETA))[-LAST:]


def _reached(lr):
    if lr <= 0:
        return "not-positive", ""
    late = _settled(lr)
    if late.max() < TARGET:
        return None
    largest = late.max()
    seen = f"The largest loss of the last {LAST} steps is {largest:.3g}." if np.isfinite(largest) else ""
    return ("too-slow" if lr < 0.04 else "jitters"), seen


_RUNS = {  # run → rule and knobs
    "A": (rmsprop, {"lr": 0.4, "beta": 0.9}),
    "B": (rmsprop, {"lr": 0.6, "beta": 0.9, "eps": 20.0}),
    "C": (adagrad, {"lr": 0.4}),
    "D": (rmsprop, {"lr": 0.004, "beta": 0.9}),
}
BURST_AT = 40


@cache
def four_runs(steps=300):
    """Return four runs on the d2l landscape to diagnose: {"A": {"loss": ..., "step": ...}, ...}.

    At step BURST_AT both slopes are 50 larger.  loss: after each step, shape (steps + 1,).
    step: how long each step was, shape (steps,).
    """
    runs = {}
    for letter, (walker, knobs) in _RUNS.items():
        w = path(walker, _with_burst, d2l.start, steps, **knobs)
        runs[letter] = {"loss": d2l(w), "step": np.linalg.norm(np.diff(w, axis=0), axis=-1)}
    return runs


def _with_burst(w, t):
    return d2l.grad(w) + (50.0 if t == BURST_AT else 0.0)


exercises = (
    Rule(page["07.rmsprop"], rmsprop),
    Choice(page["07.predict_forget"], "forget_guess", answer="c"),
    Number(
        page["07.first_step"],
        "first_step",
        accept=(0.0995, 0.1005),
        solution="0.02 * 7 / np.sqrt(0.04 * 7**2)",
    ),
    Number(
        page["07.forget_burst"],
        "steps_to_forget",
        accept=(455, 462),
        near=0.004,
        solution="np.log(0.01 * (100**2 - 1)) / -np.log(0.99)",
    ),
    Choice(page["07.predict_condition"], "condition_guess", answer="c"),
    Choice(page["07.predict_settle"], "settle_guess", answer="c"),
    Goal(page["07.settle"], "settling_lr", _reached, solution=0.04),
    Rule(page["07.centred_rmsprop"], centred_rmsprop, name="centred_rmsprop", points=3),
    Diagnosis(
        page["07.diagnose"],
        "rmsprop_diagnosis",
        answer={"A": "lr too large", "B": "eps too large", "C": "never forgets", "D": "lr too small"},
        points=2,
    ),
)
