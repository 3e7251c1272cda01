"""Lesson 09: what its pages claim is true, and what its pictures draw is what the schedules do."""

import itertools
import math
import re
from functools import cache

import numpy as np
import pytest

from optim_lessons.adam import adam
from optim_lessons.course.check import check
from optim_lessons.course.exercises import EXERCISES
from optim_lessons.course.exercises.lesson_09 import _RUNS, four_runs, loss_after, trapezoid, warm_cosine
from optim_lessons.debugging import dead
from optim_lessons.gradient_descent import gradient_descent, sharpness
from optim_lessons.lab import datasets, models
from optim_lessons.lab.explore import explore
from optim_lessons.lab.fair import best_of
from optim_lessons.lab.path import grid, path
from optim_lessons.lab.train import train
from optim_lessons.pictures import schedules as picture
from optim_lessons.schedules import constant, cosine, inverse_time, linear, then, warm_up
from optim_lessons.sgd import noise_ball, noisy, sgd
from optim_lessons.studies import annealing

SHAPES = list(picture.STYLES)
RAVINE = {"curvatures": annealing.CURVATURES, "start": annealing.START, "noise": 0.5}


@cache
def soft():
    net = models.softmax(*datasets.digits().train, l2=0.01)
    lowest = net(path(gradient_descent, net.grad, np.zeros(net.n), 2000, lr=1.0)[-1])
    return net, float(lowest)


@cache
def patient():
    return models.mlp(*datasets.digits(scaled=False).train, sizes=(64, 32, 10), activation="relu")


def best_ends(steps, noise, names=SHAPES, kappa=20, climb=np.inf):
    """Return the best final mean loss of each shape in the ravine, its peak, and how high it climbs."""
    peaks = np.geomspace(0.001, 300, 150)
    ends = {}
    for name in names:
        lrs = annealing.shape(name, peaks, steps)(np.arange(steps)[:, None]) + np.zeros((steps, len(peaks)))
        with np.errstate(all="ignore"):
            losses = annealing.expected_loss(lrs, [1 / kappa, 1.0], [4.0, 1.5], noise)
        allowed = (losses <= climb * losses[0]).all(axis=0)
        ends[name] = best_of(np.where(allowed, losses[-1], np.inf), lr=peaks)
        assert not ends[name].at_edge, (name, kappa, noise, steps)
        ends[name + " climbs"] = np.nanmax(losses[:, ends[name].index]) / losses[0, 0]
    return ends


# --- the mean of w², exactly --------------------------------------------------------------------------


@pytest.mark.parametrize("name", SHAPES)
def test_way_and_noise_add_up_to_what_many_walkers_do(name):
    lr = annealing.shape(name, 0.6, 80)
    ws = path(sgd, noisy(lambda w: 0.7 * w, 0.5), np.full(40_000, 2.0), 80, lr=lr)
    way, shaken = annealing.expected(lr(np.arange(80)) + np.zeros(80), 0.7, 2.0, 0.5)
    # Four standard errors of a mean of 40,000 squares.
    np.testing.assert_allclose((ws**2).mean(axis=1), way + shaken, rtol=0.03)
    still = path(sgd, lambda w: 0.7 * w, np.array([2.0]), 80, lr=lr)
    np.testing.assert_allclose(still[:, 0] ** 2, way, rtol=1e-9, atol=1e-300)


def test_several_schedules_at_once_give_what_each_gives_alone():
    lrs = np.random.default_rng(0).uniform(0, 1.5, (50, 3))
    together = annealing.expected(lrs, 0.8, 2.0, 0.5)
    for i in range(3):
        for both, alone in zip(together, annealing.expected(lrs[:, i], 0.8, 2.0, 0.5), strict=True):
            np.testing.assert_allclose(both[:, i], alone, rtol=1e-13)


def test_a_constant_lr_ends_in_the_noise_ball():
    _, shaken = annealing.expected(np.full(2000, 0.3), 0.5, 2.0, 0.7)
    assert shaken[-1] == pytest.approx(noise_ball(0.3, 0.5, 0.7) ** 2, rel=1e-12)


def test_one_over_t_makes_the_walk_the_mean_of_its_noise_and_forgets_the_start():
    noise = np.random.default_rng(0).standard_normal(500)
    walks = [
        path(sgd, lambda w, t: 0.5 * w + noise[t], np.array([w0]), 500, lr=inverse_time(2.0, length=1))
        for w0 in (3.0, -40.0)
    ]
    means = -np.cumsum(noise) / np.arange(1, 501) / 0.5
    for ws in walks:
        np.testing.assert_allclose(ws[1:, 0], means, atol=1e-12)
    way, shaken = annealing.expected(inverse_time(2.0, length=1)(np.arange(500)), 0.5, 3.0, 1.0)
    np.testing.assert_allclose(shaken[1:], 1 / (0.25 * np.arange(1, 501)), rtol=1e-12)
    assert not way[1:].any()


@pytest.mark.parametrize(("lr", "h"), [(0.02, 0.3), (0.1, 0.5), (0.5, 1.0)])
def test_one_over_t_is_level_with_the_ball_after_two_over_lr_h_minus_one_steps(lr, h):
    steps = 2 / (lr * h) - 1
    assert 1 / (h**2 * steps) == pytest.approx(noise_ball(lr, h, 1.0) ** 2, rel=1e-12)


def test_the_usual_wrong_step_counts_get_their_own_names():
    lr, h = 0.02, 0.3
    ball = noise_ball(lr, h, 1.0) ** 2
    wrong = {
        "factor-two": [1 / (lr * h), 1 / (lr * h) - 1],
        "curvature-of-the-mean": [1 / ball, 2 * h / lr],
        "curvature-of-the-ball": [1 / (h**2 * lr / (2 - lr)), 1 / (h**2 * lr / 2)],
        "root-on-one-side": [1 / (h**2 * np.sqrt(ball))],
        "no-curvature": [2 / lr - 1, 2 / lr],
    }
    for name, values in wrong.items():
        for value in values:
            assert check("09.beats_from", value).mistake == name, value
    assert check("09.beats_from", 333)
    assert check("09.beats_from", 2 / (lr * h))


def test_after_a_drop_the_loss_falls_to_a_tenth_but_not_at_once():
    lrs = np.r_[np.full(500, 0.02), np.full(4000, 0.002)]
    _, shaken = annealing.expected(lrs, 1.0, 0.0, 1.0)
    assert shaken[501] > 0.99 * shaken[500]
    assert shaken[700] > 0.4 * shaken[500]
    assert shaken[-1] == pytest.approx(0.1 * shaken[500], rel=0.02)


# --- how fast lr may fall -----------------------------------------------------------------------------


def test_a_finite_sum_of_lrs_leaves_about_a_third_of_the_way():
    ws = path(sgd, lambda w: w, np.array([10.0]), 3000, lr=lambda t: 0.1 * 0.9**t)
    assert ws[-1, 0] == ws[1000, 0] == pytest.approx(3.58, abs=0.005)
    assert sum(0.1 * 0.9**t for t in range(3000)) == pytest.approx(1, rel=1e-12)


@pytest.mark.parametrize("power", [0.4, 0.7, 1.0])
def test_powers_from_above_zero_to_one_arrive_slowly_or_not(power):
    way, shaken = annealing.expected(annealing.powers(0.8, power, 10), 1.0, 10.0, 1.0)
    total = way + shaken
    assert way[-1] < 1e-6
    assert total[-1] < 0.6 * total[len(total) // 8]  # and it goes on falling


@pytest.mark.parametrize("power", [1.5, 2.0])
def test_powers_above_one_never_arrive_however_long_the_walk(power):
    lr, length = 0.1, 10
    all_ever = lr * (1 + length / (power - 1))  # more than the sum of all lrs to the end of time
    lrs = annealing.powers(lr, power, length)
    assert lrs.sum() < all_ever
    way, _ = annealing.expected(lrs, 1.0, 10.0, 0.0)
    assert way[-1] > 100 * np.exp(-2 * 1.06 * all_ever) > 1  # as 1 - x > exp(-1.06 x) up to 0.1


def test_with_a_small_c_the_way_falls_like_t_to_the_minus_h_c():
    lrs = annealing.powers(0.02, 1.0, 10)  # c = 0.2
    way, _ = annealing.expected(lrs, 1.0, 10.0, 0.0)
    slope = np.log(way[20_000] / way[2_000]) / np.log(10)
    assert slope == pytest.approx(-2 * 0.2, abs=0.01)  # of w², the red line; the distance has half of it


def test_after_a_billion_steps_of_one_over_t_more_than_a_hundredth_of_the_way_is_left():
    def left(steps):
        return math.exp(math.lgamma(steps + 0.8) - math.lgamma(steps + 1) - math.lgamma(0.8))

    ws = path(sgd, lambda w: 0.2 * w, np.array([1.0]), 1000, lr=lambda t: 1 / (t + 1))
    assert ws[-1, 0] == pytest.approx(left(1000), rel=1e-10)
    assert left(10**9) == pytest.approx(0.0136, abs=0.0005)


# --- the ravine, and the best schedule ----------------------------------------------------------------


def test_in_the_explored_ravine_four_shapes_are_level_and_step_and_the_constant_end_twice_as_high():
    best = best_ends(annealing.STEPS, 0.5, picture.NAMES)
    ends = {name: best[name].score for name in picture.NAMES}
    assert max(best[name].value for name in picture.NAMES) < 1.9  # the slider ends there
    far = [ends.pop(name) / min(ends.values()) for name in ("step", "constant")]
    np.testing.assert_allclose(far, [1.9, 2.0], atol=0.1)
    assert max(ends.values()) < 7 / 6 * min(ends.values())


def test_warm_up_costs_steps_but_where_lr_falls_too_early_and_without_noise_nothing_beats_the_constant_lr():
    def end(noise=0.5, **knobs):
        lr = annealing.built(
            **{"schedule": "cosine", "lr": 0.5, "warm": 0, "length": 300, "floor": 0.0} | knobs
        )
        lrs = lr(np.arange(300)) + np.zeros(300)
        return annealing.expected_loss(lrs, **RAVINE | {"noise": noise})[-1]

    for warm in (20, 60, 100):
        assert end(warm=warm, length=300 - warm) > end()
        assert end(schedule="constant", warm=warm) > end(schedule="constant")
        assert end(schedule="exponential", warm=warm, length=30) < end(schedule="exponential", length=30)
    for name, peak in itertools.product(picture.NAMES[1:], np.geomspace(0.01, 1.9, 20)):
        assert end(0.0, schedule=name, lr=peak) > end(0.0, schedule="constant", lr=peak)


def test_the_greedy_lr_is_inverse_time_and_no_change_of_one_lr_improves_it():
    h, sigma, w0, steps = 0.5, 1.3, 2.0, 60
    first = h * w0**2 / (h**2 * w0**2 + sigma**2)
    lrs = inverse_time(first, length=1 / (h * first))(np.arange(steps))
    total = sum(annealing.expected(lrs, h, w0, sigma))
    np.testing.assert_allclose(lrs, h * total[:-1] / (h**2 * total[:-1] + sigma**2), rtol=1e-12)
    np.testing.assert_allclose(1 / total, 1 / w0**2 + np.arange(steps + 1) * h**2 / sigma**2, rtol=1e-12)
    for t, factor in itertools.product((0, 1, 30, 59), (0.9, 1.1)):
        changed = lrs * np.where(np.arange(steps) == t, factor, 1)
        assert sum(annealing.expected(changed, h, w0, sigma))[-1] > total[-1]


@cache
def contest(climb):
    """Return the contest of section 6: name -> final losses over the best of each of the 18 problems."""
    rows = []
    for kappa, noise, steps in itertools.product((1, 10, 100), (0.1, 0.5, 2.0), (100, 1000)):
        ends = best_ends(steps, noise, kappa=kappa, climb=climb)
        row = np.array([ends[name].score for name in SHAPES])
        rows.append(row / row.min())
    return dict(zip(SHAPES, np.transpose(rows), strict=True))


def test_in_the_contest_linear_is_before_cosine_and_the_constant_lr_is_never_the_best():
    for climb in (np.inf, 1.0):
        column = contest(climb)
        assert (column["linear"] < column["cosine"]).all()
        assert (column["constant"] > 1).all()
        assert column["constant"][-2:].max() < 1.2  # κ = 100 and much noise
        assert (column["exponential"] == 1).sum() == 11
        assert (column["inverse time"][:6] > 1).any()  # κ = 1, but not always the winner


def test_with_free_peaks_exponential_has_the_least_bad_worst_row_and_without_climbing_the_worst():
    free, calm = ({name: column.max() for name, column in contest(c).items()} for c in (np.inf, 1.0))
    assert min(free, key=free.get) == "exponential"
    assert free["exponential"] == pytest.approx(1.2, abs=0.02)
    assert sorted(calm, key=calm.get)[-2:] == ["inverse time", "exponential"]
    for name in ("linear", "cosine", "flat, then linear"):
        assert calm[name] < 2
        assert free[name] < 2
    assert min(calm[name] for name in ("constant", "step", "exponential", "inverse time")) > 2


def test_where_the_walk_may_not_climb_one_row_of_the_contest_turns_round_and_the_others_stay():
    free, calm = (np.array([*contest(climb).values()]) for climb in (np.inf, 1.0))
    turned = np.flatnonzero(np.abs(calm / free - 1).max(axis=0) > 0.05)
    assert turned.tolist() == [12]  # κ = 100, σ = 0.1, 100 steps
    for name in ("exponential", "inverse time"):
        assert calm[SHAPES.index(name), 12] > 4
    assert free[SHAPES.index("exponential"), 12] == pytest.approx(1.16, abs=0.005)


def test_the_free_peak_of_exponential_is_five_times_the_limit_and_climbs_as_no_real_loss_would_allow():
    ends = best_ends(100, 0.1, ["exponential"], kappa=100)
    assert ends["exponential"].value / 2 == pytest.approx(5, abs=0.3)
    assert ends["exponential climbs"] > 1e30


@pytest.mark.parametrize(("kappa", "steps"), [(10, 30), (10, 300), (100, 100), (1000, 30), (1000, 300)])
def test_without_noise_the_constant_lr_is_best_unless_the_walk_may_climb_and_come_back(kappa, steps):
    names = ["constant", "linear", "cosine", "exponential", "inverse time"]
    calm, free = (best_ends(steps, 0.0, names, kappa, climb) for climb in (1.0, np.inf))
    assert min(names, key=lambda name: calm[name].score) == "constant"
    assert calm["constant"].value == free["constant"].value < 2
    assert free["linear"].score < free["constant"].score
    assert free["linear"].value > 3
    assert free["linear climbs"] > 1e4


# --- the pictures -------------------------------------------------------------------------------------


def test_the_ravines_picture_draws_the_schedule_the_exact_mean_and_one_walk():
    explorer = explore(picture.noisy_ravine())
    explorer.set(schedule="step", lr=0.8, warm_up=20, length=150, floor=0.05, noise=0.4, seed=3)
    lr = annealing.built("step", lr=0.8, warm=20, length=150, floor=0.05)
    lrs = [float(lr(t)) for t in range(annealing.STEPS)]
    np.testing.assert_allclose(explorer.shown["lrs"], lrs, rtol=1e-12)
    grad = noisy(lambda w: annealing.CURVATURES * w, 0.4, 3)
    ws = path(sgd, grad, annealing.START, annealing.STEPS, lr=lr)
    np.testing.assert_allclose(explorer.shown["walk"], 0.5 * ws**2 @ annealing.CURVATURES, rtol=1e-9)
    exact = annealing.expected_loss(np.array(lrs), **RAVINE | {"noise": 0.4})
    np.testing.assert_allclose(explorer.shown["mean"], exact, rtol=1e-12)
    h, w0 = np.tile(annealing.CURVATURES, 5000), np.tile(annealing.START, 5000)
    crowd = path(sgd, noisy(lambda w: h * w, 0.4), w0, annealing.STEPS, lr=lr)
    np.testing.assert_allclose(0.5 * (crowd**2 @ h) / 5000, exact, rtol=0.08)


@pytest.mark.parametrize("name", picture.NAMES)
@pytest.mark.parametrize("lr", [0.02, 0.5])
def test_the_two_parts_that_the_ravines_reading_names_add_up_to_its_loss(name, lr):
    explorer = explore(picture.noisy_ravine())
    explorer.set(schedule=name, lr=lr)
    said = r"mean loss (\S+) after .*?\. (\S+) of it is what is left of the way, (\S+) is noise"
    loss, way, shaken = map(float, re.search(said, explorer.reading).groups())
    # Three numbers of two digits each: each is off by at most 5% of itself.
    assert way + shaken == pytest.approx(loss, rel=0.1)


def test_after_a_drop_of_lr_the_loss_takes_many_steps_to_fall():
    lrs = np.where(np.arange(annealing.STEPS) < 100, 0.5, 0.05)
    loss = annealing.expected_loss(lrs, **RAVINE | {"noise": 0.5})
    assert loss[101] > 0.9 * loss[100]
    assert loss[300] == pytest.approx(loss[100] / 4, rel=0.1)


def test_the_picture_of_powers_draws_way_and_noise():
    explorer = explore(picture.how_fast(), power=0.8, lr=0.3, length=50)
    way, shaken = annealing.expected(annealing.powers(0.3, 0.8, 50), 1.0, 10.0, 1.0)
    for name, values in (("way", way), ("noise", shaken), ("both", way + shaken)):
        np.testing.assert_allclose(explorer.shown[name][1], values[picture.SHOWN])


def test_the_digits_picture_draws_what_sgd_does_under_the_schedule():
    net, lowest = soft()
    explorer = explore(picture.digits(net, lowest))
    explorer.set(schedule="cosine", lr=0.6, warm_up=20, length=180, floor=0.02, seed=2)
    lr = annealing.built("cosine", lr=0.6, warm=20, length=180, floor=0.02)
    w0 = np.zeros(net.n, np.float32)
    ws = path(sgd, net.batch_grad(16, 2), w0, picture.DIGIT_STEPS, lr=lr)
    above = net(ws[picture.MARKS]) - lowest
    np.testing.assert_allclose(explorer.shown["found"][1], above, rtol=1e-3)  # float32


def test_the_networks_picture_draws_adams_steps_with_and_without_warm_up():
    net = patient()
    explorer = explore(picture.first_steps(net))
    explorer.set(rule="Adam", lr=0.03, warm_up=20, seed=1)
    few = models.mlp(net.X[::4], net.y[::4], sizes=net.sizes, activation="relu")
    for label, warm in (("at once", 0), ("with warm-up", 20)):
        lr = warm_up(linear(0.03, 0.0, length=136 - warm), warm)
        ws = path(adam, net.batch_grad(32, 1), net.init(1, np.float32), 136, lr=lr)
        lengths = np.sqrt((np.diff(ws, axis=0) ** 2).mean(axis=-1))
        np.testing.assert_allclose(explorer.shown[f"{label}: lengths"][1], lengths, rtol=1e-4)
        np.testing.assert_allclose(explorer.shown[label][1], few(ws[picture.NET_MARKS]), rtol=1e-4)


def test_a_dead_unit_has_no_gradient():
    net, w = patient(), patient().init(0)
    first = net.layers(w)[0]
    first[-1, :3] = -1e6  # three biases that no image overcomes
    assert dead(net.hidden(w)[0]) >= 3 / 32
    assert not net.layers(net.grad(w))[0][:, :3].any()


# --- digits: a fair sweep, averaging, the goal --------------------------------------------------------


@pytest.mark.parametrize("peak", np.geomspace(0.02, 3, 25))
def test_no_constant_lr_gets_below_what_the_page_says(peak):
    assert loss_after(peak, peak) > 0.225


def test_the_goal_is_reached_by_some_pairs_and_each_miss_has_its_name():
    for pair in ((0.7, 0.0), (0.5, 0.02), (1.0, 0.05)):
        assert check("09.three_epochs", pair), pair
    missed = {
        (0.1, 0.05): "not-arrived",
        (0.2, 0.2): "not-arrived",
        (0.6, 0.3): "ends-too-high",
        (2.0, 0.0): "peak-too-large",
        (0.05, 0.5): "rises",
        (300.0, 100.0): "diverged",
        (-0.1, 0.0): "not-positive",
    }
    for pair, name in missed.items():
        assert check("09.three_epochs", pair).mistake == name, pair


def test_the_best_peak_of_a_schedule_is_two_to_five_times_the_best_constant_lr():
    net, lowest = soft()
    peaks, best = np.geomspace(0.05, 3, 15), {}
    for name in ("constant", "linear", "inverse time", "flat, then linear"):
        g = grid(seed=range(8), lr=peaks)
        lr = annealing.shape(name, g["lr"], 204)
        w0 = np.zeros(net.n, np.float32)
        run = train(sgd, net, epochs=3, batch=16, w0=w0, progress=False, seed=g["seed"], lr=lr)
        found = best_of((net(run.w) - lowest).mean(axis=0), lr=peaks)
        assert not found.at_edge
        best[name] = found.value
    constant_lr = best.pop("constant")
    for peak in best.values():
        assert 1.6 < peak / constant_lr < 6  # one step of the sweep is a factor of 1.34


# --- warm-up ------------------------------------------------------------------------------------------


def test_adams_first_step_is_more_than_ten_times_as_long_as_those_around_step_34():
    net = patient()
    lr = linear(0.04, 0.0, length=136)
    ws = path(adam, net.batch_grad(32, range(8)), net.init(range(8)), 60, lr=lr)
    lengths = np.sqrt((np.diff(ws, axis=0) ** 2).mean(axis=-1))
    units = np.median(lengths / np.array([lr(t) for t in range(60)])[:, None], axis=1)
    assert units[0] > 0.75  # not 1: pixels that are always dark have no gradient
    assert units[0] > 10 * units[30:38].mean()
    assert units[34:].max() < 0.1  # the leash does not pull later


def test_the_start_on_raw_pixels_is_a_hundred_times_sharper():
    healthy = models.mlp(*datasets.digits().train, sizes=(64, 32, 10))
    raw, scaled = (
        np.median(np.abs(sharpness(net.grad, net.init(range(8)), iterations=30)))
        for net in (patient(), healthy)
    )
    assert raw > 100 * scaled
    assert 2 / raw == pytest.approx(0.009, abs=0.0006)


def test_a_third_of_the_first_gradients_is_0_so_adams_first_step_is_shorter_than_lr():
    net = patient()
    first = net.batch_grad(32, range(8))(net.init(range(8)), 0)
    assert np.mean(first == 0) == pytest.approx(0.31, abs=0.01)
    step = adam(net.init(range(8)), first, lr=0.04)[0] - net.init(range(8))
    assert np.sqrt((step**2).mean()) / 0.04 == pytest.approx(0.83, abs=0.01)
    np.testing.assert_allclose(np.abs(step[np.abs(first) > 1e-4]), 0.04, rtol=1e-3)


def test_the_leash_shortens_every_one_of_its_steps_at_a_small_lr_and_three_of_four_at_a_large_one():
    net, cut = patient(), []

    def leashed(w, g, m=0.0, v=0.0, t=0, *, lr=1e-3):
        free, m, v, t = adam(w, g, m, v, t, lr=lr)
        step = free - w
        length = np.sqrt((step**2).mean(axis=-1, keepdims=True))
        if t <= 34:
            cut.append(length[..., 0] > 0.1 * lr[..., 0])
            step = step * np.minimum(1, 0.1 * lr / np.maximum(length, 1e-300))
        return w + step, m, v, t

    g = grid(seed=range(8), lr=[0.01, 0.04, 0.08])
    fall = linear(g["lr"], 0 * g["lr"], length=136)
    train(leashed, net, epochs=1, dtype=float, progress=False, seed=g["seed"], lr=fall)
    shares = np.mean(cut, axis=(0, 1))
    assert shares[0] == 1
    assert shares[1] > 0.9
    assert shares[2] == pytest.approx(0.77, abs=0.06)


def test_a_tanh_unit_keeps_a_gradient_where_a_relu_unit_has_none():
    net = models.mlp(*datasets.digits().train, sizes=(64, 32, 10))
    w = net.init(0)
    net.layers(w)[0][-1] = -8.0
    assert net.layers(net.grad(w))[0].any(axis=0).all()


# --- exercises, libraries, the end --------------------------------------------------------------------


@pytest.mark.parametrize(("peak", "warm", "total", "floor"), [(0.3, 8, 48, 0.02), (1.0, 1, 9, 0.0)])
def test_the_exercises_schedule_is_warm_up_and_cosine_of_the_module(peak, warm, total, floor):
    lr = warm_up(cosine(peak, length=total - warm, floor=floor), warm)
    for t in range(total + 20):
        assert warm_cosine(t, peak, warm, total, floor) == pytest.approx(lr(t), abs=1e-15)


@pytest.mark.parametrize(("peak", "warm", "total", "cool"), [(0.3, 8, 48, 11), (1.0, 1, 9, 8)])
def test_the_trapezoid_is_three_schedules_one_behind_another(peak, warm, total, cool):
    lr = warm_up(then(constant(peak), total - cool - warm, linear(peak, 0.0, length=cool)), warm)
    for t in range(total + 20):
        assert trapezoid(t, peak, warm, total, cool) == pytest.approx(lr(t), abs=1e-15)


def test_a_cosine_with_no_warm_up_is_a_right_answer_in_other_words():
    def my_warm_cosine(t, peak, warm, total, floor):
        rise = min(t / warm, 1.0)
        angle = math.pi * min(max(t - warm, 0), total - warm) / (total - warm)
        return rise * (floor + 0.5 * (peak - floor) * (1 + math.cos(angle)))

    assert check("09.warm_cosine", my_warm_cosine)


def test_the_four_runs_to_diagnose_are_sgd_under_their_schedules_and_end_as_told():
    h, w0 = np.tile([0.05, 1.0], 40), np.tile([-4.0, 1.5], 40)
    runs = four_runs()
    for letter, losses in runs.items():
        ws = path(sgd, noisy(lambda w: h * w, 0.5, seed=3), w0, 300, lr=_RUNS[letter])
        np.testing.assert_allclose(losses, 0.5 * (ws**2 @ h) / 40, rtol=1e-9)
    shaking = {letter: np.abs(np.diff(np.log(losses[-60:]))).mean() for letter, losses in runs.items()}
    assert shaking["C"] > 5 * max(shaking[letter] for letter in "ABD")
    assert runs["B"][-1] > 3 * runs["C"][-60:].mean() > 3 * runs["D"][-1] > 3 * runs["A"][-1]


def test_called_once_per_epoch_a_cosine_over_batches_has_hardly_begun():
    lrs = [0.1 * (1 + math.cos(math.pi * calls / 340)) / 2 for calls in range(341)]
    assert check("09.per_epoch", 0.1 - lrs[9])
    assert lrs[9] == pytest.approx(0.0998, abs=5e-5)
    for answer, mistake in (
        (0.1 - lrs[10], "one-call-too-many"),
        (0.1 - lrs[8], "one-call-too-few"),
        (lrs[9], "lr-itself"),
        (0.1 - lrs[339], "as-planned"),
        (0.1 * (1 - math.cos(math.pi * 0.9)) / 2, "counts-epochs"),
        (0.1 * 9 / 340, "straight-line"),
        (0.1 - round(lrs[9], 4), "rounded-too-far"),
    ):
        assert check("09.per_epoch", answer).mistake == mistake, answer
    assert not any(" nine" in f"{m.text} {m.hint}" for m in EXERCISES["09.per_epoch"].mistakes)


def test_on_new_images_the_loss_rises_and_the_share_of_right_answers_stays():
    data = datasets.digits()
    net = models.mlp(*data.train, sizes=(64, 32, 10))
    run = train(adam, net, epochs=40, lr=0.03, validation=data.validation, dtype=float, progress=False)
    loss, accuracy = run.history["validation_loss"], run.history["validation_accuracy"]
    assert loss.argmin() == 3
    assert loss[-1] > 1.2 * loss.min()
    assert (np.diff(run.history["train_loss"]) < 0).all()
    assert np.abs(accuracy[5:] - 0.95).max() < 0.01
