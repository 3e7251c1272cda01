"""Lesson 05: Nesterov's momentum, easily taken for the heavy ball."""

from optim_lessons.course.kinds import rule
from optim_lessons.course.mistakes import Mistake, in_the_step
from optim_lessons.nesterov import nesterov

_M = "m = beta * m + g"
_STEP = "w = w - lr * (g + beta * m)"

exercises = (
    rule(
        "05.nesterov",
        nesterov,
        task="Write Nesterov's momentum: `my_nesterov(w, g, m=0.0, *, lr=0.01, beta=0.9)` returns "
        "the new `w` and `m`.",
        hint="first the velocity, as in momentum; then a step by the gradient and the velocity to come.",
        mistakes=[
            *in_the_step("(g + beta * m)"),
            Mistake(
                "heavy-ball",
                "This is the heavy ball of lesson 04: the step does not look ahead "
                "(with the old `m` in the step, `g + beta * m` is only the new `m`).",
                "the step uses the velocity of this step, faded once more, and the gradient again.",
                [("lr * (g + beta * m)", "lr * m")],
            ),
            Mistake(
                "damped",
                "This is the damped form: the new gradient is multiplied by `1 - beta` in the velocity.",
                "the course's `m` is a sum: what is the factor of the new gradient?",
                [(_M, "m = beta * m + (1 - beta) * g")],
            ),
            Mistake(
                "damped-twice",
                "This is the damped form: `1 - beta` multiplies the gradient in the velocity and in "
                "the step.",
                "the course's `m` is a sum: what is the factor of the new gradient?",
                [(_M, "m = beta * m + (1 - beta) * g"), ("(g + beta * m)", "((1 - beta) * g + beta * m)")],
            ),
            Mistake(
                "lr-inside",
                "This has `lr` inside the velocity. At a constant `lr` the path is the same, but `m` is not.",
                "here `m` remembers gradients alone, and `lr` waits for the step.",
                [(_M, "m = beta * m + lr * g"), ("lr * (g + beta * m)", "(lr * g + beta * m)")],
            ),
            Mistake(
                "lr-inside-with-sign",
                "This is the form of CS231n and Keras: `lr` and the sign are inside the velocity. At "
                "a constant `lr` "
                "the path is the same, but `m` is not.",
                "here `m` remembers gradients alone, and `lr` and the sign wait for the step.",
                [(_M, "m = beta * m - lr * g"), (_STEP, "w = w + beta * m - lr * g")],
            ),
            Mistake(
                "not-faded",
                "The step adds the velocity whole; in the next step it will have faded once more.",
                "what will become of `m` before the next gradient comes?",
                [("g + beta * m)", "g + m)")],
            ),
            Mistake(
                "brackets",
                "`lr` multiplies the gradient, but not the velocity: brackets are missing.",
                "both belong to one step.",
                [("lr * (g + beta * m)", "(lr * g + beta * m)")],
            ),
            Mistake(
                "gradient-not-added",
                "The step uses the faded velocity alone; the gradient is not added a second time.",
                "the step has two parts.",
                [("(g + beta * m)", "beta * m")],
            ),
            Mistake(
                "m-not-returned",
                "You step with the new velocity but return the old one, so nothing is remembered.",
                "what is returned as `m` is what comes in next time.",
                [(_M, "m_new = beta * m + g"), ("(g + beta * m)", "(g + beta * m_new)")],
            ),
            Mistake(
                "look-ahead-returned",
                "You return the look-ahead velocity as `m`, so the gradient is counted twice.",
                "`m` is the velocity of the first line; the look-ahead is used once and thrown away.",
                [(_STEP, "m = g + beta * m\n    w = w - lr * m")],
            ),
            Mistake(
                "beta-on-both",
                "`beta` multiplies the new gradient as well.",
                "only the old velocity fades.",
                [(_M, "m = beta * (m + g)")],
            ),
            Mistake(
                "never-forgets",
                "The old velocity is kept whole: without `beta` nothing slows the walk down.",
                "which letter says how much is remembered?",
                [(_M, "m = m + g")],
            ),
        ],
    ),
)
