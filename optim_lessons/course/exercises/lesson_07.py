"""Lesson 07: RMSProp, AdaGrad with a decaying average."""

from optim_lessons.course.kinds import rule
from optim_lessons.course.mistakes import Mistake, in_the_step
from optim_lessons.rmsprop import rmsprop

_V = "v = beta * v + (1 - beta) * g**2"
_STEP = "w = w - lr * g / (np.sqrt(v) + eps)"

exercises = (
    rule(
        "07.rmsprop",
        rmsprop,
        task="Write RMSProp: `my_rmsprop(w, g, v=0.0, *, lr=0.01, beta=0.99, eps=1e-8)` returns the "
        "new `w` and `v`.",
        hint="first the average of squares, then a step divided by its root.",
        mistakes=[
            *in_the_step("g", "v"),
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
                "old-v",
                "You divide by the `v` of the step before: `w` is computed before the new `v`.",
                "which of the two lines comes first?",
                [(f"{_V}\n    {_STEP}", f"{_STEP}\n    {_V}")],
            ),
            Mistake(
                "v-not-returned",
                "You divide by the new `v` but return the old one, so nothing is remembered.",
                "what is returned as `v` is what comes in next time.",
                [("v = beta", "v_new = beta"), ("np.sqrt(v)", "np.sqrt(v_new)")],
            ),
            Mistake(
                "root-returned",
                "You return the root of `v`; in the next step it is taken for the average of squares.",
                "the root is used once and thrown away.",
                [("return w, v", "return w, np.sqrt(v)")],
            ),
            Mistake(
                "one-size-for-all",
                "You average over all coordinates, so each one is divided by the same number.",
                "every coordinate has a size of its own.",
                [("g**2", "(g**2).mean(axis=-1, keepdims=True)")],
            ),
        ],
    ),
)
