"""The tape holds what the rule computes, and what cannot be put on it is refused by line."""

import inspect
import math
import re

import numpy as np
import pytest
from discovery import RULES

from optim_lessons.adam import adam
from optim_lessons.lab.tape import blocks
from optim_lessons.lab.tape.blocks import play
from optim_lessons.lab.tape.trace import NUMBERS, TRUTHS, CannotTrace, StandIn, Tape


@pytest.fixture(autouse=True)
def without_a_compiler(monkeypatch):
    """Play tapes by NumPy's own functions: a compiler's exp and sin differ in the last place."""
    monkeypatch.setattr(blocks, "compiled", lambda *args: None)


def trace(rule, *arrays, **knobs):
    """Return the tape of a rule and the operands it returns; what is no array is passed as it is."""
    tape = Tape((3,), np.dtype(float))
    new = rule(*[tape.array(x) if isinstance(x, np.ndarray) else x for x in arrays], **knobs)
    new = new if isinstance(new, tuple) else (new,)
    return tape, tuple(x.index if isinstance(x, StandIn) else x for x in new)


ONE = np.ones(3)


def test_the_tape_of_adam_is_its_formula():
    tape, new = trace(adam, ONE, ONE, ONE, ONE, 4, lr=0.5)
    names = " ".join(name for name, *_ in tape.ops)
    moments = "multiply multiply add multiply square multiply add"
    assert names == f"{moments} divide divide multiply sqrt add divide subtract"
    assert new == (17, 6, 10, 5)  # the weights come last, t is a number


def test_numbers_between_the_arrays_are_worked_out_by_python_in_double_precision():
    tape, _ = trace(adam, ONE, ONE, ONE, ONE, 4, beta1=0.9, beta2=0.999)
    assert tape.hosts == [0.9, 1 - 0.9, 0.999, 1 - 0.999, 1 - 0.9**5, 1 - 0.999**5, 1e-3, 1e-8]


@pytest.mark.parametrize(
    ("exponent", "name"), [(2, "square"), (2.0, "square"), (0.5, "sqrt"), (-1, "reciprocal"), (3, "power")]
)
def test_powers_take_the_short_cuts_that_numpy_takes(exponent, name):
    tape, _ = trace(lambda w, g: (w, g**exponent), ONE, ONE)
    assert tape.ops[0][0] == name


@pytest.mark.parametrize("rule", RULES.values(), ids=RULES)
def test_every_rule_can_be_traced(rule):
    tape, (w, *_) = trace(rule, ONE, ONE)
    assert tape.ops
    assert w >= 2


# ---- what is refused, and where -------------------------------------------------------------------------


def looks_at_a_value(w, g, *, lr=0.1):
    if g > 1:  # here
        return w
    return w - lr * g


def looks_at_a_sum(w, g, *, lr=0.1):
    return w - lr * g / g.sum()  # here


def takes_a_norm(w, g, *, lr=0.1):
    size = np.linalg.norm(g)  # here
    return w - lr * g / size


def takes_a_mean(w, g, *, lr=0.1):
    return w - lr * np.mean(g)  # here


def uses_math(w, g, *, lr=0.1):
    return w - lr * math.tanh(g)  # here


def picks_a_weight(w, g, *, lr=0.1):
    return w - lr * g[0]  # here


def loops_over_weights(w, g, *, lr=0.1):
    return w - lr * np.array([x for x in g])  # here


def measures_the_length(w, g, *, lr=0.1):
    return w - lr * g / len(g)  # here


def writes_in_place(w, g, *, lr=0.1):
    w -= lr * g  # here
    return w


def writes_to_one_weight(w, g, *, lr=0.1):
    g[0] = 0.0  # here
    return w - lr * g


def writes_into_out(w, g, *, lr=0.1):
    return np.subtract(w, lr * g, out=w)  # here


def uses_an_unknown_function(w, g, *, lr=0.1):
    return w - np.spacing(g)  # here


def uses_a_matrix_product(w, g, *, lr=0.1):
    return w - lr * (g @ g)  # here


def accumulates(w, g, *, lr=0.1):
    return w - lr * np.add.accumulate(g)  # here


def adds_truths(w, g, *, lr=0.1):
    votes = (g > 0) + (w > 0)  # here
    return w - lr * votes


def asks_for_values(w, g, *, lr=0.1):
    return w - lr * np.asarray(g)  # here


def _helper(g):
    return g.max()  # here


def is_helped(w, g, *, lr=0.1):
    return w - lr * _helper(g)


REFUSED = [
    looks_at_a_value,
    looks_at_a_sum,
    takes_a_norm,
    takes_a_mean,
    uses_math,
    picks_a_weight,
    loops_over_weights,
    measures_the_length,
    writes_in_place,
    writes_to_one_weight,
    writes_into_out,
    uses_an_unknown_function,
    uses_a_matrix_product,
    accumulates,
    adds_truths,
    asks_for_values,
    is_helped,
]


@pytest.mark.parametrize("rule", REFUSED, ids=lambda rule: rule.__name__)
def test_what_cannot_be_traced_is_refused_with_its_line(rule):
    lines, first = inspect.getsourcelines(_helper if rule is is_helped else rule)
    [(number, text)] = [(first + i, line.strip()) for i, line in enumerate(lines) if "# here" in line]
    with pytest.raises(CannotTrace) as error:
        trace(rule, ONE, ONE)
    assert f"line {number}: {text}" in str(error.value)
    what, why, todo = re.fullmatch(r"(.*)\n(.*?)\. (Unfused, .*)", str(error.value)).groups()
    assert re.match(r"\w+ cannot be fused, because of line", what)
    assert re.match("It |np.|out=|This ", why), why
    assert "the rule itself still works" in todo


def takes_the_dtype(w, g):
    return w - g.astype(w.dtype)


def takes_the_sum(w, g):
    return w - np.sum(g)


def sums_up(w, g):
    return w - np.add.accumulate(g)


@pytest.mark.parametrize(
    ("rule", "what"),
    [(takes_the_dtype, ".astype"), (takes_the_sum, "np.sum"), (sums_up, "np.add.accumulate")],
)
def test_a_refusal_says_what_is_asked_for_and_why_it_cannot_be_had(rule, what):
    with pytest.raises(CannotTrace) as error:
        trace(rule, ONE, ONE)
    assert (
        f"\nIt asks for {what} of the whole array, and a fused step sees one weight at a time. "
        "Unfused, the rule itself still works: path, train and final take it as it is."
    ) in str(error.value)


def test_an_array_kept_from_an_earlier_step_is_refused():
    kept = []

    def rule(w, g):
        kept.append(g)
        return w - kept[0]

    trace(rule, ONE, ONE)
    with pytest.raises(CannotTrace, match="kept from an earlier step"):
        trace(rule, ONE, ONE)


# ---- the tape computes what NumPy computes --------------------------------------------------------------


def test_truths_are_kept_apart_from_numbers():
    def rule(w, g):
        both = (g > 0) & ~(w > 0) | (g == w)
        return np.where(both, w, -g), both * g

    rng = np.random.default_rng(0)
    w, g = rng.standard_normal((2, 3))
    tape, wanted = trace(rule, w, g)
    for got, expected in zip(play(tape, wanted), rule(w, g), strict=True):
        np.testing.assert_array_equal(got, expected)


def test_clip_and_where_and_their_like_take_numbers_and_arrays():
    def rule(w, g):
        return np.clip(g, -0.5, None) + np.zeros_like(w), np.where(g, w, 2.0), np.clip(w, None, g), w.ndim * g

    rng = np.random.default_rng(1)
    w, g = rng.standard_normal((2, 3))
    g[0] = 0.0
    tape, wanted = trace(rule, w, g)
    for got, expected in zip(play(tape, wanted), rule(w, g), strict=True):
        np.testing.assert_array_equal(got, expected)


def random_rule(seed):
    """Return a rule made of random operations, the same at every call."""

    def rule(w, g, m):
        rng = np.random.default_rng(seed)
        values, truths = [w, g, m, 0.5, 3, np.float64(0.1)], []
        for _ in range(rng.integers(5, 30)):
            kind = rng.choice(["number", "truth", "where"] if truths else ["number", "truth"], p=None)
            name = rng.choice(sorted((TRUTHS if kind == "truth" else NUMBERS) - {"where", "power"}))
            operands = [values[i] for i in rng.integers(len(values), size=3)]
            if all(isinstance(x, float | int) for x in operands):
                operands[0] = w
            if kind == "where":
                values.append(np.where(truths[rng.integers(len(truths))], *operands[:2]))
                continue
            f = getattr(np, name)
            result = f(*operands[: f.nin]) if f.nin == 1 else f(operands[0], operands[1])
            (truths if kind == "truth" else values).append(result)
        return *values[-4:], truths[-1] if truths else w

    return rule


@pytest.mark.parametrize("seed", range(60))
def test_playing_a_random_formula_equals_numpy_to_the_last_bit(seed, monkeypatch):
    monkeypatch.setattr(blocks, "BLOCK", 16)
    rng = np.random.default_rng(seed)
    w, g, m = rng.standard_normal((3, 50))
    tape = Tape(w.shape, w.dtype)
    with np.errstate(all="ignore"):
        expected = random_rule(seed)(w, g, m)
        new = random_rule(seed)(*[tape.array(x) for x in (w, g, m)])
        wanted = tuple({x.index: 0 for x in new if isinstance(x, StandIn) and x.index >= 3})
        results = dict(zip(wanted, play(tape, wanted), strict=True)) | dict(enumerate(tape.arrays))
    for x, value in zip(new, expected, strict=True):
        got = results[x.index] if isinstance(x, StandIn) else x
        np.testing.assert_array_equal(got, value)
