"""Sliders over live pictures, without a browser: what they show is what the rule does.

The explorers of each lesson are driven in its own kernel: test_notebooks.py.
"""

import asyncio
import json
import struct
import threading
from types import SimpleNamespace

import ipywidgets
import matplotlib.pyplot as plt
import numpy as np
import pytest
import traitlets
from discovery import RULES
from drive import drive, somewhere

import optim_lessons.lab.explore as explore_module
from optim_lessons import landscapes
from optim_lessons.adam import adam
from optim_lessons.course.publish import PICTURE_BYTES
from optim_lessons.gradient_descent import gradient_descent
from optim_lessons.lab import scenes
from optim_lessons.lab.canvas import on_page
from optim_lessons.lab.explore import Explorer, explore
from optim_lessons.lab.frames import IMAGE, MARKS, PATH, TEXT
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
from optim_lessons.pictures.start_here import race
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


def test_a_frame_after_many_others_paints_what_the_first_frame_of_a_new_figure_does(explorer):
    for values in somewhere(explorer, 5):
        explorer.set(**values)
    anew = LiveFigure(explorer.scene)
    assert painted(anew, values) == painted(explorer.live, values)


def painted(live, values):
    """Return a frame with everything it refers to written out: calls with their styles, letters, shapes."""
    reading, numbers = live.frame(values)
    book = live.book.news()
    rows = [np.frombuffer(book["layers"][layer], np.int16) for layer in numbers[:2]]
    return reading, book["places"][numbers[2]], [list(calls(row, book)) for row in [*rows, numbers[3:]]]


def calls(row, book):
    """Yield the calls of a row of numbers, with what they refer to in the place of its number."""
    at = 0
    while at < len(row):
        kind, style = row[at], book["styles"][row[at + 1]]
        if kind == PATH:
            end = at + 3
            for _ in range(row[at + 2]):
                end += 2 + 2 * row[end]
            yield "path", style, row[at + 2 : end].tolist()
        elif kind == MARKS:
            end = at + 4 + 2 * row[at + 3]
            yield "marks", style, book["shapes"][row[at + 2]], row[at + 3 : end].tolist()
        elif kind == TEXT:
            end = at + 6 + 4 * row[at + 5]
            letters = row[at + 6 : end].reshape(-1, 4)
            yield "text", style, row[at + 2 : at + 6].tolist(), [book["glyphs"][one] for one in letters[:, 0]]
            yield "letters", letters[:, 1:].tolist()
        else:
            assert kind == IMAGE
            end = at + 7
            yield "image", style, book["images"][row[at + 2]], row[at + 3 : end].tolist()
        at = end


KNOBS = ("lr", "beta1", "beta2", "eps")


@pytest.mark.parametrize(
    ("rule", "ground"),
    [(rule, rosenbrock) for rule in RULES.values()] + [(adam, quadratic), (momentum, landscapes.saddle)],
)
def test_the_drawn_path_and_losses_are_those_of_the_rule(rule, ground):
    explorer = explore(rule, ground)
    above, beside = explorer.figure.axes
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
    before = explorer.frame().numbers.tobytes()
    explorer.set(speed=0.25)
    assert explorer.frame().numbers.tobytes() != before


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


def test_a_slider_stops_at_round_numbers_at_its_ends_and_at_its_default():
    controls = explore(adam, rosenbrock, lr=(0.013, 4.7, 1 / 9)).controls
    assert {0.013, 0.02, 0.45, 1, 1.05, 1.9, 2, 4.7, 1 / 9} <= {*controls["lr"].stops}
    assert controls["lr"].default == 1 / 9
    between = np.diff(np.log(controls["lr"].stops))
    assert 0 < between.min() < between.max() < 0.06
    assert {1e-8, 2e-8, 1e-3, 1} <= {*controls["eps"].stops}
    assert {-1.5, -1.2, 0, 0.3} <= {*explore(gradient_descent, rosenbrock).controls["start_x"].stops}


def test_code_may_set_a_value_between_the_stops_and_the_stops_stay_as_they_are():
    explorer = explore(adam, quadratic, lr=(0.01, 3.0))
    before = explorer.controls
    for lr in np.linspace(0.011, 2.987, 40):
        explorer.set(lr=lr, beta1=0.93)
        assert (explorer.values["lr"], explorer.values["beta1"]) == (lr, 0.93)
    assert explorer.controls == before


@pytest.mark.parametrize(
    ("wish", "error", "message"),
    [
        ({"lr": 100.0}, ValueError, "lr is 100.0: its slider runs from 0.01 to 3"),
        ({"lr": float("nan")}, TypeError, "lr is nan: give a number from 0.01 to 3"),
        ({"lr": None}, TypeError, "lr is None: give a number from 0.01 to 3"),
        ({"lr": [1]}, TypeError, r"lr is \[1\]: give a number from 0.01 to 3"),
        ({"lr": True}, TypeError, "lr is True: give a number from 0.01 to 3"),
        ({"steps": float("inf")}, ValueError, "steps is inf: its slider runs from 1 to 300"),
        ({"steps": 2.5}, ValueError, "steps is 2.5: give a whole number from 1 to 300"),
        ({"batch": 3}, ValueError, "batch is 3: choose one of 4, 8"),
        ({"kind": "line"}, ValueError, "kind is 'line': choose one of step, cosine"),
        ({"shuffled": 1}, TypeError, "shuffled is 1: it is on or off, True or False"),
    ],
)
def test_a_value_that_is_not_allowed_is_refused_with_what_is_and_nothing_moves(wish, error, message):
    def build(figure):
        line = figure.subplots().plot([], [], animated=True)[0]

        def move(**knobs):
            line.set_data([0, 1], [0, knobs["lr"]])
            return f"{knobs}"

        return move

    knobs = {"lr": 0.5, "steps": 7, "batch": 4, "kind": "step", "shuffled": False}
    ranges = {"lr": (0.01, 3.0), "steps": (1, 300), "batch": [4, 8], "kind": ["step", "cosine"]}
    explorer = explore(Scene(build, knobs, ranges=ranges))
    before = explorer.values, explorer.reading, explorer.frame()
    with pytest.raises(error, match=message):
        explorer.set(**{"steps": 9} | wish)
    after = explorer.values, explorer.reading, explorer.frame()
    assert after[:2] == before[:2]
    np.testing.assert_array_equal(after[2].numbers, before[2].numbers)


def test_a_list_gives_choices_a_pair_a_range_and_a_number_a_default():
    explorer = explore(adam, rosenbrock, lr=[0.1, 0.2], eps=(1e-4, 1.0), steps=7)
    assert explorer.controls["lr"].stops == (0.1, 0.2)
    assert (explorer.controls["eps"].stops[0], explorer.controls["eps"].stops[-1]) == (1e-4, 1)
    assert explorer.values["steps"] == 7


def test_a_new_default_alone_keeps_the_range_and_the_choices_of_the_scene():
    scene = Scene(failing, {"x": 0.5}, ranges={"x": (0.1, 0.9)})
    control = explore(scene, x=0.25).controls["x"]
    assert (control.stops[0], control.stops[-1], control.default) == (0.1, 0.9, 0.25)

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
    losses = explorer.figure.axes[1].lines[0].get_ydata()
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


def test_a_failure_is_told_the_last_picture_stays_and_the_next_value_clears_it(messages):
    explorer = explore(Scene(failing, {"x": 0.5}), x=(0.0, 2.0))
    explorer.set(x=1.5)
    assert explorer.problem == "ValueError: x is <1.5>"
    assert explorer.reading == "x 0.5"
    (told,) = messages(explorer)
    assert (told["tell"], told["message"]) == ("failed", "ValueError: x is <1.5>")
    explorer.set(x=0.75)
    assert explorer.problem == ""
    assert explorer.reading == "x 0.75"


def test_a_scene_that_cannot_draw_its_first_picture_raises():
    with pytest.raises(ValueError, match="x is <3>"):
        explore(Scene(failing, {"x": 3}))


# --- between the page and the kernel -----------------------------------------------------------------


@pytest.fixture
def messages(monkeypatch):
    """Return a function that tells what an explorer has sent to its page since the last call."""
    sent = []
    monkeypatch.setattr(
        Explorer, "send", lambda self, content, buffers=None: sent.append((self, content, buffers))
    )

    def since(explorer):
        mine = [content | {"packed": unpacked(buffers)} for one, content, buffers in sent if one is explorer]
        sent.clear()
        return mine

    return since


def unpacked(buffers):
    if not buffers:
        return None
    (size,) = struct.unpack_from("<I", buffers[0])
    return json.loads(buffers[0][4 : 4 + size])


def says(explorer, **content):
    """Let the page say something to an explorer."""
    explorer._asked(explorer, content, [])


def hold(explorer, knob, stop=0, grab=1, seconds=2.0):
    """Let the page hold a slider at a stop while a loop runs."""

    async def held():
        says(
            explorer,
            ask="ahead",
            values=list(explorer.values.values()),
            knob=knob,
            grab=grab,
            **{"from": stop},
        )
        await asyncio.sleep(seconds)

    asyncio.run(held())


def made_ahead(told):
    return [tuple(key) for content in told for key in content["packed"]["keys"]]


def two_knobs(clock=None, seconds=0.0):
    """Return a scene with two knobs, each picture of which takes so many seconds of a clock."""

    def build(figure):
        line = figure.subplots().plot([], [], animated=True)[0]

        def move(*, x, y):
            if clock:
                clock.now += seconds
            line.set_data([0, 1], [x, y])
            return f"x {x:g}, y {y:g}"

        return move

    return Scene(build, {"x": 20, "y": 0.5}, ranges={"x": (0, 40)})


@pytest.fixture
def clock(monkeypatch):
    """Give the explorer a clock that only pictures move on."""
    clock = SimpleNamespace(now=0.0)
    clock.thread_time = clock.perf_counter = lambda: clock.now
    monkeypatch.setattr(explore_module, "time", clock)
    return clock


def test_a_page_that_begins_gets_its_first_frame_with_the_explorer_and_a_later_one_everything_anew(messages):
    explorer = explore(two_knobs())
    says(explorer, ask="hello", epoch=0)
    assert messages(explorer) == []
    explorer.set(x=3)
    messages(explorer)
    says(explorer, ask="hello", epoch=0)  # the page was loaded again, or opened a second time
    (told,) = messages(explorer)
    packed = told["packed"]
    assert (packed["keys"], packed["words"]) == ([[3, 0.5]], ["x 3, y 0.5"])
    assert packed["epoch"] == 1
    assert packed["counts"]["layers"] == explorer.live.book.counts()["layers"]


def kinds(told):
    return [content["tell"] for content in told]


def test_a_walks_page_gets_the_formulas_once_for_each_ground_and_knows_when_they_come(messages):
    explorer = explore(race())
    says(explorer, ask="hello", epoch=0)
    assert explorer.sheet["program"]
    assert kinds(messages(explorer)) == ["program"]
    other = explorer.values | {"landscape": explorer.controls["landscape"].stops[-1]}
    says(explorer, ask="frame", values=list(other.values()), id=1)
    assert kinds(messages(explorer)) == ["program follows", "frames", "program"]
    says(explorer, ask="frame", values=list(other.values()), id=2)
    assert kinds(messages(explorer)) == ["frames"]
    assert not explore(two_knobs()).sheet["program"]


def test_code_that_moves_a_walk_sends_no_frame_where_the_page_draws_by_itself(messages):
    explorer = explore(gradient_descent, landscapes.saddle)
    explorer.set(lr=0.1)
    assert kinds(messages(explorer)) == ["frames"]
    says(explorer, ask="hello", epoch=0)
    assert kinds(messages(explorer))[-1] == "program"
    explorer.set(lr=0.2)
    assert messages(explorer) == []
    assert explorer.reading == explore(gradient_descent, landscapes.saddle, lr=0.2).reading


def test_a_rule_that_cannot_be_printed_is_said_to_have_no_formulas(messages):
    def fickle(w, g, *, lr=0.1):
        return w - lr * g if float(w[0]) > 0 else w - 2 * lr * g

    explorer = explore(fickle, rosenbrock)
    says(explorer, ask="hello", epoch=0)
    assert kinds(messages(explorer)) == ["no program"]


def test_a_frame_that_the_page_asks_for_comes_with_the_number_of_the_question(messages):
    explorer = explore(two_knobs())
    says(explorer, ask="frame", values=[7, 0.25], id=12)
    (told,) = messages(explorer)
    assert (told["tell"], told["id"], told["packed"]["words"]) == ("frames", 12, ["x 7, y 0.25"])
    says(explorer, ask="frame", values=[8, 1], id=13)
    (told,) = messages(explorer)
    assert told["packed"]["news"] == {}  # the page has had everything that repeats
    assert explorer.values == {"x": 20, "y": 0.5}, "the page tells where the controls stand by itself"
    assert explorer.reading == "x 20, y 0.5"


def test_a_slider_in_hand_gets_all_its_stops_nearest_first_then_coarse_then_fine(messages):
    explorer = explore(two_knobs())
    hold(explorer, "x", stop=20)
    made = [x for x, _ in made_ahead(messages(explorer))]
    assert sorted(made) == [x for x in range(41) if x != 20]  # 20 was shown at the start
    assert set(made[:8]) == set(range(16, 25)) - {20}
    coarse = made[8 : 8 + 8]
    assert [x % 4 for x in coarse] == [0] * 8
    assert explorer.reading == "x 20, y 0.5"


def test_work_ahead_is_done_in_short_slices_and_a_newer_wish_is_met_between_them(messages, clock):
    explorer = explore(two_knobs(clock, seconds=explore_module.SLICE / 2.5))

    async def held():
        says(explorer, ask="ahead", values=[20, 0.5], knob="x", grab=1, **{"from": 20})
        while not made_ahead(told := messages(explorer)):
            await asyncio.sleep(0.001)
        says(explorer, ask="frame", values=[0, 0.1], id=5)
        told += messages(explorer)
        await asyncio.sleep(0.5)
        return told, messages(explorer)

    before, after = asyncio.run(held())
    assert before[-1]["id"] == 5
    assert made_ahead(after), "the work goes on afterwards"
    assert {len(made_ahead([one])) for one in before[:-1] + after[:-1]} == {3}


def test_a_slow_scene_takes_no_more_than_its_share_of_the_processor_each_time_a_slider_is_taken(
    messages, clock
):
    explorer = explore(two_knobs(clock, seconds=0.11))
    hold(explorer, "x", seconds=0.3)
    hold(explorer, "x", stop=30, seconds=0.3)  # the same grab
    first = len(made_ahead(messages(explorer)))
    hold(explorer, "x", stop=30, grab=2, seconds=0.3)
    second = len(made_ahead(messages(explorer)))
    for share in (first, second):
        assert explore_module.AHEAD < 0.11 * share < explore_module.AHEAD + 0.12


def test_no_work_is_done_ahead_while_a_cell_runs(messages, monkeypatch):
    explorer = explore(two_knobs())
    monkeypatch.setattr(explore_module._cells, "running", True)
    hold(explorer, "x", seconds=0.1)
    assert messages(explorer) == []


def test_what_cannot_be_drawn_is_left_out_ahead_and_told_when_it_is_wanted(messages):
    explorer = explore(Scene(failing, {"x": 0.5}), x=(0.0, 2.0))
    hold(explorer, "x", stop=10, seconds=0.5)
    assert max(x for (x,) in made_ahead(messages(explorer))) <= 1
    assert explorer.problem == ""
    says(explorer, ask="frame", values=[1.5], id=3)
    (told,) = messages(explorer)
    assert (told["id"], told["message"]) == (3, "ValueError: x is <1.5>")


def test_a_full_book_is_followed_by_a_new_one_that_needs_nothing_of_the_old(messages, monkeypatch):
    monkeypatch.setattr(explore_module, "BOOK", 3_000)
    explorer = explore(two_knobs())
    for x in range(40):
        says(explorer, ask="frame", values=[x, 0.5], id=x)
    told = [content["packed"] for content in messages(explorer)]
    epochs = [packed["epoch"] for packed in told]
    assert epochs[-1] > 1
    for packed, before in zip(told, [0, *epochs], strict=False):
        assert packed["epoch"] == before or packed["counts"]["layers"] >= 2


def test_a_value_of_the_page_that_is_not_allowed_moves_nothing(messages):
    explorer = explore(two_knobs())
    with pytest.raises(ValueError, match="x is 50"):
        explorer._values = [50, 0.5]
    with pytest.raises(traitlets.TraitError, match="2 knobs, not 1"):
        explorer._values = [5]
    assert explorer.values == {"x": 20, "y": 0.5}


def test_a_picture_moved_in_one_loop_and_then_in_another_is_drawn_each_time():
    explorer = explore(two_knobs())

    async def move(x):
        explorer.set(x=x)

    for x in (3, 4):
        asyncio.run(move(x))
        assert explorer.reading == f"x {x}, y 0.5"
    hold(explorer, "x", seconds=0.05)
    hold(explorer, "y", seconds=0.05)
    assert explorer.reading == "x 4, y 0.5"


def test_drawing_in_two_threads_leaves_the_settings_of_other_figures_alone():
    before = dict(plt.rcParams)
    threads = [
        threading.Thread(target=lambda: [explore(gradient_descent, quadratic) for _ in range(4)])
        for _ in "ab"
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert dict(plt.rcParams) == before


def test_a_closed_explorer_leaves_no_widget_and_says_that_it_is_closed():
    before = set(widgets())
    explorer = explore(two_knobs())
    explorer.set(x=3)
    explorer.close_all()
    assert set(widgets()) == before
    assert (explorer.values, explorer.reading) == ({"x": 3, "y": 0.5}, "x 3, y 0.5")
    with pytest.raises(RuntimeError, match="its cell has run again"):
        explorer.set(x=4)


def widgets():
    return ipywidgets.widgets.widget._instances


def test_the_widget_carries_a_small_picture_and_its_reading_for_pages_without_a_kernel(explorer):
    data, metadata = explorer._repr_mimebundle_()
    assert data["image/png"].startswith(b"\x89PNG")
    assert len(data["image/png"]) <= PICTURE_BYTES
    assert data["text/plain"] == explorer.reading
    assert "application/vnd.jupyter.widget-view+json" in data
    width, height = on_page(explorer.figure)
    assert metadata["image/png"] == {"alt": explorer.reading, "width": width, "height": height}
    assert png_size(data["image/png"]) == (2 * width, 2 * height)


def test_a_rule_s_knobs_may_be_called_like_anything_that_makes_a_picture():
    def mine(w, g, *, lr=0.1, play=1.0, handles=1.0, figsize=1.0, formulas=1.0, show=1.0):
        return w - lr * play * handles * figsize * formulas * show * g

    explorer = explore(mine, quadratic)
    explorer.set(play=0.0)
    assert explorer.problem == ""
    assert list(explorer.values)[:6] == ["lr", "play", "handles", "figsize", "formulas", "show"]


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
    still = png_size(Picture(new_figure((5, 2)), "")._repr_mimebundle_()[0]["image/png"])
    projector(1.5)
    large = explore(gradient_descent, quadratic)
    assert png_size(Picture(new_figure((5, 2)), "")._repr_mimebundle_()[0]["image/png"])[0] == 1.5 * still[0]
    for explorer, width in ((usual, 960), (large, 1440)):  # the one that is there stays as it is
        explorer.set(lr=0.5)
        assert explorer._sheet["size"][0] == width
        assert png_size(explorer.live.png())[0] == 2 * width
    assert (usual._sheet["scale"], large._sheet["scale"]) == (1, 1.5)
    words = [label.get_window_extent().height for label in (_label(usual), _label(large))]
    assert words[1] == pytest.approx(1.5 * words[0], abs=1)
    projector(1)
    assert explore(gradient_descent, quadratic)._sheet["size"][0] == 960


def test_a_projector_may_keep_pictures_on_a_light_card(usual_size):
    projector(1, light=True)
    assert explore(gradient_descent, quadratic)._sheet["light"] is True
    projector(1)
    assert explore(gradient_descent, quadratic)._sheet["light"] is False


def png_size(data):
    return tuple(int.from_bytes(data[at : at + 4], "big") for at in (16, 20))


def _label(explorer):
    return explorer.figure.axes[0].xaxis.label


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
