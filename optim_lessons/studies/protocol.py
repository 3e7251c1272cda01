"""Lesson 11's races: the protocol, written before the runs, and the results that it gave.

print(protocol())                                # in words, from the very values that the runs used
table = results()                                # assets/races.npz, made by assets/make_races.py
table["digits, softmax", "cosine", "adam"]       # a Row
"""

import functools
import textwrap
from dataclasses import dataclass, field

import numpy as np

from optim_lessons.adagrad import adagrad
from optim_lessons.adam import adam
from optim_lessons.choosing import choose, counted, draw
from optim_lessons.gradient_descent import gradient_descent
from optim_lessons.lab import datasets
from optim_lessons.lab.kept import kept
from optim_lessons.lab.models import linear, mlp, softmax
from optim_lessons.lab.races import Entrant, Problem
from optim_lessons.lab.shipped import shipped
from optim_lessons.momentum import momentum
from optim_lessons.nesterov import nesterov
from optim_lessons.rmsprop import rmsprop
from optim_lessons.schedules import cosine
from optim_lessons.weight_decay import adamw

LR = (1e-4, 10.0)
# What may be chosen: rule → knob → (low, high). The lr is the same for all, whatever their habits.
RANGES = {
    gradient_descent: {"lr": LR},
    momentum: {"lr": LR, "beta": (0.5, 0.99)},
    nesterov: {"lr": LR, "beta": (0.5, 0.99)},
    adagrad: {"lr": LR, "eps": (1e-8, 1.0)},
    rmsprop: {"lr": LR, "beta": (0.9, 0.999), "eps": (1e-8, 1.0)},
    adam: {"lr": LR, "beta1": (0.5, 0.99), "beta2": (0.9, 0.999), "eps": (1e-8, 1.0)},
}
RANGES[adamw] = RANGES[adam] | {"weight_decay": (1e-3, 10.0)}
RULES = {rule.__name__: rule for rule in RANGES}
SCHEDULES = {"constant": None, "cosine": cosine}
TRIALS = 48
TUNING_SEEDS = range(3)
FRESH_SEEDS = range(100, 110)
SWEEP = np.geomspace(*LR, 21)  # four learning rates per decade, all other knobs at their defaults
GOOD = 1.1  # a learning rate is good if its loss is at most so many times the lowest


def problems():
    """Return the problems by name, in the order of the lesson."""
    return {name: problem(name) for name in PROBLEMS}


@functools.cache
def problem(name):
    """Return one of the problems."""
    data, model, epochs, batch = PROBLEMS[name]
    data = data()
    return Problem(name, model(*data.train), data.validation, data.test, epochs=epochs, batch=batch)


def _network(*sizes, **options):
    return lambda X, y: mlp(X, y, sizes=(X.shape[1], *sizes), **options)


def _raw_tumours():
    return datasets.breast_cancer(scaled=False)


def _letters():
    return datasets.next_character(characters=6000)


# name → data, model, epochs, batch
PROBLEMS = {
    "diabetes, linear": (datasets.diabetes, linear, 10, 16),
    "diabetes, network": (datasets.diabetes, _network(32, 1, loss="squared"), 10, 16),
    "tumours, scaled": (datasets.breast_cancer, softmax, 10, 16),
    "tumours, raw": (_raw_tumours, softmax, 10, 16),
    "rare features": (datasets.rare_features, softmax, 10, 32),
    "digits, softmax": (datasets.digits, softmax, 10, 32),
    "digits, small network": (datasets.digits, _network(32, 10), 10, 32),
    "digits, large network": (datasets.digits, _network(128, 64, 10, activation="relu"), 10, 32),
    "next character": (_letters, _network(32, 27), 5, 64),
}


def field_of(schedule, trials=TRIALS, seed=0):
    """Return the tuning field: rule's name → Entrant with its trials."""
    return {
        name: Entrant(rule, draw(RANGES[rule], trials, seed), SCHEDULES[schedule])
        for name, rule in RULES.items()
    }


def sweep_of(schedule):
    """Return the field in which lr alone is swept: rule's name → Entrant."""
    return {name: Entrant(rule, {"lr": SWEEP}, SCHEDULES[schedule]) for name, rule in RULES.items()}


def protocol():
    """Return the protocol in words. Every number in it is the one that the runs used."""
    lines = [
        f"Rules: {', '.join(RULES)}; each with the lr {' and with the lr '.join(_SCHEDULE_WORDS.values())}.",
        *(f"    {name}: {_ranges(RANGES[rule])}" for name, rule in RULES.items()),
        f"Budget: {TRIALS} trials for each rule on each problem, drawn log-uniformly (betas by 1 - beta).",
        f"Tuning: every trial trains with the seeds {_span(TUNING_SEEDS)}; start and order of the examples "
        "come from the seed, the same for all rules.",
        "Choice: the lowest mean loss on the validation part after the last epoch. A trial that lost a run "
        "cannot be chosen.",
        f"Race: the chosen trial trains again with the fresh seeds {_span(FRESH_SEEDS)}. Then the test part "
        "is opened, once for each chosen trial.",
        "Lost: a run that leaves the finite numbers, or ends above its start, counts as its start.",
        "Compared: paired differences over the fresh seeds, with a 95% bootstrap interval; if it holds 0, "
        "a tie.",
        "Target: the validation loss that six of the ten fresh runs of tuned gradient descent with "
        "constant lr end at or below.",
        f"Width: decades of lr whose loss is at most {GOOD:g} times the lowest, other knobs at defaults; "
        f"{len(SWEEP)} learning rates from {SWEEP[0]:g} to {SWEEP[-1]:g}, seeds {_span(TUNING_SEEDS)}.",
        "Problems (examples to train / validation / test; weights; steps):",
        *(f"    {name}: {_size(problem)}" for name, problem in problems().items()),
    ]
    return "\n".join(
        textwrap.fill(line, 100, subsequent_indent="    ", break_on_hyphens=False) for line in lines
    )


_SCHEDULE_WORDS = {"constant": "constant", "cosine": "falling to 0 in half a cosine"}


def _span(seeds):
    return f"{seeds[0]} to {seeds[-1]}"


def _ranges(ranges):
    return ", ".join(f"{name} {low:g} to {high:g}" for name, (low, high) in ranges.items())


def _size(problem):
    parts = (problem.net.X, problem.validation.X, problem.test.X)
    return f"{' / '.join(str(len(X)) for X in parts)}; {problem.net.n:,}; {problem.steps}"


@dataclass(frozen=True, eq=False)
class Row:
    """What became of one rule with one schedule on one problem.

    tuning: final validation loss, shape (trials, seeds).  sweep: the same where lr alone was swept,
    shape (lrs, seeds).  curve: validation loss of the chosen trial, shape (epochs + 1, fresh seeds).
    test_loss, test_accuracy, train_loss: of the chosen trial at the end, shape (fresh seeds,). NaN: lost.
    """

    problem: str
    schedule: str
    rule: str
    tuning: np.ndarray = field(repr=False)
    sweep: np.ndarray = field(repr=False)
    curve: np.ndarray = field(repr=False)
    test_loss: np.ndarray = field(repr=False)
    test_accuracy: np.ndarray = field(repr=False)
    train_loss: np.ndarray = field(repr=False)

    @property
    def start(self):
        """The mean loss before the first step."""
        return float(self.curve[0].mean())

    @property
    def knobs(self):
        """All trials: knob → values, shape (trials,)."""
        return draw(RANGES[RULES[self.rule]], len(self.tuning))

    @property
    def winner(self):
        """The knobs of the chosen trial, or None if every trial lost a run."""
        best = choose(self.tuning)
        return None if best is None else {name: values[best] for name, values in self.knobs.items()}

    @property
    def trials(self):
        """The trials' losses as they count: the mean over the seeds, shape (trials,)."""
        return counted(self.tuning, self.start).mean(axis=1)

    @property
    def swept(self):
        """The swept losses as they count: the mean over the seeds, shape (lrs,)."""
        return counted(self.sweep, self.start).mean(axis=1)

    @property
    def test(self):
        """The test losses as they count, shape (fresh seeds,)."""
        return counted(self.test_loss, self.start)


FIELDS = ("tuning", "sweep", "curve", "test_loss", "test_accuracy", "train_loss")


@functools.cache
def results():
    """Return the results of the races: (problem, schedule, rule) → Row."""
    with np.load(shipped("assets") / "races.npz") as file:
        arrays = {name: kept(file[name].astype(float)) for name in FIELDS}
    rows = {}
    for p, name in enumerate(PROBLEMS):
        epochs = PROBLEMS[name][2]
        for s, schedule in enumerate(SCHEDULES):
            for r, rule in enumerate(RULES):
                own = {key: values[p, s, r] for key, values in arrays.items()}
                own["curve"] = own["curve"][: epochs + 1]
                rows[name, schedule, rule] = Row(name, schedule, rule, **own)
    return rows
