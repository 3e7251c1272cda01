"""The rules give the numbers of PyTorch and optax, and those that Stanford's and D2L's courses print.

The peers are not needed here: tests/peers/make_goldens.py made the golden points, and beside each one how far
the peer itself moves when every gradient changes by one unit in the last place.
"""

import inspect
import re

import numpy as np
import pytest
from discovery import RULES
from peers import goldens
from peers.goldens import CASES, PUBLISHED, miss

from optim_lessons.adam import adam
from optim_lessons.gradient_descent import gradient_descent
from optim_lessons.lab.path import path
from optim_lessons.momentum import momentum
from optim_lessons.rmsprop import rmsprop

pytestmark = pytest.mark.essential

OURS = [case for case in CASES if not RULES[case["rule"]].__module__.endswith("bridge")]
WITH_A_PEER = {"gradient_descent", "momentum", "nesterov", "adagrad", "rmsprop", "adam", "amsgrad", "adamw"}


@pytest.mark.parametrize("case", OURS, ids=goldens.name)
def test_rule_walks_where_the_library_walks(case):
    assert miss(RULES[case["rule"]], case) <= 1


def test_every_rule_with_a_counterpart_is_compared_on_every_problem_at_the_extremes_too():
    assert {case["rule"] for case in OURS} >= WITH_A_PEER
    for rule in WITH_A_PEER:
        cases = [case for case in OURS if case["rule"] == rule]
        assert {case["problem"] for case in cases} == {"sequence", "rosenbrock", "softmax"}
        knobs = [case["knobs"] for case in cases]
        assert any(k["lr"] == 0 for k in knobs)
        assert max(k["lr"] for k in knobs) >= 1
        assert any(case["halve_every"] for case in cases)
        if "eps" in knobs[0]:
            assert any(k["eps"] == 0.1 for k in knobs)
        if rule in {"momentum", "nesterov", "rmsprop"}:
            assert any(k["beta"] == 0 for k in knobs)
        if rule in {"adam", "amsgrad"}:
            assert any(k["beta1"] == 0 for k in knobs)
            assert any(k["beta2"] == 0 for k in knobs)


@pytest.mark.parametrize("case", CASES, ids=goldens.name)
def test_what_a_walk_may_miss_by_is_small_enough_to_mean_something(case):
    w, allowed, steps = goldens.points(case)
    assert steps[-1] >= 10  # a walk is longer than the first step, which forgives most mistakes
    assert (allowed <= 3e-9 * np.maximum(1, np.abs(w).max())).all()


WRONG = [
    ("gradient_descent", "w - lr * g", "w + lr * g"),
    ("gradient_descent", "w - lr * g", "w - g"),
    ("momentum", "beta * m + g", "beta * m + (1 - beta) * g"),
    ("momentum", "beta * m + g", "beta * (m + g)"),
    ("momentum", "w - lr * m", "w - lr * g"),
    ("nesterov", "(g + beta * m)", "m"),
    ("nesterov", "(g + beta * m)", "(g + m)"),
    ("nesterov", "(g + beta * m)", "(beta * m)"),
    ("adagrad", "v + g**2", "g**2"),
    ("adagrad", "v + g**2", "v + np.abs(g)"),
    ("adagrad", "np.sqrt(v) + eps", "np.sqrt(v + eps)"),
    ("adagrad", "np.sqrt(v) + eps", "v + eps"),
    ("rmsprop", "(1 - beta) * g**2", "g**2"),
    ("rmsprop", "np.sqrt(v) + eps", "np.sqrt(v + eps)"),
    ("rmsprop", "np.sqrt(v) + eps", "np.sqrt(v)"),
    ("rmsprop", "beta * v + (1 - beta)", "(1 - beta) * v + beta"),
    ("adam", "np.sqrt(v_hat) + eps", "np.sqrt(v_hat + eps)"),
    ("adam", "np.sqrt(v_hat) + eps", "np.sqrt(v_hat)"),
    ("adam", "(np.sqrt(v_hat) + eps)", "np.sqrt(v_hat) + eps"),
    ("adam", "m / (1 - beta1**t)", "m"),
    ("adam", "v / (1 - beta2**t)", "v"),
    ("adam", "1 - beta1**t", "1 - beta1 ** (t + 1)"),
    ("adam", "1 - beta2**t", "1 - beta1**t"),
    ("adam", "(1 - beta1) * g", "g"),
    ("adamw", "lr * weight_decay * w", "weight_decay * w"),
    ("adamw", "w - lr * weight_decay * w", "w"),
    ("adam", "(1 - beta2) * g**2", "(1 - beta2) * np.abs(g)"),
    ("adam", "t = t + 1", "t = 1"),
    ("adam", "lr * m_hat", "lr * g"),
    ("amsgrad", "np.maximum(v_max, v)", "v"),
    ("amsgrad", "np.maximum(v_max, v)", "np.minimum(v_max, v)"),
    ("amsgrad", "np.maximum(v_max, v)", "np.maximum(v_max, v / (1 - beta2**t)) * (1 - beta2**t)"),
]


def edited(rule, right, wrong):
    """Return the rule with one expression of its body replaced by another."""
    source = inspect.getsource(rule)
    signature, doc, body = re.split(r'(""".*?""")', source, maxsplit=1, flags=re.DOTALL)
    assert body.count(right) == 1, f"{right} does not stand once in {rule.__name__}"
    scope = {"np": np}
    exec(signature + doc + body.replace(right, wrong), scope)
    return scope[rule.__name__]


@pytest.mark.parametrize(("rule", "right", "wrong"), WRONG)
def test_a_wrong_variant_is_found_out(rule, right, wrong):
    variant = edited(RULES[rule], right, wrong)
    misses = [miss(variant, case) for case in OURS if case["rule"] == rule and case["knobs"]["lr"] > 0]
    assert not max(misses) <= 1000  # not by a hair, and NaN is a miss


# --- what other courses print ------------------------------------------------------------------------

FUNCTIONS = {
    "x^2": lambda w: 2 * w,
    "x*cos(0.15*pi*x)": lambda w: np.cos(0.15 * np.pi * w) - 0.15 * np.pi * w * np.sin(0.15 * np.pi * w),
    "x1^2+2*x2^2": lambda w: w * [2, 4],
    "0.1*x1^2+2*x2^2": lambda w: w * [0.2, 4],
}
D2L = {
    "gd": gradient_descent,
    "momentum": momentum,
    "adagrad": RULES["adagrad_eps_inside"],
    "rmsprop": RULES["rmsprop_eps_inside"],
}


@pytest.mark.parametrize("case", PUBLISHED["d2l"]["one_dimension"], ids=str)
def test_gradient_descent_prints_what_dive_into_deep_learning_prints(case):
    walk = path(
        gradient_descent, FUNCTIONS[case["f"]], np.array([float(case["start"])]), case["steps"], lr=case["lr"]
    )
    assert walk[-1, 0] == pytest.approx(case["expected_x"], rel=1e-13)


@pytest.mark.parametrize("case", PUBLISHED["d2l"]["two_dimensions"], ids=str)
def test_twenty_steps_from_minus_5_minus_2_print_what_dive_into_deep_learning_prints(case):
    knobs = {name: case[name] for name in ("lr", "beta", "eps") if name in case}
    knobs |= {"beta": case["gamma"]} if "gamma" in case else {}
    walk = path(D2L[case["optimizer"]], FUNCTIONS[case["f"]], [-5.0, -2.0], 20, **knobs)
    np.testing.assert_allclose(walk[-1], case["printed"], rtol=0, atol=5.1e-7)  # six printed decimals


CS231N = {case["name"]: case for case in PUBLISHED["cs231n"]["cases"]}
PRINTED = {"rtol": 0, "atol": 5.1e-9}  # eight printed decimals


def twenty(name, ends):
    return np.linspace(*ends, 20)


def test_one_step_of_momentum_with_lr_inside_gives_the_arrays_of_cs231n():
    case = CS231N["sgd_momentum"]
    w, g = np.linspace(-0.4, 0.6, 20), np.linspace(-0.6, 0.4, 20)
    rule = RULES["momentum_lr_inside"]
    w, u = rule(
        w, g, np.linspace(0.6, 0.9, 20), lr=case["knobs"]["learning_rate"], beta=case["knobs"]["momentum"]
    )
    np.testing.assert_allclose(w, case["expected"]["next_w"], **PRINTED)
    np.testing.assert_allclose(u, case["expected"]["velocity"], **PRINTED)


def test_one_step_of_rmsprop_gives_the_arrays_of_cs231n():
    case = CS231N["rmsprop"]
    w, g = np.linspace(-0.4, 0.6, 20), np.linspace(-0.6, 0.4, 20)
    w, v = rmsprop(w, g, np.linspace(0.6, 0.9, 20), lr=0.01, beta=0.99, eps=1e-8)
    np.testing.assert_allclose(w, case["expected"]["next_w"], **PRINTED)
    np.testing.assert_allclose(v, case["expected"]["cache"], **PRINTED)


def test_the_sixth_step_of_adam_gives_the_arrays_of_cs231n():
    case = CS231N["adam"]
    w, g = np.linspace(-0.4, 0.6, 20), np.linspace(-0.6, 0.4, 20)
    w, m, v, t = adam(w, g, np.linspace(0.6, 0.9, 20), np.linspace(0.7, 0.5, 20), 5, lr=0.01)
    assert t == 6
    np.testing.assert_allclose(w, case["expected"]["next_w"], **PRINTED)
    np.testing.assert_allclose(m, case["expected"]["m"], **PRINTED)
    np.testing.assert_allclose(v, case["expected"]["v"], **PRINTED)
