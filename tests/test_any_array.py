"""One text for every array: rules, landscapes and walks on NumPy, on a strict stand-in, and on a GPU."""

import subprocess
import sys

import numpy as np
import pytest
from discovery import LANDSCAPES, RULES
from strict_array import StrictArray

from optim_lessons.adam import adam
from optim_lessons.gradient_descent import gradient_descent, sharpness
from optim_lessons.lab.fused import gpu
from optim_lessons.lab.knobs import parts
from optim_lessons.lab.path import grid, iterate, path, record
from optim_lessons.landscapes import (
    d2l,
    hessian,
    lessard_recht_packard,
    newton_step,
    numerical_gradient,
    reddi,
    rosenbrock,
)
from optim_lessons.sgd import noisy

pytestmark = pytest.mark.essential

every_rule = pytest.mark.parametrize("rule", RULES.values(), ids=RULES)
every_landscape = pytest.mark.parametrize("landscape", LANDSCAPES.values(), ids=LANDSCAPES)


def to_cupy(x):
    return __import__("cupy").asarray(x)


@pytest.fixture(params=[np.asarray, StrictArray, pytest.param(to_cupy, marks=pytest.mark.gpu)])
def put(request):
    """Yield a function that puts NumPy numbers where the test is to run."""
    ready, why_not = gpu()
    if request.param is to_cupy and not ready:
        pytest.skip(why_not)
    return request.param


def back(x):
    return x.get() if hasattr(x, "get") else np.asarray(x)


def same(x, expected, put, rtol=1e-12, atol=1e-12):
    """Check values, shape, dtype, and that the numbers are still where they were put."""
    assert type(x) is type(put(np.zeros(1)))
    assert x.dtype == expected.dtype
    # CuPy's own kernels round some functions differently in the last places.
    np.testing.assert_allclose(
        back(x), expected, rtol=rtol, atol=atol * max(1, np.nanmax(np.abs(expected), initial=0))
    )


def bowl(w):
    return 2 * w


# --- every rule and landscape ------------------------------------------------------------------------


@every_rule
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_every_rule_runs_on_any_array_and_keeps_its_dtype(rule, put, dtype):
    w, g = np.random.default_rng(0).standard_normal((2, 3, 2)).astype(dtype)
    here, there = (w,), (put(w),)
    for _ in range(3):
        here, there = rule(here[0], g, *here[1:]), rule(there[0], put(g), *there[1:])
        here, there = (x if isinstance(x, tuple) else (x,) for x in (here, there))
        for x, expected in zip(there, here, strict=True):
            if hasattr(expected, "dtype"):
                same(x, expected, put, *(2e-6, 2e-6) if dtype == np.float32 else ())
            else:
                assert x == expected


@every_rule
def test_every_rule_sweeps_on_any_array(rule, put):
    axes = {"lr": np.array([0.01, 0.1, 0.3]), list(parts(rule).knobs)[-1]: np.array([0.1, 0.5])}
    walk = path(
        rule, d2l.grad, put(d2l.start), 20, **grid(**{name: put(values) for name, values in axes.items()})
    )
    same(walk, path(rule, d2l.grad, d2l.start, 20, **grid(**axes)), put, 1e-9, 1e-12)


@every_landscape
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_every_landscape_has_its_height_and_slope_on_any_array(landscape, put, dtype):
    (x0, x1), (y0, y1) = landscape.box
    w = np.random.default_rng(0).uniform([x0, y0], [x1, y1], (5, 4, 2)).astype(dtype)
    tolerance = (2e-5, 2e-5) if dtype == np.float32 else (1e-11, 1e-11)
    same(landscape(put(w)), landscape(w), put, *tolerance)
    same(landscape.grad(put(w)), landscape.grad(w), put, *tolerance)


def test_slopes_that_mislead_and_noise_run_on_any_array(put):
    w = np.array([-1.0, 0.5, 1.5, 3.0])
    same(lessard_recht_packard(put(w)), lessard_recht_packard(w), put)
    same(reddi(put(w), 3), reddi(w, 3), put)
    same(noisy(bowl, seed=3)(put(w), 5), noisy(bowl, seed=3)(w, 5), put)


def test_curvatures_and_newtons_step_run_on_any_array(put):
    w = np.array([[0.5, -0.5], [-1.2, 1.0]])
    here, there = rosenbrock.grad, put(w)
    same(hessian(here, there), hessian(here, w), put, 1e-6, 1e-6)  # differences of nearly equal numbers
    same(numerical_gradient(rosenbrock, there), numerical_gradient(rosenbrock, w), put, 1e-6, 1e-6)
    same(sharpness(here, there), sharpness(here, w), put, 1e-6, 1e-6)
    H = hessian(here, w)
    same(newton_step(there, here(there), put(H)), newton_step(w, here(w), H), put, 1e-9, 1e-9)


# --- the walk ----------------------------------------------------------------------------------------


def test_record_schedules_noise_and_projection_run_on_any_array(put):
    def walk(start, grad):
        return record(
            adam,
            grad,
            start,
            30,
            lr=lambda t: 0.5 / (t + 1),
            beta1=lambda t: np.float64(0.9),
            project=lambda w: np.clip(w, -2, 2),
        )

    here, there = (
        walk(start, noisy(rosenbrock.grad, seed=2)) for start in (rosenbrock.start, put(rosenbrock.start))
    )
    for name, expected in here.items():
        same(there[name], expected, put, 1e-9, 1e-9)


def test_a_run_in_a_sweep_diverges_alone_on_any_array(put):
    lrs = np.array([0.1, 1.1, 0.4])
    expected = path(gradient_descent, bowl, np.full(2, 1e300), 200, **grid(lr=lrs))
    assert np.isnan(expected[-1, 1]).all()
    same(path(gradient_descent, bowl, put(np.full(2, 1e300)), 200, **grid(lr=put(lrs))), expected, put, 1e-9)


def test_iterate_stops_on_any_array(put):
    points = list(iterate(gradient_descent, bowl, put(np.full(2, 1e300)), lr=1e4))
    assert 1 < len(points) < 5


@pytest.mark.parametrize(
    ("start", "knobs", "text"),
    [
        (np.array([1, 2]), {}, r"int64 numbers: whole numbers cannot take small steps; write \[1\.0, 2\.0\]"),
        (np.array([1j, 2]), {}, "complex128 numbers"),
        (np.ones(2, np.float16), {}, "float16: squares of small gradients"),
        (np.array([1.0, np.nan]), {}, "NaN or infinity"),
        (np.ones(2), {"lr": np.array([[0.1], [-0.5]])}, r"lr is -0\.5, but must be"),
        (np.ones(2), {"lr": np.array([0.1, 0.5])}, r"lr has shape \(2,\)"),
        (np.ones((2, 2)), {"grad": lambda w: np.stack([0.2 * w[0], 4 * w[1]])}, r"write w\[\.\.\., 0\]"),
    ],
)
def test_bad_input_is_refused_in_the_same_words_on_any_array(put, start, knobs, text):
    knobs = dict(knobs)
    grad = knobs.pop("grad", bowl)
    with pytest.raises((TypeError, ValueError), match=text):
        path(adam, grad, put(start), 5, **{name: put(value) for name, value in knobs.items()})


# --- no silent transfer ------------------------------------------------------------------------------


def other(put):
    """Return the function that puts numbers into another library than the one under test."""
    return StrictArray if put is np.asarray else np.asarray


@every_rule
def test_a_sweep_on_another_library_than_the_weights_is_refused(rule, put):
    with pytest.raises(TypeError, match=r"lr is a \w+ array, the weights are a \w+ array: nothing moves"):
        path(rule, bowl, put(np.ones(2)), 5, **grid(lr=other(put)(np.array([0.1, 0.2]))))


def test_a_gradient_on_another_library_than_the_weights_is_refused_with_its_step(put):
    def grad(w, t):
        return 2 * w if t < 3 else other(put)(np.ones(2))

    with pytest.raises(
        TypeError, match=r"the gradient at step 3 is a \w+ array, the weights are a \w+ array"
    ):
        path(adam, grad, put(np.ones(2)), 5)


def test_a_schedule_on_another_library_than_the_weights_is_refused(put):
    with pytest.raises(TypeError, match=r"lr is a \w+ array, the weights are a \w+ array"):
        path(adam, bowl, put(np.ones((2, 2))), 5, lr=lambda t: other(put)(np.array([[0.1], [0.2]])))


def test_a_gradient_with_numpy_data_in_it_is_not_moved_silently():
    target = np.ones(2)
    with pytest.raises(TypeError):
        path(adam, lambda w: w - target, StrictArray(np.ones(2)), 5)


# --- the stand-in itself -----------------------------------------------------------------------------


def test_the_stand_in_refuses_what_a_gpu_array_refuses():
    x, y = StrictArray(np.ones(2)), np.ones(2)
    for mixed in (
        lambda: x + y,
        lambda: y + x,
        lambda: np.maximum(x, y),
        lambda: np.stack([x, y]),
        lambda: np.where(x > 0, y, x),
        lambda: np.asarray(x),
        lambda: np.array([x, x]),
        lambda: y.__setitem__(0, x),
        lambda: x.__setitem__(slice(None), y),
    ):
        with pytest.raises((TypeError, ValueError)):
            mixed()


def test_the_stand_in_is_no_numpy_array_and_stays_itself():
    x = StrictArray(np.array([1.0, 4.0], np.float32))
    for result in (
        x + 1,
        2 * x,
        np.sqrt(x),
        x.sum(),
        x[0],
        x[..., None],
        np.stack([x, x]),
        np.float64(2) * x,
        x > 2,
    ):
        assert type(result) is StrictArray
    assert np.sqrt(x).get().tolist() == [1.0, 2.0]
    assert (2.0 * x).dtype == np.float32


def test_rules_and_walks_need_numpy_alone_so_that_a_bare_gpu_machine_can_run_them():
    code = """
import sys
before = set(sys.modules)
import optim_lessons.lab.path, optim_lessons.lab.fused, optim_lessons.landscapes, optim_lessons.bridge
new = {name.partition(".")[0] for name in set(sys.modules) - before}
print(*sorted(new - set(sys.stdlib_module_names)))
"""
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert set(loaded.split()) <= {"numpy", "optim_lessons"}
