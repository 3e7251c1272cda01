"""Sliders over live pictures, without a browser: what they show is what the rule does.

The explorers of each lesson are driven in its own kernel: test_notebooks.py.
"""

import asyncio

import matplotlib.pyplot as plt
import numpy as np
import pytest
from discovery import RULES
from drive import drive, ends, somewhere

from optim_lessons import landscapes
from optim_lessons.adam import adam
from optim_lessons.gradient_descent import gradient_descent
from optim_lessons.lab import scenes
from optim_lessons.lab.explore import explore
from optim_lessons.lab.live import LiveFigure, Scene
from optim_lessons.lab.path import path
from optim_lessons.lab.plots import (
    RULE_STYLES,
    Picture,
    inside,
    new_figure,
    projector,
    rule_label,
    rule_style,
)
from optim_lessons.landscapes import quadratic, rosenbrock
from optim_lessons.momentum import momentum
from optim_lessons.pictures.gradient_descent import parabola
from optim_lessons.sgd import noisy

EXPLORERS = {
    "descent on d2l": lambda: explore(gradient_descent, landscapes.d2l, lr=(0.1, 0.6, 0.2), steps=20),
    "descent on real land": lambda: explore(gradient_descent, landscapes.terrain(), lr=(1e-4, 0.3)),
    "adam on Rosenbrock": lambda: explore(adam, rosenbrock, lr=0.05),
    "momentum on a saddle": lambda: explore(momentum, landscapes.saddle),
    "parabola": lambda: explore(parabola(), lr=(0.01, 4), start=(-4.0, 4.0)),
    "race": lambda: explore(
        scenes.race(
            {"gradient descent": gradient_descent, "SGD": gradient_descent, "Adam": adam},
            {"ravine": quadratic(condition=100), "Rosenbrock": rosenbrock, "land": landscapes.terrain()},
            noisy,
        ),
        landscape=["ravine", "Rosenbrock", "land"],
    ),
}


@pytest.fixture(params=EXPLORERS)
def explorer(request):
    return EXPLORERS[request.param]()


def test_every_corner_and_random_points_of_the_sliders_draw_a_sound_picture_and_reading(explorer):
    drive(explorer)


def test_what_is_drawn_over_a_kept_background_equals_what_is_drawn_anew(explorer):
    name, slider = next(iter(explorer.sliders.items()))
    for value in ends(slider):
        explorer.set(**{name: value})
    anew = LiveFigure(explorer.picture.live.scene)
    anew.draw(explorer.values)
    assert anew.jpeg() == bytes(explorer.picture.value)


KNOBS = ("lr", "beta1", "beta2", "eps")


@pytest.mark.parametrize("rule", RULES.values(), ids=RULES)
@pytest.mark.parametrize(
    "ground", [rosenbrock, quadratic, landscapes.saddle], ids=["Rosenbrock", "ravine", "saddle"]
)
def test_the_drawn_path_and_losses_are_those_of_the_rule(rule, ground):
    explorer = explore(rule, ground)
    above, beside = explorer.picture.live.figure.axes
    for values in somewhere(explorer, 5):
        explorer.set(**values)
        start = np.array([values.pop("start_x"), values.pop("start_y")])
        shape = {name: values.pop(name) for name in ("condition", "angle", "descent") if name in values}
        surface = ground(**shape) if shape else ground
        ws = path(rule, surface.grad, start, values.pop("steps"), **values)
        with np.errstate(all="ignore"):
            heights = surface(ws) - surface(surface.minima).min()
        colour = rule_style(rule)["color"]
        drawn = next(line for line in above.lines if line.get_color() == colour).get_xydata()
        shown = ws[: inside(ws, surface.box) + 1]  # with the first point outside, if it is finite
        shown = shown[np.isfinite(shown).all(axis=-1)]
        assert len(drawn) == len(shown)
        np.testing.assert_array_equal(drawn[:-1], shown[:-1])
        low, high = beside.get_ylim()
        visible = (heights > low) & (heights < high)
        losses = beside.lines[0].get_ydata()
        assert len(losses) == np.isfinite(heights).sum()
        np.testing.assert_allclose(losses[visible[: len(losses)]], heights[visible], rtol=1e-12)


def test_every_knob_of_a_rule_and_of_a_landscape_gets_a_slider_with_its_default():
    explorer = explore(adam, quadratic)
    assert {name: explorer.values[name] for name in (*KNOBS, "condition", "angle")} == {
        "lr": 1e-3,
        "beta1": 0.9,
        "beta2": 0.999,
        "eps": 1e-8,
        "condition": 10.0,
        "angle": 0.0,
    }


def test_a_learners_own_rule_is_explored_like_any_other():
    def my_rule(w, g, n=0, *, speed=0.5):
        return w - speed * g / (n + 1), n + 1

    explorer = explore(my_rule, quadratic)
    before = bytes(explorer.picture.value)
    explorer.set(speed=0.25)
    assert bytes(explorer.picture.value) != before


def test_a_rule_is_called_as_prose_writes_it():
    def my_adam(w, g, *, lr=0.01):
        return w - lr * g

    names = {rule_label(rule, first=True) for rule in RULES.values()}
    assert {"Gradient descent", "Momentum", "Nesterov", "AdaGrad", "RMSProp", "Adam", "AMSGrad"} <= names
    assert rule_label(gradient_descent) == "gradient descent"
    assert rule_label(gradient_descent, batches=True) == "SGD"
    assert rule_style(gradient_descent, batches=True) == RULE_STYLES["sgd"] != rule_style(gradient_descent)
    assert rule_label(my_adam) == "my Adam"
    assert explore(my_adam, rosenbrock).reading.startswith("My Adam ")


def stops(slider):
    return [value for _, value in slider.options]


def test_a_slider_stops_at_round_numbers_at_its_ends_and_at_its_default():
    sliders = explore(adam, rosenbrock, lr=(0.013, 4.7, 1 / 9)).sliders
    assert {0.013, 0.02, 0.45, 1, 1.05, 1.9, 2, 4.7, 1 / 9} <= {*stops(sliders["lr"])}
    assert sliders["lr"].value == 1 / 9
    assert dict(sliders["lr"].options)["0.1111"] == 1 / 9
    between = np.diff(np.log(stops(sliders["lr"])))
    assert 0 < between.min() < between.max() < 0.06
    assert {1e-8, 2e-8, 1e-3, 1} <= {*stops(sliders["eps"])}
    assert {-1.5, -1.2, 0, 0.3} <= {*stops(explore(gradient_descent, rosenbrock).sliders["start_x"])}


def test_code_may_set_a_value_between_the_stops_and_no_value_beyond_the_ends():
    explorer = explore(gradient_descent, quadratic, lr=(0.01, 3.0))
    explorer.set(lr=1.9876)
    assert explorer.values["lr"] == 1.9876
    assert 2 in stops(explorer.sliders["lr"])
    explorer.sliders["lr"].value = 1.23456
    explorer.flush()
    assert explorer.values["lr"] == 1.23456
    explorer.set(lr=100.0)
    assert explorer.values["lr"] == 3


def test_a_list_gives_choices_a_pair_a_range_and_a_number_a_default():
    explorer = explore(adam, rosenbrock, lr=[0.1, 0.2], eps=(1e-4, 1.0), steps=7)
    assert [value for _, value in explorer.sliders["lr"].options] == [0.1, 0.2]
    assert (stops(explorer.sliders["eps"])[0], stops(explorer.sliders["eps"])[-1]) == (1e-4, 1)
    assert explorer.values["steps"] == 7


def test_a_new_default_alone_keeps_the_range_and_the_choices_of_the_scene():
    scene = Scene(failing, {"x": 0.5}, ranges={"x": (0.1, 0.9)})
    slider = explore(scene, x=0.25).sliders["x"]
    assert (stops(slider)[0], stops(slider)[-1], slider.value) == (0.1, 0.9, 0.25)

    def build(figure, *, kind):
        return lambda: kind

    scene = Scene(build, {}, {"kind": "step"}, ranges={"kind": ["step", "cosine"]})
    assert explore(scene, kind="cosine").reading == "cosine"
    with pytest.raises(ValueError, match="kind is 'linear': choose one of step, cosine"):
        explore(scene, kind="linear")


def test_an_unknown_knob_is_refused_and_the_known_ones_are_listed():
    with pytest.raises(TypeError, match=r"'beta'.*lr, beta1, beta2, eps"):
        explore(adam, rosenbrock, beta=0.5)
    with pytest.raises(TypeError, match=r"'beta'.*lr, beta1, beta2, eps"):
        explore(adam, rosenbrock).set(beta=0.5)


def test_something_that_is_no_landscape_is_refused():
    with pytest.raises(TypeError, match="landscape"):
        explore(adam, 3.0)


def test_divergence_is_told_with_its_step_and_what_to_change():
    explorer = explore(gradient_descent, quadratic, lr=(0.05, 3, 2.9), steps=300)
    assert "left the picture at step" in explorer.reading
    explorer = explore(gradient_descent, rosenbrock, lr=1.0)
    assert "the finite numbers at step" in explorer.reading
    assert "smaller lr" in explorer.reading


def test_a_loss_of_zero_and_a_negative_loss_stay_on_the_log_axis():
    explorer = explore(gradient_descent, landscapes.saddle, lr=0.9, steps=300)
    losses = explorer.picture.live.figure.axes[1].lines[0].get_ydata()
    assert (losses > 0).all()
    assert np.isfinite(losses).all()


def failing(figure):
    line = figure.subplots().plot([], [], animated=True)[0]

    def move(*, x):
        if x > 1:
            raise ValueError(f"x is <{x}>")
        line.set_data([0, x], [0, 1])
        return f"x {x}"

    return move


def test_a_failure_is_shown_beside_the_sliders_the_last_picture_stays_and_the_next_value_clears_it():
    explorer = explore(Scene(failing, {"x": 0.5}), x=(0.0, 2.0))
    good = bytes(explorer.picture.value)
    explorer.set(x=1.5)
    assert "ValueError: x is &lt;1.5&gt;" in explorer.problem
    assert bytes(explorer.picture.value) == good
    explorer.set(x=0.75)
    assert explorer.problem == ""
    assert explorer.reading == "x 0.75"


def test_a_scene_that_cannot_draw_its_first_picture_raises():
    with pytest.raises(ValueError, match="x is <3>"):
        explore(Scene(failing, {"x": 3}))


def test_a_storm_of_values_draws_few_pictures_and_ends_on_the_last_value():
    drawn = []

    def build(figure):
        def move(*, x):
            drawn.append(x)
            return f"x {x}"

        return move

    explorer = explore(Scene(build, {"x": 0}), x=(0, 300))

    async def storm():
        for x in range(1, 301):
            explorer.sliders["x"].value = x
            if x % 10 == 0:
                await asyncio.sleep(0.01)
        await asyncio.sleep(0.2)

    asyncio.run(storm())
    assert drawn[-1] == 300
    assert explorer.reading == "x 300"
    assert len(drawn) <= 32


def test_the_widget_carries_a_small_picture_and_its_reading_for_pages_without_a_kernel(explorer):
    data, metadata = explorer._repr_mimebundle_()
    assert data["image/png"].startswith(b"\x89PNG")
    assert len(data["image/png"]) <= 60_000
    assert data["text/plain"] == explorer.reading
    assert "application/vnd.jupyter.widget-view+json" in data
    assert metadata["image/png"]["alt"] == explorer.reading


def test_exploring_opens_no_figure_and_leaves_the_style_of_other_figures_alone():
    before = dict(plt.rcParams)
    explore(gradient_descent, quadratic).set(lr=0.5)
    assert plt.get_fignums() == []
    assert dict(plt.rcParams) == before


@pytest.fixture
def usual_size():
    yield
    projector(1)


def test_on_a_projector_pictures_their_words_and_their_sliders_are_larger(usual_size):
    usual = explore(gradient_descent, quadratic)
    still = _png_width(Picture(new_figure((5, 2)), "")._repr_mimebundle_()[0]["image/png"])
    projector(1.5)
    large = explore(gradient_descent, quadratic)
    assert _png_width(Picture(new_figure((5, 2)), "")._repr_mimebundle_()[0]["image/png"]) == 1.5 * still
    for explorer, width in ((usual, 960), (large, 1440)):  # the one that is there stays as it is
        explorer.set(lr=0.5)
        assert explorer.picture.layout.max_width == f"{width}px"
        assert _png_width(explorer.picture.live.png()) == width
    assert (usual.sliders["lr"].layout.width, large.sliders["lr"].layout.width) == ("310px", "465px")
    words = [label.get_window_extent().height for label in (_label(usual), _label(large))]
    assert words[1] == pytest.approx(1.5 * words[0], abs=1)
    assert "--jp-widgets-font-size: 19.5px" in large.children[-1].value
    assert "<style>" not in "".join(getattr(child, "value", "") for child in usual.children[1:])
    projector(1)
    assert explore(gradient_descent, quadratic).picture.layout.max_width == "960px"


def _png_width(data):
    return int.from_bytes(data[16:20], "big")


def _label(explorer):
    return explorer.picture.live.figure.axes[0].xaxis.label


@pytest.mark.parametrize("scale", [0, -1, 100, float("nan")])
def test_a_size_that_no_projector_has_is_refused(scale, usual_size):
    with pytest.raises(ValueError, match="from half to four times"):
        projector(scale)


def test_the_best_lr_of_a_race_ends_lower_than_its_neighbours():
    best = scenes.best_lr_of(gradient_descent, rosenbrock)
    ends = [
        rosenbrock(path(gradient_descent, rosenbrock.grad, rosenbrock.start, 100, lr=lr)[-1])
        for lr in (best / 1.4, best, best * 1.4)
    ]
    assert np.nanargmin(ends) == 1
