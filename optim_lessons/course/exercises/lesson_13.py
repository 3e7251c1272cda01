"""Lesson 13: sweeps, the edge in theory, basins, and whose map it is."""

from functools import cache

import numpy as np

from optim_lessons.adam import adam
from optim_lessons.course.judging.kinds import choice, diagnosis, function, goal, number
from optim_lessons.course.judging.mistakes import Mistake
from optim_lessons.gradient_descent import gradient_descent
from optim_lessons.lab.path import grid
from optim_lessons.lab.sweep import final
from optim_lessons.landscapes import himmelblau, quadratic
from optim_lessons.momentum import momentum
from optim_lessons.nesterov import nesterov


def loss_map(lrs, betas, curvature, steps):
    """Return the final loss of the heavy ball on ½·curvature·w², from w = 1, for every pair of lr and beta.

    lrs, betas: one-dimensional arrays. The result has shape (len(lrs), len(betas)).
    """
    lr, beta = lrs[:, None], betas[None, :]
    w = np.ones((len(lrs), len(betas)))
    m = np.zeros_like(w)
    for _ in range(steps):
        g = curvature * w
        m = beta * m + g
        w = w - lr * m
    return 0.5 * curvature * w**2


def _sweeps(rng):
    def case(a, b, curvature, steps):
        return rng.uniform(0.05, 0.4, a), rng.uniform(0.1, 0.9, b), curvature, steps

    return {
        "for 3 learning rates and 4 betas": case(3, 4, 1.0, 5),
        "for 5 learning rates and 2 betas": case(5, 2, 2.5, 7),
        "for a single pair": case(1, 1, 0.7, 3),
        "for no step at all": case(2, 3, 1.3, 0),
        "with lr 0 and beta 0": (np.array([0.0, 0.2]), np.array([0.0, 0.5]), 1.0, 4),
        "where it diverges": (np.array([3.0, 0.1]), np.array([0.5, 0.9, 0.0]), 4.0, 6),
    }


# The goal: an lr at which most starts on Himmelblau's ground stand at a minimum after very few steps.
FEW, SHARE, NEAR = 10, 0.76, 0.05
UNSTABLE = 0.01495  # 2/L at the steepest minimum


@cache
def share_arrived(lr):
    """Return the share of 10,000 starts that are within 0.05 of a minimum after ten steps at this lr."""
    side = np.linspace(-5, 5, 100)
    w = final(gradient_descent, himmelblau, np.stack(np.meshgrid(side, side), axis=-1), FEW, lr=lr)
    with np.errstate(all="ignore"):
        distance = np.sqrt(((w[..., None, :] - himmelblau.minima) ** 2).sum(axis=-1)).min(axis=-1)
    return float((distance < NEAR).mean())


def _arrived(lr):
    if lr <= 0:
        return "not-positive", ""
    share = share_arrived(float(lr))
    if share >= SHARE:
        return None
    seen = f"After {FEW} steps {share:.1%} of the starts have arrived."
    if lr < UNSTABLE:
        return "too-slow", seen
    return ("one-minimum-lost" if lr < 0.0243 else "all-minima-lost"), seen


_MAKERS = {"A": nesterov, "B": adam, "C": gradient_descent, "D": momentum}


@cache
def four_maps(pixels=80, steps=150):
    """Return four maps of final losses over lr (0 to 5, across) and memory (0 to 0.98, up): {"A": ..., ...}.

    The ground is a ravine whose largest curvature is 1. NaN: the run ended higher than it began.
    """
    ravine, maps = quadratic(condition=10.0), {}
    for letter, rule in _MAKERS.items():
        memory = "beta1" if rule is adam else "beta"
        knobs = {"lr": np.linspace(0.02, 5, pixels)}
        if rule is not gradient_descent:
            knobs = {memory: np.linspace(0, 0.98, pixels)} | knobs
        with np.errstate(all="ignore"):
            loss = ravine(final(rule, ravine, ravine.start, steps, **grid(**knobs)))
            loss = np.where(loss <= ravine(ravine.start), loss, np.nan)
        maps[letter] = np.broadcast_to(loss, (pixels, pixels))
    return maps


exercises = (
    choice(
        "13.predict_edge",
        "map_edge_guess",
        task="The heavy ball in a ravine, lr across, beta up. Where is the edge between converging and "
        "diverging?",
        options={
            "a": "it is a vertical line: beta has no say in it",
            "b": "it leans to the left: more memory allows only a smaller lr",
            "c": "it leans to the right: more memory allows a larger lr",
        },
        answer="c",
        hint="lesson 04 has the formula of the limit.",
        because="The limit is 2(1 + beta)/L: it grows with beta, up to twice that of gradient descent.",
        mistakes=[
            Mistake(
                "vertical",
                "A vertical edge is that of gradient descent, 2/L.",
                "put beta = 0 and beta = 0.9 into the limit of lesson 04.",
                values=("a",),
            ),
            Mistake(
                "leans-left",
                "That is the effective lr: with memory lr/(1 − beta) steps are longer. It is also what "
                "Nesterov's edge does. But the heavy ball's limit does not shrink.",
                "put beta = 0 and beta = 0.9 into the limit of lesson 04.",
                values=("b",),
            ),
        ],
    ),
    function(
        "13.loss_map",
        loss_map,
        inputs=_sweeps,
        task="Write a sweep: `my_loss_map(lrs, betas, curvature, steps)` returns the final loss of the heavy "
        "ball on ½·curvature·w², from w = 1, for every pair, shape `(len(lrs), len(betas))`.",
        hint="give each knob an axis of its own, and let one loop take the steps of all runs at once.",
        because="With an axis for each knob, one loop over the steps is enough, and none over the runs.",
        mistakes=[
            Mistake(
                "damped",
                "Your `m` is an average, the gradient enters with the weight `1 - beta`: the damped form.",
                "in this course the heavy ball's `m` is a sum.",
                [("beta * m + g", "beta * m + (1 - beta) * g")],
            ),
            Mistake(
                "nesterov",
                "Your steps look ahead: this is Nesterov's rule.",
                "the heavy ball's step is lr times `m`, and nothing else.",
                [("lr * m", "lr * (g + beta * m)")],
            ),
            Mistake(
                "no-memory",
                "`m` does not enter the step: this is gradient descent.",
                "which of the two, the gradient or the sum of gradients, moves the ball?",
                [("lr * m", "lr * g")],
            ),
            Mistake(
                "one-step-short",
                "Your runs take one step less than asked for.",
                "how often does your loop turn?",
                [("range(steps)", "range(steps - 1)")],
            ),
            Mistake(
                "one-step-more",
                "Your runs take one step more than asked for.",
                "how often does your loop turn?",
                [("range(steps)", "range(steps + 1)")],
            ),
            Mistake(
                "weights-returned",
                "You return where the runs stand, not their loss.",
                "a map of losses was asked for.",
                [("return 0.5 * curvature * w**2", "return w")],
            ),
            Mistake(
                "half-forgotten",
                "Your loss lacks its factor of one half.",
                "the loss is written in the task.",
                [("0.5 * curvature", "curvature")],
            ),
            Mistake(
                "curvature-forgotten",
                "Your gradient does not know the curvature.",
                "what is the slope of ½·curvature·w²?",
                [("g = curvature * w", "g = w")],
            ),
            Mistake(
                "climbs",
                "You add the step, so the ball goes uphill.",
                "gradients point to where the loss grows.",
                [("w - lr", "w + lr")],
            ),
            Mistake(
                "old-m",
                "The step uses the `m` from before this gradient.",
                "which of the two lines comes first?",
                [
                    (
                        "        m = beta * m + g\n        w = w - lr * m\n",
                        "        w = w - lr * m\n        m = beta * m + g\n",
                    )
                ],
            ),
        ],
    ),
    number(
        "13.edge_lr",
        "edge_lr",
        accept=(0.6732, 0.6868),
        solution="2 * (1 + 0.7) / 5",
        task="A quadratic loss has curvatures 0.2, 1 and 5. "
        "Where is the edge of the heavy ball at beta = 0.7?",
        hint="which curvature sets the limit, and what does memory do to it?",
        because="2(1 + beta)/L with L = 5.",
        mistakes=[
            Mistake(
                "memory-forgotten",
                "This is the edge of gradient descent.",
                "beta enters the limit.",
                values=(0.4,),
            ),
            Mistake(
                "nesterov",
                "This is the edge of Nesterov's rule.",
                "the heavy ball's limit has no divisor with beta in it.",
                values=(2 * 1.7 / (2.4 * 5),),
            ),
            Mistake(
                "smallest-curvature",
                "You used the smallest curvature.",
                "which direction diverges first?",
                values=(17.0,),
            ),
            Mistake(
                "mean-curvature",
                "You used the mean of the curvatures.",
                "which direction diverges first?",
                values=(3.4 / (6.2 / 3),),
            ),
            Mistake(
                "effective-lr",
                "You held lr/(1 − beta) at gradient descent's limit.",
                "the heavy ball's limit is not that of its effective lr.",
                values=(0.4 * 0.3,),
            ),
            Mistake(
                "middle-curvature",
                "You used the curvature 1, which sets the limit in the ravine of the map. Here it does not.",
                "which direction diverges first?",
                values=(3.4,),
            ),
            Mistake(
                "two-forgotten",
                "The factor 2 is missing.",
                "put beta = 0 into your formula: it should give 2/L.",
                values=(0.34,),
            ),
        ],
    ),
    number(
        "13.converging_part",
        "converging_part",
        accept=(0.37, 0.38),
        solution="(2 + 4) / 2 / 8",
        task="A map of the heavy ball on a ravine with L = 1: lr from 0 to 8 across, beta from 0 to 1 up. "
        "Which share of its area converges in the long run?",
        hint="the edge is a straight line; what figure lies to its left?",
        because="The edge runs from lr = 2 at beta = 0 to lr = 4 at beta = 1, so on average it is at 3 of 8.",
        mistakes=[
            Mistake(
                "gradient-descent",
                "This is the share of gradient descent, whose edge is vertical.",
                "beta moves the edge.",
                values=(0.25,),
            ),
            Mistake(
                "top-of-the-edge",
                "You took the edge at beta = 1 for all betas.",
                "the edge is not vertical.",
                values=(0.5,),
            ),
            Mistake(
                "diverging",
                "This is the share that does not converge.",
                "which side of the edge was asked for?",
                values=(0.625,),
            ),
            Mistake(
                "per-cent",
                "That is in per cent. A share lies between 0 and 1.",
                "divide by 100.",
                values=(37.5,),
            ),
            Mistake(
                "not-a-share",
                "This is the area in units of lr times beta.",
                "a share is an area over the area of the whole map.",
                values=(3.0,),
            ),
            Mistake(
                "nesterov",
                "This is the share of Nesterov's rule.",
                "the heavy ball's edge leans the other way.",
                values=((1 + np.log(3) / 2) / 8,),
            ),
        ],
    ),
    choice(
        "13.predict_basins",
        "basins_guess",
        task="Gradient descent on Himmelblau's ground. 2/L is 0.0149 at the minimum C and 0.019 or more at "
        "the others. What becomes of the basin of C at lr = 0.017?",
        options={
            "a": "it becomes larger: longer steps reach C from further away",
            "b": "it stays as it is: minima attract, whatever the lr",
            "c": "nothing arrives at C any more",
        },
        answer="c",
        hint="near a minimum every smooth loss is nearly a quadratic.",
        because="Close to C the loss is nearly a quadratic whose limit is 0.0149: above it C repels.",
        mistakes=[
            Mistake(
                "larger",
                "Longer steps get there sooner, but they cannot stop there.",
                "what does a step above 2/L do close to C?",
                values=("a",),
            ),
            Mistake(
                "as-it-is",
                "A minimum attracts only walks whose steps are short enough for it.",
                "what does a step above 2/L do close to C?",
                values=("b",),
            ),
        ],
    ),
    goal(
        "13.few_steps",
        "few_steps_lr",
        _arrived,
        solution="0.0135",
        task=f"Gradient descent on Himmelblau's ground, 10,000 starts, {FEW} steps. Choose an lr with which "
        f"at least {SHARE:.0%} of them arrive: they stand within 0.05 of a minimum.",
        hint="sweep lr; the theory says how far it is worth looking.",
        because="Just below 2/L of the steepest minimum: the same for all starts, and yet the best.",
        mistakes=[
            Mistake("not-positive", "A step of this lr does not go downhill.", "lr is above 0."),
            Mistake(
                "too-slow",
                "Too many are still on their way or still swinging.",
                "all four minima attract; is every step used well?",
            ),
            Mistake(
                "one-minimum-lost",
                "At this lr not all four minima attract any more.",
                "2/L of the steepest minimum is 0.0149.",
            ),
            Mistake(
                "all-minima-lost",
                "At this lr hardly any minimum attracts.",
                "2/L of the steepest minimum is 0.0149.",
            ),
        ],
    ),
    choice(
        "13.predict_zoom",
        "zoom_guess",
        task="The edge of the heavy ball on Himmelblau's ground, and a window around one of its points that "
        "is made a thousand times as small. What is in it?",
        options={
            "a": "a straight line, as in every smooth curve from close by",
            "b": "as much detail as before",
            "c": "one colour only: the edge has a thickness of 0",
        },
        answer="b",
        hint="the window is around a point of the edge, so both colours are in it.",
        because="Every window holds stripes of both kinds, and its box counts fall faster than a curve's.",
        mistakes=[
            Mistake(
                "straight",
                "That is what happens in the ravine, whose edge is a smooth curve.",
                "are all losses quadratics?",
                values=("a",),
            ),
            Mistake(
                "one-colour",
                "The window is around a point of the edge: both kinds of runs are in it at any size.",
                "what defines a point of the edge?",
                values=("c",),
            ),
        ],
    ),
    diagnosis(
        "13.diagnose",
        "map_diagnosis",
        what="map",
        answer={"A": "nesterov", "B": "adam", "C": "gradient descent", "D": "momentum"},
        labels={
            "gradient descent": "nothing changes from the bottom of the map to its top",
            "momentum": "the edge is a straight line that leans to the right",
            "nesterov": "the edge leans to the left",
            "adam": "there is no edge, but arches and islands of higher losses: steps are about lr long, "
            "so no run flies away",
        },
        look={
            "A": "follow the edge from the bottom to the top.",
            "B": "is there a line beyond which all is lost?",
            "C": "follow one lr from the bottom to the top.",
            "D": "follow the edge from the bottom to the top.",
        },
        task="Give each map A, B, C and D its rule, as a dict. "
        "The rules: `gradient descent`, `momentum`, `nesterov`, `adam`.",
        hint="look at the edge first.",
        because="The edge of a map is the signature of its rule.",
    ),
)
