"""Lesson 11's last exercise: a problem that nobody has told you about, and a budget of runs.

    unknown.train("adam", lr=[0.001, 0.01], schedule="cosine", decay=0.1)   # two runs; validation losses
    unknown.spent                                                           # how many runs are gone

What is entered is ranked, by its loss on the test part, in a grid of runs that was computed beforehand.
"""

import functools
import math

import numpy as np

from optim_lessons.choosing import counted
from optim_lessons.lab.datasets import Part
from optim_lessons.lab.kept import kept
from optim_lessons.lab.models import mlp
from optim_lessons.lab.races import Entrant, Problem, race
from optim_lessons.lab.shipped import shipped
from optim_lessons.studies.protocol import RULES, SCHEDULES

BUDGET = 40
PASS = 12  # so many entries of the grid are good enough
GUESS = math.log(4)  # the loss of who knows nothing of the four classes
SEED = 0  # of the learner's runs; the ranking uses others
RANKING_SEEDS = range(200, 205)
LRS = np.geomspace(1e-4, 10.0, 11)
DECAYS = (0.0, 0.01, 0.1, 1.0)


@functools.cache
def problem():
    """Return the problem. Looking at how it is made is like opening the test part."""
    rng = np.random.default_rng(11)
    X = rng.standard_normal((2000, 24)) @ (np.eye(24) + 0.15 * rng.standard_normal((24, 24)))
    hidden = np.tanh(X[:, :8] @ rng.standard_normal((8, 6)) / 2)
    scores = 2.0 * hidden @ rng.standard_normal((6, 4))
    y = scores.argmax(axis=1)
    wrong = rng.random(len(y)) < 0.1
    y = np.where(wrong, rng.integers(4, size=len(y)), y)
    X = X * 10.0 ** rng.uniform(-1.5, 0.5, size=24)  # as if each had another unit
    train, validation, test = (Part(X[a:b], y[a:b]) for a, b in ((0, 300), (300, 700), (700, 2000)))
    return Problem("unknown", mlp(*train, sizes=(24, 32, 4), activation="relu"), validation, test, 20, 16)


class Unknown:
    """The unknown problem, and what has been done with it.

    spent: runs so far.  opened: whether the test part was looked at.  entered: the entry that was ranked.
    start_again: forget all this.
    """

    def __init__(self, budget=BUDGET):
        self.budget = budget
        self.start_again()

    def __repr__(self):
        """Say what has been done."""
        return f"{self.spent} of {self.budget} runs spent; test part {'opened' if self.opened else 'closed'}"

    def start_again(self):
        """Forget the runs: a new attempt, honestly begun."""
        self.spent, self.opened, self.entered = 0, False, None

    def train(self, rule, *, lr, schedule="constant", decay=0.0, part="validation"):
        """Train and return the loss on a held-out part, one for each lr; each is a run of your budget.

        rule: a name, such as "adam".  lr: a number, or a list.  schedule: "constant" or "cosine".
        decay: of the weights; weight_decay for adamw, an L2 penalty for all others.
        part: "validation", or "test" ... A run that was lost has the loss inf.
        """
        made, lrs = entrant(rule, np.atleast_1d(lr), schedule, decay), np.atleast_1d(lr)
        losses = final(made, [SEED], part)[:, 0]
        self.spent += len(lrs)
        self.opened = self.opened or part == "test"
        return np.where(np.isfinite(losses), losses, np.inf)


unknown = Unknown()


def entrant(rule, lr, schedule="constant", decay=0.0):
    """Return the Entrant that these words name; raise ValueError if they name nothing."""
    for what, value, known in (("rule", rule, RULES), ("schedule", schedule, SCHEDULES)):
        if not isinstance(value, str) or value not in known:
            raise ValueError(f"{what} is {value!r}: choose one of {', '.join(known)}")
    for what, values in (("lr", lr), ("decay", decay)):
        if not np.all(np.isfinite(values)) or np.any(np.less(values, 0)):
            raise ValueError(f"{what} is {values}: it is a number, 0 or more")
    name = "weight_decay" if rule == "adamw" else "l2"
    return Entrant(RULES[rule], {"lr": lr, name: decay}, SCHEDULES[schedule])


def final(made, seeds, part):
    """Return the loss on a held-out part at the end of training, shape (trials, seeds)."""
    result = race(problem(), {"one": made}, seeds=list(seeds), part=part, progress=False, n_jobs=1)["one"]
    return result.history[f"{part}_loss"][-1]


def grid():
    """Return every entry of the grid: (rule, schedule, decay, lr), in the order of its losses."""
    return [(r, s, d, float(lr)) for r in RULES for s in SCHEDULES for d in DECAYS for lr in LRS]


def run_grid():
    """Return what assets/make_races.py keeps of the grid: losses on both parts, shape (entries, seeds)."""
    made = [entrant(r, LRS, s, d) for r in RULES for s in SCHEDULES for d in DECAYS]
    return {
        f"unknown_{part}": np.concatenate([final(e, RANKING_SEEDS, part) for e in made])
        for part in ("validation", "test")
    }


@functools.cache
def grid_losses(part="test"):
    """Return the grid's mean losses as they count, shape (entries,)."""
    with np.load(shipped("assets") / "races.npz") as file:
        losses = file[f"unknown_{part}"].astype(float)
    return kept(counted(losses, GUESS).mean(axis=1))


def score(rule, lr, schedule="constant", decay=0.0):
    """Return an entry's mean test loss over the ranking seeds, and its rank in the grid: 1 is the best."""
    losses = final(entrant(rule, lr, schedule, decay), RANKING_SEEDS, "test")[0]
    loss = float(counted(losses, GUESS).mean()) if np.isfinite(losses).all() else math.inf
    return loss, 1 + int(np.sum(grid_losses() < loss))
