"""What a walk refuses, and in which words: starts, gradients, projections and rules that do not fit."""

import inspect

import numpy as np

from optim_lessons.lab.knobs import parts
from optim_lessons.lab.nudges import nudged


def start(w0, fixed):
    """Return a copy of w0 with all runs of the sweep, or say why no walk can begin there."""
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
    same_library(w0, fixed)
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
    return nudged(np.broadcast_to(w0, shape).copy())


def _as_floats(w0):
    return w0.astype(float).tolist() if w0.size <= 4 else "w0.astype(float)"


def _library(x):
    """Return the name of the library an array belongs to: "numpy", "cupy", ..."""
    return "numpy" if isinstance(x, np.ndarray | np.generic) else type(x).__module__.partition(".")[0]


def same_library(w, knobs):
    """Raise TypeError if the array of a knob lives in another library than the weights."""
    for name, value in knobs.items():
        if np.ndim(value) and _library(value) != _library(w):
            raise TypeError(
                f"{name} is a {_library(value)} array, the weights are a {_library(w)} array: nothing moves "
                "between CPU and GPU behind your back; make both with the same library"
            )


def fits(x, w):
    """Say whether x can stand beside the weights: the same shape and library, real numbers, enough digits."""
    if type(x) is not type(w) and (not hasattr(x, "dtype") or _library(x) != _library(w)):
        return False
    return x.shape == w.shape and x.dtype.kind == "f" and x.dtype.itemsize >= 4


def gradient(grad, w):
    """Return grad as a function of (w, t), tried once where w[0] and w[..., 0] could be mixed up."""
    if not callable(grad):
        raise TypeError(
            f"the gradient is {type(grad).__name__}: give a function of w, such as landscape.grad"
        )
    slope = grad if _takes_t(grad) else lambda w, t: grad(w)
    if w.ndim > 1 and w.shape[0] in (1, w.shape[-1]):
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
    except Exception:  # a gradient that takes just this number of axes: the walk itself will tell
        return
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


def refuse_gradient(g, w, t):
    """Say why g does not fit the weights."""
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


def refuse_result(rule, new, shape):
    """Say why what the rule returned is no next point."""
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


def refuse_writing(rule, error):
    """Say that a rule writes into an array that it was given."""
    name = getattr(rule, "__name__", "the rule")
    raise ValueError(
        f"{name} writes into an array that it was given, and the old values are still needed: compute a new "
        "one, w = w - lr * g; w -= lr * g changes the old array itself"
    ) from error


def refuse_projection(w, shape):
    """Say why what the projection returned does not fit the weights."""
    if not hasattr(w, "dtype"):
        raise TypeError(f"the projection returned {w!r}: return the projected weights, as np.clip(w, -1, 1)")
    raise ValueError(
        f"the projection returned {w.dtype} weights of shape {w.shape}, not floats of shape {shape}"
    )
