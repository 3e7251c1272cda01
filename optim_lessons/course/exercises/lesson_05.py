"""Lesson 05: Nesterov's momentum, easily taken for the heavy ball; its limit, its memory, its promise."""

from functools import cache

from optim_lessons.course.judging.kinds import Choice, Diagnosis, Goal, Number, Rule
from optim_lessons.course.judging.words import Page
from optim_lessons.gradient_descent import gradient_descent
from optim_lessons.lab.fair import stays_below
from optim_lessons.lab.path import path
from optim_lessons.landscapes import quadratic
from optim_lessons.momentum import momentum
from optim_lessons.nesterov import nesterov

page = Page(__name__)


def _beta_of_1983(t):
    """Return the beta of step t in the paper of 1983; before the first step it does not matter."""
    a = 1.0
    for _ in range(t):
        a = (1 + (1 + 4 * a**2) ** 0.5) / 2
    return (a - 1) * 2 / (1 + (1 + 4 * a**2) ** 0.5)


def nesterov_growing(w, g, m=0.0, t=0, *, lr=0.01):
    """Nesterov's momentum with the growing beta of its guarantee, seen from the look-ahead points.

        x' ← y − lr·∇f(y)        y ← x' + t/(t + 3)·(x' − x)        −lr·m is x' − x

    w, g: the look-ahead point y and its gradient.  m: sum of gradients, starts at 0.  t: steps taken
    before, starts at 0.  lr: step size; the guarantee holds up to 1/L. Returns the new w, m, t.
    Source: Nesterov 1983; in this form Su, Boyd, Candès 2016, https://arxiv.org/abs/1503.01243
    """
    m = (t - 1) / (t + 2) * m + g
    w = w - lr * (g + t / (t + 3) * m)
    t = t + 1
    return w, m, t


# A ravine of condition number 100, lr = 1: beta from 0.8353 to 0.8680 does it.
STEPS, TARGET, LR = 40, 1e-4, 1.0
RAVINE = quadratic(condition=100.0)


def _reached(beta):
    if not 0 <= beta < 1:
        return "no-memory-factor", ""
    losses = RAVINE(path(nesterov, RAVINE.grad, RAVINE.start, 2 * STEPS, lr=LR, beta=beta))
    if stays_below(losses, TARGET) <= STEPS:
        return None
    seen = f"After {STEPS} steps the loss is {losses[STEPS]:.2g}."
    if losses[STEPS] < TARGET:
        seen += f" It rises to {losses[STEPS:].max():.3g} again."
    return ("too-much-memory" if beta > 0.85 else "too-little-memory"), seen


_RUNS = {  # run → rule and its knobs, on a ravine of condition number 20
    "A": (nesterov, {"lr": 0.6, "beta": 0.9}),
    "B": (gradient_descent, {"lr": 0.6}),
    "C": (nesterov, {"lr": 1.37, "beta": 0.9}),
    "D": (momentum, {"lr": 0.6, "beta": 0.9}),
}


@cache
def four_runs(steps=40):
    """Return four runs in one ravine to diagnose: {"A": {"steep": ..., "flat": ...}, ...}.

    steep, flat: the coordinate across and along the ravine, shape (steps + 1,).
    """
    ravine, runs = quadratic(condition=20.0), {}
    for letter, (descent, knobs) in _RUNS.items():
        w = path(descent, ravine.grad, ravine.start, steps, **knobs)
        runs[letter] = {"steep": w[:, 1], "flat": w[:, 0]}
    return runs


exercises = (
    Rule(page["05.nesterov"], nesterov),
    Choice(page["05.predict_steep"], "steep_guess", answer="b"),
    Choice(page["05.predict_limit"], "limit_guess", answer="c"),
    Number(
        page["05.nesterov_limit"],
        "nesterov_limit",
        accept=(0.03445, 0.03479),
        solution="2 * (1 + 0.8) / ((1 + 2 * 0.8) * 40)",
        near=0.002,
    ),
    Goal(page["05.ravine_memory"], "good_beta", _reached, solution=0.85),
    Rule(page["05.nesterov_growing"], nesterov_growing),
    Choice(page["05.predict_noise"], "noise_guess", answer="c"),
    Diagnosis(
        page["05.diagnose"],
        "which_rule",
        answer={"A": "nesterov", "B": "gradient descent", "C": "nesterov past its limit", "D": "heavy ball"},
        points=2,
    ),
)
