"""What the page works out by itself is what Python shows: sentences, frames, landscapes, the noise."""

import numpy as np
import pytest
from drive import somewhere
from page_frames import assert_same_picture, ready
from steady import steady

from optim_lessons import landscapes
from optim_lessons.adam import adam
from optim_lessons.gradient_descent import gradient_descent
from optim_lessons.lab import page as course_page
from optim_lessons.lab import scenes
from optim_lessons.lab.explore import explore
from optim_lessons.lab.knobs import parts
from optim_lessons.lab.printed import programs
from optim_lessons.lab.tape.grounds import knobs_of
from optim_lessons.momentum import momentum
from optim_lessons.rmsprop import rmsprop
from optim_lessons.sgd import noisy, sgd

browser_test = pytest.mark.browser


def signs(w, g, m=0.0, *, lr=0.05, beta=0.9):
    """Walk as a learner's own rule may."""
    m = np.where(m * g < 0, 0.0, beta * m) + np.sign(g)
    return w - lr * np.tanh(m), m


def braked(w, g, *, lr=0.05):
    """Walk by a rule that looks at its values, which a page cannot follow."""
    return w - lr * g / max(1.0, np.abs(g).max())


WALKS = {
    "a learner's rule": (signs, landscapes.beale, {}),
    "a valley": (adam, landscapes.rosenbrock, {}),
    "a ravine with knobs of its own": (gradient_descent, landscapes.quadratic, {}),
    "a saddle, above and below 0": (momentum, landscapes.saddle, {}),
    "a plateau with a ravine": (rmsprop, landscapes.plateau, {}),
    "real land": (gradient_descent, landscapes.terrain(), {"lr": (1e-4, 0.003)}),
}
RACERS = {"SGD": sgd, "momentum": momentum, "Adam": adam}
GROUNDS = {"ravine": landscapes.quadratic(condition=100, angle=20), "Beale": landscapes.beale}


@pytest.fixture(scope="module")
def page(browser):
    page = browser.new_page()
    page.add_script_tag(content=course_page.script())
    return page


@browser_test
@pytest.mark.parametrize("name", WALKS)
def test_a_walk_s_sentence_and_frame_in_the_page_are_python_s(page, name):
    rule, landscape, knobs = WALKS[name]
    explorer = explore(rule, landscape, **knobs)
    here, compared = ready(page, explorer), 0
    own = {} if hasattr(landscape, "grad") else knobs_of(landscape)
    for values in somewhere(explorer, 8):
        ground = landscape(**{k: values[k] for k in own}) if own else landscape
        start = np.array([values["start_x"], values["start_y"]], float)
        its = {k: values[k] for k in parts(rule).knobs}
        if steady(rule, ground.grad, start, values["steps"], **its)[1] > values["steps"]:
            assert_same_picture(page, explorer, values, here)
            compared += 1
    assert compared >= 5, "most random walks are steady"


@browser_test
def test_what_the_formulas_of_a_walk_refuse_is_left_to_the_frames_of_its_kernel(page):
    explorer = explore(adam, landscapes.rosenbrock)
    ready(page, explorer)
    refusing = "values => { maker.program(values).scene.its.set = () => false; return maker.make(values); }"
    values = list(explorer.values.values())
    assert page.evaluate("values => Boolean(maker.make(values))", values)
    assert page.evaluate(refusing, values) is None
    assert not page.evaluate("values => maker.prepares(values)", values)


@browser_test
@pytest.mark.parametrize("ground", GROUNDS)
def test_a_race_s_sentence_and_frame_in_the_page_are_python_s(page, ground):
    # Up to twice the tuned lr: beyond it walks swing from wall to wall, and a last digit decides where to.
    explorer = explore(scenes.race(RACERS, GROUNDS, noisy), landscape=[ground], lr_scale=(0.05, 2.0))
    here = ready(page, explorer)
    for values in somewhere(explorer, 8):
        assert_same_picture(page, explorer, values, here)


@browser_test
def test_the_noise_in_the_page_is_numpy_s(page):
    for seed, steps in ((0, 300), (7, 5000), (2**31 + 5, 40), (2**32 - 1, 40)):
        got = page.evaluate("([seed, steps]) => noise(seed, steps)", [seed, steps])
        told = [np.random.default_rng((seed, t)).standard_normal(2) for t in range(steps)]
        # The page works the layers of the ziggurat out; NumPy has them as a table.
        np.testing.assert_allclose(got, np.concatenate(told), rtol=1e-12)


def test_what_a_page_cannot_follow_is_left_to_the_kernel():
    explorer = explore(braked, landscapes.beale)
    assert programs(explorer.live, explorer.controls, [explorer.values]) is None
    assert explorer.reading.startswith("Braked: after 60 steps")
