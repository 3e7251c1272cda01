"""check, reveal and progress: right answers in any form pass, everything else ends in a clear verdict."""

import functools
import inspect
import math
import subprocess
import sys
import threading
import time
import types
import warnings
from decimal import Decimal
from fractions import Fraction

import numpy as np
import pytest

from optim_lessons.adam import adam, amsgrad
from optim_lessons.course import check as check_module
from optim_lessons.course.check import check, progress, reveal
from optim_lessons.course.copies import workbook
from optim_lessons.course.exercises import EXERCISES
from optim_lessons.course.judging.trials import TOLERANCE, run, trials
from optim_lessons.course.sandbox.watchdog import Stopped, guarded
from optim_lessons.gradient_descent import gradient_descent
from optim_lessons.momentum import momentum

pytestmark = pytest.mark.essential

GD = "01.gradient_descent"


@pytest.fixture(autouse=True)
def new_session(monkeypatch):
    monkeypatch.setattr(check_module, "_session", {})


# Right answers in other words


def _gd(w, g, *, lr=0.01):
    step = np.multiply(lr, g)
    return np.subtract(w, step)


def _momentum(w, g, m=0, *, lr=1e-2, beta=9e-1):
    m = g - (-beta * m)
    return -(lr * m - w), m


def _nesterov(w, g, m=0.0, *, lr=0.01, beta=0.9):
    new_m = m * beta + g
    return w - lr * g - lr * beta * new_m, new_m


def _nesterov_growing(w, g, m=0.0, t=0, *, lr=0.01):
    ahead = 1 - 3 / (t + 3)
    m, t = (1 - 3 / (t + 2)) * m + g, 1 + t
    return w - lr * g - lr * ahead * m, m, t


def _adagrad(w, g, v=0.0, *, lr=0.01, eps=1e-10):
    v = v + np.square(g)
    return w - lr / (v**0.5 + eps) * g, v


def _rmsprop(w, g, v=0.0, *, lr=0.01, beta=0.99, eps=1e-8):
    v = v + (1 - beta) * (g * g - v)
    return w + -lr * (g / (eps + np.sqrt(v))), v


def _adam(w, g, m=0.0, v=0.0, t=0, *, lr=1e-3, beta1=0.9, beta2=0.999, eps=1e-8):
    t += 1
    m = m + (1 - beta1) * (g - m)
    v = v + (1 - beta2) * (np.square(g) - v)
    return w - lr / (1 - beta1**t) * m / (np.sqrt(v / (1 - beta2**t)) + eps), m, v, t


def _adam_folded(w, g, m=0.0, v=0.0, t=0, *, lr=1e-3, beta1=0.9, beta2=0.999, eps=1e-8):
    m, v, t = beta1 * m + g - beta1 * g, beta2 * v + g**2 - beta2 * g**2, t + 1
    root = np.sqrt(1 - beta2**t)
    return w - lr * root / (1 - beta1**t) * m / (np.sqrt(v) + eps * root), m, v, t


def _amsgrad(w, g, m=0.0, v=0.0, v_max=0.0, t=0, *, lr=1e-3, beta1=0.9, beta2=0.999, eps=1e-8):
    t = t + 1
    m = m - (1 - beta1) * (m - g)
    v = v - (1 - beta2) * (v - g * g)
    v_max = np.where(v > v_max, v, v_max)
    return w - lr * (m / (1 - beta1**t)) / (np.sqrt(v_max / (1 - beta2**t)) + eps), m, v, v_max, t


def _clipped(w, g, *, lr=0.01, clip=1.0):
    norm = np.sqrt((g * g).sum(axis=-1))[..., None]
    return w - lr * np.where(norm > clip, g / norm * clip, g)


def _adagrad_norm(w, g, v=0.0, *, lr=0.01, eps=1e-10):
    v = v + np.linalg.norm(g, axis=-1, keepdims=True) ** 2
    return w - g * (lr / (eps + v**0.5)), v


def _centred_rmsprop(w, g, m=0.0, v=0.0, *, lr=0.01, beta=0.9, eps=1e-2):
    m = m + (1 - beta) * (g - m)
    v = v + (1 - beta) * (g * g - v)
    return w - lr / (eps + np.sqrt(v - m * m)) * g, m, v


def _nadam(w, g, m=0.0, v=0.0, t=0, *, lr=1e-3, beta1=0.9, beta2=0.999, eps=1e-8):
    m, v, t = m + (1 - beta1) * (g - m), v + (1 - beta2) * (g * g - v), t + 1
    ahead = (1 - beta1) / (1 - beta1**t) * g + m * beta1 / (1 - beta1 * beta1**t)
    return w - lr * ahead / (eps + np.sqrt(v / (1 - beta2**t))), m, v, t


def _restarted(w, g, m=0.0, *, lr=0.01, beta=0.9):
    downhill = np.einsum("...i,...i->...", g, m + 0 * g)[..., None] >= 0
    m = g + downhill * beta * m
    return w - m * lr, m


def _averaged(w, g, w_mean=0.0, t=0, *, lr=0.01):
    w = w - lr * g
    return w, (t * w_mean + w) / (t + 1), t + 1


def _adamw(w, g, m=0.0, v=0.0, t=0, *, lr=1e-3, beta1=0.9, beta2=0.999, eps=1e-8, weight_decay=0.01):
    m, v, t = m + (1 - beta1) * (g - m), v + (1 - beta2) * (g * g - v), t + 1
    adams = m / (1 - beta1**t) / (eps + np.sqrt(v / (1 - beta2**t)))
    return w - lr * (adams + weight_decay * w), m, v, t


def _cautious(w, g, m=0.0, *, lr=1e-4, beta=0.9, weight_decay=0.01):
    m = g + beta * (m - g)
    return w * np.where(m * w > 0, 1 - lr * weight_decay, 1) - lr * np.sign(m), m


def _cautious_by_parts(w, g, m=0.0, *, lr=1e-4, beta=0.9, weight_decay=0.01):
    m = beta * m + (1 - beta) * g
    towards = np.sign(m)
    return w - lr * towards * (1 + weight_decay * np.maximum(towards * w, 0)), m


def _unit_lion(w, g, m=0.0, *, lr=1e-2, beta1=0.9, beta2=0.99, weight_decay=0.1):
    c = g + beta1 * (m - g)
    length = np.linalg.norm(c, axis=-1, keepdims=True)
    return w * (1 - lr * weight_decay) - c * (lr / length.clip(1e-7)), m + (1 - beta2) * (g - m)


REWRITTEN = [
    (GD, _gd),
    ("04.momentum", _momentum),
    ("04.restarted_momentum", _restarted),
    ("05.nesterov", _nesterov),
    ("05.nesterov_growing", _nesterov_growing),
    ("06.adagrad", _adagrad),
    ("06.adagrad_norm", _adagrad_norm),
    ("07.rmsprop", _rmsprop),
    ("07.centred_rmsprop", _centred_rmsprop),
    ("08.adam", _adam),
    ("08.adam", _adam_folded),
    ("08.amsgrad", _amsgrad),
    ("08.nadam", _nadam),
    ("10.adamw", _adamw),
    ("10.cautious", _cautious),
    ("10.cautious", _cautious_by_parts),
    ("14.unit_lion", _unit_lion),
    ("01.clipped_descent", _clipped),
    ("03.averaged_descent", _averaged),
]


@pytest.mark.parametrize(("id", "rewritten"), REWRITTEN)
def test_an_algebraically_equal_rule_is_right(id, rewritten):
    verdict = check(id, rewritten)
    assert verdict, verdict
    assert verdict.right
    assert verdict.done


def test_every_rule_is_tried_in_other_words():
    assert {id for id, _ in REWRITTEN} == {e.id for e in EXERCISES.values() if e.kind == "rule"}


@pytest.mark.parametrize(("id", "rewritten"), REWRITTEN)
def test_rounding_stays_a_hundred_times_below_the_tolerance(id, rewritten):
    reference = EXERCISES[id].reference
    for seed in range(20):
        for case in trials(reference, seed):
            for got, want in zip(run(rewritten, case), run(reference, case), strict=True):
                for a, b in zip(got, want, strict=True):
                    assert np.abs(a - b).max() <= TOLERANCE / 100 * np.abs(b).max()


def test_a_callable_object_with_the_right_signature_is_right():
    class Rule:
        def __call__(self, w, g, *, lr=0.01):
            return w - lr * g

    assert check(GD, Rule())


def test_a_right_verdict_holds_no_number_of_the_learners_and_no_address():
    first = check("08.adam", _adam)
    assert repr(first) == repr(check("08.adam", _adam_folded))
    assert repr(first) == (
        "✓ Right. `my_adam` gives the right w, m, v and t at every step: from the start, in mid-run, "
        "and with several runs at once."
    )
    assert repr(check("00.first_check", 6.004)) == repr(check("00.first_check", 6))


# The course's own function


@pytest.mark.parametrize(
    "own",
    [
        adam,
        functools.partial(adam),
        functools.partial(adam, lr=0.1),
        functools.wraps(adam)(lambda *args, **knobs: adam(*args, **knobs)),
        types.FunctionType(adam.__code__, {"np": np}),
        types.MethodType(adam, 1),
    ],
)
def test_the_courses_own_function_is_refused_in_every_dress(own):
    assert check("08.adam", own).mistake == "the-courses-own"


def test_a_function_that_only_calls_the_courses_own_is_refused():
    def mine(w, g, *, lr=0.01):
        return gradient_descent(w, g, lr=lr)

    assert check(GD, mine).mistake == "the-courses-own"


# The signature


def _signatures():
    yield lambda w: w, "arguments", "lacks the arguments `g` and `lr`"
    yield (
        lambda weights, g, *, lr=0.01: g,
        "arguments",
        "lacks the argument `w`, and its `weights` is not",
    )
    yield lambda w, g, *, lr=0.01, eps=1e-8: w, "arguments", "takes `eps` besides what it needs"
    yield lambda *args, **knobs: 0, "arguments", "hide behind `*args`"
    yield lambda w, g, lr=0.01: w, "star-missing", "A `*` before the knobs"
    yield lambda w, *, g, lr=0.01: w, "star-too-early", "`g` stands behind the `*`"
    yield lambda g, w, *, lr=0.01: w, "argument-order", "the order is `w, g`"
    yield lambda w, g, *, lr: w, "default", "`lr` has no default; in the course it defaults to `0.01`"
    yield lambda w, g, *, lr=0.1: w, "default", "`lr` defaults to `0.1`, the course uses `0.01`"
    yield lambda w, g, *, lr="x": w, "default", "`lr` defaults to `'x'`"
    yield lambda w, g=0, *, lr=0.01: w, "default", "`g` has a default"
    yield max, "arguments", "does not say which arguments it takes"


@pytest.mark.parametrize(("attempt", "mistake", "text"), list(_signatures()))
def test_a_wrong_signature_is_described_and_the_right_one_is_shown(attempt, mistake, text):
    verdict = check(GD, attempt)
    assert verdict.mistake == mistake
    assert text in verdict.text
    assert "`def my_gradient_descent(w, g, *, lr=0.01):`" in verdict.text


def test_other_defaults_than_the_courses_are_named():
    def beta2(w, g, m=0.0, v=0.0, t=0, *, lr=1e-3, beta1=0.9, beta2=0.99, eps=1e-8):
        return _adam(w, g, m, v, t, lr=lr, beta1=beta1, beta2=beta2, eps=eps)

    def t(w, g, m=0.0, v=0.0, t=1, *, lr=1e-3, beta1=0.9, beta2=0.999, eps=1e-8):
        return _adam(w, g, m, v, t, lr=lr, beta1=beta1, beta2=beta2, eps=eps)

    def m(w, g, m=None, *, lr=0.01, beta=0.9):
        return _momentum(w, g, 0 if m is None else m, lr=lr, beta=beta)

    assert "`beta2` defaults to `0.99`, the course uses `0.999`." in check("08.adam", beta2).text
    assert "`t` starts at `1`, the course uses `0`." in check("08.adam", t).text
    assert (
        "`m` starts at `None`, the course uses `0.0`. A single number is enough"
        in check("04.momentum", m).text
    )


# What comes back


def _results():
    def in_place(w, g, *, lr=0.01):
        w -= lr * g
        return w

    def generator(w, g, *, lr=0.01):
        yield w

    async def coroutine(w, g, *, lr=0.01):
        return w

    async def awaited(w, g, lr):
        return w

    def rule(body):
        return lambda w, g, *, lr=0.01: body(w, g, lr)

    yield in_place, "writes-in-place", "`w -= lr * g`"
    yield generator, "generator", "use `return`"
    yield coroutine, "coroutine", "write `def` alone"
    yield rule(lambda w, g, lr: (x for x in w)), "generator", "end it with `return w`"
    yield rule(awaited), "coroutine", "write `def` alone"
    yield rule(lambda w, g, lr: list(w)), "returns-list", "end it with `return w`"
    yield rule(lambda w, g, lr: {"w": w}), "returns-dict", "end it with `return w`"
    yield rule(lambda w, g, lr: (w, g)), "returned-values", "2 values, where 1 value is expected"
    yield rule(lambda w, g, lr: "w"), "returned-type", "is `'w'`, of type `str`"
    yield rule(lambda w, g, lr: True), "returned-type", "of type `bool`"
    yield rule(lambda w, g, lr: print), "returned-type", "return an array"
    yield rule(lambda w, g, lr: (w - lr * g).astype(object)), "returned-type", "holds `object` values"
    yield rule(lambda w, g, lr: w - lr * g + 0j), "complex", "complex numbers"
    yield (
        rule(lambda w, g, lr: (w - lr * g).astype(np.float32)),
        "dtype",
        "is `float32`, but was given",
    )
    yield rule(lambda w, g, lr: w.astype(int)), "dtype", "is `int64`"
    yield rule(lambda w, g, lr: w[0] - lr * g[0]), "coordinates-mixed", "mixes the coordinates"
    yield rule(lambda w, g, lr: w[:2] - lr * g[:2]), "shape", "has shape (2,), but (3,) is expected"
    yield rule(lambda w, g, lr: np.append(w, 0)), "shape", "has shape (4,), but (3,) is expected"
    yield rule(lambda w, g, lr: w * np.nan), "not-finite", "turns w into NaN"
    yield rule(lambda w, g, lr: w - np.inf * g), "not-finite", "turns w into NaN or infinity"
    yield rule(lambda w, g, lr: w[::-1]), "lr-unused", "does not use `lr`"
    yield rule(lambda w, g, lr: w - 0.53 * g), "lr-unused", "does not use `lr`"
    yield (
        rule(lambda w, g, lr: w - lr * g + np.random.default_rng().random()),
        "hidden-memory",
        "draws random numbers",
    )


@pytest.mark.parametrize(("attempt", "mistake", "text"), list(_results()))
def test_an_unusable_result_is_described(attempt, mistake, text):
    verdict = check(GD, attempt)
    assert verdict.mistake == mistake
    assert text in verdict.text


def test_writing_into_the_state_that_comes_back_is_noticed():
    def attempt(w, g, m=0.0, *, lr=0.01, beta=0.9):
        m *= beta
        m += g
        return w - lr * m, m

    verdict = check("04.momentum", attempt)
    assert verdict.mistake == "writes-in-place"
    assert "`m *= beta`" in verdict.text  # which the first step let pass: there m is a number


def test_a_state_that_is_not_used_is_named():
    def attempt(w, g, m=0.0, *, lr=0.01, beta=0.9):
        m = g + np.tanh(beta * g)
        return w - lr * m, m

    assert check("04.momentum", attempt).mistake == "m-unused"


def test_values_in_another_order_are_told_so():
    def attempt(w, g, m=0.0, v=0.0, t=0, *, lr=1e-3, beta1=0.9, beta2=0.999, eps=1e-8):
        w, m, v, t = _adam(w, g, m, v, t, lr=lr, beta1=beta1, beta2=beta2, eps=eps)
        return t, m, v, w

    def swapped(w, g, m=0.0, *, lr=0.01, beta=0.9):
        w, m = _momentum(w, g, m, lr=lr, beta=beta)
        return m, w

    assert check("04.momentum", swapped).mistake == "returned-order"
    assert check("08.adam", attempt).mistake == "returned-order"


def test_a_global_variable_that_keeps_the_state_is_found():
    source = (
        "M = 0.0\n"
        "def attempt(w, g, m=0.0, *, lr=0.01, beta=0.9):\n"
        "    global M\n"
        "    M = beta * M + g\n"
        "    return w - lr * M, M\n"
    )
    exec(source, namespace := {})
    assert check("04.momentum", namespace["attempt"]).mistake == "hidden-memory"


def _keeping():
    kept = {}

    def in_a_dict(w, g, m=0.0, *, lr=0.01, beta=0.9):
        kept["m"] = beta * kept.get("m", 0.0) + g
        return w - lr * kept["m"], kept["m"]

    class Walker:
        m = 0.0

        def step(self, w, g, m=0.0, *, lr=0.01, beta=0.9):
            self.m = beta * self.m + g
            return w - lr * self.m, self.m

    return [in_a_dict, Walker().step]


@pytest.mark.parametrize("attempt", _keeping(), ids=lambda f: f.__name__)
def test_a_state_kept_outside_is_found_though_its_shape_does_not_fit_the_next_trial(attempt):
    assert check("04.momentum", attempt).mistake == "hidden-memory"


def test_a_rounded_rule_is_told_that_it_is_nearly_right():
    text = check(GD, lambda w, g, *, lr=0.01: np.round(w - lr * g, 6)).text
    assert "at least three digits are right" in text
    assert "is something rounded" in text
    assert "three digits" not in check(GD, lambda w, g, *, lr=0.01: w - 1.1 * lr * g).text


def test_a_slip_in_a_function_that_counts_its_calls_is_told_as_what_it_is():
    source = (
        "calls = 0\n"
        "def attempt(w, g, *, lr=0.01):\n"
        "    global calls\n"
        "    calls += 1\n"
        "    return w - lr * gg\n"
    )
    exec(source, namespace := {})
    verdict = check(GD, namespace["attempt"])
    assert verdict.mistake == "raised"
    assert "name 'gg' is not defined" in verdict.text


# An unknown mistake


def test_an_unknown_mistake_is_placed_by_quantity_and_step():
    def attempt(w, g, m=0.0, v=0.0, t=0, *, lr=1e-3, beta1=0.9, beta2=0.999, eps=1e-8):
        new_w, m, v, t = _adam(w, g, m, v, t, lr=lr, beta1=beta1, beta2=beta2, eps=eps)
        return new_w + (t == 2) * 0.1 * np.sin(w), m, v, t

    verdict = check("08.adam", attempt)
    assert verdict.mistake is None
    assert "At step 2, from the starting state, m, v and t are right, but w differs." in verdict.text
    assert EXERCISES["08.adam"].hint in verdict.text


def test_a_constant_factor_is_stated_in_terms_of_a_knob():
    def attempt(w, g, m=0.0, *, lr=0.01, beta=0.9):
        return w - lr * lr * (m := beta * m + g), m

    def thrice(w, g, *, lr=0.01):
        return w - 3 * lr * g

    assert (
        "Your step in w is `lr` times the right one in every coordinate."
        in check("04.momentum", attempt).text
    )
    assert "Your step in w is 3 times the right one" in check(GD, thrice).text


def test_a_rule_that_is_right_for_one_run_only_is_told_where_it_fails():
    def attempt(w, g, *, lr=0.01):
        return w - lr * g + (w.ndim > 1) * 0.01 * np.cos(w)

    text = check(GD, attempt).text
    assert "At step 1, with several runs at once, w differs." in text


def test_a_right_rule_of_another_type_is_not_taken_for_two_mistakes_that_undo_each_other():
    def attempt(*args, **knobs):
        return tuple(np.longdouble(x) for x in _adam(*args, **knobs))

    attempt.__signature__ = inspect.signature(_adam)
    assert check("08.adam", attempt).mistake == "dtype"


def _with_state():
    def copied(w, g, m=0.0, *, lr=0.01, beta=0.9):
        m = beta * m.copy() + g
        return w - lr * m, m

    def by_place(w, g, m=0.0, *, lr=0.01, beta=0.9):
        m = np.array([beta * m[i] + g[i] for i in range(len(w))])
        return w - lr * m, m

    def einsum(w, g, m=0.0, *, lr=0.01, beta=0.9):
        return w - lr * np.einsum("...i,...i->...", g, m), m

    def multiplied(w, g, m=0.0, *, lr=0.01, beta=0.9):
        return w - lr * (g @ m), m

    return [copied, by_place, einsum, multiplied]


@pytest.mark.parametrize("attempt", _with_state(), ids=lambda f: f.__name__)
def test_a_state_taken_for_an_array_in_the_first_call_is_told_that_it_is_a_number(attempt):
    verdict = check("04.momentum", attempt)
    assert verdict.mistake == "raised"
    assert "a single number, 0.0" in verdict.text


def test_a_matrix_product_of_several_runs_is_told_so():
    def attempt(w, g, *, lr=0.01, clip=1.0):
        return w - lr * g * np.minimum(1, clip / np.sqrt(np.dot(g, g)))

    assert "several runs come at once" in check("01.clipped_descent", attempt).text


# Exceptions and endless loops


def _raising():
    def rule(body):
        return lambda w, g, *, lr=0.01: body(w, g, lr)

    def undefined(w, g, *, lr=0.01):
        return w - lr * gg  # noqa: F821

    def condition(w, g, *, lr=0.01):
        if g > 0:
            return w - lr * g
        return w

    def recursion(w, g, *, lr=0.01):
        return recursion(w, g, lr=lr)

    class Broken(Exception):
        def __str__(self):
            raise ValueError

    def broken(w, g, *, lr=0.01):
        raise Broken

    yield undefined, "`NameError: name 'gg' is not defined` in line", "is the name spelt"
    yield condition, "`ValueError: The truth value", "`np.where`"
    yield recursion, "`RecursionError", "calls itself without end"
    yield rule(lambda w, g, lr: w - lr * math.sqrt(g)), "`TypeError: only", "NumPy has the same function"
    yield rule(lambda w, g, lr: w - g / 0), "turns w into NaN or infinity", "division by 0"
    yield rule(lambda w, g, lr: w - g * (1 / 0)), "`ZeroDivisionError", "which step number"
    yield (
        rule(lambda w, g, lr: w - np.ones(7)),
        "`ValueError: operands could not be",
        "the last axis",
    )
    yield rule(lambda w, g, lr: input()), "in line", ""
    yield rule(lambda w, g, lr: sys.exit(3)), "was left by `SystemExit`", ""
    yield broken, "stops with `Broken`", ""


@pytest.mark.parametrize(("attempt", "text", "hint"), list(_raising()))
def test_an_exception_becomes_a_verdict_with_error_line_and_hint(attempt, text, hint):
    verdict = check(GD, attempt)
    assert verdict.mistake in ("raised", "not-finite")
    assert text in verdict.text
    assert hint in verdict.text


@pytest.mark.parametrize("kind", [KeyboardInterrupt, GeneratorExit, SystemExit, MemoryError])
def test_no_exception_of_the_learners_reaches_the_notebook(kind):
    def attempt(w, g, *, lr=0.01):
        raise kind

    verdict = check(GD, attempt)
    assert verdict.mistake == "raised"
    assert f"`{kind.__name__}" in verdict.text
    assert "`raise kind`" in verdict.text


def _unwritten():
    def nothing(w, g, m=0.0, *, lr=0.01, beta=0.9):
        pass

    def dots(w, g, m=0.0, *, lr=0.01, beta=0.9):
        return ...

    def dots_inside(w, g, m=0.0, *, lr=0.01, beta=0.9):
        m = ...
        w = w - lr * m
        return w, m

    def half(w, g, m=0.0, *, lr=0.01, beta=0.9):
        m = beta * m + g
        w = ...
        return w, m

    def todo(w, g, m=0.0, *, lr=0.01, beta=0.9):
        raise NotImplementedError

    return [nothing, dots, dots_inside, half, todo]


@pytest.mark.parametrize("attempt", _unwritten(), ids=lambda f: f.__name__)
def test_a_function_that_is_not_written_yet_is_open_and_no_mistake(attempt):
    verdict = check("04.momentum", attempt)
    assert not verdict
    assert not verdict.done
    assert verdict.mistake is None
    assert repr(verdict).startswith("○ Still open.")


def _no_else(w, g, m=0.0, *, lr=0.01, beta=0.9):
    if np.ndim(w) == 1:
        return _momentum(w, g, m, lr=lr, beta=beta)


def _not_at_first(w, g, m=0.0, *, lr=0.01, beta=0.9):
    return _momentum(w, g, m, lr=lr, beta=beta) if np.ndim(m) else None


@pytest.mark.parametrize(
    ("attempt", "where"),
    [
        (_no_else, "nothing at step 1, with several runs at once."),
        (_not_at_first, "nothing at step 1, from the starting state."),
        (
            lambda w, g, m=0.0, *, lr=0.01, beta=0.9: (
                (w, ...) if w.ndim > 1 else _momentum(w, g, m, lr=lr, beta=beta)
            ),
            "`...` at step 1, with several",
        ),
    ],
)
def test_a_rule_that_returns_nothing_in_one_case_is_told_in_which(attempt, where):
    verdict = check("04.momentum", attempt)
    assert verdict.done
    assert verdict.mistake == "returns-nothing"
    assert f"`my_momentum` returned {where}" in verdict.text
    assert "does a branch lack its `return`?" in verdict.text


def test_a_written_rule_without_a_return_is_told_so():
    def attempt(w, g, m=0.0, *, lr=0.01, beta=0.9):
        m = beta * m + g
        w = w - lr * m

    verdict = check("04.momentum", attempt)
    assert verdict.mistake == "returns-nothing"
    assert "is `return` missing" in verdict.text


def test_a_none_among_the_results_is_told_by_its_name():
    text = check("04.momentum", lambda w, g, m=0.0, *, lr=0.01, beta=0.9: (w, None)).text
    assert "The new m is `None`" in text


def _endless(w, g, *, lr=0.01):
    while True:
        pass


def _swallows_everything(w, g, *, lr=0.01):
    while True:
        try:
            w = w - lr * g
        except:  # noqa: E722
            continue


@pytest.mark.parametrize("attempt", [_endless, _swallows_everything])
def test_an_endless_loop_is_stopped(attempt):
    verdict = check(GD, attempt, seconds=0.1)
    assert verdict.mistake == "endless"
    assert "was stopped after 0.1 s in line" in verdict.text


def test_an_endless_loop_is_stopped_in_another_thread_too():
    verdicts = []
    thread = threading.Thread(target=lambda: verdicts.append(check(GD, _endless, seconds=0.1)))
    thread.start()
    thread.join(timeout=20)
    assert verdicts[0].mistake == "endless"


def test_the_watchdog_leaves_nothing_behind():
    before = threading.active_count()
    for _ in range(30):  # the time is over just as the call ends: now one, now the other is first
        result, error = guarded(lambda: time.sleep(0.003), seconds=0.003)
        assert error is None or isinstance(error, Stopped)
        assert result is None
    sum(range(300_000))  # a stop that was still pending would be raised here
    time.sleep(0.05)
    assert threading.active_count() <= before


TRACED = """
import sys, time
from optim_lessons.course.sandbox.watchdog import guarded
guarded(lambda: 1)
guarded(lambda: time.sleep(0.02), seconds=0.01)
sys.settrace(lambda *event: None)
(lambda: 1)()
"""


def test_a_debugger_works_after_a_check():
    subprocess.run([sys.executable, "-c", TRACED], check=True, timeout=60)


def test_a_function_that_prints_a_lot_is_cut_short(capsys):
    def attempt(w, g, *, lr=0.01):
        for i in range(10_000):
            print("line", i)
        return w - lr * g

    assert check(GD, attempt)
    out = capsys.readouterr().out
    assert out.count("line ") == 20
    assert out.endswith("(printed by your code; only the first 20 lines are shown)\n")


def test_no_warning_is_shown_and_no_setting_is_changed(capsys):
    def attempt(w, g, *, lr=0.01):
        warnings.warn("look at me", stacklevel=1)
        np.seterr(all="raise")
        warnings.simplefilter("error")
        return np.log(-np.abs(w))

    before = np.geterr(), sys.stdout
    with warnings.catch_warnings(record=True) as seen:
        warnings.simplefilter("always")
        check(GD, attempt)
    assert not seen
    assert (np.geterr(), sys.stdout) == before
    assert capsys.readouterr().err == ""


# Answers that are no functions, numbers, letters, dicts


class Hostile:
    """An object that resists being looked at."""

    def __eq__(self, other):
        raise ValueError

    def __repr__(self):
        raise ValueError

    def __float__(self):
        raise SystemExit

    def __getattr__(self, name):
        raise RuntimeError

    __hash__ = None


class SomeClass:
    pass


ODD = [  # no number above 0: it might be a right one
    *("", "text", b"bytes", 0, -3.5, -7, 1j, True, np.True_, math.nan, math.inf, -math.inf),
    *(10**400, Fraction(-1, 3), Decimal("NaN"), np.float32(-2), np.array(-3), np.ones(2), np.ones((2, 2))),
    *(np.array("a"), np.array(None), np.array([]), np.ma.masked, np.datetime64("2020")),
    *(
        [],
        [1],
        (),
        (6,),
        {},
        {"A": 1},
        {1: 2},
        {("x",): ...},
        set(),
        range(3),
        object(),
        SomeClass,
        SomeClass(),
    ),
    *(
        print,
        len,
        np.sqrt,
        np,
        lambda: 0,
        (x for x in "ab"),
        Hostile(),
        NotImplemented,
        ValueError("x"),
        inspect,
    ),
    *("x" * 100_000, list(range(100_000))),
]


@pytest.mark.parametrize("exercise", EXERCISES.values(), ids=lambda e: e.id)
def test_any_odd_answer_ends_in_a_short_clear_verdict(exercise):
    for answer in ODD:
        verdict = check(exercise.id, answer)
        assert not verdict
        assert verdict.done or verdict.mistake is None
        assert 10 < len(verdict.text) < 400
        assert " at 0x" not in verdict.text
        assert verdict.text.count("`") % 2 == 0
        assert repr(verdict).startswith(("✗ Not yet. ", "○ Still open. "))
        if not isinstance(answer, Hostile):
            assert verdict.mistake != "check-failed", answer


@pytest.mark.parametrize(
    ("answer", "mistake", "text"),
    [
        ("6", "text", "the text `'6'`: give a number, without quotation marks"),
        (True, "no-number", "is `True`"),
        (lambda: 6, "no-number", "is a function"),
        ((6,), "no-number", "is there a comma at the end"),
        (np.array([6.0]), "no-number", "an array of shape (1,)"),
        (6 + 0j, "no-number", "complex"),
        ([6], "no-number", "`[6]`, of type `list`"),
        (math.nan, "not-finite", "`nan`"),
        (10**400, "not-finite", "finite"),
    ],
)
def test_what_is_no_number_is_told_what_it_is(answer, mistake, text):
    verdict = check("00.first_check", answer)
    assert verdict.mistake == mistake
    assert text in verdict.text


@pytest.mark.parametrize(
    "six", [6, 6.0, np.float32(6), np.int64(6), np.array(6), Fraction(12, 2), Decimal(6)]
)
def test_a_number_may_come_in_any_numeric_type(six):
    assert check("00.first_check", six)


@pytest.mark.parametrize("letter", ["b", "B", " b ", "b)", "(b)", "b.", "b:", "'b'"])
def test_a_letter_may_be_dressed(letter):
    assert check("01.double_curvature", letter)


def test_a_class_instead_of_a_function_is_told_so():
    assert check(GD, SomeClass).mistake == "a-class"
    assert check(GD, _gd(np.ones(2), np.ones(2))).mistake == "no-function"


# The verdict on the page


def test_a_verdict_has_a_symbol_and_a_word_and_keeps_code_as_code():
    verdict = check(GD, lambda w, g, *, lr=0.01: w + lr * g)
    assert repr(verdict) == (
        "✗ Not yet. You add the gradient, so the step goes uphill.\n"
        "Hint: the gradient points to where the loss grows."
    )
    assert verdict._repr_markdown_().startswith("**✗ Not yet.** *(climbs)* You add the gradient")
    assert "\n\nHint: " in verdict._repr_markdown_()
    assert check(GD, _gd)._repr_markdown_().startswith("**✓ Right.** ")


def test_what_the_learner_wrote_cannot_become_markup():
    text = check("00.first_check", "`<b>*x*</b>`\n# big").text
    assert "`''<b>*x*</b>'\\n# big'`" in text


# Ids, reveal, progress


@pytest.mark.parametrize("function", [check, reveal])
@pytest.mark.parametrize("id", ["adam", "8.adam", "08_adam", "08.Adam", " 08.adam", "08.addam"])
def test_an_unknown_id_is_answered_with_ids_near_it(function, id):
    answer = function(id)
    assert not answer
    assert answer.mistake == "no-such-exercise"
    assert "`08.adam`" in answer.text


def test_an_impossible_id_is_answered_too():
    for id in (None, 3, adam, [], ..., "", "zzz", "x" * 100_000, Hostile()):
        for answer in (check(id, 1), reveal(id)):
            assert answer.mistake == "no-such-exercise"
            assert len(answer.text) < 400


def test_the_two_arguments_may_be_swapped():
    assert check(_gd, GD)


def test_check_without_an_answer_says_how_to_give_it():
    verdict = check("08.adam")
    assert not verdict.done
    assert 'write `check("08.adam", my_adam)`' in verdict.text
    assert "written yet" not in verdict.text  # for it may be written
    assert "an id and your answer" in check().text


def test_two_answers_are_told_to_be_one():
    verdict = check("04.twenty_steps", 2.6, 0.7)
    assert verdict.mistake == "several-answers"
    assert '`check("04.twenty_steps", lr_and_beta)`' in verdict.text
    assert check("04.twenty_steps", (2.6, 0.7))


@pytest.mark.parametrize("first", ["my_adam", EXERCISES["08.adam"]])
@pytest.mark.parametrize("rest", [(), (_adam,)])
def test_a_name_or_an_exercise_in_the_place_of_the_id_is_told_its_id(first, rest):
    assert '`check("08.adam", my_adam)`' in check(first, *rest).text


def test_a_function_in_the_place_of_the_id_is_told_its_id():
    def my_adam():
        pass

    assert '`check("08.adam", my_adam)`' in check(my_adam).text
    assert "without quotation marks" in check("08.adam", "my_adam").text


def test_reveal_shows_the_reference_under_the_learners_name():
    for id, reference in (("08.adam", adam), ("08.amsgrad", amsgrad), ("04.momentum", momentum)):
        page = reveal(id)
        exec(repr(page), namespace := {"np": np})
        mine = namespace[f"my_{reference.__name__}"]
        assert inspect.signature(mine) == inspect.signature(reference)
        assert check(id, mine)
        assert page._repr_markdown_().startswith(f"```python\ndef my_{reference.__name__}(w, g, m=0.0")
    assert "double_curvature" in repr(reveal("01.double_curvature"))


@pytest.fixture
def shipped_lessons(tmp_path, monkeypatch):
    for name in ("00_start_here.ipynb", "08_adam.ipynb", "notes.txt"):
        (tmp_path / name).touch()
    monkeypatch.setattr(workbook, "shipped", lambda folder: tmp_path)
    ids = ("00.first_check", "04.momentum", "08.adam", "08.amsgrad")
    monkeypatch.setattr(check_module, "EXERCISES", {id: EXERCISES[id] for id in ids})


@pytest.mark.usefixtures("shipped_lessons")
def test_progress_tells_done_tried_and_open_for_the_lessons_that_are_shipped():
    check("00.first_check", 9)
    check("00.first_check", 6)
    check("00.first_check", 9)  # what is done stays done
    check("08.adam", lambda w: w)
    check("08.amsgrad", ...)  # not tried yet
    check("04.momentum", momentum)  # its lesson is not shipped
    assert repr(progress()) == (
        "00.first_check  ✓ done\n"
        "08.adam         ✗ tried\n"
        "08.amsgrad      ○ open\n"
        "1 of 3 exercises done in this session."
    )
    assert "| 08.adam | `my_adam` | ✗ tried |" in progress()._repr_markdown_()
    assert repr(progress("00")) == "00.first_check  ✓ done\n1 of 1 exercises done in this session."
    assert progress("04").mistake == "no-such-lesson"


@pytest.mark.usefixtures("shipped_lessons")
@pytest.mark.parametrize("lesson", [8, "8", "08", "adam", " Adam", "08_adam"])
def test_progress_takes_a_lessons_number_or_name(lesson):
    assert [id for id, *_ in progress(lesson).rows] == ["08.adam", "08.amsgrad"]


@pytest.mark.usefixtures("shipped_lessons")
def test_an_unknown_lesson_is_answered_with_the_numbers_there_are():
    for lesson in (14, "99", "adamant", -1, None, 8.0, Hostile()):
        answer = progress(lesson)
        assert not answer
        assert answer.mistake == "no-such-lesson"
        assert "give its number, from 00 to 08" in answer.text


@pytest.mark.usefixtures("shipped_lessons")
def test_progress_is_open_everywhere_in_a_new_session():
    assert all(state == "open" for *_, state in progress().rows)


@pytest.mark.parametrize("dress", ["{}.", "({})", "Run {}", " {}: ", "run {}"])
def test_the_letters_and_names_of_a_diagnosis_may_be_dressed(dress):
    truth = _solution("01.diagnose")
    assert check("01.diagnose", {dress.format(letter): f"`{label}`." for letter, label in truth.items()})


@pytest.mark.parametrize("id", [e.id for e in EXERCISES.values() if e.kind == "diagnosis"])
def test_a_dict_the_wrong_way_round_is_shown_an_example_that_is_not_the_answer(id):
    truth = _solution(id)
    for answer in ({label: letter for letter, label in truth.items()}, list(truth.values())):
        text = check(id, answer).text
        letter, label = text.split('`{"')[1].split('", ...}`')[0].split('": "')
        assert label != truth[letter]


def test_a_diagnosis_may_name_its_runs_in_small_letters():
    answer = {letter.lower(): label for letter, label in _solution("01.diagnose").items()}
    assert check("01.diagnose", answer)


def _solution(id):
    names = {}
    exec(EXERCISES[id].solution, names)
    return names[EXERCISES[id].name]
