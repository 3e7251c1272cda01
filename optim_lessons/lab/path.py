"""Walk a rule down a loss: step by step, as one array, or as a sweep of many runs at once.

The last axis of the weights is the space; all axes before it are independent runs.
"""

import inspect
import itertools

import numpy as np

from optim_lessons.lab.knobs import check_names, check_value, parts

# Linux's allocator gives each freed array above 128 kB back to the system and gets the next one page by page,
# which took longer than the arithmetic: 64 small networks side by side trained at half the speed. Once it has
# seen a large array freed, it keeps the memory of smaller ones. This one is never touched: it costs nothing.
np.empty(31 * 2**20, dtype=np.uint8)


def grid(**knobs):
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
        values = axis
        if values.ndim > 1:
            raise ValueError(f"{name} has shape {values.shape}: each axis of a sweep is a list of values")
        shape = [1] * (len(knobs) + 1)
        shape[i] = values.size
        axes[name] = values.reshape(shape)
    return axes


def path(rule, grad, w0, steps, *, project=None, **knobs):
    """Return where the rule goes in a number of steps: shape (steps + 1, ..., n), the start first.

    rule: rule(w, g, *state, **knobs).  grad: a function of w, or of w and t, that returns the gradient.
    w0: start, shape (..., n), float32 or float64; it keeps its dtype.  project: a function applied to w
    after each step.  knobs: numbers, functions of t (the steps taken before: 0, 1, ...), or grid(...).
    A run that leaves the finite numbers is padded with NaN. Raises TypeError or ValueError before the
    first step if a knob, w0 or the gradient is not usable.
    """
    return record(rule, grad, w0, steps, project=project, keep=(), **knobs)["w"]


def record(rule, grad, w0, steps, *, project=None, keep=None, **knobs):
    """Return the path and the rule's state beside it, as a dict of arrays: "w", then the state's names.

    keep: the names of the state to keep; all if not given. Everything else is as for `path`.
    """
    if isinstance(steps, bool) or not isinstance(steps, int | np.integer) or steps < 0:
        raise ValueError(f"steps is {steps!r}: the number of steps is a whole number, 0 or more")
    names = list(parts(rule).state)
    unknown = [name for name in keep or () if name not in names]
    if unknown:
        raise ValueError(f"the rule has no state {unknown[0]!r}; its state is {', '.join(names) or 'empty'}")
    walk = iterate(rule, grad, w0, project=project, **knobs)
    w, *state = next(walk)
    kept = {"w": 0} | {name: i for i, name in enumerate(names, 1) if keep is None or name in keep}
    history = {name: np.full_like(w, np.nan, shape=(steps + 1, *w.shape)) for name in kept}
    for t, point in enumerate(itertools.chain([(w, *state)], itertools.islice(walk, steps))):
        for name, i in kept.items():
            history[name][t] = point[i]
    lost = ~np.isfinite(history["w"]).all(axis=-1) if w.ndim else ~np.isfinite(history["w"])
    if lost.any():
        lost = np.cumsum(lost, axis=0) > 0  # what is lost stays lost
        for values in history.values():
            values[lost] = np.nan
    return history


def iterate(rule, grad, w0, *, project=None, **knobs):
    """Yield (w, *state) before the first step and after each one, for as long as a run stays finite.

    Everything else is as for `path`. Reading on later goes on where it stopped.
    """
    start, step = stepper(rule, grad, w0, project=project, **knobs)
    return _walk(start, step)


def _walk(point, step):
    yield point
    for t in itertools.count():
        point = step(t, *point)
        if not _any_finite(point[0]):
            return
        yield point


def stepper(rule, grad, w0, *, project=None, **knobs):
    """Return the start (w, *state) and a function that takes one step: step(t, w, *state) is the next point.

    It keeps nothing between two steps, so a walk can go on from any point. Else as for `path`.
    """
    check_names(rule, knobs)
    schedules = {name: value for name, value in knobs.items() if callable(value)}
    fixed = {name: check_value(name, value) for name, value in knobs.items() if name not in schedules}
    fixed = {name: value.copy() if np.ndim(value) else value for name, value in fixed.items()}
    w0 = _start(w0, fixed)
    slope = _gradient(grad, w0)
    start = parts(rule).state
    dtype, shape = w0.dtype, w0.shape

    def step(t, w, *state):
        with np.errstate(all="ignore"):
            g = slope(w, t)
            if not _fits(g, w):
                _refuse_gradient(g, w, t)
            now = {
                name: check_value(name, schedule(t), f" at step {t}") for name, schedule in schedules.items()
            }
            _same_library(w, now)
            new = rule(w, g, *state, **fixed, **now)
            new_w, *state = new if isinstance(new, tuple) else (new,)
            if not _fits(new_w, w) or len(state) != len(start):
                _refuse_result(rule, new, shape)
            w, *state = (_cast(x, dtype) for x in (new_w, *state))
            if project is not None:
                inside = project(w)
                if not _fits(inside, w):
                    _refuse_projection(inside, shape)
                w = np.where(np.isfinite(w), _cast(inside, dtype), w)  # a box does not heal a lost run
        return (w, *state)

    return (w0, *start.values()), step


def _start(w0, fixed):
    if not hasattr(w0, "ndim") or isinstance(w0, np.generic):
        w0 = np.asarray(w0)
    if w0.dtype.kind in "iub":
        raise TypeError(
            f"w0 holds {w0.dtype} numbers: whole numbers cannot take small steps; write {_as_floats(w0)}"
        )
    if w0.dtype.kind != "f":
        raise TypeError(f"w0 holds {w0.dtype} numbers: weights are real numbers, float32 or float64")
    if w0.dtype.itemsize < 4:
        raise TypeError(
            f"w0 is {w0.dtype}: squares of small gradients round to zero there; use float32 or float64"
        )
    _same_library(w0, fixed)
    for name, value in fixed.items():
        if np.ndim(value) and value.shape[-1] != 1:
            raise ValueError(
                f"{name} has shape {value.shape}, but its last axis (the space) must be 1: "
                f"to sweep, write **grid({name}=...)"
            )
    try:
        shape = np.broadcast_shapes(w0.shape, *(np.shape(value) for value in fixed.values()))
    except ValueError as error:
        shapes = ", ".join(f"{name} {np.shape(value)}" for name, value in fixed.items() if np.ndim(value))
        raise ValueError(
            f"the runs do not fit together: w0 has shape {w0.shape}, {shapes}; "
            "all knobs of one sweep go into one grid(...)"
        ) from error
    if not np.isfinite(w0).all():
        raise ValueError("w0 holds NaN or infinity: a path needs a finite start")
    return np.broadcast_to(w0, shape).copy()


def _any_finite(w):
    finite = np.isfinite(w)
    return finite.all() or (w.ndim > 1 and finite.all(axis=-1).any())


def _as_floats(w0):
    return w0.astype(float).tolist() if w0.size <= 4 else "w0.astype(float)"


def _library(x):
    """Return the name of the library an array belongs to: "numpy", "cupy", ..."""
    return "numpy" if isinstance(x, np.ndarray | np.generic) else type(x).__module__.partition(".")[0]


def _same_library(w, knobs):
    for name, value in knobs.items():
        if np.ndim(value) and _library(value) != _library(w):
            raise TypeError(
                f"{name} is a {_library(value)} array, the weights are a {_library(w)} array: nothing moves "
                "between CPU and GPU behind your back; make both with the same library"
            )


def _fits(x, w):
    """Say whether x can stand beside the weights: the same shape and library, real numbers, enough digits."""
    if type(x) is not type(w) and (not hasattr(x, "dtype") or _library(x) != _library(w)):
        return False
    return x.shape == w.shape and x.dtype.kind == "f" and x.dtype.itemsize >= 4


def _gradient(grad, w):
    """Return grad as a function of (w, t), tried once where w[0] and w[..., 0] could be mixed up."""
    if not callable(grad):
        raise TypeError(
            f"the gradient is {type(grad).__name__}: give a function of w, such as landscape.grad"
        )
    slope = grad if _takes_t(grad) else lambda w, t: grad(w)
    if w.ndim > 1:
        _try_one_more_axis(slope, w)
    return slope


def _try_one_more_axis(slope, w):
    # With as many runs as coordinates, w[0] gives the right shape and the wrong numbers; one axis more
    # tells them apart.
    try:
        with np.errstate(all="ignore"):
            g = slope(w[None], 0)
    except IndexError as error:
        raise ValueError(_LAST_AXIS.format(w.shape)) from error
    if w.shape[0] == w.shape[-1] and hasattr(g, "shape") and g.shape != (1, *w.shape):
        raise ValueError(_LAST_AXIS.format(w.shape))


_LAST_AXIS = (
    "The weights have shape {}: the last axis is the space, the axes before it are runs. "
    "In the gradient write w[..., 0] where you wrote w[0], and np.stack([...], axis=-1)."
)


def _takes_t(grad):
    try:
        parameters = list(inspect.signature(grad).parameters.values())
    except (TypeError, ValueError):  # some built-in functions have no signature
        return False
    positional = [p for p in parameters if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]
    return len(positional) > 1 and (
        positional[1].default is inspect.Parameter.empty or positional[1].name == "t"
    )


def _refuse_gradient(g, w, t):
    if not hasattr(g, "dtype"):
        raise TypeError(
            f"the gradient is a {type(g).__name__}: return an array of shape {w.shape}, as np.array([...])"
        )
    if g.shape != w.shape:
        hint = " " + _LAST_AXIS.format(w.shape) if w.ndim > 1 else ""
        raise ValueError(
            f"the gradient at step {t} has shape {g.shape}, the weights {w.shape}: "
            f"there is one slope for each weight, and shapes are never broadcast.{hint}"
        )
    if _library(g) != _library(w):
        raise TypeError(
            f"the gradient at step {t} is a {_library(g)} array, the weights are a {_library(w)} array: "
            "nothing moves between CPU and GPU behind your back"
        )
    if g.dtype == np.float16:
        raise TypeError(
            f"the gradient at step {t} is float16: squares of small gradients round to zero there; "
            "use float32 or float64"
        )
    raise TypeError(
        f"the gradient at step {t} holds {g.dtype} numbers: slopes are real numbers, float32 or float64"
    )


def _refuse_result(rule, new, shape):
    name = getattr(rule, "__name__", "the rule")
    w, *state = new if isinstance(new, tuple) else (new,)
    if w is None or w is ...:
        raise NotImplementedError(f"{name} returned {w}: it is not written yet, or a return is missing")
    expected = ", ".join(["w", *parts(rule).state])
    if not hasattr(w, "dtype"):
        raise TypeError(
            f"{name} returned a {type(w).__name__}, but its signature promises arrays: return {expected}"
        )
    if len(state) != len(parts(rule).state):
        raise ValueError(
            f"{name} returned {1 + len(state)} value(s), but its signature promises "
            f"{1 + len(parts(rule).state)}: return {expected}"
        )
    if w.shape != shape:
        raise ValueError(f"{name} returned weights of shape {w.shape}, but was given {shape}: keep the shape")
    raise TypeError(f"{name} returned weights of {w.dtype}: they are real numbers, float32 or float64")


def _refuse_projection(w, shape):
    if not hasattr(w, "dtype"):
        raise TypeError(f"the projection returned {w!r}: return the projected weights, as np.clip(w, -1, 1)")
    raise ValueError(
        f"the projection returned {w.dtype} weights of shape {w.shape}, not floats of shape {shape}"
    )


def _cast(x, dtype):
    if getattr(x, "dtype", dtype) == dtype or x.dtype.kind != "f":
        return x
    return x.astype(dtype)
