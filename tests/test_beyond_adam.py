"""The rules beyond Adam: theorems, the numbers of PyTorch and optax, matrices, layers, what is refused."""

import inspect
import json
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from discovery import MATRIX_RULES, RULES
from strict_array import StrictArray

from optim_lessons.adam import adam
from optim_lessons.beyond_adam import (
    COEFFICIENTS,
    averaged,
    by_layer,
    inverse_fourth_root,
    lion,
    muon,
    on_singular_value,
    orthogonalised,
    schedule_free,
    schedule_free_adam,
    shampoo,
)
from optim_lessons.bridge import muon_corrected
from optim_lessons.lab.explore import explore
from optim_lessons.lab.fused import fused
from optim_lessons.lab.knobs import limits, parts
from optim_lessons.lab.models import linear, mlp, softmax
from optim_lessons.lab.path import grid, iterate, path, record
from optim_lessons.lab.races import Entrant, Problem, cost, race
from optim_lessons.lab.sweep import final, traceable
from optim_lessons.lab.tape.trace import CannotTrace
from optim_lessons.lab.train import train
from optim_lessons.landscapes import Landscape, rosenbrock
from optim_lessons.momentum import momentum
from optim_lessons.schedules import constant, then
from optim_lessons.schedules import linear as straight
from optim_lessons.weight_decay import adamw

pytestmark = pytest.mark.essential

ROUNDING = {"rtol": 1e-10, "atol": 1e-12}
every_matrix_rule = pytest.mark.parametrize("rule", MATRIX_RULES.values(), ids=MATRIX_RULES)


def matrices(*shape, seed=0, dtype=float):
    return np.random.default_rng(seed).standard_normal(shape).astype(dtype)


def no_decay(rule):
    return {"weight_decay": 0.0} if "weight_decay" in parts(rule).knobs else {}


def turn(n, seed):
    return np.linalg.qr(matrices(n, n, seed=seed))[0]


# --- PyTorch and optax -------------------------------------------------------------------------------

with np.load(Path(__file__).with_name("peers") / "beyond.npz") as _file:
    DATA = dict(_file)
INDEX = json.loads(str(DATA["index"]))
CASES = [case | {"number": i} for i, case in enumerate(INDEX["cases"])]
EXACT = [case for case in CASES if case["peer"] != "torch"]
IN_BFLOAT16 = [case for case in CASES if case["peer"] == "torch"]


def named(case):
    return " ".join([case["rule"], case["peer"], case["shape"], str(case["knobs"]["lr"])])


def walked(rule, gradients, start, case):
    return iterate(rule, lambda w, t: np.broadcast_to(gradients[t], w.shape), start, **case["knobs"])


def of_the_peer(case):
    """Return the peer's points and ours, w first; where both have x, that too."""
    theirs = DATA[f"w{case['number']}"]
    rule = (RULES | MATRIX_RULES)[case["rule"]]
    gradients = DATA[f"gradients {case['shape']}"]
    start = DATA[f"start {case['shape']}"]
    points = list(zip(range(61), walked(rule, gradients, start, case), strict=False))
    kept = [points[t][1] for t in INDEX["kept"]]
    if case["rule"].startswith("schedule_free"):
        return theirs, np.array([[point[0], averaged(*point)] for point in kept])
    return theirs, np.array([point[0] for point in kept])


@pytest.mark.parametrize("case", EXACT, ids=named)
def test_the_rule_walks_where_the_library_walks(case):
    theirs, ours = of_the_peer(case)
    # optax adds 1e-8 to the norm: with these gradients that is up to 1e-8 of a step's length.
    tolerance = 1e-7 if case["rule"] == "muon_corrected" else 1e-9
    np.testing.assert_allclose(ours, theirs, rtol=tolerance, atol=tolerance)


@pytest.mark.parametrize("case", IN_BFLOAT16, ids=named)
def test_pytorchs_bfloat16_moves_muon_by_hundredths_of_its_way_and_by_less_than_a_tenth(case):
    theirs, ours = of_the_peer(case)
    if case["knobs"]["lr"] == 0:
        np.testing.assert_allclose(theirs, ours, rtol=1e-12)
        return
    way = np.linalg.norm(ours - DATA[f"start {case['shape']}"], axis=(1, 2))
    missed = np.linalg.norm(theirs - ours, axis=(1, 2)) / way
    assert (missed > 1e-4).all()
    assert (missed < 0.1).all()


def test_every_rule_beyond_adam_with_a_counterpart_is_compared_with_it():
    assert {(case["rule"], case["peer"]) for case in CASES} == {
        ("muon", "torch, exact"),
        ("muon", "torch"),
        ("muon_corrected", "optax"),
        ("lion", "optax"),
        ("schedule_free", "optax"),
        ("schedule_free_adam", "optax"),
    }


WRONG = [
    ("muon", "orthogonalised(beta * m + (1 - beta) * g)", "orthogonalised(m)"),
    ("muon", "max(1, rows / max(1, cols))", "max(1, cols / max(1, rows))"),
    ("muon", "beta * m + (1 - beta) * g\n", "beta * m + g\n"),
    ("muon", "lr * weight_decay * w", "weight_decay * w"),
    ("lion", "np.sign(beta1 * m + (1 - beta1) * g)", "np.sign(beta2 * m + (1 - beta2) * g)"),
    ("lion", "m = beta2 * m + (1 - beta2) * g", "m = beta1 * m + (1 - beta1) * g"),
    ("schedule_free", "(z - x)  #", "(z - w)  #"),
    ("schedule_free", "beta * (x - z)", "(1 - beta) * (x - z)"),
]


@pytest.mark.parametrize(("name", "right", "wrong"), WRONG)
def test_a_wrong_variant_is_found_out(name, right, wrong):
    rule = (RULES | MATRIX_RULES)[name]
    source = inspect.getsource(rule)
    assert source.count(right) == 1
    scope = dict(rule.__globals__)
    exec(source.replace(right, wrong), scope)
    misses = []
    for case in EXACT:
        if case["rule"] == name and case["knobs"]["lr"]:
            start, gradients = DATA[f"start {case['shape']}"], DATA[f"gradients {case['shape']}"]
            w = list(zip(range(61), walked(scope[name], gradients, start, case), strict=False))
            theirs = DATA[f"w{case['number']}"]
            theirs = theirs[:, 0] if name.startswith("schedule") else theirs
            misses.append(max(np.abs(w[t][1][0] - theirs[i]).max() for i, t in enumerate(INDEX["kept"])))
    assert not max(misses) < 1e-3


# --- matrices ----------------------------------------------------------------------------------------


@every_matrix_rule
def test_a_matrix_rule_keeps_what_every_rule_promises(rule):
    w, g = matrices(2, 4, 3), matrices(2, 4, 3, seed=1)
    before = w.copy(), g.copy()
    new_w, *state = rule(w, g)
    assert len(state) == len(parts(rule).state)
    again, *_ = rule(new_w, g, *state)
    assert again.shape == w.shape
    assert np.array_equal(w, before[0])
    assert np.array_equal(g, before[1])
    down = rule(np.zeros((4, 3)), g[0], **no_decay(rule))[0]
    assert (down * g[0]).sum() < 0
    assert len(inspect.getdoc(rule).splitlines()) <= 15
    assert all(isinstance(default, float) for default in parts(rule).knobs.values())


@every_matrix_rule
@pytest.mark.parametrize("shape", [(3, 3), (5, 2), (2, 5), (1, 4), (4, 1), (1, 1)])
def test_no_gradient_means_no_step_whatever_the_shape(rule, shape):
    w = matrices(*shape)
    assert np.array_equal(rule(w, np.zeros(shape), **no_decay(rule))[0], w)


@every_matrix_rule
@pytest.mark.parametrize("shape", [(0, 3), (3, 0), (2, 0, 3)])
def test_an_empty_matrix_stays_empty(rule, shape):
    new = rule(np.zeros(shape), np.zeros(shape))
    assert new[0].shape == shape


@every_matrix_rule
@pytest.mark.parametrize("g", [np.nan, np.inf])
def test_nan_spreads_through_its_own_matrix_and_no_other(rule, g):
    w, slopes = np.ones((2, 3, 3)), matrices(2, 3, 3)
    slopes[0, 1, 1] = g
    with np.errstate(all="ignore"):
        try:
            new = rule(w, slopes)[0]
        except np.linalg.LinAlgError:  # LAPACK may refuse to look at NaN
            pytest.fail("a lost run must not end the others")
    assert not np.isfinite(new[0]).any() or g == np.inf
    np.testing.assert_allclose(new[1], rule(w[1], slopes[1])[0], **ROUNDING)


@every_matrix_rule
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_matrix_rule_runs_on_any_array_and_keeps_its_dtype(rule, dtype):
    w, g = matrices(2, 4, 3, dtype=dtype), matrices(2, 4, 3, seed=1, dtype=dtype)
    here, there = (w,), (StrictArray(w),)
    tolerance = {"rtol": 2e-3, "atol": 2e-5} if dtype == np.float32 else ROUNDING
    for _ in range(3):
        here, there = rule(here[0], g, *here[1:]), rule(there[0], StrictArray(g), *there[1:])
        for x, expected in zip(there, here, strict=True):
            if np.ndim(expected):
                assert x.dtype == expected.dtype == dtype
                np.testing.assert_allclose(x.get(), expected, **tolerance)


@every_matrix_rule
def test_leading_axes_are_runs_and_a_knob_with_two_axes_behind_it_sweeps(rule):
    A = matrices(4, 4, seed=3)
    lrs = np.array([0.01, 0.1, 0.2])
    walk = path(rule, lambda w: A @ w, matrices(4, 3), 20, lr=lrs[:, None, None])
    assert walk.shape == (21, 3, 4, 3)
    for i, lr in enumerate(lrs):
        np.testing.assert_allclose(
            walk[:, i], path(rule, lambda w: A @ w, matrices(4, 3), 20, lr=lr), rtol=1e-6, atol=1e-8
        )


@every_matrix_rule
def test_a_matrix_rule_does_not_see_the_axes(rule):
    left, right = turn(4, 1), turn(3, 2)
    slopes = matrices(10, 4, 3, seed=5)
    straight_on = path(rule, lambda w, t: slopes[t], matrices(4, 3), 10, lr=0.1)
    turned = path(rule, lambda w, t: left @ slopes[t] @ right, left @ matrices(4, 3) @ right, 10, lr=0.1)
    np.testing.assert_allclose(turned, left @ straight_on @ right, rtol=1e-6, atol=1e-7)


def test_adam_does_see_the_axes():
    left, right = turn(4, 1), turn(3, 2)
    slopes = matrices(10, 4, 3, seed=5)
    straight_on = path(adam, lambda w, t: slopes[t], matrices(4, 3), 10, lr=0.1)
    turned = path(adam, lambda w, t: left @ slopes[t] @ right, left @ matrices(4, 3) @ right, 10, lr=0.1)
    assert np.abs(turned - left @ straight_on @ right).max() > 0.1


@every_matrix_rule
def test_a_vector_is_told_where_it_belongs(rule):
    with pytest.raises(ValueError, match=r"shape \(3,\): .*a vector, such as a bias.*adamw.*by_layer"):
        rule(np.ones(3), np.ones(3))
    with pytest.raises(ValueError, match="turns matrices"):
        explore(rule, rosenbrock)
    with pytest.raises(ValueError, match="turns matrices"):
        path(rule, rosenbrock.grad, rosenbrock.start, 3)


@every_matrix_rule
def test_a_landscape_of_a_whole_matrix_is_refused_with_the_reason(rule):
    def height(W):
        return ((W - 1) ** 2).sum(axis=(-2, -1))

    with pytest.raises(ValueError, match=r"start has shape \(2, 2\): .*over two weights.*path"):
        explore(
            rule, Landscape("matrix", height, lambda W: 2 * (W - 1), np.zeros((2, 2)), [], ((-2, 2),) * 2)
        )
    ws = path(rule, lambda W: 2 * (W - 1), np.zeros((2, 2)), 300, lr=0.01, **no_decay(rule))
    assert height(ws)[-1] < 0.01 * height(ws)[0]


@every_matrix_rule
def test_runs_side_by_side_of_a_network_are_not_taken_for_a_matrix(rule):
    net = small_net()
    problem = Problem("small", net, (net.X, net.y), (net.X, net.y), epochs=1, batch=8)
    for wrong in (rule, partial(rule, lr=0.1), by_layer(adamw, rule, net)):
        with pytest.raises(ValueError, match=r"a vector, such as a bias"):
            train(wrong, net, epochs=1, batch=8, **grid(lr=[0.1, 0.2], seed=[0, 1]), progress=False)
        with pytest.raises(ValueError, match=r"a vector, such as a bias"):
            race(problem, {"it": Entrant(wrong, {"lr": [0.1]})}, seeds=[0, 1], n_jobs=1, progress=False)


@every_matrix_rule
def test_a_sweep_of_matrices_ends_where_the_paths_end(rule):
    A, starts = matrices(4, 4, seed=3), matrices(5, 4, 3)
    ends = final(rule, lambda w: A @ w, starts, 20, lr=0.01)
    np.testing.assert_allclose(ends, path(rule, lambda w: A @ w, starts, 20, lr=0.01)[-1], **ROUNDING)


@every_matrix_rule
def test_fused_says_in_words_that_a_matrix_rule_does_not_work_weight_by_weight(rule):
    with pytest.raises(
        CannotTrace, match=r"(?s)cannot be fused, because of line \d+: .*whole array.*one weight at a"
    ):
        fused(rule)
    net = mlp(matrices(20, 3), np.arange(20) % 2, sizes=(3, 4, 2))
    with pytest.raises(CannotTrace, match="cannot be fused"):
        fused(by_layer(rule, adamw, net))
    possible, why = traceable(rule, rosenbrock)
    assert not possible
    assert "cannot be fused" in why


@pytest.mark.parametrize("rule", [lion, schedule_free, schedule_free_adam])
def test_the_other_rules_are_traced_and_swept_as_all_before_them(rule):
    fused(rule)
    assert traceable(rule, rosenbrock) == (True, "")


# --- Newton and Schulz -------------------------------------------------------------------------------


@pytest.mark.parametrize("shape", [(4, 4), (6, 3), (3, 6), (1, 5), (5, 1), (1, 1)])
@pytest.mark.parametrize("steps", [0, 1, 5])
def test_each_step_acts_on_the_singular_values_alone(shape, steps):
    G = matrices(*shape)
    U, s, Vt = np.linalg.svd(G, full_matrices=False)
    expected = (U * on_singular_value(s / np.linalg.norm(s), steps)) @ Vt
    np.testing.assert_allclose(orthogonalised(G, steps), expected, **ROUNDING)


def test_five_steps_bring_every_singular_value_above_a_hundredth_between_0_68_and_1_14():
    s = on_singular_value(np.linspace(0.01, 1, 100_001))
    assert 0.68 < s.min() < 0.69
    assert 1.13 < s.max() < 1.14
    assert on_singular_value(np.linspace(0.001, 0.01, 1001)).max() > 1.2


def test_a_tiny_singular_value_grows_by_the_first_coefficient_each_step():
    a = COEFFICIENTS[0]
    assert on_singular_value(1e-9) == pytest.approx(1e-9 * a**5, rel=1e-6)
    assert 480 < a**5 < 490


def test_newtons_own_coefficients_go_to_1_and_stay_there():
    s = on_singular_value(np.array([0.05, 0.3, 0.7, 1.0]), 12, (1.5, -0.5, 0.0))
    np.testing.assert_allclose(s, 1, atol=1e-12)
    assert abs(on_singular_value(1.0, 1) - 1) > 0.29  # Muon's do not


@pytest.mark.parametrize("scale", [1e-3, 1.0, 1e6])
def test_the_size_of_the_gradient_does_not_matter_above_the_least_norm(scale):
    G = matrices(3, 4)
    np.testing.assert_allclose(orthogonalised(scale * G), orthogonalised(G), **ROUNDING)


def test_a_gradient_below_the_least_norm_is_not_blown_up_to_a_full_step():
    tiny = orthogonalised(1e-12 * matrices(3, 3))
    assert np.abs(tiny).max() < 0.05


def test_one_row_becomes_a_row_of_about_unit_length():
    g = matrices(1, 7)
    (row,) = orthogonalised(g)
    length = np.linalg.norm(row)
    assert 0.68 < length < 1.21
    np.testing.assert_allclose(row / length, g[0] / np.linalg.norm(g), rtol=1e-12)


def test_muons_step_is_as_long_as_its_scale_and_rank_say():
    for rows, cols in ((8, 8), (32, 8), (8, 32)):
        w, _ = muon(np.zeros((rows, cols)), matrices(rows, cols), lr=1.0)
        s = np.linalg.svd(w)[1]
        assert (s < 1.21 * max(1, rows / cols) ** 0.5).all()
        assert s.max() > 0.67 * max(1, rows / cols) ** 0.5


def test_optaxs_corrections_fade():
    slopes = matrices(200, 4, 3)
    ours = path(muon, lambda w, t: slopes[t], np.zeros((4, 3)), 200, lr=0.01, weight_decay=0.0)
    theirs = path(muon_corrected, lambda w, t: slopes[t], np.zeros((4, 3)), 200, lr=0.01)
    moves = np.linalg.norm(np.diff(ours, axis=0) - np.diff(theirs, axis=0), axis=(1, 2))
    assert moves[:5].max() > 0.001
    assert moves[150:].max() < 1e-5


# --- Shampoo -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("shape", [(4, 4), (6, 3), (3, 6)])
def test_shampoos_first_step_is_the_orthogonal_matrix_nearest_to_the_gradient(shape):
    g = matrices(*shape)
    U, _, Vt = np.linalg.svd(g, full_matrices=False)
    np.testing.assert_allclose(shampoo(np.zeros(shape), g, lr=1.0)[0], -U @ Vt, rtol=1e-6, atol=1e-7)


def test_shampoo_of_one_row_or_column_divides_by_the_length_of_the_gradient():
    g = matrices(1, 5)
    w = shampoo(np.zeros((1, 5)), g, lr=1.0)[0]
    np.testing.assert_allclose(w, -g / np.linalg.norm(g), rtol=1e-6, atol=1e-7)


def test_a_singular_gradient_moves_only_in_its_own_directions():
    u, v = matrices(5, 1), matrices(1, 4, seed=1)
    w = shampoo(np.zeros((5, 4)), u @ v, lr=1.0)[0]
    s = np.linalg.svd(w)[1]
    assert s[0] == pytest.approx(1, rel=1e-6)
    assert s[1] < 1e-6


def test_the_inverse_fourth_root_is_one():
    M = matrices(2, 5, 5)
    M = M @ M.swapaxes(-1, -2) + np.eye(5)
    root = inverse_fourth_root(M)
    np.testing.assert_allclose(
        np.linalg.matrix_power(root, 4) @ M, np.broadcast_to(np.eye(5), (2, 5, 5)), atol=1e-8
    )
    assert np.isfinite(inverse_fourth_root(np.zeros((3, 3)))).all()


# --- Lion --------------------------------------------------------------------------------------------


def test_every_step_of_lion_is_lr_long_in_each_weight_that_has_a_gradient():
    g = matrices(30, 4)
    g[:, 3] = 0
    walk = path(lion, lambda w, t: g[t], np.zeros(4), 30, lr=0.1, weight_decay=0.0)
    np.testing.assert_allclose(np.abs(np.diff(walk[:, :3], axis=0)), 0.1, rtol=1e-10)
    assert (walk[:, 3] == 0).all()


def test_lion_keeps_one_number_a_weight_where_adam_keeps_two():
    def numbers(rule):
        return sum(np.size(x) for x in rule(np.ones(100), np.ones(100))[1:] if np.ndim(x))

    assert (numbers(lion), numbers(adam)) == (100, 200)


def test_under_decay_no_weight_of_lion_passes_1_over_weight_decay():
    walk = path(lion, lambda w, t: -np.ones(1), np.zeros(1), 3000, lr=0.01, weight_decay=0.5)
    assert walk.max() < 2
    assert walk[-1, 0] == pytest.approx(2, rel=1e-5)


# --- Schedule-Free -----------------------------------------------------------------------------------


def in_three_sequences(grad, start, steps, lr, beta):
    """Walk z, x and y as the paper writes them."""
    z, x, rows = start.copy(), start.copy(), []
    for t in range(steps):
        y = (1 - beta) * z + beta * x
        z = z - lr * grad(y, t)
        x = t / (t + 1) * x + z / (t + 1)
        rows.append(((1 - beta) * z + beta * x, z, x))
    return np.array(rows)


@pytest.mark.parametrize("beta", [0.0, 0.5, 0.9, 0.999])
def test_the_three_sequences_are_those_of_the_paper(beta):
    slopes = matrices(50, 3)

    def grad(w, t):
        return w + slopes[t]

    expected = in_three_sequences(grad, np.ones(3), 50, 0.3, beta)
    seen = record(schedule_free, grad, np.ones(3), 50, lr=0.3, beta=beta)
    w = seen["w"][1:]
    np.testing.assert_allclose(w, expected[:, 0], **ROUNDING)
    np.testing.assert_allclose(w + seen["dz"][1:], expected[:, 1], **ROUNDING)
    np.testing.assert_allclose(averaged(w, seen["dz"][1:], seen["dx"][1:]), expected[:, 2], **ROUNDING)


def test_at_beta_0_the_average_is_the_mean_of_sgds_walk():
    slopes = matrices(50, 3)
    walk = path(momentum, lambda w, t: w + slopes[t], np.ones(3), 50, lr=0.3, beta=0.0)
    seen = record(schedule_free, lambda w, t: w + slopes[t], np.ones(3), 50, lr=0.3, beta=0.0)
    np.testing.assert_allclose(seen["w"], walk, **ROUNDING)
    means = np.cumsum(walk[1:], axis=0) / np.arange(1, 51)[:, None]
    np.testing.assert_allclose((seen["w"] + seen["dx"])[1:], means, **ROUNDING)


def test_before_the_first_step_all_three_are_the_start_and_at_any_step_the_average_can_be_asked_for():
    points = iterate(schedule_free_adam, rosenbrock.grad, rosenbrock.start)
    w, *state = next(points)
    assert np.array_equal(averaged(w, *state), rosenbrock.start)
    next(points)  # after one step the mean of all z is that z
    for _ in range(3):
        w, *state = next(points)
        assert not np.array_equal(averaged(w, *state), w)


def test_steps_of_a_warm_up_weigh_less_by_the_square_of_their_lr():
    lr = then(straight(0.0, 0.4, length=4), 4, constant(0.4))
    slopes = matrices(10, 2)
    seen = record(schedule_free, lambda w, t: slopes[t], np.zeros(2), 10, lr=lr)
    z = (seen["w"] + seen["dz"])[1:]
    weights = np.array([lr(t) ** 2 for t in range(10)])
    np.testing.assert_allclose((seen["w"] + seen["dx"])[-1], weights @ z / weights.sum(), **ROUNDING)


# --- one rule for matrices, another for the rest -----------------------------------------------------


def small_net(sizes=(3, 5, 4, 2), **options):
    rng = np.random.default_rng(0)
    return mlp(rng.standard_normal((24, sizes[0])), np.arange(24) % sizes[-1], sizes=sizes, **options)


def test_each_part_walks_as_it_would_alone():
    net = small_net()
    rule = by_layer(muon, adamw, net, layers=[0, 1])
    w, g = net.init(1), matrices(net.n)
    for _ in range(2):  # from the start, then with a state
        new, *state = rule(w, g, lr=0.1, weight_decay=0.3, lr_rest=0.02, beta1_rest=0.5)
    layers, slopes, after = net.layers(w), net.layers(g), net.layers(new)
    for i in (0, 1):
        alone, m = muon(layers[i][:-1].T, slopes[i][:-1].T, lr=0.1, weight_decay=0.3)
        np.testing.assert_allclose(after[i][:-1], alone.T, **ROUNDING)
        np.testing.assert_allclose(state[i], m, **ROUNDING)
    rest = [np.concatenate([x[0][-1], x[1][-1], x[2].ravel()]) for x in (layers, slopes, after)]
    np.testing.assert_allclose(rest[2], adamw(rest[0], rest[1], lr=0.02, beta1=0.5)[0], **ROUNDING)


def test_where_both_rules_are_one_rule_the_pair_is_that_rule():
    net = small_net()
    pair = by_layer(adamw, adamw, net)
    seen = path(pair, net.grad, net.init(0), 20, lr=0.1, lr_rest=0.1)
    np.testing.assert_allclose(seen, path(adamw, net.grad, net.init(0), 20, lr=0.1), **ROUNDING)


def test_the_signature_names_the_knobs_of_both_and_a_state_for_each_matrix():
    rule = by_layer(muon, adamw, small_net())
    state, knobs = parts(rule)
    assert list(state) == ["m_0", "m_1", "m_rest", "v_rest", "t_rest"]
    assert knobs == parts(muon).knobs | {f"{k}_rest": x for k, x in parts(adamw).knobs.items()}
    assert limits("lr_rest") == limits("lr")
    assert list(parts(by_layer(muon, adamw, small_net(), layers=[1])).state)[:2] == ["m_1", "m_rest"]


@pytest.mark.parametrize("pair", [(muon, adamw), (shampoo, adamw), (muon, lion)])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_pairs_train_side_by_side_as_they_do_alone_and_keep_their_dtype(pair, dtype):
    net = small_net()
    rule = by_layer(*pair, net)
    axes = grid(lr=[0.01, 0.1], seed=[0, 1])
    runs = train(rule, net, epochs=3, batch=8, dtype=dtype, lr_rest=0.01, **axes)
    assert runs.w.dtype == dtype
    for i, lr in enumerate((0.01, 0.1)):
        alone = train(rule, net, epochs=3, batch=8, seed=1, dtype=dtype, lr_rest=0.01, lr=lr)
        tolerance = 2e-2 if dtype == np.float32 else 1e-6
        np.testing.assert_allclose(runs.w[i, 1], alone.w, rtol=tolerance, atol=tolerance / 10)


def test_a_lost_run_of_a_pair_is_lost_alone():
    net = small_net()
    rule = by_layer(muon, adamw, net)
    with np.errstate(all="ignore"):
        runs = train(rule, net, epochs=4, batch=8, **grid(lr=[0.01, 1e300]), weight_decay=10.0)
    assert set(runs.failures) == {(1,)}
    assert np.isfinite(runs.history["train_loss"][:, 0]).all()


def test_a_pair_runs_on_any_array():
    net = small_net()
    rule = by_layer(muon, adamw, net)
    w, g = matrices(2, net.n), matrices(2, net.n, seed=1)
    here, there = rule(w, g), rule(StrictArray(w), StrictArray(g))
    for x, expected in zip(there, here, strict=True):
        if np.ndim(expected):
            np.testing.assert_allclose(x.get(), expected, **ROUNDING)


def test_a_pair_is_explored_on_the_ground_of_a_network_with_two_weights():
    net = linear(matrices(20, 1), matrices(20, seed=1))
    rule = by_layer(muon, adamw, net, layers=[0])
    ground = Landscape("two weights", net, net.grad, (-1.0, 1.0), [(0.0, 0.0)], ((-2, 2), (-2, 2)))
    explorer = explore(rule, ground)
    assert {"lr", "lr_rest", "beta1_rest"} <= set(explorer.values)
    explorer.set(lr=0.5, lr_rest=0.2)
    assert "uon and AdamW" in explorer.reading


@pytest.mark.parametrize(
    ("layers", "words"), [([3], "no layer 3"), ([-1], "no layer -1"), ([], "no matrix goes")]
)
def test_layers_that_are_not_there_are_refused(layers, words):
    with pytest.raises(ValueError, match=words):
        by_layer(muon, adamw, small_net(), layers=layers)


def test_a_network_of_one_layer_has_no_hidden_matrix_and_says_what_to_do():
    net = softmax(matrices(20, 3), np.arange(20) % 2)
    with pytest.raises(ValueError, match=r"layers=\[0\]"):
        by_layer(muon, adamw, net)
    assert next(iter(parts(by_layer(muon, adamw, net, layers=[0])).state)) == "m_0"


# --- the instruments -------------------------------------------------------------------------------


def test_a_state_that_does_not_fit_beside_the_weights_is_told_by_name():
    with pytest.raises(ValueError, match=r"the state L has shape \(4, 4\), the weights \(4, 3\).*keep="):
        record(shampoo, lambda w: w, matrices(4, 3), 3)
    assert set(record(shampoo, lambda w: w, matrices(4, 3), 3, keep=["m"])) == {"w", "m"}


def test_training_measures_the_weights_that_it_is_told_to():
    net = small_net()
    knobs = {"epochs": 5, "batch": 8, "lr": 0.5, "dtype": float}
    seen = train(schedule_free, net, measured=averaged, **knobs)
    plain = train(schedule_free, net, **knobs)
    assert np.array_equal(seen.w, plain.w)
    x = averaged(seen.w, *seen.state.values())
    assert seen.history["train_loss"][-1] == pytest.approx(net(x), rel=1e-12)
    assert plain.history["train_loss"][-1] == pytest.approx(net(seen.w), rel=1e-12)


def test_a_race_measures_the_average_and_lowers_both_lrs():
    net = small_net()
    problem = Problem("small", net, (net.X, net.y), (net.X, net.y), epochs=3, batch=8, dtype=float)
    pair = by_layer(muon, adamw, net)
    field = {
        "free": Entrant(schedule_free, {"lr": [0.5]}, measured=averaged),
        "pair": Entrant(
            pair, {"lr": [0.1], "lr_rest": [0.05]}, lambda lr, *, length: lambda t: lr * (1 - t / length)
        ),
    }
    results = race(problem, field, seeds=[4], n_jobs=1, progress=False)
    alone = train(schedule_free, net, epochs=3, batch=8, seed=4, dtype=float, lr=0.5, measured=averaged)
    np.testing.assert_allclose(
        results["free"].history["train_loss"][:, 0, 0], alone.history["train_loss"], rtol=1e-5
    )
    falling = {"lr": lambda t: 0.1 * (1 - t / 9), "lr_rest": lambda t: 0.05 * (1 - t / 9)}
    alone = train(pair, net, epochs=3, batch=8, seed=4, dtype=float, **falling)
    np.testing.assert_allclose(
        results["pair"].history["train_loss"][:, 0, 0], alone.history["train_loss"], rtol=1e-5
    )


def test_the_cost_of_a_pair_counts_the_states_of_its_parts():
    net = small_net()
    problem = Problem("small", net, (net.X, net.y), (net.X, net.y), batch=8)
    hidden = 3 * 5 + 5 * 4
    assert cost(problem, by_layer(muon, adamw, net), steps=2).state == 4 * (hidden + 2 * (net.n - hidden))
    assert cost(problem, adamw, steps=2).state == 4 * 2 * net.n
