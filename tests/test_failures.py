"""The failure gallery of page 00: what the rules do is drawn, and each slider holds failure and cure."""

import re

import numpy as np
import pytest

from optim_lessons import landscapes
from optim_lessons.adagrad import adagrad
from optim_lessons.adam import adam, amsgrad
from optim_lessons.bridge import adam_uncorrected
from optim_lessons.course.check import check
from optim_lessons.gradient_descent import gradient_descent, largest_stable_lr
from optim_lessons.lab.explore import explore
from optim_lessons.lab.path import path
from optim_lessons.lab.plots import RULE_STYLES
from optim_lessons.lab.shipped import shipped
from optim_lessons.momentum import best_lr_and_beta, momentum
from optim_lessons.nesterov import nesterov
from optim_lessons.pictures import failures
from optim_lessons.rmsprop import rmsprop
from optim_lessons.sgd import noisy, sgd

PAGE = (shipped("notebooks") / "00_start_here.ipynb").read_text(encoding="utf-8")
NAMES = re.findall(r"explore\(failures\.(\w+)\(\)\)", PAGE)
every_picture = pytest.mark.parametrize("name", NAMES)


def picture(name, value=None):
    """Return an explorer of the gallery, its only slider moved to a value."""
    explorer = explore(getattr(failures, name)())
    (knob,) = explorer.controls
    if value is not None:
        explorer.set(**{knob: value})
    return explorer


def drawn(explorer, label):
    """Return the points of a rule's line on the left and of its line on the right."""
    return [points(explorer.shown[name]) for name in (f"{label}, left", label)]


def points(data):
    """Return the data of a line, which are pairs, both sides apart, or heights only, as pairs."""
    sides = data if isinstance(data, tuple) else data.T if data.ndim == 2 else (np.arange(len(data)), data)
    return np.stack(sides, axis=-1)


def _moving(axes):
    return [line for line in axes.lines if line.get_animated()]


def walk(rule, landscape, start, steps, **knobs):
    return path(rule, landscape.grad, np.array(start), steps, **knobs)


RAVINE = landscapes.quadratic(condition=20)
BOX = {"project": lambda w: np.clip(w, -1, 1)}


def test_the_gallery_holds_nine_failures_with_one_slider_each():
    assert len(NAMES) == 9
    for name in NAMES:
        assert len(picture(name).controls) == 1


@every_picture
def test_the_slider_draws_another_picture_at_each_of_its_values(name):
    explorer = picture(name)
    ((knob, control),) = explorer.controls.items()
    values = control.stops
    values = [*values[:: max(1, len(values) // 20)], values[-1]]
    pictures = set()
    for value in values:
        explorer.set(**{knob: value})
        pictures.add(explorer.frame().numbers.tobytes())
        assert explorer.problem == ""
        assert explorer.figure.axes[1].get_title(loc="left").endswith(f" {value:.4g}")
        assert re.fullmatch(r"[^.]*(\.\d[^.]*)*\.", explorer.reading), explorer.reading  # one sentence
    assert len(pictures) == len({*values})


@every_picture
def test_every_rule_of_the_gallery_wears_its_colour(name):
    left, right = picture(name).figure.axes
    for axes in (left, right):
        for line, label in zip(_moving(axes), [one.get_label() for one in _moving(right)], strict=True):
            expected = RULE_STYLES.get(label.lower().replace(" ", "_"))
            assert expected is None or line.get_color() == expected["color"]
            assert expected is not None or label == "uncorrected"


def test_a_step_too_far_is_past_two_over_the_largest_curvature():
    limit = largest_stable_lr(np.array([1.0, 1 / 20]))
    assert limit == 2
    for lr, ends in ((1.98, "comes down"), (2.0, "for ever"), (2.02, "diverges")):
        explorer = picture("too_large_lr", lr)
        assert ends in explorer.reading
        ws = walk(gradient_descent, RAVINE, [-4.0, 0.5], 100, lr=lr)
        above, losses = drawn(explorer, "gradient descent")
        np.testing.assert_array_equal(above, ws[: len(above)])
        np.testing.assert_array_equal(losses[:, 1], RAVINE(ws))
        assert (RAVINE(ws[-1]) > RAVINE(ws[10])) == (lr > 2)


def test_momentum_breaks_at_nearly_twice_the_lr_of_gradient_descent_and_not_at_a_tenth():
    for lr, descent, ball in (
        (0.2, True, True),
        (1.95, True, True),
        (2.05, False, True),
        (3.75, False, True),
    ):
        reading = picture("too_large_lr_for_momentum", lr).reading
        assert ("gradient descent comes down" in reading) == descent
        assert ("momentum comes down" in reading) == ball
    for lr in (4.0, 3.95, 3.9, 3.85):
        explorer = picture("too_large_lr_for_momentum", lr)
        off = int(re.search(r"momentum diverges, off the map at step (\d+)", explorer.reading)[1])
        assert off <= 12
    ws = walk(momentum, RAVINE, [-4.0, 0.1], 100, lr=3.85, beta=0.9)
    np.testing.assert_array_equal(drawn(explorer, "momentum")[0], ws[: off + 1])
    assert check("00.momentum_limit", "c")


def test_momentum_best_for_the_curvatures_of_the_valley_cycles_and_a_smaller_lr_arrives():
    explorer = picture("cycling")
    assert best_lr_and_beta(1, 25) == pytest.approx((1 / 9, 4 / 9))
    assert explorer.values["lr"] == pytest.approx(1 / 9)
    slopes = np.diff(landscapes.lessard_recht_packard(np.linspace(-4, 4, 801))) * 100
    assert set(slopes.round(6)) == {1.0, 25.0}  # convex: the slope only rises
    knobs = {"lr": 1 / 9, "beta": 4 / 9}
    ws = path(momentum, landscapes.lessard_recht_packard, np.array([3.3]), 20_000, **knobs)[:, 0]
    np.testing.assert_allclose(ws[-3:], ws[-6:-3], atol=1e-12)
    np.testing.assert_array_equal(drawn(explorer, "momentum")[1][:, 1], ws[:61])
    assert "-1.80, 0.65, 2.12" in explorer.reading
    for lr in explorer.controls["lr"].stops:
        assert ("arrives" in picture("cycling", lr).reading) == (lr <= 0.1)
    lr, beta = 1 / 25, 2 / 3
    there = path(nesterov, landscapes.lessard_recht_packard, np.array([3.3]), 3000, lr=lr, beta=beta)
    assert abs(there[-1, 0]) < 1e-15


def test_the_valley_of_the_cycle_has_the_slope_that_momentum_feels():
    axes = picture("cycling").figure.axes[0]
    valley = next(line for line in axes.lines if not line.get_animated())
    x, height = valley.get_xdata(), valley.get_ydata()
    middle = (x[1:] + x[:-1]) / 2
    np.testing.assert_allclose(
        np.diff(height) / np.diff(x), landscapes.lessard_recht_packard(middle), rtol=0, atol=1e-9
    )
    assert height.min() == 0


def test_adagrad_never_forgets_a_steep_slope_and_rmsprop_is_back_within_a_hundred_steps():
    explorer = picture("collapse")
    assert explorer.values["first_slope"] == 100

    def grad(w, t):
        return np.full_like(w, -100.0 if t == 0 else -1.0)

    remembers = path(adagrad, grad, np.zeros(1), 300, lr=1.0)[:, 0]
    forgets = path(rmsprop, grad, np.zeros(1), 300, lr=0.1, beta=0.9)[:, 0]
    for label, w in (("AdaGrad", remembers), ("RMSProp", forgets)):
        lengths, distance = drawn(explorer, label)
        np.testing.assert_array_equal(lengths[:, 1], np.diff(w))
        np.testing.assert_array_equal(distance[:, 1], w)
    assert np.diff(remembers)[1:].max() < 0.011
    assert (np.diff(forgets)[99:] > 0.095).all()
    plain = picture("collapse", 1.0)
    assert drawn(plain, "AdaGrad")[1][-1, 1] > drawn(plain, "RMSProp")[1][-1, 1]


def test_step_2374_is_the_last_uncorrected_one_more_than_five_per_cent_too_long():
    # Where the slope is always the same, the step is (1 − β₁ᵗ)/√(1 − β₂ᵗ) times lr, and Adam's is lr.
    t = np.arange(1, 10_001)
    formula = (1 - 0.9**t) / np.sqrt(1 - 0.999**t)
    for slope in (1.0, -30.0):
        lengths = [
            np.abs(
                np.diff(path(rule, lambda w, g=slope: np.full_like(w, g), np.zeros(1), 10_000, lr=1.0)[:, 0])
            )
            for rule in (adam_uncorrected, adam)
        ]
        np.testing.assert_allclose(lengths[0], formula, rtol=1e-6)
        np.testing.assert_allclose(lengths[1], 1, rtol=1e-6)
        too_long = lengths[0] / lengths[1] > 1.05
        assert too_long[:2374].all()
        assert not too_long[2374:].any()
    explorer = picture("uncorrected")
    assert "2,374" in explorer.reading
    np.testing.assert_allclose(drawn(explorer, "uncorrected")[0][:, 1], formula[:4000], rtol=1e-6)


@pytest.mark.parametrize("beta2", [0.9, 0.99, 0.999])
def test_the_uncorrected_walk_into_the_valley_is_what_the_bridge_computes(beta2):
    explorer = picture("uncorrected", beta2)
    for label, rule in (("Adam", adam), ("uncorrected", adam_uncorrected)):
        ws = path(rule, lambda w: w, np.ones(1), 100, lr=0.1, beta2=beta2)[:, 0]
        np.testing.assert_allclose(drawn(explorer, label)[1][:, 1], ws, rtol=0, atol=1e-12)
    assert ("too short" in explorer.reading) == (beta2 == 0.9)


def test_with_a_large_eps_adam_is_momentum_with_lr_times_one_minus_beta1_over_eps():
    apart = {}
    for eps in (0.5, 5.0, 10.0, 100.0):
        explorer = picture("too_large_eps", eps)
        ws = walk(adam, RAVINE, RAVINE.start, 300, lr=0.1, eps=eps)
        twin = walk(momentum, RAVINE, RAVINE.start, 300, lr=0.1 * (1 - 0.9) / eps, beta=0.9)
        np.testing.assert_array_equal(drawn(explorer, "Adam")[0], ws)
        np.testing.assert_array_equal(drawn(explorer, "momentum")[0], twin)
        apart[eps] = np.linalg.norm(ws - twin, axis=-1).max()
    assert apart[0.5] > 0.5
    assert apart[10.0] < 0.08  # of a map 10 wide: the lines lie on each other
    assert sorted(apart.values(), reverse=True) == list(apart.values())
    assert picture("too_large_eps").values["eps"] == 10
    corners = np.stack(np.meshgrid(*RAVINE.box), axis=-1)
    assert np.linalg.norm(RAVINE.grad(corners), axis=-1).max() == pytest.approx(3.01, abs=0.005)
    assert "e-" in picture("too_large_eps", 1e-8).reading
    assert "momentum" not in picture("too_large_eps", 1e-4).reading  # its lr of 100 is far past its limit


def test_in_reddis_example_adam_with_a_short_memory_goes_to_the_wrong_end():
    for beta2, end in ((0.1, 1.0), (0.999, -0.95)):
        explorer = picture("wrong_end", beta2)
        for label, rule, place in (("Adam", adam, end), ("AMSGrad", amsgrad, -0.95)):
            knobs = {"lr": 0.05, "beta1": 0.0, "beta2": beta2} | BOX
            ws = path(rule, landscapes.reddi, np.zeros(1), 300, **knobs)[:, 0]
            steps, places = drawn(explorer, label)
            np.testing.assert_array_equal(places[:, 1], ws)
            np.testing.assert_allclose(steps[:, 1], np.diff(ws[:13]) / 0.05, rtol=1e-12)
            assert ws[-1] == pytest.approx(place, abs=0.02)
    assert sum(landscapes.reddi(np.zeros(1), t)[0] for t in range(3)) == 1
    assert check("00.wrong_end", "c")


def test_with_a_short_memory_the_rare_large_slope_counts_no_more_than_a_small_one():
    steps = drawn(picture("wrong_end", 0.1), "Adam")[0][:, 1]
    back, forth, again = steps[9:12]
    assert -1.1 < back < -1
    assert forth + again > 1.7


def test_without_noise_the_walk_stays_on_the_saddle_and_any_noise_gets_it_off():
    ground = landscapes.saddle()
    for noise, leaves in ((0.0, None), (1e-12, 128), (0.3, 6)):
        explorer = picture("stuck_on_a_saddle", noise)
        ws = walk(sgd, ground, [-1.8, 0.0], 150, lr=0.5) if noise == 0 else None
        if ws is None:
            ws = path(sgd, noisy(ground.grad, noise, 0), np.array([-1.8, 0.0]), 150, lr=0.5)
        above, losses = drawn(explorer, "SGD")
        np.testing.assert_array_equal(above, ws)
        np.testing.assert_array_equal(losses[:, 1], ground(ws))
        assert (f"at step {leaves}." in explorer.reading) == (leaves is not None)
    assert np.ptp(ground(ws)[-50:]) > 0.02  # strong noise: it does not sit still


def test_on_the_plateau_gradient_descent_hardly_moves_and_two_units_nearer_it_arrives():
    ground = landscapes.plateau()
    explorer = picture("lost_on_a_plateau")
    assert explorer.values["start_x"] == -11.5
    assert ground.grad(np.array([-11.5, 0.0]))[0] == pytest.approx(-0.0115, abs=1e-4)
    for start_x, arrives in ((-11.5, False), (-9.5, True)):
        explorer.set(start_x=start_x)
        for label, rule, lr in (("gradient descent", gradient_descent, 1.0), ("Adam", adam, 0.3)):
            ws = walk(rule, ground, [start_x, 0.0], 150, lr=lr)
            side, losses = drawn(explorer, label)
            np.testing.assert_array_equal(side, np.stack([ws[:, 0], ground(ws)], axis=-1))
            np.testing.assert_array_equal(losses[:, 1], ground(ws))
        assert (drawn(explorer, "gradient descent")[1][-1, 1] < 1e-3) == arrives
    starts = np.stack([np.linspace(-12, -3, 50), np.zeros(50)], axis=-1)
    assert ground(path(adam, ground.grad, starts, 150, lr=0.3)[-1]).max() < 1e-3


def test_every_link_of_the_page_leads_to_a_lesson():
    for link in re.findall(r"\]\((\w+\.ipynb)\)", PAGE):
        assert (shipped("notebooks") / link).is_file(), link
