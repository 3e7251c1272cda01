"""Lesson 05: what its page says and its pictures show is what Nesterov's rule does."""

import numpy as np
import pytest

from optim_lessons import momentum as heavy_ball
from optim_lessons import nesterov as look_ahead
from optim_lessons.course.check import check
from optim_lessons.course.exercises.lesson_05 import (
    RAVINE,
    STEPS,
    TARGET,
    four_runs,
    nesterov_growing,
)
from optim_lessons.gradient_descent import gradient_descent
from optim_lessons.lab import datasets, models
from optim_lessons.lab.explore import explore
from optim_lessons.lab.fair import best_of, settled
from optim_lessons.lab.path import path, record
from optim_lessons.landscapes import lessard_recht_packard, quadratic
from optim_lessons.momentum import momentum
from optim_lessons.nesterov import nesterov
from optim_lessons.pictures import nesterov as picture
from optim_lessons.pictures import stability
from optim_lessons.studies import spectrum
from optim_lessons.studies.chain import CHAIN, chain, growing, unreachable
from optim_lessons.studies.forms import three_forms

SQUARE = {"rtol": 1e-12, "atol": 1e-12}


def parabola(h):
    return lambda w: h * w


def seen(scene, **values):
    """Return what a scene shows for these values of its knobs."""
    return scene.show(**scene.moving | values)


# --- the forms ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(("lr", "beta", "step"), [(0.5, 0.9, 3), (0.9, 0.4, 7), (0.3, 0.0, 2)])
def test_the_arrows_lead_from_where_a_form_stands_over_its_gradient_to_where_it_goes(lr, beta, step):
    ravine = quadratic(condition=5.0)
    forms = three_forms(ravine, lr, beta, step)
    for form, rule in (("heavy ball", momentum), ("this course's form", nesterov)):
        ws = path(rule, ravine.grad, ravine.start, step, lr=lr, beta=beta)
        np.testing.assert_allclose(forms[form]["start"], ws[step - 1], **SQUARE)
        np.testing.assert_allclose(forms[form]["end"], ws[step], **SQUARE)
        np.testing.assert_array_equal(forms[form]["gradient_at"], forms[form]["start"])
    theta, u = ravine.start, np.zeros(2)
    for _ in range(step):
        start, corner = theta, theta + beta * u
        u = beta * u - lr * ravine.grad(corner)
        theta = theta + u
    ahead, ours = forms["look-ahead form"], forms["this course's form"]
    for name, point in (("start", start), ("corner", corner), ("gradient_at", corner), ("end", theta)):
        np.testing.assert_allclose(ahead[name], point, **SQUARE)
    np.testing.assert_array_equal(ahead["gradient_at"], ours["gradient_at"])  # the rings are the same
    np.testing.assert_allclose(ours["corner"], theta, **SQUARE)  # its thin arrow ends on a hollow mark
    for form in forms.values():  # of the two arrows of a step, one is −lr times the gradient at the ring
        step_down = -lr * ravine.grad(form["gradient_at"])
        arrows = form["corner"] - form["start"], form["end"] - form["corner"]
        assert min(np.abs(arrow - step_down).max() for arrow in arrows) < 1e-12


def test_without_memory_the_three_forms_are_one():
    forms = three_forms(quadratic(condition=5.0), 0.5, 0.0, 4).values()
    ends = np.array([form["end"] for form in forms])
    np.testing.assert_allclose(ends, ends[[0, 0, 0]], **SQUARE)


def test_the_picture_of_the_arrows_shows_these_points():
    shown = seen(picture.arrows(), lr=0.5, beta=0.9, step=3)
    for form, points in three_forms(quadratic(condition=5.0), 0.5, 0.9, 3).items():
        np.testing.assert_array_equal(shown[f"first, {form}"], (points["start"], points["corner"]))
        np.testing.assert_array_equal(shown[f"second, {form}"], (points["corner"], points["end"]))
        for name in ("gradient_at", "end"):
            np.testing.assert_array_equal(shown[f"{name}, {form}"], points[name][None])
        np.testing.assert_array_equal(shown[f"past, {form}"][-1], points["start"])
    assert "(-2.88, -0.30)" in shown.reading


def test_the_gradient_turns_back_harder_where_it_is_taken_ahead():
    # In the default picture the steep slope at the heavy ball's point is still small, ahead it is larger.
    forms = three_forms(quadratic(condition=5.0), 0.5, 0.9, 3)
    ahead, ball = (forms[name]["gradient_at"][1] for name in ("look-ahead form", "heavy ball"))
    assert ahead < 1.9 * ball < 0  # it brakes harder


# --- side by side ------------------------------------------------------------------------------------


def test_the_picture_of_the_cycle_shows_both_walks_at_their_own_settings():
    shown = seen(picture.cycle(), start=3.3, lr_scale=1.0)
    walks = {
        "heavy ball": path(momentum, lessard_recht_packard, np.array([3.3]), 60, lr=1 / 9, beta=4 / 9),
        "Nesterov": path(nesterov, lessard_recht_packard, np.array([3.3]), 60, lr=1 / 25, beta=2 / 3),
    }
    for name, ws in walks.items():
        np.testing.assert_array_equal(shown[name], ws[:, 0])
        np.testing.assert_array_equal(shown[f"distance of {name}"], np.abs(ws[:, 0]))
    lower = seen(picture.cycle(), start=-3.0, lr_scale=0.8)
    ball = path(momentum, lessard_recht_packard, np.array([-3.0]), 60, lr=0.8 / 9, beta=4 / 9)[:, 0]
    np.testing.assert_allclose(lower["heavy ball"], ball, rtol=1e-12, atol=1e-12)
    assert lower.reading == "After 60 steps: heavy ball is at the minimum; Nesterov is at the minimum."
    assert "heavy ball goes round for ever: -1.80, 0.65, 2.12; Nesterov is at the minimum" in shown.reading


def test_one_start_in_eight_is_lost_to_the_cycle_and_with_a_lower_lr_none():
    starts = np.linspace(-4, 4, 801)[:, None]
    lost = {
        scale: np.abs(path(momentum, lessard_recht_packard, starts, 1000, lr=scale / 9, beta=4 / 9)[-1])
        > 0.01
        for scale in (0.8, 1.0)
    }
    assert lost[1.0].mean() == pytest.approx(1 / 8, abs=0.01)
    assert not lost[0.8].any()


def test_the_ravine_shows_both_rules_at_one_setting_and_reads_their_factors():
    shown = seen(picture.side_by_side(), lr=0.5, beta=0.9, condition=30.0)
    ravine = quadratic(condition=30.0)
    for name, rule in (("heavy ball", momentum), ("Nesterov", nesterov)):
        ws = path(rule, ravine.grad, ravine.start, 80, lr=0.5, beta=0.9)
        np.testing.assert_array_equal(shown[f"walk of {name}"], ws)
        np.testing.assert_array_equal(shown[f"steep, {name}"], ws[:, 1])
        np.testing.assert_array_equal(shown[f"flat, {name}"], ws[:, 0])
    assert "heavy ball: steep 0.949" in shown.reading
    assert "Nesterov: steep 0.671" in shown.reading


def test_the_prediction_for_the_steep_coordinate_is_what_the_walks_do():
    def swing(rule):
        w = path(rule, parabola(1.0), np.ones(1), 80, lr=0.5, beta=0.9)[:, 0]
        return np.abs(w[40:]).max()

    assert heavy_ball.spectral_radius(0.5, 0.9) == pytest.approx(0.95, abs=0.002)
    assert swing(nesterov) < 1e-5 * swing(momentum)
    assert check("05.predict_steep", "b")


def test_along_the_floor_the_two_rules_are_nearly_the_same():
    flat = [path(rule, parabola(0.01), np.ones(1), 200, lr=0.5, beta=0.9) for rule in (momentum, nesterov)]
    assert np.abs(flat[0] - flat[1]).max() < 0.05


@pytest.mark.parametrize("condition", [30.0, 100.0, 250.0, 300.0])
def test_the_heavy_balls_factor_is_the_root_of_beta_in_each_direction_that_swings_and_higher_where_it_creeps(
    condition,
):
    flat = 0.5 / condition
    swings = flat > (1 - np.sqrt(0.9)) ** 2
    assert swings == (condition < 190)
    assert heavy_ball.spectral_radius(0.5, 0.9) == pytest.approx(0.949, abs=5e-4)
    if swings:
        assert heavy_ball.spectral_radius(flat, 0.9) == pytest.approx(0.949, abs=5e-4)
    elif condition == 300:
        assert heavy_ball.spectral_radius(flat, 0.9) == pytest.approx(0.979, abs=5e-4)


@pytest.mark.parametrize("beta", [0.3, 0.9])
def test_nesterov_damps_a_direction_that_swings_the_more_the_steeper_it_is_up_to_one(beta):
    x = np.linspace(((1 - beta) / (1 + beta)) ** 2, 1, 200)
    assert (np.diff(look_ahead.spectral_radius(x, beta)) < 0).all()
    both = x[x > (1 - np.sqrt(beta)) ** 2]  # where the heavy ball swings too
    assert (look_ahead.spectral_radius(both, beta) < heavy_ball.spectral_radius(both, beta)).all()
    limit = spectrum.LIMITS["Nesterov"](beta)  # near it, the heavy ball is the calmer one
    assert look_ahead.spectral_radius(0.999 * limit, beta) > heavy_ball.spectral_radius(0.999 * limit, beta)
    assert look_ahead.spectral_radius(1.1, beta) > look_ahead.spectral_radius(1.0, beta)


# --- the limit ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(("x", "beta"), [(0.3, 0.9), (1.2, 0.5), (0.01, 0.4)])
def test_momentum_first_and_then_everything_shrinks(x, beta):
    w = path(nesterov, parabola(1.0), np.ones(1), 30, lr=x, beta=beta)[:, 0]
    np.testing.assert_allclose(w[2:], (1 - x) * ((1 + beta) * w[1:-1] - beta * w[:-2]), **SQUARE)


def test_at_lr_times_curvature_one_everything_ends_in_two_steps():
    w = path(nesterov, parabola(1.0), np.ones(1), 3, lr=1.0, beta=0.8)[:, 0]
    assert w[1] != 0
    assert np.abs(w[2:]).max() < 1e-15
    assert look_ahead.spectral_radius(1.0, 0.8) == 0


@pytest.mark.parametrize("beta", [0.2, 0.9])
def test_the_walk_swings_between_the_two_borders_of_the_page(beta):
    low = ((1 - beta) / (1 + beta)) ** 2
    for x, swings in ((0.9 * low, False), (1.1 * low, True), (0.99, True), (1.01, False)):
        p, q = (1 + beta) * (1 - x), beta * (1 - x)
        assert (p * p / 4 < q) == swings
    if beta == 0.9:
        assert low == pytest.approx(0.003, abs=3e-4)


def test_the_roots_of_the_flat_direction_meet_at_nine_elevenths():
    beta = 9 / 11
    assert (1 + beta) ** 2 * (1 - 0.01) == pytest.approx(4 * beta, rel=1e-12)
    others = np.linspace(0, 0.999, 2000)
    assert look_ahead.spectral_radius(0.01, others).min() >= look_ahead.spectral_radius(0.01, beta) - 1e-6


def test_the_limits_drawn_are_where_the_factors_reach_one():
    beta = np.linspace(0, 0.99, 50)
    for name, limit in spectrum.LIMITS.items():
        assert spectrum.FACTORS[name](limit(beta), beta) == pytest.approx(1, rel=1e-9), name
    assert spectrum.LIMITS["Nesterov"](0.9) < 0.5 * spectrum.LIMITS["heavy ball"](0.9)
    assert spectrum.LIMITS["Nesterov"](1.0) == pytest.approx(4 / 3)
    assert check("05.predict_limit", "c")


def test_the_limit_asked_for_is_where_the_walk_turns():
    h = np.array([0.5, 3.0, 40.0])
    limit = spectrum.LIMITS["Nesterov"](0.8) / 40
    assert check("05.nesterov_limit", limit)
    for lr, arrives in ((0.99 * limit, True), (1.01 * limit, False)):
        end = path(nesterov, parabola(h), np.ones(3), 4000, lr=lr, beta=0.8)[-1]
        assert (np.abs(end).max() < 1e-6) == arrives


def test_other_limits_are_told_apart():
    for value, name in (
        (spectrum.LIMITS["gradient descent"](0.8) / 40, "gradient-descents"),
        (spectrum.LIMITS["heavy ball"](0.8) / 40, "heavy-balls"),
        (look_ahead.best_lr_and_beta(0.5, 40)[0], "best-on-a-quadratic"),
        (spectrum.LIMITS["Nesterov"](1.0) / 40, "beta-taken-for-one"),
        (spectrum.LIMITS["Nesterov"](0.8) / 0.5, "flattest"),
    ):
        assert check("05.nesterov_limit", value).mistake == name


def test_the_picture_of_the_factors_shows_each_rules_own():
    shown = seen(picture.factor_against_curvature(), beta=0.7, lr=0.4)
    x = np.linspace(0, 4.2, 841)
    np.testing.assert_array_equal(shown["Nesterov"][1], look_ahead.spectral_radius(x, 0.7))
    np.testing.assert_array_equal(shown["heavy ball"][1], heavy_ball.spectral_radius(x, 0.7))
    np.testing.assert_array_equal(shown["gradient descent"][1], np.abs(1 - x))
    assert f"Nesterov {look_ahead.spectral_radius(0.4, 0.7):.3f}" in shown.reading


# --- the goal and the diagnosis ----------------------------------------------------------------------


def test_good_beta_has_a_window_above_critical_damping_and_each_side_has_a_name():
    betas = np.linspace(0, 0.999, 1000)
    longer = path(nesterov, RAVINE.grad, RAVINE.start, 200, lr=1.0, beta=betas[:, None])
    good = (RAVINE(longer[STEPS:]) < TARGET).all(axis=0)
    assert betas[good].min() == pytest.approx(0.836, abs=1e-3)
    assert betas[good].max() == pytest.approx(0.868, abs=1e-3)
    assert np.all(np.diff(np.flatnonzero(good)) == 1)  # one window, and small: 33 of 1,000
    assert good.sum() == 33
    lucky = check("05.ravine_memory", 0.8685)  # below the target at step 40, above it at step 43
    assert lucky.mistake == "too-much-memory"
    assert "the loss is 9.7e-05. It rises to 0.000105 again." in lucky.text
    for beta in betas[::9]:
        verdict = check("05.ravine_memory", beta)
        assert bool(verdict) == good[np.searchsorted(betas, beta)]
        expected = None if verdict else ("too-little-memory" if beta < 0.85 else "too-much-memory")
        assert verdict.mistake == expected
    assert check("05.ravine_memory", 9 / 11).mistake == "too-little-memory"
    for beta in (1.0, -0.1, 5):
        assert check("05.ravine_memory", beta).mistake == "no-memory-factor"


def _crossings(w, upto=None):
    w = w[:upto]
    return int(np.sum(w[1:] * w[:-1] < 0))


def test_the_four_runs_look_as_their_names_say():
    runs = four_runs()
    nesterovs, descent, past, ball = (runs[letter] for letter in "ABCD")
    assert _crossings(descent["steep"]) == _crossings(descent["flat"]) == 0
    assert np.all(past["steep"][1:] * past["steep"][:-1] < 0)
    assert np.abs(past["steep"][-1]) > 2 * np.abs(past["steep"][1])
    assert _crossings(ball["steep"]) >= 6
    assert np.abs(ball["steep"][12:20]).max() > 0.4  # still swinging when Nesterov's is gone
    assert np.abs(nesterovs["steep"][12:]).max() < 0.02
    assert _crossings(nesterovs["flat"]) >= 1 <= _crossings(ball["flat"])
    truth = {"A": "nesterov", "B": "gradient descent", "C": "nesterov past its limit", "D": "heavy ball"}
    assert check("05.diagnose", truth)
    swapped = truth | {"A": "heavy ball"}
    assert check("05.diagnose", swapped).mistake == "nesterov-taken-for-heavy-ball"


def test_the_picture_of_the_four_runs_shows_them():
    figure = picture.four_runs(four_runs()).figure
    for column, run in enumerate(four_runs().values()):
        np.testing.assert_array_equal(figure.axes[column].lines[0].get_ydata(), run["steep"])
        np.testing.assert_array_equal(figure.axes[4 + column].lines[0].get_ydata(), run["flat"])


# --- the best on a quadratic -------------------------------------------------------------------------


@pytest.mark.parametrize("kappa", [3.0, 100.0, 5000.0])
def test_each_line_of_the_derivation_of_the_best_lr_and_beta_holds(kappa):
    lr, beta = look_ahead.best_lr_and_beta(1.0, kappa)
    rate = 2 * beta / (1 + beta)
    assert 1 - lr == pytest.approx(4 * beta / (1 + beta) ** 2, rel=1e-9)
    assert (1 + beta) * (1 - lr) / 2 == pytest.approx(rate, rel=1e-9)
    assert lr * kappa - 1 == pytest.approx(rate**2 / ((1 + beta) * rate + beta), rel=1e-9)
    assert lr * kappa - 1 == pytest.approx((1 - lr) / 3, rel=1e-9)
    assert rate == pytest.approx(1 - 2 / np.sqrt(3 * kappa + 1), rel=1e-9)


def test_tuned_nesterov_takes_root_three_times_the_heavy_balls_steps_in_the_long_run():
    kappa = 1e8
    ball = np.sqrt(heavy_ball.best_lr_and_beta(1, kappa)[1])
    beta = look_ahead.best_lr_and_beta(1, kappa)[1]
    assert np.log(ball) / np.log(2 * beta / (1 + beta)) == pytest.approx(np.sqrt(3), rel=1e-3)


# --- the promise -------------------------------------------------------------------------------------


def by_definition(grad, w0, steps, lr):
    """Return the points and the look-ahead points of Nesterov's method with growing beta."""
    theta = y = w0
    points, aheads = [theta], [y]
    for t in range(steps):
        theta, before = y - lr * grad(y), theta
        y = theta + t / (t + 3) * (theta - before)
        points.append(theta)
        aheads.append(y)
    return np.array(points), np.array(aheads)


def test_nesterov_growing_walks_on_the_look_ahead_points_of_the_definition():
    _, grad, _, L = chain()
    points, aheads = by_definition(grad, np.zeros(100), 90, 1 / L)
    ours = record(nesterov_growing, grad, np.zeros(100), 90, lr=1 / L)
    np.testing.assert_allclose(ours["w"], aheads, **SQUARE)
    np.testing.assert_allclose(-ours["m"][1:] / L, np.diff(points, axis=0), **SQUARE)
    # A schedule for beta is another walk, and near.
    schedule = path(nesterov, grad, np.zeros(100), 90, lr=1 / L, beta=growing)
    apart = np.linalg.norm(schedule[-1] - aheads[-1]) / np.linalg.norm(aheads[-1])
    assert 0.001 < apart < 0.02


def _convex_losses():
    """Yield flat convex losses: f − minimum, gradient, start, a minimum and L."""
    above, grad, best, L = chain()
    yield above, grad, np.zeros(100), best, L
    h = np.geomspace(1e-6, 1, 50)
    yield (lambda w: 0.5 * (h * w * w).sum(axis=-1)), (lambda w: h * w), np.ones(50), np.zeros(50), 1.0
    far = np.array([30.0])  # Huber's: a parabola that goes on as a straight line
    huber = lambda w: np.where(np.abs(w) < 1, 0.5 * w * w, np.abs(w) - 0.5).sum(axis=-1)  # noqa: E731
    yield huber, (lambda w: np.clip(w, -1, 1)), far, np.zeros(1), 1.0


@pytest.mark.parametrize("share", [1.0, 0.3])
@pytest.mark.parametrize("loss", list(_convex_losses()), ids=["chain", "flat quadratic", "Huber"])
def test_the_promise_is_kept_and_the_energy_never_rises(loss, share):
    above, grad, start, best, L = loss
    lr = share / L
    points, _ = by_definition(grad, start, 200, lr)
    k = np.arange(1, 201)
    size = np.sum((start - best) ** 2)
    gap = above(points[1:])
    assert (gap <= 2 * size / (lr * (k + 1) ** 2) * (1 + 1e-12)).all()
    v = points[:-1] + ((k + 1) / 2)[:, None] * np.diff(points, axis=0)
    energy = ((k + 1) / 2) ** 2 * gap + np.sum((v - best) ** 2, axis=-1) / (2 * lr)
    assert energy[0] <= size / (2 * lr) * (1 + 1e-12)
    assert (np.diff(energy) <= 1e-9 * energy[0]).all()
    descent = above(path(gradient_descent, grad, start, 200, lr=lr)[1:])
    assert (descent <= size / (2 * lr * k) * (1 + 1e-12)).all()


@pytest.mark.parametrize("loss", list(_convex_losses()), ids=["chain", "flat quadratic", "Huber"])
def test_the_sequence_of_1983_is_another_one_with_the_same_promise(loss):
    above, grad, start, best, L = loss
    a, betas = 1.0, []
    theta = y = start
    for k in range(1, 201):
        theta, before = y - grad(y) / L, theta
        assert above(theta) <= 2 * L * np.sum((start - best) ** 2) / (k + 1) ** 2 * (1 + 1e-12)
        a, old = (1 + np.sqrt(1 + 4 * a * a)) / 2, a
        betas.append((old - 1) / a)
        y = theta + betas[-1] * (theta - before)
    assert betas[:3] == pytest.approx([0, 0.28, 0.43], abs=5e-3)
    assert [t / (t + 3) for t in range(3)] == [0, 0.25, 0.4]


def test_the_loss_itself_may_rise_while_the_energy_falls():
    ravine = quadratic(condition=1000.0)
    points, _ = by_definition(ravine.grad, ravine.start, 400, 1.0)
    assert (np.diff(ravine(points)) > 0).any()


def test_after_t_steps_only_the_first_t_weights_of_the_chain_have_moved():
    _, grad, _, L = chain()
    for rule, knobs in (
        (gradient_descent, {}),
        (momentum, {"beta": 0.9}),
        (nesterov, {"beta": 0.9}),
        (nesterov_growing, {}),
    ):
        ws = path(rule, grad, np.zeros(100), 60, lr=0.9 / L, **knobs)
        for t in (1, 10, 60):
            assert (ws[t, t:] == 0).all()
            assert ws[t, t - 1] != 0


def test_no_rule_is_below_the_grey_region_and_the_best_on_t_weights_is_its_border():
    above, grad, _, _ = chain()
    for t in (1, 7, 50):
        short = 2 * np.eye(t) - np.eye(t, k=1) - np.eye(t, k=-1)
        w = np.zeros(100)
        w[:t] = np.linalg.solve(short, np.eye(t)[0])
        assert above(w) == pytest.approx(unreachable(t), rel=1e-9)
    t = np.arange(1, 91)
    lrs, betas = np.linspace(0.02, 0.32, 9)[:, None, None], np.linspace(0, 0.99, 9)[:, None]
    for rule in (momentum, nesterov):
        walks = above(path(rule, grad, np.zeros((9, 9, 100)), 90, lr=lrs, beta=betas))[1:]
        assert (walks >= unreachable(t)[:, None, None] * (1 - 1e-9)).all()


def test_the_chain_is_the_loss_with_this_gradient():
    above, grad, best, L = chain()
    w = np.random.default_rng(0).standard_normal(100)
    steps = 1e-6 * np.eye(100)
    slope = np.array([(above(w + e) - above(w - e)) / 2e-6 for e in steps])
    np.testing.assert_allclose(grad(w), slope, rtol=1e-6, atol=1e-6)
    tied = 0.5 * (w[0] ** 2 + np.sum(np.diff(w) ** 2) + w[-1] ** 2) - w[0]
    assert above(w) - above(np.zeros(100)) == pytest.approx(tied, rel=1e-9)
    assert np.abs(grad(best)).max() < 1e-12
    assert 0.999 * L < np.linalg.eigvalsh(np.array([grad(e) - grad(0 * e) for e in np.eye(100)])).max() < L


def _chain_losses(lr, beta, steps=90):
    above, grad, _, _ = chain()
    betas = lambda t: np.array([[0.0], [beta], [t / (t + 3)]])  # noqa: E731
    return above(path(nesterov, grad, np.zeros((3, 100)), steps, lr=lr, beta=betas)).T


def test_the_picture_of_the_promise_shows_the_walks_and_the_bound():
    shown = seen(picture.guarantee(), lr=0.2, beta=0.8)
    for label, losses in zip(
        ("gradient descent", "constant beta", "beta = t/(t + 3)"), _chain_losses(0.2, 0.8), strict=True
    ):
        np.testing.assert_allclose(shown[label][1], losses[1:], rtol=1e-9)
    best = chain()[2]
    np.testing.assert_allclose(shown["bound"][1], 10 * (best @ best) / np.arange(2, 92) ** 2)
    assert "no promise above 1/L" in seen(picture.guarantee(), lr=0.3).reading


def test_what_the_page_reads_in_the_picture_of_the_promise():
    descent, constant, grows = _chain_losses(0.25, 0.9)
    assert constant[30] < grows[30]
    assert constant[90] > grows[90]
    promise = 2 * np.sum(chain()[2] ** 2) * 4 / np.arange(1, 92) ** 2
    assert (promise[1:] > 4 * grows[1:]).all()

    def slope(losses, a=8, b=40):
        return np.log(losses[b] / losses[a]) / np.log(b / a)

    assert slope(descent) == pytest.approx(-0.5, abs=0.1)
    assert slope(grows) == pytest.approx(-1, abs=0.15)
    assert slope(unreachable(np.arange(91))) == pytest.approx(-1.2, abs=0.2)
    for lr in (0.05, 0.45):
        assert slope(_chain_losses(lr, 0.5)[0]) == pytest.approx(-0.5, abs=0.1)
    assert _chain_losses(0.33, 0.9, 300)[2][-1] < 0.01
    assert _chain_losses(0.36, 0.9, 300)[2][-1] > 1


def test_growing_beta_stays_within_three_times_the_border_up_to_step_40_and_not_to_the_end():
    above, grad, _, L = chain()
    walk = path(nesterov, grad, np.zeros(CHAIN), 90, lr=1 / L, beta=growing)
    times = above(walk)[1:] / unreachable(np.arange(1, 91))
    assert (times >= 1).all()
    assert (times[:40] < 3).all()
    assert times[-1] > 10
    assert CHAIN == 100
    assert unreachable(np.array([100]))[0] == 0


# --- real data ---------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def digits():
    net = models.softmax(*datasets.digits().train, l2=1e-3)
    best = path(nesterov, net.grad, np.zeros(net.n), 2000, lr=0.5, beta=0.98)[-1]
    assert np.linalg.norm(net.grad(best)) < 1e-10
    return net, net(best)


def test_the_promise_comes_true_on_digits_with_all_examples_and_not_with_32(digits):
    net, lowest = digits
    gap = {}
    for batch in (len(net.X), 32):
        for name, rule, knobs in (
            ("descent", gradient_descent, {}),
            ("ball", momentum, {"beta": growing}),
            ("nesterov", nesterov, {"beta": growing}),
        ):
            grad, w0 = net.batch_grad(batch, np.arange(3)), np.zeros((3, net.n))
            ws = path(rule, grad, w0, 200, lr=1.0, **knobs)[[50, 200]]
            gap[name, batch] = np.median(net(ws) - lowest, axis=1)
    full, few = len(net.X), 32
    assert gap["descent", full][1] > 300 * gap["nesterov", full][1]
    assert gap["ball", full][1] < 3 * gap["nesterov", full][1]
    assert gap["nesterov", few][1] > 50 * gap["descent", few][1]
    assert gap["nesterov", few][1] > 2 * gap["nesterov", few][0]  # it climbs
    assert check("05.predict_noise", "c")


def test_at_beta_09_the_order_of_the_three_rules_depends_on_how_far_the_steps_were_tried(digits):
    net, lowest = digits
    effective = np.geomspace(0.3, 100, 13)
    least = {}
    for name, rule, beta in (
        ("descent", gradient_descent, 0),
        ("ball", momentum, 0.9),
        ("nesterov", nesterov, 0.9),
    ):
        lrs = effective[:, None] * (1 - beta)
        walk = path(rule, net.grad, np.zeros((13, net.n)), 100, lr=lrs, **({"beta": beta} if beta else {}))
        worst = net(walk[-10:]).max(axis=0) - lowest
        best = best_of(worst, effective=effective)
        assert not best.at_edge
        least[name] = best.score, np.nanmin(worst[effective <= 10])
    (descent, short), (ball, short_ball), (ours, short_ours) = least.values()
    assert descent > 2 * ball > 6 * ours
    assert short < min(short_ball, short_ours)  # steps up to 10 alone would have said the opposite


def test_the_picture_of_the_noise_shows_the_curves_it_is_given():
    gaps = {
        label: np.arange(1.0, 25.0).reshape(2, 4, 3) * i
        for i, label in enumerate(("gradient descent", "Nesterov, x"), 1)
    }
    scene = picture.noise((32, 64), [0.1, 0.3, 1.0], np.array([0, 5, 10, 15]), gaps)
    shown = seen(scene, batch=32, lr=0.3)
    np.testing.assert_array_equal(shown["Nesterov, x"][1], gaps["Nesterov, x"][0, :, 1])
    np.testing.assert_array_equal(shown["gradient descent"][0], [0, 5, 10, 15])


def test_the_picture_of_what_was_learned_says_the_medians_of_the_fifths():
    shares = np.linspace(0.1, 1, 10)
    shown = picture.learned(shares, {"one lr": shares * 2})
    assert "one lr: 0.30 and 1.90" in shown.text


# --- growing memory with a brake, and one lr for all -------------------------------------------------


def restarted(w, g, m=0.0, t=0, *, lr=0.01):
    uphill = np.sum(g * m, axis=-1, keepdims=True) < 0
    m, t = np.where(uphill, 0.0, m), np.where(uphill, 0, t)
    return *nesterov(w, g, m, lr=lr, beta=t / (t + 3)), t + 1


def test_restarts_give_back_what_a_growing_memory_wastes():
    ravine = quadratic(condition=1000.0)
    lr, beta = look_ahead.best_lr_and_beta(1 / 1000, 1)
    grows, again, tuned = (
        [settled(ravine(path(rule, ravine.grad, ravine.start, steps, **knobs))) for steps in (200, 400)]
        for rule, knobs in (
            (nesterov, {"lr": 1.0, "beta": growing}),
            (restarted, {"lr": 1.0}),
            (nesterov, {"lr": lr, "beta": beta}),
        )
    )
    for one, other, worst in zip(again, tuned, grows, strict=True):
        assert one < other < worst


def test_with_many_directions_restarts_replace_the_knowledge_of_kappa_and_no_more():
    h = np.geomspace(1e-3, 1, 200)
    loss = lambda w: 0.5 * (h * w * w).sum(axis=-1)  # noqa: E731
    lr, beta = look_ahead.best_lr_and_beta(1e-3, 1)
    again = loss(path(restarted, parabola(h), np.ones(200), 600, lr=1.0)[-1])
    tuned = loss(path(nesterov, parabola(h), np.ones(200), 600, lr=lr, beta=beta)[-1])
    grows = loss(path(nesterov, parabola(h), np.ones(200), 600, lr=1.0, beta=growing)[-1])
    assert again < 1e-3 * grows
    assert again > tuned
    evenly = np.linspace(1e-3, 1, 200)  # then nearly all are steep, and the knowledge is worth nothing
    loss = lambda w: 0.5 * (evenly * w * w).sum(axis=-1)  # noqa: E731
    again, tuned = (
        loss(path(rule, parabola(evenly), np.ones(200), 400, **knobs)[-1])
        for rule, knobs in ((restarted, {"lr": 1.0}), (nesterov, {"lr": lr, "beta": beta}))
    )
    assert again < tuned / 3


def test_with_one_lr_rare_weights_lag_and_with_an_lr_each_they_do_not():
    rare = datasets.rare_features(examples=4000, rarest=0.002)
    net = models.softmax(*rare.train, l2=1e-3)
    shares = rare.train.X.mean(axis=0)
    assert shares.max() == pytest.approx(0.5, abs=0.02)
    assert shares.min() == pytest.approx(0.002, abs=0.001)
    goal = path(nesterov, net.grad, np.zeros(net.n), 3000, lr=0.7, beta=0.98)[-1]
    assert np.linalg.norm(net.grad(goal)) < 1e-10
    own = np.repeat(np.append(shares, 1.0), 2)
    fifths = {}
    for label, grad in (("one", net.grad), ("own", lambda w: net.grad(w) / own)):
        lrs = np.geomspace(0.01, 5, 22)[:, None]
        ends = path(nesterov, grad, np.zeros(net.n), 30, lr=lrs, beta=0.9)[-1]
        learned, to_learn = (net.layers(w)[0][:-1] @ [-1, 1] for w in (ends[np.nanargmin(net(ends))], goal))
        part = (learned / to_learn)[np.argsort(shares)]
        fifths[label] = np.median(part[:20]), np.median(part[-20:])
        near = np.sum(np.abs(part - 1) < 0.2)
    assert fifths["one"][0] < 0.45
    assert fifths["one"][1] > 1
    assert fifths["own"] == pytest.approx((1, 1), abs=0.1)
    assert near == 93


def test_at_lr_times_curvature_1_the_reading_says_that_two_steps_arrive():
    explorer = explore(stability.stability_map(nesterov, look_ahead.spectral_radius))
    for beta in (0.1, 0.5, 0.9):
        explorer.set(lr=1.0, beta=beta)
        assert "at the minimum after two steps" in explorer.reading
        walk = path(nesterov, lambda w: w, np.ones(1), 4, lr=1.0, beta=beta)[:, 0]
        np.testing.assert_allclose(walk[2:], 0, atol=1e-15)
    explorer.set(lr=0.9)
    assert "two steps" not in explorer.reading
    for rule, radius in ((nesterov, look_ahead.spectral_radius), (momentum, heavy_ball.spectral_radius)):
        explorer = explore(stability.stability_map(rule, radius))
        explorer.set(lr=1.0, beta=0.0)  # without memory both are gradient descent
        assert "at the minimum after one step" in explorer.reading
