"""Whole sweeps end where `path` ends: played by NumPy, compiled by Numba, and printed as one kernel in C."""

import ctypes
import functools
import hashlib
import shutil
import subprocess
import sys
import types

import numpy as np
import pytest
from discovery import RULES
from strict_array import StrictArray

from optim_lessons import landscapes as ground
from optim_lessons.adam import adam
from optim_lessons.gradient_descent import gradient_descent
from optim_lessons.lab import sweep
from optim_lessons.lab.path import grid, path
from optim_lessons.lab.sweep import final, traceable
from optim_lessons.lab.tape import kernel
from optim_lessons.lab.tape.compiled import compiler, print_walk
from optim_lessons.lab.tape.points import trace_step
from optim_lessons.momentum import momentum

GROUNDS = [
    ground.quadratic(angle=30),
    ground.rosenbrock,
    ground.beale,
    ground.himmelblau,
    ground.rastrigin(),
    ground.saddle(),
    ground.plateau(),
    ground.d2l,
]
POLYNOMIALS = [ground.quadratic(angle=30), ground.rosenbrock, ground.himmelblau]
every_rule = pytest.mark.parametrize("rule", RULES.values(), ids=RULES)


def named(grounds):
    return pytest.mark.parametrize("landscape", grounds, ids=lambda x: x.name)


def knobs_of(rule, like=lambda x: x):
    """Return a sweep over lr and over the first beta the rule has."""
    names = [n for n in ("beta", "beta1") if n in rule.__kwdefaults__]
    axes = {"lr": np.geomspace(1e-4, 1, 7)} | {name: np.linspace(0, 0.9, 5) for name in names[:1]}
    return grid(**{name: like(x) for name, x in axes.items()})


def same(got, expected, **tolerance):
    assert got.shape == expected.shape
    assert got.dtype == expected.dtype
    if tolerance:
        np.testing.assert_allclose(got, expected, **tolerance)
    else:
        np.testing.assert_array_equal(got, expected)


# ---- played by NumPy ------------------------------------------------------------------------------------


@every_rule
@named(GROUNDS)
def test_a_sweep_ends_where_path_ends_bit_for_bit(rule, landscape):
    knobs = knobs_of(rule)
    same(
        final(rule, landscape, landscape.start, 60, **knobs),
        path(rule, landscape.grad, landscape.start, 60, **knobs)[-1],
    )
    assert traceable(rule, landscape) == (True, "")


@every_rule
@named(POLYNOMIALS)
def test_in_single_precision_it_strays_from_double_no_further_than_path_does(rule, landscape):
    knobs = knobs_of(rule)
    w0 = landscape.start.astype(np.float32)
    exact = path(rule, landscape.grad, w0.astype(float), 3, **knobs)[-1]
    ours, paths = (x.astype(float) for x in (final(rule, landscape, w0, 3, **knobs), path(
        rule, landscape.grad, w0, 3, **knobs)[-1]))  # fmt: skip
    # path rounds once a step, since knobs of a sweep are doubles; here each of some 20 operations rounds.
    scale = np.abs(exact).max(axis=-1, keepdims=True) + 1
    assert (np.abs(ours - exact) <= 20 * np.abs(paths - exact) + 2e-5 * scale).all()
    assert final(rule, landscape, w0, 3, **knobs).dtype == np.float32


@pytest.mark.parametrize("block", [1, 3, 64, 2**14])
def test_blocks_of_any_size_give_the_same_ends(monkeypatch, block):
    knobs = grid(lr=np.geomspace(1e-4, 0.1, 9), beta1=np.linspace(0, 0.9, 4))
    expected = path(adam, ground.himmelblau.grad, ground.himmelblau.start, 40, **knobs)[-1]
    monkeypatch.setattr(sweep, "BLOCK", block)
    same(final(adam, ground.himmelblau, ground.himmelblau.start, 40, **knobs), expected)


@pytest.mark.parametrize("shape", [(2,), (5, 2), (4, 1, 2), (2, 2), (3, 4, 5, 2)])
@pytest.mark.parametrize("lrs", [0.01, np.geomspace(0.001, 0.01, 5)[:, None]], ids=["one lr", "five"])
def test_starts_of_any_shape_meet_knobs_that_broadcast(shape, lrs):
    w0 = np.random.default_rng(0).uniform(-2, 2, shape)
    if shape == (2, 2) and np.ndim(lrs):
        with pytest.raises(ValueError, match="the runs do not fit together"):
            final(momentum, ground.himmelblau, w0, 20, lr=lrs)
        return
    expected = path(momentum, ground.himmelblau.grad, w0, 20, lr=lrs)[-1]
    same(final(momentum, ground.himmelblau, w0, 20, lr=lrs), expected)


def test_no_step_at_all_is_the_start():
    same(final(adam, ground.rosenbrock, ground.rosenbrock.start, 0), ground.rosenbrock.start)


def test_schedules_are_read_in_every_step_by_python():
    def falling(t):
        return 0.01 if t < 5 else 0.01 / (t - 3)

    for knobs in ({"lr": falling}, {"lr": falling, "beta1": np.linspace(0, 0.9, 5)[:, None]}):
        same(
            final(adam, ground.himmelblau, ground.himmelblau.start, 30, **knobs),
            path(adam, ground.himmelblau.grad, ground.himmelblau.start, 30, **knobs)[-1],
        )


def test_a_schedule_that_leaves_its_range_is_refused_as_by_path():
    with pytest.raises(ValueError, match=r"lr is -0\.5 at step 3"):
        final(adam, ground.rosenbrock, ground.rosenbrock.start, 9, lr=lambda t: 0.1 if t < 3 else -0.5)


def test_state_per_run_and_state_that_swaps_keep_their_values():
    def odd(w, g, before=0.0, product=1.0, t=0, *, lr=0.01, beta=0.9):
        product = product * beta
        return w - lr * (g + 0.1 * before) * (1 - product), g, product, t + 1

    def swapping(w, g, a=0.0, b=1.0, *, lr=0.01):
        return w - lr * g - 1e-3 * a, b, a + g

    for rule, knobs in (
        (odd, grid(lr=[0.01, 0.02], beta=[0.1, 0.5, 0.9])),
        (swapping, grid(lr=[0.01, 0.02])),
    ):
        same(
            final(rule, ground.himmelblau, ground.himmelblau.start, 25, **knobs),
            path(rule, ground.himmelblau.grad, ground.himmelblau.start, 25, **knobs)[-1],
        )


def test_a_run_that_left_the_finite_numbers_stays_lost_even_if_the_rule_would_bring_it_back():
    def boxed(w, g, *, lr=0.1, scale=1.0):
        return np.clip(w, -5, 5) - lr * scale * g

    knobs = {"lr": lambda t: 0.1 if t else 1e308, "scale": np.array([[0.0], [1.0], [100.0]])}
    got = final(boxed, np.ones_like, np.zeros(2), 6, **knobs)
    same(got, path(boxed, np.ones_like, np.zeros(2), 6, **knobs)[-1])
    assert np.isnan(got).all(axis=-1).tolist() == [False, False, True]


def test_conditions_on_values_and_constants_per_coordinate_are_traced():
    def rule(w, g, *, lr=0.01, ratio=2.0):
        g = np.where(np.abs(g) > 10, np.sign(g) * 10, g) * ratio ** np.array([0.0, 1.0])
        return w - lr * np.clip(g, -8, None) - 0.0 * np.zeros_like(w)

    assert traceable(rule, ground.himmelblau)[0]
    knobs = grid(lr=[0.001, 0.01], ratio=[0.5, 1.0, 2.0])
    for dtype in (float, np.float32):
        w0 = ground.himmelblau.start.astype(dtype)
        expected = path(rule, ground.himmelblau.grad, w0, 20, **knobs)[-1]
        same(
            final(rule, ground.himmelblau, w0, 20, **knobs), expected, rtol=1e-12 if dtype is float else 1e-3
        )


# ---- what cannot be traced ------------------------------------------------------------------------------


def by_norm(w, g, *, lr=0.1):
    return w - lr * g / np.linalg.norm(g, axis=-1, keepdims=True)


def by_count(w, g, t=0, *, lr=0.01):
    return (w - lr * g if t > 2 else w - 2 * lr * g), t + 1


def by_method(w, g, *, lr=0.01):
    return w - lr * g / (1 + g.max(axis=-1, keepdims=True) ** 2)


def by_slice(w, g, *, lr=0.01):
    return w - lr * np.concatenate([g[..., :1], g[..., 1:]], axis=-1)


@pytest.mark.parametrize("rule", [by_norm, by_count, by_method, by_slice])
def test_what_cannot_be_traced_is_stepped_and_the_reason_names_the_line(rule):
    possible, why = traceable(rule, ground.himmelblau)
    assert not possible
    assert why.startswith(f"{rule.__name__} cannot be fused, because of line")
    knobs = grid(lr=np.array([0.001, 0.01, 3.0]))
    same(
        final(rule, ground.himmelblau, ground.himmelblau.start, 20, **knobs),
        path(rule, ground.himmelblau.grad, ground.himmelblau.start, 20, **knobs)[-1],
    )


def test_real_mountains_and_gradients_that_know_the_step_are_stepped():
    land = ground.terrain()
    same(
        final(gradient_descent, land, land.start, 10, lr=0.003),
        path(gradient_descent, land.grad, land.start, 10, lr=0.003)[-1],
    )
    same(final(adam, ground.reddi, np.zeros(1), 30), path(adam, ground.reddi, np.zeros(1), 30)[-1])


@pytest.mark.parametrize(
    ("args", "knobs", "error", "words"),
    [
        ((ground.rosenbrock.start, 2.5), {}, ValueError, "steps is 2.5"),
        ((ground.rosenbrock.start, 5), {"lr": -0.1}, ValueError, "a negative step climbs"),
        ((ground.rosenbrock.start, 5), {"rate": 0.1}, TypeError, "no knob 'rate'"),
        ((np.array([1, 2]), 5), {}, TypeError, "whole numbers cannot take small steps"),
        ((ground.rosenbrock.start, 5), {"lr": np.array([0.1, 0.2])}, ValueError, r"\*\*grid\(lr="),
    ],
)
def test_bad_input_is_refused_in_path_s_words(args, knobs, error, words):
    with pytest.raises(error, match=words):
        final(gradient_descent, ground.rosenbrock, *args, **knobs)


# ---- compiled by Numba ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("rule", "state"),
    [(adam, {"m": 0.0, "v": 0.0, "t": 0}), (momentum, {"m": 0.0})],
    ids=["adam", "momentum"],
)
def test_the_printed_loop_is_python_that_ends_where_path_ends(rule, state):
    lrs, w0 = np.array([1e-4, 3e-4, 1e-3]), ground.rosenbrock.start
    step = trace_step(rule, ground.rosenbrock.grad, 2, state, {"lr": lrs})
    functions = {"np": np, "real": float}
    exec(print_walk(step), functions)  # Numba's text, as plain Python
    first = [w0[0], w0[1], *(x for i, x in step.state.items() if step.level(i))]
    registers = [np.full(3, float(x)) for x in first]
    functions["walk"](step.table(20, {}), *step.hosts, lrs, *registers)
    expected = path(rule, ground.rosenbrock.grad, w0, 20, lr=lrs[:, None])[-1]
    np.testing.assert_allclose(np.stack(registers[:2], axis=-1), expected, rtol=1e-13)


@every_rule
@named(POLYNOMIALS)
def test_compiled_by_numba_a_sweep_ends_where_path_ends(monkeypatch, rule, landscape):
    if not compiler()[0]:
        pytest.skip(compiler()[1])
    monkeypatch.setattr(sweep, "COMPILING_PAYS", 0)
    used = []
    monkeypatch.setattr(sweep, "_played", lambda *args: used.append(args))  # nothing falls back to NumPy
    lrs = np.geomspace(1e-4, 1e-2, 70)[:, None]
    expected = path(rule, landscape.grad, landscape.start, 20, lr=lrs)[-1]
    same(final(rule, landscape, landscape.start, 20, lr=lrs), expected, rtol=1e-9, atol=1e-12)
    assert not used


def test_a_power_for_each_run_and_step_is_left_to_numpy(monkeypatch):
    monkeypatch.setattr(sweep, "COMPILING_PAYS", 0)
    asked = []
    monkeypatch.setattr(sweep, "compiled_walk", lambda *args: asked.append(args))
    final(adam, ground.rosenbrock, ground.rosenbrock.start, 3, **grid(beta1=[0.1, 0.5]))
    assert not asked
    final(adam, ground.rosenbrock, ground.rosenbrock.start, 3, **grid(lr=[0.1, 0.5]))
    assert asked


# ---- one kernel, without a GPU --------------------------------------------------------------------------


class CompiledKernel:
    """A cupy.ElementwiseKernel for arrays in main memory: its C is compiled, and run for each element."""

    made = ()

    def __init__(self, inputs, outputs, body, name):
        assert name.isidentifier()
        CompiledKernel.made += (body,)
        self.inputs, self.outputs = ([x.split() for x in text.split(", ")] for text in (inputs, outputs))
        self.run = compiled_c(inputs, outputs, body)

    def __call__(self, *args):
        arrays = [x.get() if isinstance(x, StrictArray) else x for x in args]
        assert not any(isinstance(x, np.ndarray) for x in args)  # nothing moves between CPU and GPU unasked
        shape = np.broadcast_shapes(*(np.shape(x) for x in arrays[1:]))
        given = []
        for (*kind, _), x in zip(self.inputs, arrays, strict=True):
            assert np.ndim(x) == 0 or x.dtype == kind[-1], f"CuPy refuses {x.dtype} for {kind}"
            x = np.asarray(x, kind[-1])
            given.append(x if kind[0] == "raw" else np.broadcast_to(x, shape).ravel())
        results = [np.empty(shape, kind) for kind, _ in self.outputs]
        pointers = [x.ctypes.data_as(ctypes.c_void_p) for x in (*given, *results)]
        self.run(int(np.prod(shape)), (ctypes.c_void_p * len(pointers))(*pointers))
        return tuple(StrictArray(x) for x in results)


@functools.cache
def compiled_c(inputs, outputs, body):
    cpp = shutil.which("g++") or shutil.which("clang++")
    names = [x.split() for x in (inputs + ", " + outputs).split(", ")]
    c = {"float64": "double", "float32": "float", "int32": "int"}
    lines = ["#include <cmath>", "using namespace std;", 'extern "C" void run(int n, void** p) {']
    lines += [f"const double* u = (double*)p[{k}];" for k, x in enumerate(names) if x[0] == "raw"]
    lines.append("for (int i = 0; i < n; ++i) {")
    first = len(inputs.split(", "))
    for k, (*kind, name) in enumerate(names):
        if kind[0] != "raw":
            value = f" = (({c[kind[-1]]}*)p[{k}])[i]" if k < first else ""
            lines.append(f"{c[kind[-1]]} {name}{value};")
    ends = [f"(({c[x[0]]}*)p[{k}])[i] = {x[1]};" for k, x in enumerate(names) if k >= first]
    text = "\n".join([*lines, body, *ends, "} }"])
    place = compiled_c.folder / hashlib.sha256(text.encode()).hexdigest()[:16]
    place.with_suffix(".cpp").write_text(text)
    options = ["-O1", "-ffp-contract=off", "-shared", "-fPIC", "-Wall", "-Wno-unused", "-Werror"]
    subprocess.run([cpp, *options, "-o", f"{place}.so", f"{place}.cpp"], check=True)
    return ctypes.CDLL(f"{place}.so").run


@pytest.fixture
def pretended_gpu(monkeypatch, tmp_path):
    if not (shutil.which("g++") or shutil.which("clang++")) or sys.platform == "win32":
        pytest.skip("no C++ compiler: apt install g++")
    compiled_c.folder = tmp_path
    cupy = types.ModuleType("cupy")
    cupy.ElementwiseKernel = CompiledKernel
    monkeypatch.setitem(sys.modules, "cupy", cupy)
    monkeypatch.setattr(StrictArray, "__module__", "cupy.pretended")
    monkeypatch.setattr(CompiledKernel, "made", ())
    kernel._walk_kernel.cache_clear()
    yield
    kernel._walk_kernel.cache_clear()
    compiled_c.cache_clear()


@pytest.mark.usefixtures("pretended_gpu")
@every_rule
def test_on_a_gpu_a_sweep_is_one_kernel_whose_c_ends_where_path_ends(rule):
    landscape = ground.rosenbrock
    knobs = knobs_of(rule)
    on_gpu = {name: StrictArray(x) for name, x in knobs.items()}
    got = final(rule, landscape, StrictArray(landscape.start), 12, **on_gpu).get()
    expected = path(rule, landscape.grad, landscape.start, 12, **knobs)[-1]
    same(got, expected, rtol=1e-9, atol=1e-12)  # powers of C and of NumPy differ in the last place
    assert len(CompiledKernel.made) == 1


@pytest.mark.usefixtures("pretended_gpu")
@named([ground.quadratic(angle=30), ground.himmelblau, ground.rastrigin(), ground.plateau(), ground.saddle()])
def test_on_a_gpu_gradients_of_landscapes_are_part_of_the_kernel(landscape):
    knobs = grid(lr=np.geomspace(1e-3, 0.05, 6), beta=np.array([0.0, 0.5, 0.8]))
    on_gpu = {name: StrictArray(x) for name, x in knobs.items()}
    got = final(momentum, landscape, StrictArray(landscape.start), 8, **on_gpu).get()
    same(got, path(momentum, landscape.grad, landscape.start, 8, **knobs)[-1], rtol=1e-9, atol=1e-12)


@pytest.mark.usefixtures("pretended_gpu")
def test_on_a_gpu_single_precision_is_numpy_s_bit_for_bit_where_no_power_is_taken():
    knobs = grid(lr=np.geomspace(1e-4, 0.02, 8), beta=np.linspace(0, 0.9, 4))
    w0 = ground.himmelblau.start.astype(np.float32)
    got = final(
        momentum, ground.himmelblau, StrictArray(w0), 50, **{n: StrictArray(x) for n, x in knobs.items()}
    )
    same(got.get(), final(momentum, ground.himmelblau, w0, 50, **knobs))


@pytest.mark.usefixtures("pretended_gpu")
def test_one_kernel_serves_any_number_of_steps_and_any_values_of_the_knobs():
    w0 = StrictArray(ground.rosenbrock.start)
    for steps, lr, beta2 in ((3, 0.1, 0.99), (9, 0.2, 0.999)):
        got = final(adam, ground.rosenbrock, w0, steps, lr=lr, beta2=beta2).get()
        expected = path(adam, ground.rosenbrock.grad, ground.rosenbrock.start, steps, lr=lr, beta2=beta2)[-1]
        same(got, expected, rtol=1e-12)
    assert len(CompiledKernel.made) == 1


@pytest.mark.usefixtures("pretended_gpu")
def test_on_a_gpu_runs_that_are_lost_are_nan_and_what_cannot_be_traced_is_stepped_there():
    lrs = np.array([[0.001], [0.01], [3.0]])
    w0 = StrictArray(ground.himmelblau.start)
    got = final(gradient_descent, ground.himmelblau, w0, 20, lr=StrictArray(lrs)).get()
    expected = path(gradient_descent, ground.himmelblau.grad, ground.himmelblau.start, 20, lr=lrs)[-1]
    assert np.isnan(expected[-1]).all()
    same(got, expected, rtol=1e-12)
    got = final(by_count, ground.himmelblau, w0, 20, lr=StrictArray(lrs)).get()
    same(got, path(by_count, ground.himmelblau.grad, ground.himmelblau.start, 20, lr=lrs)[-1])
    assert len(CompiledKernel.made) == 1


# ---- on a real card -------------------------------------------------------------------------------------


@pytest.mark.gpu
@every_rule
@named(GROUNDS)
def test_on_a_card_a_sweep_ends_where_path_ends(cupy, rule, landscape):
    knobs = knobs_of(rule)
    got = final(rule, landscape, cupy.asarray(landscape.start), 5, **knobs_of(rule, cupy.asarray)).get()
    expected = path(rule, landscape.grad, landscape.start, 5, **knobs)[-1]
    # Fused multiply-adds round once, not twice; five steps of a steep ground magnify that.
    same(got, expected, rtol=1e-8, atol=1e-8)


@pytest.mark.gpu
def test_on_a_card_a_sweep_is_one_kernel(cupy):
    kernel._walk_kernel.cache_clear()
    knobs = knobs_of(adam, cupy.asarray)
    for steps in (5, 50):
        final(adam, ground.rosenbrock, cupy.asarray(ground.rosenbrock.start), steps, **knobs)
    assert kernel._walk_kernel.cache_info().misses == 1
