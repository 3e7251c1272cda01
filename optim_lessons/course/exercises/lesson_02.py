"""Lesson 02: checking a gradient, convexity, saddles and plateaus, Newton's step."""

import numpy as np

from optim_lessons.course.judging.kinds import Choice, Diagnosis, Function, Goal, Number
from optim_lessons.course.judging.words import Page
from optim_lessons.gradient_descent import gradient_descent
from optim_lessons.lab.path import path
from optim_lessons.landscapes import numerical_gradient, rosenbrock, saddle

page = Page(__name__)


def damped_newton(w, g, H, damping):
    """Step to the minimum of the quadratic model, with every curvature raised by `damping`.

        w ← w − (H + damping·I)⁻¹·g

    w, g: shape (n,).  H: Hessian, shape (n, n).  damping: 0 is Newton's step; a large one is gradient
    descent with lr = 1/damping. Source: Levenberg 1944, https://doi.org/10.1090/qam/10666
    """
    damped = H + damping * np.eye(len(w))
    return w - np.linalg.solve(damped, g)


# From the saddle's start, 1e-3 beside the ridge: lr from 1.125 to 1.834 does it.
STEPS, TARGET = 16, -0.12


def _left(lr):
    if lr <= 0:
        return "not-positive", ""
    land = saddle()
    with np.errstate(all="ignore"):
        ws = path(gradient_descent, land.grad, land.start, STEPS, lr=lr)
        loss = land(ws)[-1]
    if loss < TARGET:
        return None
    if lr >= 2:
        return "diverged", ""
    return ("swings" if lr > 1.6 else "too-slow"), f"After {STEPS} steps the loss is {loss:.4f}."


def four_gradients():
    """Return four functions that should be Rosenbrock's gradient; three are wrong: {"A": ..., ...}."""

    def halved(w):
        return rosenbrock.grad(w) * [1, 0.5]

    def without_a_term(w):
        return rosenbrock.grad(w) + np.stack([2 * (1 - w[..., 0]), 0 * w[..., 0]], axis=-1)

    def turned(w):
        return rosenbrock.grad(w) * [1, -1]

    def nameless(slope):
        return lambda w: slope(w)  # a function shows its name when it is printed

    slopes = {"A": without_a_term, "B": turned, "C": rosenbrock.grad, "D": halved}
    return {letter: nameless(slope) for letter, slope in slopes.items()}


def _functions(rng):
    def three(w):
        return np.sin(w[..., 0]) * w[..., 1] + w[..., 2] ** 3 + w[..., 0] * w[..., 2]

    def two(w):
        return np.exp(w[..., 0] - w[..., 1])

    def one_vector(w):
        return float(w @ np.arange(1, len(w) + 1)) ** 2

    return {
        "for a function of three weights": (three, rng.standard_normal(3), 0.2),
        "for a function of two weights": (two, rng.standard_normal(2), 0.5),
        "for a function of one vector": (one_vector, rng.standard_normal(4), 0.1),
        "for a single weight": (one_vector, rng.standard_normal(1), 0.3),
        "at a place where the slope is 0": (one_vector, np.zeros(2), 0.2),
        "with huge weights": (one_vector, 1e8 * rng.standard_normal(3), 1e7),
        "with tiny weights": (one_vector, 1e-8 * rng.standard_normal(3), 1e-8),
    }


def _hessians(rng):
    def turned(*curvatures):
        axes, _ = np.linalg.qr(rng.standard_normal((len(curvatures), len(curvatures))))
        return axes * curvatures @ axes.T

    return {
        "near a saddle": (rng.standard_normal(2), rng.standard_normal(2), turned(2.0, -0.4), 0.9),
        "in a ravine of three weights": (
            rng.standard_normal(3),
            rng.standard_normal(3),
            turned(3.0, 0.8, 0.2),
            0.3,
        ),
        "with a single weight": (rng.standard_normal(1), rng.standard_normal(1), np.array([[0.7]]), 0.2),
        "where the slope is 0": (rng.standard_normal(2), np.zeros(2), turned(2.0, 0.5), 0.4),
        "without damping": (rng.standard_normal(2), rng.standard_normal(2), turned(2.0, 0.5), 0.0),
        "with huge curvatures": (
            rng.standard_normal(2),
            1e8 * rng.standard_normal(2),
            1e8 * turned(2.0, 0.5),
            1e7,
        ),
    }


exercises = (
    Choice(page["02.predict_h"], "h_guess", answer="c"),
    Function(page["02.numerical_gradient"], numerical_gradient, inputs=_functions),
    Number(
        page["02.best_h"], "best_h", accept=(0.0053, 0.006), solution="(3 * 6e-8 / 1) ** (1 / 3)", near=0.02
    ),
    Diagnosis(
        page["02.wrong_gradient"],
        "verdicts",
        what="gradient",
        answer={"A": "term missing", "B": "wrong sign", "C": "right", "D": "wrong factor"},
        points=2,
    ),
    Number(page["02.convex_until"], "convex_until", accept=(0.2475, 0.2525), solution="1 / 4"),
    Choice(page["02.predict_saddle"], "saddle_guess", answer="a"),
    Goal(page["02.leave_saddle"], "leave_lr", _left, solution=1.4),
    Choice(page["02.predict_plateau"], "plateau_guess", answer="b"),
    Choice(page["02.predict_newton"], "newton_guess", answer="b"),
    Number(page["02.least_damping"], "least_damping", accept=(0.495, 0.505), solution="0.5"),
    Function(page["02.damped_newton"], damped_newton, name="damped_newton", inputs=_hessians),
    Choice(page["02.predict_slice"], "slice_guess", answer="b"),
)
