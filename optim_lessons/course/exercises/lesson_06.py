"""Lesson 06: AdaGrad. Most mistakes are about the root, eps, and what is summed."""

from optim_lessons.adagrad import adagrad
from optim_lessons.course.kinds import rule
from optim_lessons.course.mistakes import Mistake, in_the_step

_V = "v = v + g**2"
_STEP = "w = w - lr * g / (np.sqrt(v) + eps)"

exercises = (
    rule(
        "06.adagrad",
        adagrad,
        task="Write AdaGrad: `my_adagrad(w, g, v=0.0, *, lr=0.01, eps=1e-10)` returns the new `w` and `v`.",
        hint="first the sum of squares, then a step divided by its root.",
        mistakes=[
            *in_the_step("g", "v"),
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
            Mistake(
                "not-summed",
                "`v` is the newest square alone, so each step becomes about `lr` long, whatever came before.",
                "the old `v` has to survive.",
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
                [(_V, "v_new = v + g**2"), ("np.sqrt(v)", "np.sqrt(v_new)")],
            ),
            Mistake(
                "root-returned",
                "You return the root of `v`; in the next step it is taken for the sum of squares.",
                "the root is used once and thrown away.",
                [("return w, v", "return w, np.sqrt(v)")],
            ),
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
            Mistake(
                "gradient-forgotten",
                "The step does not contain the gradient: every coordinate goes down, whatever its slope.",
                "`lr` over the root is only the length; what is the direction?",
                [("lr * g", "lr")],
            ),
            Mistake(
                "multiplied",
                "You multiply by the root instead of dividing by it.",
                "large gradients so far should make the steps smaller.",
                [("/ (np.sqrt", "* (np.sqrt")],
            ),
        ],
    ),
)
