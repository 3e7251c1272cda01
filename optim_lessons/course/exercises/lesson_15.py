"""Lesson 15: what lr, batch, schedule and memory become when things grow."""

from functools import cache

import numpy as np

from optim_lessons.course.judging.answers import read_pair
from optim_lessons.course.judging.kinds import Choice, Diagnosis, Function, Goal, Number
from optim_lessons.course.judging.words import Page
from optim_lessons.gradient_descent import gradient_descent
from optim_lessons.lab.fair import last_tenth
from optim_lessons.lab.path import path
from optim_lessons.studies import scaling as study

page = Page(__name__)

# The goal: SGD within a budget of steps and of examples.
STEPS, EXAMPLES, REACHED = 40, 1600, 0.1


@cache
def loss_within(batch, lr):
    """Return SGD's mean loss over the last tenth of 40 steps, the mean of four seeds."""
    net, seeds = study.small_network(), range(4)
    grad = net.batch_grad(batch, list(seeds))
    with np.errstate(all="ignore"):
        ws = path(gradient_descent, grad, net.init(seeds, np.float32), STEPS, lr=lr)
        return float(np.mean([net(w).mean() for w in last_tenth(ws)]))


def _budget(pair):
    batch, lr = pair
    if not (batch >= 1 and float(batch).is_integer()):
        return "no-batch", ""
    if lr <= 0:
        return "not-positive", ""
    if batch * STEPS > EXAMPLES:
        return "too-many-examples", f"{STEPS} steps of {batch:.0f} are {STEPS * batch:,.0f} examples."
    loss = loss_within(int(batch), float(lr))
    if loss <= REACHED:
        return None
    seen = f"After {STEPS} steps the loss is {loss:.3f}." if np.isfinite(loss) else "The run is lost."
    if batch < 28:  # no lr is enough for these
        return "batch-too-small", seen
    return ("lr-too-small" if lr < 1.6 else "lr-too-large"), seen


def accumulated(gradients, counts):
    """Return the gradient of a whole batch from those of its parts, each the mean over its examples.

    gradients: one row for each part, shape (parts, n).  counts: how many examples each had, shape (parts,).
    """
    counts = np.asarray(counts)[:, None]
    return (counts * gradients).sum(axis=0) / counts.sum()


def _parts(rng):
    def case(*counts):
        return rng.standard_normal((len(counts), 4)), np.array(counts)

    return {
        "with two equal parts": case(8, 8),
        "with a last part that is smaller": case(16, 16, 16, 3),
        "with parts of any size": case(5, 1, 30, 7, 2),
        "with a part of no examples": case(4, 0, 9),
        "with one part": case(6),
    }


# Four trainings of the same network; in each something happens at step 200.
HAPPENINGS = {
    "A": "one bad batch",
    "B": "the lr begins to fall",
    "C": "the lr becomes four times as large",
    "D": "the batch becomes eight times as large",
}
TURN, LAST = 200, 400


@cache
def four_trainings():
    """Return letter → the loss and the length of the batch's gradient at every fourth step."""
    net = study.penalised()
    small, large = net.batch_grad(16, 3), net.batch_grad(128, 3)
    runs = {}
    for letter in HAPPENINGS:
        lengths = []

        def grad(w, t, letter=letter, lengths=lengths):
            g = (large if letter == "D" and t >= TURN else small)(w, t)
            if letter == "A" and t == TURN:
                g = np.float32(30) * g
            lengths.append(float(np.sqrt((g * g).sum())))
            return g

        late = {"B": lambda t: max(0.0, (LAST - t) / (LAST - TURN)), "C": lambda t: 4.0}
        shape = late.get(letter, lambda t: 1.0)
        lr = lambda t, shape=shape: 0.8 * (shape(t) if t >= TURN else 1.0)  # noqa: E731
        ws = path(gradient_descent, grad, net.init(3, np.float32), LAST, lr=lr)
        runs[letter] = net(ws[::4]), np.array(lengths)[::4]
    return runs


exercises = (
    Choice(page["15.predict_width"], "width_guess", answer="b"),
    Number(
        page["15.transfer"],
        "wide_lr",
        accept=(0.00149, 0.00151),
        solution="0.012 * 192 / 1536",
        near=0.012,
    ),
    Function(page["15.accumulated"], accumulated, inputs=_parts),
    Number(page["15.examples"], "examples_factor", accept=(3.98, 4.02), solution="1 + 450 / 150"),
    Choice(page["15.predict_end"], "end_guess", answer="b"),
    Goal(page["15.budget"], "batch_and_lr", _budget, solution="40, 1.2", read=read_pair),
    Choice(page["15.unseen_rule"], "unseen_power", answer="c"),
    Number(
        page["15.spike_step"],
        "spike_step",
        accept=(2.1, 2.125),
        solution="(0.2 * 50 + 0.8) / np.sqrt(0.01 * 50**2 + 0.99)",
    ),
    Number(
        page["15.memory"],
        "gigabytes",
        accept=(26.9, 27.4),
        solution="3 * (2 + 2 + 4 + 1 + 4 / 64)",
        near=0.015,
    ),
    Diagnosis(page["15.diagnose"], "happenings", answer=HAPPENINGS, points=2),
)
