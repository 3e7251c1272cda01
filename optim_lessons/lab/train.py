"""Training on minibatches: one run or many side by side, with a history, and able to go on after a stop.

run = train(adam, net, epochs=10, lr=0.01, validation=data.validation, test=data.test)
run.history["test_accuracy"]

runs = train(adam, net, **grid(seed=range(5), lr=[1e-3, 1e-2]))   # 5 × 2 runs at once
"""

import contextlib
import math
import types
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import DTypeLike

from optim_lessons.lab.knobs import check_value, parts
from optim_lessons.lab.models import Model, as_seeds, check_data
from optim_lessons.lab.path import stepper


@dataclass(frozen=True, eq=False)
class Run:
    """Where a training stands; everything in it belongs to the same step. `resume(run)` goes on from it.

    w: weights, shape (..., n).  state: the rule's state, by name.  t: steps taken.
    history: arrays with a row for the start and for each epoch: "t", "train_loss", "train_accuracy" and,
    for parts that were given, "validation_..." and "test_...". Losses are without the penalty.
    failures: of runs that left the finite numbers, by index, what happened at which step. They keep the
    weights from before that step, and NaN in the history after it.
    reason: why the training stopped, in words.
    """

    w: np.ndarray
    state: dict
    t: int
    history: dict
    failures: dict
    reason: str
    _plan: "_Plan" = field(repr=False)

    def __repr__(self):
        """Show the reason, not the arrays."""
        return f"Run(w of shape {self.w.shape}, t={self.t}, reason={self.reason!r})"


class _Plan(NamedTuple):
    """What stays the same all through a training."""

    step: Callable  # (t, w, *state) → the gradient at w, and the next (w, *state)
    measure: Callable  # (w, *state) → losses and accuracies by name
    per_epoch: int
    epochs: int
    names: tuple  # of the state
    progress: bool


class _Point(NamedTuple):
    """What belongs to one step. It is replaced as a whole: no interrupt can come between its parts."""

    t: int
    w: np.ndarray
    state: tuple
    failures: dict
    rows: tuple


def train(
    rule: Callable,
    net: Model,
    *,
    epochs: int = 10,
    batch: int = 32,
    seed: Any = 0,
    w0: Any = None,
    dtype: DTypeLike = np.float32,
    validation: Sequence[np.ndarray] | None = None,
    test: Sequence[np.ndarray] | None = None,
    clip: Any = None,
    measured: Callable | None = None,
    progress: bool = True,
    **knobs: Any,
) -> Run:
    """Train a model by a rule on minibatches, and return the Run: weights, history and the reason it stopped.

    epochs: passes over the data.  batch: examples per step.  seed: of the start and the batches, or an
    axis of seeds.  w0: the start, instead of net.init(seed, dtype).  validation, test: pairs (X, y) to
    measure.  clip: the largest length of a gradient; longer ones are shortened to it.  measured: a function
    of (w, *state) that returns the weights to measure, where they are not w, as `averaged` of Schedule-Free.
    progress: show a bar if it takes more than a second.  knobs: numbers, functions of t, or an axis, from
    grid(...).
    Stopping the kernel ends the training and not your program: the Run says so, and `resume` goes on.
    Raises TypeError or ValueError before the first step if something does not fit.
    """
    _check_epochs(epochs)
    own = {"rule", "net", *(train.__kwdefaults__ or ())} & set(parts(rule).knobs)
    if own:
        raise TypeError(f"the rule's knob {own.pop()!r} is an option of train: give the knob another name")
    held_out = {"validation": validation, "test": test}
    held_out = {name: _checked(net, name, part) for name, part in held_out.items() if part is not None}
    slope, seen = net.batch_grad(batch, seed), {}
    if clip is not None:
        clip = _check_clip(clip)

    def grad(w, t):
        g = seen["g"] = slope(w, t)
        return g if clip is None else clipped(g, clip)

    def measure(w, *state):
        w = w if measured is None else measured(w, *state)
        row = _name("train", net.measure(w))
        for name, part in held_out.items():
            row |= _name(name, net.measure(w, *part))
        return row

    def step(t, w, *state):
        new = walk(t, w, *state)
        return seen["g"], new

    w0 = net.init(seed, dtype) if w0 is None else w0
    w0 = _stretched(w0, seed=as_seeds(seed)[..., None], clip=clip, l2=net.l2)
    net.layers(w0)  # refuses a wrong number of weights
    plain = getattr(rule, "func", rule)  # of functools.partial
    if getattr(plain, "axes", 1) > 1:  # it would take many runs side by side for a matrix
        rule(np.zeros(net.n), np.zeros(net.n))  # says what it takes instead
    (w, *state), walk = stepper(rule, grad, w0, **knobs)
    per_epoch = math.ceil(len(net.X) / batch)
    plan = _Plan(step, measure, per_epoch, epochs, tuple(parts(rule).state), progress)
    return _go(plan, _Point(0, w, tuple(state), {}, ()))


def resume(run: Run, epochs: int | None = None) -> Run:
    """Go on with a training, exactly as if it had not stopped, and return the new Run.

    epochs: how many there are to be in all; as many as planned if not given.
    """
    plan = run._plan
    if epochs is not None:
        _check_epochs(epochs)
        plan = plan._replace(epochs=epochs)
    rows = [dict(zip(run.history, row, strict=True)) for row in zip(*run.history.values(), strict=True)]
    return _go(plan, _Point(run.t, run.w, tuple(run.state.values()), run.failures, tuple(rows)))


def clipped(g: np.ndarray, clip: Any) -> np.ndarray:
    """Return the gradient, shortened to the length clip where it is longer; its direction stays."""
    length = np.sqrt((g * g).sum(axis=-1, keepdims=True))
    return g * (clip / np.maximum(length, clip))


def _go(plan, point):
    """Walk on from a point to the end of the last epoch, to a failure of all runs, or to an interrupt."""
    total = plan.epochs * plan.per_epoch
    with np.errstate(all="ignore"):  # out here, an interrupt cannot leave the warnings off
        try:
            with _bar(plan.progress, point.t, total) as bar:
                while not _all_lost(point):
                    t, rows = point.t, point.rows
                    if t % plan.per_epoch == 0 and (not rows or rows[-1]["t"] < t):
                        point = point._replace(rows=(*rows, _row(plan, point)))
                    if t >= total:
                        break
                    point = _next(plan, point)
                    bar.update(point.t - t)
            reason = f"done: {point.t} steps" if not _all_lost(point) else ""
        except KeyboardInterrupt:
            reason = f"interrupted after {point.t} of {total} steps: resume(run) goes on"
    return _run(plan, point, reason)


def _next(plan, point):
    """Take one step. A run whose gradient or weights are not finite stays where it was, for good."""
    t, w, state, failures, rows = point
    g, (new_w, *new_state) = plan.step(t, w, *state)
    if failures or not (np.isfinite(g).all() and np.isfinite(new_w).all()):
        lost = ~(np.isfinite(g) & np.isfinite(new_w)).all(axis=-1)
        new = [run for run in np.ndindex(lost.shape) if lost[run] and run not in failures]
        failures = failures | {run: _what(t, g[run], new_w[run]) for run in new}
        if len(failures) == lost.size:
            return point._replace(failures=failures)
        for run in failures:
            lost[run] = True
        new_w, *new_state = (
            np.where(lost[..., None], a, b) if np.shape(b) == w.shape else b
            for a, b in zip((w, *state), (new_w, *new_state), strict=True)
        )
    return _Point(t + 1, new_w, tuple(new_state), failures, rows)


def _what(t, g, w):
    """Say what left the finite numbers at step t, and where."""
    name, values, why = ("gradient", g, "")
    if np.isfinite(g).all():
        name, values, why = ("weight", w, "; a smaller lr may help")
    i = int(np.argmin(np.isfinite(values)))
    kept = f"the weights after step {t - 1} are kept" if t else "the weights are those of the start"
    return f"at step {t} the {name} at coordinate {i} is {float(values[i])}: {kept}{why}"


def _all_lost(point):
    return len(point.failures) == math.prod(point.w.shape[:-1])


def _row(plan, point):
    row = plan.measure(point.w, *point.state)
    for values in row.values():
        for run in point.failures:
            values[run] = np.nan
    return {"t": point.t, **row}


def _name(part, measured):
    loss, accuracy = measured
    return {f"{part}_loss": loss} | ({} if accuracy is None else {f"{part}_accuracy": accuracy})


def _run(plan, point, reason):
    t, w, state, failures, rows = point
    if failures:
        run, what = next(iter(failures.items()))
        lost = f"{len(failures)} of {math.prod(w.shape[:-1])} runs left the finite numbers, run {run} first: "
        reason = "; ".join(filter(None, [reason, (lost if run else "") + what]))
    history = {name: np.stack([row[name] for row in rows]) for name in (rows[0] if rows else ())}
    history = history or {"t": np.array([], dtype=int)}  # interrupted before the first row
    return Run(w, dict(zip(plan.names, state, strict=True)), t, history, failures, reason, plan)


def _bar(progress, done, total):
    if not progress:
        return contextlib.nullcontext(types.SimpleNamespace(update=lambda steps: None))
    from tqdm import tqdm

    return tqdm(total=total, initial=done, unit=" steps", delay=1)  # a short training shows no bar


def _stretched(w0, **axes):
    """Return w0 with an axis for each axis of runs that the knobs of training have."""
    shapes = {name: np.shape(values) for name, values in {"w0": w0, **axes}.items()}
    try:
        return np.broadcast_to(w0, np.broadcast_shapes(*shapes.values()))
    except ValueError as error:
        listed = ", ".join(f"{name} {shape}" for name, shape in shapes.items() if shape not in ((), (1,)))
        raise ValueError(f"the runs do not fit together: {listed}; all axes go into one grid(...)") from error


def _check_epochs(epochs):
    if isinstance(epochs, bool) or not isinstance(epochs, int | np.integer) or epochs < 1:
        raise ValueError(
            f"epochs is {epochs!r}: the number of passes over the data is a whole number from 1 on"
        )


def _check_clip(clip):
    clip = check_value("clip", clip)
    if np.any(clip <= 0):
        raise ValueError(f"clip is {clip}: it is the largest length of a gradient, so it is above 0")
    return clip


def _checked(net, name, part):
    if not isinstance(part, tuple | list) or len(part) != 2:
        raise TypeError(f"{name} is no pair, but a {type(part).__name__}: give (X, y), such as data.{name}")
    try:
        check_data(net, *part)
    except (TypeError, ValueError) as error:
        raise type(error)(f"{name}: {error}") from None
    return part
