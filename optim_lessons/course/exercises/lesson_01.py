"""Lesson 01: gradient descent, its largest step, and what its runs look like."""

from functools import cache

import numpy as np

from optim_lessons.course.judging.kinds import choice, diagnosis, goal, number, rule
from optim_lessons.course.judging.mistakes import Mistake, variant
from optim_lessons.gradient_descent import gradient_descent
from optim_lessons.lab.path import path
from optim_lessons.landscapes import d2l, quadratic

_CLIMBS = Mistake(
    "climbs",
    "You add the gradient, so the step goes uphill.",
    "the gradient points to where the loss grows.",
    [("return w - lr", "return w + lr")],
)
_NO_LR = Mistake(
    "lr-forgotten",
    "`lr` does not scale the step: the step is the whole gradient.",
    "which letter in the formula says how far to go?",
    [("lr * g", "g")],
)


def clipped_descent(w, g, *, lr=0.01, clip=1.0):
    """Step downhill, but with a gradient that is never longer than clip.

        w ← w − lr·g·min(1, clip / ‖g‖)

    w, g: weights and gradient, same shape.  lr: step size.  clip: longest gradient, along the last axis.
    Returns the new w. Source: Pascanu, Mikolov, Bengio 2013, https://arxiv.org/abs/1211.5063
    """
    norm = np.linalg.norm(g, axis=-1, keepdims=True)
    g = g * clip / np.maximum(norm, clip)
    return w - lr * g


# One step budget and one loss to fall below, on the d2l landscape: lr from 0.4362 to 0.4634 does it.
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
    rule(
        "01.gradient_descent",
        gradient_descent,
        task="Write gradient descent: `my_gradient_descent(w, g, *, lr=0.01)` returns the new weights.",
        hint="compare your line with the formula, letter by letter: what is scaled, what is subtracted?",
        points=1,
        mistakes=[
            _CLIMBS,
            _NO_LR,
            Mistake(
                "step-only",
                "You return the step, not the place it leads to.",
                "where does the walk stand after the step?",
                [("return w - lr * g", "return -lr * g")],
            ),
            Mistake(
                "lr-divides",
                "You divide by `lr`, so that a smaller `lr` makes a larger step.",
                "halve `lr`: the step should become half as long.",
                [("lr * g", "g / lr")],
            ),
            Mistake(
                "w-for-g",
                "The step is made of `w`, not of the gradient: the weights only shrink.",
                "which argument knows where downhill is?",
                [("lr * g", "lr * w")],
            ),
            Mistake(
                "brackets",
                "`lr` scales the weights as well: this is `lr * (w - g)`.",
                "only the gradient belongs to the step.",
                [("w - lr * g", "lr * (w - g)")],
            ),
            Mistake(
                "roles-swapped",
                "`w` and `g` have changed places: you walk from the gradient, along the weights.",
                "start at the weights, and go along the gradient.",
                [("w - lr * g", "g - lr * w")],
            ),
            Mistake(
                "sign-only",
                "You use the sign of the gradient alone: this is sign descent, with equal steps at "
                "any slope.",
                "a steeper slope should give a longer step.",
                [("lr * g", "lr * np.sign(g)")],
            ),
            Mistake(
                "normalised",
                "You divide the gradient by its length: this is normalised descent, whose steps "
                "never shrink.",
                "near a minimum the slope fades, and the steps should fade with it.",
                [("lr * g", "lr * g / np.linalg.norm(g, axis=-1, keepdims=True)")],
            ),
        ],
    ),
    choice(
        "01.double_curvature",
        "double_curvature",
        task="The curvature of a parabola doubles. The largest `lr` at which descent still converges ...",
        options={"a": "doubles", "b": "halves", "c": "stays"},
        answer="b",
        hint="one step multiplies the distance to the minimum by `1 - lr * curvature`.",
        because="Only the product `lr * curvature` counts, and it has to stay below 2.",
        mistakes=[
            Mistake(
                "larger-with-curvature",
                "A steeper parabola has larger gradients already; with a larger `lr` the step "
                "overshoots twice over.",
                "keep `lr * curvature` in view: how large may this product be?",
                values="a",
            ),
            Mistake(
                "curvature-ignored",
                "One and the same `lr` makes longer steps on a steeper parabola, for the gradient is "
                "larger there.",
                "what does one step multiply the distance to the minimum by?",
                values="c",
            ),
        ],
    ),
    number(
        "01.largest_lr",
        "largest_lr",
        task="A quadratic has the curvatures 0.5, 3 and 40. Below which `lr` does descent converge "
        "from every start?",
        accept=(0.0495, 0.0505),
        solution="2 / 40",
        hint="each direction has its own limit; which one is passed first as `lr` grows?",
        because="The steepest direction sets the limit 2/L, here with L = 40.",
        mistakes=[
            Mistake(
                "one-over-L",
                "1/L converges, and reaches the bottom of the steepest direction in one step, but it "
                "is not the limit.",
                "past that step the walk overshoots and still comes closer: up to where?",
                values=1 / 40,
            ),
            Mistake(
                "two-over-mu",
                "2/μ is the limit of the flattest direction alone; the steepest has diverged long before.",
                "it takes only one direction to diverge.",
                values=2 / 0.5,
            ),
            Mistake(
                "best-for-largest",
                "2/(μ + L) is the fastest `lr`, not the largest that converges.",
                "at the fastest one every factor is still below 1: how much further can you go?",
                values=2 / 40.5,
            ),
            Mistake(
                "half-of-best",
                "1/(μ + L) converges, but is not the limit.",
                "when does `1 - lr * curvature` leave the range from -1 to 1?",
                values=1 / 40.5,
            ),
            Mistake(
                "mean-curvature",
                "You used the mean (or the sum) of the curvatures: no direction has that curvature.",
                "ask each direction for its own limit.",
                values=(2 * 3 / 43.5, 2 / 43.5),
            ),
            Mistake(
                "middle-curvature",
                "2/3 is the limit of the middle direction; the steepest diverges there.",
                "it takes only one direction to diverge.",
                values=2 / 3,
            ),
            Mistake(
                "one-over-mu",
                "1/μ is far above the limit: the steepest direction diverges there.",
                "it takes only one direction to diverge.",
                values=1 / 0.5,
            ),
            Mistake(
                "upside-down",
                "The larger the curvature, the smaller the limit; you have it the other way round.",
                "the product of `lr` and curvature has to stay below a number.",
                values=(40, 80, 20),
            ),
        ],
    ),
    number(
        "01.ravine_steps",
        "ravine_steps",
        task="A ravine has the condition number 100. With the best constant `lr`, 2/(μ + L), how many steps "
        "make the distance to the minimum ten times smaller?",
        accept=(113, 120),
        solution="np.log(10) / -np.log(99 / 101)",
        near=0.02,
        hint="find the factor of one step, (κ - 1)/(κ + 1), and ask how often it goes into one tenth.",
        because="The factor is 99/101 a step, so it takes about 115: a little more than the "
        "condition number.",
        mistakes=[
            Mistake(
                "one-over-L",
                "That is about the number of steps at `lr` = 1/L, where the factor is 1 - 1/κ.",
                "the best `lr` is almost twice as large.",
                values=(229.1, 230.26),
            ),
            Mistake(
                "log-of-ten",
                "After about 50 steps the distance is e = 2.7 times smaller, not ten times.",
                "the number of steps is a quotient of two logarithms to the same base.",
                values=50,
            ),
            Mistake(
                "loss-for-distance",
                "That many steps make the loss ten times smaller. It goes with the square of the distance.",
                "what happens to the distance when its square becomes ten times smaller?",
                values=(57.6, 58),
            ),
            Mistake(
                "condition-number",
                "The condition number gives the order of magnitude, not the count.",
                "compute the factor of one step.",
                values=100,
            ),
            Mistake(
                "root-of-condition",
                "With the root of the condition number you get the count for momentum, which is lesson 04.",
                "plain descent has (κ - 1)/(κ + 1), without a root.",
                values=(10, 11.5, 12),
            ),
        ],
    ),
    goal(
        "01.reach_target",
        "good_lr",
        _reached,
        task=f"On `landscapes.d2l`, from its start, reach a loss below {TARGET} in at most {STEPS} "
        "steps of gradient "
        "descent. Set `good_lr` to an `lr` that does.",
        solution=0.45,
        hint="the flat direction wants a large step, the steep one forbids it.",
        because="The flat direction is fast enough, and the steep one has died out.",
        mistakes=[
            Mistake(
                "diverged",
                "The walk does not come closer at all: `good_lr` is not below 2/L.",
                "the steepest curvature of this landscape is 4.",
            ),
            Mistake(
                "zig-zag",
                "`good_lr` is a little too large: across the ravine the walk still jumps from side to side.",
                "look at the steep coordinate, step by step; a slightly smaller step calms it.",
            ),
            Mistake(
                "too-slow",
                "`good_lr` is too small: along the ravine the walk is still far from the minimum.",
                "how close to 2/L can you go?",
            ),
            Mistake(
                "not-positive",
                "`good_lr` is zero or negative: zero stays where it is, a negative step climbs.",
                "downhill takes a positive step.",
            ),
        ],
    ),
    diagnosis(
        "01.diagnose",
        "diagnosis",
        answer={"A": "ravine", "B": "wrong sign", "C": "lr too small", "D": "lr too large"},
        labels={
            "lr too small": "every step takes away the same small part, "
            "and the steep coordinate creeps towards 0 from one side",
            "lr too large": "the steep coordinate grows and changes its sign at every step",
            "ravine": "the loss falls fast at first, and then only creeps, with the steep coordinate at 0",
            "wrong sign": "the steep coordinate grows without ever changing its sign",
        },
        look={
            "A": "compare the first five steps with all that follow.",
            "B": "does the steep coordinate change its sign?",
            "C": "how far from 0 is the steep coordinate at the end, and has it ever jumped?",
            "D": "follow the sign of the steep coordinate from one step to the next.",
        },
        points=2,
        task="Each of the runs A, B, C and D has one of the causes "
        '`"lr too small"`, `"lr too large"`, `"ravine"`, `"wrong sign"`. Which has which?',
        hint="read the loss and the steep coordinate together.",
        because="The loss alone cannot tell a wrong sign from too large a step; the sign of a "
        "coordinate can.",
    ),
    rule(
        "01.clipped_descent",
        clipped_descent,
        name="clipped_descent",
        task="Write `clipped_descent(w, g, *, lr=0.01, clip=1.0)`. Where the Euclidean norm of `g` "
        "along the last axis exceeds `clip`, the gradient is scaled to the norm `clip`; elsewhere it stays "
        "as it is. The axes before the last are runs of their own.",
        hint="one norm per run, with `axis=-1, keepdims=True`; short gradients stay as they are.",
        mistakes=[
            _CLIMBS,
            _NO_LR,
            Mistake(
                "each-coordinate",
                "You clip each coordinate by itself, which turns the gradient into another direction.",
                "the whole vector has one length; all its coordinates shrink by one factor.",
                [("g * clip / np.maximum(norm, clip)", "np.clip(g, -clip, clip)")],
            ),
            Mistake(
                "always-rescaled",
                "You rescale short gradients too: each one gets the length `clip`.",
                "what should happen to a gradient that is short enough?",
                [("np.maximum(norm, clip)", "norm")],
            ),
            Mistake(
                "norm-over-all-runs",
                "You take one norm over everything: runs that have nothing to do with each other "
                "clip each other.",
                "`np.linalg.norm` takes an axis, and `keepdims=True` keeps the result's shape fitting.",
                [("np.linalg.norm(g, axis=-1, keepdims=True)", "np.linalg.norm(g)")],
            ),
            Mistake(
                "clips-the-step",
                "You clip the step, `lr * g`, not the gradient.",
                "the length is limited before `lr` comes in.",
                [("np.linalg.norm(g,", "np.linalg.norm(lr * g,")],
            ),
            Mistake(
                "sign-only",
                "You keep only the sign of each coordinate, so the direction is lost.",
                "a clipped gradient still points where the gradient points.",
                [("g * clip / np.maximum(norm, clip)", "clip * np.sign(g)")],
            ),
            Mistake(
                "clips-the-weights",
                "You clip the weights, so the walk can never leave a ball around 0.",
                "it is the gradient that may be too long.",
                [
                    ("norm = np.linalg.norm(g, axis=-1, keepdims=True)\n", "w = w - lr * g\n"),
                    (
                        "g = g * clip / np.maximum(norm, clip)",
                        "norm = np.linalg.norm(w, axis=-1, keepdims=True)",
                    ),
                    ("return w - lr * g", "return w * clip / np.maximum(norm, clip)"),
                ],
            ),
            Mistake(
                "never-clipped",
                "No gradient is ever shortened: this is plain gradient descent.",
                "what happens where the norm exceeds `clip`?",
                [("g = g * clip / np.maximum(norm, clip)", "g = g")],
            ),
            Mistake(
                "the-wrong-ones",
                "You scale up the short gradients and leave the long ones.",
                "which of the two is meant to be limited?",
                [("np.maximum(norm, clip)", "np.minimum(norm, clip)")],
            ),
            Mistake(
                "sum-for-norm",
                "You measure the length by the sum of absolute values.",
                "the Euclidean norm is the root of the sum of squares.",
                [("np.linalg.norm(g, axis=-1, keepdims=True)", "np.abs(g).sum(axis=-1, keepdims=True)")],
            ),
            Mistake(
                "largest-for-norm",
                "You measure the length by the largest coordinate.",
                "the Euclidean norm is the root of the sum of squares.",
                [("np.linalg.norm(g, axis=-1, keepdims=True)", "np.abs(g).max(axis=-1, keepdims=True)")],
            ),
            Mistake(
                "norm-squared",
                "You use the sum of squares without its root.",
                "a length is measured in the units of `g`.",
                [("np.linalg.norm(g, axis=-1, keepdims=True)", "(g**2).sum(axis=-1, keepdims=True)")],
            ),
            Mistake(
                "not-times-clip",
                "Long gradients get the length 1, not the length `clip`.",
                "divide by the norm, and then?",
                [("g * clip / np.maximum(norm, clip)", "np.where(norm > clip, g / norm, g)")],
            ),
            Mistake(
                "small-number-added",
                "You add 1e-6 to the norm before dividing: this is PyTorch's form, which ends a "
                "little short of `clip`.",
                "where the gradient is longer than `clip`, its norm cannot be 0.",
                [("g * clip / np.maximum(norm, clip)", "g * np.minimum(1, clip / (norm + 1e-6))")],
            ),
        ],
    ),
    choice(
        "01.predict_ravine",
        "ravine_guess",
        task="A ravine has the condition number 100, and `lr` is just below 2/L. The path ...",
        options={
            "a": "goes straight to the minimum",
            "b": "zig-zags across, hardly calms down in the steep direction, and creeps along the flat one",
            "c": "diverges",
        },
        answer="b",
        hint="work out the factor of one step in the steep and in the flat direction.",
        because="The steep factor is close to -1, the flat one close to 0.98: both are slow, each in "
        "its own way.",
        mistakes=[
            Mistake(
                "straight-path",
                "The gradient points across the ravine far more than along it, so the path is not straight.",
                "what is `1 - lr * curvature` in the steep direction?",
                values="a",
            ),
            Mistake(
                "limit-taken-for-passed",
                "Below 2/L every factor is between -1 and 1, so nothing grows.",
                "close to the limit is not past it.",
                values="c",
            ),
        ],
    ),
    choice(
        "01.predict_edge",
        "edge_guess",
        task="On the tanh network at `lr = 0.4` the sharpness reaches 2/lr. Then ...",
        options={
            "a": "the loss explodes",
            "b": "the sharpness stays near 2/lr, and the loss goes on falling, though not at every step",
            "c": "the sharpness falls back to 0",
        },
        answer="b",
        hint="2/L is a theorem about quadratics. Is this loss one?",
        because="The loss is no quadratic: where the walk begins to swing, it is pushed to a flatter place.",
        mistakes=[
            Mistake(
                "quadratic-everywhere",
                "On a quadratic it would. Here the curvature changes from place to place, and the "
                "swing meets a flatter one.",
                "what happens to the sharpness while the walk swings wider?",
                values="a",
            ),
            Mistake(
                "flat-bottom",
                "A sharpness of 0 is a plain without curvature; the network never gets that flat.",
                "which two forces hold the sharpness: one that raises it, one that limits it?",
                values="c",
            ),
        ],
    ),
)
