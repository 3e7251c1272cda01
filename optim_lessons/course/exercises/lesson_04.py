"""Lesson 04: momentum. Its rival forms are the most usual wrong answers."""

from functools import cache

import numpy as np

from optim_lessons.course.judging.answers import read_pair
from optim_lessons.course.judging.kinds import choice, diagnosis, goal, number, rule
from optim_lessons.course.judging.mistakes import Mistake, in_the_step
from optim_lessons.lab.fair import stays_below
from optim_lessons.lab.path import path
from optim_lessons.landscapes import quadratic
from optim_lessons.momentum import momentum
from optim_lessons.studies.restarts import restarted_momentum

_M = "m = beta * m + g"
_STEP = "w = w - lr * m"
_RESTART = "m = beta * np.where(uphill, 0.0, m) + g"


# One step budget and one loss to fall below and to stay below, in the ravine of condition number 100, where
# L = 1. The best lr and beta of the theory leave 0.51, the best lr without memory 0.039.
STEPS, TARGET = 20, 0.005
RAVINE = quadratic(condition=100)


def _reached(pair):
    lr, beta = pair
    if lr <= 0 or not 0 <= beta < 1:
        return "not-allowed", ""
    with np.errstate(over="ignore", invalid="ignore"):
        ws = path(momentum, RAVINE.grad, RAVINE.start, 2 * STEPS, lr=lr, beta=beta)
        losses = RAVINE(ws)
        w = ws[STEPS]
        flat, steep = 0.5 * w**2 / [100, 1]
    if stays_below(losses, TARGET) <= STEPS:
        return None
    if lr >= 2 * (1 + beta):
        return "diverged", ""
    if losses[STEPS] <= TARGET:
        later = STEPS + int(np.argmax(losses[STEPS:]))
        return (
            "crossing",
            f"After {STEPS} steps the loss is {losses[STEPS]:.2g}, at step {later} {losses[later]:.2g}.",
        )
    seen = f"After {STEPS} steps the loss is {flat + steep:.3g}: {flat:.2g} along, {steep:.2g} across."
    if steep > flat:
        return "rings-across", seen
    return ("too-slow" if w[0] < 0 else "rolled-past"), seen


_BALLS = {  # run → lr × curvature, beta
    "A": (0.04, 0.95),
    "B": (0.04, 0.2),
    "C": (3.85, 0.9),
    "D": (0.04, 0.64),
}


@cache
def four_balls(steps=50):
    """Return four balls on a parabola to diagnose, knobs hidden: {"A": w, ...}, w of shape (steps + 1,)."""
    return {
        name: path(momentum, lambda w: w, np.ones(1), steps, lr=lr, beta=beta)[:, 0]
        for name, (lr, beta) in _BALLS.items()
    }


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
                "nesterov-lr-inside",
                "This is Nesterov's step as Keras writes it, with `lr` inside the velocity. It is the next "
                "lesson.",
                "the heavy ball moves by its velocity alone, and here `m` remembers gradients alone.",
                [(_M, "m = beta * m - lr * g"), (_STEP, "w = w + beta * m - lr * g")],
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
                "one-minus-beta-on-m",
                "The old velocity is multiplied by `1 - beta`: then a larger `beta` forgets faster.",
                "`beta` says how much of the old velocity is left.",
                [("beta * m + g", "(1 - beta) * m + g")],
            ),
            Mistake(
                "lr-twice",
                "`lr` is in the velocity and in the step: it counts twice.",
                "here `m` remembers gradients alone, and `lr` waits for the step.",
                [("beta * m + g", "beta * m + lr * g")],
            ),
            Mistake(
                "two-minus-signs",
                "There is a minus in the velocity and one in the step, so the walk goes uphill.",
                "here `m` remembers gradients, which point uphill; the minus is in the step.",
                [("beta * m + g", "beta * m - g")],
            ),
            Mistake(
                "averaged-the-other-way",
                "You weigh the new gradient with `beta` and the old velocity with `1 - beta`.",
                "`beta` is the memory: near 1 the old counts most. And here `m` is a sum.",
                [("beta * m + g", "(1 - beta) * m + beta * g")],
            ),
        ],
    ),
    choice(
        "04.predict_velocity",
        "velocity_guess",
        task="The gradient is 1 in every step. `beta` goes from 0.9 to 0.99. The velocity that `m` tends to "
        "...",
        options={"a": "becomes 1.1 times as large", "b": "becomes ten times as large", "c": "stays 1"},
        answer="b",
        hint="the velocity no longer changes when `m` equals `beta * m + 1`.",
        because="`m` tends to 1/(1 - beta): 10 at 0.9, 100 at 0.99. The same happens to the length of the "
        "steps.",
        mistakes=[
            Mistake(
                "ratio-of-betas",
                "You compared the two betas. What counts is how far each is from 1.",
                "solve `m = beta * m + 1` for `m`.",
                values="a",
            ),
            Mistake(
                "sum-taken-for-average",
                "An average of ones is 1, but this `m` is a sum of gradients that fade.",
                "how large is 1 + beta + beta squared and so on?",
                values="c",
            ),
        ],
    ),
    choice(
        "04.predict_hold",
        "hold_guess",
        task="In a ravine of condition number 100, lr/(1 - beta) is held at 1.9, and `beta` goes from 0 to "
        "0.9. "
        "The walk ...",
        options={
            "a": "stays as it was, for the effective lr is the same",
            "b": "jumps across as before, and goes along the ravine ten times as fast",
            "c": "swings gently across instead of jumping, and goes along the ravine about as fast as before",
        },
        answer="c",
        hint="across, each new gradient contradicts the last; along, all agree.",
        because="Along the ravine only the effective lr counts. Across, lr itself is ten times smaller now.",
        mistakes=[
            Mistake(
                "only-the-effective-lr",
                "The effective lr is what a steady slope feels. Across the ravine the slope is not steady.",
                "what does a sum of gradients of changing sign come to?",
                values="a",
            ),
            Mistake(
                "hold-forgotten",
                "Ten times as fast would be at the same `lr`; here lr/(1 - beta) is the same.",
                "how large is `lr` itself when beta is 0.9?",
                values="b",
            ),
        ],
    ),
    choice(
        "04.predict_factor",
        "factor_guess",
        task="The ball swings through the minimum of a parabola. `beta` stays, and `lr` is doubled; it still "
        "swings. "
        "How fast do the swings die out, counted in steps?",
        options={"a": "exactly as fast as before", "b": "faster", "c": "more slowly"},
        answer="a",
        hint="the two roots have one product and, as a complex pair, one size.",
        because="The factor is the root of beta, whatever lr is. A larger lr swings more often, not more "
        "briefly.",
        mistakes=[
            Mistake(
                "larger-step-faster",
                "A larger `lr` is a stiffer spring: it swings more often. It takes no more energy out.",
                "which of the two knobs is the friction?",
                values="b",
            ),
            Mistake(
                "larger-step-slower",
                "That would be so beyond the swinging region, near the limit.",
                "what is the product of the two roots?",
                values="c",
            ),
        ],
    ),
    number(
        "04.largest_lr",
        "largest_ball_lr",
        task="The largest curvature of a quadratic is 4, and beta is 0.6. Below which `lr` does momentum "
        "converge "
        "from every start?",
        accept=(0.796, 0.804),
        solution="2 * (1 + 0.6) / 4",
        hint="at the limit the ball lands at the same distance on the other side, step after step.",
        because="The limit is 2(1 + beta)/L, here 1.6 times that of gradient descent.",
        mistakes=[
            Mistake(
                "gradient-descents-limit",
                "2/L is the limit without memory; momentum allows more.",
                "put a walk that flips its sign in every step into the formula of two steps.",
                values=0.5,
            ),
            Mistake(
                "effective-lr-limited",
                "You limited the effective lr, lr/(1 - beta), to 2/L. That is what a steady slope feels; "
                "at the limit the gradient flips.",
                "what does a sum of gradients of alternating sign come to?",
                values=0.2,
            ),
            Mistake(
                "one-over-one-minus-beta",
                "You divided by 1 - beta: a larger memory would allow any step.",
                "put a walk that flips its sign in every step into the formula of two steps.",
                values=1.25,
            ),
            Mistake(
                "half-of-it",
                "That converges, and larger ones do too.",
                "without memory your formula should give 2/L.",
                values=0.4,
            ),
            Mistake(
                "curvature-forgotten",
                "That is the limit at curvature 1.",
                "only the product of `lr` and curvature counts.",
                values=3.2,
            ),
            Mistake(
                "curvature-multiplied",
                "You multiplied by the curvature: then a narrower valley would allow longer steps.",
                "only the product of `lr` and curvature counts.",
                values=12.8,
            ),
            Mistake(
                "gain-for-limit",
                "That is by how much memory raises the limit, not the limit.",
                "what is the limit without memory?",
                values=1.6,
            ),
            Mistake(
                "beta-alone",
                "You multiplied the limit of gradient descent by beta: without memory no `lr` would be left.",
                "without memory your formula should give 2/L.",
                values=0.3,
            ),
            Mistake(
                "nesterovs-limit",
                "That is the limit of Nesterov's rule, which lesson 05 brings.",
                "the heavy ball moves by its velocity alone.",
                values=2 * 1.6 / (2.2 * 4),
            ),
            Mistake(
                "end-of-the-swings",
                "Up to there the ball swings; beyond, it jumps from side to side, and still comes closer for "
                "a bit.",
                "where is the larger root -1?",
                values=(1 + np.sqrt(0.6)) ** 2 / 4,
            ),
        ],
    ),
    number(
        "04.best_beta",
        "best_beta",
        task="A ravine has the condition number 100. Which beta, with its own best lr, is fastest in the "
        "long run?",
        accept=(0.665, 0.674),
        solution="((np.sqrt(100) - 1) / (np.sqrt(100) + 1)) ** 2",
        hint="the factor is the root of beta, and it is (r - 1)/(r + 1), where r is the root of the "
        "condition number.",
        because="The factor is 9/11 a step, and beta its square. Gradient descent at its best has 99/101.",
        mistakes=[
            Mistake(
                "root-of-condition-forgotten",
                "You used the condition number where its root belongs.",
                "momentum feels the root of the condition number.",
                values=(99 / 101) ** 2,
            ),
            Mistake(
                "factor-of-gradient-descent",
                "99/101 is the factor of gradient descent at its best.",
                "momentum feels the root of the condition number, and beta is not the factor itself.",
                values=99 / 101,
            ),
            Mistake(
                "factor-for-beta",
                "9/11 is the factor per step; the factor is the root of beta.",
                "how do you undo a root?",
                values=9 / 11,
            ),
            Mistake(
                "critical-at-one-over-L",
                "That is the beta of critical damping along the ravine for `lr` = 1/L. With a larger `lr` a "
                "smaller "
                "beta does it.",
                "the ball may swing across the ravine too, as long as it dies out as fast.",
                values=0.81,
            ),
            Mistake(
                "root-twice",
                "You took the root of 9/11, but 9/11 is a root already.",
                "the factor is the root of beta: which of the two is the smaller one?",
                values=np.sqrt(9 / 11),
            ),
            Mistake(
                "rounded-too-far",
                "Nearly: that has too few digits.",
                "give three digits.",
                values=(0.7, 0.66),
            ),
            Mistake(
                "lr-for-beta",
                "That is the best `lr` at L = 1; beta is asked for.",
                "beta is below 1.",
                values=(2 / 1.1) ** 2,
            ),
            Mistake(
                "upside-down",
                "With a beta above 1 the velocity would grow for ever.",
                "which of the two is larger, the numerator or the denominator?",
                values=(11 / 9) ** 2,
            ),
            Mistake(
                "the-default",
                "0.9 is everyone's default, and best for a condition number of about 1,440.",
                "compute it for 100.",
                values=0.9,
            ),
        ],
    ),
    goal(
        "04.twenty_steps",
        "lr_and_beta",
        _reached,
        read=read_pair,
        task=f"In `quadratic(condition=100)`, from its start, reach a loss below {TARGET} within {STEPS} "
        "steps of momentum, and stay below it. Set `lr_and_beta` to a pair that does, as "
        "`lr_and_beta = 1.0, 0.5`.",
        solution="2.6, 0.7",
        hint="look along and across apart: which of the two holds the loss up?",
        because="Both directions are through by then, and stay so. With infinitely many steps another pair "
        "would win.",
        mistakes=[
            Mistake(
                "diverged",
                "`lr` is not below 2(1 + beta)/L, so the walk does not come closer at all.",
                "the largest curvature of this ravine is 1.",
            ),
            Mistake(
                "crossing",
                "The ball happens to cross the minimum at that step, and is away from it again afterwards.",
                "it has arrived when it stays: swings die out by the root of beta a step.",
            ),
            Mistake(
                "rings-across",
                "Across the ravine the ball still swings.",
                "swings die out by the root of beta a step, and near the limit of `lr` they start with a "
                "leap.",
            ),
            Mistake(
                "too-slow",
                "Along the ravine the ball is still on its way.",
                "along the ravine the effective lr, lr/(1 - beta), sets the pace.",
            ),
            Mistake(
                "rolled-past",
                "Along the ravine the ball has rolled past the minimum.",
                "with less memory, or less lr, it would be slower there.",
            ),
            Mistake(
                "not-allowed",
                "`lr` has to be above 0, and beta from 0 to below 1.",
                "first the lr, then the beta.",
            ),
        ],
    ),
    diagnosis(
        "04.diagnose",
        "ball_diagnosis",
        what="ball",
        task="Name the damping of each of the four balls: `overdamped`, `critical`, `underdamped` or "
        "`diverging`, "
        'as `{"A": "...", "B": "...", "C": "...", "D": "..."}`.',
        answer={"A": "underdamped", "B": "overdamped", "C": "diverging", "D": "critical"},
        labels={
            "overdamped": "the ball creeps and is not yet there at the end",
            "critical": "the ball arrives soon, and does not cross the minimum",
            "underdamped": "the ball crosses the minimum, and each swing is smaller than the last",
            "diverging": "each swing is larger than the last",
        },
        look={
            "A": "does it cross the minimum, and do the swings grow?",
            "B": "does it cross the minimum, and where is it at the end?",
            "C": "mind the numbers on the axis.",
            "D": "does it cross the minimum, and when is it there?",
        },
        hint="first ask whether it arrives, then whether it crosses the minimum, then how soon it is there.",
        because="Three of the four have the same lr; beta alone makes the difference.",
    ),
    rule(
        "04.restarted_momentum",
        restarted_momentum,
        name="restarted_momentum",
        task="Write momentum with a restart: `restarted_momentum(w, g, m=0.0, *, lr=0.01, beta=0.9)` forgets "
        "the old "
        "`m` of a run wherever `g` and `m`, multiplied and summed over the last axis, give less than 0; then "
        "it takes "
        "the usual step.",
        hint="first look at the old velocity and the new gradient, then the two usual lines.",
        mistakes=[
            *in_the_step("m"),
            Mistake(
                "no-restart",
                "This is momentum without a restart.",
                "what happens to the old `m` when it leads uphill?",
                [(_RESTART, _M)],
            ),
            Mistake(
                "restart-downhill",
                "You restart when the velocity leads downhill, and keep it when it leads uphill.",
                "the gradient points uphill, and the ball moves against `m`.",
                [("< 0", "> 0")],
            ),
            Mistake(
                "each-coordinate-alone",
                "Each coordinate restarts alone. That is another rule, close to Rprop; it depends on the "
                "axes.",
                "one product for the whole vector: which sum is missing?",
                [("(g * m).sum(axis=-1, keepdims=True)", "g * m")],
            ),
            Mistake(
                "all-runs-together",
                "You sum over all axes, so independent runs restart together.",
                "the last axis is the space; the axes before it are runs.",
                [(".sum(axis=-1, keepdims=True)", ".sum()")],
            ),
            Mistake(
                "new-velocity-asked",
                "You ask the new velocity, which holds the new gradient already.",
                "the old velocity has to answer to the new gradient.",
                [("(g * m)", "(g * (beta * m + g))")],
            ),
            Mistake(
                "gradient-forgotten-too",
                "At a restart the new gradient is lost too, and the ball stands still for a step.",
                "only the old velocity is forgotten.",
                [(_RESTART, "m = np.where(uphill, 0.0, beta * m + g)")],
            ),
            Mistake(
                "turned-round",
                "You turn the velocity round instead of forgetting it.",
                "after a restart the ball starts from rest.",
                [("np.where(uphill, 0.0, m)", "np.where(uphill, -m, m)")],
            ),
            Mistake(
                "m-not-returned",
                "You step with the new velocity but return the old one, so nothing is remembered.",
                "what is returned as `m` is what comes in next time.",
                [("m = beta * np", "m_new = beta * np"), ("lr * m", "lr * m_new")],
            ),
            Mistake(
                "damped",
                "This is the damped form: the new gradient is multiplied by `1 - beta`.",
                "the course's `m` is a sum.",
                [(") + g\n", ") + (1 - beta) * g\n")],
            ),
        ],
    ),
)
