"""Real data without a network, in parts that never change. The one door to what scikit-learn brings."""

import functools
import math
import re
from importlib.util import find_spec
from pathlib import Path
from typing import NamedTuple

import numpy as np

from optim_lessons.lab.kept import kept


class Part(NamedTuple):
    """Examples X, shape (examples, features), and what is to be predicted, y: `X, y = data.train`."""

    X: np.ndarray
    y: np.ndarray


class Dataset(NamedTuple):
    """A data set in three parts that never change: fit on train, choose by validation, report on test.

    The arrays are read-only, as every caller gets the same ones: X.copy() is yours.
    """

    name: str
    train: Part
    validation: Part
    test: Part

    @property
    def all(self) -> Part:
        """The three parts together."""
        return Part(*map(np.concatenate, zip(self.train, self.validation, self.test, strict=True)))


@functools.cache
def digits(*, scaled: bool = True) -> Dataset:
    """Return 1,797 handwritten digits, 8 × 8 pixels, 10 classes: 1,077 to train, 360 and 360 held out.

    scaled: each pixel has mean 0 over the training part, and all together standard deviation 1; else 0 to
    16. Pixels share a unit, so they share a scale: one that is nearly always blank stays unimportant.
    """
    table = _table("digits.csv.gz", delimiter=",")
    return _split("digits", table[:, :-1], table[:, -1].astype(int), _centred if scaled else None)


@functools.cache
def breast_cancer(*, scaled: bool = True) -> Dataset:
    """Return 569 tumours by 30 measurements, 2 classes (0 malignant, 1 benign).

    scaled: each measurement has mean 0 and standard deviation 1 over the training part; else as
    measured, from 0.001 to 4,000, which makes least squares a ravine.
    """
    table = _table("breast_cancer.csv", delimiter=",", skiprows=1)
    return _split("breast cancer", table[:, :-1], table[:, -1].astype(int), _standardised if scaled else None)


@functools.cache
def diabetes(*, scaled: bool = True) -> Dataset:
    """Return 442 patients by 10 measurements and the progress of their disease a year later: regression.

    scaled: measurements and progress have mean 0 and standard deviation 1 over the training part.
    """
    X, y = _table("diabetes_data_raw.csv.gz"), _table("diabetes_target.csv.gz")
    data = _split("diabetes", X, y, _standardised if scaled else None)
    if not scaled:
        return data
    mean, std = data.train.y.mean(), data.train.y.std()
    return Dataset(data.name, *(_part(X, (y - mean) / std) for X, y in data[1:]))


@functools.cache
def rare_features(
    *, examples: int = 2000, features: int = 100, rarest: float = 0.005, seed: int = 0
) -> Dataset:
    """Return made-up yes-or-no data, 2 classes: most features are nearly always 0, like words.

    Feature 0 is there in half of the examples, the last one in a share of `rarest`, those between in
    equal ratios. Each one matters as much when it is there. All is drawn from the seed.
    """
    if not 0 < rarest <= 0.5:
        raise ValueError(f"rarest is {rarest}: it is a share of the examples, above 0 and at most 0.5")
    rng = np.random.default_rng(seed)
    shares = np.geomspace(0.5, rarest, features)
    X = (rng.random((examples, features)) < shares).astype(float)
    effects = rng.permutation(np.resize([2.0, -2.0], features))
    score = (X - shares) @ effects
    y = (rng.random(examples) < 1 / (1 + np.exp(-score))).astype(int)
    return _split("rare features", X, y)


ALPHABET = " abcdefghijklmnopqrstuvwxyz"


@functools.cache
def next_character(*, context: int = 3, characters: int = 10_000) -> Dataset:
    """Return English text as a guessing game: given some characters, which of the 27 in ALPHABET is next?

    X: the `context` characters before it, each as 27 numbers, one of them 1.  y: its place in ALPHABET.
    The text is the beginning of Python's own help topics (another Python may word them a little
    differently), in lower case, with everything but letters as single spaces. Parts are in its order.
    """
    text = _help_text()
    if not 1 <= context < characters // 5 or characters > len(text):
        raise ValueError(
            f"context is {context}, characters {characters}: the text has {len(text)} characters, "
            "and a fifth of those taken must be longer than the context"
        )
    cuts = [characters - 2 * (characters // 5), characters - characters // 5]
    train, validation, test = text[: cuts[0]], text[cuts[0] : cuts[1]], text[cuts[1] : characters]
    return Dataset("next character", *(_part(*windows(t, context)) for t in (train, validation, test)))


def windows(text, context=3):
    """Return a text over ALPHABET as a Part: each run of `context` characters, and the one that follows."""
    foreign = sorted(set(text) - set(ALPHABET))
    if foreign or not 1 <= context < len(text):
        problem = f"holds {foreign[0]!r}" if foreign else f"has {len(text)} characters, the context {context}"
        raise ValueError(f"the text {problem}: it needs more than the context, from a to z and spaces alone")
    codes = np.array([ALPHABET.index(c) for c in text])
    X = np.eye(len(ALPHABET))[np.lib.stride_tricks.sliding_window_view(codes, context)[:-1]]
    return Part(X.reshape(len(X), -1), codes[context:])


def _help_text():
    try:
        from pydoc_data.topics import topics
    except ImportError as error:
        message = "this Python came without its help topics (pydoc_data): use one from python.org or conda"
        raise ImportError(message) from error
    text = " ".join(topics[name] for name in sorted(topics))
    return re.sub("[^a-z]+", " ", text.lower()).strip()


def _table(file, **options):
    """Read one of the files that scikit-learn brings. To import it for that would take a second."""
    folder = Path(find_spec("sklearn").origin).parent / "datasets" / "data"
    return np.loadtxt(folder / file, **options)


def _split(name, X, y, scale=None):
    """Shuffle once and for all, then cut: a fifth for test, a fifth for validation, the rest to train."""
    order = np.random.default_rng(0).permutation(len(X))
    held_out = math.ceil(len(X) / 5)
    test, validation, train = np.split(order, [held_out, 2 * held_out])
    X = scale(X, X[train]) if scale else X
    return Dataset(name, *(_part(X[i], y[i]) for i in (train, validation, test)))


def _standardised(X, train):
    return (X - train.mean(axis=0)) / train.std(axis=0)


def _centred(X, train):
    return (X - train.mean(axis=0)) / (train - train.mean(axis=0)).std()


def _part(X, y):
    return Part(*kept(X, y))  # every caller gets the same arrays
