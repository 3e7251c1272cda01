"""The rival conventions give their libraries' numbers, and come out of the course's own rules."""

import numpy as np
import pytest
from discovery import RULES
from peers import goldens
from peers.goldens import CASES, miss

from optim_lessons.adagrad import adagrad
from optim_lessons.adam import adam, amsgrad
from optim_lessons.bridge import (
    adagrad_eps_inside,
    adagrad_started,
    adam_decay_without_lr,
    adam_eps_hat,
    adam_uncorrected,
    amsgrad_of_corrected,
    look_behind,
    momentum_damped,
    momentum_lr_inside,
    nesterov_lr_inside,
    rmsprop_eps_inside,
)
from optim_lessons.lab.path import path, record
from optim_lessons.landscapes import rosenbrock
from optim_lessons.momentum import momentum
from optim_lessons.nesterov import nesterov
from optim_lessons.rmsprop import rmsprop

BRIDGE = [case for case in CASES if RULES[case["rule"]].__module__.endswith("bridge")]
FROM_REST = [case for case in BRIDGE if (case["rule"], case["peer"]) != ("momentum_damped", "torch")]
DAMPENED = [case for case in BRIDGE if case not in FROM_REST]
ROUNDING = {"rtol": 1e-12, "atol": 1e-12}  # the same walk, computed in another order
# Rosenbrock doubles a difference every few dozen steps; at these settings 300 steps leave 10 digits.
START, GRAD = rosenbrock.start, rosenbrock.grad


def falling(t):
    """Return an lr that is divided by ten half-way: where the conventions part."""
    return 1e-3 if t < 50 else 1e-4


def slopes(n=100, size=2):
    """Return a gradient that does not depend on the weights, so that no walk feeds back on itself."""
    table = np.random.default_rng(11).standard_normal((n, size)) + 0.3
    return lambda w, t: np.broadcast_to(table[t], w.shape)


def test_every_convention_is_compared_with_the_library_that_holds_it():
    assert {case["rule"] for case in BRIDGE} == {
        "momentum_damped",
        "momentum_lr_inside",
        "nesterov_lr_inside",
        "adagrad_eps_inside",
        "adagrad_started",
        "rmsprop_eps_inside",
        "adam_eps_hat",
        "adam_uncorrected",
        "amsgrad_of_corrected",
        "adam_decay_without_lr",
    }
    assert {case["peer"] for case in BRIDGE} == {"torch", "optax", "keras", "mlx"}


@pytest.mark.parametrize("case", FROM_REST, ids=goldens.name)
def test_convention_walks_where_its_library_walks(case):
    assert miss(RULES[case["rule"]], case) <= 1


@pytest.mark.parametrize("case", FROM_REST, ids=goldens.name)
def test_the_courses_own_rule_does_not_walk_there(case):
    own = {"momentum": momentum, "nesterov": nesterov, "adagrad": adagrad, "rmsprop": rmsprop, "adam": adam}
    own |= {"amsgrad": amsgrad}
    rule = own[case["rule"].split("_")[0]]
    knobs = case["knobs"]
    same_here = (
        case["rule"].endswith("lr_inside") and not case["halve_every"],  # equal at constant lr
        case["rule"] == "momentum_damped" and knobs["dampening"] == 0,
    )
    bare = case | {"knobs": {k: v for k, v in knobs.items() if k not in ("dampening", "weight_decay")}}
    assert (miss(rule, bare) <= 1) == any(same_here)


# --- momentum ----------------------------------------------------------------------------------------


def test_damped_momentum_is_momentum_at_a_smaller_lr():
    damped = path(momentum_damped, GRAD, START, 100, lr=1e-3, beta=0.9, dampening=0.9)
    np.testing.assert_allclose(damped, path(momentum, GRAD, START, 100, lr=1e-4, beta=0.9), **ROUNDING)


@pytest.mark.parametrize("case", DAMPENED, ids=goldens.name)
def test_pytorchs_dampening_spares_the_first_gradient_which_a_start_of_m_gives(case):
    w0 = goldens.start(case["problem"], goldens.DATA)
    first = goldens.gradient(case["problem"], goldens.DATA)(w0, 0)
    begin = case["knobs"]["dampening"] / case["knobs"]["beta"] * first

    def begun(w, g, m=0.0, started=0, *, lr=0.01, beta=0.9, dampening=0.4):
        w, m = momentum_damped(w, g, m if started else begin, lr=lr, beta=beta, dampening=dampening)
        return w, m, 1

    assert miss(begun, case) <= 1
    assert miss(momentum_damped, case) > 1e6


def test_where_lr_stands_does_not_matter_as_long_as_it_is_constant():
    outside = record(momentum, GRAD, START, 100, lr=1e-3)
    inside = record(momentum_lr_inside, GRAD, START, 100, lr=1e-3)
    np.testing.assert_allclose(inside["w"], outside["w"], **ROUNDING)
    np.testing.assert_allclose(inside["u"], -1e-3 * outside["m"], **ROUNDING)


def test_where_lr_stands_matters_from_the_step_on_at_which_it_falls():
    outside = path(momentum, GRAD, START, 100, lr=falling)
    inside = path(momentum_lr_inside, GRAD, START, 100, lr=falling)
    np.testing.assert_allclose(inside[:51], outside[:51], **ROUNDING)
    moved = np.linalg.norm(np.diff([outside[50:52], inside[50:52]], axis=1), axis=-1).ravel()
    assert moved[1] > 5 * moved[0]  # inside, the old velocity goes on; outside, it is cut to a tenth at once


# --- Nesterov ----------------------------------------------------------------------------------------


def sutskever(lr, beta, steps):
    """Walk Sutskever's own form, which asks for the gradient ahead of where it stands; return both points."""
    theta, u = START, np.zeros(2)
    points, aheads = [theta], [theta]
    for t in range(steps):
        u = beta * u - lr(t) * GRAD(theta + beta * u)
        theta = theta + u
        points.append(theta)
        aheads.append(theta + beta * u)
    return np.array(points), np.array(aheads)


def test_nesterov_walks_on_sutskevers_look_ahead_points_at_constant_lr():
    points, aheads = sutskever(lambda t: 1e-3, 0.9, 100)
    ours = record(nesterov, GRAD, START, 100, lr=1e-3, beta=0.9)
    np.testing.assert_allclose(ours["w"], aheads, **ROUNDING)
    np.testing.assert_allclose(look_behind(ours["w"], -1e-3 * ours["m"], beta=0.9), points, **ROUNDING)


def test_with_lr_inside_nesterov_is_sutskevers_form_under_any_schedule():
    points, aheads = sutskever(falling, 0.9, 100)
    inside = record(nesterov_lr_inside, GRAD, START, 100, lr=falling, beta=0.9)
    np.testing.assert_allclose(inside["w"], aheads, **ROUNDING)
    np.testing.assert_allclose(look_behind(inside["w"], inside["u"], beta=0.9), points, **ROUNDING)
    outside = path(nesterov, GRAD, START, 100, lr=falling, beta=0.9)
    assert np.abs(outside[60] - aheads[60]).max() > 1e-3


# --- eps and starting values -------------------------------------------------------------------------


def test_adagrad_with_eps_inside_is_adagrad_started_at_eps():
    def started(w, g, v=0.3, *, lr=0.1):
        return adagrad(w, g, v, lr=lr, eps=0.0)

    walk = path(adagrad_eps_inside, slopes(), np.zeros(2), 100, lr=0.1, eps=0.3)
    np.testing.assert_allclose(walk, path(started, slopes(), np.zeros(2), 100), **ROUNDING)


def test_adagrad_started_at_zero_is_adagrad_with_eps_inside():
    def from_zero(w, g, v=0.0, *, lr=0.1, eps=1e-7):
        return adagrad_started(w, g, v, lr=lr, eps=eps)

    walk = path(from_zero, slopes(), np.zeros(2), 100)
    inside = path(adagrad_eps_inside, slopes(), np.zeros(2), 100, lr=0.1, eps=1e-7)
    np.testing.assert_array_equal(walk, inside)


def test_a_start_of_v_tames_the_first_step_of_small_gradients_only():
    steps = [-adagrad_started(np.zeros(2), np.array([1e-3, 100.0]), lr=0.1)[0]]
    steps.append(-adagrad(np.zeros(2), np.array([1e-3, 100.0]), lr=0.1)[0])
    np.testing.assert_allclose(steps[1], [0.1, 0.1], rtol=1e-6)
    np.testing.assert_allclose(steps[0], [0.1 * 1e-3 / np.sqrt(0.1), 0.1], rtol=1e-4)


def test_eps_inside_the_root_acts_as_its_own_root_does_outside():
    silent = np.array([1e-12])  # far below either eps
    inside = -rmsprop_eps_inside(np.zeros(1), silent, lr=1.0, eps=1e-8)[0]
    outside = -rmsprop(np.zeros(1), silent, lr=1.0, eps=1e-4)[0]
    np.testing.assert_allclose(inside, outside, rtol=1e-6)
    loud = np.array([10.0])  # far above
    np.testing.assert_allclose(
        rmsprop_eps_inside(np.zeros(1), loud, beta=0.9, eps=1e-8)[0],
        rmsprop(np.zeros(1), loud, beta=0.9, eps=1e-8)[0],
        rtol=1e-8,
    )


def test_eps_hat_is_the_formula_of_the_paper_with_corrections_folded_into_lr():
    w, m, v = np.zeros(2), 0.0, 0.0
    points = [w]
    for t in range(100):
        g = slopes()(w, t)
        m, v = 0.9 * m + 0.1 * g, 0.99 * v + 0.01 * g**2
        w = w - 0.1 * np.sqrt(1 - 0.99 ** (t + 1)) / (1 - 0.9 ** (t + 1)) * m / (np.sqrt(v) + 0.01)
        points.append(w)
    walk = path(adam_eps_hat, slopes(), np.zeros(2), 100, lr=0.1, beta1=0.9, beta2=0.99, eps=0.01)
    np.testing.assert_allclose(walk, points, **ROUNDING)


def test_eps_hat_is_adam_under_a_schedule_of_eps():
    walk = path(adam_eps_hat, slopes(), np.zeros(2), 100, lr=0.1, eps=0.01)
    eps = lambda t: 0.01 / np.sqrt(1 - 0.999 ** (t + 1))  # noqa: E731
    np.testing.assert_allclose(walk, path(adam, slopes(), np.zeros(2), 100, lr=0.1, eps=eps), **ROUNDING)
    assert eps(0) == pytest.approx(0.01 * 31.6, rel=1e-3)


# --- Adam's other forms ------------------------------------------------------------------------------


def test_uncorrected_adam_is_adam_under_schedules_of_lr_and_eps():
    walk = path(adam_uncorrected, slopes(), np.zeros(2), 100, lr=0.1, eps=0.01)

    def lr(t):
        return 0.1 * (1 - 0.9 ** (t + 1)) / np.sqrt(1 - 0.999 ** (t + 1))

    def eps(t):
        return 0.01 / np.sqrt(1 - 0.999 ** (t + 1))

    np.testing.assert_allclose(walk, path(adam, slopes(), np.zeros(2), 100, lr=lr, eps=eps), **ROUNDING)


def test_a_maximum_of_the_corrected_v_keeps_an_early_overestimate_for_ever():
    def once(w, t):
        return np.full_like(w, 100.0 if t == 0 else 1.0)

    kept = record(amsgrad_of_corrected, once, np.zeros(1), 3000)
    pytorchs = record(amsgrad, once, np.zeros(1), 3000)
    assert kept["v_max"][-1, 0] == pytest.approx(100**2)  # v̂ of the first step alone
    assert pytorchs["v_max"][-1, 0] == pytest.approx(0.001 * 100**2, rel=1e-2)


def test_pytorchs_weight_decay_times_lr_is_the_papers_decay():
    def torchs(w, g, m=0.0, v=0.0, t=0, *, lr=0.1, decay=0.1):
        new_w, *state = adam(w * (1 - lr * decay), g, m, v, t, lr=lr)
        return new_w, *state

    walk = path(adam_decay_without_lr, slopes(), np.ones(2), 100, lr=0.1, weight_decay=0.01)
    np.testing.assert_allclose(walk, path(torchs, slopes(), np.ones(2), 100), **ROUNDING)


def test_decay_without_lr_goes_on_when_lr_has_fallen_to_zero():
    walk = path(adam_decay_without_lr, slopes(), np.ones(2), 10, lr=0.0, weight_decay=0.1)
    np.testing.assert_allclose(walk[-1], 0.9**10, rtol=1e-12)
