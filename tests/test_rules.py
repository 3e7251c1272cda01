"""What every rule promises, proved for each one that the package holds."""

import inspect
import itertools
import subprocess
import sys

import numpy as np
import pytest
from discovery import RULES

from optim_lessons.adam import adam
from optim_lessons.gradient_descent import gradient_descent
from optim_lessons.lab.knobs import limits, parts
from optim_lessons.lab.path import grid, iterate, path
from optim_lessons.landscapes import d2l
from optim_lessons.sgd import sgd

pytestmark = pytest.mark.essential

every_rule = pytest.mark.parametrize("rule", RULES.values(), ids=RULES)
EXPECTED = {"gradient_descent", "momentum", "nesterov", "adagrad", "rmsprop", "adam", "amsgrad"}


def no_decay(rule):
    """Return the knobs that leave a rule nothing but its gradient to go by."""
    return {"weight_decay": 0.0} if "weight_decay" in parts(rule).knobs else {}


def values_for(knob):
    """Return three allowed values of a knob that differ enough to be told apart."""
    return {"lr": [0.003, 0.02, 0.05], "eps": [1e-6, 1e-3, 0.5]}.get(knob, [0.1, 0.5, 0.95])


def as_tuple(result):
    return result if isinstance(result, tuple) else (result,)


def test_discovery_finds_every_rule_of_the_lessons():
    assert set(RULES) >= EXPECTED
    assert sgd is gradient_descent


@every_rule
def test_rule_returns_the_weights_then_its_state_in_the_order_of_its_signature(rule):
    w, g = np.array([1.0, -2.0]), np.array([0.3, 0.7])
    new_w, *state = as_tuple(rule(w, g))
    assert new_w.shape == w.shape
    assert len(state) == len(parts(rule).state)
    again_w, *_ = as_tuple(rule(new_w, g, *state))  # state goes back in as it came out
    assert again_w.shape == w.shape


@every_rule
def test_rule_never_writes_to_its_arguments(rule):
    rng = np.random.default_rng(0)
    w, g = rng.standard_normal((2, 3, 2))
    state = as_tuple(rule(w, g))[1:]
    given = [x for x in (w, g, *state) if hasattr(x, "flags")]
    for x in given:
        x.flags.writeable = False
    before = [x.copy() for x in given]
    results = as_tuple(rule(w, g, *state))
    assert all(np.array_equal(x, y) for x, y in zip(given, before, strict=True))
    assert not any(np.shares_memory(results[0], x) for x in given)


@every_rule
def test_first_step_goes_downhill_in_every_coordinate(rule):
    w, g = np.zeros(4), np.array([2.0, -0.5, 1e-3, -30.0])
    new = as_tuple(rule(w, g, **no_decay(rule)))[0]
    assert (np.sign(new) == -np.sign(g)).all()


@every_rule
def test_no_gradient_means_no_step(rule):
    w = np.array([1.0, -2.0])
    new = as_tuple(rule(w, np.zeros(2), **no_decay(rule)))[0]
    assert np.array_equal(new, w)


@every_rule
def test_lr_of_zero_leaves_the_weights_where_they_are(rule):
    walk = path(rule, d2l.grad, d2l.start, 5, lr=0.0, **no_decay(rule))
    assert np.array_equal(walk, np.broadcast_to(d2l.start, (6, 2)))


@every_rule
def test_every_coordinate_goes_its_own_way(rule):
    # An update rule is elementwise: a coordinate's walk does not depend on its neighbours.
    rng = np.random.default_rng(1)
    slopes = rng.standard_normal((20, 3))
    together = path(rule, lambda w, t: slopes[t] + w, np.ones(3), 20)
    for i in range(3):
        alone = path(rule, lambda w, t, i=i: slopes[t, i : i + 1] + w, np.ones(1), 20)
        assert np.array_equal(together[:, i : i + 1], alone)


@every_rule
def test_a_sweep_equals_its_single_runs(rule):
    knobs = {name: values_for(name) for name in parts(rule).knobs}
    names = list(knobs)[:3]
    axes = {name: knobs[name] for name in names}
    sweep = path(rule, d2l.grad, d2l.start, 60, **grid(**axes))
    assert sweep.shape == (61, *[3] * len(names), 2)
    for index in np.ndindex(*[3] * len(names)):
        chosen = {name: axes[name][i] for name, i in zip(names, index, strict=True)}
        single = path(rule, d2l.grad, d2l.start, 60, **chosen)
        # Both do the same operations in the same order; pow and sqrt may differ in the last place.
        np.testing.assert_allclose(sweep[(slice(None), *index)], single, rtol=1e-12, atol=1e-12)


@every_rule
def test_many_starts_equal_their_single_runs(rule):
    starts = np.random.default_rng(2).uniform(-2, 2, (3, 4, 2))
    walk = path(rule, d2l.grad, starts, 30)
    for i, j in np.ndindex(3, 4):
        np.testing.assert_allclose(
            walk[:, i, j], path(rule, d2l.grad, starts[i, j], 30), rtol=1e-12, atol=1e-12
        )


@every_rule
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("given", ["defaults", "floats", "np.float64", "arrays", "schedules", "grid"])
def test_weights_and_state_keep_the_dtype_of_the_start(rule, dtype, given):
    knobs = {
        "defaults": {},
        "floats": {"lr": 0.1},
        "np.float64": {"lr": np.float64(0.1)},
        "arrays": {"lr": np.array(0.1)},
        "schedules": {"lr": lambda t: np.float64(0.1) / np.sqrt(t + 1)},
        "grid": grid(lr=np.array([0.1, 0.2])),
    }[given]
    walk = iterate(rule, d2l.grad, d2l.start.astype(dtype), **knobs)
    for point in itertools.islice(walk, 4):
        assert {x.dtype for x in point if hasattr(x, "dtype")} == {np.dtype(dtype)}


@every_rule
def test_float32_weights_stay_float32_in_the_bare_rule(rule):
    w = np.array([1.0, -2.0], dtype=np.float32)
    results = as_tuple(rule(w, w))
    assert {x.dtype for x in results if hasattr(x, "dtype")} == {np.dtype(np.float32)}


@every_rule
def test_signature_tells_all_there_is_to_know(rule):
    signature = inspect.signature(rule).parameters
    knobs = parts(rule).knobs
    assert [name for name, p in signature.items() if p.kind is not p.KEYWORD_ONLY][:2] == ["w", "g"]
    assert "lr" in knobs
    assert all(isinstance(default, float) for default in knobs.values())
    assert all(default == 0 for default in parts(rule).state.values()) or "start" in rule.__doc__
    for name, default in knobs.items():
        low, high, _ = limits(name)
        assert low <= default < high


@every_rule
def test_docstring_is_short_and_cites_its_source(rule):
    lines = inspect.getdoc(rule).splitlines()
    assert len(lines) <= 15
    assert "Source" in rule.__doc__ or "http" in rule.__doc__
    if not rule.__module__.endswith("bridge") and "else as for `" not in rule.__doc__:
        assert all(name in rule.__doc__ for name in parts(rule).knobs)


@every_rule
@pytest.mark.parametrize("g", [np.inf, -np.inf, np.nan, 1e200])
def test_absurd_gradients_are_computed_without_a_python_error(rule, g):
    with np.errstate(all="ignore"):
        new = as_tuple(rule(np.ones(2), np.array([g, 1.0])))[0]
    assert np.isfinite(new[1])  # the neighbour is not harmed


@pytest.mark.parametrize("name", sorted({f.__module__ for f in RULES.values()}))
def test_importing_a_lesson_loads_nothing_heavier_than_numpy(name):
    code = f"""
import sys
before = set(sys.modules)
import {name}
new = {{module.partition(".")[0] for module in set(sys.modules) - before}}
print(*sorted(new - set(sys.stdlib_module_names)))
"""
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert set(loaded.split()) <= {"numpy", "optim_lessons"}


def test_adam_reads_as_the_paper():
    w, g, lr, beta1, beta2, eps = 1.0, 0.5, 0.1, 0.8, 0.9, 0.01
    m, v = 0.2 * g, 0.1 * g**2
    expected = w - lr * (m / 0.2) / ((v / 0.1) ** 0.5 + eps)
    got = adam(w, g, lr=lr, beta1=beta1, beta2=beta2, eps=eps)
    assert got == pytest.approx((expected, m, v, 1), rel=1e-14)
