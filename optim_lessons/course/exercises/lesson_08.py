"""Lesson 08: Adam and AMSGrad. Most lines are common to both, and so are most mistakes."""

from functools import cache

import numpy as np

from optim_lessons.adam import adam, amsgrad
from optim_lessons.bridge import adam_uncorrected
from optim_lessons.course.judging.kinds import Choice, Diagnosis, Goal, Number, Rule
from optim_lessons.course.judging.words import Page
from optim_lessons.lab.path import path

page = Page(__name__)


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
    Choice(page["08.predict_first_step"], "first_step_guess", answer="c"),
    Rule(page["08.adam"], adam, points=3),
    Number(
        page["08.steady_from"],
        "steady_from",
        accept=(3900, 3945),
        solution="np.log(1 - 1 / 1.01**2) / np.log(0.999)",
    ),
    Number(
        page["08.longest_step"],
        "longest_step",
        accept=(0.0297, 0.0303),
        solution="0.003 * (1 - 0.8) / np.sqrt(1 - 0.9996)",
    ),
    Choice(page["08.predict_scale"], "scale_guess", answer="b"),
    Choice(page["08.predict_turn"], "turn_guess", answer="c"),
    Choice(page["08.predict_reddi"], "reddi_guess", answer="b"),
    Rule(page["08.amsgrad"], amsgrad),
    Number(page["08.reddi_beta2"], "reddi_beta2", accept=(0.307, 0.327), near=0.0005, solution="0.317"),
    Goal(page["08.calm_eps"], "calm_eps", _stays, solution=0.01),
    Diagnosis(
        page["08.diagnose"],
        "adam_diagnosis",
        answer={"A": "beta2 too small", "B": "eps too large", "C": "lr too large", "D": "no correction"},
        points=2,
    ),
    Rule(page["08.nadam"], nadam, name="nadam", points=3),
)
