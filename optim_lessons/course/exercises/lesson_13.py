"""Lesson 13: sweeps, the edge in theory, basins, and whose map it is."""

from functools import cache

import numpy as np

from optim_lessons.adam import adam
from optim_lessons.course.judging.kinds import Choice, Diagnosis, Function, Goal, Number
from optim_lessons.course.judging.words import Page
from optim_lessons.gradient_descent import gradient_descent
from optim_lessons.lab.path import grid
from optim_lessons.lab.sweep import final
from optim_lessons.landscapes import himmelblau, quadratic
from optim_lessons.momentum import momentum
from optim_lessons.nesterov import nesterov

page = Page(__name__)


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
    Choice(page["13.predict_edge"], "map_edge_guess", answer="c"),
    Function(page["13.loss_map"], loss_map, inputs=_sweeps),
    Number(page["13.edge_lr"], "edge_lr", accept=(0.6732, 0.6868), solution="2 * (1 + 0.7) / 5"),
    Number(page["13.converging_part"], "converging_part", accept=(0.37, 0.38), solution="(2 + 4) / 2 / 8"),
    Choice(page["13.predict_basins"], "basins_guess", answer="c"),
    Goal(page["13.few_steps"], "few_steps_lr", _arrived, solution="0.0135"),
    Choice(page["13.predict_zoom"], "zoom_guess", answer="b"),
    Diagnosis(
        page["13.diagnose"],
        "map_diagnosis",
        what="map",
        answer={"A": "nesterov", "B": "adam", "C": "gradient descent", "D": "momentum"},
    ),
)
