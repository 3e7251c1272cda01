"""Many runs to their end: nothing on the way is kept, and rule and gradient are one formula.

    final(adam, rosenbrock, rosenbrock.start, 200, **grid(lr=lrs, beta1=betas))    # shape (..., 2)

On a GPU the whole walk of all runs is one kernel. On the CPU it is one compiled loop, if Numba is there and
the sweep is large enough to wait for it; else NumPy's functions on blocks of runs that stay in the cache.
"""

from collections.abc import Callable
from typing import Any

import numpy as np

from optim_lessons.lab.knobs import check_value, parts
from optim_lessons.lab.path import stepper
from optim_lessons.lab.tape.blocks import blocks, share
from optim_lessons.lab.tape.compiled import compiled_walk
from optim_lessons.lab.tape.kernel import launch_walk
from optim_lessons.lab.tape.points import RUN, STEP, WALK, trace_step
from optim_lessons.lab.tape.trace import CannotTrace

BLOCK = 2**14  # runs that are walked together: what they need stays in the cache
SMALL_BLOCK = 2**10  # of the compiled loop
COMPILING_PAYS = 2**26  # steps of all runs: below it compiling takes longer than walking


def final(rule: Callable, landscape: Any, w0: Any, steps: int, **knobs: Any) -> np.ndarray:
    """Return where each run stands after a number of steps: path(...)[-1], without the path.

    rule, w0, steps, knobs: as for `path`.  landscape: what has a `.grad`, or a function of w.
    The result keeps the dtype of w0; a run that left the finite numbers is NaN. Arithmetic on the weights is
    done in their dtype, arithmetic on knobs alone in double precision. What cannot be traced is stepped as
    `path` does; `traceable` says why. Raises TypeError or ValueError as `path` does.
    """
    if isinstance(steps, bool) or not isinstance(steps, int | np.integer) or steps < 0:
        raise ValueError(f"steps is {steps!r}: the number of steps is a whole number, 0 or more")
    grad = getattr(landscape, "grad", landscape)
    point, step = stepper(rule, grad, w0, **knobs)
    w = point[0]
    on_gpu = type(w).__module__.partition(".")[0] == "cupy"
    if not w.ndim or not (on_gpu or type(w) is np.ndarray):
        return _stepped(point, step, steps)
    try:
        traced = _trace(rule, grad, w, knobs)
    except CannotTrace:
        return _stepped(point, step, steps)
    schedules = {name: _checked(name, knobs[name]) for name in traced.schedules}
    table = traced.table(steps, schedules)
    knobs = {name: knobs[name] for name in traced.knobs}
    w = launch_walk(traced, w, table, knobs) if on_gpu else _on_cpu(traced, w, table, knobs)
    return _lost_are_nan(w, np.isfinite(w).all(axis=-1))


def traceable(rule: Callable, landscape: Any, n: int = 2) -> tuple[bool, str]:
    """Return (True, ""), or (False, why a sweep of this rule on this landscape is stepped as `path` does)."""
    try:
        _trace(rule, getattr(landscape, "grad", landscape), np.zeros(n), {})
    except CannotTrace as error:
        return False, str(error)
    return True, ""


def _trace(rule, grad, w, knobs):
    schedules = {name: value for name, value in knobs.items() if callable(value)}
    if any(np.ndim(value(0)) for value in schedules.values()):
        raise CannotTrace("a schedule gives an array, one value for each run")
    fixed = {name: value for name, value in knobs.items() if name not in schedules}
    fixed = {name: value if np.ndim(value) else check_value(name, value) for name, value in fixed.items()}
    try:
        with np.errstate(all="ignore"):
            return trace_step(rule, grad, w.shape[-1], parts(rule).state, fixed, schedules)
    except CannotTrace:
        raise
    except Exception as error:  # what only works on arrays: stepping will tell, if it is a mistake
        raise CannotTrace(
            f"it does not work one weight at a time: {type(error).__name__}: {error}"
        ) from error


def _checked(name, schedule):
    return lambda t: check_value(name, schedule(t), f" at step {t}")


def _stepped(point, step, steps):
    """Walk as `path` does, but keep only where it stands."""
    w, *state = point
    alive = np.isfinite(w).all(axis=-1) if w.ndim else np.isfinite(w)
    for t in range(steps):
        if not alive.any():
            break
        w, *state = step(t, w, *state)
        alive = alive & (np.isfinite(w).all(axis=-1) if w.ndim else np.isfinite(w))
    return _lost_are_nan(w, alive)


def _lost_are_nan(w, alive):
    return np.where(alive[..., None] if w.ndim else alive, w, w.dtype.type(np.nan))


def _on_cpu(step, w, table, knobs):
    """Walk blocks of runs, on all cores."""
    runs, n = w.shape[:-1] or (1,), w.shape[-1]
    ends = np.empty((n, *runs), w.dtype)
    starts = np.moveaxis(w.reshape(*runs, n), -1, 0)
    axes = {name: np.asarray(x[..., 0], float) for name, x in knobs.items()}
    axes = {name: x.reshape((1,) * (len(runs) - x.ndim) + x.shape) for name, x in axes.items()}
    large = len(table) * starts[0].size >= COMPILING_PAYS
    walk = (_compiled(step, w.dtype) if large else None) or _played(step, w.dtype)

    def work(block):
        its = {name: x[_of(block, x.shape)] for name, x in axes.items()}
        for end, x in zip(ends, walk([x[block] for x in starts], table, its), strict=True):
            end[block] = x

    share(work, blocks(runs, BLOCK))
    return np.moveaxis(ends, 0, -1).reshape(w.shape)


def _of(block, shape):
    """Return the block of an array that has a single element on some of the axes of all runs."""
    return tuple(part if size > 1 else slice(None) for part, size in zip(block, shape, strict=False))


def _compiled(step, dtype):
    """Return a function that walks a block of runs in one compiled loop, or None if that does not pay."""
    # A power for each run and step takes longer than all else; NumPy raises the few values of an axis once.
    powers = any(name == "power" and step.level(i) == RUN for i, name, _ in step.body())
    run = None if powers else compiled_walk(step, dtype)
    if run is None:
        return None
    hosts = [float(x) for x in step.hosts]

    def walk(starts, table, knobs):
        shape, size = starts[0].shape, starts[0].size
        flat = [np.array(np.broadcast_to(knobs[name], shape)).reshape(-1) for name in step.knobs]
        registers = [x.flatten() for x in starts]
        registers += [
            np.full(size, step.state[old], dtype if step.level(old) == WALK else float)
            for old in step.carried
            if old >= step.n and step.level(old) > STEP
        ]
        for begin in range(0, size, SMALL_BLOCK):
            some = slice(begin, begin + SMALL_BLOCK)
            run(table, *hosts, *(x[some] for x in flat), *(x[some] for x in registers))
        return [x.reshape(shape) for x in registers[: step.n]]

    return walk


def _played(step, dtype):
    """Return a function that walks a block of runs by NumPy's functions."""
    columns = step.columns()
    carried = {old: new for old, new in step.carried.items() if step.level(old) > STEP}
    once, each = _program(step, dtype, changing={*columns, *carried})

    def walk(starts, table, knobs):
        values = {~k: x for k, x in enumerate(step.hosts)} | dict(enumerate(starts))
        values |= {i: knobs[name] for name, i in step.knobs.items()}
        for old in carried:
            if old >= step.n:
                wide = step.level(old) == WALK
                values[old] = np.full_like(starts[0], step.state[old]) if wide else float(step.state[old])
        with np.errstate(all="ignore"):
            for function, operands, result, _ in once:
                values[result] = function(*[values[i] for i in operands])
            for row in table.tolist():
                values.update(zip(columns, row, strict=False))
                for function, operands, result, done in each:
                    values[result] = function(*[values[i] for i in operands])
                    for i in done:
                        del values[i]
                values.update([(old, values[new]) for old, new in carried.items()])
        return [values[i] for i in range(step.n)]

    return walk


def _program(step, dtype, changing):
    """Return what is to be done once and what in each step: rows (function, operands, result, done with).

    changing: the operands that differ from step to step.
    """
    rows, single = [], dtype == np.float32
    for i, name, operands in step.body():
        wide = step.level(i) == WALK
        if wide and single:  # knobs, and what is made from them, are in double precision up to here
            narrow = [("single", j) if step.level(j) == RUN else j for j in operands]
            known = {row[2] for row in rows}
            rows += [
                (_single, [j], c, [])
                for j, c in zip(operands, narrow, strict=True)
                if c != j and c not in known
            ]
            operands = narrow
        rows.append((_where(dtype) if name == "where" and wide else getattr(np, name), operands, i, []))
    once, each = [], []
    for row in rows:
        is_new = changing.isdisjoint(row[1])
        (once if is_new else each).append(row)
        if not is_new:
            changing = changing | {row[2]}
    made, kept = {row[2] for row in each}, set(step.carried.values())
    for row in reversed(each):
        row[3].extend(i for i in dict.fromkeys(row[1]) if i in made and i not in kept)
        kept.update(row[1])
    return once, each


def _where(dtype):
    return lambda *x: np.where(*x).astype(dtype, copy=False)  # of two plain numbers it makes doubles


def _single(x):
    return np.asarray(x, np.float32)
