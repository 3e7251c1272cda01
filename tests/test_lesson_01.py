"""Lesson 01: its pictures say and show what is so, and its theorems hold."""

import numpy as np
import pytest

from optim_lessons.gradient_descent import best_lr, gradient_descent, sharpness
from optim_lessons.lab import datasets, models
from optim_lessons.lab.explore import explore
from optim_lessons.lab.fair import best_of, stays_inside
from optim_lessons.lab.path import path
from optim_lessons.landscapes import d2l, quadratic, terrain
from optim_lessons.pictures import gradient_descent as picture


def test_raw_and_standardised_inputs_keep_their_colours_through_the_section():
    raw, scaled = np.array([1e-3, 1e3]), np.array([0.1, 10.0])
    dots = picture.curvatures_before_and_after(raw, scaled).figure.axes[0].lines
    colours = {
        name: line.get_color()
        for name, values in (("raw", raw), ("standardised", scaled))
        for line in dots
        if np.array_equal(line.get_xdata(), values)
    }
    race = picture.loss_curves({"raw": raw, "standardised": scaled}, "").figure.axes[0].lines
    assert {line.get_label(): line.get_color() for line in race} == colours
    assert len(set(colours.values())) == 2


@pytest.mark.parametrize("scaled", [False, True])
def test_the_best_lr_for_the_tumours_lies_inside_its_range(scaled):
    data = datasets.breast_cancer(scaled=scaled).all
    loss = models.linear(data.X, data.y * 2.0 - 1.0)
    ends = np.geomspace(0.1, 2.0, 60)
    lrs = ends / np.linalg.eigvalsh(data.X.T @ data.X / len(data.X)).max()
    best = best_of(
        loss(path(gradient_descent, loss.grad, np.zeros(loss.n), 300, lr=lrs[:, None])[-1]), lr=ends
    )
    assert not best.at_edge
    assert best.value == pytest.approx(1.9, abs=0.005)


@pytest.mark.parametrize("condition", [1.0, 30.0])
def test_at_the_best_lr_no_direction_is_called_slower(condition):
    explorer = explore(picture.two_factors(), lr=(0.01, 2.2))
    best = best_lr(np.array([1 / condition, 1.0]))
    explorer.set(condition=condition, lr=best)
    assert explorer.reading.startswith("Both directions are equally fast")
    if condition > 1:
        for lr, name in ((0.9 * best, "flat"), (1.02 * best, "steep")):
            explorer.set(lr=lr)
            assert explorer.reading.startswith(f"The {name} direction is slower")


def test_on_a_smooth_loss_each_step_below_two_over_L_goes_down_by_as_much_as_the_lemma_says():
    """log cosh has curvatures from 0 to 1; turned and stretched, up to L."""
    rng = np.random.default_rng(0)
    A = rng.standard_normal((5, 3))
    L = np.linalg.eigvalsh(A.T @ A)[-1]

    def f(w):
        return np.log(np.cosh(w @ A.T)).sum(axis=-1)

    def grad(w):
        return np.tanh(w @ A.T) @ A

    w = rng.uniform(-3, 3, size=(1000, 3))
    g = grad(w)
    for lr in (0.1 / L, 1 / L, 1.9 / L):
        drop = f(w) - f(w - lr * g)
        assert (drop >= lr * (1 - lr * L / 2) * (g**2).sum(axis=-1) - 1e-12).all()
        assert (drop > 0).all()
    steepest = 1e-3 * np.linalg.eigh(A.T @ A)[1][:, -1]  # so near the bottom the loss is its parabola
    assert f(steepest - 2.01 / L * grad(steepest)) > f(steepest) > f(steepest - 1.99 / L * grad(steepest))


@pytest.mark.parametrize("steps", [1, 10, 100])
def test_on_a_convex_smooth_loss_the_rest_is_at_most_the_bound_and_may_be_half_of_it(steps):
    """Huber's loss, straight beyond a distance from 0, is as slow as any (Drori and Teboulle 2014)."""
    edge = 1 / (2 * steps + 1)

    def f(w):
        return np.where(np.abs(w) < edge, w**2 / 2, edge * np.abs(w) - edge**2 / 2).sum(axis=-1)

    w = path(gradient_descent, lambda w: np.clip(w, -edge, edge), np.ones(1), steps, lr=1.0)[-1]
    bound = 1 / (2 * steps)
    assert f(w) <= bound
    assert f(w) == pytest.approx(1 / (4 * steps + 2), rel=1e-9)


def test_the_gradient_points_to_the_minimum_on_the_axes_of_a_ravine_and_nowhere_else():
    grad = quadratic(condition=100).grad

    def angle(w):
        w, g = np.asarray(w, float), grad(np.asarray(w, float))
        return np.degrees(np.arccos(np.minimum(w @ g / np.linalg.norm(w) / np.linalg.norm(g), 1)))

    assert angle([1, 0]) == angle([0, 1]) == 0
    turns = np.radians(np.arange(1, 90))
    assert min(angle([np.cos(turn), np.sin(turn)]) for turn in turns) > 0.9
    round_bowl = quadratic(condition=1).grad
    w = np.random.default_rng(0).standard_normal((50, 2))
    np.testing.assert_allclose(round_bowl(w), w)


def test_the_best_lr_of_the_theory_misses_the_target_of_twenty_steps():
    loss = d2l(path(gradient_descent, d2l.grad, d2l.start, 20, lr=best_lr([0.2, 4]))[-1])
    assert loss == pytest.approx(0.19, abs=0.005)


def test_no_walker_of_the_lattice_leaves_the_mountains_at_the_lr_of_the_page():
    land = terrain()
    x, y = (np.linspace(low + 1, high - 1, 20) for low, high in land.box)
    lattice = np.stack(np.meshgrid(x, y), axis=-1)
    assert stays_inside(path(gradient_descent, land.grad, lattice, 300, lr=0.003), land.box).all()
    assert not stays_inside(path(gradient_descent, land.grad, lattice, 300, lr=0.03), land.box).all()


def test_one_measurement_of_sharpness_costs_sixty_gradients():
    calls = []

    def grad(w):
        calls.append(w)
        return w

    assert sharpness(grad, np.ones(3), iterations=30) == pytest.approx(1)
    assert len(calls) == 60


def test_the_limit_of_each_run_is_inside_the_picture_of_the_edge_of_stability():
    lrs, steps = np.array([0.1, 0.2, 0.4]), np.arange(0, 101, 50)
    sharp = np.full((3, 3), 5.0)
    explorer = explore(picture.edge_of_stability(lrs, steps, sharp, sharp / 10))
    for lr in lrs.tolist():
        explorer.set(lr=lr)
        low, high = explorer.figure.axes[0].get_ylim()
        assert low < 2 / lr < high


def test_at_the_best_lr_a_ravine_ten_times_as_narrow_costs_about_ten_times_the_steps():
    def steps(condition):
        factor = (condition - 1) / (condition + 1)
        return np.log(0.1) / np.log(factor)

    for condition in (10.0, 100.0, 1000.0):
        assert steps(10 * condition) / steps(condition) == pytest.approx(10, rel=0.01)
