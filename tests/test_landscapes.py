"""Every landscape: height and gradient agree, minima are minima, and it can be walked, drawn and turned."""

import inspect

import numpy as np
import pytest
from discovery import LANDSCAPES, factories

from optim_lessons.adam import adam
from optim_lessons.gradient_descent import condition_number, gradient_descent
from optim_lessons.lab.explore import explore
from optim_lessons.lab.path import path
from optim_lessons.landscapes import (
    Landscape,
    beale,
    d2l,
    hessian,
    himmelblau,
    newton_step,
    numerical_gradient,
    plateau,
    quadratic,
    rastrigin,
    rosenbrock,
    saddle,
    terrain,
)

pytestmark = pytest.mark.essential

every_landscape = pytest.mark.parametrize("landscape", LANDSCAPES.values(), ids=LANDSCAPES)
SOME_KNOBS = [
    quadratic(condition=1.0),
    quadratic(condition=1e4, angle=-37.0),
    rastrigin(bumps=0.0),
    rastrigin(bumps=2.5),
    saddle(descent=2.0),
    plateau(flatness=1.0, condition=3.0),
    terrain(waves=12),
    terrain(waves=40),
]
TURNED = [*LANDSCAPES.values(), *SOME_KNOBS]


def points(landscape, shape=(200,)):
    (x0, x1), (y0, y1) = landscape.box
    return np.random.default_rng(0).uniform([x0, y0], [x1, y1], (*shape, 2))


def exact_gradient(f, w, h=1e-30):
    # A step along the imaginary axis has no rounding error (Squire and Trapp 1998).
    return np.stack([f(w + 1j * h * e).imag / h for e in np.eye(2)], axis=-1)


def test_discovery_finds_every_landscape():
    assert set(LANDSCAPES) >= {"quadratic", "d2l", "rosenbrock", "beale", "himmelblau", "rastrigin"}
    assert set(LANDSCAPES) >= {"saddle", "plateau", "terrain"}
    assert set(factories()) >= {"quadratic", "rastrigin", "saddle", "plateau", "terrain"}


@pytest.mark.parametrize("landscape", TURNED, ids=[f"{x.name} {i}" for i, x in enumerate(TURNED)])
def test_gradient_is_the_gradient_of_the_height(landscape):
    w = points(landscape)
    exact = exact_gradient(landscape, w)
    np.testing.assert_allclose(landscape.grad(w), exact, rtol=1e-11, atol=1e-11 * np.abs(exact).max())


@pytest.mark.parametrize("landscape", TURNED, ids=[f"{x.name} {i}" for i, x in enumerate(TURNED)])
def test_minima_are_flat_and_curve_upwards(landscape):
    assert landscape.minima.ndim == 2
    typical = np.abs(landscape.grad(points(landscape))).max()
    assert np.abs(landscape.grad(landscape.minima)).max() < 1e-9 * typical
    assert (np.linalg.eigvalsh(hessian(landscape.grad, landscape.minima)) > 0).all()


@every_landscape
def test_nothing_in_the_box_lies_below_the_deepest_minimum(landscape):
    (x0, x1), (y0, y1) = landscape.box
    lattice = np.stack(np.meshgrid(np.linspace(x0, x1, 301), np.linspace(y0, y1, 301)), axis=-1)
    height = landscape(lattice)
    # On real land the deepest point may lie on the border of the map.
    inside = height[1:-1, 1:-1] if landscape.name != "Jacksboro fault" else height[30:-30, 30:-30]
    assert landscape(landscape.minima).min() <= inside.min() + 1e-12


@every_landscape
def test_start_and_minima_lie_in_the_box(landscape):
    for w in (landscape.start[None], landscape.minima):
        for i, (low, high) in enumerate(landscape.box):
            assert ((low <= w[:, i]) & (w[:, i] <= high)).all()
    assert np.abs(landscape.grad(landscape.start)).max() > 0


@every_landscape
@pytest.mark.parametrize("shape", [(), (1,), (3,), (2,), (4, 5), (0,)])
def test_any_leading_axes_are_independent_points(landscape, shape):
    w = points(landscape, shape)
    assert landscape(w).shape == shape
    assert landscape.grad(w).shape == (*shape, 2)
    for index in np.ndindex(*shape):
        np.testing.assert_allclose(landscape(w)[index], landscape(w[index]), rtol=1e-12)
        np.testing.assert_allclose(landscape.grad(w)[index], landscape.grad(w[index]), rtol=1e-11, atol=1e-11)


@every_landscape
def test_float32_stays_float32_and_close(landscape):
    w = points(landscape).astype(np.float32)
    height, slope = landscape(w), landscape.grad(w)
    assert height.dtype == slope.dtype == np.float32
    exact = landscape.grad(w.astype(float))
    np.testing.assert_allclose(slope, exact, rtol=1e-4, atol=1e-5 * np.abs(exact).max())


@every_landscape
def test_a_walk_from_the_start_gets_lower_and_stays_finite(landscape):
    walk = path(adam, landscape.grad, landscape.start, 200, lr=0.02)
    assert np.isfinite(walk).all()
    assert landscape(walk[-1]) < landscape(landscape.start)


@every_landscape
def test_the_points_of_a_landscape_cannot_be_changed_by_accident(landscape):
    for fixed in (landscape.start, landscape.minima):
        with pytest.raises(ValueError, match="read-only"):
            fixed[...] = 0
    with pytest.raises(AttributeError):
        landscape.start = np.zeros(2)


@pytest.mark.parametrize("make", factories().values(), ids=factories())
def test_a_factory_has_keyword_knobs_with_number_defaults_for_the_sliders(make):
    for knob in inspect.signature(make).parameters.values():
        assert isinstance(knob.default, int | float)
        assert knob.name in make.__doc__


# --- single landscapes -------------------------------------------------------------------------------


@pytest.mark.parametrize("condition", [1.0, 10.0, 1e4])
@pytest.mark.parametrize("angle", [0.0, 30.0, 90.0, -200.0])
def test_ravine_has_the_condition_number_and_the_largest_curvature_one_it_promises(condition, angle):
    ravine = quadratic(condition=condition, angle=angle)
    H = np.stack([ravine.grad(e) for e in np.eye(2)])
    assert condition_number(H) == pytest.approx(condition, rel=1e-9)
    assert np.linalg.eigvalsh(H)[-1] == pytest.approx(1, rel=1e-12)


def test_ravine_turned_by_an_angle_is_the_same_ravine_anticlockwise():
    plain, turned = quadratic(condition=25.0), quadratic(condition=25.0, angle=30.0)
    c, s = np.cos(np.pi / 6), np.sin(np.pi / 6)
    w = points(plain)
    np.testing.assert_allclose(turned(w @ np.array([[c, s], [-s, c]])), plain(w), rtol=1e-12, atol=1e-12)
    np.testing.assert_allclose(turned.start, plain.start @ np.array([[c, s], [-s, c]]), rtol=1e-12)


@pytest.mark.parametrize("condition", [0.5, 0.0, -1.0, float("nan"), float("inf")])
def test_a_condition_number_that_is_none_is_refused(condition):
    with pytest.raises(ValueError, match=f"condition is {condition}: .*at least 1"):
        quadratic(condition=condition)
    with pytest.raises(ValueError, match=f"condition is {condition}: .*at least 1"):
        plateau(condition=condition)


def test_a_plateau_without_width_is_refused():
    with pytest.raises(ValueError, match=r"flatness is 0\.0: .*above 0"):
        plateau(flatness=0.0)


def test_terrain_without_waves_is_refused():
    with pytest.raises(ValueError, match=r"waves is 0: .*at least 1"):
        terrain(waves=0)


def test_d2l_is_the_function_of_the_book():
    assert d2l(np.array([-5.0, -2.0])) == pytest.approx(0.1 * 25 + 2 * 4)
    assert condition_number(hessian(d2l.grad, d2l.start)) == pytest.approx(20)


@pytest.mark.parametrize(
    ("landscape", "w", "height"),
    [
        (rosenbrock, [-1.2, 1.0], 24.2),  # Rosenbrock's own start
        (rosenbrock, [0.0, 0.0], 1.0),
        (beale, [0.0, 0.0], 14.203125),
        (beale, [3.0, 0.5], 0.0),
        (himmelblau, [-0.270845, -0.923039], 181.617),  # the published local maximum
        (himmelblau, [3.0, 2.0], 0.0),
        (rastrigin(), [0.5, 0.5], 40.5),
        (saddle(descent=0.5), [0.0, 1.0], -0.125),
    ],
)
def test_published_and_hand_computed_heights(landscape, w, height):
    assert landscape(np.array(w)) == pytest.approx(height, abs=1e-3)


def test_himmelblau_has_four_minima_all_of_height_zero():
    assert len(himmelblau.minima) == 4
    np.testing.assert_allclose(himmelblau(himmelblau.minima), 0, atol=1e-12)


def test_saddle_is_flat_at_the_middle_and_curves_both_ways():
    middle = np.zeros(2)
    np.testing.assert_array_equal(saddle().grad(middle), [0, 0])
    low, high = np.linalg.eigvalsh(hessian(saddle().grad, middle))
    assert low < 0 < high


def test_plateau_is_flat_far_out_and_a_ravine_inside():
    land = plateau(condition=20.0)
    assert np.abs(land.grad(np.array([-60.0, 0.0]))).max() < 1e-12
    assert condition_number(hessian(land.grad, land.minima[0])) == pytest.approx(20, rel=1e-6)


def test_terrain_is_the_measured_land_in_metres_and_kilometres():
    from matplotlib.cbook import get_sample_data

    with get_sample_data("jacksboro_fault_dem.npz") as data:
        measured = data["elevation"][::-1].astype(float)
    land = terrain()
    (_, x1), (_, y1) = land.box
    rows, columns = measured.shape
    xs, ys = x1 * (np.arange(columns) + 0.5) / columns, y1 * (np.arange(rows) + 0.5) / rows
    smooth = land(np.stack(np.meshgrid(xs, ys), axis=-1))
    # Waves shorter than 2.5 km are left out: smooth enough to walk on, and still most of the land.
    assert np.corrcoef(smooth.ravel(), measured.ravel())[0, 1] > 0.9
    assert smooth.mean() == pytest.approx(measured.mean(), rel=1e-6)
    # 403 columns of 3 arc seconds at 36.6 degrees north, 344 rows: 30 km by 32 km
    assert 20 < x1 < 40
    assert 20 < y1 < 40


def test_a_walk_on_terrain_is_told_in_kilometres_and_metres_and_says_when_it_leaves_the_map():
    explorer = explore(gradient_descent, terrain(), lr=(1e-4, 0.3, 0.003), steps=100)
    assert explorer.reading == "Gradient descent: after 100 steps the height is 480 m, at (4.82 km, 14.1 km)."
    above, beside = explorer.figure.axes
    assert (above.get_xlabel(), above.get_ylabel()) == ("w[0] in km", "w[1] in km")
    assert beside.get_ylabel() == "height in m"
    explorer.set(lr=0.2)
    assert explorer.reading.startswith("Gradient descent left the map at step 1: beyond its edge")


def test_terrain_is_mirrored_beyond_its_borders():
    land = terrain()
    (x0, x1), (y0, y1) = land.box
    assert np.abs(land.grad(np.array([[x0, 7.0], [x1, 7.0]]))[:, 0]).max() < 1e-9
    assert np.abs(land.grad(np.array([[7.0, y0], [7.0, y1]]))[:, 1]).max() < 1e-9
    np.testing.assert_allclose(land(np.array([x1 + 1.5, 7.0])), land(np.array([x1 - 1.5, 7.0])), rtol=1e-12)


def test_terrain_knows_all_its_minima_from_low_to_high():
    land = terrain()
    heights = land(land.minima)
    assert len(heights) > 5
    assert (np.diff(heights) >= 0).all()
    apart = np.linalg.norm(land.minima[:, None] - land.minima, axis=-1) + np.eye(len(heights))
    assert apart.min() > 0.01  # none is listed twice


# --- checking a gradient, Newton's step --------------------------------------------------------------


def test_error_of_a_central_difference_falls_with_the_square_of_its_step():
    w = np.array([0.3, -0.4])
    errors = [
        np.abs(numerical_gradient(rastrigin(), w, h) - rastrigin().grad(w)).max() for h in (1e-2, 1e-3, 1e-4)
    ]
    assert errors[0] / errors[1] == pytest.approx(100, rel=0.01)
    assert errors[1] / errors[2] == pytest.approx(100, rel=0.05)


def test_numerical_gradient_finds_a_wrong_sign():
    w = points(beale)
    wrong = beale.grad(w) * [1, -1]
    error = np.abs(numerical_gradient(beale, w) - wrong)
    assert np.median(error[:, 1]) > 1e3 * error[:, 0].max()


def test_hessian_of_a_quadratic_is_exact_and_symmetric():
    ravine = quadratic(condition=10.0, angle=30.0)
    H = hessian(ravine.grad, np.zeros((3, 2)))
    assert H.shape == (3, 2, 2)
    np.testing.assert_array_equal(H, np.swapaxes(H, -1, -2))
    np.testing.assert_allclose(H[0], np.stack([ravine.grad(e) for e in np.eye(2)]), atol=1e-10)


def test_newtons_step_reaches_the_minimum_of_a_quadratic_at_once():
    ravine = quadratic(condition=1e3, angle=20.0)
    w = np.random.default_rng(0).uniform(-5, 5, (7, 2))
    H = np.broadcast_to(np.stack([ravine.grad(e) for e in np.eye(2)]), (7, 2, 2))
    # Solving loses about as many digits as the condition number has.
    np.testing.assert_allclose(newton_step(w, ravine.grad(w), H), 0, atol=1e-12)


def test_newtons_step_near_a_saddle_goes_to_the_saddle():
    land, w = saddle(), np.array([0.3, 0.05])
    for _ in range(5):
        w = newton_step(w, land.grad(w), hessian(land.grad, w))
    np.testing.assert_allclose(w, 0, atol=1e-9)


def test_newtons_step_refuses_a_singular_hessian():
    with pytest.raises(np.linalg.LinAlgError):
        newton_step(np.ones(2), np.ones(2), np.zeros((2, 2)))


def test_a_landscape_of_ones_own_is_four_things_and_two_functions():
    bowl = Landscape("bowl", lambda w: (w**2).sum(-1), lambda w: 2 * w, [1, 1], [[0, 0]], ((-2, 2), (-2, 2)))
    assert bowl(bowl.start) == 2.0
    assert path(adam, bowl.grad, bowl.start, 3).shape == (4, 2)
