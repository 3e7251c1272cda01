"""The trials of a rule: what it is called with, what it answers, and where two answers differ.

Odd betas and an eps near 0.01 make every mistake visible; so do a state in mid-run and several runs at once.
The hard trials come after these: zeros, huge and tiny numbers, other arrays.
"""

import inspect
from functools import cache
from typing import NamedTuple

import numpy as np

from optim_lessons.course.judging.verdict import is_open, listed, quote
from optim_lessons.lab.knobs import parts

# Both are float64. One step makes about 20 roundings, a trial has 5 steps, and dividing by 1 − β₂ᵗ at
# β₂ = 0.999 magnifies a rounding 1,000 times: 20 · 5 · 1e3 · 1.1e-16 ≈ 1e-11, taken ten times.
# The tests hold rewritten formulas 100 times closer, and any two mistakes 1,000 times further apart.
TOLERANCE = 1e-10
TOLERANCE_32 = 1e-4  # for float32: 20 · 5 roundings of 6e-8, taken ten times and more

KNOBS = {
    "lr": 0.53,
    "beta": 0.43,
    "beta1": 0.37,
    "beta2": 0.71,
    "eps": 0.012,
    "clip": 1.3,
    "weight_decay": 0.29,
}
LARGEST = 100_000  # numbers in a result of any shape: with one axis too many it grows in each step
SCALES = (1.0, 0.3, 2.0, 0.05, 0.7)  # of the gradients, step by step: v has to fall as well as rise


class Trial(NamedTuple):
    """One sequence of calls.  state: the state to begin with, or () for the rule's own defaults."""

    title: str
    w: np.ndarray
    gradients: list
    state: tuple
    knobs: dict

    def first_steps(self, n):
        """Return the trial's first n steps alone."""
        return self._replace(gradients=self.gradients[:n])


class Malformed(Exception):
    """A rule's result that cannot be compared; the message is for the learner."""

    def __init__(self, mistake, text):
        self.mistake = mistake
        super().__init__(text)


class Unwritten(Exception):
    """A rule that returns a placeholder."""


def trials(rule, seed=0):
    """Return the ordinary trials: from the start, in mid-run, with the default knobs, several runs at once.

    The last one is there for rules that mix coordinates. The others need no axis: see `several_runs`.
    """
    make, odd = _Maker(rule, seed), _odd_knobs(rule)
    state = make.mid_run(2)
    cases = [
        make("from the starting state", (3,), (), odd),
        make("from a state in mid-run", (2,), state, odd),
        make("with the default knobs", (3,), (), {}),
        make("with long gradients", (3,), (), odd, slope=10.0),
        make("with short gradients", (3,), (), odd, slope=0.03),
        make("with many weights", (24,), (), odd),  # where only signs differ, few weights may hide it
    ]
    return [*cases, several_runs(rule, seed)] if mixes(rule) else cases


def several_runs(rule, seed=0):
    """Return the trial with runs on the axes before the last."""
    return _Maker(rule, seed + 1)("with several runs at once", (2, 3, 4), (), _odd_knobs(rule))


def hard_trials(rule, seed=0):
    """Return the trials with zeros, huge and tiny numbers, and other arrays."""
    make, odd = _Maker(rule, seed + 2), _odd_knobs(rule)
    state = make.mid_run(3)
    cases = [
        make("where all gradients and weights are 0", (3,), (), odd, scale=0.0),
        make("where all gradients are 0, in mid-run", (3,), state, odd, slope=0.0),
        make("where the gradient of one coordinate is 0", (3,), (), odd, slope=np.array([1.0, 0.0, 1.0])),
        make("with huge numbers", (3,), (), odd, scale=1e8),
        make("with tiny numbers", (3,), (), odd, scale=1e-8),
        make("with a single weight", (1,), (), odd),
        make("in `float32`", (3,), (), odd, kind=np.float32),
        make("with arrays that are parts of larger ones", (3,), (), odd, apart=2),
    ]
    if "t" in parts(rule).state:
        late = (*state[:-1], state[-1] + 1000)  # t is the last of the state
        cases.append(make("after a thousand steps", (3,), late, odd))
    return cases


def _odd_knobs(rule):
    return {name: KNOBS.get(name, default) for name, default in parts(rule).knobs.items()}


class _Maker:
    """Draws trials for a rule, one after the other, from one seed."""

    def __init__(self, rule, seed):
        self.rule, self.rng = rule, np.random.default_rng(seed)

    def __call__(self, title, shape, state, knobs, *, scale=1.0, slope=1.0, kind=float, apart=1):
        def drawn(scale):
            x = np.zeros((*shape[:-1], shape[-1] * apart), kind)[..., ::apart]
            x[...] = scale * self.rng.standard_normal(shape)
            x.flags.writeable = False
            return x

        gradients = [drawn(scale * slope * s) for s in SCALES]
        return Trial(title, drawn(scale), gradients, state, knobs)

    def mid_run(self, n):
        """Return the state after two steps in n coordinates."""
        _, after_two, *_ = run(self.rule, self("before", (n,), (), _odd_knobs(self.rule)))
        return after_two[1:]


@cache
def mixes(rule):
    """Return whether a rule's coordinates depend on each other."""
    return mixed_by(rule, rule) is not None


def mixed_by(answer, rule, late=True):
    """Return the name of a value in which one coordinate changes another, or None.

    answer: a rule with the arguments of `rule`.  late: in mid-run, else in the first step.
    """
    names, make = ["w", *parts(rule).state], _Maker(rule, 0)
    case = make("", (3,), make.mid_run(3) if late else (), _odd_knobs(rule)).first_steps(1)
    before = run_checked(answer, case, names)[0]
    right = run(rule, case)[0]
    changes = [read_only(np.array([change, 0.0, 0.0])) for change in (10.0, -10.0)]
    others = [case._replace(gradients=[read_only(case.gradients[0] + change)]) for change in changes]
    others += [case._replace(w=read_only(case.w + change)) for change in changes]
    for other in others:
        after = run_checked(answer, other, names)[0]
        for i in [*range(1, len(names)), 0]:  # the state first: w is computed from it
            a, b = np.asarray(before[i]), np.asarray(after[i])
            for_all = a.shape == b.shape == () != np.shape(right[i])  # one number for all coordinates
            rest = (a, b) if for_all else (a[1:], b[1:]) if a.shape == b.shape == (3,) else (0, 0)
            if not np.array_equal(*rest, equal_nan=True):
                return names[i]
    return None


def run(rule, trial):
    """Return what the rule answers in each step of a trial: a list of tuples (w, *state)."""
    return list(steps(rule, trial))


def steps(rule, trial):
    """Yield what the rule answers in each step of a trial."""
    w, state = trial.w, trial.state
    for g in trial.gradients:
        new = rule(w, g, *state, **trial.knobs)
        w, *state = answer = tuple(read_only(x) for x in (new if isinstance(new, tuple) else (new,)))
        yield answer


def run_checked(rule, trial, names, expected=None):
    """Return what the rule answers, as `run`; raise Malformed or Unwritten at the first unusable result.

    names: of the values a rule returns.  expected: the reference's answers, for their shapes; without
    them any shape and any type of number will do.
    """

    def checked(*args, **knobs):
        new = rule(*args, **knobs)
        _check_result(new, names, expected and [np.shape(x) for x in expected[0]], trial.w.dtype)
        return new

    return run(checked, trial)


def is_unwritten(new):
    """Return whether a rule's result is a placeholder, or holds one."""
    return is_open(new) or (isinstance(new, tuple) and any(value is ... for value in new))


def _check_result(new, names, shapes, dtype):
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
    for name, value, shape in zip(names, values, shapes or [None] * len(names), strict=True):
        _check_value(name, value, shape, dtype)


def _check_value(name, value, shape, given):
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
    if shape is None:
        if np.size(value) > LARGEST:
            raise Malformed("shape", f"The new {name} has shape {np.shape(value)}: it grows at each step.")
        return
    if shape and dtype not in (np.float64, given):  # more digits than were given do no harm
        raise Malformed(
            "dtype",
            f"The new {name} is `{dtype}`, but was given `{given}`: keep the type of the array, "
            "so that no digits are lost.",
        )
    if np.shape(value) != shape:
        why = "keep the shape that was given"
        if len(np.shape(value)) < len(shape):
            why = "each weight has a number of its own"
            if shape[-1] == 1:
                why = "a sum has lost its axis (`keepdims=True` would keep it)"
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
    return not any(differing(got, want, step) for step in range(len(want)))


def differing(got, want, step):
    """Return the positions (0 is w) of the values that differ in a step."""
    if len(got[step]) != len(want[step]):
        return list(range(len(want[step])))
    return [i for i in range(len(want[step])) if not close(got[step][i], want[step][i], size(want, i))]


def size(answers, i):
    """Return the largest finite number that a value reaches in a run.

    Values near zero come out of subtractions: rounding is measured against the largest of the whole run.
    """
    values = [np.asarray(answer[i]) for answer in answers]
    return max((np.abs(x[np.isfinite(x)]).max(initial=0.0) for x in values), default=0.0)


def close(got, want, size):
    """Return whether two values are equal, but for roundings of numbers of this size."""
    if np.shape(got) != np.shape(want):
        return False
    single = any(getattr(x, "dtype", None) == np.float32 for x in (got, want))
    near = TOLERANCE_32 if single else TOLERANCE
    with np.errstate(all="ignore"):
        same = (np.abs(got - want) <= near * size) | (got == want)
        return bool(np.all(same | (np.isnan(got) & np.isnan(want))))


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
    return f"{text}\n{_seen(got, want, names, trial, step, next(i for i in order if i in wrong))}"


def _seen(got, want, names, trial, step, i):
    """Return what went into a step, what is expected of its i-th value, and what came."""
    run = ()  # the place of the first run that differs
    if np.ndim(want[step][i]) > 1:
        apart = np.any(~np.isclose(got[step][i], want[step][i], rtol=1e-9, atol=0), axis=-1)
        run = np.unravel_index(np.argmax(apart), apart.shape)

    many = trial.w.shape[-1] > 6
    if many:  # of many weights, the first that differ
        places = np.flatnonzero(~np.isclose(got[step][i][run], want[step][i][run], rtol=1e-9, atol=0))[:3]

    def shown(x, digits=4):
        x = np.asarray(x)
        x = x[run] if x.ndim > 1 else x
        return text_of(x[places] if many and x.shape == trial.w.shape[-1:] else x, digits)

    w, *state = want[step - 1] if step else (trial.w, *trial.state)
    given = dict(zip(names, (w, *state), strict=False))
    inputs = [f"w = {shown(w)}", f"g = {shown(trial.gradients[step])}"]
    inputs += [f"{name} = {shown(given[name])}" for name in names[1:] if name in given]
    inputs += [f"{name} = {value:g}" for name, value in trial.knobs.items()]
    texts = ("", "")
    for digits in (4, 8, 12, 17):
        texts = shown(want[step][i], digits), shown(got[step][i], digits)
        if texts[0] != texts[1]:
            break
    return f"Given `{', '.join(inputs)}`: expected `{names[i]} = {texts[0]}`, came `{names[i]} = {texts[1]}`."


def text_of(x, digits=4):
    """Return a number or a small array as text, such as [0.5, -2, 1e-08]."""
    x = np.asarray(x)
    if x.ndim == 0:
        return f"{x.item() + 0.0:.{digits}g}" if x.dtype.kind == "f" else str(x)
    shown = [text_of(part, digits) for part in x[:6]]
    return f"[{', '.join(shown)}{', ...' if len(x) > 6 else ''}]"


def constant_factor(got, want, names, knobs, cases):
    """Return a sentence if a value is the right one times a constant, in the first step of all trials.

    The state is looked at first; of w, the step is compared.  knobs: the default ones.
    """
    order = [*range(1, len(names)), 0]
    wrong = [i for i in order if any(i in differing(g, w, 0) for g, w in zip(got, want, strict=True))]
    if not wrong:
        return ""
    i = wrong[0]
    factors = []
    for mine, right, case in zip(got, want, cases, strict=True):
        before = case.w if i == 0 else 0.0
        a, b = np.asarray(mine[0][i] - before), np.asarray(right[0][i] - before)
        if not (np.isfinite(a).all() and np.all(b != 0)):
            return ""
        ratio = np.ravel(a / b)
        # A step is a difference of two weights: it has lost about three digits.
        if np.ptp(ratio) > 1e-7 * abs(ratio[0]):
            return ""
        factors.append(_in_knobs(ratio[0], knobs | case.knobs))
    common = [text for text in factors[0] if all(text in others for others in factors)]
    if not common or "1" in common:  # so near to the right one that it is a matter of digits
        return ""
    what = f"Your step in {names[i]}" if i == 0 else f"Your {names[i]}"
    return f"{what} is {common[0]} times the right one in every coordinate."


def _in_knobs(ratio, knobs):
    """Return a ratio as text in every way it can be told: by a knob, or as a number."""
    told = []
    for name, value in knobs.items():
        with np.errstate(all="ignore"):
            value = np.float64(value)
            ways = {name: value, f"1/{name}": 1 / value, f"(1 - {name})": 1 - value,
                    f"1/(1 - {name})": 1 / (1 - value)}  # fmt: skip
        told += [f"`{text}`" for text, factor in ways.items() if np.isclose(ratio, factor, rtol=1e-6)]
    return [*told, f"{ratio:.4g}"]
