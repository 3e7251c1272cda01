"""The edge between runs that stay and runs that go: its points, windows on it, box counts, its dimension."""

from functools import cache

import numpy as np

from optim_lessons.lab.sweep import final
from optim_lessons.landscapes import himmelblau, rosenbrock
from optim_lessons.momentum import momentum
from optim_lessons.studies.maps import GROUNDS

PLACES = {  # name → (rule, landscape, knobs across and up, their ranges, where on the second one we zoom)
    "ravine": (momentum, GROUNDS["ravine"], ("lr", "beta"), ((0.5, 4.5), (0.0, 0.95)), 0.5),
    "Rosenbrock": (momentum, rosenbrock, ("lr", "beta"), ((1e-3, 7e-3), (0.3, 0.95)), 0.75),
    "Himmelblau": (momentum, himmelblau, ("lr", "beta"), ((0.01, 0.035), (0.0, 0.95)), 0.4),
}
EDGE_STEPS, EDGE_PIXELS, FAR = 300, 128, 1e3


def stays(place, across, up, steps=EDGE_STEPS, dtype=float):
    """Return whether runs are still within 1,000 of the origin after so many steps.

    across, up: values of the two knobs, one run for each pair; they broadcast.
    """
    rule, landscape, names, *_ = PLACES[place]
    knobs = {name: np.asarray(x)[..., None] for name, x in zip(names, (across, up), strict=True)}
    w = final(rule, landscape, landscape.start.astype(dtype), steps, **knobs)
    return np.abs(w).max(axis=-1) < FAR


@cache
def on_the_edge(place, steps=EDGE_STEPS):
    """Return a point of the edge, to the last digit: two knobs between a run that stays and one that goes.

    Each round tries 62 values between the two at once, and keeps two neighbours that differ.
    """
    (low, high), y = PLACES[place][3][0], PLACES[place][4]
    for _ in range(10):
        xs = np.linspace(low, high, 64)
        inside = stays(place, xs, np.full_like(xs, y), steps)
        last = int(np.flatnonzero(inside[:-1] & ~inside[1:])[0])
        low, high = xs[last], xs[last + 1]
    return float(low), y


def window(place, zoom):
    """Return the values of both knobs in a window around a point of the edge, 2**zoom times as small."""
    x, y = on_the_edge(place)
    (x0, x1), (y0, y1) = PLACES[place][3]
    side = np.linspace(-0.5, 0.5, EDGE_PIXELS) / 2.0**zoom
    return np.clip(x + (x1 - x0) * side, 0, None), np.clip(y + (y1 - y0) * side, 0, 0.999)


def edge_map(place, dtype=float):
    """Return which runs stay, over the whole range of a place's two knobs, shape (rows, columns)."""
    xs, ys = (np.linspace(*side, EDGE_PIXELS) for side in PLACES[place][3])
    return stays(place, xs[None, :], ys[:, None], dtype=dtype)


def mixed_boxes(inside, size):
    """Return how many boxes of size × size pixels hold runs of both kinds."""
    rows, columns = (n // size for n in inside.shape)
    boxes = inside[: rows * size, : columns * size].reshape(rows, size, columns, size)
    return int((boxes.any(axis=(1, 3)) & ~boxes.all(axis=(1, 3))).sum())


def uncertain(place, eps, n=4000, seed=0, steps=EDGE_STEPS):
    """Return how many of n random runs turn out otherwise when a knob moves by eps (of its range).

    eps: a small number.  The points are new ones for each eps, so that counts are independent.
    """
    rng = np.random.default_rng([seed, int(-np.log2(eps))])
    (x0, x1), (y0, y1) = PLACES[place][3]
    x, y = rng.uniform(0.04, 0.96, size=(2, n))
    angle = rng.uniform(0, 2 * np.pi, size=n)
    here = stays(place, x0 + (x1 - x0) * x, y0 + (y1 - y0) * y, steps)
    x, y = x + eps * np.cos(angle), y + eps * np.sin(angle)
    return int((stays(place, x0 + (x1 - x0) * x, y0 + (y1 - y0) * y, steps) != here).sum())


def dimension(eps, counts):
    """Return the edge's dimension and its standard error from the numbers of uncertain runs.

    The share of uncertain runs falls as eps to the power of 2 − dimension; a straight line is fitted to the
    logarithms, each count weighed by its own error (Grebogi and others, 1983).
    """
    eps, counts = np.asarray(eps, float), np.asarray(counts, float)
    seen = counts >= 10
    fit, cov = np.polyfit(np.log(eps[seen]), np.log(counts[seen]), 1, w=np.sqrt(counts[seen]), cov="unscaled")
    return 2 - fit[0], np.sqrt(cov[0, 0])
