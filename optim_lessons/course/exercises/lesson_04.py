"""Lesson 04: momentum. Its rival forms are the most usual wrong answers."""

from optim_lessons.course.kinds import rule
from optim_lessons.course.mistakes import Mistake, in_the_step
from optim_lessons.momentum import momentum

_M = "m = beta * m + g"
_STEP = "w = w - lr * m"

exercises = (
    rule(
        "04.momentum",
        momentum,
        task="Write momentum: `my_momentum(w, g, m=0.0, *, lr=0.01, beta=0.9)` returns the new `w` and `m`.",
        hint="first the velocity, then the step, each as in the formula.",
        mistakes=[
            *in_the_step("m"),
            Mistake(
                "damped",
                "This is the damped form: the new gradient is multiplied by `1 - beta`, so `m` is an "
                "average.",
                "the course's `m` is a sum: what is the factor of the new gradient?",
                [(_M, "m = beta * m + (1 - beta) * g")],
            ),
            Mistake(
                "lr-inside",
                "This has `lr` inside the velocity. At a constant `lr` the path is the same, but `m` is not.",
                "here `m` remembers gradients alone, and `lr` waits for the step.",
                [(_M, "m = beta * m + lr * g"), ("lr * m", "m")],
            ),
            Mistake(
                "lr-inside-with-sign",
                "This is the form of CS231n and Keras: `lr` and the sign are inside the velocity. At "
                "a constant `lr` "
                "the path is the same, but `m` is not.",
                "here `m` remembers gradients alone, and `lr` and the sign wait for the step.",
                [(_M, "m = beta * m - lr * g"), (_STEP, "w = w + m")],
            ),
            Mistake(
                "negative-velocity",
                "Your `m` has the opposite sign. The path is the same, but `m` is not.",
                "here `m` remembers gradients, which point uphill; the minus is in the step.",
                [(_M, "m = beta * m - g"), (_STEP, "w = w + lr * m")],
            ),
            Mistake(
                "nesterov",
                "This is Nesterov's step, which looks ahead. It is the next lesson.",
                "the heavy ball moves by its velocity, and by nothing else.",
                [("lr * m", "lr * (g + beta * m)")],
            ),
            Mistake(
                "old-velocity",
                "You step with the velocity of the step before: `w` is computed before the new `m`.",
                "which of the two lines comes first?",
                [(f"{_M}\n    {_STEP}", f"{_STEP}\n    {_M}")],
            ),
            Mistake(
                "m-not-returned",
                "You step with the new velocity but return the old one, so nothing is remembered.",
                "what is returned as `m` is what comes in next time.",
                [(_M, "m_new = beta * m + g"), ("lr * m", "lr * m_new")],
            ),
            Mistake(
                "m-not-used",
                "The velocity is kept, but the step uses the gradient alone: this is gradient descent.",
                "what does the ball move by?",
                [("lr * m", "lr * g")],
            ),
            Mistake(
                "m-replaced",
                "Your `m` is the newest gradient and forgets all others.",
                "part of the old `m` has to survive.",
                [("beta * m + g", "g")],
            ),
            Mistake(
                "never-forgets",
                "The old velocity is kept whole: without `beta` nothing slows the ball down.",
                "which letter says how much is remembered?",
                [("beta * m", "m")],
            ),
            Mistake(
                "beta-on-both",
                "`beta` multiplies the new gradient as well.",
                "only the old velocity fades.",
                [("beta * m + g", "beta * (m + g)")],
            ),
            Mistake(
                "beta-on-g",
                "`beta` is on the gradient instead of the velocity.",
                "what fades: the old, or the new?",
                [("beta * m + g", "m + beta * g")],
            ),
            Mistake(
                "averaged-the-other-way",
                "You weigh the new gradient with `beta` and the old velocity with `1 - beta`.",
                "`beta` is the memory: near 1 the old counts most. And here `m` is a sum.",
                [("beta * m + g", "(1 - beta) * m + beta * g")],
            ),
        ],
    ),
)
