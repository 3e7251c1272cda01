"""Lesson 08: Adam and AMSGrad. Most lines are common to both, and so are most mistakes."""

from functools import cache

import numpy as np

from optim_lessons.adam import adam, amsgrad
from optim_lessons.bridge import adam_uncorrected
from optim_lessons.course.judging.kinds import choice, diagnosis, goal, number, rule
from optim_lessons.course.judging.mistakes import Mistake, in_the_step
from optim_lessons.lab.path import path

_M = "m = beta1 * m + (1 - beta1) * g"
_V = "v = beta2 * v + (1 - beta2) * g**2"
_M_HAT, _V_HAT = "m_hat = m / (1 - beta1**t)", "v_hat = v / (1 - beta2**t)"

IN_ADAM_AND_AMSGRAD = (
    *in_the_step("m_hat", "v_hat"),
    Mistake(
        "eps-hat",
        "This is the form of TensorFlow and Keras: the correction is folded into `lr`, so `eps` "
        "stands beside the "
        "uncorrected root and counts for more in the first steps.",
        "in the course `eps` is added to the root of `v_hat`, not of `v`.",
        [("np.sqrt(v_hat) + eps", "np.sqrt(v_hat) + eps / np.sqrt(1 - beta2**t)")],
    ),
    Mistake(
        "not-squared",
        "`v` averages the gradients themselves, so its root can be that of a negative number.",
        "what is averaged in `v` must never be negative.",
        [("g**2", "g")],
    ),
    Mistake(
        "uncorrected",
        "Neither average is corrected, so the first steps have the wrong size.",
        "both averages start at 0: what makes up for that?",
        [("(1 - beta1**t)", "1"), ("(1 - beta2**t)", "1")],
    ),
    Mistake(
        "m-uncorrected",
        "`m` is not corrected: the first steps are too short.",
        "which of the two averages enters the step without its hat?",
        [("(1 - beta1**t)", "1")],
    ),
    Mistake(
        "v-uncorrected",
        "`v` is not corrected: in the first steps the divisor is too small.",
        "which of the two averages enters the step without its hat?",
        [("(1 - beta2**t)", "1")],
    ),
    Mistake(
        "beta1-corrects-both",
        "Both corrections use `beta1`.",
        "each average is corrected with its own memory.",
        [("beta2**t", "beta1**t")],
    ),
    Mistake(
        "beta2-corrects-both",
        "Both corrections use `beta2`.",
        "each average is corrected with its own memory.",
        [("beta1**t", "beta2**t")],
    ),
    Mistake(
        "corrections-swapped",
        "Each correction uses the other average's beta.",
        "each average is corrected with its own memory.",
        [("(1 - beta2**t)", "(1 - beta1 ** t)"), ("(1 - beta1**t)", "(1 - beta2**t)")],
    ),
    Mistake(
        "power-forgotten",
        "The corrections divide by `1 - beta`, without the power of `t`, so they never fade.",
        "after many steps a correction should be 1.",
        [("beta1**t", "beta1"), ("beta2**t", "beta2")],
    ),
    Mistake(
        "power-outside",
        "The corrections divide by `(1 - beta)**t`: the power covers the whole bracket.",
        "what dies out with `t` is the weight of the zero at the start, `beta` to the power of `t`.",
        [("(1 - beta1**t)", "(1 - beta1) ** t"), ("(1 - beta2**t)", "(1 - beta2) ** t")],
    ),
    Mistake(
        "corrections-multiplied",
        "You multiply by the corrections: averages that are too small become smaller still.",
        "after one step `m` is `1 - beta1` times the gradient: what makes it the gradient again?",
        [("/ (1 - beta1**t)", "* (1 - beta1**t)"), ("/ (1 - beta2**t)", "* (1 - beta2**t)")],
    ),
    Mistake(
        "root-before-correction",
        "The root is taken first and then divided by `1 - beta2**t`.",
        "which of the two is too small by that factor, `v` or its root?",
        [("(1 - beta2**t)", "(1 - beta2**t) ** 2")],
    ),
    Mistake(
        "times-t",
        "The corrections use `beta` times `t`, not `beta` to the power of `t`.",
        "in Python a power is `**`.",
        [("beta1**t", "beta1 * t"), ("beta2**t", "beta2 * t")],
    ),
    Mistake(
        "t-counted-late",
        "`t` is counted after it is used, so the first step corrects with `t = 0` and divides by 0.",
        "the first step is number 1.",
        [("    t = t + 1\n", ""), (", t\n", ", t + 1\n")],
    ),
    Mistake(
        "t-one-ahead",
        "The corrections use `t + 1` although `t` has been counted already.",
        "the first step is number 1; which power does yours use there?",
        [("beta1**t", "beta1**(t + 1)"), ("beta2**t", "beta2**(t + 1)")],
    ),
    Mistake(
        "t-not-counted",
        "`t` never grows.",
        "`t` counts the steps taken; who adds one?",
        [("    t = t + 1\n", "")],
    ),
    Mistake(
        "t-not-returned",
        "The new `t` is used, but the old one is returned, so each step is the first.",
        "what is returned as `t` is what comes in next time.",
        [(", t\n", ", t - 1\n")],
    ),
    Mistake(
        "betas-swapped",
        "`beta1` and `beta2` have changed places.",
        "which of them belongs to `m`?",
        [
            (_M, "m = beta2 * m + (1 - beta2) * g"),
            (_V, "v = beta1 * v + (1 - beta1) * g**2"),
            ("(1 - beta2**t)", "(1 - beta1 ** t)"),
            ("(1 - beta1**t)", "(1 - beta2**t)"),
        ],
    ),
    Mistake(
        "averages-betas-swapped",
        "In the two averages `beta1` and `beta2` have changed places; the corrections are right.",
        "which of them belongs to `m`?",
        [(_M, "m = beta2 * m + (1 - beta2) * g"), (_V, "v = beta1 * v + (1 - beta1) * g**2")],
    ),
    Mistake(
        "averaged-the-other-way",
        "Both averages weigh the new with `beta` and the old with `1 - beta`.",
        "a beta is a memory: near 1 the old counts most.",
        [(_M, "m = (1 - beta1) * m + beta1 * g"), (_V, "v = (1 - beta2) * v + beta2 * g**2")],
    ),
    Mistake(
        "m-the-other-way",
        "`m` weighs the new gradient with `beta1` and the old `m` with `1 - beta1`.",
        "a beta is a memory: near 1 the old counts most.",
        [(_M, "m = (1 - beta1) * m + beta1 * g")],
    ),
    Mistake(
        "v-the-other-way",
        "`v` weighs the new square with `beta2` and the old `v` with `1 - beta2`.",
        "a beta is a memory: near 1 the old counts most.",
        [(_V, "v = (1 - beta2) * v + beta2 * g**2")],
    ),
    Mistake(
        "m-is-a-sum",
        "Your `m` is the sum of lesson 04; Adam's `m` is an average.",
        "the two weights of an average add up to 1.",
        [("(1 - beta1) * g", "g")],
    ),
    Mistake(
        "v-is-a-sum",
        "Your `v` is a sum of squares; Adam's `v` is an average.",
        "the two weights of an average add up to 1.",
        [("(1 - beta2) * g**2", "g**2")],
    ),
    Mistake(
        "both-are-sums",
        "Your `m` and `v` are sums; Adam's are averages.",
        "the two weights of an average add up to 1.",
        [("(1 - beta2) * g**2", "g**2"), ("(1 - beta1) * g", "g")],
    ),
    Mistake(
        "no-momentum",
        "The step uses `g` where `m_hat` belongs: this is RMSProp with a corrected `v`.",
        "the average of the gradients gives the direction.",
        [("lr * m_hat", "lr * g")],
    ),
    Mistake(
        "squares-m",
        "`v` averages the square of `m`, not of the gradient.",
        "both averages look at the same thing: the newest gradient.",
        [("g**2", "m**2")],
    ),
    Mistake(
        "adabelief",
        "`v` averages the square of `g - m`: this is AdaBelief, a later rule.",
        "Adam's `v` looks at the gradient alone.",
        [("g**2", "(g - m)**2")],
    ),
    Mistake(
        "one-beta",
        "`v` decays with `beta1`, and so does its correction.",
        "each average has a memory of its own.",
        [(_V, "v = beta1 * v + (1 - beta1) * g**2"), ("beta2**t", "beta1**t")],
    ),
)

_RELATIVES = (
    Mistake(
        "nadam",
        "This is NAdam, Adam with a look ahead: it comes at the end of this page.",
        "the numerator of Adam's step is the corrected `m` alone.",
        [(_M_HAT, "m_hat = beta1 * m / (1 - beta1 ** (t + 1)) + (1 - beta1) * g / (1 - beta1**t)")],
    ),
    Mistake(
        "adamax",
        "This is AdaMax, which keeps the largest fading gradient in place of an average of squares.",
        "`v` is an average, and the step divides by its root.",
        [(_V, "v = np.maximum(beta2 * v, np.abs(g))"), (_V_HAT, "v_hat = v**2")],
    ),
)

IN_ADAM = (
    Mistake(
        "hats-returned",
        "You return the corrected averages, so the next step corrects them again.",
        "the hats are used once and thrown away.",
        [("return w, m, v", "return w, m_hat, v_hat")],
    ),
    Mistake(
        "m-hat-returned",
        "You return the corrected `m`, so the next step corrects it again.",
        "the hats are used once and thrown away.",
        [("return w, m, v", "return w, m_hat, v")],
    ),
    Mistake(
        "v-hat-returned",
        "You return the corrected `v`, so the next step corrects it again.",
        "the hats are used once and thrown away.",
        [("return w, m, v", "return w, m, v_hat")],
    ),
    Mistake(
        "state-not-returned",
        "You step with the new averages but return the old ones, so nothing is remembered.",
        "what is returned comes in next time.",
        [
            ("m = beta1 * m", "m_new = beta1 * m"),
            ("v = beta2 * v", "v_new = beta2 * v"),
            ("m_hat = m", "m_hat = m_new"),
            ("v_hat = v", "v_hat = v_new"),
        ],
    ),
    Mistake(
        "amsgrad",
        "You keep the largest `v` so far: this is close to AMSGrad, the next exercise.",
        "Adam's `v` may fall again.",
        [(_V, "v = np.maximum(v, beta2 * v + (1 - beta2) * g**2)")],
    ),
)

_AMSGRAD = (
    Mistake(
        "adam",
        "The divisor uses `v`, not the largest `v` so far: this is Adam, which forgets.",
        "which of the two may never shrink?",
        [("v_hat = v_max", "v_hat = v")],
    ),
    Mistake(
        "largest-hat",
        "You keep the largest corrected `v`: this is optax's form. The course, like PyTorch, takes "
        "the largest first "
        "and corrects it then.",
        "which line comes first, the maximum or the correction?",
        [
            ("    v_max = np.maximum(v_max, v)\n", ""),
            ("v_hat = v_max / (1 - beta2**t)", "v_hat = v_max = np.maximum(v_max, v / (1 - beta2**t))"),
        ],
    ),
    Mistake(
        "largest-square",
        "You compare with the newest squared gradient, not with its average `v`.",
        "the largest of what?",
        [("np.maximum(v_max, v)", "np.maximum(v_max, g**2)")],
    ),
    Mistake(
        "minimum",
        "You keep the smallest `v`, so the divisor can only shrink.",
        "a rare large gradient should not be forgotten.",
        [("np.maximum", "np.minimum")],
    ),
    Mistake(
        "v-is-the-largest",
        "You put the largest value back into `v`, so the average itself can no longer fall.",
        "`v` and `v_max` are two things: one falls, the other does not.",
        [("    v_max = np.maximum(v_max, v)\n", "    v = v_max = np.maximum(v_max, v)\n")],
    ),
    Mistake(
        "v-max-first",
        "`v` and `v_max` have changed places in what you return.",
        "the state goes out in the order in which it comes in.",
        [("return w, m, v, v_max", "return w, m, v_max, v")],
    ),
    Mistake(
        "v-max-not-returned",
        "You use the largest `v` but return the old one, so it is forgotten.",
        "what is returned as `v_max` is what comes in next time.",
        [
            ("v_max = np.maximum(v_max, v)", "v_new = np.maximum(v_max, v)"),
            ("v_hat = v_max", "v_hat = v_new"),
        ],
    ),
    Mistake(
        "hats-returned",
        "You return corrected values as state, so the next step corrects them again.",
        "the hats are used once and thrown away.",
        [("return w, m, v, v_max", "return w, m_hat, v, v_hat")],
    ),
    Mistake(
        "v-hat-returned",
        "You return the corrected largest `v` as `v_max`, so the next step corrects it again.",
        "the hats are used once and thrown away.",
        [("return w, m, v, v_max", "return w, m, v, v_hat")],
    ),
    Mistake(
        "largest-of-the-old",
        "The maximum is taken before `v` is renewed.",
        "which of the two lines comes first?",
        [
            ("    v_max = np.maximum(v_max, v)\n", ""),
            ("    v = beta2", "    v_max = np.maximum(v_max, v)\n    v = beta2"),
        ],
    ),
)


def nadam(w, g, m=0.0, v=0.0, t=0, *, lr=1e-3, beta1=0.9, beta2=0.999, eps=1e-8):
    """Adam that looks ahead as Nesterov does: the step uses the m that the next step will have.

        m̂ = β₁·m / (1 − β₁ᵗ⁺¹) + (1 − β₁)·g / (1 − β₁ᵗ)        all else as for `adam`

    Returns the new w, m, v and t. optax's nadam; PyTorch's and Keras's let β₁ grow by a schedule.
    Source: Dozat 2016, https://openreview.net/forum?id=OM0jvwB8jIp57ZJjtNEZ
    """
    t = t + 1
    m = beta1 * m + (1 - beta1) * g
    v = beta2 * v + (1 - beta2) * g**2
    m_hat = beta1 * m / (1 - beta1 ** (t + 1)) + (1 - beta1) * g / (1 - beta1**t)
    v_hat = v / (1 - beta2**t)
    w = w - lr * m_hat / (np.sqrt(v_hat) + eps)
    return w, m, v, t


_AHEAD = "beta1 * m / (1 - beta1 ** (t + 1)) + (1 - beta1) * g / (1 - beta1**t)"
_TORCHS_AHEAD = """betas = [beta1 * (1 - 0.5 * 0.96 ** (0.004 * s)) for s in range(1, t + 2)]
    product = np.prod(betas[:-1], axis=0)
    m_hat = betas[-1] * m / (1 - product * betas[-1]) + (1 - betas[-2]) * g / (1 - product)"""

_NADAM = (
    *in_the_step("m_hat", "v_hat"),
    Mistake(
        "growing-beta1",
        "This is PyTorch's NAdam: the `beta1` of the look-ahead grows from step to step (`momentum_decay`).",
        "here `beta1` stays as it is; the corrections are its powers.",
        [(f"m_hat = {_AHEAD}", _TORCHS_AHEAD)],
    ),
    Mistake(
        "adam",
        "This is Adam: nothing looks ahead.",
        "the newest gradient has to count twice: once in `m`, once beside it.",
        [(_AHEAD, "m / (1 - beta1**t)")],
    ),
    Mistake(
        "one-power-for-both",
        "Both parts are corrected with the power `t`. The part with `m` is the one that looks ahead, so "
        "its weights belong to the step after this one.",
        "one of the two parts belongs to the next step; which power of `beta1` is due there?",
        [("beta1 ** (t + 1)", "beta1**t")],
    ),
    Mistake(
        "next-power-for-both",
        "Both parts are corrected with the power of the next step. The part with `g` belongs to this one.",
        "the gradient has been seen already: which power of `beta1` is due for it?",
        [("g / (1 - beta1**t)", "g / (1 - beta1**(t+1))")],
    ),
    Mistake(
        "powers-swapped",
        "The two corrections have changed places.",
        "which of the two parts looks ahead?",
        [("g / (1 - beta1**t)", "g / (1 - beta1**(t+1))"), ("beta1 ** (t + 1)", "beta1**t")],
    ),
    Mistake(
        "ahead-uncorrected",
        "The part with `m` is not corrected.",
        "both parts begin too small, and each has a correction of its own.",
        [(" / (1 - beta1 ** (t + 1))", "")],
    ),
    Mistake(
        "gradient-uncorrected",
        "The part with `g` is not corrected.",
        "both parts begin too small, and each has a correction of its own.",
        [("g / (1 - beta1**t)", "g")],
    ),
    Mistake(
        "uncorrected",
        "Neither part of the look-ahead is corrected.",
        "both parts begin too small, and each has a correction of its own.",
        [("g / (1 - beta1**t)", "g"), (" / (1 - beta1 ** (t + 1))", "")],
    ),
    Mistake(
        "whole-gradient",
        "The gradient enters with its full size, as in lesson 05, where `m` is a sum. Here it is an average.",
        "the two weights of an average add up to 1.",
        [("+ (1 - beta1) * g /", "+ g /")],
    ),
    Mistake(
        "weights-swapped",
        "The weights of `m` and `g` in the look-ahead have changed places.",
        "which of the two weighs most when `beta1` is near 1?",
        [(_AHEAD, "(1 - beta1) * m / (1 - beta1 ** (t + 1)) + beta1 * g / (1 - beta1**t)")],
    ),
    Mistake(
        "m-not-shrunk",
        "The `m` of the look-ahead is not multiplied by `beta1`.",
        "what would the next step do to `m` first?",
        [("m_hat = beta1 * m /", "m_hat = m /")],
    ),
    Mistake(
        "old-m",
        "The look-ahead uses the `m` from before this step.",
        "first the new `m`, then one look further.",
        [
            (_M, "m_old, m = m, beta1 * m + (1 - beta1) * g"),
            ("m_hat = beta1 * m /", "m_hat = beta1 * m_old /"),
        ],
    ),
    Mistake(
        "look-ahead-returned",
        "You return the look-ahead as the new `m`, so the next step looks ahead from there.",
        "the look-ahead is used once and thrown away.",
        [("return w, m, v", "return w, m_hat, v")],
    ),
    Mistake(
        "v-uncorrected",
        "`v` is not corrected: in the first steps the divisor is too small.",
        "the second average is treated as in Adam.",
        [("(1 - beta2**t)", "1")],
    ),
    Mistake(
        "t-counted-late",
        "`t` is counted after it is used, so the first step corrects with `t = 0` and divides by 0.",
        "the first step is number 1.",
        [("    t = t + 1\n", ""), (", t\n", ", t + 1\n")],
    ),
    Mistake(
        "t-not-counted",
        "`t` never grows.",
        "`t` counts the steps taken; who adds one?",
        [("    t = t + 1\n", "")],
    ),
)

# The goal: an eps with which Adam arrives on the parabola ½w² in time, and stays. The tests know the window.
CALM_LR, IN_TIME, TO_THE_END, CLOSE = 0.2, 500, 20_000, 1e-6


@cache
def farthest(eps):
    """Return how far Adam is from the minimum of ½w² at most, after step 500 and up to step 20,000."""
    w, state, far = 1.0, (0.0, 0.0, 0), 0.0
    for step in range(1, TO_THE_END + 1):
        w, *state = adam(w, w, *state, lr=CALM_LR, eps=eps)
        if step >= IN_TIME:
            if not abs(w) < CLOSE:
                return step, abs(float(w))
            far = max(far, abs(float(w)))
    return None, far


def _stays(eps):
    if eps <= 0:
        return "not-positive", ""
    with np.errstate(all="ignore"):
        step, far = farthest(eps)
    if step is None:
        return None
    if step == IN_TIME:
        return "too-slow", f"At step {IN_TIME} it is {far:.2g} away."
    return "leaves-again", f"At step {step:,} it is more than {CLOSE:g} away again."


def _skewed(w, t):
    """Return the slope of ½(x² + y²/5), plus 9 in one tenth of the steps and −1 in the others: 0 on "
    "average."""
    rare = np.random.default_rng((0, t)).random(w.shape[-1:]) < 0.1
    return w * np.array([1.0, 0.2]) + np.where(rare, 9.0, -1.0)


_RUNS = {  # run → the rule and its knobs; beta1 is 0.5 in all of them
    "A": (adam, {"lr": 0.02, "beta2": 0.3}),
    "B": (adam, {"lr": 0.02, "eps": 100.0}),
    "C": (adam, {"lr": 0.5}),
    "D": (adam_uncorrected, {"lr": 0.01}),
}


@cache
def four_runs(steps=800):
    """Return four runs of Adam to diagnose: {"A": {"loss": ..., "step": ...}, ...}.

    loss: after each step, shape (steps + 1,).  step: the longest coordinate of each step, over lr.
    """
    runs = {}
    for letter, (rule_, knobs) in _RUNS.items():
        w = path(rule_, _skewed, np.array([4.0, -4.0]), steps, beta1=0.5, **knobs)
        longest = np.abs(np.diff(w, axis=0)).max(axis=-1)
        runs[letter] = {"loss": 0.5 * (w**2 @ [1.0, 0.2]), "step": longest / knobs["lr"]}
    return runs


exercises = (
    choice(
        "08.predict_first_step",
        "first_step_guess",
        task="Adam without bias correction, at its usual memories 0.9 and 0.999. Its first step is ...",
        options={
            "a": "ten times shorter than Adam's, because `m` starts at 0",
            "b": "as long as Adam's, because `m` and `v` both start at 0, which cancels",
            "c": "about three times longer than Adam's",
        },
        answer="c",
        hint="how large are `m` and the root of `v` after one gradient `g`?",
        because="`m` is 0.1 of the gradient, but the root of `v` only 0.032 of it: the divisor is "
        "the smaller.",
        mistakes=[
            Mistake(
                "numerator-alone",
                "`m` is ten times too small, that is right. But the divisor starts at 0 as well.",
                "is the root of `v` less or more than ten times too small?",
                values="a",
            ),
            Mistake(
                "cancels",
                "Both are too small, but not by the same factor: the memories differ, and `v` stands under "
                "a root.",
                "put one gradient into both lines and divide.",
                values="b",
            ),
        ],
    ),
    rule(
        "08.adam",
        adam,
        task="Write Adam: `my_adam(w, g, m=0.0, v=0.0, t=0, *, lr=1e-3, beta1=0.9, beta2=0.999, "
        "eps=1e-8)` returns "
        "the new `w`, `m`, `v` and `t`.",
        hint="count first, then the two averages, then their corrections, then the step.",
        points=3,
        mistakes=IN_ADAM_AND_AMSGRAD + IN_ADAM + _RELATIVES,
    ),
    number(
        "08.steady_from",
        "steady_from",
        task="Without correction, at the usual memories 0.9 and 0.999: from which step on is a step "
        "less than "
        "1 per cent longer than Adam's?",
        accept=(3900, 3945),
        solution="np.log(1 - 1 / 1.01**2) / np.log(0.999)",
        hint="by then the first average is settled: what is left is one over the root of `1 - beta2**t`.",
        because="It is step 3,925: a memory of 1,000 steps needs nearly four of them.",
        mistakes=[
            Mistake(
                "root-forgotten",
                "After that many steps `v` itself is within 1 per cent. The step divides by its root.",
                "how large may the error of `v` be if its root is to be within 1 per cent?",
                values=(4602.9, 4604),
            ),
            Mistake(
                "five-per-cent",
                "That is the answer for 5 per cent.",
                "put 1.01 where you had 1.05.",
                values=(2374, 2375),
            ),
            Mistake(
                "the-memory",
                "1,000 steps is the memory of `v`, 1/(1 - beta2). Then the step is still 26 per cent "
                "too long.",
                "solve for the step at which the factor is 1.01.",
                values=1000,
            ),
            Mistake(
                "first-average",
                "That is when `m` has settled. `v` takes much longer.",
                "which of the two memories is the longer one?",
                values=(43.7, 44),
            ),
            Mistake(
                "linear-root",
                "You took the error of a root as twice, not half, that of its argument.",
                "if `v` is 2 per cent too small, by how much is its root?",
                values=(5295.6, 5300),
            ),
        ],
    ),
    number(
        "08.longest_step",
        "longest_step",
        task="All gradients of a coordinate were 0 for a very long time; then a single one comes. `lr` is "
        "0.003, `beta1` 0.8, `beta2` 0.9996, `eps` is tiny. How long is that step?",
        accept=(0.0297, 0.0303),
        solution="0.003 * (1 - 0.8) / np.sqrt(1 - 0.9996)",
        hint="what are `m` and the root of `v` after that one gradient?",
        because="That is 10 times `lr`: after a long silence nothing is corrected any more.",
        mistakes=[
            Mistake(
                "always-lr",
                "`lr` is the length of a step when all gradients agree.",
                "after a long silence, which of the two averages takes in more of a single gradient?",
                values=0.003,
            ),
            Mistake(
                "root-forgotten",
                "You divided by `1 - beta2`. The step divides by the root of `v`.",
                "`v` takes in a part of the gradient squared.",
                values=1.5,
            ),
            Mistake(
                "whole-gradient",
                "You let `m` take in the whole gradient. It takes in a part of it.",
                "what is the factor of the newest gradient in `m`?",
                values=0.15,
            ),
            Mistake(
                "old-weight",
                "You gave the newest gradient the weight `beta1`; that is the weight of the old `m`, here 0.",
                "which of the two weights belongs to what comes in?",
                values=(0.12, 0.0024),
            ),
            Mistake(
                "usual-memories",
                "That is the step at the memories 0.9 and 0.999. Here they are others.",
                "put in the `beta1` and `beta2` of the question.",
                values=0.003 * 0.1 / 0.001**0.5,
            ),
            Mistake(
                "many-gradients",
                "That is the longest step that any sequence of gradients can make. Here a single one comes.",
                "what do `m` and `v` hold after one gradient?",
                values=(0.0500, 0.05002),
            ),
            Mistake(
                "divisor-forgotten",
                "That is the numerator alone.",
                "which part of the gradient does the root of `v` hold?",
                values=0.0006,
            ),
            Mistake(
                "lr-forgotten",
                "That is the length in units of `lr`.",
                "one factor is missing.",
                values=10,
            ),
            Mistake(
                "upside-down",
                "The quotient is upside down.",
                "a smaller divisor makes a longer step.",
                values=0.0003,
            ),
        ],
    ),
    choice(
        "08.predict_scale",
        "scale_guess",
        task="You multiply the loss by 1,000, and so all its gradients. `eps` is tiny. Adam's path ...",
        options={
            "a": "has steps 1,000 times as long",
            "b": "stays the same",
            "c": "has steps 1,000 times as short, because `v` grows with the square",
        },
        answer="b",
        hint="by which factor does `m` grow, and by which the root of `v`?",
        because="Both grow by 1,000, and the quotient stays.",
        mistakes=[
            Mistake(
                "descent",
                "So it is with gradient descent. Adam divides.",
                "what happens to the divisor?",
                values="a",
            ),
            Mistake(
                "square-without-root",
                "`v` grows a million times, but the step divides by its root.",
                "what is the root of a million?",
                values="c",
            ),
        ],
    ),
    choice(
        "08.predict_turn",
        "turn_guess",
        task="You turn the ravine by 45 degrees, with all else as before. To come down to a tenth of "
        "the distance "
        "Adam needs ...",
        options={
            "a": "as many steps as before",
            "b": "fewer steps, because both coordinates now have gradients of the same size",
            "c": "several times as many steps",
        },
        answer="c",
        hint="Adam gives each coordinate a step of its own. Is one coordinate still the valley, and "
        "the other the wall?",
        because="Turned, both coordinates feel the wall, and dividing by its size slows down the valley too.",
        mistakes=[
            Mistake(
                "like-descent",
                "Gradient descent and momentum do not feel the turn. Adam treats each coordinate by itself.",
                "the coordinates have changed: what does each of them feel now?",
                values="a",
            ),
            Mistake(
                "equal-is-good",
                "Equal sizes mean that dividing by them changes nothing any more.",
                "what was the dividing good for?",
                values="b",
            ),
        ],
    ),
    choice(
        "08.predict_reddi",
        "reddi_guess",
        task="The slope is 3 at every third step and -1 at the others, `beta1` is 0, `beta2` 0.1. "
        "From 0, in the box "
        "from -1 to 1, Adam ends near ...",
        options={"a": "-1, the best place", "b": "+1, the worst place", "c": "0, where it began"},
        answer="b",
        hint="how long is Adam's step at a slope of 3, and how long at a slope of -1?",
        because="Each step is about `lr` long, and two of three go the wrong way.",
        mistakes=[
            Mistake(
                "average-slope",
                "The average slope is 1/3, so descent goes to -1. Adam does not see the average.",
                "divide each slope by its size, then add up.",
                values="a",
            ),
            Mistake(
                "cancels",
                "The slopes do not cancel, and neither do Adam's steps.",
                "count the steps to the left and to the right.",
                values="c",
            ),
        ],
    ),
    rule(
        "08.amsgrad",
        amsgrad,
        task="Write AMSGrad: `my_amsgrad(w, g, m=0.0, v=0.0, v_max=0.0, t=0, *, lr=1e-3, beta1=0.9, "
        "beta2=0.999, "
        "eps=1e-8)` returns the new `w`, `m`, `v`, `v_max` and `t`.",
        hint="Adam with one line more, and one letter changed.",
        # v_max, t: the end of the state differs from Adam's.
        mistakes=IN_ADAM_AND_AMSGRAD + _AMSGRAD,
    ),
    number(
        "08.reddi_beta2",
        "reddi_beta2",
        task="Reddi's example with the rare slope 4 in place of 3, `beta1` 0 and a small `lr`. What "
        "is the smallest "
        "`beta2` above which Adam walks to the right end?",
        accept=(0.307, 0.327),
        near=0.0005,
        solution="0.317",
        hint="write down `v` at the three steps of a round, add up the three steps, and see where "
        "the sum changes "
        "its sign; or try.",
        because="At 0.317 the three steps of a round add up to 0. A rarer or smaller surprise needs "
        "a longer memory.",
        mistakes=[
            Mistake(
                "of-the-theorem",
                "1/(1 + C²) is the `beta2` for which the theorem proves that Adam fails. It fails up "
                "to larger ones.",
                "try a little more: does it walk to the right end?",
                values=(1 / 17, 0.0588, 0.059, 0.06),
            ),
            Mistake(
                "of-slope-3",
                "That is the answer for the rare slope 3.",
                "does a larger surprise need a longer or a shorter memory?",
                values=(0.4723, 0.472, 0.47),
            ),
            Mistake(
                "complement",
                "You give the share of a new square in `v`.",
                "a beta is what stays, not what is taken in.",
                values=(0.683, 0.6832, 0.68),
            ),
            Mistake(
                "too-small",
                "With that `beta2` Adam still walks to the wrong end.",
                "try a little more.",
                values=(0.1, 0.2, 0.25, 0.3),
            ),
            Mistake(
                "large-enough",
                "With that `beta2` Adam does walk to the right end, but so it does with smaller ones.",
                "where does the direction change?",
                values=(0.33, 1 / 3, 0.35, 0.4, 0.5, 0.6, 0.7, 0.75, 0.8, 0.9, 0.95, 0.99, 0.999),
            ),
        ],
    ),
    goal(
        "08.calm_eps",
        "calm_eps",
        _stays,
        task=f"On the parabola with curvature 1, from 1, at `lr` {CALM_LR}, Adam must be closer than "
        f"{CLOSE:g} at step "
        f"{IN_TIME} and stay so up to step {TO_THE_END:,}. Set `calm_eps` to an `eps` that does it.",
        solution=0.01,
        hint="the effective step is never longer than `lr / eps`. Which one is too long?",
        because="`eps` keeps the effective step below the limit for ever, and is small enough not to "
        "slow it down.",
        mistakes=[
            Mistake(
                "leaves-again",
                "The walk arrives, rests, and is thrown out again: `calm_eps` is too small.",
                "where does `lr / eps` stand beside the limit in the right panel?",
            ),
            Mistake(
                "too-slow",
                "The walk does not arrive in time: `calm_eps` is too large, and makes small steps of all.",
                "with a large `eps`, Adam is momentum: at which step size?",
            ),
            Mistake(
                "not-positive",
                "`calm_eps` has to be above 0: without it, 0 is divided by 0 where the gradient dies out.",
                "what is `eps` for?",
            ),
        ],
    ),
    diagnosis(
        "08.diagnose",
        "adam_diagnosis",
        answer={"A": "beta2 too small", "B": "eps too large", "C": "lr too large", "D": "no correction"},
        labels={
            "no correction": "the first steps are many times `lr`, and after a few hundred they are ordinary",
            "eps too large": "all steps are a small part of `lr`, from the first one on",
            "beta2 too small": "most steps are about `lr` long to the end, and the loss turns and climbs",
            "lr too large": "the steps look ordinary beside `lr`, and it is the loss that leaps up "
            "and down all the time",
        },
        look={
            "A": "how long are most of its steps, and where does the loss go in the end?",
            "B": "how long is the very first step, beside `lr`?",
            "C": "compare the ups and downs of the loss with those of the other runs.",
            "D": "how long is the very first step, beside `lr`?",
        },
        points=2,
        task="Each of the runs A, B, C and D of Adam has one of the causes "
        '`"no correction"`, `"eps too large"`, `"beta2 too small"`, `"lr too large"`. Which has which?',
        hint="read the length of the steps beside `lr` first, then the loss.",
        because="The length of a step, divided by `lr`, tells most of Adam's faults apart.",
    ),
    rule(
        "08.nadam",
        nadam,
        name="nadam",
        task="Write `nadam(w, g, m=0.0, v=0.0, t=0, *, lr=1e-3, beta1=0.9, beta2=0.999, eps=1e-8)`, "
        "Adam with the "
        "look-ahead of Nesterov. It returns the new `w`, `m`, `v` and `t`.",
        hint="only the numerator of the step differs from Adam: a part of the new `m`, corrected for "
        "the next step, "
        "and a part of `g`, corrected for this one.",
        points=3,
        mistakes=_NADAM,
    ),
)
