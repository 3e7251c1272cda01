"""Lesson 07: what its page says about RMSProp is true, and its pictures draw what the rule does."""

import numpy as np
import pytest

from optim_lessons.adagrad import adagrad
from optim_lessons.course.check import check
from optim_lessons.course.exercises.lesson_07 import (
    BETA,
    BURST_AT,
    LAST,
    STEPS,
    TARGET,
    centred_rmsprop,
    four_runs,
)
from optim_lessons.gradient_descent import gradient_descent
from optim_lessons.lab import datasets, models
from optim_lessons.lab.explore import explore
from optim_lessons.lab.fair import best_of
from optim_lessons.lab.path import path, record
from optim_lessons.landscapes import d2l, quadratic
from optim_lessons.pictures import rmsprop as picture
from optim_lessons.rmsprop import rmsprop
from optim_lessons.studies import forgetting, long_run
from optim_lessons.studies.long_run import moving_minimum

ONE = np.ones(1)


def seen(scene, **values):
    """Return what a scene shows for these values of its knobs."""
    return scene.show(**scene.moving | values)


def steps_after_burst(size, beta, share):
    """Return how many usual steps after a burst the step is back at a share of lr; v has settled before."""
    v, n = beta * 1.0 + (1 - beta) * size**2, 0
    while 1 / np.sqrt(v) < share:
        v, n = rmsprop(0.0, 1.0, v, beta=beta)[1], n + 1
    return n


# --- the average ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("beta", [0.0, 0.5, 0.9, 0.99])
def test_v_is_the_sum_of_squares_weighted_by_their_age(beta):
    slopes = np.random.default_rng(0).standard_normal(40)
    v = record(rmsprop, lambda w, t: slopes[t : t + 1], np.zeros(1), 40, beta=beta)["v"][1:, 0]
    for t in (1, 2, 7, 40):
        weights = (1 - beta) * beta ** np.arange(float(t))
        assert weights.sum() == pytest.approx(1 - beta**t, rel=1e-12)
        assert v[t - 1] == pytest.approx((weights * slopes[t - 1 :: -1][:t] ** 2).sum(), rel=1e-12)


def test_at_beta_099_the_half_life_is_69_steps_and_a_memory_length_leaves_37_percent():
    assert round(np.log(2) / -np.log(0.99)) == round(np.log(2) / (1 - 0.99)) == 69
    assert pytest.approx(np.exp(-1), abs=0.002) == 0.99**100


@pytest.mark.parametrize("beta", [0.5, 0.9, 0.99, 0.999])
@pytest.mark.parametrize("g", [-3.0, 1e-3])
def test_under_a_constant_gradient_step_t_is_lr_over_the_root_of_one_minus_beta_to_the_t(beta, g):
    ws = path(rmsprop, lambda w: np.full_like(w, g), np.zeros(1), 300, lr=0.2, beta=beta, eps=0.0)[:, 0]
    t = np.arange(1, 301)
    # A difference of two weights up to 100 lr away has lost a few digits.
    np.testing.assert_allclose(-np.diff(ws), np.sign(g) * 0.2 / np.sqrt(1 - beta**t), rtol=1e-10)


def test_first_steps_at_common_memories():
    for beta, length in ((0.9, 3.16), (0.99, 10.0), (0.999, 31.6)):
        assert 1 / np.sqrt(1 - beta) == pytest.approx(length, abs=0.05)


def test_a_burst_leaves_an_excess_that_falls_by_beta_each_step():
    size, beta = 100.0, 0.99
    v = 1 + (1 - beta) * (size**2 - 1)
    assert rmsprop(0.0, size, 1.0, beta=beta)[1] == pytest.approx(v, rel=1e-12)
    for n in range(1, 500):
        v = rmsprop(0.0, 1.0, v, beta=beta)[1]
        assert v == pytest.approx(1 + (1 - beta) * (size**2 - 1) * beta**n, rel=1e-10)
        if n == 100:
            assert round(v) == 38


def test_ten_times_a_large_burst_costs_some_460_steps_more():
    counts = [steps_after_burst(size, 0.99, 0.9) for size in (100, 1000, 10_000)]
    assert counts[0] == 603
    assert check("07.predict_forget", "c")
    more = np.log(100) / -np.log(0.99)
    assert np.diff(counts) == pytest.approx([more, more], abs=1.5)
    for small, large in ((10, 100), (30, 300)):  # which the slider has
        assert steps_after_burst(large, 0.99, 0.9) - steps_after_burst(small, 0.99, 0.9) in range(455, 466)


def test_with_the_burst_a_short_memory_follows_best():
    centre, extra = long_run.moving_minimum(burst=100.0)
    lrs = np.geomspace(0.001, 10, 30)
    ws = path(rmsprop, lambda w, t: w - centre[t] + extra[t], np.zeros(1), 3000, lr=lrs[:, None], beta=0.9)
    best = best_of(np.abs(ws[..., 0] - centre[:, None]).mean(axis=0), lr=lrs)
    assert not best.at_edge
    assert best.score == pytest.approx(0.11, abs=0.005)


def test_the_excess_of_a_burst_falls_on_a_straight_line_and_the_root_of_v_bends_near_its_usual_level():
    v, seen = 0.99 + 0.01 * 100**2, []
    for _ in range(900):
        seen.append(v)
        v = rmsprop(0.0, 1.0, v, beta=0.99)[1]
    excess, root = np.log(np.array(seen) - 1), 0.5 * np.log(seen)
    np.testing.assert_allclose(np.diff(excess), np.log(0.99), rtol=1e-6)
    slopes = np.diff(root) / (0.5 * np.log(0.99))
    assert (slopes[:200] > 0.9).all()  # nearly straight at first
    assert slopes[600] < 0.25  # and nearly level in the end


def test_adagrads_best_lr_is_about_three_times_as_large_for_ten_times_the_length_and_rmsprops_the_same():
    best = {}
    for steps in (3000, 30_000):
        c, added = moving_minimum(steps=steps)
        for rule, lrs in ((adagrad, np.geomspace(0.5, 30, 19)), (rmsprop, np.geomspace(0.01, 0.5, 18))):
            ws = path(rule, lambda w, t: w - c[t] + added[t], np.zeros(1), steps, lr=lrs[:, None])  # noqa: B023
            best[rule, steps] = best_of(np.abs(ws[..., 0] - c[:, None]).mean(axis=0), lr=lrs)
    assert not any(one.at_edge for one in best.values())
    assert best[adagrad, 30_000].value / best[adagrad, 3000].value == pytest.approx(np.sqrt(10), rel=0.3)
    assert best[rmsprop, 30_000].value == pytest.approx(best[rmsprop, 3000].value, rel=0.3)


def test_long_first_steps_help_a_network_within_ten_steps_at_lr_001_and_at_0999_not_at_once():
    net, seeds = models.mlp(*datasets.digits().train, sizes=(64, 32, 10)), range(5)
    one, ten = {}, {}
    for beta in (0.9, 0.99, 0.999):
        ws = path(rmsprop, net.batch_grad(32, seeds), net.init(seeds), 10, lr=0.01, beta=beta)
        one[beta], ten[beta] = np.median(net(ws[[1, 10]]), axis=1)
    assert one[0.99] < one[0.9] < one[0.999]
    assert max(ten[0.99], ten[0.999]) < ten[0.9]


def test_the_numbers_of_the_exercises_are_what_the_rule_does():
    assert check("07.first_step", rmsprop(0.0, -7.0, lr=0.02, beta=0.96, eps=0.0)[0])
    v, n = rmsprop(0.0, 100.0, 1.0, beta=0.99)[1], 0
    while v > 2:
        v, n = rmsprop(0.0, 1.0, v, beta=0.99)[1], n + 1
    assert n == 459
    assert check("07.forget_burst", n)
    assert check("07.forget_burst", np.log(100) / 0.01)  # by the approximation of the page
    assert check("07.forget_burst", 100 / 0.01).mistake is None


# --- the divisor ---------------------------------------------------------------------------------------


def test_where_eps_is_far_above_the_root_of_v_rmsprop_is_gradient_descent_with_lr_over_eps():
    c, added = moving_minimum()

    def slope(w, t):
        return w - c[t] + added[t]

    plain = path(gradient_descent, slope, np.zeros(1), 3000, lr=0.1)
    near = path(rmsprop, slope, np.zeros(1), 3000, lr=1e4, eps=1e5)
    # √v is about 0.4, so each step is short by 4e-6 of itself.
    np.testing.assert_allclose(near, plain, atol=2e-5)
    far = path(rmsprop, slope, np.zeros(1), 3000, lr=0.1 * 0.3, eps=0.3)
    assert np.abs(far - plain).max() > 0.1


def test_no_step_is_longer_than_lr_over_the_root_of_one_minus_beta_and_silence_reaches_it():
    slopes = np.random.default_rng(0).standard_cauchy((2000, 50))
    for beta in (0.5, 0.9, 0.99):
        bound = 0.1 / np.sqrt(1 - beta)
        steps = np.diff(path(rmsprop, lambda w, t: slopes[t], np.zeros(50), 2000, lr=0.1, beta=beta), axis=0)
        assert np.abs(steps).max() <= bound * (1 + 1e-12)
        late = rmsprop(0.0, 1.0, 1e-30, lr=0.1, beta=beta)[0]
        assert -late == pytest.approx(bound, rel=1e-6)


def test_along_the_axes_the_condition_number_does_not_change_the_path_and_in_a_turned_ravine_it_does():
    def walk(condition, angle):
        ground = quadratic(condition=condition, angle=angle)
        return path(rmsprop, ground.grad, np.array([-4.0, 1.5]), 60, lr=0.1, eps=0.0)

    np.testing.assert_allclose(walk(1000, 0), walk(10, 0), rtol=1e-9)
    assert np.abs(walk(1000, 30) - walk(10, 30)).max() > 0.1
    assert check("07.predict_condition", "c")


def test_without_memory_the_step_is_lr_with_the_sign_of_the_gradient():
    g = np.array([3.0, -0.2, 1e-6])
    np.testing.assert_allclose(rmsprop(np.zeros(3), g, lr=0.1, beta=0.0, eps=0.0)[0], -0.1 * np.sign(g))


@pytest.mark.parametrize("beta", [0.0, 0.5, 0.9, 0.99])
def test_the_drift_of_nine_and_one_is_that_of_a_long_walk(beta):
    slopes = np.resize(forgetting.SLOPES, 6000)
    ws, _ = forgetting.fed(rmsprop, slopes, lr=1.0, beta=beta, eps=0.0)
    assert ws[-1] - ws[-11] == pytest.approx(float(forgetting.drift(beta)), rel=1e-6)


def test_drifts_of_the_page():
    assert forgetting.SLOPES.mean() == pytest.approx(0, abs=1e-17)
    assert forgetting.drift(0.0) == pytest.approx(-8)
    assert forgetting.drift(0.9) == pytest.approx(-0.68, abs=0.005)
    assert forgetting.drift(0.9) / forgetting.drift(0.99) == pytest.approx(10, abs=0.5)
    assert forgetting.drift(0.99) / forgetting.drift(0.999) == pytest.approx(10, abs=0.5)
    early, _ = forgetting.fed(rmsprop, np.resize(forgetting.SLOPES, 300), lr=1.0, beta=0.99, eps=0.0)
    assert early[[10, 20]] == pytest.approx([-38, -40.5], abs=0.5)
    assert early[20:].max() == pytest.approx(-40, abs=1.5)  # and there it stays


def test_blank_pixels_leave_96_weights_without_any_gradient():
    X = datasets.digits().train.X
    assert 32 * (X[0] == X).all(axis=0).sum() == 96


# --- the end of the walk -------------------------------------------------------------------------------


@pytest.mark.parametrize("beta", [0.5, 0.9, 0.99])
@pytest.mark.parametrize(("lr", "eps", "curvature"), [(0.03, 0.0, 1.0), (0.1, 1e-3, 0.3), (0.02, 2e-3, 8.0)])
def test_at_a_constant_lr_the_walk_ends_in_a_jitter_of_half_lr_less_eps_over_curvature(
    beta, lr, eps, curvature
):
    ws = path(rmsprop, lambda w: curvature * w, ONE, 8000, lr=lr, beta=beta, eps=eps)[-200:, 0]
    size = forgetting.amplitude(lr, eps, curvature)
    assert size > 0
    np.testing.assert_allclose(np.abs(ws), size, rtol=2e-3)
    assert (np.sign(ws[1:]) == -np.sign(ws[:-1])).all()


def test_in_the_jitter_the_effective_lr_is_two_over_the_curvature():
    _, v = forgetting.on_parabola(0.02, 0.9, 1e-3, 5.0)
    assert 0.02 / (np.sqrt(v[-1]) + 1e-3) == pytest.approx(2 / 5, rel=1e-6)


def test_with_eps_above_half_of_lr_times_curvature_it_settles():
    ws = path(rmsprop, lambda w: w, ONE, 8000, lr=0.02, beta=0.9, eps=0.0101)[:, 0]
    assert np.abs(ws[-1000:]).max() < 1e-12


def test_a_walk_that_came_too_near_is_not_back_after_3000_steps_whatever_its_last_digit():
    w0 = 1 + 2e-16 * np.arange(-100, 100)
    walk = record(rmsprop, lambda w: w, w0, long_run.STEPS, lr=0.01, beta=0.99, eps=0.004)
    ws, v = walk["w"], walk["v"]
    assert forgetting.amplitude(0.01, 0.004, 1.0) == pytest.approx(0.001)
    assert 0 < np.abs(ws).min(axis=0).max() < 1e-320
    assert (0.01 / (np.sqrt(v[-1]) + 0.004) > 2).all()  # above the limit: it is on its way out
    late = path(rmsprop, lambda w: w, w0, 8000, lr=0.01, beta=0.99, eps=0.004)[-1]
    assert 0.6 < np.mean(np.abs(late) < 1e-320) < 0.9  # about three of four
    assert "Median distance over the last 300 steps: 0;" in explore(picture.settling(), eps=0.004).reading


def test_a_walk_at_1e_322_rests_for_ever_because_lr_times_g_is_rounded_to_0():
    ws = path(rmsprop, lambda w: w, np.array([1e-322]), 3000, lr=0.01, beta=0.99, eps=0.004)
    assert 0.01 / 0.004 > 2
    assert 0.01 * ws[-1] == 0
    assert (ws == ws[0]).all()


def test_without_memory_the_size_of_the_jitter_depends_on_the_start():
    for start, low, high in ((0.1025, 0.0025, 0.0075), (0.1001, 0.0001, 0.0099)):
        ws = path(rmsprop, lambda w: w, np.array([start]), 100, lr=0.01, beta=0.0, eps=0.0)[-2:, 0]
        np.testing.assert_allclose(sorted(np.abs(ws)), [low, high], rtol=1e-6)


def test_it_had_arrived_and_comes_back():
    ws = path(rmsprop, lambda w: w, ONE, 3000, lr=0.01, beta=0.99)[:, 0]
    assert abs(ws[300]) < 1e-9
    np.testing.assert_allclose(np.abs(ws[-50:]), 0.005, rtol=1e-2)
    assert check("07.predict_settle", "c")


def test_settling_lr_has_a_window_whose_upper_end_is_that_of_the_jitter_formula():
    # Both coordinates jitter by lr/2: the loss is (0.1 + 2)·lr²/4.
    assert np.sqrt(TARGET / 0.525) == pytest.approx(0.0617, abs=5e-5)
    for lr in np.r_[np.linspace(0.02, 0.07, 51), 0.0231, 0.0612]:
        late = d2l(path(rmsprop, d2l.grad, d2l.start, STEPS, lr=lr, beta=BETA))[-LAST:]
        assert bool(check("07.settle", lr)) == (late.max() < TARGET) == (0.02295 < lr < 0.06132), lr
    for lr, name in ((0.001, "too-slow"), (0.0225, "too-slow"), (0.0625, "jitters"), (1.0, "jitters")):
        assert check("07.settle", lr).mistake == name
    for lr in (0, -0.04):
        assert check("07.settle", lr).mistake == "not-positive"


# --- the other exercises -------------------------------------------------------------------------------


def test_the_four_runs_look_as_their_names_say():
    runs = four_runs()
    truth = {"A": "lr too large", "B": "eps too large", "C": "never forgets", "D": "lr too small"}
    assert check("07.diagnose", truth)
    step = {cause: runs[letter]["step"] for letter, cause in truth.items()}
    loss = {cause: runs[letter]["loss"] for letter, cause in truth.items()}
    large, eps, never, small = step.values()
    before, long_after = BURST_AT - 1, slice(200, 300)
    # Nothing but the first step and the burst is far from usual where lr is too small.
    assert small[[before, 250]] == pytest.approx([small[250]] * 2, rel=0.1)
    assert loss["lr too small"][-1] > 2
    # Too large a lr: steps as long at the end as shortly after the start, on a level of the loss.
    assert np.ptp(np.log10(loss["lr too large"][270:])) < 0.05
    assert large[-1] > 0.3
    # Too large an eps: the burst makes the longest step; later steps and loss fade by constant factors.
    assert eps.argmax() == BURST_AT
    assert eps[BURST_AT] > 4 * eps[0]
    assert max(large[BURST_AT] / large[0], never[BURST_AT] / never[0], small[BURST_AT] / small[0]) < 1.1
    for fading in (eps, np.sqrt(loss["eps too large"][1:])):
        factor = fading[long_after][1:] / fading[long_after][:-1]
        assert np.ptp(factor) < 1e-3
    # Never forgets: shorter and shorter, and at once by half or more after the burst.
    assert (np.diff(never[:BURST_AT]) < 0).all()
    assert never[BURST_AT + 1] < 0.5 * never[before]
    assert never[-1] < never[BURST_AT + 1]


def test_a_run_taken_for_another_is_told_what_to_look_at_and_not_the_cause():
    truth = {"A": "lr too large", "B": "eps too large", "C": "never forgets", "D": "lr too small"}
    for letter, cause in truth.items():
        for said in set(truth.values()) - {cause}:
            verdict = check("07.diagnose", truth | {letter: said})
            assert verdict.mistake == f"{cause}-taken-for-{said}".replace(" ", "-")
            assert cause not in verdict.text


@pytest.mark.parametrize("beta", [0.5, 0.9])
def test_the_centred_divisor_dies_out_under_a_constant_gradient(beta):
    history = record(centred_rmsprop, lambda w: np.full_like(w, 3.0), np.zeros(1), 30, beta=beta)
    t = np.arange(1, 31)
    spread = (history["v"] - history["m"] ** 2)[1:, 0]
    np.testing.assert_allclose(spread, 9 * (1 - beta**t) * beta**t, rtol=1e-5)


def test_centred_steps_grow_to_lr_over_eps_times_the_gradient():
    ws = path(centred_rmsprop, lambda w: np.ones_like(w), np.zeros(1), 300, lr=1.0, beta=0.9, eps=0.01)[:, 0]
    assert ws[-2] - ws[-1] == pytest.approx(100, rel=1e-3)


def test_rounding_can_make_the_centred_variance_negative():
    with np.errstate(invalid="ignore"):
        walks = path(
            centred_rmsprop, lambda w: np.linspace(0.1, 1, 50), np.zeros(50), 600, beta=0.9, eps=1e-8
        )
    assert np.isnan(walks[-1]).any()


# --- what the pictures draw ----------------------------------------------------------------------------


def test_the_burst_is_drawn_as_both_rules_see_it():
    shown = seen(picture.burst(), beta=0.9, size=30, start=700, length=5)
    slopes = np.ones(2000)
    slopes[700:705] = 30
    for label, rule, knobs in (("RMSProp", rmsprop, {"beta": 0.9}), ("AdaGrad", adagrad, {})):
        v = record(rule, lambda w, t: slopes[t : t + 1], np.zeros(1), 2000, **knobs)["v"][1:, 0]
        np.testing.assert_allclose(shown[f"√v of {label}"][1], np.sqrt(v), rtol=1e-12)
        np.testing.assert_allclose(shown[f"step of {label}"][1], 1 / np.sqrt(v), rtol=1e-12)
    assert "Memory 1/(1 − beta) = 10 steps" in shown.reading


def test_the_first_steps_are_drawn_as_the_walk_and_the_formula():
    shown = seen(picture.first_steps(), beta=0.98, t=25)
    ws = path(rmsprop, lambda w: np.ones_like(w), np.zeros(1), 1000, lr=1.0, beta=0.98, eps=0.0)[:, 0]
    for name in ("lengths", "theory"):
        np.testing.assert_allclose(shown[name][1], -np.diff(ws), rtol=1e-9)
    np.testing.assert_allclose(shown["weights"][:25], 0.98 ** np.arange(25.0), rtol=1e-12)
    assert not shown["weights"][25:].any()
    assert f"add up to {1 - 0.98**25:.3g}" in shown.reading


def test_the_long_run_is_drawn_as_the_rule_walks_with_root_v_and_eps_on_one_scale():
    knobs = {"lr": 0.1, "beta": 0.9, "eps": 0.5}
    shown = seen(picture.long_run(), **knobs, season=400, noise=0.2, burst=30.0)
    c, added = moving_minimum(400, 0.2, 30.0)

    def slope(w, t):
        return w - c[t] + added[t]

    history = record(rmsprop, slope, np.zeros(1), 3000, **knobs)
    plain = path(gradient_descent, slope, np.zeros(1), 3000, lr=0.2)[:, 0]
    np.testing.assert_allclose(shown["walk"], history["w"][:, 0], rtol=1e-9)
    np.testing.assert_allclose(shown["descent"], plain, rtol=1e-9)
    np.testing.assert_allclose(shown["root"][1], np.sqrt(history["v"][1:, 0]), rtol=1e-9)
    assert shown["eps_level"][1] == [0.5, 0.5]
    assert "between RMSProp and gradient descent" in shown.reading


def test_settling_is_drawn_as_the_rule_walks():
    knobs = {"lr": 0.03, "beta": 0.9, "eps": 1e-3, "curvature": 2.0}
    shown = seen(picture.settling(), **knobs)
    history = record(
        rmsprop, lambda w: 2.0 * w, ONE, 3000, **{k: v for k, v in knobs.items() if k != "curvature"}
    )
    w, v = history["w"][:, 0], history["v"][1:, 0]
    np.testing.assert_allclose(shown["walk"], np.abs(w), rtol=1e-9)
    np.testing.assert_allclose(shown["factor"][1], 0.03 / (np.sqrt(v) + 1e-3), rtol=1e-9)
    assert "lr/2 − eps/curvature is 0.0145" in shown.reading


def test_a_walk_that_is_still_coming_closer_is_not_said_to_have_come_back():
    scene = picture.settling()
    assert "came back" not in seen(scene, lr=0.01, beta=0.9, eps=0.0052, curvature=1.0).reading
    assert "came back" in seen(scene, lr=0.01, beta=0.9, eps=1e-8, curvature=1.0).reading


def test_nine_and_one_is_drawn_as_the_rule_walks():
    shown = seen(picture.nine_and_one(), beta=0.95)
    slopes = np.resize(forgetting.SLOPES, 300)
    ws = path(rmsprop, lambda w, t: slopes[t : t + 1], np.zeros(1), 300, lr=1.0, beta=0.95, eps=0.0)[:, 0]
    np.testing.assert_allclose(shown["walk"], ws, rtol=1e-12)
    assert f"drifts {-float(forgetting.drift(0.95)):.2g} lr" in shown.reading


def test_one_eps_is_above_a_fifth_of_the_weights_early_and_above_nearly_all_in_the_end():
    net = models.mlp(*datasets.digits().train, sizes=(64, 32, 10))
    v = record(rmsprop, net.batch_grad(32), net.init(0), 1000, lr=0.003, keep=["v"])["v"]
    roots = {step: np.sqrt(v[step][v[step] > 0]) for step in (1, 10, 100, 1000)}
    above = {step: np.mean(root < 1e-3) for step, root in roots.items()}
    assert [above[step] for step in (10, 100, 1000)] == pytest.approx([0.18, 0.15, 1.0], abs=0.006)
    middle = [np.median(root) for root in roots.values()]
    assert middle[0] < middle[1] < middle[2] > middle[3]  # to the right while v fills up, then to the left
    for root in roots.values():
        assert root.max() < 0.03  # far below the Inception network's eps of 1
        assert root.max() > 1e4 * root.min()


def test_the_broken_batch_throws_sgd_ten_thousand_times_as_far_and_the_others_ten_to_twenty_times():
    X, y = datasets.digits().train
    net = models.softmax(X, y, l2=1e-3)
    batch = net.batch_grad(32)

    def broken(w, t):
        return net.grad(w, 1000 * X[:32], y[1:33]) if t == 100 else batch(w, t)

    longer = {}
    for rule, lr in ((gradient_descent, 1.0), (adagrad, 0.1), (rmsprop, 0.01)):
        moved = np.linalg.norm(np.diff(path(rule, broken, np.zeros(net.n), 102, lr=lr), axis=0), axis=1)
        longer[rule] = moved[100] / np.median(moved[90:100])
    assert longer[gradient_descent] == pytest.approx(1e4, rel=0.3)
    assert 10 < longer[rmsprop] < longer[adagrad] < 20


def test_near_step_90_the_loss_of_the_ravine_leaps_up_again():
    ravine = quadratic(condition=100)
    losses = ravine(path(rmsprop, ravine.grad, ravine.start, 100, lr=0.1, beta=0.9))
    assert losses[80] < 1e-15
    assert losses[85:96].max() > 1e-3


def test_eps_among_weights_counts_them():
    roots = {1: np.array([0.0, 1e-5, 1e-3, 1e-3]), 10: np.full(4, 1e-2)}
    shown = seen(picture.eps_among_weights(roots), eps=1e-4, step=1)
    assert shown["counts"].sum() == 3  # the weight without a gradient is not drawn
    assert "33% of the 3 weights" in shown.reading
