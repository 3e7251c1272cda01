"""The trials of a rule: what it is called with, what it answers, and where two answers differ.

Odd betas and an eps near 0.01 make every mistake visible; so do a state in mid-run and several runs at once.
"""

import inspect
from typing import NamedTuple

import numpy as np

from optim_lessons.course.judging.verdict import is_open, listed, quote
from optim_lessons.lab.knobs import parts

# Both are float64. One step makes about 20 roundings, a trial has 5 steps, and dividing by 1 − β₂ᵗ at
# β₂ = 0.999 magnifies a rounding 1,000 times: 20 · 5 · 1e3 · 1.1e-16 ≈ 1e-11, taken ten times.
# The tests hold rewritten formulas 100 times closer, and any two mistakes 1,000 times further apart.
TOLERANCE = 1e-10

KNOBS = {
    "lr": 0.13,
    "beta": 0.43,
    "beta1": 0.37,
    "beta2": 0.71,
    "eps": 0.012,
    "clip": 1.3,
    "weight_decay": 0.29,
}
SWEEP = (0.13, 0.9), (0.17, 0.43, 0.83)  # values for the first two knobs, each on an axis of its own
SCALES = (1.0, 0.3, 2.0, 0.05, 0.7)  # of the gradients, step by step: v has to fall as well as rise


class Trial(NamedTuple):
    """One sequence of calls.  state: the state to begin with, or () for the rule's own defaults."""

    title: str
    w: np.ndarray
    gradients: list
    state: tuple
    knobs: dict


class Malformed(Exception):
    """A rule's result that cannot be compared; the message is for the learner."""

    def __init__(self, mistake, text):
        self.mistake = mistake
        super().__init__(text)


class Unwritten(Exception):
    """A rule that returns a placeholder."""


def trials(rule, seed=0):
    """Return the trials for a rule: from its start, in mid-run, several runs at once, with its defaults."""
    rng = np.random.default_rng(seed)
    knobs = {name: KNOBS.get(name, default) for name, default in parts(rule).knobs.items()}
    sweep = knobs | {
        name: np.reshape(values, shape)
        for name, values, shape in zip(knobs, SWEEP, ((-1, 1, 1), (-1, 1)), strict=False)
        if name != "eps"
    }

    def trial(title, shape, state, knobs):
        gradients = [read_only(scale * rng.standard_normal(shape)) for scale in SCALES]
        return Trial(title, read_only(rng.standard_normal(shape)), gradients, state, knobs)

    _, after_two, *_ = run(rule, trial("before", (2,), (), knobs))
    return [
        trial("from the starting state", (3,), (), knobs),
        trial("from a state in mid-run", (2,), after_two[1:], knobs),
        trial("with several runs at once and a sweep of knobs", (2, 3, 4), (), sweep),
        trial("with the default knobs", (3,), (), {}),
    ]


def run(rule, trial):
    """Return what the rule answers in each step of a trial: a list of tuples (w, *state)."""
    w, state, answers = trial.w, trial.state, []
    for g in trial.gradients:
        new = rule(w, g, *state, **trial.knobs)
        w, *state = answer = tuple(read_only(x) for x in (new if isinstance(new, tuple) else (new,)))
        answers.append(answer)
    return answers


def run_checked(rule, trial, names, expected):
    """Return what the rule answers, as `run`; raise Malformed or Unwritten at the first unusable result.

    names: of the values a rule returns.  expected: the reference's answers, for their shapes.
    """

    def checked(*args, **knobs):
        new = rule(*args, **knobs)
        _check_result(new, names, [np.shape(x) for x in expected[0]])
        return new

    return run(checked, trial)


def is_unwritten(new):
    """Return whether a rule's result is a placeholder, or holds one."""
    return is_open(new) or (isinstance(new, tuple) and any(value is ... for value in new))


def _check_result(new, names, shapes):
    promised = f"`return {', '.join(names)}`"
    if inspect.isgenerator(new) or inspect.isasyncgen(new):
        raise Malformed(
            "generator", f"Your function returns a generator: end it with {promised}, without `yield`."
        )
    if inspect.iscoroutine(new):
        new.close()  # else Python warns that it was never awaited
        raise Malformed("coroutine", "Your function is `async`: write `def` alone.")
    values = new if isinstance(new, tuple) else (new,)
    if is_unwritten(new):
        raise Unwritten(None if new is None else ...)
    if isinstance(new, list | dict | set):
        kind = type(new).__name__
        raise Malformed(f"returns-{kind}", f"Your function returns a {kind}: end it with {promised}.")
    if len(values) != len(names):
        raise Malformed(
            "returned-values",
            f"Your function returns {_count(len(values), 'value')}, where {_count(len(names), 'value')} "
            f"{'is' if len(names) == 1 else 'are'} expected: end it with {promised}.",
        )
    for name, value, shape in zip(names, values, shapes, strict=True):
        _check_value(name, value, shape)


def _check_value(name, value, shape):
    if not isinstance(value, np.ndarray | np.number | int | float | complex) or isinstance(value, bool):
        raise Malformed(
            "returned-type",
            f"The new {name} is {quote(value)}, of type `{type(value).__name__}`: return an array.",
        )
    dtype = np.asarray(value).dtype
    if dtype.kind == "c":
        raise Malformed("complex", f"The new {name} holds complex numbers: weights and state are real.")
    if dtype.kind not in "fiu":
        raise Malformed("returned-type", f"The new {name} holds `{dtype}` values: return real numbers.")
    if shape and dtype != np.float64:
        raise Malformed(
            "dtype",
            f"The new {name} is `{dtype}`, but was given `float64`: keep the type of the array, "
            "so that no digits are lost.",
        )
    if np.shape(value) != shape:
        why = (
            "a sum, a mean or an index has lost an axis (`keepdims=True` would keep it)"
            if len(np.shape(value)) < len(shape)
            else "keep the shape that was given"
        )
        raise Malformed(
            "shape", f"The new {name} has shape {np.shape(value)}, but {shape} is expected: {why}."
        )


def _count(n, word):
    return f"{n} {word}" if n == 1 else f"{n} {word}s"


def read_only(x):
    """Return an array as a copy that cannot be written to, so that writing in place is noticed."""
    if not isinstance(x, np.ndarray):
        return x
    x = x.copy()
    x.flags.writeable = False
    return x


def agree(got, want):
    """Return whether two lists of answers are equal, but for rounding."""
    return all(not differing(got, want, step) for step in range(len(want)))


def differing(got, want, step):
    """Return the positions (0 is w) of the values that differ in a step."""
    return [
        i
        for i in range(len(want[step]))
        if not _close(got[step][i], want[step][i], [np.asarray(answer[i]) for answer in want])
    ]


def _close(got, want, series):
    if np.shape(got) != np.shape(want):
        return False
    # Values near zero come out of subtractions: rounding is measured against the largest of the whole run.
    sizes = [np.abs(x[np.isfinite(x)]).max(initial=0.0) for x in series]
    return np.allclose(got, want, rtol=0, atol=TOLERANCE * max(sizes, default=0.0), equal_nan=True)


def difference(got, want, names, trial):
    """Describe the first step in which two lists of answers differ, for the learner."""
    step = next(step for step in range(len(want)) if differing(got, want, step))
    wrong = differing(got, want, step)
    order = [*range(1, len(names)), 0]  # the state first: w is computed from it
    bad = [names[i] for i in order if i in wrong]
    good = [names[i] for i in order if i not in wrong]
    text = f"At step {step + 1}, {trial.title}, "
    text += f"{listed(good)} {'is' if len(good) == 1 else 'are'} right, but " if good else ""
    text += f"{listed(bad)} {'differs' if len(bad) == 1 else 'differ'}."
    first = next(i for i in order if i in wrong)
    return text + _ratio(got, want, step, first, names[first], trial)


def _ratio(got, want, step, i, name, trial):
    """Return a sentence if a wrong value is the right one times a constant; of w, the step is compared."""
    before = 0.0
    if i == 0:
        before = want[step - 1][0] if step else trial.w
        if step and differing(got, want, step - 1):
            return ""
    mine, right = np.asarray(got[step][i] - before), np.asarray(want[step][i] - before)
    if not (np.isfinite(mine).all() and np.all(right != 0)):
        return ""
    ratio = mine / right
    what = f"Your step in {name}" if i == 0 else f"Your {name}"
    first = ratio.flat[0]
    # A step is a difference of two weights: it has lost about three digits.
    if np.ptp(ratio) > 1e-7 * abs(first) or ratio.size == 1:
        return ""
    return f" {what} is {_as_knob(first, trial.knobs)} times the right one in every coordinate."


def _as_knob(ratio, knobs):
    for name, value in knobs.items():
        for text, factor in ((name, value), (f"1/{name}", 1 / value), (f"(1 - {name})", 1 - value),
                             (f"1/(1 - {name})", 1 / (1 - value))):  # fmt: skip
            if np.ndim(factor) == 0 and np.isclose(ratio, factor, rtol=1e-6):
                return f"`{text}`"
    return f"{ratio:.4g}"
