"""Lesson 06, AdaGrad: what its prose says, what its pictures draw, and which goals can be reached."""

import numpy as np
import pytest

from optim_lessons.adagrad import adagrad
from optim_lessons.adam import adam
from optim_lessons.bridge import adagrad_started
from optim_lessons.course.check import check
from optim_lessons.course.exercises import EXERCISES
from optim_lessons.course.exercises.lesson_06 import BURST_STEP, NEAR, adagrad_norm, four_runs, last_season
from optim_lessons.gradient_descent import gradient_descent
from optim_lessons.lab import datasets, models
from optim_lessons.lab.explore import explore
from optim_lessons.lab.fair import best_of, stays_below
from optim_lessons.lab.path import grid, path, record
from optim_lessons.lab.plots import rule_label
from optim_lessons.lab.train import train
from optim_lessons.landscapes import quadratic
from optim_lessons.momentum import momentum
from optim_lessons.pictures import adagrad as picture
from optim_lessons.rmsprop import rmsprop
from optim_lessons.studies import long_run, online_learning

LRS = np.geomspace(1e-3, 1e2, 41)


# --- the rare and the frequent feature ---------------------------------------------------------------


def distances(rule, frequency, lrs, seeds=range(10)):
    """Return the median over seeds of the root mean square distance from 1, shape (lrs, 2)."""
    errors = []
    for seed in seeds:
        slope = online_learning.stream_slope(*online_learning.feature_stream(frequency, seed))
        ws = path(rule, slope, np.zeros(2), 1000, lr=lrs[:, None])
        errors.append(np.sqrt(((ws[500:] - 1) ** 2).mean(axis=0)))
    return np.nan_to_num(np.median(errors, axis=0), nan=np.inf)


def test_the_best_lr_for_the_rare_weight_is_about_thirty_times_that_for_the_frequent_one():
    away = distances(gradient_descent, 0.02, np.geomspace(1e-3, 1, 31))
    frequent, rare = np.geomspace(1e-3, 1, 31)[away.argmin(axis=0)]
    assert 20 < rare / frequent < 45


def test_one_lr_of_adagrad_serves_both_weights_better_than_any_lr_of_the_others():
    lrs = np.geomspace(1e-3, 1, 31)
    ours = distances(adagrad, 0.02, np.array([0.3]))[0]
    for rule in (gradient_descent, momentum):
        theirs = distances(rule, 0.02, lrs)
        assert not (theirs < ours).all(axis=-1).any()
        assert theirs.max(axis=-1).min() > ours.max()


def test_no_lr_on_the_slider_beats_adagrad_on_both_weights_in_the_picture():
    explorer = explore(picture.rare_and_frequent())
    ws = [explorer.shown[f"AdaGrad, w[{i}]"] for i in (0, 1)]
    ours = [np.abs(w[-500:] - 1).mean() for w in ws]
    for against in ("gradient descent", "momentum"):
        for lr in explorer.controls["its_lr"].stops:
            slope = online_learning.stream_slope(*online_learning.feature_stream(0.02, 0))
            rule = {"gradient descent": gradient_descent, "momentum": momentum}[against]
            walk = path(rule, slope, np.zeros(2), 1000, lr=lr)
            theirs = np.abs(walk[-500:] - 1).mean(axis=0)
            assert not (theirs < ours).all(), (against, lr)


def test_no_caption_stands_where_a_line_may_run():
    explorer = explore(picture.rare_and_frequent())
    figure = explorer.figure
    right = figure.axes[2]
    figure.canvas.draw()
    for text in right.texts:
        box = text.get_window_extent()
        assert box.y0 >= right.bbox.y1
        assert box.x1 <= right.bbox.x1 + 5


def test_the_effective_lrs_differ_by_the_root_of_the_ratio_of_frequencies():
    def every_hundredth(w, t):
        return np.array([1.0, float(t % 100 == 0)])

    v = record(adagrad, every_hundredth, np.zeros(2), 10_000)["v"][1:]
    last = long_run.effective_lr(v, lr=0.1)[-1]
    assert last[1] / last[0] == pytest.approx(10)
    assert check("06.rare_ratio", last[1] / last[0])


@pytest.mark.parametrize("against", ["gradient descent", "momentum"])
def test_the_picture_of_two_features_draws_the_paths_and_the_effective_lrs(against):
    explorer = explore(picture.rare_and_frequent())
    explorer.set(lr=0.5, eps=0.1, frequency=0.05, against=against, its_lr=0.02, seed=3)
    values = explorer.values
    x, y = online_learning.feature_stream(0.05, 3)
    slope = online_learning.stream_slope(x, y)
    ours = record(adagrad, slope, np.zeros(2), 1000, lr=values["lr"], eps=values["eps"])
    rule = {"gradient descent": gradient_descent, "momentum": momentum}[against]
    theirs = path(rule, slope, np.zeros(2), 1000, lr=0.02)
    for coordinate in (0, 1):
        for label, walk in (("AdaGrad", ours["w"]), (against, theirs)):
            np.testing.assert_allclose(explorer.shown[f"{label}, w[{coordinate}]"], walk[:, coordinate])
    factors = values["lr"] / (np.sqrt(ours["v"][1:]) + values["eps"])
    for coordinate, name in enumerate(("lr of AdaGrad", "rare lr")):
        seen = ours["v"][1:, coordinate] > 0
        np.testing.assert_allclose(explorer.shown[name][1][seen], factors[seen, coordinate])
    assert f"came {int(x[:, 1].sum())} times" in explorer.reading


def test_a_large_eps_makes_it_gradient_descent_with_lr_over_eps():
    slope = online_learning.stream_slope(*online_learning.feature_stream(0.05, 0))
    large = path(adagrad, slope, np.zeros(2), 1000, lr=100.0, eps=1e4)
    np.testing.assert_allclose(large, path(gradient_descent, slope, np.zeros(2), 1000, lr=0.01), atol=5e-3)


# --- the rule ----------------------------------------------------------------------------------------


def test_a_steady_gradient_is_followed_over_two_lr_times_the_root_of_t():
    walk = path(adagrad, lambda w: np.full_like(w, -3.0), np.zeros(1), 12_000, lr=0.01)[:, 0]
    np.testing.assert_allclose(walk[1:][[99, 9_999]], 0.02 * np.sqrt([100, 10_000]), rtol=0.08)
    first = int(np.argmax(walk >= 2))
    assert first == 10_147
    assert check("06.steps_to_travel", first)
    assert check("06.steps_to_travel", 10_000)


def test_a_step_is_never_longer_than_lr():
    rng = np.random.default_rng(0)
    walk = path(
        adagrad, lambda w, t: rng.standard_cauchy(w.shape) * 10.0 ** (t % 7), np.zeros(50), 300, lr=0.2
    )
    assert np.abs(np.diff(walk, axis=0)).max() <= 0.2 * (1 + 1e-12)


# --- the best step in hindsight ----------------------------------------------------------------------


def online(seed, steps=400):
    """Return slopes, losses and the best w of |w − c[t]| with a slope that is scaled at random."""
    rng = np.random.default_rng(seed)
    c, size = rng.normal(2, 1, steps), rng.gamma(0.3, size=steps)
    candidates = np.sort(c)
    best = candidates[np.argmin((size * np.abs(candidates[:, None] - c)).sum(axis=1))]
    return (lambda w, t: size[t] * np.sign(w - c[t])), (lambda w: size * np.abs(w - c)), best


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("lr", [0.01, 0.1, 1.0, 10.0])
def test_the_regret_of_a_fixed_lr_and_of_adagrad_keeps_below_the_bounds_of_the_lesson(seed, lr):
    slope, loss, best = online(seed)
    for rule in (gradient_descent, adagrad):
        w = path(rule, slope, np.zeros(1), 400, lr=lr)[:-1, 0]
        squares = sum(float(slope(w[t : t + 1], t)[0]) ** 2 for t in range(400))
        regret = (loss(w) - loss(best)).sum()
        if rule is gradient_descent:
            bound = best**2 / (2 * lr) + lr / 2 * squares
        else:
            bound = (np.abs(w - best).max() ** 2 / (2 * lr) + lr) * np.sqrt(squares)
        assert regret <= bound
    assert best**2 / (2 * lr) + lr / 2 * squares >= abs(best) * np.sqrt(squares)  # least at D/√G


def test_the_two_steps_of_the_proof_hold_for_any_gradients():
    g = np.random.default_rng(1).standard_cauchy(500)
    S = np.cumsum(g**2)
    assert np.sum(g**2 / np.sqrt(S)) <= 2 * np.sqrt(S[-1])
    terms = g**2 / np.sqrt(S) - 2 * np.diff(np.sqrt(S), prepend=0)
    assert terms.max() <= 1e-9 * np.sqrt(S[-1])


def test_one_lr_for_all_weights_never_has_the_better_bound():
    rng = np.random.default_rng(2)
    D, G = rng.gamma(1, size=(1000, 20)), rng.gamma(0.1, size=(1000, 20))
    own = (D * np.sqrt(G)).sum(axis=1)
    shared = np.sqrt((D**2).sum(axis=1) * G.sum(axis=1))
    assert (own <= shared * (1 + 1e-12)).all()
    np.testing.assert_allclose((D * D).sum(axis=1), np.sqrt((D**2).sum(axis=1) * (D**2).sum(axis=1)))


def test_adagrads_valley_ignores_the_scale_and_descents_moves_with_it():
    for steps in (30, 100, 300, 1000):
        for seed in range(3):
            ours = [online_learning.regrets(adagrad, steps, scale, seed) for scale in (0.01, 1.0, 100.0)]
            np.testing.assert_allclose(ours[0], ours[1], atol=1e-6)
            np.testing.assert_allclose(ours[2], ours[1], atol=1e-6)
            descent, scaled = (online_learning.regrets(gradient_descent, steps, s, seed) for s in (1.0, 10.0))
            np.testing.assert_allclose(
                scaled[:-8], descent[8:], atol=1e-6
            )  # 8 values of lr make a factor of 10


def test_adagrads_best_lr_stays_within_a_few_times_of_one_and_its_floor_is_lower():
    for steps in (30, 100, 300, 1000):
        ours = np.median([online_learning.regrets(adagrad, steps, 1.0, seed) for seed in range(21)], axis=0)
        theirs = np.median(
            [online_learning.regrets(gradient_descent, steps, 1.0, seed) for seed in range(21)], axis=0
        )
        assert 0.3 <= online_learning.LRS[ours.argmin()] <= 3
        assert ours.min() < theirs.min()
        width = [(values < 2 * values.min()).sum() for values in (ours, theirs)]
        assert abs(width[0] - width[1]) <= 3  # of 8 in a factor of 10


def test_the_picture_of_hindsight_says_when_the_best_lr_is_the_lowest_that_was_tried():
    explorer = explore(picture.hindsight())
    explorer.set(scale=100.0, steps=1000)
    assert "gradient descent 0.001 (the lowest tried)" in explorer.reading
    explorer.set(scale=1.0, steps=100)
    assert "tried" not in explorer.reading


def test_the_picture_of_hindsight_draws_real_regrets_below_their_bound():
    explorer = explore(picture.hindsight())
    explorer.set(scale=3.0, steps=300, seed=2)
    c = 2 + np.random.default_rng(2).standard_normal(300)
    for rule in (gradient_descent, adagrad):
        w = path(rule, lambda w, t: 3.0 * np.sign(w - c[t]), np.zeros(1), 300, lr=LRS[20])[:-1, 0]
        mean = (np.abs(w - c) - np.abs(np.median(c) - c)).mean()
        assert explorer.shown[rule_label(rule)][1][20] == pytest.approx(mean, abs=1e-9)
    assert explorer.shown["theory"] == pytest.approx(2 / (3 * np.sqrt(300)))


# --- what the division buys --------------------------------------------------------------------------


@pytest.mark.parametrize("scale", [0.01, 100.0])
def test_a_feature_in_another_unit_is_walked_the_same_in_that_unit(scale):
    """u = w/units, so the slope along u is units times that along w; lr has the unit of the weight.

    A tiny eps stands for none: before the rare feature has come, that would be 0/0.
    """
    units = np.array([1.0, scale])
    slope = online_learning.stream_slope(*online_learning.feature_stream(0.3, 1))

    def rescaled(u, t):
        return units * slope(u * units, t)

    w = path(adagrad, slope, np.array([0.5, 0.2]), 500, lr=0.3, eps=1e-300)
    u = path(adagrad, rescaled, np.array([0.5, 0.2]) / units, 500, lr=0.3, eps=1e-300)
    assert not np.allclose(u * units, w)  # the same lr is another length in the new unit

    def own_lr(w, g, v=0.0):
        return adagrad(w, g, v, lr=0.3 / units, eps=1e-300)

    u = path(own_lr, rescaled, np.array([0.5, 0.2]) / units, 500)
    np.testing.assert_allclose(u * units, w, rtol=1e-9)


@pytest.mark.parametrize("condition", [1, 100, 1e4])
def test_on_a_ravine_along_the_axes_the_walk_does_not_know_the_condition_number(condition):
    start = np.array([1.0, -2.0])
    walk = path(adagrad, quadratic(condition=condition).grad, start, 50, lr=0.2, eps=0.0)
    round_bowl = path(adagrad, lambda w: w, start, 50, lr=0.2, eps=0.0)
    np.testing.assert_allclose(walk, round_bowl, rtol=1e-9)


def test_the_effective_lrs_of_a_ravine_along_the_axes_are_as_one_over_its_curvatures():
    run = record(adagrad, quadratic(condition=100).grad, np.ones(2), 20, lr=0.2, eps=0.0)
    last = long_run.effective_lr(run["v"][1:], lr=0.2)[-1]
    assert last[0] / last[1] == pytest.approx(100)  # as Newton's step with the diagonal of the Hessian


def test_in_a_ravine_turned_by_45_degrees_both_effective_lrs_are_nearly_equal():
    ravine = quadratic(condition=100, angle=45)
    run = record(adagrad, ravine.grad, ravine.start, 150, lr=1.0)
    last = long_run.effective_lr(run["v"][1:], lr=1.0)[-1]
    assert 0.8 < last[0] / last[1] < 1.25


@pytest.mark.parametrize(("angle", "descent", "ours"), [(0, 385, 4), (15, 380, 187), (45, 368, 488)])
def test_steps_until_the_distance_stays_a_thousand_times_smaller_at_the_best_lr(angle, descent, ours):
    lrs, ravine, best = np.geomspace(0.1, 1000, 81), quadratic(condition=100, angle=angle), {}
    for rule in (gradient_descent, adagrad):
        distance = np.abs(path(rule, ravine.grad, ravine.start, 1000, lr=lrs[:, None])).max(axis=-1)
        arrived = stays_below(distance, 1e-3 * distance[0])
        best[rule] = best_of(arrived, lr=lrs)
        if angle == 0 and rule is adagrad:
            assert (arrived[lrs > 120] == 4).all()  # as large an lr as one likes
            assert (arrived[lrs < 100] > 4).all()
    assert [one.score for one in best.values()] == [descent, ours]
    assert not best[gradient_descent].at_edge
    assert best[adagrad].at_edge == (angle == 0)


def test_an_lr_far_above_the_distance_leaps_out_and_back_and_then_steps_as_newton():
    ravine = quadratic(condition=100)
    run = record(adagrad, ravine.grad, ravine.start, 3, lr=1000.0)
    np.testing.assert_allclose(long_run.effective_lr(run["v"][1:], lr=1000.0)[2], [100, 1], rtol=0.01)
    assert np.linalg.norm(run["w"][3]) < 0.02


# --- real data ---------------------------------------------------------------------------------------


def descent_root_t(w, g, t=0, *, lr=1.0):
    return w - lr * g / np.sqrt(t + 1), t + 1


def best_test_losses(rule, lrs, epochs, data=None, **options):
    data = data or datasets.next_character()
    net = models.softmax(*data.train)
    held_out = {"validation": data.validation, "test": data.test}
    options |= held_out | grid(lr=lrs, seed=range(5))
    run = train(rule, net, epochs=epochs, progress=False, **options)
    best = np.median(run.history["validation_loss"][-1], axis=1).argmin()
    return run.history["test_loss"][-1][best]


def test_on_text_about_half_of_adagrads_lead_is_the_shrinking_and_it_fades_with_more_passes():
    near = 10 ** np.array([-0.25, 0.0, 0.25])  # about each rule's best lr of the lesson's sweep
    once = {
        "descent": best_test_losses(gradient_descent, 3.16 * near, 1),
        "root t": best_test_losses(descent_root_t, 31.6 * near, 1),
        "momentum": best_test_losses(momentum, 0.56 * near, 1),
        "adagrad": best_test_losses(adagrad, 0.316 * near, 1),
    }
    ours = once["adagrad"]
    assert all(ours.max() < losses.min() for losses in once.values() if losses is not ours)
    norm = best_test_losses(adagrad_norm, 10 * near, 1)
    assert np.median(norm) == pytest.approx(np.median(once["root t"]), abs=0.03)
    median = {name: np.median(losses) for name, losses in once.items()}
    # The text is Python's own help: another Python words it a little differently.
    for name, expected in (("descent", 2.17), ("root t", 2.12), ("momentum", 2.12), ("adagrad", 2.06)):
        assert median[name] == pytest.approx(expected, abs=0.03), name
    lead = median["descent"] - median["adagrad"]
    assert 0.3 < (median["descent"] - median["root t"]) / lead < 0.7
    later = best_test_losses(gradient_descent, 1.78 * near, 3), best_test_losses(adagrad, 0.178 * near, 3)
    assert np.median(later[0]) - np.median(later[1]) < lead / 2


def test_on_digits_a_divisor_for_all_weights_shrinks_as_well_as_one_for_each():
    lrs, digits = np.geomspace(0.01, 100, 17), datasets.digits()
    norm = np.median(best_test_losses(adagrad_norm, lrs[8:14], 10, digits))
    clock = np.median(best_test_losses(descent_root_t, lrs[6:12], 10, digits))
    assert norm == pytest.approx(0.11, abs=0.005)
    assert clock > 1.15 * norm


def test_on_rare_features_one_of_adagrads_seeds_ends_far_off_by_its_last_half_batch():
    rare, tried = datasets.rare_features(), np.geomspace(0.01, 100, 17)
    lrs = tried[5:9]
    assert len(rare.train.y) % 32 == 16
    assert best_test_losses(adagrad, lrs, 1, rare, batch=40).max() < 0.31  # 30 equal batches
    losses = best_test_losses(adagrad, lrs, 1, rare)
    others = [
        best_test_losses(rule, tried[first : first + 4], 1, rare)
        for rule, first in ((gradient_descent, 7), (descent_root_t, 11), (momentum, 5))
    ]
    assert others[0].max() > 0.5 > others[1].max() > 0.45 > 0.4 > others[2].max()
    assert np.median(others[0]) / np.median(losses) == pytest.approx(1.29, abs=0.02)
    assert np.sort(losses)[:4].max() < 0.32
    assert losses.max() == pytest.approx(0.41, abs=0.02)
    assert np.median(losses) == pytest.approx(0.28, abs=0.01)


def test_most_gradients_of_a_network_are_far_below_the_start_of_v_in_optax_and_keras():
    net = models.mlp(*datasets.digits().train, sizes=(64, 32, 10))
    assert np.quantile(np.abs(net.grad(net.init(0))), 0.95) < np.sqrt(0.1) / 3


# --- the long run ------------------------------------------------------------------------------------


@pytest.mark.parametrize("rule", [adagrad, rmsprop, adam, momentum, gradient_descent])
def test_the_long_run_draws_the_path_of_any_rule_and_its_effective_lr(rule):
    explorer = explore(picture.long_run(rule), lr=0.03)
    explorer.set(season=200, burst=20.0, noise=0.2)
    c, added = long_run.moving_minimum(200, explorer.values["noise"], 20.0)
    assert added[long_run.BURST_AT] > 19
    knobs = {
        name: explorer.values[name] for name in explorer.values if name not in ("season", "noise", "burst")
    }
    run = record(rule, lambda w, t: w - c[t] + added[t], np.zeros(1), long_run.STEPS, **knobs)
    np.testing.assert_allclose(explorer.shown["minimum"], c)
    np.testing.assert_allclose(explorer.shown["walk"], run["w"][:, 0], atol=1e-9)
    if "v" in run:
        v = run["v"][1:, 0]
        if rule is adam:
            v = v / (1 - 0.999 ** np.arange(1, len(v) + 1))
        expected = knobs["lr"] / (np.sqrt(v) + knobs["eps"])
    else:
        expected = np.full(long_run.STEPS, knobs["lr"])
    np.testing.assert_allclose(explorer.shown["effective"][1], expected, rtol=1e-9)


def test_adagrad_loses_the_minimum_and_is_hardly_nearer_than_standing_still():
    still = np.abs(long_run.moving_minimum()[0][-300:]).mean()
    assert still == pytest.approx(2 / np.pi, abs=0.01)
    assert 0.9 * still < last_season(0.3) < still


def test_each_doubling_of_lr_gives_about_four_times_the_life():
    c, added = long_run.moving_minimum(steps=100_000)
    lrs = np.array([0.25, 0.5, 1.0, 2.0, 4.0])
    walks = record(
        adagrad, lambda w, t: w - c[t] + added[t], np.zeros((5, 1)), 100_000, keep=["v"], lr=lrs[:, None]
    )
    lives = np.argmax(long_run.effective_lr(walks["v"][1:, :, 0], lr=lrs) < 0.04, axis=0) + 1
    ratios = np.divide(lives[1:], lives[:-1])
    assert ((ratios > 3.7) & (ratios < 4.3)).all()


def test_a_burst_goes_into_v_in_one_step_and_never_comes_out():
    c, added = long_run.moving_minimum(burst=100.0)
    _, v = long_run.follow(adagrad, c, added, lr=0.3)
    assert v[long_run.BURST_AT] - v[long_run.BURST_AT - 1] == pytest.approx(1e4, rel=0.03)
    assert (np.diff(v) >= 0).all()


def test_the_goal_of_the_long_run_has_a_window_and_each_side_of_it_has_a_name():
    for lr in [*np.geomspace(0.1, 100, 25), *np.linspace(3.4, 4.8, 15)]:
        verdict = check("06.follow", lr)
        assert bool(verdict) == (last_season(lr) < NEAR)
        assert bool(verdict) == (3.53 < lr < 4.61)
        if not verdict:
            assert verdict.mistake == ("died" if lr < 4 else "noisy")
    assert check("06.follow", 0).mistake == check("06.follow", -4).mistake == "not-positive"
    assert check("06.follow", 1e300).mistake == "noisy"
    assert check("06.follow", 1e-9).mistake == "died"


# --- runs to diagnose, the variant, the start of v ---------------------------------------------------


def test_the_four_runs_look_as_their_names_say():
    truth = eval(EXERCISES["06.diagnose"].solution.split(" = ", 1)[1])
    run = {cause: four_runs()[letter] for letter, cause in truth.items()}
    lr = {cause: r["effective_lr"] for cause, r in run.items()}
    same = lr["eps too large"]
    assert np.abs(np.log(same[:, 0] / same[:, 1])).max() < 0.2
    assert same[-1].min() > 0.75 * same[0].max()
    fall = lr["burst"][1:] / lr["burst"][:-1]
    assert (fall.argmin(axis=0) == BURST_STEP - 1).all()
    assert (fall.min(axis=0) < 0.02).all()
    assert np.sort(fall, axis=0)[3].min() > 0.5
    assert (np.diff(lr["v not kept"], axis=0) > 0).any()
    assert np.ptp(run["v not kept"]["loss"][-100:]) > 0
    assert run["v not kept"]["loss"][-100:].min() > 0.05
    for cause in ("eps too large", "burst", "lr too small"):
        assert (np.diff(lr[cause], axis=0) <= 0).all()
    assert run["lr too small"]["loss"][-1] > 0.4 * run["lr too small"]["loss"][0]
    assert lr["lr too small"][99, 0] / lr["lr too small"][-1, 0] == pytest.approx(np.sqrt(10), rel=0.1)


def test_adagrad_norm_keeps_the_direction_of_the_gradient_and_is_adagrad_for_one_weight():
    g = np.array([[3.0, -4.0], [0.1, 0.2]])
    w, v = adagrad_norm(np.zeros((2, 2)), g, lr=0.5)
    np.testing.assert_allclose(w, -0.5 * g / np.linalg.norm(g, axis=-1, keepdims=True))
    assert v.shape == (2, 1)
    np.testing.assert_allclose(
        path(adagrad_norm, lambda w: w, np.ones(1), 20), path(adagrad, lambda w: w, np.ones(1), 20)
    )


@pytest.mark.parametrize("size", [0.001, 0.1, 10.0])
def test_the_first_step_of_a_v_started_at_a_tenth(size):
    first = -adagrad_started(np.zeros(1), np.array([size]), lr=1.0)[0][0]
    assert first == pytest.approx(size / np.sqrt(0.1 + size**2), rel=1e-5)


# --- what articles say -------------------------------------------------------------------------------


def test_adagrads_noise_ball_shrinks_like_the_fourth_root_of_the_steps_and_descents_stays():
    noise = np.random.default_rng(5).standard_normal((10_000, 200, 1))
    away = {}
    for rule, lr in ((gradient_descent, 0.1), (adagrad, 1.0)):
        ws = path(rule, lambda w, t: w + noise[t], np.full((200, 1), 3.0), 10_000, lr=lr)
        away[rule] = np.sqrt((ws[[100, 10_000]] ** 2).mean(axis=(1, 2)))
    assert away[gradient_descent][1] == pytest.approx(np.sqrt(0.1 / 1.9), rel=0.15)
    assert away[adagrad][0] / away[adagrad][1] == pytest.approx(100**0.25, rel=0.2)
