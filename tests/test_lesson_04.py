"""Lesson 04: what its prose says and no cell prints, and that its pictures show what the ball does."""

import numpy as np
import pytest

from optim_lessons.bridge import momentum_lr_inside
from optim_lessons.course.check import check
from optim_lessons.course.exercises.lesson_04 import (
    RAVINE,
    STEPS,
    TARGET,
    four_balls,
    restarted_momentum,
)
from optim_lessons.course.judging.answers import read_pair
from optim_lessons.gradient_descent import best_lr, gradient_descent
from optim_lessons.lab.explore import explore
from optim_lessons.lab.fair import best_of, stays_below, stays_inside
from optim_lessons.lab.path import grid, path, record
from optim_lessons.lab.plots import rule_label
from optim_lessons.landscapes import d2l, lessard_recht_packard, numerical_gradient, quadratic, terrain
from optim_lessons.momentum import best_lr_and_beta, largest_root, momentum, spectral_radius
from optim_lessons.nesterov import nesterov
from optim_lessons.nesterov import spectral_radius as nesterov_radius
from optim_lessons.pictures import momentum as picture
from optim_lessons.pictures import stability
from optim_lessons.sgd import noisy
from optim_lessons.studies import spectrum
from optim_lessons.studies.valley import valley_height

VALLEY = quadratic(condition=100)


def parabola(w):
    return w


# --- sections 2 and 3: the sum, and the effective lr ---------------------------------------------------


@pytest.mark.parametrize("beta", [0.3, 0.9, 0.99])
def test_the_velocity_is_the_sum_of_fading_gradients(beta):
    slopes = np.random.default_rng(0).standard_normal((30, 2))
    m = record(momentum, lambda w, t: slopes[t], np.zeros(2), 30, beta=beta)["m"][-1]
    np.testing.assert_allclose(m, sum(beta**k * slopes[29 - k] for k in range(30)), rtol=1e-12)


@pytest.mark.parametrize("beta", [0.5, 0.9, 0.99])
def test_steady_gradients_add_up_and_alternating_ones_cancel(beta):
    def velocity(slope):
        return abs(record(momentum, slope, np.zeros(1), 3000, beta=beta)["m"][-1, 0])

    assert velocity(lambda w, t: np.ones_like(w)) == pytest.approx(1 / (1 - beta), rel=1e-9)
    assert velocity(lambda w, t: np.full_like(w, (-1.0) ** t)) == pytest.approx(1 / (1 + beta), rel=1e-9)


def test_with_the_effective_lr_held_beta_calms_the_walls_and_keeps_the_pace():
    plain = path(gradient_descent, VALLEY.grad, VALLEY.start, 60, lr=1.9)
    held = path(momentum, VALLEY.grad, VALLEY.start, 60, lr=1.9 * (1 - 0.9), beta=0.9)
    assert check("04.predict_hold", "c")
    # Along: both have gone between half and nine tenths of the way.
    for walk in (plain, held):
        assert 0.5 < 1 - walk[-1, 0] / VALLEY.start[0] < 0.9
    # Across: gradient descent changes sides in every step, the ball in one of five or fewer.
    jumps = [np.mean(np.sign(walk[1:31, 1]) != np.sign(walk[:30, 1])) for walk in (plain, held)]
    assert jumps[0] == 1
    assert jumps[1] < 0.2


def test_beyond_two_over_L_the_ball_arrives_where_descent_explodes():
    # Section 3: lr 3, beta 0.7, condition number 100, 60 steps.
    assert VALLEY(path(momentum, VALLEY.grad, VALLEY.start, 60, lr=3.0, beta=0.7)[-1]) < 1e-6
    assert VALLEY(path(gradient_descent, VALLEY.grad, VALLEY.start, 60, lr=3.0)[-1]) > 1e6


def test_at_beta_095_the_ball_rolls_past_and_the_gradient_brakes():
    # Section 2, in the picture's ravine, at its lr.
    run = record(momentum, quadratic(condition=20).grad, quadratic(condition=20).start, 60, lr=0.5, beta=0.95)
    assert run["w"][:, 0].max() > 1
    past = np.argmax(run["w"][:, 0] > 0)
    assert run["m"][past, 0] < 0 < quadratic(condition=20).grad(run["w"][past])[0]
    along = record(
        momentum, quadratic(condition=20).grad, quadratic(condition=20).start, 60, lr=0.5, beta=0.8
    )
    assert np.abs(along["m"][:, 0]).max() > 3 * np.abs(quadratic(condition=20).grad(along["w"])[:, 0]).max()


# --- section 4: the spring -----------------------------------------------------------------------------


@pytest.mark.parametrize(("lr", "beta"), [(0.1, 0.9), (0.01, 0.5), (3.0, 0.7)])
def test_a_walk_obeys_the_formula_of_two_steps(lr, beta):
    w = path(momentum, parabola, np.ones(1), 40, lr=lr, beta=beta)[:, 0]
    np.testing.assert_allclose(w[2:], (1 + beta - lr) * w[1:-1] - beta * w[:-2], rtol=0, atol=1e-12)


@pytest.mark.parametrize("x", [0.002, 0.1, 0.9])
def test_below_critical_beta_the_ball_never_crosses_and_above_it_does(x):
    critical = (1 - np.sqrt(x)) ** 2
    below = path(momentum, parabola, np.ones(1), 400, lr=x, beta=0.99 * critical)[:, 0]
    above = path(momentum, parabola, np.ones(1), 4000, lr=x, beta=critical + 0.2 * (1 - critical))[:, 0]
    assert (below[:200] > 0).all()
    assert (above < 0).any()


def test_doubling_lr_leaves_the_factor_and_makes_more_swings():
    assert check("04.predict_factor", "a")
    walks = path(momentum, parabola, np.ones(1), 400, **grid(lr=[0.1, 0.2]), beta=0.9)[..., 0]
    swings = (np.diff(np.sign(walks), axis=0) != 0).sum(axis=0)
    assert swings[1] > 1.3 * swings[0]
    assert spectral_radius(0.1, 0.9) == spectral_radius(0.2, 0.9) == pytest.approx(np.sqrt(0.9), rel=1e-12)


@pytest.mark.parametrize("beta", [0.3, 0.9])
def test_at_the_limit_the_ball_may_flip_for_ever(beta):
    # w = (-1)^t obeys the formula of two steps exactly at lr·h = 2(1 + beta).
    assert (1 + beta - 2 * (1 + beta)) * 1 - beta * -1 == pytest.approx(-1, rel=1e-12)
    assert check("04.largest_lr", 2 * 1.6 / 4)


def test_the_words_of_the_pictures_agree_with_the_walks():
    rng = np.random.default_rng(1)
    for lr, beta in zip(np.exp(rng.uniform(-6, 1.6, 200)), rng.uniform(0.01, 0.98, 200), strict=True):
        words, kind = picture.damping(lr, beta), str(spectrum.regime(momentum, lr, beta))
        critical = (1 - np.sqrt(lr)) ** 2
        if kind == spectrum.DIVERGES:
            assert lr >= 2 * (1 + beta)
            assert "Diverges" in words
            continue
        assert lr < 2 * (1 + beta)
        if kind == spectrum.OSCILLATES:
            assert beta > critical
        else:
            assert (kind == spectrum.CREEPS) == (lr < 1)
            assert beta <= critical
        expected = {"oscillates": "Underdamped", "creeps": "Overdamped", "flips": "Two negative"}[kind]
        assert words.startswith((expected, "Critically", "On the limit"))


@pytest.mark.parametrize("beta", [0.0, 0.3, 0.65, 0.9])
def test_exactly_on_the_limit_the_readings_speak_of_the_limit(beta):
    limit = 2 * (1 + beta)
    said = picture.damping(limit, beta)
    assert said.startswith("On the limit"), said
    assert spectrum.regime(momentum, limit, beta) == spectrum.DIVERGES
    explorer = explore(stability.stability_map(momentum, spectral_radius), condition=100.0, lr=1.0)
    explorer.set(lr=limit, beta=beta)
    assert explorer.reading.endswith("The steep direction does not converge."), explorer.reading


def test_the_bar_says_which_direction_is_slower_and_that_equal_ones_are_alike():
    explorer = explore(stability.stability_map(momentum, spectral_radius), condition=100.0)
    for lr, beta, words in (
        (1.0, 0.9, "Both directions are alike: 43.7 steps per digit"),
        (1.0, 0.5, "The flat direction is slower"),
        (3.3, 0.66, "The steep direction is slower: 32.4 steps per digit"),
        (3.3, 0.6, "The steep direction does not converge."),
    ):
        explorer.set(lr=lr, beta=beta)
        assert words in explorer.reading, explorer.reading
    explorer.set(lr=4.5, beta=0.6, condition=1.2)
    assert explorer.reading.endswith("Neither direction converges.")


@pytest.mark.parametrize(("rule", "radius"), [(momentum, spectral_radius), (nesterov, nesterov_radius)])
def test_trace_and_determinant_are_those_of_the_rules_own_matrix(rule, radius):
    rng = np.random.default_rng(2)
    x, beta = rng.uniform(0, 4, 100), rng.uniform(0, 1, 100)
    trace, determinant = spectrum.trace_and_determinant(rule, x, beta)
    np.testing.assert_allclose(largest_root(trace, determinant), radius(x, beta), rtol=1e-12)
    if rule is momentum:
        np.testing.assert_allclose(trace, 1 + beta - x, rtol=1e-12)
        np.testing.assert_allclose(determinant, beta, rtol=0, atol=1e-12)


def test_both_roots_are_the_eigenvalues():
    for lr, beta in ((0.1, 0.9), (0.01, 0.3), (3.5, 0.7)):
        matrix = [[1 - lr, -lr * beta], [1, beta]]
        roots = sorted(spectrum.both_roots(lr, beta), key=lambda z: (z.real, z.imag))
        expected = sorted(np.linalg.eigvals(matrix).astype(complex), key=lambda z: (z.real, z.imag))
        np.testing.assert_allclose(roots, expected, rtol=1e-7)


# --- sections 5, 7 and 8: the best pair ----------------------------------------------------------------


def test_at_the_best_pair_both_ends_touch_the_borders():
    for kappa in (4.0, 100.0, 1e4):
        lr, beta = best_lr_and_beta(1 / kappa, 1.0)
        assert lr / kappa == pytest.approx((1 - np.sqrt(beta)) ** 2, rel=1e-9)
        assert lr == pytest.approx((1 + np.sqrt(beta)) ** 2, rel=1e-12)
        assert np.sqrt(beta) == pytest.approx((np.sqrt(kappa) - 1) / (np.sqrt(kappa) + 1), rel=1e-12)
    assert check("04.best_beta", best_lr_and_beta(0.01, 1.0)[1])


def test_a_default_of_09_is_best_for_a_condition_number_of_1440():
    kappa = ((1 + np.sqrt(0.9)) / (1 - np.sqrt(0.9))) ** 2
    assert kappa == pytest.approx(1440, abs=5)
    assert best_lr_and_beta(1 / kappa, 1.0)[1] == pytest.approx(0.9, rel=1e-12)


def test_the_polynomial_at_one_and_minus_one_is_what_the_proof_says():
    rng = np.random.default_rng(3)
    x, beta, r = rng.uniform(0, 4, 50), rng.uniform(0, 1, 50), rng.uniform(0.1, 1, 50)

    def P(z):
        return z**2 - (1 + beta - x) * z + beta

    np.testing.assert_allclose(P(1), x, atol=1e-12)
    np.testing.assert_allclose(P(-1), 2 * (1 + beta) - x, atol=1e-12)
    np.testing.assert_allclose(P(r), r * (x - (1 - r) * (1 - beta / r)), atol=1e-12)
    np.testing.assert_allclose(P(-r), r * ((1 + r) * (1 + beta / r) - x), atol=1e-12)


def test_the_best_pair_leaps_to_3_7_times_its_distance_with_an_lr_of_3_3():
    lr, beta = best_lr_and_beta(0.01, 1.0)
    assert lr == pytest.approx(3.3, abs=0.01)
    r, t = np.sqrt(beta), np.arange(200)
    walk = path(momentum, VALLEY.grad, np.ones(2), 199, lr=lr, beta=beta)
    np.testing.assert_allclose(walk[:, 0], (1 + (1 - r) * t) * r**t, rtol=0, atol=1e-12)
    np.testing.assert_allclose(walk[:, 1], (1 + (1 + r) * t) * (-r) ** t, rtol=0, atol=1e-12)
    assert np.abs(walk[:, 1]).max() == pytest.approx(3.7, abs=0.05)


# --- the goal ------------------------------------------------------------------------------------------


def loss_after(lr, beta):
    return RAVINE(path(momentum, RAVINE.grad, RAVINE.start, STEPS, lr=lr, beta=beta)[-1])


def test_the_goal_is_out_of_reach_for_the_theorys_pair_and_for_descent():
    assert loss_after(*best_lr_and_beta(0.01, 1.0)) == pytest.approx(0.51, abs=0.005)
    without = RAVINE(
        path(gradient_descent, RAVINE.grad, RAVINE.start, STEPS, **grid(lr=np.linspace(0.01, 2, 2000)))[-1]
    )
    assert np.nanmin(without) == pytest.approx(0.039, abs=0.0005)
    assert np.nanmin(without) > 5 * TARGET


def test_the_goal_has_a_window_of_a_few_percent_of_the_sliders():
    pairs = grid(lr=np.linspace(0.1, 4, 80), beta=np.linspace(0, 0.95, 40))
    with np.errstate(over="ignore"):
        losses = RAVINE(path(momentum, RAVINE.grad, RAVINE.start, 100, **pairs))
    reached = stays_below(losses, TARGET) <= STEPS
    assert 0.02 < reached.mean() < 0.08
    assert not reached[pairs["lr"].ravel() > best_lr_and_beta(0.01, 1.0)[0]].any()  # a smaller lr won
    for i, lr in enumerate(pairs["lr"].ravel()[::8]):
        for j, beta in enumerate(pairs["beta"].ravel()[::4]):
            assert bool(check("04.twenty_steps", (lr, beta))) == reached[8 * i, 4 * j]


def test_a_few_pairs_above_the_theorys_lr_reach_the_goal_too():
    lr, beta = map(np.ravel, np.meshgrid(np.linspace(1.9, 3.5, 161), np.linspace(0.5, 0.8, 151)))
    with np.errstate(over="ignore"):
        ws = path(momentum, RAVINE.grad, RAVINE.start, 60, lr=lr[:, None], beta=beta[:, None])
    above = lr[stays_below(RAVINE(ws), TARGET) <= STEPS] > best_lr_and_beta(0.01, 1.0)[0]
    assert 0 < above.mean() < 0.01
    assert check("04.twenty_steps", (3.33, 0.688))


def test_the_best_pair_has_the_lowest_factor_that_all_directions_share():
    curvatures = np.geomspace(0.01, 1, 50)
    lrs, betas = np.linspace(0.01, 3.9, 120)[:, None, None], np.linspace(0, 0.99, 100)[:, None]
    factors = spectral_radius(lrs * curvatures, betas)
    shared = np.ptp(factors, axis=-1) < 1e-6
    assert shared.any()
    assert factors.max(axis=-1)[shared].min() > spectral_radius(*best_lr_and_beta(0.01, 1.0)) - 1e-9


@pytest.mark.parametrize(
    ("pair", "name"),
    [
        (best_lr_and_beta(0.01, 1.0), "rings-across"),
        ((0.01, 0.5), "too-slow"),  # creeps across as well
        ((1.95, 0.0), "rings-across"),
        ((1.9, 0.0), "too-slow"),
        ((1.0, 0.5), "too-slow"),
        ((0.5, 0.95), "rings-across"),
        ((2.0, 0.92), "rolled-past"),
        ((3.4, 0.8), "crossing"),
        ((3.0, 0.5), "diverged"),
        ((1e300, 0.5), "diverged"),
        ((-1.0, 0.5), "not-allowed"),
        ((1.0, 1.0), "not-allowed"),
        ((1.0, -0.1), "not-allowed"),
        (2.6, "no-pair"),
        ((2.6, 0.7, 1.0), "no-pair"),
        ("2.6, 0.7", "no-pair"),
        ((2.6, "0.7"), "text"),
        ((2.6, np.nan), "not-finite"),
    ],
)
def test_each_way_to_miss_the_goal_has_a_name(pair, name):
    assert check("04.twenty_steps", pair).mistake == name


def test_a_pair_may_come_as_tuple_list_or_array_and_half_a_pair_is_still_open():
    for pair in ((2.6, 0.7), [2.6, 0.7], np.array([2.6, 0.7])):
        assert read_pair("x", pair) == (2.6, 0.7)
        assert check("04.twenty_steps", pair)
    for half in ((2.6, ...), (None, 0.7), ...):
        assert not check("04.twenty_steps", half).done


# --- the diagnosis -------------------------------------------------------------------------------------


def test_the_four_balls_look_as_their_names_say():
    runs = four_balls()
    swings = {name: (np.diff(np.sign(w[np.abs(w) > 1e-9])) != 0).sum() for name, w in runs.items()}
    assert swings["B"] == swings["D"] == 0
    assert 2 <= swings["A"] <= 5
    assert swings["C"] == 50
    assert abs(runs["D"][-1]) < 1e-3 < 0.05 < runs["B"][-1]
    assert np.abs(runs["C"][-1]) > 1e4
    assert np.abs(runs["A"][-10:]).max() < 0.5


# --- section 6: real data ------------------------------------------------------------------------------
# The cells print the numbers; here is the claim that they rest on.


@pytest.mark.parametrize("beta", [0.0, 0.5, 0.9])
@pytest.mark.parametrize("effective", [0.1, 1.0, 1.9])
def test_noise_leaves_the_ball_the_variance_of_claim_3(effective, beta):
    h, s = 1.0, 1.0
    walk = path(momentum, noisy(parabola), np.zeros(5000), 500, lr=effective * (1 - beta), beta=beta)
    expected = effective * s**2 / (h * (2 - effective * h * (1 - beta) / (1 + beta)))
    # 5,000 coordinates, 5 looks, correlated: the standard error is below 2%.
    assert walk[300::50].var() == pytest.approx(expected, rel=0.06)


def test_at_equal_lr_beta_makes_the_noise_worse():
    spread = [
        path(momentum, noisy(parabola), np.zeros(2000), 400, lr=0.01, beta=b)[-1].std() for b in (0.0, 0.9)
    ]
    assert spread[1] > 2.5 * spread[0]


# --- section 9: restarts and the cycle -----------------------------------------------------------------


def test_a_restart_is_momentum_until_the_velocity_leads_uphill_and_descent_at_that_step():
    ravine = quadratic(condition=20)
    plain = record(momentum, ravine.grad, ravine.start, 60, lr=0.3, beta=0.95)
    mine = record(restarted_momentum, ravine.grad, ravine.start, 60, lr=0.3, beta=0.95)
    slopes = ravine.grad(mine["w"])
    uphill = (slopes * mine["m"]).sum(axis=-1) < 0
    first = int(np.argmax(uphill))
    assert 0 < first < 60
    np.testing.assert_array_equal(mine["w"][: first + 1], plain["w"][: first + 1])
    np.testing.assert_allclose(mine["w"][first + 1], mine["w"][first] - 0.3 * slopes[first], rtol=1e-12)
    assert ravine(mine["w"][-1]) < 1e-2 * ravine(plain["w"][-1])


def test_restarts_of_runs_side_by_side_are_those_of_the_single_runs():
    starts = np.random.default_rng(4).uniform(-3, 3, (5, 2))
    together = path(restarted_momentum, d2l.grad, starts, 50, lr=0.1, beta=0.95)
    for i, start in enumerate(starts):
        alone = path(restarted_momentum, d2l.grad, start, 50, lr=0.1, beta=0.95)
        np.testing.assert_allclose(together[:, i], alone, rtol=0, atol=1e-12)


def test_the_cycle_has_the_slopes_of_the_text_and_depends_on_beta_as_it_says():
    walk = path(momentum, lessard_recht_packard, np.array([3.3]), 3000, lr=1 / 9, beta=4 / 9)[:, 0]
    top = walk[-3:].max()
    assert lessard_recht_packard(top) == pytest.approx(29, abs=0.5)
    assert 25 * top == pytest.approx(53, abs=0.5)
    ends = {
        beta: abs(path(momentum, lessard_recht_packard, np.array([3.3]), 3000, lr=1 / 9, beta=beta)[-1, 0])
        for beta in (0.4, 0.46)
    }
    assert ends[0.4] < 1e-9
    assert ends[0.46] > 0.1


def test_the_valleys_height_has_the_slope_that_the_walk_uses():
    for bend in (1.0, 2.0):  # no step where the pieces meet
        assert np.ptp(valley_height(bend + np.array([-1e-9, 1e-9]))) < 1e-6
    w = np.linspace(-4, 4, 81)[:, None] + 0.013
    slope = numerical_gradient(lambda w: valley_height(w[..., 0]), w)
    np.testing.assert_allclose(slope, lessard_recht_packard(w), rtol=1e-6, atol=1e-6)


def test_after_an_lr_cut_the_form_with_lr_inside_rolls_on():
    def cut(t):
        return 1.0 if t < 10 else 0.1

    w = path(momentum, lambda w: np.ones_like(w), np.zeros(1), 12, lr=cut)[:, 0]
    u = path(momentum_lr_inside, lambda w: np.ones_like(w), np.zeros(1), 12, lr=cut)[:, 0]
    np.testing.assert_allclose(w[:11], u[:11], rtol=1e-12)
    assert abs(u[11] - u[10]) > 5 * abs(w[11] - w[10])


# --- the pictures draw what the rule does --------------------------------------------------------------


def test_the_map_puts_the_point_where_the_knobs_are_and_draws_its_walk():
    for rule, radius in ((momentum, spectral_radius), (nesterov, nesterov_radius)):
        explorer = explore(stability.stability_map(rule, radius))
        explorer.set(lr=0.7, beta=0.6, condition=50.0)
        for name, h in (("steep", 1.0), ("flat", 1 / 50)):
            assert explorer.shown[f"{name} point"] == ([0.7 * h], [0.6])
            walk = path(rule, lambda w, h=h: h * w, np.ones(1), stability.STEPS, lr=0.7, beta=0.6)[:, 0]
            np.testing.assert_array_equal(explorer.shown[f"{name} walk"], walk)
        assert f"{radius(0.7, 0.6):.3f}" in explorer.reading
        assert f"{radius(0.7 / 50, 0.6):.3f}" in explorer.reading


def test_the_ravine_holds_the_effective_lr_only_if_told_to():
    explorer = explore(picture.ravine(), condition=100.0)
    for hold, used in ((False, 1.5), (True, 1.5 * (1 - 0.8))):
        explorer.set(lr=1.5, beta=0.8, hold=hold, steps=20)
        expected = path(momentum, VALLEY.grad, VALLEY.start, 20, lr=used, beta=0.8)
        np.testing.assert_array_equal(explorer.shown["ball"], expected)
        plain = path(gradient_descent, VALLEY.grad, VALLEY.start, 20, lr=1.5)
        np.testing.assert_array_equal(explorer.shown["descent"], plain)
        assert explorer.shown["used"] == pytest.approx(used)


def test_the_two_arrows_of_the_velocity_lead_to_the_next_step():
    explorer = explore(picture.velocity())
    for step in (0, 3, 17):
        explorer.set(lr=0.4, beta=0.85, step=step)
        ravine = quadratic(condition=20)
        run = record(momentum, ravine.grad, ravine.start, picture.STEPS, lr=0.4, beta=0.85)
        (start, kept), (corner, push) = explorer.shown["kept"], explorer.shown["push"]
        np.testing.assert_allclose(corner, start + kept, rtol=1e-12)
        np.testing.assert_array_equal(start, run["w"][step])
        np.testing.assert_allclose(start + kept + push, run["w"][step + 1], rtol=0, atol=1e-12)
        np.testing.assert_array_equal(explorer.shown["g0"], ravine.grad(run["w"])[:, 0])
        np.testing.assert_array_equal(explorer.shown["m0"], run["m"][:, 0])


def test_the_reading_of_the_velocity_says_what_the_old_one_does():
    explorer = explore(picture.velocity())
    said = {
        (0.9, 0): "There is no old velocity yet",
        (0.9, 1): "agree",
        (0.9, 3): "brakes the old velocity",
        (0.0, 5): "Nothing is kept of the old velocity",
    }
    for (beta, step), words in said.items():
        explorer.set(beta=beta, step=step)
        assert words in explorer.reading


def test_the_spring_draws_the_walk_its_band_and_its_roots():
    explorer = explore(picture.spring())
    explorer.set(lr=0.3, beta=0.7)
    walk = path(momentum, parabola, np.ones(1), picture.STEPS, lr=0.3, beta=0.7)[:, 0]
    np.testing.assert_array_equal(explorer.shown["ball"], walk)
    band = explorer.shown["edges"][0]
    np.testing.assert_allclose(band, spectral_radius(0.3, 0.7) ** np.arange(picture.STEPS + 1), rtol=1e-12)
    real, imaginary = explorer.shown["roots"]
    np.testing.assert_allclose(real + 1j * imaginary, spectrum.both_roots(0.3, 0.7), rtol=1e-12)


def test_the_valley_draws_each_rules_walk_and_tells_its_fate():
    explorer = explore(picture.valley_walks(momentum, nesterov))
    explorer.set(lr=1 / 9, beta=4 / 9, start=3.3)
    for rule in (momentum, nesterov):
        walk = path(rule, lessard_recht_packard, np.array([3.3]), 120, lr=1 / 9, beta=4 / 9)[:, 0]
        np.testing.assert_array_equal(explorer.shown[rule_label(rule)], walk)
    assert "it goes round -1.80, 0.65, 2.12 and never arrives." in explorer.reading
    explorer.set(lr=1 / 9, beta=0.4)  # slow, but it arrives: see the cycle's test above
    assert "Momentum: after 120 steps it still moves between -0.014 and 0.015." in explorer.reading
    explorer.set(lr=0.04, beta=4 / 9)
    assert "Momentum: it arrives" in explorer.reading
    explorer.set(lr=0.15, beta=0.0)
    assert "Momentum: it diverges." in explorer.reading


@pytest.mark.parametrize("rule", [momentum, nesterov])
def test_only_a_walk_that_truly_never_arrives_is_said_to_go_round(rule):
    knobs = grid(lr=np.linspace(0.05, 0.16, 23), beta=np.linspace(0, 0.9, 19))
    said, ends = [], []
    for start in np.linspace(-4, 4, 9):  # one after another: together they take a quarter of a gigabyte
        walks = path(rule, lessard_recht_packard, np.array([start]), 3000, **knobs)[..., 0].reshape(3001, -1)
        said += [picture._fate(walk[:121]) for walk in walks.T]
        ends.append(np.abs(walks[-10:]).max(axis=0))
    said, ends = np.array(said), np.concatenate(ends)
    round_ = np.char.startswith(said, "it goes round")
    assert 20 < round_.sum() < len(said) / 2
    assert (ends[round_] > 1e-2).all()
    arrived = np.char.startswith(said, "it arrives")
    assert (ends[arrived] < 1e-2).all()


def test_still_pictures_say_their_numbers():
    walks = {
        "gradient descent": np.linalg.norm(
            path(gradient_descent, VALLEY.grad, np.ones(2), 50, lr=best_lr([0.01, 1.0])), axis=-1
        )
    }
    still = picture.first_digits(walks, {"gradient descent": 99 / 101})
    assert f"{walks['gradient descent'][-1] / np.sqrt(2):.1g} of the distance" in still.text
    assert "C: from 1 to 4.2e+04" in picture.four_balls(four_balls()).text
    assert "ours 1e-02" in picture.losses_of([("ours", momentum, np.array([1.0, 0.01]))], "t").text


def test_a_restart_at_a_wrong_place_is_not_taken_for_a_velocity_that_is_never_used():
    def by_place(w, g, m=0.0, *, lr=0.01, beta=0.9):
        m = beta * np.where((w * m).sum(axis=-1, keepdims=True) < 0, 0.0, m) + g
        return w - lr * m, m

    assert check("04.restarted_momentum", by_place).mistake is None


# --- what is certain, and what is counted fairly --------------------------------------------------------


def test_held_the_pace_along_is_the_same_until_the_memory_is_too_long():
    def steps(beta):
        ws = path(momentum, VALLEY.grad, np.array([1.0, 0.0]), 1000, lr=1.9 * (1 - beta), beta=beta)
        return stays_below(np.abs(ws[:, 0]), 0.1)

    assert [steps(beta) for beta in (0.0, 0.9, 0.99)] == [121, 107, 350]


def test_in_phase_space_a_complex_pair_turns_and_shrinks_by_the_root_of_beta():
    explorer = explore(picture.phase_space())
    explorer.set(lr=0.1, beta=0.9)
    assert explorer.reading.startswith(
        "A spiral: once round in 19.5 steps; the size is multiplied by 0.949 in each, on average"
    )
    run = record(momentum, parabola, np.ones(1), picture.STEPS, lr=0.1, beta=0.9)
    expected = np.stack([run["w"][:, 0], 0.1 * run["m"][:, 0]], axis=-1)
    np.testing.assert_allclose(np.stack(explorer.shown["walk"], axis=-1), expected)
    explorer.set(lr=0.4)
    assert "multiplied by 0.949" in explorer.reading
    explorer.set(lr=0.1, beta=0.46)
    assert explorer.reading.startswith("No spiral")


@pytest.mark.parametrize(
    ("lr", "beta", "words"),
    [
        (1.0, 0.0, "Slowest: curvature 0.01, factor 0.990; fastest: curvature 1, factor 0.000."),
        (1.0, 0.81, "All 5 directions have the same factor, 0.900."),
        (3.3, 0.67, "All 5 directions have the same factor, 0.819."),
        (2.1, 0.0, "The direction of curvature 1 does not shrink."),
    ],
)
def test_the_spectrum_says_which_direction_the_others_wait_for(lr, beta, words):
    explorer = explore(picture.spectrum())
    explorer.set(lr=lr, beta=beta)
    assert explorer.reading == words
    h = picture.CURVATURES
    ws = path(momentum, lambda w: h * w, np.ones(len(h)), 120, lr=lr, beta=beta)
    np.testing.assert_allclose(explorer.shown["each"], np.abs(ws.T))


def test_a_loss_times_a_thousand_is_the_same_walk_at_a_thousandth_of_the_lr_with_the_same_beta():
    one = record(momentum, VALLEY.grad, VALLEY.start, 100, lr=1.0, beta=0.9)
    many = record(momentum, lambda w: 1000 * VALLEY.grad(w), VALLEY.start, 100, lr=0.001, beta=0.9)
    np.testing.assert_allclose(many["w"], one["w"], rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(many["m"], 1000 * one["m"], rtol=1e-9, atol=1e-9)
    lost = path(momentum, lambda w: 1000 * VALLEY.grad(w), VALLEY.start, 300, lr=1.0, beta=0.9)
    assert np.isnan(lost[-1]).all()


def test_no_lr_of_the_defaults_claim_stands_at_an_end_of_its_range():
    lrs = np.geomspace(0.001, 3.9, 80)
    counts = {}
    for kappa in (1, 4, 30, 1000, 10_000):
        for beta in (0.0, 0.5, 0.9, 0.98):
            ws = path(momentum, quadratic(condition=kappa).grad, np.ones(2), 4000, lr=lrs[:, None], beta=beta)
            steps = stays_below(np.abs(ws).max(axis=-1), 1e-3)
            counts[kappa, beta] = steps.min()
            assert np.isinf(steps).all() or not best_of(steps, lr=lrs).at_edge
    for kappa in (1, 4, 30, 1000, 10_000):  # beta 0.9 is nowhere the worst of the four
        assert counts[kappa, 0.9] < max(counts[kappa, beta] for beta in (0.0, 0.5, 0.98))


def test_a_ball_on_the_mountains_leaves_the_map_or_ends_about_as_often_higher_as_lower():
    land = terrain()
    sides = (np.linspace(low + 1, high - 1, 20) for low, high in land.box)
    lattice = np.stack(np.meshgrid(*sides), axis=-1)
    plain = path(momentum, land.grad, lattice, 2000, lr=0.003, beta=0.0)
    assert stays_inside(plain, land.box).all()
    for beta, leave, lower, higher in ((0.9, 0.28, 0.09, 0.09), (0.98, 0.69, 0.09, 0.04)):
        ball = path(momentum, land.grad, lattice, 2000, lr=0.003, beta=beta)
        stay = stays_inside(ball, land.box)
        change = land(ball[-1][stay]) - land(plain[-1][stay])
        assert 1 - stay.mean() == pytest.approx(leave, abs=0.02)
        assert np.mean(change < -10) == pytest.approx(lower, abs=0.02)
        assert np.mean(change > 10) == pytest.approx(higher, abs=0.02)
