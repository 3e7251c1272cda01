"""A rule in one pass over the memory: as one kernel on a GPU, in blocks that stay in the cache on the CPU.

Both are read off the tape that `lab/tape/trace.py` records; there is no second text of any formula.
"""

import functools
from collections.abc import Callable

import numpy as np

from optim_lessons.lab.knobs import parts
from optim_lessons.lab.tape.blocks import play
from optim_lessons.lab.tape.compiled import compiler
from optim_lessons.lab.tape.kernel import launch
from optim_lessons.lab.tape.trace import CannotTrace, StandIn, Tape

# Weights from which on the CPU one pass beats the plain rule: compiled, and in blocks.
COMPILED_PAYS, BLOCKS_PAY = 2**15, 2**18


def fused(rule: Callable, donate: bool = False) -> Callable:
    """Return the rule in one pass over the memory: same signature, same results to rounding.

        step = fused(adam)
        w, m, v, t = step(w, g, m, v, t, lr=1e-3)

    rule: any update rule that treats all weights alike, yours included; CannotTrace names the line if it
    does not: rules for whole matrices, such as Muon.  donate: whether a step may write its results over the
    weights and the state that it was given; these are then no longer to be used. Else none is written to.
    CuPy arrays take one kernel per step. Large NumPy arrays take one loop compiled by Numba, or without it go
    block by block through the cache; small ones take the rule itself. Weights and state keep the dtype of w,
    float32 or float64. Raises TypeError or ValueError where the arrays do not fit together.
    """
    if hasattr(rule, "donates"):
        if rule.donates == donate:
            return rule
        rule = rule.__wrapped__  # type: ignore[attr-defined]
    state = parts(rule).state
    _try(rule, state)

    @functools.wraps(rule)
    def step(w, g, *given, **knobs):
        if len(given) < len(state):
            given += tuple(knobs.pop(name, state[name]) for name in list(state)[len(given) :])
        usual = type(w) is type(g) is np.ndarray and g.shape == w.shape and w.dtype in _FLOATS
        usual = usual and _alike(w.dtype, (g, *given, *knobs.values()))
        on_gpu = not usual and _check(w, g, dict(zip(state, given, strict=False)) | knobs)
        if not on_gpu and (type(w) is not np.ndarray or not pays(w.size)):
            new = rule(w, g, *given, **knobs)
            row = new if isinstance(new, tuple) else (new,)
            return new if usual and _alike(w.dtype, row) else _cast(new, w)
        tape = Tape(w.shape, w.dtype)
        w_in, g_in, *state_in = [tape.array(x) if _is_weights(x, w) else x for x in (w, g, *given)]
        new = rule(w_in, g_in, *state_in, **knobs)
        row = new if isinstance(new, tuple) else (new,)
        inputs = len(tape.arrays)
        wanted = tuple({x.index: None for x in row if type(x) is StandIn and x.index >= inputs})
        if not all(_fits(x, w.shape) for x in tape.hosts if type(x) not in _PLAIN):
            return _cast(rule(w, g, *given, **knobs), w)  # the knobs bring more runs than the weights have
        if on_gpu:
            results = launch(tape, wanted, step.__name__)
        else:
            over = _free(tape, row, (w_in, *state_in)) if donate else {}
            results = play(tape, wanted, tuple(over.get(i) for i in wanted))
        values = dict(enumerate(tape.arrays)) | dict(zip(wanted, results, strict=True))
        row = tuple(values[x.index] if type(x) is StandIn else x for x in row)
        return row if isinstance(new, tuple) else row[0]

    step.donates = donate  # type: ignore[attr-defined]
    return step


def _alike(dtype, values):
    """Return whether all are plain numbers or NumPy arrays of this dtype, as nearly always: quickly seen."""
    return all([type(x) in _PLAIN or (type(x) is np.ndarray and x.dtype is dtype) for x in values])


def _free(tape, row, before):
    """Return result → the array given that it may be written over: the weights' own, the state's own.

    Not one that is returned itself, is read-only or in pieces, or shares memory with another.
    """
    returned, over = {x.index for x in row if type(x) is StandIn}, {}
    others = [x for x in (*tape.arrays, *tape.hosts) if type(x) is np.ndarray]
    for new, old in zip(row, before, strict=False):
        if type(new) is not StandIn or type(old) is not StandIn or old.index in returned:
            continue
        x = tape.arrays[old.index]
        usable = x.dtype == tape.dtype and x.flags.c_contiguous and x.flags.writeable
        if usable and new.index not in tape.truths and sum(np.may_share_memory(x, y) for y in others) == 1:
            over.setdefault(new.index, old.index)
    return over


def pays(size: int) -> bool:
    """Return whether arrays of a size are worth more than the plain rule on the CPU."""
    return size >= BLOCKS_PAY or (size >= COMPILED_PAYS and compiler()[0])


@functools.cache
def gpu() -> tuple[bool, str]:
    """Return (True, the card's name), or (False, why there is none)."""
    try:
        import cupy
    except Exception as error:
        if isinstance(error, ModuleNotFoundError) and error.name == "cupy":
            return (
                False,
                "CuPy is not installed: for an NVIDIA card, pip install cupy-cuda13x or cupy-cuda12x",
            )
        return False, f"CuPy is installed, but broken: {type(error).__name__}: {error}"
    try:
        if not cupy.is_available():
            return False, "CuPy is installed, but finds no NVIDIA card, or no driver for it"
        float(cupy.ones(1)[0])
        return True, cupy.cuda.runtime.getDeviceProperties(0)["name"].decode()
    except Exception as error:
        return False, f"CuPy finds a card, but cannot use it: {error}"


def _try(rule, state):
    """Trace two steps, the first with the starting state, so that what cannot be traced is said at once."""
    try:
        for _ in range(2):
            tape = Tape((1, 1), np.dtype(float))  # for rules that ask for a matrix, too
            w, g = tape.array(None), tape.array(None)
            given = [tape.array(None) if type(x) is StandIn else x for x in state.values()]
            with np.errstate(all="ignore"):
                new = rule(w, g, *given)
            state = dict(zip(state, new[1:] if isinstance(new, tuple) else (), strict=True))
    except CannotTrace:
        raise
    except Exception:  # a knob without a default, or the rule's own mistake: the call will tell
        return


_FLOATS = (np.dtype(np.float32), np.dtype(np.float64))
_PLAIN = (float, int)


def _check(w, g, others):
    """Say which arrays do not fit together; return whether they are CuPy's."""
    library = _library(w)
    if library is None:
        if isinstance(w, int | float):
            return False
        raise TypeError(f"w is a {type(w).__name__}: a fused rule takes NumPy or CuPy arrays")
    for name, x in {"w": w, "g": g, **others}.items():
        if type(x) in _PLAIN:
            continue
        its = library if type(x) is type(w) else _library(x)
        if its is None:
            continue
        if its != library and (its == "CuPy" or x.ndim):
            raise TypeError(
                f"{name} is a {its} array, w a {library} array: nothing moves between CPU and GPU unasked; "
                f"write cupy.asarray({name}) or cupy.asnumpy({name})"
            )
        if x.dtype.char == "e":
            raise TypeError(
                f"{name} is float16: squares of small gradients round to zero there; use float32 or float64"
            )
    for name, x in ("w", w), ("g", g):
        if hasattr(x, "dtype") and x.dtype not in _FLOATS:
            raise TypeError(f"{name} holds {x.dtype} numbers: steps are real numbers, float32 or float64")
    if np.shape(g) != w.shape:
        raise ValueError(
            f"g has shape {np.shape(g)}, w has {w.shape}: there is one slope for each weight, "
            "and shapes are never broadcast"
        )
    return library == "CuPy"


def _library(x):
    if isinstance(x, np.ndarray):
        return "NumPy"
    return "CuPy" if type(x).__module__.partition(".")[0] == "cupy" else None


def _is_weights(x, w):
    return type(x) is type(w) and x.shape == w.shape and x.dtype in _FLOATS


def _fits(x, shape):
    return np.ndim(x) == 0 or np.broadcast_shapes(x.shape, shape) == shape


def _cast(new, w):
    """Give the plain rule's results the dtype of w, as a kernel would."""
    if isinstance(new, tuple):
        return tuple(_cast(x, w) for x in new)
    if np.ndim(new) and new.dtype != w.dtype and new.dtype.kind == "f":
        return new.astype(w.dtype)
    return new
