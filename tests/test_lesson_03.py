"""Lesson 03: what its page claims, its formulas against its module, and its pictures against the rule."""

import itertools

import numpy as np
import pytest

from optim_lessons.course.check import check
from optim_lessons.course.exercises import EXERCISES
from optim_lessons.course.exercises.lesson_03 import (
    BATCH,
    EPOCHS,
    L2,
    TARGET,
    averaged_descent,
    four_runs,
    loss_after,
)
from optim_lessons.gradient_descent import gradient_descent
from optim_lessons.lab import datasets, models
from optim_lessons.lab.explore import explore
from optim_lessons.lab.fair import best_of, every_best, last_tenth
from optim_lessons.lab.path import path, record
from optim_lessons.lab.train import train
from optim_lessons.landscapes import numerical_gradient, quadratic
from optim_lessons.pictures import sgd as picture
from optim_lessons.sgd import (
    ORDERS,
    batch_gradient,
    batches,
    lr_for_batch,
    mean_square,
    noise_ball,
    noise_scale,
    noisy,
    sgd,
    steps_for_batch,
)
from optim_lessons.studies import minibatches

PATIENTS = datasets.diabetes().all
P, Q = PATIENTS.X[:, [2, 8]], PATIENTS.y
X, Y = datasets.digits().train


@pytest.fixture(scope="module")
def net():
    return models.softmax(X, Y, l2=0.01)


@pytest.fixture(scope="module")
def minimum(net):
    return path(gradient_descent, net.grad, np.zeros(net.n), 2000, lr=1.0)[-1]


def gradients(net, w):
    return np.array([net.grad(w, X[i : i + 1], Y[i : i + 1]) for i in range(len(X))])


# --- a sample instead of all -------------------------------------------------------------------------


def test_sgd_is_gradient_descent():
    assert sgd is gradient_descent


def test_the_data_are_as_the_page_says():
    assert len(X) == 1077 == 67 * 16 + 5
    assert -(-1077 // 8) == 135
    assert 95 <= (Y == 3).sum() <= 115
    images = len(datasets.digits().test.y)
    assert round(100 * np.sqrt(0.94 * 0.06 / images), 1) == 1.3


def test_the_gradient_of_a_batch_is_the_slope_of_its_loss():
    w, rows = np.array([0.3, -1.2]), np.array([5, 7, 7, 200])
    slope = numerical_gradient(lambda w: 0.5 * ((w @ P[rows].T - Q[rows]) ** 2).mean(axis=-1), w)
    np.testing.assert_allclose(batch_gradient(w, P, Q, rows), slope, rtol=1e-7)


def test_over_all_batches_the_gradient_is_right_on_average_and_its_error_is_the_trace_over_the_batch():
    w, n = np.array([-0.6, 1.1]), 6
    full = batch_gradient(w, P[:n], Q[:n], np.arange(n))
    each = np.array([batch_gradient(w, P[:n], Q[:n], [i]) for i in range(n)])
    trace = ((each - full) ** 2).sum(axis=1).mean()
    for size in (1, 2, 3):  # every draw with replacement there is
        draws = itertools.product(range(n), repeat=size)
        got = np.array([batch_gradient(w, P[:n], Q[:n], np.array(rows)) for rows in draws])
        np.testing.assert_allclose(got.mean(axis=0), full, rtol=1e-12)
        assert ((got - full) ** 2).sum(axis=1).mean() == pytest.approx(trace / size, rel=1e-12)


def test_a_quarter_of_single_examples_points_the_wrong_way_and_hardly_a_batch_of_16():
    scene = explore(picture.one_batch(P, Q), batch=[1, 16])
    wrong = {}
    for batch in (1, 16):
        scene.set(batch=batch)
        wrong[batch] = int(scene.reading.split("%")[0].split()[-1])
    assert 20 <= wrong[1] <= 30
    assert wrong[16] <= 1


@pytest.mark.parametrize("size", [1, 4, 5])
def test_an_epoch_deals_every_example_once_and_only_reshuffling_changes_the_order(size):
    steps = -(-11 // size)
    for order in ("reshuffled", "as stored"):
        rows = batches(11, size, order=order, seed=2)
        first, second = (np.concatenate([rows(e * steps + t) for t in range(steps)]) for e in (0, 1))
        assert sorted(first) == sorted(second) == list(range(11))
        assert (order == "reshuffled") == (list(first) != list(second))
    assert list(first) == list(range(11))


def test_draws_with_replacement_repeat_some_examples_and_miss_others():
    rows = batches(100, 10, order="with replacement")
    drawn = np.concatenate([rows(t) for t in range(10)])
    assert 50 < len(set(drawn)) < 75  # 63 of 100, on average


@pytest.mark.parametrize("order", ORDERS)
def test_batches_are_drawn_from_seed_and_step_so_a_run_can_resume(order):
    a, b = (batches(50, 8, order=order, seed=3) for _ in range(2))
    forth, back = [list(a(t)) for t in range(20)], [list(b(t)) for t in reversed(range(20))]
    assert forth == back[::-1]


def test_an_unknown_order_is_refused():
    with pytest.raises(ValueError, match="reshuffled, with replacement, as stored"):
        batches(10, 2, order="sorted")


# --- the noise ball ----------------------------------------------------------------------------------


@pytest.mark.parametrize("lr", [0.05, 0.5, 1.0, 1.9, 2.0, 2.05])
def test_mean_square_is_that_of_many_walkers_at_every_step_also_past_the_limit(lr):
    h, noise, start = 1.0, 0.5, 2.0
    ws = path(sgd, noisy(lambda w: h * w, noise, seed=1), np.full(20_000, start), 40, lr=lr)
    t = np.array([0, 1, 2, 10, 40])
    # Standard error of a mean square of 20,000 draws: 1%.
    np.testing.assert_allclose((ws[t] ** 2).mean(axis=1), mean_square(t, start, lr, h, noise), rtol=0.04)


def test_mean_square_obeys_the_recursion_of_the_page():
    lr, h, noise = 0.3, 2.0, 0.7
    v = mean_square(np.arange(30), 1.5, lr, h, noise)
    np.testing.assert_allclose(v[1:], (1 - lr * h) ** 2 * v[:-1] + (lr * noise) ** 2, rtol=1e-13)


@pytest.mark.parametrize(("lr", "h"), [(0.01, 1.0), (0.1, 4.0), (0.45, 4.0), (1.9, 1.0)])
def test_the_ball_is_where_mean_square_ends(lr, h):
    assert mean_square(1e5, 3.0, lr, h, 0.8) == pytest.approx(noise_ball(lr, h, 0.8) ** 2, rel=1e-9)
    assert noise_ball(lr, h, 0.8) ** 2 == pytest.approx(lr * 0.8**2 / (h * (2 - lr * h)), rel=1e-14)


def test_the_root_law_holds_to_a_few_per_cent_up_to_a_tenth_of_the_limit():
    h, noise = 3.0, 1.0

    def ratio(lr):
        return noise_ball(lr, h, noise) / (noise * np.sqrt(lr / (2 * h)))

    assert 1 < ratio(0.1 * 2 / h) < 1.06
    assert ratio(0.5 * 2 / h) > 1.4
    assert ratio(0.99 * 2 / h) == pytest.approx(10, rel=1e-9)
    assert noise_ball(0.0025, h, 1) == pytest.approx(noise_ball(0.01, h, 1) / 2, rel=0.01)


def test_every_direction_keeps_nearly_the_same_loss_at_small_lr():
    h, lr = np.array([0.01, 0.1, 1.0]), 0.02
    kept = 0.5 * h * noise_ball(lr, h, 0.5) ** 2
    np.testing.assert_allclose(kept, lr * 0.5**2 / 4, rtol=0.011)


def test_noise_can_only_add_to_the_mean_loss_on_a_quadratic():
    rng = np.random.default_rng(0)
    for _ in range(100):
        lr, h, noise, start = rng.uniform(0, [2.2, 1, 2, 4])
        t = np.arange(100)
        clean = mean_square(t, start, lr, h, 0.0)
        np.testing.assert_allclose(clean, ((1 - lr * h) ** t * start) ** 2, rtol=1e-9, atol=1e-300)
        assert (mean_square(t, start, lr, h, noise) >= clean).all()


def test_ball_radius_is_what_walkers_measure():
    ws = path(sgd, noisy(lambda w: 4 * w, 0.8, seed=2), np.zeros(20_000), 60, lr=0.1)
    assert ws[-1].std() == pytest.approx(noise_ball(0.1, 4.0, 0.8), rel=0.02)
    assert check("03.ball_radius", noise_ball(0.1, 4.0, 0.8))
    assert not check("03.ball_radius", 0.0994)


# --- the ball on digits ------------------------------------------------------------------------------


def test_sgd_leaves_the_minimum_and_stays_near_at_the_height_of_the_formula(net, minimum):
    each = gradients(net, minimum)
    assert np.linalg.norm(each.mean(axis=0)) < 1e-9
    trace = each.var(axis=0).sum()
    ws = path(sgd, minibatches.dealt(net, 16, "with replacement"), minimum, 3000, lr=0.1)
    above = net(ws[200::20]) - net(minimum)
    assert above.min() > 0
    assert above.mean() == pytest.approx(0.1 * trace / (4 * 16), rel=0.15)
    far = np.linalg.norm(ws[[1000, 2000, 3000]] - minimum, axis=-1)
    assert far.max() < 2 * far.min()  # it does not drift away


def test_the_errors_of_a_reshuffled_epoch_add_up_to_nothing_where_w_stands_still(net):
    w = net.init(0)
    for order, small in (("reshuffled", True), ("with replacement", False)):
        rows = batches(1072, 16, order=order)  # 67 batches of equal size
        full = net.grad(w, X[:1072], Y[:1072])
        mean = np.mean([net.grad(w, X[rows(t)], Y[rows(t)]) for t in range(67)], axis=0)
        assert (np.linalg.norm(mean - full) < 1e-12) == small


# --- batch sizes -------------------------------------------------------------------------------------


def test_best_lr_and_gain_of_one_step_are_those_of_the_derivation():
    # Least squares is a quadratic, so the mean over all draws is exact: one example at a time, then by 1/B.
    land, n = minibatches.least_squares(P, Q), len(P)
    w, H = np.array([-0.6, 1.1]), P.T @ P / n
    each = np.array([batch_gradient(w, P, Q, [i]) for i in range(n)])
    g = each.mean(axis=0)
    noise = np.mean([(e - g) @ H @ (e - g) for e in each])
    lr_full, critical = g @ g / (g @ H @ g), noise / (g @ H @ g)
    lrs = np.geomspace(0.01, 3, 400)[:, None]
    losses = land(w - lrs[..., None] * each).mean(axis=1)  # after a step with a batch of 1
    best = lr_for_batch(1, lr_full, critical)
    assert lrs[losses.argmin(), 0] == pytest.approx(best, rel=0.02)
    assert land(w) - losses.min() == pytest.approx(0.5 * best * (g @ g), rel=1e-3)
    assert lr_for_batch(critical, lr_full, critical) == pytest.approx(lr_full / 2)
    assert lr_for_batch(2, 1.0, 1e6) == pytest.approx(2 * lr_for_batch(1, 1.0, 1e6), rel=1e-5)


def test_where_curvatures_are_alike_the_critical_batch_is_the_noise_scale():
    rng = np.random.default_rng(0)
    each, h = rng.standard_normal((50, 3)) + 1, 2.5
    g = each.mean(axis=0)
    critical = np.mean([(e - g) @ (h * (e - g)) for e in each]) / (g @ (h * g))
    assert noise_scale(each) == pytest.approx(critical, rel=1e-12)


def test_critical_batch_is_the_solution_of_the_two_equations():
    critical = 320
    assert check("03.critical_batch", critical)
    assert steps_for_batch(32, 200, critical) == 2200
    assert steps_for_batch(1280, 200, critical) == 250
    assert steps_for_batch(critical, 200, critical) == 400


def test_six_steps_and_a_critical_batch_of_256_describe_the_digits(net):
    sizes, lrs = np.array([4, 64, 135, 270, 539, 1077]), 2.0 ** np.arange(-6, 2.5, 0.5)
    assert all(len(X) % size == 0 or len(X) % size > 0.8 * size for size in sizes[1:])
    with every_best() as heard:
        found = [minibatches.steps_to_target(net, 0.24, int(size), lrs) for size in sizes]
    assert not any(best.at_edge for best in heard)
    steps, best = np.transpose(found)
    assert np.abs(np.log(steps_for_batch(sizes, 6, 256) / steps)).max() < np.log(1.3)
    assert steps[2:].tolist() == [14, 10, 8, 8]
    examples = steps * sizes
    assert examples[:2].max() < 1.3 * examples[:2].min()  # to batch 64: linear scaling
    assert examples[-1] > 4 * examples[0]
    assert 0.5 < best[1] / best[0] / 16 <= 1  # and so does the best lr
    assert best[-1] < 1.5 * best[2]  # and beyond, it hardly grows


def test_a_short_last_batch_makes_large_batches_look_useless(net):
    lrs = 2.0 ** np.arange(-3, 2.5, 0.5)
    assert len(X) % 128 == len(X) % 512 == 53
    short, even = (
        [minibatches.steps_to_target(net, 0.24, n, lrs) for n in s] for s in ((128, 512), (135, 539))
    )
    assert short[1][0] == short[0][0]
    assert even[1][0] < 0.6 * even[0][0]
    assert short[1][1] < even[1][1]


# --- the mean of the walk ----------------------------------------------------------------------------


def test_the_mean_of_a_walk_is_its_ends_and_the_mean_of_the_noise_exactly():
    h, lr, T = 1.7, 0.3, 50
    pushes = np.random.default_rng(0).standard_normal((T, 4))
    ws = path(sgd, lambda w, t: h * w + pushes[t], np.ones(4), T, lr=lr)
    expected = (ws[0] - ws[T]) / (lr * h * T) - pushes.mean(axis=0) / h
    np.testing.assert_allclose(ws[:T].mean(axis=0), expected, rtol=1e-12)


@pytest.mark.parametrize("lr", [0.1, 0.3, 1.0])
def test_the_error_of_the_mean_does_not_depend_on_lr(lr):
    ws = path(sgd, noisy(lambda w: w, 0.5, seed=1), np.zeros(4000), 1000, lr=lr)
    assert ws[:1000].mean(axis=0).std() == pytest.approx(0.5 / np.sqrt(1000), rel=0.05)


def test_averaged_descent_carries_the_mean_of_sgds_own_walk():
    land = quadratic()
    walk = record(averaged_descent, noisy(land.grad, 0.3), land.start, 60, lr=0.5)
    plain = path(sgd, noisy(land.grad, 0.3), land.start, 60, lr=0.5)
    assert np.array_equal(walk["w"], plain)
    for t in (1, 2, 60):
        np.testing.assert_allclose(walk["w_mean"][t], plain[1 : t + 1].mean(axis=0), rtol=1e-12)


# --- exercises ---------------------------------------------------------------------------------------


def test_sgd_lr_has_a_window_and_each_side_of_it_has_a_name():
    for lr in (0.17, 0.2, 0.26):
        assert check("03.three_epochs", lr), lr
    for lr, name in (
        (0.01, "not-arrived"),
        (0.15, "not-arrived"),
        (0.29, "ball-too-large"),
        (1.0, "ball-too-large"),
        (100.0, "diverged"),
        (1e300, "diverged"),
        (0, "not-positive"),
        (-0.2, "not-positive"),
    ):
        assert check("03.three_epochs", lr).mistake == name, lr
    assert "After 3 epochs the loss is" in check("03.three_epochs", 0.1).text


def test_the_target_of_three_epochs_lies_between_the_minimum_and_what_the_default_lr_reaches(net, minimum):
    assert (EPOCHS, BATCH, L2) == (3, 16, 0.01)
    assert EPOCHS * -(-len(X) // BATCH) == 204
    assert float(net(minimum)) == pytest.approx(0.2144, abs=5e-5)
    assert net(minimum) < loss_after(0.2) < TARGET < 0.5 * loss_after(0.01)


def test_the_four_runs_look_as_their_names_say():
    runs = four_runs()
    truth = eval(EXERCISES["03.diagnose"].solution.split(" = ", 1)[1])
    run = {cause: runs[letter] for letter, cause in truth.items()}
    per_epoch = -(-len(X) // 8)
    assert all(len(losses) == 5 * per_epoch + 1 for losses in run.values())

    late = run["not shuffled"][-3 * per_epoch :]
    rhythm = np.corrcoef(late[:-per_epoch], late[per_epoch:])[0, 1]
    assert rhythm > 0.9  # each epoch repeats the one before
    ball = run["noise ball"][-3 * per_epoch :]
    assert abs(np.corrcoef(ball[:-per_epoch], ball[per_epoch:])[0, 1]) < 0.4
    assert ball.mean() < 0.5 * run["noise ball"][0]
    assert ball.std() > 0.1 * ball.mean()

    assert run["labels mixed up"].min() > 2.0
    assert run["labels mixed up"][-per_epoch:].mean() > 2.2
    small = run["lr too small"]
    assert (np.diff(small[::per_epoch]) < 0).all()
    assert np.abs(np.diff(small)).max() < 0.02
    assert small[-1] < 0.9 * small[-per_epoch]


# --- the pictures ------------------------------------------------------------------------------------


def test_both_walks_are_drawn_as_the_rule_goes_and_the_axis_counts_what_it_says():
    explorer = explore(picture.full_against_minibatch(P, Q), lr=(0.01, 2, 0.3), batch=[16, 64])
    explorer.set(batch=64, seed=3, epochs=2, lr=0.2)
    rows, start = batches(442, 64, seed=3), np.array([-0.6, 1.1])
    ws = path(sgd, lambda w, t: batch_gradient(w, P, Q, rows(t)), start, 14, lr=0.2)
    vs = path(sgd, lambda w: batch_gradient(w, P, Q, np.arange(442)), start, 2, lr=0.2)
    np.testing.assert_array_equal(explorer.shown["mini"], ws)
    np.testing.assert_allclose(explorer.shown["full"], vs, rtol=1e-12)
    assert [explorer.shown[f"{name} losses"][0][-1] for name in ("mini", "full")] == [2 * 442, 2 * 442]
    explorer.set(count="steps")
    assert [explorer.shown[f"{name} losses"][0][-1] for name in ("mini", "full")] == [14, 14]


def test_the_walkers_of_the_ball_are_runs_of_the_rule_and_their_mean_loss_is_drawn():
    explorer = explore(picture.ball(), steps=120, seed=2)
    ws = minibatches.walkers(np.array([0.25, 1.0]), np.array([-4.0, 1.5]), lr=0.2, noise=0.5, seed=2)
    np.testing.assert_array_equal(explorer.shown["walkers"], ws[120])
    alone = path(sgd, lambda w: np.array([0.25, 1.0]) * w, np.array([-4.0, 1.5]), 300, lr=0.2)
    quiet = minibatches.walkers(np.array([0.25, 1.0]), np.array([-4.0, 1.5]), lr=0.2, noise=0.0, seed=2)
    np.testing.assert_allclose(quiet[:, 7], alone, rtol=1e-12)  # at another place, sums may round otherwise
    mean = 0.5 * (ws**2 @ np.array([0.25, 1.0])).mean(axis=1)
    np.testing.assert_allclose(explorer.shown["mean"], mean)


def test_the_ring_holds_95_of_100_walkers():
    h, start, steps = np.array([0.25, 1.0]), np.array([-4.0, 1.5]), 80
    ws = minibatches.walkers(h, start, lr=0.2, noise=0.5, seed=0, count=5000)[steps]
    explorer = explore(picture.ball(), steps=steps)
    ring = np.stack(explorer.shown["ring"], axis=-1)
    centre, half = (ring.max(axis=0) + ring.min(axis=0)) / 2, np.ptp(ring, axis=0) / 2
    assert np.mean((((ws - centre) / half) ** 2).sum(axis=1) < 1) == pytest.approx(0.95, abs=0.015)


def test_the_walk_on_digits_is_drawn_as_the_rule_goes(net, minimum):
    explorer = explore(picture.digits_ball(net, minimum, 2.2), batch=[16, 64], lr=0.05)
    explorer.set(order="sorted by class", seed=1)
    order = np.argsort(Y, kind="stable")
    rows = batches(len(Y), 16, order="as stored")
    ws = path(
        sgd,
        lambda w, t: net.grad(w, X[order][rows(t)], Y[order][rows(t)]),
        minimum.astype(np.float32),
        300,
        lr=0.05,
    )
    above = net(ws[::10]) - net(minimum)
    np.testing.assert_allclose(explorer.shown["sorted by class"][1][1:], above[1:], rtol=1e-5)


def test_the_ravine_shows_both_walks_and_the_exact_mean():
    explorer = explore(picture.ravine(), seed=4)
    land = quadratic(condition=100.0)
    clean = path(gradient_descent, land.grad, land.start, 100, lr=1.9)
    shaken = path(sgd, noisy(land.grad, 0.2, 4), land.start, 100, lr=1.9)
    np.testing.assert_array_equal(explorer.shown["clean"], clean)
    np.testing.assert_array_equal(explorer.shown["shaken"], shaken)
    h, knobs = np.array([0.01, 1.0]), {"lr": 1.9, "noise": 0.2, "seed": 0}
    many = minibatches.walkers(h, land.start, **knobs, steps=100, count=4000)
    mean = 0.5 * (many**2 @ np.array([0.01, 1.0])).mean(axis=1)
    # Standard error of the mean of 4,000 losses: about 2%.
    np.testing.assert_allclose(explorer.shown["exact"], mean, rtol=0.1)


def test_a_formula_drawn_over_the_measured_batch_sizes_is_that_of_the_module():
    sizes = [1, 16, 256]
    explorer = explore(
        picture.batch_sizes(sizes, [300, 20, 5], [0.1, 1.0, 2.0]), critical_batch=[8, 16, 32], batch=sizes
    )
    explorer.set(least_steps=4, critical_batch=16, batch=16)
    batch, steps = explorer.shown["steps"]
    np.testing.assert_allclose(steps, steps_for_batch(batch, 4, 16))
    assert "8 steps, 2 times the least; 128 examples, 2 times the least" in explorer.reading


# --- what is counted fairly ------------------------------------------------------------------------------


def test_one_pass_in_groups_is_worth_seven_full_ones_and_no_lr_stands_at_an_end():
    model, lrs = models.softmax(X, Y), np.geomspace(0.03, 10, 30)
    walk = path(sgd, model.batch_grad(8), np.zeros(model.n), 135, lr=lrs[:, None])
    small = best_of(model(last_tenth(walk)).mean(axis=0), lr=lrs)
    full = model(path(gradient_descent, model.grad, np.zeros(model.n), 7, lr=lrs[:, None]))
    bests = [best_of(losses, lr=lrs) for losses in full[1:]]
    assert not any(best.at_edge for best in [small, *bests])
    assert [best.score < small.score for best in bests] == [False] * 6 + [True]


def test_a_pass_by_small_batches_ends_far_below_a_pass_by_the_full_gradient():
    """The curves of section 3: each at its best lr for five passes, by the mean over the last tenth."""
    model, lrs = models.softmax(X, Y), np.geomspace(0.03, 10, 30)
    ends = {}
    for size in (1077, 64, 4):
        steps = 5 * -(-1077 // size)
        shown = np.linspace(0, steps, min(steps, 60) + 1).astype(int)
        losses = []
        for few in np.array_split(lrs, 6):  # all at once take a quarter of a gigabyte
            ws = path(sgd, model.batch_grad(size), np.zeros(model.n), steps, lr=few[:, None])
            losses.append(model(ws[shown]))
        best = best_of(last_tenth(np.concatenate(losses, axis=1)).mean(axis=0), lr=lrs)
        assert not best.at_edge
        ends[size] = best.score
    assert max(ends[64], ends[4]) < 0.4 * ends[1077]


def test_what_a_reshuffled_epoch_leaves_is_the_way_out_and_back_within_it():
    even = models.softmax(X[:1072], Y[:1072], l2=0.01)  # 67 batches of 16
    best, lrs = path(gradient_descent, even.grad, np.zeros(even.n), 2000, lr=1.0)[-1], np.array([0.01, 0.1])
    dealt = minibatches.dealt(even, 16, "reshuffled")

    def as_if_w_stood_still(w, t):
        return dealt(np.broadcast_to(best, w.shape), t)

    walk, still = (path(sgd, g, best, 20 * 67, lr=lrs[:, None]) for g in (dealt, as_if_w_stood_still))
    np.testing.assert_allclose(still[::67], np.broadcast_to(best, still[::67].shape), atol=1e-12)
    height, alike = ((even(ws[5 * 67 :: 5]) - even(best)).mean(axis=0) for ws in (walk, still))
    np.testing.assert_allclose(alike / height, [1, 1.25], atol=0.06)
    assert alike[1] / alike[0] == pytest.approx(100, rel=0.01)  # lr squared
    band = (
        0.1
        * np.array([even.grad(best, X[i : i + 1], Y[i : i + 1]) for i in range(1072)]).var(axis=0).sum()
        / 4
        / 16
    )
    assert height[1] == pytest.approx(band / 3, rel=0.15)


def test_the_mean_of_the_walk_keeps_a_sixth_of_what_sorted_data_cost_and_hardly_anything_of_the_reshuffled(
    net, minimum
):
    left = {}
    for order in ("sorted by class", "reshuffled"):
        late = path(sgd, minibatches.dealt(net, 16, order), minimum, 20 * 68, lr=0.1)[10 * 68 + 1 :]
        height = (net(late[::20]) - net(minimum)).mean()
        left[order] = net(late.mean(axis=0)) - net(minimum)
        assert left[order] < height  # averaging helps in each order
        if order == "sorted by class":
            assert left[order] / height == pytest.approx(1 / 6, abs=0.02)
    assert 20 < left["sorted by class"] / left["reshuffled"] < 25


def test_a_tenth_epoch_of_sorted_data_is_at_its_worst_at_its_end(net, minimum):
    right = net.accuracy(
        path(sgd, minibatches.dealt(net, 16, "sorted by class"), minimum, 10 * 68, lr=0.5)[-68:]
    )
    assert right[-1] == pytest.approx(right.min(), abs=0.005)
    assert right.max() > right.min() + 0.03
    assert right.max() < net.accuracy(minimum) - 0.05


def test_image_by_image_the_small_batch_is_a_third_of_a_point_ahead_which_is_hardly_more_than_its_error():
    few, test, right = models.mlp(X[:200], Y[:200], sizes=(64, 32, 10)), datasets.digits().test, []
    for size, epochs, lr in ((4, 20, 0.3), (200, 400, 1.0)):
        run = train(sgd, few, progress=False, lr=lr, seed=range(8), batch=size, epochs=epochs)
        right.append((few.outputs(run.w, test.X).argmax(axis=-1) == test.y).mean(axis=0))
    ahead = 100 * (right[0] - right[1])
    assert ahead.mean() == pytest.approx(1 / 3, abs=0.15)
    assert ahead.std() / len(test.y) ** 0.5 == pytest.approx(0.27, abs=0.04)


def test_the_limit_of_a_single_patient_is_far_below_that_of_the_mean():
    """Section 3: at lr 1 the walk by single patients is lost where the full gradient arrives."""
    mean = np.linalg.eigvalsh(P.T @ P / len(P))[-1]
    most = (P**2).sum(axis=1).max()  # the curvature of one patient's loss along his inputs
    assert most > 5 * mean
    assert 2 / mean > 1.0
