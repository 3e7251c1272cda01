"""Read what a learner may give as an answer: a number, a pair of numbers, or one of several labels."""

import difflib
import numbers

import numpy as np

from optim_lessons.course.judging.verdict import is_open, quote, still_open, wrong


def read_number(name, answer):
    """Return an answer as a finite float, or the Verdict that says why it is none."""
    if is_open(answer):
        return still_open(f"`{name}` is not set yet.")
    if isinstance(answer, str | bytes):
        return wrong(f"`{name}` is the text {quote(answer)}: give a number, without quotation marks.", "text")
    if isinstance(answer, bool | np.bool_):
        return wrong(f"`{name}` is {quote(bool(answer))}: give a number.", "no-number")
    if callable(answer):
        return wrong(f"`{name}` is a function: give the number that it returns.", "no-number")
    if isinstance(answer, tuple) and len(answer) == 1:
        return wrong(
            f"`{name}` is a tuple of one number: is there a comma at the end of the line?", "no-number"
        )
    shape = getattr(answer, "shape", ())
    if shape != () and isinstance(answer, np.ndarray):
        return wrong(f"`{name}` is an array of shape {shape}: one number is asked for.", "no-number")
    if isinstance(answer, complex | np.complexfloating):
        return wrong(f"`{name}` is {quote(answer)}, a complex number: give a real one.", "no-number")
    real = isinstance(answer, numbers.Real | np.ndarray | np.number) or type(answer).__name__ == "Decimal"
    try:
        value = float(answer) if real else None
    except OverflowError:
        value = np.inf
    except (TypeError, ValueError):
        value = None
    if value is None:
        kind = type(answer).__name__
        return wrong(f"`{name}` is {quote(answer)}, of type `{kind}`: give one number.", "no-number")
    if not np.isfinite(value):
        return wrong(f"`{name}` is {quote(answer)}: give a finite number.", "not-finite")
    return value


def read_pair(name, answer):
    """Return an answer as two finite floats, or the Verdict that says why it is no pair.

    name: both in their order, such as `peak_and_end`.
    """
    example = f"give two numbers, as `{name} = {name.replace('_and_', ', ')}`."
    if is_open(answer) or (isinstance(answer, tuple | list) and any(map(is_open, answer))):
        return still_open(f"`{name}` is not set yet: {example}")
    count = len(answer) if isinstance(answer, tuple | list) else getattr(answer, "size", None)
    if count != 2:
        return wrong(f"`{name}` is {quote(answer)}: {example}", "no-pair")
    values = tuple(read_number(name, value) for value in answer)
    refused = [value for value in values if not isinstance(value, float)]
    return refused[0] if refused else values


def read_label(given, labels):
    """Return which of the labels a text means, or None."""
    if not isinstance(given, str):
        return None
    words = " ".join(given.replace("_", " ").replace("-", " ").lower().split()).strip(" .`'\"")
    named = {label.lower(): label for label in labels}
    close = difflib.get_close_matches(words, named, n=1, cutoff=0.9)
    return named[close[0]] if close else None
