"""Lesson 06: AdaGrad. Most mistakes are about the root, eps, and what is summed."""

from functools import cache

import numpy as np

from optim_lessons.adagrad import adagrad
from optim_lessons.course.judging.kinds import choice, diagnosis, goal, number, rule
from optim_lessons.course.judging.mistakes import Mistake, in_the_squares, in_the_step, variant
from optim_lessons.lab.path import record
from optim_lessons.landscapes import quadratic
from optim_lessons.studies.long_run import effective_lr, follow, moving_minimum

_V = "v = v + g**2"
_STEP = "w = w - lr * g / (np.sqrt(v) + eps)"
_NORM = "v = v + (g**2).sum(axis=-1, keepdims=True)"
_NOT_SUMMED = Mistake(
    "not-summed",
    "`v` is the newest square alone, so each step becomes about `lr` long, whatever came before.",
    "the old `v` has to survive.",
    [(_V, "v = g**2")],
)


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
    rule(
        "06.adagrad",
        adagrad,
        task="Write AdaGrad: `my_adagrad(w, g, v=0.0, *, lr=0.01, eps=1e-10)` returns the new `w` and `v`.",
        hint="first the sum of squares, then a step divided by its root.",
        mistakes=[
            *in_the_step("g", "v"),
            *in_the_squares(_V, _STEP),
            Mistake(
                "eps-in-the-sum",
                "`eps` is added to `v` itself, once more in each step, and comes back with it.",
                "`eps` belongs to the divisor alone; `v` holds squared gradients.",
                [("g**2", "g**2 + eps"), ("(np.sqrt(v) + eps)", "np.sqrt(v)")],
            ),
            Mistake(
                "not-squared",
                "`v` sums the gradients themselves: positive and negative ones cancel.",
                "what is summed must never be negative.",
                [("g**2", "g")],
            ),
            Mistake(
                "absolute-values",
                "`v` sums absolute values.",
                "the root at the end undoes something that `v` should contain.",
                [("g**2", "abs(g)")],
            ),
            _NOT_SUMMED,
            Mistake(
                "one-size-for-all",
                "You sum over all coordinates, so each one is divided by the same number.",
                "AdaGrad's whole idea: every coordinate has a size of its own.",
                [("g**2", "(g**2).sum(axis=-1, keepdims=True)")],
            ),
            Mistake(
                "one-number-for-all",
                "You sum over the whole array, so each coordinate (and each run) is divided by the "
                "same number.",
                "AdaGrad's whole idea: every coordinate has a size of its own.",
                [("g**2", "(g**2).sum()")],
            ),
        ],
    ),
    number(
        "06.rare_ratio",
        "rare_ratio",
        task="A frequent feature is there in every example, a rare one in one example of 100. When a "
        "feature is there, its weight gets a gradient of size 1. After 10,000 examples, how many times "
        "larger is AdaGrad's effective lr for the rare weight?",
        accept=(9.9, 10.1),
        solution="np.sqrt(10_000) / np.sqrt(100)",
        hint="compute `v` of each weight first.",
        because="The sums of squares are 10,000 and 100, and the roots 100 and 10.",
        mistakes=[
            Mistake(
                "root-forgotten",
                "That is the ratio of the two `v`.",
                "what does AdaGrad divide by?",
                values=100,
            ),
            Mistake(
                "upside-down",
                "You have it the other way round: the rare weight has the smaller `v`.",
                "dividing by a smaller number gives a larger result.",
                values=(0.1, 0.01),
            ),
            Mistake(
                "same-for-both",
                "The two gradients have the same size when they come, but one comes far more often.",
                "an example without the feature adds 0 to `v`.",
                values=1,
            ),
            Mistake(
                "number-of-examples",
                "That is the `v` of the frequent weight alone.",
                "each weight has a sum of its own.",
                values=10_000,
            ),
        ],
    ),
    number(
        "06.steps_to_travel",
        "steps_to_travel",
        task="The gradient is the same in each step, and `lr` is 0.01. About how many steps does AdaGrad "
        "need to travel a distance of 2?",
        accept=(9_900, 10_250),
        solution="(2 / (2 * 0.01)) ** 2",
        near=0.02,
        hint="how long is step number t, and what is the sum of the first t of them?",
        because="Step number t is lr/√t long, and the first t steps add up to about 2·lr·√t.",
        mistakes=[
            Mistake(
                "constant-steps",
                "That many steps would do if each were `lr` long. Only the first one is.",
                "`v` grows in every step: how long is the second step?",
                values=200,
            ),
            Mistake(
                "last-step-times-t",
                "You took every step to be as short as the last one: the earlier ones were longer.",
                "add up lr/√1, lr/√2, lr/√3, ...; an integral gives the sum nearly.",
                values=40_000,
            ),
            Mistake(
                "square-forgotten",
                "That is the root of the number of steps.",
                "the distance grows with √t: what is t?",
                values=100,
            ),
            Mistake(
                "two-on-the-wrong-side",
                "You divided by 1/2 where you should have divided by 2, or the other way round.",
                "the sum is 2·lr·√t. Set it to the distance and solve for t.",
                values=(160_000, 400),
            ),
            Mistake(
                "half",
                "The 2 is inside the square too.",
                "solve 2·lr·√t = 2 for √t first, then square all of it.",
                values=20_000,
            ),
        ],
    ),
    choice(
        "06.predict_scale",
        "scale_free_guess",
        task="The loss is multiplied by 10, and nothing else changes. The best `lr` of AdaGrad ...",
        options={
            "a": "becomes ten times smaller, as that of gradient descent",
            "b": "stays where it is",
            "c": "becomes ten times larger",
        },
        answer="b",
        hint="multiply `g` by 10 in the formula, and look at numerator and divisor.",
        because="Numerator and divisor are both multiplied by 10: `lr` is a length in units of `w`.",
        mistakes=[
            Mistake(
                "as-descent",
                "Gradient descent needs that; AdaGrad divides by the size of the gradients.",
                "what happens to √v when each gradient becomes ten times larger?",
                values="a",
            ),
            Mistake(
                "overcorrected",
                "The divisor grows by 10, but the numerator does too.",
                "write the step with 10·g in both places.",
                values="c",
            ),
        ],
    ),
    choice(
        "06.predict_turned",
        "turned_guess",
        task="The ravine with condition number 100 is turned by 45 degrees. AdaGrad ...",
        options={
            "a": "is as fast as before: a turned ravine is the same ravine",
            "b": "is slow: both coordinates now see the steep wall, and get nearly the same divisor",
            "c": "diverges",
        },
        answer="b",
        hint="how large are the two coordinates of a gradient that points across the turned ravine?",
        because="AdaGrad rescales coordinates. A ravine that lies across them cannot be undone that way.",
        mistakes=[
            Mistake(
                "descent-in-mind",
                "That is true of gradient descent, which does not know where the axes are. AdaGrad does.",
                "each coordinate has its own sum: what do the two sums see after the turn?",
                values="a",
            ),
            Mistake(
                "diverges",
                "AdaGrad's steps never get longer than `lr`, and they shrink; it does not diverge here.",
                "how large is a step at most?",
                values="c",
            ),
        ],
    ),
    choice(
        "06.predict_life",
        "life_guess",
        task="In the long run AdaGrad loses the minimum when its effective lr has become too small. You "
        "double `lr`. It now keeps up ...",
        options={"a": "as long as before", "b": "about twice as long", "c": "about four times as long"},
        answer="c",
        hint="the effective lr falls like lr/√t. When does it reach a given small value?",
        because="lr/√t reaches a given value at a t in proportion to the square of `lr`.",
        mistakes=[
            Mistake(
                "scale-free",
                "AdaGrad does not feel the scale of the gradient, but it does feel `lr`.",
                "double `lr`: what happens to the effective lr at every step?",
                values="a",
            ),
            Mistake(
                "root-forgotten",
                "That would be so if the effective lr fell like lr/t. It falls more slowly.",
                "it falls with the root of t: what does that do to the time?",
                values="b",
            ),
        ],
    ),
    goal(
        "06.follow",
        "following_lr",
        _followed,
        task="In the long run with the usual settings (season 300, noise 0.3, no burst), choose an `lr` with "
        f"which AdaGrad's mean distance to the minimum in the last season is below {NEAR}.",
        solution=4.0,
        hint="a larger `lr` lives longer, and jumps about more.",
        because="For a run of known length there is such an `lr`. For a longer run it would be another.",
        mistakes=[
            Mistake(
                "died",
                "`following_lr` is too small: in the last season the steps are too short to keep up.",
                "how does the time for which AdaGrad keeps up depend on `lr`?",
            ),
            Mistake(
                "noisy",
                "`following_lr` is too large: the walk keeps up, but its steps follow the noise as well.",
                "a smaller step averages over more of the noise.",
            ),
            Mistake(
                "not-positive",
                "`following_lr` is zero or negative: zero stays where it is, a negative step climbs.",
                "downhill takes a positive step.",
            ),
        ],
    ),
    diagnosis(
        "06.diagnose",
        "adagrad_diagnosis",
        answer={"A": "eps too large", "B": "burst", "C": "v not kept", "D": "lr too small"},
        labels={
            "eps too large": "both weights have the same effective lr, and it hardly falls",
            "burst": "the effective lr of both weights drops in one single step, and never comes back",
            "v not kept": "the effective lr rises as well as falls, and the loss never settles",
            "lr too small": "the effective lr falls like 1/√t from the start, and at the end the loss still "
            "has the size it had",
        },
        look={
            "A": "compare the effective lr of the two weights with each other.",
            "B": "is there one step at which everything changes?",
            "C": "can a sum of squares become smaller?",
            "D": "how far has the loss come at the end, and did anything happen on the way?",
        },
        points=2,
        task="Each of the runs A, B, C and D has one of the causes "
        '`"eps too large"`, `"burst"`, `"v not kept"`, `"lr too small"`. Which has which?',
        hint="the effective lr of the two weights says more than the loss.",
        because="The loss alone cannot tell a burst from too small an `lr`; the effective lr can.",
    ),
    rule(
        "06.adagrad_norm",
        adagrad_norm,
        name="adagrad_norm",
        task="Write `adagrad_norm(w, g, v=0.0, *, lr=0.01, eps=1e-10)`: AdaGrad with one `v` for all "
        "coordinates, the sum of the squared Euclidean lengths of the gradients. The axes before the last "
        "are runs of their own, each with its `v` on a last axis of length 1. It returns the new `w` and "
        "`v`.",
        hint="one number per run, with `axis=-1, keepdims=True`; all else is as in AdaGrad.",
        mistakes=[
            *in_the_step("g", "v"),
            *in_the_squares(_NORM, _STEP),
            Mistake(
                "one-for-each",
                "Each coordinate has a `v` of its own: this is AdaGrad itself.",
                "the squares of one gradient are added up over its coordinates.",
                [(_NORM, "v = v + g**2")],
            ),
            Mistake(
                "over-all-runs",
                "You sum over the whole array: runs that have nothing to do with each other share a `v`.",
                "`sum` takes an axis, and `keepdims=True` keeps the result's shape fitting.",
                [("(g**2).sum(axis=-1, keepdims=True)", "(g**2).sum()")],
            ),
            Mistake(
                "mean-of-squares",
                "You add the mean of the squares, not their sum.",
                "the squared Euclidean length is a sum of squares.",
                [(".sum(axis", ".mean(axis")],
            ),
            Mistake(
                "length-not-squared",
                "You add the length of the gradient, not its square.",
                "the root at the end undoes something that `v` should contain.",
                [
                    (
                        "(g**2).sum(axis=-1, keepdims=True)",
                        "np.linalg.norm(g, axis=-1, keepdims=True)",
                    )
                ],
            ),
            Mistake(
                "sum-squared",
                "You add up the coordinates first and square their sum.",
                "squares of opposite signs must not cancel.",
                [("(g**2).sum(axis=-1, keepdims=True)", "g.sum(axis=-1, keepdims=True) ** 2")],
            ),
            Mistake(
                "not-summed",
                "`v` holds the newest gradient alone, so each step is `lr` long: this is normalised descent.",
                "the old `v` has to survive.",
                [("v = v + (g", "v = (g")],
            ),
            Mistake(
                "largest-for-length",
                "You take the largest coordinate for the length.",
                "the Euclidean length is the root of the sum of squares.",
                [("(g**2).sum(axis=-1, keepdims=True)", "(g**2).max(axis=-1, keepdims=True)")],
            ),
        ],
    ),
)
