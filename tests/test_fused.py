"""A fused rule is its rule, in one pass over the memory: same signature, same results, same refusals."""

import functools
import importlib.util
import inspect
import re
import shutil
import subprocess
import sys
import types

import numpy as np
import pytest
from discovery import RULES

from optim_lessons.adam import adam, amsgrad
from optim_lessons.gradient_descent import gradient_descent
from optim_lessons.lab import fused as module
from optim_lessons.lab.fused import fused, gpu
from optim_lessons.lab.knobs import parts
from optim_lessons.lab.path import grid, path
from optim_lessons.lab.tape import blocks, kernel
from optim_lessons.lab.tape.compiled import compiled, compiler
from optim_lessons.lab.tape.kernel import print_c
from optim_lessons.lab.tape.trace import NUMBERS, TRUTHS, CannotTrace, StandIn, Tape
from optim_lessons.landscapes import rosenbrock

every_rule = pytest.mark.parametrize("rule", RULES.values(), ids=RULES)
both_dtypes = pytest.mark.parametrize("dtype", [np.float32, np.float64])


HAS_NUMBA = importlib.util.find_spec("numba") is not None


@pytest.fixture(params=["NumPy", "Numba"] if HAS_NUMBA else ["NumPy"])
def in_blocks(request, monkeypatch):
    """Send every array through blocks of 64 weights and three threads, however small it is."""
    monkeypatch.setattr(module, "pays", lambda size: True)
    monkeypatch.setattr(blocks, "BLOCK", 64)
    monkeypatch.setenv("OMP_NUM_THREADS", "3")
    if request.param == "NumPy":
        monkeypatch.setattr(blocks, "compiled", lambda *args: None)


def as_tuple(result):
    return result if isinstance(result, tuple) else (result,)


def arrays(*shape, dtype=np.float64, seed=0):
    """Return w and g of a shape."""
    return np.random.default_rng(seed).standard_normal((2, *shape)).astype(dtype)


def walk(rule, w, gradients, **knobs):
    """Return w and the state after one step per gradient."""
    state = ()
    for g in gradients:
        w, *state = as_tuple(rule(w, g, *state, **knobs))
    return (w, *state)


def clipped(weights, gradient, n=0, *, lr=0.1, most=1.0):
    """A learner's own rule: clipped, with signs and a condition."""
    step = np.where(np.abs(gradient) > 2 * most, most * np.sign(gradient), np.clip(gradient, -most, most))
    return weights - lr * step, n + 1


# ---- same results ---------------------------------------------------------------------------------------


@pytest.mark.usefixtures("in_blocks")
@both_dtypes
@pytest.mark.parametrize("rule", [*RULES.values(), clipped], ids=[*RULES, "clipped"])
def test_a_fused_rule_gives_the_rule_s_results_to_the_last_bit(rule, dtype):
    gradients = np.random.default_rng(1).standard_normal((5, 1000)).astype(dtype)
    w = np.ones(1000, dtype)
    for got, expected in zip(walk(fused(rule), w, gradients), walk(rule, w, gradients), strict=True):
        assert np.shape(got) == np.shape(expected)
        np.testing.assert_array_equal(got, expected)
        assert getattr(got, "dtype", dtype) == dtype


@pytest.mark.parametrize(("numba", "enough"), [(True, module.COMPILED_PAYS), (False, module.BLOCKS_PAY)])
def test_arrays_of_the_size_where_one_pass_pays_take_it_and_small_ones_the_rule(monkeypatch, numba, enough):
    sizes = []
    monkeypatch.setattr(module, "compiler", lambda: (numba, ""))
    monkeypatch.setattr(
        module, "play", lambda tape, wanted, into: sizes.append(tape.shape) or [None] * len(wanted)
    )
    for n in (2, enough - 1, enough):
        fused(gradient_descent)(*arrays(n))
    assert sizes == [(enough,)]


@every_rule
def test_the_signature_is_the_rule_s_own(rule):
    assert inspect.signature(fused(rule)) == inspect.signature(rule)
    assert parts(fused(rule)) == parts(rule)
    assert (fused(rule).__name__, fused(rule).__doc__) == (rule.__name__, rule.__doc__)


def test_fusing_twice_changes_nothing():
    step = fused(adam)
    assert fused(step) is step


def test_state_may_be_given_by_name(in_blocks):
    w, g = arrays(100)
    expected = adam(w, g, 0.5 * w, g * g, 3)
    for got in (fused(adam)(w, g, t=3, v=g * g, m=0.5 * w), fused(adam)(w, g, 0.5 * w, v=g * g, t=3)):
        for x, y in zip(got, expected, strict=True):
            np.testing.assert_array_equal(x, y)


def test_a_partial_and_a_lambda_are_rules_too(in_blocks):
    w, g = arrays(100)
    np.testing.assert_array_equal(fused(functools.partial(adam, lr=0.5))(w, g)[0], adam(w, g, lr=0.5)[0])
    np.testing.assert_array_equal(fused(lambda w, g: w - g)(w, g), w - g)


def test_a_path_of_a_fused_rule_is_the_rule_s_path(in_blocks):
    w0 = np.array([-1.2, 1.0])
    sweep = grid(lr=np.geomspace(1e-3, 0.1, 7), beta1=np.linspace(0.5, 0.95, 5))
    got = path(fused(adam), rosenbrock.grad, w0, 30, **sweep)
    np.testing.assert_array_equal(got, path(adam, rosenbrock.grad, w0, 30, **sweep))


@pytest.mark.usefixtures("in_blocks")
@every_rule
def test_float32_strays_from_float64_no_further_than_twice_the_rule_s_own_float32(rule):
    w, g = arrays(50, 1000)
    exact = walk(rule, w[0], g)
    plain = walk(rule, w[0].astype(np.float32), g.astype(np.float32))
    ours = walk(fused(rule), w[0].astype(np.float32), g.astype(np.float32))
    for x, y, z in zip(exact, plain, ours, strict=True):
        assert np.abs(z - x).max() <= 2 * np.abs(y - x).max()


@pytest.mark.usefixtures("in_blocks")
def test_knobs_of_numpy_s_float64_leave_float32_weights_alone():
    w, g = arrays(100, dtype=np.float32)
    got = fused(adam)(w, g, lr=np.float64(0.1), beta2=np.float64(0.99), eps=np.array(1e-8))
    assert {x.dtype for x in got[:3]} == {np.dtype(np.float32)}
    np.testing.assert_array_equal(got[0], adam(w, g, lr=0.1, beta2=0.99)[0])


def test_small_arrays_keep_their_dtype_as_large_ones_do():
    w, g = arrays(2, dtype=np.float32)
    for x in fused(adam)(w, g, lr=np.float64(0.1), beta1=np.array([[0.5], [0.9]]))[:3]:
        assert x.dtype == np.float32


def test_knobs_of_a_sweep_are_used_in_double_precision(in_blocks):
    w, g = arrays(3, 100, dtype=np.float32)
    beta2 = np.array([[0.999], [0.9999], [0.99999]])
    got = fused(adam)(w, g, beta2=beta2)[2]
    expected = (1 - beta2) * g.astype(float) ** 2
    np.testing.assert_allclose(got, expected, rtol=4e-7)  # 1 - float32(0.99999) is off by 1e-3


@pytest.mark.usefixtures("in_blocks")
@pytest.mark.parametrize(
    ("shape", "axes"),
    [
        ((5, 30, 2), (5, 1, 1)),
        ((5, 30, 2), (1, 30, 1)),
        ((5, 30, 2), (30, 1)),
        ((2, 3, 100), (2, 3, 1)),
        ((1, 1000), (1, 1)),
        ((200, 1), (200, 1)),
        ((3, 7, 11, 2), (3, 1, 11, 1)),
        ((1000,), (1000,)),
    ],
)
def test_knobs_of_any_shape_that_broadcasts_give_the_rule_s_results(shape, axes):
    w, g = arrays(*shape)
    beta1 = np.linspace(0.1, 0.9, int(np.prod(axes))).reshape(axes)
    got = fused(adam)(w, g, w, g * g, 2, beta1=beta1, lr=0.3)
    for x, y in zip(got, adam(w, g, w, g * g, 2, beta1=beta1, lr=0.3), strict=True):
        np.testing.assert_array_equal(x, y)


def test_state_with_one_number_per_run_keeps_its_shape(in_blocks):
    def rule(w, g, m=0.0, size=1.0, *, lr=0.1):
        return w - lr * g / size, m + g, 0.5 * size

    w, g = arrays(30, 100)
    got, expected = (f(w, g, w, np.full((30, 1), 2.0)) for f in (fused(rule), rule))
    for x, y in zip(got, expected, strict=True):
        np.testing.assert_array_equal(x, y)


def test_knobs_with_more_runs_than_the_weights_broadcast_as_in_the_rule(in_blocks):
    w, g = arrays(100)
    lr = np.array([[0.1], [0.2]])
    got, expected = fused(adam)(w, g, lr=lr), adam(w, g, lr=lr)
    assert [np.shape(x) for x in got] == [np.shape(x) for x in expected]
    np.testing.assert_array_equal(got[0], expected[0])


ODD = {
    "read-only": lambda x: np.broadcast_to(x, x.shape),
    "reversed": lambda x: x[::-1, ::-1],
    "Fortran": np.asfortranarray,
    "strided": lambda x: np.repeat(x, 2, axis=1)[:, ::2],
    "one row for all": lambda x: np.broadcast_to(x[:1], x.shape),
}


@pytest.mark.usefixtures("in_blocks")
@pytest.mark.parametrize("change", ODD.values(), ids=ODD)
def test_any_memory_layout_gives_the_same_numbers(change):
    w, g = arrays(40, 30)
    given = change(w), change(g), change(w * g), change(g * g)
    for x, y in zip(fused(adam)(*given, 3), adam(*given, 3), strict=True):
        np.testing.assert_array_equal(x, y)


def test_a_gradient_of_another_precision_leaves_the_dtype_of_the_weights(in_blocks):
    w, g = arrays(1000)
    w32 = w.astype(np.float32)
    got = fused(adam)(w32, g)
    assert got[0].dtype == got[2].dtype == np.float32
    np.testing.assert_allclose(got[2], adam(w32, g)[2], rtol=3e-7)


def test_what_a_rule_returns_as_it_came_stays_so(in_blocks):
    w, g = arrays(100)
    same_w, twice, again, nothing, truth = fused(lambda w, g: (w, 2 * g, g + g, None, g > 0))(w, g)
    assert same_w is w
    assert nothing is None
    assert truth.dtype == bool
    np.testing.assert_array_equal(twice, again)


# ---- nothing shared, nothing written --------------------------------------------------------------------


@every_rule
def test_arguments_are_never_written_to(in_blocks, rule):
    w, g = arrays(1000)
    w, *state = walk(rule, w, [g, g])
    given = [w, g, *state]
    before = [np.copy(x) for x in given]
    for x in given:
        if isinstance(x, np.ndarray):
            x.flags.writeable = False
    fused(rule)(*given)
    for x, y in zip(given, before, strict=True):
        np.testing.assert_array_equal(x, y)


def test_results_share_no_memory_and_stay_while_a_view_of_them_is_held(in_blocks):
    w, g = arrays(1000)
    step = fused(adam)
    results = [step(w, g, t=t)[:3] for t in range(6)]
    flat = [x for row in results for x in row]
    assert not any(np.shares_memory(x, y) for i, x in enumerate(flat) for y in [w, g, *flat[:i]])
    views = [row[0][5:10].reshape(5, 1).T for row in results]
    before = [x.copy() for x in views]
    del results, flat
    for t in range(20):
        step(w, g, t=t)
    for x, y in zip(views, before, strict=True):
        np.testing.assert_array_equal(x, y)


def test_memory_of_results_that_nobody_holds_is_used_again_and_little_is_kept(in_blocks):
    w, g = arrays(1000)
    step = fused(adam)
    addresses = set()
    for _ in range(10):
        new = step(w, g)
        addresses.add(new[0].ctypes.data)
        del new
    assert len(addresses) <= 4
    many = [step(w, g) for _ in range(10)]
    del many
    assert len(blocks._shelf) <= 4
    step(*arrays(500))
    assert all(buffer.size == 4000 for buffer in blocks._shelf)


# ---- donated --------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("in_blocks")
@both_dtypes
@pytest.mark.parametrize("rule", [*RULES.values(), clipped], ids=[*RULES, "clipped"])
def test_a_step_that_may_write_over_what_it_was_given_has_the_rule_s_results_to_the_last_bit(rule, dtype):
    gradients = np.random.default_rng(1).standard_normal((5, 1000)).astype(dtype)
    before = gradients.copy()
    w = np.ones(1000, dtype)
    expected = walk(rule, w, gradients)
    for got, its in zip(walk(fused(rule, donate=True), w.copy(), gradients), expected, strict=True):
        np.testing.assert_array_equal(got, its)
    np.testing.assert_array_equal(gradients, before)  # a gradient is not donated


def test_donated_weights_and_state_hold_the_results(in_blocks):
    w, g = arrays(1000)
    given = w.copy(), w * g, g * g
    w_new, m, v, _ = fused(adam, donate=True)(given[0], g, *given[1:], 3)
    assert all(new is old for new, old in zip((w_new, m, v), given, strict=True))
    np.testing.assert_array_equal(w_new, adam(w, g, w * g, g * g, 3)[0])


def swapped(w, g, before=0.0, m=0.0):
    """Return the old weights as state, and use the old state after the new one is known."""
    new_m = 0.9 * m + g
    return w - new_m - 0.1 * m - before, w, new_m


def test_what_is_still_needed_or_cannot_be_written_to_is_not_written_over(in_blocks):
    rng = np.random.default_rng(0)
    w, g, m = rng.standard_normal((3, 1000))
    step = fused(swapped, donate=True)
    read_only = m.copy()
    read_only.flags.writeable = False
    both = rng.standard_normal(1500)
    for given in [
        (w.copy(), g, g.copy(), m.copy()),
        (w.copy(), g, g.copy(), read_only),
        (w.copy(), g, 0.0, g),  # the gradient is the state as well
        (both[:1000], g, g.copy(), both[500:]),  # two that overlap
        (np.repeat(w, 2)[::2], g, 0.0, np.repeat(m, 2)[::2]),
    ]:
        expected, kept = swapped(*given), g.copy()
        for got, its in zip(step(*given), [x.copy() for x in expected], strict=True):
            np.testing.assert_array_equal(got, its)
        np.testing.assert_array_equal(g, kept)
    np.testing.assert_array_equal(read_only, m)


def test_donating_is_a_kind_of_its_own_and_is_done_only_where_it_is_asked_for():
    plain, donating = fused(adam), fused(adam, donate=True)
    assert fused(donating, donate=True) is donating
    assert fused(plain, donate=True).donates
    assert not fused(donating).donates
    assert fused(donating).__wrapped__ is adam


# ---- threads --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("in_blocks", ["NumPy"], indirect=True)  # compiled loops never complain
def test_numpy_s_error_settings_reach_the_threads(in_blocks, monkeypatch):
    monkeypatch.setattr(blocks, "BLOCK", 2**12)  # large enough for the threads to run side by side
    w, g = np.full((2, 2**20), 1e308)
    step = fused(lambda w, g: w * 1e10)
    with np.errstate(over="ignore"):  # warnings are errors here
        assert np.isinf(step(w, g)).all()
    with np.errstate(over="raise"), pytest.raises(FloatingPointError):
        step(w, g)


@pytest.mark.parametrize("asked", ["1", "5", "", "many", "0"])
def test_any_number_of_threads_gives_the_same_numbers(in_blocks, monkeypatch, asked):
    monkeypatch.setenv("OMP_NUM_THREADS", asked)
    w, g = arrays(3000)
    np.testing.assert_array_equal(fused(adam)(w, g)[0], adam(w, g)[0])


# ---- refusals -------------------------------------------------------------------------------------------


def test_a_rule_that_cannot_be_traced_is_refused_when_it_is_fused():
    def by_norm(w, g, *, lr=0.1):
        return w - lr * g / np.linalg.norm(g)

    with pytest.raises(CannotTrace, match=r"by_norm cannot be fused, because of line \d+: return w - lr"):
        fused(by_norm)
    assert by_norm(*arrays(3)).shape == (3,)  # the rule itself still works


def test_a_rule_that_looks_at_its_state_from_the_second_step_on_is_refused_when_it_is_fused():
    def by_state(w, g, m=0.0):
        return (w - g, g) if isinstance(m, float) else (w - g / m.max(), g)

    with pytest.raises(CannotTrace, match=r"\.max"):
        fused(by_state)


def test_control_flow_on_the_step_count_is_no_obstacle(in_blocks):
    def warm(w, g, t=0, *, lr=0.1):
        return (w - lr * g if t > 1 else w - g, t + 1)

    w, g = arrays(100)
    for t in range(4):
        np.testing.assert_array_equal(fused(warm)(w, g, t)[0], warm(w, g, t)[0])


@pytest.mark.parametrize(
    ("w", "g", "error", "words"),
    [
        (np.ones(3, np.float16), np.ones(3, np.float16), TypeError, "w is float16.*round to zero"),
        (np.ones(3, np.float32), np.ones(3, np.float16), TypeError, "g is float16.*round to zero"),
        (np.ones(3, int), np.ones(3), TypeError, "w holds int64 numbers"),
        (np.ones(3), np.ones(3, int), TypeError, "g holds int64 numbers"),
        (np.ones(3, complex), np.ones(3, complex), TypeError, "complex128"),
        (np.ones(3), np.ones(1), ValueError, r"g has shape \(1,\), w has \(3,\)"),
        (np.ones(3), 1.0, ValueError, r"g has shape \(\), w has \(3,\)"),
        ([1.0, 2.0], [1.0, 2.0], TypeError, "w is a list"),
    ],
)
def test_arrays_that_do_not_fit_are_refused_by_name(w, g, error, words):
    with pytest.raises(error, match=words):
        fused(adam)(w, g)


def test_half_precision_state_is_refused():
    w, g = arrays(3)
    with pytest.raises(TypeError, match="v is float16"):
        fused(adam)(w, g, w, g.astype(np.float16), 1)


def test_plain_numbers_take_the_rule():
    assert fused(adam)(1.0, 0.5) == adam(1.0, 0.5)
    assert fused(adam)(np.float64(1.0), np.float64(0.5)) == adam(1.0, 0.5)


def test_misspelt_knobs_are_python_s_own_error(in_blocks):
    with pytest.raises(TypeError, match="learning_rate"):
        fused(adam)(*arrays(100), learning_rate=0.1)


# ---- a compiler, if there is one ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("numba", "reason"),
    [
        (None, "not installed"),
        ("raise ImportError('Numba needs NumPy 2.4 or less')", "broken: ImportError: Numba needs"),
        ("class config: DISABLE_JIT = 1", "NUMBA_DISABLE_JIT"),
    ],
)
def test_without_a_usable_compiler_the_reason_is_told_and_steps_go_block_by_block(
    monkeypatch, tmp_path, numba, reason
):
    monkeypatch.delitem(sys.modules, "numba", raising=False)
    if numba is None:
        monkeypatch.setitem(sys.modules, "numba", None)
    else:
        (tmp_path / "numba.py").write_text(numba)
        monkeypatch.syspath_prepend(tmp_path)
    compiler.cache_clear()
    compiled.cache_clear()
    try:
        available, why = compiler()
        assert not available
        assert reason in why
        w, g = arrays(module.BLOCKS_PAY)
        np.testing.assert_array_equal(fused(adam)(w, g)[0], adam(w, g)[0])
    finally:
        compiler.cache_clear()
        compiled.cache_clear()


# ---- the kernel's text, without a GPU -------------------------------------------------------------------


class GpuArray(np.lib.mixins.NDArrayOperatorsMixin):
    """What a CuPy array is to a rule: it computes with its like and with numbers, never with NumPy arrays."""

    __module__ = "cupy.pretended"
    __cuda_array_interface__ = None

    def __init__(self, values):
        self.values = values
        self.shape, self.ndim, self.dtype, self.size = values.shape, values.ndim, values.dtype, values.size

    def __array_ufunc__(self, ufunc, method, *inputs, **kwargs):
        if any(isinstance(x, np.ndarray) or type(x) is StandIn for x in inputs):
            return NotImplemented
        return GpuArray(ufunc(*(x.values if isinstance(x, GpuArray) else x for x in inputs)))

    def __array__(self, *args, **kwargs):
        raise TypeError("no silent transfer")

    def __float__(self):
        raise TypeError("no silent transfer")


class PretendedKernel:
    """A cupy.ElementwiseKernel that reads its C with Python's eyes, in NumPy of the declared dtypes."""

    texts = ()

    def __init__(self, inputs, outputs, body, name):
        self.inputs, self.outputs = (
            [x.split() for x in inputs.split(", ")],
            [x.split() for x in outputs.split(", ")],
        )
        self.body = body
        assert name.isidentifier()
        PretendedKernel.texts += (body,)

    def __call__(self, *args):
        values = {"float": np.float32, "double": np.float64}
        for (dtype, name), x in zip(self.inputs, args, strict=True):
            assert x.dtype == dtype if isinstance(x, GpuArray) else type(x) is float
            values[name] = x.values if isinstance(x, GpuArray) else np.dtype(dtype).type(x)
        for line in self.body.splitlines():
            c_type, name, formula = re.fullmatch(r"(?:const (\w+) )?(\w+) = (.*);", line).groups()
            value = eval(in_python(formula), dict(vars(np)), values)
            values[name] = (
                value.astype({"float": "f4", "double": "f8", "bool": bool}[c_type]) if c_type else value
            )
        shape = np.broadcast_shapes(*(x.shape for x in args if isinstance(x, GpuArray)))
        results = tuple(GpuArray(np.broadcast_to(values[n], shape).astype(d)) for d, n in self.outputs)
        return results if len(results) > 1 else results[0]


def in_python(formula):
    """Translate one line of the printed C, as far as the rules here need it."""
    if " ? " in formula:
        condition, choice = formula.split(" ? ")
        return f"where({in_python(condition)}, {', '.join(map(in_python, choice.split(' : ')))})"
    if " || " in formula:
        return " | ".join(f"({x})" for x in formula.strip("()").split(" || "))
    formula = re.sub(r"(\(\w+ > 0\)) - (\(\w+ < 0\))", r"1 * \1 - 1 * \2", formula)
    return (
        re.sub(r"\((float|double)\)(\w+)", r"\1(\2)", formula)
        .replace("fabs(", "abs(")
        .replace("pow(", "power(")
    )


@pytest.fixture
def pretended_gpu(monkeypatch):
    monkeypatch.setitem(sys.modules, "cupy", fake_cupy(ElementwiseKernel=PretendedKernel))
    monkeypatch.setattr(PretendedKernel, "texts", ())
    kernel._kernel.cache_clear()
    yield
    kernel._kernel.cache_clear()


# ---- a GPU, if there is one -----------------------------------------------------------------------------


@pytest.fixture
def fresh_gpu():
    gpu.cache_clear()
    yield
    gpu.cache_clear()


def fake_cupy(**parts):
    cupy = types.ModuleType("cupy")
    cupy.__dict__.update(parts)
    return cupy


def _raises(error):
    def f(*args):
        raise error

    return f


@pytest.mark.usefixtures("fresh_gpu")
@pytest.mark.parametrize(
    ("cupy", "reason"),
    [
        (None, "not installed"),
        (fake_cupy(is_available=lambda: False), "no NVIDIA card, or no driver"),
        (fake_cupy(is_available=_raises(RuntimeError("driver is too old"))), "driver is too old"),
        (fake_cupy(is_available=lambda: True, ones=_raises(RuntimeError("no memory"))), "no memory"),
    ],
    ids=["absent", "no card", "old driver", "first array fails"],
)
def test_without_a_usable_card_the_reason_is_told(monkeypatch, cupy, reason):
    monkeypatch.setitem(sys.modules, "cupy", cupy)
    available, why = gpu()
    assert available is False
    assert reason in why


@pytest.mark.usefixtures("fresh_gpu")
@pytest.mark.parametrize("line", ["import nowhere_to_be_found", "raise OSError('libcuda.so')", "1 / 0"])
def test_a_broken_cupy_is_told_from_an_absent_one(monkeypatch, tmp_path, line):
    (tmp_path / "cupy.py").write_text(line)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "cupy", raising=False)
    available, why = gpu()
    assert available is False
    assert why.startswith("CuPy is installed, but broken")


def _on_gpu(rule, dtype, steps=6):
    """Walk on the pretended GPU and on NumPy."""
    g = np.random.default_rng(2).standard_normal((steps, 100)).astype(dtype)
    w = np.ones(100, dtype)
    on_gpu = walk(fused(rule), GpuArray(w), [GpuArray(x) for x in g])
    return on_gpu, walk(rule, w, g)


@pytest.mark.usefixtures("pretended_gpu")
@both_dtypes
@pytest.mark.parametrize("rule", [*RULES.values(), clipped], ids=[*RULES, "clipped"])
def test_the_printed_kernel_computes_the_rule_and_is_compiled_at_most_twice(rule, dtype):
    for got, expected in zip(*_on_gpu(rule, dtype), strict=True):
        if isinstance(got, GpuArray):
            assert got.dtype == dtype
            np.testing.assert_array_equal(got.values, expected)
        else:
            assert got == expected
    assert len(PretendedKernel.texts) <= 2  # the first step has no state; then one text serves all steps


@pytest.mark.usefixtures("pretended_gpu")
def test_knobs_on_the_gpu_are_computed_there_in_double_precision():
    w, g = arrays(3, 100, dtype=np.float32)
    beta2 = np.array([[0.999], [0.9999], [0.99999]])
    got = fused(adam)(GpuArray(w), GpuArray(g), beta2=GpuArray(beta2))[2]
    assert got.dtype == np.float32
    np.testing.assert_allclose(got.values, (1 - beta2) * g.astype(float) ** 2, rtol=4e-7)


@pytest.mark.usefixtures("pretended_gpu")
def test_a_gradient_in_double_is_read_as_single_where_the_weights_are_single():
    w, g = arrays(100)
    got = fused(gradient_descent)(GpuArray(w.astype(np.float32)), GpuArray(g))
    assert got.dtype == np.float32  # on most cards double precision is 32 times slower
    assert "(float)a1" in PretendedKernel.texts[0]


@pytest.mark.usefixtures("pretended_gpu")
def test_numpy_and_cupy_are_never_mixed_silently():
    w, g = arrays(3)
    for args, knobs, name in [
        ((w, GpuArray(g)), {}, "g is a CuPy array, w a NumPy array"),
        ((GpuArray(w), g), {}, "g is a NumPy array, w a CuPy array"),
        ((GpuArray(w), GpuArray(g), w), {}, "m is a NumPy array"),
        ((GpuArray(w), GpuArray(g)), {"lr": np.ones((2, 1))}, "lr is a NumPy array"),
        ((w, g), {"lr": GpuArray(np.ones((2, 1)))}, "lr is a CuPy array"),
    ]:
        with pytest.raises(TypeError, match=name):
            fused(adam)(*args, **knobs)
    with pytest.raises(TypeError, match=r"makes a NumPy array of shape \(3,\)"):
        fused(lambda w, g: w - np.ones(3) * g)(GpuArray(w), GpuArray(g))


@pytest.mark.slow
@both_dtypes
def test_every_function_the_tracer_knows_computes_in_c_what_it_does_in_numpy(tmp_path, dtype):
    cpp = shutil.which("g++") or shutil.which("clang++") or pytest.skip("no C++ compiler: apt install g++")
    x, y, tape, results = example_of_every_function(dtype)
    assert set(results) == NUMBERS | TRUTHS
    got = compile_and_run(cpp, tmp_path, tape, [z.index for z in results.values()], x, y)
    for (name, expected), ours in zip(every_function(x, y), got, strict=True):
        # The functions of C and of NumPy differ in the last places.
        np.testing.assert_allclose(ours, expected, rtol=8 * np.finfo(dtype).eps, err_msg=name)


@both_dtypes
def test_every_function_the_tracer_knows_computes_in_numba_what_it_does_in_numpy(dtype):
    if not HAS_NUMBA:
        pytest.skip(compiler()[1])
    x, y, tape, results = example_of_every_function(dtype)
    wanted = tuple(z.index for z in results.values())
    assert compiled(tuple(tape.ops), wanted, 2, (False,) * len(tape.hosts), tape.dtype, (None,) * len(wanted))
    for (name, expected), ours in zip(every_function(x, y), blocks.play(tape, wanted), strict=True):
        np.testing.assert_allclose(ours, expected, rtol=8 * np.finfo(dtype).eps, err_msg=name)


def example_of_every_function(dtype):
    """Return two arrays with zeros, negative numbers and NaN, and a tape of each function of them."""
    x, y = np.random.default_rng(3).uniform(0.1, 0.9, (2, 50)).astype(dtype)
    x[:3], y[2:5] = [np.nan, -0.5, np.nan], [np.nan, 0.0, -0.3]
    tape = Tape(x.shape, x.dtype)
    return x, y, tape, dict(every_function(tape.array(x), tape.array(y)))


def every_function(x, y):
    """Yield (name, result) for each function that the tracer knows."""
    with np.errstate(all="ignore"):
        for name in sorted(NUMBERS | TRUTHS):
            f = getattr(np, name)
            if name == "where":
                yield name, f(x > y, x, y)
            elif name.startswith("logical"):
                yield name, f(x > 0.5) if f.nin == 1 else f(x > 0.5, y > 0.5)
            else:
                yield name, f(1 + x if name == "arccosh" else x, *[y] * (f.nin - 1))


def compile_and_run(cpp, folder, tape, wanted, x, y):
    """Compile a tape's C as the loop body of a program that reads two arrays, and return its results."""
    types = tuple(v.dtype for v in tape.arrays), tuple(tape.dtype for _ in tape.hosts)
    _, outputs, body = print_c(tuple(tape.ops), tuple(wanted), tape.dtype, types)
    real = {"f": "float", "d": "double"}[tape.dtype.char]
    hosts = "".join(f"const {real} h{i} = {float(v)!r};\n" for i, v in enumerate(tape.hosts))
    names = [output.split()[1] for output in outputs.split(", ")]
    lines = [
        "#include <math.h>\n#include <stdio.h>",
        f"int main() {{\n{real} a0, a1, {', '.join(names)};\n{hosts}",
        "while (fread(&a0, sizeof a0, 1, stdin) == 1 && fread(&a1, sizeof a1, 1, stdin) == 1) {",
        body,
        *(f"fwrite(&{name}, sizeof {name}, 1, stdout);" for name in names),
        "} }",
    ]
    (folder / "k.cpp").write_text("\n".join(lines))
    subprocess.run([cpp, "-O1", "-o", folder / "k", folder / "k.cpp"], check=True)
    pairs = np.stack([x, y], axis=-1).tobytes()
    done = subprocess.run([folder / "k"], input=pairs, capture_output=True, check=True)
    return np.frombuffer(done.stdout, tape.dtype).reshape(-1, len(names)).T


# ---- on a real card -------------------------------------------------------------------------------------


@pytest.mark.gpu
@both_dtypes
@every_rule
def test_on_a_card_fifty_steps_stray_no_further_than_twice_numpy_s_own(cupy, rule, dtype):
    w, g = arrays(50, 10_000)
    exact = walk(rule, w[0], g)
    plain = walk(rule, w[0].astype(dtype), g.astype(dtype))
    ours = walk(fused(rule), cupy.asarray(w[0].astype(dtype)), cupy.asarray(g.astype(dtype)))
    for x, y, z in zip(exact, plain, ours, strict=True):
        if isinstance(z, cupy.ndarray):
            assert z.dtype == dtype
            scale = np.abs(x).max()
            rounding = max(
                np.abs(y - x).max(), 8 * np.finfo(dtype).eps * scale
            )  # float64 is the measure itself
            assert np.abs(z.get() - x).max() <= 2 * rounding
        else:
            assert z == x


@pytest.mark.gpu
def test_on_a_card_a_sweep_of_fused_steps_is_the_sweep_of_the_rule(cupy):
    knobs = {"lr": np.geomspace(1e-3, 0.1, 7), "beta1": np.linspace(0.5, 0.95, 5)}
    expected = path(adam, rosenbrock.grad, np.array([-1.2, 1.0]), 30, **grid(**knobs))
    on_card = grid(**{name: cupy.asarray(x) for name, x in knobs.items()})
    got = path(fused(adam), rosenbrock.grad, cupy.array([-1.2, 1.0]), 30, **on_card)
    np.testing.assert_allclose(got.get(), expected, rtol=1e-10)  # fused multiply-adds round once, not twice


@pytest.mark.gpu
@pytest.mark.parametrize("change", ODD.values(), ids=ODD)
def test_on_a_card_any_memory_layout_gives_the_same_numbers(cupy, change):
    w, g = arrays(40, 30)
    on_card = [cupy.asarray(w), cupy.asarray(g)]
    name = next(name for name, f in ODD.items() if f is change)
    views = {
        "reversed": lambda x: x[::-1, ::-1],
        "Fortran": cupy.asfortranarray,
        "strided": lambda x: cupy.repeat(x, 2, axis=1)[:, ::2],
        "one row for all": lambda x: cupy.broadcast_to(x[:1], x.shape),
    }
    given = [views.get(name, lambda x: x)(x) for x in on_card]
    got = fused(adam)(*given)
    for x, y in zip(got[:3], adam(change(w), change(g))[:3], strict=True):
        np.testing.assert_allclose(x.get(), y, rtol=1e-13)


@pytest.mark.gpu
def test_on_a_card_one_step_is_one_kernel_and_one_text_serves_all_steps(cupy):
    w, g = (cupy.asarray(x) for x in arrays(1000))
    step = fused(amsgrad)
    kernel._kernel.cache_clear()
    walk(step, w, [g] * 20)
    assert kernel._kernel.cache_info().misses == 2


@pytest.mark.gpu
def test_on_a_card_numpy_arrays_are_refused(cupy):
    w, g = arrays(3)
    with pytest.raises(TypeError, match="g is a NumPy array, w a CuPy array"):
        fused(adam)(cupy.asarray(w), g)
