"""Lesson 07: RMSProp, AdaGrad with a decaying average."""

from functools import cache

import numpy as np

from optim_lessons.adagrad import adagrad
from optim_lessons.course.judging.kinds import choice, diagnosis, goal, number, rule
from optim_lessons.course.judging.mistakes import Mistake, in_the_squares, in_the_step
from optim_lessons.lab.path import path
from optim_lessons.landscapes import d2l
from optim_lessons.rmsprop import rmsprop

_V = "v = beta * v + (1 - beta) * g**2"
_STEP = "w = w - lr * g / (np.sqrt(v) + eps)"


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
    rule(
        "07.rmsprop",
        rmsprop,
        task="Write RMSProp: `my_rmsprop(w, g, v=0.0, *, lr=0.01, beta=0.99, eps=1e-8)` returns the "
        "new `w` and `v`.",
        hint="first the average of squares, then a step divided by its root.",
        mistakes=[
            *in_the_step("g", "v"),
            *in_the_squares(_V, _STEP, average=True),
            Mistake(
                "averaged-the-other-way",
                "You weigh the new square with `beta` and the old `v` with `1 - beta`.",
                "`beta` is the memory: near 1 the old counts most.",
                [(_V, "v = (1 - beta) * v + beta * g**2")],
            ),
            Mistake(
                "sum-for-average",
                "The new square is not weighed, so `v` is a decaying sum, `1/(1 - beta)` times too large.",
                "the two weights of an average add up to 1.",
                [("(1 - beta) * g**2", "g**2")],
            ),
            Mistake(
                "adagrad",
                "This is AdaGrad: `v` sums all squares and forgets none.",
                "which letter says how much is remembered?",
                [(_V, "v = v + g**2")],
            ),
            Mistake(
                "not-squared",
                "`v` averages the gradients themselves: positive and negative ones cancel.",
                "what is averaged must never be negative.",
                [("g**2", "g")],
            ),
            Mistake(
                "absolute-values",
                "`v` averages absolute values.",
                "the root at the end undoes something that `v` should contain.",
                [("g**2", "abs(g)")],
            ),
            Mistake(
                "nothing-fades",
                "The old `v` is kept whole, so it only grows, as AdaGrad's does.",
                "the two weights of an average add up to 1.",
                [("beta * v", "v")],
            ),
            Mistake(
                "corrected",
                "You divide `v` by `1 - beta` before the root. That is right for the first step alone.",
                "RMSProp leaves `v` as it is; lesson 08 is about the correction.",
                [("np.sqrt(v)", "np.sqrt(v / (1 - beta))")],
            ),
            Mistake(
                "weight-squared",
                "The square covers the weight as well: `((1 - beta) * g)**2`.",
                "square the gradient first, then weigh it.",
                [("(1 - beta) * g**2", "((1 - beta) * g)**2")],
            ),
            Mistake(
                "not-averaged",
                "`v` is the newest square alone.",
                "part of the old `v` has to survive.",
                [(_V, "v = g**2")],
            ),
            Mistake(
                "one-size-for-all",
                "You average over all coordinates, so each one is divided by the same number.",
                "every coordinate has a size of its own.",
                [("g**2", "(g**2).mean(axis=-1, keepdims=True)")],
            ),
        ],
    ),
    choice(
        "07.predict_forget",
        "forget_guess",
        task="The usual gradient is 1. One gradient of 100 comes along, once. Beta is 0.99. About how many "
        "steps later is the step back to nine tenths of its usual length?",
        options={"a": "70, the half-life", "b": "100, the memory", "c": "600", "d": "never"},
        answer="c",
        hint="the square of the burst is 10,000, of which 100 enter `v`. How often must 100 be halved?",
        because="After 100 steps `v` is still 38 times its usual size. A memory of 100 steps says how fast "
        "`v` falls, not when it has arrived: that depends on how large the burst was.",
        mistakes=[
            Mistake(
                "half-life",
                "After one half-life only half of the excess in `v` is gone, and the excess is large.",
                "how many times must the excess be halved until little is left?",
                values="a",
            ),
            Mistake(
                "memory-length",
                "After one memory length the excess is down to a share of 1/e, 37 percent, and the excess "
                "is large.",
                "compare the excess in `v` with the usual `v`.",
                values="b",
            ),
            Mistake(
                "never",
                "That is AdaGrad. An average forgets: every step takes away the same share.",
                "what multiplies the old `v` in each step?",
                values="d",
            ),
        ],
    ),
    number(
        "07.first_step",
        "first_step",
        task="RMSProp begins with `v` = 0. The first gradient of a weight is -7. With `lr` 0.02, "
        "`beta` 0.96 and "
        "`eps` 0: by how much does the weight change in the first step?",
        accept=(0.0995, 0.1005),
        solution="0.02 * 7 / np.sqrt(0.04 * 7**2)",
        hint="what is `v` after the first step? Take its root, and put it into the step.",
        because="After one step `v` is (1 - `beta`) times the square, so the step is `lr` divided by "
        "the root "
        "of 1 - `beta`: here five times `lr`, whatever the gradient.",
        mistakes=[
            Mistake(
                "lr",
                "`lr` is the length of a step in the long run, when `v` has seen many gradients.",
                "how much of the first square enters `v`?",
                values=0.02,
            ),
            Mistake(
                "root-forgotten",
                "You divided by 1 - `beta`, or by `v`, itself.",
                "the step divides by the root of `v`.",
                values=(0.5, 0.02 / (0.04 * 7)),
            ),
            Mistake(
                "not-squared",
                "You put the gradient itself into `v`.",
                "`v` averages squares.",
                values=0.02 * 7 / (0.04 * 7) ** 0.5,
            ),
            Mistake(
                "lr-forgotten",
                "That is the length in units of `lr`.",
                "one factor is missing.",
                values=5,
            ),
            Mistake(
                "old-weight",
                "You gave the first square the weight `beta`; that is the weight of the old `v`, which is 0.",
                "which of the two weights belongs to the new square?",
                values=(0.02 / 0.96**0.5, 0.02 / 0.96),
            ),
            Mistake(
                "multiplied",
                "You multiplied by the root of 1 - `beta`, or by 1 - `beta`. A `v` that is too small "
                "makes the step too long, not too short.",
                "`v` stands in the denominator.",
                values=(0.004, 0.0008),
            ),
            Mistake(
                "gradient-kept",
                "The gradient should cancel: it stands in the numerator, and its size in the denominator.",
                "what is the root of a square?",
                values=(0.7, 0.14, 3.5),
            ),
        ],
    ),
    number(
        "07.forget_burst",
        "steps_to_forget",
        task="The usual gradient is 1, so the usual `v` is 1. One gradient of 100 comes along, and "
        "`beta` is 0.99. "
        "How many usual steps after it is `v` down to 2?",
        accept=(455, 462),
        near=0.004,
        solution="np.log(0.01 * (100**2 - 1)) / -np.log(0.99)",
        hint="how much more than 1 is `v` right after the burst? Each step multiplies that excess by `beta`.",
        because="The burst adds 0.01 (10,000 - 1), almost 100, and that is multiplied by 0.99 until "
        "1 is left.",
        mistakes=[
            Mistake(
                "weight-forgotten",
                "You started from an excess of 10,000, but only a share of 1 - `beta` of the burst's "
                "square enters `v`.",
                "what does one gradient add to an average?",
                values=(916.4, 921, 916, 917),
            ),
            Mistake(
                "usual-forgotten",
                "That is when an excess of 100 has fallen to 2. But the usual gradients keep `v` at "
                "1 themselves, so the excess has to fall to 1.",
                "what part of `v` = 2 comes from the burst?",
                values=(389.2, 390, 391),
            ),
            Mistake(
                "half-life",
                "That is one half-life: the excess would still be 50.",
                "how many halvings lead from 100 to 1?",
                values=(69, 69.3, 70),
            ),
            Mistake(
                "halvings",
                "That is how often the excess has to be halved, not how many steps that takes.",
                "how many steps does one halving take?",
                values=(6.64, 6.6, 7),
            ),
            Mistake(
                "memory",
                "That is one memory length: the excess would still be 37.",
                "how many times must it shrink?",
                values=100,
            ),
            Mistake(
                "root-taken",
                "You followed the root of `v`, whose excess begins at 9. The question is about `v`.",
                "is it the root that is multiplied by `beta`?",
                values=(218.6, 219.7, 229.1, 230.3),
            ),
            Mistake(
                "not-squared",
                "You let the burst in as 100, not as its square.",
                "`v` averages squares.",
                values=(0, -1),
            ),
            Mistake(
                "nine-tenths",
                "That is when the step is back to nine tenths of its usual length. Here `v` has to come "
                "down to 2, and no further.",
                "which excess belongs to `v` = 2?",
                values=(600, 603),
            ),
        ],
    ),
    choice(
        "07.predict_condition",
        "condition_guess",
        task="The ravine lies along the axes, and `eps` is 0. Its condition number goes from 10 to "
        "1000 (the flat "
        "direction becomes flatter). What happens to the path of RMSProp, from the same start?",
        options={
            "a": "it becomes a hundred times slower",
            "b": "it needs ten times as many steps, the root of a hundred",
            "c": "nothing: the path is the same, point by point",
            "d": "it zig-zags",
        },
        answer="c",
        hint="along the axes each gradient is curvature times `w`; what does dividing by the root of `v` do "
        "to a constant factor?",
        because="Each coordinate's curvature stands in the numerator and in the denominator, and cancels. "
        "This holds along the axes only.",
        mistakes=[
            Mistake(
                "descent",
                "That is plain gradient descent, which has one step size for both directions.",
                "RMSProp gives each coordinate a divisor of its own.",
                values="a",
            ),
            Mistake(
                "momentum",
                "That is momentum at its best.",
                "RMSProp gives each coordinate a divisor of its own.",
                values="b",
            ),
            Mistake(
                "zig-zag",
                "The steep direction keeps its curvature, so nothing about it changes.",
                "how does the step in one coordinate depend on that coordinate's curvature?",
                values="d",
            ),
        ],
    ),
    choice(
        "07.predict_settle",
        "settle_guess",
        task="A parabola, no noise, `lr` 0.01, `beta` 0.99, `eps` nearly 0. After 300 steps RMSProp "
        "is closer than "
        "1e-9 to the minimum. Where is it after 3,000 steps?",
        options={
            "a": "closer still, or exactly at the minimum",
            "b": "about as close as at step 300",
            "c": "it has come back, and jumps from side to side of the minimum",
            "d": "it has diverged",
        },
        answer="c",
        hint="at the minimum all gradients are tiny. What becomes of `v` in 3,000 steps, and of the "
        "effective `lr`?",
        because="`v` forgets the large gradients, so the effective `lr` grows until it passes 2/curvature. "
        "Then the walk is thrown out, the gradients grow, and `v` with them: it ends where both are "
        "in balance.",
        mistakes=[
            Mistake(
                "arrives",
                "It would if the effective `lr` stayed as it is. But `v` goes on forgetting.",
                "what is `lr` over the root of `v`, when all recent gradients are tiny?",
                values="a",
            ),
            Mistake(
                "stays",
                "Nothing holds it there: `v` changes in every step.",
                "follow `lr` over the root of `v`.",
                values="b",
            ),
            Mistake(
                "diverges",
                "It begins to, but larger gradients make `v` grow again.",
                "what stops the growth?",
                values="d",
            ),
        ],
    ),
    goal(
        "07.settle",
        "settling_lr",
        _reached,
        task=f"On `landscapes.d2l`, from its start, with `beta` {BETA} and the default `eps`, run "
        f"{STEPS} steps of RMSProp. "
        f"In all of the last {LAST} the loss has to be below {TARGET}. Set `settling_lr` to an `lr` "
        "that does it.",
        solution=0.04,
        hint="the way is 5 long, and a step is about `lr`; at the end the jitter is `lr`/2 in each "
        "coordinate.",
        because="Long enough steps to arrive, short enough ones to be near: with a constant `lr` you "
        "pay for one "
        "with the other.",
        mistakes=[
            Mistake(
                "too-slow",
                "`settling_lr` is too small: the walk is still on its way.",
                "how far can it go with so many steps of about this length?",
            ),
            Mistake(
                "jitters",
                "`settling_lr` is too large: the walk has arrived, and cannot sit still.",
                "what loss belongs to a jitter of `lr`/2 in both coordinates?",
            ),
            Mistake(
                "not-positive",
                "`settling_lr` is zero or negative: zero stays where it is, a negative step climbs.",
                "downhill takes a positive step.",
            ),
        ],
    ),
    rule(
        "07.centred_rmsprop",
        centred_rmsprop,
        name="centred_rmsprop",
        task="Write `centred_rmsprop(w, g, m=0.0, v=0.0, *, lr=0.01, beta=0.9, eps=1e-2)`: divide by "
        "the root of "
        "the variance, which is the average of the squares less the square of the average, plus "
        "`eps`. Return "
        "the new `w`, `m` and `v`.",
        hint="two averages with the same `beta`, one of `g`, one of its square; then the step.",
        points=3,
        mistakes=[
            *in_the_step("g", "v - m**2"),
            Mistake(
                "not-centred",
                "This is RMSProp: `m` is kept, but not used.",
                "what is to be taken away from the average of the squares?",
                [("v - m**2", "v")],
            ),
            Mistake(
                "average-not-squared",
                "You take away the average of the gradients, not its square.",
                "both terms have to be squares of a gradient.",
                [("v - m**2", "v - m")],
            ),
            Mistake(
                "added",
                "You add the square of the average.",
                "the variance is smaller than the average of the squares.",
                [("v - m**2", "v + m**2")],
            ),
            Mistake(
                "steps-along-m",
                "The step goes along the average `m`, not along `g`.",
                "here `m` only serves to measure the spread.",
                [("lr * g", "lr * m")],
            ),
            Mistake(
                "variance-returned",
                "You return the variance in the place of `v`; the next step takes it for the average "
                "of squares.",
                "the variance is used once and thrown away.",
                [("return w, m, v", "return w, m, v - m**2")],
            ),
            Mistake(
                "averaged-the-other-way",
                "Both averages weigh the new with `beta` and the old with `1 - beta`.",
                "`beta` is the memory: near 1 the old counts most.",
                [
                    ("beta * m + (1 - beta) * g\n", "(1 - beta) * m + beta * g\n"),
                    ("beta * v + (1 - beta) * g**2", "(1 - beta) * v + beta * g**2"),
                ],
            ),
            Mistake(
                "deviations",
                "`v` averages the square of `g - m`: another estimate of the variance, and another rule.",
                "here `v` is RMSProp's; the square of `m` is taken away later.",
                [("g**2", "(g - m)**2"), ("v - m**2", "v")],
            ),
            Mistake(
                "m-is-a-sum",
                "Your `m` is a decaying sum, as in lesson 04; here it has to be an average.",
                "the two weights of an average add up to 1.",
                [("(1 - beta) * g\n", "g\n")],
            ),
            Mistake(
                "old-averages",
                "The step uses the averages of the step before.",
                "which lines come first?",
                [
                    ("    m = beta", "    old = v - m**2\n    m = beta"),
                    ("np.sqrt(v - m**2)", "np.sqrt(old)"),
                ],
            ),
        ],
    ),
    diagnosis(
        "07.diagnose",
        "rmsprop_diagnosis",
        answer={"A": "lr too large", "B": "eps too large", "C": "never forgets", "D": "lr too small"},
        labels={
            "lr too small": "all steps are about equally short, before the burst and long after it, "
            "and the loss is far from its floor at the end",
            "lr too large": "the loss ends on a level, with steps that are long and do not fade",
            "eps too large": "the step that meets the burst is by far the longest of all, and "
            "otherwise steps "
            "fade together with the loss, by a constant factor",
            "never forgets": "steps shrink from the first one on, the burst shortens them at once, and "
            "they never recover",
        },
        look={
            "A": "how long are the last steps, compared with the first ones?",
            "B": "compare the step that meets the burst with the first step, and with those after it.",
            "C": "compare the steps just before the burst with those long after it.",
            "D": "compare the steps just before the burst with those long after it.",
        },
        points=2,
        task="In each of the four runs the gradients of one step, the 41st, are far too large. Give "
        "each run its "
        'cause: `"lr too small"`, `"lr too large"`, `"eps too large"` or `"never forgets"`.',
        hint="the lower row tells more than the upper one.",
        because="One look at the length of the steps tells these causes apart, which the loss alone "
        "does not.",
    ),
)
