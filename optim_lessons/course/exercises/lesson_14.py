"""Lesson 14: the tail, signs, axes, singular values, and which rule gets which part of a network."""

from functools import cache

import numpy as np

from optim_lessons.beyond_adam import by_layer, lion, muon, shampoo
from optim_lessons.course.judging.answers import read_pair
from optim_lessons.course.judging.kinds import Choice, Diagnosis, Function, Goal, Number, Rule
from optim_lessons.course.judging.words import Page
from optim_lessons.gradient_descent import gradient_descent
from optim_lessons.lab.fair import last_tenth
from optim_lessons.lab.path import path
from optim_lessons.studies import scaling
from optim_lessons.weight_decay import adamw

page = Page(__name__)


def newton_schulz_step(X, a, b, c, d):
    """Return a·X + b·A·X + c·A²·X + d·A³·X with A = X·Xᵀ: a step on the singular values of one matrix."""
    A = X @ X.T
    return a * X + (b * A + c * A @ A + d * A @ A @ A) @ X


def _matrices(rng):
    def case(*shape):
        return 0.5 * rng.standard_normal(shape), *rng.standard_normal(4)

    return {
        "for a square matrix": case(3, 3),
        "for a wide matrix": case(2, 4),
        "for a tall matrix": case(4, 2),
        "for one row": case(1, 5),
        "for one column": case(5, 1),
        "for a matrix that is 0 everywhere": (np.zeros((2, 3)), *rng.standard_normal(4)),
        "for a matrix of rank one": (np.outer(*rng.standard_normal((2, 3))), *rng.standard_normal(4)),
    }


def unit_lion(w, g, m=0.0, *, lr=1e-2, beta1=0.9, beta2=0.99, weight_decay=0.1):
    """Step by lr along an average, whatever its length, with Lion's two memories and its decay.

        c = β₁·m + (1 − β₁)·g
        w ← w − lr·weight_decay·w − lr·c/max(‖c‖, 1e-7)
        m ← β₂·m + (1 − β₂)·g

    Returns w and m. Between Lion, which has the largest number for ‖c‖, and Muon, which has the largest
    singular value. Source: the family of Pethick et al. 2025, https://arxiv.org/abs/2502.07529
    """
    c = beta1 * m + (1 - beta1) * g
    length = np.sqrt((c * c).sum(axis=-1, keepdims=True))
    w = w - lr * weight_decay * w - lr * c / np.maximum(length, 1e-7)
    m = beta2 * m + (1 - beta2) * g
    return w, m


# The goal: a rule for the hidden matrix, another one for the rest.
STEPS, BATCH, REACHED = 20, 128, 0.05


@cache
def loss_within(lr, lr_rest):
    """Return the mean loss over the last tenth of the steps, the mean of four seeds."""
    net, seeds = scaling.small_network(), range(4)
    rule, grad = by_layer(muon, adamw, net), net.batch_grad(BATCH, list(seeds))
    with np.errstate(all="ignore"):
        ws = path(rule, grad, net.init(seeds, np.float32), STEPS, lr=lr, lr_rest=lr_rest)
        return float(np.mean([net(w).mean() for w in last_tenth(ws)]))


def _budget(pair):
    lr, rest = map(float, pair)
    if min(lr, rest) <= 0:
        return "not-positive", ""
    loss = loss_within(lr, rest)
    if loss <= REACHED:
        return None
    seen = f"After {STEPS} steps the loss is {loss:.3f}." if np.isfinite(loss) else "The run is lost."
    # Which of the two is further from where both do well?
    if abs(np.log(lr / 0.2)) >= abs(np.log(rest / 0.1)):
        return ("lr-too-small" if lr < 0.2 else "lr-too-large"), seen
    return ("rest-too-small" if rest < 0.1 else "rest-too-large"), seen


PARTS = dict.fromkeys("ABCDEF", "AdamW") | dict.fromkeys("BD", "Muon")
RULES = {"A": "Muon", "B": "gradient descent", "C": "Shampoo", "D": "Lion"}


@cache
def four_steps():
    """Return letter → the singular values of a rule's step on one gradient, over the largest of them."""
    rng = np.random.default_rng(14)
    left, right = (np.linalg.qr(rng.standard_normal((8, 8)))[0] for _ in range(2))
    g, w = (left * 0.4 ** np.arange(8)) @ right, np.zeros((8, 8))
    steps = {
        "gradient descent": gradient_descent(w, g, lr=1.0),
        "Lion": lion(w, g, lr=1.0)[0],
        "Muon": muon(w, g, lr=1.0)[0],
        "Shampoo": shampoo(w, g, lr=1.0)[0],
    }
    values = {name: np.linalg.svd(step)[1] for name, step in steps.items()}
    return {letter: values[name] / values[name][0] for letter, name in RULES.items()}


exercises = (
    Choice(page["14.predict_tail"], "tail_guess", answer="b"),
    Number(page["14.lion_decay"], "lion_decay", accept=(0.495, 0.505), solution="0.1 / 0.2"),
    Choice(page["14.predict_turn"], "axes_guess", answer="c"),
    Number(
        page["14.singular_value"],
        "two_steps",
        accept=(0.2345, 0.2405),
        solution="3.4445 * 0.068852 - 4.775 * 0.068852**3",
    ),
    Function(page["14.newton_schulz_step"], newton_schulz_step, inputs=_matrices),
    Choice(page["14.predict_duel"], "duel_guess", answer="b"),
    Choice(page["14.predict_half"], "half_guess", answer="c"),
    Diagnosis(page["14.layers"], "who_gets_what", answer=PARTS, what="part"),
    Number(
        page["14.first_part"],
        "first_part",
        accept=(0.033, 0.03367),
        solution="0.1**2 / (0.1**2 + 0.2**2 + 0.3**2 + 0.4**2)",
    ),
    Rule(page["14.unit_lion"], unit_lion, points=3),
    Goal(page["14.budget"], "lr_and_lr_rest", _budget, solution="0.2, 0.1", read=read_pair),
    Diagnosis(page["14.diagnose"], "who_stepped", answer=RULES, what="step", points=2),
)
