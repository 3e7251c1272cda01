"""Lesson 05: Nesterov's momentum, easily taken for the heavy ball; its limit, its memory, its promise."""

from functools import cache

from optim_lessons.course.judging.kinds import choice, diagnosis, goal, number, rule
from optim_lessons.course.judging.mistakes import Mistake, in_the_step
from optim_lessons.gradient_descent import gradient_descent
from optim_lessons.lab.path import path
from optim_lessons.landscapes import quadratic
from optim_lessons.momentum import momentum
from optim_lessons.nesterov import nesterov

_M = "m = beta * m + g"
_STEP = "w = w - lr * (g + beta * m)"


def _beta_of_1983(t):
    """Return the beta of step t in the paper of 1983; before the first step it does not matter."""
    a = 1.0
    for _ in range(t):
        a = (1 + (1 + 4 * a**2) ** 0.5) / 2
    return (a - 1) * 2 / (1 + (1 + 4 * a**2) ** 0.5)


def nesterov_growing(w, g, m=0.0, t=0, *, lr=0.01):
    """Nesterov's momentum with the growing beta of its guarantee, seen from the look-ahead points.

        x' ← y − lr·∇f(y)        y ← x' + t/(t + 3)·(x' − x)        −lr·m is x' − x

    w, g: the look-ahead point y and its gradient.  m: sum of gradients, starts at 0.  t: steps taken
    before, starts at 0.  lr: step size; the guarantee holds up to 1/L. Returns the new w, m, t.
    Source: Nesterov 1983; in this form Su, Boyd, Candès 2016, https://arxiv.org/abs/1503.01243
    """
    m = (t - 1) / (t + 2) * m + g
    w = w - lr * (g + t / (t + 3) * m)
    t = t + 1
    return w, m, t


_GROWING_M = "m = (t - 1) / (t + 2) * m + g"
_GROWING_STEP = "(g + t / (t + 3) * m)"

# A ravine of condition number 100, lr = 1: beta from 0.8363 to 0.8676 does it.
STEPS, TARGET, LR = 40, 1e-4, 1.0
RAVINE = quadratic(condition=100.0)


def _loss_after(beta):
    return float(RAVINE(path(nesterov, RAVINE.grad, RAVINE.start, STEPS, lr=LR, beta=beta)[-1]))


def _reached(beta):
    if not 0 <= beta < 1:
        return "no-memory-factor", ""
    loss = _loss_after(beta)
    if loss < TARGET:
        return None
    return ("too-much-memory" if beta > 0.85 else "too-little-memory"), (
        f"After {STEPS} steps the loss is {loss:.2g}."
    )


_RUNS = {  # run → rule and its knobs, on a ravine of condition number 20
    "A": (nesterov, {"lr": 0.6, "beta": 0.9}),
    "B": (gradient_descent, {"lr": 0.6}),
    "C": (nesterov, {"lr": 1.37, "beta": 0.9}),
    "D": (momentum, {"lr": 0.6, "beta": 0.9}),
}


@cache
def four_runs(steps=40):
    """Return four runs in one ravine to diagnose: {"A": {"steep": ..., "flat": ...}, ...}.

    steep, flat: the coordinate across and along the ravine, shape (steps + 1,).
    """
    ravine, runs = quadratic(condition=20.0), {}
    for letter, (descent, knobs) in _RUNS.items():
        w = path(descent, ravine.grad, ravine.start, steps, **knobs)
        runs[letter] = {"steep": w[:, 1], "flat": w[:, 0]}
    return runs


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
                "heavy-ball-lr-inside",
                "This is the heavy ball of lesson 04, with `lr` and the sign inside the velocity: the step "
                "does not look ahead, and `m` holds more than gradients.",
                "the course's `m` is the sum of lesson 04; what is new stands in the step.",
                [(_M, "m = beta * m - lr * g"), (_STEP, "w = w + m")],
            ),
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
                "velocity-twice",
                "The step adds the velocity and its faded copy; one of them should be the gradient.",
                "the old velocity has carried the walk to this point already.",
                [("(g + beta * m)", "(m + beta * m)")],
            ),
            Mistake(
                "beta-on-the-wrong-part",
                "In the step `beta` multiplies the gradient instead of the velocity.",
                "which of the two will have faded when the next gradient comes?",
                [("(g + beta * m)", "(beta * g + m)")],
            ),
            Mistake(
                "damped-in-the-step",
                "In the step the gradient is multiplied by `1 - beta`: half sum, half average.",
                "the course's `m` is a sum, and the gradient counts whole in both lines.",
                [("(g + beta * m)", "((1 - beta) * g + beta * m)")],
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
    choice(
        "05.predict_steep",
        "steep_guess",
        task="In a ravine, at `beta = 0.9` and `lr` = 0.5/L, the heavy ball's steep coordinate swings and "
        "shrinks by the factor 0.95 per step. Nesterov's steep coordinate, at the same `lr` and `beta`, ...",
        options={
            "a": "does just the same: the step size and the memory are the same",
            "b": "dies out much faster",
            "c": "swings longer, for the gradient is counted twice",
        },
        answer="b",
        hint="the gradient is taken ahead. Where the wall is steep, what has changed between here and ahead?",
        because="In a steep direction the slope ahead differs much from the slope here, so the correction "
        "comes a step earlier.",
        mistakes=[
            Mistake(
                "the-same-swing",
                "That would be so if the slope were the same at both points. In a steep direction it is not.",
                "how much does the slope change between the two points where the gradients are taken?",
                values="a",
            ),
            Mistake(
                "swings-longer",
                "The gradient does not only push; taken ahead, it also brakes.",
                "when the ball is about to cross the minimum, which way does the gradient ahead point?",
                values="c",
            ),
        ],
    ),
    choice(
        "05.predict_limit",
        "limit_guess",
        task="Gradient descent converges on a quadratic for `lr` below 2/L, the heavy ball with `beta = 0.9` "
        "below 3.8/L. Nesterov with `beta = 0.9` converges ...",
        options={
            "a": "up to a larger limit than the heavy ball's",
            "b": "up to a limit between the two",
            "c": "only up to a smaller limit than gradient descent's",
        },
        answer="c",
        hint="Nesterov's first step is `lr * (1 + beta)` times the gradient.",
        because="The limit is 2(1 + β)/((1 + 2β)L), at this memory 1.36/L. What brakes early also overshoots "
        "early.",
        mistakes=[
            Mistake(
                "better-means-wider",
                "It brakes better below its limit, but that does not move the limit upwards.",
                "what does a correction do that is larger than the error?",
                values="a",
            ),
            Mistake(
                "in-between",
                "It looks like a mixture of the two rules, but its limit is not between theirs.",
                "how long is the very first step of each rule?",
                values="b",
            ),
        ],
    ),
    number(
        "05.nesterov_limit",
        "nesterov_limit",
        task="A quadratic has the curvatures 0.5, 3 and 40. Below which `lr` does Nesterov's momentum with "
        "`beta = 0.8` converge from every start?",
        accept=(0.03445, 0.03479),
        solution="2 * (1 + 0.8) / ((1 + 2 * 0.8) * 40)",
        near=0.002,
        hint="which curvature is passed first, and where does the root of its polynomial reach -1?",
        because="It is 2(1 + β)/((1 + 2β)L), here with L = 40: less than 2/L = 0.05.",
        mistakes=[
            Mistake(
                "gradient-descents",
                "2/L is the limit of gradient descent, without memory.",
                "put `beta = 0` into the formula: that is where your number belongs.",
                values=2 / 40,
            ),
            Mistake(
                "heavy-balls",
                "2(1 + β)/L is the limit of the heavy ball.",
                "the two rules have different polynomials; evaluate this one at -1.",
                values=2 * 1.8 / 40,
            ),
            Mistake(
                "one-over-L",
                "1/L is the largest value with the guarantee for all convex functions, not the limit on "
                "quadratics.",
                "at that value the steep direction is at its very best; how much further can you go?",
                values=1 / 40,
            ),
            Mistake(
                "best-on-a-quadratic",
                "4/(3L + μ) belongs to the best pair of `lr` and `beta`; it converges, but is not the limit "
                "at this `beta`.",
                "the question is where it stops converging.",
                values=4 / 120.5,
            ),
            Mistake(
                "beta-taken-for-one",
                "4/(3L) is where the limit goes when `beta` goes to 1.",
                "put in the `beta` that is given.",
                values=4 / 120,
            ),
            Mistake(
                "numerator-forgotten",
                "You have 2/((1 + 2β)L): a factor is missing in the numerator.",
                "at -1 the polynomial has two terms with beta.",
                values=2 / (2.6 * 40),
            ),
            Mistake(
                "rounded-too-far",
                "Nearly: that has too few digits.",
                "give three digits.",
                values=(0.035, 0.034),
            ),
            Mistake(
                "first-step-limited",
                "You limited the first step, `lr * (1 + beta)` times the gradient, to 2/L.",
                "later steps carry old velocity too: put a walk that flips its sign into the formula.",
                values=2 / (1.8 * 40),
            ),
            Mistake(
                "curvature-forgotten",
                "That is the limit at curvature 1.",
                "only the product of `lr` and curvature counts.",
                values=2 * 1.8 / 2.6,
            ),
            Mistake(
                "middle-curvature",
                "That is the limit of the curvature 3; a steeper direction has diverged long before.",
                "it takes only one direction to diverge.",
                values=2 * 1.8 / (2.6 * 3),
            ),
            Mistake(
                "half-of-it",
                "That converges, and larger ones do too: the end of the range is further on.",
                "which root leaves the circle, and at which value?",
                values=1.8 / (2.6 * 40),
            ),
            Mistake(
                "flattest",
                "That is the limit of the flattest direction alone; the steepest has diverged long before.",
                "it takes only one direction to diverge.",
                values=2 * 1.8 / (2.6 * 0.5),
            ),
            Mistake(
                "upside-down",
                "The larger the curvature, the smaller the limit; you have it the other way round.",
                "the product of `lr` and curvature has to stay below a number.",
                values=2.6 * 40 / 3.6,
            ),
        ],
    ),
    goal(
        "05.ravine_memory",
        "good_beta",
        _reached,
        task=f"In the ravine `quadratic(condition=100)`, from its start, Nesterov's momentum with `lr = 1` "
        f"has {STEPS} steps. Set `good_beta` to a memory with which the loss after them is below 0.0001.",
        solution=0.85,
        hint="at this `lr` the steep direction is gone at once. The flat one should arrive, not swing back.",
        because="The flat coordinate has arrived and has not yet swung away again.",
        mistakes=[
            Mistake(
                "too-little-memory",
                "With so little memory the walk still creeps along the floor.",
                "more memory makes a longer effective step where the slope keeps its direction.",
            ),
            Mistake(
                "too-much-memory",
                "With so much memory the walk has run past the minimum, along the floor, and swings.",
                "look at the flat coordinate: how often has it crossed 0?",
            ),
            Mistake(
                "no-memory-factor",
                "The memory is a factor from 0 to below 1.",
                "what would become of `m` if it were outside?",
            ),
        ],
    ),
    rule(
        "05.nesterov_growing",
        nesterov_growing,
        task="Write Nesterov's method with the growing beta t / (t + 3) of the proof: "
        "`my_nesterov_growing(w, g, m=0.0, t=0, *, lr=0.01)` returns the new `w`, `m` and `t`. `w` is the "
        "look-ahead point, and `t` counts the steps taken before.",
        hint="at each step, ask which velocity is carried over, and which beta carried it to the point `w`.",
        because="Two betas stand in one step: the one that led here and the one that leads on.",
        mistakes=[
            *in_the_step(_GROWING_STEP),
            Mistake(
                "betas-of-1983",
                "These are the betas of the paper of 1983. Their promise is the same, but the rule that is "
                "asked for has the simpler ones of the proof.",
                "which fraction of `t` does the proof end with?",
                [("(t - 1) / (t + 2)", "_beta_of_1983(t - 1)"), ("t / (t + 3)", "_beta_of_1983(t)")],
            ),
            Mistake(
                "whole-division",
                "`//` divides without remainder: both betas are whole numbers.",
                "a beta between 0 and 1 needs `/`.",
                [("(t - 1) / (t + 2)", "(t - 1) // (t + 2)"), ("t / (t + 3)", "t // (t + 3)")],
            ),
            Mistake(
                "one-beta-for-both",
                "You use the new beta in both lines. This is `nesterov` with a schedule for `beta`, which is "
                "a little different: the old velocity had been carried by the beta before.",
                "which beta has brought the walk to the point `w`?",
                [("(t - 1) / (t + 2)", "t / (t + 3)")],
            ),
            Mistake(
                "the-old-beta-for-both",
                "You use the beta of the step before in both lines.",
                "which beta leads from here to the next look-ahead point?",
                [
                    ("t / (t + 3)", "(t - 1) / (t + 2)"),
                    ("= (t - 1) / (t + 2) * m + g", "= (t-1) / (t+2) * m + g"),
                ],
            ),
            Mistake(
                "counted-first",
                "You count the step before you use `t`, so both betas are one step too far.",
                "`t` is the number of steps taken before this one: what is the first beta?",
                [
                    ("(t - 1) / (t + 2)", "t / (t + 3)"),
                    (f"lr * {_GROWING_STEP}", "lr * (g + (t + 1) / (t + 4) * m)"),
                ],
            ),
            Mistake(
                "counted-first-and-one-beta",
                "Both lines have the same beta, and it is one step too far: you count before you use `t`.",
                "`t` is the number of steps taken before this one; which two betas meet in a step?",
                [("(t - 1) / (t + 2)", "(t + 1) / (t + 4)"), ("t / (t + 3)", "(t+1) / (t+4)")],
            ),
            Mistake(
                "betas-swapped",
                "The two betas stand in each other's place.",
                "one has brought the walk to the point `w`, the other leads on from it.",
                [
                    (f"lr * {_GROWING_STEP}", "lr * (g + (t-1) / (t+2) * m)"),
                    ("(t - 1) / (t + 2)", "t / (t + 3)"),
                ],
            ),
            Mistake(
                "never-counted",
                "`t` comes back as it went in, so beta never grows.",
                "what is returned as `t` is what comes in next time.",
                [("t = t + 1", "t = t + 0")],
            ),
            Mistake(
                "heavy-ball",
                "This is the heavy ball with a growing beta: the step does not look ahead.",
                "from the point x the walk goes on to the next look-ahead point.",
                [(_GROWING_STEP, "m")],
            ),
            Mistake(
                "not-faded",
                "The step adds the velocity whole: there the beta is missing.",
                "how far ahead is the next look-ahead point?",
                [("t / (t + 3) * m)", "m)")],
            ),
            Mistake(
                "never-forgets",
                "The old velocity is kept whole, without a beta.",
                "which beta has brought the walk to the point `w`?",
                [("(t - 1) / (t + 2) * m", "m")],
            ),
            Mistake(
                "lr-inside",
                "This has `lr` inside the velocity. At a constant `lr` the path is the same, but `m` is not.",
                "here `m` remembers gradients alone, and `lr` waits for the step.",
                [("m + g", "m + lr * g"), (f"lr * {_GROWING_STEP}", "(lr * g + t / (t + 3) * m)")],
            ),
            Mistake(
                "lr-inside-with-sign",
                "`lr` and the sign are inside the velocity: your `m` is the last move itself. At a constant "
                "`lr` the path is the same, but `m` is not.",
                "here `m` remembers gradients alone, and `lr` and the sign wait for the step.",
                [
                    ("m + g", "m - lr * g"),
                    (f"w - lr * {_GROWING_STEP}", "w - lr * g + t / (t + 3) * m"),
                ],
            ),
            Mistake(
                "brackets",
                "`lr` multiplies the gradient, but not the velocity: brackets are missing.",
                "both belong to one step.",
                [(f"lr * {_GROWING_STEP}", "(lr * g + t / (t + 3) * m)")],
            ),
            Mistake(
                "gradient-not-added",
                "The step uses the faded velocity alone; the gradient is not added a second time.",
                "from the point `w` the walk first goes downhill, then ahead.",
                [(_GROWING_STEP, "t / (t + 3) * m")],
            ),
        ],
    ),
    choice(
        "05.predict_noise",
        "noise_guess",
        task="Softmax regression on the digits, `lr = 1` (about one over the largest curvature), growing "
        "beta. With all examples in each step it is after 200 steps hundreds of times closer to the minimum "
        "than gradient descent. Now each step sees 32 examples, at the same `lr`. After 200 steps ...",
        options={
            "a": "it is still far ahead of gradient descent with 32 examples",
            "b": "both are about equally far",
            "c": "it is far behind gradient descent with 32 examples",
        },
        answer="c",
        hint="what does a long memory of steps do with the noise in each of them?",
        because="A memory that grows adds up the noise of ever more gradients, at the same `lr`.",
        mistakes=[
            Mistake(
                "promise-with-noise",
                "The guarantee is about exact gradients; with noisy ones nothing is promised.",
                "near beta = 1, how many gradients does one step add up, each with its noise?",
                values="a",
            ),
            Mistake(
                "noise-levels-all",
                "They are not level: the noise that stays in the walk depends on the memory.",
                "a steady gradient is followed at lr/(1 - beta); what becomes of a shaking one?",
                values="b",
            ),
        ],
    ),
    diagnosis(
        "05.diagnose",
        "which_rule",
        answer={"A": "nesterov", "B": "gradient descent", "C": "nesterov past its limit", "D": "heavy ball"},
        labels={
            "gradient descent": "no coordinate crosses 0 at this lr",
            "heavy ball": "the steep and the flat coordinate swing and fade at the same pace",
            "nesterov": "both coordinates swing, and the steep one is gone after a few swings",
            "nesterov past its limit": "the steep coordinate changes its sign at every step and grows",
        },
        look={
            "A": "compare how fast the steep and the flat swings fade.",
            "B": "does any coordinate cross 0?",
            "C": "follow the steep coordinate's sign from step to step, and its size.",
            "D": "compare how fast the steep and the flat swings fade.",
        },
        points=2,
        task="Each of the runs A, B, C and D is one of "
        '`"gradient descent"`, `"heavy ball"`, `"nesterov"`, `"nesterov past its limit"`. Which is which?',
        hint="read the steep and the flat coordinate together.",
        because="The heavy ball fades at one pace everywhere; Nesterov's steep directions fade faster.",
    ),
)
