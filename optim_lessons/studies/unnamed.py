"""What lesson 12 gives to diagnose: twelve broken runs and four gradients, without their names."""

import functools

import numpy as np

from optim_lessons.lab import datasets
from optim_lessons.lab.kept import kept
from optim_lessons.lab.models import mlp
from optim_lessons.studies.broken import BROKEN, FAULTS, faulty, sick

# A letter's place among the causes and the faults: a number tells nobody what it stands for.
_RUNS = {"A": 4, "B": 5, "C": 3, "D": 0, "E": 2, "F": 1, "G": 10, "H": 8, "I": 11, "J": 6, "K": 7, "L": 9}
_GRADIENTS = {"P": 4, "Q": 2, "R": 0, "S": 3}


@functools.cache
def first_six():
    """Return the first six broken runs: letter → readings of the bench."""
    return _runs("ABCDEF")


@functools.cache
def second_six():
    """Return the other six broken runs: letter → readings of the bench."""
    return _runs("GHIJKL")


def _runs(letters):
    runs = {letter: sick(list(BROKEN)[_RUNS[letter]]) for letter in letters}
    kept(*(x for readings in runs.values() for x in readings.values() if isinstance(x, np.ndarray)))
    return runs


@functools.cache
def four_gradients():
    """Return a network of 610 weights on 20 digits, and four gradients of it: letter → function of w.

    One of them is right. In each of the others one block is wrong: weights or biases of one layer.
    """
    X, y = datasets.digits().train
    net = mlp(X[:20], y[:20], sizes=(64, 8, 10))

    def made(fault):
        slope = faulty(net, lambda w, t: net.grad(w), fault)
        return lambda w: slope(w, 0)

    return net, {letter: made(list(FAULTS)[place]) for letter, place in _GRADIENTS.items()}
