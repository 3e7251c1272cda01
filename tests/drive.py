"""Drives explorers without a browser: to the corners and to random points of their controls.

The tests of a notebook call `drive_all()` in its kernel, after its last cell.
"""

import gc
import itertools
import random
import re
import warnings

import numpy as np

from optim_lessons.lab.controls import SWITCH, WHOLE
from optim_lessons.lab.explore import Explorer

POINTS = 4
CORNERS = 16  # of controls that have more, so many of them by chance
UNITS = "step|epoch|run|image|point|seed|walk|weight|test"  # "1 steps" is not English


def drive_all():
    """Drive every explorer that is open in this process; return how many there are."""
    # Not isinstance: it asks each object for its class, and some of PyTorch's warn whoever asks.
    explorers = [thing for thing in gc.get_objects() if issubclass(type(thing), Explorer) and thing.comm]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        # The oldest Matplotlib that is supported calls what a newer pyparsing has renamed.
        warnings.filterwarnings("ignore", category=DeprecationWarning, module="matplotlib|pyparsing")
        for explorer in explorers:
            drive(explorer)
    return len(explorers)


def drive(explorer):
    """Draw an explorer's picture at corners of its controls' box and at random points, and look at each."""
    for name, control in explorer.controls.items():
        for a, b in (control.stops[:2], control.stops[-2:]):
            shown = {picture(explorer, explorer.values | {name: value}) for value in (a, b)}
            assert len(shown) == 2, f"{name}: {a} and {b} give the same picture"
    everywhere = [*corners(explorer), *somewhere(explorer)]
    for values in sorted(
        everywhere, key=lambda values: repr([values[name] for name in explorer.scene.still])
    ):
        picture(explorer, values)  # a change of a still knob builds the picture anew
    explorer.set(**values)  # the same through the controls themselves
    assert explorer.problem == ""


def picture(explorer, values):
    """Record a picture, assert that it is a sound one with a sound reading, and return what it paints."""
    live = explorer.live
    reading, numbers = live.frame(values)
    assert reading, values
    assert not re.search(r"\b(nan|inf)\b", reading), f"{values}: {reading}"
    assert not re.search(rf"(?<![\w.,])1 ({UNITS})s\b", reading), f"{values}: {reading}"
    assert len(numbers) > 3, f"{values}: there is nothing that moves in the picture"
    for axes in live.figure.axes:
        assert np.isfinite([*axes.get_xlim(), *axes.get_ylim()]).all(), f"{values}: an axis goes to infinity"
        points = [line.get_xydata() for line in axes.lines if line.get_visible() and len(line.get_xdata())]
        assert not points or np.isfinite(np.concatenate(points)).all(axis=-1).any(), f"{values}: no point"
    if live.book.size > 20_000_000:
        live.restart()
    ground, under, *_ = numbers
    layers = live.book.news()["layers"]
    return layers[ground], layers[under], numbers.tobytes()


def corners(explorer):
    """Return the values at the corners of the controls' box, or at some of very many."""
    sides = ((control.stops[0], control.stops[-1]) for control in explorer.controls.values())
    found = [dict(zip(explorer.controls, corner, strict=True)) for corner in itertools.product(*sides)]
    return found if len(found) <= CORNERS else random.Random(0).sample(found, CORNERS)


def somewhere(explorer, points=POINTS):
    """Yield random values of the controls."""
    rng = np.random.default_rng(0)
    for _ in range(points):
        yield {name: _one_of(control, rng) for name, control in explorer.controls.items()}


def _one_of(control, rng):
    """Return a stop, or now and then a number between the stops, as a reader may type it."""
    stop = control.stops[rng.integers(len(control.stops))]
    if control.kind in (SWITCH, WHOLE) or not isinstance(stop, float) or rng.uniform() < 0.7:
        return stop
    near = stop * rng.uniform(0.9, 1.1)
    return near if control.kind == "number" and control.stops[0] <= near <= control.stops[-1] else stop
