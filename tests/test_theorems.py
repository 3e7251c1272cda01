"""What is true of the rules, each claim with its conditions.

On a quadratic ½·h·w² every direction goes its own way, so one curvature h says it all.
"""

import numpy as np
import pytest

from optim_lessons import momentum as heavy_ball
from optim_lessons import nesterov as look_ahead
from optim_lessons.adagrad import adagrad
from optim_lessons.adam import adam, amsgrad
from optim_lessons.gradient_descent import (
    best_lr,
    condition_number,
    contraction,
    gradient_descent,
    largest_stable_lr,
    sharpness,
)
from optim_lessons.lab.path import grid, path, record
from optim_lessons.landscapes import d2l, lessard_recht_packard, quadratic, reddi, rosenbrock
from optim_lessons.momentum import momentum
from optim_lessons.nesterov import nesterov
from optim_lessons.rmsprop import rmsprop
from optim_lessons.sgd import noisy

pytestmark = pytest.mark.essential

BETAS = [0.0, 0.3, 0.5, 0.9, 0.99]
CURVATURES = [0.2, 1.0, 4.0]


def slope(h):
    return lambda w: h * w


def ends(rule, h, steps=4000, **knobs):
    """Return how far from the minimum of ½·h·w² a walk from 1 ends; infinity if it left the numbers."""
    end = np.abs(path(rule, slope(h), np.ones(1), steps, **knobs)[-1, ..., 0])
    return np.where(np.isnan(end), np.inf, end)


def one_step_matrix(rule, lr_times_curvature, beta):
    """Return the matrix that takes (w, m) to the next (w, m), read off the rule itself."""
    columns = [rule(w, lr_times_curvature * w, m, lr=1.0, beta=beta) for w, m in np.eye(2)]
    return np.array(columns).T


# --- gradient descent --------------------------------------------------------------------------------


@pytest.mark.parametrize("h", CURVATURES)
def test_gradient_descent_converges_below_two_over_curvature_and_diverges_above(h):
    limit = largest_stable_lr(h)
    assert limit == 2 / h
    assert ends(gradient_descent, h, lr=0.99 * limit) < 1e-15
    assert ends(gradient_descent, h, lr=1.01 * limit) > 1e15
    assert ends(gradient_descent, h, lr=limit) == pytest.approx(1, rel=1e-9)  # it neither comes nor goes


def test_the_steepest_direction_sets_the_limit_unless_the_start_has_no_part_of_it():
    L, lr = 4.0, 0.51  # just above 2/4, far below 2/0.2
    assert largest_stable_lr(np.array([0.2, L])) == 0.5
    with_it = path(gradient_descent, d2l.grad, np.array([1.0, 1e-6]), 2000, lr=lr)
    without = path(gradient_descent, d2l.grad, np.array([1.0, 0.0]), 2000, lr=lr)
    assert np.abs(with_it[-1]).max() > 1e15
    assert np.abs(without[-1]).max() < 1e-15


@pytest.mark.parametrize("h", CURVATURES)
@pytest.mark.parametrize("lr", [0.01, 0.3, 0.45, 0.6])
def test_one_step_shrinks_the_distance_by_the_contraction(h, lr):
    walk = np.abs(path(gradient_descent, slope(h), np.ones(1), 20, lr=lr)[:, 0])
    np.testing.assert_allclose(walk, contraction(lr, h) ** np.arange(21), rtol=1e-12)


def test_gradient_descent_jumps_across_the_minimum_above_one_over_curvature():
    for lr, crosses in ((0.9, False), (1.1, True)):
        walk = path(gradient_descent, slope(1.0), np.ones(1), 10, lr=lr)[:, 0]
        assert (walk[1:] * walk[:-1] < 0).all() == crosses


@pytest.mark.parametrize("kappa", [2.0, 20.0, 1e3])
def test_best_lr_shrinks_flattest_and_steepest_equally_and_no_other_lr_does_better(kappa):
    curvatures = np.array([1 / kappa, 0.5, 1.0])
    best = best_lr(curvatures)
    rate = contraction(best, curvatures)
    assert rate[0] == pytest.approx(rate[-1], rel=1e-12)
    assert rate.max() == pytest.approx((kappa - 1) / (kappa + 1), rel=1e-12)
    others = np.linspace(0, 2, 4001)[:, None]
    assert contraction(others, curvatures).max(axis=1).min() >= rate.max() - 1e-12


def test_gradient_descent_is_the_same_walk_in_turned_coordinates_and_adam_is_not():
    c, s = np.cos(0.5), np.sin(0.5)
    turn = np.array([[c, s], [-s, c]])
    for rule, same in ((gradient_descent, True), (momentum, True), (adam, False), (adagrad, False)):
        plain = path(rule, lambda w: w * [0.2, 1.0], np.array([1.0, 1.0]), 20, lr=0.1)
        turned = path(
            rule, lambda w: (w @ turn.T) * [0.2, 1.0] @ turn, np.array([1.0, 1.0]) @ turn, 20, lr=0.1
        )
        assert np.allclose(plain @ turn, turned, rtol=0, atol=1e-12) == same


def test_sharpness_is_the_largest_curvature_at_a_point():
    ravine = quadratic(condition=20.0, angle=30.0)
    assert sharpness(ravine.grad, ravine.start) == pytest.approx(1.0, rel=1e-6)
    two = sharpness(rosenbrock.grad, np.array([[1.0, 1.0], [-1.2, 1.0]]))
    exact = [
        np.linalg.eigvalsh([[802, -400], [-400, 200]])[-1],
        np.linalg.eigvalsh([[1330, 480], [480, 200]])[-1],
    ]
    np.testing.assert_allclose(two, exact, rtol=1e-6)


def test_condition_number_is_largest_over_smallest_curvature():
    assert condition_number(np.diag([4.0, 0.2])) == pytest.approx(20)
    assert condition_number(np.array([np.eye(2), np.diag([1.0, 10.0])])).tolist() == [1, 10]


# --- heavy ball and Nesterov -------------------------------------------------------------------------


@pytest.mark.parametrize("rule", [momentum, nesterov])
def test_without_memory_momentum_is_gradient_descent(rule):
    walk = path(rule, rosenbrock.grad, rosenbrock.start, 300, lr=1e-3, beta=0.0)
    np.testing.assert_array_equal(
        walk, path(gradient_descent, rosenbrock.grad, rosenbrock.start, 300, lr=1e-3)
    )


@pytest.mark.parametrize("beta", BETAS)
@pytest.mark.parametrize("h", CURVATURES)
def test_heavy_ball_converges_below_two_times_one_plus_beta_over_curvature(beta, h):
    limit = 2 * (1 + beta) / h
    assert ends(momentum, h, lr=0.99 * limit, beta=beta) < 1e-7
    assert ends(momentum, h, lr=1.01 * limit, beta=beta) > 1e7


@pytest.mark.parametrize("beta", BETAS)
@pytest.mark.parametrize("h", CURVATURES)
def test_nesterov_converges_below_its_limit_and_diverges_above(beta, h):
    limit = 2 * (1 + beta) / ((1 + 2 * beta) * h)
    assert ends(nesterov, h, lr=0.99 * limit, beta=beta) < 1e-7
    assert ends(nesterov, h, lr=1.01 * limit, beta=beta) > 1e7
    if beta > 0:
        assert limit < largest_stable_lr(h)  # looking ahead costs stability: less than gradient descent has
        assert ends(gradient_descent, h, lr=1.01 * limit) < 1e-7


@pytest.mark.parametrize(("rule", "module"), [(momentum, heavy_ball), (nesterov, look_ahead)])
def test_spectral_radius_is_that_of_the_rules_own_step_matrix(rule, module):
    rng = np.random.default_rng(0)
    lr_times_curvature, beta = rng.uniform(0, 4.5, 300), rng.uniform(0, 1, 300)
    radius = module.spectral_radius(lr_times_curvature, beta)
    for x, b, r in zip(lr_times_curvature, beta, radius, strict=True):
        matrix = one_step_matrix(rule, x, b)
        # A double root is only known to the square root of the rounding error.
        assert r == pytest.approx(np.abs(np.linalg.eigvals(matrix)).max(), abs=1e-7)


@pytest.mark.parametrize(("rule", "module"), [(momentum, heavy_ball), (nesterov, look_ahead)])
def test_spectral_radius_is_one_at_the_limit(rule, module):
    beta = np.array(BETAS)
    limit = 2 * (1 + beta) / (1 if rule is momentum else 1 + 2 * beta)
    np.testing.assert_allclose(module.spectral_radius(limit, beta), 1, rtol=1e-12)
    assert (module.spectral_radius(0.999 * limit, beta) < 1).all()
    assert (module.spectral_radius(1.001 * limit, beta) > 1).all()


@pytest.mark.parametrize("beta", [0.25, 0.5, 0.9])
def test_where_heavy_ball_oscillates_its_factor_is_the_root_of_beta_whatever_the_lr(beta):
    low, high = (1 - np.sqrt(beta)) ** 2, (1 + np.sqrt(beta)) ** 2
    inside = np.linspace(low, high, 50)[1:-1]
    np.testing.assert_allclose(heavy_ball.spectral_radius(inside, beta), np.sqrt(beta), rtol=1e-12)
    assert heavy_ball.spectral_radius(0.9 * low, beta) > np.sqrt(beta)
    assert heavy_ball.spectral_radius(1.1 * high, beta) > np.sqrt(beta)
    # Distill's article prints 2√β; the product of the two roots is β, so each has the size √β.
    assert np.linalg.det(one_step_matrix(momentum, inside[20], beta)) == pytest.approx(beta, rel=1e-12)


@pytest.mark.parametrize("beta", [0.25, 0.5, 0.9])
def test_where_nesterov_oscillates_steep_directions_die_out_faster(beta):
    low = ((1 - beta) / (1 + beta)) ** 2
    inside = np.linspace(low, 1, 50)[1:-1]
    np.testing.assert_allclose(
        look_ahead.spectral_radius(inside, beta), np.sqrt(beta * (1 - inside)), rtol=1e-12
    )


@pytest.mark.parametrize("x", [0.01, 0.2, 0.9])
def test_critical_damping_is_the_beta_that_is_fastest_for_one_curvature(x):
    best = (1 - np.sqrt(x)) ** 2
    assert heavy_ball.spectral_radius(x, best) == pytest.approx(1 - np.sqrt(x), abs=1e-7)
    others = np.linspace(0, 0.999, 2000)
    assert heavy_ball.spectral_radius(x, others).min() >= 1 - np.sqrt(x) - 1e-7


@pytest.mark.parametrize("kappa", [1.0, 10.0, 100.0, 1000.0])
def test_best_lr_and_beta_of_heavy_ball_reach_the_root_of_the_condition_number(kappa):
    lr, beta = heavy_ball.best_lr_and_beta(1.0, kappa)
    rate = (np.sqrt(kappa) - 1) / (np.sqrt(kappa) + 1)
    assert beta == pytest.approx(rate**2, rel=1e-12)
    # A double root is only known to the square root of the rounding error.
    np.testing.assert_allclose(
        heavy_ball.spectral_radius(lr * np.linspace(1, kappa, 9), beta), rate, atol=1e-7
    )
    lrs, betas = np.meshgrid(np.linspace(0.2, 2, 181) * lr, np.linspace(0, 0.999, 300))
    others = np.maximum(
        heavy_ball.spectral_radius(lrs, betas), heavy_ball.spectral_radius(lrs * kappa, betas)
    )
    assert others.min() >= rate - 1e-7


@pytest.mark.parametrize("kappa", [1.0, 10.0, 100.0, 1000.0])
def test_best_lr_and_beta_of_nesterov_on_a_quadratic(kappa):
    lr, beta = look_ahead.best_lr_and_beta(1.0, kappa)
    rate = 1 - 2 / np.sqrt(3 * kappa + 1)
    assert look_ahead.spectral_radius(lr * np.linspace(1, kappa, 9), beta).max() == pytest.approx(
        rate, abs=1e-7
    )
    lrs, betas = np.meshgrid(np.linspace(0.2, 2, 181) * lr, np.linspace(0, 0.999, 300))
    others = np.maximum(
        look_ahead.spectral_radius(lrs, betas), look_ahead.spectral_radius(lrs * kappa, betas)
    )
    assert others.min() >= rate - 1e-7


def test_published_best_settings_for_condition_numbers_ten_to_a_thousand():
    # Recomputed from the formulas of distill.pub/2017/momentum.
    published = {
        10: (0.23088615702040688, 0.26987386361223836),
        100: (0.03305785123966942, 0.6694214876033059),
    }
    published[1000] = (0.003758531090837113, 0.8811448109639749)
    for kappa, expected in published.items():
        assert heavy_ball.best_lr_and_beta(1, kappa) == pytest.approx(expected, rel=1e-12)


def test_steps_for_a_digit_at_condition_number_100():
    descent, ball = (100 - 1) / (100 + 1), (10 - 1) / (10 + 1)
    assert -1 / np.log10(descent) == pytest.approx(115.1, abs=0.1)  # in the long run
    assert -1 / np.log10(ball) == pytest.approx(11.5, abs=0.1)


@pytest.mark.parametrize(("target", "descent_steps", "ball_steps"), [(1e-1, 116, 30), (1e-6, 691, 93)])
def test_real_step_counts_at_condition_number_100(target, descent_steps, ball_steps):
    # From (1, 1), counted until the distance has fallen to the target and stays below it. Heavy ball's double
    # root makes its first digit dearer than the later ones: 30 steps, not 11.5.
    curvatures = np.array([0.01, 1.0])
    lr, beta = heavy_ball.best_lr_and_beta(*curvatures)
    walks = {
        descent_steps: path(gradient_descent, slope(curvatures), np.ones(2), 1000, lr=best_lr(curvatures)),
        ball_steps: path(momentum, slope(curvatures), np.ones(2), 1000, lr=lr, beta=beta),
    }
    for steps, walk in walks.items():
        distance = np.linalg.norm(walk, axis=-1)
        assert np.flatnonzero(distance > target * distance[0]).max() + 1 == steps


@pytest.mark.parametrize("rule", [momentum, nesterov])
@pytest.mark.parametrize("beta", [0.5, 0.9])
def test_a_steady_gradient_is_followed_at_lr_over_one_minus_beta(rule, beta):
    walk = path(rule, lambda w: np.ones_like(w), np.zeros(1), 500, lr=0.1, beta=beta)[:, 0]
    assert walk[-2] - walk[-1] == pytest.approx(0.1 / (1 - beta), rel=1e-9)


def test_momentum_best_for_a_quadratic_may_cycle_for_ever_on_another_convex_function():
    walk = path(momentum, lessard_recht_packard, np.array([3.3]), 3000, lr=1 / 9, beta=4 / 9)[:, 0]
    np.testing.assert_allclose(walk[-3:], walk[-6:-3], atol=1e-9)
    np.testing.assert_allclose(np.sort(walk[-3:]), [-1.802, 0.647, 2.116], atol=5e-4)
    # On a quadratic of the same curvatures, 1 to 25, the same setting converges.
    quadratic_walk = path(
        momentum, slope(np.array([1.0, 25.0])), np.array([3.3, 3.3]), 300, lr=1 / 9, beta=4 / 9
    )
    assert heavy_ball.best_lr_and_beta(1, 25) == pytest.approx((1 / 9, 4 / 9))
    assert np.abs(quadratic_walk[-1]).max() < 1e-15


def test_nesterov_converges_where_heavy_ball_cycles():
    walk = path(nesterov, lessard_recht_packard, np.array([3.3]), 3000, lr=1 / 25, beta=2 / 3)[:, 0]
    assert np.abs(walk[-1]) < 1e-15


# --- noise -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("lr_times_curvature", [0.1, 0.5, 1.0, 1.5])
def test_noise_keeps_sgd_at_a_variance_of_its_own(lr_times_curvature):
    h, s = 2.0, 0.7
    lr = lr_times_curvature / h
    coordinates = np.zeros(5000)  # each coordinate has its own noise: 5,000 independent runs
    walk = path(gradient_descent, noisy(slope(h), noise=s, seed=3), coordinates, 300, lr=lr)
    expected = lr * s**2 / (h * (2 - lr * h))
    # Standard error of a variance from 5,000 x 5 nearly independent draws: 0.9%.
    assert walk[100::40].var() == pytest.approx(expected, rel=0.03)


# --- AdaGrad, RMSProp --------------------------------------------------------------------------------


def test_adagrad_under_a_steady_gradient_steps_lr_over_the_root_of_t():
    walk = path(adagrad, lambda w: np.full_like(w, 7.0), np.zeros(1), 400, lr=0.1, eps=0.0)[:, 0]
    np.testing.assert_allclose(-np.diff(walk), 0.1 / np.sqrt(np.arange(1, 401)), rtol=1e-12)


def test_adagrad_steps_never_get_longer_than_lr_and_its_memory_never_fades():
    history = record(adagrad, noisy(d2l.grad), d2l.start, 300, lr=0.1)
    assert (np.diff(history["v"], axis=0) >= 0).all()
    assert np.abs(np.diff(history["w"], axis=0)).max() <= 0.1


@pytest.mark.parametrize("eps", [1e-3, 1e-6, 1e-12])
def test_rmsprop_without_memory_becomes_sign_descent_as_eps_goes_to_zero(eps):
    g = np.array([3.0, -0.2, 0.01])
    step = rmsprop(np.zeros(3), g, lr=0.1, beta=0.0, eps=eps)[0]
    # lr·g/(|g| + eps) is short of lr·sign(g) by eps/|g|, relative; the square root rounds once more.
    np.testing.assert_allclose(step, -0.1 * np.sign(g), rtol=2 * eps / 0.01 + 1e-15)


def test_rmsprop_forgets_an_old_large_gradient_and_adagrad_does_not():
    def grad(w, t):
        return np.full_like(w, 100.0 if t == 0 else 1.0)

    forgets = path(rmsprop, grad, np.zeros(1), 200, lr=0.1, beta=0.9)[:, 0]
    remembers = path(adagrad, grad, np.zeros(1), 200, lr=0.1)[:, 0]
    assert forgets[-2] - forgets[-1] == pytest.approx(0.1, rel=1e-3)
    assert remembers[-2] - remembers[-1] < 0.1 / 100


# --- Adam --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("rule", [adam, amsgrad, adagrad])
@pytest.mark.parametrize("lr", [1e-3, 0.5])
def test_first_step_is_lr_times_the_sign_where_the_gradient_is_far_above_eps(rule, lr):
    g = np.array([1e3, -1.0, 1e-4])
    step = rule(np.zeros(3), g, lr=lr)[0]
    np.testing.assert_allclose(step, -lr * np.sign(g), rtol=1e-8 / 1e-4 + 1e-14)


def test_adams_first_step_is_half_of_lr_where_the_gradient_equals_eps():
    assert adam(np.zeros(1), np.array([1e-8]), lr=0.1)[0][0] == pytest.approx(-0.05, rel=1e-12)


@pytest.mark.parametrize("rule", [adam, amsgrad, adagrad, rmsprop])
@pytest.mark.parametrize("scale", [2.0**-30, 1024.0, 1e-3, 7.0])
def test_without_eps_the_scale_of_the_gradient_does_not_matter(rule, scale):
    slopes = np.random.default_rng(5).standard_normal((100, 2))
    plain = path(rule, lambda w, t: slopes[t], np.zeros(2), 100, lr=0.1, eps=0.0)
    scaled = path(rule, lambda w, t: scale * slopes[t], np.zeros(2), 100, lr=0.1, eps=0.0)
    # Powers of two scale without rounding; others round each gradient once.
    exact = np.log2(scale).is_integer()
    np.testing.assert_allclose(scaled, plain, rtol=0 if exact else 1e-12, atol=0 if exact else 1e-12)


def test_with_eps_the_scale_matters_and_scaling_eps_along_undoes_it():
    slopes = np.random.default_rng(5).standard_normal((100, 2))
    plain, scaled, undone = (
        path(adam, lambda w, t, c=c: c * slopes[t], np.zeros(2), 100, lr=0.1, eps=eps)
        for c, eps in ((1.0, 0.1), (1 / 16, 0.1), (1 / 16, 0.1 / 16))
    )
    assert np.abs(plain - scaled).max() > 0.1
    np.testing.assert_array_equal(plain, undone)


@pytest.mark.parametrize("rule", [adam, amsgrad])
def test_bias_correction_makes_the_moments_exact_under_a_constant_gradient(rule):
    g = np.array([3.0, -0.01])
    history = record(rule, lambda w: g, np.zeros(2), 50)
    t = history["t"][1:]
    np.testing.assert_allclose(history["m"][1:] / (1 - 0.9**t), np.tile(g, (50, 1)), rtol=1e-13)
    np.testing.assert_allclose(history["v"][1:] / (1 - 0.999**t), np.tile(g**2, (50, 1)), rtol=1e-11)
    # So every step is lr long, from the first on.
    np.testing.assert_allclose(-np.diff(history["w"], axis=0), np.tile(1e-3 * np.sign(g), (50, 1)), rtol=2e-6)


def test_uncorrected_adam_takes_too_long_steps_for_thousands_of_steps():
    def uncorrected(w, g, m=0.0, v=0.0, *, lr=1e-3, beta1=0.9, beta2=0.999, eps=0.0):
        m = beta1 * m + (1 - beta1) * g
        v = beta2 * v + (1 - beta2) * g**2
        return w - lr * m / (np.sqrt(v) + eps), m, v

    steps = [
        -np.diff(path(rule, lambda w: np.ones_like(w), np.zeros(1), 3000, eps=0.0, lr=1.0)[:, 0])
        for rule in (uncorrected, adam)
    ]
    too_long = steps[0] / steps[1]  # at step t it is too_long[t - 1] times Adam's
    assert too_long[0] == pytest.approx(3.16, abs=0.005)
    assert too_long.argmax() + 1 == 12
    assert too_long[11] == pytest.approx(6.57, abs=0.005)
    assert np.flatnonzero(too_long > 1.05).max() + 1 == 2374


def test_after_a_long_silence_adams_step_is_longer_than_lr():
    # Kingma and Ba, section 2.1, print lr·(1 − β₁)/√(1 − β₂) as the longest step. It is that of a single
    # gradient after a long silence; lesson 08 and its tests have the bound that holds whatever the gradients.
    lr, beta1, beta2 = 0.1, 0.9, 0.999
    single = lr * (1 - beta1) / np.sqrt(1 - beta2)
    silent = path(adam, lambda w, t: np.full_like(w, float(t == 9999)), np.zeros(1), 10_000, lr=lr, eps=0.0)
    assert np.isnan(silent[1, 0])  # 0/0: what eps is for
    after_silence = path(adam, lambda w, t: np.full_like(w, float(t == 9999)), np.zeros(1), 10_000, lr=lr)
    assert -after_silence[-1, 0] == pytest.approx(single, rel=1e-4)


def test_amsgrad_is_adam_while_the_gradients_grow_and_shorter_once_they_shrink():
    growing = [path(rule, lambda w, t: np.full_like(w, 1.0 + t), np.zeros(1), 50) for rule in (adam, amsgrad)]
    np.testing.assert_array_equal(*growing)
    history = record(amsgrad, lambda w, t: np.full_like(w, 1 / (1 + t)), np.zeros(1), 5000)
    assert (np.diff(history["v_max"], axis=0) >= 0).all()
    shrinking = path(adam, lambda w, t: np.full_like(w, 1 / (1 + t)), np.zeros(1), 5000)
    assert abs(history["w"][-1, 0]) < abs(shrinking[-1, 0])


BOX = {"project": lambda w: np.clip(w, -1, 1)}


def test_adam_goes_to_the_worst_point_of_reddis_example_and_amsgrad_to_the_best():
    setting = {"lr": 0.05, "beta1": 0.0, "beta2": 0.1, **BOX}  # beta2 = 1/(1 + C²)
    assert path(adam, reddi, np.zeros(1), 300, **setting)[-1, 0] == 1.0
    assert path(amsgrad, reddi, np.zeros(1), 300, **setting)[-1, 0] == pytest.approx(-0.965, abs=5e-4)


def test_in_reddis_example_as_in_the_theorem_the_lr_falls_with_the_root_of_t():
    setting = {"lr": lambda t: 0.5 / np.sqrt(t + 1), "beta1": 0.0, "beta2": 0.1, **BOX}
    assert path(adam, reddi, np.zeros(1), 5000, **setting)[-1, 0] > 0.95
    assert path(amsgrad, reddi, np.zeros(1), 5000, **setting)[-1, 0] < -0.95


def test_with_its_default_memories_adam_goes_the_right_way_in_reddis_example():
    for rule in (adam, amsgrad):
        assert path(rule, reddi, np.zeros(1), 300, lr=0.05, **BOX)[-1, 0] == -1.0


def test_reddis_online_example_misleads_adam_with_common_memories_too():
    # 1010 at every 101st step, -10 at the others; lr 0.01, beta1 0.9, beta2 0.99.
    def grad(w, t):
        return np.full_like(w, 1010.0 if t % 101 == 1 else -10.0)

    setting = {"lr": 0.01, "beta1": 0.9, "beta2": 0.99, **BOX}
    adams = path(adam, grad, np.zeros(1), 5000, **setting)[-1000:, 0]
    assert adams.mean() > 0.8
    amsgrads = path(amsgrad, grad, np.zeros(1), 50_000, **setting)[::1000, 0]
    assert amsgrads[-1] < amsgrads[5] < adams.mean()


def test_sweeps_carry_the_theorems_too():
    lrs = np.array([0.1, 1.9, 2.1])
    end = ends(gradient_descent, 1.0, **grid(lr=lrs))
    assert (end < 1).tolist() == (lrs < largest_stable_lr(1.0)).tolist()
