"""Fair numbers: a best value that knows its range, arrivals that last, walks that stay on the map.

A best value at the end of its range is a fact about the range. A walk that crosses the goal has not arrived.
"""

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

_listeners: list[list] = []


@dataclass(frozen=True)
class Best:
    """The lowest score of a tried range, and where it was found; printed, it says when that is at an end.

    knobs: name → the best value.  index: its place, a number (for several knobs a tuple).  score: how low.
    edges: name → "lowest" or "highest", for each knob whose range ends at the best value.
    tried: name → how many values were tried.  tied: the knobs whose highest value is as good as the best
    one, which is a lower one.
    """

    knobs: dict
    index: int | tuple
    score: float
    edges: dict
    tried: dict
    tied: frozenset = frozenset()

    @property
    def value(self) -> float:
        """The best value, where one knob was tried."""
        (value,) = self.knobs.values()
        return value

    @property
    def at_edge(self) -> bool:
        """Whether the best value stands at an end of its range: a wider one might hold a better."""
        return bool(self.edges)

    @property
    def short(self) -> str:
        """The best value in two digits, where one knob was tried: `0.32`, or `10 (the highest tried)`."""
        up_to = "as good up to " if self.tied else ""
        return f"{self.value:.2g}" + "".join(f" ({up_to}the {end} tried)" for end in self.edges.values())

    def __str__(self) -> str:
        """Say it in words: `lr 0.32`, or `lr 10, the highest of 40 tried`."""
        words = []
        for name, value in self.knobs.items():
            up_to = "and as good up to " if name in self.tied else ""
            edge = (
                f", {up_to}the {self.edges[name]} of {self.tried[name]} tried" if name in self.edges else ""
            )
            words.append(f"{name} {value:.3g}{edge}")
        return "; ".join(words) if self.at_edge else ", ".join(words)


def best_of(scores: Any, *, limits: Any = None, **knobs: Any) -> Best:
    """Return the `Best` of a tried range: the lowest score, the first of them if several are as low.

        best = best_of(losses, lr=lrs)
        best.value, best.index, best.at_edge, str(best)

    scores: shape (len(values), ...), one axis for each knob, in their order; NaN and infinity are never best.
    knobs: name → the values that were tried, rising.  limits: name → (lowest, highest) that a knob can be;
    there is nothing beyond, so a best value there is at no edge. 0 is always such a limit.
    An end whose score is as low as the best counts as best too. Raises ValueError if no score is finite.
    """
    scores = np.asarray(scores, dtype=float)
    values = {name: np.asarray(tried, dtype=float) for name, tried in knobs.items()}
    if not values or scores.shape != tuple(len(tried) for tried in values.values()):
        expected = ", ".join(f"{len(tried)} for {name}" for name, tried in values.items())
        raise ValueError(
            f"the scores have shape {scores.shape}: one axis for each knob, {expected or 'none given'}"
        )
    for name, tried in values.items():
        if not (np.diff(tried) > 0).all():
            raise ValueError(f"{name} is {tried}: the values of a range rise, or its ends mean nothing")
    finite = np.where(np.isfinite(scores), scores, np.inf)
    if not np.isfinite(finite).any():
        raise ValueError(f"none of the {scores.size} scores is finite: there is no best among them")
    index = np.unravel_index(finite.argmin(), finite.shape)
    found = {name: float(tried[i]) for (name, tried), i in zip(values.items(), index, strict=True)}
    edges = _edges(values, finite, (limits or {}))
    best = Best(
        knobs=found,
        index=int(index[0]) if len(index) == 1 else tuple(int(i) for i in index),
        score=float(finite[index]),
        edges=edges,
        tried={name: len(tried) for name, tried in values.items()},
        tied=frozenset(
            name for name, end in edges.items() if end == "highest" and found[name] < values[name][-1]
        ),
    )
    for heard in _listeners:
        heard.append(best)
    return best


def _edges(values, scores, limits):
    edges = {}
    for axis, (name, tried) in enumerate(values.items()):
        ends = scores.take([0, -1], axis).min(axis=tuple(i for i in range(scores.ndim) if i != axis))
        lowest, highest = limits.get(name, (0, np.inf))
        if len(tried) > 1 and ends[0] <= scores.min() and tried[0] not in (0, lowest):
            edges[name] = "lowest"
        elif len(tried) > 1 and ends[1] <= scores.min() and tried[-1] != highest:
            edges[name] = "highest"
    return edges


@contextlib.contextmanager
def every_best() -> Iterator[list[Best]]:
    """Yield a list that gets each `Best` chosen inside the with-block: for an audit of what it runs."""
    heard = []
    _listeners.append(heard)
    try:
        yield heard
    finally:
        _listeners.remove(heard)


def nearest(values, x: float) -> int:
    """Return the index of the tried value that is nearest to x, as logarithms."""
    return int(np.abs(np.log(np.asarray(values) / x)).argmin())


def last_tenth(losses: np.ndarray) -> np.ndarray:
    """Return the last tenth of the rows, at least one: what an oscillating run is judged by."""
    return losses[-max(1, len(losses) // 10) :]


def settled(losses: np.ndarray) -> Any:
    """Return the worst loss of the last tenth of the rows, per run; NaN for a run that is lost there.

    losses: shape (rows, ...), the start first. For a mean in its place: last_tenth(losses).mean(axis=0).
    """
    return np.max(last_tenth(losses), axis=0)


def stays_below(losses: np.ndarray, level: float) -> Any:
    """Return the first row from which a run stays at or below a level to its end; infinity if it does not.

    losses: shape (rows, ...), the start first. The last row alone may be a lucky one: to judge an arrival
    within a budget, walk on well past it.
    """
    losses = np.asarray(losses)
    above = ~(losses <= level)  # NaN is above
    row = len(losses) - np.argmax(above[::-1], axis=0)
    row = np.where(above.any(axis=0), row, 0)
    return np.where(row < len(losses), row, np.inf)[()]


def stays_inside(ws: np.ndarray, box: Any) -> np.ndarray:
    """Return which walks stay in a box at every step; outside it their landscape may mean nothing.

    ws: shape (steps + 1, ..., 2).  box: ((x0, x1), (y0, y1)).  A walk that is lost (NaN) has left.
    """
    low, high = np.transpose(box)
    with np.errstate(invalid="ignore"):
        return ((ws >= low) & (ws <= high)).all(axis=(0, -1))
