"""Schedules give the learning rates of PyTorch, optax, Keras and Stanford's CS336, and they compose."""

import json
from pathlib import Path

import numpy as np
import pytest
from peers.goldens import PUBLISHED

from optim_lessons import schedules
from optim_lessons.adam import adam
from optim_lessons.gradient_descent import gradient_descent
from optim_lessons.lab.path import path
from optim_lessons.landscapes import d2l
from optim_lessons.schedules import (
    constant,
    cosine,
    exponential,
    inverse_time,
    linear,
    one_cycle,
    step,
    then,
    warm_up,
)

pytestmark = pytest.mark.essential

PEERS = json.loads((Path(__file__).parent / "peers" / "schedules.json").read_text())
SAME = {
    "torch step": step(0.2, every=7, factor=0.3),
    "torch exponential": exponential(0.2, length=1, factor=0.9),
    "torch linear": linear(0.1, 0.4, length=12),
    "torch cosine": cosine(0.2, length=60, floor=0.01),
    "torch one cycle": one_cycle(0.5, length=60),
    "keras exponential": exponential(0.2, length=13),
    "keras inverse time": inverse_time(0.2, length=13),
    "keras cosine": cosine(0.2, length=40, floor=0.01),
    "optax warm-up and cosine": warm_up(cosine(0.2, length=40, floor=0.02), 10),
}
ALL = {
    "constant": constant(0.1),
    "warm-up": warm_up(inverse_time(0.1, length=9), 5),
    "twice": then(linear(0, 1, length=4), 4, then(constant(1.0), 3, step(1.0, every=2))),
} | SAME


@pytest.mark.parametrize("name", PEERS)
def test_a_schedule_gives_the_learning_rates_of_the_library(name):
    # A torch scheduler computes each rate from the one before: 60 roundings of 1e-16, times its slope.
    # Keras computes its cosine in single precision: a few roundings of 6e-8, where 1 + cos cancels.
    rtol, atol = (1e-13, 1e-17) if name != "keras cosine" else (0, 2e-8)
    got = [SAME[name](t) for t in range(len(PEERS[name]))]
    np.testing.assert_allclose(got, PEERS[name], rtol=rtol, atol=atol)


@pytest.mark.parametrize("case", PUBLISHED["cs336"], ids=lambda case: f"peak {case['peak']}")
def test_warm_up_and_cosine_give_the_numbers_that_cs336_publishes(case):
    length = case["cycle"] - case["warm_up"]
    lr = warm_up(cosine(case["peak"], length=length, floor=case["floor"]), case["warm_up"])
    got = [lr(t) for t in case["t"]]
    np.testing.assert_allclose(got, case["lr"], rtol=0, atol=2e-16)


@pytest.mark.parametrize("name", ALL)
def test_a_schedule_of_all_steps_at_once_is_that_of_each_step(name):
    t = np.arange(80)
    one_by_one = [ALL[name](int(s)) for s in t]
    assert all(np.ndim(lr) == 0 for lr in one_by_one)
    np.testing.assert_allclose(ALL[name](t), one_by_one, rtol=1e-15)
    assert (np.asarray(one_by_one) >= 0).all()


def test_warm_up_begins_at_its_start_and_hands_over_without_a_jump():
    lr = warm_up(cosine(0.3, length=20), 10, start=0.1)
    assert lr(0) == 0.1
    assert lr(5) == pytest.approx(0.2, rel=1e-15)
    assert lr(10) == 0.3
    assert lr(30) == pytest.approx(0, abs=1e-16)
    unchanged = constant(0.3)
    assert warm_up(unchanged, 0) is unchanged


def test_the_second_schedule_begins_at_its_own_zero():
    lr = then(constant(1.0), 3, exponential(0.8, length=1))
    assert [lr(t) for t in range(5)] == [1, 1, 1, 0.8, 0.4]


def test_one_cycle_peaks_where_it_is_told_and_ends_on_its_last_step():
    lr = [one_cycle(1.0, length=100, rise=0.25)(t) for t in range(100)]
    assert np.argmax(lr) == 24
    assert lr[0] == pytest.approx(1 / 25)
    assert np.argmin(lr) == 99
    assert lr[99] == pytest.approx(1 / 250_000)


def test_the_peaks_of_many_runs_make_one_schedule():
    peaks = np.array([0.1, 0.2, 0.4])[:, None]
    together = path(adam, d2l.grad, d2l.start, 30, lr=warm_up(cosine(peaks, length=20), 10))
    alone = [path(adam, d2l.grad, d2l.start, 30, lr=warm_up(cosine(p, length=20), 10)) for p in peaks[:, 0]]
    np.testing.assert_allclose(together, np.stack(alone, axis=1), rtol=0, atol=1e-14)


def test_a_schedule_keeps_single_precision_single():
    ws = path(gradient_descent, d2l.grad, d2l.start.astype(np.float32), 20, lr=cosine(0.3, length=20))
    assert ws.dtype == np.float32


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: cosine(0.1, length=0), "length is 0"),
        (lambda: step(0.1, every=-2), "every is -2"),
        (lambda: exponential(0.1, length=0), "length is 0"),
        (lambda: inverse_time(0.1, length=0), "length is 0"),
        (lambda: linear(0.1, 0.2, length=0), "length is 0"),
        (lambda: warm_up(constant(0.1), -1), "steps is -1"),
        (lambda: one_cycle(0.1, length=100, rise=1.0), "length is"),
        (lambda: one_cycle(0.1, length=100, rise=0.0), "rise is 0"),
    ],
)
def test_a_schedule_without_time_to_change_is_refused_with_its_value(make, message):
    with pytest.raises(ValueError, match=message):
        make()


def test_every_schedule_of_the_module_is_tested_here():
    public = {
        name for name, f in vars(schedules).items() if getattr(f, "__module__", "") == schedules.__name__
    }
    assert {name for name in public if not name.startswith("_")} <= set(globals())
