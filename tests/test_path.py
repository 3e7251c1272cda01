"""The walk: one run, many runs, bad input, divergence; and nothing changed that belongs to the caller."""

import itertools

import numpy as np
import pytest

from optim_lessons.adam import adam
from optim_lessons.gradient_descent import gradient_descent
from optim_lessons.lab.path import grid, iterate, path, record
from optim_lessons.landscapes import d2l, rosenbrock
from optim_lessons.momentum import momentum
from optim_lessons.sgd import noisy

pytestmark = pytest.mark.essential


def bowl(w):
    return 2 * w


# --- what comes back ---------------------------------------------------------------------------------


def test_path_is_the_rule_applied_again_and_again():
    w, state = d2l.start, ()
    expected = [w]
    for _ in range(10):
        w, *state = adam(w, d2l.grad(w), *state, lr=0.1)
        expected.append(w)
    np.testing.assert_array_equal(path(adam, d2l.grad, d2l.start, 10, lr=0.1), expected)


@pytest.mark.parametrize("shape", [(), (1,), (2,), (3,), (5, 2), (4, 5, 3), (0, 2)])
def test_shape_is_steps_and_one_then_the_shape_of_the_start(shape):
    assert path(adam, bowl, np.ones(shape), 7).shape == (8, *shape)


def test_no_steps_gives_the_start_alone():
    np.testing.assert_array_equal(path(adam, d2l.grad, d2l.start, 0), d2l.start[None])


def test_a_list_of_floats_is_a_start():
    np.testing.assert_array_equal(path(gradient_descent, bowl, [1.0, 2.0], 1, lr=0.25)[-1], [0.5, 1.0])


def test_grid_gives_each_knob_its_own_axis_and_a_last_one_for_the_space():
    knobs = grid(lr=[0.1, 0.2], beta1=np.array([0.0, 0.5, 0.9]), eps=1e-8)
    assert {name: values.shape for name, values in knobs.items()} == {
        "lr": (2, 1, 1, 1),
        "beta1": (1, 3, 1, 1),
        "eps": (1, 1, 1, 1),
    }
    assert path(adam, d2l.grad, d2l.start, 4, **knobs).shape == (5, 2, 3, 1, 2)


def test_many_starts_and_a_sweep_go_together():
    starts = np.array([[1.0, 1.0], [2.0, -1.0], [0.5, 3.0]])
    walk = path(gradient_descent, bowl, starts[:, None], 3, **grid(lr=[0.1, 0.2]))
    assert walk.shape == (4, 3, 2, 2)
    np.testing.assert_allclose(walk[-1, :, 1], starts * 0.6**3, rtol=1e-14)


def test_record_holds_the_path_and_the_state_beside_it():
    history = record(adam, d2l.grad, d2l.start, 3)
    assert list(history) == ["w", "m", "v", "t"]
    assert history["t"][:, 0].tolist() == [0, 1, 2, 3]
    np.testing.assert_array_equal(history["m"][0], [0, 0])
    np.testing.assert_allclose(history["m"][1], 0.1 * d2l.grad(d2l.start), rtol=1e-15)
    np.testing.assert_array_equal(history["w"], path(adam, d2l.grad, d2l.start, 3))


def test_record_keeps_only_what_is_asked_for():
    assert list(record(adam, d2l.grad, d2l.start, 3, keep=["v"])) == ["w", "v"]


def test_record_refuses_to_keep_what_the_rule_does_not_have():
    with pytest.raises(ValueError, match=r"no state 'velocity'; its state is m, v, t"):
        record(adam, d2l.grad, d2l.start, 3, keep=["velocity"])


def test_iterate_yields_weights_and_state_before_the_first_step_and_after_each_one():
    walk = iterate(adam, d2l.grad, d2l.start, lr=0.1)
    points = list(itertools.islice(walk, 4))
    assert [point[3] for point in points] == [0, 1, 2, 3]
    np.testing.assert_array_equal([w for w, *_ in points], path(adam, d2l.grad, d2l.start, 3, lr=0.1))


def test_iterate_read_on_later_goes_on_where_it_stopped():
    walk = iterate(adam, noisy(d2l.grad), d2l.start, lr=0.1)
    first = [w for w, *_ in itertools.islice(walk, 20)]
    rest = [w for w, *_ in itertools.islice(walk, 31)]
    np.testing.assert_array_equal([*first, *rest], path(adam, noisy(d2l.grad), d2l.start, 50, lr=0.1))


# --- schedules, noise, projection --------------------------------------------------------------------


def test_a_schedule_is_asked_with_the_steps_taken_before():
    asked = []

    def lr(t):
        asked.append(t)
        return 1 / (t + 2)

    walk = path(gradient_descent, lambda w: w, np.ones(1), 4, lr=lr)
    assert asked == [0, 0, 1, 2, 3]  # once before the walk, for the runs it may bring
    np.testing.assert_allclose(walk[:, 0], [1, 1 / 2, 1 / 3, 1 / 4, 1 / 5], rtol=1e-15)


def test_a_schedule_may_bring_a_value_for_each_run():
    speeds = np.array([[0.1], [0.2]])
    walk = path(gradient_descent, bowl, np.ones((2, 3)), 2, lr=lambda t: speeds / (t + 1))
    np.testing.assert_allclose(walk[-1, :, 0], [0.8 * 0.9, 0.6 * 0.8], rtol=1e-15)


def test_a_schedule_that_leaves_the_allowed_range_is_refused_with_its_step():
    with pytest.raises(ValueError, match=r"lr is -0\.5 at step 3, but must be .*a negative step climbs"):
        path(gradient_descent, bowl, np.ones(2), 10, lr=lambda t: 1 - t / 2)


def test_a_gradient_of_w_and_t_is_given_the_steps_taken_before():
    walk = path(gradient_descent, lambda w, t: np.full_like(w, t), np.zeros(1), 4, lr=1.0)
    assert walk[:, 0].tolist() == [0, 0, -1, -3, -6]


def test_a_second_parameter_with_a_default_is_not_the_step_unless_called_t():
    assert path(gradient_descent, lambda w, scale=2.0: scale * w, np.ones(1), 1, lr=0.25)[1, 0] == 0.5
    assert path(gradient_descent, lambda w, t=9: w + t, np.ones(1), 1, lr=0.25)[1, 0] == 0.75


def test_noise_is_drawn_from_seed_and_step_alone():
    w = np.ones(2)
    one, same, other = noisy(bowl, seed=1), noisy(bowl, seed=1), noisy(bowl, seed=2)
    np.testing.assert_array_equal(one(w, 5), same(w, 5))
    assert (one(w, 5) != one(w, 6)).all()
    assert (one(w, 5) != other(w, 5)).all()


def test_a_noisy_run_resumes_at_any_step_bit_for_bit():
    grad = noisy(d2l.grad, noise=0.3, seed=4)
    whole = path(gradient_descent, grad, d2l.start, 40, lr=0.1)
    rest = path(gradient_descent, lambda w, t: grad(w, t + 25), whole[25], 15, lr=0.1)
    np.testing.assert_array_equal(rest, whole[25:])


def test_runs_of_one_sweep_share_their_noise():
    walk = path(gradient_descent, noisy(bowl), np.ones(2), 10, **grid(lr=[0.1, 0.1]))
    np.testing.assert_array_equal(walk[:, 0], walk[:, 1])


def test_noise_has_the_size_it_was_given():
    draws = np.array([noisy(lambda w: 0 * w, noise=0.3)(np.zeros(100), t) for t in range(100)])
    assert draws.std() == pytest.approx(0.3, rel=0.03)  # 10,000 draws: 4 standard errors


def test_projection_is_applied_after_every_step():
    walk = path(
        gradient_descent,
        lambda w: -np.ones_like(w),
        np.zeros(2),
        5,
        lr=0.5,
        project=lambda w: np.clip(w, -1, 1),
    )
    assert walk[:, 0].tolist() == [0, 0.5, 1, 1, 1, 1]


def test_a_projection_that_changes_the_shape_is_refused():
    with pytest.raises(ValueError, match=r"the projection returned .*\(1,\).*\(2,\)"):
        path(gradient_descent, bowl, np.ones(2), 3, project=lambda w: w[:1])
    with pytest.raises(TypeError, match="the projection returned None"):
        path(gradient_descent, bowl, np.ones(2), 3, project=lambda w: None)


# --- divergence is no error --------------------------------------------------------------------------


def test_a_run_that_diverges_is_padded_with_nan_from_where_it_left_the_finite_numbers():
    walk = path(gradient_descent, bowl, np.full(2, 1e300), 100, lr=1e4)
    finite = np.isfinite(walk).all(axis=-1)
    lost = int(np.argmin(finite))
    assert 1 < lost < 5
    assert np.isnan(walk[lost:]).all()


def test_a_run_in_a_sweep_diverges_alone():
    lrs = [0.1, 1.7, 0.4]
    history = record(momentum, bowl, np.array([1.0, -2.0]), 2000, **grid(lr=lrs, beta=[0.0, 0.5]))
    for i, lr in enumerate(lrs):
        alone = record(momentum, bowl, np.array([1.0, -2.0]), 2000, lr=lr, beta=0.5)
        for name in ("w", "m"):
            np.testing.assert_allclose(history[name][:, i, 1], alone[name], rtol=1e-12, atol=1e-300)
    assert np.isnan(history["w"][-1]).any(axis=(-1)).tolist() == [[False] * 2, [True] * 2, [False] * 2]
    assert not np.isinf(history["w"]).any()


def test_one_lost_coordinate_loses_the_point():
    walk = path(gradient_descent, lambda w: np.array([0.0, np.inf]), np.ones(2), 3)
    assert np.isnan(walk[1:]).all()


def test_nan_in_the_gradient_at_step_12_leaves_the_twelve_steps_before_it():
    def grad(w, t):
        return np.where([False, t == 12], np.nan, 2 * w)

    history = record(adam, grad, np.ones(2), 20)
    assert np.isfinite(history["w"][:13]).all()
    for name in ("w", "m", "v", "t"):
        assert np.isnan(history[name][13:]).all()
    np.testing.assert_array_equal(history["w"][:13], path(adam, bowl, np.ones(2), 12))


def test_what_is_lost_stays_lost_even_if_a_projection_brings_it_back():
    def grad(w, t):
        return np.where(np.arange(3)[:, None] == t, np.nan, w)

    walk = path(gradient_descent, grad, np.ones((3, 1)), 4, project=np.nan_to_num)
    assert np.isnan(walk[..., 0]).sum(axis=0).tolist() == [4, 3, 2]


def test_what_is_lost_stays_lost_even_if_a_rule_forgets_where_it_was():
    def forgetful(w, g, *, lr=0.1):
        return -lr * g

    def grad(w, t):
        return np.where(np.arange(2)[:, None] == t, np.nan, 1.0)

    assert np.isnan(path(forgetful, grad, np.ones((2, 1)), 3)[..., 0]).sum(axis=0).tolist() == [3, 2]


def test_iterate_stops_where_no_run_is_finite_any_more():
    points = list(iterate(gradient_descent, bowl, np.full(2, 1e300), lr=1e4))
    assert 1 < len(points) < 5
    assert all(np.isfinite(w).all() for w, *_ in points)


@pytest.mark.parametrize(("dtype", "far"), [(np.float32, 1e30), (np.float64, 1e200)])
def test_no_warning_reaches_the_caller_when_a_run_overflows(dtype, far):
    # pytest turns every warning into an error, so that arriving here is the proof.
    walk = path(adam, rosenbrock.grad, np.array([far, far], dtype), 20, lr=far)
    assert not np.isfinite(walk[-1]).all()


def test_the_callers_own_warnings_are_not_silenced():
    walk = iterate(gradient_descent, bowl, np.full(2, 1e300), lr=1e4)
    next(walk)
    with pytest.warns(RuntimeWarning, match="divide by zero"):
        np.ones(1) / np.zeros(1)


# --- what belongs to the caller stays his ------------------------------------------------------------


def test_changing_the_start_later_changes_nothing():
    start = np.array([1.0, 2.0])
    walk = iterate(gradient_descent, bowl, start, lr=0.25)
    start[:] = 100.0
    assert next(walk)[0].tolist() == [1.0, 2.0]
    recorded = path(gradient_descent, bowl, start, 2, lr=0.25)
    start[:] = -1.0
    assert recorded[0].tolist() == [100.0, 100.0]


def test_changing_a_knob_later_changes_nothing():
    lr = np.array([[0.25], [0.5]])
    walk = iterate(gradient_descent, bowl, np.ones(2), lr=lr)
    next(walk)
    lr[:] = 0.0
    assert next(walk)[0][:, 0].tolist() == [0.5, 0.0]


@pytest.mark.parametrize("how", ["read-only", "reversed", "strided", "fortran", "broadcast"])
def test_a_start_of_any_layout_is_taken_and_left_alone(how):
    plain = np.arange(6.0).reshape(3, 2)
    start = {
        "read-only": plain.copy(),
        "reversed": plain[::-1, ::-1].copy()[::-1, ::-1],
        "strided": np.repeat(plain, 2, axis=0)[::2],
        "fortran": np.asfortranarray(plain),
        "broadcast": np.broadcast_to(plain[:1], (3, 2)),
    }[how]
    if how == "read-only":
        start.flags.writeable = False
    before = start.copy()
    walk = path(adam, d2l.grad, start, 5)
    np.testing.assert_array_equal(walk, path(adam, d2l.grad, before.copy(), 5))
    np.testing.assert_array_equal(start, before)


def test_a_gradient_that_reuses_one_buffer_changes_no_step():
    buffer = np.empty(2)
    walk = record(momentum, lambda w: np.multiply(w, 2, out=buffer), np.ones(2), 5, beta=0.0)
    fresh = record(momentum, bowl, np.ones(2), 5, beta=0.0)
    for name in walk:
        np.testing.assert_array_equal(walk[name], fresh[name])


def in_place(w, g, *, lr=0.1):
    w -= lr * g
    return w


def state_in_place(w, g, m=0.0, *, lr=0.1):
    m = np.zeros_like(w) if np.ndim(m) == 0 else m
    m += g
    return w - lr * m, m


def gradient_in_place(w, g, *, lr=0.1):
    g *= lr
    return w - g


@pytest.mark.parametrize("rule", [in_place, state_in_place, gradient_in_place])
def test_a_rule_that_writes_into_its_arguments_is_refused_and_told_why(rule):
    start = np.ones(2)
    with pytest.raises(ValueError, match=f"{rule.__name__} writes into an array that it was given"):
        path(rule, bowl, start, 5)
    assert start.tolist() == [1, 1]


def test_points_that_are_kept_change_no_more_whatever_a_gradient_or_a_projection_does():
    def into_w(w):
        w *= 2
        return w

    with pytest.raises(ValueError, match="read-only"):
        path(gradient_descent, into_w, np.ones(2), 3)

    def shifted(w):
        w += 1
        return w

    same = lambda w, g, *, lr=0.1: w  # noqa: E731
    ws = path(same, bowl, np.zeros(2), 3, project=shifted)
    assert ws[:, 0].tolist() == [0, 1, 2, 3]
    for w, *_ in itertools.islice(iterate(gradient_descent, bowl, np.ones(2), lr=0.1), 3):
        with pytest.raises(ValueError, match="read-only"):
            w += 1


# --- bad input ---------------------------------------------------------------------------------------


def must_not_run(w):
    raise AssertionError("the gradient was asked, so the check came too late")


@pytest.mark.parametrize(
    ("start", "error", "text"),
    [
        ([1, 2], TypeError, r"int64 numbers: whole numbers cannot take small steps; write \[1\.0, 2\.0\]"),
        (np.arange(100), TypeError, r"whole numbers.*write w0\.astype\(float\)"),
        (3, TypeError, r"whole numbers.*write 3\.0"),
        ([True, False], TypeError, "w0 holds bool numbers"),
        ([1j, 2.0], TypeError, "w0 holds complex128 numbers: weights are real numbers, float32 or float64"),
        (np.ones(2, np.float16), TypeError, "w0 is float16: squares of small gradients round to zero"),
        (["a", "b"], TypeError, "w0 holds <U1 numbers: weights are real numbers"),
        (None, TypeError, "w0 holds object numbers"),
        ([1.0, np.nan], ValueError, "w0 holds NaN or infinity"),
        ([1.0, np.inf], ValueError, "w0 holds NaN or infinity"),
    ],
)
def test_a_start_that_cannot_be_walked_from_is_refused_before_the_first_gradient(start, error, text):
    with pytest.raises(error, match=text):
        path(adam, must_not_run, start, 5)


@pytest.mark.parametrize(
    ("knobs", "error", "text"),
    [
        ({"learning_rate": 0.1}, TypeError, "no knob 'learning_rate'; its knobs are lr, beta1, beta2, eps"),
        (
            {"lr": -0.1},
            ValueError,
            "lr is -0.1, but must be a finite number of at least 0: a negative step climbs",
        ),
        ({"lr": "0.1"}, TypeError, "lr is '0.1', a str"),
        ({"lr": True}, TypeError, "lr is True, a bool"),
        ({"lr": [0.1, 0.2]}, TypeError, r"lr is \[0\.1, 0\.2\].*grid\(lr=\.\.\.\)"),
        ({"lr": np.array([0.1, 0.2])}, ValueError, r"lr has shape \(2,\).*write \*\*grid\(lr=\.\.\.\)"),
        ({"beta1": 1}, ValueError, "beta1 is 1, but must be at least 0 and below 1"),
        ({"eps": float("nan")}, ValueError, "eps is nan, but must be a finite number of at least 0$"),
        ({"m": 0.5}, TypeError, "m stands before the"),
    ],
)
def test_a_bad_knob_is_refused_before_the_first_gradient(knobs, error, text):
    with pytest.raises(error, match=text):
        path(adam, must_not_run, d2l.start, 5, **knobs)


def test_knobs_of_two_grids_that_do_not_fit_are_refused_with_their_shapes():
    with pytest.raises(ValueError, match=r"do not fit together: .*lr \(3, 1\), eps \(2, 1\).*one grid"):
        path(adam, must_not_run, d2l.start, 5, **grid(lr=[1, 2, 3.0]), **grid(eps=[1e-8, 1e-4]))


def test_a_grid_of_whole_numbers_becomes_one_of_floats_and_float32_stays():
    assert grid(lr=[1, 2])["lr"].dtype == float
    assert grid(lr=np.float32([1, 2]))["lr"].dtype == np.float32


def test_grid_refuses_a_table_and_what_is_no_number_by_name():
    with pytest.raises(ValueError, match=r"lr has shape \(2, 2\): each axis of a sweep is a list of values"):
        grid(lr=np.ones((2, 2)))
    with pytest.raises(TypeError, match=r"^lr is .*a sweep is a list of numbers"):
        grid(lr="fast")
    with pytest.raises(TypeError, match=r"^lr is .*a sweep is a list of numbers"):
        grid(lr=lambda t: 0.1)
    with pytest.raises(TypeError, match=r"^lr .*bool"):
        grid(lr=[True, False])


@pytest.mark.parametrize("steps", [-1, 1.5, 10.0, "10", None, True])
def test_steps_must_be_a_whole_number(steps):
    with pytest.raises(ValueError, match="the number of steps is a whole number, 0 or more"):
        path(adam, must_not_run, d2l.start, steps)


def test_steps_may_be_a_numpy_integer():
    assert path(adam, bowl, d2l.start, np.int64(3)).shape == (4, 2)


@pytest.mark.parametrize(
    ("grad", "error", "text"),
    [
        (None, TypeError, r"the gradient is NoneType: give a function of w, such as landscape\.grad"),
        (np.ones(2), TypeError, "the gradient is ndarray: give a function of w"),
        (lambda w: [1.0, 2.0], TypeError, r"the gradient is a list: return an array of shape \(2,\)"),
        (lambda w: None, TypeError, "the gradient is a NoneType"),
        (lambda w: 1.0, TypeError, "the gradient is a float"),
        (lambda w: w.sum(), ValueError, r"at step 0 has shape \(\), the weights \(2,\).*never broadcast"),
        (lambda w: w[:1], ValueError, r"at step 0 has shape \(1,\), the weights \(2,\).*never broadcast"),
        (lambda w: w[None], ValueError, r"at step 0 has shape \(1, 2\), the weights \(2,\)"),
        (lambda w: np.array([1, 2]), TypeError, "at step 0 holds int64 numbers: slopes are real numbers"),
        (lambda w: w * 1j, TypeError, "at step 0 holds complex128 numbers"),
        (lambda w: w > 0, TypeError, "at step 0 holds bool numbers"),
        (lambda w: w.astype(np.float16), TypeError, "at step 0 .*float16.*round to zero"),
    ],
)
def test_a_gradient_that_is_none_is_refused_with_step_and_shape(grad, error, text):
    with pytest.raises(error, match=text):
        path(adam, grad, d2l.start, 5)


def test_a_gradient_that_changes_its_shape_at_step_5_is_refused_there():
    with pytest.raises(ValueError, match=r"the gradient at step 5 has shape \(1,\), the weights \(2,\)"):
        path(adam, lambda w, t: w[: 1 if t == 5 else 2], d2l.start, 10)


def first_axis(w):
    return np.array([0.2 * w[0], 4 * w[1]])


@pytest.mark.parametrize("runs", [(1,), (2,), (3,), (5,), (1, 5), (2, 2), (2, 5), (5, 2)])
def test_w0_where_w_dot_dot_dot_0_is_meant_is_told_so(runs):
    # With two runs of two weights the shapes fit and the numbers are wrong: this too is found.
    with pytest.raises(ValueError, match=r"In the gradient write w\[\.\.\., 0\] where you wrote w\[0\]"):
        path(adam, first_axis, np.ones((*runs, 2)), 5)


def test_w0_is_right_where_there_is_one_run():
    np.testing.assert_array_equal(path(adam, first_axis, d2l.start, 9), path(adam, d2l.grad, d2l.start, 9))


def test_an_index_error_of_the_learners_own_is_left_as_it_is():
    with pytest.raises(IndexError, match="index 7") as error:
        path(adam, lambda w: w[7], d2l.start, 5)
    assert "w[..., 0]" not in str(error.value)


def test_a_gradient_that_takes_just_two_axes_is_taken():
    turn = np.array([[1.0, 2.0], [0.0, 1.0]])
    walk = path(gradient_descent, lambda w: np.einsum("ij,kj->ki", turn, w), np.ones((2, 2)), 1, lr=1.0)
    np.testing.assert_array_equal(walk[-1], [[-2, 0], [-2, 0]])


def test_a_gradient_with_a_number_for_each_run_is_taken():
    targets = np.array([[1.0, 2.0], [3.0, 4.0]])
    walk = path(gradient_descent, lambda w: w - targets, np.zeros((2, 2)), 1, lr=1.0)
    np.testing.assert_array_equal(walk[-1], targets)


@pytest.mark.parametrize("unwritten", [None, ...])
def test_a_rule_not_written_yet_is_told_so(unwritten):
    def mine(w, g, m=0.0, *, lr=0.1):
        return unwritten

    with pytest.raises(NotImplementedError, match=r"mine returned .*not written yet, or a return is missing"):
        path(mine, bowl, np.ones(2), 3)


def test_a_rule_that_forgets_its_state_is_told_what_its_signature_promises():
    def mine(w, g, m=0.0, *, lr=0.1):
        return w - lr * g

    with pytest.raises(ValueError, match=r"mine returned 1 value\(s\).*promises 2: return w, m"):
        path(mine, bowl, np.ones(2), 3)


def test_a_rule_that_changes_the_shape_is_refused():
    def mine(w, g, *, lr=0.1):
        return (w - lr * g).sum(keepdims=True)

    with pytest.raises(ValueError, match=r"mine returned weights of shape \(1,\), but was given \(2,\)"):
        path(mine, bowl, np.ones(2), 3)


def test_a_rule_that_returns_a_list_is_refused():
    def mine(w, g, m=0.0, *, lr=0.1):
        return [w - lr * g, m]

    with pytest.raises((TypeError, ValueError), match="mine returned a list"):
        path(mine, bowl, np.ones(2), 3)


def test_a_rule_whose_weights_become_complex_or_whole_is_refused():
    def imaginary(w, g, *, lr=0.1):
        return w - lr * g * 1j

    def rounded(w, g, *, lr=0.1):
        return (w - lr * g).astype(int)

    for rule in (imaginary, rounded):
        with pytest.raises(TypeError, match=f"{rule.__name__} returned weights of (complex128|int64)"):
            path(rule, bowl, np.ones(2), 3)


LATE = {
    "weights of another shape": (lambda w: (w[:1], 5), ValueError, r"shape \(1,\), but was given \(2,\)"),
    "complex weights": (lambda w: (w * 1j, 5), TypeError, "late returned weights of complex128"),
    "whole weights": (lambda w: (w.astype(int), 5), TypeError, "late returned weights of int64"),
    "a list": (lambda w: (w.tolist(), 5), TypeError, "late returned a list"),
    "too little state": (lambda w: w, ValueError, r"late returned 1 value\(s\)"),
    "nothing": (lambda w: None, NotImplementedError, "late returned None"),
}


@pytest.mark.parametrize("what", LATE)
@pytest.mark.parametrize("walk", [path, lambda *args: list(itertools.islice(iterate(*args[:3]), 9))])
def test_a_rule_that_turns_wrong_at_the_fifth_step_is_told_so(what, walk):
    wrong, error, text = LATE[what]

    def late(w, g, t=0, *, lr=0.1):
        return (w - lr * g, t + 1) if t < 4 else wrong(w)

    with pytest.raises(error, match=text):
        walk(late, bowl, np.ones(2), 9)


def test_a_rule_that_lifts_its_state_or_weights_to_float64_at_the_fifth_step_stays_in_float32():
    def late(w, g, m=0.0, t=0, *, lr=0.1):
        wide = np.float64(1) if t >= 4 else np.float32(1)
        return w - lr * g * np.full(2, wide), m + g * np.full(2, wide), t + 1

    points = list(itertools.islice(iterate(late, bowl, np.ones(2, np.float32)), 9))
    assert {x.dtype for w, m, _ in points[1:] for x in (w, m)} == {np.dtype(np.float32)}


def test_the_error_of_a_gradient_that_turns_wrong_late_names_its_step():
    for wrong in (lambda w: w.tolist(), lambda w: w > 0, lambda w: w[:1]):
        with pytest.raises((TypeError, ValueError), match=r"the gradient (at step 5|is a list)"):
            path(adam, lambda w, t, wrong=wrong: wrong(w) if t == 5 else w, d2l.start, 10)


def test_a_mistake_in_the_arguments_is_told_at_once_and_not_at_the_first_step():
    for bad in ({"lr": -1.0}, {"speed": 1.0}):
        with pytest.raises((TypeError, ValueError)):
            iterate(adam, bowl, np.ones(2), **bad)  # a generator would have waited for next()
