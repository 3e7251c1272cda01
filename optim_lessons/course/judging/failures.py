"""What an exception in a learner's rule means, in words."""

import dis
import linecache
import re
import traceback

from optim_lessons.course.judging.verdict import Code, quote, still_open, wrong
from optim_lessons.course.sandbox import child
from optim_lessons.course.sandbox.watchdog import Stopped

_NOTES = [
    (
        TypeError,
        "only 0-dimensional arrays",
        "`math` knows single numbers only; NumPy has the same function.",
    ),
    (TypeError, "only length-1 arrays", "`math` knows single numbers only; NumPy has the same function."),
    (
        ValueError,
        "truth value of an array",
        "`if`, `max` and `min` want one answer, but each coordinate (or each run) has its own: "
        "`np.maximum`, `np.minimum` and `np.where` work on each.",
    ),
    (TypeError, "bitwise_xor", "in Python a power is `**`."),
    (TypeError, "for ^", "in Python a power is `**`."),
    (
        ValueError,
        "inhomogeneous",
        "a list of two arrays is no array; `np.maximum` compares two arrays, place by place.",
    ),
    (ZeroDivisionError, "", "which step number `t` does the very first call compute with?"),
    (NameError, "", "is the name spelt as in the arguments, and is it set on a line above?"),
    (RecursionError, "", "it calls itself without end."),
]


def nothing_returned(name, answer, value, where=""):
    """Return the verdict on a function that returned a placeholder.

    where: the case in which it did, if it returned something in another.
    """
    came = "nothing" if value is None else "`...`"
    if where:
        return wrong(
            f"{name} returned {came} {where}.", "returns-nothing", "does a branch lack its `return`?"
        )
    if value is None and _is_written(answer):
        return wrong(
            f"{name} computes something, but returns nothing.",
            "returns-nothing",
            "is `return` missing in its last line?",
        )
    said = "None" if value is None else "..."
    return still_open(f"{name} returned `{said}`: not written yet, or a `return` is missing.")


def raised(name, answer, error, stage, seconds, notes):
    """Return the verdict on code that raised an exception, was stopped, or is not finished.

    notes: hints for this kind of exercise: (kind of exception, part of its message, hint, pattern), where
    the learner's line has to hold the pattern.
    """
    where = _line(answer, error)
    if type(error) is NotImplementedError or (isinstance(error, TypeError) and "ellipsis" in str(error)):
        return still_open(f"{name} is not finished: something in it is still open{where}.")
    if isinstance(error, Stopped):
        return wrong(
            f"{name} was stopped after {getattr(error, 'seconds', seconds):g} s{where}.",
            "endless",
            "does a loop ever end? A rule makes one step and needs no loop; a function needs one that stops.",
        )
    if isinstance(error, ValueError) and "read-only" in str(error):
        return wrong(
            f"{name} writes into an array that it was given{where}. The caller still needs the old values.",
            "writes-in-place",
            "compute a new array and give it the old name; operators such as `-=` change the old "
            "array itself.",
        )
    if isinstance(error, SystemExit | KeyboardInterrupt | GeneratorExit):
        return wrong(f"{name} was left by `{type(error).__name__}`{where}.", "raised")
    # What was kept from another trial has another shape; any other error speaks for itself.
    if isinstance(error, ValueError | IndexError) and _keeps_something(answer):
        return remembers(name)
    every = (*notes, *((*note, "") for note in _NOTES))
    note = next(
        (
            hint
            for kind, part, hint, pattern in every
            if isinstance(error, kind) and part in _message(error) and re.search(pattern, where)
        ),
        "",
    )
    said = quote(Code(f"{type(error).__name__}: {_message(error)}".removesuffix(": ")))
    return wrong(f"{name} stops with {said}{where}, {stage}.", "raised", note)


def remembers(name):
    """Return the verdict on a rule whose answers depend on earlier calls."""
    return wrong(
        f"{name} does not answer the same when it is called twice with the same arguments: it keeps "
        "something between calls (a global variable?) or draws random numbers.",
        "hidden-memory",
        "all that a rule knows comes in through its arguments and goes out through `return`.",
    )


def _keeps_something(answer):
    if getattr(answer, "stores_globals", False) is True:  # a function in another process
        return True
    code = getattr(answer, "__code__", None)
    return code is not None and any(step.opname == "STORE_GLOBAL" for step in dis.get_instructions(code))


def _is_written(answer):
    """Return whether a function's body uses any name; that of an exercise not begun uses none."""
    if hasattr(answer, "is_written"):  # a function in another process
        return answer.is_written is True
    code = getattr(answer, "__code__", None)
    return code is not None and child.uses_names(code)


def _message(error):
    try:
        return str(error)
    except Exception:  # an exception of the learner's own may have a broken __str__
        return ""


def _line(answer, error):
    """Return where in the learner's own code an exception came up: " in line 3, `w = w - lr * mm`"."""
    told = getattr(error, "learners_line", None)
    if told is not None:  # by another process
        return f" in line {told[0]}" + (f", {quote(Code(told[1]))}" if told[1] else "")
    own = getattr(getattr(answer, "__code__", None), "co_filename", None)
    lines = [n for frame, n in traceback.walk_tb(error.__traceback__) if frame.f_code.co_filename == own]
    if not lines:
        return ""
    text = linecache.getline(own, lines[-1]).strip()
    return f" in line {lines[-1]}" + (f", {quote(Code(text))}" if text else "")
