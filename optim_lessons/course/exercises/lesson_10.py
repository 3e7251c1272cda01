"""Lesson 10: AdamW, and a decay that holds back. What AdamW shares with Adam, its mistakes share too."""

from functools import cache

import numpy as np

from optim_lessons.course.judging.kinds import Choice, Diagnosis, Goal, Number, Rule
from optim_lessons.course.judging.words import Page
from optim_lessons.studies.overfitting import few_digits, learn, measured
from optim_lessons.weight_decay import adamw

page = Page(__name__)


# "climbs" needs an edit of its own here; "amsgrad" speaks of lesson 08's next exercise.


def cautious(w, g, m=0.0, *, lr=1e-4, beta=0.9, weight_decay=0.01):
    """Step by lr in the sign of an average; let a weight decay only where that step makes it smaller too.

        m ← β·m + (1 − β)·g
        w ← w − lr·sign(m) − lr·weight_decay·w    (the last term only where w has the sign of m)

    Returns w and m. The step: Bernstein et al. 2018, https://arxiv.org/abs/1802.04434
    The decay: Chen et al. 2025, https://arxiv.org/abs/2510.12402 (there a weight whose m is 0 decays too).
    """
    m = beta * m + (1 - beta) * g
    same = np.sign(w) == np.sign(m)
    w = w - lr * np.sign(m) - lr * weight_decay * w * same
    return w, m


# The goal: AdamW on the few digits of the lesson. The tests know the window.
GOAL_LR, GOAL_LOSS = 0.01, 0.85


@cache
def loss_with(weight_decay):
    """Return the loss on training and new images after 100 epochs of AdamW at lr 0.01 on the few digits."""
    few = few_digits()
    with np.errstate(all="ignore"):
        seen = measured(few, learn(few, GOAL_LR, weight_decay))
    return float(seen["train"][-1]), float(seen["validation"][-1])


def _generalises(weight_decay):
    if weight_decay < 0:
        return "negative", ""
    if weight_decay >= 200:
        return "breaks", ""
    train, new = loss_with(float(weight_decay))
    if new <= GOAL_LOSS:
        return None
    seen = f"The loss is {train:.2f} on the training images and {new:.2f} on new ones."
    return ("too-weak" if train < 0.3 else "too-strong"), seen


_RUNS = {"A": (0.01, 10.0), "B": (0.01, 0.0), "C": (0.0003, 0.0), "D": (0.01, 2.0)}


@cache
def four_runs():
    """Return four trainings to diagnose: {"A": {"train": ..., "validation": ..., "size": ...}, ...}."""
    few = few_digits()
    return {letter: measured(few, learn(few, lr, decay)) for letter, (lr, decay) in _RUNS.items()}


exercises = (
    Choice(page["10.predict_mislabelled"], "mislabelled_guess", answer="b"),
    Choice(page["10.predict_pull"], "pull_guess", answer="b"),
    Choice(page["10.predict_dead"], "dead_guess", answer="c"),
    Rule(page["10.adamw"], adamw, points=3),
    Number(page["10.half_life"], "half_life", accept=(6900, 6960), solution="np.log(2) / (0.002 * 0.05)"),
    Number(page["10.decay_for"], "decay_for", accept=(0.2535, 0.2605), solution="np.log(10) / (0.01 * 900)"),
    Number(page["10.largest_weight"], "largest_weight", accept=(24.7, 25.3), solution="1 / 0.04"),
    Choice(page["10.predict_valley"], "valley_guess", answer="b"),
    Goal(page["10.goal"], "goal_decay", _generalises, solution=2.0),
    Diagnosis(
        page["10.diagnose"],
        "decay_diagnosis",
        answer={"A": "too much decay", "B": "no decay", "C": "lr too small", "D": "decay that fits"},
        points=2,
    ),
    Rule(page["10.cautious"], cautious, points=3),
)
