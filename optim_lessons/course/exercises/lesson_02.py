"""Lesson 02: checking a gradient, convexity, saddles and plateaus, Newton's step."""

import numpy as np

from optim_lessons.course.judging.kinds import choice, diagnosis, function, goal, number
from optim_lessons.course.judging.mistakes import Mistake
from optim_lessons.gradient_descent import gradient_descent
from optim_lessons.lab.path import path
from optim_lessons.landscapes import numerical_gradient, rosenbrock, saddle


def damped_newton(w, g, H, damping):
    """Step to the minimum of the quadratic model, with every curvature raised by `damping`.

        w ← w − (H + damping·I)⁻¹·g

    w, g: shape (n,).  H: Hessian, shape (n, n).  damping: 0 is Newton's step; a large one is gradient
    descent with lr = 1/damping. Source: Levenberg 1944, https://doi.org/10.1090/qam/10666
    """
    damped = H + damping * np.eye(len(w))
    return w - np.linalg.solve(damped, g)


# From the saddle's start, 1e-3 beside the ridge: lr from 1.125 to 1.834 does it.
STEPS, TARGET = 16, -0.12


def _left(lr):
    if lr <= 0:
        return "not-positive", ""
    land = saddle()
    with np.errstate(all="ignore"):
        ws = path(gradient_descent, land.grad, land.start, STEPS, lr=lr)
        loss = land(ws)[-1]
    if loss < TARGET:
        return None
    if lr >= 2:
        return "diverged", ""
    return ("swings" if lr > 1.6 else "too-slow"), f"After {STEPS} steps the loss is {loss:.4f}."


def four_gradients():
    """Return four functions that should be Rosenbrock's gradient; three are wrong: {"A": ..., ...}."""

    def halved(w):
        return rosenbrock.grad(w) * [1, 0.5]

    def without_a_term(w):
        return rosenbrock.grad(w) + np.stack([2 * (1 - w[..., 0]), 0 * w[..., 0]], axis=-1)

    def turned(w):
        return rosenbrock.grad(w) * [1, -1]

    def nameless(slope):
        return lambda w: slope(w)  # a function shows its name when it is printed

    slopes = {"A": without_a_term, "B": turned, "C": rosenbrock.grad, "D": halved}
    return {letter: nameless(slope) for letter, slope in slopes.items()}


def _functions(rng):
    def three(w):
        return np.sin(w[..., 0]) * w[..., 1] + w[..., 2] ** 3 + w[..., 0] * w[..., 2]

    def two(w):
        return np.exp(w[..., 0] - w[..., 1])

    def one_vector(w):
        return float(w @ np.arange(1, len(w) + 1)) ** 2

    return {
        "for a function of three weights": (three, rng.standard_normal(3), 0.2),
        "for a function of two weights": (two, rng.standard_normal(2), 0.5),
        "for a function of one vector": (one_vector, rng.standard_normal(4), 0.1),
        "for a single weight": (one_vector, rng.standard_normal(1), 0.3),
        "at a place where the slope is 0": (one_vector, np.zeros(2), 0.2),
        "with huge weights": (one_vector, 1e8 * rng.standard_normal(3), 1e7),
        "with tiny weights": (one_vector, 1e-8 * rng.standard_normal(3), 1e-8),
    }


def _hessians(rng):
    def turned(*curvatures):
        axes, _ = np.linalg.qr(rng.standard_normal((len(curvatures), len(curvatures))))
        return axes * curvatures @ axes.T

    return {
        "near a saddle": (rng.standard_normal(2), rng.standard_normal(2), turned(2.0, -0.4), 0.9),
        "in a ravine of three weights": (
            rng.standard_normal(3),
            rng.standard_normal(3),
            turned(3.0, 0.8, 0.2),
            0.3,
        ),
        "with a single weight": (rng.standard_normal(1), rng.standard_normal(1), np.array([[0.7]]), 0.2),
        "where the slope is 0": (rng.standard_normal(2), np.zeros(2), turned(2.0, 0.5), 0.4),
        "without damping": (rng.standard_normal(2), rng.standard_normal(2), turned(2.0, 0.5), 0.0),
        "with huge curvatures": (
            rng.standard_normal(2),
            1e8 * rng.standard_normal(2),
            1e8 * turned(2.0, 0.5),
            1e7,
        ),
    }


_DIFFERENCE = "(f(w + e) - f(w - e)) / (2 * h)"
_SOLVED = "np.linalg.solve(damped, g)"

exercises = (
    choice(
        "02.predict_h",
        "h_guess",
        task="The central difference has an error near 1e-11 at `h = 1e-5`. At `h = 1e-10` the error is ...",
        options={
            "a": "about 1e10 times smaller, since it falls with h squared",
            "b": "about the same, since both are tiny",
            "c": "larger",
        },
        answer="c",
        hint="the two heights differ by less and less. What of their digits is left?",
        because="Both heights are rounded, and the difference of the roundings is divided by h.",
        mistakes=[
            Mistake(
                "truncation-alone",
                "So it would be with exact numbers. The computer's numbers have 16 digits.",
                "how many digits do two heights share whose places differ by 1e-10?",
                values="a",
            ),
            Mistake(
                "indifferent",
                "The step matters very much on both sides of the best one.",
                "drag h and watch the right panel.",
                values="b",
            ),
        ],
    ),
    function(
        "02.numerical_gradient",
        numerical_gradient,
        inputs=_functions,
        task="Write the gradient by central differences: `my_numerical_gradient(f, w, h=1e-5)` returns an "
        "array in the shape of `w`. `f` takes all weights and returns a number; leave `w` itself as it is.",
        hint="for each coordinate: a step forward and a step back, both of length h, and nothing else moves.",
        mistakes=[
            Mistake(
                "one-sided",
                "This is the one-sided difference: its error falls with h, not with h squared.",
                "step to both sides of `w`.",
                [(_DIFFERENCE, "(f(w + e) - f(w)) / h")],
            ),
            Mistake(
                "backward",
                "This is the backward difference, one-sided too: its error falls with h, not with h squared.",
                "step to both sides of `w`.",
                [(_DIFFERENCE, "(f(w) - f(w - e)) / h")],
            ),
            Mistake(
                "two-forgotten",
                "Every slope is twice too large.",
                "how far apart are the two places?",
                [("(2 * h)", "h")],
            ),
            Mistake(
                "brackets-forgotten",
                "You divide by 2 and then multiply by `h`: Python goes from left to right.",
                "put the whole distance in brackets.",
                [("(2 * h)", "2 * h")],
            ),
            Mistake(
                "not-divided",
                "This is the rise, not the slope: it is not divided by the distance.",
                "a slope is a rise over a distance.",
                [(" / (2 * h)", "")],
            ),
            Mistake(
                "divided-by-two-only",
                "You divide by 2, but the two places are not 2 apart.",
                "how far is it from the one to the other?",
                [("(2 * h)", "2")],
            ),
            Mistake(
                "reversed",
                "You take the height behind less the height ahead: every sign is turned.",
                "a slope is positive where the loss rises.",
                [("f(w + e) - f(w - e)", "f(w - e) - f(w + e)")],
            ),
            Mistake(
                "all-at-once",
                "You move all coordinates together, so each slope is the sum of all of them.",
                "only one coordinate may move at a time.",
                [("np.eye(w.shape[-1], like=w)", "np.ones((w.shape[-1], w.shape[-1]))")],
            ),
            Mistake(
                "h-unused",
                "You use a step of 1e-5, whatever `h` is.",
                "use the argument's name.",
                [("h * np.eye", "1e-5 * np.eye"), ("2 * h", "2 * 1e-5")],
            ),
        ],
    ),
    number(
        "02.best_h",
        "best_h",
        task="In `float32` a computed height is off by about N = 6e-8. The third derivative is about M = 1. "
        "Which h makes the error bound of the central difference, h squared times M/6 plus N/h, smallest?",
        accept=(0.0053, 0.006),
        solution="(3 * 6e-8 / 1) ** (1 / 3)",
        near=0.02,
        hint="set the derivative of the bound to 0 and solve for h.",
        because="It is far larger than in `float64`: a check in `float32` needs a large step, and is coarse.",
        mistakes=[
            Mistake(
                "three-forgotten",
                "You took the cube root of N. At the best h the slopes of the two parts have to cancel.",
                "differentiate both parts of the bound.",
                values=6e-8 ** (1 / 3),
            ),
            Mistake(
                "six-for-three",
                "There the two parts of the bound are equal. The sum is smallest where their slopes cancel.",
                "differentiate both parts of the bound.",
                values=(6 * 6e-8) ** (1 / 3),
            ),
            Mistake(
                "one-sided",
                "A square root belongs to the one-sided difference, whose error falls with h alone.",
                "with h squared and 1/h, which power of h is left over?",
                values=(6e-8**0.5, 2 * 6e-8**0.5, (3 * 6e-8) ** 0.5, (2 * 6e-8) ** 0.5),
            ),
            Mistake(
                "double-precision",
                "That is about the best h of `float64`, where N is near 1e-16.",
                "put in the N of the task.",
                values=(1e-5, 6.93e-6, 4.8e-6, 6.06e-6),
            ),
            Mistake(
                "the-rounding-itself",
                "At an h of the size of N nothing is left of the difference.",
                "what happens to N/h there?",
                values=6e-8,
            ),
        ],
    ),
    diagnosis(
        "02.wrong_gradient",
        "verdicts",
        what="gradient",
        answer={"A": "term missing", "B": "wrong sign", "C": "right", "D": "wrong factor"},
        labels={
            "right": "every ratio is 1",
            "wrong sign": "one coordinate has the ratio -1 at every point",
            "wrong factor": "one coordinate has the same ratio, other than 1 and -1, at every point",
            "term missing": "one coordinate has a ratio that changes from point to point",
        },
        look={
            "A": "does its odd ratio stay the same from point to point?",
            "B": "what must its second coordinate be multiplied by?",
            "C": "is any ratio different from 1?",
            "D": "what must its second coordinate be multiplied by?",
        },
        points=2,
        task="Each of the gradients A, B, C and D is one of "
        '`"right"`, `"wrong sign"`, `"wrong factor"`, `"term missing"`. Which is which?',
        hint="look at one coordinate at a time, at all three points.",
        because="A constant ratio is a factor or a sign; a ratio that changes is a term.",
    ),
    number(
        "02.convex_until",
        "convex_until",
        task="The loss is half of w squared, plus bumps times (1 - cos 2w). What is the largest value of "
        "bumps for which it is convex?",
        accept=(0.2475, 0.2525),
        solution="1 / 4",
        hint="write down the second derivative; where is it smallest, and when does it reach 0?",
        because="The curvature is 1 + 4 bumps cos 2w, and the cosine goes down to -1.",
        mistakes=[
            Mistake(
                "chain-rule-once",
                "The inner function 2w gives a factor 2 in each of two derivatives.",
                "differentiate cos 2w twice.",
                values=0.5,
            ),
            Mistake(
                "chain-rule-forgotten",
                "You left out the inner function 2w: it gives a factor in each derivative.",
                "differentiate cos 2w twice.",
                values=1,
            ),
            Mistake(
                "upside-down",
                "At 4 the bumps are very deep.",
                "for which bumps is the curvature 0 where the cosine is -1?",
                values=4,
            ),
            Mistake(
                "no-bump-allowed",
                "Small bumps are allowed: they bend the curve less than the parabola bends it back.",
                "compare the two curvatures.",
                values=0,
            ),
        ],
    ),
    choice(
        "02.predict_saddle",
        "saddle_guess",
        task="A walk starts 1e-3 beside the ridge of a saddle. Now it starts 1e-6 beside it. "
        "The time until it is away ...",
        options={"a": "about doubles", "b": "is about 1,000 times as long", "c": "hardly changes"},
        answer="a",
        hint="near the saddle each step multiplies the distance from the ridge by one factor.",
        because="Each factor of ten costs equally many steps: three of them before, six now.",
        mistakes=[
            Mistake(
                "time-like-distance",
                "The distance grows by a factor in each step, not by an amount.",
                "how many steps make it ten times larger, and how many factors of ten are there?",
                values="b",
            ),
            Mistake(
                "distance-ignored",
                "It begins 1,000 times closer, and has to make that up.",
                "how many steps make the distance ten times larger?",
                values="c",
            ),
        ],
    ),
    goal(
        "02.leave_saddle",
        "leave_lr",
        _left,
        task=f"On `landscapes.saddle()`, from its start, reach a loss below {TARGET} in at most {STEPS} "
        "steps of gradient descent. Set `leave_lr` to an `lr` that does.",
        solution=1.4,
        hint="the way out wants a large step; the curvature across, 1, allows less than 2.",
        because="Out along the ridge the distance grows by the factor 1 + lr/2, across it shrinks.",
        mistakes=[
            Mistake(
                "too-slow",
                "The walk is still on its way out of the saddle.",
                "by which factor does the distance from the ridge grow in each step?",
            ),
            Mistake(
                "swings",
                "The walk left the saddle, but it still swings from side to side.",
                "what is the factor of one step where the curvature is 1?",
            ),
            Mistake(
                "diverged",
                "The walk does not calm down: `leave_lr` is not below 2/L, and L is 1 here.",
                "lesson 01 has the limit.",
            ),
            Mistake(
                "not-positive",
                "`leave_lr` is zero or negative: zero stays where it is, a negative step climbs.",
                "downhill takes a positive step.",
            ),
        ],
    ),
    choice(
        "02.predict_plateau",
        "plateau_guess",
        task="On a plateau with 100 weights, at distance 14, descent without noise needs 254 steps into the "
        "basin. With noise of 0.03 in every coordinate of the gradient, of 200 walks ...",
        options={
            "a": "nearly all arrive in twice that time, as at the saddle",
            "b": "none arrives in twice that time",
            "c": "all take just as long, as noise averages out",
        },
        answer="b",
        hint="at the saddle the ground itself made the first small push grow. Who makes it grow here?",
        because="On a plateau noise is a random walk, and with many weights nearly every way leads outwards.",
        mistakes=[
            Mistake(
                "saddle-for-plateau",
                "A saddle magnifies the first small push, in each step again. A plateau does not.",
                "which curvature does a plateau have, and by which factor does a push grow?",
                values="a",
            ),
            Mistake(
                "noise-averages-out",
                "The mean of the noise is 0, but its sum is not: it grows with the root of the steps.",
                "how far does a random walk of 500 steps get, with 100 coordinates of 0.03 times 3 each?",
                values="c",
            ),
        ],
    ),
    choice(
        "02.predict_newton",
        "newton_guess",
        task="Newton's step is taken again and again, from a place near a saddle. The walk ...",
        options={
            "a": "leaves the saddle faster than gradient descent",
            "b": "goes to the saddle and stays there",
            "c": "goes to the nearest minimum in one step",
        },
        answer="b",
        hint="in each direction the step is minus the slope over the curvature. Turn the curvature's sign.",
        because="It solves for slope 0, and a saddle has slope 0.",
        mistakes=[
            Mistake(
                "downhill-assumed",
                "Where the curvature is negative, dividing by it turns the step uphill.",
                "what is minus the slope over the curvature if the curvature is negative?",
                values="a",
            ),
            Mistake(
                "minimum-assumed",
                "It goes to where the model's slope is 0. That need not be a minimum.",
                "which kinds of places have slope 0?",
                values="c",
            ),
        ],
    ),
    number(
        "02.least_damping",
        "least_damping",
        task="At a place near a saddle the curvatures are 3 and -0.5. Above which damping does the step with "
        "H + damping I go downhill in both directions?",
        accept=(0.495, 0.505),
        solution="0.5",
        hint="each curvature becomes curvature + damping, and the slope is divided by that.",
        because="Then both divisors are positive, so each part of the step is against its slope.",
        mistakes=[
            Mistake(
                "largest-curvature",
                "That is the largest curvature. It is positive already and needs no help.",
                "which direction goes the wrong way without damping?",
                values=3,
            ),
            Mistake(
                "sum-of-curvatures",
                "The sum of the curvatures says nothing about one direction.",
                "ask each direction for itself.",
                values=(2.5, 3.5),
            ),
            Mistake(
                "twice",
                "That is enough, but it is more than needed.",
                "how much is missing to 0?",
                values=1,
            ),
            Mistake(
                "none",
                "Without damping the second direction divides by a negative number.",
                "how much is missing to 0?",
                values=0,
            ),
        ],
    ),
    function(
        "02.damped_newton",
        damped_newton,
        name="damped_newton",
        inputs=_hessians,
        task="Write `damped_newton(w, g, H, damping)`: raise every curvature by `damping`, that is, add "
        "`damping` to the diagonal of `H`, then take Newton's step. Return the new weights.",
        hint="first the damped matrix, then one linear system.",
        mistakes=[
            Mistake(
                "climbs",
                "You add the step, so it goes the wrong way.",
                "the minus of gradient descent is here too.",
                [("w - np", "w + np")],
            ),
            Mistake(
                "added-everywhere",
                "You add `damping` to every entry of `H`. Only the diagonal raises all curvatures alike.",
                "which matrix has ones on its diagonal and zeros elsewhere?",
                [("damping * np.eye(len(w))", "damping")],
            ),
            Mistake(
                "subtracted",
                "You take the damping away from `H`, which lowers every curvature.",
                "a negative curvature has to come above 0.",
                [("H + damping", "H - damping")],
            ),
            Mistake(
                "undamped",
                "`damping` changes nothing: this is Newton's own step.",
                "what stands in the place of `H`?",
                [("H + damping * np.eye(len(w))", "H")],
            ),
            Mistake(
                "shortened",
                "You multiply Newton's step by `damping`. Many books call that damped too, but it keeps the "
                "direction, right or wrong.",
                "here it is the matrix that changes, not the length.",
                [("H + damping * np.eye(len(w))", "H"), (_SOLVED, f"damping * {_SOLVED}")],
            ),
            Mistake(
                "multiplied",
                "You multiply by the matrix instead of dividing by it.",
                "`np.linalg.solve` divides by a matrix.",
                [(_SOLVED, "damped @ g")],
            ),
            Mistake(
                "diagonal-only",
                "You divide by the diagonal alone, as if the valley lay along the axes.",
                "the entries beside the diagonal count as well.",
                [(_SOLVED, "g / np.diag(damped)")],
            ),
            Mistake(
                "divided-by-entries",
                "You divide by the entries of the matrix, one by one; the result is a matrix.",
                "dividing by a matrix means to solve a linear system.",
                [(_SOLVED, "g / damped")],
            ),
            Mistake(
                "marquardt",
                "You scale the diagonal: this is Marquardt's form (1963), which respects units.",
                "here every curvature is raised by the same amount.",
                [("np.eye(len(w))", "np.diag(np.diag(H))")],
            ),
            Mistake(
                "step-only",
                "You return the step, not the place it leads to.",
                "where does the walk stand after the step?",
                [("w - np", "-np")],
            ),
        ],
    ),
    choice(
        "02.predict_slice",
        "slice_guess",
        task="We cut the loss of the trained network along a random direction and measure the curvature "
        "there. Compared with its largest curvature over all directions, it is ...",
        options={
            "a": "about as large",
            "b": "about 100 times smaller",
            "c": "as often negative as positive",
        },
        answer="b",
        hint="a random direction sees the mean of all 2,410 curvatures.",
        because="A few directions are steep, nearly all are flat, and a random one sees the mean.",
        mistakes=[
            Mistake(
                "steep-everywhere",
                "Then most of the curvatures would have to be near the largest.",
                "a random direction sees the mean of all curvatures.",
                values="a",
            ),
            Mistake(
                "signs-at-random",
                "After training the positive curvatures outweigh the negative ones by far.",
                "what would descent do along a direction that bends downwards?",
                values="c",
            ),
        ],
    ),
)
