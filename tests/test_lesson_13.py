"""Lesson 13: what its pages claim is true, and every pixel of its maps is the run it stands for."""

import re

import numpy as np
import pytest

from optim_lessons.adam import adam
from optim_lessons.bridge import momentum_damped
from optim_lessons.course.check import check
from optim_lessons.course.exercises.lesson_13 import SHARE, UNSTABLE, four_maps, loss_map, share_arrived
from optim_lessons.gradient_descent import gradient_descent
from optim_lessons.lab.explore import explore
from optim_lessons.lab.fair import best_of, settled
from optim_lessons.lab.fused import gpu
from optim_lessons.lab.path import grid, path
from optim_lessons.lab.sweep import final
from optim_lessons.lab.tape.points import trace_step
from optim_lessons.landscapes import hessian, himmelblau, quadratic, rosenbrock
from optim_lessons.momentum import momentum
from optim_lessons.momentum import spectral_radius as momentum_radius
from optim_lessons.nesterov import nesterov
from optim_lessons.nesterov import spectral_radius as nesterov_radius
from optim_lessons.pictures import a_million_runs as picture
from optim_lessons.studies import boundary, maps, sweep_times


def images(explorer):
    return [image for axes in explorer.figure.axes for image in axes.images]


# --- the map --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("axes", maps.PAIRS)
@pytest.mark.parametrize("rule", maps.RULES)
def test_every_pixel_of_the_map_is_its_own_run(rule, axes):
    chosen, ground = maps.RULES[rule], maps.GROUNDS["Himmelblau"]
    held = {"lr": 0.01, "memory": 0.6, "start": -1.0}
    losses = maps.runs_on(axes, chosen, "Himmelblau", **held, steps=30)
    across, up = maps.PAIRS[axes]
    # Not the corner of the largest lr: there the runs are chaotic, and a last digit decides where they end.
    for row, column in ((0, 0), (99, 30), (37, 50), (80, 12)):
        its = held | {
            across: maps.axis(across, chosen, "Himmelblau")[column],
            up: maps.axis(up, chosen, "Himmelblau")[row],
        }
        w0 = np.array([its["start"], ground.start[1]])
        memory = maps.knobs_of(chosen, its["memory"])
        ws = path(chosen, ground.grad, w0, 30, lr=its["lr"], **memory)
        loss = ground(ws[-1])
        if not loss <= ground(ws[0]):
            loss = np.nan
        np.testing.assert_allclose(losses[row, column], loss, rtol=1e-9, atol=1e-15)


def test_the_map_shows_these_losses_and_the_cross_its_run():
    explorer = explore(picture.run_map())
    explorer.set(lr=0.5, memory=0.3, start=-2.0, steps=40)
    left, right, _ = explorer.figure.axes
    ravine = maps.GROUNDS["ravine"]
    losses = maps.runs_on("lr and memory", momentum, "ravine", 0.5, 0.3, -2.0, 40)
    np.testing.assert_array_equal(images(explorer)[0].get_array(), picture.coloured(losses))
    cross = left.lines[-1].get_xydata()[0]
    np.testing.assert_allclose(cross, [0.5, 0.3], rtol=1e-9)
    walk = path(momentum, ravine.grad, np.array([-2.0, ravine.start[1]]), 40, lr=0.5, beta=0.3)
    drawn = next(line for line in right.lines if len(line.get_xdata()) == 41)
    np.testing.assert_allclose(drawn.get_xydata(), walk, rtol=1e-12)
    assert f"{(losses < 1e-3).mean():.0%} end within" in explorer.reading


def test_the_scale_beside_the_map_has_the_colours_of_the_map():
    *_, scale = explore(picture.run_map()).figure.axes
    shades = scale.images[0].get_array()[:, 0]
    low, high = scale.get_ylim()
    for part in (0, 0.3, 1):
        place = int(part * (len(shades) - 1))
        loss = 10 ** (low + (high - low) * place / (len(shades) - 1))
        np.testing.assert_array_equal(shades[place], picture.coloured(np.array([loss]))[0])


def test_on_the_ravines_map_no_step_of_adam_is_longer_than_nine_lr_and_no_run_is_lost():
    ground = maps.GROUNDS["ravine"]
    sides = {name: maps.axis(name, adam, "ravine") for name in ("lr", "memory")}
    w0 = np.broadcast_to(np.array([-3.0, ground.start[1]]), (len(sides["memory"]), len(sides["lr"]), 2))
    knobs = maps.knobs_of(adam, sides["memory"][:, None, None])
    ws = path(adam, ground.grad, w0, 200, lr=sides["lr"][:, None], **knobs)
    longest = (np.abs(np.diff(ws, axis=0)).max(axis=-1) / sides["lr"]).max()
    assert 8.5 < longest < 9
    assert ws.shape[1:3] == (100, 100)


def test_lost_runs_are_white_and_lower_losses_darker():
    pixels = picture.coloured(np.array([1e-7, 1e-3, 1.0, np.nan])).astype(int).sum(axis=-1)
    assert (np.diff(pixels) > 0).all()
    assert pixels[-1] == 3 * 255


def test_the_dashed_edge_is_where_the_spectral_radius_is_one():
    betas = np.linspace(0.01, 0.98, 9)
    radii = {momentum: momentum_radius, nesterov: nesterov_radius}
    for rule, edge in maps.EDGES.items():
        lr = edge(betas)
        if rule in radii:
            assert (radii[rule](0.999 * lr, betas) < 1).all()
            assert (radii[rule](1.001 * lr, betas) > 1).all()
        else:
            assert (lr == 2).all()


def test_four_runs_of_the_first_section_find_two_minima_are_lost_and_come_back():
    ends = [
        path(momentum, himmelblau.grad, himmelblau.start, 300, lr=lr, beta=0.4)[-1]
        for lr in (0.0278, 0.0279, 0.0280, 0.0281)
    ]
    np.testing.assert_allclose(ends[:2], himmelblau.minima[:2], atol=1e-6)
    assert np.isnan(ends[2]).all()
    assert np.abs(ends[3]).max() < 5


# --- exercises ------------------------------------------------------------------------------------------


def test_the_reference_sweep_is_path_s():
    lrs, betas = np.array([0.1, 0.3, 0.5]), np.array([0.2, 0.8])
    ends = path(momentum, lambda w: 2.5 * w, np.ones(1), 9, **grid(lr=lrs, beta=betas))[-1][..., 0]
    np.testing.assert_allclose(loss_map(lrs, betas, 2.5, 9), 0.5 * 2.5 * ends**2, rtol=1e-12)


def test_the_exercise_edge_and_area_are_what_a_map_shows():
    curvatures = np.array([0.2, 1.0, 5.0])
    for lr, stays in ((0.99 * 0.68, True), (1.01 * 0.68, False)):
        end = path(momentum, lambda w: curvatures * w, np.ones(3), 4000, lr=lr, beta=0.7)[-1]
        assert (np.abs(end).max() < 1e-3) == stays
    assert check("13.edge_lr", 0.68)
    lr, beta = (np.arange(200) + 0.5) / 25, (np.arange(200) + 0.5) / 200
    share = (momentum_radius(lr[:, None], beta) < 1).mean()
    assert share == pytest.approx(0.375, abs=0.003)
    assert check("13.converging_part", share)
    assert (nesterov_radius(lr[:, None], beta) < 1).mean() == pytest.approx(
        (1 + np.log(3) / 2) / 8, abs=0.003
    )


def test_the_goal_of_ten_steps_has_a_narrow_window_below_the_steepest_minimum_s_limit():
    lrs = np.geomspace(1e-3, 0.03, 60)
    good = lrs[[share_arrived(float(lr)) >= SHARE for lr in lrs]]
    assert 2 <= len(good) <= 6
    assert good.max() < UNSTABLE
    assert good.max() / good.min() < 1.25
    assert share_arrived(0.0135) < 0.8
    for lr, mistake in (
        (0.005, "too-slow"),
        (0.017, "one-minimum-lost"),
        (0.03, "all-minima-lost"),
        (-1, "not-positive"),
    ):
        assert check("13.few_steps", lr).mistake == mistake


def test_the_four_maps_look_as_the_diagnosis_says():
    four = four_maps()
    lost = {letter: np.isnan(x) for letter, x in four.items()}
    np.testing.assert_array_equal(four["C"], np.broadcast_to(four["C"][0], four["C"].shape))  # no memory
    first = {letter: x.argmax(axis=1) for letter, x in lost.items()}  # the first lost lr of each row
    assert (np.diff(first["A"]) <= 0).all()
    assert (np.diff(first["D"])[:-1] >= 0).all()  # at the very top 150 steps are not the long run yet
    assert first["A"][-1] < first["C"][0] < first["D"][-1]
    for letter in "ACD":  # beyond the edge all is lost
        assert all(row[k:].all() for row, k in zip(lost[letter], first[letter], strict=True))
    assert lost["B"].mean() < 0.05


# --- basins ---------------------------------------------------------------------------------------------


def limits():
    return 2 / np.linalg.eigvalsh(hessian(himmelblau.grad, himmelblau.minima))[:, -1]


def test_each_minimum_attracts_below_its_own_limit_and_repels_above_it():
    for minimum, limit in zip(himmelblau.minima, limits(), strict=True):
        near = minimum + np.array([[1e-4, 2e-4], [-2e-4, 1e-4]])
        below, above = (
            np.linalg.norm(final(gradient_descent, himmelblau, near, 400, lr=lr) - minimum, axis=-1)
            for lr in (0.98 * limit, 1.02 * limit)
        )
        assert (below < 1e-5).all()
        assert (above > 1e-3).all()
    assert limits().round(4).tolist() == [0.0243, 0.0248, 0.0149, 0.019]
    assert limits()[2] == pytest.approx(UNSTABLE, rel=1e-3)


def test_the_basins_picture_is_what_path_reaches():
    explorer = explore(picture.basins(), lr=(1e-3, 1.0, 0.01), steps=(10, 300, 200))
    explorer.set(rule="momentum", lr=0.01, memory=0.8, steps=150)
    drawn = images(explorer)[0].get_array()
    for row, column in ((3, 7), (50, 50), (80, 20), (99, 0)):
        w0 = maps.starts()[row, column]
        end = path(momentum, himmelblau.grad, w0, 150, lr=0.01, beta=0.8)[-1]
        np.testing.assert_array_equal(drawn[row, column], picture.BASINS[maps.reached(end[None])[0]])
    share = [float(bar.get_width()) for bar in explorer.figure.axes[1].patches]
    assert sum(share) == pytest.approx(1)


def test_small_steps_give_four_basins_of_about_a_quarter_and_memory_breaks_their_borders():
    w0 = maps.starts()
    ends = {
        beta: maps.reached(final(momentum, himmelblau, w0, 300, lr=0.01, beta=beta)) for beta in (0.0, 0.9)
    }
    shares = [(ends[0.0] == k).mean() for k in range(4)]
    assert 0.23 < min(shares) <= max(shares) < 0.27
    borders = {beta: sum(np.sum(np.diff(x, axis=a) != 0) for a in (0, 1)) for beta, x in ends.items()}
    assert borders[0.9] > 4 * borders[0.0]


def test_the_straight_line_in_the_million_runs_is_the_heavy_ball_s_limit_at_the_steepest_minimum():
    for beta in (0.0, 0.1, 0.2, 0.3):
        limit = (1 + beta) * limits()[2]
        below, above = (
            himmelblau(final(momentum, himmelblau, himmelblau.start, 2000, lr=factor * limit, beta=beta))
            for factor in (0.99, 1.01)
        )
        assert below < 1e-9
        assert above > 0.1


# --- what it costs --------------------------------------------------------------------------------------


def test_the_timed_ways_do_the_same_and_a_step_of_adam_is_some_twenty_five_calls():
    w0, lrs = sweep_times.knobs_of_runs(5)
    np.testing.assert_allclose(
        final(adam, rosenbrock, w0, 20, lr=lrs), path(adam, rosenbrock.grad, w0, 20, lr=lrs)[-1], rtol=1e-3
    )
    calls = [0]

    class Counting(np.ndarray):
        def __array_ufunc__(self, ufunc, method, *inputs, **options):
            calls[0] += 1
            plain = [np.asarray(x) if isinstance(x, Counting) else x for x in inputs]
            return getattr(ufunc, method)(*plain, **options).view(Counting)

    w = np.tile(rosenbrock.start, (3, 1)).view(Counting)
    adam(w, rosenbrock.grad(w).view(Counting), w, w * w, 3)
    assert 20 <= calls[0] <= 30


def test_ten_thousand_runs_together_cost_less_than_a_hundred_one_after_another():
    one = min(sweep_times.seconds("path: one sweep, all steps kept", 1) for _ in range(3))
    many = min(sweep_times.seconds("final: one sweep, the end kept", 10_000) for _ in range(3))
    assert many < 100 * one  # about ten times on a quiet machine


def test_a_crossover_is_the_first_size_from_which_on_one_way_stays_faster():
    sizes = [1, 10, 100, 1000]
    assert sweep_times.crossover(sizes, [1, 2, 3, 9], [5, 1, 4, 5]) == 1000
    assert sweep_times.crossover(sizes, [1, 2, 5, 9], [5, 1, 4, 5]) == 10
    assert sweep_times.crossover(sizes, [1, 2, 3, 4], [5, 5, 5, 5]) is None


def test_the_picture_of_costs_says_no_number_and_tells_about_the_gpu(monkeypatch):
    monkeypatch.setattr(picture, "seconds", lambda way, n, rounds=2: 1e-3 + 1e-6 * n)
    shown = picture.cost()
    assert not re.search(r"\d", shown.text)
    assert ("No GPU here" in picture.gpu_in_one_line()) != gpu()[0]
    measured = {way: {1: 1.0, 10: 1.0, 100: 2.0} for way in sweep_times.WAYS}
    measured["final on the GPU"] = {1: 2.0, 10: 1.5, 100: 1.0}
    assert picture._overtakes(measured, "a card") == "a card is faster from 100 runs on"


def test_the_kernel_on_the_page_computes_the_velocity_where_the_text_says():
    text = sweep_times.kernel_text(momentum, rosenbrock, lr=np.ones((1, 1)), beta=0.9)
    assert "x13 = (float)h4 * r2;" in text  # beta times the velocity ...
    assert "x15 = x13 + x11;" in text  # ... plus the slope
    step = trace_step(momentum, rosenbrock.grad, 2, {"m": 0.0}, {"lr": np.ones((1, 1)), "beta": 0.9})
    assert step.hosts[4] == 0.9
    assert "isfinite(r0)" in text


# --- the edge -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("place", boundary.PLACES)
def test_the_point_of_the_edge_has_a_neighbour_that_goes(place):
    x, y = boundary.on_the_edge(place)
    assert boundary.stays(place, np.array([x]), np.array([y])).all()
    nearby = x * (1 + np.arange(1, 9) * np.finfo(float).eps)
    assert not boundary.stays(place, nearby, np.full(8, y)).all()


@pytest.mark.parametrize("place", boundary.PLACES)
def test_the_edge_picture_shows_which_runs_of_path_stay(place):
    explorer = explore(picture.edge())
    explorer.set(place=place, zoom=2)
    drawn = images(explorer)[0].get_array()
    xs, ys = boundary.window(place, 2)
    rule, landscape, *_ = boundary.PLACES[place]
    for row, column in ((5, 5), (64, 64), (100, 30), (30, 100)):
        end = path(rule, landscape.grad, landscape.start, 300, lr=xs[column], beta=ys[row])[-1]
        expected = picture.STAYS if np.abs(end).max() < 1e3 else picture.LOST
        np.testing.assert_array_equal(drawn[row, column], expected)


def slope(place, zoom):
    xs, ys = boundary.window(place, zoom)
    inside = boundary.stays(place, xs[None, :], ys[:, None])
    sizes = 2 ** np.arange(1, 6)
    return np.polyfit(np.log(sizes), np.log([boundary.mixed_boxes(inside, int(n)) for n in sizes]), 1)[0]


def test_zoomed_two_to_the_36_the_edge_is_a_line_in_the_ravine_and_as_rough_as_ever_elsewhere():
    for zoom in (3, 10, 20, 30):
        assert -1.15 < slope("ravine", zoom) < -0.8
    for zoom in (0, 10, 20, 30, 36):
        assert slope("Himmelblau", zoom) < -1.3


def test_in_float32_the_window_falls_into_bars_from_zoom_16_on():
    for zoom, few in ((10, False), (18, True)):
        xs, _ = boundary.window("Himmelblau", zoom)
        assert (np.unique(xs.astype(np.float32)).size < 100) == few


def test_boxes_that_hold_both_kinds_are_counted():
    x, y = np.meshgrid(np.arange(128), np.arange(128))
    for n in (2, 4, 8, 16, 32):
        assert boundary.mixed_boxes(x < 65, n) == 128 // n  # a straight line
        assert boundary.mixed_boxes((x + y) % 2 == 0, n) == (128 // n) ** 2  # everywhere
        assert boundary.mixed_boxes(x < 999, n) == 0


def test_the_dimension_and_its_error_are_those_of_known_powers():
    eps = 2.0 ** -np.arange(5, 18, 2)
    rng = np.random.default_rng(0)
    for d in (1.0, 1.5, 1.8):
        mean = 2000 * (eps / eps[0]) ** (2 - d)
        found = [boundary.dimension(eps, rng.poisson(mean)) for _ in range(300)]
        error = np.array([x - d for x, _ in found])
        assert abs(error.mean()) < 0.02
        assert np.mean(np.abs(error) < 2 * np.array([e for _, e in found])) > 0.9  # two standard errors


def test_the_dimension_is_one_in_the_ravine_and_far_from_it_elsewhere_whatever_the_number_of_steps():
    eps = 2.0 ** -np.arange(5, 18, 2)
    for place, low, high in (("ravine", 0.7, 1.3), ("Rosenbrock", 1.5, 1.75), ("Himmelblau", 1.68, 1.8)):
        for seed in (1, 2):
            d, error = boundary.dimension(eps, [boundary.uncertain(place, e, seed=seed) for e in eps])
            assert low < d < high
            assert (d - 1 > 5 * error) == (place != "ravine")


def test_the_edge_on_himmelblau_s_ground_is_decided_within_150_steps():
    eps = 2.0 ** -np.arange(5, 18, 2)
    found = []
    for steps in (150, 300, 1200):
        counts = [boundary.uncertain("Himmelblau", e, steps=steps) for e in eps]
        found.append(boundary.dimension(eps, counts)[0])
    assert np.ptp(found) < 0.01


def test_with_ten_times_as_many_runs_the_dimension_on_himmelblau_s_ground_grows_to_1_8_for_small_moves():
    found = []
    for eps in (2.0 ** -np.arange(5, 14, 4), 2.0 ** -np.arange(13, 30, 4)):
        found.append(boundary.dimension(eps, [boundary.uncertain("Himmelblau", e, n=40_000) for e in eps]))
    (coarse, error), (fine, its_error) = found
    assert fine - coarse > 3 * np.hypot(error, its_error)
    assert fine == pytest.approx(1.8, abs=0.03)


def test_single_precision_moves_pixels_of_the_edge_and_hardly_a_share():
    for place, most in (("ravine", 5), ("Rosenbrock", 40), ("Himmelblau", 200)):
        single, double = (boundary.edge_map(place, dtype) for dtype in (np.float32, float))
        moved = single != double
        assert moved.sum() <= most
        assert abs(single.mean() - double.mean()) < 0.001
        near = np.zeros_like(moved)
        for down in range(-6, 7):
            for right in range(-6, 7):
                near |= np.roll(double, (down, right), axis=(0, 1)) != double
        assert (near | ~moved).all()  # within six pixels of each there is a run that ends otherwise


def test_a_step_below_half_the_last_digit_does_not_happen_however_often():
    w = final(gradient_descent, np.ones_like, np.ones(1, np.float32), 1000, lr=1e-8)
    assert w[0] == final(gradient_descent, np.ones_like, np.ones(1, np.float32), 0, lr=1e-8)[0]
    assert np.float32(1) - np.float32(2e-8) == 1


# --- claims ---------------------------------------------------------------------------------------------


def test_gradient_descent_s_best_lr_is_beside_the_edge_and_momentum_s_and_adam_s_are_not():
    lrs, steep = np.geomspace(1e-4, 1e5, 2101), quadratic(condition=100)
    start = np.tile(steep.start, (len(lrs), 1))
    best, edge, width = {}, {}, {}
    for rule in (gradient_descent, momentum, adam):
        with np.errstate(all="ignore"):
            losses = steep(path(rule, steep.grad, start, 200, lr=lrs[:, None]))
        part = settled(losses) / losses[0]
        best[rule], edge[rule] = best_of(part, lr=lrs), lrs[part < 1].max()
        good = lrs[part < 1e-3]
        assert not best[rule].at_edge
        assert lrs[0] < good.min() < good.max() < edge[rule] * 1.01 < lrs[-1]
        width[rule] = np.log10(good.max() / good.min())
    assert best[gradient_descent].value / edge[gradient_descent] == pytest.approx(0.98, abs=0.01)
    assert edge[momentum] > 10 * best[momentum].value
    assert edge[adam] > 1e4
    assert width[gradient_descent] < 0.35
    assert width[momentum] == pytest.approx(1.5, abs=0.1)
    assert width[adam] == pytest.approx(4.3, abs=0.2)


def test_the_damped_edge_is_further_out_by_one_over_one_minus_beta():
    ravine = quadratic(condition=10)
    lrs = np.array([0.999, 1.001]) * 38
    ends = final(momentum_damped, ravine, ravine.start, 40_000, lr=lrs[:, None], beta=0.9, dampening=0.9)
    assert np.abs(ends[0]).max() < 1e-3
    assert not np.abs(ends[1]).max() < 1e3
