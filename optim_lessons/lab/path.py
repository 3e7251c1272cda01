"""Walk a rule down a loss: step by step, as one array, or as a sweep of many runs at once.

The last axis of the weights is the space; all axes before it are independent runs.
"""

import itertools
import math
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

from optim_lessons.lab.guards import (
    fits,
    gradient,
    refuse_gradient,
    refuse_projection,
    refuse_result,
    refuse_writing,
    same_library,
    start,
)
from optim_lessons.lab.knobs import check_names, check_value, parts
from optim_lessons.lab.nudges import nudged

# Linux's allocator gives each freed array above 128 kB back to the system and gets the next one page by page,
# which took longer than the arithmetic: 64 small networks side by side trained at half the speed. Once it has
# seen a large array freed, it keeps the memory of smaller ones. This one is never touched: it costs nothing.
np.empty(31 * 2**20, dtype=np.uint8)


def grid(**knobs: Any) -> dict[str, np.ndarray]:
    """Lay out a sweep: each knob gets an axis of its own, and a last axis of 1 for the space.

        path(adam, grad, w0, 100, **grid(lr=lrs, beta1=betas))   # shape (101, len(lrs), len(betas), n)

    knobs: one-dimensional arrays of values (or single values). Returns a dict of reshaped arrays.
    """
    axes = {}
    for i, (name, values) in enumerate(knobs.items()):
        axis = values if hasattr(values, "ndim") else np.asarray(values)
        if axis.dtype.kind not in "fiu":
            raise TypeError(
                f"{name} is {values!r}: each axis of a sweep is a list of numbers, not {axis.dtype}"
            )
        values = axis if axis.dtype.kind == "f" else axis.astype(float)
        if values.ndim > 1:
            raise ValueError(f"{name} has shape {values.shape}: each axis of a sweep is a list of values")
        shape = [1] * (len(knobs) + 1)
        shape[i] = values.size
        axes[name] = values.reshape(shape)
    return axes


def path(
    rule: Callable,
    grad: Callable,
    w0: Any,
    steps: int,
    *,
    project: Callable | None = None,
    **knobs: Any,
) -> np.ndarray:
    """Return where the rule goes in a number of steps: shape (steps + 1, ..., n), the start first.

    rule: rule(w, g, *state, **knobs).  grad: a function of w, or of w and t, that returns the gradient.
    w0: start, shape (..., n), float32 or float64; it keeps its dtype.  project: a function applied to w
    after each step.  knobs: numbers, functions of t (the steps taken before: 0, 1, ...), or grid(...).
    A run that leaves the finite numbers is padded with NaN. Raises TypeError or ValueError before the
    first step if a knob, w0 or the gradient is not usable.
    """
    return record(rule, grad, w0, steps, project=project, keep=(), **knobs)["w"]


def record(
    rule: Callable,
    grad: Callable,
    w0: Any,
    steps: int,
    *,
    project: Callable | None = None,
    keep: Sequence[str] | None = None,
    **knobs: Any,
) -> dict[str, np.ndarray]:
    """Return the path and the rule's state beside it, as a dict of arrays: "w", then the state's names.

    keep: the names of the state to keep; all if not given. Everything else is as for `path`.
    """
    if isinstance(steps, bool) or not isinstance(steps, int | np.integer) or steps < 0:
        raise ValueError(f"steps is {steps!r}: the number of steps is a whole number, 0 or more")
    names = list(parts(rule).state)
    unknown = [name for name in keep or () if name not in names]
    if unknown:
        raise ValueError(f"the rule has no state {unknown[0]!r}; its state is {', '.join(names) or 'empty'}")
    w, state, step = _walker(rule, grad, w0, project=project, **knobs)
    kept = [i for i, name in enumerate(names) if keep is None or name in keep]
    ws, *rows = (np.empty_like(w, shape=(steps + 1, *w.shape)) for _ in ("w", *kept))
    columns = list(zip(kept, rows, strict=True))
    ws[0] = w
    for i, values in columns:
        values[0] = state[i]
    end, some_lost = steps + 1, False
    with np.errstate(all="ignore"):  # once: at each step it would take as long as a sum
        for t in range(steps):
            w, state = step(t, w, state)
            if not _all_finite(w):
                if not _any_finite(w):
                    end = t + 1
                    break
                some_lost = True
            ws[t + 1] = w
            if t == 0:
                _check_beside(w, {names[i]: state[i] for i in kept})
            for i, values in columns:
                values[t + 1] = state[i]
    for values in (ws, *rows):
        values[end:] = np.nan
    if some_lost:
        lost = np.cumsum(~np.isfinite(ws).all(axis=-1), axis=0) > 0  # what is lost stays lost
        for values in (ws, *rows):
            values[lost] = np.nan
    return {"w": ws} | {names[i]: values for i, values in columns}


def _check_beside(w, state):
    for name, x in state.items():
        shape = np.shape(x)
        if shape and shape != w.shape and (len(shape) != w.ndim or shape[-1] != 1):  # a sweep's knob fits
            raise ValueError(
                f"the state {name} has shape {shape}, the weights {w.shape}: it does not fit beside them; "
                "name those that do, keep=[...], or walk by iterate"
            )


def iterate(
    rule: Callable, grad: Callable, w0: Any, *, project: Callable | None = None, **knobs: Any
) -> Iterator[tuple]:
    """Yield (w, *state) before the first step and after each one, for as long as a run stays finite.

    Everything else is as for `path`. Reading on later goes on where it stopped.
    """
    point, step = stepper(rule, grad, w0, project=project, **knobs)
    return _walk(point, step)


def _walk(point, step):
    yield tuple(map(_lent, point))
    for t in itertools.count():
        point = step(t, *point)
        if not (_all_finite(point[0]) or _any_finite(point[0])):
            return
        yield tuple(map(_lent, point))


def stepper(
    rule: Callable, grad: Callable, w0: Any, *, project: Callable | None = None, **knobs: Any
) -> tuple[tuple, Callable[..., tuple]]:
    """Return the start (w, *state) and a function that takes one step: step(t, w, *state) is the next point.

    It keeps nothing between two steps, so a walk can go on from any point. Else as for `path`.
    """
    w0, beginning, walker = _walker(rule, grad, w0, project=project, **knobs)

    def step(t, w, *state):
        with np.errstate(all="ignore"):
            w, state = walker(t, w, state)
        return w, *state

    return (w0, *beginning), step


def _walker(rule, grad, w0, *, project=None, **knobs):
    """Return the start, its state and step(t, w, state), as `stepper` does, but NumPy's warnings stay on."""
    check_names(rule, knobs)
    schedules = {name: value for name, value in knobs.items() if callable(value)}
    fixed = {name: check_value(name, value) for name, value in knobs.items() if name not in schedules}
    fixed = {name: value.copy() if np.ndim(value) else value for name, value in fixed.items()}
    first = {name: check_value(name, schedule(0), " at step 0") for name, schedule in schedules.items()}
    w0 = start(w0, fixed | first)
    slope = gradient(grad, w0)
    beginning = list(parts(rule).state.values())
    dtype, shape, count = w0.dtype, w0.shape, len(beginning)

    def scheduled(t, w):
        now = {name: check_value(name, schedule(t), f" at step {t}") for name, schedule in schedules.items()}
        same_library(w, now)
        return fixed | now

    # Nearly all arrays are of the weights' own kind, which is quickly seen; at whichever step one is not, it
    # is looked at closely.
    def step(t, w, state):
        kind, lent_w = type(w), _lent(w)
        g = slope(lent_w, t)
        if not ((type(g) is kind and g.dtype is dtype and g.shape == shape) or fits(g, w)):
            refuse_gradient(g, w, t)
        lent = [_lent(x) for x in (nudged(g), *state)]
        try:
            new = rule(lent_w, *lent, **(scheduled(t, w) if schedules else fixed))
        except ValueError as error:
            if "read-only" in str(error):
                refuse_writing(rule, error)
            raise
        new_w, *state = new if isinstance(new, tuple) else (new,)
        same = type(new_w) is kind and new_w.dtype is dtype and new_w.shape == shape
        if len(state) != count or not (same or fits(new_w, w)):
            refuse_result(rule, new, shape)
        w = new_w if same else _cast(new_w, dtype)
        for i, x in enumerate(state):
            if getattr(x, "dtype", dtype) is not dtype:
                state[i] = _cast(x, dtype)
        if project is not None:
            inside = project(w.copy())
            if not fits(inside, w):
                refuse_projection(inside, shape)
            w = np.where(np.isfinite(w), _cast(inside, dtype), w)  # a box does not heal a lost run
        return w, state

    return w0, beginning, step


def _lent(x):
    """Return an array as a view that cannot be written to: whoever keeps the old weights keeps them."""
    if isinstance(x, np.ndarray):
        x = x.view()
        x.setflags(False)
    return x


def _all_finite(w):
    if type(w) is np.ndarray and w.ndim == 1 and len(w) < 20:  # for so few, NumPy's call is all the time
        return all(map(math.isfinite, w.tolist()))
    return np.isfinite(w).all() if w.ndim else math.isfinite(w)


def _any_finite(w):
    return w.ndim > 1 and np.isfinite(w).all(axis=-1).any()


def _cast(x, dtype):
    if getattr(x, "dtype", dtype) == dtype or x.dtype.kind != "f":
        return x
    return x.astype(dtype)
