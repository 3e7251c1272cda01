"""Training: the same as the plain loop, many runs as one, and a stop at any line loses nothing."""

import itertools
import sys
import time

import numpy as np
import pytest
from strict_array import StrictArray

from optim_lessons.adam import adam
from optim_lessons.gradient_descent import gradient_descent
from optim_lessons.lab import datasets
from optim_lessons.lab.fused import gpu
from optim_lessons.lab.models import linear, mlp, softmax
from optim_lessons.lab.path import grid
from optim_lessons.lab.train import clipped, resume, train
from optim_lessons.momentum import momentum
from optim_lessons.sgd import sgd

rng = np.random.default_rng(1)
X = rng.standard_normal((50, 4))
LABELS = (X[:, 0] + 0.3 * rng.standard_normal(50) > 0).astype(int)
HELD_OUT = rng.standard_normal((20, 4)), rng.integers(0, 2, 20)
NET = mlp(X, LABELS, sizes=(4, 5, 2))
SMALL = {"epochs": 3, "batch": 16, "lr": 0.05}  # 4 steps an epoch


def same(a, b):
    """Assert that two runs agree in every bit."""
    assert (a.t, a.reason, a.failures) == (b.t, b.reason, b.failures)
    assert list(a.history) == list(b.history)
    assert list(a.state) == list(b.state)
    for x, y in itertools.chain(
        [(a.w, b.w)], zip(a.history.values(), b.history.values(), strict=True), zip_state(a, b)
    ):
        np.testing.assert_array_equal(x, y)
        assert np.asarray(x).dtype == np.asarray(y).dtype


def zip_state(a, b):
    return zip(a.state.values(), b.state.values(), strict=True)


# --- what it computes --------------------------------------------------------------------------------


def test_training_is_the_rule_on_one_batch_after_another():
    w, state = NET.init(3), ()
    grad = NET.batch_grad(16, seed=3)
    for t in range(12):
        w, *state = adam(w, grad(w, t), *state, lr=0.05)
    run = train(adam, NET, seed=3, dtype=float, **SMALL)
    np.testing.assert_array_equal(run.w, w)
    assert list(run.state) == ["m", "v", "t"]
    for ours, theirs in zip(run.state.values(), state, strict=True):
        np.testing.assert_array_equal(ours, theirs)
    assert run.t == 12
    assert run.reason == "done: 12 steps"
    assert run.failures == {}


def test_the_history_has_a_row_for_the_start_and_for_each_epoch():
    validation, test = HELD_OUT, (X[:9], LABELS[:9])
    run = train(adam, NET, validation=validation, test=test, dtype=float, **SMALL)
    assert list(run.history) == [
        "t",
        *("train_loss", "train_accuracy", "validation_loss", "validation_accuracy"),
        *("test_loss", "test_accuracy"),
    ]
    np.testing.assert_array_equal(run.history["t"], [0, 4, 8, 12])
    for name, part in [("train", (X, LABELS)), ("validation", validation), ("test", test)]:
        for row, w in [(0, NET.init(0)), (-1, run.w)]:
            assert run.history[f"{name}_loss"][row] == pytest.approx(NET(w, *part), rel=1e-12)
            assert run.history[f"{name}_accuracy"][row] == NET.accuracy(w, *part)


def test_a_model_that_predicts_numbers_has_losses_and_no_accuracies():
    run = train(sgd, linear(X, X[:, 0] * 2), test=(X, X[:, 0]), batch=16)
    assert list(run.history) == ["t", "train_loss", "test_loss"]
    assert run.history["train_loss"][-1] < run.history["train_loss"][0]


def test_digits_reach_97_percent_of_the_images_held_out():
    data = datasets.digits()
    net = mlp(*data.train, sizes=(64, 32, 10), activation="relu")
    one = train(adam, net, epochs=10, batch=32, lr=0.01, test=data.test)
    assert one.history["test_accuracy"][-1] >= 0.97
    # One seed could be luck: of eight, five at least.
    eight = train(adam, net, epochs=10, batch=32, lr=0.01, test=data.test, seed=range(8))
    assert np.median(eight.history["test_accuracy"][-1]) >= 0.97
    assert len(data.test.X) == 360


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("options", [{}, {"clip": 0.1}, grid(seed=[0, 1], lr=[0.1, 0.2])])
def test_weights_state_and_history_keep_the_dtype_of_the_start(dtype, options):
    def falling(t):
        return np.float64(0.1) / (1 + t)

    knobs = {"lr": falling} | options
    run = train(adam, NET, dtype=dtype, batch=16, **knobs)
    assert run.w.dtype == run.state["m"].dtype == run.state["v"].dtype == dtype
    assert run.history["train_loss"].dtype == run.history["train_accuracy"].dtype == dtype


def test_a_start_of_the_callers_is_taken_and_left_alone():
    start = NET.init(9)
    before = start.copy()
    run = train(adam, NET, w0=start, **SMALL)
    np.testing.assert_array_equal(start, before)
    assert run.w.dtype == float
    same(run, train(adam, NET, w0=before, **SMALL))


# --- many runs ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("rule", [sgd, momentum, adam])
def test_seeds_and_learning_rates_as_axes_equal_the_single_runs(rule):
    options = {"epochs": 3, "batch": 16, "dtype": float, "test": HELD_OUT}
    lrs = [0.01, 0.1, 0.3]
    runs = train(rule, NET, **options, **grid(seed=[5, 6], lr=lrs))
    assert runs.w.shape == (2, 3, NET.n)
    assert runs.history["test_loss"].shape == (4, 2, 3)
    for i, j in np.ndindex(2, 3):
        single = train(rule, NET, seed=5 + i, lr=lrs[j], **options)
        np.testing.assert_allclose(runs.w[i, j], single.w, rtol=1e-12, atol=1e-12)
        for name in ("train_loss", "test_loss", "test_accuracy"):
            np.testing.assert_allclose(runs.history[name][:, i, j], single.history[name], rtol=1e-11)


def test_a_list_of_seeds_is_an_axis_of_runs():
    runs = train(adam, NET, seed=range(3), **SMALL)
    assert runs.w.shape == (3, NET.n)
    np.testing.assert_allclose(runs.w[2], train(adam, NET, seed=2, **SMALL).w, rtol=1e-5, atol=1e-6)


def test_clip_and_l2_can_be_axes_of_runs():
    knobs = grid(clip=[0.1, 10.0], l2=[0.0, 0.1, 1.0])
    net = softmax(X, LABELS, l2=knobs["l2"])
    runs = train(sgd, net, clip=knobs["clip"], lr=0.5, batch=16, dtype=float)
    assert runs.w.shape == (2, 3, net.n)
    single = train(sgd, softmax(X, LABELS, l2=0.1), clip=0.1, lr=0.5, batch=16, dtype=float)
    np.testing.assert_allclose(runs.w[0, 1], single.w, rtol=1e-12, atol=1e-12)


def to_cupy(x):
    return __import__("cupy").asarray(x)


@pytest.mark.parametrize("put", [StrictArray, pytest.param(to_cupy, marks=pytest.mark.gpu)])
def test_training_runs_on_any_array_also_where_a_run_fails(put):
    if put is to_cupy and not gpu()[0]:
        pytest.skip(gpu()[1])
    options = {"epochs": 3, "batch": 16, "lr": 0.05, "clip": 1.0, "test": HELD_OUT, "seed": range(3)}
    net = Spoilt(NET, 6, 1, runs=(1,))
    here = train(adam, net, w0=NET.init(range(3)), **options)
    there = train(adam, net, w0=put(NET.init(range(3))), **options)
    assert type(there.w) is type(put(np.zeros(1)))
    np.testing.assert_allclose(there.w.get(), here.w, rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(
        there.history["test_loss"].get(), here.history["test_loss"], rtol=1e-9
    )  # NaN stands where NaN stood
    assert there.reason == here.reason
    resumed = resume(there, epochs=4)
    np.testing.assert_allclose(resumed.w.get(), resume(here, epochs=4).w, rtol=1e-9, atol=1e-12)


# --- schedules and clipping --------------------------------------------------------------------------


def test_a_knob_may_be_a_function_of_the_steps_taken_before():
    asked = []

    def lr(t):
        asked.append(t)
        return 0.1 if t < 4 else 0.0

    run = train(sgd, NET, epochs=3, batch=16, lr=lr)
    assert asked == [0, *range(12)]  # once before the training, for the runs it may bring
    np.testing.assert_array_equal(run.w, train(sgd, NET, epochs=1, batch=16, lr=0.1).w)


def test_a_gradient_longer_than_clip_is_shortened_and_keeps_its_direction():
    g = np.array([[3.0, 4.0], [0.3, 0.4], [0.0, 0.0]])
    np.testing.assert_allclose(clipped(g, 1.0), [[0.6, 0.8], [0.3, 0.4], [0, 0]], rtol=1e-15)
    assert clipped(g.astype(np.float32), 1.0).dtype == np.float32


def test_with_clip_no_step_of_descent_is_longer_than_lr_times_clip():
    steps = []

    def watched(w, g, *, lr=0.1):
        steps.append(np.linalg.norm(lr * g))
        return w - lr * g

    train(watched, NET, clip=0.01, lr=0.5, batch=16, w0=10 * NET.init(0))
    assert max(steps) == pytest.approx(0.005, rel=1e-12)
    unclipped = train(sgd, NET, **SMALL)
    same(train(sgd, NET, clip=1e9, **SMALL), unclipped)


# --- a stop and going on -----------------------------------------------------------------------------

SWEEP = {"seed": range(3), "dtype": float, "validation": HELD_OUT} | SMALL


def interrupting(rule, at):
    """A rule that is interrupted in its call number `at`, once."""
    calls = itertools.count()

    def interrupted(w, g, m=0.0, v=0.0, t=0, *, lr=1e-3):
        if next(calls) == at:
            raise KeyboardInterrupt
        return rule(w, g, m, v, t, lr=lr)

    return interrupted


@pytest.mark.parametrize("at", [0, 1, 4, 7, 11])
def test_after_an_interrupt_everything_belongs_to_the_same_step_and_training_goes_on_bit_for_bit(at):
    whole = train(adam, NET, **SWEEP)
    stopped = train(interrupting(adam, at), NET, **SWEEP)
    assert stopped.t == at
    assert stopped.reason == f"interrupted after {at} of 12 steps: resume(run) goes on"
    assert stopped.history["t"].tolist() == list(range(0, at + 1, 4))
    assert stopped.state["t"] == at
    short = NET.batch_grad(16, range(3))
    w, state = NET.init(range(3)), ()
    for t in range(at):
        w, *state = adam(w, short(w, t), *state, lr=0.05)
    np.testing.assert_array_equal(stopped.w, w)
    same(resume(stopped), whole)


# Where the interrupts below fall: everything that runs between the first step and the last.
INSIDE = {"_next", "_row", "_go", "step", "grad", "_grad", "measure", "_each_run", "adam", "_data"}


def interrupted_at_line(number, run):
    """Call run() and raise KeyboardInterrupt at a certain line of those executed inside the training.

    Return what run() returned, and how many lines that were.
    """
    lines = itertools.count()

    def trace(frame, event, arg):
        name = frame.f_code.co_name
        if "optim_lessons" not in frame.f_code.co_filename or name not in INSIDE:
            return None
        if event == "line" and next(lines) == number:
            sys.settrace(None)
            raise KeyboardInterrupt
        return trace

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        return run(), next(lines)
    finally:
        sys.settrace(before)


def test_an_interrupt_at_any_line_loses_nothing():
    whole = train(adam, NET, progress=False, **SWEEP)
    _, lines = interrupted_at_line(None, lambda: train(adam, NET, progress=False, **SWEEP))
    stops, warnings = set(), np.geterr()
    for number in range(60, lines - 2, 7):  # the last two hand the run over: after them it is the caller's
        stopped, _ = interrupted_at_line(number, lambda: train(adam, NET, progress=False, **SWEEP))
        stops.add(stopped.t)
        assert stopped.state["t"] == stopped.t
        assert stopped.history["t"].tolist() in ([*range(0, stopped.t, 4)], [*range(0, stopped.t + 1, 4)])
        same(resume(stopped), whole)
        assert np.geterr() == warnings  # an interrupt can fall between a with block and its exit
    assert {0, 4, 6, 8} <= stops


def test_resume_can_add_epochs_and_equals_the_longer_training():
    long = train(adam, NET, **(SWEEP | {"epochs": 7}))
    same(resume(train(adam, NET, **SWEEP), epochs=7), long)


def test_resume_leaves_the_run_it_started_from_alone_and_can_be_repeated():
    stopped = train(interrupting(adam, 5), NET, **SWEEP)
    w = stopped.w.copy()
    first, second = resume(stopped), resume(stopped)
    same(first, second)
    assert stopped.t == 5
    np.testing.assert_array_equal(stopped.w, w)
    assert len(stopped.history["t"]) == 2


def test_resuming_what_is_done_changes_nothing():
    run = train(adam, NET, **SWEEP)
    same(resume(run), run)


# --- runs that fail ----------------------------------------------------------------------------------


class Spoilt:
    """A model whose gradient holds a bad number at one step, in one coordinate, of chosen runs."""

    def __init__(self, net, t, coordinate, value=np.nan, runs=...):
        self.net, self.at = net, (t, coordinate, value, runs)

    def __getattr__(self, name):
        return getattr(self.net, name)

    def batch_grad(self, size, seed=0):
        grad = self.net.batch_grad(size, seed)
        bad_t, coordinate, value, runs = self.at

        def spoilt(w, t):
            g = grad(w, t)
            if t == bad_t:
                g[(..., coordinate) if runs is ... else (..., *runs, coordinate)] = value
            return g

        return spoilt


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_a_gradient_that_is_not_finite_at_step_12_stops_there_and_keeps_step_11(value):
    options = {"epochs": 10, "batch": 16, "lr": 0.05}
    run = train(adam, Spoilt(NET, 12, 7, value), **options)
    kept = train(adam, NET, **(options | {"epochs": 3}))
    assert run.reason == (
        f"at step 12 the gradient at coordinate 7 is {value}: the weights after step 11 are kept"
    )
    assert run.t == 12
    assert run.failures == {(): run.reason}
    np.testing.assert_array_equal(run.w, kept.w)
    np.testing.assert_array_equal(run.state["v"], kept.state["v"])
    assert run.history["t"].tolist() == [0, 4, 8, 12]


def test_a_rule_that_hides_a_nan_does_not_hide_it_from_training():
    def sign_descent(w, g, *, lr=0.01):
        return w - lr * np.where(g > 0, 1.0, -1.0)

    run = train(sign_descent, Spoilt(NET, 2, 3), batch=16)
    assert run.reason.startswith("at step 2 the gradient at coordinate 3 is nan")


def test_a_nan_at_the_very_first_step_keeps_the_start():
    run = train(sgd, Spoilt(NET, 0, 3), batch=16, dtype=float)
    assert run.reason.endswith("the weights are those of the start")
    np.testing.assert_array_equal(run.w, NET.init(0))
    assert run.t == 0


def test_weights_that_overflow_are_told_from_gradients_that_do():
    run = train(sgd, linear(X, X[:, 0]), lr=1e30, batch=16)
    assert "the weight at coordinate 0 is " in run.reason or "the gradient at coordinate 0 is " in run.reason
    assert np.isfinite(run.w).all()

    def jumping(w, g, *, lr=0.1):
        return w + np.inf

    run = train(jumping, NET)
    assert run.reason == (
        "at step 0 the weight at coordinate 0 is inf: the weights are those of the start; "
        "a smaller lr may help"
    )


def test_a_run_that_fails_keeps_its_weights_and_the_others_go_on_as_if_alone():
    options = {"epochs": 5, "batch": 16, "lr": 0.05, "dtype": float, "seed": range(4), "test": HELD_OUT}
    whole = train(adam, NET, **options)
    run = train(adam, Spoilt(NET, 12, 7, runs=(2,)), **options)
    assert run.reason == (
        "done: 20 steps; 1 of 4 runs left the finite numbers, run (2,) first: "
        "at step 12 the gradient at coordinate 7 is nan: the weights after step 11 are kept"
    )
    others = [0, 1, 3]
    np.testing.assert_array_equal(run.w[others], whole.w[others])
    np.testing.assert_array_equal(run.state["v"][others], whole.state["v"][others])
    before = train(adam, NET, **(options | {"epochs": 3}))
    np.testing.assert_array_equal(run.w[2], before.w[2])
    np.testing.assert_array_equal(run.state["v"][2], before.state["v"][2])
    for name in ("train_loss", "test_loss", "test_accuracy"):
        np.testing.assert_array_equal(run.history[name][:, others], whole.history[name][:, others])
        assert np.isfinite(run.history[name][:4, 2]).all()  # up to step 12
        assert np.isnan(run.history[name][4:, 2]).all()


def test_runs_may_fail_one_after_another_until_none_is_left():
    net = linear(X, X[:, 0])
    runs = train(gradient_descent, net, epochs=2000, batch=50, progress=False, **grid(lr=[10.0, 1e3, 1e6]))
    assert set(runs.failures) == {(0,), (1,), (2,)}
    assert list(runs.failures) == [(2,), (1,), (0,)]  # the fastest first
    assert runs.t < 2000
    assert np.isfinite(runs.w).all()
    assert runs.reason.startswith("3 of 3 runs left the finite numbers, run (2,) first: at step ")
    same(resume(runs), runs)


def test_a_resumed_training_remembers_which_runs_have_failed():
    options = {"batch": 16, "lr": 0.05, "seed": range(3), "epochs": 5}
    spoilt = Spoilt(NET, 6, 1, runs=(1,))
    stopped = train(interrupting(adam, 9), spoilt, **options)
    assert set(stopped.failures) == {(1,)}
    same(resume(stopped), train(adam, spoilt, **options))


# --- the bar -----------------------------------------------------------------------------------------


def slow(w, g, *, lr=0.1):
    time.sleep(0.11)
    return w - lr * g


def test_a_training_of_more_than_a_second_shows_a_bar(capsys):
    train(slow, NET, epochs=3, batch=16)
    shown = capsys.readouterr().err
    assert "/12 [" in shown
    assert "steps" in shown


def test_a_short_training_and_one_told_to_be_quiet_show_nothing(capsys):
    train(adam, NET, **SMALL)
    train(slow, NET, epochs=3, batch=16, progress=False)
    out = capsys.readouterr()
    assert out.out == out.err == ""


def test_a_run_is_shown_by_its_reason():
    assert repr(train(adam, NET, **SMALL)) == "Run(w of shape (37,), t=12, reason='done: 12 steps')"


# --- bad input ---------------------------------------------------------------------------------------


def rule_with_a_clip(w, g, *, clip=1.0):
    return w - clip * g


@pytest.mark.parametrize(
    ("options", "error", "says"),
    [
        ({"epochs": 0}, ValueError, "epochs is 0: .* from 1 on"),
        ({"epochs": 2.5}, ValueError, "epochs is 2.5"),
        ({"epochs": True}, ValueError, "epochs is True"),
        ({"batch": 0}, ValueError, "batch size is 0: take 1 to 50"),
        ({"batch": 51}, ValueError, "batch size is 51"),
        ({"seed": -1}, ValueError, "seed is -1"),
        ({"seed": 1.5}, ValueError, "seed is 1.5"),
        ({"clip": 0}, ValueError, "clip is 0.0: .* above 0"),
        ({"clip": -1.0}, ValueError, "clip is -1.0"),
        ({"clip": np.nan}, ValueError, "clip is nan"),
        ({"clip": "no"}, TypeError, "clip is 'no'"),
        ({"lr": -0.1}, ValueError, "lr is -0.1.*: a negative step climbs"),
        ({"lr": "0.1"}, TypeError, "lr is '0.1'"),
        ({"learning_rate": 0.1}, TypeError, "no knob 'learning_rate'; its knobs are lr, beta1"),
        ({"epoch": 3}, TypeError, "no knob 'epoch'"),
        ({"w0": np.zeros(36)}, ValueError, r"w has shape \(36,\), but its last axis must be 37"),
        ({"w0": np.zeros(37, int)}, TypeError, "w0 holds int64"),
        ({"w0": np.full(37, np.nan)}, ValueError, "w0 holds NaN"),
        ({"dtype": np.float16}, TypeError, "w0 is float16"),
        ({"w0": np.zeros((3, 37)), "seed": range(2)}, ValueError, "the runs do not fit together"),
        ({"test": X}, TypeError, "test is no pair, but a ndarray: give"),
        ({"test": (X,)}, TypeError, "test is no pair, but a tuple: give"),
        ({"test": (X[:, :2], LABELS)}, ValueError, "test: X has 2 features"),
        ({"validation": (X, LABELS + 1)}, ValueError, "validation: y runs from 1 to 2"),
        ({"validation": (X, X[:, 0])}, TypeError, "validation: y holds float64"),
        ({"validation": (X * np.nan, LABELS)}, ValueError, r"validation: X\[0, 0\] is nan"),
    ],
)
def test_a_bad_option_is_refused_before_the_first_step(options, error, says):
    def never(*args):
        raise AssertionError("a step was taken")

    net = Spoilt(NET, 0, 0)
    net.measure = never
    with pytest.raises(error, match=says):
        train(adam, net, **({"batch": 16} | options))


def test_a_knob_with_the_name_of_an_option_is_refused():
    with pytest.raises(TypeError, match="the rule's knob 'clip' is an option of train"):
        train(rule_with_a_clip, NET)


def test_resume_refuses_no_epochs():
    with pytest.raises(ValueError, match="epochs is 0"):
        resume(train(adam, NET, **SMALL), epochs=0)


def test_a_gradient_that_changes_its_shape_says_at_which_step():
    class Odd(Spoilt):
        def batch_grad(self, size, seed=0):
            grad = self.net.batch_grad(size, seed)
            return lambda w, t: grad(w, t)[:-1] if t == 5 else grad(w, t)

    with pytest.raises(ValueError, match="gradient at step 5 has shape"):
        train(adam, Odd(NET, 0, 0), batch=16)


def test_a_rule_that_writes_into_its_arguments_is_refused_before_it_spoils_the_weights():
    def in_place(w, g, *, lr=0.1):
        w -= lr * g
        return w

    w0 = NET.init(0)
    with pytest.raises(ValueError, match="in_place writes into an array that it was given"):
        train(in_place, NET, w0=w0, **SMALL)
    np.testing.assert_array_equal(w0, NET.init(0))
