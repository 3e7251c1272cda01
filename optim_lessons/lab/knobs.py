"""What a rule's signature says, and which values its knobs may take."""

import difflib
import functools
import inspect
from collections.abc import Callable
from typing import NamedTuple

import numpy as np


class Parts(NamedTuple):
    """A rule's state and knobs, in the order of its signature: name → default."""

    state: dict
    knobs: dict


class Limits(NamedTuple):
    """The values a knob may take: low ≤ value < high, and why."""

    low: float
    high: float
    why: str


def parts(rule: Callable) -> Parts:
    """Read a rule's signature: what follows w and g is state, what follows * is a knob.

    rule: any function rule(w, g, *state, knobs). Raises TypeError if it is no such function.
    """
    try:
        return _parts(rule)
    except TypeError as error:
        if "unhashable" not in str(error):
            raise
        return _parts.__wrapped__(rule)


@functools.lru_cache(maxsize=256)
def _parts(rule):
    if not callable(rule):
        raise TypeError(f"the rule is {rule!r}: a rule is a function, such as adam or your own")
    signature = inspect.signature(rule).parameters.values()
    positional = [p for p in signature if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]
    name = getattr(rule, "__name__", "rule")
    if len(positional) < 2:
        names = ", ".join(p.name for p in positional)
        raise TypeError(
            f"{name}({names}) is no update rule: a rule takes the weights w and the gradient g first, "
            f"as in def {name}(w, g, *, lr=0.01)"
        )
    state = {p.name: p.default for p in positional[2:]}
    for state_name, default in state.items():
        if default is inspect.Parameter.empty:
            raise TypeError(
                f"{name}: the state {state_name} has no starting value: "
                f"give it one in the signature, such as {state_name}=0.0"
            )
    knobs = {p.name: p.default for p in signature if p.kind == p.KEYWORD_ONLY}
    return Parts(state, knobs)


def limits(name: str) -> Limits:
    """Return the Limits of a knob, from its name: lr, eps, weight_decay, anything that begins with beta.

    A name that ends in _rest, of `by_layer`, is what it is without it.
    """
    name = name.removesuffix("_rest")
    if name.startswith("beta"):
        return Limits(0.0, 1.0, "below 0 the memory changes sign each step, from 1 on it never forgets")
    if name == "lr":
        return Limits(0.0, np.inf, "a negative step climbs")
    if name == "eps":
        return Limits(0.0, np.inf, "a negative eps can make the divisor zero")
    if name == "weight_decay":
        return Limits(0.0, np.inf, "a negative decay makes the weights grow")
    return Limits(-np.inf, np.inf, "")


def check_value(name, value, when=""):
    """Return the knob's value as a float (or a float array), or say what is wrong with it.

    Raises TypeError for what is no real number, ValueError for a number that is not allowed; both name
    the knob, the value, what is allowed and why. when: " at step 3", for a value from a schedule.
    """
    dtype = getattr(value, "dtype", None)
    if dtype is not None and dtype.kind not in "fiu":
        what = f"an array of {dtype}" if np.ndim(value) else f"{value!r}, a {dtype}"
        raise TypeError(f"{name} is {what}{when}: a knob is a real number, such as 0.1")
    if isinstance(value, bool | str | bytes) or value is None:
        raise TypeError(
            f"{name} is {value!r}, a {type(value).__name__}{when}: a knob is a real number, such as 0.1"
        )
    if dtype is None or np.ndim(value) == 0:
        try:
            value = float(value)  # an np.float64 or a 0-d array would lift float32 weights to float64
        except (TypeError, ValueError) as error:
            raise TypeError(
                f"{name} is {value!r}, a {type(value).__name__}{when}: a knob is a real number, such as 0.1, "
                f"a function of t, or an axis of a sweep made by grid({name}=...)"
            ) from error
    low, high, why = limits(name)
    allowed = (value >= low) & (value < high) & np.isfinite(value)
    if not np.all(allowed):
        wrong = value if np.ndim(value) == 0 else value[~allowed].reshape(-1)[0]
        reason = f": {why}" if np.isfinite(wrong) else ""
        raise ValueError(f"{name} is {float(wrong):g}{when}, but must be {_range(low, high)}{reason}")
    return value


def _range(low, high):
    if np.isfinite(high):
        return f"at least {low:g} and below {high:g}"
    return f"a finite number of at least {low:g}" if np.isfinite(low) else "a finite number"


def check_names(rule, names):
    """Raise TypeError if one of the names is no knob of the rule; the known ones are listed."""
    state, knobs = parts(rule)
    rule_name = getattr(rule, "__name__", "the rule")
    for name in names:
        if name in knobs:
            continue
        if name in state:
            raise TypeError(
                f"{name} stands before the * in the signature of {rule_name}, so it is state, not a knob: "
                f"write def {rule_name}(w, g, ..., *, {name}=...)"
            )
        close = difflib.get_close_matches(name, knobs, n=1)
        meant = f" Did you mean {close[0]}?" if close else ""
        raise TypeError(
            f"{rule_name} has no knob {name!r}; its knobs are {', '.join(knobs) or 'none'}.{meant}"
        )
