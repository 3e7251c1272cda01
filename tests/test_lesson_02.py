"""Lesson 02: its formulas, its pictures, and what its prose says beyond the numbers that its cells print."""

import numpy as np
import pytest

from optim_lessons.course.check import check
from optim_lessons.course.exercises import EXERCISES
from optim_lessons.course.exercises.lesson_02 import STEPS, TARGET, damped_newton, four_gradients
from optim_lessons.gradient_descent import best_lr, gradient_descent, sharpness
from optim_lessons.lab import datasets, models
from optim_lessons.lab.explore import explore
from optim_lessons.lab.fair import stays_below
from optim_lessons.lab.path import path
from optim_lessons.landscapes import (
    hessian,
    himmelblau,
    newton_step,
    numerical_gradient,
    plateau,
    quadratic,
    rosenbrock,
    saddle,
)
from optim_lessons.momentum import momentum
from optim_lessons.pictures import landscapes as picture
from optim_lessons.sgd import noisy
from optim_lessons.studies import curvature, differences, escape

NET = models.mlp(*datasets.digits().train, sizes=(64, 32, 10))


# --- checking a gradient -----------------------------------------------------------------------------


def error(difference, h, precision="float64"):
    kind = differences.DTYPES[precision]
    return abs(float(difference(np.exp, kind(1), kind(h))) / np.e - 1)


def test_truncation_errors_have_the_leading_terms_of_the_page():
    for h in (0.1, 0.01, 0.001):
        assert error(differences.one_sided, h) == pytest.approx(h / 2, rel=0.05)
        assert error(differences.central, h) == pytest.approx(h**2 / 6, rel=0.05)


@pytest.mark.parametrize("precision", differences.DTYPES)
def test_the_error_bound_with_truncation_and_rounding_holds_at_every_h(precision):
    # exp may be wrong by a whole unit in the last place instead of half of one.
    noise = 2 * differences.unit_roundoff(precision) * (1 + 1)
    for h in np.geomspace(1e-15 if precision == "float64" else 1e-6, 0.3, 300):
        # The next terms of the series stay below 6 per cent (central) and 12 per cent up to h = 0.3.
        assert error(differences.central, h, precision) <= 1.06 * h**2 / 6 + noise / h
        assert error(differences.one_sided, h, precision) <= 1.12 * h / 2 + 2 * noise / h


@pytest.mark.parametrize(("N", "M"), [(1e-16, 1.0), (6e-8, 1.0), (1e-12, 40.0)])
def test_the_best_h_and_the_error_there_are_as_derived(N, M):
    h = np.geomspace(1e-9, 1, 200_001)
    bound = h**2 / 6 * M + N / h
    best = (3 * N / M) ** (1 / 3)
    assert h[bound.argmin()] == pytest.approx(best, rel=1e-3)
    assert bound.min() == pytest.approx(1.5 * N / best, rel=1e-6)
    one_sided = h / 2 * M + 2 * N / h
    assert h[one_sided.argmin()] == pytest.approx(2 * np.sqrt(N / M), rel=1e-3)


def test_ten_or_eleven_digits_for_the_central_and_eight_for_the_one_sided_difference_are_the_best():
    hs = np.geomspace(1e-10, 1e-2, 200)
    noise = differences.unit_roundoff("float64") * 2
    assert 1e-11 < 1.5 * noise ** (2 / 3) / 3 ** (1 / 3) < 1e-10
    assert np.median([error(differences.central, h) for h in hs if 3e-6 < h < 3e-5]) < 1e-10
    assert 1e-9 < np.median([error(differences.one_sided, h) for h in hs if 3e-9 < h < 3e-8]) < 1e-7


def test_the_prediction_for_h_is_what_the_computer_does():
    assert error(differences.central, 1e-5) < 1e-10
    assert error(differences.central, 1e-10) > 100 * error(differences.central, 1e-5)
    assert check("02.predict_h", "c")


def test_best_h_is_where_the_bound_is_smallest_and_coarse():
    h = np.geomspace(1e-5, 1, 100_001)
    assert check("02.best_h", h[(h**2 / 6 + 6e-8 / h).argmin()])
    assert not check("02.best_h", 0.0052)
    assert not check("02.best_h", 0.0061)
    assert check("02.best_h", 2.45e-4).mistake == "one-sided"


def test_the_picture_of_differences_draws_measured_errors_and_the_bound():
    explorer = explore(picture.differences())
    explorer.set(h=1e-3, w=0.5)
    for name, difference in (("central", differences.central), ("one-sided", differences.one_sided)):
        h, seen = (side[100] for side in explorer.shown[f"{name} error"])
        assert seen == abs(difference(np.exp, 0.5, h) / np.exp(0.5) - 1)
    h, bound = explorer.shown["theory"][0]
    rounding = differences.unit_roundoff("float64") * 1.5
    np.testing.assert_allclose(bound, h**2 / 6 + rounding / h, rtol=1e-12)


def test_at_a_tiny_h_the_smooth_function_is_drawn_as_a_staircase():
    explorer = explore(picture.differences())
    for h, few in ((1e-5, False), (1e-15, True)):
        explorer.set(h=h)
        assert (len(np.unique(explorer.shown["curve"][1])) < 40) == few


def test_unit_roundoff_is_what_the_page_says():
    assert differences.unit_roundoff("float64") == pytest.approx(1.1e-16, rel=0.02)
    assert differences.unit_roundoff("float32") == pytest.approx(6e-8, rel=0.02)


def with_a_loop(f, w, h=1e-5):
    slopes = []
    for i in range(len(w)):
        ahead, back = w.copy(), w.copy()
        ahead[i] += h
        back[i] -= h
        slopes.append((f(ahead) - f(back)) / (2 * h))
    return np.array(slopes)


def in_place(f, w, h=1e-5):
    g = np.zeros_like(w)
    for i in range(len(w)):
        w[i] += h
        g[i] = f(w)
        w[i] -= 2 * h
        g[i] -= f(w)
        w[i] += h
    return g / (2 * h)


def by_unit_vectors(f, w, h=1e-5):
    return np.array([f(w + h * e) / (2 * h) - f(w - h * e) / (2 * h) for e in np.identity(w.size)])


def test_a_numerical_gradient_in_other_words_is_right_and_one_that_writes_into_w_is_told_so():
    assert check("02.numerical_gradient", with_a_loop)
    assert check("02.numerical_gradient", by_unit_vectors)
    assert check("02.numerical_gradient", in_place).mistake == "writes-in-place"
    assert check("02.numerical_gradient", numerical_gradient).mistake == "the-courses-own"


def test_the_four_gradients_are_what_the_diagnosis_says():
    points = np.random.default_rng(0).uniform(-2, 2, (50, 2))
    answer = {"A": "term missing", "B": "wrong sign", "C": "right", "D": "wrong factor"}
    for name, gradient in four_gradients().items():
        ratio = gradient(points) / rosenbrock.grad(points)
        said = {
            "right": np.allclose(ratio, 1),
            "wrong sign": np.allclose(ratio[:, 1], -1),
            "wrong factor": np.allclose(ratio[:, 1], 0.5),
            "term missing": np.ptp(ratio[:, 0]) > 0.1,
        }
        assert [label for label, true in said.items() if true] == [answer[name]]
    assert check("02.wrong_gradient", answer)


def test_a_single_point_cannot_tell_a_missing_term_from_a_factor():
    ratio = four_gradients()["A"](np.array([0.5, 0.3])) / rosenbrock.grad(np.array([0.5, 0.3]))
    np.testing.assert_allclose(ratio, [10 / 11, 1])


def test_the_slope_along_any_direction_is_the_gradient_times_it():
    w, u = np.array([0.3, -0.7]), np.array([1.3, 0.4])
    along = (rosenbrock(w + 1e-5 * u) - rosenbrock(w - 1e-5 * u)) / 2e-5
    assert along == pytest.approx(u @ rosenbrock.grad(w), rel=1e-8)


def test_numbers_of_the_page_about_the_network_and_rosenbrock():
    X, y = datasets.digits().train
    assert len(X) == 1077
    n = models.mlp(X, y, sizes=(64, 32, 10)).n
    assert (n, 2 * n) == (2410, 4820)
    assert models.softmax(X, y).n == 650
    assert models.mlp(X, y, sizes=(64, 6, 10)).n == 460
    assert 8 * n**2 / 1e6 == pytest.approx(46, abs=0.5)
    assert np.linalg.norm(rosenbrock.grad(rosenbrock.start)) == pytest.approx(233, abs=0.5)


# --- convex or not -----------------------------------------------------------------------------------


def test_the_bumpy_curvature_is_the_second_derivative():
    w, h = np.linspace(-4, 4, 81), 1e-4
    for bumps in (0.0, 0.25, 1.0):
        second = (
            curvature.bumpy(w + h, bumps) - 2 * curvature.bumpy(w, bumps) + curvature.bumpy(w - h, bumps)
        ) / h**2
        np.testing.assert_allclose(curvature.bumpy_curvature(w, bumps), second, atol=1e-6)


def test_the_bumpy_curve_is_convex_up_to_a_quarter_and_has_one_minimum_up_to_1_15():
    w = np.linspace(-4, 4, 8001)
    assert curvature.bumpy_curvature(w, 0.25).min() >= 0 > curvature.bumpy_curvature(w, 0.26).min()
    assert check("02.convex_until", 0.25)
    for bumps, count in ((1.14, 1), (1.16, 3)):
        height = curvature.bumpy(w, bumps)
        assert np.sum((height[1:-1] < height[:-2]) & (height[1:-1] < height[2:])) == count


def test_a_chord_under_the_curve_is_marked_and_read():
    explorer = explore(picture.chord())
    assert "stays below this chord" in explorer.reading
    assert "is convex" in explorer.reading
    explorer.set(bumps=0.5, a=1.0, b=2.2)
    assert "rises above this chord" in explorer.reading
    marked = np.stack(explorer.shown["above"], axis=-1)
    inner = marked[np.isfinite(marked[:, 1])]
    share = (inner[:, 0] - 1.0) / 1.2
    chord = (1 - share) * curvature.bumpy(1.0, 0.5) + share * curvature.bumpy(2.2, 0.5)
    assert len(inner) > 100
    assert (inner[:, 1] > chord).all()


def test_the_curvature_along_a_direction_lies_between_the_smallest_and_the_largest_eigenvalue():
    w = np.array([0.4, -0.3])
    H = hessian(himmelblau.grad, w)
    u = np.random.default_rng(0).standard_normal((1000, 2))
    u = u / np.linalg.norm(u, axis=-1, keepdims=True)
    bends = ((u @ H) * u).sum(-1)
    low, high = np.linalg.eigvalsh(H)
    assert low - 1e-9 <= bends.min() <= bends.max() <= high + 1e-9


# --- saddles and plateaus ----------------------------------------------------------------------------


@pytest.mark.parametrize("lr", [0.02, 0.1, 0.5])
@pytest.mark.parametrize("distance", [1e-2, 1e-6, 1e-12])
def test_time_to_leave_a_saddle_is_the_logarithm_of_the_page(lr, distance):
    land = saddle()
    height = np.abs(path(gradient_descent, land.grad, np.array([0.3, distance]), 4000, lr=lr)[:, 1])
    t = escape.saddle_steps(distance, lr)
    assert t == pytest.approx(np.log(0.5 / distance) / np.log(1 + lr * 0.5))
    # Beyond the quadratic model the ground is less steep, which costs 0.3/lr steps near the end, measured.
    assert t <= np.argmax(height > 0.5) <= t + 1 + 0.3 / lr


def test_the_saddle_prediction_holds():
    assert escape.saddle_steps(1e-6, 0.1) / escape.saddle_steps(1e-3, 0.1) == pytest.approx(2, abs=0.15)
    assert check("02.predict_saddle", "a")


def test_a_push_of_lr_times_noise_in_the_formula_is_a_little_too_pessimistic():
    said = {1e-9: 458, 1e-6: 316, 1e-3: 175}
    for noise, steps in said.items():
        assert round(escape.saddle_steps(0.1 * noise, 0.1)) == steps
        rng = np.random.default_rng(1)
        height = np.full(300, 1e-15)
        away = np.zeros(300)
        for t in range(1, 600):
            height = height - 0.1 * (0.5 * (height**3 - height) + noise * rng.standard_normal(300))
            away[(away == 0) & (np.abs(height) > 0.5)] = t
        assert steps - 30 < np.median(away) < steps


def test_exactly_on_the_ridge_descent_ends_at_the_saddle():
    end = path(gradient_descent, saddle().grad, np.array([-1.8, 0.0]), 5000, lr=0.1)[-1]
    np.testing.assert_allclose(end, 0, atol=1e-12)


def test_the_saddle_picture_draws_the_walk_with_its_noise_and_the_formula():
    explorer = explore(picture.near_a_saddle())
    explorer.set(distance=1e-6, noise=1e-3, seed=3, lr=0.2)
    start = np.array([-1.8, explorer.values["distance"]])
    knobs = {"lr": explorer.values["lr"]}
    ws = path(gradient_descent, noisy(saddle().grad, 1e-3, 3), start, 500, **knobs)
    np.testing.assert_array_equal(explorer.shown["growth"], np.abs(ws[:, 1]))
    np.testing.assert_allclose(explorer.shown["theory"][1][5], start[1] * (1 + 0.5 * knobs["lr"]) ** 5)


def test_leaving_the_saddle_has_a_window_and_each_side_of_it_has_a_name():
    land = saddle()
    for lr in np.linspace(0.9, 1.99, 110):
        end = land(path(gradient_descent, land.grad, land.start, STEPS, lr=lr))[-1]
        assert bool(check("02.leave_saddle", lr)) == (end < TARGET) == (1.1244 < lr < 1.8341)
    for lr, name in (
        (0.1, "too-slow"),
        (1.12, "too-slow"),
        (1.84, "swings"),
        (1.99, "swings"),
        (2.0, "diverged"),
        (1e300, "diverged"),
        (0, "not-positive"),
        (-1.4, "not-positive"),
    ):
        assert check("02.leave_saddle", lr).mistake == name, lr


def test_the_basin_is_the_plateau_of_the_landscapes_in_any_number_of_weights():
    w = np.random.default_rng(0).uniform(-15, 15, (40, 2))
    land = plateau(condition=1.0)
    np.testing.assert_allclose(escape.basin(w), land(w), rtol=1e-13)
    np.testing.assert_allclose(escape.basin_grad(w), land.grad(w), rtol=1e-12)
    w = np.random.default_rng(1).uniform(-3, 3, 7)
    np.testing.assert_allclose(numerical_gradient(escape.basin, w), escape.basin_grad(w), atol=1e-9)


def arrival(start, lr, **options):
    return int(np.argmax(escape.plateau_walks(start, 0.0, lr=lr, walkers=1, **options)[:, 0] < 4))


def test_time_on_the_plateau_is_in_proportion_to_one_over_lr():
    times = [lr * arrival(14, lr, steps=4000) for lr in (0.3, 1.0, 3.0)]
    np.testing.assert_allclose(times, times[0], rtol=0.03)


def test_a_plateau_hardly_amplifies_what_a_saddle_multiplies():
    def growth(grad, w, lr):
        return max(np.abs(np.linalg.eigvals(np.eye(2) - lr * hessian(grad, np.array(w)))))

    assert growth(saddle().grad, [0.0, 0.0], 0.1) == pytest.approx(1.05)
    assert 1 < growth(escape.basin_grad, [14.0, 0.0], 3.0) < 1.01


def test_the_model_of_a_newton_step_may_agree_where_the_step_climbs():
    land, w = saddle(), np.array([0.0, 0.1])
    model, truth = curvature.change_along(land, w, curvature.newton_direction(land, w), np.ones(1))
    assert model == pytest.approx(truth, rel=0.02)
    assert truth > 0


def test_the_ten_output_biases_matter_little():
    kept = np.arange(NET.n) < NET.n - 10
    end = path(gradient_descent, NET.grad, NET.init(0), 200, lr=0.5)[-1]
    assert NET(end * kept) < 1.03 * NET(end)


def test_with_its_own_lr_the_full_gradient_needs_fewer_steps_than_a_batch_but_not_thirty_times_fewer():
    lrs = 2.0 ** np.arange(-2, 3.1, 0.5)[:, None]
    starts = np.broadcast_to(NET.init(0), (len(lrs), NET.n))
    full, some = (
        stays_below(NET(path(gradient_descent, grad, starts, 60, lr=lrs)), 0.3).min()
        for grad in (NET.grad, NET.batch_grad(32))
    )
    assert full < some < 4 * full


def test_the_plateau_prediction_holds():
    assert arrival(14, 3.0) == 254
    assert arrival(14, 3.0, weights=100) == 254
    distances = escape.plateau_walks(14, 0.03, weights=100, steps=2 * 254, walkers=200)
    assert not (distances < 4)[:, 1:].any()
    assert check("02.predict_plateau", "b")


def test_on_flat_ground_the_squared_distance_grows_by_n_times_the_squared_push_in_every_step():
    n, noise, lr, steps = 30, 0.1, 3.0, 400
    far = escape.plateau_walks(60, noise, weights=n, steps=steps, walkers=400)[:, 1:]
    growth = (far[-1] ** 2).mean() - 60**2
    assert growth == pytest.approx(steps * n * (lr * noise) ** 2, rel=0.1)


def test_the_plateau_picture_draws_its_walks():
    explorer = explore(picture.on_a_plateau())
    explorer.set(start=12.0, noise=0.03, weights=10, seed=2)
    distances = escape.plateau_walks(12.0, 0.03, 10, 2)
    assert len(explorer.shown["noisy"]) == 20
    np.testing.assert_array_equal(explorer.shown["quiet"][1], distances[::4, 0])
    np.testing.assert_array_equal(explorer.shown["noisy"][6][1], distances[::4, 7])
    inside = (distances < 4).any(axis=0)
    assert f"{inside[1:].sum()} of 20 walks enter it" in explorer.reading


# --- Newton's step -----------------------------------------------------------------------------------


def test_newton_gives_each_axis_of_the_hessian_its_own_learning_rate():
    valley = quadratic(condition=50.0, angle=25.0)
    w = np.array([1.3, -0.4])
    H = hessian(valley.grad, w)
    curvatures, axes = np.linalg.eigh(H)
    step = newton_step(w, valley.grad(w), H) - w
    np.testing.assert_allclose(axes.T @ step, -(axes.T @ valley.grad(w)) / curvatures, rtol=1e-9)


def test_the_newton_picture_draws_newtons_walk_and_its_model():
    explorer = explore(picture.newton())
    explorer.set(landscape="saddle", start_x=-1.5, start_y=0.3)
    land, w = saddle(), np.array([-1.5, 0.3])
    walk = [w]
    for _ in range(8):
        walk.append(newton_step(walk[-1], land.grad(walk[-1]), hessian(land.grad, walk[-1])))
    np.testing.assert_allclose(explorer.shown["walk"], walk, atol=1e-12)
    s = walk[1] - w
    a, model = explorer.shown["model"]
    np.testing.assert_allclose(explorer.shown["truth"][1], land(w + a[:, None] * s) - land(w), atol=1e-12)
    expected = a * (land.grad(w) @ s) + 0.5 * a**2 * (s @ hessian(land.grad, w) @ s)
    np.testing.assert_allclose(model, expected, atol=1e-12)


def test_what_the_page_says_about_newton_on_each_ground():
    np.testing.assert_allclose(curvature.newton_walk(saddle(), (-1.5, 0.3))[-1], 0, atol=1e-9)
    np.testing.assert_allclose(curvature.newton_walk(rosenbrock, (-1.5, 1.0))[-1], 1, atol=1e-6)
    outside = curvature.newton_walk(rosenbrock, (-1.5, 1.0))
    assert (outside[:, 1] < rosenbrock.box[1][0]).any()
    off = np.linalg.norm(outside - 1, axis=1)
    assert off[5] < 1e-7 < off[4]  # in five steps
    hill = curvature.newton_walk(himmelblau, (0.3, 1.0))
    assert himmelblau(hill[-1]) > himmelblau(hill[0])
    low, high = np.linalg.eigvalsh(hessian(himmelblau.grad, hill[-1]))
    assert low < 0 < high
    top = curvature.newton_walk(himmelblau, (-0.5, -1.0))[-1]
    np.testing.assert_allclose(himmelblau.grad(top), 0, atol=1e-6)
    assert (np.linalg.eigvalsh(hessian(himmelblau.grad, top)) < 0).all()


def test_the_newton_picture_shows_on_each_ground_what_the_page_says_without_a_slider_moved():
    explorer = explore(picture.newton())
    ends = {"ravine": (0, 0), "saddle": (0, 0), "Rosenbrock": (1, 1)}
    for name, end in ends.items():
        explorer.set(landscape=name)
        np.testing.assert_allclose(explorer.shown["walk"][-1], end, atol=1e-6)
    explorer.set(landscape="saddle")
    assert explorer.reading.startswith("Curvatures here: -0.")


def test_a_singular_hessian_gives_no_step_and_the_picture_says_so():
    explorer = explore(picture.newton(), landscape=["saddle"], damping=[0.0, 0.5])
    explorer.set(start_y=0.0, damping=0.5)
    assert "there is no step" in explorer.reading
    assert explorer.problem == ""


def test_the_diagonal_of_a_ravine_turned_by_45_degrees_is_gradient_descent_at_its_best_lr():
    valley = quadratic(condition=100.0, angle=45.0)
    diagonal = np.diag(hessian(valley.grad, valley.start))
    np.testing.assert_allclose(1 / diagonal, best_lr([0.01, 1.0]), rtol=1e-8)
    along = quadratic(condition=100.0)
    np.testing.assert_allclose(np.diag(hessian(along.grad, along.start)), [0.01, 1.0], rtol=1e-8)


def test_damped_newton_is_newton_at_zero_and_descent_at_a_large_damping():
    rng = np.random.default_rng(0)
    w, g, H = rng.standard_normal(3), rng.standard_normal(3), np.diag([2.0, -0.4, 1.0])
    np.testing.assert_allclose(damped_newton(w, g, H, 0.0), newton_step(w, g, H))
    np.testing.assert_allclose(damped_newton(w, g, H, 1e8), gradient_descent(w, g, lr=1e-8), rtol=1e-12)
    land, start = saddle(), np.array([-1.5, 0.3])
    walk = curvature.newton_walk(land, start, 0.6)
    np.testing.assert_allclose(
        walk[1], damped_newton(start, land.grad(start), hessian(land.grad, start), 0.6)
    )


def test_damping_above_the_most_negative_curvature_makes_every_part_of_the_step_go_downhill():
    H, g = np.diag([3.0, -0.5]), np.array([0.7, 0.2])
    for damping, downhill in ((0.49, False), (0.51, True)):
        step = damped_newton(np.zeros(2), g, H, damping)
        assert bool((step * g < 0).all()) == downhill
    assert check("02.least_damping", 0.5)
    assert check("02.least_damping", -0.5).mistake == "sign"


def test_damped_newton_in_other_words_is_right():
    def by_the_inverse(w, g, H, damping):
        n = w.shape[0]
        return w - np.linalg.inv(H + np.diag(np.full(n, damping))) @ g

    def by_the_axes(w, g, H, damping):
        curvatures, axes = np.linalg.eigh(H)
        return w - axes @ ((axes.T @ g) / (curvatures + damping))

    assert check("02.damped_newton", by_the_inverse)
    assert check("02.damped_newton", by_the_axes)


# --- the slice ---------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def trained():
    X, y = datasets.digits().train
    net = models.mlp(X[:300], y[:300], sizes=(64, 4, 10))
    return net, path(gradient_descent, net.grad, net.init(0), 200, lr=1.0)[-1]


def test_each_layer_of_a_random_direction_is_as_long_as_the_same_layer_of_the_weights(trained):
    net, w = trained
    direction = curvature.random_direction(net, w, 3)
    for part, layer in zip(net.layers(direction), net.layers(w), strict=True):
        assert np.linalg.norm(part) == pytest.approx(np.linalg.norm(layer))


def test_curvature_along_a_direction_is_that_of_the_hessian_and_the_steepest_one_has_the_sharpness(trained):
    net, w = trained
    H = hessian(net.grad, w, 1e-4)
    u = curvature.random_direction(net, w, 0)
    assert curvature.curvature_along(net, w, u) == pytest.approx(u @ H @ u / (u @ u), rel=1e-4)
    steep = curvature.steepest_direction(net, w, iterations=300)
    assert np.linalg.norm(steep) == pytest.approx(np.linalg.norm(w))
    largest = np.linalg.eigvalsh(H)[-1]
    assert curvature.curvature_along(net, w, steep) == pytest.approx(largest, rel=0.02)
    assert sharpness(net.grad, w, iterations=300) == pytest.approx(largest, rel=0.02)


def test_a_random_direction_sees_the_mean_of_all_curvatures(trained):
    net, w = trained
    rng = np.random.default_rng(0)
    seen = [curvature.curvature_along(net, w, rng.standard_normal(net.n)) for _ in range(400)]
    assert np.mean(seen) == pytest.approx(np.trace(hessian(net.grad, w, 1e-4)) / net.n, rel=0.1)


def test_the_slice_draws_the_loss_along_its_line(trained):
    net, w = trained
    pair = curvature.random_direction(net, w, 0), curvature.random_direction(net, w, 1)
    explorer = explore(picture.network_slice(net, w, {"random": pair}), plane=["random"], turn=(0, 180))
    explorer.set(width=0.3, turn=30)
    along, losses = explorer.shown["losses"]
    a = 0.3 * along[:, None]
    c, s = np.cos(np.pi / 6), np.sin(np.pi / 6)
    # The picture works in float32: 7 digits.
    np.testing.assert_allclose(losses, net(w + a * (c * pair[0] + s * pair[1])), rtol=1e-4)


def test_the_same_function_may_have_any_sharpness():
    X, y = datasets.digits().train
    net = models.mlp(X[:200], y[:200], sizes=(64, 8, 10), activation="relu")
    w = path(gradient_descent, net.grad, net.init(0), 100, lr=0.3)[-1]
    scaled = w.copy()
    first, second = net.layers(scaled)
    first *= 10
    second[:-1] /= 10
    np.testing.assert_allclose(net.outputs(scaled), net.outputs(w), atol=1e-12)
    assert sharpness(net.grad, scaled, h=1e-5) > 10 * sharpness(net.grad, w, h=1e-5)


def test_the_prediction_for_the_slice_is_what_the_page_measures():
    X, y = datasets.digits().train
    net = models.mlp(X, y, sizes=(64, 32, 10))
    w = path(gradient_descent, net.grad, net.init(range(2)), 200, lr=1.0)[-1, 0]
    bends = [
        curvature.curvature_along(net, w, curvature.random_direction(net, w, seed)) for seed in range(20)
    ]
    assert min(bends) > 0
    assert 50 < sharpness(net.grad, w, iterations=100) / np.median(bends) < 200


def test_the_lesson_has_all_kinds_of_exercises():
    kinds = {e.kind for e in EXERCISES.values() if e.id.startswith("02.")}
    assert kinds == {"choice", "function", "number", "diagnosis", "goal"}


# --- what is certain, and what is counted fairly --------------------------------------------------------


def test_on_a_plateau_one_weights_noise_brings_half_of_the_walks_sooner_and_some_very_much_later():
    quiet = int(stays_below(escape.plateau_walks(14, noise=0.0, steps=600, walkers=1)[:, 0], 4))
    assert quiet == 254
    inside = escape.plateau_walks(14, noise=0.03, weights=1, steps=5000, walkers=200) < 4
    first = np.where(inside.any(axis=0), inside.argmax(axis=0), np.inf)
    assert 0.4 < np.mean(first < quiet) < 0.6
    assert np.mean(first > 2 * quiet) > 0.1
    assert np.quantile(first, 0.95) > 3 * quiet


def test_a_unit_further_out_on_the_plateau_costs_about_twice_the_steps_and_more_the_further():
    steps = [
        stays_below(escape.plateau_walks(far, noise=0.0, steps=3000, walkers=1)[:, 0], 4)
        for far in range(13, 18)
    ]
    ratios = np.divide(steps[1:], steps[:-1])
    assert ratios[0] == pytest.approx(1.9, abs=0.02)
    assert (np.diff(ratios) > 0).all()
    assert ratios[1:].min() > 2


def test_who_has_left_the_saddle_in_time_stays_below():
    land = saddle()
    for lr in np.arange(1.13, 1.83, 0.05):
        assert check("02.leave_saddle", lr)
        losses = land(path(gradient_descent, land.grad, land.start, 100, lr=lr))
        assert stays_below(losses, -0.12) <= 16


def test_descent_on_the_penalised_digits_can_have_no_much_larger_lr():
    X, y = datasets.digits().train
    model = models.softmax(X, y, l2=1e-3)
    w = path(momentum, model.grad, np.zeros(model.n), 1500, lr=2.0, beta=0.9)[-1]
    assert 2 / sharpness(model.grad, w, iterations=100) == pytest.approx(10.4, abs=0.1)


def test_small_batches_stay_below_the_target_after_about_as_many_steps_as_the_full_gradient():
    X, y = datasets.digits().train
    net = models.mlp(X, y, sizes=(64, 32, 10))

    def steps(grad):
        return stays_below(net(path(gradient_descent, grad, net.init(0), 60, lr=0.5)), 0.3)

    assert steps(net.grad) == 17
    assert {steps(net.batch_grad(32, seed=seed)) for seed in range(4)} <= {17, 18, 19, 20}


def test_a_number_of_weights_that_is_no_choice_is_refused():
    with pytest.raises(ValueError, match="weights is 0: choose one of 1, 2, 3, 10, 30"):
        explore(picture.on_a_plateau()).set(weights=0)
