"""Real data without a network, in fixed parts for training, validation and test. scikit-learn's one door."""

import functools
import math
from typing import NamedTuple

import numpy as np


class Part(NamedTuple):
    """Examples X, shape (examples, features), and what is to be predicted, y: `X, y = data.train`."""

    X: np.ndarray
    y: np.ndarray


class Dataset(NamedTuple):
    """A data set in three parts that never change: fit on train, choose by validation, report on test.

    names: the features, or what the classes stand for. The arrays are read-only: X.copy() is yours.
    """

    name: str
    train: Part
    validation: Part
    test: Part

    @property
    def all(self):
        """The three parts together."""
        return Part(*map(np.concatenate, zip(self.train, self.validation, self.test, strict=True)))


@functools.cache
def digits(*, scaled=True):
    """Return 1,797 handwritten digits, 8 × 8 pixels, 10 classes: 1,077 to train, 360 and 360 held out.

    scaled: each pixel has mean 0 over the training part, and all together standard deviation 1; else 0 to
    16. Pixels share a unit, so they share a scale: one that is nearly always blank stays unimportant.
    """
    X, y = _sklearn("load_digits")
    return _split("digits", X, y, _centred if scaled else None)


@functools.cache
def breast_cancer(*, scaled=True):
    """Return 569 tumours by 30 measurements, 2 classes (0 malignant, 1 benign).

    scaled: each measurement has mean 0 and standard deviation 1 over the training part; else as
    measured, from 0.001 to 4,000, which makes least squares a ravine.
    """
    X, y = _sklearn("load_breast_cancer")
    return _split("breast cancer", X, y, _standardised if scaled else None)


@functools.cache
def diabetes(*, scaled=True):
    """Return 442 patients by 10 measurements and the progress of their disease a year later: regression.

    scaled: measurements and progress have mean 0 and standard deviation 1 over the training part.
    """
    X, y = _sklearn("load_diabetes", scaled=False)
    data = _split("diabetes", X, y, _standardised if scaled else None)
    if not scaled:
        return data
    mean, std = data.train.y.mean(), data.train.y.std()
    return Dataset(data.name, *(_part(X, (y - mean) / std) for X, y in data[1:]))


def _sklearn(loader, **options):
    from sklearn import datasets

    return getattr(datasets, loader)(return_X_y=True, **options)


def _split(name, X, y, scale):
    """Shuffle once and for all, then cut: a fifth for test, a fifth for validation, the rest to train."""
    order = np.random.default_rng(0).permutation(len(X))
    held_out = math.ceil(len(X) / 5)
    test, validation, train = np.split(order, [held_out, 2 * held_out])
    X = scale(X, X[train]) if scale else X
    return Dataset(name, *(_part(X[i], y[i]) for i in (train, validation, test)))


def _standardised(X, train):
    std = train.std(axis=0)
    return (X - train.mean(axis=0)) / np.where(std > 0, std, 1)


def _centred(X, train):
    return (X - train.mean(axis=0)) / (train - train.mean(axis=0)).std()


def _part(X, y):
    for a in (X, y):
        a.flags.writeable = False  # every caller gets the same arrays
    return Part(X, y)
