"""Drives explorers without a browser: to every corner and to random points of their sliders.

The tests of a notebook call `drive_all()` in its kernel, after its last cell.
"""

import gc
import itertools
import re
import warnings

import numpy as np

from optim_lessons.lab.explore import Explorer

POINTS = 50
UNITS = "step|epoch|run|image|point|seed|walk|weight|test"  # "1 steps" is not English


def drive_all():
    """Drive every explorer that is open in this process; return how many there are."""
    explorers = [thing for thing in gc.get_objects() if isinstance(thing, Explorer) and thing.comm]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        # The oldest Matplotlib that is supported calls what a newer pyparsing has renamed.
        warnings.filterwarnings("ignore", category=DeprecationWarning, module="matplotlib|pyparsing")
        for explorer in explorers:
            drive(explorer)
    return len(explorers)


def drive(explorer):
    """Draw an explorer's picture at each corner of its sliders' box and at random points, and look at it."""
    for name, slider in explorer.sliders.items():
        for a, b in neighbours(slider):
            shown = {picture(explorer, explorer.values | {name: value}) for value in (a, b)}
            assert len(shown) == 2, f"{name}: {a} and {b} give the same picture"
    for values in itertools.chain(corners(explorer), somewhere(explorer)):
        picture(explorer, values)
    explorer.set(**values)  # the same through the sliders themselves
    assert explorer.problem == ""


def picture(explorer, values):
    """Draw a picture, assert that it is a sound one with a sound reading, and return its pixels."""
    live = explorer.picture.live
    reading = live.draw(values)
    assert reading, values
    assert not re.search(r"\b(nan|inf)\b", reading), f"{values}: {reading}"
    assert not re.search(rf"(?<![\w.,])1 ({UNITS})s\b", reading), f"{values}: {reading}"
    pixels = np.asarray(live.figure.canvas.buffer_rgba())
    assert (pixels[..., 3] == 255).all(), values
    assert np.ptp(pixels) > 100, f"{values}: there is nothing in the picture"
    for axes in live.figure.axes:
        assert np.isfinite([*axes.get_xlim(), *axes.get_ylim()]).all(), f"{values}: an axis goes to infinity"
        points = [line.get_xydata() for line in axes.lines if line.get_visible() and len(line.get_xdata())]
        assert not points or np.isfinite(np.concatenate(points)).all(axis=-1).any(), f"{values}: no point"
    return pixels.tobytes()


def corners(explorer):
    """Yield the values at every corner of the sliders' box."""
    sides = ((ends(slider)[0], ends(slider)[-1]) for slider in explorer.sliders.values())
    for corner in itertools.product(*sides):
        yield dict(zip(explorer.sliders, corner, strict=True))


def somewhere(explorer, points=POINTS):
    """Yield random values of the sliders."""
    rng = np.random.default_rng(0)
    for _ in range(points):
        yield {name: _one_of(slider, rng) for name, slider in explorer.sliders.items()}


def ends(slider):
    """Return the values at both ends of a slider, or all choices."""
    if hasattr(slider, "options"):
        return [value for _, value in slider.options]
    return [slider.min, slider.max] if hasattr(slider, "min") else [False, True]


def neighbours(slider):
    """Return pairs of values of a slider that are one key press apart, at both of its ends."""
    values = ends(slider)
    if hasattr(slider, "options") or isinstance(values[0], bool):
        return [values[:2], values[-2:]]
    low, high = values
    return [(low, low + slider.step), (high - slider.step, high)]


def _one_of(slider, rng):
    values = ends(slider)
    if hasattr(slider, "options") or isinstance(values[0], bool):
        return values[rng.integers(len(values))]
    return type(values[0])(rng.uniform(*values))
